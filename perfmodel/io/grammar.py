"""What the text of a cell may say: one strict grammar, and a note of everything that was understood beyond it.

Each reader takes a cell that is not empty and gives ``(value, notes)``, or raises ``Unreadable`` with what
to write instead. Nothing is guessed: ``1.234,56`` is refused because two readings of it differ a thousandfold.
"""

import re
import unicodedata
from datetime import date
from math import isinf

import numpy as np

PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.A)
GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[+-]?\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?:\.\d+)?", re.A)
SPREADSHEET = re.compile(r"#+|#(?:REF|N/A|DIV/0|VALUE|NAME|NUM|NULL|SPILL|CALC|GETTING_DATA)[!?]?", re.I)
DATE = re.compile(r"(\d{4})([-/年])(\d{1,2})([-/月])(\d{1,2})(日?)(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?Z?)?")
OTHER_DATE = re.compile(r"\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}日?")
WORDS = {
    "n/a",
    "na",
    "nan",
    "null",
    "none",
    "nil",
    "missing",
    "tbd",
    "-",
    "--",
    "—",
    "–",
    "/",
    "\\",
    "无",
    "缺",
    "暂无",
    "未知",
}
INFINITE = re.compile(r"[+-]?(?:inf|infinity|∞|无穷大?)", re.I)
YES = dict.fromkeys(("yes", "y", "true", "1", "是", "对"), True)
NO = dict.fromkeys(("no", "n", "false", "0", "否", "不"), False)

# Full-width forms of ASCII, the ideographic space and the true minus; nothing else (² is not 2).
NARROW = {0xFF01 + i: 0x21 + i for i in range(94)} | {0x3000: 0x20, 0x2212: 0x2D}
# Characters that turn the reading direction: what is shown is not what is there.
TURNING = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069"
SPACES = " \t\u00a0\u2007\u2009\u202f\u3000\ufeff"

NOTES = {
    "number-percent": "percent signs: 12% is read as 12 where the unit is % and as 0.12 where a share is asked for",
    "number-thousands": "thousands separators: 1,234 is read as 1234",
    "fullwidth": "full-width characters, read as their ASCII forms",
    "spaces": "spaces around the value, taken off",
    "date-form": "dates not written as 2026-07-01, read as year, month, day",
    "date-time": "a time of day beside the date, not used",
}


class Unreadable(Exception):
    """A cell that has no one meaning: ``code`` for machines, the message says what to write."""

    def __init__(self, code: str, message: str):
        self.code = code
        super().__init__(message)


def _bare(text: str) -> tuple[str, set[str]]:
    """``text`` without outer spaces and full-width forms, and which of the two there were."""
    notes = set()
    bare = text.translate(NARROW)
    if bare != text:
        notes.add("fullwidth")
    if (stripped := bare.strip(SPACES)) != bare:
        notes.add("spaces")
    return stripped, notes


def number(text: str) -> tuple[float, set[str]]:
    """A finite number. ``12%`` gives 12 with the note ``number-percent``: the column decides what that means."""
    notes: set[str] = set()
    if not PLAIN.fullmatch(text):
        text, notes = _bare(text)
        if text.endswith("%"):
            text = text[:-1].rstrip(SPACES)
            notes.add("number-percent")
        if GROUPED.fullmatch(text):
            text = re.sub(r"[^\d.+-]", "", text)
            notes.add("number-thousands")
        if not PLAIN.fullmatch(text) or not text.isascii():
            raise _no_number(text)
    value = float(text)
    if isinf(value):
        raise Unreadable("number-infinite", f"{text!r} is too large to be a number; write the real figure.")
    return value, notes


def _no_number(text: str) -> Unreadable:
    lower = text.lower()
    if INFINITE.fullmatch(lower):
        return Unreadable("number-infinite", f"{text!r} is no finite number; write the real figure or leave it empty.")
    if SPREADSHEET.fullmatch(text):
        return Unreadable(
            "number-spreadsheet",
            f"{text!r} is what a spreadsheet shows for an error or a narrow column; "
            "mend it there and export values again.",
        )
    if lower in WORDS or not text:
        return Unreadable("number-word", f"{text!r} is no number; leave the cell empty where the figure is missing.")
    if OTHER_DATE.fullmatch(text):
        return Unreadable("number-date", f"{text!r} is a date where a number belongs; format the column as numbers.")
    if re.fullmatch(r"[+-]?[\d.,' ]*,[\d.,' ]*", text):
        return Unreadable(
            "number-comma",
            f"{text!r}: the comma can mean thousands or decimals; write 1234.56, or 1,234.56 grouped in threes.",
        )
    return Unreadable("number-bad", f"{text!r} is no number; write digits with a point, such as 1234.5.")


def share(text: str) -> tuple[float, set[str]]:
    """A share of a whole, 0 to 1; a percent sign divides by 100."""
    value, notes = number(text)
    if "number-percent" in notes:
        value = float(np.round(value / 100, 12))
    if not 0 <= value <= 1:
        raise Unreadable(
            "share-range", f"{text!r} is no share: write 0 to 1, or 0% to 100% with the sign (80 alone is not 0.8)."
        )
    return value, notes


def day(text: str) -> tuple[date, set[str]]:
    """A day with the year first and in four digits; others leave open which number is the month."""
    bare, notes = _bare(text)
    match = DATE.fullmatch(bare)
    if not match or (match[2], match[4], match[6]) not in (("-", "-", ""), ("/", "/", ""), ("年", "月", "日")):
        serial = bare.isdigit() and len(bare) == 5
        raise Unreadable(
            "date-bad",
            f"{text!r} is a spreadsheet's day number; format the column as dates; write it as 2026-07-01."
            if serial
            else f"{text!r} is no date with one meaning; write it as 2026-07-01.",
        )
    try:
        value = date(int(match[1]), int(match[3]), int(match[5]))
    except ValueError:
        raise Unreadable("date-bad", f"{text!r} is not in the calendar; write a day that exists.") from None
    if not 1900 <= value.year <= 2200:
        raise Unreadable("date-bad", f"{text!r} lies outside 1900 to 2200; write the real year.")
    if match[2] != "-" or len(match[3]) + len(match[5]) != 4:
        notes.add("date-form")
    if match[7] and (match[7].strip("0"), match[8].strip("0"), (match[9] or "").strip("0")) != ("", "", ""):
        notes.add("date-time")
    return value, notes


def yes(text: str) -> tuple[bool, set[str]]:
    """yes or no, in the words and figures of both languages."""
    bare, notes = _bare(text)
    value = (YES | NO).get(bare.lower())
    if value is None:
        raise Unreadable("yes-bad", f"{text!r} is neither yes nor no; write one of the two.")
    return value, notes


def identifier(text: str) -> tuple[str, set[str]]:
    """An id, which never changes: only spaces around it are taken off, and said so."""
    bare = text.strip(SPACES)
    if bad := _control(bare):
        raise Unreadable("control", f"{text!r} holds the invisible character {bad}; take it out.")
    return bare, ({"spaces"} if bare != text else set())


def words(text: str) -> tuple[str, set[str]]:
    """Free text, kept as it is; only what cannot be seen or printed is refused."""
    if bad := _control(text, allowed="\t\n\r"):
        raise Unreadable("control", f"{text[:40]!r} holds the invisible character {bad}; take it out.")
    return text, set()


def _control(text: str, allowed: str = "") -> str:
    """Name of the first control or direction-changing character, empty where there is none."""
    if text.isprintable():
        return ""
    for c in text:
        if c not in allowed and (
            unicodedata.category(c) in ("Cc", "Cs") or c in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069"
        ):
            return f"U+{ord(c):04X}"
    return ""


READERS = {"id": identifier, "text": words, "number": number, "share": share, "day": day, "yes": yes}
