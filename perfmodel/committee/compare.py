"""Who moved between two runs or two quarters, and which input did it.

Two ways, and the result says which was taken:

*from the tables*: each person's own columns are taken apart. With points p and weight w of each KPI,

    w' p' - w p  =  w (p' - p)  +  (w' - w) p'

so the change of the raw score is the sum over KPIs of points at the old weights (own results, or own ratings, or both
where a KPI has parts of both kinds), of weights at the new points, and of what is neither (bonus and deduction
points, another number of scorecards). Other points for the same target and actual are the rule's doing and stand with
the weights; a rubric's cannot be told from ratings, which the tables do not hold. What the proposal adds to the raw
score is the raters' severity. The parts add up to the change of the proposed score, exactly.

*by computing again*: where both are cycles of one quarter, one input after the other is put into the first cycle
(results and milestones, then ratings, then the scheme, then all the rest), and everything is computed anew each time.
A rating's own effect is on the raw score; the rest of what the ratings do is severity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from ..assessment import Assessment
from ..cycle import Cycle
from ..errors import RunError
from ..io import read_cycle
from ..language import say, say_n, told
from ..report import words
from ..runner.manifest import read_manifest
from .case import tables_of

PARTS = ("own_results", "own_ratings", "own_mixed", "severity", "weights", "other")
COLUMNS = """employee_id unit score_before score_after change grade_before grade_after own_results own_ratings own_mixed
severity weights other because""".split()
NAMES = {
    "own_results": "own results",
    "own_ratings": "own ratings",
    "own_mixed": "own results and ratings of one KPI",
    "severity": "severity of raters",
    "weights": "weights and rules",
    "other": "all else (bonus, deduction, posts, scorecards)",
}
TABLES, AGAIN = "from the tables", "by computing again"
LEAST = 0.05  # points: under half of the last digit shown a part is not named


@dataclass(frozen=True, eq=False)
class Comparison:
    """``table``: one row everybody who stands on either side; ``way`` is how it was found."""

    before: str
    after: str
    way: str
    table: pd.DataFrame

    @property
    def moved(self) -> pd.DataFrame:
        """Those whose grade changed, or who came, or went."""
        rows = self.table
        return rows[rows["grade_before"].ne(rows["grade_after"])]

    def sentences(self) -> list[str]:
        """What changed, and how that was found."""
        rows = self.table
        changed = int((rows["change"].abs() >= LEAST).sum())
        both = int((rows["grade_before"].ne("") & rows["grade_after"].ne("")).sum())
        of_both = rows[rows["grade_before"].ne("") & rows["grade_after"].ne("")]
        other = int(of_both["grade_before"].ne(of_both["grade_after"]).sum())
        sums = {part: float(rows[part].abs().sum()) for part in PARTS}
        whole = sum(sums.values())
        lines = [
            say(
                "{before} → {after}: {grades} of {n} proposed grades changed, "
                "{scores} scores by {least} points or more.",
                before=self.before,
                after=self.after,
                grades=other,
                n=both,
                scores=changed,
                least=LEAST,
            )
        ]
        if whole:
            order = sorted((part for part in PARTS if sums[part] / whole >= 0.005), key=lambda part: -sums[part])
            shares = [told(f"{NAMES[part]} {100 * sums[part] / whole:.0f} %") for part in order]
            lines.append(say("Of all movement, up and down: {listed}.", listed=words.joined(shares)))
        came = int((rows["grade_before"].eq("") & rows["grade_after"].ne("")).sum())
        went = int((rows["grade_before"].ne("") & rows["grade_after"].eq("")).sum())
        if came or went:
            lines.append(
                say("{came} have a grade now and had none; {went} had one and have none.", came=came, went=went)
            )
        lines.append(
            say_n("Found {way}, for {n} person.", "Found {way}, for {n} people.", len(rows), way=told(self.way))
        )
        return lines


def compare(before: str | Path, after: str | Path, *, seed: int = 1) -> Comparison:
    """Compare two published runs (a run's folder, or the folder of runs: its newest), or two cycles.

    Raises
    ------
    RunError
        If a place holds neither a run nor a cycle, or one is a run and the other a cycle.
    """
    sides = [_run_of(Path(place)) for place in (before, after)]
    if all(side is not None for side in sides):
        first, second = (tables_of(side) for side in sides if side is not None)
        names = [f"{read_manifest(side).get('cycle', '')} {side.name}" for side in sides if side is not None]
        return Comparison(names[0], names[1], TABLES, from_tables(first, second))
    cycles = [Path(place) / "scheme.yaml" for place in (before, after)]
    if not all(path.is_file() for path in cycles):
        raise RunError(
            f"{before} and {after} cannot be compared: give two runs (folders with a manifest.json, or with runs in "
            "them), or two cycles (folders with a scheme.yaml)."
        )
    return compare_cycles(read_cycle(str(before)), read_cycle(str(after)), seed=seed)


def _run_of(place: Path) -> Path | None:
    if (place / "manifest.json").is_file():
        return place
    latest = place / "latest"
    if latest.is_file():
        run = place / latest.read_text(encoding="utf-8").strip()
        return run if (run / "manifest.json").is_file() else None
    return None


def compare_cycles(before: Cycle, after: Cycle, *, seed: int = 1) -> Comparison:
    """Two cycles at hand: of one quarter by computing again one input at a time, of two from their tables.

    (A quarter's results mean nothing under the other quarter's dates, so across quarters nothing is put together.)
    """
    if before.id != after.id:
        found = from_tables(_tables(before, seed), _tables(after, seed))
        return Comparison(before.id, after.id, TABLES, found)
    return Comparison(f"{before.id}, before", f"{after.id}, after", AGAIN, by_replay(before, after, seed=seed))


def _tables(cycle: Cycle, seed: int) -> dict[str, pd.DataFrame]:
    return Assessment(cycle, seed).tables("scores", "kpi_scores")


def from_tables(before: Mapping[str, pd.DataFrame], after: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """``COLUMNS`` from the tables ``scores`` and ``kpi_scores`` of two runs."""
    table = _sides(before["scores"], after["scores"])
    one, two = (_of_kpis(tables["kpi_scores"]) for tables in (before, after))
    both = one.add_suffix("_before").join(two.add_suffix("_after"), how="outer")
    zero = (
        both[[f"{name}_{side}" for name in ("points", "weight") for side in ("before", "after")]]
        .astype(float)
        .fillna(0.0)
    )
    kind = both["kind_after"].fillna(both["kind_before"])
    # A KPI that one side lacks has no points to compare: all of it is weight.
    there = both["points_before"].notna() & both["points_after"].notna()
    earned = zero["weight_before"] * (zero["points_after"] - zero["points_before"]) / 100
    old, new = (zero[f"weight_{side}"] * zero[f"points_{side}"] / 100 for side in ("before", "after"))
    ruled = kind.eq("measured") & _same(both, "target") & _same(both, "actual")
    earned = earned.where(there & ~ruled, 0.0)
    weights = new - old - earned
    who = both.index.get_level_values("employee_id")
    sums = {
        "own_results": earned.where(kind.isin(["measured", "milestone"]), 0.0),
        "own_ratings": earned.where(kind.eq("rated"), 0.0),
        "own_mixed": earned.where(~kind.isin(["measured", "milestone", "rated"]), 0.0),
        "weights": weights,
    }
    for name, values in sums.items():
        table[name] = values.groupby(who).sum().reindex(table["employee_id"]).fillna(0.0).to_numpy()
    table["severity"] = table["lift_after"] - table["lift_before"]
    raw = table["raw_after"] - table["raw_before"]
    table["other"] = raw - table[list(sums)].sum(axis=1)
    for name in PARTS:
        table[name] = table[name].where(table["change"].notna()).where(lambda part: ~(part.abs() < 1e-9), 0.0)
    return _because(table, _inputs(both, there))


def _sides(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Both sides' proposals by employee, and what each adds to the raw score."""
    names = ["employee_id", "unit", "score_raw", "score_proposed", "grade_proposed"]
    table = before[names].merge(after[names], on="employee_id", how="outer", suffixes=("_before", "_after"))
    table = table.sort_values("employee_id", kind="stable", ignore_index=True)
    table["unit"] = table["unit_after"].fillna(table["unit_before"])
    for side in ("before", "after"):
        table[f"score_{side}"] = table.pop(f"score_proposed_{side}").astype(float)
        table[f"raw_{side}"] = table.pop(f"score_raw_{side}").astype(float)
        table[f"lift_{side}"] = table[f"score_{side}"] - table[f"raw_{side}"]
        table[f"grade_{side}"] = table.pop(f"grade_proposed_{side}").fillna("")
    table["change"] = table["score_after"] - table["score_before"]
    return table


def _of_kpis(rows: pd.DataFrame) -> pd.DataFrame:
    """Points and weight (percent of the person's whole score) by employee, card, KPI."""
    card = rows["scorecard"].fillna("")
    table = rows.assign(scorecard=card)
    table["points"] = table["score_raw"].where(table["weight"].fillna(0) > 0)
    # The tables do not hold a card's share of days: several cards count alike here, and what that leaves of the change
    # of the raw score stands under "other".
    cards = table.groupby("employee_id")["scorecard"].transform("nunique")
    table["weight"] = (table["weight"].fillna(0.0) / cards).where(table["points"].notna(), 0.0)
    columns = ["kind", "points", "weight", "target", "actual"]
    return table.set_index(["employee_id", "scorecard", "kpi"])[columns]


def _inputs(both: pd.DataFrame, there: pd.Series) -> dict[str, list[str]]:
    """By employee, the KPIs whose points changed, and whether target or actual did it; the largest first."""
    found: dict[str, list[tuple[float, str]]] = {}
    change = ((both["points_after"] - both["points_before"]) * both["weight_before"] / 100).where(there, 0.0)
    same = {f"same_{name}": _same(both, name) for name in ("target", "actual")}
    for (who, _, kpi), row in both.assign(change=change, **same)[change.abs() >= LEAST].iterrows():
        said = [name for name in ("target", "actual") if not row[f"same_{name}"]]
        by = " and ".join(said) or {"rated": "rating", "measured": "rule or thresholds"}.get(row["kind_after"], "parts")
        text = f"{kpi} ({by}) {row['change']:+.1f}".replace("-", "−")
        found.setdefault(who, []).append((-abs(row["change"]), text))
    return {who: [text for _, text in sorted(texts)] for who, texts in found.items()}


def _same(both: pd.DataFrame, name: str) -> pd.Series:
    before, after = both[f"{name}_before"], both[f"{name}_after"]
    return before.eq(after) | (before.isna() & after.isna())


def _because(table: pd.DataFrame, inputs: Mapping[str, list[str]]) -> pd.DataFrame:
    """``because``: the parts in words, largest first."""
    said = []
    for row in table.to_dict("records"):
        if pd.isna(row["change"]):
            said.append("no score before" if pd.isna(row["score_before"]) else "no score after")
            continue
        parts = sorted((name for name in PARTS if abs(row[name]) >= LEAST), key=lambda name: (-abs(row[name]), name))
        texts = [f"{NAMES[name]} {row[name]:+.1f}".replace("-", "−") for name in parts]
        own = inputs.get(row["employee_id"], [])
        said.append("; ".join(texts + own) if texts else "")
    return table.assign(because=said)[COLUMNS]


def by_replay(before: Cycle, after: Cycle, *, seed: int = 1) -> pd.DataFrame:
    """``COLUMNS`` by putting one input of ``after`` after the other into ``before``; both are of one quarter."""
    with_results = _with(before, after, "results", "milestones")
    with_ratings = _with(with_results, after, "ratings")
    with_scheme = replace(with_ratings, scheme=after.scheme)
    steps = [before, with_results, with_ratings, with_scheme, after]
    scores = [Assessment(cycle, seed).proposals.set_index("employee_id") for cycle in steps]
    table = _sides(scores[0].reset_index(), scores[-1].reset_index())
    ids = table["employee_id"]
    proposed = [found["score_proposed"].reindex(ids).to_numpy(float) for found in scores]
    raw = [found["score_raw"].reindex(ids).to_numpy(float) for found in scores]
    steps_of = np.diff(np.array(proposed), axis=0)
    table["own_results"] = np.diff(np.array(raw), axis=0)[0]
    table["own_ratings"] = np.diff(np.array(raw), axis=0)[1]
    table["own_mixed"] = 0.0
    table["severity"] = steps_of[0] - table["own_results"] + steps_of[1] - table["own_ratings"]
    table["weights"] = steps_of[2]
    table["other"] = steps_of[3]
    for name in PARTS:
        # A step that leaves somebody without a score on the way is told as other: nothing can be set apart.
        table[name] = table[name].where(table["change"].notna())
    known = table[list(PARTS)].notna().all(axis=1) | table["change"].isna()
    table.loc[~known, list(PARTS)] = 0.0
    table.loc[~known, "other"] = table.loc[~known, "change"]
    for name in PARTS:
        table[name] = table[name].where(~(table[name].abs() < 1e-9), 0.0)
    return _because(table, {})


def _with(cycle: Cycle, other: Cycle, *names: str) -> Cycle:
    tables = {**cycle.tables, **{name: other.tables[name] for name in names}}
    return replace(cycle, tables=MappingProxyType(tables))
