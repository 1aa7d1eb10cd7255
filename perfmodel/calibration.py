"""Proposals, and whom the committee should talk about. Nothing here is a grade that stands."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .cycle import Cycle
from .grades import cap_grades, grade_of
from .ratings import OVERALL
from .scheme import Scheme

NEW = 2  # times the least tenure: in post for less is new


def propose(
    totals: pd.DataFrame,
    adjusted_ratings: pd.DataFrame,
    raters: pd.DataFrame,
    ratings: pd.DataFrame,
    scheme: Scheme,
) -> pd.DataFrame:
    """``totals`` with a proposal: the raw score moved toward the adjusted one by at most ``limits.max_shift``.

    Not moved at all where any rating that counts has a rater of unknown severity, or one with fewer than
    ``limits.min_ratings`` ratings; ``reason`` says so. What rests on a named assumption repeats it: an adjusted score
    in ``reason``, a moved one in ``moved_by`` too.

    Returns
    -------
    DataFrame
        The columns of ``totals``, ``score_proposed, grade_proposed, moved_by``.
    """
    limits = scheme.limits
    left = adjusted_ratings["reason"].str.startswith("left alone")
    unlinked = adjusted_ratings.loc[left, "employee_id"]
    # An adjusted rating has no reason but the assumption that it rests on.
    rests = adjusted_ratings[~left & adjusted_ratings["reason"].ne("")].set_index("employee_id")["reason"].to_dict()
    weights = ratings["role"].map(scheme.role_weights).astype(float).fillna(0)
    counting = ratings[(weights > 0) & ratings["kpi"].ne(OVERALL)]
    few = raters.index[raters["n_ratings"] < limits.min_ratings]
    tiny = counting.loc[counting["rater_id"].isin(few), "employee_id"]
    table = totals.copy()
    alone = table["employee_id"].isin(unlinked)
    scarce = table["employee_id"].isin(tiny) & ~alone
    wanted = (table["score_adjusted"] - table["score_raw"]).where(~alone & ~scarce, 0.0)
    shift = wanted.clip(-limits.max_shift, limits.max_shift)
    table["score_proposed"] = table["score_raw"] + shift
    table["grade_proposed"] = cap_grades(grade_of(table["score_proposed"], scheme.cuts), table["cap"], scheme.cuts)
    capped = wanted.abs() > limits.max_shift
    moved = table["score_proposed"].notna() & shift.abs().gt(1e-12)
    table["moved_by"] = np.select(
        [moved & capped, moved], [f"severity, held at {limits.max_shift:g} points", "severity"], ""
    )
    assumed = pd.Series([rests.get(who, "") for who in table["employee_id"]], table.index, dtype=object)
    table["moved_by"] += np.where(moved & assumed.ne(""), ", " + assumed, "")
    scored = table["score_raw"].notna()
    said = np.select(
        [scored & alone, scored & scarce],
        [
            "left alone: no shared rater; severity and team quality cannot be told apart",
            f"left alone: a rater with under {limits.min_ratings} ratings moves no proposal",
        ],
        "",
    )
    table["reason"] = np.where(said != "", said, table["reason"])
    assumed = assumed.where(scored, "")
    apart = np.where(table["reason"].ne("") & assumed.ne(""), "; ", "")
    table["reason"] = table["reason"] + apart + assumed
    return table


def discussion(
    scores: pd.DataFrame, totals: pd.DataFrame, cycle: Cycle, past_grades: Mapping[str, pd.Series] | None = None
) -> pd.DataFrame:
    """Cases worth the committee's time: one row per employee and flag, each with its evidence in numbers.

    ``lower_grade`` the lowest grade · ``repeated_low`` a grade below full bonus, as last quarter · ``crosses_cut``
    the adjustment changes the grade · ``gate`` a gate holds the grade down · ``too_close`` P(grade) under
    ``limits.call`` · ``disagree`` KPI score and rating ``limits.disagreement`` points apart · ``two_level_jump``
    since last quarter · ``new_and_top`` · ``missing_evidence`` a late figure, an unexplained rating behind a
    grade that changes pay, or a score near a cut without a P.

    Parameters
    ----------
    scores, totals : DataFrame
        The contract's ``scores``; ``scoring.total``.
    past_grades : mapping of cycle id to Series of grades by employee, oldest first

    Returns
    -------
    DataFrame
        ``employee_id, flag, unit, rank`` (place on the unit's agenda, 1 first; the same for all flags of a
        person), ``evidence, priority`` (1 lower grades, 2 pay at stake, 3 doubt about the evidence, 4 the rest).
        Within a priority the least certain grade comes first (one without P before all), then goes the id.
    """
    scheme, limits = cycle.scheme, cycle.scheme.limits
    grades = list(scheme.cuts)
    level = {grade: i for i, grade in enumerate(grades)}
    multiplier = {g.id: g.multiplier for g in scheme.grades}
    top = max((g.grades for g in scheme.guideline if len(g.grades) > 1), key=len, default=(grades[0],))
    table = scores.merge(
        totals[["employee_id", "kpi_score", "rating", "rating_points", "cap", "status"]], on="employee_id"
    )
    table = table.sort_values("employee_id", kind="stable")
    last = list((past_grades or {}).items())[-1:]
    silent, days = _without_comment(cycle), _tenure(cycle)
    rows = []

    for row in table.to_dict("records"):
        who, unit, grade = row["employee_id"], row["unit"], row["grade_proposed"]

        def flag(name: str, priority: int, evidence: str, who=who, unit=unit, p=row["p_stay"]) -> None:
            rows.append((who, name, unit, evidence, priority, p if p == p else 0.0))

        if row["status"] == "late":
            flag("missing_evidence", 2, row["reason"] + ".")
        if not grade:
            continue
        score, raw = row["score_proposed"], row["score_raw"]
        if grade == grades[-1]:
            flag("lower_grade", 1, _rests(grade, row["kpi_score"], row["rating"]))
        alone = row["cap"] and grade_of([score], scheme.cuts)[0]
        if alone and level[alone] < level[grade]:
            flag("gate", 1, f"A gate holds the grade at {row['cap']}; the score of {score:.1f} alone gives {alone}.")
        if row["grade_raw"] != grade:
            change = f"Severity-adjusted: {raw:.1f} becomes {score:.1f}, {row['grade_raw']} becomes {grade}."
            flag("crosses_cut", 2, change)
        for cycle_id, past in last:
            before = past.get(who, "")
            if before and multiplier[before] < 1 and multiplier[grade] < 1:
                flag("repeated_low", 2, f"{before} in {cycle_id}, {grade} now.")
            if before and abs(level[before] - level[grade]) >= 2:
                flag("two_level_jump", 3, f"{before} in {cycle_id}, {grade} now.")
        apart = row["kpi_score"] - row["rating_points"]
        if abs(apart) >= limits.disagreement:
            rating, points = row["rating"], row["rating_points"]
            flag(
                "disagree",
                3,
                f"KPI score {row['kpi_score']:.1f}, rating {rating:.1f} worth {points:.1f} points: "
                f"{abs(apart):.1f} apart.",
            )
        if row["p_stay"] < limits.call:
            shares = ", ".join(f"{g} {_chance(row[f'p_{g}'])}" for g in grades if row[f"p_{g}"] >= 0.05)
            flag("too_close", 2, f"Rating error alone gives {shares}.")
        nearest = min(grades[:-1], key=lambda g: abs(score - scheme.cuts[g]))
        near = abs(score - scheme.cuts[nearest])
        if row["p_stay"] != row["p_stay"] and near < 1:
            text = f"Score {score:.2f}, {near:.2f} from the cut at {scheme.cuts[nearest]:g}"
            flag("missing_evidence", 3, f"{text}; no P: severity of the rater is not identified.")
        elif who in silent and multiplier[grade] != 1:
            flag("missing_evidence", 3, f"{grade} changes pay, and no rating that counts carries a comment.")
        if grade in top and days.get(who, np.inf) < NEW * limits.min_tenure:
            flag("new_and_top", 4, f"{grade} after {days[who]:.0f} days in post.")

    found = pd.DataFrame(rows, columns=["employee_id", "flag", "unit", "evidence", "priority", "p"])
    found = found.drop_duplicates(["employee_id", "flag"])
    first = found.groupby(["unit", "employee_id"], as_index=False).agg(priority=("priority", "min"), p=("p", "first"))
    first = first.sort_values(["unit", "priority", "p", "employee_id"], kind="stable")
    first["rank"] = first.groupby("unit").cumcount() + 1
    return found.drop(columns="p").merge(first[["employee_id", "rank"]], on="employee_id")


def agenda(table: pd.DataFrame, shown: int) -> pd.DataFrame:
    """By unit: how many people are flagged, how many are shown, how many remain for the next list.

    What remains was not looked at; it never counts as consent.
    """
    flagged = table.groupby("unit")["employee_id"].nunique().rename("flagged").reset_index()
    flagged["shown"] = flagged["flagged"].clip(upper=shown)
    flagged["remaining"] = flagged["flagged"] - flagged["shown"]
    return flagged


def _without_comment(cycle: Cycle) -> set[str]:
    """Employees none of whose counting ratings carries a comment."""
    weights = cycle.ratings["role"].map(cycle.scheme.role_weights).astype(float).fillna(0)
    counting = cycle.ratings[weights > 0]
    said = counting.loc[counting["comment"].fillna("").str.strip().ne(""), "employee_id"]
    return set(counting["employee_id"]) - set(said)


def _tenure(cycle: Cycle) -> dict[str, float]:
    """Days in post at the end of the cycle, where the day of hiring is known."""
    people = cycle.employees
    days = (pd.Timestamp(cycle.scheme.end) - pd.to_datetime(people["hire_date"])).dt.days + 1
    return {who: n for who, n in zip(people["employee_id"], days, strict=True) if n == n}


def _rests(grade: str, kpi_score: float, rating: float) -> str:
    """What a grade rests on; a person with a grade has at least one of the two."""
    if rating != rating:
        return f"{grade} rests on KPI score {kpi_score:.1f}."
    if kpi_score != kpi_score:
        return f"{grade} rests on rating {rating:.1f}."
    return f"{grade} rests on KPI score {kpi_score:.1f} and rating {rating:.1f}."


def _chance(p: float) -> str:
    """A chance as pages write it: .54, never 0 or 1 unless exact."""
    if 0 < p < 0.005:
        return "<.01"
    if 0.995 < p < 1:
        return ">.99"
    return f"{p:.2f}".removeprefix("0")
