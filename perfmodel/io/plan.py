"""The next quarter's scheme, written beside the one it follows and never over a plan under which people are rated."""

from datetime import date
from os import PathLike
from pathlib import Path

import pandas as pd

from ..errors import PerfmodelError, SchemeError
from ..scheme import read_scheme
from ..scheme.writing import difference, for_next_quarter, with_weights
from ..scoring import item_scores, total
from .cycle import read_cycle
from .earlier import dates_of

BEGUN = ("ratings", "results", "milestones", "cycle")  # tables that nobody fills in before a quarter begins


def write_plan(
    scheme: str | PathLike,
    folder: str | PathLike,
    profile: str,
    weights: pd.Series,
    reason: str,
    *,
    today: date | None = None,
    force: bool = False,
) -> str:
    """Write ``folder/scheme.yaml`` for the next quarter with the chosen weights; the difference, as a unified diff.

    A plan of that quarter which stands there already is kept and changed, so that weights of one profile after
    another, and second thoughts, gather in one plan; the difference is then against it. ``scheme`` is the scheme.yaml
    of the quarter that the weights were chosen on, ``today`` the day by which it must be over.

    Raises
    ------
    SchemeError
        If the quarter of ``scheme`` still runs or waits for results; if the next quarter has begun, in ``folder`` or
        beside ``scheme`` (its plan is frozen: weights chosen when results are known would be a choice of results); if
        ``folder`` is the quarter itself, or holds a scheme of another quarter and not ``force``, which replaces it.
    DataError
        If the tables beside ``scheme`` are refused: whether results are awaited is then not known.
    """
    source, place = Path(scheme), Path(folder)
    if place.resolve() == source.resolve().parent:
        raise SchemeError(
            f"{source} is the plan of a quarter that has begun; weights are chosen for the next one. Name another "
            "folder."
        )
    before = source.read_text(encoding="utf-8")
    _refuse_open(source, today or date.today())
    fresh = for_next_quarter(before)
    target = place / "scheme.yaml"
    _refuse_begun(place, source, fresh)
    if target.exists():
        kept = target.read_text(encoding="utf-8")
        if _cycle_of(kept) == _cycle_of(fresh):
            before = fresh = kept
        elif not force:
            raise SchemeError(
                f"{target} is no plan of the quarter after {source.parent.name or source}; look at it, then name "
                "another folder, or write over it with force."
            )
    after = with_weights(fresh, profile, weights, reason)
    place.mkdir(parents=True, exist_ok=True)
    target.write_text(after, encoding="utf-8")
    return difference(before, after)


def _begun(folder: Path) -> list[str]:
    """Files of a folder that hold what a quarter brings in."""
    return sorted(p.name for p in folder.glob("*") if p.stem in BEGUN and p.is_file())


def _refuse_open(source: Path, today: date) -> None:
    """Refuses a quarter that runs or waits for results."""
    dated = dates_of(source)
    if dated and dated[1] >= today:
        raise SchemeError(
            f"The quarter {dated[2]} runs until {dated[1]}. Weights are chosen on closed quarters, for the next plan."
        )
    if _begun(source.parent):
        cycle = read_cycle(source.parent)
        waiting = int(total(cycle, item_scores(cycle))["status"].eq("late").sum())
        if waiting:
            raise SchemeError(
                f"The quarter {cycle.id} waits for results of {waiting} people, so it is not closed, and weights "
                "chosen on it would rest on part of them. Choose on an earlier quarter, or when they are in."
            )


def _refuse_begun(place: Path, source: Path, fresh: str) -> None:
    """Refuses where the quarter to be planned has ratings or results already, in the folder or beside the source."""
    wanted = _cycle_of(fresh)
    for folder in (place, *sorted(p for p in source.resolve().parent.parent.glob("*") if p.is_dir())):
        if folder != place and folder.name != wanted and (dates_of(folder / "scheme.yaml") or ("",) * 3)[2] != wanted:
            continue
        if begun := _begun(folder):
            raise SchemeError(
                f"The plan of {wanted} is frozen: {begun[0]} is there already ({folder}), and weights chosen after "
                "ratings or results are seen would be a choice of results. Choose for a quarter that has not begun."
            )


def _cycle_of(text: str) -> str:
    """The id of a scheme's cycle; "" where the text is no scheme."""
    try:
        found = read_scheme(text, "scheme.yaml")[0]
    except PerfmodelError:
        return ""
    return found.cycle if found else ""
