"""The next quarter's scheme, written beside the one it follows and never over a plan under which people are rated."""

from os import PathLike
from pathlib import Path

import pandas as pd

from ..errors import SchemeError
from ..scheme.writing import difference, for_next_quarter, with_weights


def write_plan(
    scheme: str | PathLike,
    folder: str | PathLike,
    profile: str,
    weights: pd.Series,
    reason: str,
    *,
    force: bool = False,
) -> str:
    """Write ``folder/scheme.yaml`` for the next quarter with the chosen weights; the difference, as a unified diff.

    Raises
    ------
    SchemeError
        If ``folder`` is the quarter itself or holds ratings or results already (its plan is frozen: weights chosen
        when results are known would be a choice of results), or holds another scheme and not ``force``.
    """
    source, place = Path(scheme), Path(folder)
    if place.resolve() == source.resolve().parent:
        raise SchemeError(
            f"{source} is the plan of a quarter that has begun; weights are chosen for the next one. Name another "
            "folder."
        )
    begun = sorted(p.name for p in place.glob("*") if p.stem in ("ratings", "results", "cycle"))
    if begun:
        raise SchemeError(
            f"The plan in {place} is frozen: {begun[0]} is there already, and weights chosen after ratings or results "
            "are seen would be a choice of results. Choose for a quarter that has not begun."
        )
    before = source.read_text(encoding="utf-8")
    after = with_weights(for_next_quarter(before), profile, weights, reason)
    target = place / "scheme.yaml"
    if target.exists() and target.read_text(encoding="utf-8") != after and not force:
        raise SchemeError(f"{target} exists and differs; look at it, then write again with force.")
    place.mkdir(parents=True, exist_ok=True)
    target.write_text(after, encoding="utf-8")
    return difference(before, after)
