"""How numbers are shown, and the words that columns, flags and lists are shown in."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..language import say, say_n, spoken, told
from ..plots.theme import MINUS, chance, signed
from ..raters.links import ASSUMPTIONS
from ..tables import COMPANY, OUTPUTS, POOLED

PROBABLE = ("p_", "w_")  # beginnings of columns of chances, and of shares of permitted weights
THIN = "\u2009"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _known(function: Callable[[float], str]) -> Callable[[object], str]:
    """Missing shows as nothing: the reason stands in the reason's own column."""

    def show(value) -> str:
        if value is None or (not isinstance(value, str) and pd.isna(value)):
            return ""
        if isinstance(value, str):
            return value
        infinite = isinstance(value, float | np.floating) and np.isinf(value)
        return ("∞" if value > 0 else MINUS + "∞") if infinite else function(value)

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


def aligned(values: pd.Series) -> Callable[[object], str]:
    """How the numbers of one column are shown: with the decimals that its largest one needs for three digits."""
    sizes = [abs(float(v)) for v in values if isinstance(v, (int, float, np.number)) and np.isfinite(v)]
    largest = max(sizes, default=0.0)
    if all(size == round(size) for size in sizes) or largest >= 999.5:
        return _known(grouped)
    digits = max(0, 2 - math.floor(math.log10(largest)))
    return _known(lambda v: plain(v, digits))


def minus(text: str) -> str:
    """A sentence with true minus signs before its numbers."""
    return text if isinstance(text, Markup) else re.sub(r"(?<=[ (（])-(?=\.?\d)", MINUS, text)


def cents(value: float) -> str:
    """An amount in cents as money to the cent, thin space between thousands."""
    whole, rest = divmod(abs(round(value)), 100)
    return (MINUS if value < 0 else "") + f"{grouped(whole)}.{rest:02d}"


def table_chance(value: float) -> str:
    """In a table a share keeps its leading zero; never 0 or 1 unless exact."""
    text = chance(float(value))
    return "0" + text if text.startswith(".") else text


def day(value) -> str:
    """``20 Oct 2026``, in the month names of the language spoken whatever the locale."""
    return say("{day} {month} {year}", day=value.day, month=say(MONTHS[value.month - 1]), year=value.year)


def _text(value) -> str:
    if isinstance(value, (pd.Timestamp, datetime, date)):
        return day(value)
    if isinstance(value, (bool, np.bool_)):
        return say("yes") if value else say("no")
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
    "cents": _known(cents),
    "number": _known(quantity),
    "figure": _known(quantity),  # of a column whose rows have units of their own
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
    "figure": "target actual threshold stretch target_original",
    "rating2": "rating_raw rating_adjusted discrimination se",
    "chance": "p_stay w_stay w_share importance_share share_at_cap halo",
    "percent": "share guideline_low guideline_high attainment",
    "weight": "weight weight_nominal stable_low stable_high",
    "money": "cost budget balance bonus_target",
}
_FORMAT_OF = {name: kind for kind, names in _BY_NAME.items() for name in names.split()}


def format_of(name: str, values: pd.Series) -> str:
    """The format a column of the contract is shown in, by its name; numbers without one in three digits."""
    values = values.infer_objects()
    if name in _FORMAT_OF and name not in ("component",):
        return _FORMAT_OF[name]
    if name.startswith(PROBABLE):
        return "chance"
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return "text"
    if pd.api.types.is_integer_dtype(values):
        return "count"
    return "number"


def _in_words(name: str) -> str:
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]


# Headings of columns: those of the contract's tables and of tables made for pages by their names, and what is better
# said otherwise.
LABELS = {name: _in_words(name) for key, rest in OUTPUTS.values() for name in (*key, *rest) if name[:2] not in PROBABLE}
MADE = """what owner file line column level message measure source period target_rule lacks points bonus deduction mean
sd score always some never aim value changed facet reliability separation variance why design covered closer
contradicted gain slope estimate teams evidence_reference proposer authoriser session"""
LABELS |= {name: _in_words(name) for name in MADE.split()}
LABELS |= {
    "employee_id": "Employee",
    "rater_id": "Rater",
    "name": "Name",
    "decision": "Decision",
    "reason_in_words": "Reason in words",
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
        return say(LABELS[name])
    return f"{name[0]} {name[2:]}" if name[:2] in PROBABLE else say(_in_words(name))


# Columns that hold the words of a method. The others hold data, which no catalogue touches.
FINISHED = frozenset(
    "reason verdict evidence what_is_identified linked_by moved_by message finding stage step what "
    "facet design slope aim weights driver_direction direction law".split()
)


def cell(name: str, value):
    """A value of the column ``name`` as it is shown: a method's words in the language spoken, data as they are."""
    if name == "roles" and isinstance(value, str):
        return joined(told(role) for role in value.split("+"))
    of_groups = name == "unit" and isinstance(value, str) and (value == COMPANY or value.startswith(POOLED))
    return told(value) if isinstance(value, str) and (name in FINISHED or of_groups) else value


def shown(text: str) -> str:
    """What a page is handed, in the language spoken: a literal of the catalogue, or a method's finished sentence."""
    return text if isinstance(text, Markup) or not isinstance(text, str) else told(say(text))


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


def reason_codes() -> dict[str, str]:
    """What each reason code means, in the language spoken."""
    return {code: say(meaning) for code, meaning in REASON_CODES.items()}


def flag(name: str) -> str:
    """A flag of the discussion list in words."""
    return say(FLAGS.get(name, str(name).replace("_", " ")))


def gap() -> str:
    """What stands between two sentences: Chinese leaves no space after its full stop."""
    return "" if spoken() == "zh" else " "


def joined(names: Iterable[str]) -> str:
    """Names one after the other: ``a, b, c``."""
    return say(", ").join(names)


def count_of(n: int, one: str, many: str = "") -> str:
    """``1 person``, ``3 people``."""
    one, many = (f"{{n}} {word}" for word in (one, many or one + "s"))
    return say_n(one, many, n, n=grouped(n))


def number_word(n: int) -> str:
    """Small numbers as words at the start of a heading; Chinese keeps the digits."""
    words = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"]
    return words[n] if 0 <= n < len(words) and spoken() == "en" else str(n)


def listing(names: Sequence[str], most: int = 6) -> str:
    """Names with commas; what is left out is counted."""
    names = list(names)
    if len(names) <= most:
        return joined(names)
    return say("{names} and {n} more", names=joined(names[:most]), n=len(names) - most)


def adjusted_where(link: str | None) -> str:
    """Among whom severity is given back: what has to stand wherever an adjusted number does."""
    if link is None:
        return say("among raters linked by people rated in common only")
    return say(
        "among linked raters, and, {assumption}, among raters whom nobody links too", assumption=told(ASSUMPTIONS[link])
    )
