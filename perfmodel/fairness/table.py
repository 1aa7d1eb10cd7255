"""Outcomes by group of people: rates, comparisons with the largest group, and what of it may be shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from ..errors import DataError
from ..scheme import Scheme
from ..tables import STAGES, moves
from .rates import (
    ALPHA,
    fisher,
    flip_one,
    ratio_interval,
    risk_ratio,
    shortfall,
    smallest_detectable,
)
from .strata import digits_to_tell, mantel_haenszel
from .suppression import LEAST, Counts, hide

COLUMNS = (
    "attribute group reference outcome stage n rate ratio ratio_low ratio_high difference p_exact flip_one "
    "smallest_detectable verdict q shortfall mh_ratio mh_low mh_high reason"
).split()
TEXTS = ("attribute", "group", "reference", "outcome", "stage", "flip_one", "verdict", "reason")
UP, DOWN = "moved up", "moved down"
NOT_STATED = "not stated"
LEAST_TESTED = 10  # people of a group

REFERENCE, WITHIN, OUTSIDE = "reference", "within chance", "outside chance"
OUTSIDE_ALONE = "outside chance alone, within it among all comparisons"
TOO_FEW, ALIKE, HIDDEN = "too few to test", "nothing to compare", "not shown"

GROUP_HIDDEN = f"under {LEAST} people, or hidden so that totals do not give away a group that is"
CELL_HIDDEN = f"a count under {LEAST}, or hidden so that other counts do not give one away"
REFERENCE_HIDDEN = "the rate of the reference is not shown, and a comparison would give it away"
MH_HIDDEN = "no ratio inside units: with it the counts of single units could be worked out"
MH_NONE = "no ratio inside units: no unit has both groups and the outcome in each"


@dataclass(frozen=True, eq=False)
class Row:
    """One outcome at one stage: who has it (index employee_id)."""

    outcome: str
    stage: str
    yes: pd.Series


def fairness(
    scores: pd.DataFrame,
    groups: pd.DataFrame,
    scheme: Scheme,
    *,
    outcomes: Mapping[str, pd.Series] | None = None,
    stages: Sequence[str] = STAGES,
    ways: Sequence[tuple[str, str]] | None = None,
    confidence: float = 0.95,
    published: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Rates of outcomes by group at every stage and of the moves between stages, each against the largest group.

    For HR and legal alone. Outcomes: the best band of the guideline (S+A; the best grade where there is none), the
    last grade, whatever ``outcomes`` names, and between one stage and the next "moved up" and "moved down". Only
    people with a grade at every stage count, so that all rows are about the same people. The reference of an
    attribute is its largest group (ties by name); who has no value forms the group "not stated".

    The verdict rests on Fisher's exact test and on its false discovery rate over all comparisons of the table
    (Benjamini and Hochberg 1995), never on a ratio under four fifths: two equal groups of 50 show one in six cases
    of ten. Groups under ``LEAST_TESTED`` people are not tested.

    Counts under five are not shown, nor any figure from which one could be worked out (``suppression``): such
    cells are empty, and ``reason`` says why. The ratio inside units is rounded as far as that needs (``strata``).

    Parameters
    ----------
    scores : DataFrame
        ``employee_id, unit`` and ``grade_raw``, ``grade_adjusted``, ... ; "" for whoever has no grade.
    groups : DataFrame
        ``employee_id, attribute, value``, one row a person and attribute.
    outcomes : mapping, optional
        Outcome (promotion slate, improvement plan) -> True or False by employee_id, for all graded people; it stands
        at the last stage.
    stages : sequence of str
        Stages to look at, in order; those without a column of grades are left out.
    ways : sequence of (stage, stage), optional
        Between which stages moves are looked at; without it between each stage and the next.
    confidence : float
        Level of the intervals. Not the scheme's, which is that of estimates: an interval beside a test at 5 % that
        is not at 95 % would contradict it.
    published : DataFrame, optional
        What this function gave of the same people and is out already (that of the run, where decisions follow): what
        it shows is shown again, and nothing from which both together would tell what it hides.

    Returns
    -------
    DataFrame
        ``COLUMNS``. ``rate, difference, smallest_detectable`` are shares of 1 (``difference``: group less reference;
        ``smallest_detectable``: difference that groups of this size show with power .8); ``ratio`` is of rates, with
        its score interval; ``shortfall`` is in persons, positive where the group has the outcome less often;
        ``mh_ratio, mh_low, mh_high`` are Mantel and Haenszel's ratio inside units; ``q`` the false discovery rate.

    Raises
    ------
    DataError
        If somebody stands twice under one attribute, a column is absent, or an outcome says nothing of somebody.
    """
    members = _members(groups)
    people, rows = _rows(scores, scheme, dict(outcomes or {}), stages, ways)
    if people.empty or members.empty:
        return pd.DataFrame(columns=COLUMNS)
    found = [
        entry
        for attribute, values in members.groupby("attribute")["value"]
        for entry in _attribute(
            str(attribute), values.reindex(people.index).fillna(NOT_STATED), people, rows, confidence, published
        )
    ]
    table = pd.DataFrame(found, columns=COLUMNS)
    return _judged(table)


def _members(groups: pd.DataFrame) -> pd.DataFrame:
    """Index employee_id; attribute and value as text, each person once for each attribute."""
    names = ["employee_id", "attribute", "value"]
    if absent := [name for name in names if name not in groups]:
        raise DataError(f"The groups have no column {', '.join(absent)}; give {', '.join(names)}.")
    rows = groups.dropna(subset=names)[names].astype(str)
    twice = rows.duplicated(["employee_id", "attribute"])
    if twice.any():
        who = rows.loc[twice].iloc[0]
        raise DataError(
            f"{who['employee_id']} stands twice under the attribute {who['attribute']}: people would be counted twice, "
            "and few could pass for many. Keep one row."
        )
    return rows.set_index("employee_id")


def _rows(
    scores: pd.DataFrame,
    scheme: Scheme,
    outcomes: dict[str, pd.Series],
    stages: Sequence[str],
    ways: Sequence[tuple[str, str]] | None,
) -> tuple[pd.DataFrame, list[Row]]:
    """People with a grade at every stage (index employee_id), and the outcomes looked at."""
    there = [stage for stage in stages if f"grade_{stage}" in scores]
    columns = [f"grade_{stage}" for stage in there]
    if not there:
        raise DataError(
            f"No grades to look at: none of the columns {', '.join(f'grade_{s}' for s in stages)} is there."
        )
    people = scores.set_index("employee_id")[["unit", *columns]]
    people = people[people[columns].fillna("").ne("").all(axis=1)]
    best, last = top_band(scheme), list(scheme.cuts)[-1]
    place = {grade: i for i, grade in enumerate(scheme.cuts)}
    rows = []
    for stage in there:
        grade = people[f"grade_{stage}"]
        rows += [Row("+".join(best), stage, grade.isin(best)), Row(last, stage, grade.eq(last))]
    for name, has in outcomes.items():
        said = has.reindex(people.index)
        if said.isna().any():
            raise DataError(
                f"The outcome {name} says nothing of {people.index[said.isna()][0]}: nobody could tell whether that is "
                "a no. Give True or False for everybody with a grade."
            )
        rows.append(Row(name, there[-1], said.astype(bool)))
    for before, after in pairwise(there) if ways is None else ways:
        # As numbers even where nobody has a grade, and a column of nothing would be one of text.
        change = people[f"grade_{after}"].map(place).astype(float) - people[f"grade_{before}"].map(place).astype(float)
        stage = moves(before, after)
        rows += [Row(UP, stage, change.lt(0)), Row(DOWN, stage, change.gt(0))]
    return people, rows


def top_band(scheme: Scheme) -> tuple[str, ...]:
    """Grades of the guideline's band that begins with the best grade and another; the best grade where none does."""
    best = next(iter(scheme.cuts))
    return next((g.grades for g in scheme.guideline if len(g.grades) > 1 and best in g.grades), (best,))


def _counts(values: pd.Series, rows: list[Row]) -> tuple[list[str], Counts]:
    """Groups of one attribute and how many people of each have every pattern of outcomes."""
    sizes = values.value_counts().sort_index()
    named = sizes.drop(NOT_STATED, errors="ignore")
    reference = str((named if len(named) else sizes).idxmax())
    names = [str(name) for name in sizes.index]
    has = pd.DataFrame({i: row.yes for i, row in enumerate(rows)}).to_numpy(bool)
    patterns, which = np.unique(has, axis=0, return_inverse=True)
    table = np.zeros((len(names), len(patterns)), int)
    np.add.at(table, (values.map({name: i for i, name in enumerate(names)}).to_numpy(), which.ravel()), 1)
    at = {(row.outcome, row.stage): i for i, row in enumerate(rows)}
    graded = [stage for stage in STAGES if (rows[0].outcome, stage) in at]
    ends, yes = (rows[0].outcome, rows[1].outcome), patterns.T
    beside = [(i, j) for (i, one), (j, other) in combinations(enumerate(rows), 2) if one.stage == other.stage]
    apart = [(i, j) for i, j in beside if not (yes[i] & yes[j]).any()]
    nested = [(i, j) for one in beside if one not in apart for i, j in (one, one[::-1]) if not (yes[i] & ~yes[j]).any()]
    return names, Counts(
        table,
        yes,
        parts=apart,
        within=nested,
        # Any two rows that can be held against each other, neighbours or not: one outcome at two stages, and moves
        # the same way from one stage to two others.
        flows=[
            *((at[end, one], at[end, other]) for one, other in combinations(graded, 2) for end in ends),
            *(
                (i, j)
                for (i, one), (j, other) in combinations(enumerate(rows), 2)
                if one.outcome == other.outcome in (UP, DOWN) and one.stage.split()[0] == other.stage.split()[0]
            ),
        ],
        worth=[_worth(row.stage) for row in rows],
        reference=names.index(reference),
    )


def _worth(stage: str) -> float:
    """The last stage decides, so it is the last to be hidden; the way to a stage goes before the stage."""
    return STAGES.index(stage) if stage in STAGES else STAGES.index(stage.split()[-1]) - 0.5


def _out(attribute: str, names: list[str], rows: list[Row], published: pd.DataFrame | None) -> np.ndarray | None:
    """(groups, rows): cells that ``published`` shows."""
    if published is None:
        return None
    own = published[published["attribute"].eq(attribute) & published["rate"].notna()]
    shown = set(zip(own["group"], own["outcome"], own["stage"], strict=True))
    return np.array([[(name, row.outcome, row.stage) in shown for row in rows] for name in names])


def _attribute(
    attribute: str,
    values: pd.Series,
    people: pd.DataFrame,
    rows: list[Row],
    confidence: float,
    published: pd.DataFrame | None,
) -> Iterator[dict]:
    """The rows of one attribute, without what must not be shown."""
    names, counts = _counts(values, rows)
    hidden_groups, hidden = hide(counts, _out(attribute, names, rows, published))
    reference = counts.reference
    n_reference = int(counts.sizes[reference])
    units, unit = np.unique(people["unit"].to_numpy(str), return_inverse=True)
    of_group = {name: values.eq(name).to_numpy(bool) for name in names}

    def inside(who: np.ndarray) -> np.ndarray:
        return np.bincount(unit[who], minlength=len(units))

    for g, name in enumerate(names):
        n = int(counts.sizes[g])
        few = min(n, n_reference) < LEAST_TESTED
        for r, row in enumerate(rows):
            entry: dict = {
                "attribute": attribute,
                "group": name,
                "reference": names[reference],
                "outcome": row.outcome,
                "stage": row.stage,
                "n": np.nan if hidden_groups[g] else n,
                "flip_one": "",
                "verdict": HIDDEN,
            }
            yes, yes_reference = int(counts.values[g, r]), int(counts.values[reference, r])
            if not hidden[g, r]:
                entry["rate"] = yes / n
            if hidden_groups[g]:
                entry["reason"] = GROUP_HIDDEN
            elif hidden[g, r]:
                entry |= {"verdict": TOO_FEW if few else HIDDEN, "reason": CELL_HIDDEN}
            elif g == reference:
                entry |= {"verdict": REFERENCE, "reason": ""}
            elif hidden[reference, r]:
                entry["reason"] = REFERENCE_HIDDEN
            elif few:
                entry |= {"verdict": TOO_FEW, "reason": f"{min(n, n_reference)} people: too few to tell from chance"}
            elif yes + yes_reference in (0, n + n_reference):
                entry |= {"verdict": ALIKE, "reason": "everybody has it" if yes else "nobody has it"}
            else:
                own, others = of_group[name], of_group[names[reference]]
                has = row.yes.to_numpy(bool)
                cells = np.stack(
                    [inside(own & has), inside(own & ~has), inside(others & has), inside(others & ~has)], 1
                )
                entry |= _compared(yes, n, yes_reference, n_reference, confidence)
                entry |= _inside(cells, confidence)
            yield entry


def _compared(yes: int, n: int, yes_reference: int, n_reference: int, confidence: float) -> dict:
    """One group against the reference; the verdict waits for all comparisons."""
    counts = yes, n, yes_reference, n_reference
    low, high = ratio_interval(*counts, confidence=confidence)
    return {
        "ratio": risk_ratio(*counts),
        "ratio_low": low,
        "ratio_high": high,
        "difference": yes / n - yes_reference / n_reference,
        "p_exact": fisher(*counts),
        "flip_one": flip_one(*counts),
        "smallest_detectable": smallest_detectable(yes_reference / n_reference, n, n_reference),
        "shortfall": shortfall(*counts),
    }


def _inside(cells: np.ndarray, confidence: float) -> dict:
    """The ratio inside units; ``cells``: (units, 4) group with and without the outcome, reference with and without."""
    a, without, b, others = cells.T
    table = a, a + without, b, b + others
    found = mantel_haenszel(*table, confidence=confidence)
    if not np.isfinite(found).all():
        return {"reason": MH_NONE}
    digits = digits_to_tell(*table, confidence=confidence)
    if digits is None:
        return {"reason": MH_HIDDEN}
    ratio, low, high = (round(value, digits) for value in found)
    return {"mh_ratio": ratio, "mh_low": low, "mh_high": high, "reason": ""}


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with false discovery rates over all comparisons, and the verdicts that rest on them."""
    from scipy.stats import false_discovery_control

    tested = table["p_exact"].notna().to_numpy()
    table = table.astype({"n": "Int64"})
    if tested.any():
        table.loc[tested, "q"] = false_discovery_control(table.loc[tested, "p_exact"].astype(float))
        alone = table["p_exact"].lt(ALPHA).to_numpy()
        among = table["q"].lt(ALPHA).to_numpy()
        verdicts = np.where(alone, np.where(among, OUTSIDE, OUTSIDE_ALONE), WITHIN)
        table.loc[tested, "verdict"] = verdicts[tested]
    numbers = [c for c in COLUMNS if c not in TEXTS and c != "n"]
    return table.astype(dict.fromkeys(numbers, float))
