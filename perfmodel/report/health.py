"""The health of the scheme for readers: what a notebook shows of ``quarters.Health``."""

import pandas as pd

from ..health import ALL
from ..language import say, say_n, told
from . import words
from .named import named
from .page import Banner


def health_banner(health) -> Banner:
    """Which quarters were looked at: the first output of a notebook."""
    first, last = health.quarters[0], health.quarters[-1]
    meta = {
        say("Quarters"): words.listing(health.quarters, 8),
        say("Level of intervals"): say("{level} %", level=f"{100 * health.level:g}"),
        say("KPI link"): say("taken off in {quarters}", quarters=words.listing(health.unlinked, 8))
        if health.unlinked
        else say("off"),
    }
    title = say("Health of the scheme, {first} to {last}", first=first, last=last)
    if first == last:
        title = say("Health of the scheme, {cycle}", cycle=last)
    return Banner(title, "", meta, health.simulated)


def health_finding(health, about: str) -> str:
    """One sentence, numbers first, on ``reliability, validity, redundancy, caps, drift, prediction, refused``.

    Raises
    ------
    KeyError
        If nothing can be said about ``about``.
    """
    return _FINDINGS[about](health)


def health_rows(table: pd.DataFrame, profile: str = ALL) -> pd.DataFrame:
    """Rows over everybody, or of one profile."""
    return table[table["profile"].eq(profile)].reset_index(drop=True)


def _reliability(health) -> str:
    known = health_rows(health.stability).dropna(subset=["retest"])
    if known.empty:
        return say("No KPI can be compared with the next quarter yet")
    holds, chance = (int(known["verdict"].eq(verdict).sum()) for verdict in ("holds", "mostly chance"))
    return say(
        "{holds} of {n} KPIs hold from one quarter to the next; {chance} are mostly chance; {rest} cannot be told",
        holds=holds,
        n=len(known),
        chance=chance,
        rest=len(known) - holds - chance,
    )


def _validity(health) -> str:
    known = health_rows(health.stability).dropna(subset=["validity"])
    if known.empty:
        return say("No KPI can be compared with the other KPIs of the next quarter yet")
    clear, against = int((known["validity_lower"] > 0).sum()), int((known["validity_upper"] < 0).sum())
    return say(
        "{clear} of {n} KPIs go with the other KPIs of the next quarter; {against} go against them",
        clear=clear,
        n=len(known),
        against=against,
    )


def _redundancy(health) -> str:
    known = health_rows(health.pairs).dropna(subset=["r"])
    if known.empty:
        return say("No two KPIs can be compared yet")
    same = int(known["verdict"].eq("same").sum())
    return say_n(
        "{n} of {pairs} pairs of KPIs measures the same",
        "{n} of {pairs} pairs of KPIs measure the same",
        same,
        pairs=len(known),
    )


def _caps(health) -> str:
    known = health_rows(health.caps).dropna(subset=["share_at_cap"])
    if known.empty:
        return say("Too few results to say how often a cap is reached")
    return say_n(
        "{n} of {kpis} KPIs stands at its cap for more than a fifth of people",
        "{n} of {kpis} KPIs stand at their cap for more than a fifth of people",
        int(known["verdict"].eq("cap binds").sum()),
        kpis=len(known),
    )


def _drift(health) -> str:
    seen = health.drift[health.drift["n_quarters"].gt(1)]
    if seen.empty:
        return say("No rater can be compared with an earlier quarter")
    return say_n(
        "{n} of {raters} raters has moved by more than the errors allow in some quarter",
        "{n} of {raters} raters have moved by more than the errors allow in some quarter",
        int(seen["signal"].ne("").sum()),
        raters=len(seen),
    )


def _prediction(health) -> str:
    verdicts = set(health.prediction["verdict"])
    if "" in verdicts:
        return say("Whether adjusting helps to predict the next quarter cannot be computed yet")
    if verdicts == {"better"}:
        return say("Severity-adjusted ratings predict the next quarter's measured KPIs better than raw ones")
    if verdicts == {"worse"}:
        return say("Severity-adjusted ratings predict the next quarter's measured KPIs worse than raw ones")
    return say("Whether adjusted or raw ratings predict the next quarter's measured KPIs better cannot be told")


def _refused(health) -> str:
    n = len(health_refused_table(health))
    return say_n("{n} question has no answer yet", "{n} questions have no answer yet", n)


def health_verdicts_table(health) -> pd.DataFrame:
    """Each KPI over all profiles: what it tells of a person, with its caps and what the others tell of it."""
    table = health_rows(health.stability)[["kpi", "category", "n_people", "retest", "year", "validity", "verdict"]]
    capped = health_rows(health.caps).set_index("kpi")["share_at_cap"]
    inflated = health_rows(health.inflation).set_index("kpi")["vif"]
    whole = table.assign(
        share_at_cap=table["kpi"].map(capped), vif=table["kpi"].map(inflated), verdict=table["verdict"].map(told)
    )
    return _named(whole, health)


def health_profiles_table(health) -> pd.DataFrame:
    """KPIs of a profile of which the profile's own people say something else than everybody."""
    rows = health.stability[health.stability["verdict"].ne("")]
    general = health_rows(rows).set_index("kpi")["verdict"]
    own = rows[rows["profile"].ne(ALL)]
    other = own[own["verdict"].ne(own["kpi"].map(general))]
    names = ["profile", "kpi", "n_people", "retest", "lower", "upper", "verdict"]
    return _named(other[names].assign(over_all=other["kpi"].map(general).fillna("").map(told)), health)


def health_drift_table(health) -> pd.DataFrame:
    """Raters who moved by more than the errors allow, and when it was first seen."""
    rows = health.drift[health.drift["signal"].ne("")]
    names = ["rater_id", "n_quarters", "first", "last", "quarter", "signal"]
    return rows[names].assign(signal=rows["signal"].map(told))


def health_refused_table(health) -> pd.DataFrame:
    """What was asked and cannot be told, and why; a question with many rows of one reason stands once."""
    parts = {
        say("reliability"): health.stability,
        say("same measure"): health.pairs,
        say("told by the others"): health.inflation,
        say("caps"): health.caps,
        say("drift of raters"): health.drift,
        say("raw against adjusted"): health.prediction,
    }
    rows = [
        (question, row["profile"], row["reason"], n)
        for question, table in parts.items()
        for row, n in _counted(table)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["question", "profile", "reason", "n"])


def _counted(table: pd.DataFrame) -> list[tuple[dict, int]]:
    refused = table[table["reason"].fillna("").ne("")]
    where = refused["profile"].replace(ALL, "") if "profile" in refused else ""
    counts = refused.assign(profile=where).groupby(["profile", "reason"], sort=False).size().reset_index(name="n")
    return [(row, int(row["n"])) for row in counts.to_dict("records")]


def health_advice(health) -> list[str]:
    """What to change in the scheme: one sentence a finding, from the numbers."""
    return [_named(sentence, health) for sentence in health.advice["sentence"]]


def _named(what, health):
    return named(what, health.plan) if health.plan is not None else what


_FINDINGS = {
    "reliability": _reliability,
    "validity": _validity,
    "redundancy": _redundancy,
    "caps": _caps,
    "drift": _drift,
    "prediction": _prediction,
    "refused": _refused,
}
