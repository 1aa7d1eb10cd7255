"""Quarters to a year: three methods side by side, of which the scheme picks one, and what the year's best grade asks.

``mean``        mean of the quarters' scores, each by the share of it that was worked
``mixed``       ``quarters_share`` percent of that mean, ``annual_share`` of an annual score
``cumulative``  the scheme's own rules on the year's figures, as if the year were one long quarter

A quarter that gave no score is left out and named; it is never a zero. A quarter touched by protected leave counts only
where it does not lower the year.
"""

import numpy as np
import pandas as pd

from .errors import DataError
from .grades import GRAIN, cap_grades, grade_of
from .scheme import Scheme

METHODS = ("mean", "mixed", "cumulative")
CARD = ["employee_id", "scorecard"]
UNDER = 0.01  # points under the next grade at which a score is held that was decided down
QUARTERS = "employee_id quarter days length score grade decided leave status cap reason score_frozen".split()
YEAR = """employee_id unit profile n_quarters n_graded n_decided n_good days score_mean grade_mean score_mixed
grade_mixed score_cumulative grade_cumulative method score grade top_grade status missing reason""".split()
MET, NOT_MET = "met", "not met"
ALL_PROPOSALS = "every quarter is a proposal, not a decision"


def over_quarters(values, days, groups, additive) -> pd.Series:
    """A year's figure by group: the sum of the quarters' values, or their mean by days.

    ``values, days, additive`` (whether the sum has a meaning) are arrays of one length, ``groups`` labels of the same
    length. Missing values take no part; a group of nothing else is missing.
    """
    value = pd.Series(np.asarray(values, float))
    weight = pd.Series(np.where(np.asarray(additive, bool), 1.0, np.asarray(days, float))).where(value.notna())
    by = pd.Series(np.asarray(groups), name="group")
    sums = pd.DataFrame({"top": value * weight, "weight": weight}).groupby(by).sum(min_count=1)
    adds = pd.Series(np.asarray(additive, bool)).groupby(by).first()
    return sums["top"] / sums["weight"].where(~adds, 1.0)


def cumulate(items: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """Figures and ratings of several quarters as those of one long one.

    Targets and actuals of an item that ``Item.additive`` are added up (revenue, customers); of any other, such as a
    share, the mean by days is taken, of target and actual alike. Ratings: mean by days. What was not due or not
    applicable in a quarter takes no part; what is late in any quarter is late.

    Parameters
    ----------
    items : DataFrame
        One row an employee, scorecard of the year, item and quarter: ``employee_id, scorecard, item, kind, days,
        status, target, actual, threshold, stretch`` (a row's own, or missing), ``rating_raw``.

    Returns
    -------
    DataFrame
        ``employee_id, scorecard, item, kind, status, target, actual, threshold, stretch, rating_raw, n_quarters``;
        own thresholds are carried over where any quarter had one, the scheme's standing in for the other quarters.
    """
    by_id = {item.id: item for item in scheme.items}
    rows = items[items["item"].isin(by_id)].reset_index(drop=True)
    key = [*CARD, "item"]
    group = rows.groupby(key, sort=True).ngroup()
    final = rows["status"].eq("final")
    additive = rows["item"].map({name: item.additive for name, item in by_id.items()}).astype(bool)
    for end in ("threshold", "stretch"):
        implied = _implied(rows, end, by_id)
        own = (rows[end].notna() & final).groupby(group).transform("any")
        rows[end] = rows[end].where(rows[end].notna(), implied).where(own)
    table = rows.drop_duplicates(key).sort_values(key)[[*key, "kind"]].reset_index(drop=True)
    for name in ("target", "actual", "threshold", "stretch", "rating_raw"):
        adds = additive if name != "rating_raw" else np.zeros(len(rows), bool)
        table[name] = over_quarters(rows[name].where(final), rows["days"], group, adds).reindex(table.index)
    table["n_quarters"] = final.groupby(group).sum().reindex(table.index).astype(int)
    marks = {
        word: rows["status"].eq(word).groupby(group).any().reindex(table.index) for word in rows["status"].unique()
    }
    nothing = pd.Series(False, table.index)
    table["status"] = np.select(
        [marks.get("late", nothing), marks.get("final", nothing), marks.get("not_due", nothing)],
        ["late", "final", "not_due"],
        "not_applicable",
    )
    return table


def _implied(rows: pd.DataFrame, end: str, by_id: dict) -> pd.Series:
    """The value at which the scheme's own ``at`` puts threshold or stretch, given the row's target."""
    at = rows["item"].map({name: item.at.get(end, np.nan) for name, item in by_id.items()}).astype(float)
    lower = rows["item"].map({name: item.direction == "lower" for name, item in by_id.items()})
    inverse = rows["item"].map({name: item.rule == "inverse_ratio" for name, item in by_id.items()})
    return rows["target"] * np.where(inverse, 1 / at.where(at != 0), np.where(lower, 2 - at, at))


def cumulate_milestones(milestones: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Milestones of several quarters' tables as one plan, and those of which nothing is known.

    A milestone that several quarters list (a project longer than a quarter: same scorecard of the year, item, name and
    due day) counts once, as the newest table has it. One that was due only after the last table that lists it was
    closed, and is not accepted in it, is left out: nobody reported on it when it was due. A project that went on under
    another scorecard counts there.

    Parameters
    ----------
    milestones : DataFrame
        ``employee_id, scorecard, kpi, milestone, weight, due, accepted_on, share_done, quarter, closed`` (last day of
        the quarter whose table it is).

    Returns
    -------
    (DataFrame, DataFrame)
        The plan of the year, without ``quarter`` and ``closed``; what is left out, with ``reason``.
    """
    key = [*CARD, "kpi", "milestone", "due"]
    newest = milestones.sort_values([*key, "closed"], kind="stable").drop_duplicates(key, keep="last")
    again = newest.groupby(["employee_id", "kpi", "milestone", "due"])["closed"].transform("max")
    due, closed = pd.to_datetime(newest["due"]), pd.to_datetime(newest["closed"])
    last = closed.max() if len(closed) else pd.NaT
    unknown = (due > closed) & (due <= last) & newest["accepted_on"].isna()
    reason = "due after " + newest["quarter"] + ", the last table that lists it: nothing is known of it"
    left = newest.assign(reason=reason)[(unknown & again.eq(newest["closed"])).to_numpy()]
    kept = newest[~unknown.to_numpy()].drop(columns=["quarter", "closed"])
    return kept.reset_index(drop=True), left.reset_index(drop=True)


def held(scores, grades, cuts: dict[str, float]) -> np.ndarray:
    """Scores moved into the band of the grade that was decided, no further than its nearest end.

    The lower end is the grade's bound; the upper end lies ``UNDER`` under the next grade. A score without a grade, or
    inside the band, stays.
    """
    order = list(cuts)
    low = {g: cuts[g] if i < len(order) - 1 else -np.inf for i, g in enumerate(order)}
    high = {g: cuts[order[i - 1]] - UNDER if i else np.inf for i, g in enumerate(order)}
    values = np.asarray(scores, float)
    given = np.asarray(grades, dtype=object)
    bottom = np.array([low.get(g, -np.inf) for g in given])
    top = np.array([high.get(g, np.inf) for g in given])
    inside = np.array([g == own for g, own in zip(given, grade_of(values, cuts), strict=True)])
    return np.where(inside | (given == ""), values, np.clip(values, bottom, top))


def mean_of_quarters(scores, shares, leave) -> tuple[float, list[int]]:
    """Mean of one person's scores by share worked, and which quarters of leave were left out of it.

    A quarter touched by leave enters only where its score is no lower than the mean of what stands without it; where
    every quarter is so touched, all count.
    """
    scores, shares, leave = (np.asarray(a) for a in (scores, shares, leave))
    counted = list(np.flatnonzero(~leave.astype(bool)))
    away = sorted(np.flatnonzero(leave.astype(bool)), key=lambda i: -scores[i])
    if not counted:
        counted, away = list(away), []
    mean = float(np.average(scores[counted], weights=shares[counted])) if counted else np.nan
    left_out = []
    for i in away:
        if scores[i] < mean:
            left_out.append(int(i))
            continue
        counted.append(i)
        mean = float(np.average(scores[counted], weights=shares[counted]))
    return mean, sorted(left_out)


def annual_results(
    quarters: pd.DataFrame,
    cumulative: pd.DataFrame,
    employees: pd.DataFrame,
    scheme: Scheme,
    annual: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The year of every employee by three methods, the chosen one, and the conditions of the best grade.

    The best grade needs ``top_grade_quarters_at_a`` quarters at a good grade and none failed; a quarter touched by
    leave that gave no good grade is asked of nobody and stands against nobody. A gate of any quarter caps the year
    where ``outcomes.year.gates``.

    Parameters
    ----------
    quarters : DataFrame
        One row an employee and quarter in which the person stood in the table of employees: ``employee_id, quarter``
        (in order of time), ``days`` (that counted), ``length`` (days of the quarter), ``score`` (as proposed),
        ``grade, decided`` (whether the grade is a decision), ``leave`` (touched by protected leave), ``status``
        (scored, late, or why there is none), ``cap, reason``, ``score_frozen`` (missing, or the score before an appeal
        corrected figures, of which ``score`` is).
    cumulative : DataFrame
        ``employee_id, score, score_without_leave`` (empty where leave touched nothing), ``reason``.
    employees : DataFrame
        ``employee_id, unit, profile`` of everybody in ``quarters``, the newest.
    annual : DataFrame, optional
        ``employee_id, score`` of an annual evaluation for the mixed method; without it the cumulative score stands in.

    Returns
    -------
    DataFrame
        ``employee_id, unit, profile, n_quarters`` (of the year), ``n_graded, n_decided, n_good, days``, score and
        grade of each method, ``method, score, grade`` (the chosen one's), ``top_grade`` (met or not met: the
        conditions of the best grade), ``status`` (scored, late, no score), ``missing`` (quarters without a score and
        why), ``reason``. Everybody in ``employees`` stands in it once.

    Raises
    ------
    DataError
        If a row repeats, an employee of the quarters is not in ``employees``, or an evaluation is of somebody else.
    """
    _check(quarters, employees, annual)
    rule, cuts = scheme.outcomes.year, scheme.cuts
    ladder = list(cuts)
    order = list(dict.fromkeys(quarters["quarter"]))
    marked = cumulative.set_index("employee_id")
    given = annual.set_index("employee_id")["score"] if annual is not None else pd.Series(dtype=float)
    by_person = dict(list(quarters.groupby("employee_id", sort=False)))
    rows = []
    for person in employees.sort_values("employee_id", kind="stable").to_dict("records"):
        who = person["employee_id"]
        own = by_person.get(who, quarters.iloc[:0])
        notes: list[str] = []
        scores = _by_method(who, own, marked, given, scheme, notes)
        scored = own[own["status"].eq("scored")]
        good = scored["grade"].isin(scheme.good_grades)
        failed = scored["grade"].isin(scheme.failed_grades) & ~scored["leave"].astype(bool)
        spared = own["leave"].astype(bool) & own["status"].ne("late") & ~own["grade"].isin(scheme.good_grades)
        away = list(own.loc[spared, "quarter"])
        asked = max(rule.top_grade_quarters_at_a - len(away), min(rule.top_grade_quarters_at_a, 1))
        fits = good.sum() >= asked and not failed.any()
        # A committee that decided above a gate has lifted it.
        gated = [(c, g) for c, g in zip(scored["cap"], scored["grade"], strict=True) if c and rule.gates]
        caps = [c for c, g in gated if ladder.index(g) >= ladder.index(c)]
        cap = max(caps, key=ladder.index, default="")
        grades = {}
        for method in METHODS:
            grade = cap_grades(grade_of([scores[method]], cuts), [cap], cuts)[0]
            best = grade == ladder[0] and len(ladder) > 1
            grades[method] = ladder[1] if best and not fits else grade
        chosen, alone = grades[rule.method], grade_of([scores[rule.method]], cuts)[0]
        if cap and chosen and ladder.index(alone) < ladder.index(cap):
            when = ", ".join(scored.loc[scored["cap"].eq(cap), "quarter"])
            notes += [f"a gate in {when} caps the year at {cap}", f"the score alone gives {alone}"]
        elif chosen and alone != chosen:
            why = f"quarters at {scheme.good_grades[-1]} or above: {good.sum()} of the {asked} asked for"
            why = why if good.sum() < asked else f"{scheme.failed_grades[0]} in a quarter of the year"
            notes += [why, f"the score alone gives {alone}"]
        if away and rule.top_grade_quarters_at_a:
            notes.append(f"leave in {', '.join(away)}: {asked} at {scheme.good_grades[-1]} are asked for")
        late = own.loc[own["status"].eq("late"), "quarter"]
        status = "late" if len(late) else "scored" if chosen else "no score"
        rows.append(
            (
                who, person["unit"], person["profile"], len(order), len(scored),
                int((scored["decided"]).sum()), int(good.sum()), int(scored["days"].sum()),
                *(value for method in METHODS for value in (scores[method], grades[method])),
                rule.method, scores[rule.method], chosen, MET if fits else NOT_MET, status,
                _missing(own, order), "; ".join(notes),
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=YEAR)


def _by_method(who, own: pd.DataFrame, cumulative: pd.DataFrame, annual: pd.Series, scheme: Scheme, notes: list[str]):
    """Score of one person by each method; NaN where it cannot be said. Notes say what was done."""
    rule, cuts = scheme.outcomes.year, scheme.cuts
    scored = own[own["status"].eq("scored")]
    if own["status"].eq("late").any():
        notes.append("a quarter waits for a result, so the year does too")
        return dict.fromkeys(METHODS, np.nan)
    if scored.empty:
        return dict.fromkeys(METHODS, np.nan)
    before = scored["score"].to_numpy(float)
    for quarter, old, new in zip(scored["quarter"], scored["score_frozen"], before, strict=True):
        if abs(new - old) > GRAIN:
            notes.append(f"an appeal corrected {quarter}: its score is {new:.2f}, not {old:.2f}")
    counted = np.where(scored["decided"], held(before, scored["grade"], cuts), before)
    for quarter, old, new, grade in zip(scored["quarter"], before, counted, scored["grade"], strict=True):
        if abs(old - new) > GRAIN:
            notes.append(f"{quarter} counts as {new:.2f}, not {old:.2f}: decided {grade}")
    shares = (scored["days"] / scored["length"]).to_numpy(float)
    mean, left_out = mean_of_quarters(counted, shares, scored["leave"].to_numpy(bool))
    for i in left_out:
        notes.append(f"{scored['quarter'].iloc[i]} was touched by leave and would lower the mean: left out")
    open_quarters = int((~scored["decided"].astype(bool)).sum())
    if open_quarters and scored["decided"].any():
        notes.append(f"{open_quarters} of {len(scored)} quarters are proposals, not decisions")
    elif open_quarters:
        notes.append(ALL_PROPOSALS)
    row = cumulative.loc[who] if who in cumulative.index else pd.Series({"score": np.nan, "reason": "no figures"})
    recomputed, without = float(row["score"]), float(row.get("score_without_leave", np.nan))
    if without > recomputed:
        recomputed = without
        notes.append("figures of a quarter touched by leave would lower the year: left out")
    if np.isnan(recomputed) and row["reason"]:
        notes.append(f"from cumulative figures: {row['reason']}")
    yearly = float(annual[who]) if who in annual.index else recomputed
    if rule.method == "mixed" and who not in annual.index:
        notes.append("no annual evaluation: the cumulative score stands in for it")
    mixed = (rule.quarters_share * mean + rule.annual_share * yearly) / 100
    return {"mean": mean, "mixed": mixed, "cumulative": recomputed}


def _missing(own: pd.DataFrame, order: list[str]) -> str:
    """Quarters without a score and why, in order of time."""
    said = []
    states = own.set_index("quarter")
    for quarter in order:
        if quarter not in states.index:
            said.append(f"{quarter}: not among the employees")
        elif states.loc[quarter, "status"] != "scored":
            said.append(f"{quarter}: {states.loc[quarter, 'reason'] or states.loc[quarter, 'status']}")
    return "; ".join(said)


def _check(quarters: pd.DataFrame, employees: pd.DataFrame, annual: pd.DataFrame | None) -> None:
    if absent := [name for name in QUARTERS if name not in quarters]:
        raise DataError(f"The table of quarters lacks the columns {', '.join(absent)}.")
    for table, key, what in (
        (quarters, ["employee_id", "quarter"], "the quarters"),
        (employees, ["employee_id"], "the employees"),
        *([] if annual is None else [(annual, ["employee_id"], "the annual evaluations")]),
    ):
        if (twice := table.duplicated(key)).any():
            raise DataError(f"{' in '.join(table.loc[twice, key].iloc[0])} stands twice in {what}; keep one row.")
    if annual is not None and (strange := sorted(set(annual["employee_id"]) - set(employees["employee_id"]))):
        raise DataError(
            f"{strange[0]} has an annual evaluation and stands in no quarter of the year ({len(strange)} such in all). "
            "It may be a slip of an id: correct or remove it."
        )
    if strange := sorted(set(quarters["employee_id"]) - set(employees["employee_id"])):
        raise DataError(f"{strange[0]} stands in the quarters and not among the employees; nobody may be lost.")


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Everybody in, and where they are: ``in`` = ``scored`` + ``late`` + ``no score``."""
    found = table["status"].value_counts()
    return {"in": len(table), **{name: int(found.get(name, 0)) for name in ("scored", "late", "no score")}}
