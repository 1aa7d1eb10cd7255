"""From a table of ratings to severities, adjusted ratings, and what they rest on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..errors import DataError
from . import anchor as anchors
from . import diagnostics
from .advice import double_ratings
from .links import ASSUMPTIONS, links_table
from .model import Model, fitted
from .offset import self_offset
from .table import SELF, VIGNETTE, RatingTable, by_id, checked

SOLE = "alone in a role or on an item: severity cannot be told from it, and its error is the spread of raters; "


@dataclass(frozen=True, eq=False)
class SeverityFit:
    """Severity of each rater, in rating points, positive when severe; adjusted ratings; and what both rest on.

    Tables are made when first asked for. ``confidence`` is the level of every interval, ``link`` the named
    assumption, if any.
    """

    confidence: float
    min_ratings: int
    link: str | None
    model: Model
    coded: RatingTable
    anchor: np.ndarray | None
    team: Mapping[str, str] | pd.Series | None

    def __repr__(self) -> str:
        linked = int(self.model.identified.sum())
        sd = self.variances.get("rater", np.nan) ** 0.5
        return (
            f"SeverityFit: {len(self.model.rater_ids)} raters, {linked} of them linked, "
            f"{len(self.model.table)} ratings, SD of severity {sd:.2f} rating points"
            + (f", {ASSUMPTIONS[self.link]}" if self.link else "")
        )

    @property
    def variances(self) -> pd.Series:
        """``employee, rater, team, halo, residual`` as far as told apart, in rating points squared."""
        return self.model.variances

    @property
    def criterion(self) -> float:
        """-2 x log restricted likelihood, as lme4 prints it; empty for over 2,500 raters, teams and fixed effects."""
        return self.model.best.criterion if self.model.best is not None else np.nan

    @property
    def reason(self) -> dict[str, str]:
        """Why a component of the model is off, by its name."""
        return self.model.reason

    @cached_property
    def raters(self) -> pd.DataFrame:
        """Index ``rater_id``: ``roles, n_ratings, n_employees, component, severity, se, lower, upper,
        discrimination, halo, drift, verdict, reason``.

        Severity is centred within its component, or over all under an assumption. ``se`` and the interval hold the
        errors of fixed effects and, under 100 raters, of the variances. ``se`` is exact up to 2,500 raters, teams and
        fixed effects together; beyond, its own error is about 5 % at most (from 200 joint draws of the part of its
        square that the other effects spread).
        """
        model, rows = self.model, self.model.table
        n = len(model.rater_ids)
        r, e = rows["r"].to_numpy(), rows["e"].to_numpy()
        role, names = pd.factorize(rows["role"], sort=True)
        has = np.zeros((n, max(len(names), 1)), bool)
        has[r, role] = True
        kinds, kind = np.unique(has, axis=0, return_inverse=True) if n else (has, np.zeros(0, int))
        pairs = np.unique(r.astype(np.int64) * max(len(model.employee_ids), 1) + e)
        table = pd.DataFrame(
            {
                "roles": np.array(["+".join(names[k]) for k in kinds], dtype=object)[kind],
                "n_ratings": np.bincount(r, minlength=n),
                "n_employees": np.bincount(pairs // max(len(model.employee_ids), 1), minlength=n),
            },
            index=pd.Index(model.rater_ids, name="rater_id"),
        )
        known = model.identified
        table["component"] = model.component
        table["severity"] = model.severity
        table["se"] = np.sqrt(model.severity_variance)
        table["lower"], table["upper"] = model.interval(self.confidence)
        few = (table["n_ratings"] < self.min_ratings).to_numpy()
        table["discrimination"] = diagnostics.scale_use(model, ~few)
        table["halo"] = diagnostics.halo(model, ~few)
        table["drift"] = np.nan
        verdict = np.select([table["lower"] > 0, table["upper"] < 0], ["severe", "lenient"], "not distinguishable")
        verdict = np.where(few, "too few ratings", verdict)
        table["verdict"] = np.where(known, verdict, "left alone")
        says = [np.where(known, "", model.alone + "; ")]
        says.append(np.where(few & known, f"under {self.min_ratings} ratings: no verdict; ", ""))
        if self.link:
            says.append(np.where(model.rests, ASSUMPTIONS[self.link] + "; ", ""))
        says.append(np.where(model.sole, SOLE, ""))
        if model.best is not None and model.best.theta["rater"] == 0:
            says.append(np.where(known, "no variance between raters found, so none of severity; ", ""))
        for name in ("discrimination", "halo"):
            why = self.reason.get(name, "rated too little to tell")
            says.append(np.where(table[name].isna() & known, f"{name}: {why}; ", ""))
        reason = np.full(n, "", dtype=object)
        for one in says:
            reason = reason + one.astype(object)
        table["reason"] = reason + diagnostics.NO_DRIFT
        return table

    @cached_property
    def employees(self) -> pd.DataFrame:
        """Index ``employee_id``: ``effect`` (rating points, shrunk; never enters a score), ``se, n_ratings,
        component``."""
        model, n = self.model, len(self.model.employee_ids)
        rated = np.isin(np.arange(n), model.employees_in) & model.identified.any()
        return pd.DataFrame(
            {
                "effect": np.where(rated, model.employee_effects, np.nan),
                "se": np.sqrt(np.maximum(model.employee_variance, 0.0)),
                "n_ratings": np.bincount(model.table["e"], minlength=n),
                "component": model.employee_component,
            },
            index=pd.Index(model.employee_ids, name="employee_id"),
        )

    def conditional_sd(self, of: str = "rater") -> pd.Series:
        """Standard deviation of each ``rater``'s or ``employee``'s effect given the ratings, as lme4's ``condVar``.

        For comparison with other programs: variances and fixed effects are held as known, so it is too small.

        Raises
        ------
        DataError
            For over 2,500 raters (or employees, if fewer) and teams together: it is exact, and so needs the whole
            inverse; ``raters`` and ``employees`` have an ``se`` of any number.
        """
        model = self.model
        if model.best is not None and not model.best.inside_is_dense:
            raise DataError(
                f"The conditional SDs of {len(model.raters_in):,} raters and {len(model.employees_in):,} employees "
                "need an inverse too large to hold whole; take se of raters and employees, whose accuracy is stated."
            )
        ids, codes = (model.rater_ids, model.raters_in) if of == "rater" else (model.employee_ids, model.employees_in)
        out = np.full(len(ids), np.nan)
        if model.best is not None:
            out[codes] = model.best.conditional(of)
        return pd.Series(out, pd.Index(ids, name=f"{of}_id"), name="conditional_sd")

    @cached_property
    def self_offset(self) -> pd.Series:
        """The fixed effect of the role self: how far people rate themselves above (positive) what is expected of them.

        ``estimate, se`` (rating points), ``n`` (people with both on an item), ``reason``. A term of the model that
        links nobody and moves no other estimate; it is shown, and corrects nothing.
        """
        return self_offset(self.model, self.coded.own)

    @cached_property
    def links(self) -> pd.DataFrame:
        """One row a component of raters and employees: counts, algebraic connectivity, who links it."""
        table = self.model.table
        return links_table(table[table["used"]], self.model.component, self.link, self.reason.get("rater", ""))

    @property
    def adjusted_ratings(self) -> pd.DataFrame:
        """``employee_id, scorecard, kpi, rating_raw, rating_adjusted, se, reason``: the combined rating, and the
        same with each rating's severity given back."""
        return self.model.adjusted

    @cached_property
    def consistency(self) -> pd.DataFrame:
        """Index ``rater_id``: ``infit, outfit`` (1 is as expected), ``low, high`` (where 90 % lie by chance)."""
        return diagnostics.consistency(self.model)

    @cached_property
    def separation(self) -> pd.DataFrame:
        """How far raters, and employees, can be told apart: ``n, sd, rmse, reliability, separation, strata``."""
        return diagnostics.separation(self.model)

    @cached_property
    def _examined(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        if self.link != "kpi" or self.anchor is None:
            raise DataError("Only a fit with link='kpi' rests on a KPI, so only there slopes can be compared.")
        return anchors.examined(self.model, self.coded, self.anchor, self.team, self.confidence)

    @property
    def link_slopes(self) -> pd.DataFrame:
        """Under ``kpi``: how the KPI explains people (``within``) and teams (``between``), and their difference."""
        return self._examined[0]

    @property
    def link_range(self) -> pd.DataFrame:
        """Under ``kpi``: severity by rater over the interval of the slope between teams: ``low, used, high``."""
        return self._examined[1]

    def link_ratings(self, end: str) -> pd.DataFrame:
        """``adjusted_ratings`` with the severities of ``link_range`` at one ``end``, ``low`` or ``high``.

        Without ``se``, which is about the slope that is used.
        """
        table = self.adjusted_ratings
        if self.link_range.empty:
            return table.assign(se=np.nan)
        moved = self.model.given_back(self.link_range[end].to_numpy())
        return table.assign(rating_adjusted=moved["rating_adjusted"], se=np.nan)

    def over_variances(self, function: Callable[[pd.Series], float]) -> tuple[float, float, float]:
        """A function of the variance components: at their estimate, and the ends of its interval of ``confidence``.

        Without an interval (empty) from 100 raters on, where the variances are held as known.
        """
        value = function(self.variances)
        parts = [
            (w, function(pd.Series({**{k: e.residual * t**2 for k, t in e.theta.items()}, "residual": e.residual})))
            for w, e in self.model.effects
        ]
        if len(parts) < 2 or not np.isfinite(value):
            return value, np.nan, np.nan
        parts.sort(key=lambda part: part[1])
        below = np.cumsum([w for w, _ in parts])
        ends = [parts[int(np.searchsorted(below, (1 + side * self.confidence) / 2 - 1e-12))][1] for side in (-1, 1)]
        return value, ends[0], ends[1]

    @cached_property
    def _advice(self) -> dict[int, tuple[pd.DataFrame, str]]:
        return {}

    def _advised(self, n: int) -> tuple[pd.DataFrame, str]:
        if n not in self._advice:
            self._advice[n] = double_ratings(self.model, n)
        return self._advice[n]

    def double_ratings(self, n: int = 10) -> pd.DataFrame:
        """Whom to rate a second time: ``rank, rater_id, employee_id, variance_before, variance_after``.

        Links between components come first, then what lowers the mean variance of severities most (A-optimal,
        greedy, by rank-one update): one further rating of an employee, at most three by a rater. Variances are means
        over raters, in rating points squared; a severity that is not identified counts with the variance of raters,
        which holds that of teams where nobody is compared. Links are listed under an assumption too: they are what
        makes it needless. Where fewer than ``n`` are listed, ``double_rating_reason`` says why.
        """
        return self._advised(n)[0].copy()

    def double_rating_reason(self, n: int = 10) -> str:
        """Why ``double_ratings`` lists fewer than ``n``; "" where it does not."""
        return self._advised(n)[1]

    def rating_draws(self, n: int, seed: int | Sequence[int] = 1) -> np.ndarray:
        """What the combined adjusted ratings might have been: (n, len(adjusted_ratings)), rating points.

        Error of severities (jointly), halo and residual about ``rating_adjusted``. The error of a severity and the
        halo and residual of the ratings it comes from are drawn apart although they offset one another in part, so
        draws scatter a little too widely (about a tenth), never too little. NaN where a rater is left alone: its
        severity is not identified, and nothing is drawn for what is not known.
        """
        return self.model.draws(n, seed)

    def group_differences(self, groups: pd.DataFrame) -> pd.DataFrame:
        """Whether a rater's severity differs between groups of people (``employee_id, attribute, value``).

        For HR and legal alone: ``rater_id, attribute, group, reference, n_group, n_reference, difference, se,
        shrunk, p, q, reason``.
        """
        return diagnostics.group_differences(self.model, groups)

    def examples(self, rater_id: str, n: int = 3) -> pd.DataFrame:
        """The rater's own ratings that lie farthest from what all ratings of the same person say.

        ``employee_id, scorecard, kpi, rating, expected`` (with the rater's own severity), ``others`` (raters of the
        same person). Only people whom others rate too; empty where there are none.
        """
        names = ["employee_id", "scorecard", "kpi", "rating", "expected", "others"]
        if not self.model.identified.any():
            return pd.DataFrame(columns=names)
        if rater_id not in self._compared:
            return pd.DataFrame(columns=names)
        own = self._compared[rater_id]
        order = own["rest"].abs().round(9).sort_values(ascending=False, kind="stable").index
        first = own.loc[order].drop_duplicates("employee_id").head(n)
        return first[names].reset_index(drop=True)

    @cached_property
    def _compared(self) -> dict[str, pd.DataFrame]:
        """By rater: ratings of people whom others rate too, what is ``expected``, and the number of ``others``."""
        rows = self.model.residuals
        raters = rows.groupby("e")["r"].transform("nunique")
        own = rows[raters > 1]
        own = own.assign(expected=own["rating"] - own["rest"], others=raters[own.index] - 1)
        return {str(rater): part for rater, part in own.groupby("rater_id", sort=False)}

    def sentences(self) -> list[str]:
        """Headline findings, numbers first."""
        rows = self.raters
        linked = rows["severity"].notna()
        apart = rows[rows["verdict"].isin(["severe", "lenient"])]
        said = []
        if linked.any():
            names = ", ".join(f"{i} {s:+.2f}".replace("-0", "−0") for i, s in apart["severity"].items())
            few = 0 < len(apart) <= 6
            said.append(
                f"{len(apart)} of {int(linked.sum())} linked raters differ from the rest by more than their "
                f"{self.confidence:.0%} intervals{f' ({names})' if few else ''}; at {self.confidence:.0%}, "
                f"chance alone gives about {(1 - self.confidence) * linked.sum():.0f}.".replace("%", " %")
            )
        if self.link:
            named = ASSUMPTIONS[self.link]
            said.append(f"{int(self.model.rests.sum())} of {len(rows)} severities rest on an assumption: {named}.")
        if self.link == "kpi" and self.model.identified.any():
            said.append(anchors.sentence(self.link_slopes))
        alone = rows.index[~linked]
        if len(alone):
            who = ", ".join(alone[:6]) + (" …" if len(alone) > 6 else "")
            why = list(dict.fromkeys(text.split(":")[0] for text in self.model.alone[~linked.to_numpy()]))
            said.append(f"{len(alone)} of {len(rows)} raters left alone ({who}): {'; or '.join(why)}.")
        return said


def fit_severity(
    ratings: pd.DataFrame,
    *,
    role_weights: Mapping[str, float] | None = None,
    confidence: float = 0.90,
    scale: tuple[float, float] | None = None,
    link: str | None = None,
    anchor: pd.Series | None = None,
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

    Variances are those of greatest restricted likelihood. Only the team's has a weak prior that keeps it off 0
    (``reml.System.fit``): few links tell little of it, and at 0 every difference between teams would be called
    severity. Up to 2,500 raters, teams and fixed effects together all is exact. Beyond, traces come from 24 random sign
    vectors, so that a variance errs by about 1 / sqrt(12 x raters) of itself, and standard errors from 200 joint draws,
    within about 5 %; severities at given variances are exact at any size.

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
        Level of the intervals ``lower`` to ``upper``. Under 100 raters they hold the uncertainty of the variances
        (``uncertainty.over_variances``).
    scale : (least, most), optional
        Ratings outside are refused.
    link : None, "equal_teams", "kpi", "vignettes" or "seen"
        An assumption that compares raters whom nothing links; each number that rests on it names it. All teams are
        equally good; teams differ only as their KPI says (``anchor``); all raters judged the same written cases
        (rows of the role ``vignette``) as they judge people; ratings made after seeing another's are independent.
    anchor : Series, optional
        Index employee_id, for ``link="kpi"``: measured-only attainment. Not one whose target the rater set. Ratings
        of people without a figure do not enter the estimate.
    min_ratings : int
        Fewer ratings get no verdict.
    include_overall : bool
        Whether ratings of the whole person (kpi ``overall``) count as evidence too.
    team : mapping or Series of employee_id to team, optional
        Adds a random effect of the team.

    Raises
    ------
    DataError
        If a column is absent, a rating is missing or off the scale, a key repeats, or a link lacks what it needs.

    References
    ----------
    Robinson (1991), That BLUP is a good thing, Statistical Science 6(1). Bates et al. (2015), J. Stat. Softw.
    67(1). Searle, Casella and McCulloch (1992), Variance Components, ch. 7. King et al. (2004), Enhancing the
    validity and cross-cultural comparability of measurement in survey research, Am. Polit. Sci. Rev. 98(1)
    (vignettes).
    """
    if link is not None and link not in ASSUMPTIONS:
        raise DataError(f"The link {link!r} is unknown; write one of {', '.join(ASSUMPTIONS)}, or leave it out.")
    if (link == "kpi") != (anchor is not None):
        raise DataError(
            "link='kpi' and anchor go together: the KPI of each employee, and the name of the assumption under which "
            "it may compare raters."
        )
    if not isinstance(ratings, pd.DataFrame):
        raise DataError("Ratings are a DataFrame with rater_id, employee_id and rating, one row a rating.")
    if not (isinstance(confidence, float) and 0 < confidence < 1):
        raise DataError(f"A confidence lies between 0 and 1, such as 0.9, not at {confidence!r}.")
    if scale is not None and not (len(scale) == 2 and np.isfinite(scale).all() and scale[0] < scale[1]):
        raise DataError(f"A scale is two rising numbers, such as (1, 5), not {scale!r}.")
    coded = checked(ratings, scale, seen_counts=link == "seen", vignettes=link == "vignettes", overall=include_overall)
    if link == "vignettes" and not coded.rows["role"].eq(VIGNETTE).any():
        raise DataError(f"link='vignettes' needs ratings of the role {VIGNETTE}; there are none.")
    if role_weights is None:
        role_weights = {role: float(role not in (SELF, VIGNETTE)) for role in coded.rows["role"].unique()}
    weights = {role: float(weight) for role, weight in role_weights.items()}
    if wrong := [role for role, weight in weights.items() if not (np.isfinite(weight) and weight >= 0)]:
        raise DataError(f"The weight of the role {wrong[0]} is {weights[wrong[0]]}; a weight is a number of 0 or more.")
    roles = set(coded.rows["role"].unique())
    if roles and not any(weights.get(role, 0) > 0 for role in roles) and not set(weights) & roles:
        raise DataError(
            f"No role of role_weights ({', '.join(weights)}) occurs among the ratings, whose roles are "
            f"{', '.join(sorted(roles))}; correct a name."
        )
    team = by_id(team, "team", coded.employee_ids)
    values = None
    if anchor is not None:
        values = anchors.by_employee(by_id(anchor, "anchor", coded.employee_ids), coded.employee_ids)
        if len(coded.rows) and np.isnan(values).all():
            raise DataError("The anchor names a differing figure for no employee who is rated; nothing can be linked.")
    columns = None if values is None else values[:, None]
    model = fitted(coded, weights, link=link, team=team, anchor=columns)
    return SeverityFit(confidence, min_ratings, link, model, coded, values, team)
