"""Severities more closely: how far few ratings are believed, how they move, and what an assumption decides."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import blended_transform_factory

from ..language import say, told
from .grades import _key
from .theme import (
    ACCENT,
    BAND,
    BLUE,
    HAIR,
    INK,
    INK2,
    RULE,
    Chart,
    drawn,
    empty,
    longest,
    panel,
    rows_of,
    semicolons,
    sentences,
    short,
    signed,
)


@drawn
def shrinkage(raters: pd.DataFrame, *, most: int = 30, width: float = 4.4) -> Chart:
    """What a rater's ratings alone say (ring) and the severity believed (point); the fewer ratings, the nearer to 0.

    ``raters``: ``rater_id, raw, severity`` (rating points, positive is severe), ``n_ratings``.
    """
    rows = raters.dropna(subset=["raw", "severity"]).sort_values(["raw", "rater_id"], ascending=[False, True])
    if rows.empty:
        return empty(say("No severity can be told, so none is shrunk."), width)
    hidden = max(0, len(rows) - most)
    if hidden:  # those farthest out show most
        far = rows["raw"].abs().sort_values(ascending=False, kind="stable").index[:most]
        rows = rows.loc[rows.index.isin(far)]
    chart, ax, edge = _rows(rows["rater_id"], width, right=0.75, more=bool(hidden), key=True)
    said = []
    for y, row in enumerate(rows_of(rows)):
        ax.plot([row.raw, row.severity], [y, y], color=RULE, lw=1.0, zorder=1)
        ax.plot(row.raw, y, "o", ms=6, mfc="white", mec=INK2, mew=1.2, zorder=2)
        ax.plot(row.severity, y, "o", ms=6, color=BLUE, zorder=3)
        ax.text(0.997, y, f"{row.n_ratings:.0f}", transform=edge, ha="right", va="center", color=INK2)
        said.append(
            say(
                "{rater} {raw} to {severity} ({n} ratings)",
                rater=row.rater_id, raw=signed(row.raw), severity=signed(row.severity), n=f"{row.n_ratings:.0f}",
            )
        )  # fmt: skip
    if hidden:
        ax.text(0, len(rows), say("{n} more, nearer to 0", n=hidden), transform=edge, va="center", color=INK2)
    chart.text(0.997, 1, say("ratings"), ha="right", va="top", color=INK2)
    _axis(ax, [*rows["raw"], *rows["severity"]], len(rows))
    _key(
        chart,
        [
            (Line2D([], [], ls="", marker="o", mfc="white", mec=INK2, mew=1.2, ms=6), say("ratings alone")),
            (Line2D([], [], ls="", marker="o", color=BLUE, ms=6), say("severity")),
        ],
    )
    chart.description = say("Ratings alone, and severity, in rating points: {values}.", values=semicolons(said))
    return chart


@drawn
def drift(moves: pd.DataFrame, *, most: int = 12, width: float = 7.2) -> Chart:
    """Severity of each rater from quarter to quarter in a small panel of its own, with what error allows in grey.

    ``moves``: ``rater_id, quarter, severity, se, change, high, low, signal`` (rating points; CUSUMs in standard
    errors), as ``raters.drift`` gives it. Raters who moved by more than error allows come first, then the largest
    CUSUMs; the others are counted.
    """
    quarters = sorted(moves["quarter"].unique())
    known = moves[moves["change"].notna()]
    if len(quarters) < 2 or known.empty:
        return empty(say("No rater can be compared with an earlier quarter."), width)
    last = moves.sort_values("quarter", kind="stable").drop_duplicates("rater_id", keep="last")
    last = last[last["rater_id"].isin(known["rater_id"])]
    order = last.assign(quiet=last["signal"].eq(""), size=-np.maximum(last["high"], last["low"]).round(6))
    order = order.sort_values(["quiet", "size", "rater_id"])
    shown = order.head(most)
    columns = min(4, len(shown))
    down = -(-len(shown) // columns)
    cell, tall, foot = width / columns, 1.08, 0.3
    height = tall * down + foot
    chart = Chart(figsize=(width, height))
    reach = float(max((moves["severity"].abs() + 1.7 * moves["se"]).max(), 0.5)) * 1.05
    place = {quarter: i for i, quarter in enumerate(quarters)}
    said = []
    for k, row in enumerate(rows_of(shown)):
        own = moves[moves["rater_id"] == row.rater_id].sort_values("quarter", kind="stable")
        x = own["quarter"].map(place).to_numpy(float)
        y, se = own["severity"].to_numpy(float), own["se"].to_numpy(float)
        ax = chart.add_axes(
            (
                (cell * (k % columns) + 0.36) / width,
                (foot + tall * (down - 1 - k // columns) + 0.2) / height,
                (cell - 0.46) / width,
                (tall - 0.46) / height,
            )
        )
        moved = bool(row.signal)
        ax.fill_between(x, y - 1.645 * se, y + 1.645 * se, color=BAND, lw=0)
        ax.plot(x, y, "-o", color=ACCENT if moved else BLUE, ms=4, lw=1.3)
        ax.axhline(0, color=INK, lw=0.6, zorder=0)
        ax.set_xlim(-0.35, len(quarters) - 0.65)
        ax.set_ylim(-reach, reach)
        top = 0.5 if reach < 1 else float(np.floor(reach))
        ax.set_yticks([-top, 0, top], [signed(-top, 1), "0", signed(top, 1)] if k % columns == 0 else ["", "", ""])
        bottom = k // columns == down - 1 or k + columns >= len(shown)
        ends = [0, len(quarters) - 1]
        ax.set_xticks(ends, [quarters[i] for i in ends] if bottom else ["", ""], fontsize=8)
        for label, side in zip(ax.get_xticklabels(), ("left", "right"), strict=True):
            label.set(ha=side)
        ax.tick_params(length=0, labelsize=8)
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
        signal, compared = told(row.signal), bool(np.isfinite(row.change))
        words = signal or signed(row.change) if compared else say("not compared now")
        ax.text(0, 1.04, short(row.rater_id, 14), transform=ax.transAxes, weight="bold", fontsize=9)
        ax.text(
            1, 1.04, words, transform=ax.transAxes, ha="right", fontsize=8.5,
            color=ACCENT if moved else INK2, weight="bold" if moved else "normal",
        )  # fmt: skip
        found = {"rater": row.rater_id, "change": signed(row.change), "cusum": f"{max(row.high, row.low):.1f}"}
        line = (
            say("{rater} change {change}, CUSUM {cusum}", **found)
            if compared
            else say("{rater} not compared in the last quarter, CUSUM {cusum}", **found)
        )
        said.append(say("{what}, {signal}", what=line, signal=signal) if moved else line)
    rest, beyond = len(order) - len(shown), int(order.iloc[most:]["signal"].ne("").sum())
    note = []
    if rest:
        note = [
            say("{n} more, {beyond} of them beyond what error allows.", n=rest, beyond=beyond)
            if beyond
            else say("{n} more, none of them beyond what error allows.", n=rest)
        ]
    grey = say("Grey: 90 % interval of each quarter; up is severer.")
    chart.text(0, 0.01, sentences([*note, grey]), color=INK2, fontsize=9, va="bottom")
    moved_by = say("Severity by quarter, change against earlier quarters: {values}.", values=semicolons(said))
    chart.description = sentences([moved_by, *note, ""])
    return chart


@drawn
def link_range(table: pd.DataFrame, *, most: int = 30, width: float = 7.2) -> Chart:
    """Severity over the interval of the slope between teams: what the named assumption decides.

    ``table``: ``rater_id, low, used, high`` (rating points). Whose sign depends on the slope is marked.
    """
    rows = table.dropna(subset=["low", "used", "high"]).sort_values(["used", "rater_id"], ascending=[False, True])
    if rows.empty:
        return empty(say("No severity rests on a KPI."), width)
    ends = np.sort(rows[["low", "high", "used"]].to_numpy(float), axis=1)
    rows = rows.assign(least=ends[:, 0], greatest=ends[:, 2])
    rows["open"] = (rows["least"] < 0) & (rows["greatest"] > 0)
    hidden = max(0, len(rows) - most)
    if hidden:
        wide = (rows["greatest"] - rows["least"]).sort_values(ascending=False, kind="stable").index[:most]
        rows = rows.loc[rows.index.isin(wide)]
    chart, ax, edge = _rows(rows["rater_id"], width, right=2.4, more=bool(hidden), key=True)
    said = []
    for y, row in enumerate(rows_of(rows)):
        colour = INK2 if row.open else BLUE
        ax.plot([row.least, row.greatest], [y, y], color=colour, lw=3.2, alpha=0.35, solid_capstyle="butt", zorder=1)
        ax.plot(row.used, y, "o", ms=6, color=colour, zorder=2)
        words = say("{low} to {high}", low=signed(row.least), high=signed(row.greatest))
        ax.text(1 - 2.3 / width, y, words, transform=edge, va="center", color=INK if row.open else INK2)
        if row.open:
            ax.text(0.997, y, say("sign depends"), ha="right", transform=edge, va="center", weight="bold")
        found = {"rater": row.rater_id, "severity": signed(row.used), "range": words}
        said.append(
            say("{rater} {severity} ({range}), sign depends on it", **found)
            if row.open
            else say("{rater} {severity} ({range})", **found)
        )
    if hidden:
        ax.text(0, len(rows), say("{n} more with a narrower range", n=hidden), transform=edge, va="center", color=INK2)
    _axis(ax, [*rows["least"], *rows["greatest"]], len(rows))
    _key(
        chart,
        [
            (Line2D([], [], ls="", marker="o", color=BLUE, ms=6), say("severity as used")),
            (Patch(fc=BLUE, alpha=0.35), say("over the interval of the slope between teams")),
        ],
    )
    chart.description = say("Severity over the interval of the slope between teams: {values}.", values=semicolons(said))
    return chart


def _rows(names: pd.Series, width: float, *, right: float, more: bool, key: bool):
    """A chart of one line a name, the names in front; its axes and a transform of page x and row y."""
    shown = [short(str(name)) for name in names]
    lines = len(shown) + more
    step = min(0.34, max(0.22, 1.5 / lines))
    left = max(0.62, 0.1 + 0.075 * longest(shown))
    chart, ax = panel(
        width, 0.25 + step * lines + 0.34 + 0.23 * key, left=left, right=right, top=0.25, bottom=0.34 + 0.23 * key
    )
    edge = blended_transform_factory(chart.transFigure, ax.transData)
    for y, name in enumerate(shown):
        ax.text(0, y, name, transform=edge, weight="bold", va="center")
    ax.set_ylim(lines - 0.5, -0.5)
    return chart, ax, edge


def _axis(ax, values, rows: int) -> None:
    """An axis of rating points around 0, severe to the right."""
    reach = max(0.6, float(np.max(np.abs(values)))) * 1.08
    ax.set_xlim(-reach, reach)
    ax.set_yticks([])
    unit = 0.5 if reach > 0.75 else 0.25
    count = int(np.floor(reach / unit))
    each = max(1, -(-count // 3))
    ticks = np.arange(-(count // each), count // each + 1) * each * unit
    ax.set_xticks(ticks, [signed(t, 1 if unit * each % 0.5 == 0 else 2) if t else "0" for t in ticks])
    ax.tick_params(length=0)
    ax.vlines(ticks, -0.5, rows - 0.5, color=HAIR, lw=0.7, zorder=-1)
    ax.plot([0, 0], [-0.5, rows - 0.5], color=INK, lw=0.8, zorder=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
