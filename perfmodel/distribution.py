"""Do the grades of a unit differ from the company's by more than chance gives?

A fixed margin cannot tell: five points about the guideline flag three of four normal units of twenty people.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .scheme import Scheme
from .tables import COMPANY, POOLED, STAGES

COLUMNS = "stage unit grade n share guideline_low guideline_high chance_low chance_high verdict reason".split()
WITHIN, OUTSIDE, NOT_TESTED = "within chance", "outside chance", "not tested"


def distribution(scores: pd.DataFrame, scheme: Scheme, *, level: float | None = None) -> pd.DataFrame:
    """Counts of every grade and guideline band by unit, against the guideline and against chance.

    The chance band of a unit is that of a binomial count: as many people as the unit has, each with the share
    of the rest of the company (half a person is added to each side, so that a grade nobody else has is rare and
    not impossible). Level: ``limits.chance`` for all grades of one unit together; each grade is tested at
    1 - (1 - level) / grades (Bonferroni), bands such as S+A at the level of a grade. Units under
    ``limits.min_unit`` people are not tested alone; they are pooled in order of id until ``limits.pool_to`` are
    together.

    Parameters
    ----------
    scores : DataFrame
        ``employee_id, unit`` and ``grade_raw``, ``grade_adjusted``, ... ; "" for whoever has no grade.

    Returns
    -------
    DataFrame
        ``stage, unit, grade, n, share, guideline_low, guideline_high`` (shares of 1), ``chance_low, chance_high``
        (people, both inside the band), ``verdict, reason``. ``unit`` is also "company" and "pooled: ...".
    """
    limits = scheme.limits
    level = limits.chance if level is None else level
    guideline = {g.band: (g.range[0] / 100, g.range[1] / 100) for g in scheme.guideline}
    grades = list(scheme.cuts)
    bands = {**{g: (g,) for g in grades}, **{g.band: g.grades for g in scheme.guideline if len(g.grades) > 1}}
    in_band = np.array([[grade in of for of in bands.values()] for grade in grades]).astype(int)
    parts = []
    for stage in STAGES:
        if (column := f"grade_{stage}") not in scores:
            continue
        graded = scores[scores[column].fillna("").ne("")]
        units = sorted(scores["unit"].unique())
        counts = pd.crosstab(graded["unit"], graded[column]).reindex(index=units, columns=grades, fill_value=0)
        sizes = counts.sum(axis=1)
        small = [unit for unit, n in zip(units, sizes, strict=True) if n < limits.min_unit]
        pools = _pools(small, dict(zip(units, sizes, strict=True)), limits.pool_to)
        of_pool = {unit: name for name, members in pools.items() for unit in members}
        place = {unit: i for i, unit in enumerate(units)}
        by_grade = counts.to_numpy()
        inside = np.concatenate(
            [by_grade.sum(axis=0, keepdims=True), by_grade]
            + [by_grade[[place[unit] for unit in members]].sum(axis=0, keepdims=True) for members in pools.values()]
        )
        names = [COMPANY, *units, *pools]
        n, whole = inside @ in_band, by_grade.sum(axis=0)
        people, everybody = inside.sum(axis=1), int(whole.sum())
        why = [_why(name, int(k), everybody - int(k), limits, of_pool) for name, k in zip(names, people, strict=True)]
        tested = np.array([not reason for reason in why], bool)
        others = everybody - people[:, None]
        share = (whole @ in_band - n + 0.5 * in_band.sum(axis=0) / len(grades)) / (others + 0.5)
        ends = np.full((2, *n.shape), np.nan)
        ends[:, tested] = chance_bands(people[tested], share[tested], 1 - (1 - level) / len(grades))
        held = (ends[0] <= n) & (n <= ends[1])
        verdict = np.where(tested[:, None], np.where(held, WITHIN, OUTSIDE), NOT_TESTED)
        guide = np.array([guideline.get(band, (np.nan, np.nan)) for band in bands])
        columns = {
            "stage": stage, "unit": np.repeat(names, len(bands)), "grade": np.tile(list(bands), len(names)),
            "n": n.ravel(), "share": np.where(people[:, None], n / np.maximum(people, 1)[:, None], np.nan).ravel(),
            "guideline_low": np.tile(guide[:, 0], len(names)), "guideline_high": np.tile(guide[:, 1], len(names)),
            "chance_low": ends[0].ravel(), "chance_high": ends[1].ravel(),
            "verdict": verdict.ravel(), "reason": np.repeat(why, len(bands)),
        }  # fmt: skip
        parts.append(pd.DataFrame(columns))
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(parts, ignore_index=True)


def _why(name: str, people: int, others: int, limits, of_pool: Mapping[str, str]) -> str:
    """Why a group is not tested; "" if it is."""
    if name == COMPANY:
        return "the company is what units are compared with"
    if not people:
        return "nobody graded"
    if others < limits.min_unit:
        return f"{others} people elsewhere: too few to compare with"
    if name in of_pool:
        return f"{people} people: too few to tell from chance; pooled with sibling units ({of_pool[name]})"
    if people < limits.min_unit:
        return f"{people} people: too few to tell from chance, and no small sibling units to pool with"
    return ""


def _pools(small: list[str], sizes: Mapping[str, int], pool_to: int) -> dict[str, list[str]]:
    """Small units in order of id, put together until ``pool_to`` people; what is left joins the last pool."""
    pools: list[list[str]] = []
    for unit in small:
        if not pools or sum(sizes[u] for u in pools[-1]) >= pool_to:
            pools.append([])
        pools[-1].append(unit)
    if len(pools) > 1 and sum(sizes[u] for u in pools[-1]) < pool_to:
        rest = pools.pop()
        pools[-1].extend(rest)
    return {POOLED + " + ".join(members): members for members in pools if len(members) > 1}


def chance_band(n: int, share: float, level: float) -> tuple[int, int]:
    """Counts that chance alone gives: fewest and most of ``n`` people, each with probability ``share``.

    Exact binomial, at most (1 - level) / 2 beyond each end.
    """
    low, high = chance_bands(np.array([n]), np.array([[share]]), level)
    return int(low[0, 0]), int(high[0, 0])


def chance_bands(people: np.ndarray, share: np.ndarray, level: float) -> np.ndarray:
    """:func:`chance_band` of many groups at once: (groups,), (groups, bands) -> (2, groups, bands)."""
    from scipy.special import bdtr

    ends = np.empty((2, *share.shape))
    for n in np.unique(people):
        at = np.flatnonzero(people == n)
        reached = bdtr(np.arange(n + 1), n, share[at][..., None])
        # The least counts that reach the two tail probabilities.
        for end, tail in enumerate(((1 - level) / 2, (1 + level) / 2)):
            ends[end, at] = (reached < tail).sum(axis=-1)
    return ends


def expected_false_flags(
    table: pd.DataFrame, scheme: Scheme, *, stage: str = "adjusted", level: float | None = None
) -> float:
    """How many counts chance alone would put outside their bands among those tested; bands such as S+A left out."""
    from scipy.special import bdtr, bdtrc

    level = scheme.limits.chance if level is None else level
    grades = list(scheme.cuts)
    whole = table[(table["stage"] == stage) & (table["unit"] == COMPANY)].set_index("grade")["share"]
    tested = table[(table["stage"] == stage) & (table["verdict"] != NOT_TESTED) & table["grade"].isin(grades)]
    sizes = tested.groupby("unit")["n"].transform("sum")
    share = tested["grade"].map(whole).astype(float)
    low, high = tested["chance_low"], tested["chance_high"]
    below = bdtr(low - 1, sizes, share).where(low > 0, 0.0)
    return float(np.sum(below + bdtrc(high, sizes, share)))


def quotas(n: int, shares: Mapping[str, float]) -> tuple[dict[str, int], tuple[str, ...]]:
    """``n`` places by largest remainder, and the grades that tie for the last of them.

    Ties go to the grade named first, and are named so that nobody takes the split for arithmetic.
    """
    exact = {grade: n * share / sum(shares.values()) for grade, share in shares.items()}
    seats = {grade: int(np.floor(value + 1e-9)) for grade, value in exact.items()}
    left = n - sum(seats.values())
    remainder = {grade: round(exact[grade] - seats[grade], 9) for grade in exact}
    order = sorted(exact, key=lambda grade: -remainder[grade])
    for grade in order[:left]:
        seats[grade] += 1
    tied: tuple[str, ...] = ()
    if 0 < left < len(order) and remainder[order[left - 1]] == remainder[order[left]]:
        tied = tuple(g for g in order if remainder[g] == remainder[order[left]])
    return seats, tied
