"""Rules about ratings: who may rate whom on what, on which scale, and which ratings are owed."""

import numpy as np

from ...scheme.objects import VIGNETTE
from .figures import common, status_rows
from .ground import Ground, names_of, pairs

CARD = ["employee_id", "scorecard", "kpi"]


def check(ground: Ground) -> None:
    rows, found, scheme = ground.tables["ratings"], ground.found, ground.scheme
    if not ground.sound("ratings"):
        return
    ground.by_name(rows, "role", names_of(scheme.roles))
    common(ground, rows, extra=("overall",))
    roles = {r.id for r in scheme.roles}
    ground.unknown(rows, "role", roles, "role-unknown", f"the scheme's roles are {', '.join(sorted(roles))}")
    rater, who, kpi, role = (rows.text(c) for c in ("rater_id", "employee_id", "kpi", "role"))
    kinds = {item.id: item.kind for item in scheme.items}
    found.rows(
        np.array([kinds.get(k, "rated") != "rated" for k in kpi], bool), rows, "kpi", "error", "rating-on-measured",
        lambda r: f"{who[r]}: {kpi[r]} is {kinds[kpi[r]]} and takes no rating; rate its rated part, or remove the row.",
    )  # fmt: skip
    least, most, step = scheme.scale
    rating = rows.numbers("rating")
    steps = (rating - least) / step
    found.rows(
        (rating < least) | (rating > most), rows, "rating", "error", "rating-scale",
        lambda r: f"{who[r]}, {kpi[r]}: {rating[r]:g} lies off the scale of {least:g} to {most:g}; correct it.",
    )  # fmt: skip
    between = (rating >= least) & (rating <= most) & (abs(steps - np.round(steps)) > 1e-9)
    found.rows(
        between, rows, "rating", "error", "rating-step",
        lambda r: f"{who[r]}, {kpi[r]}: {rating[r]:g} is no step of the scale, which goes by {step:g} from {least:g}.",
    )  # fmt: skip
    found.rows(
        (role == "self") & (rater != who), rows, "rater_id", "error", "rating-self",
        lambda r: f"{rater[r]} rates {who[r]} under the role self, which only {who[r]} can; correct the role or the "
        "rater.",
    )  # fmt: skip
    found.rows(
        (role != "self") & (rater == who), rows, "role", "error", "rating-self",
        lambda r: f"{who[r]} rates themselves under the role {role[r]}; write self, or the rater who gave it.",
    )  # fmt: skip
    cases = ground.vignettes(rows)
    also = cases & (ground.employees | set(who[role != VIGNETTE]))
    both = np.array([w in also for w in who], bool)
    found.rows(
        both, rows, "employee_id", "error", "vignette-person",
        lambda r: f"{who[r]} is rated both as a person and as a written case (role {VIGNETTE}); give the case an id of "
        "its own.",
    )  # fmt: skip
    if scheme.severity.link == "vignettes" and not (role == VIGNETTE).any():
        found.add(
            rows.file, 0, 0, "error", "link-without",
            f"The scheme's severity.link is vignettes and no rating has the role {VIGNETTE}, so nothing links raters; "
            "add the ratings of the written cases, or write link: none.",
        )  # fmt: skip
    _anchor_by_rater(ground, set(zip(rater[role != "self"], who[role != "self"], strict=True)))
    submitted = rows.frame["submitted_on"].to_numpy()
    found.rows(
        submitted < np.datetime64(scheme.start), rows, "submitted_on", "warning", "date-before",
        lambda r: f"{rater[r]} on {who[r]}, {kpi[r]}: submitted before the cycle began ({scheme.start}).",
    )  # fmt: skip
    if ground.sound("ratings", "results", "exclusions"):
        _owed(ground)


def _anchor_by_rater(ground: Ground, rates: set[tuple[str, str]]) -> None:
    """A rater who approves the target of the figure that raters are compared by moves the comparison."""
    anchor, rows = ground.scheme.severity.anchor, ground.tables["results"]
    if not anchor or not ground.sound("results"):
        return
    who, kpi, approver = (rows.text(c) for c in ("employee_id", "kpi", "approved_by"))
    own = [k in anchor and (a, w) in rates for k, a, w in zip(kpi, approver, who, strict=True)]
    ground.found.rows(
        np.array(own, bool), rows, "approved_by", "warning", "anchor-by-rater",
        lambda r: f"{who[r]}, {kpi[r]}: {approver[r]}, who rates {who[r]}, approved the target, and severity.anchor "
        "compares raters by this figure; an easy target would pass for a good team. Anchor on a figure whose target "
        "others set.",
    )  # fmt: skip


def _owed(ground: Ground) -> None:
    """A missing rating of a required role leaves the employee without a score: say so before the run does."""
    rows, found = ground.tables["ratings"], ground.found
    due = ground.expected("rated")
    due = due[~pairs(due, CARD).isin(pairs(status_rows(ground), CARD))]
    for role in (r for r in ground.scheme.roles if r.required and r.weight > 0):
        given = rows.frame[rows.text("role") == role.id]
        missing = due[~pairs(due, CARD).isin(pairs(given, CARD))]
        found.absent(
            rows.file, "rating-missing", missing,
            lambda e, c, k, role=role: f"{e}{f', scorecard {c}' if c else ''}: {k} has no rating by the role "
            f"{role.id}, so "
            "there will be no score; ask for it.",
        )  # fmt: skip
