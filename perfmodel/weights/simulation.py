"""Grades and ranks over every permitted choice of weights, the points staying as they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..errors import DataError, SchemeError
from ..space import WeightSpace
from ..tables import conform
from . import exact
from .importance import categories, importance
from .limits import score_limits
from .panel import LAST_BIT, Ladder, Panel, ranks
from .ranks import Budget, rank_limits
from .sensitivity import CLASSES, chance_level, first_order_of
from .tally import CELLS, Precision, Tally, first_draws, streams
from .turn import turning_weights
from .why import turns

RANK_BANDS = (0.10, 0.25, 0.50, 0.75, 0.90, 1.0)  # upper ends, as shares of the employees ranked
MOST_DRAWS = 65_536
POOLED = 4096  # employees of whom the pooled index of scores is taken
DRIVEN = 512  # employees whose drivers are found at a time


@dataclass(frozen=True, eq=False)
class WeightSimulation:
    """What follows from any permitted weights. Shares are shares of permitted weights, never chances.

    ``grade_shares`` (employees x grades, best first), ``exact_grade_shares`` (the same by formula, or None with
    ``exact_reason``), ``stay`` (share that gives the baseline grade),
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
    mean_rank: pd.Series  # over the draws of which whole rankings are kept; empty where ranks are not asked
    found_ranks: pd.DataFrame  # best, worst: among those draws
    bands: pd.DataFrame  # employees x rank bands
    panel: Panel
    ladder: Ladder
    points_cap: pd.Series
    rank_effort: float = 1.0

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
    def _law(self):
        """The permitted set as a polytope where a formula can use it, else None and the reason."""
        return exact.corners(self.space)

    @cached_property
    def exact_grade_shares(self) -> pd.DataFrame | None:
        """``grade_shares`` by formula, without draws; None where there is no formula, see ``exact_reason``.

        There is one where only weights of one level vary, at most seven (category weights, or shares inside fixed
        categories): the law of a score is then a B-spline.
        Empty rows: employees without a result, or with a missing KPI whose weight is shared among weights that vary.
        """
        polytope, _ = self._law
        if polytope is None:
            return None
        shares = exact.grade_shares(self.panel, self.ladder, self.space, polytope)
        return pd.DataFrame(shares, self._who, self.grade_shares.columns).reindex(self.score.index)

    @property
    def exact_reason(self) -> str:
        """Why ``exact_grade_shares`` is None; empty where it is not."""
        return self._law[1]

    @cached_property
    def possible(self) -> pd.DataFrame:
        """What can be said of each grade for certain: employees x grades, ``always``, ``never`` or ``some``.

        From the lowest and highest score that permitted weights can give (linear programmes in closed form). A claim
        of never or always holds in any case; ``some`` means not excluded where ``score_limits`` are not exact.
        """
        limits = self.score_limits.loc[self._who]
        low, high = (self.ladder.place(limits[c].to_numpy()) for c in ("low", "high"))
        grade = np.arange(len(self.ladder.grades))
        inside = (grade <= low[:, None]) & (grade >= high[:, None])
        words = np.where(~inside, "never", np.where((low == high)[:, None], "always", "some"))
        return pd.DataFrame(words, self._who, list(self.ladder.grades)).reindex(self.score.index, fill_value="")

    @cached_property
    def _driven(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, np.ndarray]:
        """For each weight and employee: share of the variance of grade changes explained, its side; of all; and whose
        changes are enough to tell a driver from chance."""
        draws = first_draws(self.space, self.seed)
        names, nodes = self.space.nodes(draws)
        n = len(self._who)
        index, side = np.zeros((len(names), n)), np.zeros((len(names), n))
        explained, varies, enough = np.zeros((2, len(names))), np.zeros(2), np.zeros(n, dtype=bool)
        place = self.ladder.place(self.panel.scores(self.baseline.to_numpy()[None])[0])
        low, high = self.ladder.band(place)
        indices = first_order_of(nodes)
        every = -(-n // POOLED)
        for start in range(0, n, DRIVEN):
            part = slice(start, start + DRIVEN)
            scores = self.panel.take(part).scores(draws)
            flipped = (scores < low[part]) | (scores >= high[part])
            changes = flipped.sum(axis=0)
            ever = np.flatnonzero(changes)  # nothing explains what never changes
            # What explains scores is told of all together, for which some of very many are enough.
            for k, y in enumerate((scores[:, ::every], flipped[:, ever])):
                found, rises = indices(y)
                weight = y.var(axis=0)
                explained[k] += found @ weight
                varies[k] += weight.sum()
            index[:, start + ever], side[:, start + ever] = found, rises
            enough[part] = changes >= CLASSES
        enough &= index.max(axis=0, initial=0.0) > chance_level(len(draws), len(names))
        share = pd.DataFrame((explained / np.maximum(varies, 1e-12)[:, None]).T, names, ["score", "grade"])
        share[share.columns[varies < 1e-12]] = np.nan
        return pd.DataFrame(index.T, self._who, names), pd.DataFrame(side.T, self._who, names), share, enough

    @property
    def sensitivity(self) -> pd.DataFrame:
        """How much of what varies each weight drives: index weight (categories too); columns score, grade.

        First-order indices over the permitted weights, pooled over employees by their variance: ``score`` of the
        scores, ``grade`` of whether the grade is another than at the baseline. See :mod:`perfmodel.weights.sensitivity`
        for why this measure. Empty where nothing varies.
        """
        return self._driven[2].rename_axis("weight")

    @cached_property
    def drivers(self) -> pd.DataFrame:
        """The weight that drives each employee's changes of grade: weight, index, direction.

        ``index`` is the share of the variance of "the grade changes" that the weight explains (see
        :mod:`perfmodel.weights.sensitivity`); a category's weight in percent of the whole, a KPI's in percent of its
        category. ``direction`` says whether more or less of it changes the grade. Empty: the grade never changes, or
        no weight explains more than the best of them would by chance in one person of a hundred.
        """
        index, side, _, some = self._driven
        strength = index.to_numpy()
        at = strength.argmax(axis=1) if strength.size else np.zeros(len(index), int)
        row = np.arange(len(at))
        up = side.to_numpy()[row, at] if strength.size else np.zeros(0)
        table = pd.DataFrame(
            {
                "weight": np.where(some, index.columns.to_numpy()[at], ""),
                "index": np.where(some, strength[row, at] if strength.size else np.nan, np.nan),
                "direction": np.where(some, np.where(up > 0, "more", "less"), ""),
            },
            index=index.index,
        ).reindex(self.score.index)
        return table.fillna({"weight": "", "direction": ""})

    @property
    def driver(self) -> pd.Series:
        return self.drivers["weight"].rename("driver")

    @cached_property
    def moments(self) -> pd.DataFrame:
        """Mean and SD of each score over the permitted weights: mean, sd, exact.

        Exact where the score is linear in what is drawn; else, where a missing KPI is shared among weights that vary,
        from all draws of the simulation.
        """
        mean, covariance = self.space.moments()
        points = self.panel.complete(mean.to_numpy())
        average = points @ mean.to_numpy() / 100 + self.panel.offset
        variance = np.einsum("ej,jk,ek->e", points, covariance.to_numpy() / 1e4, points)
        spread = np.sqrt(np.maximum(variance, 0.0))
        linear = exact.linear(self.panel, self.space)
        average[~linear], spread[~linear] = self._drawn_moments(self.panel.take(~linear))
        return pd.DataFrame({"mean": average, "sd": spread, "exact": linear}, self._who).reindex(self.score.index)

    def _drawn_moments(self, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
        """Mean and SD of scores over the draws of the simulation, block by block."""
        n = len(panel.points)
        total, squares, draws = np.zeros(n), np.zeros(n), 0
        base = panel.scores(self.baseline.to_numpy()[None])[0]  # measured from here, so that no digits cancel
        rows = max(CELLS // max(n, 1), 1)
        for stream in streams(self.space, self.seed) if n else ():
            have = 0
            while have < self.precision.draws // self.precision.scramblings:
                weights = next(stream)
                for start in range(0, len(weights), rows):
                    off = panel.scores(weights[start : start + rows]) - base
                    total += off.sum(axis=0)
                    squares += (off**2).sum(axis=0)
                have += len(weights)
            draws += have
        average = total / max(draws, 1)
        return base + average, np.sqrt(np.maximum(squares / max(draws, 1) - average**2, 0.0))

    @cached_property
    def score_limits(self) -> pd.DataFrame:
        """Scores no permitted weights pass: low, high, and whether both are reached: see ``weights.limits``."""
        low, high, reached = score_limits(self.panel, self.space)
        return pd.DataFrame({"low": low, "high": high, "exact": reached}, self._who).reindex(self.score.index)

    def summary(self) -> pd.DataFrame:
        """Employees whose grade rests on the choice of weights, the least settled first."""
        table = self.grade_shares.add_prefix("w_").assign(grade=self.grade, w_stay=self.stay, driver=self.driver)
        return table[table["w_stay"] < 1 - 1e-12].sort_values("w_stay", kind="stable")

    def why(self) -> pd.DataFrame:
        """Why grades rest on the choice: ``employee_id, grade, w_stay, driver, direction, weight_now, turns_at,
        grade_then`` of those who do not keep their grade in every draw, the least settled first.

        ``driver``: the weight that drives it (:attr:`drivers`) and whether more or less of it changes the grade; ``""``
        where none stands out. ``turns_at``: the value at which it turns the grade, the others of its level giving way;
        empty where it alone does not. Categories in percent of the whole, weights inside in percent of the category.
        """
        open_ = self.stay[self.stay < 1 - 1e-12].index
        table = pd.DataFrame({"grade": self.grade, "w_stay": self.stay}).loc[open_]
        table = table.join(self.drivers[["weight", "direction"]].rename(columns={"weight": "driver"}))
        table = table.assign(weight_now=np.nan, turns_at=np.nan, grade_then="")
        led = table.index[table["driver"] != ""]
        if len(led):
            at = self._who.get_indexer(led)
            now, then, place = turns(
                self.panel.take(at), self.space, self.baseline.to_numpy(), self.ladder.take(at),
                list(table.loc[led, "driver"]), table.loc[led, "direction"].eq("more").to_numpy(),
            )  # fmt: skip
            grades = np.array(self.ladder.grades, object)[place]
            table.loc[led, "weight_now"], table.loc[led, "turns_at"] = now, then
            table.loc[led, "grade_then"] = np.where(np.isnan(then), "", grades)
        table = table.rename_axis("employee_id").reset_index()
        return table.sort_values(["w_stay", "employee_id"], kind="stable", ignore_index=True)

    @property
    def _who(self) -> pd.Index:
        return self.reason.index[self.reason == ""]

    @cached_property
    def rank_limits(self) -> pd.DataFrame:
        """Best and worst rank any permitted weights can give: best, best_bound, worst, worst_bound, exact.

        ``best`` and ``worst`` are reached by some permitted weights; the bounds cannot be passed. Where they
        meet, the ranks are exact. As far as ``rank_effort`` goes, so that the same input gives the same table; see
        :meth:`prove_ranks` for a limit of time.
        """
        return self._limits(Budget(self.rank_effort))

    def prove_ranks(self, seconds: float) -> pd.DataFrame:
        """``rank_limits`` with as many ranks proved as ``seconds`` allow; one programme may pass them by a moment."""
        return self._limits(Budget(seconds=seconds))

    def _limits(self, budget: Budget) -> pd.DataFrame:
        found = self.found_ranks.reindex(self._who)
        return rank_limits(self.panel, self.space, found, budget).reindex(self.score.index)

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
        """Share of permitted weights under which ``one`` scores higher than ``other``, and the weights that do it."""
        who = list(self._who)
        for name in (one, other):
            if name not in who:
                raise DataError(f"{name} has no result here: {self.reason.get(name, 'not among the employees')}.")
        panel = self.panel.take([who.index(one), who.index(other)])
        total = np.zeros((2, len(self.baseline)))
        wins, draws = np.zeros(2), 0
        for stream in streams(self.space, self.seed):
            have = 0
            while have < self.precision.draws // self.precision.scramblings:
                weights = next(stream)
                lead = -np.diff(panel.scores(weights), axis=1)[:, 0]
                for k, won in enumerate((lead > LAST_BIT, lead < -LAST_BIT)):
                    wins[k] += won.sum()
                    total[k] += weights[won].sum(axis=0)
                have += len(weights)
            draws += have
        mean, mean_other = (
            pd.Series(t / n if n else np.nan, self.baseline.index) for t, n in zip(total, wins, strict=True)
        )
        share, share_other = wins / draws
        polytope, _ = self._law
        by_formula = polytope is not None and bool(exact.linear(panel, self.space).all())
        if by_formula:
            share, share_other = exact.outranking(panel, polytope)
        turn = None
        if not np.isnan(panel.points).any():
            lead, ahead = panel.points[0] - panel.points[1], panel.offset[0] - panel.offset[1]
            turn = turning_weights(lead, ahead, self.space, self.baseline.to_numpy())
        turns = None if turn is None else pd.Series(turn, self.baseline.index)
        return Outranking(one, other, float(share), float(share_other), mean, mean_other, turns, by_formula)

    def compare(self, other: "WeightSimulation") -> pd.DataFrame:
        """What another scenario changes (other points, caps or offsets; the same permitted weights): other less this.

        Index employee_id of those with a result in both: ``changed``, the share of permitted weights that give another
        grade in the other scenario, ``score`` (mean difference, points) and ``w_<grade>`` (difference of shares), each
        with its standard error ``..._se``. Both scenarios are scored under the same draws and differences taken draw
        by draw, so what the draws have in common cancels; the scatter between scramblings is the error.

        Raises
        ------
        DataError
            If weights, law, order or grades differ: there would be no draw in common.
        """
        if self.space != other.space or self.ladder.grades != other.ladder.grades:
            raise DataError("Scenarios are compared under the same permitted weights and grades; these differ.")
        who = self._who.intersection(other._who)
        sides = [(s.panel.take(at := s._who.get_indexer(who)), s.ladder.take(at)) for s in (self, other)]
        grades = self.ladder.grades
        draws = max(self.precision.draws, other.precision.draws) // self.precision.scramblings
        found = np.zeros((self.precision.scramblings, 2 + len(grades), len(who)))
        rows = max(CELLS // max(len(who), 1), 1)
        for k, stream in enumerate(streams(self.space, self.seed)):
            have = 0
            while have < draws:
                weights = next(stream)
                for start in range(0, len(weights), rows):
                    scores = [panel.scores(weights[start : start + rows]) for panel, _ in sides]
                    place = [ladder.place(s) for s, (_, ladder) in zip(scores, sides, strict=True)]
                    found[k, 0] += (place[0] != place[1]).sum(axis=0)
                    found[k, 1] += (scores[1] - scores[0]).sum(axis=0)
                    for g in range(len(grades)):
                        found[k, 2 + g] += (place[1] == g).sum(axis=0) - (place[0] == g).sum(axis=0)
                have += len(weights)
            found[k] /= max(have, 1)
        mean, se = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(len(found))
        names = ["changed", "score", *(f"w_{g}" for g in grades)]
        columns: dict[str, np.ndarray] = {}
        for name, value, error in zip(names, mean, se, strict=True):
            columns |= {name: value, f"{name}_se": error}
        return pd.DataFrame(columns, who.rename("employee_id"))

    @cached_property
    def importance(self) -> pd.DataFrame:
        """What each weight does at the baseline: see :func:`perfmodel.weights.importance`."""
        return importance(self.panel, self.space, self.baseline, self.ladder, self.points_cap)

    @cached_property
    def category_importance(self) -> pd.DataFrame:
        """The same of each category's weight: see :func:`perfmodel.weights.importance.categories`."""
        return categories(self.panel, self.space, self.baseline, self.ladder, self.importance)

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
            rank_best_bound=limits["best_bound"],
            rank_worst_bound=limits["worst_bound"],
            score_mean=self.moments["mean"],
            score_sd=self.moments["sd"],
            score_min=self.score_limits["low"],
            score_max=self.score_limits["high"],
            score_exact=self.moments["exact"].eq(True) & self.score_limits["exact"].eq(True),
            driver_direction=self.drivers["direction"],
            law=self.space.law,
        )
        return conform(table.loc[self._who], "weight_grades", tuple(self.grade_shares.columns))

    def weight_rank_bands(self, profile: str = "") -> pd.DataFrame:
        """The contract's table ``weight_rank_bands``; employees without a result are left out."""
        table = self.rank_bands()
        return conform(
            table[table["employee_id"].isin(self._who)].assign(profile=profile, law=self.space.law), "weight_rank_bands"
        )

    def weight_importance(self, profile: str = "") -> pd.DataFrame:
        """The contract's table ``weight_importance``."""
        return conform(self.importance.reset_index().assign(profile=profile), "weight_importance")

    def weight_categories(self, profile: str = "") -> pd.DataFrame:
        """The table ``weight_categories``: what each category's weight does."""
        return conform(self.category_importance.reset_index().assign(profile=profile), "weight_categories")


@dataclass(frozen=True, eq=False)
class Outranking:
    """``share``: of permitted weights that put one above the other; ``share_other`` the reverse; the rest tie.

    ``turn``: the permitted weights nearest to the baseline (fewest points moved) under which the two stand level;
    None where no permitted weights do that, or a KPI is missing. ``exact``: the shares come from a formula.
    """

    one: str
    other: str
    share: float
    share_other: float
    weights: pd.Series  # mean of the weights that put one above the other, percent of the whole
    weights_other: pd.Series
    turn: pd.Series | None
    exact: bool


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
    rank_effort: float = 1.0,
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
        Upper ends of the rank bands, as shares of the employees ranked; the last is 1. Empty: no ranks at all,
        which is several times as fast for a large company.
    rank_effort : float
        How hard best and worst ranks are proved, in multiples of the usual work; 0 leaves what was found and bounds.

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
    edges = _rank_edges(bands, int(ranked.sum())) if bands else {}
    tally = Tally(panel, ladder, space, list(edges.values()))
    if len(now):
        tally.best = tally.worst = ranks(now[None])[0].astype(np.int64)  # where no draw is ranked: at the baseline
    precision = tally.run(seed, half_width, most_draws)
    within = tally.band_shares
    if edges:
        tally.best = np.where(within[0] > 0, 1, tally.best)  # first in a draw whose whole ranking was not kept

    who, everyone = table.index[ranked], table.index

    def frame(values, columns):
        return pd.DataFrame(values, who, columns).reindex(everyone)

    mean_rank = tally.rank_sum / tally.ranked if tally.ranked else np.full(len(who), np.nan)
    return WeightSimulation(
        space=space,
        baseline=base,
        score=pd.Series(now, who, name="score").reindex(everyone),
        grade=pd.Series(np.array(ladder.grades, object)[place], who, name="grade").reindex(everyone, fill_value=""),
        grade_shares=frame(tally.mean_shares, list(ladder.grades)),
        reason=reason,
        precision=precision,
        seed=seed,
        mean_rank=pd.Series(mean_rank, who, name="mean_rank").reindex(everyone),
        found_ranks=frame(np.stack([tally.best, tally.worst], axis=1), ["best", "worst"]),
        bands=frame(_band_shares(within, edges), list(edges)),
        panel=panel,
        ladder=ladder,
        points_cap=pd.Series(points_cap or {}, dtype=float).reindex(space.names),
        rank_effort=rank_effort,
    )


def _rank_edges(bands: tuple[float, ...], n: int) -> dict[str, int]:
    """Last rank of each band: first place, then shares of ``n`` rounded up to a whole rank."""
    if list(bands) != sorted(set(bands)) or not bands or bands[0] <= 0 or bands[-1] != 1:
        raise DataError("Rank bands must rise from above 0 to 1, such as (0.1, 0.5, 1.0).")
    lower = (0.0, *bands[:-1])
    edges = {"1": 1}
    return edges | {f"{100 * a:g}-{100 * b:g} %": int(np.ceil(b * n - 1e-9)) for a, b in zip(lower, bands, strict=True)}


def _band_shares(within: np.ndarray, edges: Mapping[str, int]) -> np.ndarray:
    """Shares (employees, bands) from shares at or above each edge: first place, then band by band."""
    if not edges:
        return np.empty((within.shape[-1], 0))
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
