"""pack.xlsx: the committee's workbook. Formats and filters, no live formula, nothing restricted."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ..io.back import RUN
from . import words
from .page import control_totals
from .view import View, seen

MADE = datetime(2000, 1, 1)  # a fixed date, so that the same numbers give the same file as far as the format lets
FORMATS = {
    "score": "0.0;−0.0;0.0",
    "signed": "+0.0;−0.0;0.0",
    "severity": "+0.00;−0.00;0.00",
    "rating": "0.0",
    "rating2": "0.00",
    "chance": "0.00",
    "percent": "0 %",
    "weight": '0.0" %"',
    "count": "0",
    "number": "0.00;−0.00;0.00",
    "money": "#\u00a0##0;−#\u00a0##0;0",
}
NARROW, WIDE, LONG = 10, 18, 56
HELD_BACK = "restricted/"
FILLED = "decision reason_code reason_in_words evidence_reference proposer authoriser session".split()


def workbook(
    assessment, path: str | os.PathLike, *, manifest: Mapping[str, Any] | None = None, lang: str = "en"
) -> None:
    """Write the committee's workbook of ``assessment`` to ``path``."""
    import xlsxwriter

    view = seen(assessment)
    book = xlsxwriter.Workbook(
        str(Path(path)),
        {
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "nan_inf_to_errors": False,
        },
    )
    try:
        book.set_properties(
            {"title": f"Performance calibration, {assessment.cycle.id}", "created": MADE, "author": "perfmodel"}
        )
        if manifest and manifest.get("run_id"):
            # What is filled in is told from what was filled in on an older pack.
            book.set_custom_property(RUN, str(manifest["run_id"]))
        _write(book, view, dict(manifest or {}), lang)
    finally:
        book.close()


def _write(book, view: View, manifest: Mapping[str, Any], lang: str) -> None:
    style = _Styles(book)
    run = str(manifest.get("run_id", ""))
    tables = view.tables
    named = pd.Series(view.names, dtype=object)

    def with_name(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        frame.insert(1, "name", frame["employee_id"].map(named).fillna(""))
        return frame

    sheets = {
        "Scores": (
            with_name(tables["scores"]),
            "One row an employee: score and grade raw, adjusted, proposed; p allows for rating error.",
        ),
        "Discussion": (
            with_name(_decisions(tables["discussion"])),
            "Who to discuss first and why; fill in decision and reason code.",
        ),
        "Decisions": (
            with_name(_everybody(tables)),
            "Everybody with a proposal; what the committee fills in, perfmodel decide --file records.",
        ),
        "Raters": (tables["raters"], "Severity of each rater with its interval; positive is severe, in rating points."),
        "Distribution": (tables["distribution"], "People per grade by unit against guideline and chance."),
        "Weights": (tables["weight_grades"], "Share of permitted weights (w) that give each grade; not a probability."),
        "Pool": (tables["pool"], "Cost of each step against the pool."),
    }
    _findings(book.add_worksheet("Findings"), view, style, sheets, run, lang)
    for name, (frame, _) in sheets.items():
        sheet = book.add_worksheet(name)
        _table(sheet, frame, style, view.limits.call)
        _print(sheet, run)
        if name in ("Discussion", "Decisions") and len(frame):
            _choices(sheet, frame, view.grades)
    _notes(book.add_worksheet("Notes"), view, style, run)


class _Styles:
    """The few formats of the workbook; xlsxwriter wants each made once."""

    def __init__(self, book):
        self._book = book
        self._made: dict[tuple, Any] = {}

    def __call__(self, **extra):
        key = tuple(sorted(extra.items()))
        if key not in self._made:
            base = {"font_name": "Arial", "font_size": 10, "valign": "top"}
            self._made[key] = self._book.add_format({**base, **extra})
        return self._made[key]


def _decisions(discussion: pd.DataFrame) -> pd.DataFrame:
    """The list in the order of the agenda, with empty columns for what the committee decides."""
    frame = discussion.sort_values(["unit", "rank", "employee_id", "flag"], kind="stable")
    frame = frame[["employee_id", "unit", "rank", "flag", "priority", "evidence"]].reset_index(drop=True)
    frame["flag"] = frame["flag"].map(lambda f: words.FLAGS.get(f, str(f).replace("_", " ")))
    return frame.assign(decision="", reason_code="", reason_in_words="")


def _everybody(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Everybody with a proposal, with empty columns for a whole record of what the committee decides."""
    scores = tables["scores"]
    frame = scores[scores["grade_proposed"].fillna("").ne("")].sort_values(["unit", "employee_id"], kind="stable")
    names = ["employee_id", "unit", "grade_raw", "grade_adjusted", "score_proposed", "grade_proposed", "p_stay"]
    frame = frame[names].reset_index(drop=True)
    return frame.assign(**dict.fromkeys(FILLED, ""))


def _findings(sheet, view: View, style: _Styles, sheets, run: str, lang: str) -> None:
    from .unit import calibration_report

    assessment = view.assessment
    sheet.set_column(0, 0, 24, style())
    sheet.set_column(1, 1, 110, style(text_wrap=True))
    sheet.write_string(0, 0, f"Performance calibration, {assessment.cycle.id}", style(bold=True, font_size=14))
    row = 1
    if assessment.cycle.simulated:
        sheet.write_string(row, 0, words.say("simulated", lang), style(bold=True))
        sheet.write_string(row, 1, words.say("simulated_more", lang), style())
        row += 1
    facts = [
        ("Status", assessment.status),
        ("Run", run or "not published"),
        ("Quarter", f"{words.day(view.scheme.start)} to {words.day(view.scheme.end)}"),
        ("Control totals agree", control_totals(assessment)),
        ("Seed", str(assessment.seed)),
    ]
    for name, value in facts:
        act = name == "Status" and value == "PARTIAL"
        sheet.write_string(row, 0, name, style(bold=True))
        sheet.write_string(
            row, 1, value, style(bg_color="#fdf2e9", font_color="#a8420a", bold=True) if act else style()
        )
        row += 1
    row += 1
    for i, line in enumerate(calibration_report(assessment, lang=lang).sentences(), 1):
        sheet.write_string(row, 0, f"Finding {i}", style(bold=True))
        sheet.write_string(row, 1, line, style(text_wrap=True))
        row += 1
    row += 1
    for name, (frame, about) in sheets.items():
        sheet.write_string(row, 0, name, style(bold=True))
        sheet.write_string(row, 1, f"{about} {words.grouped(len(frame))} rows.", style(text_wrap=True))
        row += 1
    _print(sheet, run, header=False)


def _table(sheet, frame: pd.DataFrame, style: _Styles, call: float) -> None:
    """A frozen, filtered header over typed cells; ids stay text."""
    head = style(bold=True, bottom=1, bottom_color="#1a1f24", text_wrap=True, valign="bottom")
    attention = {"bg_color": "#fdf2e9", "font_color": "#a8420a"}
    sheet.set_row(0, 32)
    for k, name in enumerate(frame.columns):
        kind = words.format_of(str(name), frame[name])
        number = FORMATS.get(kind)
        lengths = sorted(len(str(value)) for value in frame[name])
        longest = lengths[(9 * len(lengths)) // 10] if lengths else 0
        width = NARROW if number else min(max(NARROW, longest + 2), WIDE)
        cell = style(num_format=number) if number else style()
        if name in ("evidence", "reason", "reason_in_words", "evidence_reference", "what_is_identified"):
            width, cell = LONG, style(text_wrap=True)
        sheet.set_column(k, k, width)
        sheet.write_string(0, k, words.label(str(name)), head)
        for i, value in enumerate(frame[name], 1):
            act = (name == "verdict" and value == "outside chance") or (
                name == "p_stay" and pd.notna(value) and value < call
            )
            shape = style(num_format=number, **attention) if act and number else style(**attention) if act else cell
            if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
                sheet.write_blank(i, k, None, cell)
            elif number and not isinstance(value, str):
                sheet.write_number(i, k, float(value), shape)
            else:
                sheet.write_string(i, k, words.FORMATS["text"](value), shape)
        if kind == "chance" and len(frame):
            bar = {"type": "data_bar", "bar_color": "#a3c5e0", "bar_solid": True, "min_type": "num", "max_type": "num"}
            sheet.conditional_format(1, k, len(frame), k, {**bar, "min_value": 0, "max_value": 1})
    sheet.freeze_panes(1, 1)
    if len(frame.columns):
        sheet.autofilter(0, 0, max(len(frame), 1), len(frame.columns) - 1)


def _choices(sheet, frame: pd.DataFrame, grades: list[str]) -> None:
    """What may be typed into the committee's columns."""
    decision, code = (frame.columns.get_loc(name) for name in ("decision", "reason_code"))
    sheet.data_validation(
        1,
        decision,
        len(frame),
        decision,
        {
            "validate": "list",
            "source": list(grades),
            "error_title": "Grade",
            "error_message": f"Write one of {', '.join(grades)}.",
        },
    )
    sheet.data_validation(
        1,
        code,
        len(frame),
        code,
        {
            "validate": "list",
            "source": list(words.REASON_CODES),
            "error_title": "Reason code",
            "error_message": "Write one of R1 to R10; their meaning stands in the sheet Notes.",
        },
    )


def _notes(sheet, view: View, style: _Styles, run: str) -> None:
    sheet.set_column(0, 0, 24, style())
    sheet.set_column(1, 1, 110, style(text_wrap=True))
    lines = [
        ("p", words.say("p")),
        (
            "w",
            "Share of permitted weights that give the grade, points as they are; "
            "a description of the rule’s freedom, not a probability.",
        ),
        (
            "Severity-adjusted",
            "The estimated severity of the rater was given back, "
            f"{words.adjusted_where(view.assessment.severity.link)}.",
        ),
        ("Proposal", words.say("person")),
        ("Empty cells", "Missing; the reason stands in the reason column."),
        ("Numbers", "Unrounded in the cells, rounded for show only."),
        (
            "Not in this file",
            "Protected attributes, pay by person and fairness tables: those are for HR and legal only.",
        ),
        *words.REASON_CODES.items(),
    ]
    for i, (name, text) in enumerate(lines):
        sheet.write_string(i, 0, name, style(bold=True))
        sheet.write_string(i, 1, text, style(text_wrap=True))
    _print(sheet, run, header=False)


def _print(sheet, run: str, header: bool = True) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.hide_gridlines(2)
    if header:
        sheet.repeat_rows(0)
    sheet.set_footer(f"&L{run}&R&P / &N")
