"""What is measured and how it counts, settled before any result arrives.

Every class is frozen and refuses to exist in a wrong state, so code that holds a ``Scheme`` never
has to ask whether its weights add up. Weights and ranges are in percent: a category's of the
whole, a KPI's of its category, a part's of its KPI.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pandas as pd

from ..errors import SchemeError
from ..space import WeightSpace, ordered
from .outcomes import Outcomes, Pay

DIRECTIONS = ("higher", "lower")
KINDS = ("measured", "rated", "milestone", "mixed")
RULE_NAMES = (
    "ratio",
    "inverse_ratio",
    "mirror",
    "threshold_target_max",
    "step_table",
    "all_or_nothing",
    "deduction",
    "rubric",
    "milestone",
)
LINKS = ("none", "equal_teams", "kpi", "vignettes", "seen")
VIGNETTE = "vignette"  # the role of a rating of a written case, which is nobody's
NOT_SUMMED = ("%", "‰", "points")  # units of which quarters have a mean, and no sum
SMART = ("measure", "unit", "target_rule", "source", "period")


def _total(values) -> float:
    """Sum of percentages, free of the last bits that binary fractions add."""
    return round(float(sum(values)), 9)


@dataclass(frozen=True)
class Text:
    """A name in English and Chinese."""

    en: str
    zh: str = ""

    def say(self, lang: str = "en") -> str:
        """The name in ``lang``, in English where there is no translation."""
        return (self.zh or self.en) if lang == "zh" else self.en


@dataclass(frozen=True)
class Item:
    """What one result, rating or milestone plan speaks of: a KPI without parts, or a part.

    ``share`` is percent of the KPI (100 without parts). ``points`` holds the parameters of
    ``rule``; ``at`` the attainment at which threshold and stretch points are earned where a
    result row names no values of its own. ``adds``: whether the figures of several quarters may
    be added up; where the scheme does not say, see :attr:`additive`.
    """

    id: str
    name: Text
    kind: str
    rule: str
    direction: str = "higher"
    share: float = 100.0
    points: MappingProxyType = field(default_factory=lambda: MappingProxyType({}))
    at: MappingProxyType = field(default_factory=lambda: MappingProxyType({}))
    steps: tuple[tuple[float, float], ...] = ()
    unit: str = ""
    adds: bool | None = None

    def __post_init__(self):
        if self.kind not in KINDS[:3]:
            raise SchemeError(f"{self.id}: kind {self.kind!r} is unknown; write measured, rated or milestone.")
        if self.rule not in RULE_NAMES:
            raise SchemeError(f"{self.id}: rule {self.rule!r} is unknown; write one of {', '.join(RULE_NAMES)}.")
        if self.direction not in DIRECTIONS:
            raise SchemeError(f"{self.id}: direction {self.direction!r} is unknown; write higher or lower.")
        fitting = {"rated": {"rubric"}, "milestone": {"milestone"}}.get(
            self.kind, set(RULE_NAMES) - {"rubric", "milestone"}
        )
        if self.rule not in fitting:
            raise SchemeError(
                f"{self.id}: a {self.kind} item cannot use the rule {self.rule}; "
                f"write one of {', '.join(sorted(fitting))}."
            )
        lower_rules = {"inverse_ratio", "mirror"}
        if self.direction == "higher" and self.rule in lower_rules:
            raise SchemeError(
                f"{self.id}: the rule {self.rule} rewards small values, but direction is higher. "
                "Write direction: lower, or the rule ratio."
            )
        if self.direction == "lower" and self.rule == "ratio":
            raise SchemeError(
                f"{self.id}: lower is better, but the rule ratio rewards large values. inverse_ratio (t/a) and "
                "mirror (2 - a/t) differ away from target, so the scheme must choose one of them."
            )
        if self.rule == "step_table":
            bounds = [least for least, _ in self.steps]
            if len(bounds) < 2 or bounds != sorted(set(bounds)):
                raise SchemeError(f"{self.id}: steps must list at least two [attainment, points] pairs, rising.")
            if (worth := [points for _, points in self.steps]) != sorted(worth):
                raise SchemeError(f"{self.id}: a higher step may not earn fewer points; here they are {worth}.")
        levels = [self.points[k] for k in ("floor", "threshold", "target", "stretch", "cap") if k in self.points]
        if levels != sorted(levels):
            raise SchemeError(f"{self.id}: points must not fall from floor over threshold, target, stretch to cap.")
        if self.rule in ("threshold_target_max", "milestone"):
            low, high = self.at["threshold"], self.at["stretch"]
            middle = self.at.get("target", 1.0)
            if not low < middle < high:
                raise SchemeError(
                    f"{self.id}: at.threshold {low:g}, target {middle:g} and at.stretch {high:g} must rise in order."
                )
        if self.adds is not None and self.kind != "measured":
            raise SchemeError(
                f"{self.id}: adds says whether measured figures of several quarters add up; a {self.kind} item has "
                "none. Remove the line.",
                at="adds",
            )

    @property
    def additive(self) -> bool:
        """Whether a year's figure is the sum of the quarters' (revenue, customers) or their mean by days (a share).

        Unless the scheme says ``adds``: a sum, but for shares (unit % ...), points, a unit that is not stated, and
        the rule ``deduction``, which takes points for each fault of one quarter.
        """
        if self.adds is not None:
            return self.adds
        return bool(self.unit) and not self.unit.startswith(NOT_SUMMED) and self.rule != "deduction"


@dataclass(frozen=True)
class Kpi:
    """One indicator. ``weight`` and ``range`` are percent of the category."""

    id: str
    name: Text
    category: str
    responsibility: str
    items: tuple[Item, ...]
    weight: float
    range: tuple[float, float]
    measure: str = ""
    unit: str = ""
    target_rule: str = ""
    source: str = ""
    period: str = ""
    rater_sets_target: bool = False

    def __post_init__(self):
        _check_range(f"KPI {self.id}", self.weight, self.range)
        if least := [item.id for item in self.items if item.share <= 0]:
            raise SchemeError(
                f"KPI {self.id}: the share of {least[0]} must lie above 0 %; leave out a part of no weight."
            )
        if (shares := _total(item.share for item in self.items)) != 100:
            raise SchemeError(f"KPI {self.id}: the shares of its parts total {shares:g} %, not 100 %.")

    @property
    def kind(self) -> str:
        kinds = {item.kind for item in self.items}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @property
    def direction(self) -> str:
        directions = {item.direction for item in self.items if item.kind == "measured"}
        return "lower" if directions == {"lower"} else "higher"

    def lacks(self) -> tuple[str, ...]:
        """What SMART asks for and the scheme does not say."""
        return tuple(name for name in SMART if not getattr(self, name))


@dataclass(frozen=True)
class Category:
    """A group of KPIs. ``weight`` and ``range`` are percent of the whole."""

    id: str
    name: Text
    weight: float
    range: tuple[float, float]
    kpis: tuple[Kpi, ...]

    def __post_init__(self):
        _check_range(f"Category {self.id}", self.weight, self.range)
        if not self.kpis:
            raise SchemeError(f"Category {self.id} has no KPI; give it one or remove it.")
        _check_total(f"The KPI weights of category {self.id}", [k.weight for k in self.kpis])
        _check_reachable(f"KPI weights of category {self.id}", [k.range for k in self.kpis])


@dataclass(frozen=True)
class Grade:
    """A band of scores from ``least`` (inclusive) up to the next grade."""

    id: str
    name: Text
    least: float
    multiplier: float

    def __post_init__(self):
        if self.multiplier < 0:
            raise SchemeError(f"Grade {self.id}: a multiplier of {self.multiplier:g} would take money away; write 0.")


@dataclass(frozen=True)
class Guideline:
    """The share of people (percent) a committee aims at for a grade or a band such as S+A."""

    band: str
    range: tuple[float, float]

    @property
    def grades(self) -> tuple[str, ...]:
        return tuple(self.band.split("+"))


@dataclass(frozen=True)
class Role:
    """A kind of rater. Ratings of a role with weight 0 are evidence and never enter a score."""

    id: str
    name: Text
    weight: float
    required: bool = False

    def __post_init__(self):
        if self.weight < 0:
            raise SchemeError(f"Role {self.id}: a weight of {self.weight:g} would turn its ratings round; write 0.")


@dataclass(frozen=True)
class Attribute:
    """What a protected attribute of the table ``groups``, and each value of it, is called: for HR and legal."""

    id: str
    name: Text
    values: MappingProxyType = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Profile:
    """A post with its own weights, and its own ranges where it names them.

    ``categories`` and ``category_ranges``: percent of the whole by category; ``kpis`` and
    ``kpi_ranges``: percent of the category by KPI. A KPI the profile leaves out is not part of it.
    """

    id: str
    name: Text
    categories: MappingProxyType
    category_ranges: MappingProxyType
    kpis: MappingProxyType
    kpi_ranges: MappingProxyType

    def __post_init__(self):
        _check_total(f"The category weights of profile {self.id}", self.categories.values())
        _check_reachable(f"category weights of profile {self.id}", self.category_ranges.values())
        for category, weight in self.categories.items():
            _check_range(f"Profile {self.id}, category {category}", weight, self.category_ranges[category])
        for category, weights in self.kpis.items():
            _check_total(f"The KPI weights of {category} in profile {self.id}", weights.values())
            _check_reachable(f"KPI weights of {category} in profile {self.id}", self.kpi_ranges[category].values())
            for kpi, weight in weights.items():
                _check_range(f"Profile {self.id}, KPI {kpi}", weight, self.kpi_ranges[category][kpi])


@dataclass(frozen=True)
class Gate:
    """A condition that caps the grade, whatever the score."""

    code: str
    name: Text
    cap: str


@dataclass(frozen=True)
class Limits:
    """Every threshold the methods use; days, score points, people or chances as the name says."""

    min_tenure: int = 90  # days in post under which a person is too new to rate
    min_days: int = 30  # days under which a scorecard does not count
    max_shift: float = 5.0  # score points a proposal may move from the raw score
    min_ratings: int = 5  # ratings under which a rater gets no order and moves no proposal
    call: float = 0.70  # P(grade) under which a grade is too close to call
    disagreement: float = 15.0  # points between KPI score and rating that count as disagreeing
    shown: int = 8  # cases a unit's discussion list shows
    min_unit: int = 10  # people under which a unit's distribution is not tested
    pool_to: int = 30  # people to which small sibling units are pooled
    chance: float = 0.95  # level of the chance band on one unit's page
    confidence: float = 0.90  # level of every interval
    bonus_most: float = 5.0  # score points that bonus events may add
    deduction_most: float = 10.0  # score points that deduction events may take

    def __post_init__(self):
        for name in ("call", "chance", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise SchemeError(f"limits.{name} is a chance and must lie between 0 and 1.")
        for name in self.__dataclass_fields__:
            if getattr(self, name) < 0:
                raise SchemeError(f"limits.{name} must not be negative.")
        if self.shown < 1:
            raise SchemeError("limits.shown is 0, so no case would ever reach a committee; write 1 or more.")
        if self.pool_to < self.min_unit:
            raise SchemeError(
                f"limits.pool_to is {self.pool_to}, under min_unit {self.min_unit}: a pool too small to test."
            )


@dataclass(frozen=True)
class Severity:
    """Under which assumption raters whom nobody links are compared, if under any; see ``raters.fit_severity``.

    ``anchor``: measured items whose mean attainment is the KPI of ``link: kpi``; none whose target the rater sets.
    """

    link: str = "none"
    anchor: tuple[str, ...] = ()

    def __post_init__(self):
        if self.link not in LINKS:
            raise SchemeError(f"severity.link {self.link!r} is unknown; write one of {', '.join(LINKS)}.")
        if (self.link == "kpi") != bool(self.anchor):
            raise SchemeError(
                "severity: link kpi and anchor go together; anchor lists the measured KPIs by which teams are held "
                "comparable, and no other link reads them."
            )


@dataclass(frozen=True)
class Scheme:
    """A whole scheme: categories and KPIs, grades, profiles, roles, limits, outcome rules."""

    name: Text
    cycle: str
    start: date
    end: date
    scale: tuple[float, float, float]
    rubric: tuple[tuple[float, float], ...]
    levels: tuple[tuple[float, Text], ...]
    responsibilities: MappingProxyType
    categories: tuple[Category, ...]
    grades: tuple[Grade, ...]
    guideline: tuple[Guideline, ...]
    profiles: tuple[Profile, ...]
    roles: tuple[Role, ...]
    gates: tuple[Gate, ...]
    limits: Limits
    pay: Pay
    outcomes: Outcomes
    severity: Severity = Severity()
    simulated: bool = False
    weight_law: str = "hierarchical"
    weight_order: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()

    def __post_init__(self):
        _check_total("The category weights", [c.weight for c in self.categories], at="categories")
        _check_reachable("category weights", [c.range for c in self.categories], at="categories")
        if not re.fullmatch(r"\w[\w.-]{0,63}", self.cycle):
            raise SchemeError(
                f"cycle.id {self.cycle!r} cannot name a folder; use letters, digits, _, - and dots, a letter or digit "
                "first.",
                at="cycle",
            )
        if self.end <= self.start:
            raise SchemeError(f"The cycle ends {self.end}, which is not after its start {self.start}.", at="cycle")
        self._check_scale()
        self._check_grades()
        for what, ids in (
            ("categories", [c.id for c in self.categories]),
            ("profiles", [p.id for p in self.profiles]),
            ("roles", [r.id for r in self.roles]),
            ("gates", [g.code for g in self.gates]),
            ("attributes", [a.id for a in self.attributes]),
        ):
            _check_unique(what, ids, at=what)
        unique_items(self.categories)
        if not any(r.weight > 0 for r in self.roles) and any(i.kind == "rated" for i in self.items):
            raise SchemeError("roles: rated items need at least one role with a weight above 0.", at="roles")
        measured = {i.id for i in self.items if i.kind == "measured"}
        if unknown := sorted(set(self.severity.anchor) - measured):
            raise SchemeError(
                f"severity.anchor: {', '.join(unknown)} is no measured KPI or part of the scheme.", at="severity"
            )
        own = {i.id for k in self.kpis if k.rater_sets_target for i in k.items}
        if told := sorted(set(self.severity.anchor) & own):
            raise SchemeError(
                f"severity.anchor: the rater sets the target of {', '.join(told)} (rater_sets_target), so a lenient "
                "target would pass for a good team. Anchor on KPIs whose target another sets.",
                at="severity",
            )
        if self.severity.link == "vignettes" and VIGNETTE not in {r.id for r in self.roles}:
            raise SchemeError(
                f"severity.link vignettes needs a role {VIGNETTE} (weight 0) for the ratings of written cases.",
                at="severity",
            )
        for role in self.roles:
            if role.id == VIGNETTE and role.weight > 0:
                raise SchemeError(
                    f"The role {VIGNETTE} rates nobody, so its weight is 0, not {role.weight:g}.", at="roles"
                )
        for kpi in self.kpis:
            if kpi.responsibility not in self.responsibilities:
                raise SchemeError(
                    f"KPI {kpi.id}: responsibility {kpi.responsibility!r} is not listed under responsibilities.",
                    at="responsibilities",
                )

        self._check_order()

    def _check_order(self):
        """Refuses an order that names nothing, that nobody can keep, or that the chosen weights do not keep."""
        if not self.weight_order:
            return
        known = {c.id for c in self.categories} | {k.id for k in self.kpis}
        try:
            if unknown := sorted({name for pair in self.weight_order for name in ordered(pair)} - known):
                raise SchemeError(f"weight_order: {', '.join(unknown)} is no category or KPI of the scheme.")
            for profile in self.profiles:
                chosen = self.weights(profile.id).set_index("kpi")["weight"]
                if not self.weight_space(profile.id).contains(chosen):
                    told = ", ".join(self._order_of(profile.id))
                    raise SchemeError(
                        f"weight_order: the weights of {profile.id} do not keep {told}. Change weights or order."
                    )
        except SchemeError as refused:
            raise SchemeError(str(refused), at="weight_order") from None

    def _order_of(self, profile_id: str) -> tuple[str, ...]:
        """What of the order lies between two weights that the profile has."""
        profile = self.profile(profile_id)
        has = set(profile.categories) | {k for inner in profile.kpis.values() for k in inner}
        return tuple(pair for pair in self.weight_order if set(ordered(pair)) <= has)

    def _check_scale(self):
        least, most, step = self.scale
        if not (least < most and step > 0 and abs((most - least) / step - round((most - least) / step)) < 1e-9):
            raise SchemeError(
                "rating_scale: least must lie below most, and step must divide their distance.", at="rating_scale"
            )
        ratings = [rating for rating, _ in self.rubric]
        points = [value for _, value in self.rubric]
        if ratings != sorted(set(ratings)) or points != sorted(points) or (ratings[0], ratings[-1]) != (least, most):
            raise SchemeError(
                f"rubric: ratings must rise from {least:g} to {most:g}, the ends of the scale, "
                "and points must not fall.",
                at="rubric",
            )

    def _check_grades(self):
        cuts = [g.least for g in self.grades]
        if cuts != sorted(set(cuts), reverse=True):
            raise SchemeError(
                "grades: list them from the highest to the lowest; each needs its own lower bound.", at="grades"
            )
        if self.grades[-1].least > 0:
            raise SchemeError(
                f"grades: the lowest, {self.grades[-1].id}, must start at 0 so that every score has one.", at="grades"
            )
        for better, worse in pairwise(self.grades):
            if worse.multiplier > better.multiplier:
                raise SchemeError(
                    f"grades: {worse.id} pays {worse.multiplier:g} and the better {better.id} only "
                    f"{better.multiplier:g}; multipliers may not rise toward lower grades.",
                    at="grades",
                )
        _check_unique("grades", [g.id for g in self.grades], at="grades")
        known = {g.id for g in self.grades}
        for band in self.guideline:
            if unknown := set(band.grades) - known:
                raise SchemeError(
                    f"guideline {band.band}: no grade is called {', '.join(sorted(unknown))}.", at="guideline"
                )
            _check_bounds(f"Guideline {band.band}", band.range, at="guideline")
        single = {band.band: band.range for band in self.guideline if band.band in known}
        if single.keys() == known:
            _check_reachable("guideline shares", single.values(), at="guideline")
        for name in ("good", "low", "failed"):
            if (grade := getattr(self.outcomes.grades, name)) and grade not in known:
                raise SchemeError(f"outcomes.grades.{name}: no grade is called {grade}.", at="outcomes")
        for gate in self.gates:
            if gate.cap not in known:
                raise SchemeError(f"gate {gate.code}: no grade is called {gate.cap}.", at="gates")

    @property
    def kpis(self) -> tuple[Kpi, ...]:
        return tuple(kpi for category in self.categories for kpi in category.kpis)

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for kpi in self.kpis for item in kpi.items)

    def kpi(self, kpi_id: str) -> Kpi:
        return next(k for k in self.kpis if k.id == kpi_id)

    def category(self, category_id: str) -> Category:
        return next(c for c in self.categories if c.id == category_id)

    def profile(self, profile_id: str) -> Profile:
        for profile in self.profiles:
            if profile.id == profile_id:
                return profile
        known = ", ".join(p.id for p in self.profiles)
        raise SchemeError(f"No profile is called {profile_id!r}; the scheme has {known}.")

    @property
    def cuts(self) -> dict[str, float]:
        """Lower bound of each grade, best first."""
        return {g.id: g.least for g in self.grades}

    @property
    def good_grades(self) -> tuple[str, ...]:
        """Grades that promotion, a rise and the year's best grade ask for, best first."""
        grades, good = list(self.cuts), self.outcomes.grades.good
        return tuple(grades[: 1 + (grades.index(good) if good else min(1, len(grades) - 1))])

    @property
    def low_grades(self) -> tuple[str, ...]:
        """Grades several of which in a row ask for an improvement plan; the failed ones are among them."""
        grades, low = list(self.cuts), self.outcomes.grades.low
        return tuple(grades[grades.index(low) if low else max(len(grades) - 2, 0) :])

    @property
    def failed_grades(self) -> tuple[str, ...]:
        """Grades one of which asks for an improvement plan and stands against promotion."""
        grades, failed = list(self.cuts), self.outcomes.grades.failed
        return tuple(grades[grades.index(failed) if failed else len(grades) - 1 :])

    @property
    def role_weights(self) -> dict[str, float]:
        return {r.id: r.weight for r in self.roles}

    def weights(self, profile_id: str) -> pd.DataFrame:
        """One row a KPI of the profile: ``kpi, category, weight`` (percent of the whole), scheme order."""
        profile = self.profile(profile_id)
        rows = [
            (kpi.id, c.id, profile.categories[c.id] * profile.kpis[c.id][kpi.id] / 100)
            for c in self.categories
            if c.id in profile.categories
            for kpi in c.kpis
            if kpi.id in profile.kpis[c.id]
        ]
        return pd.DataFrame(rows, columns=["kpi", "category", "weight"])

    def item_table(self) -> pd.DataFrame:
        """One row an item: ``item, kpi, category, kind, rule, direction, share`` (percent of the KPI)."""
        rows = [
            (item.id, kpi.id, kpi.category, item.kind, item.rule, item.direction, item.share)
            for kpi in self.kpis
            for item in kpi.items
        ]
        return pd.DataFrame(rows, columns=["item", "kpi", "category", "kind", "rule", "direction", "share"])

    def rubric_points(self, rating):
        """Points of a rating, linear between the levels of the rubric, flat beyond its ends."""
        ratings, points = np.transpose(self.rubric)
        return np.interp(rating, ratings, points)

    def ranges(self, profile_id: str) -> dict[str, tuple[tuple[float, float], dict[str, tuple[float, float]]]]:
        """Permitted weights of a profile as a tree: category -> (range, {kpi: range of the category})."""
        profile = self.profile(profile_id)
        return {c: (profile.category_ranges[c], dict(profile.kpi_ranges[c])) for c in profile.categories}

    def weight_space(self, profile_id: str) -> WeightSpace:
        """Every permitted choice of weights of a profile, in percent, under the scheme's law and order."""
        return WeightSpace.tree(self.ranges(profile_id), self.weight_law, self._order_of(profile_id))

    def not_smart(self) -> dict[str, tuple[str, ...]]:
        """KPIs that lack a measure, unit, target rule, source or period, and which of them."""
        return {kpi.id: kpi.lacks() for kpi in self.kpis if kpi.lacks()}


def unique_items(categories: tuple[Category, ...]) -> None:
    """Refuses two KPIs or parts of one id: a result could not be told to which of them it belongs."""
    kpis = [k for c in categories for k in c.kpis]
    _check_unique("KPIs and parts", [k.id for k in kpis] + [i.id for k in kpis for i in k.items if i.id != k.id])


def _check_bounds(what: str, bounds: tuple[float, float], at: str = "") -> None:
    low, high = bounds
    if not 0 <= low <= high <= 100:
        raise SchemeError(f"{what}: the range {low:g} to {high:g} % must rise and lie within 0 to 100 %.", at=at)


def _check_range(what: str, weight: float, bounds: tuple[float, float]) -> None:
    _check_bounds(what, bounds)
    if not bounds[0] <= weight <= bounds[1]:
        raise SchemeError(
            f"{what}: the weight {weight:g} % lies outside its range {bounds[0]:g} to {bounds[1]:g} %. "
            "Change the weight or, if the scheme allows it, the range."
        )


def _check_total(what: str, weights, at: str = "") -> None:
    if (total := _total(weights)) != 100:
        raise SchemeError(f"{what} total {total:g} %, not 100 %. Change them until they total 100 %.", at=at)


def _check_reachable(what: str, ranges, at: str = "") -> None:
    ranges = list(ranges)
    least, most = _total(low for low, _ in ranges), _total(high for _, high in ranges)
    if not least <= 100 <= most:
        raise SchemeError(
            f"The {what} can total only {least:g} to {most:g} %, never 100 %. "
            "Widen the ranges until 100 lies between the two totals.",
            at=at,
        )


def _check_unique(what: str, ids: list[str], at: str = "") -> None:
    if repeated := sorted({i for i in ids if ids.count(i) > 1}):
        raise SchemeError(
            f"{what}: the id {', '.join(repeated)} occurs more than once; every id must be its own.", at=at
        )
