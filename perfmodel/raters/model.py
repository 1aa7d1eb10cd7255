"""From coded ratings to a fitted model: what links raters, what the data identify, and the effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..ratings import KEY, combined, counted
from .graph import components
from .links import ASSUMPTIONS, UNLINKED
from .reml import DENSE, Effects, Ratings, System, full_rank
from .table import VIGNETTE, RatingTable
from .uncertainty import over_variances, quantiles

NOTHING = (
    "no rating that tells anything of severity: all are self ratings, of the whole person, or made after another's"
)
HALO_PAIRS = 5  # cells with several ratings that halo needs
EXACT = 1e-7  # share of the ratings' variance: a smaller residual is none
EQUAL = "all ratings that could tell are equal: they say nothing of severity, nor of their own error"
NO_REST = "raters and employees reproduce every rating without a rest, so nothing tells how far a rating may be off"
UNUSED = (
    "no rating here tells of severity: made after seeing another's, of the whole person, or of people without a figure"
)
ONE_EACH = (
    "not told apart from the employee: nobody has several raters, so what one rater alone sees in a person counts as "
    "the person's; standard errors hold what supervisors usually disagree by"
)
ONE_RATING = (
    "not told apart from the residual: everybody has one rating; standard errors hold what supervisors usually "
    "disagree by"
)
MOST_PERSON = 0.9  # share of the variance of single ratings that is taken to be people's, at most
# What severity is the same as where who rated whom makes it so, and how it comes about.
SAME_AS = {
    "fixed": "severity cannot be told from the roles and items: each rater has a role or an item of their own",
    "halo": "severity cannot be told from halo: each rater rates one person, and may see in that one what no one else "
    "does",
    "residual": "severity cannot be told from the chance in a single rating: each rater gave one",
    "employee": "severity cannot be told from the quality of the person: who rated whom makes them the same",
    "team": "severity cannot be told from the quality of the team: who rated whom makes them the same",
}
# Correlation of two supervisors' ratings of one person (Viswesvaran, Ones and Schmidt 1996, J. Appl. Psychol. 81(5),
# table 4): what is assumed where nobody has two raters, and nothing but standard errors rest on it.
USUAL_AGREEMENT = 0.52


@dataclass(frozen=True, eq=False)
class Model:
    """The fitted model with its codes: what tables, draws and advice are made of."""

    table: pd.DataFrame  # all ratings but self, sorted by key; `used` tells which entered the estimate
    role_weights: Mapping[str, float]
    rater_ids: np.ndarray
    employee_ids: np.ndarray
    component: np.ndarray  # of each rater
    employee_component: np.ndarray
    identified: np.ndarray  # whether a rater is compared with another
    link: str | None
    rests: np.ndarray  # whether a rater's number rests on the assumption that is named
    raters_in: np.ndarray  # codes of the raters, and of the employees, that entered the estimate
    employees_in: np.ndarray
    system: System | None  # none where there is no rating to learn from
    best: Effects | None  # at the variances of greatest restricted likelihood
    rows: pd.DataFrame  # ratings that entered, and their fixed effects
    design: np.ndarray
    team_of: np.ndarray  # team of each employee that entered; none fitted: empty
    anchor_at: np.ndarray  # where each column of the anchor stands among the fixed effects; -1: told by the others
    reason: dict[str, str]
    merged: dict[str, str]  # what a component is called that holds another, which nothing tells from it

    @property
    def across(self) -> bool:
        """Whether an assumption compares raters whom nothing links."""
        return self.link in ("equal_teams", "kpi")

    @cached_property
    def effects(self) -> list[tuple[float, Effects]]:
        """Effects over the variances that the ratings allow, with their weights."""
        if self.best is None or self.system is None:
            return []
        if not self.identified.any():
            return [(1.0, self.best)]
        return over_variances(self.system, self.best)

    @cached_property
    def variances(self) -> pd.Series:
        """Variance components, rating points squared, by the names that the data can tell apart."""
        if self.best is None:
            return pd.Series([], dtype=float, name="variance")
        values = {name: self.best.residual * theta**2 for name, theta in self.best.theta.items()}
        merged = {"rater": "rater and team"} if not self.identified.any() else {}
        if self.reason.get("halo") == ONE_EACH:
            merged["employee"] = "employee and halo"
        merged |= self.merged
        held = self.system.held if self.system is not None else frozenset()
        residual = self.best.residual + sum(values[name] for name in held)
        values = {merged.get(name, name): value for name, value in values.items() if name not in held}
        return pd.Series({**values, merged.get("residual", "residual"): residual}, name="variance")

    # Severities -------------------------------------------------------------------------------------------------

    @cached_property
    def groups(self) -> np.ndarray:
        """Group within which severities are centred: the component, or all raters under an assumption; from 0."""
        return np.zeros(len(self.component), int) if self.across else self.component - 1

    def centred(self, values: np.ndarray) -> np.ndarray:
        """(…, raters that entered) -> (…, all raters), less the mean of the identified in each group; else 0."""
        whole = np.zeros((*values.shape[:-1], len(self.rater_ids)))
        whole[..., self.raters_in] = values
        whole *= self.identified
        return whole - self._group_means(whole) * self.identified

    def _group_means(self, whole: np.ndarray) -> np.ndarray:
        size = np.maximum(np.bincount(self.groups, self.identified), 1)
        flat = whole.reshape(-1, whole.shape[-1])
        from scipy.sparse import csr_array

        n = len(self.groups)
        to_group = csr_array((np.ones(n), (np.arange(n), self.groups)), shape=(n, len(size)))
        return ((flat @ to_group) / size)[:, self.groups].reshape(whole.shape)

    def severity_of(self, effects: Effects) -> np.ndarray:
        return self.centred(-effects.rater)

    @cached_property
    def severity(self) -> np.ndarray:
        """Severity of each rater at the best variances, centred; NaN where not identified."""
        if self.best is None:
            return np.full(len(self.rater_ids), np.nan)
        return np.where(self.identified, self.severity_of(self.best), np.nan)

    def variance_of(self, effects: Effects) -> np.ndarray:
        """Variance of the error of each centred severity, the variances held as known: var(s_i - mean of its group)."""
        groups, at = np.unique(self.groups[self.raters_in], return_inverse=True)
        own = effects.variance("rater")
        if effects.inside_is_dense and len(groups) * len(at) <= DENSE**2:
            # Exact: var(s_i) - 2 cov(s_i, mean) + var(mean).
            share = np.zeros((len(at), len(groups)))
            share[np.arange(len(at)), at] = self.identified[self.raters_in]
            share /= np.maximum(share.sum(axis=0), 1)
            with_mean = effects.rater_covariance(share)
            of_mean = (share * with_mean).sum(axis=0)
            own = own - 2 * with_mean[np.arange(len(at)), at] + of_mean[at]
        else:
            # A rater's own part is as exact as the system allows; the mean's is small, and from draws.
            drawn = effects.samples("rater")
            mean = drawn - self.centred(drawn)[:, self.raters_in]
            own = own - 2 * (drawn * mean).mean(axis=0) + (mean**2).mean(axis=0)
        out = np.full(len(self.rater_ids), np.nan)
        out[self.raters_in] = np.maximum(own, 0.0)
        return np.where(self.identified, out, np.nan)

    @cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weight (parts,), centred severity and its variance (parts, raters) at each set of variances."""
        weight = np.array([w for w, _ in self.effects])
        mean = np.stack([self.severity_of(e) for _, e in self.effects])
        variance = np.stack([self.variance_of(e) for _, e in self.effects])
        return weight, mean, variance

    @cached_property
    def severity_variance(self) -> np.ndarray:
        """Variance of the error of each centred severity, over the variances that the ratings allow."""
        if not self.identified.any():
            return np.full(len(self.rater_ids), np.nan)
        weight, mean, variance = self._parts
        return weight @ (variance + (mean - self.severity) ** 2)

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of each severity's interval."""
        if not self.identified.any():
            nothing = np.full(len(self.rater_ids), np.nan)
            return nothing, nothing
        weight, mean, variance = self._parts
        known = self.identified
        out = []
        for share in ((1 - level) / 2, (1 + level) / 2):
            end = np.full(len(known), np.nan)
            free = self.system.free if self.system else 1
            end[known] = quantiles(share, weight, mean[:, known], np.sqrt(variance[:, known]), free)
            out.append(end)
        return out[0], out[1]

    # Employees --------------------------------------------------------------------------------------------------

    @cached_property
    def employee_effects(self) -> np.ndarray:
        """Effect of each employee, team included; 0 for those who did not enter."""
        out = np.zeros(len(self.employee_ids))
        if self.best is not None:
            out[self.employees_in] = self._person(self.best)
        return out

    def _person(self, e: Effects) -> np.ndarray:
        """Effect of each employee that entered, the team's included."""
        return e.employee + (e.team[self.team_of] if len(self.team_of) else 0.0)

    @cached_property
    def employee_variance(self) -> np.ndarray:
        out = np.full(len(self.employee_ids), np.nan)
        if self.best is not None and self.identified.any():
            parts = [(w, e.person_variance(self.team_of), self._person(e)) for w, e in self.effects]
            out[self.employees_in] = sum(w * (v + (m - self._person(self.best)) ** 2) for w, v, m in parts)
        return out

    @cached_property
    def residuals(self) -> pd.DataFrame:
        """Ratings used, with the ``merit`` expected from everybody's and the ``rest`` that severity leaves over."""
        assert self.best is not None
        rater = np.zeros(len(self.rater_ids))
        rater[self.raters_in] = self.best.rater
        merit = self.design @ self.best.fixed + self.employee_effects[self.rows["e"]]
        rest = self.rows["rating"] - merit - rater[self.rows["r"]]
        return self.rows.assign(merit=merit, rest=rest)[self.identified[self.rows["r"]]]

    @cached_property
    def sole(self) -> np.ndarray:
        """Raters who alone hold a role, or alone rate an item: their severity is the same as its fixed effect."""
        out = np.zeros(len(self.rater_ids), bool)
        if self.system is not None:
            out[self.raters_in] = self.system.inside_fixed("rater")
        return out & self.identified

    @cached_property
    def alone(self) -> np.ndarray:
        """Why each rater is left alone; "" for those who are compared."""
        says = np.bincount(self.table["r"], self.table["used"], len(self.rater_ids)) > 0
        why = np.where(says, self.reason.get("rater", UNLINKED), UNUSED).astype(object)
        return np.where(self.identified, "", why)

    # Adjusted ratings -------------------------------------------------------------------------------------------

    @cached_property
    def counted(self) -> pd.DataFrame:
        """Ratings that enter a combined rating, with their share in it (``part``) and its row (``item``)."""
        return counted(self.table[self.table["role"].ne(VIGNETTE)], self.role_weights)

    def given_back(self, severity: np.ndarray) -> pd.DataFrame:
        """Combined ratings as they are and with ``severity`` (of each rater) given back, where all raters are known."""
        rows = self.counted
        known = self.identified[rows["r"]]
        given = np.where(known, rows["rating"] + np.nan_to_num(severity[rows["r"]]), rows["rating"])
        table = combined(rows).rename(columns={"rating": "rating_raw"})
        table["rating_adjusted"] = combined(rows.assign(given=given), "given")["rating"]
        alone = np.bincount(rows["item"], ~known, len(table)) > 0
        table.loc[alone, "rating_adjusted"] = table.loc[alone, "rating_raw"]
        return table.assign(alone=alone)

    @cached_property
    def adjusted(self) -> pd.DataFrame:
        rows, table = self.counted, self.given_back(self.severity)
        alone = table["alone"]
        first = rows[~self.identified[rows["r"]]].drop_duplicates("item")
        why = np.full(len(table), "", dtype=object)
        why[first["item"]] = self.alone[first["r"]]
        table["reason"] = np.where(alone, "left alone: " + why, "")
        if self.link:
            rests = np.bincount(rows["item"], self.rests[rows["r"]], len(table)) > 0
            table["reason"] = np.where(rests & ~alone, ASSUMPTIONS[self.link], table["reason"])
        table["se"] = np.where(alone, np.nan, np.sqrt(self._item_variance(len(table))))
        return table[[*KEY, "rating_raw", "rating_adjusted", "se", "reason"]]

    def _item_variance(self, n: int) -> np.ndarray:
        """Error variance of each combined adjusted rating: severity, halo and residual."""
        rows = self.counted
        by_rater = rows.groupby(["item", "r"], as_index=False)["part"].sum()
        severity = np.nan_to_num(self.severity_variance)[by_rater["r"]]
        halo = sum(w * self._halo_variance(e) for w, e in self.effects)
        residual = sum(w * e.residual for w, e in self.effects)
        variance = np.bincount(by_rater["item"], by_rater["part"] ** 2 * (severity + halo), n)
        return variance + np.bincount(rows["item"], rows["part"] ** 2 * residual, n)

    def _halo_variance(self, e: Effects) -> float:
        """Variance of halo; where nobody has two raters, what is left of the person's at the usual agreement.

        Two raters of a person agree in what a KPI says of the person as well, so that part counts among the shared.
        """
        if self.reason.get("halo") != ONE_EACH:
            return float(e.residual * e.theta.get("halo", 0.0) ** 2)
        own, rater = (e.residual * e.theta[name] ** 2 for name in ("employee", "rater"))
        told = self.anchor_at[self.anchor_at >= 0]
        first = np.unique(self.rows["e"], return_index=True)[1]
        known = float(np.var(self.design[np.ix_(first, told)] @ e.fixed[told]))
        items = max(len(self.rows) / len(e.w), 1.0)
        shared = USUAL_AGREEMENT * (known + own + rater + e.residual / items)
        return float(np.clip(known + own - shared, 0.0, own))

    @cached_property
    def _to_items(self) -> tuple[Any, Any, np.ndarray]:
        """What a combined rating takes of each rater (raters, items), of each rater's view of a person (views, items),
        and the root of the sum of squares of its ratings' shares (items,)."""
        from scipy.sparse import csr_array

        rows, n = self.counted, len(self.adjusted)
        to_item = csr_array((rows["part"], (rows["r"], rows["item"])), shape=(len(self.rater_ids), n))
        pair = rows["r"].to_numpy() * len(self.employee_ids) + rows["e"].to_numpy()
        _, cell = np.unique(pair, return_inverse=True)
        of_cell = csr_array((rows["part"], (cell, rows["item"])), shape=(int(cell.max(initial=-1)) + 1, n))
        return to_item, of_cell, np.sqrt(np.bincount(rows["item"], rows["part"] ** 2, n))

    def draws(self, n: int, seed: int | Sequence[int]) -> np.ndarray:
        """What combined adjusted ratings might have been; see ``SeverityFit.rating_draws``."""
        table = self.adjusted
        if not self.identified.any():
            return np.full((n, len(table)), np.nan)
        rng = np.random.default_rng(seed)
        raw = table["rating_raw"].to_numpy()
        to_item, of_cell, own = self._to_items
        weight = np.cumsum([w for w, _ in self.effects])
        # Each draw takes one set of variances, each as often as it weighs.
        chosen = np.minimum(np.searchsorted(weight, (np.arange(n) + rng.random()) / n), len(weight) - 1)
        drawn = np.empty((n, len(table)))
        for number, (_, e) in enumerate(self.effects):
            if not (at := np.flatnonzero(chosen == number)).size:
                continue
            severity = self.severity_of(e) - self.centred(e.draw("rater", len(at), rng))
            value = raw + severity @ to_item
            if halo := np.sqrt(self._halo_variance(e)):
                seen = rng.standard_normal((len(at), of_cell.shape[0]))
                seen *= halo
                value += seen @ of_cell
            rest = rng.standard_normal(value.shape)
            rest *= np.sqrt(e.residual) * own
            value += rest
            drawn[at] = value
        drawn[:, table["se"].isna()] = np.nan
        return drawn


def fitted(
    coded: RatingTable,
    role_weights: Mapping[str, float],
    *,
    link: str | None,
    team: Mapping[str, str] | pd.Series | None,
    anchor: np.ndarray | None = None,
    offset: np.ndarray | None = None,
) -> Model:
    """The model of the ratings.

    ``anchor`` (employees, columns), under ``kpi`` alone: what is known of employees beside their ratings; NaN where
    nothing is. ``offset`` (employees,) is taken off the ratings before they are explained.
    """
    table, raters, employees = coded.rows, len(coded.rater_ids), len(coded.employee_ids)
    if anchor is not None:
        # Who has no figure cannot be compared by it, and nobody's figure is guessed.
        table = table.assign(used=table["used"] & ~np.isnan(anchor[table["e"]]).any(axis=1))
    used = table[table["used"]]
    r, e = used["r"].to_numpy(), used["e"].to_numpy()
    group, of_employee = components(r, e, raters, employees)
    says = np.bincount(r, minlength=raters) > 0
    identified = (np.bincount(group, minlength=1) > 1)[group] & says
    rests = np.zeros(raters, bool)
    if link in ("equal_teams", "kpi"):
        identified = says.copy() if says.sum() > 1 else identified
        rests = identified.copy()
    elif link:
        doubtful = used["role"].eq(VIGNETTE) if link == "vignettes" else used["seen"]
        rests = np.isin(group, group[r[doubtful.to_numpy()]]) & identified
    # Raters left alone say nothing of severity: their spread is that of teams as well.
    rows = (used[identified[r]] if identified.any() else used).reset_index(drop=True)
    reason: dict[str, str] = {}
    merged: dict[str, str] = {}
    if rows.empty:
        reason |= {"rater": NOTHING, "team": NOTHING, "halo": NOTHING}
        system, best, design, team_of, anchor_at = None, None, np.zeros((0, 0)), np.zeros(0, int), np.zeros(0, int)
    else:
        if offset is not None:
            rows["rating"] = rows["rating"] - offset[rows["e"]]
        system, design, team_of, anchor_at = _system(rows, coded, team, anchor, link, identified.any(), reason)
        if "rater" in reason:
            best = system.solve(np.zeros(len(system.names)))
        else:
            system, merged = _told_apart(system, identified.any(), reason)
            best = system.fit()
            if reason.get("employee") == ONE_RATING:
                best = _with_people(best)
        if "rater" not in reason and best.residual <= EXACT * np.var(rows["rating"]):
            reason["rater"] = NO_REST
    raters_in, employees_in = np.unique(rows["r"]).astype(int), np.unique(rows["e"]).astype(int)
    identified = identified & np.isin(np.arange(raters), raters_in) & ("rater" not in reason)
    return Model(
        table, dict(role_weights), coded.rater_ids, coded.employee_ids, group, of_employee, identified, link,
        rests & identified, raters_in, employees_in, system, best, rows, design, team_of, anchor_at, reason, merged,
    )  # fmt: skip


def _system(rows, coded: RatingTable, team, anchor, link, compared: bool, reason: dict[str, str]):
    """The equations on the codes of ``rows`` alone, their fixed effects and teams; ``reason``: what is off."""
    raters, r = np.unique(rows["r"], return_inverse=True)
    employees, e = np.unique(rows["e"], return_inverse=True)
    columns = [np.ones(len(rows))]
    for column in ("kpi", "role"):
        code, names = pd.factorize(rows[column], sort=True)
        columns += [(code == level).astype(float) for level in range(1, len(names))]
    if anchor is not None:
        columns += list(anchor[rows["e"].to_numpy()].T)
    kept = full_rank(np.column_stack(columns))[: max(len(rows) - 1, 1)]
    design = np.column_stack([columns[j] for j in kept])
    place = {j: i for i, j in enumerate(kept)}
    width = 0 if anchor is None else anchor.shape[1]
    anchor_at = np.array([place.get(j, -1) for j in range(len(columns) - width, len(columns))], dtype=int)

    codes, team_of = None, np.zeros(0, int)
    if link == "equal_teams":
        reason["team"] = "not fitted: teams are assumed to be equally good"
    elif team is not None:
        named = team.reindex(coded.employee_ids[employees]).astype(object).fillna("").astype(str)
        found, codes = np.unique(named, return_inverse=True)
        pairs = len(np.unique(r.astype(np.int64) * len(found) + codes[e]))
        one_each = pairs == len(raters) and len(found) >= len(raters)
        if one_each or not compared:
            reason["team"] = "not fitted: each rater has a team and rates no other"
        elif len(found) < 2 or len(found) == len(employees):
            reason["team"] = "not fitted: teams are as few as one, or as many as employees"
        if "team" in reason:
            codes = None
        else:
            team_of = codes
    cell, size = np.unique(e.astype(np.int64) * len(raters) + r, return_counts=True)
    raters_of = np.bincount(cell // len(raters))
    several = int((size > 1).sum())
    # One person with two raters is enough: what is not known of the variance then widens the intervals. Halo left
    # out would go into the employees' variance, and make ratings look surer than they are.
    halo = bool(several >= HALO_PAIRS and raters_of.max() > 1)
    if not halo:
        few = "part of the residual: raters gave each person one rating"
        reason["halo"] = few if several < HALO_PAIRS else ONE_EACH
    if np.ptp(rows["rating"]) == 0:
        reason["rater"] = EQUAL
    elif len(raters) < 2 or len(employees) < 2 or len(rows) <= design.shape[1] + 2:
        reason["rater"] = "too little to estimate anything: one rater, one employee, or hardly a rating"
    system = System(Ratings(rows["rating"].to_numpy(float), design, e, r, codes), halo)
    return system, design, team_of, anchor_at


def _told_apart(system: System, compared: bool, reason: dict[str, str]) -> tuple[System, dict[str, str]]:
    """The system without the variances that these ratings cannot tell from others, which then hold them.

    ``merged`` names what holds another. Severity goes before all: what cannot be told from it is not called severity.
    """
    merged: dict[str, str] = {}
    while same := system.aliased():
        off = next((name for name in ("rater", "team", "halo", "employee") if name in same), None)
        if off is None:
            break
        others = [name for name in same if name != off]
        if off == "rater" and compared:
            reason["rater"] = SAME_AS[next(name for name in SAME_AS if name in others)]
        elif off == "employee" and others == ["residual"]:
            reason["employee"] = ONE_RATING
        elif off != "rater":
            reason[off] = f"not told apart from {' and '.join(others)}: who rated whom makes them the same"
        if others != ["fixed"] and len(others) == 1:
            merged[others[0]] = f"{off if compared or off != 'rater' else 'rater and team'} and {others[0]}"
        system = System(system.data, system.with_halo and off != "halo", system.held | ({off} - {"halo"}))
    return system, merged


def _with_people(best: Effects) -> Effects:
    """Where single ratings do not tell people from chance, the people's part by the usual agreement of supervisors.

    The covariance of the ratings, and so every severity, is the same whatever the part.
    """
    system, theta = best.system, best.theta
    whole, rater = best.residual, best.residual * theta["rater"] ** 2
    people = min(USUAL_AGREEMENT * (whole + rater), MOST_PERSON * whole)
    variances = {name: best.residual * theta[name] ** 2 for name in system.names} | {"employee": people}
    return system.solve([variances[name] / (whole - people) for name in system.names])
