"""An invented assessment in the shape of the contract's tables, so that pages are tested without any method."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

import perfmodel.scheme as schemes
from perfmodel.errors import Finding
from perfmodel.tables import columns_of, conform

GRADES = tuple("SABCD")
CUTS = {"S": 90.0, "A": 80.0, "B": 70.0, "C": 60.0, "D": 0.0}
EVIL = "<script>alert(1)</script>"


def default_scheme():
    from importlib.resources import files

    text = files("perfmodel").joinpath("default_scheme.yaml").read_text(encoding="utf-8")
    scheme, _ = schemes.read_scheme(text, "scheme.yaml")
    return scheme


def grade_of(score: float) -> str:
    return next(g for g, least in CUTS.items() if score >= least)


def distribution_of(scores: pd.DataFrame, guideline) -> pd.DataFrame:
    """Counts against an invented band: half to double the company's share."""
    rows = []
    guide = {g.band: (g.range[0] / 100, g.range[1] / 100) for g in guideline}
    for stage in ("raw", "adjusted", "proposed"):
        column = scores[f"grade_{stage}"]
        shares = {b: column.isin(b.split("+")).mean() for b in guide}
        for unit in ["company", *sorted(scores["unit"].unique())]:
            own = column if unit == "company" else column[scores["unit"] == unit]
            total = len(own)
            small = total < 10
            for band, (least, most) in guide.items():
                n = int(own.isin(band.split("+")).sum())
                low, high = np.floor(shares[band] * total * 0.4), np.ceil(shares[band] * total * 1.8) + 1
                tested = unit != "company" and not small
                verdict = "not tested" if not tested else "within chance" if low <= n <= high else "outside chance"
                rows.append(
                    (
                        stage,
                        unit,
                        band,
                        n,
                        n / total,
                        least,
                        most,
                        low if tested else np.nan,
                        high if tested else np.nan,
                        verdict,
                        f"{total} people: too few to tell from chance" if small else "",
                    )
                )
    names = [
        "stage",
        "unit",
        "grade",
        "n",
        "share",
        "guideline_low",
        "guideline_high",
        "chance_low",
        "chance_high",
        "verdict",
        "reason",
    ]
    return pd.DataFrame(rows, columns=names)


def sample(people: int = 64, units: int = 4, seed: int = 5, *, late: bool = True, names=None, simulated: bool = True):
    """An assessment of ``people`` in ``units``; the last rater shares nobody, one result is late."""
    rng = np.random.default_rng(seed)
    scheme = default_scheme()
    ids = [f"E-{i:03d}" for i in range(1, people + 1)]
    unit = [f"U{1 + i * units // people:02d}" for i in range(people)]
    unit = [f"U{units:02d}" if i >= people - 7 else u for i, u in enumerate(unit)]
    raw = np.clip(rng.normal(77, 7, people), 40, 105)
    shift = rng.normal(0, 1.2, people)
    rater = [f"R-{1 + (i // 6):02d}" for i in range(people)]
    alone = [r == max(rater) for r in rater]
    shift[alone] = 0
    adjusted = raw + shift
    proposed = raw + np.clip(shift, -2, 2)
    scores = pd.DataFrame({"employee_id": ids, "unit": unit, "profile": scheme.profiles[0].id})
    for step, value in (("raw", raw), ("adjusted", adjusted), ("proposed", proposed)):
        scores[f"score_{step}"] = value
        scores[f"grade_{step}"] = [grade_of(v) for v in value]
    draws = adjusted[:, None] + rng.normal(0, 1.6, (people, 800))
    for g in GRADES:
        above = min((least for least in CUTS.values() if least > CUTS[g]), default=np.inf)
        share = ((draws >= CUTS[g]) & (draws < above)).mean(axis=1)
        scores[f"p_{g}"] = np.where(alone, np.nan, share)
    scores["p_stay"] = [scores.at[i, f"p_{scores.at[i, 'grade_proposed']}"] for i in range(people)]
    scores["se"] = np.where(alone, np.nan, 1.6)
    scores["moved_by"] = np.where(alone, "", "severity")
    scores["reason"] = np.where(alone, "left alone: no shared rater", "")
    status = ["scored"] * people
    if late:
        status[3] = "late"
        blank = [c for c in scores.columns if c.startswith(("score_", "p_", "se"))]
        scores.loc[3, blank] = np.nan
        scores.loc[3, [c for c in scores.columns if c.startswith("grade_")]] = ""
        scores.loc[3, "reason"] = (
            "late result: customer_satisfaction; the score lies between 61 and 74 whatever arrives"
        )
    status[-1] = "excluded"
    scores = scores.iloc[:-1]
    known = scores[scores["score_raw"].notna()]
    totals = pd.DataFrame(
        {
            "employee_id": ids,
            "unit": unit,
            "profile": scheme.profiles[0].id,
            "score_raw": raw,
            "score_adjusted": adjusted,
            "grade_raw": [grade_of(v) for v in raw],
            "grade_adjusted": [grade_of(v) for v in adjusted],
            "kpi_score": raw + rng.normal(0, 4, people),
            "rating": np.round(2 * np.clip(1 + (raw - 45) / 14 + rng.normal(0, 0.4, people), 1, 5)) / 2,
            "bonus": 0.0,
            "deduction": 0.0,
            "cap": "",
            "status": status,
            "reason": [
                "too new to rate: 40 days in post"
                if s == "excluded"
                else "late result: customer_satisfaction"
                if s == "late"
                else ""
                for s in status
            ],
        }
    )
    totals.loc[5, "rating"] = 5.0
    totals.loc[5, "kpi_score"] = 55.0
    raters = []
    for k, name in enumerate(sorted(set(rater))):
        left = name == max(rater)
        severity, half = rng.normal(0, 0.35), 0.28
        verdict = (
            "left alone"
            if left
            else "severe"
            if severity > half
            else "lenient"
            if severity < -half
            else "not distinguishable"
        )
        raters.append(
            (
                name,
                "manager",
                30 - k,
                6,
                2 if left else 1,
                *((np.nan,) * 4 if left else (severity, 0.17, severity - half, severity + half)),
                1.0,
                0.2,
                np.nan,
                verdict,
                "no shared rater or ratee: severity and team quality cannot be told apart" if left else "",
            )
        )
    adjusted_ratings = pd.DataFrame(
        {
            "employee_id": ids[:-1],
            "scorecard": "",
            "kpi": "coaching",
            "rating_raw": 3.0,
            "rating_adjusted": [3.0 if a else 3.2 for a in alone[:-1]],
            "se": 0.3,
            "reason": ["no shared rater" if a else "" for a in alone[:-1]],
        }
    )
    kpis = scheme.weights(scheme.profiles[0].id)
    kpi_scores = pd.DataFrame(
        [
            (
                e,
                "",
                k.kpi,
                k.category,
                "measured",
                100.0,
                97.0,
                0.97,
                s,
                a,
                k.weight,
                k.weight,
                k.weight * s / 100,
                k.weight * a / 100,
                "",
            )
            for e, s, a in zip(known["employee_id"], known["score_raw"], known["score_adjusted"], strict=True)
            for k in kpis.itertuples()
        ],
        columns=columns_of("kpi_scores"),
    )
    w = rng.dirichlet([6, 3, 1, 1, 1], len(known))
    weight_grades = pd.DataFrame({"profile": scheme.profiles[0].id, "employee_id": known["employee_id"].to_numpy()})
    weight_grades["grade"] = known["grade_raw"].to_numpy()
    for i, g in enumerate(GRADES):
        weight_grades[f"w_{g}"] = w[:, i]
    weight_grades["w_stay"] = [weight_grades.at[i, f"w_{weight_grades.at[i, 'grade']}"] for i in weight_grades.index]
    weight_grades["rank_best"], weight_grades["rank_worst"], weight_grades["rank_exact"], weight_grades["driver"] = (
        1,
        20,
        "exact",
        "sales",
    )
    weight_grades["rank_best_bound"], weight_grades["rank_worst_bound"] = 1, 20
    weight_grades["score_mean"] = known["score_raw"].to_numpy()
    weight_grades["score_sd"], weight_grades["score_exact"], weight_grades["driver_direction"] = 1.0, True, "more"
    weight_grades["score_min"], weight_grades["score_max"] = (known["score_raw"].to_numpy() + off for off in (-3, 3))
    weight_grades["law"] = "hierarchical"
    bands = pd.DataFrame(
        [
            (scheme.profiles[0].id, e, b, s, "hierarchical")
            for e in known["employee_id"]
            for b, s in zip(("1", "2-5", "top half", "rest"), (0.1, 0.2, 0.3, 0.4), strict=True)
        ],
        columns=["profile", "employee_id", "band", "w_share", "law"],
    )
    importance = pd.DataFrame(
        {
            "profile": scheme.profiles[0].id,
            "kpi": kpis["kpi"],
            "category": kpis["category"],
            "weight_nominal": kpis["weight"],
        }
    )
    importance["importance"] = rng.uniform(0.1, 4, len(kpis))
    importance["importance_share"] = importance["importance"] / importance["importance"].sum()
    importance["stable_low"], importance["stable_high"] = (
        importance["weight_nominal"] * 0.8,
        importance["weight_nominal"] * 1.3,
    )
    importance["share_at_cap"] = 0.05
    close = known[known["p_stay"] < 0.7]
    rows = []
    for u, group in (
        pd.concat([close, known[known["grade_proposed"].isin(["D", "C", "A"])]])
        .drop_duplicates("employee_id")
        .groupby("unit")
    ):
        for rank, row in enumerate(group.sort_values("employee_id").itertuples(), 1):
            rows.append(
                (
                    row.employee_id,
                    "too_close",
                    u,
                    rank,
                    f"A or B: {abs(row.score_adjusted - 80):.1f} points from the cut of 80",
                    2,
                )
            )
            if row.grade_raw != row.grade_adjusted:
                rows.append(
                    (row.employee_id, "crosses_cut", u, rank, f"{row.grade_raw} before, {row.grade_adjusted} after", 1)
                )
    discussion = pd.DataFrame(rows, columns=["employee_id", "flag", "unit", "rank", "evidence", "priority"])
    pool = pd.DataFrame(
        {
            "step": ["raw", "adjusted", "proposed"],
            "n": len(known),
            "cost": [6_741_234.0, 6_842_111.0, 6_842_500.0],
            "budget": 6_900_000.0,
            "currency": "CNY",
        }
    )
    pool["balance"] = pool["budget"] - pool["cost"]
    tables = {
        "kpi_scores": kpi_scores,
        "scores": scores,
        "raters": pd.DataFrame(raters, columns=columns_of("raters")),
        "adjusted_ratings": adjusted_ratings,
        "links": pd.DataFrame(
            {
                "component": [1, 2],
                "n_raters": [len(raters) - 1, 1],
                "n_employees": [people - 6, 6],
                "connectivity": [0.4, np.nan],
                "linked_by": ["", ""],
                "what_is_identified": ["", ""],
            }
        ),
        "double_ratings": pd.DataFrame(
            {
                "rank": [1],
                "rater_id": ["R-01"],
                "employee_id": [ids[-2]],
                "variance_before": [0.2],
                "variance_after": [0.1],
            }
        ),
        "weight_grades": weight_grades,
        "weight_rank_bands": bands,
        "weight_importance": importance,
        "distribution": distribution_of(known, scheme.guideline),
        "discussion": discussion,
        "pool": pool,
    }
    tables = {name: conform(frame, name, GRADES) for name, frame in tables.items()}
    named = dict(zip(ids, names or [f"Person {i}" for i in range(people)], strict=False))
    manager = [r for r in rater]
    ratings = pd.DataFrame(
        {"rater_id": manager, "employee_id": ids, "scorecard": "", "kpi": "coaching", "role": "manager", "rating": 3.0}
    )
    second = ratings.iloc[:-12:5].assign(rater_id="R-01", role="second").query("rater_id != ''")
    items = pd.DataFrame({"employee_id": ids, "category": scheme.categories[0].id, "status": "final"})
    items.loc[8, "status"] = "not_due"
    chase = pd.DataFrame(columns=["employee_id", "unit", "kpi", "what", "owner"])
    if late:
        items.loc[3, "status"] = "late"
        chase.loc[0] = [ids[3], unit[3], "customer_satisfaction", "result", "data owner"]
    employees = pd.DataFrame(
        {"employee_id": ids, "name": [named.get(i, "") for i in ids], "unit": unit, "profile": scheme.profiles[0].id}
    )
    pay = pd.DataFrame({"employee_id": ids, "bonus_target": 1000.0, "currency": "CNY", "eligible": True})
    cycle = SimpleNamespace(
        findings=(),
        scheme=scheme,
        id="2026Q3",
        simulated=simulated,
        employees=employees,
        pay=pay,
        ratings=pd.concat([ratings, second], ignore_index=True),
    )
    waiting = {"a result is late": 1} if late else {}
    return SimpleNamespace(
        cycle=cycle,
        seed=1,
        status="PARTIAL" if late else "DRAFT",
        severity=SimpleNamespace(link=None),
        totals=totals,
        items=items,
        chase=chase,
        tables=lambda: tables,
        counts={"in": people, "scored": len(known), "excluded": {"too new to rate": 1}, "waiting": waiting},
        findings=(Finding("ratings.csv", 3, 2, "warning", "no-comment", "a rating has no comment"),),
        past_grades={"2026Q1": dict.fromkeys(ids, "B"), "2026Q2": dict.fromkeys(ids, "A")},
        sentences=lambda: [],
    )
