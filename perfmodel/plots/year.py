"""A year of quarters: for whom the way from quarters to the year decides the grade."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from ..language import say
from .grades import _key
from .theme import BLUE, HAIR, INK, INK2, Chart, commas, drawn, empty, longest, panel, rows_of, semicolons, short

# Methods in the order of the table, with the mark of each and its name in words.
MARKS = {
    "mean": ("o", "mean of quarters"),
    "mixed": ("s", "quarters and annual"),
    "cumulative": ("D", "from the year's figures"),
}


@drawn
def year_methods(results: pd.DataFrame, cuts: Mapping[str, float], *, most: int = 24, width: float = 7.2) -> Chart:
    """The year's score by three methods, one row a person whose grade depends on the method; filled: the scheme's own.

    In the order of ids; those of whom there is no room are counted.

    Parameters
    ----------
    results : DataFrame
        ``employee_id, method`` (the scheme's own), and ``score_<method>, grade_<method>`` of each method.
    cuts : mapping of grade to its lower bound, best first
    """
    names = list(MARKS)
    grades = results[[f"grade_{name}" for name in names]]
    apart = results[grades.ne("").all(axis=1) & grades.nunique(axis=1).gt(1)].sort_values("employee_id")
    if apart.empty:
        return empty(say("Nobody's grade depends on the method."), width)
    shown, hidden = apart.head(most), max(0, len(apart) - most)
    left = 0.25 + 0.075 * longest([short(who) for who in shown["employee_id"]])
    lines = len(shown) + bool(hidden)
    chart, ax = panel(width, 0.24 * lines + 0.95, left=left, right=1.0, top=0.42, bottom=0.53)
    edge = blended_transform_factory(chart.transFigure, ax.transData)
    said = []
    for y, row in enumerate(rows_of(shown)):
        scores = {name: float(getattr(row, f"score_{name}")) for name in names}
        given = {name: getattr(row, f"grade_{name}") for name in names}
        ax.plot([min(scores.values()), max(scores.values())], [y, y], color=HAIR, lw=3.2, zorder=1)
        for name in sorted(names, key=lambda name: name == row.method):
            own = name == row.method
            ax.plot(
                scores[name], y, MARKS[name][0], ms=6.4 if own else 5.6, zorder=3 if own else 2,
                mfc=BLUE if own else "white", mec=BLUE if own else INK2, mew=1.2,
            )  # fmt: skip
        ax.text(0, y, short(row.employee_id), transform=edge, va="center")
        for i, name in enumerate(names):
            ax.text(
                0.9 + 0.045 * i, y, given[name], transform=edge, ha="center", va="center",
                weight="bold" if name == row.method else "normal", color=INK if name == row.method else INK2,
            )  # fmt: skip
        each = commas(f"{say(MARKS[name][1])} {scores[name]:.1f} {given[name]}" for name in names)
        said.append(f"{row.employee_id}: {each}")
    if hidden:
        ax.text(0, len(shown), say("{n} more", n=hidden), transform=edge, va="center", color=INK2)
    low, high = (float(fit(shown[[f"score_{n}" for n in names]].to_numpy(float))) for fit in (np.min, np.max))
    pad = max(0.5, 0.03 * (high - low))
    ax.set_xlim(low - pad, high + pad)
    ax.set_ylim(lines - 0.4, -0.7)
    for grade, bound in list(cuts.items())[:-1]:
        if low - pad < bound < high + pad:
            ax.axvline(bound, color=INK, lw=0.8, zorder=0)
            ax.text(bound, -0.85, say("{grade} from {bound}", grade=grade, bound=f"{bound:g}"), ha="center", fontsize=9)
    for i, name in enumerate(names):
        marker = Line2D([0.9 + 0.045 * i], [-1.0], transform=edge, marker=MARKS[name][0], ls="", ms=5, mec=INK2)
        marker.set(mfc="white", clip_on=False)
        ax.add_line(marker)
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.grid(axis="x")
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    own = shown["method"].iloc[0]
    _key(
        chart,
        [
            (
                Line2D(
                    [], [], ls="", marker=marker, ms=6,
                    mfc=BLUE if name == own else "white", mec=BLUE if name == own else INK2,
                ),
                say("{method}, the scheme's own", method=say(words)) if name == own else say(words),
            )
            for name, (marker, words) in MARKS.items()
        ],
    )  # fmt: skip
    chart.description = say("Score and grade of the year by method: {values}.", values=semicolons(said))
    return chart
