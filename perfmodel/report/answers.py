"""What the notebooks ask an assessment: the sentence that states a finding, and the table beside it."""

import numpy as np
import pandas as pd

from ..distribution import NOT_TESTED, OUTSIDE, expected_false_flags
from ..grades import grade_of
from ..language import say, say_n, told
from ..raters.links import ASSUMPTIONS
from ..reliability import agreement, d_study, reliability
from ..scheme.objects import SMART
from . import words

# What SMART asks of a KPI, as a table says that it lacks it.
LACKING = {
    "measure": "measure", "unit": "unit", "target_rule": "target_rule", "source": "source", "period": "period"
}  # fmt: skip


def finding(assessment, about: str, profile: str = "") -> str:
    """One sentence, numbers first, on ``scores, chances, weights, links, severity, adjusted, company, distribution,
    drift, consistency, separation``.

    Raises
    ------
    KeyError
        If nothing can be said about ``about``.
    """
    return _FINDINGS[about](assessment, profile)


def _scores(a, profile: str) -> str:
    known = a.scores["score_raw"].dropna()
    if known.empty:
        return say("Nobody has a score yet")
    alone = pd.Series(grade_of(known, a.cycle.scheme.cuts), known.index)
    counts = alone.value_counts()
    each = say(", ").join(f"{g} {counts.get(g, 0)}" for g in a.grades)
    held = int((a.scores.loc[known.index, "grade_raw"] != alone).sum())
    where = {"low": f"{known.min():.1f}", "high": f"{known.max():.1f}", "half": f"{known.median():.1f}", "grades": each}
    if not held:
        return say("Scores lie between {low} and {high}, half of them under {half}: {grades}", **where)
    return say_n(
        "Scores lie between {low} and {high}, half of them under {half}: {grades}; {n} grade is held lower by a gate",
        "Scores lie between {low} and {high}, half of them under {half}: {grades}; {n} grades are held lower by a gate",
        held, n=words.grouped(held), **where,
    )  # fmt: skip


def _chances(a, profile: str) -> str:
    p, call = a.scores["p_stay"].dropna(), a.cycle.scheme.limits.call
    if p.empty:
        return say("No grade has a p: the severity of no rater is identified")
    scored = int(a.scores["score_raw"].notna().sum())
    close = int((p < call).sum())
    return say_n(
        "{n} grade is too close to call of {known} with a p; {unknown} have none",
        "{n} grades are too close to call of {known} with a p; {unknown} have none",
        close, n=words.grouped(close), known=len(p), unknown=scored - len(p),
    )  # fmt: skip


def _weights(a, profile: str) -> str:
    rows = a.weight_grades[a.weight_grades["profile"] == profile]
    if rows.empty:
        return say("Nobody of this profile has a score")
    sure, call = int((rows["w_stay"] > 0.995).sum()), a.cycle.scheme.limits.call
    close = int((rows["w_stay"] < call).sum())
    return say_n(
        "{sure} of {people} keep their grade under nearly every permitted choice; {n} grade holds under less than "
        "{call} of the choices",
        "{sure} of {people} keep their grade under nearly every permitted choice; {n} grades hold under less than "
        "{call} of the choices",
        close, n=words.grouped(close), sure=sure, people=len(rows), call=words.chance(call),
    )  # fmt: skip


def _links(a, profile: str) -> str:
    links = a.links
    if len(links) == 1:
        return say("All raters can be compared with each other")
    alone = int(links["n_raters"].eq(1).sum())
    people = int(links.loc[links["n_raters"].eq(1), "n_employees"].sum())
    together = len(links) - alone
    if a.severity.link in ("equal_teams", "kpi"):
        return say("All raters can be compared, {assumption}", assumption=told(ASSUMPTIONS[a.severity.link]))
    inside = int(links.loc[links["n_raters"].gt(1), "n_raters"].sum())
    nobody = say_n(
        "{n} rater of {people} employees with nobody",
        "{n} raters of {people} employees with nobody",
        alone, n=words.grouped(alone), people=people,
    )  # fmt: skip
    if together == 1:
        return say("{n} raters can be compared with each other; {nobody}", n=words.grouped(inside), nobody=nobody)
    return say(
        "{n} raters can be compared inside {groups} groups; {nobody}",
        n=words.grouped(inside), groups=words.grouped(together), nobody=nobody,
    )  # fmt: skip


def _severity(a, profile: str) -> str:
    raters = a.raters
    linked = int(raters["severity"].notna().sum())
    if not linked:
        return say("No severity can be told from the quality of a team")
    apart = int(raters["verdict"].isin(["severe", "lenient"]).sum())
    chance = (1 - a.cycle.scheme.limits.confidence) * linked
    found = say(
        "{n} of {raters} raters who can be compared differ from the rest; chance alone gives about {chance}",
        n=apart, raters=linked, chance=f"{chance:.0f}",
    )  # fmt: skip
    return _assumed(found, a)


def _adjusted(a, profile: str) -> str:
    s = a.scores[a.scores["score_raw"].notna()]
    moved = int((s["score_adjusted"] - s["score_raw"]).abs().gt(1e-9).sum())
    changed = int(s["grade_adjusted"].ne(s["grade_raw"]).sum())
    found = say_n(
        "Severity-adjusted: {moved} of {scores} scores moved, {n} grade changed",
        "Severity-adjusted: {moved} of {scores} scores moved, {n} grades changed",
        changed, n=words.grouped(changed), moved=moved, scores=len(s),
    )  # fmt: skip
    return _assumed(found, a)


def _assumed(found: str, a) -> str:
    """The named assumption, for every sentence whose numbers rest on it."""
    if not a.severity.link:
        return found
    return say("{sentence} ({assumption})", sentence=found, assumption=told(ASSUMPTIONS[a.severity.link]))


def _company(a, profile: str) -> str:
    rows = a.distribution
    row = rows[
        (rows["stage"] == "adjusted") & (rows["unit"] == "company") & rows["grade"].str.contains("+", regex=False)
    ]
    if row.empty:
        return say("Grades of the company before and after adjustment")
    row = row.iloc[0]
    if pd.isna(row["share"]):
        return say("Nobody has a grade yet")
    total = round(row["n"] / row["share"]) if row["n"] else 0
    return say(
        "{band} {n} of {total} ({share} %); the guideline is {least} to {most} %",
        band=row["grade"], n=row["n"], total=total, share=f"{100 * row['share']:.0f}",
        least=f"{100 * row['guideline_low']:.0f}", most=f"{100 * row['guideline_high']:.0f}",
    )  # fmt: skip


def _distribution(a, profile: str) -> str:
    rows = a.distribution[a.distribution["stage"] == "adjusted"]
    single = rows[rows["grade"].isin(a.grades)]
    tested = single.loc[single["verdict"] != NOT_TESTED, "unit"].nunique()
    outside = single.loc[single["verdict"] == OUTSIDE, "unit"].nunique()
    flags = expected_false_flags(a.distribution, a.cycle.scheme)
    return say_n(
        "{n} of {tested} tested units lies outside chance; chance alone would flag {flags} of their grade counts",
        "{n} of {tested} tested units lie outside chance; chance alone would flag {flags} of their grade counts",
        outside, tested=tested, flags=f"{flags:.1f}",
    )  # fmt: skip


def _drift(a, profile: str) -> str:
    moves = a.drift
    now = moves[moves["quarter"].eq(a.cycle.id) & moves["change"].notna()]
    if now.empty:
        return say("No rater can be compared with an earlier quarter")
    signals = int(now["signal"].ne("").sum())
    return say_n(
        "{n} of {raters} known from earlier quarters has moved by more than the errors allow",
        "{n} of {raters} known from earlier quarters have moved by more than the errors allow",
        signals, raters=_raters(len(now)),
    )  # fmt: skip


def _raters(n: int) -> str:
    return say_n("{n} rater", "{n} raters", n, n=words.grouped(n))


def _consistency(a, profile: str) -> str:
    rows = a.rater_consistency.dropna()
    if rows.empty:
        return say("Nothing can be said of consistency: no rater can be compared")
    odd = int((rows["infit"] > rows["high"]).sum())
    return say_n(
        "{n} of {raters} is less consistent than expected; chance alone gives about {chance}",
        "{n} of {raters} are less consistent than expected; chance alone gives about {chance}",
        odd, raters=_raters(len(rows)), chance=f"{0.05 * len(rows):.0f}",
    )  # fmt: skip


def _separation(a, profile: str) -> str:
    table = a.severity.separation
    if "rater" not in table.index:
        return say("Raters cannot be told apart: none can be compared")
    one = table.loc["rater"]
    return say(
        "These ratings tell {levels} levels of severity apart (reliability {reliability}), and {people} levels of "
        "people",
        levels=words.plain(one["strata"], 1), reliability=words.chance(one["reliability"]),
        people=words.plain(table.loc["employee", "strata"], 1),
    )  # fmt: skip


_FINDINGS = {
    "drift": _drift,
    "consistency": _consistency,
    "separation": _separation,
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
    rows = [(say("came in"), counts["in"]), (say("scored"), counts["scored"])]
    rows += [
        (say("excluded") if reason == "excluded" else say("excluded: {reason}", reason=told(reason)), n)
        for reason, n in counts["excluded"].items()
    ]
    rows += [(say("waiting: {reason}", reason=told(reason)), n) for reason, n in counts["waiting"].items()]
    return pd.DataFrame(rows, columns=["what", "people"])


def findings_table(assessment) -> pd.DataFrame:
    """What the reading found: ``file, line, column, level, code, message``."""
    rows = [(f.file, f.line or "", f.column or "", told(f.level), f.code, told(f.message)) for f in assessment.findings]
    return pd.DataFrame(rows, columns=["file", "line", "column", "level", "code", "message"]).astype(str)


def not_tested_table(assessment) -> pd.DataFrame:
    """Groups whose severity-adjusted grades were not held against chance: ``unit, people, reason``."""
    rows = assessment.distribution
    rows = rows[rows["stage"].eq("adjusted") & rows["verdict"].eq(NOT_TESTED) & rows["grade"].isin(assessment.grades)]
    groups = rows.groupby("unit", sort=True).agg(people=("n", "sum"), reason=("reason", "first"))
    return groups.reset_index().assign(reason=groups["reason"].map(told).to_numpy())


def smart_table(assessment) -> pd.DataFrame:
    """What each KPI says of itself, and what it lacks of SMART."""
    rows = [
        (
            k.id,
            *(getattr(k, name) for name in SMART),
            say(", ").join(say(LACKING[name]) for name in k.lacks()) or say("nothing"),
        )
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


def permitted_table(assessment, profile: str) -> pd.DataFrame:
    """What each weight can reach, percent of the whole: ``kpi, least, most``."""
    space = assessment.cycle.scheme.weight_space(profile)
    ends = []
    for sign in (-1.0, 1.0):
        ends.append(np.diag(space.largest(sign * np.eye(len(space.names)))))
    return pd.DataFrame({"kpi": space.names, "least": ends[0], "most": ends[1]})


def claims_table(assessment, profile: str) -> pd.DataFrame:
    """How many people have each grade under every permitted choice, under some, under none: ``grade, always, …``."""
    possible = assessment.weights[profile].possible
    possible = possible[(possible != "").all(axis=1)]
    rows = [(g, *[int((possible[g] == word).sum()) for word in ("always", "some", "never")]) for g in possible.columns]
    return pd.DataFrame(rows, columns=["grade", "always", "some", "never"])


def variances_table(assessment) -> pd.DataFrame:
    """Where ratings differ: variance by source, rating points squared, with its share; or why it is not known."""
    fit = assessment.severity
    known = fit.variances
    rows = [(told(name), value, value / known.sum() if known.sum() else 0.0, "") for name, value in known.items()]
    rows += [(told(n), float("nan"), float("nan"), why) for n, why in fit.reason.items() if n in ("team", "halo")]
    return pd.DataFrame(rows, columns=["source", "variance", "share", "reason"])


def agreement_table(assessment) -> pd.DataFrame:
    """How far raters agree: ``measure, value, lower, upper, reason``, from ratings by others than oneself, blind.

    Where who rated whom fits no form of the intraclass correlation, it comes from the variance components.
    """
    rows = assessment.cycle.ratings
    rows = rows[rows["role"].ne("self") & rows["kpi"].ne("overall") & ~rows["blind"].eq(False)]
    table = agreement(rows)
    items = max(1, rows["kpi"].nunique())
    found = assessment.severity.over_variances(lambda v: reliability(v, items=items))
    if table["value"].iloc[0] != table["value"].iloc[0] and found[0] == found[0]:
        why = say_n(
            "one rater, mean of {n} item; unequal numbers of raters, so from the variance components of all linked "
            "ratings; severity counts as error",
            "one rater, mean of {n} items; unequal numbers of raters, so from the variance components of all linked "
            "ratings; severity counts as error",
            items, n=words.grouped(items),
        )  # fmt: skip
        first = {
            "measure": "ICC(2,1)", "value": found[0], "lower": found[1], "upper": found[2],
            "n_employees": int(assessment.severity.employees["effect"].notna().sum()),
            "n_raters": int(assessment.raters["severity"].notna().sum()),
            "reason": why,
        }  # fmt: skip
        table = pd.concat([pd.DataFrame([first]), table.iloc[1:]], ignore_index=True)
    return table.assign(measure=table["measure"].map(told))


def d_study_table(assessment) -> pd.DataFrame:
    """Reliability by number of raters of each person: ``raters, items, relative, absolute, reason``."""
    rated = sum(item.kind == "rated" for item in assessment.cycle.scheme.items)
    return d_study(assessment.severity.variances, items=max(rated, 1))


def shrinkage_table(assessment) -> pd.DataFrame:
    """What a rater's ratings alone say, and the severity estimated: ``rater_id, raw, severity, n_ratings``."""
    fit = assessment.severity
    if fit.raters["severity"].isna().all():
        return pd.DataFrame(columns=["rater_id", "raw", "severity", "n_ratings"])
    rows = fit.model.residuals
    raw = (rows["merit"] - rows["rating"]).groupby(rows["rater_id"]).mean()
    table = fit.raters.assign(raw=raw - raw.mean()).dropna(subset=["severity", "raw"])
    return table.reset_index()[["rater_id", "raw", "severity", "n_ratings"]]


def scale_use_table(assessment) -> pd.DataFrame:
    """How each linked rater uses the scale, the least consistent first.

    ``rater_id, finding, infit, chance`` (where 90 % lie by chance), ``halo, discrimination``; the last is left out
    where raters cannot be told apart in it.
    """
    rows = assessment.raters.merge(assessment.rater_consistency, on="rater_id", how="left", validate="one_to_one")
    rows = rows.dropna(subset=["infit"])
    odd = rows["infit"] > rows["high"]
    table = rows.assign(
        finding=np.where(odd, say("less consistent"), ""),
        chance=[
            say("{low} to {high}", low=f"{low:.2f}", high=f"{high:.2f}")
            for low, high in zip(rows["low"], rows["high"], strict=True)
        ],
        far=(rows["infit"] / rows["high"]).round(9),
    ).sort_values(["far", "rater_id"], ascending=[False, True])
    names = ["rater_id", "finding", "infit", "chance", "halo"]
    return table[names + ["discrimination"] * tells_scale_use(assessment.raters)]


def tells_scale_use(raters: pd.DataFrame) -> bool:
    """Whether the ratings tell raters apart in how they use the scale: not where all are estimated alike."""
    known = raters["discrimination"].dropna()
    return bool(len(known) and np.ptp(known) > 0.01)


def link_slopes_table(assessment) -> pd.DataFrame:
    """Under the link ``kpi``: the KPI's slope within and between teams; empty without that link."""
    fit = assessment.severity
    if fit.link != "kpi":
        return pd.DataFrame(columns=["slope", "estimate", "se", "lower", "upper", "p"])
    return fit.link_slopes.reset_index().drop(columns="teams", errors="ignore")


def link_range_table(assessment) -> pd.DataFrame:
    """Under the link ``kpi``: severity by rater over the interval of the slope between teams; else empty."""
    fit = assessment.severity
    if fit.link != "kpi":
        return pd.DataFrame(columns=["rater_id", "low", "used", "high"])
    return fit.link_range.rename_axis("rater_id").reset_index()


def double_rating_table(assessment) -> pd.DataFrame:
    """Whom to ask for which further rating, in words: ``rank, ask, to_rate, unit, why``."""
    people = assessment.cycle.employees.set_index("employee_id")
    names, units = people["name"], people["unit"]
    groups = assessment.raters.set_index("rater_id")["component"]

    def called(who: str) -> str:
        return f"{names[who]} ({who})" if who in names.index else who

    main = assessment.links["n_raters"].to_numpy().argmax() + 1 if len(assessment.links) else 1
    rows = assessment.double_ratings
    why = [
        say("links this rater to the others")
        if groups.get(rater, main) != main
        else say("narrows what is known of severities")
        for rater in rows["rater_id"]
    ]
    return pd.DataFrame(
        {
            "rank": rows["rank"],
            "ask": [called(r) for r in rows["rater_id"]],
            "to_rate": [called(e) for e in rows["employee_id"]],
            "unit": [units.get(e, "") for e in rows["employee_id"]],
            "why": why,
        }
    )


def changed_table(assessment) -> pd.DataFrame:
    """Whose grade the adjustment changes: ``employee_id, unit`` and score and grade, raw and adjusted."""
    rows = assessment.scores
    known = rows["score_raw"].notna() & rows["score_adjusted"].notna()
    names = ["employee_id", "unit", "score_raw", "grade_raw", "score_adjusted", "grade_adjusted"]
    return rows.loc[known & rows["grade_raw"].ne(rows["grade_adjusted"]), names].reset_index(drop=True)


def largest_profile(assessment) -> str:
    """The profile that most people have, the first of the scheme among equals."""
    people = assessment.cycle.employees["profile"].value_counts()
    return max((p.id for p in assessment.cycle.scheme.profiles), key=lambda profile: people.get(profile, 0))


def busiest_unit(assessment) -> str:
    """The unit with most people to discuss, the first by id among equals; "" where nobody is flagged."""
    flagged = assessment.discussion.groupby("unit")["employee_id"].nunique()
    return str(flagged.index[flagged == flagged.max()].min()) if len(flagged) else ""
