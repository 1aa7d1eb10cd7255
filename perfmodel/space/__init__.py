"""Every permitted choice of weights: what it holds, how to draw from it, where its ends are."""

from .boxsimplex import BoxSimplex
from .space import LAWS, WeightSpace, ordered

__all__ = ["LAWS", "BoxSimplex", "WeightSpace", "ordered"]
