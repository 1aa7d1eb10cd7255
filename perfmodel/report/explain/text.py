"""Words and numbers of a sheet: bold inside sentences, figures as exactly as they were given."""

from collections.abc import Iterable, Mapping

from markupsafe import Markup, escape

from ...grades import grade_of
from ...language import told
from ...plots.theme import MINUS
from .. import words


def filled(text: str, **values: object) -> Markup:
    """``text`` (of ``say``, not filled in yet) with values; those that are Markup keep their bold."""
    return Markup(escape(text)).format(**values)


def bold(value: object) -> Markup:
    return Markup("<b>{}</b>").format(value)


def joined(lines: Iterable[Markup]) -> Markup:
    return Markup(words.gap()).join(lines)


def bare(reason: str) -> str:
    """A finished reason, without its full stop."""
    return told(reason).rstrip(".。")


def figure(value: float, digits: int = 6) -> str:
    """A figure as exactly as it was given, at most ``digits`` decimals, thin space between thousands."""
    whole, _, part = f"{abs(value):.{digits}f}".rstrip("0").rstrip(".").partition(".")
    text = f"{int(whole):,}".replace(",", words.THIN) + (f".{part}" if part else "")
    return (MINUS if value < 0 and text != "0" else "") + text


def beside_cuts(value: float, cuts: Mapping[str, float], digits: int) -> str:
    """A score with ``digits`` decimals, or as many more as show on which side of a cut line it lies."""
    for more in range(digits, 10):
        if grade_of([float(f"{value:.{more}f}")], cuts)[0] == grade_of([value], cuts)[0]:
            return words.plain(value, more)
    return words.plain(value, digits)


def rating(value: float) -> str:
    return f"{value:.1f}" if abs(value - round(value, 1)) < 1e-9 else f"{value:.4f}"
