"""The year for readers: what a notebook and the page of ``perfmodel annual`` show of ``quarters.Year``."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from .. import plots
from ..annual import ALL_PROPOSALS, METHODS
from ..grades import grade_of
from ..language import say, say_n, told
from . import words
from .named import named
from .page import Banner, Figure, Page, Sentences, Table, add_up

# The three methods in the order of the tables.
METHOD_NAMES = {
    "mean": "mean of quarters",
    "mixed": "quarters and annual",
    "cumulative": "from the year's figures",
}
LISTED = 20  # rows of a table on a page; the CSV files hold all


def year_banner(year) -> Banner:
    """Whose year, in what state, and what it rests on: the first output of a notebook."""
    counts = year.counts
    meta = {
        say("Quarters"): say("{quarters} ({note})", quarters=words.listing(list(year.rests_on)), note=told(year.note)),
        say("Grades from"): basis_sentence(year),
        say("Rated"): say("{scored} of {total}", scored=counts["scored"], total=counts["in"]),
        say("Control totals agree"): add_up(counts["in"], counts["scored"], counts["late"] + counts["no score"]),
    }
    return Banner(say("The year {year}", year=year.name), year.status, meta, year.simulated)


def basis_sentence(year) -> str:
    """Which quarters count with decided grades and which with proposals."""
    found = year.rests_on
    open_ones = [quarter for quarter, state in found.items() if state != "decided"]
    if len(open_ones) == len(found):
        return say("from proposals, not decided")
    if not open_ones:
        return say("decided grades of every quarter")
    return say(
        "decided grades, but of {quarters} from proposals, not decided", quarters=words.listing(open_ones, 4)
    )  # fmt: skip


def year_sentences(year) -> list[str]:
    """What the year's grades are and are not, before any number."""
    return [
        say("Grades of the year: {basis}.", basis=basis_sentence(year)),
        say("The year's grade follows from a rule of the scheme: a proposal, which a named person accepts or changes."),
        *(say("{finding}.", finding=year_finding(year, about)) for about in ("methods", "conditions", "missing")),
    ]


def year_finding(year, about: str) -> str:
    """One sentence, numbers first, on ``methods, conditions, service, milestones, missing``.

    Raises
    ------
    KeyError
        If nothing can be said about ``about``.
    """
    return _FINDINGS[about](year)


def _methods(year) -> str:
    graded = _by_all(year)
    if graded.empty:
        return say("Nobody has a grade of the year by all three methods")
    n = int(graded[[f"grade_{name}" for name in METHODS]].nunique(axis=1).gt(1).sum())
    return say_n(
        "{n} of {total} grades depends on the method; the scheme's own is: {method}",
        "{n} of {total} grades depend on the method; the scheme's own is: {method}",
        n,
        total=words.grouped(len(graded)),
        method=say(METHOD_NAMES[year.scheme.outcomes.year.method]),
    )


def _conditions(year) -> str:
    scored = year.results[year.results["status"].eq("scored")]
    cuts, top = year.scheme.cuts, next(iter(year.scheme.cuts))
    alone = pd.Series(grade_of(scored["score"], cuts), scored.index)
    reach = int(alone.eq(top).sum())
    kept = int((alone.eq(top) & scored["grade"].eq(top)).sum())
    others = int((alone.ne(top) & alone.ne(scored["grade"])).sum())
    found = say("{grade} by score: {reach}; {kept} of them meet what it asks for", grade=top, reach=reach, kept=kept)
    if not others:
        return found
    more = say_n("{n} other grade is held lower by a gate", "{n} other grades are held lower by a gate", others)
    return say("{one}; {other}", one=found, other=more)


def _service(year) -> str:
    table = year_service_table(year)
    moved = int(table["stays"].gt(1).sum())
    part = int(table["days"].lt(year.days).sum())
    return say(
        "{part} of {total} people served part of the {days} days; {moved} changed unit or post",
        part=part,
        total=words.grouped(len(year.results)),
        days=year.days,
        moved=moved,
    )


def _milestones(year) -> str:
    again = int(year.milestones["n_tables"].gt(1).sum()) if len(year.milestones) else 0
    return say(
        "{n} milestones count, each once ({again} stand in several quarters' tables); {left} are left out",
        n=words.grouped(len(year.milestones)),
        again=words.grouped(again),
        left=words.grouped(len(year.left_out)),
    )


def _missing(year) -> str:
    counts = year.counts
    if not counts["no score"] and not counts["late"]:
        return say("All {n} people have a grade of the year", n=words.grouped(counts["in"]))
    if not counts["late"]:
        return say_n(
            "{n} of {total} people has no grade of the year",
            "{n} of {total} people have no grade of the year",
            counts["no score"],
            total=words.grouped(counts["in"]),
        )
    return say(
        "{n} of {total} people have no grade of the year; {late} more wait for a late result",
        n=counts["no score"],
        total=words.grouped(counts["in"]),
        late=counts["late"],
    )


def _by_all(year) -> pd.DataFrame:
    grades = year.results[[f"grade_{name}" for name in METHODS]]
    return year.results[grades.ne("").all(axis=1)]


def year_quarters_table(year) -> pd.DataFrame:
    """Each quarter: people scored and not, and what its grades rest on."""
    rows = year.quarters.groupby("quarter", sort=False).agg(
        people=("employee_id", "size"),
        scored=("status", lambda s: int(s.eq("scored").sum())),
        late=("status", lambda s: int(s.eq("late").sum())),
        decided=("decided", "sum"),
    )
    return rows.assign(rests_on=[told(year.rests_on[quarter]) for quarter in rows.index]).reset_index()


def year_methods_table(year) -> pd.DataFrame:
    """People per grade by each method, the scheme's own marked; those whom all three grade."""
    graded = _by_all(year)
    own = year.scheme.outcomes.year.method
    rows = []
    for name in METHODS:
        counts = graded[f"grade_{name}"].value_counts()
        label = say(METHOD_NAMES[name])
        rows.append(
            {
                "method": say("{method}, the scheme's own", method=label) if name == own else label,
                **{grade: int(counts.get(grade, 0)) for grade in year.scheme.cuts},
                "mean_score": graded[f"score_{name}"].mean(),
            }
        )
    return pd.DataFrame(rows)


def year_conditions_table(year) -> pd.DataFrame:
    """Whose grade of the year is another than the score alone gives, and why."""
    scored = year.results[year.results["status"].eq("scored")]
    alone = grade_of(scored["score"], year.scheme.cuts)
    rows = _reasons(scored.assign(by_score=alone))[scored["grade"].ne(pd.Series(alone, scored.index))]
    return rows[["employee_id", "unit", "score", "by_score", "grade", "n_good", "reason"]]


def _each(missing: str) -> str:
    """Quarters and what each lacks, one after the other: reasons are typed by people, and no sentence of a method."""
    parts = [part.partition(": ") for part in missing.split("; ") if part]
    return say("; ").join(
        say("{quarter}: {reason}", quarter=quarter, reason=told(reason)) if reason else quarter
        for quarter, _, reason in parts
    )


def _reasons(results: pd.DataFrame) -> pd.DataFrame:
    """Results, each note of a reason said by itself; without the one that the head of the page makes for everybody."""
    left_out = set() if results["n_decided"].any() else {ALL_PROPOSALS}
    notes = results["reason"].str.split("; ")
    return results.assign(
        reason=notes.map(lambda said: say("; ").join(told(note) for note in said if note not in left_out))
    )


def year_service_table(year) -> pd.DataFrame:
    """Who served part of the year, changed unit or post, or was on leave; ``stays``: in a unit and profile."""
    stays = year.kpi_scores.groupby("employee_id")["scorecard"].nunique()
    away = year.quarters.groupby("employee_id")["leave"].any()
    table = year.results.assign(
        stays=year.results["employee_id"].map(stays).fillna(0).astype(int),
        share=year.results["days"] / year.days,
        leave=year.results["employee_id"].map(away),
    )
    rows = table[table["stays"].gt(1) | table["days"].lt(year.days) | table["leave"]]
    names = ["employee_id", "unit", "days", "share", "n_graded", "stays", "leave", "grade", "missing"]
    return rows[names].assign(missing=rows["missing"].map(_each)).pipe(named, year.scheme).reset_index(drop=True)


def year_milestones_table(year) -> pd.DataFrame:
    """Projects with milestones in more than one quarter: how much of each is accepted."""
    rows = year.milestones.assign(done=year.milestones["weight"] * year.milestones["share_done"].fillna(0))
    key = ["employee_id", "scorecard", "kpi"]
    quarters = pd.to_datetime(rows["due"]).dt.to_period("Q")
    table = rows.assign(when=quarters).groupby(key, as_index=False).agg(
        milestones=("milestone", "size"), quarters=("when", "nunique"), weight=("weight", "sum"), done=("done", "sum")
    )  # fmt: skip
    table = table[table["quarters"].gt(1) & table["weight"].gt(0)]
    table = table.assign(share=table["done"] / table["weight"])
    return named(table[["employee_id", "kpi", "milestones", "quarters", "share"]], year.scheme).reset_index(drop=True)


def year_left_out_table(year) -> pd.DataFrame:
    """Milestones of which nothing is known, by what is missing."""
    rows = year.left_out
    found = rows.groupby(["quarter", "kpi", "reason"], as_index=False).agg(
        milestones=("milestone", "size"), people=("employee_id", "nunique")
    )
    return named(found[["quarter", "kpi", "milestones", "people", "reason"]], year.scheme)


def year_missing_table(year) -> pd.DataFrame:
    """Who has no grade of the year, and why."""
    rows = year.results[year.results["status"].ne("scored")]
    table = rows[["employee_id", "unit", "status", "missing"]]
    return named(table.assign(status=rows["status"].map(told), missing=rows["missing"].map(_each)), year.scheme)


def annual_page(year, sources: Sequence[str] = (), foot: str = "") -> Page:
    """The year as one page; ``sources``: a sentence on each quarter, ``foot``: what the page was made from."""
    labels = year_labels()
    names = ["employee_id", "unit", *(f"grade_{name}" for name in METHODS), "score", "grade", "reason"]
    own = _reasons(year.results)[names]
    parts: list[Any] = [
        Sentences([*year_sentences(year), *sources]),
        Table(year_quarters_table(year), say("The quarters"), "", labels, FORMATS),
        Table(year_methods_table(year), say("People per grade by method"), "", labels, FORMATS),
        Figure(
            plots.year_methods(year.results, year.scheme.cuts),
            year_finding(year, "methods"),
            say("Score of the year by three methods, where they give different grades; filled: the scheme's own."),
        ),
        Table(year_conditions_table(year), year_finding(year, "conditions"), "", labels, FORMATS),
        Table(year_service_table(year), year_finding(year, "service"), "", labels, FORMATS, LISTED),
        Table(year_left_out_table(year), year_finding(year, "milestones"), "", labels, FORMATS, LISTED),
        Table(year_missing_table(year), year_finding(year, "missing"), "", labels, FORMATS),
        Table(own, say("Everybody, by id"), say("The scheme's own method gives the grade."), labels, FORMATS),
    ]
    banner = year_banner(year)
    return Page(banner.title, [*parts, *([foot] if foot else [])], year.status, banner.meta, year.simulated)


def year_labels() -> dict[str, str]:
    """Headings of the tables above."""
    return {
        "quarter": say("Quarter"),
        "people": say("People"),
        "scored": say("Scored"),
        "late": say("Late"),
        "decided": say("Decided"),
        "rests_on": say("Grades from"),
        "method": say("Method"),
        "mean_score": say("Mean score"),
        "by_score": say("By score"),
        "grade": say("Grade of the year"),
        "n_good": say("Quarters at a good grade"),
        "n_graded": say("Quarters graded"),
        "days": say("Days"),
        "share": say("Share"),
        "stays": say("Units or posts"),
        "leave": say("On leave"),
        "missing": say("Missing quarters"),
        "milestones": say("Milestones"),
        "quarters": say("Quarters"),
        "status": say("Status"),
        **{f"grade_{name}": say(text) for name, text in METHOD_NAMES.items()},
        "score": say("Score"),
    }


FORMATS = {
    "mean_score": "score",
    "score": "score",
    "share": "percent",
    **dict.fromkeys("people scored late decided n_good n_graded days stays milestones quarters".split(), "count"),
}
_FINDINGS = {
    "methods": _methods,
    "conditions": _conditions,
    "service": _service,
    "milestones": _milestones,
    "missing": _missing,
}
