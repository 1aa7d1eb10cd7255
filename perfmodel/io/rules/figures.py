"""Rules about results and milestones: figures that belong to an item, are complete, and can be what they say."""

import re

import numpy as np
import pandas as pd

from ..typed import Rows
from .ground import Ground, names_of, pairs

CARD = ["employee_id", "scorecard", "kpi"]
WITHOUT_FIGURE = ("late", "not_due", "not_applicable")
RECONCILE = 0.01  # share by which a manager's own figure may differ from the sum of the reports'
HUNDREDFOLD = (70, 130)  # actual over target, or the reverse: a percentage typed as a share
FAR = (0.01, 10)  # attainment beyond which two units of measure are likelier than a result


def check(ground: Ground) -> None:
    if ground.sound("results"):
        common(ground, ground.tables["results"])
        _kinds(ground)
        _status(ground)
        _targets(ground)
        if ground.sound("results", "exclusions"):
            _owed(ground)
            _reconcile(ground)
    if ground.sound("milestones"):
        common(ground, ground.tables["milestones"])
        _milestones(ground)


def common(ground: Ground, rows: Rows, extra: tuple[str, ...] = ()) -> None:
    """What results, ratings and milestones share: known person, known item, the right scorecard and profile."""
    scheme, found = ground.scheme, ground.found
    known_people = ground.employees | ground.vignettes(rows)
    ground.unknown(rows, "employee_id", known_people, "employee-unknown", "no such person is in employees")
    ground.by_name(rows, "kpi", names_of(scheme.items))
    kpi = rows.text("kpi")
    parts = {k.id: ", ".join(i.id for i in k.items) for k in scheme.kpis if len(k.items) > 1 or k.items[0].id != k.id}
    found.rows(
        np.array([k in parts for k in kpi], bool), rows, "kpi", "error", "kpi-parts",
        lambda r: f"{kpi[r]} is made of parts; name the part that is meant: {parts[kpi[r]]}.",
    )  # fmt: skip
    known = {*(i.id for i in scheme.items), *parts, *extra}
    ground.unknown(
        rows, "kpi", known, "kpi-unknown", "the scheme has no such KPI or part (their ids stand in scheme.yaml)"
    )
    _cards(ground, rows)
    cards = ground.cards.merge(ground.items[["profile", "kpi"]], on="profile")[CARD]
    used = pairs(rows.frame, CARD).isin(pairs(cards, CARD))
    people = np.isin(rows.text("employee_id").astype(str), sorted(ground.employees))
    settled = np.array([k in known and k not in parts and k not in extra for k in kpi], bool)
    whole = pairs(rows.frame, CARD[:2]).isin(pairs(ground.cards, CARD[:2]))
    found.rows(
        ~used & people & settled & whole, rows, "kpi", "warning", "kpi-not-in-profile",
        lambda r: f"{rows.text('employee_id')[r]}: {kpi[r]} is not part of this person's profile and is not used.",
    )  # fmt: skip


def _cards(ground: Ground, rows: Rows) -> None:
    """The scorecard of each row; a person with one only need not name it."""
    moved = ground.tables["assignments"]
    by_person: dict[str, list[str]] = {}
    for who, card in zip(moved.text("employee_id"), moved.text("scorecard"), strict=True):
        by_person.setdefault(who, []).append(card)
    who, card = rows.text("employee_id"), rows.text("scorecard")
    if by_person:
        only = {e: cards[0] for e, cards in by_person.items() if len(cards) == 1}
        if any(not c and e in only for e, c in zip(who, card, strict=True)):
            filled = [c or only.get(e, c) for e, c in zip(who, card, strict=True)]
            rows.frame["scorecard"] = pd.Series(filled, dtype="str")
            card = rows.text("scorecard")
        open_ = np.array([not c and len(by_person.get(e, ())) > 1 for e, c in zip(who, card, strict=True)], bool)
        ground.found.rows(
            open_, rows, "scorecard", "error", "scorecard-missing",
            lambda r: f"{who[r]} has the scorecards {', '.join(by_person[who[r]])} and this row does not say which; "
            "fill in the scorecard.",
        )  # fmt: skip
    ground.found.rows(
        np.array([bool(c) and c not in by_person.get(e, ()) for e, c in zip(who, card, strict=True)], bool),
        rows, "scorecard", "error", "scorecard-unknown",
        lambda r: f"{who[r]} has no scorecard {card[r]!r} in assignments; add the assignment, or leave it empty "
        "for a person who did not move.",
    )  # fmt: skip


def _kinds(ground: Ground) -> None:
    rows, found = ground.tables["results"], ground.found
    kinds = {item.id: item.kind for item in ground.scheme.items}
    who, kpi, status = (rows.text(c) for c in ("employee_id", "kpi", "status"))
    figures = ~np.isnan(rows.numbers("target")) | ~np.isnan(rows.numbers("actual"))
    other = np.array([kinds.get(k, "measured") != "measured" for k in kpi], bool)
    found.rows(
        other & (figures | np.isin(status.astype(str), ["", "final"])), rows, "kpi", "error", "result-on-rated",
        lambda r: f"{who[r]}: {kpi[r]} is {kinds[kpi[r]]} and takes no result; it belongs in "
        f"{'ratings' if kinds[kpi[r]] == 'rated' else 'milestones'}.",
    )  # fmt: skip
    units = {item.id: item.unit for item in ground.scheme.items}
    for column, marked in rows.percent.items():
        texts = rows.numbers(column)
        found.rows(
            marked & np.array([not units.get(k, "%").startswith("%") for k in kpi], bool),
            rows, column, "error", "number-percent-unit",
            lambda r, c=column, t=texts: f"{who[r]}, {kpi[r]}: {c} {t[r]:g}% has a percent sign and the KPI is in "
            f"{units[kpi[r]] or 'no unit'}; write a plain number in that unit.",
        )  # fmt: skip


def _status(ground: Ground) -> None:
    """Every row gets a status; one that contradicts its figures is refused, an empty one is read from them."""
    rows, found = ground.tables["results"], ground.found
    who, kpi, status = (rows.text(c) for c in ("employee_id", "kpi", "status"))
    there = ~np.isnan(rows.numbers("actual"))
    found.rows(
        (status == "final") & ~there, rows, "actual", "error", "final-empty",
        lambda r: f"{who[r]}, {kpi[r]}: the status is final and there is no actual; fill it in, or write late, not_due "
        "or not_applicable.",
    )  # fmt: skip
    waiting = np.isin(status.astype(str), WITHOUT_FIGURE)
    found.rows(
        waiting & there, rows, "actual", "warning", "actual-unused",
        lambda r: f"{who[r]}, {kpi[r]}: the status is {status[r]}, so the actual is not used; write final if it "
        "counts.",
    )  # fmt: skip
    found.rows(
        (status == "") & ~there, rows, "actual", "warning", "result-missing",
        lambda r: f"{who[r]}, {kpi[r]}: no actual and no status, treated as late: there is no score until it arrives.",
    )  # fmt: skip
    if (status == "").any():
        rows.frame["status"] = pd.Series(np.where(status == "", np.where(there, "final", "late"), status), dtype="str")
    if (rows.text("basis") == "").any():
        rows.frame["basis"] = rows.frame["basis"].replace("", "quarter")


def _targets(ground: Ground) -> None:
    rows, found, scheme = ground.tables["results"], ground.found, ground.scheme
    who, kpi, status = (rows.text(c) for c in ("employee_id", "kpi", "status"))
    target, actual, low, high, original = (
        rows.numbers(c) for c in ("target", "actual", "threshold", "stretch", "target_original")
    )
    items = {i.id: i for i in scheme.items if i.kind == "measured"}
    measured = np.array([k in items for k in kpi], bool)
    final = measured & (status == "final")
    needs = final & np.array([k in items and items[k].rule != "deduction" for k in kpi], bool)
    found.rows(
        needs & np.isnan(target), rows, "target", "error", "target-missing",
        lambda r: f"{who[r]}, {kpi[r]}: there is an actual and no target to hold it against; fill in the target.",
    )  # fmt: skip
    own = ~np.isnan(low) & ~np.isnan(high)
    straight = np.array([k in items and items[k].rule == "threshold_target_max" for k in kpi], bool)
    found.rows(
        needs & (target <= 0) & ~(straight & own), rows, "target", "error", "target-zero",
        lambda r: f"{who[r]}, {kpi[r]}: a share of a target of {target[r]:g} has no meaning; correct the target, or "
        "mark the row not_applicable.",
    )  # fmt: skip
    sign = np.array([-1.0 if k in items and items[k].direction == "lower" else 1.0 for k in kpi])
    wrong = (sign * low >= sign * target) | (sign * target >= sign * high) | (sign * low >= sign * high)
    found.rows(
        measured & wrong, rows, "target", "error", "order",
        lambda r: f"{who[r]}, {kpi[r]}: threshold {low[r]:g}, target {target[r]:g}, stretch {high[r]:g} must "
        f"{'rise' if sign[r] > 0 else 'fall'} in this order, since {'more' if sign[r] > 0 else 'less'} is better.",
    )  # fmt: skip
    approver = rows.text("approved_by")
    changed = ~np.isnan(original) & (original != target) & ~np.isnan(target)
    found.rows(
        changed & (approver == ""), rows, "target_original", "warning", "target-unapproved",
        lambda r: f"{who[r]}, {kpi[r]}: the target was changed from {original[r]:g} to {target[r]:g} and nobody is "
        "named as having approved it; fill in approved_by.",
    )  # fmt: skip
    found.rows(
        (approver == who) & (approver != ""), rows, "approved_by", "warning", "target-self-approved",
        lambda r: f"{who[r]}, {kpi[r]}: the person approved the change of their own target; name who else did.",
    )  # fmt: skip
    after = rows.frame["changed_on"].to_numpy() > np.datetime64(scheme.end)
    found.rows(
        after, rows, "changed_on", "warning", "date-after",
        lambda r: f"{who[r]}, {kpi[r]}: the target was changed after the cycle had ended, when the result was known.",
    )  # fmt: skip
    percent = np.array([k in items and items[k].unit.startswith("%") for k in kpi], bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.maximum(actual / target, target / actual)
    hundredfold = final & percent & (times > HUNDREDFOLD[0]) & (times < HUNDREDFOLD[1])
    far = (target > 0) & (actual > 0) & ((actual < FAR[0] * target) | (actual > FAR[1] * target))
    found.rows(
        final & far & ~hundredfold, rows, "actual", "warning", "far-off",
        lambda r: f"{who[r]}, {kpi[r]}: actual {actual[r]:g} against target {target[r]:g}; are both in one unit"
        f"{f' ({items[kpi[r]].unit})' if items[kpi[r]].unit else ''}?",
    )  # fmt: skip
    found.rows(
        hundredfold, rows, "actual", "warning", "hundredfold",
        lambda r: f"{who[r]}, {kpi[r]}: actual {actual[r]:g} against target {target[r]:g}; is one a share (0.12) and "
        "the "
        "other a percentage (12)?",
    )  # fmt: skip


def status_rows(ground: Ground) -> pd.DataFrame:
    """Rows of results that say why an item has no figure: not due, not applicable, late."""
    frame = ground.tables["results"].frame
    return frame[frame.status.isin(WITHOUT_FIGURE)]


def _owed(ground: Ground) -> None:
    rows = ground.tables["results"]
    due = ground.expected("measured")
    missing = due[~pairs(due, CARD).isin(pairs(rows.frame, CARD))]
    ground.found.absent(
        rows.file, "result-missing", missing,
        lambda e, c, k: f"{e}{f', scorecard {c}' if c else ''}: {k} has no row, treated as late: there is no score "
        "until it arrives; add it, with not_applicable if that is meant.",
    )  # fmt: skip


def _reconcile(ground: Ground) -> None:
    """Money credited to a manager who is also rated should be what the reports brought in, once."""
    rows, found = ground.tables["results"], ground.found
    money = [i.id for i in ground.scheme.items if i.kind == "measured" and re.match(r"[A-Z]{3}\b", i.unit)]
    frame = rows.frame[rows.frame.kpi.isin(money)].assign(r=lambda f: f.index)
    if not len(frame):
        return
    staff = pd.concat(
        [
            ground.tables["assignments"].frame[["employee_id", "scorecard", "manager_id"]],
            ground.tables["employees"].frame.assign(scorecard="")[["employee_id", "scorecard", "manager_id"]],
        ]
    ).astype(object)
    reports = frame.merge(staff, on=["employee_id", "scorecard"])
    reports = reports[reports.manager_id.isin(ground.employees)]
    reports = reports.assign(final=reports.status == "final", employee_id=reports.manager_id)
    team = reports.groupby(["employee_id", "kpi"]).agg(
        target=("target", "sum"), actual=("actual", "sum"), final=("final", "all")
    )
    own = frame[(frame.status == "final") & (frame.scorecard == "")]
    # A report whose figure is late leaves the sum open: nothing to reconcile yet.
    both = own.merge(team[team.final].reset_index(), on=["employee_id", "kpi"], suffixes=("", "_team"))
    for column in ("target", "actual"):
        apart = both[(both[column] - both[f"{column}_team"]).abs() > RECONCILE * both[f"{column}_team"].abs()]
        team_sum = dict(zip(apart.r, apart[f"{column}_team"], strict=True))
        who, kpi, own_figure = rows.text("employee_id"), rows.text("kpi"), rows.numbers(column)
        found.rows(
            np.array(sorted(team_sum), int), rows, column, "warning", "reconcile",
            lambda r, c=column, w=who, k=kpi, own=own_figure, total=team_sum: f"{w[r]}, {k[r]}: {c} {own[r]:g}, and "
            "that "
            f"of the reports sums to {total[r]:g}, as when accounts are credited twice or to nobody; check who owns "
            "which.",
        )  # fmt: skip


def _milestones(ground: Ground) -> None:
    rows, found, scheme = ground.tables["milestones"], ground.found, ground.scheme
    who, kpi, step = (rows.text(c) for c in ("employee_id", "kpi", "milestone"))
    kinds = {item.id: item.kind for item in scheme.items}
    found.rows(
        np.array([kinds.get(k, "milestone") != "milestone" for k in kpi], bool), rows, "kpi", "error", "milestone-kind",
        lambda r: f"{who[r]}: {kpi[r]} is {kinds[kpi[r]]}, not a plan of milestones; move the row.",
    )  # fmt: skip
    weight, share = rows.numbers("weight"), rows.numbers("share_done")
    found.rows(
        ~(weight > 0), rows, "weight", "error", "milestone-weight",
        lambda r: f"{who[r]}, {kpi[r]}, {step[r]}: the weight {weight[r]:g} must be above 0.",
    )  # fmt: skip
    accepted, due = rows.frame["accepted_on"].to_numpy(), rows.frame["due"].to_numpy()
    found.rows(
        ~np.isnat(accepted) & np.isnan(share), rows, "share_done", "error", "milestone-share",
        lambda r: f"{who[r]}, {kpi[r]}, {step[r]}: accepted, and no share done; write 1 for the whole.",
    )  # fmt: skip
    end = np.datetime64(scheme.end)
    found.rows(
        (accepted > end) & (due <= end), rows, "accepted_on", "warning", "accepted-late",
        lambda r: f"{who[r]}, {kpi[r]}, {step[r]}: accepted after the end of the cycle ({scheme.end}).",
    )  # fmt: skip
    totals = rows.frame.groupby(CARD, sort=True)["weight"].sum()
    first = dict(zip(pairs(rows.frame, CARD)[::-1], range(len(rows) - 1, -1, -1), strict=True))
    odd = totals[(totals - 100).abs() > 1e-6]
    at = {first[key]: total for key, total in odd.items()}
    found.rows(
        np.array(sorted(at), int), rows, "weight", "warning", "milestone-total",
        lambda r: f"{who[r]}, {kpi[r]}: the weights of the milestones total {at[r]:g} %, not 100 %.",
    )  # fmt: skip
    if ground.sound("milestones", "results", "exclusions"):
        plans = ground.expected("milestone")
        plans = plans[~pairs(plans, CARD).isin(pairs(status_rows(ground), CARD))]
        missing = plans[~pairs(plans, CARD).isin(pairs(rows.frame, CARD))]
        found.absent(
            rows.file, "milestone-missing", missing,
            lambda e, c, k: f"{e}{f', scorecard {c}' if c else ''}: {k} has no milestone, treated as late; add the "
            "plan, or a "
            "row in results with not_due or not_applicable.",
        )  # fmt: skip
