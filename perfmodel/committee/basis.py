"""What a decision rests on: the employee's own figures, score and grade in the run that was looked at.

Own inputs and the raw score must be the same to nine digits: nobody but the employee's own figures and ratings moves
them. The adjusted and the proposed score may differ by less than what pages show, for the severity of raters is
estimated from everybody together: one corrected rating anywhere moves all adjusted scores in some far decimal, and
must not void two hundred decisions about others.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..ledger.entry import canonical
from ..tables import STAGES

SHOWN = 0.05  # points: half of the last digit in which scores are shown
STEPS = STAGES[:3]
FIGURES = ["target", "actual", "attainment", "score_raw", "weight"]
Basis = dict[str, Any]
NOBODY: Basis = {"inputs": {}, "scores": dict.fromkeys(STEPS), "grades": dict.fromkeys(STEPS, "")}  # not in that run


def bases(tables: Mapping[str, pd.DataFrame]) -> dict[str, Basis]:
    """By employee: ``inputs`` (digest of each KPI's figures and ratings), ``scores`` and ``grades`` by step.

    From the tables of a run (``kpi_scores, adjusted_ratings, scores``); a KPI of one of several scorecards is named
    ``kpi (scorecard)``.
    """
    parts: dict[str, dict[str, list]] = {}
    for name, columns in (("kpi_scores", FIGURES), ("adjusted_ratings", ["rating_raw"])):
        rows = tables[name]
        values = [rows[column] for column in ("employee_id", "scorecard", "kpi", *columns)]
        for who, card, kpi, *figures in zip(*values, strict=True):
            key = f"{kpi} ({card})" if card else kpi
            parts.setdefault(who, {}).setdefault(key, []).append([_number(figure) for figure in figures])
    return {
        row["employee_id"]: {
            "inputs": {key: _digest(value)[:12] for key, value in sorted(parts.get(row["employee_id"], {}).items())},
            "scores": {step: _number(row[f"score_{step}"]) for step in STEPS},
            "grades": {step: row[f"grade_{step}"] for step in STEPS},
        }
        for row in tables["scores"].to_dict("records")
    }


def digest_of(basis: Basis) -> str:
    """One line for a basis, 64 hex digits."""
    return _digest(basis)


def changes(before: Basis, now: Basis) -> list[str]:
    """What changed by name, as ``score 78.7 → 80.1``; nothing where a decision on ``before`` still stands."""
    said = []
    for name in sorted(before["inputs"].keys() | now["inputs"].keys()):
        old, new = before["inputs"].get(name), now["inputs"].get(name)
        if old != new:
            said.append(f"{name} is gone" if new is None else f"{name} is new" if old is None else f"{name} changed")
    for step in STEPS:
        old, new = before["scores"][step], now["scores"][step]
        if _moved(old, new, 0.0 if step == "raw" else SHOWN):
            said.append(f"{'score' if step == 'raw' else step + ' score'} {_shown(old)} → {_shown(new)}")
    for step in STEPS:
        old, new = before["grades"][step], now["grades"][step]
        if old != new:
            said.append(f"{step} grade {old or 'none'} → {new or 'none'}")
    return said


def _moved(old: float | None, new: float | None, least: float) -> bool:
    if old is None or new is None:
        return old is not new
    return abs(new - old) >= least if least else old != new


def _shown(score: float | None) -> str:
    return "none" if score is None else f"{score:.1f}"


def _number(value: Any) -> float | None:
    """Nine significant digits: last bits, which a machine may differ in, void no decision."""
    return None if pd.isna(value) else float(f"{float(value):.9g}")


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()
