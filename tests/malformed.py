"""Ways in which a delivered quarter is damaged, each with what must be said about it.

A variant takes the folder of a sound copy of the small quarter and damages it. ``code`` is the finding that
must be there, ``level`` whether it refuses the quarter, ``file`` where it is found.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Variant:
    name: str
    damage: Callable[[Path], None]
    code: str
    level: str
    file: str


VARIANTS: list[Variant] = []


def variant(code: str, level: str = "error", file: str = "results.csv"):
    """Lists the function below as a variant; its name, read as words, says what is wrong."""

    def listed(damage):
        VARIANTS.append(Variant(damage.__name__.replace("_", " "), damage, code, level, file))
        return damage

    return listed


# --- Tools ---------------------------------------------------------------------------------------------------


def rows(folder: Path, file: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO((folder / file).read_text(encoding="utf-8"))))


def put(folder: Path, file: str, table: list[list[str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(table)
    (folder / file).write_text(buffer.getvalue(), encoding="utf-8")


def cell(folder: Path, file: str, line: int, column: str, value: str) -> None:
    """Puts ``value`` into the cell of this column on this line (the header is line 1)."""
    table = rows(folder, file)
    table[line - 1][table[0].index(column)] = value
    put(folder, file, table)


def with_column(folder: Path, file: str, column: str, value: str, line: int = 2) -> None:
    table = rows(folder, file)
    for at, row in enumerate(table, 1):
        row.append(column if at == 1 else value if at == line else "")
    put(folder, file, table)


def replace(folder: Path, file: str, old: str, new: str, count: int = 1) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {file}"
    (folder / file).write_text(text.replace(old, new, count), encoding="utf-8")


def again(folder: Path, file: str, line: int) -> None:
    table = rows(folder, file)
    put(folder, file, [*table, table[line - 1]])


def without(folder: Path, file: str, *lines: int) -> None:
    put(folder, file, [row for at, row in enumerate(rows(folder, file), 1) if at not in lines])


# --- Files -----------------------------------------------------------------------------------------------------


@variant("encoding")
def a_file_saved_as_gb18030(folder):
    text = (folder / "results.csv").read_text(encoding="utf-8").replace("ledger", "财务台账")
    (folder / "results.csv").write_bytes(text.encode("gb18030"))


@variant("encoding", file="employees.csv")
def a_file_saved_as_utf_16(folder):
    text = (folder / "employees.csv").read_text(encoding="utf-8")
    (folder / "employees.csv").write_bytes(text.encode("utf-16"))


@variant("nul")
def a_nul_byte_in_the_middle(folder):
    content = (folder / "results.csv").read_bytes()
    (folder / "results.csv").write_bytes(content[:900] + b"\0" + content[900:])


@variant("empty")
def an_empty_file(folder):
    (folder / "results.csv").write_bytes(b"")


@variant("no-rows", "warning", "pay.csv")
def a_header_and_no_rows(folder):
    put(folder, "pay.csv", rows(folder, "pay.csv")[:1])


@variant("ragged")
def a_row_with_one_cell_more(folder):
    replace(folder, "results.csv", "4080", "4,080")


@variant("ragged")
def a_row_cut_short(folder):
    replace(folder, "results.csv", ",,,final,quarter,ledger,\n", ",,\n")


@variant("csv")
def a_quote_that_is_never_closed(folder):
    replace(folder, "results.csv", "ledger", '"ledger')


@variant("delimiter")
def semicolons_between_the_columns(folder):
    replace(folder, "results.csv", ",", ";", -1)


@variant("blank-row", "warning")
def blank_rows_in_between(folder):
    replace(folder, "results.csv", "\n002", "\n\n,,,,,,,,,,\n002")


@variant("source-twice", file="pay.csv")  # files are read by name, so the CSV comes second
def one_table_as_csv_and_in_the_workbook(folder):
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "pay"
    book.active.append(["employee_id", "bonus_target", "currency", "eligible"])
    book.save(folder / "cycle.xlsx")


@variant("workbook", file="cycle.xlsx")
def a_workbook_that_is_none(folder):
    (folder / "cycle.xlsx").write_bytes(b"PK\x03\x04 not a workbook")


@variant("formula-uncached", file="cycle.xlsx[events]")
def a_formula_without_its_value(folder):
    from openpyxl import Workbook

    (folder / "events.csv").unlink()
    book = Workbook()
    book.active.title = "events"
    book.active.append(["employee_id", "code", "kind", "points", "evidence"])
    book.active.append(["003", "B1", "bonus", "=1+1", "Report"])
    book.save(folder / "cycle.xlsx")


@variant("file-unknown", "warning", "resutls.csv")
def a_file_with_a_slip_in_its_name_beside_the_right_one(folder):
    (folder / "resutls.csv").write_bytes((folder / "results.csv").read_bytes())


@variant("table-missing", file="employees.csv")
def no_employees(folder):
    (folder / "employees.csv").unlink()


@variant("table-missing")
def neither_results_nor_ratings(folder):
    (folder / "results.csv").unlink()
    (folder / "ratings.csv").unlink()


@variant("scheme-absent", file="scheme.yaml")
def no_scheme(folder):
    (folder / "scheme.yaml").unlink()


@variant("scheme-invalid", file="scheme.yaml")
def a_scheme_whose_weights_do_not_total_one_hundred(folder):
    replace(folder, "scheme.yaml", "    weight: 50\n    range: [40, 60]", "    weight: 45\n    range: [40, 60]")


# --- Headers -----------------------------------------------------------------------------------------------------


@variant("header-twice")
def a_header_twice(folder):
    with_column(folder, "results.csv", "目标值", "1")


@variant("header-near")
def a_slip_in_a_required_header(folder):
    replace(folder, "results.csv", "actual", "actaul")


@variant("header-unknown", "warning")
def a_header_nobody_knows(folder):
    with_column(folder, "results.csv", "colour", "blue")


@variant("header-empty")
def values_under_no_header(folder):
    with_column(folder, "results.csv", "", "7")


@variant("column-missing", file="employees.csv")
def a_required_column_left_out(folder):
    put(folder, "employees.csv", [row[:3] + row[4:] for row in rows(folder, "employees.csv")])


@variant("header-unused", "warning")
def weights_beside_the_results(folder):
    with_column(folder, "results.csv", "权重", "40")


# --- Cells -------------------------------------------------------------------------------------------------------


def _actual(code: str, value: str, name: str, level: str = "error") -> None:
    VARIANTS.append(
        Variant(name, lambda folder: cell(folder, "results.csv", 2, "actual", value), code, level, "results.csv")
    )


_actual("number-infinite", "inf", "an infinite actual")
_actual("number-infinite", "1e400", "an actual beyond every number")
_actual("number-word", "NaN", "nan typed as a number")
_actual("number-word", "N/A", "n/a typed as a number")
_actual("number-word", "—", "a dash for a missing figure")
_actual("number-spreadsheet", "#REF!", "a spreadsheet error")
_actual("number-spreadsheet", "########", "a column too narrow for its number")
_actual("number-comma", "1.234,56", "a decimal comma")
_actual("number-comma", "12,5", "a comma grouped wrongly")
_actual("number-date", "2026-07-01", "a date for a number")
_actual("number-bad", "TRUE", "a truth value for a number")
_actual("number-bad", "four thousand", "a number in words")
_actual("number-bad", "¥4080", "a number with its currency")
_actual("number-bad", "４０８０²", "a superscript in a number")
_actual("number-percent-unit", "102%", "a percent sign on money")
_actual("number-thousands", "4,080", "thousands separators", "warning")
_actual("fullwidth", "４０８０", "full-width digits", "warning")
_actual("spaces", " 4080\u00a0", "spaces around a number", "warning")


@variant("number-percent", "warning")
def a_percent_sign_where_the_unit_is_percent(folder):
    replace(folder, "results.csv", "gross_margin,32,", "gross_margin,32%,")


@variant("hundredfold", "warning")
def a_percentage_typed_as_a_share(folder):
    replace(folder, "results.csv", "gross_margin,32,32.6", "gross_margin,32,0.326")


@variant("cell-empty", file="employees.csv")
def an_employee_without_a_unit(folder):
    cell(folder, "employees.csv", 3, "unit", "")


@variant("control", file="employees.csv")
def a_control_character_in_a_name(folder):
    cell(folder, "employees.csv", 3, "name", "Person\x07 002")


@variant("control", file="employees.csv")
def a_name_that_turns_the_reading_direction(folder):
    cell(folder, "employees.csv", 3, "name", "Person \u202e200")


@variant("spaces", "warning", "employees.csv")
def an_id_with_spaces_around_it(folder):
    cell(folder, "employees.csv", 3, "employee_id", " 002 ")


@variant("date-bad", file="employees.csv")
def a_date_with_the_day_first(folder):
    cell(folder, "employees.csv", 3, "hire_date", "31.12.2019")


@variant("date-bad", file="employees.csv")
def a_date_with_two_digits_of_year(folder):
    cell(folder, "employees.csv", 3, "hire_date", "12/31/19")


@variant("date-bad", file="employees.csv")
def a_day_that_is_not_in_the_calendar(folder):
    cell(folder, "employees.csv", 3, "hire_date", "2026-02-30")


@variant("date-form", "warning", "employees.csv")
def a_date_in_chinese_characters(folder):
    cell(folder, "employees.csv", 3, "hire_date", "2020年3月1日")


@variant("word-bad")
def a_status_nobody_knows(folder):
    cell(folder, "results.csv", 2, "status", "done")


@variant("yes-bad", file="pay.csv")
def neither_yes_nor_no(folder):
    cell(folder, "pay.csv", 2, "eligible", "maybe")


@variant("share-range", file="milestones.csv")
def a_share_of_eighty(folder):
    cell(folder, "milestones.csv", 3, "share_done", "80")


# --- People ------------------------------------------------------------------------------------------------------


@variant("key-twice", file="employees.csv")
def an_employee_twice(folder):
    again(folder, "employees.csv", 2)


@variant("key-twice")
def a_result_twice(folder):
    again(folder, "results.csv", 2)


@variant("key-twice", file="ratings.csv")
def a_rating_twice(folder):
    again(folder, "ratings.csv", 3)


@variant("employee-unknown")
def an_id_that_lost_its_leading_zeros(folder):
    replace(folder, "results.csv", "\n001,", "\n1,", -1)


@variant("employee-unknown", file="ratings.csv")
def a_rating_of_nobody(folder):
    cell(folder, "ratings.csv", 3, "employee_id", "999")


@variant("employee-unknown", file="groups.csv")
def a_group_of_nobody(folder):
    cell(folder, "groups.csv", 2, "employee_id", "999")


@variant("employee-unknown", file="exclusions.csv")
def an_exclusion_of_nobody(folder):
    cell(folder, "exclusions.csv", 2, "employee_id", "999")


@variant("profile-unknown", file="employees.csv")
def a_profile_with_a_slip(folder):
    cell(folder, "employees.csv", 2, "profile", "regional_manger")


@variant("by-name", "warning", "employees.csv")
def a_profile_by_its_chinese_name(folder):
    cell(folder, "employees.csv", 2, "profile", "区域销售经理")


@variant("manager-self", file="employees.csv")
def an_employee_who_manages_themselves(folder):
    cell(folder, "employees.csv", 2, "manager_id", "001")


@variant("manager-cycle", file="employees.csv")
def managers_in_a_circle(folder):
    cell(folder, "employees.csv", 6, "manager_id", "007")


@variant("date-after", "warning", "employees.csv")
def an_employee_hired_after_the_cycle(folder):
    cell(folder, "employees.csv", 2, "hire_date", "2026-11-01")


@variant("assignment-overlap", file="assignments.csv")
def scorecards_that_overlap(folder):
    cell(folder, "assignments.csv", 3, "from", "2026-08-01")


@variant("assignment-gap", "warning", "assignments.csv")
def days_between_two_scorecards(folder):
    cell(folder, "assignments.csv", 3, "from", "2026-08-20")


@variant("assignment-outside", file="assignments.csv")
def a_scorecard_that_outlasts_the_cycle(folder):
    cell(folder, "assignments.csv", 3, "to", "2026-10-31")


@variant("assignment-reversed", file="assignments.csv")
def a_scorecard_that_ends_before_it_begins(folder):
    cell(folder, "assignments.csv", 3, "to", "2026-08-01")


@variant("scorecard-missing")
def a_result_on_neither_of_two_scorecards(folder):
    replace(folder, "results.csv", "\n004,a,", "\n004,,")


@variant("scorecard-unknown", file="ratings.csv")
def a_rating_on_a_scorecard_that_is_not_there(folder):
    cell(folder, "ratings.csv", 3, "scorecard", "z")


@variant("no-data", "warning", "employees.csv")
def an_employee_of_whom_nothing_is_known(folder):
    with open(folder / "employees.csv", "a", encoding="utf-8") as file:
        file.write("009,Person 009,South,regional_manager,005,L2,2024-01-01,2020-03-01,active\n")


# --- Results -----------------------------------------------------------------------------------------------------


@variant("kpi-unknown")
def a_kpi_with_a_slip(folder):
    cell(folder, "results.csv", 2, "kpi", "sales_atainment")


@variant("kpi-parts")
def a_result_for_a_kpi_that_is_made_of_parts(folder):
    cell(folder, "results.csv", 2, "kpi", "talent_retention")


@variant("kpi-not-in-profile", "warning")
def a_result_that_the_profile_does_not_use(folder):
    replace(
        folder,
        "scheme.yaml",
        "      market: {market_penetration: 30, customer_satisfaction: 30, strategic_accounts: 40}",
        "      market: {market_penetration: 50, strategic_accounts: 50}\n"
        "    kpi_ranges:\n      market: {market_penetration: [40, 60], strategic_accounts: [40, 60]}",
    )


@variant("result-missing", "warning")
def a_result_that_was_never_delivered(folder):
    without(folder, "results.csv", 2)


@variant("result-missing", "warning")
def neither_actual_nor_status(folder):
    replace(folder, "results.csv", "4000,4080,,,final", "4000,,,,")


@variant("final-empty")
def a_final_result_without_its_actual(folder):
    cell(folder, "results.csv", 2, "actual", "")


@variant("actual-unused", "warning")
def a_late_result_with_an_actual(folder):
    cell(folder, "results.csv", 2, "status", "late")


@variant("target-missing")
def an_actual_without_a_target(folder):
    cell(folder, "results.csv", 2, "target", "")


@variant("target-zero")
def a_target_of_zero(folder):
    cell(folder, "results.csv", 2, "target", "0")


@variant("target-zero")
def a_negative_target(folder):
    cell(folder, "results.csv", 2, "target", "-4000")


@variant("order")
def a_threshold_above_the_target(folder):
    cell(folder, "results.csv", 2, "threshold", "4500")


@variant("order")
def a_threshold_below_the_target_of_a_cost(folder):
    replace(folder, "results.csv", "expense_ratio,8,7.84,", "expense_ratio,8,7.84,6")


@variant("result-on-rated")
def a_result_for_a_rated_kpi(folder):
    cell(folder, "results.csv", 2, "kpi", "collaboration")


@variant("target-unapproved", "warning")
def a_target_changed_without_approval(folder):
    with_column(folder, "results.csv", "target_original", "5000")


@variant("ytd-earlier")
def year_to_date_without_the_earlier_quarters(folder):
    cell(folder, "results.csv", 2, "basis", "ytd")


@variant("ytd-ratio")
def a_percentage_of_the_year(folder):
    replace(folder, "results.csv", "gross_margin,32,32.6,,,final,quarter", "gross_margin,32,32.6,,,final,ytd")


@variant("reconcile", "warning")
def a_manager_credited_with_more_than_the_reports_brought(folder):
    replace(folder, "results.csv", "12000,11600", "12000,15000")


# --- Ratings, milestones, events, pay ------------------------------------------------------------------------------


@variant("rating-scale", file="ratings.csv")
def a_rating_off_the_scale(folder):
    cell(folder, "ratings.csv", 3, "rating", "6")


@variant("rating-step", file="ratings.csv")
def a_rating_between_two_steps(folder):
    cell(folder, "ratings.csv", 3, "rating", "3.7")


@variant("rating-self", file="ratings.csv")
def a_self_rating_by_another_person(folder):
    cell(folder, "ratings.csv", 2, "rater_id", "002")


@variant("rating-self", file="ratings.csv")
def a_superiors_rating_by_the_employee(folder):
    cell(folder, "ratings.csv", 3, "rater_id", "001")


@variant("role-unknown", file="ratings.csv")
def a_role_nobody_knows(folder):
    cell(folder, "ratings.csv", 3, "role", "boss")


@variant("rating-on-measured", file="ratings.csv")
def a_rating_of_a_measured_kpi(folder):
    cell(folder, "ratings.csv", 3, "kpi", "gross_margin")


@variant("rating-missing", "warning", "ratings.csv")
def a_superiors_rating_that_was_never_given(folder):
    without(folder, "ratings.csv", 3)


@variant("date-before", "warning", "ratings.csv")
def a_rating_given_before_the_cycle_began(folder):
    cell(folder, "ratings.csv", 3, "submitted_on", "2026-05-01")


@variant("milestone-total", "warning", "milestones.csv")
def milestones_that_do_not_total_one_hundred(folder):
    cell(folder, "milestones.csv", 2, "weight", "30")


@variant("milestone-weight", file="milestones.csv")
def a_milestone_that_weighs_less_than_nothing(folder):
    cell(folder, "milestones.csv", 2, "weight", "-50")


@variant("milestone-kind", file="milestones.csv")
def a_milestone_of_a_measured_kpi(folder):
    cell(folder, "milestones.csv", 2, "kpi", "sales_attainment")


@variant("milestone-missing", "warning", "milestones.csv")
def a_plan_of_milestones_that_is_missing(folder):
    without(folder, "milestones.csv", 2, 3)


@variant("accepted-late", "warning", "milestones.csv")
def a_milestone_accepted_after_the_cycle(folder):
    cell(folder, "milestones.csv", 2, "accepted_on", "2026-10-05")


@variant("gate-unknown", file="events.csv")
def a_gate_the_scheme_does_not_have(folder):
    cell(folder, "events.csv", 3, "code", "G9")


@variant("gate-points", "warning", "events.csv")
def points_on_a_gate(folder):
    cell(folder, "events.csv", 3, "points", "5")


@variant("event-points", file="events.csv")
def a_bonus_without_points(folder):
    cell(folder, "events.csv", 2, "points", "")


@variant("pay-negative", file="pay.csv")
def a_negative_bonus_target(folder):
    cell(folder, "pay.csv", 2, "bonus_target", "-1")


@variant("pay-currency", file="pay.csv")
def two_currencies_in_one_pool(folder):
    cell(folder, "pay.csv", 2, "currency", "EUR")


@variant("pay-missing", "warning", "pay.csv")
def an_employee_without_a_pay_row(folder):
    without(folder, "pay.csv", 2)


@variant("scheme-folder", file="scheme.yaml")
def the_scheme_of_the_last_quarter_was_copied(folder):
    replace(folder, "scheme.yaml", "{id: 2026Q3, start: 2026-07-01, end: 2026-09-30}",
            "{id: 2026Q2, start: 2026-04-01, end: 2026-06-30}")  # fmt: skip


@variant("scheme-invalid", file="scheme.yaml")
def the_cycle_is_named_like_a_path(folder):
    replace(folder, "scheme.yaml", "id: 2026Q3", "id: ../../x")


@variant("scheme-invalid", file="scheme.yaml")
def a_lower_grade_pays_more(folder):
    replace(folder, "scheme.yaml", "multiplier: 0.6", "multiplier: 1.6")


@variant("scheme-invalid", file="scheme.yaml")
def a_grade_takes_money_away(folder):
    replace(folder, "scheme.yaml", "multiplier: 0,", "multiplier: -1,")


@variant("scheme-invalid", file="scheme.yaml")
def a_role_weighs_less_than_nothing(folder):
    replace(folder, "scheme.yaml", "{id: second, weight: 0", "{id: second, weight: -1")


@variant("scheme-invalid", file="scheme.yaml")
def no_case_would_be_shown(folder):
    replace(folder, "scheme.yaml", "shown: 8", "shown: 0")


@variant("scheme-invalid", file="scheme.yaml")
def the_pool_of_money_is_negative(folder):
    replace(folder, "scheme.yaml", "funding: 1.05", "funding: -1.05")


@variant("scheme-invalid", file="scheme.yaml")
def guideline_shares_can_never_total_a_hundred(folder):
    replace(folder, "scheme.yaml", "{band: B, range: [45, 65]}", "{band: B, range: [0, 5]}")


@variant("scheme-invalid", file="scheme.yaml")
def a_part_has_a_negative_share(folder):
    replace(folder, "scheme.yaml", "share: 50", "share: -50")


@variant("unit-reserved", file="employees.csv")
def a_unit_is_called_company(folder):
    cell(folder, "employees.csv", 2, "unit", "company")


@variant("unit-alike", level="warning", file="employees.csv")
def a_unit_is_written_in_two_ways(folder):
    cell(folder, "employees.csv", 2, "unit", "north")


@variant("far-off", level="warning")
def an_actual_in_another_unit_than_its_target(folder):
    replace(folder, "results.csv", "001,,sales_attainment,4000,4080", "001,,sales_attainment,4000,4080000")


@variant("scheme-invalid", file="scheme.yaml")
def raters_are_compared_under_an_unknown_assumption(folder):
    replace(folder, "scheme.yaml", "link: none ", "link: friendship ")


@variant("scheme-invalid", file="scheme.yaml")
def the_kpi_link_names_no_kpi(folder):
    replace(folder, "scheme.yaml", "link: none ", "link: kpi ")


@variant("scheme-invalid", file="scheme.yaml")
def the_kpi_link_names_a_rated_item(folder):
    replace(folder, "scheme.yaml", "link: none ", "anchor: [team_culture]\n  link: kpi ")


@variant("scheme-invalid", file="scheme.yaml")
def vignettes_without_a_role_for_them(folder):
    replace(folder, "scheme.yaml", "link: none ", "link: vignettes ")


@variant("vignette-person", file="ratings.csv")
def a_person_who_is_also_a_written_case(folder):
    replace(folder, "scheme.yaml", "roles:\n", "roles:\n  - {id: vignette, weight: 0, name: {en: Written case}}\n")
    cell(folder, "ratings.csv", 3, "role", "vignette")


@variant("anchor-scores", level="warning", file="scheme.yaml")
def the_figure_that_compares_raters_also_scores(folder):
    replace(folder, "scheme.yaml", "link: none ", "anchor: [sales_attainment]\n  link: kpi ")


@variant("anchor-by-rater", level="warning")
def a_rater_approves_the_target_that_compares_raters(folder):
    replace(folder, "scheme.yaml", "link: none ", "anchor: [sales_attainment]\n  link: kpi ")
    with_column(folder, "results.csv", "approved_by", "M1")


@variant("scheme-invalid", file="scheme.yaml")
def raters_are_compared_by_a_figure_whose_target_they_set(folder):
    replace(folder, "scheme.yaml", "link: none ", "anchor: [sales_attainment]\n  link: kpi ")
    name = "- id: sales_attainment\n"
    replace(folder, "scheme.yaml", name, name + "        rater_sets_target: yes\n")
