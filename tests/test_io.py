"""Reading quarters from every source, by one grammar; writing tables as the same bytes."""

import math
import random
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from small_cycle import MEASURED, PEOPLE, write_small

from perfmodel.errors import DataError
from perfmodel.io import check, csv_bytes, digest, read_cycle, read_history, write_atomic, write_csv
from perfmodel.io.grammar import Unreadable, day, identifier, number, share, yes


@pytest.fixture
def folder(tmp_path):
    return write_small(tmp_path / "2026Q3")


def codes(folder):
    return {f.code for f in check(folder)[1]}


def same(one, two):
    for name in one.tables:
        pd.testing.assert_frame_equal(one.tables[name], two.tables[name], obj=name)


# --- Grammar -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-3.5", -3.5), ("+7", 7), (".5", 0.5), ("1e3", 1000), ("1,234.5", 1234.5), ("1 234 567", 1234567),
        ("1\u00a0234", 1234), ("１２．５", 12.5), ("１，２３４", 1234), ("\u22125", -5), (" 8 ", 8), ("12%", 12),
        ("１２％", 12),
    ],
)  # fmt: skip
def test_a_number_in_any_of_the_forms_of_real_exports(text, value):
    assert number(text)[0] == value


@pytest.mark.parametrize(
    "text",
    [
        "inf", "-Infinity", "nan", "NaN", "#REF!", "####", "1e400", "n/a", "-", "—", "NULL", "无", "1.234,56", "1,23",
        "12,3456", "1,234,5", "2026-07-01", "TRUE", "twelve", "²", "½", "1_000", "0x10", "(5)", "¥5", "5kg", "1..2",
        "1.2.3", "٣",
    ],
)  # fmt: skip
def test_what_has_no_one_meaning_as_a_number_is_refused(text):
    with pytest.raises(Unreadable):
        number(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(0.1 + 0.2)
@example(5e-324)
def test_every_number_that_is_written_reads_back_as_itself(value):
    text = csv_bytes(pd.DataFrame({"x": [value]})).decode().split("\n")[1]
    assert number(text) == (value, set())


@given(st.text())
def test_any_text_is_a_finite_number_or_is_refused(text):
    try:
        value, notes = number(text)
    except Unreadable:
        return
    assert math.isfinite(value)
    assert notes or float(text) == value


@given(st.integers(-(10**12), 10**12))
def test_thousands_separators_change_no_number(value):
    assert number(f"{value:,}")[0] == number(f"{value:,}".replace(",", " "))[0] == value


def test_a_share_is_a_part_of_one_or_has_a_percent_sign():
    assert share("0.8")[0] == share("80%")[0] == 0.8
    assert share("7%")[0] == 0.07
    for text in ("80", "-0.1", "101%"):
        with pytest.raises(Unreadable):
            share(text)


@pytest.mark.parametrize("text", ["2026-07-01", "2026/7/1", "2026年7月1日", "2026-07-01 00:00:00", "２０２６-07-01"])
def test_a_day_with_the_year_first(text):
    assert day(text)[0] == date(2026, 7, 1)


@pytest.mark.parametrize(
    "text",
    ["31.12.2026", "12/31/2026", "1/7/26", "26-07-01", "2026-02-30", "20260701", "46204", "2026-7/1", "0026-07-01"],
)
def test_a_day_that_could_be_another_is_refused(text):
    with pytest.raises(Unreadable):
        day(text)


@given(st.dates(date(1900, 1, 1), date(2200, 12, 31)))
def test_every_day_reads_back_in_all_three_forms(value):
    forms = (
        value.isoformat(),
        f"{value.year}/{value.month}/{value.day}",
        f"{value.year}年{value.month}月{value.day}日",
    )
    assert {day(form)[0] for form in forms} == {value}


def test_yes_and_no_in_both_languages():
    assert [yes(t)[0] for t in ("yes", "是", "TRUE", "1", "Y")] == [True] * 5
    assert [yes(t)[0] for t in ("no", "否", "False", "0", "n")] == [False] * 5


@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=1))
def test_an_id_never_changes(text):
    assert identifier(text)[0] == text


# --- What a cycle is ---------------------------------------------------------------------------------------------


def test_tables_are_typed_and_ids_stay_text(folder):
    cycle = read_cycle(folder)
    assert cycle.simulated
    assert cycle.employees.employee_id.tolist() == list(PEOPLE)
    assert cycle.results.target.dtype == float
    assert cycle.employees.hire_date[0] == pd.Timestamp(2020, 3, 1)
    assert cycle.pay.eligible.tolist() == [True] * 8
    assert cycle.ratings.blind.isna().sum() == sum(cycle.ratings.role == "self")
    assert np.isnan(cycle.results.threshold).all()
    assert cycle.digests.keys() == {p.name for p in folder.iterdir()}
    assert cycle.digests["pay.csv"] == digest((folder / "pay.csv").read_bytes())


def test_an_optional_table_that_is_absent_is_empty_with_its_columns(folder):
    (folder / "events.csv").unlink()
    events = read_cycle(folder).events
    assert len(events) == 0
    assert events.points.dtype == float


def test_the_order_of_rows_decides_nothing(folder):
    sound = read_cycle(folder)
    for path in folder.glob("*.csv"):
        header, *rows = path.read_text().strip("\n").split("\n")
        random.Random(7).shuffle(rows)
        path.write_text("\n".join([header, *rows]) + "\n")
    shuffled = read_cycle(folder)
    assert shuffled.tables.keys() == sound.tables.keys()
    same(sound, shuffled)


def test_lines_say_where_each_row_stands(folder):
    cycle = read_cycle(folder)
    text = (folder / "results.csv").read_text().split("\n")
    for line, employee, kpi in zip(cycle.lines["results"], cycle.results.employee_id, cycle.results.kpi, strict=True):
        assert text[line - 1].startswith(f"{employee},")
        assert f",{kpi}," in text[line - 1]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(folder):
    sound = read_cycle(folder)
    for path in folder.glob("*.csv"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    cycle, findings = check(folder)
    assert findings == ()
    same(sound, cycle)


def test_the_only_scorecard_of_a_person_need_not_be_named(folder):
    path = folder / "assignments.csv"
    path.write_text(path.read_text() + "003,c,North,key_account_manager,M1,2026-07-01,2026-09-30\n")
    cycle = read_cycle(folder)
    assert set(cycle.results.scorecard[cycle.results.employee_id == "003"]) == {"c"}


def test_a_missing_status_is_read_from_the_figures(folder):
    path = folder / "results.csv"
    path.write_text(path.read_text().replace(",final,quarter,", ",,,").replace("4000,4080", "4000,"))
    results = read_cycle(folder).results.set_index(["employee_id", "kpi"])
    assert results.status[("001", "sales_attainment")] == "late"
    assert results.status[("002", "sales_attainment")] == "final"
    assert set(results.basis) == {"quarter"}


# --- Other sources -----------------------------------------------------------------------------------------------


def workbook(folder, sound, path, change=lambda name, sheet: None):
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, frame in sound.tables.items():
        sheet = book.create_sheet(name)
        sheet.append(list(frame.columns))
        for row in frame.itertuples(index=False, name=None):
            sheet.append([None if v is pd.NA or v != v or v is pd.NaT else v for v in row])
        change(name, sheet)
    for csv in folder.glob("*.csv"):
        csv.unlink()
    book.save(path)


def test_a_workbook_gives_the_same_tables(folder):
    sound = read_cycle(folder)
    workbook(folder, sound, folder / "cycle.xlsx")
    cycle, findings = check(folder)
    assert findings == ()
    same(sound, cycle)
    same(sound, read_cycle(folder / "cycle.xlsx"))


def test_a_workbook_cell_is_read_as_it_is_shown(folder):
    sound = read_cycle(folder)

    def change(name, sheet):
        for row in sheet.iter_rows(min_row=2):
            if name == "pay":
                row[0].value, row[0].number_format = int(row[0].value), "000"
            if name == "results" and row[2].value == "gross_margin":
                for cell in row[3:5]:
                    cell.value, cell.number_format = cell.value / 100, "0.0%"

    workbook(folder, sound, folder / "cycle.xlsx", change)
    cycle, findings = check(folder)
    assert {f.code for f in findings} == {"number-percent"}
    same(sound, cycle)


def test_ids_stored_as_numbers_are_named(folder):
    sound = read_cycle(folder)

    def change(name, sheet):
        if name == "groups":
            sheet["A2"].value = 1

    workbook(folder, sound, folder / "cycle.xlsx", change)
    cycle, findings = check(folder)
    assert cycle is None
    assert {f.code for f in findings} == {"id-number", "employee-unknown"}
    assert {f.file for f in findings} == {"cycle.xlsx[groups]"}


def test_a_spreadsheet_error_names_its_cell(folder):
    sound = read_cycle(folder)

    def change(name, sheet):
        if name == "pay":
            sheet["B3"].value = "#DIV/0!"

    workbook(folder, sound, folder / "cycle.xlsx", change)
    (finding,) = check(folder)[1]
    assert (finding.code, finding.line, finding.column) == ("cell-error", 3, 2)
    assert "B3" in finding.message


def test_parquet_gives_the_same_tables(folder):
    sound = read_cycle(folder)
    for name, frame in sound.tables.items():
        frame.to_parquet(folder / f"{name}.parquet")
        (folder / f"{name}.csv").unlink()
    cycle, findings = check(folder)
    assert findings == ()
    same(sound, cycle)


def test_a_database_gives_the_same_tables(folder, tmp_path):
    import sqlalchemy as sa

    sound = read_cycle(folder)
    url = f"sqlite:///{tmp_path / 'hr.db'}"
    engine = sa.create_engine(url)
    for name, frame in sound.tables.items():
        both = [frame.assign(cycle=quarter) for quarter in ("2026Q2", "2026Q3")]
        pd.concat(both).to_sql(name, engine, index=False)
    engine.dispose()
    cycle, findings = check(url, cycle="2026Q3", scheme=folder / "scheme.yaml")
    assert findings == ()
    same(sound, cycle)
    assert "database[results]" in cycle.digests


def test_a_database_needs_to_be_told_the_quarter_and_the_scheme(tmp_path):
    with pytest.raises(DataError, match="--cycle"):
        read_cycle("sqlite:///nothing.db")


def test_a_refused_database_does_not_show_its_password(folder):
    findings = check("postgresql://hr:secret@localhost:1/hr", cycle="2026Q3", scheme=folder / "scheme.yaml")[1]
    assert findings
    assert "secret" not in str(findings)


def test_chinese_headers_and_names_of_the_scheme_are_understood(folder):
    sound = read_cycle(folder)
    chinese = {
        "employees": "工号,姓名,部门,岗位,直属上级,职级,任职日期,入职日期,状态",
        "results": "员工编号,计分卡,指标名称,目标值,实际值,门槛值,挑战值,数据状态,口径,数据来源,备注",
        "ratings": "考核人,工号,计分卡,指标,角色,评分,提交日期,是否盲评,评语",
    }
    for name, header in chinese.items():
        path = folder / f"{name}.csv"
        path.write_text(header + "\n" + path.read_text().split("\n", 1)[1], encoding="utf-8")
    path = folder / "results.csv"
    text = path.read_text(encoding="utf-8").replace("gross_margin", "毛利率").replace(",final,", ",最终,")
    path.write_text(text, encoding="utf-8")
    path.rename(folder / "指标结果.csv")
    cycle, findings = check(folder)
    assert {f.code for f in findings} == {"by-name"}
    same(sound, cycle)


def test_a_wide_export_becomes_results_and_ratings(folder):
    # One row a KPI with 自评分 and 上级评分 beside it: the rated rows move to ratings, by the role of the column.
    sound = read_cycle(folder)
    (folder / "ratings.csv").unlink()
    lines = ["工号,计分卡,指标名称,权重,目标值,实际值,自评分,上级评分,评语"]
    for row in sound.results.itertuples():
        lines.append(f"{row.employee_id},{row.scorecard},{row.kpi},40,{row.target},{row.actual},,,")
    given = sound.ratings[sound.ratings.role.isin(["self", "manager"])]
    wide = given.pivot(index=["employee_id", "scorecard", "kpi"], columns="role", values="rating")
    for (employee, card, kpi), row in wide.iterrows():
        lines.append(f"{employee},{card},{kpi},30,,,{row['self']},{row['manager']},写得好")
    (folder / "results.csv").write_text("\n".join(lines), encoding="utf-8")
    cycle, findings = check(folder)
    assert {f.code for f in findings} == {"wide", "header-unused"}
    key = ["rater_id", "employee_id", "scorecard", "kpi", "role", "rating"]
    pd.testing.assert_frame_equal(cycle.ratings[key], given[key].reset_index(drop=True))
    assert len(cycle.results) == len(sound.results) == 9 * len(MEASURED)


# --- Earlier quarters --------------------------------------------------------------------------------------------


def ytd(folder, target, actual):
    path = folder / "results.csv"
    old = "001,,new_customers,20,20,,,final,quarter"
    path.write_text(path.read_text().replace(old, f"001,,new_customers,{target},{actual},,,final,ytd"))


def test_year_to_date_is_the_quarter_after_the_earlier_ones_are_taken_off(folder):
    # 2026Q1 states its quarter (20 of 20), 2026Q2 the year (44 of 50): so Q2 = 24 of 30 and Q3 = 66 - 44 = 22 of 25.
    write_small(folder.parent / "2026Q1", "2026Q1")
    ytd(write_small(folder.parent / "2026Q2", "2026Q2"), 50, 44)
    ytd(folder, 75, 66)
    row = read_cycle(folder).results.query("employee_id == '001' and kpi == 'new_customers'").iloc[0]
    assert (row.target, row.actual, row.target_ytd, row.actual_ytd) == (25, 22, 75, 66)
    row = read_cycle(folder.parent / "2026Q2").results.query("employee_id == '001' and kpi == 'new_customers'").iloc[0]
    assert (row.target, row.actual) == (30, 24)


def test_quarters_that_do_not_state_the_year_are_added_up(folder):
    # 2026Q1 and 2026Q2 hold 20 of 20 each: 66 - 40 = 26 of 75 - 40 = 35.
    for quarter in ("2026Q1", "2026Q2"):
        write_small(folder.parent / quarter, quarter)
    ytd(folder, 75, 66)
    cycle = read_cycle(folder)
    row = cycle.results.query("employee_id == '001' and kpi == 'new_customers'").iloc[0]
    assert (row.target, row.actual) == (35, 26)
    assert {"../2026Q1/results.csv", "../2026Q2/results.csv"} <= cycle.digests.keys()


def test_year_to_date_with_a_quarter_missing_in_between_is_refused(folder):
    write_small(folder.parent / "2026Q1", "2026Q1")
    ytd(folder, 75, 66)
    assert codes(folder) == {"ytd-earlier"}


def test_in_the_first_quarter_of_the_year_both_are_the_same(tmp_path):
    folder = write_small(tmp_path / "2026Q1", "2026Q1")
    ytd(folder, 25, 22)
    row = read_cycle(folder).results.query("employee_id == '001' and kpi == 'new_customers'").iloc[0]
    assert (row.target, row.actual) == (25, 22)


def test_history_holds_the_newest_earlier_quarters_oldest_first(folder):
    for quarter in ("2025Q4", "2026Q1", "2026Q2", "2026Q4"):
        write_small(folder.parent / quarter, quarter)
    assert [c.id for c in read_history(folder)] == ["2026Q1", "2026Q2"]
    assert [c.id for c in read_history(folder, n=9)] == ["2025Q4", "2026Q1", "2026Q2"]
    assert len(read_history(folder.parent / "2025Q4")) == 0


# --- Writing -----------------------------------------------------------------------------------------------------


def test_a_table_is_written_unrounded_with_empty_cells_for_missing():
    frame = pd.DataFrame(
        {"id": ["001", ""], "x": [0.1 + 0.2, np.nan], "n": [1, 2], "b": pd.array([True, None], "boolean"),
         "d": pd.to_datetime(["2026-07-01", None])}
    )  # fmt: skip
    assert csv_bytes(frame).decode() == "id,x,n,b,d\n001,0.30000000000000004,1,yes,2026-07-01\n,,2,,\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_text_that_a_spreadsheet_would_run_is_defused_and_numbers_are_not(text):
    written = csv_bytes(pd.DataFrame({"note": [text], "x": [-1.5]})).decode()
    assert f"'{text}" in written
    assert written.rstrip("\n").endswith(",-1.5")


def test_writing_again_gives_the_same_bytes_and_leaves_nothing_beside(tmp_path):
    frame = pd.DataFrame({"x": np.random.default_rng(1).normal(size=50)})
    write_csv(frame, tmp_path / "a.csv")
    first = (tmp_path / "a.csv").read_bytes()
    write_csv(frame.copy(), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path):
    write_atomic(tmp_path / "a", b"old")
    with pytest.raises(TypeError):
        write_atomic(tmp_path / "a", "text")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
