"""Several assessed quarters taken together: the year, and the health of the scheme. The methods meet here."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pandas as pd

from .annual import annual_results, counts, cumulate, cumulate_milestones
from .assessment import Assessment, assess
from .cycle import Cycle
from .errors import DataError
from .health import advice, caps, kpi_stability, prediction, rater_drift, redundancy
from .raters import drift
from .scheme import Scheme, Severity
from .scoring import item_scores, kpi_table, scorecards, total

CARD = ["employee_id", "scorecard"]
WHOLE = 365  # days from which quarters are a year
DECIDED, SOME, PROPOSED = "decided", "decided in part, the rest from proposals", "from proposals, not decided"


def quarters_beside(cycle: str | os.PathLike, *, seed: int = 1) -> tuple[Assessment, ...]:
    """The quarter in ``cycle`` and every earlier one beside it, assessed, oldest first.

    Inside a run the quarter itself is the run's own assessment.

    Raises
    ------
    DataError
        If one of them cannot be read.
    """
    from .io import read_beside

    newest = assess(cycle, seed=seed)
    return (*(Assessment(one, seed) for one in read_beside(cycle)), newest)


def quarters_of_year(cycle: str | os.PathLike, year: int | None = None, *, seed: int = 1) -> tuple[Assessment, ...]:
    """The quarters that began in ``year``, oldest first: the one in ``cycle`` and earlier ones beside it.

    Without ``year``, that of the quarter in ``cycle``.

    Raises
    ------
    DataError
        If one of them cannot be read, or there is none.
    """
    from .io import read_beside

    newest = assess(cycle, seed=seed)
    own = newest.cycle.scheme.start.year
    year = own if year is None else year
    found = [Assessment(one, seed) for one in read_beside(cycle, year=year)]
    if not found and year != own:
        raise DataError(
            f"There is no quarter of {year}: {newest.cycle.id} is not of it, and no earlier one beside it is. Name a "
            "quarter that has that year's beside it, or another year."
        )
    return (*found, newest) if year == own else tuple(found)


@dataclass(frozen=True, eq=False)
class Year:
    """The year of everybody, and what it rests on.

    ``results``: see ``annual.annual_results``. ``quarters``: one row an employee and quarter. ``kpi_scores``: the
    year's figures through the scheme's rules, by scorecard of the year (one for each stay in a unit and profile).
    ``milestones``: those that count, each once, with ``n_tables``, the number of quarters whose table lists it;
    ``left_out``: those of which nothing is known. ``days``: covered by quarters. ``note``: whether this is a whole
    year, in words. ``scheme``: whose rules the year follows.
    """

    name: str
    results: pd.DataFrame
    quarters: pd.DataFrame
    kpi_scores: pd.DataFrame
    milestones: pd.DataFrame
    left_out: pd.DataFrame
    days: int
    note: str
    scheme: Scheme
    simulated: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """``in`` = ``scored`` + ``late`` + ``no score``."""
        return counts(self.results)

    @property
    def rests_on(self) -> dict[str, str]:
        """By quarter: decided, decided in part, or from proposals, not decided."""
        scored = self.quarters[self.quarters["status"].eq("scored")]
        found = {}
        for quarter in dict.fromkeys(self.quarters["quarter"]):
            own = scored.loc[scored["quarter"].eq(quarter), "decided"]
            found[quarter] = DECIDED if len(own) and own.all() else SOME if own.any() else PROPOSED
        return found

    @property
    def status(self) -> str:
        """PARTIAL while a result is late or the year is not over; else DRAFT: what a rule gives is a proposal."""
        return "PARTIAL" if self.days < WHOLE or self.counts["late"] else "DRAFT"

    def __repr__(self) -> str:
        return f"Year {self.name}: {self.counts['scored']} of {self.counts['in']} people scored; {self.note}"


def annual(
    assessments: Sequence[Assessment],
    scheme: Scheme | None = None,
    decided: Mapping[str, pd.DataFrame] | None = None,
    evaluations: pd.DataFrame | None = None,
    appealed: Mapping[str, Mapping[str, Assessment]] | None = None,
) -> Year:
    """The year of the people in several assessed quarters.

    Parameters
    ----------
    assessments : sequence of Assessment
        The quarters, in any order.
    scheme : Scheme, optional
        Its weights and rules are the year's; that of the newest quarter unless given.
    decided : mapping of quarter to DataFrame, optional
        ``employee_id, grade``. A quarter that is not in it counts with its proposals, and every row says so.
    evaluations : DataFrame, optional
        ``employee_id, score`` of an annual evaluation, for the mixed method.
    appealed : mapping of quarter to mapping of employee to Assessment, optional
        The quarter replayed with the figures of that employee that an appeal corrected; the own rows alone are taken.

    Raises
    ------
    DataError
        If quarters overlap, a profile is unknown to the scheme, or a decision is of a grade or person that is not.
    """
    ordered = sorted(assessments, key=lambda one: one.cycle.scheme.start)
    _check(ordered, decided or {})
    scheme = scheme or ordered[-1].cycle.scheme
    replays = [(appealed or {}).get(one.cycle.id, {}) for one in ordered]
    frozen = pd.concat([_frozen(one, own) for one, own in zip(ordered, replays, strict=True)], ignore_index=True)
    ordered = [one.with_own(own) for one, own in zip(ordered, replays, strict=True)]
    quarters = pd.concat([_quarter(one, (decided or {}).get(one.cycle.id)) for one in ordered], ignore_index=True)
    quarters = quarters.merge(frozen, on=["employee_id", "quarter"], how="left")
    newest = pd.concat([one.cycle.employees for one in ordered]).drop_duplicates("employee_id", keep="last")
    cards = _segments(ordered, quarters, scheme)
    figures = _figures(ordered, cards)
    plan, left_out = _plan_of_year(ordered, cards)
    whole = _score_year(figures, plan, cards, quarters, newest, ordered, scheme)
    touched = quarters.loc[quarters["leave"] & quarters["status"].eq("scored"), ["employee_id", "quarter"]]
    table = whole[1][["employee_id", "score", "reason"]].assign(score_without_leave=np.nan)
    if len(touched):
        keys = pd.MultiIndex.from_frame(touched)

        def untouched(rows: pd.DataFrame) -> pd.DataFrame:
            mine = rows["employee_id"].isin(touched["employee_id"])
            away = pd.MultiIndex.from_frame(rows[["employee_id", "quarter"]]).isin(keys)
            return rows[mine & ~away]

        rest = untouched(cards)
        if len(rest):
            other = _score_year(
                untouched(figures), untouched(plan), rest, untouched(quarters), newest, ordered, scheme
            )[1].set_index("employee_id")["score"]
            table["score_without_leave"] = table["employee_id"].map(other)
    results = annual_results(quarters, table, newest, scheme, evaluations)
    days = (scheme.end - ordered[0].cycle.scheme.start).days + 1
    years = {one.cycle.scheme.start.year for one in ordered}
    name = "/".join(map(str, sorted(years)))
    covered = sum((one.cycle.scheme.end - one.cycle.scheme.start).days + 1 for one in ordered)
    n = len(ordered)
    note = f"{n} quarters, {covered} days" if covered >= WHOLE else f"{n} quarters, {covered} days: not a whole year"
    if covered < days:
        note += f"; {days - covered} days between them are in no quarter"
    simulated = any(one.cycle.simulated for one in ordered)
    return Year(
        name, results, quarters, kpi_table(whole[0]), plan, left_out, covered, note, scheme, simulated
    )  # fmt: skip


def _check(ordered: list[Assessment], decided: Mapping[str, pd.DataFrame]) -> None:
    if not ordered:
        raise DataError("A year needs quarters; there is none.")
    for one, after in pairwise(ordered):
        if one.cycle.scheme.end >= after.cycle.scheme.start:
            raise DataError(
                f"{one.cycle.id} ends {one.cycle.scheme.end}, after {after.cycle.id} starts: the same days would count "
                "twice. Leave one out."
            )
    if strange := sorted(set(decided) - {one.cycle.id for one in ordered}):
        raise DataError(f"There are decisions of {strange[0]}, which is not among the quarters.")


def _frozen(one: Assessment, replays: Mapping[str, Assessment]) -> pd.DataFrame:
    """``employee_id, quarter, score_frozen``: the score before an appeal, of those whose figures one corrected."""
    table = one.proposals[one.proposals["employee_id"].isin(replays)]
    return table[["employee_id"]].assign(quarter=one.cycle.id, score_frozen=table["score_proposed"])


def _quarter(one: Assessment, decided: pd.DataFrame | None) -> pd.DataFrame:
    """One row an employee of a quarter, as ``annual_results`` reads it."""
    scheme, people = one.cycle.scheme, one.cycle.employees.set_index("employee_id")
    table = one.proposals
    cards = scorecards(one.cycle)
    days = cards["days"].where(cards["counted"], 0).groupby(cards["employee_id"]).sum()
    grade, is_decided = table["grade_proposed"], np.zeros(len(table), bool)
    if decided is not None:
        given = decided[decided["grade"].fillna("").ne("")].set_index("employee_id")["grade"]
        if given.index.has_duplicates:
            raise DataError(f"{given.index[given.index.duplicated()][0]} is decided twice in {one.cycle.id}.")
        if strange := sorted(set(given.index) - set(table["employee_id"])):
            raise DataError(f"{strange[0]} is decided in {one.cycle.id} and not among its employees.")
        if unknown := sorted(set(given) - set(scheme.cuts)):
            raise DataError(f"{one.cycle.id} has the decided grade {unknown[0]}; the scheme has no such grade.")
        is_decided = table["employee_id"].isin(given.index).to_numpy()
        grade = table["employee_id"].map(given).where(is_decided, grade)
    leave = table["employee_id"].map(people["status"]).eq("leave")
    return pd.DataFrame(
        {
            "employee_id": table["employee_id"],
            "quarter": one.cycle.id,
            "days": table["employee_id"].map(days).fillna(0).astype(int),
            "length": (scheme.end - scheme.start).days + 1,
            "score": table["score_proposed"],
            "grade": grade,
            "decided": is_decided,
            "leave": leave,
            "status": table["status"],
            "cap": table["cap"],
            "reason": np.where(table["status"].eq("scored"), "", table["reason"]),
            "shift": table["score_proposed"] - table["score_raw"],
            "bonus": table["bonus"],
            "deduction": table["deduction"],
        }
    )


def _segments(ordered: list[Assessment], quarters: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """Counted scorecards of scored or late quarters; each stay in one unit and profile is a scorecard of the year.

    ``employee_id, quarter, card`` (the quarter's), ``scorecard`` (the year's), ``unit, profile, manager_id, days``.
    """
    parts = []
    for one in ordered:
        cards, moves = scorecards(one.cycle), one.cycle.table("assignments")
        known = quarters[quarters["quarter"].eq(one.cycle.id) & quarters["status"].isin(["scored", "late"])]
        cards = cards[cards["counted"] & cards["employee_id"].isin(known["employee_id"])]
        begins = pd.to_datetime(moves.set_index(CARD)["from"])
        start = begins.reindex(pd.MultiIndex.from_frame(cards[CARD])).to_numpy()
        parts.append(
            cards.assign(quarter=one.cycle.id, start=start).fillna({"start": pd.Timestamp(one.cycle.scheme.start)})
        )
    table = pd.concat(parts, ignore_index=True).sort_values(["employee_id", "start", "scorecard"], kind="stable")
    if strange := sorted(set(table["profile"]) - {p.id for p in scheme.profiles}):
        raise DataError(
            f"The profile {strange[0]} of an earlier quarter is not in the scheme of {scheme.cycle}, so the year has "
            "no weights for it. Add the profile to the scheme, or give the scheme that has it."
        )
    stay = table[["employee_id", "unit", "profile"]]
    number = stay.ne(stay.shift()).any(axis=1).groupby(table["employee_id"]).cumsum()
    return table.assign(card=table["scorecard"], scorecard=number.astype(str)).reset_index(drop=True)[
        ["employee_id", "quarter", "card", "scorecard", "unit", "profile", "manager_id", "days"]
    ]


def _figures(ordered: list[Assessment], cards: pd.DataFrame) -> pd.DataFrame:
    """Items of all quarters on the year's scorecards, each row with its own threshold and stretch."""
    parts = []
    for one in ordered:
        own = one.cycle.results[[*CARD, "kpi", "threshold", "stretch"]].rename(columns={"kpi": "item"})
        rows = one.items.drop(columns=["floor", "cap"]).merge(own, on=[*CARD, "item"], how="left")
        parts.append(rows.assign(quarter=one.cycle.id).rename(columns={"scorecard": "card"}))
    names = ["employee_id", "quarter", "card"]
    return pd.concat(parts, ignore_index=True).merge(cards[[*names, "scorecard", "days"]], on=names)


def _plan_of_year(ordered: list[Assessment], cards: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Milestones of all quarters on the year's scorecards, and those of which nothing is known."""
    parts = []
    for one in ordered:
        rows = one.cycle.table("milestones").rename(columns={"scorecard": "card"})
        parts.append(rows.assign(quarter=one.cycle.id, closed=pd.Timestamp(one.cycle.scheme.end)))
    names = ["employee_id", "quarter", "card"]
    rows = pd.concat(parts, ignore_index=True).merge(cards[[*names, "scorecard"]], on=names).drop(columns="card")
    plan, left = cumulate_milestones(rows)
    key = [*CARD, "kpi", "milestone", "due"]
    tables = rows.groupby(key, as_index=False).agg(quarter=("quarter", "last"), n_tables=("quarter", "nunique"))
    return plan.merge(tables, on=key), left


def _score_year(
    figures: pd.DataFrame,
    plan: pd.DataFrame,
    cards: pd.DataFrame,
    quarters: pd.DataFrame,
    newest: pd.DataFrame,
    ordered: list[Assessment],
    scheme: Scheme,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The year as one long quarter through ``scoring``: items, and ``employee_id, score, reason``."""
    if cards.empty:  # nobody has a counted scorecard in any quarter
        return ordered[-1].items.iloc[:0], pd.DataFrame(columns=["employee_id", "reason", "score"])
    cycle = _cycle_of_year(cumulate(figures, scheme), plan, cards, quarters, newest, ordered, scheme)
    items = item_scores(cycle)
    table = total(cycle, items)
    scored = quarters[quarters["status"].eq("scored")]
    part = scored["days"] / scored["length"]
    shift = (scored["shift"] * part).groupby(scored["employee_id"]).sum() / part.groupby(scored["employee_id"]).sum()
    score = table["score_raw"] + table["employee_id"].map(shift)
    return items, table[["employee_id", "reason"]].assign(score=score)


def _cycle_of_year(figures, plan, cards, quarters, newest, ordered: list[Assessment], scheme: Scheme) -> Cycle:
    """A cycle that holds the year's figures. Its assignments carry numbers of days; their dates mean nothing else.

    Gates stay out: they cap grades, which is the year's own rule. Bonus and deduction points are the mean of the
    quarters', as they are in the mean of scores.
    """
    start = ordered[0].cycle.scheme.start
    empty = {name: table.iloc[:0] for name, table in ordered[-1].cycle.tables.items()}
    people = newest[newest["employee_id"].isin(cards["employee_id"])].reset_index(drop=True)
    stays = cards.groupby(CARD, as_index=False).agg(
        unit=("unit", "last"), profile=("profile", "last"), manager_id=("manager_id", "last"), days=("days", "sum")
    )
    first = pd.Timestamp(start)
    stays = stays.assign(**{"from": first, "to": first + pd.to_timedelta(stays.pop("days") - 1, unit="D")})
    measured, rated = figures["kind"].eq("measured"), figures["kind"].eq("rated") & figures["rating_raw"].notna()
    results = figures[measured].rename(columns={"item": "kpi"})
    roles = [r.id for r in scheme.roles if r.weight > 0]
    judged = figures[rated & figures["status"].eq("final")].rename(columns={"item": "kpi", "rating_raw": "rating"})
    ratings = pd.concat([judged.assign(role=role, rater_id="the quarters") for role in roles], ignore_index=True)
    scored = quarters[quarters["status"].eq("scored")]
    part = scored["days"] / scored["length"]
    whole = part.groupby(scored["employee_id"]).sum()
    events = [empty["events"]]
    for kind in ("bonus", "deduction"):
        points = (scored[kind] * part).groupby(scored["employee_id"]).sum() / whole
        points = points[points > 0]
        named = {"code": kind, "kind": kind, "evidence": "mean of the quarters"}
        events.append(pd.DataFrame({"employee_id": points.index, "points": points.to_numpy()}).assign(**named))
    tables = {
        **empty,
        "employees": people,
        "assignments": stays,
        "results": results.reindex(columns=list(dict.fromkeys([*empty["results"], *results]))),
        "ratings": ratings,
        "milestones": plan,
        "events": pd.concat([table for table in events if len(table)]) if any(map(len, events)) else empty["events"],
    }
    year = replace(scheme, start=start)
    return Cycle(year, MappingProxyType(tables))


@dataclass(frozen=True, eq=False)
class Health:
    """What several quarters say of the scheme; the tables of ``health``, and ``advice`` in sentences.

    ``moves``: severity by rater and quarter, as ``raters.drift`` gives it, of which ``drift`` is one row a rater.
    ``level`` of every interval. ``unlinked``: quarters whose KPI link was taken off. ``plan``: the newest quarter's
    scheme, which names KPIs and posts.
    """

    quarters: tuple[str, ...]
    stability: pd.DataFrame
    pairs: pd.DataFrame
    inflation: pd.DataFrame
    caps: pd.DataFrame
    drift: pd.DataFrame
    prediction: pd.DataFrame
    advice: pd.DataFrame
    moves: pd.DataFrame
    level: float = 0.90
    unlinked: tuple[str, ...] = ()
    simulated: bool = False
    plan: Scheme | None = None

    def __repr__(self) -> str:
        return f"Health of the scheme over {len(self.quarters)} quarters: {len(self.advice)} findings"


def health(assessments: Sequence[Assessment], *, seed: int = 1) -> Health:
    """The health of the scheme over several assessed quarters, at the scheme's level of confidence.

    Of one quarter alone, what needs a next one comes back as rows that say why nothing can be told.

    Raises
    ------
    DataError
        If there is no quarter, or one is missing between them.
    """
    ordered = sorted(assessments, key=lambda one: one.cycle.scheme.start)
    _check(ordered, {})
    for one, after in pairwise(ordered):
        if (after.cycle.scheme.start - one.cycle.scheme.end).days > 1:
            raise DataError(
                f"A quarter is missing between {one.cycle.id} and {after.cycle.id}, so the one is not the other's "
                "next. Give it, or leave out the quarters before."
            )
    unlinked = [without_kpi_link(one) for one in ordered]
    level = ordered[-1].cycle.scheme.limits.confidence
    points = points_by_quarter(ordered)
    stability = kpi_stability(points, level=level, seed=seed)
    pairs, inflation = redundancy(points, level=level, seed=seed)
    capped = caps(points, level=level, seed=seed)
    fits = {one.cycle.id: one.severity for one in unlinked}
    spread = {quarter: fit.variances.get("rater", np.nan) for quarter, fit in fits.items()}
    moves = drift({quarter: fit.raters for quarter, fit in fits.items()}, spread)
    drifts = rater_drift(moves)
    predicted = prediction(ratings_and_next(unlinked), level=level, seed=seed)
    said = advice(stability, pairs, inflation, capped, drifts, predicted)
    quarters = tuple(one.cycle.id for one in ordered)
    linked = tuple(one.cycle.id for one in ordered if one.cycle.scheme.severity.link == "kpi")
    simulated = any(one.cycle.simulated for one in ordered)
    return Health(
        quarters, stability, pairs, inflation, capped, drifts, predicted, said, moves, level, linked, simulated,
        ordered[-1].cycle.scheme,
    )  # fmt: skip


def without_kpi_link(one: Assessment) -> Assessment:
    """The assessment with raters compared by shared ratings alone; itself where the scheme does not link by KPIs."""
    if one.cycle.scheme.severity.link != "kpi":
        return one
    scheme = replace(one.cycle.scheme, severity=Severity())
    return Assessment(replace(one.cycle, scheme=scheme), one.seed, one.history)


def points_by_quarter(assessments: Sequence[Assessment]) -> pd.DataFrame:
    """Raw points of each KPI by person and quarter, as ``health.kpi_stability`` reads them; scored people only.

    On several scorecards the mean by days, under the profile of the longer one.
    """
    parts = []
    for one in assessments:
        scored = one.totals.loc[one.totals["status"].eq("scored"), "employee_id"]
        items = one.items[one.items["employee_id"].isin(scored) & (one.items["day_share"] > 0)]
        share = items["share"].where(items["score_raw"].notna(), 0.0) * items["day_share"]
        by = ["employee_id", "kpi"]
        sums = pd.DataFrame(
            {
                **items[[*by, "category"]],
                "share": share,
                **{
                    name: items[column] * share
                    for name, column in (("points", "score_raw"), ("cap", "cap"), ("floor", "floor"))
                },
                "weight": items["weight"].fillna(0.0) * items["day_share"],
            }
        )
        table = sums.groupby(by, as_index=False).agg(
            {"category": "first", **dict.fromkeys(["share", "points", "cap", "floor", "weight"], "sum")}
        )
        kinds = items.groupby(by)["kind"].agg(["min", "max"])
        table["kind"] = kinds["min"].where(kinds["min"].eq(kinds["max"]), "mixed").to_numpy()
        for name in ("points", "cap", "floor"):
            table[name] = table[name] / table["share"].where(table["share"] > 0)
        longest = items.sort_values("day_share", kind="stable").drop_duplicates("employee_id", keep="last")
        table["profile"] = table["employee_id"].map(longest.set_index("employee_id")["profile"])
        table["at_cap"] = table["points"] >= table["cap"] - 1e-9
        table["at_floor"] = table["points"] <= table["floor"] + 1e-9
        parts.append(table.assign(quarter=one.cycle.id).drop(columns=["share", "cap", "floor"]))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(quarter=pd.Categorical(found["quarter"], [one.cycle.id for one in assessments], ordered=True))


def ratings_and_next(assessments: Sequence[Assessment]) -> pd.DataFrame:
    """Mean rating of each person, raw and adjusted, beside the measured score of the next quarter.

    People on one scorecard whose raters' severity is identified; see ``health.prediction`` for the columns.
    """
    names = ["employee_id", "rating_raw", "rating_adjusted", "profile", "unit", "manager_id", "kpi_next", "quarter"]
    parts = [pd.DataFrame(columns=names)]
    for one, after in pairwise(assessments):
        rows = one.items[one.items["kind"].eq("rated") & one.items["day_share"].eq(1)]
        known = rows["rating_raw"].notna() & rows["rating_adjusted"].notna() & (rows["weight"] > 0)
        unidentified = one.totals.loc[one.unidentified, "employee_id"]
        rows = rows[known & ~rows["employee_id"].isin(unidentified)]
        weight = rows["weight"]
        sums = pd.DataFrame({"employee_id": rows["employee_id"], "weight": weight,
                             "rating_raw": rows["rating_raw"] * weight,
                             "rating_adjusted": rows["rating_adjusted"] * weight})  # fmt: skip
        table = sums.groupby("employee_id", as_index=False).sum()
        for name in ("rating_raw", "rating_adjusted"):
            table[name] = table[name] / table["weight"]
        people = one.cycle.employees.set_index("employee_id")
        nexts = after.totals[after.totals["status"].eq("scored")].set_index("employee_id")["kpi_score"]
        for name in ("profile", "unit", "manager_id"):
            table[name] = table["employee_id"].map(people[name])
        table["kpi_next"] = table["employee_id"].map(nexts)
        parts.append(table.assign(quarter=one.cycle.id).drop(columns="weight"))
    return pd.concat(parts[1:] or parts, ignore_index=True)
