"""Packs of units: whole for their own committee, and not a trace of anybody else in them."""

import csv
import re
from html.parser import HTMLParser

import openpyxl
import pytest

from perfmodel import report
from perfmodel.pseudonyms import check_of, pseudonym
from perfmodel.report.sorting import MARK
from perfmodel.runner.packs import folder_of, write_packs

KEY = "a key of the test"
RUN = {"run_id": "7f3a-91c2-0b5e", "finished": "2026-10-20 18:04:00", "versions": {}, "inputs": {}}


@pytest.fixture(scope="module")
def packs(quarter, tmp_path_factory):
    page = tmp_path_factory.mktemp("packs")
    (page / "restricted").mkdir()
    return page, write_packs(quarter, page, RUN)


@pytest.fixture(scope="module")
def hidden(quarter, tmp_path_factory):
    page = tmp_path_factory.mktemp("hidden")
    (page / "restricted").mkdir()
    return page, write_packs(quarter, page, RUN, key=KEY)


class Words(HTMLParser):
    """What a reader of a page can find in it: its text and its attributes, the script that sorts aside."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(re.sub(r"<(script|style).*?</\1>", "", text, flags=re.S))

    def handle_data(self, data):
        self.found.append(data)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if value and name not in ("d", "style", "class")]


def everything_in(folder):
    """All text of a pack, files of every kind."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".html":
            found += Words(path.read_text(encoding="utf-8")).found
        elif path.suffix == ".csv":
            found.append(path.read_text(encoding="utf-8"))
        elif path.suffix == ".xlsx":
            book = openpyxl.load_workbook(path)
            found += [str(c.value) for sheet in book for row in sheet.iter_rows() for c in row if c.value is not None]
            found += book.sheetnames
    return "\n".join(found)


def test_no_row_name_or_id_of_another_unit_is_in_a_pack_nor_any_raters_id(quarter, packs):
    page, pages = packs
    people = quarter.cycle.employees
    # Some managers stand outside the units' own people; their ids must not show either.
    raters = set(quarter.cycle.ratings["rater_id"]) | set(people["manager_id"]) - {""}
    for unit in pages:
        text = everything_in(page / "units" / folder_of(unit))
        own = people[people["unit"] == unit]
        others = people[people["unit"] != unit]
        foreign = (set(others["employee_id"]) | raters | set(others["unit"])) - set(own["employee_id"])
        foreign |= set(others["name"]) - set(own["name"])
        seen = set(re.findall(r"[\w-]+", text)) | set(re.findall(r"\w+ \w+", text))
        assert not seen & foreign, unit
        assert set(own["employee_id"]) <= seen  # so that the search above can find an id at all
        assert "RC-" in text


def test_a_packs_numbers_are_those_of_the_company_wide_fit(quarter, packs):
    page, pages = packs
    unit = sorted(pages)[0]
    with open(page / "units" / folder_of(unit) / "tables" / "scores.csv", encoding="utf-8") as file:
        rows = {row["employee_id"]: row for row in csv.DictReader(file)}
    whole = quarter.scores.set_index("employee_id")
    assert set(rows) == set(whole.index[whole["unit"] == unit])
    for who, row in rows.items():
        assert row["score_adjusted"] == (
            "" if whole.score_adjusted.isna()[who] else repr(float(whole.score_adjusted[who]))
        )
    with open(page / "restricted" / "rater_codes.csv", encoding="utf-8") as file:
        codes = {row["code"]: row["rater_id"] for row in csv.DictReader(file)}
    with open(page / "units" / folder_of(unit) / "tables" / "raters.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            severity = quarter.raters.set_index("rater_id").severity[codes[row["rater_id"]]]
            assert row["severity"] == ("" if severity != severity else repr(float(severity)))


def test_a_packs_report_says_what_the_units_page_of_the_company_says(quarter, packs):
    page, pages = packs
    unit = sorted(pages)[1]
    mine = report.calibration_report(report.excerpt(
        quarter, unit, codes=report.rater_codes(quarter), company=report.company_of(quarter)))  # fmt: skip
    assert mine.sentences() == report.calibration_report(quarter, unit).sentences()
    text = (page / "units" / folder_of(unit) / "calibration_report.html").read_text(encoding="utf-8")
    assert MARK in text and 'href="#s-' in text


def test_under_pseudonyms_nobody_is_named_and_the_key_alone_gives_them_back(quarter, hidden):
    page, pages = hidden
    people = quarter.cycle.employees
    for unit in sorted(pages)[:3]:
        text = everything_in(page / "units" / folder_of(unit))
        seen = set(re.findall(r"[\w-]+", text)) | set(re.findall(r"\w+ \w+", text))
        assert not seen & (set(people["employee_id"]) | set(people["name"]))
        own = people.loc[people["unit"] == unit, "employee_id"]
        assert {pseudonym(KEY, who) for who in own} <= seen
        assert KEY not in text
    first = page / "units" / folder_of(sorted(pages)[0]) / "tables" / "scores.csv"
    with open(first, encoding="utf-8") as file:
        shown = [row["employee_id"] for row in csv.DictReader(file)]
    assert shown == sorted(shown)  # not in the order of the ids behind them


def test_a_key_makes_its_own_pseudonyms_and_cannot_be_read_off_a_run():
    assert pseudonym("a", "001") != pseudonym("b", "001") and pseudonym("a", "001") == pseudonym("a", "001")
    assert pseudonym("a", "1b") != pseudonym("a1", "b")  # key and id do not run into each other
    assert check_of("a") != check_of("b") and len(check_of("a")) == 8


def test_company_figures_are_left_out_where_too_few_others_make_them(quarter):
    company = report.company_of(quarter)
    unit = sorted(set(quarter.totals["unit"]))[0]
    scored = int((quarter.scores.unit.eq(unit) & quarter.scores.score_raw.notna()).sum())
    few = report.Company(scored + 9, company.score, company.categories, company.zone)
    piece = report.excerpt(quarter, unit, codes=report.rater_codes(quarter), company=few)
    assert piece.company.score != piece.company.score  # nine others: their mean would follow from the two
    assert report.calibration_report(piece).html()


def test_folders_of_units_never_clash_or_lead_elsewhere():
    names = ["U1", "u/1", "u_1", "..", ".", "销售一部", "a" * 300, "a" * 299 + "b"]
    folders = [folder_of(name) for name in names]
    assert len(set(folders)) == len(names) and folders[5] == "销售一部"
    assert all(re.fullmatch(r"[\w-][\w.-]*", folder) and len(folder) < 80 for folder in folders)
