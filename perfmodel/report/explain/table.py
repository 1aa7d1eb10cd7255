"""From targets to points to the score: the rows of the sheet's table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from ...language import say, say_n, spoken, told
from ...plots.theme import MINUS, signed
from ...scheme import Item
from .. import words
from .facts import Facts, days_of, gives, sum_of, weights_of
from .text import beside_cuts, figure, joined, rating

LEVELS = ("threshold", "target", "stretch", "floor", "cap")
LINES = ("threshold_target_max", "milestone")  # rules that are straight lines through three values
WEIGHT_DIGITS = (2, 3, 4)  # a shared weight seldom ends; four digits leave the third of a score right


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


def heads(facts: Facts) -> list[str]:
    level = dict.fromkeys(LEVELS, "") | dict(levels_of(facts))
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


def lead(facts: Facts) -> Markup:
    level, lines = levels_of(facts), []
    if level:
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
    if any(row["kind"] == "rated" for row in facts.items):
        rubric = facts.scheme.rubric
        values = {
            "ratings": " ".join(f"{rating:g}" for rating, _ in rubric),
            "points": " ".join(f"{worth:g}" for _, worth in rubric),
        }
        lines.append(say("Ratings {ratings} give {points} points, straight between.", **values))
    lines.append(say("Gives = points × weight ÷ 100."))
    return joined(escape(line) for line in lines)


@lru_cache(maxsize=8)
def levels_of(facts: Facts) -> Mapping[str, str]:
    """Points of each level of the own items whose rule is a straight line; "" where they do not agree on it."""
    known = _items_of(facts)
    points = [
        known[name].points for name in dict.fromkeys(row["item"] for row in facts.items) if known[name].rule in LINES
    ]
    return {name: _level(points, name) for name in LEVELS} if points else {}


def _level(points: Sequence[Mapping[str, float]], name: str) -> str:
    found = {each.get(name) for each in points}
    value = found.pop() if len(found) == 1 else None
    return "" if value is None else f"{value:g}"


def rows(facts: Facts) -> list[Row]:
    """Rows of the table: scorecard, category, item, sum."""
    if not facts.scored and facts.score["status"] not in ("late", "no score"):
        return []
    rows: list[Row] = []
    several = len(facts.cards) > 1
    for card in facts.cards:
        own = facts.of_card(card["scorecard"])
        if not own:
            continue
        if several:
            rows.append(Row("card", _card(card)))
        if not card["counted"]:
            rows.append(Row("away", say("does not count"), why=told(card["reason"])))
            continue
        rows += _card_rows(facts, own)
        if facts.scored and several:
            name, gives = say("Sum of the scorecard {card}", card=card["scorecard"]), sum_of(facts, card["scorecard"])
            rows.append(Row("sum", name, f"{sum(weights_of(own)):.2f}", f"{gives:.3f}"))
    return rows + (_total_rows(facts, several) if facts.scored else [])


def _card(card: Mapping[str, Any]) -> str:
    return say_n(
        "Scorecard {card}: {unit}, {n} day",
        "Scorecard {card}: {unit}, {n} days",
        int(card["days"]),
        card=card["scorecard"],
        unit=card["unit"],
    )


def _card_rows(facts: Facts, own: Sequence[Mapping[str, Any]]) -> Iterable[Row]:
    known, weights = _items_of(facts), weights_of(own)
    ends = (n for n in WEIGHT_DIGITS if all(abs(weight - round(weight, n)) < 1e-9 for weight in weights))
    digits = next(ends, WEIGHT_DIGITS[-1])
    for category in dict.fromkeys(row["category"] for row in own):
        part = [row for row in own if row["category"] == category]
        whole = weights_of(part)
        late = not whole or any(row["status"] == "late" for row in part)
        yield Row(
            "cat",
            facts.scheme.category(category).name.say(spoken()),
            f"{sum(whole):.{digits}f}" if whole else "",
            say("not known") if late else f"{sum(gives(row) for row in part):.3f}",
        )
        for row in part:
            yield _item_row(facts, known[row["item"]], row, digits)


def _item_row(facts: Facts, item: Item, found: Mapping[str, Any], digits: int) -> Row:
    weight = f"{found['weight']:.{digits}f}" if found["weight"] == found["weight"] else ""
    row = Row(
        "item",
        item.name.say(spoken()),
        weight,
        unit=say(", {unit}", unit=item.unit) if item.unit and item.kind != "rated" else "",
    )
    if found["status"] != "final":
        row.kind, row.why = "away", told(found["reason"])
        return row
    row.points = f"{found['score_raw']:.2f}"
    row.gives = f"{gives(found):.3f}" if weight else ""
    if item.kind == "rated":
        standard = facts.standards.get(found["scorecard"])
        if standard is not None and standard.whose == "several":
            row.how = say("ratings, combined")
        else:
            row.how = say("rating") if standard is None or standard.whose == "rater" else say("manager's rating")
        row.actual = rating(found["rating_raw"])
    elif item.rule not in LINES:
        row.how, row.actual = _formula(item, found["target"]), figure(found["actual"])
    else:
        uniform = all(levels_of(facts)[name] for name in LEVELS[:3])
        row.cells = [
            figure(value) if uniform else f"{figure(value)} ({item.points[name]:g})"
            for name, value in zip(LEVELS[:3], _levels(item, found), strict=True)
        ]
        share = item.kind == "milestone"
        row.actual = figure(100 * found["attainment"], 4) if share else figure(found["actual"])
    if item.kind == "milestone":
        plan = (found["scorecard"], found["item"])
        own = [step for step in facts.milestones if (step["scorecard"], step["item"]) == plan]
        parts = [f"{step['milestone']} {step['weight']:g} × {step['done']:g}" for step in own]
        row.steps = say("weight × share accepted: {steps}", steps="; ".join(parts))
    return row


def _items_of(facts: Facts) -> Mapping[str, Item]:
    return {item.id: item for item in facts.scheme.items}


def _levels(item: Item, row: Mapping[str, Any]) -> tuple[float, float, float]:
    """The actual values that earn threshold, target and stretch points: a row's own before those of the scheme."""
    middle = item.at.get("target", 1.0)
    low, high = item.at["threshold"], item.at["stretch"]
    if item.kind == "milestone":
        return 100 * low, 100 * middle, 100 * high

    def actual(share: float) -> float:
        return row["target"] * (2 - share if item.direction == "lower" else share)

    own = [
        row[name] if row[name] == row[name] else actual(general)
        for name, general in (("threshold", low), ("stretch", high))
    ]
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
    if item.rule == "mirror":
        return say("target {target}; {points} × (2 − actual ÷ target), {floor} to {cap}", **values)
    if item.rule == "ratio":
        return say("target {target}; {points} × actual ÷ target, {floor} to {cap}", **values)
    if item.rule == "all_or_nothing":
        return say("{points} points when the target {target} is reached, else {floor}", **values)
    return say("{points} points less {each} for each one counted, {floor} to {cap}", **values)


def _total_rows(facts: Facts, several: bool) -> list[Row]:
    """What comes after the scorecards: their mean by days, bonus and deduction points, and the score."""
    rows: list[Row] = []
    raw = float(facts.score["score_raw"])
    extra = float(facts.score["bonus"]) - float(facts.score["deduction"])
    last = say("Score before adjustment")
    with_events = bool(facts.score["bonus"] or facts.score["deduction"])
    if several:
        terms = summed((sum_of(facts, card), days) for card, days in days_of(facts))
        said = {"terms": terms, "days": sum(days for _, days in days_of(facts))}
        if with_events:
            rows.append(Row("sum", say("Weighted by days: ({terms}) ÷ {days}", **said), "", f"{raw - extra:.3f}"))
        else:
            last = say("Score before adjustment, by days: ({terms}) ÷ {days}", **said)
    elif with_events:
        rows.append(Row("sum", say("Sum of the scorecard"), "100.00", f"{raw - extra:.3f}"))
    for kind, sign in (("bonus", 1), ("deduction", -1)):
        if not facts.score[kind]:
            continue
        own = [event for event in facts.events if event["kind"] == kind]
        listed = "; ".join(f"{event['code']} {abs(event['points']):g}, {event['evidence']}" for event in own)
        most = facts.scheme.limits.bonus_most if kind == "bonus" else facts.scheme.limits.deduction_most
        text = (
            say("Bonus points, {most} at most: {events}", most=f"{most:g}", events=listed)
            if kind == "bonus"
            else say("Deduction, {most} at most: {events}", most=f"{most:g}", events=listed)
        )
        rows.append(Row("extra", text, "", signed(sign * float(facts.score[kind]), 3)))
    weight = "" if rows or several else f"{sum(weights_of(facts.items)):.2f}"
    return [*rows, Row("sum", last, weight, beside_cuts(raw, facts.scheme.cuts, 3))]


def summed(terms: Iterable[tuple[float, int]]) -> str:
    """``74.707 × 54 + 73.403 × 38``, or ``− 0.102 × 38`` where a term is taken off."""
    text = ""
    for value, days in terms:
        minus = value < 0 and f"{abs(value):.3f}" != "0.000"
        sign = (f" {MINUS} " if minus else " + ") if text else (MINUS if minus else "")
        text += f"{sign}{abs(value):.3f} × {days}"
    return text
