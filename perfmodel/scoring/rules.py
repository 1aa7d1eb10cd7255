"""Attainment, and the rules that turn it into points. Arrays in, arrays out; missing stays missing.

Every rule has one signature: ``rule(attainment, points, low, high, steps)`` with the scheme's ``points`` (floor,
threshold, target, stretch, cap), the attainments ``low`` and ``high`` that earn threshold and stretch points, and
the ``steps`` of a table. A rule uses what it needs.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import DataError

# Rules that divide by the target: without a positive one they have no meaning.
OF_TARGET = frozenset({"ratio", "inverse_ratio", "mirror", "threshold_target_max", "step_table", "all_or_nothing"})


def attainment(actual, target, *, rule: str = "ratio", direction: str = "higher"):
    """Share of the target reached; 1 is on target, more is better, whichever direction is good.

    Higher is better: actual / target. Lower is better: the rule ``inverse_ratio`` takes target / actual, every
    other the mirror 2 - actual / target; they agree on target and differ away from it. ``deduction`` counts
    faults: the actual itself.

    Raises
    ------
    DataError
        If a target is not positive where the rule divides by it.
    """
    actual, target = np.asarray(actual, float), np.asarray(target, float)
    if rule == "deduction":
        return actual.copy()
    if (target <= 0).any():
        raise DataError(
            f"A target of {target[target <= 0][0]:g} has no share to be reached, and the rule {rule} divides by it. "
            "Set a positive target, or use the rule deduction or step_table on another measure."
        )
    if rule == "inverse_ratio":
        with np.errstate(divide="ignore"):
            return target / actual
    share = actual / target
    return 2 - share if direction == "lower" else share


def _bounded(value, points: Mapping[str, float]):
    return np.clip(value, points.get("floor", 0.0), points.get("cap", np.inf))


def ratio(a, points, low=None, high=None, steps=()):
    """Target points x attainment, between floor and cap. The same once attainment is inverse or mirrored."""
    return _bounded(points["target"] * a, points)


def threshold_target_max(a, points, low=0.8, high=1.1, steps=(), middle=1.0):
    """Straight lines through (low, threshold), (middle, target), (high, stretch), going on to floor and cap."""
    under = points["target"] + (points["target"] - points["threshold"]) * (a - middle) / (middle - low)
    over = points["target"] + (points["stretch"] - points["target"]) * (a - middle) / (high - middle)
    return _bounded(np.where(a < middle, under, over), points)


def step_table(a, points, low=None, high=None, steps: Sequence[tuple[float, float]] = ()):
    """Points of the highest step whose attainment is reached; under the first step the floor."""
    least, worth = np.transpose(steps)
    levels = np.concatenate([[points.get("floor", 0.0)], worth])
    # An attainment that is a step but for the last bits of a division has reached it.
    at = np.searchsorted(least, np.asarray(a) + 1e-9, side="right")
    return np.where(np.isnan(a), np.nan, levels[at])


def all_or_nothing(a, points, low=None, high=None, steps=()):
    """Target points when the target is reached, else the floor."""
    return np.where(np.isnan(a), np.nan, np.where(a >= 1 - 1e-9, points["target"], points.get("floor", 0.0)))


def deduction(a, points, low=None, high=None, steps=()):
    """Target points less ``each`` (1 unless the scheme says) for every fault counted, not under the floor."""
    return _bounded(points["target"] - points.get("each", 1.0) * a, points)


def milestone(a, points, low=0.6, high=0.95, steps=(), middle=0.8):
    """As ``threshold_target_max``, on the weighted share of milestones accepted."""
    return threshold_target_max(a, points, low, high, steps, middle)


def rubric(a, points, low=None, high=None, steps=()):
    """Points of a rating: straight lines between the levels of the scheme's rubric, here the ``steps``."""
    ratings, worth = np.transpose(steps)
    return np.interp(a, ratings, worth)


RULES: dict[str, Callable] = {
    "ratio": ratio,
    "inverse_ratio": ratio,
    "mirror": ratio,
    "threshold_target_max": threshold_target_max,
    "step_table": step_table,
    "all_or_nothing": all_or_nothing,
    "deduction": deduction,
    "milestone": milestone,
    "rubric": rubric,
}
