"""The sheet from which the person rated can compute the own result again. It holds nobody else's data."""

from functools import lru_cache
from importlib.resources import files

from markupsafe import Markup, escape

from ...grades import GRAIN, grade_of
from ...language import say, spoken
from ...plots.line import score_line
from .. import words
from ..page import chip, document, made_up, render
from .decision import decision, outcome_name
from .facts import LEAST_SHARED, Appealed, Bonus, Decided, Facts, Standard, left_alone, range_of
from .steps import steps_of
from .table import heads, lead, rows
from .text import bare, beside_cuts, bold, figure, filled, joined

NEAR = 1.0  # points from a cut line at which the sentence on the score names it


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
        lead=lead(facts),
        heads=heads(facts),
        rows=rows(facts),
        steps=steps_of(facts),
        decision=decision(facts),
        foot=_foot(facts),
    )
    return document(f"{facts.employee}: {title}", head, Markup(body), kind="sheet", style=_style())


@lru_cache
def _style() -> Markup:
    return Markup(files("perfmodel.report").joinpath("explain.css").read_text(encoding="utf-8").strip())


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
    who = f"{facts.employee} {facts.name}".strip()
    return say("{who}, {post}, {unit}", who=who, post=facts.post, unit=facts.unit)


def _source(facts: Facts) -> str:
    if facts.final_on is None:
        state = say("not final")
    elif any(not appeal.outcome or appeal.outcome == "sent_back" for appeal in facts.appeals):
        state = say("final since {day}, your appeal is open", day=words.day(facts.final_on))
    elif facts.over:
        state = say("final since {day}, appeals closed", day=words.day(facts.final_on))
    else:
        state = say("final since {day}, appeals open", day=words.day(facts.final_on))
    return say("Run {run}, {state}", run=facts.run, state=state)


def _headline(facts: Facts) -> Markup:
    if not facts.scored:
        lines = [filled(say("There is no score for this quarter: {reason}."), reason=bold(bare(facts.score["reason"])))]
        if facts.score["status"] == "late":
            lines.append(escape(say("The quarter cannot be closed before it has come.")))
        else:
            lines.append(escape(say("So no grade is proposed, and none is decided.")))
        return joined(lines)
    return joined([*_on_score(facts), _on_decision(facts)])


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
    if left_alone(facts):
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
    low, high = range_of(facts)
    return score_line(
        float(score["score_raw"]),
        float(score["score_proposed"]),
        facts.scheme.cuts,
        low=low,
        high=high,
        level=facts.scheme.limits.confidence,
    )


def _foot(facts: Facts) -> str:
    lines = [
        say("The range shown allows for rating error; it is not the chance that you deserve the grade."),
        say("The sheet holds no colleague's data, and of those who rate it speaks only of your own manager."),
        say("Figures are shown rounded; sums use unrounded numbers."),
        say("Made from run {run} and the ledger with head {head}.", run=facts.run, head=facts.head[:12]),
    ]
    return words.gap().join(lines)


__all__ = [
    "LEAST_SHARED",
    "Appealed",
    "Bonus",
    "Decided",
    "Facts",
    "Standard",
    "explain_page",
    "figure",
    "outcome_name",
]
