"""What must hold within a table and between tables for the figures to mean what the scheme says."""

import numpy as np

from ...scheme import Scheme
from ...tables import INPUTS
from ..findings import Findings
from ..typed import Rows
from . import figures, judgements, money, people
from .ground import Ground

__all__ = ["check_rules"]


def check_rules(tables: dict[str, Rows], scheme: Scheme, found: Findings) -> None:
    """Every rule on every table that could be read; names become ids and the only scorecard is filled in."""
    ground = Ground(tables, scheme, found)
    if not ground.sound("employees", "assignments"):
        return
    people.check(ground)
    if not ground.sound("employees", "assignments"):
        return
    for part in (figures, judgements, money):
        part.check(ground)
    for name, rows in tables.items():
        if ground.sound(name):
            _keys(name, rows, found)
    people.without_data(ground)


def _keys(name: str, rows: Rows, found: Findings) -> None:
    """Two rows for one thing: which of them counts would be chance."""
    key = list(INPUTS[name].key)
    again = rows.frame.duplicated(key).to_numpy()
    if not again.any():
        return
    first: dict[tuple, int] = {}
    values = list(zip(*(rows.text(k) for k in key), strict=True))
    for r in np.argsort(rows.lines, kind="stable"):
        first.setdefault(values[r], int(rows.lines[r]))
    repeated = np.array([rows.lines[r] != first[values[r]] for r in range(len(rows))])
    found.rows(
        repeated, rows, key[0], "error", "key-twice",
        lambda r: f"{', '.join(v for v in values[r] if v)} stands here and on line {first[values[r]]}, and only one "
        "row can count; remove one of the two.",
    )  # fmt: skip
