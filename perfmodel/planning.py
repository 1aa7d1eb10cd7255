"""Weights for the next plan, chosen on closed quarters under pseudonyms; what they would have done is told after."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from .assessment import Assessment
from .errors import DataError
from .fairness import fairness
from .outcomes import pool
from .pseudonyms import pseudonym
from .tables import STAGES, moves
from .weights import choose_weights

COSTED = 64  # permitted choices whose cost is looked at
ERROR_DRAWS = 2_000  # a covariance of them is known to about 3 %
ERROR_CELLS = 1_000_000  # drawn ratings held at a time: 8 MiB
IN_FORCE, CHOSEN = "in force", "chosen"
GAP = (
    *("attribute", "group", "reference", "outcome", "weights", "n", "rate", "ratio", "ratio_low", "ratio_high"),
    *("difference", "p_exact", "verdict", "reason"),
)


def refuse_open(assessment: Assessment, today: date) -> None:
    """Refuses a quarter that still runs on ``today`` or waits for results.

    Raises
    ------
    DataError
        Weights are chosen on closed quarters only, because a choice made while results are open is a choice of
        results.
    """
    scheme = assessment.cycle.scheme
    if scheme.end >= today:
        raise DataError(
            f"The quarter {assessment.cycle.id} runs until {scheme.end}. Weights are chosen on closed quarters, for "
            "the next plan; until then 03_weights shows sensitivity only."
        )
    if assessment.status == "PARTIAL":
        raise DataError(
            f"The quarter {assessment.cycle.id} waits for results ({len(assessment.chase)} to chase), so it is not "
            "closed; choose on an earlier quarter."
        )


def choice_points(assessment: Assessment, profile: str, *, key: str, today: date) -> pd.DataFrame:
    """Points of a profile's people in a closed quarter, pseudonyms x KPIs, ready for ``choose_weights``.

    ``key`` makes the pseudonyms: the same key gives a person the same one in every quarter, and without it nobody is
    told from another. ``today`` decides whether the quarter is over.

    Raises
    ------
    DataError
        If the quarter is open (:func:`refuse_open`) or the key is empty.
    """
    refuse_open(assessment, today)
    if not key:
        raise DataError("Pseudonyms need a key of their own; without one they would be the names.")
    points = assessment.profile_points(profile)
    hidden = pd.Index([pseudonym(key, employee) for employee in points.index], name="pseudonym")
    return points.set_axis(hidden).sort_index()


def error_covariance(assessment: Assessment, profile: str) -> pd.DataFrame:
    """Covariance of the errors of KPI points within a person (points squared, KPIs x KPIs): for the aim "reliable".

    From the joint draws behind the chances of grades (severity, halo, residual) through the rubric, the mean over the
    profile's people. A rater's severity and halo touch all that the rater rates of a person, so errors go together,
    and variances alone would make the score look about twice as sure as it is. Measured KPIs have none.
    People whose rater's severity is not identified take no part; all 0 where nobody is left.
    """
    scheme, fit = assessment.cycle.scheme, assessment.severity
    names = scheme.weight_space(profile).names
    rows = fit.adjusted_ratings.reset_index(drop=True)
    who = pd.Index(assessment.profile_points(profile).index)
    unknown = set(rows.loc[rows["reason"].ne(""), "employee_id"])
    who = who[~who.isin(unknown)]
    item = scheme.item_table().set_index("item").reindex(rows["kpi"])
    card = pd.MultiIndex.from_frame(rows[["employee_id", "scorecard"]])
    person, kpi = who.get_indexer(rows["employee_id"]), pd.Index(names).get_indexer(item["kpi"])
    share = item["share"].to_numpy(float) / 100 * assessment.day_shares.reindex(card).to_numpy(float)
    used = np.flatnonzero((person >= 0) & (kpi >= 0) & (np.nan_to_num(share) > 0))
    found = np.zeros((len(names), len(names)))
    if not len(used):
        return pd.DataFrame(found, names, names)
    cell, place = np.unique(person[used] * len(names) + kpi[used], return_inverse=True)
    order = np.argsort(place, kind="stable")
    used, starts = used[order], np.flatnonzero(np.diff(place[order], prepend=-1))
    centre = scheme.rubric_points(rows["rating_adjusted"].to_numpy()[used])
    block = max(1, min(ERROR_DRAWS, ERROR_CELLS // len(rows)))
    total, count = np.zeros((len(who), len(names))), 0
    for number in range(-(-ERROR_DRAWS // block)):
        drawn = fit.rating_draws(block, seed=(assessment.seed, number))[:, used]
        off = np.zeros((block, len(who), len(names)))
        moved = (scheme.rubric_points(drawn) - centre) * share[used]
        off.reshape(block, -1)[:, cell] = np.add.reduceat(moved, starts, axis=1)
        found += np.einsum("dpk,dpl->kl", off, off, optimize=True)
        total += off.sum(axis=0)
        count += block
    mean = total / count
    return pd.DataFrame((found / count - mean.T @ mean) / len(who), names, names)


def _grades(assessment: Assessment, profile: str, weights: pd.Series) -> pd.Series:
    """Grades of a profile's people under other weights, index employee_id."""
    simulation = assessment.weights[profile]
    w = pd.Series(weights, dtype=float)[simulation.space.names].to_numpy()
    place = simulation.ladder.place(simulation.panel.scores(w[None])[0])
    who = simulation.reason.index[simulation.reason == ""]
    return pd.Series(np.array(simulation.ladder.grades, object)[place], who)


def _with(scores: pd.DataFrame, grade: pd.Series) -> pd.Series:
    """Proposed grades of everybody, those of ``grade`` put in."""
    new = scores["employee_id"].map(grade)
    return new.where(new.notna(), scores["grade_proposed"])


def consequences(assessment: Assessment, profile: str, weights: pd.Series) -> pd.DataFrame:
    """What weights would have meant in this quarter, told after they are chosen and never an aim.

    One row ``in force`` and one ``chosen``: people by grade, ``changed`` (people whose grade differs), and cost of
    the whole company's proposals against the pool (``cost, balance, currency``; empty without a pay table).
    """
    kinds = {IN_FORCE: assessment.weights[profile].baseline, CHOSEN: weights}
    rows = {name: _consequence(assessment, profile, chosen) for name, chosen in kinds.items()}
    return pd.DataFrame(rows).T.rename_axis("weights")


def _consequence(assessment: Assessment, profile: str, weights: pd.Series) -> dict[str, Any]:
    """One row of :func:`consequences`."""
    simulation = assessment.weights[profile]
    grade = _grades(assessment, profile, weights)
    proposed = assessment.scores[["employee_id"]].assign(grade_proposed=_with(assessment.scores, grade))
    money = pool(proposed, assessment.cycle.pay, assessment.cycle.scheme)
    known = money.iloc[0] if len(money) else pd.Series({"cost": np.nan, "balance": np.nan, "currency": ""})
    return {
        **grade.value_counts().reindex(list(simulation.ladder.grades), fill_value=0).to_dict(),
        "changed": int((grade != simulation.grade[grade.index]).sum()),
        **known[["cost", "balance", "currency"]].to_dict(),
    }


def group_gap(assessment: Assessment, profile: str, choices: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Rates of the best and the last grades by protected group, in force and under each of up to three ``choices``.

    For HR and legal alone (``restricted/``): reported after the choice and never an aim. ``attribute, group,
    reference, outcome, weights, n, rate, ratio, ratio_low, ratio_high, difference, p_exact, verdict, reason``;
    ``weights`` is "in force", a name of ``choices`` ({name: weights}), or "in force to NAME" of those whose grade
    moves up or down under it. Counts under five are not shown, nor what gives one away inside this table; see
    :func:`perfmodel.fairness.fairness`. What is in force is hidden last: a reader may hold it from the quarter's own
    table, and what is hidden of a choice must not follow from that. Beside any other table of the same people this
    one could give more away, so hand out the one or the other. Empty without groups.
    """
    scores = assessment.scores
    weights = {IN_FORCE: assessment.weights[profile].baseline, **choices}
    # fairness() takes them for stages; what is in force for the last, which is the last to be hidden.
    stages = dict(zip((STAGES[-1], *STAGES), weights, strict=False))
    if len(stages) < len(weights):
        raise DataError(
            f"{len(weights) - 1} choices at once are too many for one table; give {len(STAGES) - 1} or fewer."
        )
    both = {
        f"grade_{stage}": _with(scores, _grades(assessment, profile, weights[name])).fillna("")
        for stage, name in stages.items()
    }
    people = scores[["employee_id", "unit"]].assign(**both)
    now, *others = stages
    ways = [(now, other) for other in others]
    found = fairness(people, assessment.cycle.groups, assessment.cycle.scheme, stages=tuple(stages), ways=ways)
    names = stages | {moves(*way): moves(*(stages[stage] for stage in way)) for way in ways}
    return found.assign(weights=found["stage"].map(names))[list(GAP)]


def cost_range(assessment: Assessment, profile: str, draws: int = COSTED) -> pd.DataFrame:
    """What proposals would cost the company under permitted weights: rows ``in force, least, median, most``.

    ``cost, balance`` (money of ``currency``) and ``changed`` (grades that differ from those in force); the least and
    the most among ``draws`` permitted choices, which others may pass. Empty without a pay table.
    """
    space = assessment.weights[profile].space
    sampled = space.sample(draws, assessment.seed)
    rows = [pd.Series(_consequence(assessment, profile, w), dtype=object) for _, w in sampled.iterrows()]
    now = pd.Series(_consequence(assessment, profile, assessment.weights[profile].baseline), dtype=object)
    table = pd.DataFrame(rows).sort_values(["cost", "changed"], kind="stable", ignore_index=True)
    columns = ["cost", "balance", "changed", "currency"]
    if table["cost"].isna().all():
        return pd.DataFrame(columns=columns).rename_axis("weights")
    picked = {"in force": now, "least": table.iloc[0], "median": table.iloc[len(table) // 2], "most": table.iloc[-1]}
    return pd.DataFrame(picked).T[columns].rename_axis("weights")


def _numbered(assessment: Assessment, profile: str, today: date) -> pd.DataFrame:
    """Points of a profile's people in a closed quarter, without names."""
    refuse_open(assessment, today)
    return assessment.profile_points(profile).reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class ClosedChoice:
    """Weights chosen on the last closed quarter and checked on the one before; ``reason`` where that cannot be.

    ``weights``: ``aim, kpi, weight, low, high`` (percent of the whole, extent of the near-optimal set). ``check``:
    ``aim, weights, value, n`` on the hold-out quarter. ``cost``: ``aim`` and what :func:`consequences` tells.
    ``group_gap``: what :func:`group_gap` tells of the choices, for HR and legal alone: no page shows it.
    """

    chosen_on: str
    checked_on: str
    weights: pd.DataFrame
    check: pd.DataFrame
    cost: pd.DataFrame
    group_gap: pd.DataFrame
    reason: str


def on_closed(assessment: Assessment, profile: str) -> ClosedChoice:
    """The most discriminating and the most reliable weights, from the quarters before ``assessment``'s.

    People are numbered and nothing of a person is told, so no key is needed. An earlier quarter is over when this one
    begins, so no clock is asked, and a page says the same whenever it is made.
    """
    past = assessment.past
    if len(past) < 2:
        return _none("Two closed quarters are needed: one to choose on, one to check on.")
    closed, before = past[-1], past[-2]
    try:
        points, other = (_numbered(q, profile, assessment.cycle.scheme.start) for q in (closed, before))
        simulation, chosen, checked, cost = closed.weights[profile], [], [], []
        choices = {}
        for aim in ("discriminating", "reliable"):
            error = error_covariance(closed, profile) if aim == "reliable" else None
            choice = choose_weights(points, simulation.space, aim, error=error, seed=assessment.seed)
            chosen.append(choice.near.reset_index().assign(aim=aim))
            checked.append(choice.check(other, simulation.baseline).reset_index().assign(aim=aim))
            cost.append(consequences(closed, profile, choice.weights).reset_index().assign(aim=aim))
            choices[aim] = choice.weights
        gap = group_gap(closed, profile, choices)
    except (DataError, KeyError) as refused:
        return _none(str(refused), closed.cycle.id, before.cycle.id)
    tables = [pd.concat(parts, ignore_index=True) for parts in (chosen, checked, cost)]
    weights, check, cost_of = (table[["aim", *[c for c in table if c != "aim"]]] for table in tables)
    return ClosedChoice(closed.cycle.id, before.cycle.id, weights, check, cost_of, gap, "")


def _none(reason: str, chosen_on: str = "", checked_on: str = "") -> ClosedChoice:
    """No choice, and why."""
    names = (["aim", "kpi", "weight", "low", "high"], ["aim", "weights", "value", "n"], ["aim", "weights"], list(GAP))
    weights, check, cost, gap = (pd.DataFrame(columns=columns) for columns in names)
    return ClosedChoice(chosen_on, checked_on, weights, check, cost, gap, reason)
