"""What notebooks ask beside ``answers``: of self ratings, how far a named KPI carries, why no more is advised."""

import pandas as pd

from ..language import say, say_n, told
from . import words


def double_rating_note(assessment) -> str:
    """How many further ratings are advised, and why there are no more."""
    advised, why = len(assessment.double_ratings), assessment.severity.double_rating_reason()
    listed = (
        say_n("One further rating is advised", "{n} further ratings are advised", advised)
        if advised
        else say("No further rating is advised")
    )
    if why:
        return say("{listed}: {why}.", listed=listed, why=told(why))
    return say("{listed}, the one that settles most first.", listed=listed)


def self_rating_note(assessment) -> str:
    """How far people rate themselves above what others give them, in words."""
    found = assessment.severity.self_offset
    if found["reason"]:
        return say("Nothing is said of self ratings: {reason}.", reason=told(found["reason"]))
    numbers = {"n": found["n"], "points": f"{abs(found['estimate']):.2f}", "se": f"{found['se']:.2f}"}
    compared = (
        say(
            "{n} people rate themselves on average {points} points above what others give them (standard error {se}).",
            **numbers,
        )
        if found["estimate"] >= 0
        else say(
            "{n} people rate themselves on average {points} points below what others give them (standard error {se}).",
            **numbers,
        )
    )
    rest = say("Self ratings link no raters, are not adjusted and enter no score by default.")
    return compared + words.gap() + rest


def link_grades_table(assessment) -> pd.DataFrame:
    """Under the link ``kpi``: whose grade hangs on how much the KPI is worth between teams.

    ``employee_id, unit`` and the adjusted grade with the slope at the low end of its interval, as used, and at the
    high end; empty where no grade changes, and without that link.
    """
    rows = assessment.link_grades
    hangs = rows["grade_low"].ne(rows["grade_adjusted"]) | rows["grade_high"].ne(rows["grade_adjusted"])
    return rows.loc[hangs, ["employee_id", "unit", "grade_low", "grade_adjusted", "grade_high"]].reset_index(drop=True)


def link_grades_finding(assessment) -> str:
    """How many grades hang on the slope between teams, in words."""
    if assessment.severity.link != "kpi":
        return say("No grade rests on a KPI: raters whom nothing links are left alone, or compared otherwise")
    rows = assessment.link_grades
    if rows.empty:
        return say("Nothing in the ratings tells how far grades hang on the KPI")
    hangs = len(link_grades_table(assessment))
    return say(
        "{hangs} of {n} adjusted grades hang on what the KPI is worth between teams: they change inside the interval "
        "of that slope",
        hangs=hangs,
        n=len(rows),
    )
