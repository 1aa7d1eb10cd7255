"""The private page of a rater: what it says, what it keeps to itself."""

import re
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pytest

import perfmodel as pm
from perfmodel import report
from perfmodel.language import speaking
from perfmodel.report.feedback import _file
from perfmodel.runner import run

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def sheets(quarter):
    return dict(report.feedback_sheets(quarter))


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.S))


def of(quarter, verdict: str) -> str:
    return quarter.raters.loc[quarter.raters.verdict == verdict, "rater_id"].iloc[0]


def test_every_rater_has_a_page_and_none_names_another_rater(quarter, sheets):
    raters = set(quarter.raters.rater_id)
    assert sheets.keys() == {f"{rater}.html" for rater in raters}
    employees = set(quarter.cycle.employees.employee_id)
    for rater in raters:
        said = set(re.findall(r"\b[EX]-\d{4}\b", words(sheets[f"{rater}.html"])))
        shown = set(quarter.severity.examples(rater).employee_id)
        assert said <= shown | {rater} and shown <= employees


def test_many_raters_pages_are_drawn_by_several_processes_to_the_same_byte(quarter, sheets, tmp_path, monkeypatch):
    runner = run.__globals__
    monkeypatch.setitem(runner, "MANY", 1)
    with speaking("zh"):
        runner["_write_restricted"](quarter, tmp_path, runner["_elsewhere"](2, print))
        few = dict(map(report.feedback_sheet, islice(report.own_ratings(quarter), 3)))
    found = {path.name: path.read_bytes().decode() for path in (tmp_path / "restricted" / "feedback").iterdir()}
    assert found.keys() == sheets.keys() and few.items() < found.items()


def test_a_severe_raters_page_says_by_how_much_and_shows_three_ratings(quarter, sheets):
    rater = of(quarter, "severe")
    said = words(sheets[f"{rater}.html"])
    assert "more severe than colleagues who rate the same people" in said
    assert "Questions for each of them" in said and "Use of the scale" in said and "Halo" in said
    assert "Simulated data" in said and "a severe rater may be the one who is right" in said


def test_a_rater_whom_nobody_can_compare_is_told_why_and_what_would_help(quarter, sheets):
    said = words(sheets[f"{of(quarter, 'left alone')}.html"])
    assert "a severe rater cannot be told from a weak team" in said
    assert "rated by a colleague" in said and "nan" not in said.lower().split()


def test_a_chinese_page_says_the_same_numbers_and_no_english_sentence(quarter, sheets):
    with speaking("zh"):
        chinese = dict(report.feedback_sheets(quarter))
    for verdict in ("severe", "lenient", "left alone"):
        name = f"{of(quarter, verdict)}.html"
        here, there = (
            re.sub(r"<header.*?</header>|<footer.*", "", p, flags=re.S) for p in (chinese[name], sheets[name])
        )
        numbers = [sorted(re.findall(r"[+−]?\d+\.\d+", words(page))) for page in (here, there)]
        assert numbers[0] == numbers[1], name
        assert "您" in here and not re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", words(here)), name


def test_every_finding_is_said_in_chinese_with_the_numbers_of_the_english_one(quarter):
    profile = report.largest_profile(quarter)
    for about in (
        "scores", "chances", "weights", "links", "severity", "adjusted", "company", "distribution", "drift",
        "consistency", "separation",
    ):  # fmt: skip
        english = report.finding(quarter, about, profile)
        with speaking("zh"):
            chinese = report.finding(quarter, about, profile)
        numbers = [sorted(re.findall(r"\d*\.?\d+", text)) for text in (chinese, english)]
        assert numbers[0] == numbers[1] and not re.search("[a-z]{2,}", chinese), chinese


def test_a_raters_id_that_is_no_file_name_gets_one_of_its_own():
    odd = ["../x", "a/b", "a_b", "<b>", "张", ".hidden", "x" * 300, "x" * 301]
    names = [_file(rater) for rater in odd]
    assert len(set(names)) == len(odd) and _file("a_b") == "a_b"
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,80}", name) for name in names)


def test_odd_names_are_text_on_the_page(quarter):
    evil = "<script>alert(1)</script>"
    tables = {**quarter.cycle.tables, "employees": quarter.cycle.employees.assign(name=evil)}
    named = replace(quarter.cycle, tables=MappingProxyType(tables))
    pages = dict(report.feedback_sheets(pm.Assessment(named, quarter.seed)))
    shown = [page for page in pages.values() if "Three ratings" in page]
    assert shown and all("<script>" not in page and "&lt;script&gt;" in page for page in shown)


def test_what_a_raters_ratings_alone_say_lies_farther_out_than_the_estimate(quarter):
    table = report.shrinkage_table(quarter)
    assert (table.raw.abs().mean() > table.severity.abs().mean()) and table.raw.corr(table.severity) > 0.9
    assert isinstance(table, pd.DataFrame) and table.severity.notna().all()
