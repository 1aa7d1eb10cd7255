"""What one unit may see of an assessment: its own people, company figures over ten people or more, raters by code."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import pandas as pd

from ..cycle import Cycle
from ..pseudonyms import pseudonym
from ..raters.links import ASSUMPTIONS
from ..tables import INPUTS
from .view import Company, View

# Tables of a unit's pack; the rest speak of other units' people or of the company's raters.
PACKED = (
    "adjusted_ratings", "discussion", "distribution", "kpi_scores", "pool", "raters", "scores",
    "weight_grades", "weight_rank_bands",
)  # fmt: skip
SIBLINGS = re.compile(r" \([^()]*\)$")  # how a reason names the units that a small one is pooled with


@dataclass(frozen=True)
class Link:
    """Of the company's fit, what a unit's pages say: under which assumption raters are compared."""

    link: str | None

    def sentences(self) -> list[str]:
        return [f"Raters are compared {ASSUMPTIONS[self.link]}."] if self.link else []


@dataclass(frozen=True, eq=False)
class Excerpt:
    """One unit of an assessment, in the assessment's own words, so that every report reads it alike.

    Holds no row, name or id of another unit. The company stands in it as ``company``, sums over people.
    """

    unit: str
    cycle: Cycle
    seed: int
    status: str
    totals: pd.DataFrame
    items: pd.DataFrame
    chase: pd.DataFrame
    past_grades: Mapping[str, pd.Series]
    counts: Mapping[str, Any]
    severity: Link
    company: Company
    packed: Mapping[str, pd.DataFrame]
    findings: tuple = ()

    def tables(self) -> Mapping[str, pd.DataFrame]:
        return self.packed


def rater_codes(assessment) -> dict[str, str]:
    """Code of each rater, ``RC-001`` on, the same in every pack of a quarter; their order tells nothing of the ids.

    Who has which code is for HR alone.
    """
    ids = sorted(set(assessment.cycle.ratings["rater_id"]) | set(assessment.cycle.employees["manager_id"]) - {""})
    mixed = sorted(ids, key=lambda rater: hashlib.sha256(f"{assessment.cycle.id}\0{rater}".encode()).digest())
    width = max(3, len(str(len(ids))))
    return {rater: f"RC-{number:0{width}}" for number, rater in enumerate(mixed, 1)}


def excerpt(assessment, unit: str, *, codes: Mapping[str, str], company: Company, key: str = "") -> Excerpt:
    """``assessment`` cut to ``unit``.

    Parameters
    ----------
    codes : mapping
        As ``rater_codes`` gives; made once for all units.
    company : Company
        As ``company_of`` gives; left out of the pack where fewer than ten people are elsewhere.
    key : str
        Where given, people stand under pseudonyms and have no name.
    """
    view = View(assessment, unit)
    ids = sorted(view.ids)
    shown = {who: pseudonym(key, who) if key else who for who in ids}
    cut = _Cut(shown, codes)
    own = {name: cut.rows(view.tables[name]) for name in PACKED if "employee_id" in view.tables[name]}
    own["distribution"] = view.distribution.assign(
        reason=view.distribution["reason"].fillna("").map(lambda why: SIBLINGS.sub("", why))
    )
    own["pool"] = view.pool
    own["raters"] = view.raters.assign(rater_id=view.raters["rater_id"].map(codes)).sort_values("rater_id")
    tables = {name: cut.rows(assessment.cycle.tables[name]) for name in assessment.cycle.tables if name in KEPT}
    if key:
        tables["employees"] = tables["employees"].assign(name="")
        tables["ratings"] = tables["ratings"].assign(comment="")
    totals = cut.rows(assessment.totals)
    status = totals["status"]
    others = status[status.ne("scored")]
    late = others.eq("late")
    enough = company.people - len(view.scores) >= view.limits.min_unit
    return Excerpt(
        unit=unit,
        cycle=replace(assessment.cycle, tables=MappingProxyType(tables), findings=(), lines=MappingProxyType({})),
        seed=assessment.seed,
        status="PARTIAL" if late.any() else "DRAFT" if assessment.status == "PARTIAL" else assessment.status,
        totals=totals,
        items=cut.rows(assessment.items),
        chase=cut.rows(assessment.chase),
        past_grades={quarter: cut.index(grades) for quarter, grades in assessment.past_grades.items()},
        counts={
            "in": len(status),
            "scored": int(status.eq("scored").sum()),
            "excluded": others[~late].value_counts().sort_index().to_dict(),
            "waiting": others[late].value_counts().sort_index().to_dict(),
        },
        severity=Link(assessment.severity.link),
        company=company if enough else Company.unknown(company),
        packed={name: own[name].reset_index(drop=True) for name in PACKED} | {"links": view.tables["links"].iloc[:0]},
    )


# Protected attributes, and who is left out for which reason, are not in a pack.
KEPT = set(INPUTS) - {"groups", "exclusions"}


class _Cut:
    """Rows of a unit's people, under the ids that its pack shows, raters and managers by code."""

    def __init__(self, shown: Mapping[str, str], codes: Mapping[str, str]):
        self.shown, self.codes = shown, codes

    def rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        own = frame[frame["employee_id"].isin(self.shown.keys())]
        named = {"employee_id": own["employee_id"].map(self.shown)}
        named |= {name: own[name].map(self._coded) for name in ("rater_id", "manager_id", "owner") if name in own}
        # In the order of what is shown: that of the ids would tell who is behind a pseudonym.
        return own.assign(**named).sort_values("employee_id", kind="stable").reset_index(drop=True)

    def index(self, values: pd.Series) -> pd.Series:
        own = values[values.index.isin(self.shown.keys())]
        return own.rename(index=self.shown)

    def _coded(self, person):
        return self.codes.get(person, person) if isinstance(person, str) else person
