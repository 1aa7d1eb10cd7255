"""The sheet from which the person rated can compute the own result again. It holds nobody else's data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from ..grades import GRAIN, grade_of
from ..language import say, say_n, spoken, told
from ..plots.line import score_line
from ..plots.theme import MINUS, signed
from ..scheme import Item, Scheme
from . import words
from .page import chip, document, made_up, render

LINES = ("threshold_target_max", "milestone")  # rules that are straight lines through three values
NEAR = 1.0  # points from a cut line at which the sentence on the score names it
WEIGHT_DIGITS, SHIFT_DIGITS = (2, 3, 4), 4  # a shared weight seldom ends; four digits leave the third of a score right


@dataclass(frozen=True)
class Standard:
    """Whose standard the ratings of a scorecard were adjusted for, and by how much (rating points)."""

    whose: str  # "manager", "rater" (one, who is not the manager) or "several"
    severity: float = np.nan
    low: float = np.nan
    high: float = np.nan
    verdict: str = ""


@dataclass(frozen=True)
class Decided:
    """What the committee, or the panel of an appeal, decided."""

    grade: str
    day: date
    by: tuple[str, str]  # proposer and authoriser
    code: str
    reason: str
    evidence: str = ""
    kind: str = "decision"  # or consent, appeal
    void: str = ""  # what changed since, where the decision no longer stands


@dataclass(frozen=True)
class Appealed:
    """An appeal of this person, and what became of it ("" while it is open)."""

    filed: date
    facts: str
    outcome: str = ""
    day: date | None = None
    reason: str = ""
    panel: tuple[str, ...] = ()
    corrected: tuple[tuple[str, str, str], ...] = ()  # what, as it was, as it is now


@dataclass(frozen=True)
class Bonus:
    """The person's bonus; ``cents`` only where the quarter is final, ``share`` of each claim that the pool pays."""

    target: float
    currency: str
    company: float = 1.0
    multiplier: float = np.nan
    claim: float = np.nan
    share: float | None = None
    cents: int | None = None
    reason: str = ""


@dataclass
class Row:
    """A row of the sheet's table as it is shown; ``kind``: card, cat, item, away, sum or extra."""

    kind: str
    name: str
    weight: str = ""
    gives: str = ""
    unit: str = ""
    steps: str = ""  # of a milestone plan
    how: str = ""  # stands in place of the three values
    cells: Sequence[str] = ()  # the values that give threshold, target and stretch points
    actual: str = ""
    points: str = ""
    why: str = ""  # there is no figure


@dataclass(frozen=True, eq=False)
class Facts:
    """All that a sheet says, of one employee.

    ``items`` are the rows of ``scoring.item_scores`` with ``threshold`` and ``stretch`` as the result named them;
    ``cards`` of ``scoring.scorecards`` with ``standard``; ``score`` one row of ``scoring.total`` with the proposal,
    its ``se`` and ``reason``; ``milestones`` the counted ones; ``events`` the own ones.
    """

    employee: str
    name: str
    post: str
    unit: str
    scheme: Scheme
    items: pd.DataFrame
    cards: pd.DataFrame
    score: Mapping[str, Any]
    standards: Mapping[str, Standard]
    milestones: pd.DataFrame
    events: pd.DataFrame
    status: str
    run: str
    head: str
    simulated: bool = False
    flags: Sequence[tuple[str, str]] = ()  # flag, evidence
    decided: Decided | None = None
    appeals: Sequence[Appealed] = ()
    final_on: date | None = None
    last_day: date | None = None  # on which an appeal may be filed
    over: bool = False  # that day has passed
    bonus: Bonus | None = None

    @property
    def scored(self) -> bool:
        return bool(self.score["grade_proposed"])

    @property
    def grade(self) -> str:
        """The decided grade; "" where there is none that stands."""
        return self.decided.grade if self.decided and not self.decided.void else ""


def explain_page(facts: Facts) -> str:
    """The sheet of one person as a whole page, in the language spoken."""
    title = _title(facts)
    head = Markup('{}<div class="head"><h1>{} {}</h1><p>{}<br>{}</p></div>').format(
        made_up() if facts.simulated else "", title, chip(facts.status), _who(facts), _source(facts)
    )
    body = render(
        "explain.html.j2",
        headline=_headline(facts),
        line=_line(facts) if facts.scored else "",
        lead=_lead(facts),
        heads=_heads(facts),
        rows=_rows(facts),
        steps=_steps(facts),
        decision=_decision(facts),
        foot=_foot(),
    )
    return document(f"{facts.employee}: {title}", head, Markup(body), kind="sheet", style=_style())


@lru_cache
def _style() -> Markup:
    return Markup(files("perfmodel.report").joinpath("explain.css").read_text(encoding="utf-8").strip())


def filled(text: str, **values: object) -> Markup:
    """``text`` (of ``say``, not filled in yet) with values; those that are Markup keep their bold."""
    return Markup(escape(text)).format(**values)


def bold(value: object) -> Markup:
    return Markup("<b>{}</b>").format(value)


def figure(value: float, digits: int = 6) -> str:
    """A figure as exactly as it was given, at most ``digits`` decimals, thin space between thousands."""
    whole, _, part = f"{abs(value):.{digits}f}".rstrip("0").rstrip(".").partition(".")
    text = f"{int(whole):,}".replace(",", words.THIN) + (f".{part}" if part else "")
    return (MINUS if value < 0 and text != "0" else "") + text


def beside_cuts(value: float, cuts: Mapping[str, float], digits: int) -> str:
    """A score with ``digits`` decimals, or as many more as show on which side of a cut line it lies."""
    for more in range(digits, 10):
        if grade_of([float(f"{value:.{more}f}")], cuts)[0] == grade_of([value], cuts)[0]:
            return words.plain(value, more)
    return words.plain(value, digits)


# --- Head and headline -----------------------------------------------------------------------------------------


def _title(facts: Facts) -> str:
    named = {grade.id: grade.name.say(spoken()) for grade in facts.scheme.grades}
    values = {"cycle": facts.scheme.cycle, "grade": facts.grade or facts.score["grade_proposed"]}
    values["name"] = named.get(values["grade"], "")
    if facts.grade:
        return say("Your result, {cycle}: grade {grade}, {name}", **values)
    if facts.scored:
        return say("Your result, {cycle}: {grade} proposed, not decided yet", **values)
    return say("Your result, {cycle}: no score", **values)


def _who(facts: Facts) -> str:
    return words.joined(filter(None, [f"{facts.employee} {facts.name}".strip(), facts.post, facts.unit]))


def _source(facts: Facts) -> str:
    if facts.final_on is None:
        state = say("not final")
    elif any(not appeal.outcome or appeal.outcome == "sent_back" for appeal in facts.appeals):
        state = say("final since {day}, your appeal is open", day=words.day(facts.final_on))
    elif facts.over:
        state = say("final since {day}, appeals closed", day=words.day(facts.final_on))
    else:
        state = say("final since {day}, appeals open", day=words.day(facts.final_on))
    return say("Run {run}, ledger head {head}, {state}", run=facts.run, head=facts.head[:12], state=state)


def _headline(facts: Facts) -> Markup:
    if not facts.scored:
        lines = [filled(say("There is no score for this quarter: {reason}."), reason=bold(_told(facts.score["reason"])))]
        if facts.score["status"] == "late":
            lines.append(escape(say("The quarter cannot be closed before it has come.")))
        else:
            lines.append(escape(say("So no grade is proposed, and none is decided.")))
        return _joined(lines)
    return _joined([*_on_score(facts), _on_decision(facts)])


def _told(reason: str) -> str:
    """A finished reason, without its full stop."""
    return told(reason).rstrip(".。")


def _joined(lines: Iterable[Markup]) -> Markup:
    return Markup(words.gap()).join(lines)


def _on_score(facts: Facts) -> list[Markup]:
    cuts, score = facts.scheme.cuts, float(facts.score["score_proposed"])
    grade = str(grade_of([score], cuts)[0])
    better = next((name for name in reversed(cuts) if cuts[name] > score + GRAIN), "")
    said = {"score": bold(beside_cuts(score, cuts, 2)), "grade": grade, "better": better}
    last = list(cuts)[-1]
    if grade != last and score - cuts[grade] < NEAR:
        text = say("Your score is {score}, just above the cut line of {cut} for grade {grade}.")
        lines = [filled(text, cut=f"{cuts[grade]:g}", **said)]
    elif better and cuts[better] - score < NEAR:
        text = say("Your score is {score}, grade {grade}, just below the cut line of {cut} for grade {better}.")
        lines = [filled(text, cut=f"{cuts[better]:g}", **said)]
    else:
        lines = [filled(say("Your score is {score}, grade {grade}."), **said)]
    raw = float(facts.score["score_raw"])
    if _left_alone(facts):
        lines.append(escape(say("It was not adjusted for the standard of whoever rated you.")))
    elif abs(score - raw) > 1e-12:
        text = say("Before the adjustment for your manager's standard it was {raw}, grade {grade}.")
        if any(standard.whose != "manager" for standard in facts.standards.values()):
            text = say("Before the adjustment for the standard of those who rated you it was {raw}, grade {grade}.")
        lines.append(filled(text, raw=beside_cuts(raw, cuts, 2), grade=grade_of([raw], cuts)[0]))
    cap = facts.score["cap"]
    if cap and cap != grade and facts.score["grade_proposed"] == cap:
        lines.append(filled(say("A gate holds the grade at {cap}."), cap=bold(cap)))
    return lines


def _on_decision(facts: Facts) -> Markup:
    found = facts.decided
    if found is None:
        return escape(say("The committee has not decided yet, and a proposal is no grade."))
    if found.void:
        return escape(say("What the committee had decided rested on other figures; it has to decide again."))
    grade = bold(found.grade)
    if found.kind == "appeal":
        return filled(say("After your appeal the grade is {grade}."), grade=grade)
    if found.kind == "consent":
        return filled(
            say("The committee accepted the proposal on a list with one recorded reason: {grade}."), grade=grade
        )
    if found.grade == facts.score["grade_proposed"]:
        return filled(say("The committee looked at your case and decided {grade}."), grade=grade)
    return filled(
        say("The committee looked at your case and decided {grade}, another grade than the one proposed."), grade=grade
    )


def _line(facts: Facts) -> Markup:
    score = facts.score
    low, high = _range(facts)
    return score_line(
        float(score["score_raw"]),
        float(score["score_proposed"]),
        facts.scheme.cuts,
        low=low,
        high=high,
        level=facts.scheme.limits.confidence,
    )


def _range(facts: Facts) -> tuple[float | None, float | None]:
    """What rating error alone gives around the adjusted score; none where it is not known."""
    from statistics import NormalDist

    se, centre = float(facts.score["se"]), float(facts.score["score_adjusted"])
    if not np.isfinite(se) or se <= 0:
        return None, None
    half = NormalDist().inv_cdf((1 + facts.scheme.limits.confidence) / 2) * se
    return centre - half, centre + half


# --- 1. From targets to points ---------------------------------------------------------------------------------


def _items_of(facts: Facts) -> Mapping[str, Item]:
    return {item.id: item for item in facts.scheme.items}


def _lines_of(facts: Facts) -> list[Mapping[str, float]]:
    """Points of the own items whose rule is a straight line."""
    known = _items_of(facts)
    own = [known[name] for name in dict.fromkeys(facts.items["item"])]
    return [item.points for item in own if item.rule in LINES]


def _level(points: Sequence[Mapping[str, float]], name: str) -> str:
    """The points of a level where all items agree on it, else ""."""
    found = {each.get(name) for each in points}
    value = found.pop() if len(found) == 1 else None
    return "" if value is None else f"{value:g}"


def _heads(facts: Facts) -> list[str]:
    points = _lines_of(facts)
    level = {name: _level(points, name) for name in ("threshold", "target", "stretch")}
    return [
        say("Indicator"),
        say("Threshold {points}", points=level["threshold"]).strip(),
        say("Target {points}", points=level["target"]).strip(),
        say("Stretch {points}", points=level["stretch"]).strip(),
        say("Actual"),
        say("Points"),
        say("Weight %"),
        say("Gives"),
    ]


def _lead(facts: Facts) -> Markup:
    points, lines = _lines_of(facts), []
    if points:
        level = {name: _level(points, name) for name in ("threshold", "target", "stretch", "floor", "cap")}
        if all(level.values()):
            lines.append(
                say(
                    "Points are on a straight line between the columns: threshold {threshold}, target {target}, "
                    "stretch {stretch}; it goes on beyond them, not under {floor} nor over {cap}.",
                    **level,
                )
            )
        else:
            lines.append(
                say("Points are on a straight line between the columns, each with its points; it goes on beyond them.")
            )
    if facts.items["kind"].eq("rated").any():
        rubric = facts.scheme.rubric
        values = {
            "ratings": " ".join(f"{rating:g}" for rating, _ in rubric),
            "points": " ".join(f"{worth:g}" for _, worth in rubric),
        }
        lines.append(say("Ratings {ratings} give {points} points, straight between.", **values))
    lines.append(say("Gives = points × weight ÷ 100."))
    return _joined(escape(line) for line in lines)


def _rows(facts: Facts) -> list[Row]:
    """Rows of the table: scorecard, category, item, sum."""
    if not facts.scored and facts.score["status"] not in ("late", "no score"):
        return []
    rows: list[Row] = []
    several = len(facts.cards) > 1
    for card in facts.cards.to_dict("records"):
        own = facts.items[facts.items["scorecard"].eq(card["scorecard"])]
        if own.empty:
            continue
        if several:
            rows.append(Row("card", _card(card)))
        if not card["counted"]:
            rows.append(Row("away", say("does not count"), why=told(card["reason"])))
            continue
        rows += _card_rows(facts, own)
        if facts.scored and several:
            name, gives = say("Sum of the scorecard {card}", card=card["scorecard"]), _sum_of(facts, card["scorecard"])
            rows.append(Row("sum", name, f"{own['weight'].sum():.2f}", f"{gives:.3f}"))
    return rows + (_total_rows(facts, several) if facts.scored else [])


def _card(card: Mapping[str, Any]) -> str:
    return say_n(
        "Scorecard {card}: {unit}, {n} day",
        "Scorecard {card}: {unit}, {n} days",
        int(card["days"]),
        card=card["scorecard"],
        unit=card["unit"],
    )


def _card_rows(facts: Facts, own: pd.DataFrame) -> Iterable[Row]:
    known = _items_of(facts)
    digits = next(
        (n for n in WEIGHT_DIGITS if (own["weight"] - own["weight"].round(n)).abs().max() < 1e-9), WEIGHT_DIGITS[-1]
    )
    for category, part in own.groupby("category", sort=False):
        gone = part["weight"].isna().all()
        late = gone or part["status"].eq("late").any()
        yield Row(
            "cat",
            facts.scheme.category(str(category)).name.say(spoken()),
            "" if gone else f"{part['weight'].sum():.{digits}f}",
            say("not known") if late else f"{(part['weight'] * part['score_raw'] / 100).sum():.3f}",
        )
        for row in part.to_dict("records"):
            yield _item_row(facts, known[row["item"]], row, digits)


def _item_row(facts: Facts, item: Item, found: Mapping[str, Any], digits: int) -> Row:
    weight = f"{found['weight']:.{digits}f}" if found["weight"] == found["weight"] else ""
    row = Row("item", item.name.say(spoken()), weight, unit=item.unit if item.kind != "rated" else "")
    if found["status"] != "final":
        row.kind, row.why = "away", told(found["reason"])
        return row
    row.points = f"{found['score_raw']:.2f}"
    row.gives = f"{found['weight'] * found['score_raw'] / 100:.3f}" if weight else ""
    if item.kind == "rated":
        standard = facts.standards.get(found["scorecard"])
        if standard is not None and standard.whose == "several":
            row.how = say("ratings, combined")
        else:
            row.how = say("rating") if standard is None or standard.whose == "rater" else say("manager's rating")
        row.actual = _rating(found["rating_raw"])
    elif item.rule not in LINES:
        row.how, row.actual = _formula(item, found["target"]), figure(found["actual"])
    else:
        points = _lines_of(facts)
        uniform = all(_level(points, name) for name in ("threshold", "target", "stretch"))
        row.cells = [
            figure(value) if uniform else f"{figure(value)} ({item.points[name]:g})"
            for name, value in zip(("threshold", "target", "stretch"), _levels(item, found), strict=True)
        ]
        share = item.kind == "milestone"
        row.actual = figure(100 * found["attainment"], 4) if share else figure(found["actual"])
    if item.kind == "milestone":
        steps = facts.milestones
        steps = steps[steps["item"].eq(found["item"]) & steps["scorecard"].eq(found["scorecard"])]
        parts = [f"{step['milestone']} {step['weight']:g} × {step['done']:g}" for step in steps.to_dict("records")]
        row.steps = say("weight × share accepted: {steps}", steps="; ".join(parts))
    return row


def _levels(item: Item, row: Mapping[str, Any]) -> tuple[float, float, float]:
    """The actual values that earn threshold, target and stretch points: a row's own before those of the scheme."""
    middle = item.at.get("target", 1.0)
    low, high = item.at["threshold"], item.at["stretch"]
    if item.kind == "milestone":
        return 100 * low, 100 * middle, 100 * high

    def actual(share: float) -> float:
        return row["target"] * (2 - share if item.direction == "lower" else share)

    own = [row[name] if row[name] == row[name] else actual(general) for name, general in
           (("threshold", low), ("stretch", high))]  # fmt: skip
    return own[0], actual(middle), own[1]


def _formula(item: Item, target: float) -> str:
    """A rule that is no straight line through three values, in words."""
    points = item.points
    values = {
        "target": figure(target) if target == target else "",
        "points": f"{points.get('target', 0.0):g}",
        "each": f"{points.get('each', 1.0):g}",
        "floor": f"{points.get('floor', 0.0):g}",
        "cap": f"{points['cap']:g}" if "cap" in points else "∞",
        "steps": words.joined(f"{figure(100 * least)} %: {worth:g}" for least, worth in item.steps),
    }
    if item.rule == "step_table" and item.direction == "lower":
        return say("target {target}; a share (2 − actual ÷ target) from {steps}; under that {floor}", **values)
    if item.rule == "step_table":
        return say("target {target}; a share (actual ÷ target) from {steps}; under that {floor}", **values)
    if item.rule == "inverse_ratio":
        return say("target {target}; {points} × target ÷ actual, {floor} to {cap}", **values)
    if item.rule == "mirror" or item.direction == "lower" and item.rule == "ratio":
        return say("target {target}; {points} × (2 − actual ÷ target), {floor} to {cap}", **values)
    if item.rule == "ratio":
        return say("target {target}; {points} × actual ÷ target, {floor} to {cap}", **values)
    if item.rule == "all_or_nothing":
        return say("{points} points when the target {target} is reached, else {floor}", **values)
    return say("{points} points less {each} for each one counted, {floor} to {cap}", **values)


def _rating(value: float) -> str:
    return f"{value:.1f}" if abs(value - round(value, 1)) < 1e-9 else f"{value:.4f}"


def _total_rows(facts: Facts, several: bool) -> list[Row]:
    """What comes after the scorecards: their mean by days, bonus and deduction points, and the score."""
    rows: list[Row] = []
    raw, counted = float(facts.score["score_raw"]), facts.cards[facts.cards["counted"]]
    extra = float(facts.score["bonus"]) - float(facts.score["deduction"])
    if several:
        sums = [f"{_sum_of(facts, card):.3f} × {days}" for card, days in _days(counted)]
        name = say("Weighted by days: ({terms}) ÷ {days}", terms=" + ".join(sums), days=int(counted["days"].sum()))
        rows.append(Row("sum", name, "", f"{raw - extra:.3f}"))
    elif extra or facts.score["bonus"]:
        rows.append(Row("sum", say("Sum of the scorecard"), "100.00", f"{raw - extra:.3f}"))
    for kind, sign in (("bonus", 1), ("deduction", -1)):
        if not facts.score[kind]:
            continue
        own = facts.events[facts.events["kind"].eq(kind)].to_dict("records")
        listed = "; ".join(f"{event['code']} {abs(event['points']):g}, {event['evidence']}" for event in own)
        most = facts.scheme.limits.bonus_most if kind == "bonus" else facts.scheme.limits.deduction_most
        text = (
            say("Bonus points, {most} at most: {events}", most=f"{most:g}", events=listed)
            if kind == "bonus"
            else say("Deduction, {most} at most: {events}", most=f"{most:g}", events=listed)
        )
        rows.append(Row("extra", text, "", signed(sign * float(facts.score[kind]), 3)))
    weight = "" if rows else f"{facts.items['weight'].sum():.2f}"
    return [*rows, Row("sum", say("Score before adjustment"), weight, beside_cuts(raw, facts.scheme.cuts, 3))]


def _days(cards: pd.DataFrame) -> list[tuple[str, int]]:
    return [(str(card), int(days)) for card, days in zip(cards["scorecard"], cards["days"], strict=True)]


def _sum_of(facts: Facts, card: str, step: str = "raw", kind: str = "") -> float:
    """Points of a scorecard, of its rated items alone if ``kind`` says so."""
    own = facts.items[facts.items["scorecard"].eq(card)]
    if kind:
        own = own[own["kind"].eq(kind)]
    return float((own["weight"] * own[f"score_{step}"] / 100).sum())


# --- 2. Adjustment and grade -----------------------------------------------------------------------------------


def _left_alone(facts: Facts) -> str:
    """Why the proposal is the score before adjustment, "" where it is not held there."""
    reason = str(facts.score["reason"])
    return reason if reason.startswith("left alone") else ""


def _steps(facts: Facts) -> list[Markup]:
    if not facts.scored:
        return []
    steps: list[Markup] = []
    raw, proposed = float(facts.score["score_raw"]), float(facts.score["score_proposed"])
    cuts = facts.scheme.cuts
    rated = facts.items["kind"].eq("rated") & facts.items["weight"].gt(0)
    if not rated.any():
        steps.append(escape(say("No rating enters your score, so there is nothing to adjust.")))
    elif reason := _left_alone(facts):
        steps.append(filled(say("Not adjusted: {reason}. Your ratings count as they were given."),
                            reason=_told(reason.removeprefix("left alone: "))))  # fmt: skip
    else:
        for card in facts.cards[facts.cards["counted"]].to_dict("records"):
            steps += _card_steps(facts, card["scorecard"], len(facts.cards) > 1)
        steps.append(_shift_step(facts, raw, proposed))
    if abs(proposed - raw) <= 1e-12:
        text = say("The proposed score is the score before adjustment: {score}.")
        steps.append(filled(text, score=bold(beside_cuts(proposed, cuts, 3))))
    steps.append(_cut_step(facts, proposed))
    low, high = _range(facts)
    if low is None or high is None:
        steps.append(escape(say("No range and no chance of a grade: what rating error does to this score is not known.")))
    else:
        text = say("Rating error alone gives {low} to {high} around {score} ({level}).")
        values = {"low": f"{low:.1f}", "high": f"{high:.1f}", "level": f"{100 * facts.scheme.limits.confidence:.0f} %"}
        steps.append(filled(text, score=f"{float(facts.score['score_adjusted']):.1f}", **values))
    return steps


def _card_steps(facts: Facts, card: str, several: bool) -> list[Markup]:
    own = facts.items[
        facts.items["scorecard"].eq(card) & facts.items["kind"].eq("rated") & facts.items["status"].eq("final")
    ]
    if own.empty:
        return []
    standard = facts.standards[card]
    shift = own["rating_adjusted"] - own["rating_raw"]
    parts = []
    pairs = own[["rating_raw", "rating_adjusted", "score_adjusted"]].round(9).drop_duplicates()
    for row in pairs.sort_values("rating_raw", ascending=False).to_dict("records"):
        parts.append(
            say(
                "{before} becomes {after}, which gives {points} points",
                before=_rating(row["rating_raw"]),
                after=words.plain(row["rating_adjusted"], SHIFT_DIGITS),
                points=f"{row['score_adjusted']:.2f}",
            )
        )
    becomes = say("; ").join(parts)
    values: dict[str, object] = {"ratings": becomes, "n": len(own)}
    lines = []
    if several:
        lines.append(filled(say("Scorecard {card}."), card=card))
    if standard.whose == "several":
        text = say(
            "Several people's ratings are combined in yours, and each is adjusted for the standard of whoever gave it: "
            "{ratings}."
        )
        lines.append(filled(text, **values))
    else:
        lines.append(_standard(facts, standard, own, float(shift.iloc[0]), values))
    if "assuming" in standard.verdict:
        lines.append(filled(say("This rests on an assumption: {assumption}."), assumption=_told(standard.verdict)))
    beyond = own["rating_adjusted"].gt(facts.scheme.scale[1]) | own["rating_adjusted"].lt(facts.scheme.scale[0])
    if beyond.any():
        lines.append(escape(say("Beyond the ends of the scale the points stay as they are there.")))
    before, after = (_sum_of(facts, card, step, "rated") for step in ("raw", "adjusted"))
    text = say("That gives {after} instead of {before} points for the rated part: {change}.")
    change = bold(signed(after - before, 3))
    return [_joined(lines), filled(text, after=f"{after:.3f}", before=f"{before:.3f}", change=change)]


def _standard(
    facts: Facts, standard: Standard, own: pd.DataFrame, shift: float, values: Mapping[str, object]
) -> Markup:
    """How the one rater's standard compares, and what becomes of each rating."""
    size = words.plain(abs(shift), SHIFT_DIGITS)
    level = f"{100 * facts.scheme.limits.confidence:.0f} %"
    more: dict[str, object] = {**values, "size": bold(size), "add": size, "level": level}
    more |= {"low": signed(standard.low, 2), "high": signed(standard.high, 2)}
    if shift > 0:
        more |= {"low": words.plain(standard.low, 2), "high": words.plain(standard.high, 2)}
        text = say_n(
            "Among people rated in common, your manager's ratings were {size} points more severe ({level} interval "
            "{low} to {high}). So {add} is added to your rating: {ratings}.",
            "Among people rated in common, your manager's ratings were {size} points more severe ({level} interval "
            "{low} to {high}). So {add} is added to each of your {n} ratings: {ratings}.",
            len(own), **_same(more),
        )  # fmt: skip
        if standard.whose == "rater":
            text = say_n(
                "Among people rated in common, the ratings of the person who rated you were {size} points more severe "
                "({level} interval {low} to {high}). So {add} is added to your rating: {ratings}.",
                "Among people rated in common, the ratings of the person who rated you were {size} points more severe "
                "({level} interval {low} to {high}). So {add} is added to each of your {n} ratings: {ratings}.",
                len(own), **_same(more),
            )  # fmt: skip
    elif shift < 0:
        more |= {"low": words.plain(-standard.high, 2), "high": words.plain(-standard.low, 2)}
        text = say_n(
            "Among people rated in common, your manager's ratings were {size} points more lenient ({level} interval "
            "{low} to {high}). So {add} is taken off your rating: {ratings}.",
            "Among people rated in common, your manager's ratings were {size} points more lenient ({level} interval "
            "{low} to {high}). So {add} is taken off each of your {n} ratings: {ratings}.",
            len(own), **_same(more),
        )  # fmt: skip
        if standard.whose == "rater":
            text = say_n(
                "Among people rated in common, the ratings of the person who rated you were {size} points more lenient "
                "({level} interval {low} to {high}). So {add} is taken off your rating: {ratings}.",
                "Among people rated in common, the ratings of the person who rated you were {size} points more lenient "
                "({level} interval {low} to {high}). So {add} is taken off each of your {n} ratings: {ratings}.",
                len(own), **_same(more),
            )  # fmt: skip
    else:
        text = say("Among people rated in common, no difference of standard was found, so your ratings stay.")
    said = filled(text, **more)
    if standard.verdict.startswith("not distinguishable"):
        said = _joined([said, escape(say("Taken alone, this difference is not distinguishable from none."))])
    return said


def _same(values: Mapping[str, object]) -> dict[str, str]:
    """Placeholders that stay: they are filled in with bold later."""
    return {name: "{" + name + "}" for name in values}


def _shift_step(facts: Facts, raw: float, proposed: float) -> Markup:
    cuts, most = facts.scheme.cuts, facts.scheme.limits.max_shift
    wanted = float(facts.score["score_adjusted"]) - raw
    values: dict[str, object] = {
        "raw": beside_cuts(raw, cuts, 3), "score": bold(beside_cuts(proposed, cuts, 3)), "most": f"{most:g}",
        "shift": signed(proposed - raw, 3), "wanted": signed(wanted, 3),
    }  # fmt: skip
    counted = facts.cards[facts.cards["counted"]]
    lines = []
    if len(counted) > 1:
        terms = [
            f"{signed(_sum_of(facts, card, 'adjusted', 'rated') - _sum_of(facts, card, 'raw', 'rated'), 3)} × {days}"
            for card, days in _days(counted)
        ]
        text = say("Weighted by days: ({terms}) ÷ {days} = {wanted}.")
        lines.append(filled(text, terms=" + ".join(terms), days=int(counted["days"].sum()), **values))
    sum_ = say("{raw} + {size} = {score}.") if proposed >= raw else say("{raw} − {size} = {score}.")
    values["size"] = words.plain(abs(proposed - raw), 3)
    if abs(wanted) > most:
        text = say("A shift may be {most} points at most, so {wanted} is held at {shift}.")
        lines += [filled(text, **values), filled(sum_, **values)]
    else:
        lines += [filled(sum_, **values), filled(say("A shift may be {most} points at most; this one is inside."),
                                                 **values)]  # fmt: skip
    return _joined(lines)


def _cut_step(facts: Facts, proposed: float) -> Markup:
    cuts = facts.scheme.cuts
    *upper, last = cuts
    listed = words.joined(say("{grade} from {cut}", grade=grade, cut=f"{cuts[grade]:g}") for grade in upper)
    lines = [
        filled(say("Cut lines: {cuts}, {last} below. A score on the line takes the higher grade."),
               cuts=listed, last=last)
    ]  # fmt: skip
    alone = str(grade_of([proposed], cuts)[0])
    lines.append(
        filled(say("{score} is {grade}."), score=beside_cuts(proposed, cuts, 3), grade=bold(alone))
    )  # fmt: skip
    if cap := facts.score["cap"]:
        names = {gate.code: gate.name.say(spoken()) for gate in facts.scheme.gates}
        own = facts.events[facts.events["kind"].eq("gate")].to_dict("records")
        listed = "; ".join(f"{e['code']} {names.get(e['code'], '')}, {e['evidence']}" for e in own)
        if facts.score["grade_proposed"] != alone:
            text = say("A gate allows {cap} at best, so the grade is {grade}: {gates}.")
        else:
            text = say("A gate allows {cap} at best, which changes nothing here: {gates}.")
        lines.append(filled(text, cap=cap, grade=bold(facts.score["grade_proposed"]), gates=listed))
    return _joined(lines)


# --- 3. Decision and appeal ------------------------------------------------------------------------------------


def _decision(facts: Facts) -> list[tuple[str, Markup]]:
    rows: list[tuple[str, Markup]] = []
    if facts.scored:
        rows.append((say("Proposed"), _proposed(facts)))
        rows += _decided(facts)
    else:
        rows.append((say("Decided"), escape(say("nothing: without a score there is no proposal"))))
    rows += _appeals(facts)
    rows.append((say("Bonus"), _bonus(facts)))
    return rows


def _proposed(facts: Facts) -> Markup:
    grade = facts.score["grade_proposed"]
    if _left_alone(facts) or facts.score["score_proposed"] == facts.score["score_raw"]:
        lines = [filled(say("{grade}, not adjusted."), grade=grade)]
    else:
        lines = [filled(say("{grade}, severity-adjusted."), grade=grade)]
    if facts.flags:
        named = words.joined(words.flag(flag) for flag, _ in facts.flags)
        lines.append(filled(say("Put up for discussion: {flags}."), flags=named))
        lines += [escape(told(evidence)) for _, evidence in facts.flags]
    else:
        lines.append(escape(say("Nothing about it was put up for discussion.")))
    return _joined(lines)


def _decided(facts: Facts) -> list[tuple[str, Markup]]:
    found = facts.decided
    if found is None:
        return [(say("Decided"), escape(say("not yet")))]
    values = {"grade": bold(found.grade), "day": words.day(found.day), "one": found.by[0], "two": found.by[1]}
    if found.kind == "appeal":
        text = say("{grade}, {day}, by the panel of your appeal, {one} and {two}")
    elif found.kind == "consent":
        text = say("{grade}, {day}, on a list of accepted proposals; proposed by {one}, authorised by {two}")
    else:
        text = say("{grade}, {day}; proposed by {one}, authorised by {two}")
    rows = [(say("Decided"), filled(text, **values))]
    if found.void:
        rows.append((say("No longer"), filled(say("rests on other figures: {changes}"), changes=told(found.void))))
    reason = found.reason
    if found.code:
        meaning = words.reason_codes().get(found.code, "")
        reason = say("{code}, {meaning}; {reason}", code=found.code, meaning=meaning, reason=found.reason)
    if found.evidence:
        reason = say("{reason}; evidence: {evidence}", reason=reason, evidence=found.evidence)
    return [*rows, (say("Reason"), escape(reason))]


def _appeals(facts: Facts) -> list[tuple[str, Markup]]:
    days = facts.scheme.outcomes.appeal.working_days
    if facts.last_day is None:
        window = filled(say("opens when the quarter is final, for {n} working days, to HR. Your manager will not judge it"),
                        n=days)  # fmt: skip
    elif facts.over:
        window = filled(say("the time to file one ended on {day}"), day=words.day(facts.last_day))
    else:
        window = filled(say("by {day}, {n} working days, to HR. Your manager will not judge it"),
                        day=bold(words.day(facts.last_day)), n=days)  # fmt: skip
    rows = [(say("Appeal"), window)]
    for appeal in facts.appeals:
        rows.append(
            (say("Filed"), filled(say("on {day}: {facts}"), day=words.day(appeal.filed), facts=appeal.facts))
        )  # fmt: skip
        rows.append((say("Outcome"), _outcome(appeal)))
        rows += [
            (say("Corrected"), filled(say("{what}: {was} → {now}; the first figure is kept beside it"),
                                      what=what, was=was or say("nothing"), now=now or say("nothing")))
            for what, was, now in appeal.corrected
        ]  # fmt: skip
    if not facts.appeals:
        text = say("upheld, changed, sent back or withdrawn; replayed on the same data")
        rows.append((say("Outcome"), escape(text)))
    return rows


def outcome_name(outcome: str) -> str:
    """An appeal's outcome in words."""
    names = {
        "upheld": say("upheld"),
        "changed": say("changed"),
        "sent_back": say("sent back"),
        "withdrawn": say("withdrawn"),
    }
    return names[outcome]


def _outcome(appeal: Appealed) -> Markup:
    if not appeal.outcome or appeal.day is None:
        return escape(say("open: upheld, changed, sent back or withdrawn; replayed on the same data"))
    values = {"outcome": bold(outcome_name(appeal.outcome)), "day": words.day(appeal.day), "reason": appeal.reason}
    if appeal.panel:
        return filled(say("{outcome} on {day} by {panel}: {reason}"), panel=words.joined(appeal.panel), **values)
    return filled(say("{outcome} on {day}: {reason}"), **values)


def _bonus(facts: Facts) -> Markup:
    bonus = facts.bonus
    if bonus is None:
        return escape(say("none: you have no bonus target in the pay table"))
    if bonus.reason.startswith("not eligible"):
        return escape(told(bonus.reason))
    if not facts.grade:
        return escape(say("none before a decision"))
    values: dict[str, object] = {
        "multiplier": f"{bonus.multiplier:g}", "company": f"{bonus.company:g}", "currency": bonus.currency,
        "target": _money(bonus.target), "claim": _money(bonus.claim),
    }  # fmt: skip
    if bonus.cents is None:
        return filled(say("individual multiplier {multiplier}; the amount is known when the quarter is final"), **values)
    text = say("target {target} × company multiplier {company} × individual multiplier {multiplier} = {claim} {currency}.")
    lines = [filled(text, **values)]
    if bonus.share is not None:
        text = say("The pool pays {share} % of every claim, to the cent: {amount} {currency}.")
    elif bonus.cents != round(100 * bonus.claim):
        text = say("What the pool pays of it: {amount} {currency}.")
    else:
        text = say("Paid: {amount} {currency}.")
    share = "" if bonus.share is None else f"{100 * bonus.share:.7f}"
    lines.append(filled(text, share=share, amount=bold(_money(bonus.cents / 100)), **values))
    if bonus.reason:
        lines.append(filled(say("Note: {reason}."), reason=_told(bonus.reason)))
    if facts.status == "PROVISIONAL":
        lines.append(escape(say("Provisional until appeals close.")))
    return _joined(lines)


def _money(value: float) -> str:
    whole, part = f"{value:.2f}".split(".")
    return f"{int(whole):,}".replace(",", words.THIN) + f".{part}"


def _foot() -> str:
    lines = [
        say("The range shown allows for rating error; it is not the chance that you deserve the grade."),
        say("The sheet holds no colleague's data, and of those who rate it speaks only of your own manager."),
        say("Figures are shown rounded; sums use unrounded numbers."),
    ]
    return words.gap().join(lines)


__all__ = [
    "Appealed",
    "Bonus",
    "Decided",
    "Facts",
    "Standard",
    "beside_cuts",
    "explain_page",
    "figure",
    "filled",
    "outcome_name",
]
