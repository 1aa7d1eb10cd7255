"""A quarter on a schedule: Prefect (extra ``schedule``) fires it, the runner does it; it is loaded to serve only."""

from .quarters import closed_quarter
from .serve import Plan, serve

__all__ = ["Plan", "closed_quarter", "serve"]
