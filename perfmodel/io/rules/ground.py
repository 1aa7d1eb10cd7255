"""What every rule needs: the tables, the scheme, who is rated on which scorecard, and how problems are said."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ...scheme import Scheme
from ...scheme.objects import VIGNETTE
from ..findings import Findings
from ..typed import Rows


@dataclass
class Ground:
    """The tables of one quarter under its scheme. A table that could not be read is empty and not ``sound``."""

    tables: dict[str, Rows]
    scheme: Scheme
    found: Findings

    def sound(self, *names: str) -> bool:
        return not any(self.found.errors_in(self.tables[name].file) for name in names)

    @cached_property
    def employees(self) -> set[str]:
        return set(self.tables["employees"].text("employee_id"))

    @cached_property
    def excluded(self) -> set[str]:
        return set(self.tables["exclusions"].text("employee_id"))

    def vignettes(self, rows: Rows) -> set[str]:
        """Written cases that raters judged beside people: who is rated in the role of that name."""
        if "role" not in rows.frame:
            return set()
        return set(rows.text("employee_id")[rows.text("role") == VIGNETTE]) - {""}

    @cached_property
    def cards(self) -> pd.DataFrame:
        """One row a scorecard: ``employee_id, scorecard, profile``; people who did not move have the one called ""."""
        columns = ["employee_id", "scorecard", "profile"]
        moved = self.tables["assignments"].frame[columns].astype(object)
        stayed = self.tables["employees"].frame.assign(scorecard="")[columns].astype(object)
        return pd.concat([moved, stayed[~stayed.employee_id.isin(moved.employee_id)]], ignore_index=True)

    @cached_property
    def items(self) -> pd.DataFrame:
        """One row a profile and item: ``profile, kpi`` (the item's id) and ``kind``."""
        table = self.scheme.item_table()
        parts = [
            table[table.kpi.isin(self.scheme.weights(p.id).kpi)][["item", "kind"]].assign(profile=p.id)
            for p in self.scheme.profiles
        ]
        return pd.concat(parts, ignore_index=True).rename(columns={"item": "kpi"})

    def expected(self, kind: str) -> pd.DataFrame:
        """``employee_id, scorecard, kpi`` of every item of this kind that somebody not excluded is measured by."""
        cards = self.cards[~self.cards.employee_id.isin(self.excluded)]
        plan = cards.merge(self.items[self.items.kind == kind], on="profile")
        return plan[["employee_id", "scorecard", "kpi"]]

    def unknown(
        self, rows: Rows, column: str, known: Collection[str], code: str, what: str, empty: bool = False
    ) -> None:
        """An error a row whose ``column`` names nothing in ``known``, with the nearest name that exists."""
        values = rows.text(column)
        odd = sorted({v for v in set(values) - set(known) if v or not empty})
        if not odd:
            return
        shown = {v: near(v, known) for v in odd[:200]}
        self.found.rows(
            np.isin(values.astype(str), odd) & (np.ones(len(rows), bool) if not empty else rows.has(column)),
            rows, column, "error", code,
            lambda r: f"{column} {values[r]!r}: {what}{shown.get(values[r], '')}.",
        )  # fmt: skip

    def by_name(self, rows: Rows, column: str, names: Mapping[str, str]) -> None:
        """Names of the scheme, in either language, become its ids, and it is said so."""
        values = rows.text(column)
        if hit := set(values) & set(names):
            where = np.flatnonzero([v in hit for v in values])
            self.found.add(
                rows.file, rows.lines[where].min(), rows.columns[column], "warning", "by-name",
                f"{column}: {len(where)} cells give the name and not the id; read as the ids of scheme.yaml.",
            )  # fmt: skip
            rows.frame[column] = pd.Series([names.get(v, v) for v in values], dtype="str")


def near(value: str, known: Collection[str]) -> str:
    """``"; did you mean X?"`` where something similar exists."""
    pool = [k for k in known if abs(len(k) - len(value)) <= 3 and k] if len(known) > 2000 else list(known)
    found = difflib.get_close_matches(value, pool, 1, cutoff=0.75) if len(pool) <= 5000 else []
    return f"; did you mean {found[0]}?" if found else ""


def names_of(things) -> dict[str, str]:
    """Name in English or Chinese -> id, for things whose name is theirs alone and is no id itself."""
    ids = {t.id for t in things}
    names: dict[str, set[str]] = {}
    for thing in things:
        for name in {thing.name.en, thing.name.zh} - {""}:
            names.setdefault(name, set()).add(thing.id)
    return {name: min(owners) for name, owners in names.items() if len(owners) == 1 and name not in ids}


def pairs(frame: pd.DataFrame, columns: list[str]) -> pd.Index:
    """Rows as tuples, to ask which of them another table has."""
    return pd.MultiIndex.from_frame(frame[columns].astype(object))
