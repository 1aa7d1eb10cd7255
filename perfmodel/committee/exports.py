"""What payroll and the HR system are sent: from final quarters alone, and never the same thing twice.

The first export of a layout is everything, each later one what changed since: the ledger says what was sent before.
The entry comes first, the file after it, so a file that was lost is written again from the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import DecisionError
from ..io import csv_bytes, digest, write_atomic
from ..ledger import Draft, Entry, Ledger, token_of
from ..outcomes import bonuses
from ..outcomes.bonus import NOT_ELIGIBLE
from .case import Case
from .record import Done
from .rules import again
from .state import EXPORT, State, state_of

PAYROLL, HRIS = "payroll", "hris"
LAYOUTS = {
    PAYROLL: ["employee_id", "grade", "amount", "currency", "effective_date"],
    HRIS: ["employee_id", "grade", "decided_on", "reason_code", "effective_date"],
}
CONTROL = [
    "cycle",
    "layout",
    "export",
    "rows",
    "total",
    "currency",
    "sha256",
    "ledger_head",
    "status",
    "effective_date",
]


@dataclass(frozen=True)
class Exported:
    """An export: its entry, the two files' content, and what it adds up to (whole cents, payroll alone)."""

    entry: Entry
    content: bytes
    control: bytes
    rows: int
    cents: int


def standing(case: Case, state: State, layout: str) -> dict[str, list[Any]]:
    """What a layout would say of each employee now: payroll [grade, cents, currency], hris [grade, day, code]."""
    if layout == HRIS:
        return {
            who: [found.grade, found.entry.at[:10], found.data["code"]]
            for who, found in sorted(state.decisions.items())
        }
    grades = pd.DataFrame(state.grades.items(), columns=["employee_id", "grade"])
    table = bonuses(grades, case.cycle.pay, case.cycle.scheme)
    table = table[table["grade"].ne("") & table["reason"].ne(NOT_ELIGIBLE)]
    rows = zip(table["employee_id"], table["grade"], table["cents"], table["currency"], strict=True)
    return {who: [grade, int(cents), currency] for who, grade, cents, currency in rows}


def sent(state: State, layout: str) -> dict[str, list[Any]]:
    """What was sent before, all exports of the layout together."""
    found: dict[str, list[Any]] = {}
    for entry in _exports(state, layout):
        for who, *values in entry.data["rows"]:
            before = found.get(who, ["", 0])
            found[who] = [values[0], before[1] + values[1], *values[2:]] if layout == PAYROLL else values
    return found


def _exports(state: State, layout: str) -> list[Entry]:
    return [entry for entry in state.entries if entry.kind == EXPORT and entry.data["layout"] == layout]


def deltas(now: Mapping[str, list[Any]], before: Mapping[str, list[Any]], layout: str) -> list[list[Any]]:
    """Rows in which ``now`` differs from what was sent; payroll's cents are what is to be paid on top.

    Whoever was sent before and is gone now (a quarter reopened) gets an empty grade, and payroll takes all back.
    """
    rows = []
    for who in sorted(now.keys() | before.keys()):
        new = now.get(who)
        old = before.get(who)
        if layout == PAYROLL:
            grade, cents, currency = new or ["", 0, (old or ["", 0, ""])[2]]
            was = old or ["", 0, currency]
            if [grade, cents] != was[:2]:
                rows.append([who, grade, cents - was[1], currency])
        elif new != old:
            values = new or ["", "", ""]
            if values != old:
                rows.append([who, *values])
    return rows


def export_drafts(case: Case, state: State, layout: str, *, effective: date | None, by: str, head: str) -> list[Draft]:
    """The entry of an export.

    Refused by name: not-final, layout-unknown, no-pay, currency-changed, nothing-changed.
    """
    if layout not in LAYOUTS:
        raise DecisionError(f"{layout!r} is no layout; write one of {', '.join(LAYOUTS)}. [layout-unknown]")
    if state.final is None:
        raise DecisionError(
            f"{case.cycle.id} is not final, and only what is final is sent on. Close it first: perfmodel finalize. "
            "[not-final]"
        )
    now, before = standing(case, state, layout), sent(state, layout)
    if not now and not before:
        raise DecisionError(f"{case.cycle.id} has no pay table, so there is nothing for payroll. [no-pay]")
    if layout == PAYROLL and (mixed := sorted({row[2] for row in (*now.values(), *before.values())}))[1:]:
        raise DecisionError(
            f"Amounts were sent in one currency and are now in another ({', '.join(mixed)}), so what is still to be "
            "paid is no difference of the two. Put the pay table back into the currency that was sent, or settle what "
            "was sent by hand in payroll. [currency-changed]"
        )
    rows, last = deltas(now, before, layout), _exports(state, layout)
    if not rows:
        raise DecisionError(
            f"Nothing changed since entry {last[-1].seq} was exported, so there is nothing to send. To write that file "
            "again: --again. [nothing-changed]"
        )
    day = effective or datetime.fromisoformat(state.final.at).date()
    content = csv_bytes(frame_of(rows, layout, day))
    payload = {
        "layout": layout,
        "number": len(last) + 1,
        "rows": rows,
        "n": len(rows),
        "total": sum(row[2] for row in rows) if layout == PAYROLL else 0,
        "digest": digest(content),
        "effective": day.isoformat(),
        "of": state.final.hash,
        "head": head,
        "run": case.run,
    }
    token = token_of(case.cycle.id, EXPORT, layout, last[-1].hash if last else "", payload["digest"])
    return [Draft(case.cycle.id, EXPORT, by or EXPORT, payload, token)]


def frame_of(rows: list[list[Any]], layout: str, day: date) -> pd.DataFrame:
    """The rows of an entry as the file has them; amounts are money, not cents."""
    if layout == PAYROLL:
        shown: list[list[Any]] = [
            [who, grade, cents / 100, currency, day.isoformat()] for who, grade, cents, currency in rows
        ]
    else:
        shown = [[*row, day.isoformat()] for row in rows]
    return pd.DataFrame(shown, columns=LAYOUTS[layout])


def of_entry(entry: Entry, status: str) -> Exported:
    """Both files from an entry of the ledger, the same whenever they are made."""
    data = entry.data
    day = date.fromisoformat(data["effective"])
    content = csv_bytes(frame_of(data["rows"], data["layout"], day))
    if digest(content) != data["digest"]:
        raise DecisionError(
            f"The file of entry {entry.seq} would not be the one that was sent: its digest is not the recorded one. "
            "Use the perfmodel that wrote it. [digest]"
        )
    currency = next((row[3] for row in data["rows"]), "") if data["layout"] == PAYROLL else ""
    values = [entry.cycle, data["layout"], data["number"], data["n"]]
    values += [data["total"] / 100 if data["layout"] == PAYROLL else "", currency]
    values += [data["digest"], entry.hash, status, data["effective"]]
    control = csv_bytes(pd.DataFrame([values], columns=CONTROL))
    return Exported(entry, content, control, data["n"], data["total"])


def export(
    ledger: Ledger,
    case: Case,
    layout: str,
    *,
    status: str,
    effective: date | None = None,
    by: str = "",
    again_: bool = False,
) -> tuple[Exported, Done]:
    """Record an export and make its files; ``again_``: those of the last export, from the ledger.

    Raises
    ------
    DecisionError
        For the reasons of :func:`export_drafts`; or there is no export to write again.
    """

    def rule(entries: tuple[Entry, ...]) -> list[Draft]:
        state = state_of(entries, case.cycle.id)
        if again_:
            if not (before := _exports(state, layout)):
                raise DecisionError(f"{case.cycle.id} was never exported for {layout}. [nothing-sent]")
            return [again(before[-1])]
        head = entries[-1].hash if entries else ""
        return export_drafts(case, state, layout, effective=effective, by=by, head=head)

    (entry,) = ledger.append_from(rule)
    return of_entry(entry, status), Done((entry,), state_of(ledger.entries(case.cycle.id)))


def control_of(path: str | Path) -> Path:
    """Where the control totals of a file stand: ``pay.csv`` has ``pay.control.csv``."""
    place = Path(path)
    return place.with_name(f"{place.stem}.control.csv")


def must_have_folder(path: str | Path) -> None:
    """Refuses a file in a folder that is not there, before anything is recorded.

    Raises
    ------
    DecisionError
        If the folder is not there, or a folder stands where the file should.
    """
    if Path(path).is_dir():
        raise DecisionError(f"{path} is a folder. Name a file in it. [no-folder]")
    if not Path(path).parent.is_dir():
        raise DecisionError(f"The folder of {path} is not there. Make it, or name another file. [no-folder]")


def write_export(made: Exported, path: str | Path) -> tuple[Path, Path]:
    """The file and its control totals, each whole or not at all; the totals last."""
    place, control = Path(path), control_of(path)
    must_have_folder(place)
    write_atomic(place, made.content)
    write_atomic(control, made.control)
    return place, control
