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
    NOT_STATED,
    OUTSIDE,
    OUTSIDE_ALONE,
    REFERENCE,
    TOO_FEW,
    UP,
    top_band,
)
from ..language import say, say_n, spoken, told
from ..scheme import Scheme
from ..tables import STAGES_AND_MOVES
from . import words
from .page import Callout, Figure, Page, Section, Sentences, Table, quarter

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
    cycle = assessment.cycle
    table = _called(assessment.fairness if table is None else table, cycle.scheme)
    meta = {say("Quarter"): quarter(cycle.scheme), say("For"): say("HR and legal alone")}
    return Page(
        say("Outcomes by group, {cycle}", cycle=cycle.id),
        [Sentences(_headline(table), _title(table)), *_attributes(table, _order(cycle.scheme)), _reading(table)],
        assessment.status,
        meta,
        cycle.simulated,
    ).html()


def _called(table: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """The table with attributes and groups in the scheme's order, under its names; of others as the data have them.

    Names that two groups share are given with the data's own word, so that rows are never mixed up.
    """
    parts, lang = [], spoken()
    of = {attribute.id: attribute for attribute in scheme.attributes}
    ids = table["attribute"].unique()
    for name in [*(name for name in of if name in ids), *sorted(name for name in ids if name not in of)]:
        rows, known = table[table["attribute"].eq(name)], of[name].values if name in of else {}
        groups = rows["group"].unique()
        said = {group: text.say(lang) for group, text in known.items() if group in groups}
        said |= {group: told(group) if group == NOT_STATED else group for group in sorted({*groups} - {*said})}
        shared = [text for text in said.values() if [*said.values()].count(text) > 1]
        said = {group: f"{text} ({group})" if text in shared else text for group, text in said.items()}
        rows = rows.assign(
            attribute=of[name].name.say(lang) if name in of else name.replace("_", " "),
            group=rows["group"].map(said),
            reference=rows["reference"].map(said),
        )
        parts += [rows[rows["group"].eq(text)] for text in said.values()]
    return pd.concat(parts) if parts else table


def _title(table: pd.DataFrame) -> str:
    n = int(table["p_exact"].notna().sum())
    outside = int(table["verdict"].eq(OUTSIDE).sum())
    if table.empty:
        return say("No groups were delivered, so nothing is compared")
    if not n:
        return say("No comparison can be shown")
    finding = _outside(outside, n)
    return finding[:1].upper() + finding[1:]


def _outside(outside: int, n: int) -> str:
    """``none of 7 comparisons lies outside chance``."""
    if not outside:
        return say_n(
            "the one comparison made lies within chance",
            "none of {n} comparisons lies outside chance",
            n,
            n=words.grouped(n),
        )
    if outside == 1:
        return say_n(
            "the one comparison made lies outside chance",
            "one of {n} comparisons lies outside chance",
            n,
            n=words.grouped(n),
        )
    some = words.number_word(outside).lower()
    return say("{some} of {n} comparisons lie outside chance", some=some, n=words.grouped(n))


def _headline(table: pd.DataFrame) -> list[str]:
    """Findings, how many chance alone would give, and what is not shown."""
    if table.empty:
        return [
            say("The quarter has no table of groups. Deliver groups.csv (employee_id, attribute, value) to compare.")
        ]
    n = int(table["p_exact"].notna().sum())
    compared = table[table["group"].ne(table["reference"])]
    silent = compared[compared["p_exact"].isna()]
    lines = []
    if n:
        lines.append(_by_chance(n, int(table["p_exact"].lt(ALPHA).sum())))
        lines += map(_finding, table[table["verdict"].eq(OUTSIDE)].itertuples())
        gap = float(table["smallest_detectable"].min())
        if np.isfinite(gap):
            lines.append(
                say(
                    "Within chance is not the same rate: even the best of these comparisons finds only gaps of {gap} "
                    "points or more in four of five cases.",
                    gap=f"{100 * gap:.0f}",
                )
            )
    lines.append(
        say_n(
            "{n} comparison not made: {hidden} not shown, for a count under {least} could be worked out; {few} of "
            "groups under {least_tested} people; {alike} of outcomes that nobody, or everybody, has.",
            "{n} comparisons not made: {hidden} not shown, for a count under {least} could be worked out; {few} of "
            "groups under {least_tested} people; {alike} of outcomes that nobody, or everybody, has.",
            len(silent),
            n=words.grouped(len(silent)),
            hidden=int(silent["verdict"].eq(HIDDEN).sum()),
            few=int(silent["verdict"].eq(TOO_FEW).sum()),
            alike=int(silent["verdict"].eq(ALIKE).sum()),
            least=LEAST,
            least_tested=LEAST_TESTED,
        )
    )
    return lines


def _by_chance(n: int, alone: int) -> str:
    """How many of ``n`` comparisons chance alone would give, and how many there are."""
    counts = {"n": words.grouped(n), "expected": words.quantity(n * ALPHA)}
    if not alone:
        return say_n(
            "{n} comparison; chance alone gives at most about {expected} with p under .05, and there is none.",
            "{n} comparisons; chance alone gives at most about {expected} with p under .05, and there is none.",
            n,
            **counts,
        )
    if alone == 1:
        return say_n(
            "{n} comparison; chance alone gives at most about {expected} with p under .05, and there is 1.",
            "{n} comparisons; chance alone gives at most about {expected} with p under .05, and there is 1.",
            n,
            **counts,
        )
    return say(
        "{n} comparisons; chance alone gives at most about {expected} with p under .05, and there are {alone}.",
        alone=alone,
        **counts,
    )


def _finding(row) -> str:
    known = {
        "attribute": row.attribute,
        "group": row.group,
        "outcome": told(row.outcome),
        "stage": told(row.stage),
        "rate": _of(row.rate, row.n),
        "ratio": f"{row.ratio:.2f}",
        "reference": row.reference,
        "persons": f"{abs(row.shortfall):.0f}",
    }
    if row.shortfall > 0:
        return say(
            "{attribute} {group}: {outcome} ({stage}) {rate}, ratio {ratio} to {reference}; {persons} more would have "
            "it at the same rate. Look at post, unit, targets and rater first.",
            **known,
        )
    return say(
        "{attribute} {group}: {outcome} ({stage}) {rate}, ratio {ratio} to {reference}; {persons} fewer would have it "
        "at the same rate. Look at post, unit, targets and rater first.",
        **known,
    )


def _of(rate: float, n: float) -> str:
    """``18 of 109 (17 %)``, kept on one line."""
    return _together(say("{n} of {all} ({share} %)", n=f"{rate * n:.0f}", all=f"{n:.0f}", share=f"{100 * rate:.0f}"))


def _together(text: str) -> str:
    return text.replace(" ", "\u00a0")


def _order(scheme) -> tuple[str, ...]:
    """Outcomes that have a place of their own: best and last grades first."""
    return "+".join(top_band(scheme)), list(scheme.cuts)[-1]


def _attributes(table: pd.DataFrame, first: tuple[str, ...]) -> list[Section]:
    others = [o for o in dict.fromkeys(table["outcome"]) if o not in (*first, UP, DOWN)]
    outcomes = {outcome: i for i, outcome in enumerate([*first, *others, UP, DOWN])}
    stages = {stage: i for i, stage in enumerate(STAGES_AND_MOVES)}
    place = table.groupby(["attribute", "group"], sort=False).ngroup()
    table = table.assign(place=place, a=table["outcome"].map(outcomes), b=table["stage"].map(stages))
    sections = []
    for attribute, rows in table.sort_values(["place", "a", "b"]).groupby("attribute", sort=False):
        tested = rows[rows["p_exact"].notna()]
        n, outside = len(tested), int(tested["verdict"].eq(OUTSIDE).sum())
        alone = int(tested["verdict"].eq(OUTSIDE_ALONE).sum())
        if not n:
            title = say("{attribute}: no comparison can be shown", attribute=attribute)
        elif not alone:
            title = say("{attribute}: {finding}", attribute=attribute, finding=_outside(outside, n))
        else:
            title = say(
                "{attribute}: {finding}, {n} more only when looked at alone",
                attribute=attribute,
                finding=_outside(outside, n),
                n=alone,
            )
        parts: list = [_sizes(rows)]
        if n:
            parts += [
                Figure(
                    plots.ratios(rows),
                    say("{attribute}: ratios of rates", attribute=attribute),
                    say("Ratio 1 is the rate of the largest group. Inside the grey: not distinguishable."),
                ),
                _comparisons(rows, str(attribute)),
            ]
        sections.append(Section(title, parts))
    return sections


def _sizes(rows: pd.DataFrame) -> Table:
    """Who was counted, and what of each group is not shown."""
    found = []
    for group, own in rows.groupby("group", sort=False):
        n = own["n"].iloc[0]
        silent = own["rate"].isna()
        reasons = say("; ").join(told(reason) for reason in dict.fromkeys(own.loc[silent, "reason"]))
        note = say("{n} of {all} rates not shown: {reasons}", n=int(silent.sum()), all=len(own), reasons=reasons)
        size = say("not shown") if pd.isna(n) else words.grouped(n)
        found.append((str(group), size, note if silent.any() else ""))
    return Table(
        pd.DataFrame(found, columns=["group", "n", "note"]),
        caption=say(
            "People with a grade at every stage. Reference: {group}, the largest group.",
            group=rows["reference"].iloc[0],
        ),
        labels={"n": say("People"), "note": say("Not shown")},
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
                "outcome": told(row.outcome),
                "stage": row.stage,
                "people": _of(row.rate, row.n),
                "people_reference": _of(base["rate"], base["n"]),
                "ratio": row.ratio,
                "interval": _together(say("{low} to {high}", low=f"{row.ratio_low:.2f}", high=f"{row.ratio_high:.2f}")),
                "p": row.p_exact,
                "q": row.q,
                "shortfall": row.shortfall,
                "flip_one": words.shown(row.flip_one),
                "smallest": _points(row.smallest_detectable),
                "inside": _inside(row),
                "verdict": row.verdict,
            }
        )
    return Table(
        pd.DataFrame(shown, columns=list(SHOWN)),
        caption=say(
            "{attribute}: each group against the reference. Persons to the same rate: + more, − fewer.",
            attribute=attribute,
        ),
        labels=SHOWN,
        formats={"ratio": "rating2", "p": "chance", "q": "chance", "shortfall": "signed"}
        | {"people": "number", "people_reference": "number", "interval": "number", "smallest": "number"},
    )


def _points(gap: float) -> str:
    return say("{n} points", n=f"{100 * gap:.0f}") if np.isfinite(gap) else say("none: too few people")


def _inside(row) -> str:
    if not np.isfinite(row.mh_ratio):
        return told(row.reason)
    digits = 1 if all(round(v, 1) == v for v in (row.mh_ratio, row.mh_low, row.mh_high)) else 2
    ratio, low, high = (f"{value:.{digits}f}" for value in (row.mh_ratio, row.mh_low, row.mh_high))
    return _together(say("{ratio} ({low} to {high})", ratio=ratio, low=low, high=high))


def _reading(table: pd.DataFrame) -> Section:
    n = int(table["p_exact"].notna().sum())
    lines: Sequence[str] = (
        say(
            "The finding rests on Fisher's exact test (p) and on the false discovery rate over all comparisons here "
            "(q, Benjamini and Hochberg). A ratio under .8 alone is none: two equal groups of 50 people show one in "
            "about six cases of ten."
        ),
        say_n(
            "{n} comparison of the same people at several stages hang together: they rise and fall as one, and are not "
            "so many separate pieces of evidence.",
            "{n} comparisons of the same people at several stages hang together: they rise and fall as one, and are "
            "not so many separate pieces of evidence.",
            n,
            n=words.grouped(n),
        ),
        say(
            "One person undoes it: whether p under .05, or a ratio beyond four fifths, would be gone if one person of "
            "a group had the other outcome. No finding: there is neither."
        ),
        say(
            "Smallest gap to be found: the difference of rates, in points, that groups of this size show in four of "
            "five cases, in the direction in which it is easier to find. A gap smaller than that, or as large in the "
            "other direction, may be there and not be seen."
        ),
        say(
            "Ratio inside units (Mantel and Haenszel) compares people of one unit. Where it is near 1 and the ratio is "
            "not, the difference lies between units. It is rounded so that no unit's own counts can be worked out."
        ),
        say(
            "Counts under {least}, of people with an outcome or without it, are not shown, and neither are further "
            "cells from which one could be worked out, with what other tables tell of everybody's grades.",
            least=LEAST,
        ),
        say(
            "That holds for this page, and for it beside that of the same run. Beside the page of a draft in which "
            "people or grades were others, it may tell more: destroy the drafts' pages."
        ),
    )
    warning = Callout(
        say(
            "A difference does not say why, and none found does not say that there is none. Groups differ in post, "
            "unit, time in grade and targets; look at these before anything is concluded. No grade may be changed to "
            "move a figure on this page."
        ),
        say("What this page is not."),
    )
    return Section(say("How to read this page"), [Sentences(lines), warning])
