"""One cycle: a scheme and the checked tables of one quarter."""

from dataclasses import dataclass, field
from types import MappingProxyType

import pandas as pd

from .errors import DataError, Finding
from .scheme import Scheme


@dataclass(frozen=True, eq=False)
class Cycle:
    """A quarter's scheme and tables, read and checked; what was found on the way travels with them.

    ``tables`` holds every table of the contract that the source had, typed: ids as text, numbers as
    floats (missing stays missing), dates as datetime64, yes/no as booleans. Optional columns exist,
    empty. ``lines`` gives for each table the line of its source on which each row stands.
    """

    scheme: Scheme
    tables: MappingProxyType
    findings: tuple[Finding, ...] = ()
    digests: MappingProxyType = field(default_factory=lambda: MappingProxyType({}))
    lines: MappingProxyType = field(default_factory=lambda: MappingProxyType({}))

    @property
    def simulated(self) -> bool:
        """Whether the figures are made up; said wherever they are shown."""
        return self.scheme.simulated

    @property
    def id(self) -> str:
        return self.scheme.cycle

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.level == "warning")

    def table(self, name: str) -> pd.DataFrame:
        """A table by name; an optional one that the source lacks is empty, with its columns."""
        if name not in self.tables:
            raise DataError(f"A cycle has no table {name!r}.")
        return self.tables[name]

    def __getattr__(self, name: str) -> pd.DataFrame:
        # cycle.results reads better than cycle.table("results"); only table names come here.
        tables = self.__dict__.get("tables", {})
        if name in tables:
            return tables[name]
        raise AttributeError(name)

    def __repr__(self) -> str:
        rows = ", ".join(f"{len(t)} {name}" for name, t in self.tables.items() if len(t))
        return f"Cycle {self.id}: {rows}; {len(self.findings)} findings"
