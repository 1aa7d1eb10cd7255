"""What answers while people work: the live page of an analyst in JupyterLab, and the committee's meeting.

The meeting is in ``room`` (what is so, and what may be recorded), ``view`` (that as HTML) and ``meeting`` (the
server); they are imported where a meeting is held, so that a notebook with sliders loads no server.
"""

from .weights import LiveWeights, live_weights

__all__ = ["LiveWeights", "live_weights"]
