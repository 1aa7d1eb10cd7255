"""Charts of the method appendix: a line against its cause, and everything of a many-facet model on one scale."""

import numpy as np
import pandas as pd

from ..language import say, told
from .theme import (
    BLUE,
    HAIR,
    INK,
    INK2,
    RULE,
    Chart,
    commas,
    drawn,
    empty,
    letters,
    panel,
    semicolons,
    sentences,
    short,
    signed,
    upward,
)

LABEL_STEP = 0.155  # inches between labels


@drawn
def curve(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    by: str | None = None,
    xlabel: str = "",
    ylabel: str = "",
    log: bool = False,
    reference: float | None = None,
    proportional: bool = False,
    digits: int = 2,
    width: float = 4.4,
) -> Chart:
    """Lines of ``y`` against ``x``, one for each value of ``by``, with a dot and a value at each point.

    ``log``: both axes logarithmic. ``reference``: a level to be reached. ``proportional``: a thin line from each
    line's last point back, as it would be if ``y`` were proportional to ``x``.
    """
    rows = table.dropna(subset=[x, y]).sort_values(x, kind="stable")
    if rows.empty:
        reason = table["reason"].iloc[0] if len(table) and "reason" in table and table["reason"].iloc[0] else ""
        return empty(
            say("Nothing to draw: {reason}.", reason=told(reason))
            if reason
            else say("Nothing to draw: no value is known."),
            width,
        )
    xname, yname = say(xlabel or x), say(ylabel or y)
    chart, ax = panel(width, width * 0.62, left=0.5, right=0.55 if by is None else 1.1, top=0.35, bottom=0.5)
    said = []
    groups = [("", rows)] if by is None else list(rows.groupby(by, sort=True))
    for name, own in groups:
        ax.plot(own[x], own[y], "-o", color=BLUE, ms=4.5, lw=1.4)
        if proportional:
            ax.plot(own[x], own[x] * (own[y].iloc[-1] / own[x].iloc[-1]), color=INK2, lw=0.8, ls=":", zorder=0)
        if by is not None:
            ax.annotate(
                str(name), (own[x].iloc[-1], own[y].iloc[-1]), xytext=(6, 0), textcoords="offset points", va="center"
            )
        else:
            side = 1 if own[y].iloc[-1] < own[y].iloc[0] else -1  # on that side of a dot on which its line is not
            for at, value in zip(own[x], own[y], strict=True):
                ax.annotate(
                    f"{value:.{digits}f}", (at, value), xytext=(4 * side, 4), textcoords="offset points",
                    ha="left" if side > 0 else "right",
                    color=INK2, fontsize=8.5,
                )  # fmt: skip
        values = commas(
            say("{value} at {x}", value=f"{value:.{digits}f}", x=f"{at:,g}")
            for at, value in zip(own[x], own[y], strict=True)
        )
        said.append(say("{what}: {values}", what=name, values=values) if name else values)
    if reference is not None:
        ax.axhline(reference, color=INK, lw=0.8, zorder=0)
        ax.text(1.01, reference, f"{reference:g}", transform=ax.get_yaxis_transform(), va="center", color=INK2)
    if log:
        ax.set_xscale("log")
        ax.set_yscale("log")
        for axis, column in ((ax.xaxis, x), (ax.yaxis, y)):
            ticks = _decades(rows[column].to_numpy(float))
            axis.set_ticks(ticks, [f"{t:,g}" for t in ticks])
            axis.set_ticks([], minor=True)
        ax.margins(x=0.1, y=0.12)
    else:
        ax.set_xticks(sorted(rows[x].unique()))
        ax.margins(x=0.14)
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.08 * (high - low))
    ax.grid(axis="y", color=HAIR)
    ax.set_xlabel(xname)
    upward(chart, yname)
    reached = [] if reference is None else [say("To be reached: {level}.", level=f"{reference:g}")]
    if proportional:
        reached.append(say("Dotted: in proportion to {x}.", x=xname))
    chart.description = sentences([say("{y} by {x}: {values}.", y=yname, x=xname, values=semicolons(said)), *reached])
    return chart


def _decades(values: np.ndarray) -> list[float]:
    """1, 2, 5 steps that span the values, few enough to be read."""
    low, high = np.floor(np.log10(values.min())), np.ceil(np.log10(values.max()))
    ticks = [m * 10.0**d for d in np.arange(low, high + 1) for m in (1, 2, 5)]
    inside = [t for t in ticks if values.min() / 1.5 <= t <= values.max() * 1.5]
    return inside if len(inside) <= 7 else [t for t in inside if str(t).strip("0.")[0] == "1"]


@drawn
def wright_map(table: pd.DataFrame, *, width: float = 7.2, height: float = 4.6) -> Chart:
    """People as a stack of dots beside the scale (logits), raters and items named on its other side.

    ``table``: ``facet`` (employee, rater, kpi), ``id, measure, se``. Those at nearly one height share a line.
    """
    rows = table.dropna(subset=["measure"])
    people = rows.loc[rows["facet"] == "employee", "measure"].to_numpy(float)
    if rows.empty or not len(people):
        return empty(say("Nothing was estimated."), width)
    chart, ax = panel(width, height, left=0.5, right=0.05, top=0.35, bottom=0.1)
    low, high = float(rows["measure"].min()), float(rows["measure"].max())
    room = 0.06 * (high - low or 1)
    ax.set_xlim(0, 10)
    ax.set_ylim(low - room, high + room)
    inch = (high - low + 2 * room) / (height - 0.45)
    step = 0.1 * inch
    stack = np.bincount(np.floor((people - low) / step).astype(int))
    widest = max(int(stack.max()), 1)
    dx = min(0.115, 3.0 / widest)
    for level, count in enumerate(stack):
        ax.plot(
            3.3 - dx * np.arange(count), [low + (level + 0.5) * step] * count, "o", ms=min(4.0, 34 * dx), color=BLUE
        )
    ax.axvline(3.5, color=RULE, lw=0.8)
    ax.text(3.3, 1.02, say("{n} people", n=len(people)), transform=ax.get_xaxis_transform(), ha="right", color=INK2)
    said = [say("people from {low} to {high}", low=signed(people.min()), high=signed(people.max()))]
    for at, facet, words in ((3.7, "rater", say("raters, severe above")), (6.9, "kpi", say("items, hard above"))):
        own = rows[rows["facet"] == facet].sort_values(["measure", "id"], ascending=[False, True])
        ax.text(at, 1.02, words, transform=ax.get_xaxis_transform(), color=INK2)
        for names, value in _grouped(own, LABEL_STEP * inch):
            ax.plot([at - 0.12, at - 0.04], [value, value], color=RULE, lw=0.8)
            ax.text(at, value, _named(names), va="center", fontsize=8, color=INK)
        if len(own):
            ends = {"low": signed(own["measure"].min()), "high": signed(own["measure"].max())}
            said.append(
                say("raters from {low} to {high}", **ends)
                if facet == "rater"
                else say("items from {low} to {high}", **ends)
            )
    ax.spines["bottom"].set_visible(False)
    ax.set_xticks([])
    upward(chart, say("logits"))
    chart.description = say("On one scale, in logits: {values}.", values=semicolons(said))
    return chart


def _named(names: list[str], most: float = 36) -> str:
    """Up to three names and how many more there are, fewer where they are too long for the column."""
    text = ""
    for shown in range(min(3, len(names)), 0, -1):
        text = commas(names[:shown])
        if len(names) > shown:
            text = say("{names} and {n} more", names=text, n=len(names) - shown)
        if letters(text) <= most:
            break
    return short(text, 42)


def _grouped(rows: pd.DataFrame, step: float) -> list[tuple[list[str], float]]:
    """Names that lie nearer to each other than a line of text, together at their mean height."""
    groups: list[tuple[list[str], list[float]]] = []
    for name, value in zip(rows["id"].astype(str), rows["measure"].astype(float), strict=True):
        if groups and groups[-1][1][0] - value < step:
            groups[-1][0].append(name)
            groups[-1][1].append(value)
        else:
            groups.append(([name], [value]))
    return [(names, float(np.mean(values))) for names, values in groups]
