"""What follows from a grade, as figures an analyst may edit: pay, promotion, plans, training, the year, appeals."""

from dataclasses import dataclass, field

from ..errors import SchemeError

POOLS = ("fixed", "funded")
YEAR_METHODS = ("mean", "mixed", "cumulative")


def _at_least(what: str, rule: object, least: float, *names: str) -> None:
    for name in names:
        if (value := getattr(rule, name)) < least:
            raise SchemeError(f"outcomes.{what}.{name} is {value:g}; write {least:g} or more.", at=name)


@dataclass(frozen=True)
class Pay:
    """How grades become bonus: target x company multiplier x the grade's multiplier, against a pool.

    ``budget`` is money in the currency of the pay table; without one the pool is ``funding`` times the sum of
    eligible targets, and a funded pool moves with the company multiplier too. A ``fixed`` pool is paid out to the
    cent, by shares. A ``funded`` pool pays what the multipliers say: nothing where the company multiplier lies under
    ``threshold``, and no more of it than ``cap``.
    """

    company_multiplier: float = 1.0
    pool: str = "fixed"
    funding: float = 1.0
    budget: float | None = None
    threshold: float | None = None
    cap: float | None = None

    def __post_init__(self):
        if self.pool not in POOLS:
            raise SchemeError(f"outcomes.pay.pool {self.pool!r} is unknown; write fixed or funded.", at="pool")
        for name in ("company_multiplier", "funding", "budget", "threshold", "cap"):
            if (value := getattr(self, name)) is not None and value < 0:
                raise SchemeError(f"outcomes.pay.{name} is {value:g}; money to hand out cannot be negative.", at=name)
        for name in ("threshold", "cap"):
            if self.pool == "fixed" and getattr(self, name) is not None:
                raise SchemeError(
                    f"outcomes.pay.{name} limits a funded pool, and this one is fixed: it is paid out in full whatever "
                    f"the company's result. Remove {name}, or write pool: funded.",
                    at=name,
                )
        if self.threshold is not None and self.cap is not None and self.threshold > self.cap:
            raise SchemeError(
                f"outcomes.pay.threshold {self.threshold:g} lies above cap {self.cap:g}, so nothing could ever be "
                "paid; the threshold must not exceed the cap.",
                at="threshold",
            )

    @property
    def counted_multiplier(self) -> float:
        """The company multiplier that pays: 0 under the threshold, at most the cap."""
        if self.threshold is not None and self.company_multiplier < self.threshold:
            return 0.0
        return self.company_multiplier if self.cap is None else min(self.company_multiplier, self.cap)


@dataclass(frozen=True)
class Marks:
    """The grades that rules speak of. Unless named: the second best is good, the last but one low, the last failed."""

    good: str = ""
    low: str = ""
    failed: str = ""


@dataclass(frozen=True)
class Promotion:
    """Who may be considered: recent quarters at a good grade, months without a failed one, months in the level."""

    quarters_at_a: int = 2
    months_without_d: int = 12
    months_in_level: int = 12

    def __post_init__(self):
        _at_least("promotion", self, 1, "quarters_at_a")
        _at_least("promotion", self, 0, "months_without_d", "months_in_level")


@dataclass(frozen=True)
class GradeRise:
    """Quarters at a good grade, one after the other, for which a rise of the pay grade is looked at."""

    quarters_at_a: int = 4

    def __post_init__(self):
        _at_least("grade_rise", self, 1, "quarters_at_a")


@dataclass(frozen=True)
class ImprovementPlan:
    """A failed grade, or so many low ones in a row; a plan of so many days, with a review every ``review_days``."""

    c_in_a_row: int = 2
    days_least: int = 30
    days_most: int = 90
    review_days: int = 30

    def __post_init__(self):
        _at_least("improvement_plan", self, 1, "c_in_a_row", "days_least", "review_days")
        if self.days_least > self.days_most:
            raise SchemeError(
                f"outcomes.improvement_plan.days_least {self.days_least} lies above days_most {self.days_most}; "
                "no plan could have a lawful end.",
                at="days_least",
            )


@dataclass(frozen=True)
class Training:
    """Points under which a figure is behind its target; rating (of the scale) at or under which an item is low."""

    behind_target: float = 75.0
    low_rating: float = 2.5


@dataclass(frozen=True)
class Year:
    """How quarters become a year: which method decides, the shares of the mixed one, what the best grade asks for.

    ``gates``: whether a gate of any quarter caps the year too.
    """

    method: str = "mean"
    quarters_share: float = 60.0
    annual_share: float = 40.0
    top_grade_quarters_at_a: int = 3
    gates: bool = True

    def __post_init__(self):
        if self.method not in YEAR_METHODS:
            raise SchemeError(
                f"outcomes.year.method {self.method!r} is unknown; write one of {', '.join(YEAR_METHODS)}.", at="method"
            )
        _at_least("year", self, 0, "quarters_share", "annual_share", "top_grade_quarters_at_a")
        if round(self.quarters_share + self.annual_share, 9) != 100:
            raise SchemeError(
                f"outcomes.year: quarters_share {self.quarters_share:g} and annual_share {self.annual_share:g} total "
                f"{self.quarters_share + self.annual_share:g} %, not 100 %. Change them until they total 100 %.",
                at="quarters_share",
            )


@dataclass(frozen=True)
class Appeal:
    """Working days within which a result may be disputed."""

    working_days: int = 7

    def __post_init__(self):
        _at_least("appeal", self, 1, "working_days")


@dataclass(frozen=True)
class Outcomes:
    """Every rule on what follows from a grade, pay apart."""

    grades: Marks = field(default_factory=Marks)
    promotion: Promotion = field(default_factory=Promotion)
    grade_rise: GradeRise = field(default_factory=GradeRise)
    improvement_plan: ImprovementPlan = field(default_factory=ImprovementPlan)
    training: Training = field(default_factory=Training)
    year: Year = field(default_factory=Year)
    appeal: Appeal = field(default_factory=Appeal)
