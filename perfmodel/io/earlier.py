"""Earlier quarters beside the one that is read: which there are, and what they take from year-to-date figures."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ..errors import PerfmodelError
from ..scheme import Scheme
from ..scheme.reading import Loader
from ..tables import INPUTS
from .findings import Findings
from .sources import open_source
from .typed import Rows, typed

PAIR = ["employee_id", "kpi"]
FIGURES = ["target", "actual"]


@dataclass(frozen=True, order=True)
class Sibling:
    """The folder of another quarter, with the dates its scheme states."""

    start: date
    end: date
    id: str
    folder: Path


def siblings(folder: Path, before: date) -> list[Sibling]:
    """Quarters in folders beside ``folder`` that ended before ``before``, oldest first."""
    return [one for one in quarters_in(Path(folder).resolve().parent) if one.end < before]


def quarters_in(folder: Path) -> list[Sibling]:
    """Quarters in the folders below ``folder``, oldest first."""
    found = []
    for path in sorted(Path(folder).iterdir()):
        scheme = path / "scheme.yaml"
        if path.is_dir() and scheme.is_file() and (dated := dates_of(scheme)):
            found.append(Sibling(*dated, path))
    return sorted(found)


def dates_of(path: Path) -> tuple[date, date, str] | None:
    """Start, end and id of a scheme file, without reading the rest; None where they cannot be read."""
    try:
        node: Any = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=Loader)
        top = {key.value: value for key, value in node.value}
        cycle = {key.value: value.value for key, value in top["cycle"].value}
        return date.fromisoformat(cycle["start"]), date.fromisoformat(cycle["end"]), cycle["id"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        return None


def id_of(source: str, cycle: str | None = None, scheme: str | Path | None = None) -> str | None:
    """Id of the quarter in ``source``, as ``read_cycle`` takes them, from its scheme alone; None where it says none."""
    place = Path(source)
    beside = Path(scheme) if scheme else (place if place.is_dir() else place.parent) / "scheme.yaml"
    dated = dates_of(beside)
    return cycle or (dated[2] if dated else None)


def difference(rows: Rows, scheme: Scheme, folder: Path | None, digests: dict[str, str], found: Findings) -> None:
    """Year-to-date results become the quarter's: their own minus what the year's earlier quarters hold.

    The figures as delivered stay beside them as ``target_ytd`` and ``actual_ytd``. A quarter that states
    year-to-date itself ends the way back; one that does not is added to. Who was not there before had nothing.
    """
    frame = rows.frame
    ytd = (frame["basis"] == "ytd").to_numpy()
    if not ytd.any() or found.errors_in(rows.file):
        return
    if not _can_differ(rows, scheme, ytd, found):
        return
    taken = frame.loc[ytd, PAIR].astype(object).assign(target=0.0, actual=0.0, open=True, row=np.flatnonzero(ytd))
    before = [s for s in siblings(folder, scheme.start) if s.start.year == scheme.start.year] if folder else []
    expected = scheme.start
    for quarter in reversed(before):
        if (expected - quarter.end).days != 1 or not taken.open.any():
            break
        expected = quarter.start
        earlier = _figures(quarter, digests, found)
        if earlier is None:
            return
        _take(taken, earlier, quarter, rows, found)
    if taken.open.any() and (expected.month, expected.day) != (1, 1):
        found.rows(
            taken.row[taken.open].to_numpy(), rows, "basis", "error", "ytd-earlier",
            lambda r: f"{frame.employee_id[r]}, {frame.kpi[r]}: the figures are year-to-date, and the quarter before "
            f"{expected} is not beside this one, so the quarter's own share is unknown; add that folder, or deliver "
            "the "
            "quarter's figures.",
        )  # fmt: skip
        return
    for column in FIGURES:
        frame[f"{column}_ytd"] = np.where(ytd, frame[column], np.nan)
        frame.loc[ytd, column] = np.round(frame.loc[ytd, column].to_numpy() - taken[column].to_numpy(), 9)
    found.rows(
        ytd & (frame["target"].to_numpy() <= 0), rows, "target", "error", "target-zero",
        lambda r: f"{frame.employee_id[r]}, {frame.kpi[r]}: after the earlier quarters are taken off the target is "
        f"{frame.target[r]:g}; is the figure really year-to-date?",
    )  # fmt: skip


def _can_differ(rows: Rows, scheme: Scheme, ytd: np.ndarray, found: Findings) -> bool:
    frame = rows.frame
    ratio = {i.id for i in scheme.items if i.unit.startswith("%")}
    who, kpi = rows.text("employee_id"), rows.text("kpi")
    found.rows(
        ytd & np.array([k in ratio for k in kpi], bool), rows, "basis", "error", "ytd-ratio",
        lambda r: f"{who[r]}, {kpi[r]}: a percentage of the year minus one of earlier quarters means nothing; "
        "deliver the "
        "quarter's own figure.",
    )  # fmt: skip
    bounds = frame[["threshold", "stretch"]].notna().any(axis=1).to_numpy()
    found.rows(
        ytd & bounds, rows, "threshold", "error", "ytd-threshold",
        lambda r: f"{who[r]}, {kpi[r]}: it is unclear whether threshold and stretch beside year-to-date figures are "
        "of the "
        "year; deliver the quarter's own figures.",
    )  # fmt: skip
    twice = frame.duplicated(PAIR, keep=False).to_numpy()
    found.rows(
        ytd & twice, rows, "basis", "error", "ytd-scorecards",
        lambda r: f"{who[r]}, {kpi[r]}: year-to-date figures on two scorecards cannot be split; deliver each "
        "scorecard's own.",
    )  # fmt: skip
    return not found.errors_in(rows.file)


def _figures(quarter: Sibling, digests: dict[str, str], found: Findings) -> pd.DataFrame | None:
    """Target, actual and basis of each person and item of an earlier quarter, scorecards added up."""
    own = Findings()
    place = f"../{quarter.folder.name}"
    try:
        opened = open_source(quarter.folder, own, only=("results",))
    except (PerfmodelError, OSError):
        opened = None
    results = opened.sheets.get("results") if opened else None
    rows = typed(INPUTS["results"], results, own) if results else None
    if rows is None or own.refused:
        found.add(
            f"{place}/results", 0, 0, "error", "ytd-earlier",
            f"Year-to-date figures need the results of {quarter.id}, which cannot be read; run check on that quarter.",
        )  # fmt: skip
        return None
    digests |= {f"{place}/{name}": value for name, value in opened.digests.items()} if opened else {}
    frame = rows.frame[~rows.frame.status.isin(["not_due", "not_applicable"])]
    summed = frame.groupby(PAIR, sort=True)[FIGURES].sum(min_count=1)
    complete = frame.groupby(PAIR, sort=True)[FIGURES].count().eq(frame.groupby(PAIR, sort=True).size(), axis=0)
    return summed.where(complete).assign(ytd=frame.assign(y=frame.basis == "ytd").groupby(PAIR, sort=True).y.any())


def _take(taken: pd.DataFrame, earlier: pd.DataFrame, quarter: Sibling, rows: Rows, found: Findings) -> None:
    """Adds one earlier quarter to what is taken off, for the rows still open."""
    held = earlier.reindex(pd.MultiIndex.from_frame(taken[PAIR]))
    present = earlier.index.isin(held.index[taken.open.to_numpy()])
    if not present.any():
        return
    there = held.index.isin(earlier.index)
    gap = there & taken.open.to_numpy() & held[FIGURES].isna().any(axis=1).to_numpy()
    found.rows(
        taken.row.to_numpy()[gap], rows, "basis", "error", "ytd-earlier",
        lambda r: f"{rows.frame.employee_id[r]}, {rows.frame.kpi[r]}: {quarter.id} lacks the figure, so it cannot be "
        "taken off "
        "the year-to-date one; complete that quarter, or deliver the quarter's own figure.",
    )  # fmt: skip
    add = there & taken.open.to_numpy() & ~gap
    for column in FIGURES:
        taken.loc[add, column] += held[column].to_numpy()[add]
    taken.loc[add & held["ytd"].eq(True).to_numpy(), "open"] = False
