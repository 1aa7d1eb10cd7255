"""Report values: sentence, table, figure, caveat, and the page they stand on.

Each is a frozen value that shows itself in a notebook. Text is escaped here, once, where it enters HTML;
``Markup`` passes as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ..language import say, say_n, spoken, told
from ..plots.theme import ENLARGED, Chart, inline, letters
from . import sorting, words

CHIPS = {"draft": ("DRAFT", "PROVISIONAL"), "partial": ("PARTIAL",), "final": ("FINAL",)}
# Nothing can be fetched, and no script can run but the one whose digest is added, whatever the cells of a page hold.
LONG, MIDDLE = 28, 13  # letters over which a text takes a line of its own, or most of one, on a phone
PHONE = 52  # letters that a phone shows beside each other
FEW = 6  # columns up to which a table of short cells is not drawn apart to the width of the page
NARROW = 6.0  # inches up to which a chart can be read at a phone's width
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@lru_cache
def templates() -> Environment:
    """Templates of the pages; everything that is not Markup is escaped."""
    env = Environment(
        loader=PackageLoader("perfmodel.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(words.FORMATS)
    env.globals.update(chip=chip, sorts=sorting.sorts, say=say, say_n=say_n, told=told, gap=words.gap)
    return env


@lru_cache
def css() -> Markup:
    return Markup(files("perfmodel.report").joinpath("page.css").read_text(encoding="utf-8").strip())


def render(template: str, **values) -> str:
    return templates().get_template(template).render(css=css(), **values)


def chip(status: str) -> Markup:
    """The status of a report; its outline, not only its colour, tells one from another."""
    if not status:
        return Markup("")
    outline = next((kind for kind, statuses in CHIPS.items() if status in statuses), "draft")
    return Markup('<span class="chip {}">{}</span>').format(outline, say(status))


class Value:
    """Anything that can stand on a page: ``body()`` is its HTML, everything escaped."""

    def body(self) -> Markup:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self, 'title', '')!r})"

    def _repr_html_(self) -> str:
        # The style comes along so that a notebook looks like the published page; export drops the copies.
        # A page says its language once, a notebook's output itself: it stands among English ones.
        lang = "" if spoken() == "en" else f' lang="{spoken()}"'
        return f'<style data-pm="css">{css()}</style><div class="pm"{lang}>{self.body()}</div>'


@dataclass(frozen=True, eq=False, repr=False)
class Figure(Value):
    """A chart under the sentence it shows. ``alt`` is the chart's own description unless given."""

    fig: Any
    title: str
    caption: str = ""
    alt: str = ""

    def body(self) -> Markup:
        title, alt = words.shown(self.title), words.shown(self.alt)
        drawn = drawing(self.fig, title, alt)
        if self.fig.get_figwidth() > NARROW:
            drawn = _aside(drawn, title or say("Chart"), "drawn")
        return Markup('<figure class="value"><h2>{}</h2>{}{}</figure>').format(title, _caption(self.caption), drawn)


def drawing(fig, title: str, alt: str = "") -> Markup:
    """A figure as inline SVG; one page width at most, never larger than its text can bear."""
    if isinstance(fig, Chart):
        return fig.svg(title, alt, width=f"{fig.get_figwidth() * ENLARGED:.2f}in")
    from io import StringIO

    from matplotlib import rc_context

    from ..plots.theme import RC

    with rc_context(RC):
        out = StringIO()
        fig.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return inline(out.getvalue(), title, alt or title, width=f"{fig.get_figwidth() * ENLARGED:.2f}in")


def _aside(content: Markup, name: str, kind: str = "") -> Markup:
    """What may be wider than a phone: it scrolls by itself, by keyboard too, and its edge says so."""
    return Markup('<div class="{}" role="region" aria-label="{}" tabindex="0">{}</div>').format(
        f"scroll {kind}".strip(), name, content
    )


def _caption(text: str) -> Markup:
    return Markup('<p class="sub">{}</p>').format(words.shown(text)) if text else Markup("")


@dataclass(frozen=True, eq=False, repr=False)
class Table(Value):
    """A table as committees read it: numbers right-aligned and rounded for show only, missing cells empty.

    ``labels`` renames columns, ``formats`` names a format of ``words.FORMATS`` by column, ``limit`` shows only the
    first rows and says how many are left. What is too wide for a phone becomes a card a row there.
    """

    frame: pd.DataFrame
    title: str = ""
    caption: str = ""
    labels: Mapping[str, str] | None = None
    formats: Mapping[str, str] | None = None
    limit: int | None = None

    def body(self) -> Markup:
        frame = self.frame
        if frame.index.name and frame.index.name not in frame.columns:
            frame = frame.reset_index()
        shown = frame if self.limit is None else frame.head(self.limit)
        formats = {c: (self.formats or {}).get(c) or words.format_of(str(c), frame[c]) for c in frame.columns}
        heads = [words.shown((self.labels or {}).get(c, "")) or words.label(str(c)) for c in frame.columns]
        shows = {c: words.aligned(shown[c]) if f == "number" else words.FORMATS[f] for c, f in formats.items()}
        cells = [[shows[c](words.cell(str(c), v)) for v in shown[c]] for c in frame.columns]
        sides = ["", *(_side(formats[c]) for c in frame.columns[1:])]  # the first heads its row, number or not
        left = len(frame) - len(shown)
        note = Markup('<p class="note">{}</p>').format(_more_rows(left)) if left else Markup("")
        title = _heading(self.title)
        if frame.empty:
            none = say("None.")
            return Markup('<section class="value">{}{}<p>{}</p></section>').format(title, _caption(self.caption), none)
        name = words.shown(self.title or self.caption) or say("Table")
        kind, table = _grid(heads, cells, sides)
        return Markup('<section class="value">{}{}{}{}</section>').format(
            title, _caption(self.caption), _aside(table, name, kind), note
        )


def _grid(heads: Sequence[str], cells: Sequence[Sequence[str]], sides: Sequence[str]) -> tuple[str, Markup]:
    """What kind of table it is, and its HTML: columns of cells under their heads, the first column heading the rows."""
    wide = [max((letters(str(text)) for text in column), default=0) for column in cells]
    least = [min(wide[0], 16), *wide[1:]]  # what heads a row may break
    stacks = sum(max(w, min(letters(head), 9)) + 2 for w, head in zip(least, heads, strict=True)) > PHONE
    role = (lambda name: Markup(' role="{}"').format(name)) if stacks else (lambda name: Markup(""))
    # Ids and names of units break at no hyphen.
    tight = [
        max(map(letters, column), default=0) <= MIDDLE and not any(" " in text for text in column) for column in cells
    ]
    kinds = [
        " ".join(filter(None, [side or ("nw" if t else ""), _span(w) if stacks else ""]))
        for side, t, w in zip(sides, tight, wide, strict=True)
    ]
    opened = [
        Markup("<td{}{}{}>").format(
            role("cell"),
            Markup(' class="{}"').format(kind) if kind else "",
            Markup(' data-l="{}"').format(head) if stacks else "",
        )
        for head, kind in zip(heads, kinds, strict=True)
    ]
    top = Markup("").join(
        Markup('<th{} scope="col"{}>{}</th>').format(role("columnheader"), Markup(' class="r"') if side else "", head)
        for head, side in zip(heads, sides, strict=True)
    )
    rows = Markup("").join(
        Markup('<tr{}><th{} scope="row"{}>{}</th>{}</tr>').format(
            role("row"),
            role("rowheader"),
            Markup(' class="nw"') if tight[0] else "",
            first,
            Markup("").join(Markup("{}{}</td>").format(tag, text) for tag, text in zip(opened[1:], rest, strict=True)),
        )
        for first, *rest in zip(*cells, strict=True)
    )
    table = Markup("<table{}{}><thead{}><tr{}>{}</tr></thead><tbody{}>{}</tbody></table>").format(
        role("table"), sorting.sorts(len(cells[0])), role("rowgroup"), role("row"), top, role("rowgroup"), rows
    )
    few = len(heads) <= FEW and max(wide) <= LONG
    return " ".join(name for name, holds in (("stack", stacks), ("few", few)) if holds), table


def _heading(title: str) -> Markup:
    return Markup("<h2>{}</h2>").format(words.shown(title)) if title else Markup("")


def _more_rows(n: int) -> str:
    return say("{n} more rows.", n=words.grouped(n))


def _span(width: float) -> str:
    return "long" if width > LONG else "mid" if width > MIDDLE else ""


def _side(kind: str) -> str:
    return "" if kind == "text" else "r"


@dataclass(frozen=True, eq=False, repr=False)
class Sentences(Value):
    """Headline findings, numbered."""

    lines: Sequence[str]
    title: str = ""

    def body(self) -> Markup:
        items = Markup("").join(
            Markup("<li><span>{}</span>{}</li>").format(i, words.minus(words.shown(line)))
            for i, line in enumerate(self.lines, 1)
        )
        title = _heading(self.title)
        if not self.lines:
            return Markup('<section class="value">{}<p>{}</p></section>').format(title, say("Nothing to say."))
        return Markup('<section class="value">{}<ol class="lead">{}</ol></section>').format(title, items)


@dataclass(frozen=True, eq=False, repr=False)
class Callout(Value):
    """Something to know, or not to conclude; ``act``: something that a person must do."""

    text: str
    title: str = ""
    act: bool = False

    def body(self) -> Markup:
        title = Markup("<b>{}</b> ").format(words.shown(self.title)) if self.title else ""
        act = " act" if self.act else ""
        return Markup('<p class="callout{}">{}{}</p>').format(act, title, words.shown(self.text))


@dataclass(frozen=True, eq=False, repr=False)
class Section(Value):
    """Parts under one heading. A part is a value, a chart, or a text."""

    title: str
    parts: Sequence[Any]
    lead: str = ""

    def body(self) -> Markup:
        return Markup("<section><h2>{}</h2>{}{}</section>").format(
            words.shown(self.title),
            Markup("<p>{}</p>").format(words.shown(self.lead)) if self.lead else "",
            _parts(self.parts),
        )


def _parts(parts) -> Markup:
    return Markup("").join(
        part.body()
        if isinstance(part, Value)
        else drawing(part, "")
        if hasattr(part, "savefig")
        else Markup("<p>{}</p>").format(words.shown(part))
        for part in parts
    )


@dataclass(frozen=True, eq=False, repr=False)
class Banner(Value):
    """What every page says first: whose figures, of when, in what state, and whether they are made up."""

    title: str
    status: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False

    def body(self) -> Markup:
        meta = Markup("").join(
            Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(words.shown(k), words.shown(v))
            for k, v in self.meta.items()
        )
        return Markup('{}<div class="head"><h1>{} {}</h1><dl class="meta">{}</dl></div>').format(
            made_up() if self.simulated else "", words.shown(self.title), chip(self.status), meta
        )


def made_up() -> Markup:
    """What stands above everything where the data are simulated."""
    return Markup('<div class="simulated"><b>{}</b>{}{}</div>').format(
        say("Simulated data."), words.gap(), say("People, units and money are made up.")
    )


@dataclass(frozen=True, eq=False, repr=False)
class Page(Value):
    """A whole page: title, status, parts."""

    title: str
    parts: Sequence[Any]
    status: str = ""
    meta: Mapping[str, str] | None = None
    simulated: bool = False

    @property
    def banner(self) -> Banner:
        return Banner(self.title, self.status, self.meta or {}, self.simulated)

    def body(self) -> Markup:
        return self.banner.body() + _parts(self.parts)

    def html(self) -> str:
        """A whole document: no outside address, no script."""
        return document(words.shown(self.title), self.banner.body(), _parts(self.parts))


def document(
    title: str, header: Markup, main: Markup, *, footer: Markup | str = "", kind: str = "page", style: Markup | str = ""
) -> str:
    """HTML of a page around its parts, in the language spoken, with the script of its sortable tables if it has any.

    ``style``: rules of this kind of page, after those of every page.
    """
    waiting = packed = Markup("")
    policy = POLICY
    if sorting.MARK in main or sorting.MARK in footer:
        waiting, whole = sorting.scripts()
        policy += f"; script-src '{sorting.digest(waiting)}' '{sorting.digest(whole)}'"
        packed = sorting.packed(whole)
    return render(
        "page.html.j2",
        title=title,
        header=header,
        main=main,
        footer=footer,
        kind=kind,
        style=style,
        lang=spoken(),
        policy=Markup(policy),
        waiting=waiting,
        packed=packed,
    )


def counts_of(assessment) -> tuple[int, int, dict[str, int]]:
    """People in, people scored, and the others by reason."""
    counts = assessment.counts
    others = {**counts.get("excluded", {})}
    for reason, n in counts.get("waiting", {}).items():
        others[reason] = others.get(reason, 0) + n
    return int(counts["in"]), int(counts["scored"]), others


def control_totals(assessment) -> str:
    """Whether everybody who came in is scored or accounted for."""
    total, scored, others = counts_of(assessment)
    return add_up(total, scored, sum(others.values()))


def add_up(total: int, scored: int, rest: int) -> str:
    """People in = scored + the rest, and whether that is so."""
    if total == scored + rest:
        return say("yes: {total} in = {scored} + {rest}", total=total, scored=scored, rest=rest)
    return say("no: {total} in = {scored} + {rest}", total=total, scored=scored, rest=rest)


def quarter(scheme) -> str:
    """First and last day."""
    return say("{start} to {end}", start=words.day(scheme.start), end=words.day(scheme.end))


def banner(assessment, title: str = "") -> Banner:
    """The banner of an assessment: the first output of a notebook."""
    cycle = assessment.cycle
    total, scored, _ = counts_of(assessment)
    meta = {
        say("Quarter"): quarter(cycle.scheme),
        say("Rated"): say("{scored} of {total}", scored=scored, total=total),
        say("Control totals agree"): control_totals(assessment),
        say("Seed"): str(assessment.seed),
    }
    title = title or say("Performance calibration, {cycle}", cycle=cycle.id)
    return Banner(title, assessment.status, meta, cycle.simulated)


__all__ = [
    "Banner",
    "Callout",
    "Chart",
    "Figure",
    "Page",
    "Section",
    "Sentences",
    "Table",
    "Value",
    "add_up",
    "banner",
    "control_totals",
    "counts_of",
    "css",
    "document",
    "drawing",
    "escape",
    "made_up",
    "quarter",
    "render",
]
