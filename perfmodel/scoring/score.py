"""Points of items, KPI scores, and the score of a person.

An item is what one result, rating or milestone plan speaks of: a KPI, or a part of one. Weights are percent
of the whole scorecard. What is not due or not applicable shares its weight, a part inside its KPI first and a
KPI inside its category; what is late keeps its weight, and leaves the person without a score.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..cycle import Cycle
from ..grades import cap_grades, grade_of
from ..ratings import combined, counted
from ..scheme import Scheme
from ..tables import conform
from .rules import RULES, attainment
from .scorecards import scorecards

CARD = ["employee_id", "scorecard"]
CELLS = 1 << 17  # drawn ratings scored at a time: 1 MiB, which a processor keeps at hand
AWAY = ("not_due", "not_applicable")
SAID = {"not_due": "not due", "not_applicable": "not applicable"}
COLUMNS = """employee_id scorecard kpi item category kind profile day_share share target actual attainment rating_raw
rating_adjusted score_raw score_adjusted floor cap weight_nominal weight status reason""".split()


def item_scores(cycle: Cycle, adjusted: pd.DataFrame | None = None) -> pd.DataFrame:
    """Points of every item of every scorecard, and the weight it has after sharing.

    Parameters
    ----------
    adjusted : DataFrame, optional
        ``employee_id, scorecard, kpi, rating_adjusted`` (rating points), as ``SeverityFit.adjusted_ratings``.
        Without it the adjusted columns are empty.

    Returns
    -------
    DataFrame
        ``employee_id, scorecard, kpi, item, category, kind, profile, day_share, share`` (percent of the KPI),
        ``target, actual, attainment, rating_raw, rating_adjusted, score_raw, score_adjusted`` (points),
        ``floor, cap, weight_nominal, weight`` (percent of the whole), ``status`` (final, late, not_due,
        not_applicable), ``reason``; in the order of the scheme.

    Raises
    ------
    DataError
        If a rule that divides by the target meets one that is not positive.
    """
    table = _plan(cycle)
    table = table.merge(_results(cycle), on=[*CARD, "item"], how="left")
    table = table.merge(_ratings(cycle, adjusted), on=[*CARD, "item"], how="left")
    table = table.merge(_milestones(cycle), on=[*CARD, "item"], how="left")
    table["attainment"] = table.pop("attainment_milestone")
    milestone, rated = table["kind"].eq("milestone"), table["kind"].eq("rated")
    nothing = np.where(rated, "no rating", np.where(milestone, "no milestone plan", "no result"))
    for name, absent in (("status", "late"), ("reason", pd.Series(nothing, table.index))):
        # A row of results may say why there is neither rating nor plan; where there is one, it alone counts.
        own = table[f"{name}_milestone"].where(milestone, table[f"{name}_rating"])
        table[name] = table[name].where(~milestone & ~rated, own.fillna(table[name])).fillna(absent)
    table["score_raw"] = table["score_adjusted"] = table["floor"] = table["cap"] = np.nan
    for item in cycle.scheme.items:
        rows = table.index[table["item"].eq(item.id)]
        if len(rows):
            _points(table, rows, item, cycle.scheme, adjusted is not None)
    if adjusted is None:
        table["rating_adjusted"] = table["score_adjusted"] = np.nan
    return _shared(table)[COLUMNS]


def _plan(cycle: Cycle) -> pd.DataFrame:
    """Scorecards x items of their profile, with nominal weights."""
    scheme = cycle.scheme
    cards = scorecards(cycle)[[*CARD, "profile", "day_share"]]
    items = scheme.item_table()
    parts = []
    for profile in scheme.profiles:
        own = scheme.weights(profile.id).merge(items.drop(columns="category"), on="kpi")
        own["weight_nominal"] = own["weight"] * own["share"] / 100
        own["kpi_weight"] = own.pop("weight")
        parts.append(cards[cards["profile"].eq(profile.id)].merge(own, how="cross"))
    table = pd.concat(parts, ignore_index=True)
    order = {item: i for i, item in enumerate(items["item"])}
    table["_order"] = table["item"].map(order)
    return table.sort_values([*CARD, "_order"], kind="stable").drop(columns="_order").reset_index(drop=True)


def _results(cycle: Cycle) -> pd.DataFrame:
    found = cycle.results[[*CARD, "kpi", "target", "actual", "threshold", "stretch", "status"]]
    found = found.rename(columns={"kpi": "item"})
    status = found["status"].replace("", "final").fillna("final")
    without = status.eq("final") & (found["actual"].isna() | found["target"].isna())
    reason = status.map(SAID).fillna("").where(status.ne("late"), "result late")
    lacks = np.where(found["actual"].isna(), "result without actual", "result without target")
    reason = reason.where(~without, pd.Series(lacks, found.index))
    return found.assign(status=status.where(~without, "late"), reason=reason)


def _ratings(cycle: Cycle, adjusted: pd.DataFrame | None) -> pd.DataFrame:
    """Combined ratings by item; late where a role that must rate has not."""
    weights, key = cycle.scheme.role_weights, [*CARD, "kpi"]
    table = combined(counted(cycle.ratings, weights)).rename(columns={"rating": "rating_raw"})
    table["status_rating"], table["reason_rating"] = "final", ""
    for role in cycle.scheme.roles:
        if role.required and role.weight > 0:
            given = cycle.ratings[cycle.ratings["role"].eq(role.id)]
            absent = ~pd.MultiIndex.from_frame(table[key]).isin(pd.MultiIndex.from_frame(given[key]))
            table.loc[absent, "status_rating"] = "late"
            table.loc[absent, "reason_rating"] = f"no rating by the {role.name.en.lower()}"
    if adjusted is None:
        table["rating_adjusted"] = np.nan
    else:
        table = table.merge(adjusted[[*key, "rating_adjusted"]], on=key, how="left")
    return table.rename(columns={"kpi": "item"})


def counted_milestones(cycle: Cycle) -> pd.DataFrame:
    """Rows of the milestone plans that count: due in the cycle, or accepted in it ahead of time.

    ``employee_id, scorecard, item, milestone, weight, due, accepted_on, done`` (share; 0 where accepted after the
    cycle, missing where nobody has said).
    """
    plan = _with_counts(cycle)
    rows = plan[plan["counts"]].drop(columns="counts")
    return rows.sort_values([*CARD, "item", "due", "milestone"], kind="stable").reset_index(drop=True)


def _with_counts(cycle: Cycle) -> pd.DataFrame:
    plan = cycle.table("milestones").rename(columns={"kpi": "item"})
    start, end = pd.Timestamp(cycle.scheme.start), pd.Timestamp(cycle.scheme.end)
    due, accepted = pd.to_datetime(plan["due"]), pd.to_datetime(plan["accepted_on"])
    counts = due.between(start, end) | (due.gt(end) & accepted.between(start, end))
    done = plan["share_done"].where(~accepted.gt(end), 0.0)
    names = [*CARD, "item", "milestone", "weight", "due", "accepted_on"]
    return plan[names].assign(done=done, counts=counts)


def _milestones(cycle: Cycle) -> pd.DataFrame:
    """Share of the milestones due in the cycle, or accepted ahead of time, that was accepted; by their weights."""
    plan = _with_counts(cycle)
    counts, done = plan["counts"], plan["done"]
    weight = plan["weight"].where(counts, 0.0)
    sums = pd.DataFrame({**plan[[*CARD, "item"]], "weight": weight, "done": (weight * done).where(counts, 0.0),
                         "open": counts & done.isna()}).sort_values([*CARD, "item", "weight", "done"])  # fmt: skip
    by = sums.groupby([*CARD, "item"], as_index=False).agg(
        weight=("weight", "sum"), done=("done", "sum"), open=("open", "any")
    )
    none = by["weight"].eq(0)
    by["attainment_milestone"] = (by["done"] / by["weight"].where(~none)).where(~by["open"])
    by["status_milestone"] = np.where(none, "not_due", np.where(by["open"], "late", "final"))
    by["reason_milestone"] = np.where(
        none, "no milestone due", np.where(by["open"], "milestone without the share done", "")
    )
    return by.drop(columns=["weight", "done", "open"])


def _points(table: pd.DataFrame, rows: pd.Index, item, scheme: Scheme, adjusted: bool) -> None:
    """Points of one item for all its rows, written into ``table``; only what is final has any."""
    at = table.loc[rows]
    final = at["status"].eq("final").to_numpy()
    steps = scheme.rubric if item.rule == "rubric" else item.steps
    rule = RULES[item.rule]
    if item.kind == "rated":
        for column in ("raw", "adjusted")[: 1 + adjusted]:
            points = rule(at[f"rating_{column}"].to_numpy(float), item.points, steps=steps)
            table.loc[rows, f"score_{column}"] = np.where(final, points, np.nan)
        table.loc[rows, "floor"], table.loc[rows, "cap"] = scheme.rubric[0][1], scheme.rubric[-1][1]
        return
    low, high = item.at.get("threshold", np.nan), item.at.get("stretch", np.nan)
    if item.kind == "measured":
        known = final & at["target"].notna().to_numpy()
        target = np.where(known, at["target"], np.nan)

        def share(values):
            return attainment(values, target, rule=item.rule, direction=item.direction)

        reached = share(at["actual"].to_numpy(float))
        table.loc[rows, "attainment"] = np.where(np.isfinite(reached), reached, np.nan)
        # A row's own threshold and stretch come before those of the scheme.
        own = [share(at[name].to_numpy(float)) for name in ("threshold", "stretch")]
        low, high = (np.where(np.isnan(o), general, o) for o, general in zip(own, (low, high), strict=True))
    else:
        reached = at["attainment"].to_numpy(float)
    middle = {"middle": item.at.get("target", 1.0)} if item.rule in ("threshold_target_max", "milestone") else {}
    points = np.where(final, rule(reached, item.points, low, high, steps, **middle), np.nan)
    for column in ("score_raw", "score_adjusted"):
        table.loc[rows, column] = points
    table.loc[rows, "floor"], table.loc[rows, "cap"] = item.points.get("floor", 0.0), item.points.get("cap", np.nan)


def _shared(table: pd.DataFrame) -> pd.DataFrame:
    """Weights after sharing, and the reason where something is away."""
    here = ~table["status"].isin(AWAY)
    by_kpi = [table[c] for c in (*CARD, "kpi")]
    in_kpi = table["share"].where(here, 0.0).groupby(by_kpi).transform("sum")
    part = (table["share"] / in_kpi.where(in_kpi > 0)).where(here)
    first = ~table.duplicated([*CARD, "kpi"])
    by_category = [table[c] for c in (*CARD, "category")]
    whole = table["kpi_weight"].where(first, 0.0).groupby(by_category).transform("sum")
    present = table["kpi_weight"].where(first & (in_kpi > 0), 0.0).groupby(by_category).transform("sum")
    table["weight"] = table["kpi_weight"] * whole / present.where(present > 0) * part
    gone = present.eq(0).groupby([table[c] for c in CARD]).transform("any")
    table.loc[gone, "weight"] = np.nan
    shared = np.where(in_kpi.eq(0), ": weight shared inside the category", ": weight shared inside the KPI")
    away = ~here & ~gone
    table.loc[away, "reason"] += pd.Series(shared.astype(object), table.index)[away]
    empty = present.eq(0)
    table.loc[empty, "reason"] += ": the whole category " + table["category"][empty] + " is missing"
    return table


def score(cycle: Cycle, adjusted: pd.DataFrame | None = None) -> pd.DataFrame:
    """The contract's table ``kpi_scores``: points and weight of every KPI of every scorecard.

    ``adjusted`` as for :func:`item_scores`; without it the adjusted columns are empty.
    """
    return kpi_table(item_scores(cycle, adjusted))


def kpi_table(items: pd.DataFrame) -> pd.DataFrame:
    """``kpi_scores`` from :func:`item_scores`.

    A KPI with parts shows target, actual and attainment of its one measured part; its weight is that of its
    parts together, its score their weighted mean.
    """
    key = [*CARD, "kpi"]
    by = [items[c] for c in key]
    here = ~items["status"].isin(AWAY)
    share = items["share"].where(here, 0.0)
    whole = share.groupby(by).transform("sum")
    alone = items["item"].eq(items["kpi"])
    shown = {"measured": items["kind"].eq("measured"), "milestone": items["kind"].eq("milestone") & alone}
    single = shown["measured"].groupby(by).transform("sum").eq(1)
    said = items["reason"].where(alone | items["reason"].eq(""), items["item"] + ": " + items["reason"])
    columns = {
        "category": items["category"],
        "kind_first": items["kind"],
        "target": items["target"].where(shown["measured"] & single),
        "actual": items["actual"].where(shown["measured"] & single),
        "attainment": items["attainment"].where(shown["measured"] & single | shown["milestone"]),
    }
    group = pd.DataFrame(columns).groupby(by, sort=False)
    table = group[list(columns)].first()
    kinds = items["kind"].groupby(by, sort=False).agg(["min", "max"])
    table["kind"] = table.pop("kind_first").where(kinds["min"].eq(kinds["max"]), "mixed")
    for step in ("raw", "adjusted"):
        # What is late is not known, so neither is the KPI; what is away takes no part.
        part = (items[f"score_{step}"] * share / whole.where(whole > 0)).where(here, 0.0)
        unknown = (here & part.isna() | whole.eq(0)).groupby(by, sort=False).any()
        table[f"score_{step}"] = part.groupby(by, sort=False).sum().where(~unknown)
    for column in ("weight_nominal", "weight"):
        table[column] = items[column].groupby(by, sort=False).sum(min_count=1)
    for step in ("raw", "adjusted"):
        table[f"points_{step}"] = table["weight"] * table[f"score_{step}"] / 100
    reasons = said[said.ne("")]
    table["reason"] = reasons.groupby([c[reasons.index] for c in by]).agg("; ".join)
    table["reason"] = table["reason"].fillna("")
    return conform(table.reset_index(), "kpi_scores")


def total(cycle: Cycle, items: pd.DataFrame) -> pd.DataFrame:
    """The score of every employee, or why there is none.

    Scorecards are weighted by counted days. Bonus and deduction points come last, each up to its limit; a
    gate caps the grade and leaves the score.

    Returns
    -------
    DataFrame
        ``employee_id, unit, profile`` (today's), ``score_raw, score_adjusted, grade_raw, grade_adjusted``,
        ``kpi_score`` (measured and milestone items alone, their weights made to total 100 %), ``rating`` (mean
        rating by weight, points of the scale), ``rating_points`` (the same through the rubric), ``bonus,
        deduction`` (points, both positive), ``cap`` (best grade that gates allow, or ""), ``score_low,
        score_high`` (whatever a late figure turns out to be), ``status`` (scored, late, no score, excluded, too
        new to rate, too few days), ``reason``.
    """
    scheme = cycle.scheme
    people = cycle.employees[["employee_id", "unit", "profile", "hire_date", "level_since"]]
    table = people.sort_values("employee_id", kind="stable").reset_index(drop=True)
    who = pd.Index(table["employee_id"])
    counted = items[items["day_share"] > 0]
    part = counted["weight"] * counted["day_share"] / 100

    def summed(points: pd.Series, rows: pd.DataFrame = counted) -> np.ndarray:
        return points.groupby(rows["employee_id"]).sum().reindex(who).to_numpy()

    away = counted["status"].isin(AWAY)
    late = counted["status"].eq("late")
    flags = pd.DataFrame({"late": late, "gone": counted["weight"].isna() & ~away}).groupby(counted["employee_id"]).any()
    flags = flags.reindex(who, fill_value=False)
    none = ~who.isin(counted["employee_id"].unique()) | flags["gone"].to_numpy()
    for name, code in (("bonus", scheme.limits.bonus_most), ("deduction", scheme.limits.deduction_most)):
        events = cycle.table("events")
        events = events[events["kind"].eq(name)]
        points = events["points"].abs().groupby(events["employee_id"]).sum()
        table[name] = points.reindex(who).fillna(0.0).clip(upper=code).to_numpy()
    extra = table["bonus"] - table["deduction"]
    table["cap"] = _gates(cycle, who)
    known = ~flags["late"].to_numpy() & ~none
    for step in ("raw", "adjusted"):
        points = part * counted[f"score_{step}"]
        unknown = (points.isna() & ~away).groupby(counted["employee_id"]).any().reindex(who, fill_value=True)
        table[f"score_{step}"] = np.where(known & ~unknown.to_numpy(), summed(points) + extra, np.nan)
    for end, bound in (("low", "floor"), ("high", "cap")):
        points = part * counted["score_raw"].where(~late, counted[bound])
        table[f"score_{end}"] = np.where(none, np.nan, summed(points) + extra)

    judged = counted["kind"].eq("rated") & counted["rating_raw"].notna()
    figures = counted[~counted["kind"].eq("rated") & counted["score_raw"].notna()]
    judgements = counted[judged]
    for name, rows, column in (
        ("kpi_score", figures, "score_raw"),
        ("rating", judgements, "rating_raw"),
        ("rating_points", judgements, "score_raw"),
    ):
        weight = part[rows.index]
        sums = summed(weight, rows)
        table[name] = summed(weight * rows[column], rows) / np.where(sums > 0, sums, np.nan)

    _status(table, cycle, counted[late], none)
    scored = table["status"].eq("scored")
    for step in ("raw", "adjusted"):
        table[f"score_{step}"] = table[f"score_{step}"].where(scored)
        table[f"grade_{step}"] = cap_grades(grade_of(table[f"score_{step}"], scheme.cuts), table["cap"], scheme.cuts)
    order = "employee_id unit profile score_raw score_adjusted grade_raw grade_adjusted kpi_score rating rating_points"
    return table[[*order.split(), "bonus", "deduction", "cap", "score_low", "score_high", "status", "reason"]]


def gate_caps(cycle: Cycle) -> dict[str, str]:
    """The best grade that gates allow, of those employees whom a gate holds."""
    who = pd.Index(cycle.employees["employee_id"])
    return {employee: cap for employee, cap in zip(who, _gates(cycle, who), strict=True) if cap}


def _gates(cycle: Cycle, who: pd.Index) -> np.ndarray:
    """The worst grade cap of an employee's gates, or ""."""
    caps = {gate.code: gate.cap for gate in cycle.scheme.gates}
    order = {grade: i for i, grade in enumerate(cycle.scheme.cuts)}
    events = cycle.table("events")
    gates = events[events["kind"].eq("gate")]
    worst = gates["code"].map(caps).map(order).groupby(gates["employee_id"]).max().reindex(who)
    return np.array([list(order)[int(at)] if at == at else "" for at in worst], dtype=object)


def _status(table: pd.DataFrame, cycle: Cycle, late: pd.DataFrame, none: np.ndarray) -> None:
    """Writes ``status`` and ``reason``; the first that holds of excluded, too new, too few days, no score, late."""
    scheme = cycle.scheme
    since = pd.to_datetime(table["hire_date"]).fillna(pd.to_datetime(table["level_since"]))
    tenure = (pd.Timestamp(scheme.end) - since).dt.days + 1
    excluded = cycle.table("exclusions").set_index("employee_id")["reason"]
    cards = scorecards(cycle)
    days = cards.groupby("employee_id")["counted"].any().reindex(table["employee_id"], fill_value=False).to_numpy()
    missing = (late["item"] + " (" + late["reason"] + ")").groupby(late["employee_id"]).agg(", ".join)
    status, reasons = [], []
    grade_low, grade_high = (
        cap_grades(grade_of(table[f"score_{end}"], scheme.cuts), table["cap"], scheme.cuts) for end in ("low", "high")
    )
    for i, employee in enumerate(table["employee_id"]):
        if employee in excluded.index:
            status.append("excluded")
            reasons.append(excluded[employee])
        elif tenure[i] < scheme.limits.min_tenure:
            status.append("too new to rate")
            reasons.append(f"too new to rate: {tenure[i]:.0f} days in post, {scheme.limits.min_tenure} are needed")
        elif not days[i]:
            status.append("too few days")
            reasons.append(f"no scorecard of {scheme.limits.min_days} days or more")
        elif none[i]:
            status.append("no score")
            reasons.append("a whole category is missing, and weights are shared only inside a category")
        elif employee in missing.index:
            status.append("late")
            low, high = table["score_low"][i], table["score_high"][i]
            same = grade_low[i] == grade_high[i]
            reasons.append(
                f"{missing[employee]}: whatever arrives, the score lies between {low:.1f} and {high:.1f}"
                f"{f', grade {grade_low[i]} in any case' if same else ''}"
            )
        else:
            status.append("scored")
            reasons.append("")
    table["status"], table["reason"] = status, reasons


def rescore(
    cycle: Cycle, items: pd.DataFrame, totals: pd.DataFrame, drawn: np.ndarray, index: pd.DataFrame
) -> np.ndarray:
    """Scores under other ratings, everything else as it is: (draws x ratings) -> (draws x employees).

    Parameters
    ----------
    items : DataFrame
        From :func:`item_scores`, with adjusted ratings.
    totals : DataFrame
        From :func:`total`, of the same items.
    drawn : array (draws, ratings)
        Combined ratings on the scale; column j is that of row j of ``index``.
    index : DataFrame
        ``employee_id, scorecard, kpi`` (the item's id) of each column.

    Returns
    -------
    array (draws, employees)
        Adjusted scores, employees in the order of ``totals``; NaN for whoever has none. Ratings that
        enter no score change nothing.
    """
    return rescorer(cycle, items, totals, index)(drawn)


def rescorer(
    cycle: Cycle, items: pd.DataFrame, totals: pd.DataFrame, index: pd.DataFrame
) -> Callable[[np.ndarray], np.ndarray]:
    """:func:`rescore` of one quarter as a function of the drawn ratings alone, for draws that come in pieces."""
    who = pd.Index(totals["employee_id"])
    at = pd.MultiIndex.from_frame(items[[*CARD, "item"]]).get_indexer(
        pd.MultiIndex.from_frame(index[[*CARD, "kpi"]].set_axis([*CARD, "item"], axis=1))
    )
    used = np.flatnonzero(at >= 0)
    rows = items.iloc[at[used]]
    weight = (rows["weight"] * rows["day_share"] / 100).fillna(0.0).to_numpy()
    enters = (weight > 0) & rows["score_adjusted"].notna().to_numpy()
    used, rows, weight = used[enters], rows[enters], weight[enters]
    # A stable order by employee, so that each one's changes stand together and are summed in one pass.
    employee = who.get_indexer(rows["employee_id"])
    order = np.argsort(employee, kind="stable")
    used, weight, employee = used[order], weight[order], employee[order]
    now = rows["score_adjusted"].to_numpy()[order]
    starts = np.flatnonzero(np.diff(employee, prepend=-1))
    moved = employee[starts]
    base = totals["score_adjusted"].to_numpy(float)
    step = max(1, CELLS // max(len(used), 1))

    def scores_of(drawn: np.ndarray) -> np.ndarray:
        scores = np.broadcast_to(base, (len(drawn), len(who))).copy()
        for start in range(0, len(drawn) if len(used) else 0, step):
            change = cycle.scheme.rubric_points(drawn[start : start + step, used])
            change -= now
            change *= weight
            scores[start : start + step, moved] += np.add.reduceat(change, starts, axis=1)
        return scores

    return scores_of
