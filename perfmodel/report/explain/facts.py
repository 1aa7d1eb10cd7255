"""What a sheet says, as values: gathered elsewhere, from run, frozen data and ledger. Nobody else's data among them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist
from typing import Any

import numpy as np

from ...scheme import Scheme

LEAST_SHARED = 10  # people paid under which the pool's share is not told: it would tell the others' amounts


@dataclass(frozen=True)
class Standard:
    """Whose standard the ratings of a scorecard were adjusted for, and by how much (rating points)."""

    whose: str  # "manager", "rater" (one, who is not the manager) or "several"
    severity: float = np.nan
    low: float = np.nan
    high: float = np.nan
    verdict: str = ""


@dataclass(frozen=True)
class Decided:
    """What the committee, or the panel of an appeal, decided."""

    grade: str
    day: date
    by: tuple[str, str]  # proposer and authoriser
    code: str
    reason: str
    evidence: str = ""
    kind: str = "decision"  # or consent, appeal
    void: str = ""  # what changed since, where the decision no longer stands


@dataclass(frozen=True)
class Appealed:
    """An appeal of this person, and what became of it ("" while it is open)."""

    filed: date
    facts: str
    outcome: str = ""
    day: date | None = None
    reason: str = ""
    panel: tuple[str, ...] = ()
    corrected: tuple[tuple[str, str, str], ...] = ()  # what, as it was, as it is now


@dataclass(frozen=True)
class Bonus:
    """The person's bonus; ``cents`` only where the quarter is final, ``share`` of each claim that the pool pays."""

    target: float
    currency: str
    company: float = 1.0
    multiplier: float = np.nan
    claim: float = np.nan
    share: float | None = None
    cents: int | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Facts:
    """All that a sheet says, of one employee; rows of tables as records.

    ``items`` are the rows of ``scoring.item_scores`` with ``threshold`` and ``stretch`` as the result named them;
    ``cards`` of ``scoring.scorecards`` with ``standard``; ``score`` one row of ``scoring.total`` with the proposal,
    its ``se`` and ``reason``; ``milestones`` the counted ones; ``events`` the own ones.
    """

    employee: str
    name: str
    post: str
    unit: str
    scheme: Scheme
    items: Sequence[Mapping[str, Any]]
    cards: Sequence[Mapping[str, Any]]
    score: Mapping[str, Any]
    standards: Mapping[str, Standard]
    milestones: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    status: str
    run: str
    head: str
    simulated: bool = False
    flags: Sequence[tuple[str, str]] = ()  # flag, evidence
    decided: Decided | None = None
    appeals: Sequence[Appealed] = ()
    final_on: date | None = None
    last_day: date | None = None  # on which an appeal may be filed
    over: bool = False  # that day has passed
    bonus: Bonus | None = None

    @property
    def counted(self) -> list[Mapping[str, Any]]:
        """Scorecards that count."""
        return [card for card in self.cards if card["counted"]]

    def of_card(self, card: str) -> list[Mapping[str, Any]]:
        """Items of a scorecard."""
        return [item for item in self.items if item["scorecard"] == card]

    @property
    def scored(self) -> bool:
        return bool(self.score["grade_proposed"])

    @property
    def grade(self) -> str:
        """The decided grade; "" where there is none that stands."""
        return self.decided.grade if self.decided and not self.decided.void else ""


def weights_of(items: Iterable[Mapping[str, Any]]) -> list[float]:
    """Weights in percent of the whole; what takes no part has none."""
    return [row["weight"] for row in items if row["weight"] == row["weight"]]


def gives(row: Mapping[str, Any], step: str = "raw") -> float:
    """Points that an item gives to the score of its scorecard; 0 where it has none."""
    value = row["weight"] * row[f"score_{step}"] / 100
    return value if value == value else 0.0


def days_of(facts: Facts) -> list[tuple[str, int]]:
    """Days of each scorecard that counts."""
    return [(card["scorecard"], int(card["days"])) for card in facts.counted]


def sum_of(facts: Facts, card: str, step: str = "raw", kind: str = "") -> float:
    """Points of a scorecard, of its rated items alone if ``kind`` says so."""
    return sum(gives(row, step) for row in facts.of_card(card) if kind in ("", row["kind"]))


def left_alone(facts: Facts) -> str:
    """Why the proposal is the score before adjustment, "" where it is not held there."""
    reason = str(facts.score["reason"])
    return reason if reason.startswith("left alone") else ""


def range_of(facts: Facts) -> tuple[float | None, float | None]:
    """What rating error alone gives around the adjusted score; none where it is not known."""
    se, centre = float(facts.score["se"]), float(facts.score["score_adjusted"])
    if not np.isfinite(se) or se <= 0:
        return None, None
    half = NormalDist().inv_cdf((1 + facts.scheme.limits.confidence) / 2) * se
    return centre - half, centre + half
