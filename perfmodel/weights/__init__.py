"""What follows from any permitted choice of weights: grades, ranks, and what each weight does."""

from .importance import importance
from .simulation import RANK_BANDS, Precision, WeightSimulation, simulate_weights

__all__ = ["RANK_BANDS", "Precision", "WeightSimulation", "importance", "simulate_weights"]
