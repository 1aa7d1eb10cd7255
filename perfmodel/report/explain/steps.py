"""What became of the ratings, of the score, and of the grade, step by step."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from ...grades import grade_of
from ...language import say, say_n, spoken
from ...plots.theme import signed
from .. import words
from .facts import Facts, Standard, days_of, left_alone, range_of, sum_of
from .table import summed
from .text import bare, beside_cuts, bold, filled, joined, rating

SHIFT_DIGITS = 4  # of a rating point; 20 score points a rating point leave the third digit of a score right


def steps_of(facts: Facts) -> list[Markup]:
    if not facts.scored:
        return []
    steps: list[Markup] = []
    raw, proposed = float(facts.score["score_raw"]), float(facts.score["score_proposed"])
    cuts = facts.scheme.cuts
    if not any(row["kind"] == "rated" and row["weight"] > 0 for row in facts.items):
        steps.append(escape(say("No rating enters your score, so there is nothing to adjust.")))
    elif reason := left_alone(facts):
        steps.append(
            filled(
                say("Not adjusted: {reason}. Your ratings count as they were given."),
                reason=bare(reason).removeprefix(say("left alone: ")),
            )
        )
    else:
        for card in facts.counted:
            steps += _card_steps(facts, card["scorecard"], len(facts.cards) > 1)
        steps.append(_shift_step(facts, raw, proposed))
    if abs(proposed - raw) <= 1e-12:
        text = say("The proposed score is the score before adjustment: {score}.")
        steps.append(filled(text, score=bold(beside_cuts(proposed, cuts, 3))))
    steps.append(_cut_step(facts, proposed))
    low, high = range_of(facts)
    if low is None or high is None:
        steps.append(
            escape(say("No range and no chance of a grade: what rating error does to this score is not known."))
        )
    else:
        text = say("Rating error alone gives {low} to {high} around {score} ({level}).")
        values = {"low": f"{low:.1f}", "high": f"{high:.1f}", "level": f"{100 * facts.scheme.limits.confidence:.0f} %"}
        steps.append(filled(text, score=f"{float(facts.score['score_adjusted']):.1f}", **values))
    return steps


def _card_steps(facts: Facts, card: str, several: bool) -> list[Markup]:
    own = [row for row in facts.of_card(card) if row["kind"] == "rated" and row["status"] == "final"]
    if not own:
        return []
    standard = facts.standards[card]
    names = ("rating_raw", "rating_adjusted", "score_adjusted")
    pairs = sorted({tuple(round(row[name], 9) for name in names) for row in own}, reverse=True)
    parts = [
        say(
            "{before} becomes {after}, which gives {points} points",
            before=rating(before),
            after=words.plain(after, SHIFT_DIGITS),
            points=f"{points:.2f}",
        )
        for before, after, points in pairs
    ]
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
        shift = own[0]["rating_adjusted"] - own[0]["rating_raw"]
        lines.append(_standard(facts, standard, shift, values))
    if "assuming" in standard.verdict:
        lines.append(filled(say("This rests on an assumption: {assumption}."), assumption=bare(standard.verdict)))
    least, most, _ = facts.scheme.scale
    if not all(least <= row["rating_adjusted"] <= most for row in own):
        lines.append(escape(say("Beyond the ends of the scale the points stay as they are there.")))
    before, after = (sum_of(facts, card, step, "rated") for step in ("raw", "adjusted"))
    text = say("That gives {after} instead of {before} points for the rated part: {change}.")
    change = bold(signed(after - before, 3))
    return [joined(lines), filled(text, after=f"{after:.3f}", before=f"{before:.3f}", change=change)]


def _standard(facts: Facts, standard: Standard, shift: float, values: Mapping[str, Any]) -> Markup:
    """How the one rater's standard compares, and what becomes of each rating."""
    size, n = words.plain(abs(shift), SHIFT_DIGITS), values["n"]
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
            n,
            **_same(more),
        )
        if standard.whose == "rater":
            text = say_n(
                "Among people rated in common, the ratings of the person who rated you were {size} points more severe "
                "({level} interval {low} to {high}). So {add} is added to your rating: {ratings}.",
                "Among people rated in common, the ratings of the person who rated you were {size} points more severe "
                "({level} interval {low} to {high}). So {add} is added to each of your {n} ratings: {ratings}.",
                n,
                **_same(more),
            )
    elif shift < 0:
        more |= {"low": words.plain(-standard.high, 2), "high": words.plain(-standard.low, 2)}
        text = say_n(
            "Among people rated in common, your manager's ratings were {size} points more lenient ({level} interval "
            "{low} to {high}). So {add} is taken off your rating: {ratings}.",
            "Among people rated in common, your manager's ratings were {size} points more lenient ({level} interval "
            "{low} to {high}). So {add} is taken off each of your {n} ratings: {ratings}.",
            n,
            **_same(more),
        )
        if standard.whose == "rater":
            text = say_n(
                "Among people rated in common, the ratings of the person who rated you were {size} points more lenient "
                "({level} interval {low} to {high}). So {add} is taken off your rating: {ratings}.",
                "Among people rated in common, the ratings of the person who rated you were {size} points more lenient "
                "({level} interval {low} to {high}). So {add} is taken off each of your {n} ratings: {ratings}.",
                n,
                **_same(more),
            )
    else:
        text = say("Among people rated in common, no difference of standard was found, so your ratings stay.")
    said = filled(text, **more)
    if standard.verdict.startswith("not distinguishable"):
        said = joined([said, escape(say("Taken alone, this difference is not distinguishable from none."))])
    return said


def _same(values: Mapping[str, object]) -> dict[str, str]:
    """Placeholders that stay: they are filled in with bold later."""
    return {name: "{" + name + "}" for name in values}


def _shift_step(facts: Facts, raw: float, proposed: float) -> Markup:
    cuts, most = facts.scheme.cuts, facts.scheme.limits.max_shift
    wanted = float(facts.score["score_adjusted"]) - raw
    values: dict[str, object] = {
        "raw": beside_cuts(raw, cuts, 3),
        "score": bold(beside_cuts(proposed, cuts, 3)),
        "most": f"{most:g}",
        "shift": signed(proposed - raw, 3),
        "wanted": signed(wanted, 3),
    }
    lines = []
    if len(facts.counted) > 1:
        changes = [
            (sum_of(facts, card, "adjusted", "rated") - sum_of(facts, card, "raw", "rated"), days)
            for card, days in days_of(facts)
        ]
        text = say("Weighted by days: ({terms}) ÷ {days} = {wanted}.")
        lines.append(filled(text, terms=summed(changes), days=sum(days for _, days in changes), **values))
    sum_ = say("{raw} + {size} = {score}.") if proposed >= raw else say("{raw} − {size} = {score}.")
    values["size"] = words.plain(abs(proposed - raw), 3)
    if abs(wanted) > most:
        text = say("A shift may be {most} points at most, so {wanted} is held at {shift}.")
        lines += [filled(text, **values), filled(sum_, **values)]
    else:
        lines += [
            filled(sum_, **values),
            filled(say("A shift may be {most} points at most; this one is inside."), **values),
        ]
    return joined(lines)


def _cut_step(facts: Facts, proposed: float) -> Markup:
    cuts = facts.scheme.cuts
    *upper, last = cuts
    listed = words.joined(say("{grade} from {cut}", grade=grade, cut=f"{cuts[grade]:g}") for grade in upper)
    lines = [
        filled(
            say("Cut lines: {cuts}, {last} below. A score on the line takes the higher grade."), cuts=listed, last=last
        )
    ]
    alone = str(grade_of([proposed], cuts)[0])
    lines.append(filled(say("{score} is {grade}."), score=beside_cuts(proposed, cuts, 3), grade=bold(alone)))
    if cap := facts.score["cap"]:
        names = {gate.code: gate.name.say(spoken()) for gate in facts.scheme.gates}
        own = [event for event in facts.events if event["kind"] == "gate"]
        listed = "; ".join(f"{e['code']} {names.get(e['code'], '')}, {e['evidence']}" for e in own)
        if facts.score["grade_proposed"] != alone:
            text = say("A gate allows {cap} at best, so the grade is {grade}: {gates}.")
        else:
            text = say("A gate allows {cap} at best, which changes nothing here: {gates}.")
        lines.append(filled(text, cap=cap, grade=bold(facts.score["grade_proposed"]), gates=listed))
    return joined(lines)
