"""The look of every chart: tokens, one blue ramp, and a figure that describes itself."""

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial, wraps
from hashlib import sha256
from io import StringIO
from typing import Any

import pandas as pd
from markupsafe import Markup, escape
from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.text import Text

from ..language import say, speaking, spoken

TOKENS = {
    "ink": "#1a1f24",
    "ink2": "#4a545e",
    "rule": "#8a949d",
    "hair": "#d5dade",
    "band": "#e2e5e8",
    "accent": "#a8420a",
    "accent-bg": "#fdf2e9",
    "link": "#0b4f8a",
    "edge": "#4d6a84",
}
INK, INK2, RULE, HAIR, BAND, ACCENT = (TOKENS[k] for k in ("ink", "ink2", "rule", "hair", "band", "accent"))

# One ordered ramp, best grade darkest. D is pale, not alarming: colour never judges a person.
PALETTE = {"S": "#08305c", "A": "#1f5f99", "B": "#5a95c4", "C": "#a3c5e0", "D": "#e4eef6"}
BLUE = PALETTE["A"]

# What text is measured with. It comes with matplotlib, so a chart is laid out alike on every machine; a page shows the
# text in its own typeface, for it stands there as text.
FONT = "DejaVu Sans"
CHINESE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")
EM = "—"  # one em wide in FONT, as every Chinese character is in any font that has it
EM_LETTERS = 1.75  # an em in average Latin letters of FONT
CJK_FONTS = (
    "PingFang SC",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "SimHei",
)

RC: dict[Any, Any] = {
    "font.family": [FONT],
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "figure.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "perfmodel",
    "font.size": 9.5,
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a $ in somebody's name is a $
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.grid": False,
    "grid.color": HAIR,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": INK2,
    "ytick.color": INK2,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
    "patch.edgecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 9,
}
MINUS = "−"
# Steps of a score, a grade and their cost.
STEPS = {"raw": "raw", "adjusted": "adjusted", "proposed": "proposed", "decided": "decided"}


def ramp(grades) -> dict[str, str]:
    """Colour of each grade, best first. Other letters than S to D share the same ramp by their order."""
    grades = list(grades)
    if set(grades) <= set(PALETTE):
        return {g: PALETTE[g] for g in grades}
    shades = list(PALETTE.values())
    last = max(len(grades) - 1, 1)
    return {g: shades[round(i * (len(shades) - 1) / last)] for i, g in enumerate(grades)}


def on_colour(colour: str) -> str:
    """White or ink, whichever is legible on a colour of the ramp."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 110 else INK


@lru_cache
def fonts() -> tuple[str, ...]:
    """Fonts of a Chinese text: matplotlib's own, then the first that is installed of those that have the characters."""
    known = font_manager.fontManager.ttflist
    found = {font.name for font in known if font.name in CJK_FONTS}
    if not found:  # matplotlib lists the fonts once and keeps the list: this one may have been installed since
        new = [font for font in font_manager.FontManager().ttflist if font.name in CJK_FONTS]
        known.extend(new)
        found = {font.name for font in new}
    return (FONT, *[name for name in CJK_FONTS if name in found][:1])


def can_draw(text: str) -> bool:
    """Whether Chinese characters in ``text`` have a font here; warns by name of the fonts that would do."""
    if not CHINESE.search(text) or len(fonts()) > 1:
        return True
    warnings.warn(
        f"No Chinese font is installed, so the chart is labelled in English. Install one of {', '.join(CJK_FONTS)}.",
        stacklevel=2,
    )
    return False


def letters(text: str) -> float:
    """How long a text is, in average Latin letters: a Chinese character takes the room of almost two."""
    chinese = len(CHINESE.findall(text))
    return len(text) + (EM_LETTERS - 1) * chinese if chinese else len(text)


def longest(names: Sequence[str] | pd.Series) -> float:
    """The longest of ``names``, in letters."""
    return max(letters(str(name)) for name in names)


def drawn(function):
    """Draw with this look and no other, whatever the caller's matplotlib settings are."""

    @wraps(function)
    def draw(*args, **kwargs):
        with rc_context(RC):
            chart = function(*args, **kwargs)
        chart.again = partial(draw, *args, **kwargs)
        return chart

    return draw


ENLARGED = 1.05  # a chart's width on a page over its own: its text is drawn in the page's size


def short(name: str, most: int = 22) -> str:
    """A name as it fits beside a chart, at most ``most`` letters long."""
    if letters(name) <= most:
        return name
    fits = max(k for k in range(len(name)) if letters(name[:k]) <= most - 1)
    return name[:fits] + "…"


class PageRenderer(RendererSVG):
    """Measures a Chinese character as one em, whatever fonts are installed: a page shows it in its own typeface."""

    for_page = True

    def get_text_width_height_descent(self, s, prop, ismath):
        return super().get_text_width_height_descent(CHINESE.sub(EM, s), prop, ismath)


class Chart(Figure):
    """A matplotlib figure that knows its description and shows itself as inline SVG.

    ``description`` states the finding and the values in words. It is what a screen reader says. ``again`` draws the
    chart anew from the same tables, in the language then spoken.
    """

    description = ""
    again: Callable[[], "Chart"] | None = None

    def draw(self, renderer: Any) -> None:
        """Draw on a page as text. As a picture, Chinese needs a font: without one the labels are English."""
        chinese = [text for text in self.findobj(Text) if CHINESE.search(text.get_text())]
        if not chinese or getattr(renderer, "for_page", False):
            super().draw(renderer)
        elif can_draw("".join(text.get_text() for text in chinese)) or self.again is None:
            own = [text.get_fontfamily() for text in chinese]
            for text in chinese:
                text.set_fontfamily(list(fonts()))
            super().draw(renderer)
            for text, family in zip(chinese, own, strict=True):
                text.set_fontfamily(family)
        else:
            with speaking("en"):
                english = self.again()
            english.again = None
            english.set_dpi(self.dpi)
            english.draw(renderer)

    def svg(self, title: str = "", alt: str = "", width: str = "") -> Markup:
        """The figure as an ``<svg role="img">`` without style sheet, font file or outside address."""
        out, (wide, high), dpi = StringIO(), self.get_size_inches(), self.dpi
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        with rc_context(RC):
            page = PageRenderer(72 * wide, 72 * high, out, image_dpi=RC["savefig.dpi"], metadata=nothing)
            self.dpi = 72  # points, the unit of the page
            renderer = MixedModeRenderer(self, wide, high, RC["savefig.dpi"], page)
            self.draw(renderer)
            renderer.finalize()
            self.dpi = dpi
        return inline(out.getvalue(), title, alt or self.description, width)

    def _repr_html_(self) -> str:
        return f'<div style="max-width:{self.get_figwidth() * ENLARGED:.1f}in">{self.svg()}</div>'


def _rounded(tag: re.Match) -> str:
    """A tag with its numbers at two decimals; the + 0 makes a minus zero plain."""
    return re.sub(
        r"(?<![\w.])-?\d+\.\d{3,}(?=[ \",)])", lambda number: f"{round(float(number.group()), 2) + 0:.2f}", tag.group()
    )


def inline(svg: str, title: str, alt: str, width: str = "") -> Markup:
    """matplotlib's SVG made fit to stand in a page: named for readers, styled by the page, ids of its own.

    matplotlib numbers its groups alike in every figure, and ids must be unique in a page. Coordinates keep two
    decimals, a hundredth of a point, and ids are counted: the last digits of a sum differ from processor to
    processor, and the same input has to give the same bytes.
    """
    body = svg[svg.index("<svg") :]
    box = re.search(r'viewBox="([^"]+)"', body)
    body = body[body.index(">") + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.S)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.S)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"<[^>]*>", _rounded, body)
    ids = {old: str(order) for order, old in enumerate(re.findall(r'\bid="([^"]*)"', body))}
    body = re.sub(r'(\bid="|url\(#|href="#)([^")]*)', lambda found: found.group(1) + ids[found.group(2)], body)
    name = "f" + sha256((alt + body).encode()).hexdigest()[:10]
    body = re.sub(r'(?:xlink:)?(\bid="|url\(#|href="#)(\d)', rf"\1{name}-\2", body)
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)
    body = re.sub(r"font-family:[^;\"]*;? ?", "", body)
    body = re.sub(r"<defs>\s*</defs>\s*", "", body)
    body = re.sub(r"\n\s*", "\n", body)
    named = f'<title id="{name}-t">{escape(title)}</title>' if title else ""
    described = f'<desc id="{name}-d">{escape(alt)}</desc>' if alt else ""
    labels = " ".join(f"{name}-{part}" for part, text in (("t", title), ("d", alt)) if text)
    style = "stroke-linejoin:round;stroke-linecap:butt" + (f";max-width:{width}" if width else "")
    return Markup(  # every text inside comes escaped, from matplotlib or from escape()
        f'<svg class="chart" viewBox="{box.group(1) if box else "0 0 100 100"}" role="img" '
        f'aria-labelledby="{labels}" style="{style}">{named}{described}{body.strip()}'
    )


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, true minus; zero has none."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


def chance(value: float) -> str:
    """A share without leading zero. Shares come from draws, so none is shown as 0 or 1."""
    if value < 0.005:
        return "<.01"
    if value > 0.995:
        return ">.99"
    return f"{value:.2f}".removeprefix("0")


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """Rows as named tuples."""
    return list(frame.itertuples(index=False))


def listed(pairs) -> str:
    return semicolons(f"{name} {value}" for name, value in pairs)


def semicolons(parts: Iterable[str]) -> str:
    return say("; ").join(parts)


def commas(parts: Iterable[str]) -> str:
    return say(", ").join(parts)


def sentences(parts: Iterable[str]) -> str:
    """One after the other; Chinese puts no space after its full stop."""
    return ("" if spoken() == "zh" else " ").join(parts)


def panel(width: float, height: float, *, left: float, right: float, top: float, bottom: float):
    """A chart of ``width`` x ``height`` inches and its axes; margins in inches."""
    chart = Chart(figsize=(width, height))
    ax = chart.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )
    return chart, ax


def upward(chart: Chart, words: str) -> None:
    """What the vertical axis measures, at its head: no text stands on its side."""
    chart.text(0, 0.995, f"↑ {words}", va="top", fontsize=9)


def empty(words: str, width: float = 4.4, height: float = 1.0) -> Chart:
    """A chart in words: what is not known is said in its own place, not left blank."""
    chart, ax = panel(width, height, left=0, right=0, top=0, bottom=0)
    ax.set_axis_off()
    ax.text(0, 0.5, words, va="center", color=INK2, wrap=True)
    chart.description = words
    return chart
