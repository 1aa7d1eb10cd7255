"""Rates of groups beside that of the largest group."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import blended_transform_factory

from ..language import say, told
from .grades import _key
from .theme import ACCENT, BAND, BLUE, HAIR, INK, INK2, RULE, Chart, drawn, empty, panel, rows_of, semicolons

OUTSIDE, NOT_STATED = "outside chance", "not stated"


@drawn
def ratios(table: pd.DataFrame, *, level: float = 0.95, width: float = 7.2) -> Chart:
    """Ratio of each group's rate to the reference's with its interval, on a logarithmic axis; 1 is the same rate.

    The grey of a row is that row's interval turned about 1, so "dot outside grey" and "interval clear of 1" are one
    statement. The accent marks a comparison outside chance among all.

    Parameters
    ----------
    table : DataFrame
        Rows of ``restricted/fairness`` of one attribute, in the order in which they are to be drawn; rows without a
        ratio are counted below.
    """
    rows = table[np.isfinite(table["ratio"].astype(float)) & table["ratio"].gt(0)]
    hidden = int((table["ratio"].isna() & table["group"].ne(table["reference"])).sum())
    if rows.empty:
        return empty(say("No comparison can be shown."), width)
    groups = list(dict.fromkeys(rows["group"]))
    lines = len(rows) + len(groups) + bool(hidden)
    chart, ax = panel(width, 0.25 * lines + 0.85, left=2.35, right=1.75, top=0.3, bottom=0.55)
    left = blended_transform_factory(chart.transFigure, ax.transData)
    ends = [*rows["ratio_low"], *rows["ratio_high"], *(rows["ratio"] / rows["ratio_low"]), 1.25]
    known = np.array([abs(np.log(x)) for x in ends if np.isfinite(x) and x > 0])
    reach = float(np.exp(min(known.max() * 1.06, np.log(20))))
    y, said = 0.0, []
    reference = _group(rows["reference"].iloc[0])
    for group in groups:
        heading = say("{group}, against {reference}", group=_group(group), reference=reference)
        ax.text(0, y, heading, transform=left, va="center", weight="bold")
        y += 1
        for row in rows_of(rows[rows["group"] == group]):
            low, high = max(row.ratio_low, 1 / reach), min(row.ratio_high, reach)
            apart = row.verdict == OUTSIDE
            colour = ACCENT if apart else BLUE if row.p_exact < 0.05 else INK2
            grey = max(row.ratio / high, 1 / reach), min(row.ratio / low, reach)
            ax.barh(y, grey[1] - grey[0], 0.78, left=grey[0], color=BAND, edgecolor=RULE, lw=0.6, zorder=0)
            ax.plot([low, high], [y, y], color=colour, lw=1.6, zorder=2)
            ax.plot(row.ratio, y, "o", ms=6.5, color=colour, mec="white", mew=0.8, zorder=3)
            name = say("{outcome}, {stage}", outcome=told(row.outcome), stage=told(row.stage))
            numbers = (row.ratio, row.ratio_low, row.ratio_high)
            ratio, low_said, high_said = (f"{number:.2f}" for number in numbers)
            value = say("{ratio} ({low} to {high})", ratio=ratio, low=low_said, high=high_said)
            ax.text(0.02, y, name, transform=left, va="center", color=INK)
            ax.text(0.995, y, value, transform=left, va="center", ha="right", color=ACCENT if apart else INK)
            finding = say("{group}, {name} {value}", group=_group(group), name=name, value=value)
            said.append(say("{finding}, outside chance", finding=finding) if apart else finding)
            y += 1
    bottom = y - 0.4
    if hidden:
        words = say("{n} more not shown or not tested", n=hidden)
        ax.text(0, y, words, transform=left, va="center", color=INK2)
        said.append(words)
    ax.set_xscale("log")
    ax.set_xlim(1 / reach, reach)
    ax.set_ylim(lines - 0.5, -0.6)
    ticks = [t for t in (0.1, 0.25, 0.5, 1, 2, 4, 10) if 1 / reach <= t <= reach]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.vlines(ticks, 0.4, bottom, color=HAIR, lw=0.7, zorder=-1)
    ax.vlines(1, 0.4, bottom, color=INK, lw=0.8, zorder=1)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.text(0.995, -0.75, say("ratio and interval"), transform=left, ha="right", color=INK2)
    ax.text(1 / reach, -0.75, say("← less often"), color=INK2)
    ax.text(reach, -0.75, say("more often →"), ha="right", color=INK2)
    _key(
        chart,
        [
            (Patch(fc=BAND), say("not distinguishable from the same rate")),
            (
                Line2D([], [], color=INK2, marker="o", ms=6),
                say("ratio, {level} % interval", level=f"{100 * level:.0f}"),
            ),
        ],
    )
    chart.description = say(
        "Ratio of rates to that of {reference}: {said}.", reference=reference, said=semicolons(said)
    )
    return chart


def _group(name: str) -> str:
    """A group's name is data, but for that of people without one."""
    return told(name) if name == NOT_STATED else name
