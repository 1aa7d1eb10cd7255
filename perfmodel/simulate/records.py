"""What surrounds figures and ratings: leave, late results, milestones, events, pay, groups, exclusions."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from ..scheme import Scheme
from .figures import FIGURES
from .organisation import Posts, Staff, quarter_days

FAMILY = ("Ar", "Bel", "Cor", "Dan", "Es", "Fen", "Gar", "Hol", "Il", "Jor", "Kel", "Lun")
ENDINGS = ("ado", "eth", "imar", "oval", "unis", "yra", "ebin", "asko", "irel", "omet", "usha", "andir")
LEAVE, AWAY, GONE = 0.016, 0.004, 0.4  # share on leave, share away all quarter, share of leavers gone before its end
PAY_BY_LEVEL = (18_000, 24_000, 32_000, 42_000)


@dataclass(frozen=True, eq=False)
class Status:
    """Presence of each holder of a post. ``present`` is the share of the days in post that were worked."""

    word: np.ndarray
    until: np.ndarray
    present: np.ndarray
    absent: np.ndarray


def with_status(posts: Posts, staff: Staff, rng: np.random.Generator) -> Status:
    """Who was on leave, away all quarter, or left before its end."""
    first, last = (np.datetime64(day) for day in quarter_days(staff.quarter))
    n, day = posts.n, np.timedelta64(1, "D")
    chance = rng.random((3, n))
    settled = ~(staff.joined | staff.leaving | posts.head | posts.lead | (staff.came_from >= 0))
    leave = settled & (chance[0] < LEAVE)
    absent = settled & ~leave & (chance[1] < AWAY)
    gone = staff.leaving & ~staff.joined & ~posts.head & ~posts.lead & (chance[2] < GONE) & (staff.came_from < 0)
    left_on = first + rng.integers(40, 85, n) * day
    return Status(
        word=np.where(gone, "left", np.where(leave | absent, "leave", "active")).astype(object),
        until=np.where(gone, left_on, last),
        present=np.where(leave, rng.choice([0.5, 0.6, 0.7], n), 1.0),
        absent=absent,
    )


def result_rows(
    scheme: Scheme,
    posts: Posts,
    staff: Staff,
    cards: pd.DataFrame,
    figures: pd.DataFrame,
    ids: np.ndarray,
    status: Status,
    rng: np.random.Generator,
    newest: bool,
) -> pd.DataFrame:
    """Results as they are handed in: late, not due and changed ones included.

    Only the newest quarter has late ones, and one change of a target without approval.
    """
    start, _ = quarter_days(staff.quarter)
    n_cards, kpi = len(cards), figures["kpi"].to_numpy()
    card = figures["card"].to_numpy(int)
    rows = pd.DataFrame(
        {
            "employee_id": cards["employee_id"].to_numpy()[card],
            "scorecard": cards["scorecard"].to_numpy()[card],
            "kpi": kpi,
            "target": figures["target"].to_numpy(),
            "actual": figures["actual"].to_numpy(),
            "threshold": np.nan,
            "stretch": np.nan,
            "status": "final",
            "basis": "quarter",
            "target_original": np.nan,
            "changed_on": np.datetime64("NaT", "D"),
            "approved_by": "",
            "note": "",
        }
    )
    post, person = cards["post"].to_numpy()[card], cards["person"].to_numpy()[card]
    leads = (posts.head | posts.lead)[post]
    chance = rng.random((3, len(rows)))
    boss = ids[posts.boss]
    approver = np.where(posts.boss < posts.n, boss[np.minimum(posts.boss, posts.n - 1)], boss)
    flow = np.isin(kpi, [name for name, f in FIGURES.items() if f.flow])

    # Targets of people on leave are cut to the days worked; some others change for a stated reason.
    cut = flow & (status.present[person] < 1)
    whole = rows["target"] / status.present[person]
    rows.loc[cut, "target_original"] = np.where(kpi == "sales_attainment", whole.round(-1), whole.round())[cut]
    rows.loc[cut, "note"] = "Pro-rated: protected leave"
    changed = (kpi == "sales_attainment") & ~cut & ~leads & ~staff.joined[person] & (chance[0] < 0.035)
    rows.loc[changed, "target_original"] = np.round(rows.loc[changed, "target"] * 1.08, -1)
    rows.loc[changed, "note"] = "Territory split: two accounts moved"
    touched = cut | changed
    rows.loc[touched, "changed_on"] = np.datetime64(start) + 21
    rows.loc[touched, "approved_by"] = approver[post][touched]

    own_points = (kpi == "sales_attainment") & ~touched & ~leads & (posts.profile[post] == posts.profile[-1])
    own_points &= chance[0] > 0.85
    rows.loc[own_points, "threshold"] = np.round(rows.loc[own_points, "target"] * 0.80, 0)
    rows.loc[own_points, "stretch"] = np.round(rows.loc[own_points, "target"] * 1.12, 0)

    for name, word, share, note in (
        ("core_attrition", "not_applicable", 0.015, "No team in this quarter"),
        ("customer_satisfaction", "not_due", 0.015, "Survey of the region moved to next quarter"),
    ):
        here = (kpi == name) & ~leads & (chance[1] < share)
        rows.loc[here, ["status", "note"]] = word, note
        rows.loc[here, "actual"] = np.nan
    if newest:
        may = np.isin(kpi, ["gross_margin", "forecast_accuracy"]) & ~leads & (cards["scorecard"].to_numpy()[card] == "")
        may &= (status.word[person] == "active") & ~staff.joined[person]
        late = np.flatnonzero(may)[np.argsort(chance[2][may])[: min(3, max(1, n_cards // 60))]]
        rows.loc[late, ["status", "note"]] = "late", "Finance closes the books after the due date"
        rows.loc[late, "actual"] = np.nan
        rows.loc[np.flatnonzero(changed)[:1], "approved_by"] = ""
    sources = {item.id: k.source for k in scheme.kpis for item in k.items}
    rows["source"] = pd.Series(kpi).map(sources).str.split(";").str[0].to_numpy()
    return rows


def milestones(scheme: Scheme, cards, standing, start: date, end: date, rng) -> pd.DataFrame:
    """Three milestones a project, due month by month; some projects have a fourth that is not due yet."""
    items = [i.id for i in scheme.items if i.kind == "milestone"]
    columns = ["employee_id", "scorecard", "kpi", "milestone", "weight", "due", "accepted_on", "share_done"]
    if not items:
        return pd.DataFrame(columns=columns)
    n = len(cards)
    skill = standing.mean(axis=1).to_numpy() if len(standing.columns) else np.zeros(n)
    skill = 0.7 * skill / (skill.std() or 1.0)
    first, last = np.datetime64(start), np.datetime64(end)
    longer = rng.random(n) < 0.3
    parts = []
    for number, (short, long) in enumerate(((40, 35), (35, 30), (25, 20), (0, 15))):
        ease = rng.standard_normal(n) + skill
        due = first + np.timedelta64(24 + 30 * number, "D") if number < 2 else last - np.timedelta64(6, "D")
        if number == 3:
            due = last + np.timedelta64(45, "D")
        done = (ease > (-1.15, -0.75, -0.15, 9.0)[number]) & (number < 3)
        accepted = np.minimum(due + rng.integers(-9, 6, n) * np.timedelta64(1, "D"), last)
        share = np.where(done, 1.0, np.clip(np.round(0.55 + 0.2 * ease, 1), 0.0, 0.8) if number < 3 else 0.0)
        parts.append(
            pd.DataFrame(
                {
                    "employee_id": cards["employee_id"],
                    "scorecard": cards["scorecard"],
                    "kpi": items[0],
                    "milestone": f"M{number + 1}",
                    "weight": np.where(longer, long, short),
                    "due": due,
                    "accepted_on": np.where(done, accepted, np.datetime64("NaT", "D")),
                    "share_done": share,
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["weight"] > 0]


def events(scheme: Scheme, posts, ids, status, staff, rng) -> pd.DataFrame:
    """A few gates, bonus points and deductions, each with its evidence."""
    n = posts.n
    day = quarter_days(staff.quarter)[0]
    free = np.flatnonzero((status.word == "active") & ~posts.head & ~posts.lead)
    order = rng.permutation(free)
    many = max(1, round(n / 120))
    kinds = [(g.code, "gate", np.nan, f"Decision of the review board, file {day:%Y-%m}") for g in scheme.gates]
    kinds += [
        ("B1", "bonus", 2.0, "Bid playbook taken over by three units"),
        ("B2", "bonus", 3.0, "Customer award, letter on file"),
        ("D1", "deduction", 2.0, "Contract signed beyond authority, letter on file"),
    ]
    if n < 60:  # one gate and one bonus are enough for a handful of people
        kinds = kinds[max(len(scheme.gates) - 1, 0) : len(scheme.gates) + 1]
    rows = [
        (ids[order[(i * many + j) % len(order)]], code, kind, points, evidence)
        for i, (code, kind, points, evidence) in enumerate(kinds)
        for j in range(many if code != "G2" else max(1, many // 2))
    ]
    frame = pd.DataFrame(rows, columns=["employee_id", "code", "kind", "points", "evidence"])
    return frame.drop_duplicates(["employee_id", "code"])


def pay(posts, staff, ids, status, rng) -> pd.DataFrame:
    """Quarterly bonus at target, by level."""
    base = np.array(PAY_BY_LEVEL, float)[staff.people["level"].astype(int) - 1]
    target = np.round(base * (1 + 0.04 * rng.standard_normal(posts.n)), -2)
    eligible = ~(staff.joined | status.absent | (status.word == "left"))
    return pd.DataFrame(
        {"employee_id": ids[: posts.n], "bonus_target": target, "currency": "CNY", "eligible": eligible}
    )


def groups(posts, staff, ids) -> pd.DataFrame:
    """Protected attributes, drawn apart from everything that is rated: no group gap is planted."""
    n, today = posts.n, np.datetime64(quarter_days(staff.quarter)[1])
    age = staff.people["age_when_hired"] + (today - staff.people["hired"]).astype(int) / 365.25
    band = np.array(["under 35", "35 to 44", "45 and over"], dtype=object)[np.searchsorted([35, 45], age, "right")]
    return pd.concat(
        [
            pd.DataFrame({"employee_id": ids[:n], "attribute": name, "value": value})
            for name, value in (("age_band", band), ("gender", staff.people["gender"]))
        ],
        ignore_index=True,
    )


def exclusions(posts, staff, ids, status) -> pd.DataFrame:
    """Who has no score by rule, and why."""
    left, away = np.flatnonzero(status.word == "left"), np.flatnonzero(status.absent)
    rows = [(ids[i], f"Left the company on {status.until[i]}") for i in left]
    rows += [(ids[i], "On protected leave all quarter") for i in away]
    return pd.DataFrame(rows, columns=["employee_id", "reason"])


def person_names(number: np.ndarray) -> np.ndarray:
    """Invented names made of syllables that belong to no language."""
    a, b, c, d = number % 12, number // 12 % 12, number // 144 % 12, number // 1728 % 12
    family, ending = np.array(FAMILY, dtype=object), np.array(ENDINGS, dtype=object)
    return family[a] + ending[b] + " " + family[c] + ending[d]
