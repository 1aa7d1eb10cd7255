"""Outcomes by group of people, for HR and legal alone: rates, comparisons with the largest group, what may be shown.

- ``fairness(scores, groups, scheme, *, outcomes=None, stages=STAGES, confidence=.95)``: the table
- ``ratio_interval, fisher, flip_one, shortfall, smallest_detectable``: two rates beside each other
- ``mantel_haenszel``: the ratio inside units
- ``hide(Counts(...))``: groups and cells that must not be shown
"""

from .rates import fisher, flip_one, ratio_interval, risk_ratio, shortfall, smallest_detectable
from .strata import digits_to_tell, mantel_haenszel
from .suppression import Counts, hide
from .table import fairness, top_band

__all__ = [
    "Counts",
    "digits_to_tell",
    "fairness",
    "fisher",
    "flip_one",
    "hide",
    "mantel_haenszel",
    "ratio_interval",
    "risk_ratio",
    "shortfall",
    "smallest_detectable",
    "top_band",
]
