"""What answers while a person works: the live page of an analyst in JupyterLab."""

from .weights import LiveWeights, live_weights

__all__ = ["LiveWeights", "live_weights"]
