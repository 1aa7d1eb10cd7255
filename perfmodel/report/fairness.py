"""Outcomes by group of people, as a page for HR and legal alone: what differs, what chance gives, what is not known."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import plots
from ..fairness.table import (
    ALIKE,
    ALPHA,
    DOWN,
    HIDDEN,
    LEAST,
    LEAST_TESTED,
    OUTSIDE,
    OUTSIDE_ALONE,
    REFERENCE,
    TOO_FEW,
    UP,
    top_band,
)
from ..tables import STAGES_AND_MOVES
from . import words
from .page import Callout, Figure, Page, Section, Sentences, Table

SHOWN = {
    "group": "Group",
    "outcome": "Outcome",
    "stage": "Stage",
    "people": "With the outcome",
    "people_reference": "Reference",
    "ratio": "Ratio",
    "interval": "95 % interval",
    "p": "p, exact",
    "q": "q",
    "shortfall": "Persons to the same rate",
    "flip_one": "One person undoes it",
    "smallest": "Smallest gap to be found",
    "inside": "Ratio inside units",
    "verdict": "Finding",
}


def fairness_page(assessment, table: pd.DataFrame | None = None) -> str:
    """HTML of the page. ``table``: as ``fairness.fairness`` gives it; that of the assessment when left out.

    Nothing but ``table`` is counted, so the page tells no count that the table does not.
    """
    table = assessment.fairness if table is None else table
    cycle = assessment.cycle
    meta = {
        "Quarter": f"{words.day(cycle.scheme.start)} to {words.day(cycle.scheme.end)}",
        "For": "HR and legal alone",
    }
    return Page(
        f"Outcomes by group, {cycle.id}",
        [Sentences(_headline(table), _title(table)), *_attributes(table, _order(cycle.scheme)), _reading(table)],
        assessment.status,
        meta,
        cycle.simulated,
    ).html()


def _title(table: pd.DataFrame) -> str:
    n = int(table["p_exact"].notna().sum())
    outside = int(table["verdict"].eq(OUTSIDE).sum())
    if table.empty:
        return "No groups were delivered, so nothing is compared"
    if not n:
        return "No comparison can be shown"
    finding = _outside(outside, n)
    return finding[:1].upper() + finding[1:]


def _outside(outside: int, n: int) -> str:
    """``none of 7 comparisons lies outside chance``."""
    some = words.number_word(outside).lower() if outside else "none"
    return f"{some} of {words.count_of(n, 'comparison')} {'lies' if outside < 2 else 'lie'} outside chance"


def _headline(table: pd.DataFrame) -> list[str]:
    """Findings, how many chance alone would give, and what is not shown."""
    if table.empty:
        return ["The quarter has no table of groups. Deliver groups.csv (employee_id, attribute, value) to compare."]
    n = int(table["p_exact"].notna().sum())
    alone = int(table["p_exact"].lt(ALPHA).sum())
    compared = table[table["group"].ne(table["reference"])]
    silent = compared[compared["p_exact"].isna()]
    lines = []
    if n:
        expected = words.quantity(n * ALPHA)
        lines.append(
            f"{words.count_of(n, 'comparison')}; chance alone gives at most about {expected} with p under .05, and "
            f"there {'is' if alone < 2 else 'are'} {alone or 'none'}."
        )
        for row in table[table["verdict"].eq(OUTSIDE)].itertuples():
            lines.append(_finding(row))
        gap = float(table["smallest_detectable"].min())
        if np.isfinite(gap):
            lines.append(
                f"Within chance is not the same rate: even the best of these comparisons finds only gaps of "
                f"{100 * gap:.0f} points or more in four of five cases."
            )
    lines.append(
        f"{words.count_of(len(silent), 'comparison')} not made: "
        f"{int(silent['verdict'].eq(HIDDEN).sum())} not shown, for a count under {LEAST} could be worked out; "
        f"{int(silent['verdict'].eq(TOO_FEW).sum())} of groups under {LEAST_TESTED} people; "
        f"{int(silent['verdict'].eq(ALIKE).sum())} of outcomes that nobody, or everybody, has."
    )
    return lines


def _finding(row) -> str:
    persons = abs(row.shortfall)
    return (
        f"{row.attribute} {row.group}: {row.outcome} ({row.stage}) {_of(row.rate, row.n)}, ratio {row.ratio:.2f} to "
        f"{row.reference}; {persons:.0f} {'more' if row.shortfall > 0 else 'fewer'} would have it at the same rate. "
        "Look at post, unit, targets and rater first."
    )


def _of(rate: float, n: float) -> str:
    """``18 of 109 (17 %)``, kept on one line."""
    return _together(f"{rate * n:.0f} of {n:.0f} ({100 * rate:.0f} %)")


def _together(text: str) -> str:
    return text.replace(" ", "\u00a0")


def _order(scheme) -> tuple[str, ...]:
    """Outcomes that have a place of their own: best and last grades first."""
    return "+".join(top_band(scheme)), list(scheme.cuts)[-1]


def _attributes(table: pd.DataFrame, first: tuple[str, ...]) -> list[Section]:
    others = [o for o in dict.fromkeys(table["outcome"]) if o not in (*first, UP, DOWN)]
    outcomes = {outcome: i for i, outcome in enumerate([*first, *others, UP, DOWN])}
    stages = {stage: i for i, stage in enumerate(STAGES_AND_MOVES)}
    table = table.assign(a=table["outcome"].map(outcomes), b=table["stage"].map(stages))
    sections = []
    for attribute, rows in table.sort_values(["attribute", "group", "a", "b"]).groupby("attribute", sort=True):
        tested = rows[rows["p_exact"].notna()]
        n, outside = len(tested), int(tested["verdict"].eq(OUTSIDE).sum())
        alone = int(tested["verdict"].eq(OUTSIDE_ALONE).sum())
        title = (
            f"{attribute}: no comparison can be shown"
            if not n
            else f"{attribute}: {_outside(outside, n)}" + (f", {alone} more only when looked at alone" if alone else "")
        )
        parts: list = [_sizes(rows)]
        if n:
            parts += [
                Figure(
                    plots.ratios(rows),
                    f"{attribute}: ratios of rates",
                    "Ratio 1 is the rate of the largest group. Inside the grey: not distinguishable.",
                ),
                _comparisons(rows, str(attribute)),
            ]
        sections.append(Section(title, parts))
    return sections


def _sizes(rows: pd.DataFrame) -> Table:
    """Who was counted, and what of each group is not shown."""
    found = []
    for group, own in rows.groupby("group", sort=True):
        n = own["n"].iloc[0]
        silent = own["rate"].isna()
        reason = "" if not silent.any() else f"{int(silent.sum())} of {len(own)} rates not shown: "
        reasons = list(dict.fromkeys(own.loc[silent, "reason"]))
        found.append((group, "not shown" if pd.isna(n) else words.grouped(n), reason + "; ".join(reasons)))
    return Table(
        pd.DataFrame(found, columns=["group", "n", "note"]),
        caption=f"People with a grade at every stage. Reference: {rows['reference'].iloc[0]}, the largest group.",
        labels={"n": "People", "note": "Not shown"},
        formats={"n": "text"},
    )


def _comparisons(rows: pd.DataFrame, attribute: str) -> Table:
    reference = rows[rows["verdict"].eq(REFERENCE)].set_index(["outcome", "stage"])
    tested = rows[rows["p_exact"].notna()]
    shown = []
    for row in tested.itertuples():
        base = reference.loc[(row.outcome, row.stage)]
        shown.append(
            {
                "group": row.group,
                "outcome": row.outcome,
                "stage": row.stage,
                "people": _of(row.rate, row.n),
                "people_reference": _of(base["rate"], base["n"]),
                "ratio": row.ratio,
                "interval": _together(f"{row.ratio_low:.2f} to {row.ratio_high:.2f}"),
                "p": row.p_exact,
                "q": row.q,
                "shortfall": row.shortfall,
                "flip_one": row.flip_one,
                "smallest": _points(row.smallest_detectable),
                "inside": _inside(row),
                "verdict": row.verdict,
            }
        )
    return Table(
        pd.DataFrame(shown, columns=list(SHOWN)),
        caption=f"{attribute}: each group against the reference. Persons to the same rate: + more, − fewer.",
        labels=SHOWN,
        formats={"ratio": "rating2", "p": "chance", "q": "chance", "shortfall": "signed"}
        | {"people": "number", "people_reference": "number", "interval": "number", "smallest": "number"},
    )


def _points(gap: float) -> str:
    return f"{100 * gap:.0f} points" if np.isfinite(gap) else "none: too few people"


def _inside(row) -> str:
    if not np.isfinite(row.mh_ratio):
        return row.reason
    digits = 1 if all(round(v, 1) == v for v in (row.mh_ratio, row.mh_low, row.mh_high)) else 2
    return _together(f"{row.mh_ratio:.{digits}f} ({row.mh_low:.{digits}f} to {row.mh_high:.{digits}f})")


def _reading(table: pd.DataFrame) -> Section:
    n = int(table["p_exact"].notna().sum())
    lines: Sequence[str] = (
        "The finding rests on Fisher's exact test (p) and on the false discovery rate over all comparisons here (q, "
        "Benjamini and Hochberg). A ratio under .8 alone is none: two equal groups of 50 people show one in about "
        "six cases of ten.",
        f"{words.count_of(n, 'comparison')} of the same people at several stages hang together: they rise and fall as "
        "one, and are not so many separate pieces of evidence.",
        "One person undoes it: whether p under .05, or a ratio beyond four fifths, would be gone if one person of a "
        "group had the other outcome. No finding: there is neither.",
        "Smallest gap to be found: the difference of rates, in points, that groups of this size show in four of five "
        "cases. A gap smaller than that may be there and not be seen.",
        "Ratio inside units (Mantel and Haenszel) compares people of one unit. Where it is near 1 and the ratio is "
        "not, the difference lies between units. It is rounded so that no unit's own counts can be worked out.",
        f"Counts under {LEAST}, of people with an outcome or without it, are not shown, and neither are further cells "
        "from which one could be worked out, with what other tables tell of everybody's grades.",
    )
    warning = Callout(
        "A difference does not say why, and none found does not say that there is none. Groups differ in post, unit, "
        "time in grade and targets; look at these before anything is concluded. No grade may be changed to move a "
        "figure on this page.",
        "What this page is not.",
    )
    return Section("How to read this page", [Sentences(lines), warning])
