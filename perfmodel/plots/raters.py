"""Raters: how severe, and who is linked to whom."""

from collections import Counter

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import blended_transform_factory

from ..language import say
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
    commas,
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

MOST_RATERS = 300  # in a picture of who shares people with whom; beyond, points and lines run together


@drawn
def severity(raters: pd.DataFrame, *, level: float = 0.90, most: int = 30, width: float = 4.4) -> Chart:
    """Severity of each rater with its interval, from severe to lenient; who has none is said in words.

    The grey of a row is that row's interval turned about 0, so "dot outside grey" and "interval clear of zero"
    are one statement. Under a rule: too few ratings to order, then raters left alone.

    Parameters
    ----------
    raters : DataFrame
        As in ``tables.OUTPUTS`` (``rater_id`` as column or index); positive severity is severe, in rating points.
    """
    rows = raters.reset_index() if "rater_id" not in raters.columns else raters
    if rows.empty:
        return empty(say("Nobody rated anything."), width)
    few = rows["verdict"] == "too few ratings"
    known = rows[rows["severity"].notna() & ~few].sort_values(["severity", "rater_id"], ascending=[False, True])
    rest = pd.concat(
        [
            rows[few].sort_values("rater_id").assign(alone=False),
            rows[rows["severity"].isna() & ~few].sort_values("rater_id").assign(alone=True),
        ]
    )
    hidden = 0
    if len(known) > most:  # those who differ say something; of the rest the count is enough
        differs = known[known["verdict"] != "not distinguishable"]
        hidden = len(known) - len(differs.head(most))
        known = differs.head(most)
    shown_rest = rest.head(max(3, most // 5))
    lines = len(known) + len(shown_rest) + (1 if hidden or len(rest) > len(shown_rest) else 0)
    step = min(0.36, max(0.24, 1.5 / max(lines, 1)))
    name_width = 0.1 + 0.075 * longest(rows["rater_id"].map(short))
    chart, ax = panel(width, 0.25 + step * lines + 0.62, left=max(name_width, 0.62), right=1.28, top=0.25, bottom=0.57)
    above = (known["severity"] - known["lower"]).to_numpy(float)
    below = (known["upper"] - known["severity"]).to_numpy(float)
    reach = np.nanmax([0.6, *known["upper"].abs(), *known["lower"].abs(), *above, *below]) * 1.08
    edge = blended_transform_factory(chart.transFigure, ax.transData)
    said = []
    for y, (row, up, down) in enumerate(zip(rows_of(known), above, below, strict=True)):
        differs = row.verdict != "not distinguishable"
        colour = BLUE if differs else INK2
        ax.barh(y, up + down, 0.82, left=-down, color=BAND, edgecolor=RULE, lw=0.6, zorder=0)
        ax.plot([row.lower, row.upper], [y, y], color=colour, lw=1.6, zorder=2)
        ax.plot(
            row.severity,
            y,
            "o",
            ms=7.5 if step > 0.28 else 6,
            mfc=colour if differs else "white",
            mec=colour,
            mew=1.5,
            zorder=3,
        )
        ax.text(0, y, short(row.rater_id), transform=edge, weight="bold", va="center")
        ax.text(
            1 - 0.62 / width,
            y,
            signed(row.severity),
            transform=edge,
            ha="right",
            va="center",
            weight="bold" if differs else "normal",
            color=INK if differs else INK2,
        )
        ax.text(
            0.997, y, f"{row.n_ratings:.0f}, {row.n_employees:.0f}", transform=edge, ha="right", va="center", color=INK2
        )
        found = {
            "rater": row.rater_id, "severity": signed(row.severity), "low": signed(row.lower), "high": signed(row.upper)
        }  # fmt: skip
        said.append(
            say("{rater} {severity} ({low} to {high}), clear of zero", **found)
            if differs
            else say("{rater} {severity} ({low} to {high}), not distinguishable from zero", **found)
        )
    bottom = len(known) - 0.5
    ax.plot([0, 0], [-0.5, bottom], color=INK, lw=0.8, zorder=1)
    y = len(known)
    if len(shown_rest) or hidden:
        ax.plot([0, 1], [bottom + 0.02] * 2, transform=edge, color=RULE, lw=0.8, clip_on=False)
    for row in rows_of(shown_rest):
        ax.text(0, y, short(row.rater_id), transform=edge, weight="bold", va="center")
        words = say("left alone: no shared rater") if row.alone else say("too few ratings to order")
        ax.text(
            0.66 / width if name_width < 0.62 else name_width / width,
            y,
            words,
            transform=edge,
            va="center",
            color=ACCENT if row.alone else INK2,
            weight="bold" if row.alone else "normal",
        )
        ax.text(
            0.997, y, f"{row.n_ratings:.0f}, {row.n_employees:.0f}", transform=edge, ha="right", va="center", color=INK2
        )
        said.append(f"{row.rater_id} {words}")
        y += 1
    left = len(rest) - len(shown_rest)
    more = [say("{n} more: not distinguishable", n=hidden)] * bool(hidden)
    more += [say("{n} more without an order", n=left)] * bool(left)
    if more:
        ax.text(0, y, semicolons(more), transform=edge, va="center", color=INK2)
        said += more
    ax.set_xlim(-reach, reach)
    ax.set_ylim(lines - 0.5, -0.5)
    ax.set_yticks([])
    unit = 0.5 if reach > 0.75 else 0.25
    ticks = np.arange(-np.floor(reach / unit), np.floor(reach / unit) + 1) * unit
    ticks = ticks[:: max(1, len(ticks) // 6)] if len(ticks) > 7 else ticks
    ax.set_xticks(ticks, [signed(t, 1 if unit == 0.5 else 2) if t else "0" for t in ticks])
    ax.tick_params(length=0)
    ax.vlines(ticks, -0.5, bottom, color=HAIR, lw=0.7, zorder=-1)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.text(0, 1, say("← more lenient"), transform=ax.transAxes + _up(chart), color=INK2)
    ax.text(1, 1, say("more severe →"), transform=ax.transAxes + _up(chart), ha="right", color=INK2)
    chart.text(0.997, 1, say("ratings, people"), ha="right", va="top", color=INK2)
    estimate = say("estimate, {level} interval", level=f"{100 * level:.0f} %")
    _key(
        chart,
        [
            (Patch(fc=BAND), say("not distinguishable from 0")),
            (Line2D([], [], color=BLUE, marker="o", ms=6), estimate),
        ],
    )
    chart.description = sentences(
        [say("Severity in rating points, positive is severe."), say("{values}.", values=semicolons(said))]
    )
    return chart


def _up(chart: Chart, points: float = 6):
    from matplotlib.transforms import ScaledTranslation

    return ScaledTranslation(0, points / 72, chart.dpi_scale_trans)


@drawn
def rater_network(ratings: pd.DataFrame, raters: pd.DataFrame, *, width: float = 7.2) -> Chart:
    """Who shares people with whom: raters as points, a line where two rated the same person, by component.

    Components are those of ``raters`` (the contract's table), so the picture never links what the fit did not:
    ratings given after seeing another's make no line. Line width grows with the number of people in common.
    """
    seen = ratings["blind"].eq(False) if "blind" in ratings else False
    pairs = ratings.loc[ratings["role"].ne("self") & ~seen, ["rater_id", "employee_id"]].drop_duplicates()
    rows = raters.reset_index() if "rater_id" not in raters.columns else raters
    if rows.empty:
        return empty(say("Nobody rated anybody else."), width)
    if len(rows) > MOST_RATERS:
        groups = rows.groupby("component").size()
        together = int((groups > 1).sum())
        return empty(
            say(
                "{n} raters are too many to draw. Linked groups: {groups}, the largest of {largest} raters; raters who "
                "share nobody: {alone}.",
                n=f"{len(rows):,}", groups=f"{together:,}", largest=f"{groups.max():,}",
                alone=f"{len(groups) - together:,}",
            ),
            width,
        )  # fmt: skip
    names = sorted(rows["rater_id"])
    of = dict(zip(rows["rater_id"], rows["component"], strict=True))
    joined = pairs.merge(pairs, on="employee_id")
    once = joined[joined["rater_id_x"] < joined["rater_id_y"]]
    shared = Counter((a, b) for a, b in zip(once["rater_id_x"], once["rater_id_y"], strict=True) if of[a] == of[b])
    components: dict[object, list[str]] = {}
    for r in names:
        components.setdefault(of[r], []).append(r)
    linked = sorted((c for c in components.values() if len(c) > 1), key=lambda c: (-len(c), c[0]))
    shut = set(rows.loc[rows["verdict"].eq("left alone"), "rater_id"])
    single = [c[0] for c in components.values() if len(c) == 1]
    alone, placed = [r for r in single if r in shut], [r for r in single if r not in shut]
    apart = set(rows.loc[rows["verdict"].isin(["severe", "lenient"]), "rater_id"])
    columns = 1 if len(linked) <= 1 else 2 if len(linked) <= 4 else 4
    down = max(1, -(-len(linked) // columns))
    cell = width / columns
    height = (
        max(min(cell, 3.6 if columns == 1 else 2.6) * down * bool(linked), 0.1)
        + (0.55 if alone or placed else 0.05)
        + 0.2
    )
    chart, ax = panel(width, height, left=0, right=0, top=0, bottom=0)
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    ax.set_aspect("equal")
    ax.set_axis_off()
    tall = min(cell, 3.6 if columns == 1 else 2.6)
    for k, members in enumerate(linked):
        cx, cy = cell * (k % columns + 0.5), height - 0.2 - tall * (k // columns + 0.5)
        angle = 2 * np.pi * np.arange(len(members)) / len(members) + np.pi / 2
        wide = min(cell * 0.5 - 0.5, tall * 0.62)
        at = {
            r: (cx + wide * np.cos(t), cy + (tall * 0.5 - 0.28) * np.sin(t))
            for r, t in zip(members, angle, strict=True)
        }
        for (a, b), n in sorted(shared.items()):
            if a in at and b in at:
                ax.plot(*zip(at[a], at[b], strict=True), color=RULE, lw=0.5 + 0.5 * np.log1p(n), zorder=1, alpha=0.8)
        for r, (x, y) in at.items():
            differs = r in apart
            ax.plot(x, y, "o", ms=7, mfc=BLUE if differs else "white", mec=BLUE if differs else INK2, mew=1.3, zorder=2)
            if len(members) <= 40:
                # Beside its point, and above or below it at the ring's poles, where neighbours stand side by side.
                over = np.sign(y - cy) if abs(x - cx) < 0.3 * wide else 0
                out = 0 if over else 0.09 if x >= cx else -0.09
                ax.text(
                    x + out, y + 0.08 * over, short(r), fontsize=8, zorder=3,
                    ha="center" if over else "left" if out > 0 else "right",
                    va="bottom" if over > 0 else "top" if over < 0 else "center",
                )  # fmt: skip
    key = say("filled: differs from the rest; thicker line: more people in common")
    ax.text(0, height - 0.02, key, color=INK2, fontsize=9, va="top")
    if placed and not alone:
        who = say("no shared rater, compared under an assumption alone: {who}", who=_first_ten(placed))
        ax.text(0, 0.3, who, color=INK, fontsize=9, va="bottom")
    if alone:
        who = say("no shared rater, left alone: {who}", who=_first_ten(alone))
        ax.text(0, 0.3, who, color=ACCENT, weight="bold", fontsize=9, va="bottom")
        ax.text(0, 0.08, say("severity and team quality cannot be told apart"), color=INK2, fontsize=9, va="bottom")
    counts = {
        "n": len(names), "groups": len(components), "linked": len(linked), "single": len(single), "placed": len(placed),
        "sizes": commas(str(len(c)) for c in linked) or say("none"), "who": commas(single[:10]),
    }  # fmt: skip
    chart.description = (
        say(
            "{n} raters in {groups} components: {linked} linked ({sizes} raters), {single} sharing nobody ({who}), "
            "{placed} of them compared under an assumption alone.",
            **counts,
        )
        if placed
        else say(
            "{n} raters in {groups} components: {linked} linked ({sizes} raters), {single} sharing nobody ({who}).",
            **counts,
        )
        if single
        else say("{n} raters in {groups} components: {linked} linked ({sizes} raters), 0 sharing nobody.", **counts)
    )
    return chart


def _first_ten(raters: list[str]) -> str:
    who = commas(map(short, raters[:10]))
    return say("{names} and {n} more", names=who, n=len(raters) - 10) if len(raters) > 10 else who
