"""Counts over draws of weights, block by block: memory does not grow with the draws.

Blocks come from several independent scramblings of one Sobol sequence; the scatter between scramblings is the
standard error. A rank band is counted by comparing scores with the score at its last rank, so every draw needs a
sort of plain numbers and no ranking; ranks themselves are taken in the first draws of each scrambling.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..space import WeightSpace
from .panel import LAST_BIT, Ladder, Panel, ranks

SCRAMBLINGS = 16
T_95 = 2.131  # Student's t, 15 degrees of freedom, two-sided 95 %
START = 256  # draws of each scrambling before precision is first judged
RANKED = 128  # draws of each scrambling in which whole rankings are kept
ROWS = 255  # draws counted at once: as many as a byte can count
CELLS = 1 << 19  # scores held at a time: 4 MiB
PART = 2048  # employees taken together where they need not be ranked


@dataclass(frozen=True)
class Precision:
    """How far shares can be trusted: ``half_width`` is 95 %, for the least certain employee and grade; ``se`` its
    standard error, ``se_bands`` that of the least certain employee and rank band (NaN where ranks are not asked)."""

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


def streams(space: WeightSpace, seed: int) -> list[Iterator[np.ndarray]]:
    """The independent scramblings of one seed, each an endless stream of blocks of weights."""
    return [space.stream(s, START) for s in np.random.SeedSequence(seed).spawn(SCRAMBLINGS)]


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
        self.reached = np.zeros((SCRAMBLINGS, len(ladder.grades), n))
        self.within = np.zeros((SCRAMBLINGS, len(edges), n))
        self.drawn = np.zeros(SCRAMBLINGS)
        self.best, self.worst = np.full(n, n, dtype=np.int64), np.ones(n, dtype=np.int64)
        self.rank_sum, self.ranked = np.zeros(n), 0
        self._cut = [n - edge for edge in edges]  # where the last rank of each band stands in rising order
        self._parts: dict[tuple[int, int], Panel] = {}

    def run(self, seed: int, half_width: float, most_draws: int) -> Precision:
        """Double the draws until the shares of grades are close enough."""
        sources = streams(self.space, seed)
        while True:
            for k, stream in enumerate(sources):
                self._add(k, next(stream))
            width = T_95 * self._se(self.shares)
            enough = width <= half_width
            if enough or 2 * self.draws > most_draws or not len(self.best):
                bands = self._se(self.within / self._drawn) if self.edges else np.nan
                return Precision(self.draws, SCRAMBLINGS, width / T_95, bands, width, bool(enough))

    @property
    def draws(self) -> int:
        return int(self.drawn.sum())

    @property
    def _drawn(self) -> np.ndarray:
        return np.maximum(self.drawn, 1)[:, None, None]

    @property
    def shares(self) -> np.ndarray:
        """Share of draws that give each grade: (scramblings, grades, employees)."""
        return np.diff(self.reached / self._drawn, axis=1, prepend=0.0)

    @property
    def band_shares(self) -> np.ndarray:
        """Share of draws at or above each edge of the rank bands: (edges, employees)."""
        return self.within.sum(axis=0) / max(self.draws, 1)

    def _se(self, shares: np.ndarray) -> float:
        return float((shares.std(axis=0, ddof=1) / np.sqrt(SCRAMBLINGS)).max(initial=0.0))

    def _add(self, k: int, weights: np.ndarray) -> None:
        """Count a block: whole rows where ranks are asked, else employees in parts that fit the cache."""
        n = len(self.best)
        part = max(n if self.edges else min(n, PART), 1)
        rows = min(max(CELLS // part, 1), ROWS)
        for left in range(0, n, part):
            who = slice(left, min(left + part, n))
            for start in range(0, len(weights), rows):
                scores = self._panel(who).scores(weights[start : start + rows])
                for g, least in enumerate(self.ladder.least[:-1]):
                    self.reached[k, g, who] += count(scores >= least - LAST_BIT)
                if self.edges:
                    self._rank(k, scores, RANKED - start if not self.drawn[k] else 0)
        self.reached[k, -1] += len(weights)
        self.reached[k][np.arange(len(self.ladder.least))[:, None] < self.ladder.cap] = 0.0
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
        last = (
            np.partition(scores, self._cut, axis=1)[:, self._cut]
            if len(self.best) > PART
            else np.sort(scores, axis=1)[:, self._cut]
        )
        for i in range(len(self.edges)):
            self.within[k, i] += count(scores >= last[:, [i]] - LAST_BIT)


def count(true: np.ndarray) -> np.ndarray:
    """True cells of each column; at most 255 rows, so that bytes can be added as bytes."""
    return np.add.reduce(true.view(np.uint8), axis=0, dtype=np.uint8)
