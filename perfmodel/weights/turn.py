"""The least change of weights after which two employees stand level."""

import numpy as np

from ..space import WeightSpace


def turning_weights(lead: np.ndarray, ahead: float, space: WeightSpace, start: np.ndarray) -> np.ndarray | None:
    """Permitted weights nearest to ``start`` under which sum of w * lead / 100 + ahead = 0, or None where none are.

    Nearest: the fewest points of weight moved, sum of \\|w - start\\|; a linear programme in w and its distances.
    """
    from scipy.optimize import linprog  # costly to import, and needed only here

    n = len(start)
    rows, ends = space.limits()
    eye, none = np.eye(n), np.zeros((len(rows), n))
    found = linprog(
        np.concatenate([np.zeros(n), np.ones(n)]),
        A_ub=np.block([[rows, none], [eye, -eye], [-eye, -eye]]),
        b_ub=np.concatenate([ends, start, -start]),
        A_eq=np.block([[np.ones((1, n)), np.zeros((1, n))], [lead[None], np.zeros((1, n))]]),
        b_eq=[100.0, -100 * ahead],
        bounds=[(0, 100)] * n + [(0, None)] * n,
        method="highs",
    )
    return found.x[:n] if found.status == 0 else None
