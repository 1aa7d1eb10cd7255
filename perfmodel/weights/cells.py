"""The fewest of many linear functions that can be positive at once, by branch and bound over cells of weights.

Two employees stand level on a plane, so planes cut the permitted weights into cells inside which the order of all
employees is one and the same. They are far too many to list (of 1,000 employees and four weights, some hundred
million), but most need no look. The set is cut into simplices. Over a simplex a linear function lies between its
values at the corners: what is positive at all corners is positive inside, which bounds the count from below, and each
corner gives a count that is reached. A simplex whose bound is no better than the best count found is done; one that
few planes cross is settled by looking at every point where they meet; any other is halved along its longest edge.

References
----------
Land, A. H. & Doig, A. G. (1960), An automatic method of solving discrete programming problems, Econometrica 28.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import combinations

import numpy as np

BATCH = 1 << 18  # values held at a time: 2 MiB
SPARE = 2  # planes beyond the dimension up to which a simplex is settled
DEEPER = 8  # halvings after which one plane more is allowed: where many planes meet in a point, halving parts none
MOST_CROSSING = 9
PER_POINT = 4  # values looked at that one meeting point costs as much as
INSIDE = 1e-11  # points of score: how far inside its own side a plane is looked at


def fewest_positive(
    values: np.ndarray,
    times: np.ndarray,
    corners: np.ndarray,
    simplices: np.ndarray,
    level: float,
    found: int,
    enough: Callable[[int], bool],
) -> tuple[int, int]:
    """Least of sum ``times`` [value > ``level``] over the set: found, and surely needed.

    Parameters
    ----------
    values : (corners, functions)
        Linear functions at the corners of the set.
    times : (functions,)
        How many stand for one function.
    corners : (corners, weights)
    simplices : (simplices, dimension + 1)
        Rows of ``corners``.
    found : int
        A count known to be reached.
    enough : callable
        Told how many values were looked at since it was last asked; whether to stop, with what is surely needed so far.
    """
    left = [(0, corners[simplices], values[simplices])]
    spent = 0
    while left:
        if enough(spent):
            return found, min(found, *(int(_sure(v > level, times).min()) for _, _, v in left))
        depth, places, at = left.pop()
        spent = at.size
        up = at > level
        found = min(found, int((up @ times).min()))
        sure = _sure(up, times)
        alive = sure < found
        if not alive.any():
            continue
        places, at, up, sure = places[alive], at[alive], up[alive], sure[alive]
        crossing = up.any(axis=1) & ~up.all(axis=1)
        few = crossing.sum(axis=1) <= min(at.shape[1] - 1 + SPARE + depth // DEEPER, MOST_CROSSING)
        for cell in np.flatnonzero(few):
            if sure[cell] < found:
                here = crossing[cell]
                found = min(found, int(sure[cell]) + _settled(at[cell][:, here], times[here], level))
                spent += PER_POINT * len(_choices(int(here.sum()), at.shape[1])) * at.shape[1] ** 2
        if few.all():
            continue
        order = np.argsort(-sure[~few], kind="stable")  # the most promising last, to be taken next
        places, at = _halved(places[~few][order], at[~few][order])
        step = max(BATCH // max(at[0].size, 1), 2)
        left += [(depth + 1, places[i : i + step], at[i : i + step]) for i in range(0, len(at), step)]
    return found, found


def _sure(up: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Count of what is positive all over each simplex."""
    return up.all(axis=1) @ times


def _halved(places: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each simplex in two, its longest edge cut in the middle; halves of one lie side by side."""
    k = places.shape[1]
    one, other = np.triu_indices(k, 1)
    longest = ((places[:, one] - places[:, other]) ** 2).sum(axis=2).argmax(axis=1)
    rows = np.arange(len(places))
    halves = []
    for array in (places, at):
        middle = (array[rows, one[longest]] + array[rows, other[longest]]) / 2
        both = np.repeat(array, 2, axis=0)
        both[2 * rows, one[longest]] = middle
        both[2 * rows + 1, other[longest]] = middle
        halves.append(both)
    return halves[0], halves[1]


@lru_cache(maxsize=64)
def _choices(planes: int, corners: int) -> np.ndarray:
    """Every choice of as many planes and faces of a simplex as meet in a point, at least one plane among them."""
    chosen = combinations(range(planes + corners), corners - 1)
    return np.array([c for c in chosen if c[0] < planes], dtype=int).reshape(-1, corners - 1)


def _settled(at: np.ndarray, times: np.ndarray, level: float) -> int:
    """The same least count inside one simplex, exactly: it is reached at a corner or where planes and faces meet.

    ``at``: (corners, functions). What is to be at most ``level`` is a closed set, so if it is not empty a corner of it
    lies on as many of its own planes and faces as there are dimensions.
    """
    k, n = at.shape
    least = int(((at > level) @ times).min())
    if n == 0 or k == 1:
        return least
    size = np.maximum(np.abs(at).max(axis=0), INSIDE)
    planes = (at - (level - INSIDE)) / size
    rows = np.concatenate([planes.T, np.eye(k)])[_choices(n, k)]
    system = np.concatenate([rows, np.ones((len(rows), 1, k))], axis=1)
    system = system[np.abs(np.linalg.det(system)) > 1e-12]
    if not len(system):
        return least
    right = np.zeros((len(system), k, 1))
    right[:, -1] = 1.0
    points = np.linalg.solve(system, right)[..., 0]
    points = points[(points >= -1e-12).all(axis=1)]
    return min(least, int(((points @ at > level) @ times).min(initial=least)))
