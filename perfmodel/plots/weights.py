"""What follows from any permitted choice of weights. Shares of weights (w) are never called chances."""

import re

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
    chance,
    commas,
    drawn,
    empty,
    longest,
    on_colour,
    panel,
    ramp,
    rows_of,
    semicolons,
)


def _grades(columns) -> list[str]:
    names = [c[2:] for c in columns if c.startswith("w_") and c != "w_stay"]
    return [g for g in "SABCD" if g in names] + [g for g in names if g not in "SABCD"]


@drawn
def weight_shares(weight_grades: pd.DataFrame, *, call: float = 0.70, most: int = 30, width: float = 7.2) -> Chart:
    """Share of permitted weights that give each grade, one bar a person; least certain first, then by id.

    People whose grade no draw of permitted weights changes are counted, not drawn.
    """
    rows = weight_grades.dropna(subset=["w_stay"])
    if rows.empty:
        return empty(say("No employee has a complete set of points to weigh."), width)
    fixed = int((rows["w_stay"] >= 1 - 1e-12).sum())
    rows = rows[rows["w_stay"] < 1 - 1e-12]
    rows = rows.assign(close=rows["w_stay"] >= call).sort_values(["close", "w_stay", "employee_id"]).head(most)
    if rows.empty:
        return empty(say("No draw of permitted weights changes the grade of any of {n} people.", n=fixed), width)
    grades = _grades(rows.columns)
    colours = ramp(grades)
    names = rows["employee_id"].astype(str)
    left = 0.15 + 0.078 * longest(names)
    chart, ax = panel(width, 0.5 + 0.25 * len(rows) + 0.25, left=left + 0.25, right=0.55, top=0.25, bottom=0.5)
    for y, row in enumerate(rows_of(rows)):
        start = 0.0
        for g in grades:
            share = float(getattr(row, f"w_{g}"))
            if not np.isfinite(share) or share <= 0:
                continue
            ax.barh(y, share, 0.7, left=start, color=colours[g], edgecolor="white" if g in "SAB" else "#4d6a84", lw=0.5)
            if share > 0.07:
                ax.text(
                    start + share / 2,
                    y,
                    g,
                    ha="center",
                    va="center",
                    fontsize=8.5,
                    color=on_colour(colours[g]),
                    weight="bold" if g == row.grade else "normal",
                )
            start += share
        ax.text(-0.012, y, row.grade, ha="right", va="center", weight="bold")
        ax.text(-0.25 / (width - left - 0.8) - 0.01, y, row.employee_id, ha="right", va="center")
        ax.text(1.07, y, chance(row.w_stay), ha="right", va="center", weight="bold" if row.w_stay < call else "normal")
    ax.text(1.07, -0.75, say("w keeps"), ha="right", va="bottom", color=INK2)
    ax.set_xlim(0, 1)
    ax.set_ylim(len(rows) - 0.5, -0.6)
    ax.set_yticks([])
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(say("share of permitted weights; grade at the chosen weights in bold"), loc="left")
    chart.description = say(
        "Share of permitted weights that keep the grade: {values}. {n} more keep their grade in every draw.",
        values=semicolons(f"{r.employee_id} {r.grade} {chance(r.w_stay)}" for r in rows_of(rows)), n=fixed,
    )  # fmt: skip
    return chart


def _band_key(band: str) -> tuple[int, float, str]:
    number = re.search(r"\d+", str(band))
    kind = 2 if str(band) in ("rest", "below", "lower half") else 1 if "%" in str(band) or "half" in str(band) else 0
    return kind, float(number.group()) if number else 50.0, str(band)


def _least_settled(wide: pd.DataFrame) -> pd.DataFrame:
    """Rows by their largest share, the least first, then by name: who most needs a look, and no list of the best."""
    return wide.iloc[np.lexsort((wide.index.astype(str), wide.max(axis=1).round(9)))]


@drawn
def rank_bands(weight_rank_bands: pd.DataFrame, *, most: int = 30, width: float = 7.2) -> Chart:
    """Share of permitted weights that put a person into each band of ranks, as a heat map with its numbers.

    Those whose rank the choice of weights leaves most open come first. Bands stand in their table's order when
    ``band`` is categorical, else from the narrowest.
    """
    if weight_rank_bands.empty:
        return empty(say("No employee can be ranked."), width)
    band = weight_rank_bands["band"]
    bands = (
        list(band.cat.categories)
        if isinstance(band.dtype, pd.CategoricalDtype)
        else sorted(band.unique(), key=_band_key)
    )
    wide = weight_rank_bands.pivot_table(index="employee_id", columns="band", values="w_share", observed=True)
    wide = wide.reindex(columns=bands)
    open_question = ((wide > 0.005) & (wide < 0.995)).any(axis=1)
    wide = _least_settled(wide[open_question] if open_question.any() else wide).head(most)
    left = 0.2 + 0.078 * longest(wide.index.astype(str))
    chart, ax = panel(width, 0.3 + 0.24 * len(wide) + 0.1, left=left, right=0.05, top=0.3, bottom=0.05)
    low, high = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in ("#f4f8fb", "#1f5f99"))
    for y, (_, row) in enumerate(wide.iterrows()):
        for x, share in enumerate(row):
            if not np.isfinite(share):
                continue
            colour = "#" + "".join(f"{int(v):02x}" for v in (low + (high - low) * share).round())
            ax.barh(y, 0.97, 0.94, left=x + 0.015, color=colour)
            if share > 0:
                ax.text(x + 0.5, y, chance(share), ha="center", va="center", fontsize=8.5, color=on_colour(colour))
    ax.set_xlim(0, len(bands))
    ax.set_ylim(len(wide) - 0.5, -0.5)
    ax.set_xticks(np.arange(len(bands)) + 0.5, [told(str(b)) for b in bands])
    ax.set_yticks(range(len(wide)), wide.index)
    ax.tick_params(length=0, colors=INK)
    ax.xaxis.tick_top()
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    said = (
        f"{who} " + commas(f"{told(str(b))} {chance(s)}" for b, s in row.items() if s > 0.005)
        for who, row in wide.iterrows()
    )
    chart.description = say("Share of permitted weights by band of ranks: {values}", values=semicolons(said))
    return chart


@drawn
def importance(weight_importance: pd.DataFrame, *, width: float = 7.2) -> Chart:
    """Nominal weight of each KPI (ring) against its effective share of the score's variance (dot), in percent.

    They part where KPIs move together or hardly vary.
    """
    rows = weight_importance
    if rows.empty or rows["importance_share"].isna().all():
        return empty(say("Importance cannot be told: too few complete scores, or scores that do not vary."), width)
    if "profile" in rows and rows["profile"].nunique() > 1:
        rows = rows[rows["profile"] == rows["profile"].iloc[0]]
    rows = rows.assign(share=100 * rows["importance_share"].astype(float)).iloc[
        np.argsort(-rows["weight_nominal"].to_numpy(float), kind="stable")
    ]
    left = 0.15 + 0.074 * longest(rows["kpi"])
    chart, ax = panel(width, 0.3 + 0.26 * len(rows) + 0.45, left=left, right=0.95, top=0.3, bottom=0.45)
    for y, row in enumerate(rows_of(rows)):
        ax.plot([row.weight_nominal, row.share], [y, y], color=BLUE, lw=1.6, zorder=2)
        ax.plot(row.weight_nominal, y, "o", ms=7, mfc="white", mec=BLUE, mew=1.5, zorder=3)
        ax.plot(row.share, y, "o", ms=7, color=BLUE, zorder=4)
        ax.text(
            1 + 0.9 / (width - left - 0.95),
            y,
            f"{row.weight_nominal:.0f} → {row.share:.0f} %",
            transform=ax.get_yaxis_transform(),
            ha="right",
            va="center",
        )
    ax.axvline(0, color=INK, lw=0.8)
    ax.set_ylim(len(rows) - 0.5, -0.6)
    ax.set_yticks(range(len(rows)), rows["kpi"], color=INK)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_xlabel(say("percent; ring: weight in the scheme, dot: share of the score’s variance"), loc="left")
    said = (
        say("{kpi} {weight} and {share}", kpi=r.kpi, weight=f"{r.weight_nominal:.0f}", share=f"{r.share:.0f}")
        for r in rows_of(rows)
    )
    chart.description = say(
        "Weight in the scheme and share of the variance, percent: {values}", values=semicolons(said)
    )
    return chart


@drawn
def stability(weight_importance: pd.DataFrame, permitted: pd.DataFrame | None = None, *, width: float = 7.2) -> Chart:
    """How far each weight can move (percent of the whole) before more than one grade in twenty changes.

    ``permitted``: ``kpi, least, most``, what the ranges allow, drawn as a thin line behind. A table by ``category``
    is drawn the same.
    """
    rows = weight_importance if "kpi" in weight_importance else weight_importance.rename(columns={"category": "kpi"})
    ends = {} if permitted is None else {r.kpi: (r.least, r.most) for r in rows_of(permitted)}
    if "profile" in rows and rows["profile"].nunique() > 1:
        rows = rows[rows["profile"] == rows["profile"].iloc[0]]
    rows = rows.dropna(subset=["stable_low", "stable_high"])
    if rows.empty:
        return empty(say("No stability interval is known."), width)
    left = 0.15 + 0.074 * longest(rows["kpi"])
    chart, ax = panel(width, 0.15 + 0.26 * len(rows) + 0.45, left=left, right=1.2, top=0.1, bottom=0.45)
    for y, row in enumerate(rows_of(rows)):
        if row.kpi in ends:
            ax.plot(ends[row.kpi], [y, y], color=RULE, lw=1.2, marker="|", ms=6, zorder=0)
        ax.barh(y, row.stable_high - row.stable_low, 0.5, left=row.stable_low, color="#e2e5e8", edgecolor=RULE, lw=0.6)
        ax.plot([row.weight_nominal] * 2, [y - 0.36, y + 0.36], color=INK, lw=1.6)
        ax.text(
            1 + 1.15 / (width - left - 1.2),
            y,
            say("{low} to {high}", low=f"{row.stable_low:.1f}", high=f"{row.stable_high:.1f}"),
            transform=ax.get_yaxis_transform(),
            ha="right",
            va="center",
            color=INK2,
        )
    ax.set_ylim(len(rows) - 0.5, -0.6)
    ax.set_xlim(left=0)
    ax.set_yticks(range(len(rows)), rows["kpi"], color=INK)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color=HAIR)
    ax.set_xlabel(
        say("percent of the whole; grey: few grades change, bar: weight now, thin: permitted")
        if ends
        else say("percent of the whole; grey: few grades change, bar: weight now"),
        loc="left",
    )
    said = (
        say(
            "{kpi} {low} to {high} (now {weight})",
            kpi=r.kpi, low=f"{r.stable_low:.1f}", high=f"{r.stable_high:.1f}", weight=f"{r.weight_nominal:.1f}",
        )
        for r in rows_of(rows)
    )  # fmt: skip
    chart.description = say(
        "At most one grade in twenty changes while the weight stays within: {values}", values=semicolons(said)
    )
    return chart
