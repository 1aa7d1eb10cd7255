"""A sales organisation that lives from quarter to quarter: posts, the people in them, who rates whom.

Everything that happens in a quarter is drawn from a stream of its own, named by the calendar quarter. So a
quarter is the same whether one or seven are asked for, and whatever other parts draw.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from ..errors import DataError

FIRST = 2012 * 4  # 2012Q1, where the organisation begins: long enough ago that tenures have settled by 2016
PARTS = (
    "posts",
    "founders",
    "turnover",
    "departures",
    "moves",
    "drift",
    "market",
    "figures",
    "plans",
    "ratings",
    "records",
)
SIZES = (30, 16, 24, 22, 8, 26, 20, 28, 11, 22, 15, 18)  # people in each unit, 12 units of 240 in all
TREES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ilex", "Juniper", "Katsura", "Larch")
SIZE = 2400.0  # quarterly revenue of a usual post, CNY thousand
PROFILES = (0.60, 0.25, 0.15)  # share of posts by profile, in the order of the scheme

LEAVE_RATE = 0.030  # share of posts whose holder changes in a quarter
MOVE_RATE = 0.025  # share of people who exchange posts within a quarter
PROMOTION_RATE = 0.03  # share promoted on each 1 April and 1 October
SEVERITY_SD, SCALE_USE_SD, DRIFT_SD, DRIFT_KEPT = 0.33, 0.12, 0.06, 0.80


def stream(seed: int, part: str, quarter: int = 0) -> np.random.Generator:
    """The random numbers of one part of one quarter."""
    return np.random.default_rng(np.random.SeedSequence([seed, PARTS.index(part), quarter]))


def quarter_number(name: str) -> int:
    """``2026Q3`` as a number that counts quarters."""
    year, _, quarter = name.partition("Q")
    if not (len(year) == 4 and year.isdigit() and quarter in ("1", "2", "3", "4")):
        raise DataError(f"{name!r} is no quarter; write it as 2026Q3.")
    return int(year) * 4 + int(quarter) - 1


def quarter_name(number: int) -> str:
    return f"{number // 4}Q{number % 4 + 1}"


def quarter_days(number: int) -> tuple[date, date]:
    """First and last day of a quarter."""
    first = date(number // 4, number % 4 * 3 + 1, 1)
    after = number + 1
    return first, date(after // 4, after % 4 * 3 + 1, 1) - timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Posts:
    """Posts and their place. Persons are numbered: holders of posts first, then those outside the table.

    ``boss`` is the person who rates a post's holder, ``head`` and ``lead`` mark posts that have reports,
    ``alone`` the posts of the unit whose rater shares nobody with another.
    """

    unit: np.ndarray
    units: np.ndarray
    profile: np.ndarray
    boss: np.ndarray
    head: np.ndarray
    lead: np.ndarray
    alone: np.ndarray
    size: np.ndarray
    n_outside: int

    @property
    def n(self) -> int:
        return len(self.unit)


def make_posts(n: int, profiles: tuple[str, ...], seed: int, units: int | None = None) -> Posts:
    """``n`` posts in units of about twenty, or in so many ``units``: a head each, a lead for half of the people,
    directors outside."""
    if n < 10:
        raise DataError(f"{n} employees make no organisation with units and raters; ask for 10 or more.")
    if units is not None and not 1 <= units <= n // 5:
        raise DataError(f"{n} employees in {units} units: ask for 1 to {n // 5}, so that a unit has about five people.")
    rng = stream(seed, "posts")
    n_units = units or max(1, round(n / 20))
    weights = np.resize(np.array(SIZES, float), n_units)
    ends = np.round(np.cumsum(weights) / weights.sum() * n).astype(int)
    starts = np.concatenate([[0], ends[:-1]])
    unit = np.repeat(np.arange(n_units), ends - starts)
    within = np.arange(n) - starts[unit]

    alone_unit = n_units - 2 if n_units >= 4 else -1
    head, lead = within == 0, (within == 1) & (unit != alone_unit)
    half = (ends - starts)[unit] // 2
    boss = np.where((within > half) & (unit != alone_unit), starts[unit] + 1, starts[unit])
    boss = np.where(lead, starts[unit], np.where(head, n + unit // 2, boss))

    shares = np.resize(np.array(PROFILES), len(profiles))
    profile = np.searchsorted(np.cumsum(shares / shares.sum()), rng.random(n), side="right").clip(0, len(profiles) - 1)
    size = SIZE * np.exp(0.30 * rng.standard_normal(n_units))[unit] * np.exp(0.25 * rng.standard_normal(n))
    width = max(2, len(str(n_units)))
    names = np.array([f"U{u + 1:0{width}d}-{TREES[u % 12]}" for u in range(n_units)], dtype=object)
    return Posts(
        unit=unit,
        units=names,
        profile=np.array(profiles, dtype=object)[np.where(head | lead, 0, profile)],
        boss=boss,
        head=head,
        lead=lead,
        alone=unit == alone_unit,
        size=size,
        n_outside=(n_units + 1) // 2 + 1,
    )


@dataclass(frozen=True, eq=False)
class Staff:
    """Who holds the posts in one quarter. Arrays are in the order of posts; ``people`` is by name of the trait.

    ``came_from`` is the post held until ``moved_on`` by those who exchanged posts within the quarter (-1: nobody).
    """

    quarter: int
    people: dict[str, np.ndarray]
    joined: np.ndarray
    leaving: np.ndarray
    came_from: np.ndarray
    moved_on: np.ndarray
    outside_severity: np.ndarray
    outside_slope: np.ndarray

    @property
    def severity(self) -> np.ndarray:
        """Severity of all persons in this quarter, on a scale of 1 to 5; those outside the posts come last."""
        return np.concatenate([self.people["severity"] + self.people["drift"], self.outside_severity])

    @property
    def slope(self) -> np.ndarray:
        """Scale use of all persons: below 1 is central."""
        return np.concatenate([self.people["slope"], self.outside_slope])


def staff_by_quarter(posts: Posts, seed: int, first: int, last: int, *, moves: bool) -> Iterator[Staff]:
    """The holders of posts in every quarter from ``first`` to ``last``."""
    if first < FIRST + 8:
        raise DataError(f"The simulated organisation begins later: ask for {quarter_name(FIRST + 8)} or after.")
    n = posts.n
    people = _newcomers(stream(seed, "founders"), n, FIRST, 0)
    people["hired"] = people["hired"] - np.timedelta64(1, "D") * stream(seed, "founders", 1).integers(90, 3000, n)
    rng = stream(seed, "founders", 2)
    outside_severity = SEVERITY_SD * rng.standard_normal(posts.n_outside)
    outside_slope = np.exp(SCALE_USE_SD * rng.standard_normal(posts.n_outside))
    outside_drift = np.zeros(posts.n_outside)
    given = n
    for quarter in range(FIRST, last + 1):
        joined = _leaving(seed, quarter, n)
        leaving = _leaving(seed, quarter + 1, n)
        fresh = _newcomers(stream(seed, "turnover", quarter), n, quarter, given)
        fresh["number"] = given + np.cumsum(joined)
        given += int(joined.sum())
        people = {trait: np.where(joined, fresh[trait], people[trait]) for trait in people}

        rng = stream(seed, "drift", quarter)
        people["drift"] = DRIFT_KEPT * people["drift"] + DRIFT_SD * rng.standard_normal(n)
        outside_drift = DRIFT_KEPT * outside_drift + DRIFT_SD * rng.standard_normal(posts.n_outside)

        rng = stream(seed, "moves", quarter)
        promoted = (rng.random(n) < PROMOTION_RATE) & (people["level"] < 4) & ~joined & (quarter % 2 == 1)
        people["level"] = people["level"] + promoted
        people["level_since"] = np.where(promoted, np.datetime64(quarter_days(quarter)[0]), people["level_since"])
        came_from, moved_on = np.full(n, -1), np.full(n, np.datetime64("NaT"), dtype="datetime64[D]")
        if moves:
            order, came_from, moved_on = _exchanges(posts, rng, quarter, joined | leaving)
            people = {trait: values[order] for trait, values in people.items()}
        if quarter >= first:
            yield Staff(
                quarter, people, joined, leaving, came_from, moved_on, outside_severity + outside_drift, outside_slope
            )


def _leaving(seed: int, quarter: int, n: int) -> np.ndarray:
    """Posts whose holder of the quarter before is gone when ``quarter`` begins."""
    return stream(seed, "departures", quarter).random(n) < LEAVE_RATE


def _newcomers(rng: np.random.Generator, n: int, quarter: int, given: int) -> dict[str, np.ndarray]:
    """Somebody for every post, hired within ``quarter``; traits in standard deviations unless named otherwise."""
    first, last = quarter_days(quarter)
    hired = np.datetime64(first) + rng.integers(0, (last - first).days, n) * np.timedelta64(1, "D")
    return {
        "number": given + 1 + np.arange(n),
        "hired": hired,
        "ability": rng.standard_t(5, n) * np.sqrt(3 / 5),
        "conduct": rng.standard_normal(n),
        "severity": SEVERITY_SD * rng.standard_normal(n),
        "slope": np.exp(SCALE_USE_SD * rng.standard_normal(n)),
        "drift": np.zeros(n),
        "level": 1 + (rng.random(n) < 0.45).astype(int) + (rng.random(n) < 0.25),
        "level_since": hired,
        "gender": np.where(rng.random(n) < 0.42, "f", "m").astype(object),
        "age_when_hired": 24 + rng.gamma(3.0, 3.0, n),
        "name": rng.integers(0, 12**4, n),
    }


def _exchanges(posts: Posts, rng: np.random.Generator, quarter: int, fixed: np.ndarray):
    """Pairs of posts in different units whose holders change places within the quarter."""
    n = posts.n
    free = np.flatnonzero(~(fixed | posts.head | posts.lead | posts.alone))
    wanted = min(round(MOVE_RATE * n / 2), len(free) // 2)
    chosen = rng.permutation(free)[: 2 * wanted]
    one, other = chosen[::2], chosen[1::2]
    apart = posts.unit[one] != posts.unit[other]
    one, other = one[apart], other[apart]
    first, last = quarter_days(quarter)
    day = np.datetime64(first) + rng.integers(14, (last - first).days - 14, wanted)[apart] * np.timedelta64(1, "D")
    order = np.arange(n)
    order[one], order[other] = other, one
    came_from, moved_on = np.full(n, -1), np.full(n, np.datetime64("NaT"), dtype="datetime64[D]")
    came_from[one], came_from[other] = other, one
    moved_on[one] = moved_on[other] = day
    return order, came_from, moved_on
