"""Grades and scores: counts against chance, before and after, units side by side."""

from collections.abc import Mapping, Sequence
from textwrap import wrap

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import blended_transform_factory

from ..language import say
from ..tables import COMPANY, POOLED
from .theme import (
    ACCENT,
    BAND,
    BLUE,
    HAIR,
    INK,
    INK2,
    RULE,
    STEPS,
    Chart,
    commas,
    drawn,
    empty,
    letters,
    listed,
    panel,
    ramp,
    semicolons,
    sentences,
    signed,
)

SCORES = {"score_raw": "score raw", "score_adjusted": "score adjusted", "score_proposed": "score proposed"}


def order_of(grades) -> list[str]:
    """Single grades first as they come, bands such as S+A below a rule."""
    names = list(dict.fromkeys(grades))
    known = [g for g in "SABCD" if g in names]
    singles = known + sorted(g for g in names if "+" not in g and g not in known)
    return singles + [g for g in names if "+" in g]


@drawn
def grade_change(
    distribution: pd.DataFrame,
    *,
    unit: str = "company",
    before: str = "raw",
    after: str = "adjusted",
    level: float = 0.95,
    width: float = 4.4,
) -> Chart:
    """People per grade before and after adjustment, on the band that chance alone gives and the guideline.

    Parameters
    ----------
    distribution : DataFrame
        As in ``tables.OUTPUTS``; ``share`` and guideline as fractions, chance as counts.
    """
    rows = distribution[distribution["unit"] == unit]
    old = rows[rows["stage"] == before].set_index("grade")
    new = rows[rows["stage"] == after].set_index("grade")
    if new.empty or old.empty:
        steps = {"before": say(STEPS.get(before, before)), "after": say(STEPS.get(after, after))}
        return empty(say("No grade of {unit} is known at both steps, {before} and {after}.", unit=unit, **steps), width)
    names = order_of(new.index)
    people = new.loc[[g for g in names if "+" not in g], "n"].sum()
    bands = [g for g in names if "+" in g]
    place = {g: i + (0.5 if g in bands else 0) for i, g in enumerate(names)}
    chart, ax = panel(
        width, 0.77 + 0.25 * len(names) + (0.12 if bands else 0), left=0.42, right=0.72, top=0.22, bottom=0.55
    )
    aims = new["guideline_high"].astype(float).fillna(0) * people
    most = np.nanmax([*new["n"], *old["n"], *new["chance_high"].fillna(0), *aims, 1.0]) * 1.06
    said = []
    for g, y in place.items():
        low, high = new.loc[g, ["chance_low", "chance_high"]].to_numpy(float)
        if np.isfinite([low, high]).all():
            ax.barh(y, high - low + 0.4, 0.72, left=low - 0.2, color=BAND, edgecolor=RULE, lw=0.6, zorder=0)
        least, upper = new.loc[g, ["guideline_low", "guideline_high"]].to_numpy(float) * people
        if np.isfinite([least, upper]).all():
            ax.plot([least, upper], [y + 0.38] * 2, color=INK, lw=1.2, zorder=2, solid_capstyle="butt")
            for end in (least, upper):
                ax.plot([end] * 2, [y + 0.25, y + 0.5], color=INK, lw=1.2, zorder=2)
        b, a = int(old["n"].get(g, 0)), int(new["n"].loc[g])
        outside = new["verdict"].loc[g] == "outside chance"
        colour = ACCENT if outside else BLUE
        if a != b:
            ax.plot([b, a], [y - 0.05] * 2, color=colour, lw=1.9, zorder=3)
        ax.plot(b, y - 0.05, "o", ms=8.4, mfc="white", mec=colour, mew=1.5, zorder=4)
        ax.plot(a, y - 0.05, "o", ms=4.6 if a == b else 8.4, mfc=colour, mec=colour, mew=0, zorder=5)
        right = blended_transform_factory(chart.transFigure, ax.transData)
        ax.text(0, y, g, transform=right, weight="bold", va="center")
        ax.text(
            0.997,
            y,
            f"{b} → {a}",
            transform=right,
            ha="right",
            va="center",
            weight="bold" if a != b or outside else "normal",
            color=ACCENT if outside else INK if a != b else INK2,
        )
        counts = {"before": b, "after": a, "low": f"{low:.0f}", "high": f"{high:.0f}"}
        said.append(
            (
                g,
                say("{before} before, {after} after, chance {low} to {high}", **counts)
                if np.isfinite(low)
                else say("{before} before, {after} after", before=b, after=a),
            )
        )
    if bands:
        y = min(place[g] for g in bands) - 0.75
        ax.plot(
            [0, 1],
            [y, y],
            transform=blended_transform_factory(chart.transFigure, ax.transData),
            color=RULE,
            lw=0.8,
            clip_on=False,
        )
    chart.text(
        0.997,
        1,
        say("before → after")
        if (before, after) == ("raw", "adjusted")
        else f"{say(STEPS.get(before, before))} → {say(STEPS.get(after, after))}",
        ha="right",
        va="top",
        color=INK2,
    )
    ax.set_xlim(-0.3, most)
    ax.set_ylim(max(place.values()) + 0.62, -0.55)
    _count_axis(ax, most)
    ax.set_yticks([])
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    chart.text(0, 0.42 / chart.get_figheight(), say("people"), color=INK2, va="center", fontsize=9)
    alone = say("chance alone, {level} %", level=f"{100 * level:g}")
    tested = [(Patch(fc=BAND), alone)] if new["chance_low"].notna().any() else []
    _key(
        chart,
        [
            (Line2D([], [], marker="o", ls="", ms=7, mfc="white", mec=BLUE, mew=1.5), say("before")),
            (Line2D([], [], marker="o", ls="", ms=7, color=BLUE), say("after")),
            *tested,
            (Line2D([], [], color=INK, lw=1.2, marker="|", ms=7, mew=1.2), say("guideline")),
        ],
    )
    chart.description = (
        say("People per grade in the company, n = {n}: {grades}.", n=people, grades=listed(said))
        if unit == COMPANY
        else say("People per grade in {unit}, n = {n}: {grades}.", unit=unit, n=people, grades=listed(said))
    )
    return chart


def _count_axis(ax, most: float) -> None:
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10**9) if most / s <= 7.5)
    ticks = np.arange(0, most, step)
    ax.set_xticks(ticks, [f"{t:.0f}" for t in ticks])
    ax.grid(axis="x", color=HAIR)


def _key(chart: Chart, marks, ncol: int = 4) -> None:
    handles, words = zip(*marks, strict=True)
    chart.legend(
        handles,
        words,
        loc="lower left",
        bbox_to_anchor=(-0.005, 0.012),
        ncol=ncol,
        fontsize=9,
        handlelength=1.5,
        handletextpad=0.4,
        columnspacing=1.0,
        borderpad=0,
        borderaxespad=0,
    )


def agreement_zone(people: pd.DataFrame, rubric, share: float = 0.8) -> tuple[float, float]:
    """Where the middle ``share`` of people lie: KPI score minus the rubric's points of the rating, in points.

    Empty tables and fewer than ten people give (nan, nan): too few to call anything usual.
    """
    both = people.dropna(subset=["kpi_score", "rating"])
    if len(both) < 10:
        return np.nan, np.nan
    ratings, points = np.transpose(rubric)
    apart = both["kpi_score"].to_numpy(float) - np.interp(both["rating"].to_numpy(float), ratings, points)
    low, high = np.quantile(apart, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def outside_zone(people: pd.DataFrame, rubric, zone: tuple[float, float], least: float = 0.0) -> list[str]:
    """Whose KPI score lies outside the zone and at least ``least`` points from the rating's points, farthest first."""
    if not np.isfinite(zone).all():
        return []
    both = people.dropna(subset=["kpi_score", "rating"])
    ratings, points = np.transpose(rubric)
    apart = both["kpi_score"].to_numpy(float) - np.interp(both["rating"].to_numpy(float), ratings, points)
    found = ((apart < zone[0]) | (apart > zone[1])) & (np.abs(apart) >= least)
    rows = both[["employee_id"]].assign(far=-np.abs(apart))[found]
    return rows.sort_values(["far", "employee_id"])["employee_id"].tolist()


def marked(outside: int, people: int, most: int = 4) -> int:
    """How many of those outside are marked: ``most``, and a tenth of the people (rounded up), at the most."""
    return min(outside, most, -(-people // 10))


@drawn
def kpi_against_rating(
    people: pd.DataFrame,
    rubric: Sequence[tuple[float, float]],
    *,
    zone: tuple[float, float] | None = None,
    scale: tuple[float, float] = (1, 5),
    least: float = 0.0,
    names: Mapping[str, str] | None = None,
    most: int = 4,
    width: float = 4.4,
) -> Chart:
    """KPI score against rating, one dot a person, with the rubric's own line as the diagonal.

    Parameters
    ----------
    people : DataFrame
        ``employee_id, kpi_score`` (points), ``rating`` (points of the scale).
    zone : (low, high)
        Usual distance of KPI score from the rubric's points (``agreement_zone`` of the company); of ``people``
        themselves when left out.
    names : mapping, optional
        What people are called, where there is room for it beside the id.
    least : float
        Points. Outside is who lies beyond the zone and at least this far from the rubric's points.
    most : int
        Of those the farthest are marked and labelled, so many and a tenth of the people at the most
        (``marked``): what is pointed at everywhere is pointed at nowhere.
    """
    both = people.dropna(subset=["kpi_score", "rating"]).sort_values("employee_id")
    if both.empty:
        return empty(say("Nobody has both a KPI score and a rating."), width)
    low, high = agreement_zone(people, rubric) if zone is None else zone
    ratings, points = (np.asarray(v, float) for v in np.transpose(rubric))
    chart, ax = panel(width, 2.45, left=0.25, right=0.14, top=0.24, bottom=0.46)
    x, y = both["kpi_score"].to_numpy(float), both["rating"].to_numpy(float)
    left = 10 * np.floor(min(x.min() - 2, 60) / 10)
    right = 10 * np.ceil(max(x.max() + 1, 100) / 10)
    levels = np.linspace(*scale, 81)
    line = np.interp(levels, ratings, points)
    known = np.isfinite([low, high]).all()
    out = outside_zone(both, rubric, (low, high), least)
    farthest = [both["employee_id"].tolist().index(who) for who in out[: marked(len(out), len(both), most)]]
    if known:
        ax.fill_betweenx(levels, line + low, line + high, color=BAND, lw=0, zorder=0)
    ax.plot(line, levels, color=INK2, lw=0.9, ls=(0, (4, 3)), zorder=1)
    size = 34 if len(both) <= 60 else 14
    ax.scatter(x, y, s=size, color=BLUE, lw=0.8, edgecolor="white", zorder=3)
    ax.scatter(x[farthest], y[farthest], s=size * 1.5, color=ACCENT, lw=0.8, edgecolor="white", zorder=4)
    taken: list[tuple[float, float, float]] = []  # labels already placed: from, to, level
    gap, letter, line_height = 0.02 * (right - left), 0.075 * (right - left) / width, 0.36
    for i in sorted(farthest, key=lambda i: -y[i]):
        who = both["employee_id"].iloc[i]
        texts = dict.fromkeys([f"{who} {names[who]}" if names and who in names else who, who])
        places = []
        sides = [(text, s, u) for text in texts for u in (0, line_height, -line_height) for s in (1, -1)]
        for nth, (text, side, up) in enumerate(sides):
            begin = x[i] + gap if side == 1 else x[i] - gap - letter * letters(text)
            end, level = begin + letter * letters(text), y[i] + up
            dots = (np.abs(y - level) < 0.2) & (x > begin - gap) & (x < end + gap) & (np.arange(len(x)) != i)
            labels = sum(abs(t - level) < line_height and begin < e and b < end for b, e, t in taken)
            off = begin < left or end > right or not scale[0] <= level <= scale[1] + 0.12
            places.append((99 * off + 9 * labels + dots.sum(), nth, begin, end, level, side, text))
        _, _, begin, end, level, side, label = min(places)
        taken.append((begin, end, level))
        ax.text(
            begin if side == 1 else end,
            level,
            label,
            color=ACCENT,
            weight="bold",
            va="center",
            ha="left" if side == 1 else "right",
            fontsize=9.5,
            zorder=5,
        )
    ax.set_xlim(left, right)
    ax.set_ylim(min(scale[0], y.min()) - 0.05 if y.min() < scale[0] + 1 else np.floor(y.min()) - 0.5, scale[1] + 0.12)
    ax.set_yticks(np.arange(np.ceil(ax.get_ylim()[0]), scale[1] + 0.01))
    ax.yaxis.set_major_formatter("{x:.0f}")
    rating = say("↑ rating, {least}–{most}", least=f"{scale[0]:g}", most=f"{scale[1]:g}")
    chart.text(0, 0.995, rating, va="top", fontsize=9)
    chart.text(0.25 / width, 0.01, say("KPI score, points →"), va="bottom", fontsize=9)
    note = say("dashed: the rubric; grey: 80 % of all") if known else say("dashed: the rubric")
    chart.text(1 - 0.14 / width, 0.01, note, ha="right", va="bottom", color=INK2, fontsize=9)
    who = semicolons(
        say(
            "{who} rated {rating} at a KPI score of {score}",
            who=both["employee_id"].iloc[i], rating=f"{y[i]:.1f}", score=f"{x[i]:.1f}",
        )
        for i in sorted(farthest)
    )  # fmt: skip
    n, usual, more = len(both), len(both) - len(out), len(out) - len(farthest)
    if not known:
        chart.description = say("{n} people; too few to say what distance is usual.", n=n)
    elif more:
        chart.description = say(
            "{n} people; {usual} lie where rating and results usually agree; outside: {who}; and {more} more.",
            n=n, usual=usual, who=who, more=more,
        )  # fmt: skip
    elif who:
        chart.description = say(
            "{n} people; {usual} lie where rating and results usually agree; outside: {who}.", n=n, usual=usual, who=who
        )
    else:
        chart.description = say(
            "{n} people; {usual} lie where rating and results usually agree; none outside.", n=n, usual=usual
        )
    return chart


@drawn
def unit_multiples(
    distribution: pd.DataFrame,
    *,
    stage: str = "adjusted",
    level: float = 0.99,
    columns: int = 6,
    most: int = 120,
    width: float = 9.4,
) -> Chart:
    """Grades of units, one scale: outside chance first, then too small to test, then by id; ``most`` at most."""
    rows = distribution[(distribution["stage"] == stage) & ~distribution["grade"].str.contains("+", regex=False)]
    rows = rows[(rows["unit"] != COMPANY) & ~rows["unit"].str.startswith(POOLED)]
    units = unit_order(rows)
    if not rows["n"].sum():
        return empty(say("No unit has a grade."), width)
    left, units = len(units[most:]), units[:most]
    rows = rows[rows["unit"].isin(units)]
    down = -(-(len(units) + (left > 0)) // columns)
    chart = Chart(figsize=(width, 1.62 * down))
    top = rows["share"].astype(float).max()
    size = rows.groupby("unit")["n"].sum()
    ceiling = max(
        top,
        (rows["chance_high"] / rows["unit"].map(size)).astype(float).max(skipna=True)
        if rows["chance_high"].notna().any()
        else 0,
        0.1,
    )
    said = []
    for i, unit in enumerate(units):
        ax = chart.add_axes(
            (
                (i % columns) / columns + 0.004,
                1 - (i // columns + 1) / down + 0.42 / (1.62 * down),
                0.92 / columns,
                0.85 / (1.62 * down),
            )
        )
        own = rows[rows["unit"] == unit].set_index("grade")
        names, n = order_of(own.index), int(size[unit])
        of = max(n, 1)  # a unit in which nobody has a grade yet
        tested = (own["verdict"] != "not tested").any()
        words = []
        for k, g in enumerate(names):
            count, low, high = (float(own[c].loc[g]) for c in ("n", "chance_low", "chance_high"))
            out = own.loc[g, "verdict"] == "outside chance"
            if tested and np.isfinite(high):
                ax.bar(k, (high - low) / of, 0.92, low / of, color=BAND, zorder=0)
            colour = ACCENT if out else BLUE
            if count:
                ax.bar(k, count / of, 0.5, color=colour if tested else "white", edgecolor=colour, lw=0.8, zorder=2)
            ax.text(
                k,
                count / of + 0.02 * ceiling,
                f"{count:.0f}",
                ha="center",
                va="bottom",
                fontsize=8.5,
                color=ACCENT if out else INK,
                weight="bold" if out else "normal",
                zorder=3,
            )
            if out:
                words.append(
                    say(
                        "{grade} {n}; chance gives {low} to {high}",
                        grade=g, n=f"{count:.0f}", low=f"{low:.0f}", high=f"{high:.0f}",
                    )
                )  # fmt: skip
        ax.set_xlim(-0.55, len(names) - 0.45)
        ax.set_ylim(0, ceiling * 1.12)
        ax.set_xticks(range(len(names)), names, fontsize=8.5)
        ax.set_yticks([])
        ax.tick_params(length=0, pad=2)
        ax.spines["left"].set_visible(False)
        ax.text(0, 1.08, unit, transform=ax.transAxes, weight="bold", fontsize=9)
        ax.text(1, 1.08, f"n {n}", transform=ax.transAxes, ha="right", color=INK2, fontsize=9)
        quiet = say("within chance") if tested else say("too few to test") if n else say("nobody graded")
        verdict = words[0] if words else quiet
        ax.text(
            0,
            -0.25,
            verdict,
            transform=ax.transAxes,
            va="top",
            fontsize=8.3,
            color=ACCENT if words else INK2,
            weight="bold" if words else "normal",
        )
        counts = commas(f"{g} {int(own['n'].loc[g])}" for g in names)
        said.append(say("{unit} ({n} people): {counts}; {verdict}.", unit=unit, n=n, counts=counts, verdict=verdict))
    if left:
        said.append(say("Units not drawn here, in the table distribution: {n}.", n=left))
        at = len(units)
        place = (at % columns) / columns + 0.004, 1 - (at // columns + 0.3) / down
        chart.text(*place, "\n".join(wrap(said[-1], 26)), va="top", color=INK2, fontsize=9)
    grey = say("Grey is {level} of what chance alone gives.", level=f"{100 * level:.0f} %")
    chart.description = sentences([grey, *said])
    return chart


def unit_order(rows: pd.DataFrame) -> list[str]:
    """Units outside chance first, then too small to test, then the rest; by id within each. Never by score."""
    kind = {"outside chance": 0, "not tested": 1}
    verdicts = rows.assign(kind=rows["verdict"].map(kind).fillna(2)).groupby("unit")["kind"].min()
    return sorted(verdicts.index, key=lambda unit: (verdicts[unit], unit))


@drawn
def score_distribution(
    scores: pd.DataFrame, cuts: Mapping[str, float], *, column: str = "score_adjusted", width: float = 7.2
) -> Chart:
    """How the scores lie between the cuts: people per two points, the cuts as lines, counts per grade."""
    values = scores[column].dropna().to_numpy(float)
    if not len(values):
        return empty(say("Nobody has a score."), width)
    chart, ax = panel(width, 2.5, left=0.3, right=0.1, top=0.4, bottom=0.45)
    low, high = 2 * np.floor(values.min() / 2) - 2, max(2 * np.ceil(values.max() / 2) + 2, 92)
    ax.hist(values, bins=np.arange(low, high + 1, 2), color=BLUE, rwidth=0.92)
    best_first = sorted(cuts, key=lambda g: -cuts[g])
    upper, said = np.inf, []
    for g in best_first:
        n = int(((values >= cuts[g] - 1e-9) & (values < upper - 1e-9)).sum())
        left, right = max(cuts[g], low), min(upper, high)
        if left < right:
            ax.text(
                (left + right) / 2,
                1.03,
                f"{g} {n}",
                transform=blended_transform_factory(ax.transData, ax.transAxes),
                ha="center",
                weight="bold",
            )
            if cuts[g] > low:
                ax.axvline(cuts[g], color=INK, lw=0.8)
        said.append((g, n))
        upper = cuts[g]
    ax.set_xlim(low, high)
    score = say("score") if column == "score_adjusted" else _score(column)
    ax.set_xlabel(say("{score}, points; lines: cuts between grades", score=score))
    ax.grid(axis="y")
    chart.description = say(
        "Scores of {n} people from {low} to {high}, median {median}. People per grade: {grades}.",
        n=len(values), low=f"{values.min():.1f}", high=f"{values.max():.1f}", median=f"{np.median(values):.1f}",
        grades=listed(said),
    )  # fmt: skip
    return chart


def _score(column: str) -> str:
    """A column of scores in words."""
    return say(SCORES.get(column, column.replace("_", " ")))


@drawn
def slopes(
    scores: pd.DataFrame,
    cuts: Mapping[str, float],
    *,
    before: str = "score_raw",
    after: str = "score_adjusted",
    most: int = 30,
    width: float = 4.4,
) -> Chart:
    """Score before and after, one line a person; those whose grade changes are drawn dark and named."""
    both = scores.dropna(subset=[before, after]).sort_values("employee_id")
    if both.empty:
        return empty(say("Nobody has a score at both steps."), width)
    old, new = both[before].to_numpy(float), both[after].to_numpy(float)
    bounds = np.sort(np.asarray(list(cuts.values()), float))
    crossed = np.searchsorted(bounds, old + 1e-9, "right") != np.searchsorted(bounds, new + 1e-9, "right")
    chart, ax = panel(width, 3.4, left=0.45, right=1.0, top=0.3, bottom=0.15)
    ax.plot([0, 1], np.stack([old[~crossed], new[~crossed]]), color=HAIR, lw=0.8, zorder=1)
    ax.plot([0, 1], np.stack([old[crossed], new[crossed]]), color=BLUE, lw=1.3, zorder=2)
    span = max(np.ptp(np.concatenate([old, new])), 1.0)
    y, labels = np.inf, []
    for i in sorted(np.flatnonzero(crossed), key=lambda i: (-new[i], both["employee_id"].iloc[i]))[:most]:
        y = min(new[i], y - span * 0.055)
        who = both["employee_id"].iloc[i]
        ax.text(1.04, y, f"{who} {signed(new[i] - old[i], 1)}", va="center", fontsize=8.5, clip_on=False)
        labels.append(say("{who} {old} to {new}", who=who, old=f"{old[i]:.1f}", new=f"{new[i]:.1f}"))
    low, high = min(old.min(), new.min()) - 1, max(old.max(), new.max()) + 1
    for g, least in cuts.items():
        if low < least < high:
            ax.axhline(least, color=RULE, lw=0.8, ls=(0, (2, 2)), zorder=0)
            ax.text(-0.03, least, f"{g} {least:g}", ha="right", va="center", color=INK2, fontsize=8.5)
    ax.set_xlim(0, 1)
    ax.set_ylim(min(low, y - 1) if labels else low, high)
    ax.set_axis_off()
    ax.text(0, 1.02, _score(before), transform=ax.transAxes, color=INK2)
    ax.text(1, 1.02, _score(after), transform=ax.transAxes, color=INK2, ha="right")
    n, changed = len(both), int(crossed.sum())
    chart.description = (
        say(
            "Scores of {n} people before and after; {changed} change grade: {who}.",
            n=n, changed=changed, who=semicolons(labels),
        )
        if labels
        else say("Scores of {n} people before and after; {changed} change grade.", n=n, changed=changed)
    )  # fmt: skip
    return chart


__all__ = [
    "agreement_zone",
    "grade_change",
    "kpi_against_rating",
    "order_of",
    "ramp",
    "score_distribution",
    "slopes",
    "unit_multiples",
    "unit_order",
]
