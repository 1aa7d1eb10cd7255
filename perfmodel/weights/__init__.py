"""What follows from any permitted choice of weights: grades, ranks, and what each weight does."""

from .choice import WeightChoice, choose_weights
from .importance import importance
from .simulation import RANK_BANDS, WeightSimulation, simulate_weights
from .tally import Precision

__all__ = [
    "RANK_BANDS",
    "Precision",
    "WeightChoice",
    "WeightSimulation",
    "choose_weights",
    "importance",
    "simulate_weights",
]
