"""Counts over draws of weights, block by block: memory does not grow with the draws.

Blocks come from several independent scramblings of one Sobol sequence; the scatter between scramblings is the
standard error. A rank band is counted by comparing scores with the score at its last rank, so every draw needs a
sort of plain numbers and no ranking; ranks themselves are taken in the first draws of each scrambling.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..space import WeightSpace
from ..space.space import MOST_ROWS
from .panel import LAST_BIT, Ladder, Panel, ranks

SCRAMBLINGS = 16
T_95 = 2.131  # Student's t, 15 degrees of freedom, two-sided 95 %
START = 256  # draws of each scrambling before precision is first judged
GRAIN = 128  # further draws of each scrambling come in multiples of it
MARGIN = 1.1  # more draws than the width so far asks for, for it is itself uncertain
RANKED = 128  # draws of each scrambling in which whole rankings are kept
RANKED_CELLS = 640_000  # and of each, scores: all of those draws up to 5,000 employees
BINS = 4096  # into which scores are counted
ROWS = 255  # draws counted at once: as many as a byte can count
CELLS = 1 << 19  # scores held at a time: 4 MiB
LIKE = 0.02  # p (1 - p) from which shares are taken for alike
SHARED = 50  # shares at least, to tell what they have in common
PART = 2048  # employees taken together where they need not be ranked


@dataclass(frozen=True)
class Precision:
    """How far shares can be trusted: ``half_width`` is 95 %, for the least certain employee and grade or rank band.

    ``se``: standard error of the least certain grade share; ``se_bands``: of the least certain share of a rank band
    (NaN where ranks are not asked).
    """

    draws: int
    scramblings: int
    se: float
    se_bands: float
    half_width: float
    reached: bool

    def __str__(self) -> str:
        told = (
            f"every share within {self.half_width:.3f} (95 %), {self.draws:,} draws in {self.scramblings} scramblings"
        )
        return told if self.reached else f"{told}; the aim was closer, but the most draws allowed are used up"


def seeds(seed: int) -> list[np.random.SeedSequence]:
    """One for each of the independent scramblings."""
    return np.random.SeedSequence(seed).spawn(SCRAMBLINGS)


def streams(space: WeightSpace, seed: int) -> list[Iterator[np.ndarray]]:
    """The independent scramblings of one seed, each an endless stream of blocks of weights."""
    return [space.stream(s, START) for s in seeds(seed)]


def first_draws(space: WeightSpace, seed: int) -> np.ndarray:
    """The first block of every scrambling: enough for a picture of the space, at least one draw of each."""
    found = []
    for stream in streams(space, seed):
        block = next(stream)
        while not len(block):
            block = next(stream)
        found.append(block)
    return np.concatenate(found)


class Tally:
    """Counts by employee: draws that reach each grade, and draws inside each band of ranks."""

    def __init__(self, panel: Panel, ladder: Ladder, space: WeightSpace, edges: list[int]):
        n = len(panel.points)
        self.panel, self.ladder, self.space, self.edges = panel, ladder, space, edges
        self.reached = np.zeros(
            (SCRAMBLINGS, len(ladder.grades) - 1, n), dtype=np.uint16
        )  # at or above each but the last
        self.within = np.zeros((SCRAMBLINGS, len(edges), n), dtype=np.uint16)
        self.drawn = np.zeros(SCRAMBLINGS)
        self.best, self.worst = np.full(n, n, dtype=np.int64), np.ones(n, dtype=np.int64)
        self.rank_sum, self.ranked = np.zeros(n), 0
        self._cut = [n - edge for edge in edges]  # where the last rank of each band stands in rising order
        self._parts: dict[tuple[int, int], Panel] = {}

    def run(self, seed: int, half_width: float, most_draws: int) -> Precision:
        """Draw more until the shares of grades, and of rank bands, are close enough.

        As many more as the width so far asks for, for it falls with the square root of the draws at least, but never
        more than as many again; in multiples of ``GRAIN``, so that each piece of a sequence is spread evenly.
        """
        sources = [self.space.source(s) for s in seeds(seed)]
        most = max(most_draws // SCRAMBLINGS, START)
        taken, more = 0, START
        while True:
            for k, source in enumerate(sources):
                for left in range(0, more, MOST_ROWS):
                    self._add(k, source(min(MOST_ROWS, more - left)))
            taken += more
            grades = self._se(self.shares)
            bands = self._se(self._in_bands) if self.edges else np.nan
            width = T_95 * max(grades, bands if self.edges else 0.0)
            if width <= half_width or taken + GRAIN > most or not len(self.best):
                return Precision(self.draws, SCRAMBLINGS, grades, bands, width, bool(width <= half_width))
            wanted = min(MARGIN * taken * (width / half_width) ** 2 - taken, taken, most - taken)
            more = max(int(wanted // GRAIN), 1) * GRAIN

    @property
    def draws(self) -> int:
        return int(self.drawn.sum())

    def shares(self, who: slice) -> np.ndarray:
        """Share of draws that give each grade: (scramblings, grades, employees of ``who``)."""
        reached = self.reached[:, :, who] / np.maximum(self.drawn, 1)[:, None, None]
        reached = np.concatenate([reached, np.ones_like(reached, shape=(len(reached), 1, reached.shape[2]))], axis=1)
        reached = np.where(np.arange(reached.shape[1])[:, None] < self.ladder.cap[who], 0.0, reached)
        return np.diff(reached, axis=1, prepend=0.0)

    @property
    def mean_shares(self) -> np.ndarray:
        """Share of draws that give each grade: (employees, grades)."""
        found = np.empty((len(self.best), len(self.ladder.grades)))
        for who in self._slices():
            found[who] = self.shares(who).mean(axis=0).T
        return found

    def _in_bands(self, who: slice) -> np.ndarray:
        """Share of draws in first place and inside each band: (scramblings, bands, employees of ``who``)."""
        shares = self.within[:, :, who] / np.maximum(self.drawn, 1)[:, None, None]
        return np.concatenate([shares[:, :1], np.diff(shares[:, 1:], axis=1, prepend=0.0)], axis=1)

    @property
    def band_shares(self) -> np.ndarray:
        """Share of draws at or above each edge of the rank bands: (edges, employees)."""
        return self.within.sum(axis=0, dtype=np.int64) / max(self.draws, 1)

    def _se(self, shares: Callable[[slice], np.ndarray]) -> float:
        """Standard error of the least certain share; those near 0 or 1 are taken as they come."""
        apart, alike = 0.0, [np.zeros((2, 0))]
        for who in self._slices():
            part = shares(who)
            both = np.stack([part.mean(axis=0).ravel(), part.var(axis=0, ddof=1).ravel() / SCRAMBLINGS])
            known = (both[0] * (1 - both[0]) > LIKE) & (both[1] > 0)
            apart = max(apart, both[1, ~known].max(initial=0.0))
            alike.append(both[:, known])
        return float(np.sqrt(max(apart, least_certain(*np.concatenate(alike, axis=1)))))

    def _slices(self) -> Iterator[slice]:
        """Employees part by part, so that what is worked out for each scrambling stays small."""
        return (slice(left, left + PART) for left in range(0, len(self.best), PART))

    def _add(self, k: int, weights: np.ndarray) -> None:
        """Count a block: whole rows where ranks are asked, else employees in parts that fit the cache."""
        n = len(self.best)
        if self.drawn[k] + len(weights) > np.iinfo(self.reached.dtype).max:
            self.reached, self.within = self.reached.astype(np.uint32), self.within.astype(np.uint32)
        part = max(n if self.edges else min(n, PART), 1)
        rows = min(max(CELLS // part, 1), ROWS)
        for left in range(0, n, part):
            who = slice(left, min(left + part, n))
            for start in range(0, len(weights), rows):
                scores = self._panel(who).scores(weights[start : start + rows])
                for g, least in enumerate(self.ladder.least[:-1]):
                    self.reached[k, g, who] += count(scores >= least - LAST_BIT)
                if self.edges:
                    self._rank(k, scores, min(RANKED, RANKED_CELLS // n) - start if not self.drawn[k] else 0)
        self.drawn[k] += len(weights)

    def _panel(self, who: slice) -> Panel:
        at = (who.start, who.stop)
        if at not in self._parts:
            self._parts[at] = self.panel.take(who)
        return self._parts[at]

    def _rank(self, k: int, scores: np.ndarray, ranked: int) -> None:
        if ranked > 0:
            place = ranks(scores[:ranked])
            self.best = np.minimum(self.best, place.min(axis=0))
            self.worst = np.maximum(self.worst, place.max(axis=0))
            self.rank_sum += place.sum(axis=0, dtype=np.int64)
            self.ranked += len(place)
        last = smallest(scores, self._cut) if len(self.best) > PART else np.sort(scores, axis=1)[:, self._cut]
        for i in range(len(self.edges)):
            self.within[k, i] += count(scores >= last[:, [i]] - LAST_BIT)


def smallest(scores: np.ndarray, places: list[int]) -> np.ndarray:
    """The values at some ``places`` (from 0) of each row in rising order: (rows, n) -> (rows, places).

    As ``np.partition``, three times as fast where there are many: a row is counted into bins, and only what lies in the
    bin of a place is put in order.
    """
    low, high = scores.min(), scores.max()
    if not high > low:
        return np.repeat(scores[:, :1], len(places), axis=1)
    bins = ((scores - low) * ((BINS - 1) / (high - low))).astype(np.int16)
    found = np.empty((len(scores), len(places)))
    for row, inside, out in zip(scores, bins, found, strict=True):
        upto = np.cumsum(np.bincount(inside, minlength=BINS))
        at = np.searchsorted(upto, places, side="right")
        for i, (place, one) in enumerate(zip(places, at.tolist(), strict=True)):
            before = upto[one - 1] if one else 0
            out[i] = np.partition(row[inside == one], place - before)[place - before]
    return found


def least_certain(share: np.ndarray, variance: np.ndarray) -> float:
    """The largest variance among many shares' means, each known from few scramblings only; 0 of none.

    The largest of thousands of variances with 15 degrees of freedom is nearly four times a true one (of 1,000
    employees the largest standard error came out at .0087 where repetition gives .0045). Variances of shares that lie
    alike between 0 and 1 are alike, so each is drawn toward p (1 - p) times what all have in common, the more the less
    they scatter beyond what 15 degrees of freedom do. A few shares are taken as they come.

    References
    ----------
    Smyth, G. K. (2004), Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments, Stat. Appl. Genet. Mol. Biol. 3(1), article 3, section 6.2.
    """
    from scipy.special import digamma, polygamma

    if len(share) < SHARED:
        return float(variance.max(initial=0.0))
    inner = share * (1 - share)
    free = SCRAMBLINGS - 1
    scatter = np.log(variance / inner)
    beyond = scatter.var(ddof=1) - polygamma(1, free / 2)
    prior = 2 * _trigamma_inverse(beyond) if beyond > 0 else np.inf
    bias = digamma(free / 2) - np.log(free / 2) - (digamma(prior / 2) - np.log(prior / 2) if prior < np.inf else 0.0)
    common = np.exp(scatter.mean() - bias) * inner
    drawn = common if prior == np.inf else (prior * common + free * variance) / (prior + free)
    return float(drawn.max())


def _trigamma_inverse(value: float) -> float:
    """x with trigamma(x) = ``value``: Newton steps on 1 / trigamma, which is convex and nearly a straight line."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        tri = polygamma(1, x)
        step = tri * (1 - tri / value) / polygamma(2, x)
        x += step
        if -step / x < 1e-8:
            break
    return float(x)


def count(true: np.ndarray) -> np.ndarray:
    """True cells of each column; at most 255 rows, so that bytes can be added as bytes."""
    return np.add.reduce(true.view(np.uint8), axis=0, dtype=np.uint8)
