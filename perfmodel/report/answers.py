"""What the notebooks ask an assessment: the sentence that states a finding, and the table beside it."""

import pandas as pd

from ..distribution import NOT_TESTED, OUTSIDE, expected_false_flags
from ..grades import grade_of
from ..scheme.objects import SMART
from . import words


def finding(assessment, about: str, profile: str = "") -> str:
    """One sentence, numbers first, on ``scores, chances, weights, links, severity, adjusted, company, distribution``.

    Raises
    ------
    KeyError
        If nothing can be said about ``about``.
    """
    return _FINDINGS[about](assessment, profile)


def _scores(a, profile: str) -> str:
    known = a.scores["score_raw"].dropna()
    if known.empty:
        return "Nobody has a score yet"
    alone = pd.Series(grade_of(known, a.cycle.scheme.cuts), known.index)
    counts = alone.value_counts()
    each = ", ".join(f"{g} {counts.get(g, 0)}" for g in a.grades)
    held = int((a.scores.loc[known.index, "grade_raw"] != alone).sum())
    gates = f"; {words.count_of(held, 'grade is', 'grades are')} held lower by a gate" if held else ""
    return (
        f"Scores lie between {known.min():.1f} and {known.max():.1f}, half of them under {known.median():.1f}: "
        f"{each}{gates}"
    )


def _chances(a, profile: str) -> str:
    p, call = a.scores["p_stay"].dropna(), a.cycle.scheme.limits.call
    if p.empty:
        return "No grade has a p: the severity of no rater is identified"
    scored = int(a.scores["score_raw"].notna().sum())
    close = int((p < call).sum())
    return (
        f"{words.count_of(close, 'grade is', 'grades are')} too close to call of {len(p)} with a p; "
        f"{scored - len(p)} have none"
    )


def _weights(a, profile: str) -> str:
    rows = a.weight_grades[a.weight_grades["profile"] == profile]
    if rows.empty:
        return "Nobody of this profile has a score"
    sure, call = int((rows["w_stay"] > 0.995).sum()), a.cycle.scheme.limits.call
    close = int((rows["w_stay"] < call).sum())
    return (
        f"{sure} of {len(rows)} keep their grade under nearly every permitted choice; "
        f"{words.count_of(close, 'grade holds', 'grades hold')} under less than {words.chance(call)} of the choices"
    )


def _links(a, profile: str) -> str:
    links = a.links
    if len(links) == 1:
        return "All raters can be compared with each other"
    alone = int(links["n_raters"].eq(1).sum())
    people = int(links.loc[links["n_raters"].eq(1), "n_employees"].sum())
    together = len(links) - alone
    return (
        f"{words.count_of(together, 'group', 'groups')} of raters can be compared inside; "
        f"{words.count_of(alone, 'rater', 'raters')} of {people} employees with nobody"
    )


def _severity(a, profile: str) -> str:
    raters = a.raters
    linked = int(raters["severity"].notna().sum())
    if not linked:
        return "No severity can be told from the quality of a team"
    apart = int(raters["verdict"].isin(["severe", "lenient"]).sum())
    chance = (1 - a.cycle.scheme.limits.confidence) * linked
    return f"{apart} of {linked} linked raters differ from the rest; chance alone gives about {chance:.0f}"


def _adjusted(a, profile: str) -> str:
    s = a.scores[a.scores["score_raw"].notna()]
    moved = int((s["score_adjusted"] - s["score_raw"]).abs().gt(1e-9).sum())
    changed = int(s["grade_adjusted"].ne(s["grade_raw"]).sum())
    return f"Severity-adjusted: {moved} of {len(s)} scores moved, {words.count_of(changed, 'grade', 'grades')} changed"


def _company(a, profile: str) -> str:
    rows = a.distribution
    row = rows[
        (rows["stage"] == "adjusted") & (rows["unit"] == "company") & rows["grade"].str.contains("+", regex=False)
    ]
    if row.empty:
        return "Grades of the company before and after adjustment"
    row = row.iloc[0]
    if pd.isna(row["share"]):
        return "Nobody has a grade yet"
    total = round(row["n"] / row["share"]) if row["n"] else 0
    guide = f"the guideline is {100 * row['guideline_low']:.0f} to {100 * row['guideline_high']:.0f} %"
    return f"{row['grade']} {row['n']} of {total} ({100 * row['share']:.0f} %); {guide}"


def _distribution(a, profile: str) -> str:
    rows = a.distribution[a.distribution["stage"] == "adjusted"]
    single = rows[rows["grade"].isin(a.grades)]
    tested = single.loc[single["verdict"] != NOT_TESTED, "unit"].nunique()
    outside = single.loc[single["verdict"] == OUTSIDE, "unit"].nunique()
    flags = expected_false_flags(a.distribution, a.cycle.scheme)
    return (
        f"{outside} of {tested} tested units {'lies' if outside == 1 else 'lie'} outside chance; "
        f"chance alone would flag {flags:.1f} of their grade counts"
    )


_FINDINGS = {
    "scores": _scores,
    "chances": _chances,
    "weights": _weights,
    "links": _links,
    "severity": _severity,
    "adjusted": _adjusted,
    "company": _company,
    "distribution": _distribution,
}


def counts_table(assessment) -> pd.DataFrame:
    """Everyone who came in: ``people, what``; the rows after the first add up to it."""
    counts = assessment.counts
    rows = [("came in", counts["in"]), ("scored", counts["scored"])]
    rows += [(f"excluded: {reason}" if reason != "excluded" else reason, n) for reason, n in counts["excluded"].items()]
    rows += [(f"waiting: {reason}", n) for reason, n in counts["waiting"].items()]
    return pd.DataFrame(rows, columns=["what", "people"])


def findings_table(assessment) -> pd.DataFrame:
    """What the reading found: ``file, line, column, level, code, message``."""
    rows = [(f.file, f.line or "", f.column or "", f.level, f.code, f.message) for f in assessment.findings]
    return pd.DataFrame(rows, columns=["file", "line", "column", "level", "code", "message"]).astype(str)


def not_tested_table(assessment) -> pd.DataFrame:
    """Groups whose severity-adjusted grades were not held against chance: ``unit, people, reason``."""
    rows = assessment.distribution
    rows = rows[rows["stage"].eq("adjusted") & rows["verdict"].eq(NOT_TESTED) & rows["grade"].isin(assessment.grades)]
    groups = rows.groupby("unit", sort=True).agg(people=("n", "sum"), reason=("reason", "first"))
    return groups.reset_index()


def smart_table(assessment) -> pd.DataFrame:
    """What each KPI says of itself, and what it lacks of SMART."""
    rows = [
        (k.id, *(getattr(k, name) for name in SMART), ", ".join(k.lacks()) or "nothing")
        for k in assessment.cycle.scheme.kpis
    ]
    return pd.DataFrame(rows, columns=["kpi", *SMART, "lacks"])


def score_sums(assessment) -> pd.DataFrame:
    """Points, bonus and deduction against the score: ``difference`` is nil but for last bits, rounded to 1e-9."""
    scored = assessment.totals[assessment.totals["score_raw"].notna()].set_index("employee_id")
    points = assessment.kpi_scores.groupby(["employee_id", "scorecard"])["points_raw"].sum(min_count=1)
    shares = assessment.day_shares.reindex(points.index)
    summed = (points * shares).groupby("employee_id").sum().reindex(scored.index)
    table = pd.DataFrame({"points": summed, "bonus": scored["bonus"], "deduction": scored["deduction"]})
    table["score_raw"] = scored["score_raw"]
    total = table["points"] + table["bonus"] - table["deduction"]
    table["difference"] = (total - table["score_raw"]).round(9) + 0.0
    return table.reset_index()


def weight_choices(assessment, profile: str) -> pd.DataFrame:
    """Weights of a profile, percent of the whole: chosen, and mean and SD over every permitted choice."""
    scheme = assessment.cycle.scheme
    space = scheme.weight_space(profile)
    mean, covariance = space.moments()
    chosen = scheme.weights(profile).set_index("kpi")
    table = pd.DataFrame({"category": chosen["category"], "weight": chosen["weight"], "mean": mean})
    table["sd"] = pd.Series(covariance.to_numpy().diagonal() ** 0.5, covariance.index)
    return table.rename_axis("kpi").reset_index()


def variances_table(assessment) -> pd.DataFrame:
    """Where ratings differ: variance by source, rating points squared, with its share; or why it is not known."""
    fit = assessment.severity
    known = fit.variances
    rows = [(name, value, value / known.sum() if known.sum() else 0.0, "") for name, value in known.items()]
    rows += [(name, float("nan"), float("nan"), why) for name, why in fit.reason.items() if name in ("team", "halo")]
    return pd.DataFrame(rows, columns=["source", "variance", "share", "reason"])


def largest_profile(assessment) -> str:
    """The profile that most people have, the first of the scheme among equals."""
    people = assessment.cycle.employees["profile"].value_counts()
    return max((p.id for p in assessment.cycle.scheme.profiles), key=lambda profile: people.get(profile, 0))


def busiest_unit(assessment) -> str:
    """The unit with most people to discuss, the first by id among equals; "" where nobody is flagged."""
    flagged = assessment.discussion.groupby("unit")["employee_id"].nunique()
    return str(flagged.index[flagged == flagged.max()].min()) if len(flagged) else ""
