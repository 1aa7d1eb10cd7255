"""From a table of ratings to severities, adjusted ratings, and what they rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..errors import DataError
from ..ratings import KEY, OVERALL, combined, counted
from .advice import double_ratings
from .graph import algebraic_connectivity, bridges, components
from .reml import Effects, Ratings, System, full_rank

SELF = "self"
UNLINKED = "no shared rater or ratee: severity and team quality cannot be told apart"
NOTHING = (
    "no rating that tells anything of severity: all are self ratings, of the whole person, or made after another's"
)
NO_DRIFT = "drift: needs earlier quarters"
HALO_PAIRS = 5  # employees with several raters, and cells with several ratings, that halo needs


@dataclass(frozen=True, eq=False)
class SeverityFit:
    """Severity of each rater, in rating points, positive when severe; adjusted ratings; and what both rest on.

    Attributes
    ----------
    raters : DataFrame
        Index ``rater_id``: ``roles, n_ratings, n_employees, component, severity, se, lower, upper,
        discrimination, halo, drift, verdict, reason``. Severity is centred within its component.
    employees : DataFrame
        Index ``employee_id``: ``effect`` (rating points, shrunk; never enters a score), ``se, n_ratings,
        component``.
    variances : Series
        ``employee, rater, team, halo, residual`` as far as fitted, in rating points squared.
    criterion : float
        -2 x log restricted likelihood, as lme4 prints it.
    links : DataFrame
        One row a component of raters and employees: counts, algebraic connectivity, who links it.
    adjusted_ratings : DataFrame
        ``employee_id, scorecard, kpi, rating_raw, rating_adjusted, se, reason``: the combined rating, and the
        same with each rating's severity given back.
    reason : dict
        Why a component of the model is off, by its name.
    """

    raters: pd.DataFrame
    employees: pd.DataFrame
    variances: pd.Series
    criterion: float
    links: pd.DataFrame
    adjusted_ratings: pd.DataFrame
    reason: Mapping[str, str]
    confidence: float
    min_ratings: int
    _fit: "_Fitted"

    def __repr__(self) -> str:
        linked = int(self.raters["severity"].notna().sum())
        sd = self.variances.get("rater", np.nan) ** 0.5
        return (
            f"SeverityFit: {len(self.raters)} raters, {linked} of them linked, "
            f"{int(self.raters['n_ratings'].sum())} ratings, SD of severity {sd:.2f} rating points"
        )

    def double_ratings(self, n: int = 10) -> pd.DataFrame:
        """Whom to rate a second time: ``rank, rater_id, employee_id, variance_before, variance_after``.

        Links between components come first, then what lowers the mean variance of severities most (A-optimal,
        greedy, by rank-one update). Variances are means over raters, in rating points squared; a severity that is
        not identified counts with the variance of raters. Empty where nothing can be gained or raters number
        more than the search can take (``reason["advice"]``).
        """
        return double_ratings(self._fit, n)

    def rating_draws(self, n: int, seed: int | Sequence[int] = 1) -> np.ndarray:
        """What the combined adjusted ratings might have been: (n, len(adjusted_ratings)), rating points.

        Error of severities (jointly), halo and residual about ``rating_adjusted``. NaN where a rater is left
        alone: its severity is not identified, and nothing is drawn for what is not known.
        """
        return self._fit.draws(n, seed)

    def sentences(self) -> list[str]:
        """Headline findings, numbers first."""
        rows = self.raters
        linked = rows["severity"].notna()
        apart = rows[rows["verdict"].isin(["severe", "lenient"])]
        said = []
        if linked.any():
            names = ", ".join(f"{i} {s:+.2f}".replace("-0", "−0") for i, s in apart["severity"].items())
            tail = f" ({names})" if 0 < len(apart) <= 6 else ""
            said.append(
                f"{len(apart)} of {int(linked.sum())} linked raters differ from the rest by more than their "
                f"{self.confidence:.0%} intervals{tail}; at {self.confidence:.0%}, chance alone gives about "
                f"{(1 - self.confidence) * linked.sum():.0f}.".replace("%", " %")
            )
        alone = rows.index[~linked]
        if len(alone):
            who = ", ".join(alone[:6]) + (" …" if len(alone) > 6 else "")
            said.append(f"{len(alone)} of {len(rows)} raters left alone ({who}): no shared rater or ratee.")
        return said


def fit_severity(
    ratings: pd.DataFrame,
    *,
    role_weights: Mapping[str, float] | None = None,
    confidence: float = 0.90,
    scale: tuple[float, float] | None = None,
    assumption: str | None = None,
    min_ratings: int = 5,
    include_overall: bool = False,
    team: Mapping[str, str] | pd.Series | None = None,
) -> SeverityFit:
    """Estimate how severe each rater is from the employees they rate in common, and give it back.

        rating = mean + kpi + role + team + employee - severity + halo + residual

    team, employee, severity and halo (employee x rater) are random with mean 0, so a rater with few ratings
    stays near 0 (Robinson 1991). With one KPI, one role, no team and everybody linked this is exactly
    ``y ~ 1 + (1|employee) + (1|rater)`` fitted by REML. Self ratings link nothing and are never adjusted;
    ratings made after seeing another (``blind`` no) do not enter the estimate. Where raters share nobody with
    others (directly or through others), severity cannot be told from team quality: their ratings are left
    alone, with the reason.

    Do not use it without ``team`` where raters mostly rate their own teams and links are few: unexplained
    differences between teams would then be taken for severity.

    Parameters
    ----------
    ratings : DataFrame
        One row per rating: ``rater_id, employee_id, rating`` (points of the scale); ``scorecard, kpi, role,
        blind`` where there are several.
    role_weights : mapping, optional
        Weight of each role in the combined rating; all but self weigh the same where it is not given.
    confidence : float
        Level of the intervals ``lower`` to ``upper``. They are Student's, with (linked raters - 1) degrees of
        freedom: few raters tell little of the variance that their severities are shrunk by.
    scale : (least, most), optional
        Ratings outside are refused.
    assumption : None or "equal_teams"
        ``equal_teams`` holds all teams to be equally good and so compares all raters; every reason names it.
    min_ratings : int
        Fewer ratings get no verdict.
    include_overall : bool
        Whether ratings of the whole person (kpi ``overall``) count as evidence too.
    team : mapping or Series of employee_id to team, optional
        Adds a random effect of the team.

    Raises
    ------
    DataError
        If a column is absent, a rating is missing or off the scale, or a key repeats.

    References
    ----------
    Robinson (1991), That BLUP is a good thing, Statistical Science 6(1). Bates et al. (2015), J. Stat. Softw.
    67(1). Searle, Casella and McCulloch (1992), Variance Components, ch. 7.
    """
    if assumption not in (None, "equal_teams"):
        raise DataError(f"The assumption {assumption!r} is unknown; write equal_teams, or leave it out.")
    table = _checked(ratings, scale)
    if role_weights is None:
        role_weights = {role: float(role != SELF) for role in table["role"].unique()}
    fitted = _Fitted.of(table, role_weights, assumption == "equal_teams", include_overall, team)
    return SeverityFit(
        raters=fitted.rater_table(confidence, min_ratings),
        employees=fitted.employee_table(),
        variances=fitted.variances,
        criterion=fitted.effects.criterion,
        links=fitted.links,
        adjusted_ratings=fitted.adjusted,
        reason=fitted.reason,
        confidence=confidence,
        min_ratings=min_ratings,
        _fit=fitted,
    )


def _checked(ratings: pd.DataFrame, scale: tuple[float, float] | None) -> pd.DataFrame:
    """The ratings with every column, sorted by key."""
    if absent := [c for c in ("rater_id", "employee_id", "rating") if c not in ratings]:
        raise DataError(f"The ratings have no column {', '.join(absent)}; severity needs rater, employee and rating.")
    table = ratings.copy()
    for column, value in (("scorecard", ""), ("kpi", "rating"), ("role", "rater"), ("blind", True)):
        if column not in table:
            table[column] = value
    table["scorecard"] = table["scorecard"].astype(object).where(table["scorecard"].notna(), "")  # one has no name
    for column in ("rater_id", "employee_id", "scorecard", "kpi", "role"):
        if (empty := table[column].isna()).any():
            raise DataError(f"{empty.sum()} ratings have no {column}: whose they are cannot be guessed.")
        table[column] = table[column].astype(str).astype(object)
    seen = table["blind"].map({False: True, "no": True, "False": True}).astype("boolean").fillna(False)
    table["seen"] = seen.to_numpy(bool)
    try:
        table["rating"] = table["rating"].astype(float)
    except (TypeError, ValueError):
        raise DataError("A rating is not a number. Leave a row out where no rating was given.") from None
    if not np.isfinite(table["rating"]).all():
        raise DataError("A rating is missing or infinite. Leave a row out where no rating was given.")
    if scale is not None and not table["rating"].between(*scale).all():
        value = table.loc[~table["rating"].between(*scale), "rating"].iloc[0]
        raise DataError(f"A rating of {value:g} lies outside the scale {scale[0]:g} to {scale[1]:g}.")
    key = ["rater_id", "employee_id", "scorecard", "kpi", "role"]
    if (twice := table.duplicated(key)).any():
        row = table[twice].iloc[0]
        raise DataError(
            f"{row['rater_id']} rates {row['employee_id']} twice on {row['kpi']} in the role {row['role']}. "
            "Which of the two counts cannot be guessed; keep one."
        )
    return table.sort_values(key, kind="stable").reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """The fitted model with its codes: what tables, draws and advice are made of."""

    table: pd.DataFrame  # all ratings but self, sorted by key; `used` tells which entered the estimate
    role_weights: Mapping[str, float]
    rater_ids: np.ndarray
    employee_ids: np.ndarray
    component: np.ndarray  # of each rater
    employee_component: np.ndarray
    identified: np.ndarray  # whether a rater is compared with another
    assumed: bool
    raters_in: np.ndarray  # codes of the raters, and of the employees, that entered the estimate
    employees_in: np.ndarray
    effects: Effects
    system: System | None  # none where there is no rating to learn from
    design: np.ndarray  # fixed effects of the ratings that entered
    team_of: np.ndarray  # team of each employee that entered
    reason: dict[str, str]

    @classmethod
    def of(cls, table, role_weights, assumed, include_overall, team) -> "_Fitted":
        table = table[table["role"].ne(SELF)].reset_index(drop=True)
        usable = ~table["seen"] & (table["kpi"].ne(OVERALL) | include_overall)
        rater_ids = np.sort(table["rater_id"].unique())
        employee_ids = np.sort(table["employee_id"].unique())
        table["r"] = np.searchsorted(rater_ids, table["rater_id"])
        table["e"] = np.searchsorted(employee_ids, table["employee_id"])
        table["used"] = usable
        used = table[usable]
        group, of_employee = components(used["r"].to_numpy(), used["e"].to_numpy(), len(rater_ids), len(employee_ids))
        several = np.bincount(group, minlength=1) > 1
        linked = several[group] & np.isin(np.arange(len(rater_ids)), used["r"].unique())
        identified = linked | assumed
        # Raters left alone say nothing of severity: their spread is that of teams as well.
        rows = used[identified[used["r"]]] if identified.any() else used
        effects, system, design, team_of, reason = _fit(rows, team, employee_ids, identified.any())
        known = np.isin(np.arange(len(rater_ids)), rows["r"].unique()) & identified & ("rater" not in reason)
        return cls(
            table, dict(role_weights), rater_ids, employee_ids, group, of_employee, known, assumed,
            np.sort(rows["r"].unique()), np.sort(rows["e"].unique()), effects, system, design, team_of, reason,
        )  # fmt: skip

    @cached_property
    def variances(self) -> pd.Series:
        e = self.effects
        if self.system is None:
            return pd.Series([], dtype=float, name="variance")
        values = {name: e.residual * theta**2 for name, theta in e.theta.items()}
        if not self.identified.any():
            values = {("rater and team" if k == "rater" else k): v for k, v in values.items()}
        return pd.Series({**values, "residual": e.residual}, name="variance")

    @cached_property
    def used(self) -> pd.DataFrame:
        return self.table[self.table["used"] & self.identified[self.table["r"]]]

    @cached_property
    def centring(self) -> np.ndarray:
        """Group within which severities are centred: the component, or all raters under ``equal_teams``."""
        return np.where(self.assumed, 1, self.component)

    @cached_property
    def severity(self) -> np.ndarray:
        """Severity of each rater, centred; NaN where not identified."""
        raw = pd.Series(np.where(self.identified, -self._whole(self.effects.rater), np.nan))
        return (raw - raw.groupby(self.centring).transform("mean")).to_numpy()

    def _whole(self, values: np.ndarray) -> np.ndarray:
        """Values of the raters that entered, put in the place of each among all raters; 0 elsewhere."""
        out = np.zeros((len(self.rater_ids), *values.shape[1:]))
        out[self.raters_in] = values
        return out

    @cached_property
    def members(self) -> np.ndarray:
        """Raters x groups: 1 / size where an identified rater belongs to the group."""
        groups, at = np.unique(self.centring, return_inverse=True)
        belongs = np.zeros((len(at), len(groups)))
        belongs[np.arange(len(at)), at] = self.identified
        return belongs / np.maximum(belongs.sum(axis=0), 1)

    @cached_property
    def severity_variance(self) -> np.ndarray:
        """Variance of the error of each centred severity: var(s_i - mean of its group)."""
        if not self.identified.any():
            return np.full(len(self.rater_ids), np.nan)
        e, m = self.effects, self.members
        with_mean = self._whole(e.covariance("rater", m[self.raters_in]))
        of_mean = np.einsum("ij,ij->j", m, with_mean)
        group = m.argmax(axis=1)
        rows = np.arange(len(m))
        variance = self._whole(e.covariance("rater")) - 2 * with_mean[rows, group] + of_mean[group]
        return np.where(self.identified, np.maximum(variance, 0.0), np.nan)

    @cached_property
    def residuals(self) -> pd.DataFrame:
        """Ratings used, with the ``merit`` expected from everybody's and the ``rest`` that severity leaves over."""
        rows, e = self.used, self.effects
        rater, employee = self._whole(e.rater)[rows["r"]], self.employee_effects[rows["e"]]
        merit = self.design @ e.fixed + employee
        return rows.assign(merit=merit, rest=rows["rating"] - merit - rater)

    @cached_property
    def employee_effects(self) -> np.ndarray:
        """Effect of each employee, team included; 0 for those who did not enter."""
        e, out = self.effects, np.zeros(len(self.employee_ids))
        out[self.employees_in] = e.employee + (e.team[self.team_of] if len(e.team) else 0.0)
        return out

    def rater_table(self, confidence: float, min_ratings: int) -> pd.DataFrame:
        from scipy.special import stdtrit  # Student's t; scipy.stats has the same and takes ten times as long to import

        rows = self.table
        by = rows.groupby("r")
        table = pd.DataFrame(
            {
                "roles": by["role"].agg(lambda r: "+".join(sorted(set(r)))),
                "n_ratings": by.size(),
                "n_employees": by["e"].nunique(),
            }
        )
        table.index = pd.Index(self.rater_ids, name="rater_id")
        table["component"] = self.component
        table["severity"] = self.severity
        table["se"] = np.sqrt(self.severity_variance)
        z = stdtrit(max(int(self.identified.sum()) - 1, 1), (1 + confidence) / 2)
        table["lower"], table["upper"] = table["severity"] - z * table["se"], table["severity"] + z * table["se"]
        few = table["n_ratings"] < min_ratings
        table["discrimination"], table["halo"] = self._diagnostics(few.to_numpy())
        table["drift"] = np.nan
        verdict = np.select([table["lower"] > 0, table["upper"] < 0], ["severe", "lenient"], "not distinguishable")
        verdict = np.where(few, "too few ratings", verdict)
        table["verdict"] = np.where(self.identified, verdict, "left alone")
        reason = np.where(self.identified, "", UNLINKED + "; ")
        reason = reason + np.where(few & self.identified, f"under {min_ratings} ratings: no verdict; ", "")
        if self.assumed:
            reason = reason + np.where(self.identified, "assuming equal teams; ", "")
        if self.effects.theta["rater"] == 0:
            reason = reason + np.where(self.identified, "no variance between raters found, so none of severity; ", "")
        for name in ("discrimination", "halo"):
            why = self.reason.get(name, "rated too little to tell")
            reason = reason + np.where(table[name].isna() & self.identified, f"{name}: {why}; ", "")
        table["reason"] = reason + NO_DRIFT
        return table

    def _diagnostics(self, few: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Discrimination (1: as the others; under 1: keeps nearer the middle) and halo (SD, rating points) by rater.

        Discrimination is 1 + the slope of what severity leaves over on the merit expected from everybody's
        ratings, against the raters' mean slope, shrunk by the share of its variance that is not error. Halo is
        the root mean square of the rater's halos, given the data: near the pooled SD where little is known.
        """
        n = len(self.rater_ids)
        if not self.identified.any():
            return np.full(n, np.nan), np.full(n, np.nan)
        rows = self.residuals
        merit = rows["merit"] - rows.groupby("r")["merit"].transform("mean")
        sxx = np.bincount(rows["r"], merit**2, n)
        sxy = np.bincount(rows["r"], merit * rows["rest"], n)
        fine = self.identified & ~few & (sxx > 1e-9)
        if fine.any():
            slope = np.where(fine, sxy / np.where(fine, sxx, 1.0) - sxy[fine].sum() / sxx[fine].sum(), 0.0)
            noise = np.where(fine, self.effects.residual / np.where(fine, sxx, 1.0), 0.0)
            between = max(float(np.mean(slope[fine] ** 2 - noise[fine])), 0.0)
            slope *= between / np.maximum(between + noise, 1e-300)
        discrimination = np.where(fine, 1 + slope, np.nan) if fine.any() else np.full(n, np.nan)
        if self.system is None or "halo" not in self.effects.theta:
            return discrimination, np.full(n, np.nan)
        of_cell = self.raters_in[self.system.r]
        square = np.bincount(of_cell, self.effects.halo**2 + self.effects.halo_variance, n)
        halo = np.sqrt(square / np.maximum(np.bincount(of_cell, minlength=n), 1))
        return discrimination, np.where(self.identified & ~few, halo, np.nan)

    def employee_table(self) -> pd.DataFrame:
        n = np.bincount(self.table["e"], minlength=len(self.employee_ids))
        known, se = np.zeros(len(n), bool), np.full(len(n), np.nan)
        if self.identified.any():
            known[self.employees_in] = True
            se[self.employees_in] = np.sqrt(np.maximum(self.effects.covariance("employee"), 0.0))
        return pd.DataFrame(
            {
                "effect": np.where(known, self.employee_effects, np.nan),
                "se": se,
                "n_ratings": n,
                "component": self.employee_component,
            },
            index=pd.Index(self.employee_ids, name="employee_id"),
        )

    @cached_property
    def links(self) -> pd.DataFrame:
        rows = []
        used = self.table[self.table["used"]]
        group = self.component[used["r"]]
        pairs = used.drop_duplicates(["r", "e"])
        shared = pairs.groupby("e")["r"].transform("size") > 1
        roles = used.merge(pairs.loc[shared, ["r", "e"]], on=["r", "e"])
        for number in range(1, int(self.component.max(initial=0)) + 1):
            own = used[group == number]
            raters, employees = own["r"].nunique(), own["e"].nunique()
            if not raters:  # rated only after seeing others
                raters = int((self.component == number).sum())
            inside = roles[self.component[roles["r"]] == number]
            if raters > 1:
                found = inside.groupby("role")["e"].nunique()
                by = ", ".join(f"{role} ({n} employees)" for role, n in found.items())
                hangs = bridges(own["r"].to_numpy(), own["e"].to_numpy()) if raters <= 100 else 0
                told = "severities against each other, within this group"
                if hangs:
                    told += f"; {hangs} {'employee alone holds' if hangs == 1 else 'employees alone hold'} it together"
                connectivity = algebraic_connectivity(own["r"].to_numpy(), own["e"].to_numpy())
            else:
                by, told, connectivity = "none", f"nothing: {UNLINKED}", np.nan
            rows.append((number, raters, employees, connectivity, by, told))
        names = ["component", "n_raters", "n_employees", "connectivity", "linked_by", "what_is_identified"]
        return pd.DataFrame(rows, columns=names)

    @cached_property
    def counted(self) -> pd.DataFrame:
        """Ratings that enter a combined rating, with their share in it (``part``) and its row (``item``)."""
        return counted(self.table, self.role_weights)

    @cached_property
    def adjusted(self) -> pd.DataFrame:
        rows = self.counted
        known = self.identified[rows["r"]]
        given = np.where(known, rows["rating"] + np.nan_to_num(self.severity[rows["r"]]), rows["rating"])
        table = combined(rows).rename(columns={"rating": "rating_raw"})
        table["rating_adjusted"] = combined(rows.assign(given=given), "given")["rating"]
        alone = pd.Series(~known).groupby(rows["item"].to_numpy()).any()
        table["reason"] = np.where(alone, f"left alone: {UNLINKED}", "")
        if self.assumed:
            table["reason"] = np.where(alone, table["reason"], "assuming equal teams")
        table.loc[alone.to_numpy(), "rating_adjusted"] = table.loc[alone.to_numpy(), "rating_raw"]
        table["se"] = np.where(alone, np.nan, np.sqrt(self._item_variance()))
        return table[[*KEY, "rating_raw", "rating_adjusted", "se", "reason"]]

    def _item_variance(self) -> np.ndarray:
        """Error variance of each combined adjusted rating: severity, halo and residual."""
        rows, e = self.counted, self.effects
        n = int(rows["item"].max()) + 1 if len(rows) else 0
        by_rater = rows.groupby(["item", "r"], as_index=False)["part"].sum()
        severity = np.nan_to_num(self.severity_variance)[by_rater["r"]]
        halo = e.residual * e.theta.get("halo", 0.0) ** 2
        variance = np.bincount(by_rater["item"], by_rater["part"] ** 2 * (severity + halo), n)
        return variance + np.bincount(rows["item"], rows["part"] ** 2 * e.residual, n)

    def draws(self, n: int, seed: int | Sequence[int]) -> np.ndarray:
        from scipy.sparse import csr_array

        e, rows, table = self.effects, self.counted, self.adjusted
        rng = np.random.default_rng(seed)

        def combined_errors(errors: np.ndarray, code: np.ndarray) -> np.ndarray:
            parts = csr_array((rows["part"], (code, rows["item"])), shape=(errors.shape[1], len(table)))
            return errors @ parts

        severity = np.zeros((n, len(self.rater_ids)))
        severity[:, self.raters_in] = -e.draw("rater", n, rng)
        severity -= severity @ self.members @ (self.members > 0).T
        drawn = table["rating_adjusted"].to_numpy() - combined_errors(severity, rows["r"])
        if halo := e.theta.get("halo", 0.0):
            pair = rows["r"].to_numpy() * len(self.employee_ids) + rows["e"].to_numpy()
            _, cell = np.unique(pair, return_inverse=True)
            sd = np.sqrt(e.residual) * halo
            drawn += combined_errors(sd * rng.standard_normal((n, int(cell.max(initial=-1)) + 1)), cell)
        own = np.bincount(rows["item"], rows["part"] ** 2, len(table))
        drawn += np.sqrt(e.residual * own) * rng.standard_normal(drawn.shape)
        drawn[:, table["se"].isna()] = np.nan
        return drawn


def _fit(rows: pd.DataFrame, team, employee_ids: np.ndarray, identified: bool):
    """Effects on the codes of ``rows`` alone, the system, and why parts of the model are off."""
    if rows.empty:
        return Effects.none(), None, np.zeros((0, 0)), None, {"rater": NOTHING, "team": NOTHING, "halo": NOTHING}
    reason = {}
    raters, r = np.unique(rows["r"], return_inverse=True)
    employees, e = np.unique(rows["e"], return_inverse=True)
    dummies = [np.ones(len(rows))]
    for column in ("kpi", "role"):
        dummies += [rows[column].eq(level).to_numpy(float) for level in np.sort(rows[column].unique())[1:]]
    design = full_rank(np.column_stack(dummies))
    codes = None
    if team is not None:
        named = pd.Series(employee_ids[employees]).map(dict(team)).fillna("").astype(str)
        found, codes = np.unique(named, return_inverse=True)
        one_each = len(np.unique(np.column_stack([r, codes[e]]), axis=0)) == len(raters) and len(found) >= len(raters)
        if len(found) < 2 or len(found) == len(employees) or one_each or not identified:
            why = (
                "each rater has a team and rates no other"
                if one_each or not identified
                else "teams are as few as one, or as many as employees"
            )
            reason["team"] = f"not fitted: {why}"
            codes = None
    cells = pd.Series(r).groupby(e.astype(np.int64) * len(raters) + r).size()
    per_employee = pd.Series(cells.index // len(raters)).value_counts()
    halo = bool((cells > 1).sum() >= HALO_PAIRS and (per_employee > 1).sum() >= HALO_PAIRS and len(raters) > 1)
    if not halo:
        reason["halo"] = "not told from the residual: too few employees with several ratings by each of several raters"
    if len(rows) <= design.shape[1]:
        design = design[:, : max(len(rows) - 1, 1)]
    if len(raters) < 2 or len(employees) < 2 or len(rows) <= design.shape[1] + 2:
        reason["rater"] = "too little to estimate anything: one rater, one employee, or hardly a rating"
    system = System(Ratings(rows["rating"].to_numpy(float), design, e, r, codes), halo)
    effects = system.fit() if "rater" not in reason else system.solve(
        {name: 0.0 for name in system.names}, effects=True)  # fmt: skip
    return effects, system, design, codes, reason
