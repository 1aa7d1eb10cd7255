"""The health of a scheme over quarters: what KPIs tell of a person, which tell the same, what adjusting gained."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import blended_transform_factory

from ..language import say
from .grades import _key
from .theme import (
    ACCENT,
    BAND,
    BLUE,
    INK,
    INK2,
    MINUS,
    RULE,
    Chart,
    commas,
    drawn,
    empty,
    longest,
    panel,
    rows_of,
    semicolons,
)

CLUSTERS = {"manager_id": "superiors resampled", "unit": "units resampled"}


@drawn
def retest(stability: pd.DataFrame, *, little: float = 0.2, level: float = 0.90, width: float = 7.2) -> Chart:
    """Correlation of a KPI's points with the same person's in the next quarter, and (ring) of the mean of four.

    Inside the grey one quarter says little of the person. The accent marks a KPI whose whole interval lies there.

    Parameters
    ----------
    stability : DataFrame
        Rows of one profile: ``kpi, retest, lower, upper, year, n_people, verdict``.
    """
    rows = stability.dropna(subset=["retest"])
    if rows.empty:
        return empty(say("No KPI can be compared with the next quarter yet."), width)
    marked = rows["verdict"].eq("mostly chance").to_numpy()
    year = rows["year"].to_numpy(float)
    chart, ax, said = _intervals(rows, "kpi", "retest", "lower", "upper", marked, width, rows["n_people"], year)
    ax.axvspan(ax.get_xlim()[0], little, color=BAND, lw=0, zorder=-2)
    ax.plot(year, np.arange(len(rows)), "o", ms=6, mfc="white", mec=INK2, mew=1.2, zorder=2)
    _key(
        chart,
        [
            (Patch(fc=BAND), say("one quarter says little")),
            (Line2D([], [], color=BLUE, marker="o", ms=6), _interval(say("one quarter"), level)),
            (Line2D([], [], ls="", marker="o", mfc="white", mec=INK2, mew=1.2, ms=6), say("mean of four quarters")),
        ],
    )
    chart.description = say(
        "Correlation with the next quarter, and of a mean of four quarters: {values}.",
        values=semicolons(f"{text} → {_two(y)}" for text, y in zip(said, year, strict=True)),
    )
    return chart


@drawn
def validity(stability: pd.DataFrame, *, level: float = 0.90, width: float = 7.2) -> Chart:
    """Correlation of a KPI's points with the person's other KPIs in the next quarter; accent: against them."""
    rows = stability.dropna(subset=["validity"])
    if rows.empty:
        return empty(say("No KPI can be compared with the other KPIs of the next quarter yet."), width)
    names = ("validity", "validity_lower", "validity_upper")
    marked = (rows["validity_upper"] < 0).to_numpy()
    chart, ax, said = _intervals(rows, "kpi", *names, marked, width, rows["n_people"])
    ax.axvline(0, color=INK, lw=0.8, zorder=0)
    _key(chart, [(Line2D([], [], color=BLUE, marker="o", ms=6), _interval(say("correlation"), level))])
    chart.description = say("Correlation with the other KPIs of the next quarter: {values}.", values=semicolons(said))
    return chart


@drawn
def kpi_pairs(
    pairs: pd.DataFrame, *, same: float = 0.7, level: float = 0.90, most: int = 10, width: float = 7.2
) -> Chart:
    """The strongest correlations of two KPIs in the same quarter; beyond the line they measure the same.

    Parameters
    ----------
    pairs : DataFrame
        Rows of one profile: ``kpi, other, r, lower, upper, n_people, verdict``.
    """
    known = pairs.dropna(subset=["r"]).sort_values("r", ascending=False, kind="stable")
    if known.empty:
        return empty(say("No two KPIs can be compared yet."), width)
    rows = known.head(most).assign(pair=lambda t: t["kpi"] + " + " + t["other"])
    marked = rows["verdict"].eq("same").to_numpy()
    chart, ax, said = _intervals(rows, "pair", "r", "lower", "upper", marked, width, rows["n_people"], [same + 0.1])
    ax.axvline(same, color=INK, lw=0.8, zorder=0)
    ax.text(same, -0.72, say("the same from {bound}", bound=_two(same)), ha="center", fontsize=9)
    left = len(known) - len(rows)
    if left:
        chart.text(0, 0.36 / chart.get_figheight(), say("{n} weaker pairs not drawn", n=left), color=INK2, fontsize=9)
    _key(chart, [(Line2D([], [], color=BLUE, marker="o", ms=6), _interval(say("correlation"), level))])
    values = semicolons([*said, *([say("{n} weaker pairs not drawn", n=left)] if left else [])])
    chart.description = say("Correlation of two KPIs in the same quarter: {values}.", values=values)
    return chart


@drawn
def rating_prediction(prediction: pd.DataFrame, *, level: float = 0.90, width: float = 7.2) -> Chart:
    """How much better adjusted ratings predict the next quarter's measured KPIs than raw ones: a paired difference.

    The grey of a row is its interval turned about 0, so "dot outside grey" and "interval clear of 0" are one
    statement. Right: the two correlations.

    Parameters
    ----------
    prediction : DataFrame
        ``cluster, n_clusters, r_raw, r_adjusted, difference, lower, upper``.
    """
    known = prediction.dropna(subset=["difference"])
    if known.empty:
        return empty(say("Raw and adjusted ratings cannot be compared by the next quarter yet."), width)
    rows = known.assign(
        name=[f"{row.n_clusters} {say(CLUSTERS.get(row.cluster, row.cluster))}" for row in rows_of(known)]
    )
    correlations = [f"{_two(row.r_raw)} → {_two(row.r_adjusted)}" for row in rows_of(rows)]
    chart, ax, said = _intervals(
        rows, "name", "difference", "lower", "upper", np.zeros(len(rows), bool), width, correlations, [0.0],
        digits=3, right=2.7, head=say("raw → adjusted"),
    )  # fmt: skip
    for y, row in enumerate(rows_of(rows)):
        low, high = row.lower - row.difference, row.upper - row.difference
        ax.barh(y, high - low, 0.78, left=low, color=BAND, edgecolor=RULE, lw=0.6, zorder=-2)
    ends = [*rows["lower"], *rows["upper"], *(rows["lower"] - rows["difference"])]
    reach = 1.08 * max(abs(x) for x in ends)
    ax.set_xlim(-reach, reach)
    ax.axvline(0, color=INK, lw=0.8, zorder=0)
    ax.text(-reach, -0.72, say("← raw better"), color=INK2, fontsize=9)
    ax.text(reach, -0.72, say("adjusted better →"), color=INK2, fontsize=9, ha="right")
    _key(
        chart,
        [
            (Patch(fc=BAND), say("not distinguishable from no difference")),
            (Line2D([], [], color=BLUE, marker="o", ms=6), _interval(say("difference"), level)),
        ],
    )
    values = semicolons(map(commas, zip(said, correlations, strict=True)))
    chart.description = say(
        "Correlation with the next quarter's measured KPIs, adjusted less raw: {values}.", values=values
    )
    return chart


def _intervals(
    rows: pd.DataFrame,
    label: str,
    value: str,
    low: str,
    high: str,
    marked: np.ndarray,
    width: float,
    last: Sequence,
    reach: Sequence[float] = (),
    *,
    digits: int = 2,
    right: float = 2.1,
    head: str = "",
) -> tuple[Chart, Axes, list[str]]:
    """One row each: an estimate with its interval, its values and a column at the right; and the rows in words."""
    left = 0.2 + 0.073 * longest(rows[label])
    chart, ax = panel(width, 0.25 * len(rows) + 0.95, left=left, right=right, top=0.3, bottom=0.65)
    edge = blended_transform_factory(chart.transFigure, ax.transData)
    said = []
    for y, row in enumerate(rows.to_dict("records")):
        colour = ACCENT if marked[y] else BLUE
        ax.plot([row[low], row[high]], [y, y], color=colour, lw=1.6, zorder=3)
        ax.plot(row[value], y, "o", ms=6.5, color=colour, mec="white", mew=0.8, zorder=4)
        a, v, b = (_two(row[name], digits) for name in (low, value, high))
        text = say("{value} ({low} to {high})", value=v, low=a, high=b)
        ink = {"color": ACCENT if marked[y] else INK}
        ax.text(0, y, row[label], transform=edge, va="center", weight="bold" if marked[y] else "normal", **ink)
        ax.text(1 - 0.37 * right / width, y, text, transform=edge, va="center", ha="right", **ink)
        ax.text(0.997, y, str(list(last)[y]), transform=edge, va="center", ha="right", color=INK2)
        said.append(f"{row[label]} {text}")
    ends = [*rows[low], *rows[high], *reach]
    span = max(ends) - min(min(ends), 0.0)
    ax.set_xlim(min(min(ends), 0.0) - 0.04 * span, max(ends) + 0.04 * span)
    ax.set_ylim(len(rows) - 0.5, -0.6)
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.grid(axis="x")
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    chart.text(0.997, 1, head or say("people"), ha="right", va="top", color=INK2)
    return chart, ax, said


def _interval(what: str, level: float) -> str:
    return say("{what}, {level} % interval", what=what, level=f"{100 * level:g}")


def _two(r: float, digits: int = 2) -> str:
    """A correlation as charts write it: .54, and a true minus."""
    text = f"{abs(r):.{digits}f}".replace("0.", ".", 1)
    return (MINUS if r < 0 and float(text) else "") + text
