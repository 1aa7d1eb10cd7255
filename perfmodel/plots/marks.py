"""Small marks that stand in a line of a table. p is always columns, w always one bar: they never look alike."""

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup, escape

from ..language import say
from .theme import ACCENT, BAND, BLUE, HAIR, INK, RULE, chance, commas


def p_columns(chances: Mapping[str, float], grade: str) -> Markup:
    """Five small columns in grade order, the proposed grade filled: the chance that rating error gives each."""
    parts, said = [], []
    for i, (g, p) in enumerate(chances.items()):
        x = 2 + 25 * i
        if not np.isfinite(p):
            continue
        if p >= 0.005:
            height = 24 * p
            fill, weight = (BLUE, "b") if g == grade else ("#fff", "")
            parts.append(
                f'<rect x="{x}" y="{34 - height:.1f}" width="20" height="{height:.1f}" fill="{fill}" stroke="{BLUE}"/>'
            )
            if p >= 0.03:
                parts.append(
                    f'<text x="{x + 10}" y="{31 - height:.1f}" text-anchor="middle" class="{weight}">{chance(p)}</text>'
                )
            said.append(f"{g} {p:.2f}")
        parts.append(f'<path d="M{x} 34.5h20" stroke="{RULE}"/>')
    label = escape(say("Chance that rating error alone gives the grade: {chances}", chances=commas(said)))
    width = 1 + 25 * len(chances)
    return Markup(f'<svg class="pb" viewBox="0 -4 {width} 40" role="img" aria-label="{label}">{"".join(parts)}</svg>')


def p_letters(grades) -> Markup:
    """The letters that stand over a column of ``p_columns``."""
    letters = "".join(
        f'<text x="{12 + 25 * i}" y="11" text-anchor="middle" class="m">{escape(g)}</text>'
        for i, g in enumerate(grades)
    )
    width = 1 + 25 * len(list(grades))
    return Markup(f'<svg class="pb pl" viewBox="0 0 {width} 14" aria-hidden="true">{letters}</svg>')


def w_bar(share: float, grade: str = "") -> Markup:
    """One horizontal bar from 0 to 1: the share of permitted weights that keep the grade."""
    if not np.isfinite(share):
        return Markup('<span class="note">{}</span>').format(say("not known"))
    full = 150 * float(share)
    label = escape(
        say("{share} of the permitted weights keep {grade}", share=chance(share), grade=grade)
        if grade
        else say("{share} of the permitted weights keep", share=chance(share))
    )
    return Markup(
        f'<svg class="wb" viewBox="0 0 150 16" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f'<rect x="0" y="3" width="150" height="10" fill="#fff" stroke="{RULE}"/>'
        f'<rect x="0" y="3" width="{full:.1f}" height="10" fill="{BLUE}"/></svg>'
    )


def grade_bars(
    counts: Mapping[str, int],
    low: Mapping[str, float],
    high: Mapping[str, float],
    *,
    ceiling: float,
    tested: bool = True,
    outside: tuple[str, ...] = (),
    name: str = "",
) -> Markup:
    """Grades of one unit as bars of share (``ceiling``: share at the top), the grey of chance behind them."""
    n = sum(counts.values()) or 1
    parts = ['<path d="M0 96.5H190" stroke="#8a949d"/>']
    step = 185 / len(counts)
    for i, (g, count) in enumerate(counts.items()):
        x, middle = 3 + step * i, 3 + step * i + 17

        def level(people: float) -> float:
            return 96 - 80 * people / n / ceiling

        if tested and np.isfinite(low[g]) and np.isfinite(high[g]):
            parts.append(
                f'<rect x="{x:.1f}" y="{level(high[g]):.1f}" width="34" '
                f'height="{level(low[g]) - level(high[g]):.1f}" fill="{BAND}"/>'
            )
        colour = ACCENT if g in outside else BLUE
        if count:
            parts.append(
                f'<rect x="{x + 8:.1f}" y="{level(count):.1f}" width="18" height="{96 - level(count):.1f}" '
                f'fill="{colour if tested else "#fff"}" stroke="{colour}"/>'
            )
        parts.append(
            f'<text x="{middle:.1f}" y="{level(count) - 4:.1f}" text-anchor="middle" '
            f'class="{"a" if g in outside else ""}">{count}</text>'
        )
        parts.append(f'<text x="{middle:.1f}" y="112" text-anchor="middle" class="m">{escape(g)}</text>')
    each = commas(f"{g} {c}" for g, c in counts.items())
    label = escape(say("{unit}, {n} people: {grades}", unit=name, n=sum(counts.values()), grades=each))
    return Markup(f'<svg viewBox="0 0 190 116" role="img" aria-label="{label}">{"".join(parts)}</svg>')


def category_strip(unit: float, company: float, *, low: float, high: float, target: float = 75.0) -> Markup:
    """A unit's mean points (dot) beside the company's (bar) from ``low`` to ``high``; dotted: on target."""

    def place(value: float) -> float:
        return 4 + 112 * (min(max(value, low), high) - low) / (high - low)

    said, parts = [], [f'<line x1="4" x2="116" y1="8" y2="8" stroke="{HAIR}"/>']
    if low <= target <= high:
        x = place(target)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="3" y2="13" stroke="{RULE}" stroke-dasharray="2 2"/>')
    if np.isfinite(company):
        parts.append(f'<path d="M{place(company):.1f} 1v14" stroke="{INK}" stroke-width="2"/>')
        said.append(say("company {points}", points=f"{company:.1f}"))
    if np.isfinite(unit):
        parts.append(f'<circle cx="{place(unit):.1f}" cy="8" r="4.5" fill="{BLUE}"/>')
        said.insert(0, say("unit {points}", points=f"{unit:.1f}"))
    label = escape(commas(said) or say("not known"))
    return Markup(f'<svg class="strip" viewBox="0 0 120 16" role="img" aria-label="{label}">{"".join(parts)}</svg>')


def pool_bar(cost: float, budget: float, words: str, pool_words: str) -> Markup:
    """The cost of the last step against the pool line."""
    most = max(cost, budget, 1.0)
    end, line = 4 + 240 * cost / most, 4 + 240 * budget / most
    return Markup(
        f'<svg class="pool" viewBox="0 -5 260 52" role="img" aria-label="{escape(words)}; {escape(pool_words)}">'
        f'<rect x="4" y="16" width="{max(end - 4, 0):.1f}" height="13" fill="{BLUE}"/>'
        f'<path d="M{line:.1f} 10v25" stroke="{INK}" stroke-width="2"/>'
        f'<text x="{line:.1f}" y="8" text-anchor="end" style="font-size:11.5px">{escape(pool_words)}</text>'
        f'<text x="4" y="43" style="font-size:11.5px" class="m">{escape(words)}</text></svg>'
    )


def grade_moves(
    counts: Mapping[str, tuple[int, int]], guideline: Mapping[str, tuple[float, float]], *, name: str = ""
) -> Markup:
    """People per grade and band, before (ring) and after (dot), on the guideline's bracket (shares of 1).

    Single grades first, bands of several below a rule: in the order of ``counts``, whose bands have a plus.
    """
    people = sum(after for grade, (_, after) in counts.items() if "+" not in grade)
    ends = [people * high for _, high in guideline.values()]
    most = max(*(n for pair in counts.values() for n in pair), *ends, 1.0) * 1.04
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**6) if most / s <= 6)
    left, width, row = 46, 254, 27

    def x(value: float) -> float:
        return left + width * value / most

    bands = [grade for grade in counts if "+" in grade]
    tall = row * len(counts) + (12 if bands else 0)
    parts = [
        f'<path d="M{x(tick):.1f} 0V{tall}" stroke="{HAIR}"/>'
        f'<text x="{x(tick):.1f}" y="{tall + 16}" text-anchor="middle" class="m">{tick}</text>'
        for tick in range(0, int(most) + 1, step)
    ]
    said = []
    for i, (grade, (before, after)) in enumerate(counts.items()):
        y = row * i + 12 + (12 if grade in bands else 0)
        if grade in bands[:1]:
            parts.append(f'<path d="M0 {y - 18}H380" stroke="{RULE}"/>')
        if grade in guideline:
            low, high = (x(people * share) for share in guideline[grade])
            parts.append(
                f'<path d="M{low:.1f} {y + 6}v6H{high:.1f}v-6" fill="none" stroke="{INK}" stroke-width="1.2"/>'
            )
        if before != after:
            parts.append(f'<path d="M{x(before):.1f} {y}H{x(after):.1f}" stroke="{BLUE}" stroke-width="2"/>')
        parts.append(
            f'<circle cx="{x(before):.1f}" cy="{y}" r="5.5" fill="#fff" stroke="{BLUE}" stroke-width="1.8"/>'
            f'<circle cx="{x(after):.1f}" cy="{y}" r="{3 if before == after else 5.5}" fill="{BLUE}"/>'
            f'<text x="0" y="{y + 4}" class="b">{escape(grade)}</text>'
            f'<text x="380" y="{y + 4}" text-anchor="end" class="{"b" if before != after else "m"}">'
            f"{before} → {after}</text>"
        )
        said.append(f"{grade} {before} → {after}")
    label = escape(say("{unit}, {n} people: {grades}", unit=name, n=people, grades=commas(said)))
    return Markup(
        f'<svg class="moves" viewBox="0 -4 380 {tall + 26}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )
