"""WeightSpace: the weights a scheme permits, in percent, one level or two."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pandas as pd

from ..errors import SchemeError
from .boxsimplex import EDGE, BoxSimplex
from .nearest import nearest_point
from .ordered import MOST_ORDERED, OrderedBox

LAWS = ("hierarchical", "flat")
MOST_CORNERS = 500_000
MOST_ROWS = 1 << 12  # draws made at once: with all that is held on the way, a few MiB

Range = tuple[float, float]


@dataclass(frozen=True)
class WeightSpace:
    """Every choice of weights inside its ranges that adds up to 100 %.

    Parameters
    ----------
    ranges : mapping of name to (least, most)
        Percent of the whole.
    within : mapping of category to {name: (least, most)}, optional
        Percent **of the category**; see :meth:`tree`. A category without an entry is a weight itself.
    law : "hierarchical" or "flat"
        What "a share of permitted weights" counts. Hierarchical: category weights uniform, and the
        weights inside each category uniform and independent of them. Flat: uniform over the effective
        weights (percent of the whole), which favours heavy categories of many KPIs.
    order : sequence of (heavier, lighter) or "heavier >= lighter", optional
        Weights that must not be lighter than another of the same level: two categories, or two weights of
        one category. At most eight weights of such a level.

    Raises
    ------
    SchemeError
        If no choice adds up to 100 %, a name occurs twice, or no choice keeps the order.

    Examples
    --------
    >>> space = WeightSpace({"sales": (40, 60), "team": (20, 30), "market": (10, 20), "ops": (5, 10)})
    >>> space.contains({"sales": 50, "team": 25, "market": 15, "ops": 10})
    True
    >>> print(space.notes[0])
    sales at 40 % is reached only with the other three at their maximum.
    """

    ranges: Mapping[str, Range]
    within: Mapping[str, Mapping[str, Range]] = field(default_factory=dict)
    law: str = "hierarchical"
    order: tuple[tuple[str, str], ...] = ()

    def __post_init__(self):
        ranges = {str(n): _pair(n, r) for n, r in self.ranges.items()}
        within = {str(c): {str(n): _pair(n, r) for n, r in inner.items()} for c, inner in self.within.items() if inner}
        object.__setattr__(self, "ranges", MappingProxyType(ranges))
        object.__setattr__(self, "within", MappingProxyType(within))
        object.__setattr__(self, "order", tuple(ordered(pair) for pair in self.order))
        if self.law not in LAWS:
            raise SchemeError(f"The law of weights {self.law!r} is unknown; write hierarchical or flat.")
        if unknown := sorted(set(within) - set(ranges)):
            raise SchemeError(f"Weights are given inside {', '.join(unknown)}, which has no range itself; add one.")
        if len(set(self.names)) < len(self.names):
            twice = sorted({n for n in self.names if self.names.count(n) > 1})
            raise SchemeError(f"The weight {', '.join(twice)} occurs in more than one category; rename one of them.")
        if not ranges:
            raise SchemeError("No weight is given; name at least one with its range.")
        self._check_order()
        _check("", ranges, self.outer)
        for category, inner in within.items():
            _check(category, inner, self.inner[category])

    def _check_order(self) -> None:
        for one, other in self.order:
            levels = [self.ranges, *self.within.values()]
            level = next((level for level in levels if one in level and other in level), None)
            if one == other or level is None:
                raise SchemeError(
                    f"The order {one} >= {other} does not name two weights of one level; "
                    "name two categories, or two weights of the same category."
                )
            if len(level) > MOST_ORDERED:
                raise SchemeError(
                    f"The order {one} >= {other} stands among {len(level)} weights; it can be kept exactly among at "
                    f"most {MOST_ORDERED}. Split the level, or give ranges that keep the order by themselves."
                )

    @classmethod
    def tree(
        cls, tree: Mapping[str, tuple[Range, Mapping[str, Range]]], law: str = "hierarchical", order=()
    ) -> "WeightSpace":
        """Two levels: category -> (range of the whole, {KPI: range of the category}), all in percent."""
        outer = {c: around for c, (around, _) in tree.items()}
        return cls(outer, {c: inner for c, (_, inner) in tree.items()}, law, order)

    @cached_property
    def categories(self) -> Mapping[str, str]:
        """Category of each weight; on one level each weight is its own."""
        return MappingProxyType({n: c for c in self.ranges for n in self.within.get(c, (c,))})

    @property
    def names(self) -> list[str]:
        """The weights, in the order of the ranges."""
        return [n for c in self.ranges for n in self.within.get(c, (c,))]

    @cached_property
    def outer(self) -> BoxSimplex:
        """The category weights, percent of the whole."""
        return _box(self.ranges, self.order)

    @cached_property
    def inner(self) -> Mapping[str, BoxSimplex]:
        """The weights inside each category, percent of the category."""
        return {c: _box(self.within.get(c, {c: (100.0, 100.0)}), self.order) for c in self.ranges}

    @cached_property
    def parts(self) -> dict[str, slice]:
        """Where the weights of each category stand among ``names``."""
        ends = np.cumsum([0] + [len(self.inner[c].lower) for c in self.ranges])
        return {c: slice(a, b) for c, a, b in zip(self.ranges, ends[:-1], ends[1:], strict=True)}

    @cached_property
    def _powers(self) -> np.ndarray:
        """Flat law: a category of weight W leaves room W ** dimension for the weights inside it."""
        return np.array([self.inner[c].dimension if self.law == "flat" else 0 for c in self.ranges])

    @property
    def dimension(self) -> int:
        """Weights that can be chosen before the rest follows."""
        return self.outer.dimension + sum(box.dimension for box in self.inner.values())

    @property
    def acceptance(self) -> float:
        """Share of choices drawn inside the ranges by the hierarchical law that are left, exact.

        What does not keep the order is never drawn; under the flat law the rest is thinned, see :meth:`stream`.
        1 without an order under the hierarchical law.
        """
        boxes = [self.outer, *self.inner.values()]
        ordered = float(np.prod([box.acceptance for box in boxes if isinstance(box, OrderedBox)]))
        if not self._powers.any():
            return ordered
        room = np.log(self._outer_law.mean_density()) + self._powers.sum() * np.log(100) - self._most_room
        return ordered * float(np.exp(room))

    @cached_property
    def _outer_law(self) -> BoxSimplex:
        """The category weights with the density that the law gives them."""
        return replace(self.outer, powers=tuple(int(p) for p in self._powers))

    @cached_property
    def _most_room(self) -> float:
        """The largest log of prod W ** dimension over the categories' ranges."""
        return float(self._log_room(_roomiest(self.outer, self._powers)[None])[0])

    def __repr__(self) -> str:
        spans = ", ".join(f"{n} {a:g}–{b:g} %" for n, (a, b) in self.ranges.items())
        ordered = "".join(f", {one} ≥ {other}" for one, other in self.order)
        return f"WeightSpace: {spans}{ordered}; {len(self.names)} weights, {self.law} law"

    def place(self, u: np.ndarray) -> np.ndarray:
        """Carry points of the unit cube (n, dimension) to weights (n, names), by the hierarchical law."""
        cut = self.outer.dimension
        outer = self.outer.place(u[:, :cut])
        leaves = np.empty((len(u), len(self.names)))
        for i, (category, box) in enumerate(self.inner.items()):
            leaves[:, self.parts[category]] = outer[:, [i]] / 100 * box.place(u[:, cut : cut + box.dimension])
            cut += box.dimension
        return leaves

    def source(self, seed) -> Callable[[int], np.ndarray]:
        """Draws on demand: a function from n to draws at the next n points of one scrambled Sobol sequence.

        Under the flat law a point is kept with chance prod (W / its best) ** dimension (:attr:`acceptance`), so there
        are then fewer draws than points. Ask for at most ``MOST_ROWS`` at a time, and memory stays small.
        """
        points = _sobol(self.dimension + bool(self._powers.any()), seed)
        return lambda n: self._drawn(points(n))

    def stream(self, seed, start: int = 512) -> Iterator[np.ndarray]:
        """Endless blocks of :meth:`source`: ``start`` points, then as many as so far, at most ``MOST_ROWS``."""
        source, taken = self.source(seed), 0
        while True:
            size = min(max(taken, start), MOST_ROWS)
            taken += size
            yield source(size)  # nothing of a block is held while others are asked for

    def _drawn(self, u: np.ndarray) -> np.ndarray:
        """Draws of the space's own law from points of the unit cube, at most one of each."""
        leaves = self.place(u)
        if not self._powers.any():
            return leaves
        chance = np.exp(self._log_room(self.category_weights(leaves)) - self._most_room)
        return leaves[u[:, -1] < chance]

    def _in_order(self, leaves: np.ndarray, tolerance: float = 0.0) -> np.ndarray:
        """Which rows of weights (n, names) keep the order."""
        outer = self.category_weights(leaves)
        column = {n: leaves[:, i] for i, n in enumerate(self.names)}
        column |= {c: outer[:, i] for i, c in enumerate(self.ranges)}
        kept = np.ones(len(leaves), dtype=bool)
        for one, other in self.order:
            kept &= column[one] >= column[other] - tolerance
        return kept

    def _log_room(self, outer: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self._powers > 0, self._powers * np.log(outer), 0.0).sum(axis=-1)

    def category_weights(self, leaves: np.ndarray) -> np.ndarray:
        """Category weights (n, categories) of weights (n, names)."""
        return np.stack([leaves[:, part].sum(axis=1) for part in self.parts.values()], axis=1)

    def nodes(self, leaves: np.ndarray) -> tuple[list[str], np.ndarray]:
        """What is chosen, level by level: names, and columns for weights (n, names) in percent of the whole.

        A category's weight in percent of the whole, then the weights inside it in percent of the category (the mean
        permitted ones where the category stands at 0 %).
        """
        if not self.within:
            return self.names, leaves
        outer, columns = self.category_weights(leaves), {}
        for i, (category, part) in enumerate(self.parts.items()):
            columns[category] = outer[:, i]
            there = outer[:, [i]] > EDGE
            share = np.where(
                there, 100 * leaves[:, part] / np.where(there, outer[:, [i]], 1.0), self.inner[category].moments()[0]
            )
            columns |= {n: share[:, j] for j, n in enumerate(self.within.get(category, {}))}
        return list(columns), np.stack(list(columns.values()), axis=1)

    def sample(self, n: int, seed: int = 1) -> pd.DataFrame:
        """``n`` draws x names, percent of the whole, exactly from the law: scrambled Sobol points.

        ``n`` a power of two spreads them best. For a standard error compare several seeds.
        """
        blocks, have = [], 0
        for block in self.stream(seed, start=max(1 << (max(n, 1) - 1).bit_length(), 1)):
            blocks.append(block)
            have += len(block)
            if have >= n:
                break
        return pd.DataFrame(np.concatenate(blocks)[:n], columns=self.names)

    def moments(self) -> tuple[pd.Series, pd.DataFrame]:
        """Mean and covariance of the effective weights (percent of the whole), exact, no draws."""
        mean, covariance = self._outer_law.moments()
        product = covariance + np.outer(mean, mean)
        inside = [self.inner[c].moments() for c in self.ranges]
        share = np.concatenate([m for m, _ in inside]) / 100
        at = np.repeat(np.arange(len(inside)), [len(m) for m, _ in inside])
        second = product[np.ix_(at, at)] * np.outer(share, share)
        for i, (_, spread) in enumerate(inside):
            rows = np.flatnonzero(at == i)
            second[np.ix_(rows, rows)] += product[i, i] * spread / 1e4
        centre = mean[at] * share
        spread = second - np.outer(centre, centre)
        return pd.Series(centre, self.names), pd.DataFrame(spread, self.names, self.names)

    @cached_property
    def centre(self) -> pd.Series:
        """Centre of gravity: the mean permitted weights. (Middles of the ranges need not add up to 100 %.)"""
        return self.moments()[0]

    def contains(self, weights, tolerance: float = 1e-6):
        """Whether weights (percent of the whole, by name) are permitted; a column of answers for a DataFrame."""
        table = weights if isinstance(weights, pd.DataFrame) else pd.DataFrame([pd.Series(weights, dtype=float)])
        if set(table.columns) != set(self.names):
            raise SchemeError(f"Weights must be given for exactly {', '.join(self.names)}.")
        leaves = table[self.names].to_numpy(float)
        outer = self.category_weights(leaves)
        inside = _within(outer, self.outer, tolerance) & (np.abs(outer.sum(axis=1) - 100) <= tolerance)
        for i, (category, part) in enumerate(self.parts.items()):
            box, whole = self.inner[category], outer[:, [i]] / 100
            inside &= (leaves[:, part] >= whole * box.lower - tolerance).all(axis=1)
            inside &= (leaves[:, part] <= whole * box.upper + tolerance).all(axis=1)
        inside &= self._in_order(leaves, tolerance)
        return pd.Series(inside, table.index) if isinstance(weights, pd.DataFrame) else bool(inside[0])

    def nearest(self, weights) -> pd.Series:
        """The permitted weights nearest to the given ones (Euclidean, percent of the whole)."""
        given = pd.Series(weights, dtype=float)
        if set(given.index) != set(self.names):
            raise SchemeError(f"Weights must be given for exactly {', '.join(self.names)}.")
        leaves = given[self.names].to_numpy()
        found = nearest_point(leaves, *self.limits()) if self.within else self.outer.nearest(leaves)
        return pd.Series(found, self.names)

    def moved(self, weights, name: str, value: float) -> pd.Series:
        """Permitted weights with one of them at ``value``, the others of its level giving way within their ranges.

        ``name``: a category (``value`` in percent of the whole) or a weight inside one (percent of the category).
        The value stops where its range, the total or an order does. A category at 0 % has no shares inside it; when it
        comes back they are the mean permitted ones.
        """
        now = pd.Series(weights, dtype=float)[self.names].to_numpy()
        outer = self.category_weights(now[None])[0]
        level = next((c for c, inner in self.within.items() if name in inner), None)
        if level is None and name not in self.ranges:
            raise SchemeError(f"There is no weight {name}; move one of {', '.join([*self.ranges, *self.names])}.")
        shares = self.shares(now)
        if level is None:
            outer = self.outer.moved(outer, list(self.ranges).index(name), value)
        else:
            shares[level] = self.inner[level].moved(shares[level], list(self.within[level]).index(name), value)
        found = np.concatenate([outer[i] * share / 100 for i, share in enumerate(shares.values())])
        return pd.Series(found, self.names)

    def shares(self, leaves: np.ndarray) -> dict[str, np.ndarray]:
        """Weights inside each category, percent of the category, of one choice (names).

        The mean permitted ones where the category stands at 0 %.
        """
        outer = self.category_weights(leaves[None])[0]
        return {
            c: 100 * leaves[part] / outer[i] if outer[i] > EDGE else self.inner[c].moments()[0]
            for i, (c, part) in enumerate(self.parts.items())
        }

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Weights (..., names) that make sum of w * values largest over the whole space."""
        values = np.asarray(values, float)
        parts = {c: self.inner[c].largest(values[..., part]) / 100 for c, part in self.parts.items()}
        best = np.stack([(parts[c] * values[..., part]).sum(axis=-1) for c, part in self.parts.items()], axis=-1)
        outer = self.outer.largest(best)
        return np.concatenate([outer[..., [i]] * parts[c] for i, c in enumerate(parts)], axis=-1)

    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """(A, b): weights w (percent of the whole, adding up to 100) are permitted just when A w <= b."""
        place = {n: i for i, n in enumerate(self.names)}
        eye = np.eye(len(place))
        whole = {c: eye[part].sum(axis=0) for c, part in self.parts.items()}
        rows, ends = [], []
        for c, (least, most) in self.ranges.items():
            rows += [-whole[c], whole[c]]
            ends += [-least, most]
            for n, (low, high) in self.within.get(c, {}).items():
                rows += [low / 100 * whole[c] - eye[place[n]], eye[place[n]] - high / 100 * whole[c]]
                ends += [0.0, 0.0]
        for one, other in self.order:
            heavy, light = (whole[n] if n in whole else eye[place[n]] for n in (one, other))
            rows.append(light - heavy)
            ends.append(0.0)
        return np.array(rows), np.array(ends)

    def vertices(self) -> pd.DataFrame:
        """Every corner: corners of the category weights with corners inside each category."""
        corners = self.outer.vertices()
        inside = [self.inner[c].vertices() / 100 for c in self.ranges]
        count = len(corners) * int(np.prod([len(v) for v in inside]))
        if count > MOST_CORNERS:
            raise SchemeError(
                f"These ranges have up to {count:,} corners, too many to list. "
                "Use largest() for the corner that favours given points."
            )
        grid = np.meshgrid(np.arange(len(corners)), *[np.arange(len(v)) for v in inside], indexing="ij")
        outer = corners[grid[0].ravel()]
        leaves = [outer[:, [i]] * v[g.ravel()] for i, (v, g) in enumerate(zip(inside, grid[1:], strict=True))]
        return pd.DataFrame(np.unique(np.round(np.concatenate(leaves, axis=1), 9), axis=0), columns=self.names)

    @property
    def rule(self) -> str:
        """The law, and an order with what it leaves, in a few words: for every figure that rests on them."""
        law = f"law: {self.law}"
        if not self.order:
            return law
        ordered_ = replace(self, law="hierarchical").acceptance
        told = ", ".join(f"{one} ≥ {other}" for one, other in self.order)
        return f"{law}; order: {told}, which {100 * ordered_:.2g} % of the choices inside the ranges keep"

    @cached_property
    def notes(self) -> list[str]:
        """What the ranges do not say by themselves: ends never reached, or reached in one way only."""
        found = _notes(self.ranges, self.outer, "")
        for category, inner in self.within.items():
            found += _notes(inner, self.inner[category], category)
        return found

    def ranges_reached(self) -> pd.DataFrame:
        """Each range as written and as it can be reached: level, name, least, most, reached_least, reached_most."""
        rows = []
        for level, ranges, box in [("", self.ranges, self.outer)] + [
            (c, inner, self.inner[c]) for c, inner in self.within.items()
        ]:
            for (name, (least, most)), low, high in zip(ranges.items(), *box.reach, strict=True):
                rows.append((level, name, least, most, low, high))
        return pd.DataFrame(rows, columns=["level", "name", "least", "most", "reached_least", "reached_most"])


def _pair(name, bounds) -> Range:
    try:
        least, most = (float(b) for b in bounds)
    except (TypeError, ValueError):
        raise SchemeError(f"{name}: a range is written as two numbers, such as (40, 60), not {bounds!r}.") from None
    if not 0 <= least <= most <= 100:
        raise SchemeError(f"{name}: the range {least:g} to {most:g} % must rise and lie within 0 to 100 %.")
    return least, most


def ordered(pair) -> tuple[str, str]:
    """(heavier, lighter) of an order, written as two names or as "heavier >= lighter"."""
    parts = re.split(r"\s*(?:>=|≥)\s*", pair.strip()) if isinstance(pair, str) else list(map(str, pair))
    if len(parts) != 2:
        raise SchemeError(
            f"An order is written as two names, such as ('sales', 'team') or 'sales >= team', not {pair!r}."
        )
    return parts[0], parts[1]


def _box(ranges: Mapping[str, Range], order: tuple[tuple[str, str], ...]) -> BoxSimplex:
    lower, upper = zip(*ranges.values(), strict=True)
    names = list(ranges)
    here = tuple((names.index(a), names.index(b)) for a, b in order if a in ranges and b in ranges)
    return OrderedBox(lower, upper, order=here) if here else BoxSimplex(lower, upper)


def _check(category: str, ranges, box: BoxSimplex) -> None:
    """Refuses ranges of the weights inside ``category``, or of the categories (""), that nothing can keep."""
    if box.feasible:
        return
    if isinstance(box, OrderedBox) and box.box.feasible:
        names = list(ranges)
        told = ", ".join(f"{names[a]} >= {names[b]}" for a, b in box.order)
        equal = box.acceptance > 0 or len(box.vertices())
        bounds = ", ".join(f"{n} {a:g} to {b:g} %" for n, (a, b) in ranges.items())
        raise SchemeError(
            f"The order {told} is kept {'by making weights equal only' if equal else 'by no choice'} inside the ranges "
            f"of the weights{f' inside {category}' if category else ''} ({bounds}); widen a range or drop an order."
        )
    least, most = sum(box.lower), sum(box.upper)
    end = (
        f"their minima already total {least:g} %; lower some of them by {least - 100:g} points in all"
        if least > 100
        else f"their maxima total only {most:g} %; raise some of them by {100 - most:g} points in all"
    )
    raise SchemeError(
        f"The weights{f' inside {category}' if category else ''} {', '.join(ranges)} can never add up to 100 %: {end}."
    )


def _within(w: np.ndarray, box: BoxSimplex, tolerance: float) -> np.ndarray:
    least, most = np.array(box.lower) - tolerance, np.array(box.upper) + tolerance
    return np.all((w >= least) & (w <= most), axis=1)


COUNTS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


def _notes(ranges, box: BoxSimplex, of: str) -> list[str]:
    if len(ranges) < 2:
        return []
    others = len(ranges) - 1
    found = []
    for (name, (least, most)), low, high in zip(ranges.items(), *box.reach, strict=True):
        sums = {"maximum": sum(box.upper) - most, "minimum": sum(box.lower) - least}
        for end, reached, word in ((least, low, "maximum"), (most, high, "minimum")):
            if abs(end - reached) > EDGE:
                found.append(
                    f"{name} can never be {'below' if word == 'maximum' else 'above'} {reached:g} %"
                    f"{f' of {of}' if of else ''}, although its range goes to {end:g} %."
                )
            elif least < most and abs(100 - sums[word] - end) <= EDGE:
                rest = COUNTS.get(others, str(others))
                found.append(
                    f"{name} at {end:g} %{f' of {of}' if of else ''} is reached only with "
                    f"{f'the other one at its {word}' if others == 1 else f'the other {rest} at their {word}'}."
                )
    return found


def _roomiest(box: BoxSimplex, powers: np.ndarray) -> np.ndarray:
    """Where prod w ** powers is largest: w = power / price inside its ends, the price by halving."""
    least, most = box.reach
    low, high = 1e-9, 1e9
    for _ in range(200):
        price = np.sqrt(low * high)
        low, high = (price, high) if np.clip(powers / price, least, most).sum() > box.total else (low, price)
    return np.clip(powers / low, least, most)


class _sobol:
    """Scrambled Sobol points of the unit cube, in pieces; ``taken`` counts them."""

    def __init__(self, dimension: int, seed):
        self.dimension, self.taken = dimension, 0
        if dimension:
            from scipy.stats import qmc  # costly to import, and needed only here

            self.engine = qmc.Sobol(dimension, scramble=True, rng=np.random.default_rng(seed))

    def __call__(self, n: int) -> np.ndarray:
        import warnings

        self.taken += n
        if not self.dimension:
            return np.empty((n, 0))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The balance properties")  # n is the caller's choice
            return self.engine.random(n)
