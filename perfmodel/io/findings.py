"""Collecting what is wrong with input: every kind of problem, but no kind more than twenty times."""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from ..errors import Finding

LISTED = 20  # findings of one code in one file that are listed; the rest is one line with the total


class Findings:
    """Findings as they are met; ``sorted()`` gives them by file and line, each kind capped with its total."""

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._count: Counter[tuple[str, str, str]] = Counter()

    def add(self, file: str, line: int, column: int, level: str, code: str, message: str) -> None:
        self.take([Finding(file, int(line), int(column), level, code, message)])

    def take(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._found.append(finding)
            self._count[finding.file, finding.level, finding.code] += 1

    def rows(self, rows, where, column: str, level: str, code: str, say: Callable[..., str]) -> None:
        """One finding a row of ``rows`` (a mask or positions) of the table ``where``; ``say(position)`` words it."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        rows = rows[np.argsort(where.lines[rows], kind="stable")]
        place = where.columns.get(column, 0)
        self._found += [
            Finding(where.file, int(where.lines[r]), place, level, code, say(int(r))) for r in rows[:LISTED]
        ]
        self._count[where.file, level, code] += len(rows)

    def absent(self, file: str, code: str, missing, say: Callable[..., str]) -> None:
        """A warning for each row of the frame ``missing``, which the file should have; ``say(*row)`` words it."""
        first = missing.sort_values(list(missing.columns), kind="stable").head(LISTED)
        self._found += [
            Finding(file, 0, 0, "warning", code, say(*row)) for row in first.itertuples(index=False, name=None)
        ]
        self._count[file, "warning", code] += len(missing)

    def errors_in(self, file: str) -> bool:
        return any(f == file and level == "error" and n for (f, level, _), n in self._count.items())

    @property
    def refused(self) -> bool:
        return any(level == "error" and n for (_, level, _), n in self._count.items())

    def sorted(self) -> tuple[Finding, ...]:
        kept: list[Finding] = []
        listed: Counter[tuple[str, str, str]] = Counter()
        for finding in sorted(set(self._found)):
            kind = (finding.file, finding.level, finding.code)
            listed[kind] += 1
            if listed[kind] <= LISTED:
                kept.append(finding)
        for kind, n in self._count.items():
            if n > LISTED:
                file, level, code = kind
                shown = min(listed[kind], LISTED)
                message = f"{n} of this kind in all; the first {shown} are listed."
                kept.append(Finding(file, 0, 0, level, code, message, n - shown))
        return tuple(sorted(kept, key=lambda f: (f.file, f.line == 0 and "of this kind in all" in f.message, f)))


def format_findings(findings: Iterable[Finding], limit: int = 200) -> str:
    """Findings one a line, errors first, at most ``limit`` of them, and a last line with the totals."""
    findings = sorted(findings, key=lambda f: f.level != "error")
    errors = sum(f.level == "error" for f in findings)
    lines = [str(f) for f in findings[:limit]]
    if len(findings) > limit:
        lines.append(f"… and {len(findings) - limit} more")
    warnings = len(findings) - errors
    lines.append(
        f"{errors} {'error' if errors == 1 else 'errors'}, {warnings} {'warning' if warnings == 1 else 'warnings'}"
    )
    return "\n".join(lines)
