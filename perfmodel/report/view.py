"""What an assessment says of one unit, or of the company: its tables cut to the people concerned."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..language import spoken
from ..plots import agreement_zone
from ..tables import COMPANY, STAGES


@dataclass(frozen=True)
class Company:
    """Figures over all people, beside which a unit's stand: nobody can be read off them.

    ``zone`` is where 80 % of the people lie, KPI score less points of their rating (plots.agreement_zone).
    """

    people: int
    score: float
    categories: Mapping[str, float]
    zone: tuple[float, float]

    @classmethod
    def unknown(cls, of: "Company") -> "Company":
        """What is left where too few others make up the company for its figures to hide them."""
        return cls(of.people, np.nan, dict.fromkeys(of.categories, np.nan), (np.nan, np.nan))


@dataclass(frozen=True, eq=False)
class View:
    """An assessment seen from one unit (``unit=None``: the company). No row of another unit's people is in it."""

    assessment: Any
    unit: str | None = None

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        return self.assessment.tables()

    @property
    def scheme(self):
        return self.assessment.cycle.scheme

    @property
    def limits(self):
        return self.scheme.limits

    @property
    def grades(self) -> list[str]:
        return list(self.scheme.cuts)

    @property
    def name(self) -> str:
        return self.unit or COMPANY

    def _own(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame if self.unit is None else frame[frame["employee_id"].isin(self.ids)]

    @cached_property
    def totals(self) -> pd.DataFrame:
        """One row a person who came in: status, KPI score, rating."""
        totals = self.assessment.totals
        return (totals if self.unit is None else totals[totals["unit"] == self.unit]).set_index(
            "employee_id", drop=False
        )

    @cached_property
    def ids(self) -> set[str]:
        return set(self.totals["employee_id"])

    @cached_property
    def scores(self) -> pd.DataFrame:
        """``scores`` of those who have one, by employee."""
        rows = self._own(self.tables["scores"])
        return rows[rows["score_raw"].notna()].sort_values("employee_id").set_index("employee_id", drop=False)

    @cached_property
    def kpi_scores(self) -> pd.DataFrame:
        return self._own(self.tables["kpi_scores"])

    @cached_property
    def company(self) -> Company:
        """The whole company's figures; an excerpt brings them, for it has no other rows."""
        if known := getattr(self.assessment, "company", None):
            return known
        scores = self.tables["scores"]
        return Company(
            people=int(scores["score_raw"].notna().sum()),
            score=float(scores["score_adjusted"].mean()),
            categories=_category_means(self.tables["kpi_scores"]),
            zone=agreement_zone(self.assessment.totals, self.scheme.rubric),
        )

    @cached_property
    def names(self) -> dict[str, str]:
        people = self.assessment.cycle.employees
        return dict(zip(people["employee_id"], people["name"], strict=True))

    @cached_property
    def kpi_names(self) -> dict[str, str]:
        """What the scheme calls each KPI, and each part of one, in the language spoken."""
        lang = spoken()
        parts = {item.id: item.name.say(lang) for item in self.scheme.items}
        return parts | {kpi.id: kpi.name.say(lang) for kpi in self.scheme.kpis}

    def named(self, evidence: str) -> str:
        """A method's sentence on figures that are missing, with their names where it has their ids."""
        return re.sub(r"(?:^|(?<=, ))\w+(?= \()", lambda item: self.kpi_names.get(item[0], item[0]), evidence)

    @cached_property
    def posts(self) -> dict[str, str]:
        return {p.id: p.name.say(spoken()) for p in self.scheme.profiles}

    @cached_property
    def rated_by(self) -> dict[str, list[str]]:
        """Raters whose ratings enter a person's score, by employee."""
        ratings = self._own(self.assessment.cycle.ratings)
        weights = self.scheme.role_weights
        counted = ratings[ratings["role"].map(weights).astype(float).fillna(0) > 0]
        return {str(who): sorted(set(own)) for who, own in counted.groupby("employee_id")["rater_id"]}

    @cached_property
    def raters(self) -> pd.DataFrame:
        """Rows of ``raters``: those who rated someone here, self ratings aside."""
        rows = self.tables["raters"]
        if self.unit is None:
            return rows[rows["roles"].astype(str) != "self"]
        ratings = self._own(self.assessment.cycle.ratings)
        return rows[rows["rater_id"].isin(ratings.loc[ratings["role"] != "self", "rater_id"])]

    @cached_property
    def distribution(self) -> pd.DataFrame:
        rows = self.tables["distribution"]
        return rows[rows["unit"] == self.name]

    @cached_property
    def units(self) -> list[str]:
        return sorted(set(self.totals["unit"]))

    @cached_property
    def top_band(self) -> str:
        """The band the headline speaks of: S+A where the scheme has a guideline for it, else the best grade."""
        bands = [g.band for g in self.scheme.guideline if "+" in g.band]
        return bands[0] if bands else self.grades[0]

    @cached_property
    def left_alone(self) -> list[str]:
        """People of whom no rating was adjusted because none of their raters can be compared."""
        rows = self._own(self.tables["adjusted_ratings"])
        rows = rows[rows["employee_id"].isin(self.scores.index)]
        alone = (rows["reason"].fillna("") != "") & (rows["rating_adjusted"] == rows["rating_raw"])
        whole = alone.groupby(rows["employee_id"]).all()
        return sorted(whole.index[whole])

    @cached_property
    def moved(self) -> pd.DataFrame:
        """Scores that adjustment moved."""
        s = self.scores.dropna(subset=["score_adjusted"])
        return s[(s["score_adjusted"] - s["score_raw"]).abs() > 1e-9]

    @cached_property
    def changed(self) -> pd.DataFrame:
        """People whose grade adjustment changes."""
        return self.moved[self.moved["grade_adjusted"] != self.moved["grade_raw"]]

    @cached_property
    def close(self) -> list[str]:
        """People whose proposed grade has p under the limit."""
        p = self.scores["p_stay"]
        return sorted(self.scores.index[p.notna() & (p < self.limits.call)])

    @cached_property
    def late(self) -> pd.DataFrame:
        """Results that should be there and are not."""
        return self._own(self.assessment.chase)

    @cached_property
    def cases(self) -> list[dict[str, Any]]:
        """The discussion list: one case a person, in the order of the agenda."""
        rows = self._own(self.tables["discussion"])
        if rows.empty:
            return []
        rows = rows.sort_values(["rank", "employee_id", "priority", "flag"], kind="stable")
        out = []
        for who, flags in rows.groupby("employee_id", sort=False):
            out.append(
                {
                    "id": who,
                    "unit": flags["unit"].iloc[0],
                    "rank": flags["rank"].min(),
                    "flags": list(flags["flag"]),
                    "evidence": list(dict.fromkeys(self.named(e) for e in flags["evidence"].fillna("") if e)),
                }
            )
        return sorted(out, key=lambda case: (case["rank"], case["id"]))

    @cached_property
    def past(self) -> list[tuple[str, dict[str, str]]]:
        """The last two quarters before this one: (id, grade by employee), oldest first."""
        found = dict(self.assessment.past_grades)
        earlier = [(str(k), v) for k, v in sorted(found.items()) if str(k) < str(self.assessment.cycle.id)]
        return [(k, dict(v)) for k, v in earlier[-2:]]

    def chances(self, employee: str) -> dict[str, float]:
        row: Any = self.scores.loc[employee]
        return {g: float(row.at[f"p_{g}"]) for g in self.grades}

    @cached_property
    def borderline(self) -> pd.DataFrame:
        """People whose grade hangs on the weights: smallest w first, at most six, shown by id."""
        rows = self._own(self.tables["weight_grades"]).dropna(subset=["w_stay"])
        rows = rows[rows["w_stay"] < 0.995]
        return rows.sort_values(["w_stay", "employee_id"]).head(6).sort_values("employee_id")

    def otherwise(self, row: pd.Series) -> str:
        """The grade most of the other permitted weights give."""
        others = {g: float(row[f"w_{g}"]) for g in self.grades if g != row["grade"] and f"w_{g}" in row.index}
        best = max(others, key=lambda g: others[g], default="")
        return best if best and others[best] > 0 else ""

    @cached_property
    def categories(self) -> list[dict[str, Any]]:
        """Mean points by category here and in the company, with the gaps in the data."""
        whole = self.company.categories
        own = _category_means(self.kpi_scores)
        gaps = self.gaps
        rows = []
        for category in self.scheme.categories:
            weights = self.kpi_scores[self.kpi_scores["category"] == category.id]
            per_person = weights.groupby(["employee_id", "scorecard"])["weight_nominal"].sum()
            rows.append(
                {
                    "name": category.name.say(spoken()),
                    "weight": float(per_person.mean()) if len(per_person) else np.nan,
                    "range": category.range,
                    "unit": own.get(category.id, np.nan),
                    "company": whole.get(category.id, np.nan),
                    "late": gaps.get((category.id, "late"), 0),
                    "away": gaps.get((category.id, "not_due"), 0) + gaps.get((category.id, "not_applicable"), 0),
                }
            )
        return rows

    @cached_property
    def gaps(self) -> dict[tuple[str, str], int]:
        """Results, ratings and milestones that are late, not due or do not apply, by category."""
        items = self._own(self.assessment.items)
        awaited = items["status"].eq("late") & items["employee_id"].isin(self.late["employee_id"])
        missing = items[awaited | items["status"].isin(["not_due", "not_applicable"])]
        return missing.groupby(["category", "status"]).size().to_dict()

    @cached_property
    def n_items(self) -> int:
        """What there should be: a result, rating or milestone plan for each item of each scorecard."""
        return len(self._own(self.assessment.items))

    @cached_property
    def pool(self) -> pd.DataFrame:
        """Money by step: the company's pool, or what the unit's own people would cost."""
        if self.unit is None or "pool" in getattr(self.assessment, "packed", ()):
            return self.tables["pool"]
        pay = self.assessment.cycle.pay
        return unit_pool(pay[pay["employee_id"].isin(self.ids)], self.scores, self.scheme, self.tables["pool"].iloc[:0])

    def counts(self) -> tuple[int, int, dict[str, int]]:
        """People in, scored, and the others by what is said of them."""
        scored = int((self.totals["status"] == "scored").sum())
        others = self.totals[self.totals["status"] != "scored"]
        reasons = others["status"].map({"late": "a result late", "no score": "no score", "excluded": ""}).fillna("")
        said = reasons.where(reasons != "", others["reason"].astype(str).str.split(r"[;:,.(]").str[0].str.strip())
        return len(self.totals), scored, {str(k): int(n) for k, n in said.value_counts().sort_index().items()}


def company_of(assessment) -> Company:
    """What every unit's pages say of the company."""
    return View(assessment).company


def seen(assessment, unit: str | None = None) -> View:
    """The view of ``unit``; of an excerpt, always that of its own. A view is its own, so that pages can share one."""
    if isinstance(assessment, View):
        return assessment
    return View(assessment, unit or getattr(assessment, "unit", None))


def unit_pool(pay: pd.DataFrame, scores: pd.DataFrame, scheme, empty: pd.DataFrame) -> pd.DataFrame:
    """What a unit's own people would cost by step, in the form of ``pool``; ``empty`` where nobody has pay or score.

    ``scores`` by employee, those who have one.
    """
    if pay.empty or scores.empty:
        return empty
    # A unit has no budget of its own: what its people's targets would bring stands in its place.
    rule = scheme.pay
    times = {g.id: g.multiplier for g in scheme.grades}
    eligible = pay[pay["eligible"].astype("boolean").fillna(False)].set_index("employee_id")
    targets = eligible["bonus_target"].reindex(scores.index).dropna()
    budget = rule.funding * float(targets.sum())
    currency = "/".join(sorted(set(eligible["currency"])))
    rows = []
    for step in STAGES[:3]:
        multiples = scores[f"grade_{step}"].reindex(targets.index).map(times)
        cost = float((targets * multiples * rule.company_multiplier).sum())
        rows.append((step, len(targets), cost, budget, budget - cost, currency))
    return pd.DataFrame(rows, columns=["step", "n", "cost", "budget", "balance", "currency"])


def _category_means(kpi_scores: pd.DataFrame) -> dict[str, float]:
    """Mean over people of the category's points per 100 of its weight; adjusted where there is an adjustment."""
    rows = kpi_scores.dropna(subset=["weight"])
    points = rows["points_adjusted"].where(rows["points_adjusted"].notna(), rows["points_raw"])
    rows = rows.assign(points=points).dropna(subset=["points"])
    sums = rows.groupby(["category", "employee_id", "scorecard"])[["points", "weight"]].sum()
    sums = sums[sums["weight"] > 0]
    means = (100 * sums["points"] / sums["weight"]).groupby("category").mean()
    return {str(category): float(mean) for category, mean in means.items()}
