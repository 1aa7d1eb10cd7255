"""Grades and ranks over every permitted choice of weights, the points staying as they are.

The draws come in blocks from several independent scramblings of one Sobol sequence; only counts are
kept, so memory does not grow with the draws. The scatter between scramblings is the standard error.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..errors import DataError, SchemeError
from ..space import WeightSpace
from ..tables import conform
from .importance import importance
from .panel import SCALE, Ladder, Panel, ranks
from .ranks import rank_limits

RANK_BANDS = (0.10, 0.25, 0.50, 0.75, 0.90, 1.0)  # upper ends, as shares of the employees ranked
SCRAMBLINGS = 8
T_95 = 2.365  # Student's t, 7 degrees of freedom, two-sided 95 %
START = 512  # draws of each scrambling before precision is first judged
MOST_DRAWS = 65_536
CELLS = 1 << 19  # scores held at a time: 4 MiB
LIMIT_WORK = 4_000_000  # pairs of employees compared for the best and worst rank


@dataclass(frozen=True)
class Precision:
    """How far the shares can be trusted: ``half_width`` is 95 %, for the least certain employee and grade."""

    draws: int
    scramblings: int
    se: float
    half_width: float
    reached: bool

    def __str__(self) -> str:
        told = (
            f"every share within {self.half_width:.3f} (95 %), {self.draws:,} draws in {self.scramblings} scramblings"
        )
        return told if self.reached else told + "; the aim was closer, but the most draws allowed are used up"


@dataclass(frozen=True, eq=False)
class WeightSimulation:
    """What follows from any permitted weights. Shares are shares of permitted weights, never chances.

    ``grade_shares`` (employees x grades, best first), ``stay`` (share that gives the baseline grade),
    ``grade`` and ``score`` at the baseline weights, ``driver`` (see :meth:`drivers`). Employees without
    a result stand in every table with empty cells; ``reason`` says why.
    """

    space: WeightSpace
    baseline: pd.Series
    score: pd.Series
    grade: pd.Series
    grade_shares: pd.DataFrame
    reason: pd.Series
    precision: Precision
    seed: int
    mean_rank: pd.Series
    found_ranks: pd.DataFrame  # best, worst: among the draws
    bands: pd.DataFrame  # employees x rank bands
    shift: pd.DataFrame  # employees x weights: mean of the weights that change the grade, in SD from their mean
    panel: Panel
    ladder: Ladder
    points_cap: pd.Series

    def __repr__(self) -> str:
        sure = int((self.stay > 1 - 1e-12).sum())
        return (
            f"WeightSimulation: {self.stay.notna().sum()} employees, {len(self.baseline)} weights ({self.space.law} "
            f"law); {sure} keep their grade in every draw; {self.precision}"
        )

    @cached_property
    def stay(self) -> pd.Series:
        """Share of permitted weights that give the grade of the baseline weights."""
        place = np.array([self.ladder.grades.index(g) if g else 0 for g in self.grade], dtype=int)
        return pd.Series(self.grade_shares.to_numpy()[np.arange(len(place)), place], self.grade.index, name="stay")

    @cached_property
    def drivers(self) -> pd.DataFrame:
        """The weight that most often goes with a change of grade: weight, shift (SD), direction.

        Among the permitted weights that change the grade, the mean of each weight (a category's, percent of the
        whole; a KPI's, percent of its category) is set against its mean over all permitted weights, in standard
        deviations. The driver is the weight farthest off; more or less says to which side. Empty: no draw changes
        the grade. Other weights move with it, because they total 100.
        """
        strength = self.shift.abs().fillna(0.0).to_numpy()
        at = strength.argmax(axis=1) if strength.size else np.zeros(0, int)
        best = self.shift.to_numpy()[np.arange(len(at)), at]
        some = strength.max(axis=1, initial=0.0) > 0
        return pd.DataFrame(
            {
                "weight": np.where(some, self.shift.columns.to_numpy()[at], ""),
                "shift": np.where(some, best, np.nan),
                "direction": np.where(some, np.where(best > 0, "more", "less"), ""),
            },
            index=self.shift.index,
        )

    @property
    def driver(self) -> pd.Series:
        return self.drivers["weight"].rename("driver")

    @cached_property
    def moments(self) -> pd.DataFrame:
        """Mean and SD of each score over the permitted weights, exact; empty where a KPI is missing."""
        mean, covariance = self.space.moments()
        points = self.panel.points
        average = points @ mean.to_numpy() / 100 + self.panel.offset
        variance = np.einsum("ej,jk,ek->e", points, covariance.to_numpy() / 1e4, points)
        table = pd.DataFrame({"mean": average, "sd": np.sqrt(np.maximum(variance, 0.0))}, self._who)
        return table.reindex(self.score.index)

    @cached_property
    def score_limits(self) -> pd.DataFrame:
        """Scores no permitted weights pass: low, high, and whether both are reached (no KPI is missing)."""
        ends = {}
        for name, sign, end in (("low", -1.0, np.nanmin), ("high", 1.0, np.nanmax)):
            points = self.panel.bounded(end)
            ends[name] = (self.space.largest(sign * points) * points).sum(axis=1) / 100 + self.panel.offset
        table = pd.DataFrame(ends | {"exact": ~np.isnan(self.panel.points).any(axis=1)}, self._who)
        return table.reindex(self.score.index)

    def summary(self) -> pd.DataFrame:
        """Employees whose grade rests on the choice of weights, the least settled first."""
        table = self.grade_shares.add_prefix("w_").assign(grade=self.grade, w_stay=self.stay, driver=self.driver)
        return table[table["w_stay"] < 1 - 1e-12].sort_values("w_stay", kind="stable")

    @property
    def _who(self) -> pd.Index:
        return self.reason.index[self.reason == ""]

    @cached_property
    def rank_limits(self) -> pd.DataFrame:
        """Best and worst rank any permitted weights can give: best, best_bound, worst, worst_bound, exact.

        ``best`` and ``worst`` are reached by some permitted weights; the bounds cannot be passed. Where they
        meet, the ranks are exact.
        """
        found = self.found_ranks.reindex(self._who)
        table = rank_limits(self.panel, self.space, found, most=LIMIT_WORK)
        return table.reindex(self.score.index)

    @property
    def best_rank(self) -> pd.Series:
        return self.rank_limits["best"].rename("best_rank")

    @property
    def worst_rank(self) -> pd.Series:
        return self.rank_limits["worst"].rename("worst_rank")

    @property
    def rank_exact(self) -> pd.Series:
        return self.rank_limits["exact"].rename("rank_exact")

    def rank_bands(self) -> pd.DataFrame:
        """Long table employee_id, band, w_share. ``1`` is first place; the other bands, ``0-10 %`` first,
        follow one another and add up to one. A band ends at the whole rank that its share rounds up to."""
        long = self.bands.rename_axis("employee_id").reset_index().melt("employee_id", var_name="band", value_name="w")
        return long.rename(columns={"w": "w_share"}).sort_values(["employee_id", "band"], ignore_index=True)

    def outranks(self, one: str, other: str) -> "Outranking":
        """Share of permitted weights under which ``one`` scores higher than ``other``, and their mean weights."""
        who = list(self._who)
        for name in (one, other):
            if name not in who:
                raise DataError(f"{name} has no result here: {self.reason.get(name, 'not among the employees')}.")
        pair = [who.index(one), who.index(other)]
        panel = Panel(self.panel.points[pair], self.panel.parts, self.panel.offset[pair])
        total = np.zeros((2, len(self.baseline)))
        wins, draws = np.zeros(2), 0
        left = self.precision.draws // SCRAMBLINGS
        for stream in _streams(self.space, self.seed):
            have = 0
            while have < left:
                weights = next(stream)
                scores = np.rint(panel.scores(weights) * SCALE)
                for k, won in enumerate((scores[:, 0] > scores[:, 1], scores[:, 1] > scores[:, 0])):
                    wins[k] += won.sum()
                    total[k] += weights[won].sum(axis=0)
                have += len(weights)
            draws += have
        means = [pd.Series(t / n if n else np.nan, self.baseline.index) for t, n in zip(total, wins, strict=True)]
        return Outranking(one, other, float(wins[0] / draws), float(wins[1] / draws), *means)

    @cached_property
    def importance(self) -> pd.DataFrame:
        """What each weight does at the baseline: see :func:`perfmodel.weights.importance`."""
        return importance(self.panel, self.space, self.baseline, self.ladder, self.points_cap)

    def weight_grades(self, profile: str = "") -> pd.DataFrame:
        """The contract's table ``weight_grades``; employees without a result are left out."""
        limits = self.rank_limits
        table = self.grade_shares.add_prefix("w_").assign(
            profile=profile,
            employee_id=self.grade.index,
            grade=self.grade,
            w_stay=self.stay,
            rank_best=limits["best"],
            rank_worst=limits["worst"],
            rank_exact=limits["exact"],
            driver=self.driver,
        )
        return conform(table.loc[self._who], "weight_grades", tuple(self.grade_shares.columns))

    def weight_rank_bands(self, profile: str = "") -> pd.DataFrame:
        """The contract's table ``weight_rank_bands``; employees without a result are left out."""
        table = self.rank_bands()
        return conform(table[table["employee_id"].isin(self._who)].assign(profile=profile), "weight_rank_bands")

    def weight_importance(self, profile: str = "") -> pd.DataFrame:
        """The contract's table ``weight_importance``."""
        return conform(self.importance.reset_index().assign(profile=profile), "weight_importance")


@dataclass(frozen=True, eq=False)
class Outranking:
    """``share``: of permitted weights that put one above the other; ``share_other`` the reverse; the rest tie."""

    one: str
    other: str
    share: float
    share_other: float
    weights: pd.Series  # mean of the weights that put one above the other, percent of the whole
    weights_other: pd.Series


def simulate_weights(
    points: pd.DataFrame,
    space: WeightSpace,
    *,
    grades: Mapping[str, float] | Iterable,
    baseline: pd.Series | None = None,
    seed: int = 1,
    half_width: float = 0.01,
    offset: pd.Series | None = None,
    categories: Mapping[str, str] | None = None,
    cap: pd.Series | None = None,
    points_cap: Mapping[str, float] | None = None,
    bands: tuple[float, ...] = RANK_BANDS,
    most_draws: int = MOST_DRAWS,
) -> WeightSimulation:
    """Grades and ranks of employees under every permitted choice of weights.

    Not for choosing weights in the running quarter: it shows how much of a result rests on them.

    Parameters
    ----------
    points : DataFrame
        Employees (index) x weights (columns named as in ``space``), score points. NaN = not due or not
        applicable: its weight is shared inside its category, in every draw.
    grades : mapping grade -> lower bound, or the grades of a scheme
    baseline : Series, optional
        Weights now in force, percent of the whole; without it the centre of gravity of ``space``.
    half_width : float
        Draws double until every share of grades is this close (95 %), or ``most_draws`` are used.
    offset : Series, optional
        Points by employee added whatever the weights (bonus less deduction).
    categories : mapping, optional
        Category of each weight; as in ``space`` when left out (on one level each weight is its own).
    cap : Series, optional
        Best grade an employee may have because of a gate; "" or absent for none.
    points_cap : mapping, optional
        Most points a weight's KPI can earn, for ``share_at_cap``.
    bands : tuple
        Upper ends of the rank bands, as shares of the employees ranked; the last is 1.

    Raises
    ------
    DataError
        If names differ from those of ``space``, an employee repeats, or a number is infinite.
    SchemeError
        If the baseline is not permitted, or the grades are none.
    """
    table = _checked(points, space)
    ladder_all = _ladder(grades, cap, table.index)
    base = _baseline(baseline, space)
    category_of = dict(categories or space.categories)
    if lost := [n for n in space.names if n not in category_of]:
        raise DataError(f"No category is given for {', '.join(lost)}; add them to categories.")
    named = [category_of[n] for n in space.names]
    parts = {c: np.flatnonzero([n == c for n in named]) for c in dict.fromkeys(named)}
    reason = _reasons(table, parts, space)
    ranked = (reason == "").to_numpy()
    added = np.zeros(len(table)) if offset is None else offset.reindex(table.index).fillna(0.0).to_numpy(float)
    panel = Panel(table.to_numpy()[ranked], parts, added[ranked])
    ladder = Ladder(ladder_all.grades, ladder_all.least, ladder_all.cap[ranked])

    now = panel.scores(base.to_numpy()[None])[0]
    place = ladder.place(now)
    edges = _rank_edges(bands, int(ranked.sum()))
    tally = _Tally(panel, ladder, space, place, list(edges.values()))
    tally.run(seed, half_width, most_draws)

    who, everyone = table.index[ranked], table.index

    def frame(values, columns):
        return pd.DataFrame(values, who, columns).reindex(everyone)

    shares = frame(tally.shares.mean(axis=0).T, list(ladder.grades))
    return WeightSimulation(
        space=space,
        baseline=base,
        score=pd.Series(now, who, name="score").reindex(everyone),
        grade=pd.Series(np.array(ladder.grades, object)[place], who, name="grade").reindex(everyone, fill_value=""),
        grade_shares=shares,
        reason=reason,
        precision=tally.precision(half_width),
        seed=seed,
        mean_rank=pd.Series(tally.rank_sum / max(tally.draws, 1), who, name="mean_rank").reindex(everyone),
        found_ranks=frame(np.stack([tally.best, tally.worst], axis=1), ["best", "worst"]),
        bands=frame(_band_shares(tally.within / max(tally.draws, 1), edges), list(edges)),
        shift=frame(tally.shift(), tally.nodes),
        panel=panel,
        ladder=ladder,
        points_cap=pd.Series(points_cap or {}, dtype=float).reindex(space.names),
    )


def _streams(space: WeightSpace, seed: int):
    """The independent scramblings of one seed."""
    return [space.stream(s, START) for s in np.random.SeedSequence(seed).spawn(SCRAMBLINGS)]


class _Tally:
    """Counts over the draws, filled block by block."""

    def __init__(self, panel: Panel, ladder: Ladder, space: WeightSpace, place: np.ndarray, edges: list[int]):
        self.panel, self.ladder, self.space, self.edges = panel, ladder, space, edges
        n = len(panel.points)
        self.low, self.high = ladder.band(place)
        self.reached = np.zeros((SCRAMBLINGS, len(ladder.grades), n))
        self.drawn = np.zeros(SCRAMBLINGS)
        self.best, self.worst = np.full(n, n), np.ones(n, dtype=int)
        self.rank_sum = np.zeros(n)
        self.within = np.zeros((len(edges), n))
        self.nodes = list(dict.fromkeys([*space.ranges, *space.names]))
        self.flips, self.flip_sum = np.zeros(n), np.zeros((n, len(self.nodes)))
        self.node_sum, self.node_square = np.zeros(len(self.nodes)), np.zeros(len(self.nodes))

    @property
    def draws(self) -> int:
        return int(self.drawn.sum())

    @property
    def shares(self) -> np.ndarray:
        """(scramblings, grades, employees)."""
        reached = self.reached / np.maximum(self.drawn, 1)[:, None, None]
        return np.diff(reached, axis=1, prepend=0.0)

    @property
    def se(self) -> float:
        spread = self.shares.std(axis=0, ddof=1) / np.sqrt(SCRAMBLINGS)
        return float(spread.max(initial=0.0))

    def precision(self, aim: float) -> Precision:
        width = T_95 * self.se
        return Precision(self.draws, SCRAMBLINGS, self.se, width, width <= aim)

    def run(self, seed: int, half_width: float, most_draws: int) -> None:
        """Double the draws until the shares are close enough."""
        streams = _streams(self.space, seed)
        while True:
            for k, stream in enumerate(streams):
                self.add(k, next(stream))
            if T_95 * self.se <= half_width or 2 * self.draws > most_draws or not len(self.low):
                return

    def add(self, k: int, weights: np.ndarray) -> None:
        rows = max(CELLS // max(len(self.low), 1), 1)
        for start in range(0, len(weights), rows):
            self._block(k, weights[start : start + rows])
        self.drawn[k] += len(weights)

    def _block(self, k: int, weights: np.ndarray) -> None:
        scores = self.panel.scores(weights)
        self.reached[k] += self.ladder.at_least(scores)
        place = ranks(scores)
        self.best = np.minimum(self.best, place.min(axis=0))
        self.worst = np.maximum(self.worst, place.max(axis=0))
        self.rank_sum += place.sum(axis=0, dtype=np.int64)
        for i, edge in enumerate(self.edges):
            self.within[i] += (place <= edge).sum(axis=0)
        nodes = self._node_weights(weights)
        flipped = (scores < self.low) | (scores >= self.high)
        some = np.flatnonzero(flipped.any(axis=0))
        self.flips += flipped.sum(axis=0)
        self.flip_sum[some] += flipped[:, some].T.astype(float) @ nodes
        self.node_sum += nodes.sum(axis=0)
        self.node_square += (nodes**2).sum(axis=0)

    def _node_weights(self, weights: np.ndarray) -> np.ndarray:
        """Category weights (of the whole) beside KPI weights (of the category)."""
        if not self.space.within:
            return weights
        outer = self.space.category_weights(weights)
        at = [list(self.space.ranges).index(self.space.categories[n]) for n in self.space.names]
        whole = np.where(outer[:, at] > 0, outer[:, at], 1.0)
        columns = dict(zip(self.space.names, (100 * weights / whole).T, strict=True))
        columns |= dict(zip(self.space.ranges, outer.T, strict=True))
        return np.stack([columns[n] for n in self.nodes], axis=1)

    def shift(self) -> np.ndarray:
        """Mean of each weight over the draws that change the grade, in SD from its mean over all draws."""
        mean = self.node_sum / max(self.draws, 1)
        spread = np.sqrt(np.maximum(self.node_square / max(self.draws, 1) - mean**2, 0.0))
        spread = np.where(spread > 1e-6, spread, np.inf)  # a fixed weight drives nothing
        flipped = self.flip_sum / np.maximum(self.flips, 1)[:, None]
        off = np.round((flipped - mean) / spread, 9)
        return np.where(self.flips[:, None] > 0, off, 0.0)


def _rank_edges(bands: tuple[float, ...], n: int) -> dict[str, int]:
    """Last rank of each band: first place, then shares of ``n`` rounded up to a whole rank."""
    if list(bands) != sorted(set(bands)) or not bands or bands[0] <= 0 or bands[-1] != 1:
        raise DataError("Rank bands must rise from above 0 to 1, such as (0.1, 0.5, 1.0).")
    lower = (0.0, *bands[:-1])
    edges = {"1": 1}
    return edges | {f"{100 * a:g}-{100 * b:g} %": int(np.ceil(b * n - 1e-9)) for a, b in zip(lower, bands, strict=True)}


def _band_shares(within: np.ndarray, edges: Mapping[str, int]) -> np.ndarray:
    """Shares (employees, bands) from shares at or above each edge: first place, then band by band."""
    return np.concatenate([within[:1], np.diff(within[1:], axis=0, prepend=0.0)]).T


def _checked(points: pd.DataFrame, space: WeightSpace) -> pd.DataFrame:
    if set(points.columns) != set(space.names) or len(points.columns) != len(space.names):
        extra = sorted(set(map(str, points.columns)) - set(space.names))
        lost = [n for n in space.names if n not in points.columns]
        told = [f"without a weight: {', '.join(extra)}"] * bool(extra) + [f"no points: {', '.join(lost)}"] * bool(lost)
        raise DataError(f"Points and weights must bear the same names ({'; '.join(told) or 'a column repeats'}).")
    if points.index.has_duplicates:
        twice = ", ".join(map(str, points.index[points.index.duplicated()].unique()[:5]))
        raise DataError(f"Points hold {twice} more than once; give one row an employee.")
    table = points[space.names].astype(float).sort_index(kind="stable")
    if np.isinf(table.to_numpy()).any():
        name = table.index[np.isinf(table.to_numpy()).any(axis=1)][0]
        raise DataError(f"Points of {name} are infinite; a missing result is left empty.")
    return table


def _ladder(grades, cap: pd.Series | None, index: pd.Index) -> Ladder:
    bounds = dict(grades) if isinstance(grades, Mapping) else {g.id: g.least for g in grades}
    if not bounds:
        raise SchemeError("No grade is given; name each grade with its lower bound.")
    names = tuple(sorted(bounds, key=lambda g: -bounds[g]))
    least = np.array([float(bounds[g]) for g in names])
    if len(set(least)) < len(least):
        raise SchemeError("Two grades have the same lower bound; each needs its own.")
    best = np.zeros(len(index), dtype=int)
    if cap is not None:
        given = cap.reindex(index).fillna("")
        if unknown := sorted(set(given) - {"", *names}):
            raise DataError(f"A gate caps at {', '.join(map(str, unknown))}, which is no grade.")
        best = np.array([names.index(g) if g else 0 for g in given], dtype=int)
    return Ladder(names, least, best)


def _baseline(baseline, space: WeightSpace) -> pd.Series:
    if baseline is None:
        return space.centre
    base = pd.Series(baseline, dtype=float)
    if not space.contains(base):
        told = ", ".join(f"{n} {w:g} %" for n, w in base.items())
        raise SchemeError(
            f"The weights in force ({told}) are not among the permitted ones. "
            "Let them total 100 % inside their ranges, or widen the ranges."
        )
    return base[space.names].rename_axis(None)


def _reasons(table: pd.DataFrame, parts: Mapping[str, np.ndarray], space: WeightSpace) -> pd.Series:
    """Why an employee has no result: a category without any point has nothing to take its weight."""
    counts: np.ndarray = np.greater(_most(space), 0)  # a weight fixed at 0 asks for no result and can take none
    there = table.notna().to_numpy() & counts
    lacking = {c: ~there[:, part].any(axis=1) for c, part in parts.items() if counts[part].any()}
    words = [", ".join(c for c, gone in lacking.items() if gone[i]) for i in range(len(table))]
    return pd.Series([f"no result in {w}, whose weight nothing can take" if w else "" for w in words], table.index)


def _most(space: WeightSpace) -> np.ndarray:
    """The most each weight can reach, percent of the whole."""
    outer = dict(zip(space.ranges, space.outer.reach[1], strict=True))
    return np.concatenate([outer[c] * space.inner[c].reach[1] / 100 for c in space.ranges])
