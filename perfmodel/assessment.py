"""One quarter taken through every method: the only place where the methods meet.

Each property is computed when first asked for and from the cycle alone, so a notebook that asks one
question pays for one answer, and all notebooks and the command line give the same numbers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from .calibration import discussion, propose
from .cycle import Cycle
from .distribution import distribution
from .errors import DataError, Finding
from .fairness import fairness
from .outcomes import pool
from .raters import SeverityFit, drift, fit_severity, with_drift
from .raters.table import SELF, VIGNETTE
from .reliability import grade_chances
from .scoring import item_scores, kpi_table, rescorer, total
from .tables import OUTPUTS, columns_of, conform
from .weights import WeightSimulation, simulate_weights

LARGE = 5000  # people from which weights are simulated while everything else is computed
CHANCE_DRAWS = 4000  # standard error of a chance near .5: .008
CHANCE_LEAST = 1000  # the same of the largest companies: .016
CHANCE_WORK = 200_000_000  # ratings drawn in all, between the two: 50,000 ratings with all draws
CHANCE_CELLS = 4_000_000  # drawn ratings held at a time: 32 MiB
NOT_ONE_SET = "two scorecards that no single set of weights covers: not simulated"

LINK_GRADES = "employee_id unit score_low score_adjusted score_high grade_low grade_adjusted grade_high".split()


@dataclass(frozen=True, eq=False)
class Assessment:
    """Everything perfmodel says of one cycle.

    ``history`` holds earlier quarters, oldest first: they feed the discussion list and never correct
    a score. ``seed`` fixes every draw.
    """

    cycle: Cycle
    seed: int = 1
    history: Sequence[Cycle] = ()

    def __repr__(self) -> str:
        counts = self.counts
        return f"Assessment of {self.cycle.id}: {self.status}, {counts['scored']} of {counts['in']} people scored"

    @property
    def grades(self) -> tuple[str, ...]:
        """Grades of the scheme, best first."""
        return tuple(self.cycle.scheme.cuts)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the reading of this quarter and of the earlier ones found."""
        return (*self.cycle.findings, *getattr(self.history, "findings", ()))

    @cached_property
    def past(self) -> "tuple[Assessment, ...]":
        """The earlier quarters, oldest first, each taken through the methods once for all that is asked of it."""
        return tuple(Assessment(cycle, self.seed) for cycle in self.history)

    @cached_property
    def severity(self) -> SeverityFit:
        """How severe each rater is, and the ratings with that given back."""
        scheme = self.cycle.scheme
        return fit_severity(
            self.cycle.ratings,
            role_weights=scheme.role_weights,
            confidence=scheme.limits.confidence,
            scale=scheme.scale[:2],
            min_ratings=scheme.limits.min_ratings,
            team=self.cycle.employees.set_index("employee_id")["manager_id"],
            link=None if scheme.severity.link == "none" else scheme.severity.link,
            anchor=self.anchor,
        )

    @cached_property
    def anchor(self) -> pd.Series | None:
        """Under the link ``kpi``: mean attainment of each employee on the measured items that the scheme names."""
        names = self.cycle.scheme.severity.anchor
        if not names:
            return None
        measured = item_scores(self.cycle)
        rows = measured[measured["item"].isin(names)]
        return rows.groupby("employee_id")["attainment"].mean().rename("anchor")

    @cached_property
    def drift(self) -> pd.DataFrame:
        """Severity of each rater in this quarter and the earlier ones, and its CUSUM; shown, and corrects nothing."""
        fits = {}
        for past in self.past:
            with suppress(DataError):  # a quarter that cannot be fitted is not compared; `check` on it says why
                fits[past.cycle.id] = past.severity
        fits[self.cycle.id] = self.severity
        spread = {quarter: fit.variances.get("rater", np.nan) for quarter, fit in fits.items()}
        return conform(drift({quarter: fit.raters for quarter, fit in fits.items()}, spread), "drift")

    @cached_property
    def items(self) -> pd.DataFrame:
        """Points of each item of each scorecard, before and after adjustment."""
        return item_scores(self.cycle, adjusted=self.severity.adjusted_ratings)

    @cached_property
    def kpi_scores(self) -> pd.DataFrame:
        return kpi_table(self.items)

    @cached_property
    def totals(self) -> pd.DataFrame:
        """One row an employee: scores and grades before any proposal, events, and who has none and why."""
        return total(self.cycle, self.items)

    @cached_property
    def proposals(self) -> pd.DataFrame:
        """``totals`` with the proposed score and grade."""
        fit = self.severity
        return propose(self.totals, fit.adjusted_ratings, fit.raters, self.cycle.ratings, self.cycle.scheme)

    def with_own(self, others: Mapping[str, "Assessment"]) -> "Assessment":
        """This quarter, in which each of ``others`` (by employee) is as that assessment of the quarter has them.

        Own rows of the input tables, and of ``items, totals, proposals``. What is fitted on everybody stays as it was.
        """
        if not others:
            return self
        own = {name: _spliced(table, {who: one.cycle.tables[name] for who, one in others.items()})
               for name, table in self.cycle.tables.items()}  # fmt: skip
        found = Assessment(replace(self.cycle, tables=MappingProxyType(own)), self.seed, self.history)
        vars(found)["severity"] = self.severity
        for name in ("items", "totals", "proposals"):
            table = _spliced(getattr(self, name), {who: getattr(one, name) for who, one in others.items()})
            vars(found)[name] = table
        return found

    @cached_property
    def chances(self) -> pd.DataFrame:
        """Index employee_id: ``p_<grade>`` and ``se`` (score points) from rating error at the chosen weights.

        Empty for whoever has no score, and where the severity of a rater is not identified.
        """
        fit, cuts = self.severity, self.cycle.scheme.cuts
        index = fit.adjusted_ratings[["employee_id", "scorecard", "kpi"]]
        wanted = chance_draws(len(index))
        block = max(1, min(wanted, CHANCE_CELLS // max(1, len(index))))
        scores_of = rescorer(self.cycle, self.items, self.totals, index)
        people = self.totals.set_index("employee_id")
        caps = people["cap"]
        shares = np.zeros((len(people), len(cuts)))
        sums, squares = np.zeros(len(people)), np.zeros(len(people))
        centre = people["score_adjusted"].to_numpy(float)
        done = 0
        for number in range(-(-wanted // block)):
            scores = scores_of(fit.rating_draws(min(block, wanted - done), seed=(self.seed, number)))
            shares += grade_chances(scores, cuts, caps=caps.to_numpy()) * len(scores)
            sums += (scores - centre).sum(axis=0)
            squares += ((scores - centre) ** 2).sum(axis=0)
            done += len(scores)
        table = pd.DataFrame(shares / done, people.index, [f"p_{g}" for g in cuts])
        table["se"] = np.sqrt(np.maximum(squares / done - (sums / done) ** 2, 0))
        table[self.unidentified | people["score_adjusted"].isna().to_numpy()] = np.nan
        return table

    @cached_property
    def unidentified(self) -> np.ndarray:
        """Whether a rating that counts for the employee has a rater of unknown severity, in the order of totals."""
        known = self.severity.adjusted_ratings
        unlinked = known.loc[known["reason"].str.startswith("left alone"), "employee_id"]
        return self.totals["employee_id"].isin(unlinked).to_numpy()

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The contract's table ``scores``."""
        table = self.proposals.merge(self.chances, left_on="employee_id", right_index=True, how="left")
        chances = table[[f"p_{g}" for g in self.grades]].to_numpy()
        at = table["grade_proposed"].map({g: i for i, g in enumerate(self.grades)})
        table["p_stay"] = np.nan
        has = at.notna().to_numpy()
        table.loc[has, "p_stay"] = chances[np.flatnonzero(has), at[has].astype(int)]
        return conform(table, "scores", self.grades)

    @cached_property
    def weights(self) -> Mapping[str, WeightSimulation]:
        """By profile: grades and ranks over every permitted choice of its weights."""
        return dict(map(simulated, self._weight_questions()))

    def _weight_questions(self) -> list[tuple[str, dict[str, Any]]]:
        """Each profile with what its simulation rests on."""
        scheme = self.cycle.scheme
        most = {i.id: i.points.get("cap", 100.0) for k in scheme.kpis for i in k.items if len(k.items) == 1}
        questions = []
        for profile in (profile.id for profile in scheme.profiles):
            points, offset, cap = self._profile_points(profile)
            question = {
                "points": points,
                "space": scheme.weight_space(profile),
                "grades": scheme.cuts,
                "baseline": scheme.weights(profile).set_index("kpi")["weight"],
                "seed": self.seed,
                "offset": offset,
                "cap": cap,
                "points_cap": {name: cap for name, cap in most.items() if name in points.columns},
            }
            questions.append((profile, question))
        return questions

    def profile_points(self, profile: str) -> pd.DataFrame:
        """Points of each KPI of a profile's scored people: employees x KPIs, adjusted where adjusted."""
        return self._profile_points(profile)[0]

    def _profile_points(self, profile: str) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
        """Points of each KPI of a profile by employee, what the weights do not touch, and caps by gates.

        Points are those of the proposal's direction: adjusted where adjusted. The offset is what is left of
        the proposed score when the weighted points are taken off: bonus, deduction, and the limit on moves.
        """
        people = self.proposals
        ids = people.loc[people["profile"].eq(profile) & people["score_proposed"].notna(), "employee_id"]
        ids = ids[~ids.isin(self.not_simulated["employee_id"])]
        rows = self.kpi_scores[self.kpi_scores["employee_id"].isin(ids)].reset_index(drop=True)
        points = rows["score_adjusted"].where(rows["score_adjusted"].notna(), rows["score_raw"])
        days = self.day_shares.reindex(pd.MultiIndex.from_frame(rows[["employee_id", "scorecard"]]))
        weighted = pd.DataFrame({"share": days.to_numpy(), "employee_id": rows["employee_id"], "kpi": rows["kpi"]})
        weighted["points"] = points * weighted["share"]
        order = self.cycle.scheme.weights(profile)["kpi"]
        wide = weighted.groupby(["employee_id", "kpi"])["points"].sum(min_count=1).unstack().reindex(columns=order)
        counted = (points * rows["weight"] / 100 * weighted["share"]).groupby(rows["employee_id"]).sum()
        chosen = people.set_index("employee_id").loc[wide.index]
        return wide, (chosen["score_proposed"] - counted).rename("offset"), chosen["cap"]

    @cached_property
    def day_shares(self) -> pd.Series:
        """Share of an employee's counted days that each scorecard stands for; index employee_id, scorecard."""
        one = self.items.drop_duplicates(["employee_id", "scorecard"])
        return one.set_index(["employee_id", "scorecard"])["day_share"]

    @cached_property
    def not_simulated(self) -> pd.DataFrame:
        """Scored people who cannot stand under one set of weights: ``employee_id, profile, reason``."""
        cards = self.items.drop_duplicates(["employee_id", "scorecard"])
        cards = cards.loc[cards["day_share"] > 0, ["employee_id", "scorecard", "profile"]]
        cards = cards[cards.duplicated("employee_id", keep=False)]  # whoever has one card cannot mix two
        rows = self.kpi_scores.merge(cards.rename(columns={"profile": "card_profile"}), on=["employee_id", "scorecard"])
        cards = rows.groupby(["employee_id", "scorecard"]).agg(
            profile=("card_profile", "first"),
            missing=("score_raw", lambda s: tuple(s.isna())),
        )
        kinds = cards.reset_index().groupby("employee_id")[["profile", "missing"]].nunique().max(axis=1)
        mixed = kinds.index[kinds > 1]
        people = self.totals[self.totals["employee_id"].isin(mixed) & self.totals["score_raw"].notna()]
        return people[["employee_id", "profile"]].assign(reason=NOT_ONE_SET).reset_index(drop=True)

    def _of_profiles(self, method: str, table: str) -> pd.DataFrame:
        """A contract table of the weight simulation, all profiles one below the other."""
        parts = [getattr(found, method)(profile) for profile, found in self.weights.items() if len(found.stay)]
        names = columns_of(table, self.grades)
        return conform(pd.concat(parts) if parts else pd.DataFrame(columns=names), table, self.grades)

    @cached_property
    def weight_grades(self) -> pd.DataFrame:
        return self._of_profiles("weight_grades", "weight_grades")

    @cached_property
    def weight_rank_bands(self) -> pd.DataFrame:
        return self._of_profiles("weight_rank_bands", "weight_rank_bands")

    @cached_property
    def weight_importance(self) -> pd.DataFrame:
        return self._of_profiles("weight_importance", "weight_importance")

    @cached_property
    def weight_categories(self) -> pd.DataFrame:
        return self._of_profiles("weight_categories", "weight_categories")

    @cached_property
    def raters(self) -> pd.DataFrame:
        table = with_drift(self.severity.raters, self.drift, self.cycle.id)
        return conform(table.reset_index(), "raters")

    @cached_property
    def rater_consistency(self) -> pd.DataFrame:
        return conform(self.severity.consistency.reset_index(), "rater_consistency")

    @cached_property
    def rater_groups(self) -> pd.DataFrame:
        """For HR and legal alone."""
        return conform(self.severity.group_differences(self.cycle.groups), "restricted/rater_groups")

    @cached_property
    def adjusted_ratings(self) -> pd.DataFrame:
        return conform(self.severity.adjusted_ratings, "adjusted_ratings")

    @cached_property
    def links(self) -> pd.DataFrame:
        return conform(self.severity.links, "links")

    @cached_property
    def link_grades(self) -> pd.DataFrame:
        """Under the link ``kpi``: score and grade, severity-adjusted, over the interval of the slope between teams.

        ``employee_id, unit, score_low, score_adjusted, score_high, grade_low, grade_adjusted, grade_high``: with the
        severities at the two ends of that interval and, between them, as used. Empty under no link of that name, and
        where nothing in the ratings examines it.
        """
        names = ["employee_id", "unit", "score_adjusted", "grade_adjusted"]
        table = self.totals[names]
        if self.severity.link != "kpi" or self.severity.link_range.empty:
            return table.head(0).reindex(columns=LINK_GRADES)
        for end in ("low", "high"):
            there = total(self.cycle, item_scores(self.cycle, adjusted=self.severity.link_ratings(end)))
            table = table.assign(**{f"{what}_{end}": there[f"{what}_adjusted"] for what in ("score", "grade")})
        return table.loc[table["score_adjusted"].notna(), LINK_GRADES].reset_index(drop=True)

    @cached_property
    def double_ratings(self) -> pd.DataFrame:
        return conform(self.severity.double_ratings(), "double_ratings")

    @cached_property
    def double_rating_requests(self) -> pd.DataFrame:
        """The advice as rows of the ratings table with the rating still to be filled in, for a coordinator to send."""
        people = self.cycle.employees.set_index("employee_id")
        table = self.double_ratings[["rank", "rater_id", "employee_id"]]
        rated = self.items[self.items["kind"].eq("rated")][["employee_id", "scorecard", "item"]]
        rows = table.merge(rated.rename(columns={"item": "kpi"}), on="employee_id")
        others = [r.id for r in self.cycle.scheme.roles if not r.required and r.id not in (SELF, VIGNETTE)]
        return conform(
            rows.assign(
                rater_name=rows["rater_id"].map(people["name"]).fillna(""),
                employee_name=rows["employee_id"].map(people["name"]).fillna(""),
                unit=rows["employee_id"].map(people["unit"]).fillna(""),
                role="second" if "second" in others or not others else others[0],
                rating="",
                blind="yes",
            ),
            "double_rating_requests",
        )

    @cached_property
    def distribution(self) -> pd.DataFrame:
        return conform(distribution(self.scores, self.cycle.scheme), "distribution")

    @cached_property
    def past_grades(self) -> Mapping[str, pd.Series]:
        """Proposed grade by employee in each earlier quarter, oldest first."""
        past = {one.cycle.id: one.proposals.set_index("employee_id") for one in self.past}
        return {cycle: table.loc[table["score_raw"].notna(), "grade_proposed"] for cycle, table in past.items()}

    @cached_property
    def discussion(self) -> pd.DataFrame:
        return conform(discussion(self.scores, self.totals, self.cycle, self.past_grades), "discussion")

    @cached_property
    def fairness(self) -> pd.DataFrame:
        """For HR and legal alone."""
        return conform(fairness(self.scores, self.cycle.groups, self.cycle.scheme), "restricted/fairness")

    @cached_property
    def pool(self) -> pd.DataFrame:
        return conform(pool(self.scores, self.cycle.pay, self.cycle.scheme), "pool")

    def tables(self, *names: str, elsewhere: Callable[[Callable, Iterable], Iterable] = map) -> dict[str, pd.DataFrame]:
        """The contract's tables by name; all of them when none is named.

        Of a large quarter weights are simulated while everything else is computed: by ``elsewhere``, which takes a
        function and its questions as ``map`` does and may answer in any order, in other processes for instance. No
        number depends on it: each part draws from its own seeds.
        """

        def of(names: Iterable[str]) -> dict[str, pd.DataFrame]:
            return {name: getattr(self, name.removeprefix("restricted/")) for name in names}

        if not names and len(self.cycle.employees) > LARGE and "weights" not in vars(self):
            questions = self._weight_questions()
            with ThreadPoolExecutor(1) as waiting:
                answers = waiting.submit(lambda: dict(elsewhere(simulated_whole, questions)))
                of(name for name in OUTPUTS if not name.startswith("weight_"))  # here meanwhile, and kept
                vars(self)["weights"] = {profile: answers.result()[profile] for profile, _ in questions}
        return of(names or OUTPUTS)

    @cached_property
    def counts(self) -> dict:
        """``in`` = ``scored`` + all of ``excluded`` + all of ``waiting``; the last two by reason."""
        status = self.totals["status"]
        others = self.totals[status.ne("scored")]
        waiting = others["status"].eq("late")
        return {
            "in": len(status),
            "scored": int(status.eq("scored").sum()),
            "excluded": others.loc[~waiting, "status"].value_counts().sort_index().to_dict(),
            "waiting": others.loc[waiting, "status"].value_counts().sort_index().to_dict(),
        }

    @property
    def status(self) -> str:
        """PARTIAL while a figure that must come has not come; else DRAFT: nothing here is final."""
        return "PARTIAL" if self.counts["waiting"] else "DRAFT"

    @cached_property
    def chase(self) -> pd.DataFrame:
        """What to send for: ``employee_id, unit, kpi, what, owner``; nothing of people whom it would not score."""
        waiting = self.totals.loc[self.totals["status"].eq("late"), "employee_id"]
        late = self.items[self.items["status"].eq("late") & self.items["employee_id"].isin(waiting)]
        people = self.cycle.employees.set_index("employee_id")
        sources = {item.id: kpi.source for kpi in self.cycle.scheme.kpis for item in kpi.items}
        rated = late["kind"].eq("rated")
        return pd.DataFrame(
            {
                "employee_id": late["employee_id"],
                "unit": late["employee_id"].map(people["unit"]),
                "kpi": late["item"],
                "what": np.where(rated, "rating", "result"),
                "owner": late["employee_id"].map(people["manager_id"]).where(rated, late["item"].map(sources)),
            }
        ).reset_index(drop=True)


def _spliced(table: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """``table`` with the rows of some employees taken from other tables, in the order of its employees."""
    rows = [table[~table["employee_id"].isin(others)]]
    rows += [other[other["employee_id"].eq(who)] for who, other in others.items()]
    order = {who: at for at, who in enumerate(dict.fromkeys(table["employee_id"]))}
    whole = pd.concat([part for part in rows if len(part)] or rows[:1])
    return whole.sort_values("employee_id", kind="stable", key=lambda ids: ids.map(order), ignore_index=True)


def simulated(question: tuple[str, dict[str, Any]]) -> tuple[str, WeightSimulation]:
    """A profile and its simulation over every permitted choice of weights."""
    profile, given = question
    return profile, simulate_weights(**given)


def simulated_whole(question: tuple[str, dict[str, Any]]) -> tuple[str, WeightSimulation]:
    """``simulated``, with what its tables rest on computed where it is simulated."""
    profile, found = simulated(question)
    found.weight_grades(profile)
    return profile, found


def chance_draws(ratings: int) -> int:
    """Draws behind every chance of a quarter with so many combined ratings: fewer where there are very many."""
    return int(np.clip(CHANCE_WORK // max(ratings, 1), CHANCE_LEAST, CHANCE_DRAWS))


def assess(cycle: Cycle | str | PathLike, *, seed: int = 1, history: Sequence[Cycle] | None = None) -> Assessment:
    """Take a quarter through every method.

    Parameters
    ----------
    cycle : Cycle or path
        A path is read, and so are the two quarters before it that lie beside it.
    seed : int
        Fixes every draw.
    history : sequence of Cycle, optional
        Earlier quarters, oldest first, instead of those beside ``cycle``.

    Raises
    ------
    DataError, SchemeError
        If the cycle is refused.
    """
    from .io import read_cycle, read_history, shared

    if not isinstance(cycle, Cycle) and history is None and (known := shared(cycle, seed)) is not None:
        return known
    if not isinstance(cycle, Cycle):
        source, cycle = cycle, read_cycle(cycle)
        history = read_history(source) if history is None else history
    return Assessment(cycle, seed, () if history is None else history)
