"""Shares of permitted weights by formula, where a score is linear in what is drawn."""

import numpy as np

from ..space import WeightSpace
from ..space.boxsimplex import EDGE
from ..space.polytope import Polytope
from .panel import LAST_BIT, Ladder, Panel

MOST_VARY = 7  # weights: beyond, the set falls into too many simplices


def corners(space: WeightSpace) -> tuple[Polytope | None, str]:
    """The permitted set as a polytope under its uniform law, or why there is no formula.

    There is one where category weights vary and all shares inside are fixed, and where category weights are fixed and
    shares inside vary: independent uniform laws are the uniform law of the product of their sets.
    """
    if space.outer.dimension and any(box.dimension for box in space.inner.values()):
        return None, (
            "weights inside categories may vary too, and a score is then a product of drawn weights; "
            "the law of such products has no simple formula"
        )
    if space.dimension > MOST_VARY - 1:
        vary = sum(len(box.free) for box in (space.outer, *space.inner.values()))
        return None, f"{vary} weights may vary, and the formula is used for at most {MOST_VARY}"
    return Polytope(space.vertices().to_numpy()), ""


def linear(panel: Panel, space: WeightSpace) -> np.ndarray:
    """Whose score is linear in the weights: all but those whose missing KPI is shared among two or more weights
    that vary."""
    own = {tuple(range(part.start, part.stop)): space.inner[c] for c, part in space.parts.items()}
    eye = np.eye(len(space.names))
    varies = np.diag(space.largest(eye)) - np.diag(space.largest(-eye)) > EDGE
    found = np.ones(len(panel.points), dtype=bool)
    for part in panel.parts.values():
        box = own.get(tuple(part))
        if len(part) > 1 and varies[part].any() and (box is None or box.dimension):
            there = (~np.isnan(panel.points[:, part])).sum(axis=1)
            found &= (there == len(part)) | (there <= 1)  # one alone stands for the category whatever its share
    return found


def grade_shares(panel: Panel, ladder: Ladder, space: WeightSpace, polytope: Polytope) -> np.ndarray:
    """Share of permitted weights that give each grade: (employees, grades); NaN where the score is not linear."""
    scores = panel.scores(polytope.corners)
    reached = polytope.share_above(scores, ladder.least[:-1] - LAST_BIT)
    reached = np.concatenate([reached, np.ones((len(reached), 1))], axis=1)
    reached = np.where(np.arange(len(ladder.least)) < ladder.cap[:, None], 0.0, reached)
    shares = np.diff(reached, axis=1, prepend=0.0)
    shares[~linear(panel, space)] = np.nan
    return shares


def outranking(panel: Panel, polytope: Polytope) -> tuple[float, float]:
    """Shares of permitted weights under which the first of two employees scores higher, and the second."""
    lead = -np.diff(panel.scores(polytope.corners), axis=1)
    ahead = polytope.share_above(np.concatenate([lead, -lead], axis=1), np.array([LAST_BIT]))[:, 0]
    return float(ahead[0]), float(ahead[1])
