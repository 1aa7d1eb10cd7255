"""pack.xlsx: the committee's workbook. Formats and filters, no live formula, nothing restricted."""

import os
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any

import pandas as pd

from ..io.back import RUN
from ..language import say, spoken
from . import words
from .page import control_totals, quarter
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
FACES = {"en": "Arial", "zh": "Microsoft YaHei"}
NARROW, WIDE, LONG = 10, 18, 56
SHOWN = ("scores", "discussion", "raters", "distribution", "weight_grades", "pool")
FILLED = "decision reason_code reason_in_words evidence_reference proposer authoriser session".split()


def workbook(assessment, path: str | os.PathLike | IO[bytes], *, manifest: Mapping[str, Any] | None = None) -> None:
    """Write the committee's workbook of ``assessment``, or of a view of it, to ``path``, a name or an open file."""
    import xlsxwriter

    view = seen(assessment)
    assessment = view.assessment
    book = xlsxwriter.Workbook(
        str(path) if isinstance(path, str | os.PathLike) else path,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "nan_inf_to_errors": False,
        },
    )
    try:
        title = say("Performance calibration, {cycle}", cycle=assessment.cycle.id)
        book.set_properties({"title": title, "created": MADE, "author": "perfmodel"})
        if manifest and manifest.get("run_id"):
            # What is filled in is told from what was filled in on an older pack.
            book.set_custom_property(RUN, str(manifest["run_id"]))
        _write(book, view, dict(manifest or {}))
    finally:
        book.close()


def _write(book, view: View, manifest: Mapping[str, Any]) -> None:
    style = _Styles(book)
    run = str(manifest.get("run_id", ""))
    named = pd.Series(view.names, dtype=object)

    tables = {name: _called(view.tables[name], view) for name in SHOWN}

    def with_name(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        frame.insert(1, "name", frame["employee_id"].map(named).fillna(""))
        return frame

    sheets = {
        say("Scores"): (
            with_name(tables["scores"]),
            say("One row an employee: score and grade raw, adjusted, proposed; p allows for rating error."),
        ),
        (discussion := say("Discussion")): (
            with_name(_decisions(tables["discussion"])),
            say("Who to discuss first and why; fill in decision and reason code."),
        ),
        (decisions := say("Decisions")): (
            with_name(_everybody(tables)),
            say("Everybody with a proposal; what the committee fills in, perfmodel decide --file records."),
        ),
        say("Raters"): (
            tables["raters"],
            say("Severity of each rater with its interval; positive is severe, in rating points."),
        ),
        say("Distribution"): (
            tables["distribution"],
            say("People per grade by unit against guideline and chance."),
        ),
        say("Weights"): (
            tables["weight_grades"],
            say("Share of permitted weights (w) that give each grade; not a probability."),
        ),
        say("Pool"): (tables["pool"], say("Cost of each step against the pool.")),
    }
    _findings(book.add_worksheet(say("Findings")), view, style, sheets, run)
    for name, (frame, _) in sheets.items():
        sheet = book.add_worksheet(name)
        _table(sheet, frame, style, view.limits.call)
        _print(sheet, run)
        if name in (discussion, decisions) and len(frame):
            _choices(sheet, frame, view.grades)
    _notes(book.add_worksheet(say("Notes")), view, style, run)


def _called(frame: pd.DataFrame, view: View) -> pd.DataFrame:
    """Posts and KPIs as the scheme calls them, and what is missing by its name."""
    names = {"profile": view.posts, "driver": view.kpi_names}
    called = {name: frame[name].replace(of) for name, of in names.items() if name in frame}
    said = {name: frame[name].map(view.named, "ignore") for name in ("evidence", "reason") if name in frame}
    return frame.assign(**called, **said)


class _Styles:
    """The few formats of the workbook; xlsxwriter wants each made once."""

    def __init__(self, book):
        self._book = book
        self._made: dict[tuple, Any] = {}

    def __call__(self, **extra):
        key = tuple(sorted(extra.items()))
        if key not in self._made:
            base = {"font_name": FACES[spoken()], "font_size": 10, "valign": "top"}
            self._made[key] = self._book.add_format({**base, **extra})
        return self._made[key]


def _decisions(discussion: pd.DataFrame) -> pd.DataFrame:
    """The list in the order of the agenda, with empty columns for what the committee decides."""
    frame = discussion.sort_values(["unit", "rank", "employee_id", "flag"], kind="stable")
    frame = frame[["employee_id", "unit", "rank", "flag", "priority", "evidence"]].reset_index(drop=True)
    frame["flag"] = frame["flag"].map(words.flag)
    return frame.assign(decision="", reason_code="", reason_in_words="")


def _everybody(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Everybody with a proposal, with empty columns for a whole record of what the committee decides."""
    scores = tables["scores"]
    frame = scores[scores["grade_proposed"].fillna("").ne("")].sort_values(["unit", "employee_id"], kind="stable")
    names = ["employee_id", "unit", "grade_raw", "grade_adjusted", "score_proposed", "grade_proposed", "p_stay"]
    frame = frame[names].reset_index(drop=True)
    return frame.assign(**dict.fromkeys(FILLED, ""))


def _findings(sheet, view: View, style: _Styles, sheets, run: str) -> None:
    from .unit import calibration_report

    assessment = view.assessment
    sheet.set_column(0, 0, 24, style())
    sheet.set_column(1, 1, 110, style(text_wrap=True))
    title = say("Performance calibration, {cycle}", cycle=assessment.cycle.id)
    sheet.write_string(0, 0, title, style(bold=True, font_size=14))
    row = 1
    if assessment.cycle.simulated:
        sheet.write_string(row, 0, say("Simulated data."), style(bold=True))
        sheet.write_string(row, 1, say("People, units and money are made up."), style())
        row += 1
    facts = [
        (say("Status"), say(assessment.status)),
        (say("Run"), run or say("not published")),
        (say("Quarter"), quarter(view.scheme)),
        (say("Control totals agree"), control_totals(assessment)),
        (say("Seed"), str(assessment.seed)),
    ]
    status = row
    for name, value in facts:
        act = row == status and assessment.status == "PARTIAL"
        sheet.write_string(row, 0, name, style(bold=True))
        sheet.write_string(
            row, 1, value, style(bg_color="#fdf2e9", font_color="#a8420a", bold=True) if act else style()
        )
        row += 1
    row += 1
    for i, line in enumerate(calibration_report(view).sentences(), 1):
        sheet.write_string(row, 0, say("Finding {n}", n=i), style(bold=True))
        sheet.write_string(row, 1, line, style(text_wrap=True))
        row += 1
    row += 1
    for name, (frame, about) in sheets.items():
        rows = say("{n} rows.", n=words.grouped(len(frame)))
        sheet.write_string(row, 0, name, style(bold=True))
        sheet.write_string(row, 1, f"{about}{words.gap()}{rows}", style(text_wrap=True))
        row += 1
    _print(sheet, run, header=False)


def _table(sheet, frame: pd.DataFrame, style: _Styles, call: float) -> None:
    """A frozen, filtered header over typed cells; ids stay text."""
    head = style(bold=True, bottom=1, bottom_color="#1a1f24", text_wrap=True, valign="bottom")
    attention = {"bg_color": "#fdf2e9", "font_color": "#a8420a"}
    sheet.set_row(0, 32)
    for k, name in enumerate(frame.columns):
        kind, values = words.format_of(str(name), frame[name]), frame[name].tolist()
        number = FORMATS.get(kind)
        shown = [words.cell(str(name), value) for value in values]
        lengths = [] if number else sorted(_width(str(value)) for value in shown)
        longest = lengths[(9 * len(lengths)) // 10] if lengths else 0
        width = NARROW if number else min(max(NARROW, longest + 2), WIDE)
        cell = style(num_format=number) if number else style()
        if name in ("evidence", "reason", "reason_in_words", "evidence_reference", "what_is_identified"):
            width, cell = LONG, style(text_wrap=True)
        sheet.set_column(k, k, width)
        sheet.write_string(0, k, words.label(str(name)), head)
        for i, (value, text) in enumerate(zip(values, shown, strict=True), 1):
            act = (name == "verdict" and value == "outside chance") or (
                name == "p_stay" and pd.notna(value) and value < call
            )
            shape = cell if not act else style(num_format=number, **attention) if number else style(**attention)
            if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
                sheet.write_blank(i, k, None, cell)
            elif number and not isinstance(value, str):
                sheet.write_number(i, k, float(value), shape)
            else:
                sheet.write_string(i, k, words.FORMATS["text"](text), shape)
        if kind == "chance" and len(frame):
            bar = {"type": "data_bar", "bar_color": "#a3c5e0", "bar_solid": True, "min_type": "num", "max_type": "num"}
            sheet.conditional_format(1, k, len(frame), k, {**bar, "min_value": 0, "max_value": 1})
    sheet.freeze_panes(1, 1)
    if len(frame.columns):
        sheet.autofilter(0, 0, max(len(frame), 1), len(frame.columns) - 1)


def _width(text: str) -> int:
    """Columns that ``text`` takes: a Chinese character is as wide as two others."""
    if text.isascii():
        return len(text)
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)


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
            "error_title": say("Grade"),
            "error_message": say("Write one of {grades}.", grades=words.joined(grades)),
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
            "error_title": say("Reason code"),
            "error_message": say("Write one of R1 to R10; their meaning stands in the sheet Notes."),
        },
    )


def _notes(sheet, view: View, style: _Styles, run: str) -> None:
    sheet.set_column(0, 0, 24, style())
    sheet.set_column(1, 1, 110, style(text_wrap=True))
    lines = [
        ("p", say("Allows for rating error; not the chance that the person deserves the grade.")),
        (
            "w",
            say(
                "Share of permitted weights that give the grade, points as they are; "
                "a description of the rule’s freedom, not a probability."
            ),
        ),
        (
            say("Severity-adjusted"),
            say(
                "The estimated severity of the rater was given back, {where}.",
                where=words.adjusted_where(view.assessment.severity.link),
            ),
        ),
        (
            say("Proposal"),
            say("A proposal is not a grade; a named person accepts or changes it and says why."),
        ),
        (say("Empty cells"), say("Missing; the reason stands in the reason column.")),
        (say("Numbers"), say("Unrounded in the cells, rounded for show only.")),
        (
            say("Not in this file"),
            say("Protected attributes, pay by person and fairness tables: those are for HR and legal only."),
        ),
        *words.reason_codes().items(),
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
