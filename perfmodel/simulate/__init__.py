"""Quarters and ratings with known truth: to test the methods, and to show them without anybody's data."""

from .quarters import Quarter, simulate_quarters
from .ratings import simulate_ratings
from .sample import sample_files

__all__ = ["Quarter", "sample_files", "simulate_quarters", "simulate_ratings"]
