"""What one unit may see of an assessment: its own people, company figures over ten people or more, raters by code."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from ..cycle import Cycle
from ..pseudonyms import pseudonym
from ..raters.links import ASSUMPTIONS
from ..tables import INPUTS
from .view import Company, unit_pool

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
        return self._tables

    @cached_property
    def _tables(self) -> Mapping[str, pd.DataFrame]:
        """``packed`` with what the unit's own people cost: added up where the pack is made, not where it is cut."""
        scores = self.packed["scores"]
        scores = scores[scores["score_raw"].notna()].set_index("employee_id")
        return {**self.packed, "pool": unit_pool(self.cycle.pay, scores, self.cycle.scheme, self.packed["pool"])}


def rater_codes(assessment) -> dict[str, str]:
    """Code of each rater, ``RC-001`` on, the same in every pack of a quarter; their order tells nothing of the ids.

    Who has which code is for HR alone.
    """
    ids = sorted(set(assessment.cycle.ratings["rater_id"]) | set(assessment.cycle.employees["manager_id"]) - {""})
    mixed = sorted(ids, key=lambda rater: hashlib.sha256(f"{assessment.cycle.id}\0{rater}".encode()).digest())
    width = max(3, len(str(len(ids))))
    return {rater: f"RC-{number:0{width}}" for number, rater in enumerate(mixed, 1)}


def excerpt(assessment, unit: str, *, codes: Mapping[str, str], company: Company, key: str = "") -> Excerpt:
    """``assessment`` cut to ``unit``; ``Excerpts`` says what the arguments are."""
    return Excerpts(assessment, codes=codes, company=company, key=key).of(unit)


# Protected attributes, and who is left out for which reason, are not in a pack.
KEPT = set(INPUTS) - {"groups", "exclusions"}


class Excerpts:
    """Cuts an assessment to one unit after the other; a cut costs the unit's size, not the company's.

    Parameters
    ----------
    codes : mapping
        As ``rater_codes`` gives.
    company : Company
        As ``company_of`` gives; left out of a pack where fewer than ten people are elsewhere.
    key : str
        Where given, people stand under pseudonyms and have no name.
    """

    def __init__(self, assessment, *, codes: Mapping[str, str], company: Company, key: str = ""):
        people, tables = assessment.totals, assessment.tables(*PACKED, "links")
        self.assessment, self.company = assessment, company
        self.units, self._unit = np.unique(people["unit"].to_numpy(object), return_inverse=True)
        self._person = pd.Index(people["employee_id"])
        ids = people["employee_id"].to_numpy(object)
        self._shown = np.array([pseudonym(key, who) for who in ids], dtype=object) if key else ids
        self._codes = codes

        self._totals, self._items, self._chase = map(self._of_people, (people, assessment.items, assessment.chase))
        inputs = {name: frame for name, frame in assessment.cycle.tables.items() if name in KEPT}
        if key:
            inputs["employees"] = inputs["employees"].assign(name="")
            inputs["ratings"] = inputs["ratings"].assign(comment="")
        self._inputs = {name: self._of_people(frame) for name, frame in inputs.items()}
        self._packed = {name: self._of_people(tables[name]) for name in PACKED if "employee_id" in tables[name]}
        self._packed["distribution"] = self._of_units(tables["distribution"])
        self._packed["raters"] = self._of_raters(tables["raters"])
        self._empty = {name: tables[name].iloc[:0] for name in ("pool", "links")}
        self._past = {quarter: self._of_index(grades) for quarter, grades in assessment.past_grades.items()}

    def of(self, unit: str) -> Excerpt:
        """The excerpt of ``unit``, which is among ``units``."""
        at, whole = int(np.searchsorted(self.units, unit)), self.assessment
        totals = self._totals.of(at)
        own = {name: rows.of(at) for name, rows in self._packed.items()} | self._empty
        status = totals["status"]
        others = status[status.ne("scored")]
        late = others.eq("late")
        enough = (
            self.company.people - int(own["scores"]["score_raw"].notna().sum()) >= whole.cycle.scheme.limits.min_unit
        )
        tables = MappingProxyType({name: rows.of(at) for name, rows in self._inputs.items()})
        return Excerpt(
            unit=unit,
            cycle=Cycle(whole.cycle.scheme, tables, digests=whole.cycle.digests),
            seed=whole.seed,
            status="PARTIAL" if late.any() else "DRAFT" if whole.status == "PARTIAL" else whole.status,
            totals=totals,
            items=self._items.of(at),
            chase=self._chase.of(at),
            past_grades={quarter: grades.of(at) for quarter, grades in self._past.items()},
            counts={
                "in": len(status),
                "scored": int(status.eq("scored").sum()),
                "excluded": others[~late].value_counts().sort_index().to_dict(),
                "waiting": others[late].value_counts().sort_index().to_dict(),
            },
            severity=Link(whole.severity.link),
            company=self.company if enough else Company.unknown(self.company),
            packed={name: own[name] for name in (*PACKED, "links")},
        )

    def _of_people(self, frame: pd.DataFrame) -> "_Rows":
        """Rows under the ids that packs show, raters and managers by code.

        In the order of what is shown: that of the ids would tell who is behind a pseudonym.
        """
        place = self._person.get_indexer(pd.Index(frame["employee_id"]))
        shown = self._shown[place]
        named = {name: frame[name].map(self._coded) for name in ("rater_id", "manager_id", "owner") if name in frame}
        id_ = pd.Series(shown, frame.index, frame["employee_id"].dtype)
        return _Rows(frame.assign(employee_id=id_, **named), np.where(place < 0, -1, self._unit[place]), shown)

    def _of_index(self, values: pd.Series) -> "_Rows":
        place = self._person.get_indexer(values.index)
        renamed = values.set_axis(pd.Index(self._shown[place], dtype=values.index.dtype, name=values.index.name))
        return _Rows(renamed, np.where(place < 0, -1, self._unit[place]))

    def _of_units(self, frame: pd.DataFrame) -> "_Rows":
        """Rows of the unit itself, without the siblings that a small one is pooled with."""
        reason = frame["reason"].fillna("").map(lambda why: SIBLINGS.sub("", why))
        return _Rows(frame.assign(reason=reason), pd.Index(self.units).get_indexer(pd.Index(frame["unit"])))

    def _of_raters(self, raters: pd.DataFrame) -> "_Rows":
        """A row for each rater of somebody in the unit, self ratings aside; a rater of two units stands in both."""
        ratings = self.assessment.cycle.ratings
        given = ratings[ratings["role"] != "self"]
        place = self._person.get_indexer(pd.Index(given["employee_id"]))
        pairs = pd.DataFrame({"unit": np.where(place < 0, -1, self._unit[place]), "rater_id": given["rater_id"].array})
        pairs = pairs.drop_duplicates()
        row = pd.Index(raters["rater_id"]).get_indexer(pd.Index(pairs["rater_id"]))
        pairs = pairs.assign(row=row)[row >= 0]
        coded = raters.assign(rater_id=raters["rater_id"].map(self._codes))
        codes = coded["rater_id"].to_numpy(object)[pairs["row"]]
        return _Rows(coded.take(pairs["row"].to_numpy()), pairs["unit"].to_numpy(), codes)

    def _coded(self, person):
        return self._codes.get(person, person) if isinstance(person, str) else person


class _Rows:
    """A frame, or a series, whose rows of one unit are found at once, sorted by ``by`` and else in their own order."""

    def __init__(self, frame: Any, unit: np.ndarray, by: np.ndarray | None = None):
        self.frame = frame.reset_index(drop=True) if isinstance(frame, pd.DataFrame) else frame
        first = np.argsort(by, kind="stable") if by is not None else np.arange(len(unit))
        self.order = first[np.argsort(unit[first], kind="stable")]
        self.unit = unit[self.order]

    def of(self, at: int) -> Any:
        first, last = np.searchsorted(self.unit, [at, at + 1])
        found = self.frame.take(self.order[first:last])
        return found.reset_index(drop=True) if isinstance(found, pd.DataFrame) else found
