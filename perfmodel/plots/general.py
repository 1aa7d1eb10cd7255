"""Charts without a table of their own: planted truth against estimate, intervals, counts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..language import say
from .theme import BAND, BLUE, INK, INK2, Chart, commas, drawn, empty, longest, panel, semicolons, upward

RECOVERY = ("planted", "estimated")  # axes of what a simulation planted and what was found of it


@drawn
def recovery(
    truth: Sequence[float],
    estimate: Sequence[float],
    *,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    xlabel: str = RECOVERY[0],
    ylabel: str = RECOVERY[1],
    equal: bool = True,
    width: float = 4.4,
) -> Chart:
    """Estimates against the planted truth on the line of equality, with intervals where given.

    Not ``equal``: the two have different units, so there is no such line.
    """
    xlabel, ylabel = say(xlabel), say(ylabel)
    x, y = np.asarray(truth, float), np.asarray(estimate, float)
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return empty(say("Nothing was estimated."), width)
    chart, ax = panel(width, width * 0.8, left=0.5, right=0.1, top=0.3, bottom=0.5)
    if low is not None and high is not None:
        ax.vlines(x[known], np.asarray(low, float)[known], np.asarray(high, float)[known], color="#a3c5e0", lw=1.2)
    if equal:
        ax.axline((float(x[known].mean()),) * 2, slope=1, color=INK, lw=0.8)
    ax.plot(x[known], y[known], "o", ms=4.5, color=BLUE, mec="white", mew=0.5)
    ax.set_xlabel(xlabel)
    upward(chart, ylabel)
    correlation = (
        np.corrcoef(x[known], y[known])[0, 1] if known.sum() > 2 and np.ptp(x[known]) * np.ptp(y[known]) > 0 else np.nan
    )
    error = np.sqrt(np.mean((y[known] - x[known]) ** 2))
    said = [say("root mean square error {error}", error=f"{error:.2f}")] * equal
    said += [say("correlation {value}", value=f"{correlation:.2f}")] * bool(np.isfinite(correlation))
    chart.description = (
        say("{n} points around the line of equality: {said}.", n=int(known.sum()), said=commas(said))
        if equal
        else say("{n} points, {y} against {x}: {said}.", n=int(known.sum()), y=ylabel, x=xlabel, said=commas(said))
    )
    return chart


@drawn
def strip(
    table: pd.DataFrame,
    *,
    label: str,
    value: str,
    low: str | None = None,
    high: str | None = None,
    xlabel: str = "",
    reference: float | None = None,
    digits: int = 2,
    width: float = 7.2,
) -> Chart:
    """One row each: an estimate as a dot with its interval, the value at the right, a line at ``reference``."""
    xlabel, rows = say(xlabel), table.dropna(subset=[value])
    if rows.empty:
        return empty(say("Nothing to show: no value is known."), width)
    left = 0.2 + 0.075 * longest(rows[label])
    chart, ax = panel(width, 0.15 + 0.27 * len(rows) + 0.45, left=left, right=0.7, top=0.1, bottom=0.45)
    y = np.arange(len(rows))
    if low and high:
        ax.hlines(y, rows[low].astype(float), rows[high].astype(float), color=BLUE, lw=1.6)
    ax.plot(rows[value].astype(float), y, "o", ms=6.5, color=BLUE)
    for i, v in zip(y, rows[value].astype(float), strict=True):
        ax.text(
            1 + 0.65 / (width - left - 0.7),
            i,
            f"{v:.{digits}f}".replace("-", "−"),
            transform=ax.get_yaxis_transform(),
            ha="right",
            va="center",
        )
    if reference is not None:
        ax.axvline(reference, color=INK, lw=0.8, zorder=0)
    ax.set_yticks(y, rows[label].astype(str), color=INK)
    ax.set_ylim(len(rows) - 0.5, -0.6)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_xlabel(xlabel, loc="left")
    said = (f"{n} {v:.{digits}f}" for n, v in zip(rows[label], rows[value].astype(float), strict=True))
    chart.description = say("{what}: {values}", what=xlabel, values=semicolons(said))
    return chart


@drawn
def histogram(
    values: Sequence[float], *, xlabel: str, mark: float | None = None, bins: int = 24, width: float = 4.4
) -> Chart:
    """Counts of values, with a line at ``mark``."""
    xlabel, known = say(xlabel), np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return empty(say("Nothing to count."), width)
    chart, ax = panel(width, 2.3, left=0.4, right=0.1, top=0.15, bottom=0.5)
    ax.hist(known, bins=bins, color=BLUE, rwidth=0.94)
    if mark is not None:
        ax.axvline(mark, color=INK, lw=1.2)
    ax.set_xlabel(xlabel)
    ax.grid(axis="y", color=BAND)
    ax.tick_params(colors=INK2)
    low, middle, high = np.quantile(known, [0.05, 0.5, 0.95])
    chart.description = say(
        "{what}: {n} values, median {median}, 90 % of them between {low} and {high}.",
        what=xlabel, n=len(known), median=f"{middle:.2f}", low=f"{low:.2f}", high=f"{high:.2f}",
    )  # fmt: skip
    return chart
