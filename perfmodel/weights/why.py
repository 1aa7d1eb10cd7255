"""Where one weight turns an employee's grade, the others of its level giving way."""

import numpy as np

from ..space import WeightSpace
from .importance import category_paths, kpi_paths, within_limits
from .panel import Ladder, Panel

HALVINGS = 40


def turns(
    panel: Panel, space: WeightSpace, weights: np.ndarray, ladder: Ladder, names: list[str], up: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each employee the value of one weight now, where it turns the grade, and the place of the grade then.

    ``names`` (employees) are nodes of the space: a category's weight in percent of the whole, a weight inside in
    percent of its category; ``up``: whether it grows. NaN and the grade now where its whole range turns nothing.
    """
    nodes, values = space.nodes(weights[None])
    at = np.array([nodes.index(name) for name in names], dtype=int)
    paths = np.zeros((2, len(nodes), len(weights)))
    for side in (False, True):
        found = dict(zip(space.names, kpi_paths(space, weights, side), strict=True))
        if space.within:
            found |= dict(zip(space.ranges, category_paths(space, weights, side), strict=True))
        paths[int(side)] = within_limits(space, weights, np.stack([found[name] for name in nodes]))[0]
    path = paths[up.astype(int), at]
    now = ladder.place(panel.scores(weights[None])[0])

    def place(share: np.ndarray) -> np.ndarray:
        scores = panel.scores(weights + share[:, None] * path)  # employees x employees: each under each one's weights
        return np.diagonal(ladder.place(scores))

    turned = place(np.ones(len(at))) != now
    low, high = np.zeros(len(at)), np.ones(len(at))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        same = place(middle) == now
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    then = space.nodes(weights + high[:, None] * path)[1][np.arange(len(at)), at]
    return values[0, at], np.where(turned, then, np.nan), np.where(turned, place(high), now)
