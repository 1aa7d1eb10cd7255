"""From a score to its grade."""

from collections.abc import Iterable, Mapping

import numpy as np

GRAIN = 1e-9  # a score this near a cut is on it: the last bits of a sum decide no grade


def grade_of(score, cuts: Mapping[str, float]) -> np.ndarray:
    """Grade of each score, lower bound inclusive; "" where there is no score. ``cuts``: best grade first."""
    values = np.asarray(score, float)
    grades = list(cuts)[::-1]
    bounds = np.array(list(cuts.values())[::-1])
    at = np.searchsorted(bounds, values + GRAIN, side="right") - 1
    found = np.array(grades, dtype=object)[np.clip(at, 0, len(grades) - 1)]
    return np.where(np.isnan(values), "", found)


def cap_grades(grades: Iterable[str], caps: Iterable[str], cuts: Mapping[str, float]) -> np.ndarray:
    """Each grade, or its cap where that is worse; "" stays "", and a cap of "" caps nothing."""
    order = {grade: i for i, grade in enumerate(cuts)} | {"": -1}
    return np.array(
        [g if not g or order[g] >= order[c] else c for g, c in zip(grades, caps, strict=True)], dtype=object
    )
