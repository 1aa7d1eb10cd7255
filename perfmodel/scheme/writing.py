"""Chosen weights written into a scheme's text, everything else as it was: its comments, its order, its lines."""

import difflib
import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd
import yaml

from ..errors import SchemeError
from .objects import Scheme
from .reading import read_scheme

STEP = 0.1  # percent: the grain in which weights are written


def with_weights(text: str, profile: str, weights: pd.Series, reason: str) -> str:
    """The text of a scheme with the weights of one profile chosen anew, as percent of the whole by KPI.

    Weights are rounded to a tenth of a percent, level by level, so that each level totals 100 inside its ranges. The
    reason stands above them as a comment.

    Raises
    ------
    SchemeError
        If the weights are not permitted, the reason is empty, or the profile is written so that it cannot be edited.
    """
    scheme = _read(text)
    space = scheme.weight_space(profile)
    if not space.contains(weights, tolerance=1e-4):
        raise SchemeError("The chosen weights are not permitted: let them total 100 % inside their ranges.")
    said = " ".join(reason.split())
    if not said:
        raise SchemeError("Say why these weights were chosen: the next reader of the scheme will ask.")
    ordered = pd.Series(weights, dtype=float)[space.names]
    outer = space.category_weights(ordered.to_numpy()[None])[0]
    whole = _rounded(dict(zip(space.ranges, outer, strict=True)), space.ranges)
    inside = {
        c: _rounded({n: 100 * ordered[n] / outer[i] if outer[i] else 0.0 for n in ranges}, ranges)
        for i, (c, ranges) in enumerate(space.within.items())
    }
    lines = [f"# {said}", f"weights: {_flow(whole)}", "kpis:", *[f"  {c}: {_flow(w)}" for c, w in inside.items()]]
    changed = _replaced(text, profile, lines)
    written = _read(changed).weights(profile).set_index("kpi")["weight"]
    if (written[space.names] - ordered).abs().max() > 2 * STEP * len(ordered):
        raise SchemeError(f"The weights of {profile} could not be written; write them by hand.")
    return changed


def for_next_quarter(text: str) -> str:
    """The text of a scheme with its cycle set to the quarter that follows."""
    scheme = _read(text)
    named = re.fullmatch(r"(\d{4})Q([1-4])", scheme.cycle)
    if named is None:
        raise SchemeError(
            f"The cycle {scheme.cycle} is no quarter such as 2026Q3; write the next plan's cycle by hand."
        )
    year, quarter = int(named[1]), int(named[2])
    year, quarter = (year + 1, 1) if quarter == 4 else (year, quarter + 1)
    start = scheme.end + timedelta(days=1)
    after = date(start.year + (start.month + 3 > 12), (start.month + 2) % 12 + 1, 1)
    values = {"id": f"{year}Q{quarter}", "start": start.isoformat(), "end": (after - timedelta(days=1)).isoformat()}
    node: Any = _entry(yaml.compose(text), "cycle")
    edits = [(value.start_mark.index, value.end_mark.index, values[key.value])
             for key, value in node.value if key.value in values]  # fmt: skip
    for start_at, end_at, new in sorted(edits, reverse=True):
        text = text[:start_at] + new + text[end_at:]
    _read(text)
    return text


def difference(before: str, after: str, name: str = "scheme.yaml") -> str:
    """What changed, as a unified diff."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="", n=2)
    return "\n".join(lines)


def _read(text: str) -> Scheme:
    scheme, findings = read_scheme(text, "scheme.yaml")
    if scheme is None:
        raise SchemeError("\n".join(str(f) for f in findings if f.level == "error"))
    return scheme


def _rounded(values: Mapping[str, float], ranges: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Values in steps that total 100, each inside its range; the largest remainders are rounded up."""
    steps = {n: v / STEP for n, v in values.items()}
    low = {n: -(-round(ranges[n][0] / STEP, 6) // 1) for n in values}
    high = {n: round(ranges[n][1] / STEP, 6) // 1 for n in values}
    found = {n: min(max(steps[n] // 1, low[n]), high[n]) for n in values}
    for up in (1, -1):
        while (left := round(100 / STEP) - sum(found.values())) * up > 0:
            room = [n for n in found if (found[n] < high[n] if up > 0 else found[n] > low[n])]
            if not room:
                raise SchemeError("The ranges leave no weights in tenths of a percent that total 100 %.")
            best = max(room, key=lambda n: up * (steps[n] - found[n]))
            found[best] += up * min(1, abs(left))
    return {n: round(v * STEP, 6) for n, v in found.items()}


def _flow(weights: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{n}: {w:g}" for n, w in weights.items()) + "}"


def _entry(node: Any, key: str) -> Any:
    return next(value for name, value in node.value if name.value == key)


def _replaced(text: str, profile: str, lines: list[str]) -> str:
    """The text with the ``weights`` and ``kpis`` of a profile taken out and ``lines`` at its end."""
    listed: Any = _entry(yaml.compose(text), "profiles")
    node = next(one for one in listed.value if _entry(one, "id").value == profile)
    if node.flow_style:
        raise SchemeError(
            f"The profile {profile} is written in one line {{…}}; write one entry a line, then try again."
        )
    rows = text.splitlines(keepends=True)
    drop: set[int] = set()
    last = node.start_mark.line
    indent = " " * node.value[0][0].start_mark.column
    for key, value in node.value:
        end = _last_line(value)
        if key.value in ("weights", "kpis"):
            drop |= set(range(key.start_mark.line, end + 1))
            above = key.start_mark.line - 1
            while key.value == "weights" and rows[above].strip().startswith("#"):
                drop.add(above)
                above -= 1
        last = max(last, end)
    new = "".join(f"{indent}{line}\n" for line in lines)
    kept = ["" if i in drop else row for i, row in enumerate(rows[: last + 1])]
    if kept and kept[-1] and not kept[-1].endswith("\n"):
        kept[-1] += "\n"
    return "".join([*kept, new, *rows[last + 1 :]])


def _last_line(node: Any) -> int:
    """The last line on which something of a node stands; the end mark of a block may lie beyond comments."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return node.end_mark.line
    parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
    return max((_last_line(part) for part in parts), default=node.start_mark.line)
