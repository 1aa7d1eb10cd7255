"""Ratings as steps, not lengths: a many-facet Rasch model, as a cross-check of the linear fit. Never applied.

    log(P(step k) / P(step k - 1)) = employee - severity - difficulty of the kpi - threshold k

Linacre (1989), Many-Facet Rasch Measurement, ch. 5; rating scale model: Andrich (1978), Psychometrika 43(4); partial
credit model: Masters (1982), Psychometrika 47(2). Estimated by joint maximum likelihood, facet by facet in Newton
steps until observed and expected scores agree.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..errors import DataError
from .graph import components
from .table import SELF

FACETS = ("employee", "rater", "kpi")
SIGNS = {"employee": 1.0, "rater": -1.0, "kpi": -1.0}
GROUPS = {"common": None, "by_kpi": "kpi", "by_rater": "rater"}
EXTREME = 0.3  # score points by which a lowest or highest score is moved to have a finite measure
BEYOND = 40.0  # logits: where a step stands that nobody in the estimate tells of
CLOSE, STEPS = 1e-7, 3000  # score points between observed and expected at which the search ends
NOTHING_LEFT = "no measure: every rating that could tell is of somebody, or on something, rated the same throughout"
UNFINISHED = (
    "The search did not end in {} rounds: observed and expected scores are still {:.2g} points apart, so measures may "
    "move further. Read nothing into small differences."
)
BIAS = (
    "Joint maximum likelihood estimates lie too far out: by about L / (L - 1) where a parameter rests on L ratings "
    "(Wright and Douglas 1977, Applied Psychological Measurement 1(2)), far more for a rater of one or two people. "
    "They are not corrected, not shrunk, and nothing is adjusted by them."
)


@dataclass(frozen=True, eq=False)
class FacetsFit:
    """Measures of employees, raters and kpis in logits, and the thresholds between steps.

    Attributes
    ----------
    employees, raters, kpis : DataFrame
        Index id: ``measure`` (logits; of raters positive is severe, of kpis hard), ``se`` (1 / root of information),
        ``infit, outfit`` (mean squares, 1 is as expected), ``n`` (ratings), ``reason``. Raters and kpis are centred
        at 0, raters within each group that shared employees link. ``raters`` has ``expected`` too: what a person of
        mean measure gets on a kpi of difficulty 0, in points of the rating scale.
    thresholds : DataFrame
        ``group, step`` (points of the scale that the step leads to), ``threshold`` (logits, sum 0 in a group), ``n``.
    reason : str
        What could not be done as usual; empty where all could.
    """

    employees: pd.DataFrame
    raters: pd.DataFrame
    kpis: pd.DataFrame
    thresholds: pd.DataFrame
    reason: str
    bias_note: str = BIAS

    def __repr__(self) -> str:
        return (
            f"FacetsFit: {len(self.employees)} employees, {len(self.raters)} raters, {len(self.kpis)} kpis; "
            f"raters from {self.raters['measure'].min():+.2f} to {self.raters['measure'].max():+.2f} logits"
        )

    def map_table(self) -> pd.DataFrame:
        """All measures, for a Wright map: ``facet, id, measure, se``."""
        parts = [
            table.reset_index(names="id").assign(facet=facet)
            for facet, table in zip(FACETS, (self.employees, self.raters, self.kpis), strict=True)
        ]
        return pd.concat(parts, ignore_index=True)[["facet", "id", "measure", "se"]]


def fit_facets(
    ratings: pd.DataFrame, *, thresholds: str = "common", scale: tuple[float, float, float] | None = None
) -> FacetsFit:
    """Fit the many-facet rating scale (``common``) or partial credit model (``by_kpi``, ``by_rater``).

    Self ratings, where a column ``role`` says so, do not enter: nobody is a rater of themselves. Where the search does
    not end, ``reason`` says how far observed and expected scores are apart.

    Not for scores, and not for raters of one or two people: see ``bias_note``.

    Parameters
    ----------
    ratings : DataFrame
        ``rater_id, employee_id, kpi`` (may be absent), ``rating`` in points of the scale; one row a rating.
    thresholds : "common", "by_kpi" or "by_rater"
        Whose steps are alike.
    scale : (least, most, step), optional
        Ratings between steps are refused; without it the values that occur are the steps.

    Raises
    ------
    DataError
        If a column is absent, a rating is missing or between steps, a key repeats, all ratings are equal, or
        there is only one rater.
    """
    data = _Data.of(ratings, thresholds, scale)
    return _tables(data, _estimated(data))


@dataclass(frozen=True, eq=False)
class _Data:
    """Codes of each rating by facet, its step (from 0), its group of thresholds, and what is extreme."""

    codes: dict[str, np.ndarray]
    ids: dict[str, np.ndarray]
    x: np.ndarray
    group: np.ndarray
    groups: list[str]
    values: list[np.ndarray]  # by group: rating points of each step
    component: dict[str, np.ndarray]  # of each rater and employee
    reason: str

    @classmethod
    def of(cls, ratings: pd.DataFrame, thresholds: str, scale) -> "_Data":
        if thresholds not in GROUPS:
            raise DataError(f"thresholds={thresholds!r} is unknown; write one of {', '.join(GROUPS)}.")
        if absent := [c for c in ("rater_id", "employee_id", "rating") if c not in ratings]:
            raise DataError(f"The ratings have no column {', '.join(absent)}.")
        table = ratings if "kpi" in ratings else ratings.assign(kpi="rating")
        if "role" in table:
            table = table[table["role"].ne(SELF)]
        key = ["rater_id", "employee_id", "kpi"]
        if table[[*key, "rating"]].isna().any(axis=None):
            raise DataError("A rating, or whose it is, is missing. Leave a row out where no rating was given.")
        if (twice := table.duplicated(key)).any():
            row = table[twice].iloc[0]
            raise DataError(f"{row['rater_id']} rates {row['employee_id']} twice on {row['kpi']}; keep one.")
        table = table.sort_values(key, kind="stable")
        rating = table["rating"].to_numpy(float)
        if scale is not None:
            place = (rating - scale[0]) / scale[2]
            off = (np.abs(place - np.round(place)) > 1e-9) | (rating < scale[0]) | (rating > scale[1])
            if off.any():
                raise DataError(
                    f"A rating of {rating[off][0]:g} is no step of the scale from {scale[0]:g} to {scale[1]:g} by "
                    f"{scale[2]:g}; a many-facet model counts steps."
                )
        codes, ids = {}, {}
        for facet, column in zip(FACETS, ("employee_id", "rater_id", "kpi"), strict=True):
            ids[facet], codes[facet] = np.unique(table[column].astype(str).to_numpy(object), return_inverse=True)
        if len(ids["rater"]) < 2:
            raise DataError("There is one rater only: nobody to be severe against.")
        if len(np.unique(rating)) < 2:
            raise DataError("All ratings are equal: there is no step between them to measure.")
        alike = GROUPS[thresholds]
        group = np.zeros(len(rating), int) if alike is None else codes[alike]
        names = ["all"] if alike is None else list(ids[alike])
        values = [np.unique(rating[group == g]) for g in range(len(names))]
        x = np.array([np.searchsorted(values[g], r) for g, r in zip(group, rating, strict=True)], int)
        of_rater, of_employee = components(codes["rater"], codes["employee"], len(ids["rater"]), len(ids["employee"]))
        said = _skipped(values, names, scale)
        if of_rater.max() > 1:
            said.append(
                f"Raters fall into {of_rater.max()} groups that share no employee: each is centred by itself, and "
                "raters of different groups cannot be compared."
            )
        component = {"rater": of_rater, "employee": of_employee}
        return cls(codes, ids, x, group, names, values, component, " ".join(said))

    @cached_property
    def top(self) -> np.ndarray:
        """Highest step of each rating's group."""
        return np.array([len(v) - 1 for v in self.values])[self.group]


def _skipped(values: list[np.ndarray], names: list[str], scale) -> list[str]:
    """Steps of the scale that nobody used between used ones: the steps beside them are taken as neighbours."""
    if scale is None:
        return []
    said = []
    for name, used in zip(names, values, strict=True):
        steps = np.round(scale[0] + scale[2] * np.arange(round((scale[1] - scale[0]) / scale[2]) + 1), 9)
        inside = steps[(steps > used.min()) & (steps < used.max())]
        if len(missing := np.setdiff1d(inside, np.round(used, 9))):
            listed = ", ".join(f"{m:g}" for m in missing)
            by = "" if name == "all" else name
            said.append(f"Nobody was rated {listed}{f' by {by}' if by else ''}: the steps beside count as neighbours.")
    return said


@dataclass
class _Estimates:
    """Measures by facet (logits, with their sign in the model's sum), thresholds by group, and who has none."""

    measure: dict[str, np.ndarray]
    tau: list[np.ndarray]
    extreme: dict[str, np.ndarray]  # -1 all lowest, +1 all highest, 0 neither
    inside: np.ndarray  # ratings that tell something of the other facets
    apart: float = 0.0  # score points between observed and expected at which the search ended

    def sum(self, data: _Data, rows) -> np.ndarray:
        total = np.zeros(len(data.x[rows]))
        for facet in FACETS:
            total = total + SIGNS[facet] * self.measure[facet][data.codes[facet][rows]]
        return total


def _moments(data: _Data, at: _Estimates, rows: np.ndarray):
    """Expected step, its variance, and the chance to reach each step or a higher, of the ratings ``rows``."""
    total, group = at.sum(data, rows), data.group[rows]
    expected, variance = np.zeros(len(total)), np.zeros(len(total))
    reach: list[tuple[np.ndarray, np.ndarray]] = []
    for g, tau in enumerate(at.tau):
        here = np.flatnonzero(group == g)
        k = np.arange(len(tau) + 1)
        log = np.multiply.outer(total[here], k) - np.concatenate([[0.0], np.cumsum(tau)])
        chance = np.exp(log - log.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        expected[here] = chance @ k
        variance[here] = chance @ k**2 - expected[here] ** 2
        reach.append((here, chance[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]))
    return expected, variance, reach


def _estimated(data: _Data) -> _Estimates:
    extreme = {facet: np.zeros(len(data.ids[facet]), int) for facet in FACETS}
    inside = np.ones(len(data.x), bool)
    inside &= data.top > 0
    while True:  # what is left may have extremes of its own
        found = False
        for facet in FACETS:
            code, n = data.codes[facet][inside], len(data.ids[facet])
            score, most = np.bincount(code, data.x[inside], n), np.bincount(code, data.top[inside], n)
            new = np.where(score == 0, -1, np.where(score == most, 1, 0)) * (most > 0) * (extreme[facet] == 0)
            if len(data.ids[facet]) > 1 and new.any():
                extreme[facet] += new
                inside &= extreme[facet][data.codes[facet]] == 0
                found = True
        if not found:
            break
    if not inside.any():
        raise DataError(
            "Every person, rater or kpi has the lowest or the highest rating throughout: nothing to measure."
        )
    at = _Estimates(
        {facet: np.zeros(len(data.ids[facet])) for facet in FACETS}, [np.zeros(len(v) - 1) for v in data.values],
        extreme, inside,
    )  # fmt: skip
    rows = np.flatnonzero(inside)
    x = data.x[rows]
    for _ in range(STEPS):
        worst = 0.0
        for facet in FACETS:
            expected, variance, _ = _moments(data, at, rows)
            code, n = data.codes[facet][rows], len(data.ids[facet])
            rest, spread = np.bincount(code, x - expected, n), np.bincount(code, variance, n)
            worst = max(worst, float(np.abs(rest).max()))
            step = np.clip(rest / np.maximum(spread, 1e-9), -1, 1)
            at.measure[facet] = at.measure[facet] + SIGNS[facet] * step
            if facet != "employee":
                _centre(data, at, facet)
        worst = max(worst, _thresholds(data, at, rows, x))
        at.apart = worst
        if worst < CLOSE:
            break
    _place_extremes(data, at)
    return at


def _centre(data: _Data, at: _Estimates, facet: str) -> None:
    """Raters (by linked group) and kpis at mean 0; employees take up the difference, so that no sum changes."""
    known = at.extreme[facet] == 0
    if facet == "kpi":
        mean = at.measure[facet][known].mean() if known.any() else 0.0
        at.measure[facet] = at.measure[facet] - mean
        at.measure["employee"] = at.measure["employee"] - mean
        return
    group = data.component["rater"]
    size = np.maximum(np.bincount(group, known), 1)
    mean = np.bincount(group, at.measure[facet] * known, len(size)) / size
    at.measure[facet] = at.measure[facet] - mean[group]
    at.measure["employee"] = at.measure["employee"] - mean[data.component["employee"]]


def _thresholds(data: _Data, at: _Estimates, rows: np.ndarray, x: np.ndarray) -> float:
    """One Newton step of the thresholds; how far observed and expected counts were apart."""
    _, _, reach = _moments(data, at, rows)
    worst = 0.0
    for g, (here, above) in enumerate(reach):
        k = above.shape[1]
        if k < 2 or not len(here):
            continue
        counts = (x[here][:, None] >= np.arange(1, k + 1)).sum(axis=0)
        rest = above.sum(axis=0) - counts
        # d2 log L / d tau_j d tau_k = -(sum of P(>= max(j, k)) - P(>= j) P(>= k)).
        later = np.maximum.outer(np.arange(k), np.arange(k))
        spread = above.sum(axis=0)[later] - above.T @ above
        used = (counts > 0) & (counts < len(here))
        step = np.zeros(k)
        step[used] = np.linalg.lstsq(spread[np.ix_(used, used)], rest[used], rcond=1e-10)[0]
        worst = max(worst, float(np.abs(rest[used] - rest[used].mean()).max()) if used.any() else 0.0)
        at.tau[g] = at.tau[g] + np.clip(step, -1, 1)
        at.tau[g][used] -= at.tau[g][used].mean() if used.any() else 0.0
        # A step that only people outside the estimate reached, or that all inside passed, has no place.
        at.tau[g][counts == 0], at.tau[g][counts == len(here)] = BEYOND, -BEYOND
    return worst


def _place_extremes(data: _Data, at: _Estimates) -> None:
    """A finite measure for who has only lowest or highest ratings: where the score, moved by EXTREME, is expected."""
    for facet in FACETS:
        for level in np.flatnonzero(at.extreme[facet]):
            rows = np.flatnonzero(data.codes[facet] == level)
            rows = rows[data.top[rows] > 0]
            aim = data.top[rows].sum() - EXTREME if at.extreme[facet][level] > 0 else EXTREME
            for _ in range(200):
                expected, variance, _ = _moments(data, at, rows)
                step = np.clip((aim - expected.sum()) / max(variance.sum(), 1e-9), -1, 1)
                at.measure[facet][level] += SIGNS[facet] * step
                if abs(step) < 1e-9:
                    break


def _tables(data: _Data, at: _Estimates) -> FacetsFit:
    everything = np.arange(len(data.x))
    expected, variance, _ = _moments(data, at, everything)
    told = data.top > 0
    square = (data.x - expected) ** 2
    tables = {}
    for facet in FACETS:
        code, n = data.codes[facet], len(data.ids[facet])
        count = np.bincount(code, told, n)
        information = np.bincount(code, variance * told, n)
        with np.errstate(invalid="ignore", divide="ignore"):
            se = np.where(information > 0, 1 / np.sqrt(information), np.nan)
            infit = np.bincount(code, square * told, n) / information
            outfit = np.bincount(code, np.where(told & (variance > 0), square / variance, 0.0), n) / count
        alone = (np.bincount(code, at.inside, n) == 0) & (at.extreme[facet] == 0) | (information < 1e-9)
        words = {1: "all highest", -1: "all lowest"}
        reason = [
            f"{words[e]}: measure of the score less {EXTREME:g}" if e > 0
            else f"{words[e]}: measure of the score plus {EXTREME:g}" if e < 0
            else "no step to measure by: every rating that could tell is equal" if not c
            else NOTHING_LEFT if left
            else ""
            for e, c, left in zip(at.extreme[facet].tolist(), count, alone.tolist(), strict=True)
        ]  # fmt: skip
        lost = np.abs(at.measure[facet]) > BEYOND / 2
        reason = [
            "at a step that nobody else reached: no measure" if out else why
            for out, why in zip(lost, reason, strict=True)
        ]
        none = lost | alone | (count == 0)
        se, infit, outfit = (np.where(none, np.nan, column) for column in (se, infit, outfit))
        tables[facet] = pd.DataFrame(
            {
                "measure": np.where(none, np.nan, at.measure[facet]), "se": se,
                "infit": infit, "outfit": outfit,
                "n": np.bincount(code, minlength=n), "reason": reason,
            },
            index=pd.Index(data.ids[facet], name=f"{facet}_id" if facet != "kpi" else "kpi"),
        )  # fmt: skip
    expected = np.where(tables["rater"]["measure"].notna(), _expected(data, at, tables["employee"]), np.nan)
    tables["rater"].insert(1, "expected", expected)
    steps = [
        (name, value, tau if abs(tau) < BEYOND else np.nan, int((data.x[data.group == g] == k + 1).sum()))
        for g, name in enumerate(data.groups)
        for k, (value, tau) in enumerate(zip(data.values[g][1:], at.tau[g], strict=True))
    ]
    table = pd.DataFrame(steps, columns=["group", "step", "threshold", "n"])
    said = [data.reason] if data.reason else []
    said += [UNFINISHED.format(STEPS, at.apart)] if at.apart >= CLOSE else []
    return FacetsFit(tables["employee"], tables["rater"], tables["kpi"], table, " ".join(said))


def _expected(data: _Data, at: _Estimates, employees: pd.DataFrame) -> np.ndarray:
    """Rating (points) that each rater gives to a person of mean measure on a kpi of difficulty 0."""
    mean = float(employees.loc[employees["reason"].eq(""), "measure"].mean())
    out = []
    for rater, severity in enumerate(at.measure["rater"]):
        groups = np.unique(data.group[data.codes["rater"] == rater])
        found = []
        for g in groups:
            log = np.arange(len(data.values[g])) * (mean - severity) - np.concatenate([[0.0], np.cumsum(at.tau[g])])
            chance = np.exp(log - log.max())
            found.append(float(chance @ data.values[g] / chance.sum()))
        out.append(np.mean(found))
    return np.array(out)
