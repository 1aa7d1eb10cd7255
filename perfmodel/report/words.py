"""How numbers are shown and what is said of them: one catalogue a language, numbers first."""

from collections.abc import Callable, Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd

from ..plots.theme import MINUS, chance, signed
from ..raters.links import ASSUMPTIONS

THIN = "\u2009"


def _known(function: Callable[[float], str]) -> Callable[[object], str]:
    """Missing shows as nothing: the reason stands in the reason's own column."""

    def show(value) -> str:
        if value is None or (not isinstance(value, str) and pd.isna(value)):
            return ""
        return value if isinstance(value, str) else function(value)

    return show


def grouped(value: float) -> str:
    """A whole number, thin space between thousands, true minus."""
    text = f"{abs(value):,.0f}".replace(",", THIN)
    return (MINUS if value < 0 and text != "0" else "") + text


def plain(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    return (MINUS if value < 0 and float(text) else "") + text


def quantity(value: float) -> str:
    """A number of any kind: whole from a thousand on, else three digits that count."""
    if abs(value) >= 999.5:
        return grouped(value)
    text = f"{abs(value):.3g}"
    return (MINUS if value < 0 and float(text) else "") + text


def table_chance(value: float) -> str:
    """In a table a share keeps its leading zero; never 0 or 1 unless exact."""
    text = chance(float(value))
    return "0" + text if text.startswith(".") else text


def day(value) -> str:
    """``20 Oct 2026``, in English month names whatever the locale."""
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return f"{value.day} {months[value.month - 1]} {value.year}"


def _text(value) -> str:
    if isinstance(value, (pd.Timestamp, datetime, date)):
        return day(value)
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)


FORMATS: dict[str, Callable[[object], str]] = {
    "score": _known(lambda v: plain(v, 1)),
    "score2": _known(lambda v: plain(v, 2)),
    "signed": _known(lambda v: signed(v, 1)),
    "severity": _known(lambda v: signed(v, 2)),
    "rating": _known(lambda v: plain(v, 1)),
    "rating2": _known(lambda v: plain(v, 2)),
    "chance": _known(table_chance),
    "percent": _known(lambda v: f"{100 * v:.0f} %"),
    "weight": _known(lambda v: f"{v:.1f} %"),
    "count": _known(grouped),
    "money": _known(grouped),
    "number": _known(quantity),
    "text": _known(_text),
}

_BY_NAME = {
    "count": "n n_ratings n_employees n_raters rank rank_best rank_worst component priority raters people draws "
    "rank_best_bound rank_worst_bound",
    "severity": "severity lower upper drift",
    "score": "score_raw score_adjusted score_proposed kpi_score points points_raw points_adjusted bonus deduction "
    "rating_points target_points score_mean score_sd score_min score_max",
    "signed": "shift moved_by_points",
    "rating": "rating",
    "rating2": "rating_raw rating_adjusted discrimination se",
    "chance": "p_stay w_stay w_share importance_share share_at_cap halo",
    "percent": "share guideline_low guideline_high attainment",
    "weight": "weight weight_nominal stable_low stable_high",
    "money": "cost budget balance bonus_target",
}
_FORMAT_OF = {name: kind for kind, names in _BY_NAME.items() for name in names.split()}


def format_of(name: str, values: pd.Series) -> str:
    """The format a column of the contract is shown in, by its name; numbers without one in three digits."""
    if name in _FORMAT_OF and name not in ("component",):
        return _FORMAT_OF[name]
    if name.startswith(("p_", "w_")):
        return "chance"
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return "text"
    if pd.api.types.is_integer_dtype(values):
        return "count"
    return "number"


LABELS = {
    "employee_id": "Employee",
    "rater_id": "Rater",
    "kpi": "KPI",
    "kpi_score": "KPI score",
    "n": "People",
    "n_ratings": "Ratings",
    "n_employees": "People",
    "n_raters": "Raters",
    "se": "se",
    "score_raw": "Raw",
    "score_adjusted": "Adjusted",
    "score_proposed": "Proposed",
    "grade_raw": "Grade, raw",
    "grade_adjusted": "Grade, adjusted",
    "grade_proposed": "Grade, proposed",
    "p_stay": "p stays",
    "w_stay": "w keeps",
    "w_share": "w",
    "chance_low": "Chance from",
    "chance_high": "Chance to",
    "guideline_low": "Guideline from",
    "guideline_high": "Guideline to",
    "lower": "From",
    "upper": "To",
}


def label(name: str) -> str:
    """A column's heading in words."""
    if name in LABELS:
        return LABELS[name]
    if name[:2] in ("p_", "w_"):
        return f"{name[0]} {name[2:]}"
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]


REASON_CODES = {
    "R1": "data error",
    "R2": "target unequal or changed",
    "R3": "outside control",
    "R4": "rater standard differs",
    "R5": "evidence unknown to rater",
    "R6": "scope or level",
    "R7": "gate or conduct",
    "R8": "milestone timing",
    "R9": "guideline balance only",
    "R10": "appeal",
}

FLAGS = {
    "too_close": "too close to call",
    "crosses_cut": "adjustment crosses a cut",
    "disagree": "results and rating disagree",
    "two_level_jump": "jump of two grades",
    "new_and_top": "new and top-rated",
    "repeated_low": "repeated low",
    "missing_evidence": "evidence missing",
    "lower_grade": "lower grade",
    "gate": "gate",
}

EN = {
    "simulated": "Simulated data.",
    "simulated_more": "People, units and money are made up.",
    "within": "{band} {n} of {total}; chance alone gives {low} to {high}.",
    "within_more": "The share is {guide} and within chance: no action needed on the distribution.",
    "guide_in": "inside the guideline of {least}–{most} %",
    "guide_above": "above the guideline of {least}–{most} %",
    "guide_below": "below the guideline of {least}–{most} %",
    "guide_none": "without a guideline",
    "outside": "{band} {n} of {total}; chance alone gives {low} to {high}.",
    "outside_more": "Outside chance: look at targets and rater first.",
    "small": "{total} people: too few to tell from chance.",
    "small_more": "{band} {n} of {total}; pooled with sibling units.",
    "small_alone": "{band} {n} of {total}; no small sibling unit to pool with.",
    "company": "{band} {n} of {total} ({share} %).",
    "company_more": "The share is {guide}. The guideline is guidance, never a gate.",
    "adjusted": "Severity-adjusted: {moved} of {total} scores moved, {changed} {grades} changed.",
    "adjusted_none": "Severity-adjusted: no score moved.",
    "alone": "Left alone: {n} of {total}, no shared rater. Severity and team quality cannot be told apart.",
    "alone_none": "Nobody was left alone: every rater shares people with another.",
    "no_scores": "Nobody has a score yet.",
    "close": "Too close to call: {n} of {total}.",
    "close_more": "Rating error alone leaves the proposed grade under p {call}; discuss these first.",
    "close_none": "No grade is too close to call: every p is {call} or more.",
    "late": "{n} {results} late, so this report is",
    "late_more": "and cannot be made final.",
    "person": "A proposal is not a grade; a named person accepts or changes it and says why.",
    "p": "Allows for rating error; not the chance that the person deserves the grade.",
    "chart_a_in": "Every count lies within chance",
    "chart_a_out": "{n} {counts} outside chance",
    "chart_a_small": "Too few people to tell from chance",
    "chart_a_company": "Adjustment changed {n} of {total} grades",
    "chart_b": "{n} of {total} raters differ from the rest",
    "chart_b_none": "No rater differs from the rest",
    "chart_b_unknown": "No rater can be compared",
    "chart_c": "{n} {ratings} not fit the results",
    "chart_c_none": "Every rating fits the results",
    "chart_c_unknown": "Too few people to compare rating and results",
    "list": "Discussion list: {flagged} flagged, {shown} shown, {rest} remaining",
    "no_p": "none: severity of the rater is not identified",
}
CATALOGUE = {"en": EN}


def say(key: str, lang: str = "en", **values) -> str:
    """A sentence of the catalogue; English where a language lacks it."""
    text = CATALOGUE.get(lang, EN).get(key, EN[key])
    return text.format(**values)


def count_of(n: int, one: str, many: str = "") -> str:
    """``1 person``, ``3 people``."""
    return f"{grouped(n)} {one if n == 1 else many or one + 's'}"


def number_word(n: int) -> str:
    """Small numbers as words at the start of a heading."""
    words = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"]
    return words[n] if 0 <= n < len(words) else str(n)


def listing(names: Sequence[str], most: int = 6) -> str:
    """Names with commas; what is left out is counted."""
    names = list(names)
    if len(names) <= most:
        return ", ".join(names)
    return ", ".join(names[:most]) + f" and {len(names) - most} more"


def adjusted_where(link: str | None) -> str:
    """Among whom severity is given back: what has to stand wherever an adjusted number does."""
    if link is None:
        return "among raters linked by people rated in common only"
    return f"among linked raters, and, {ASSUMPTIONS[link]}, among raters whom nobody links too"
