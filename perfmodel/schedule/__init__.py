"""A quarter on a schedule: Prefect (extra ``schedule``) fires it, the runner does it; it is loaded to serve only."""

from .serve import Plan, serve

__all__ = ["Plan", "serve"]
