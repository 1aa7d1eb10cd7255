"""What was proposed and decided, by whom and why; the appeal; the bonus."""

from markupsafe import Markup, escape

from ...language import say, told
from .. import words
from .facts import LEAST_SHARED, Appealed, Facts, left_alone
from .text import bare, bold, filled, joined


def decision(facts: Facts) -> list[tuple[str, Markup]]:
    rows: list[tuple[str, Markup]] = []
    if facts.scored:
        rows.append((say("Proposed"), _proposed(facts)))
        rows += _decided(facts)
    else:
        rows.append((say("Decided"), escape(say("nothing: without a score there is no proposal"))))
    rows += _appeals(facts)
    rows.append((say("Bonus paid"), _bonus(facts)))
    return rows


def _proposed(facts: Facts) -> Markup:
    grade = facts.score["grade_proposed"]
    if left_alone(facts) or facts.score["score_proposed"] == facts.score["score_raw"]:
        lines = [filled(say("{grade}, not adjusted."), grade=grade)]
    else:
        lines = [filled(say("{grade}, severity-adjusted."), grade=grade)]
    if facts.flags:
        named = words.joined(words.flag(flag) for flag, _ in facts.flags)
        lines.append(filled(say("Put up for discussion: {flags}."), flags=named))
        lines += [escape(told(evidence)) for _, evidence in facts.flags]
    else:
        lines.append(escape(say("Nothing about it was put up for discussion.")))
    return joined(lines)


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
        reason = say("{reason}; evidence: {evidence}", reason=reason.rstrip(".。"), evidence=found.evidence)
    return [*rows, (say("Reason"), escape(reason))]


def _appeals(facts: Facts) -> list[tuple[str, Markup]]:
    days = facts.scheme.outcomes.appeal.working_days
    if not facts.scored:
        window = escape(say("none while there is no grade; tell HR which fact is wrong, and have it corrected"))
        return [(say("Appeal"), window)]
    if facts.last_day is None:
        text = say("opens when the quarter is final, for {n} working days, to HR. Your manager will not judge it")
        window = filled(text, n=days)
    elif facts.over:
        window = filled(say("the time to file one ended on {day}"), day=words.day(facts.last_day))
    else:
        window = filled(
            say("by {day}, {n} working days, to HR. Your manager will not judge it"),
            day=bold(words.day(facts.last_day)),
            n=days,
        )
    rows = [(say("Appeal"), window)]
    for appeal in facts.appeals:
        rows.append((say("Filed"), filled(say("on {day}: {facts}"), day=words.day(appeal.filed), facts=appeal.facts)))
        rows.append((say("Outcome"), _outcome(appeal)))
        rows += [
            (
                say("Corrected"),
                filled(
                    say("{what}: {was} → {now}; the first figure is kept beside it"),
                    what=what,
                    was=was or say("nothing"),
                    now=now or say("nothing"),
                ),
            )
            for what, was, now in appeal.corrected
        ]
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
        "multiplier": f"{bonus.multiplier:g}",
        "company": f"{bonus.company:g}",
        "currency": bonus.currency,
        "target": _money(bonus.target),
        "claim": _money(bonus.claim),
    }
    if bonus.cents is None:
        return filled(
            say("individual multiplier {multiplier}; the amount is known when the quarter is final"), **values
        )
    text = say(
        "target {target} × company multiplier {company} × individual multiplier {multiplier} = {claim} {currency}."
    )
    lines = [filled(text, **values)]
    if bonus.share is not None:
        text = say("The pool pays {share} % of every claim, to the cent: {amount} {currency}.")
    elif bonus.cents != round(100 * bonus.claim):
        text = say(
            "The pool pays {amount} {currency} of it. It pays the same share of every claim; the share is not printed "
            "where fewer than {least} people are paid."
        )
        values["least"] = LEAST_SHARED
    else:
        text = say("Paid: {amount} {currency}.")
    share = "" if bonus.share is None else f"{100 * bonus.share:.7f}"
    lines.append(filled(text, share=share, amount=bold(_money(bonus.cents / 100)), **values))
    if bonus.reason:
        lines.append(filled(say("Note: {reason}."), reason=bare(bonus.reason)))
    if facts.status == "PROVISIONAL":
        lines.append(escape(say("Provisional until appeals close.")))
    return joined(lines)


def _money(value: float) -> Markup:
    """An amount on one line."""
    return Markup('<span class="nw">{}</span>').format(words.cents(100 * value))
