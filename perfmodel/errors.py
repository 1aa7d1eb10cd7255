"""What can be wrong with input, and how it is said."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Finding:
    """One thing found in the input: where it is, what it is, what to do about it.

    ``line`` and ``column`` count from 1 as an editor does; 0 means the file as a whole.
    ``level`` is ``"error"`` (the cycle is refused) or ``"warning"`` (it stands, with care). ``n`` is how many it stands
    for: more than one in the line that ends a list cut short.
    """

    file: str
    line: int
    column: int
    level: str
    code: str
    message: str
    n: int = field(default=1, compare=False)

    def __str__(self) -> str:
        place = ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])
        return f"{place}: {self.level}: {self.message} [{self.code}]"


def by_code(findings: Iterable[Finding], level: str) -> dict[str, int]:
    """How many findings of one level there are of each code."""
    found: dict[str, int] = {}
    for finding in findings:
        if finding.level == level:
            found[finding.code] = found.get(finding.code, 0) + finding.n
    return dict(sorted(found.items()))


class PerfmodelError(Exception):
    """Anything a user can cause and mend; shown as text, never as a traceback."""

    def __init__(self, message: str, findings: Iterable[Finding] = ()):
        self.findings = tuple(findings)
        super().__init__(message)


class SchemeError(PerfmodelError):
    """The scheme contradicts itself or lacks something it needs; ``at`` names the block of the file to look at."""

    def __init__(self, message: str, findings: Iterable[Finding] = (), at: str = ""):
        self.at = at
        super().__init__(message, findings)


class DataError(PerfmodelError):
    """The data have no meaning under the scheme."""


class WarningsError(DataError):
    """The data could be computed, but have warnings, and ``--strict`` was asked for."""


class RunError(PerfmodelError):
    """A run could not be completed: a kernel died, a time-out, a folder that cannot be written."""


class TransientError(RunError):
    """The machine failed, not the data or the code: the same may succeed when it is tried again."""


class LedgerError(PerfmodelError):
    """The database of decisions cannot be opened, read or added to, or refuses what it is asked to record."""


class DecisionError(PerfmodelError):
    """The committee's rules do not allow a decision, vote, signature or final quarter; nothing was recorded."""
