"""Damaged quarters: each is refused or named, and never read as something else in silence."""

import pandas as pd
import pytest
from malformed import VARIANTS
from small_cycle import PEOPLE, write_small

from perfmodel.errors import DataError
from perfmodel.io import check, format_findings, read_cycle


@pytest.fixture
def folder(tmp_path):
    return write_small(tmp_path / "2026Q3")


def test_the_sound_quarter_has_nothing_to_find_fault_with(folder):
    cycle, findings = check(folder)
    assert findings == ()
    assert len(cycle.employees) == 8


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_a_damaged_quarter_is_refused_or_named(folder, variant):
    variant.damage(folder)
    cycle, findings = check(folder)
    said = [f for f in findings if f.code == variant.code]
    assert said, f"{variant.code} is not among {[str(f) for f in findings]}"
    assert {f.level for f in said} == {variant.level}
    assert variant.file in {f.file for f in said}
    assert (cycle is None) == (variant.level == "error")
    # A warning leaves who is rated as it was; and no message tells a name or what somebody earns.
    assert cycle is None or set(PEOPLE) <= set(cycle.employees.employee_id)
    assert not [f for f in findings if ("Person" in f.message and f.code != "control") or "3000" in f.message]


def test_a_refusal_is_raised_with_everything_that_check_finds(folder):
    for file, old, new in (("results", "4080", "inf"), ("pay", "30000", "30,000")):
        path = folder / f"{file}.csv"
        path.write_text(path.read_text().replace(old, f'"{new}"', 1))
    with pytest.raises(DataError) as refusal:
        read_cycle(folder)
    assert refusal.value.findings == check(folder)[1]
    assert {f.level for f in refusal.value.findings} == {"error", "warning"}


def test_there_are_at_least_sixty_ways_and_each_has_its_own_name():
    assert len({v.name for v in VARIANTS}) == len(VARIANTS) >= 60


def test_every_finding_names_a_line_that_an_editor_shows(folder):
    lines = (folder / "results.csv").read_text().split("\n")
    at = next(i for i, line in enumerate(lines, 1) if line.startswith("003,,gross_margin"))
    lines[at - 1] = lines[at - 1].replace("34.9", "lots")
    (folder / "results.csv").write_text("\n".join(lines))
    (finding,) = check(folder)[1]
    assert (finding.file, finding.line, finding.column, finding.code) == ("results.csv", at, 5, "number-bad")


def test_the_line_counts_on_after_a_cell_of_several_lines(folder):
    text = (folder / "results.csv").read_text().replace("ledger,\n", 'ledger,"one\ntwo"\n', 1)
    (folder / "results.csv").write_text(text.replace("003,,gross_margin,32,34.9", "003,,gross_margin,32,lots"))
    (finding,) = check(folder)[1]
    assert (folder / "results.csv").read_text().split("\n")[finding.line - 1].startswith("003,,gross_margin")


def test_all_problems_are_said_at_once(folder):
    for name, old, new in (("results", "4080", "inf"), ("ratings", ",3.5,", ",9,"), ("events", "G3", "G9")):
        path = folder / f"{name}.csv"
        path.write_text(path.read_text().replace(old, new, 1))
    assert {f.code for f in check(folder)[1]} == {"number-infinite", "rating-scale", "gate-unknown"}


def test_one_kind_of_problem_is_listed_twenty_times_and_then_counted(folder):
    path = folder / "results.csv"
    text = path.read_text()
    assert text.count(",ledger,") == 90
    path.write_text(text.replace(",final,", ",done,"))
    findings = check(folder)[1]
    assert len(findings) == 21
    assert findings[-1].message.startswith("90 of this kind in all")


def test_a_duplicate_names_both_lines(folder):
    path = folder / "employees.csv"
    path.write_text(path.read_text() + path.read_text().split("\n")[1] + "\n")
    (finding,) = [f for f in check(folder)[1] if f.code == "key-twice"]
    assert finding.line == 10
    assert "line 2" in finding.message


def test_a_circle_of_managers_is_spelt_out(folder):
    path = folder / "employees.csv"
    path.write_text(
        path.read_text().replace(
            "005,Person 005,South,regional_manager,M2", "005,Person 005,South,regional_manager,007"
        )
    )
    (finding,) = [f for f in check(folder)[1] if f.code == "manager-cycle"]
    assert "005 → 007 → 005" in finding.message


def test_a_source_that_is_not_there_is_said_and_not_raised(tmp_path):
    cycle, (finding,) = check(tmp_path / "2031Q1")
    assert cycle is None
    assert "does not exist" in finding.message
    with pytest.raises(DataError, match="does not exist"):
        read_cycle(tmp_path / "2031Q1")


def test_the_summary_ends_with_the_totals_and_puts_errors_first(folder):
    path = folder / "results.csv"
    path.write_text(path.read_text().replace("4080", "inf", 1).replace("3840", "3,840x").replace(",20,20,", ",20, 20,"))
    lines = format_findings(check(folder)[1]).split("\n")
    assert ": error: " in lines[0]
    assert lines[-1].endswith("warnings") or lines[-1].endswith("warning")
    assert format_findings(()) == "0 errors, 0 warnings"


def test_text_that_looks_like_a_formula_or_markup_is_kept_as_it_is(folder):
    path = folder / "employees.csv"
    text = (
        path.read_text().replace("Person 001", '"=HYPERLINK(""x"")"').replace("Person 002", "<script>alert(1)</script>")
    )
    path.write_text(text)
    names = read_cycle(folder).employees.name
    assert names[0] == '=HYPERLINK("x")'
    assert names[1] == "<script>alert(1)</script>"


def test_words_that_libraries_take_for_missing_stay_names(folder):
    path = folder / "employees.csv"
    path.write_text(path.read_text().replace("Person 001", "NA").replace("Person 002", "None"))
    assert read_cycle(folder).employees.name[:2].tolist() == ["NA", "None"]


def test_a_damaged_earlier_quarter_is_a_warning_of_the_history_only(folder):
    from perfmodel.io import read_history

    write_small(folder.parent / "2026Q1", "2026Q1")
    broken = write_small(folder.parent / "2026Q2", "2026Q2")
    (broken / "results.csv").write_text("employee_id,kpi\n")
    history = read_history(folder)
    assert [c.id for c in history] == ["2026Q1"]
    assert [f.code for f in history.findings] == ["history"]
    assert isinstance(read_cycle(folder).results, pd.DataFrame)
