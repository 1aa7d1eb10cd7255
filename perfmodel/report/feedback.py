"""A private page for one rater: how the own ratings compare, and three of them to think about. Never a judgement."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import plots
from ..language import say, say_n, spoken, told
from ..raters.links import ASSUMPTIONS, UNLINKED
from . import words
from .answers import tells_scale_use
from .page import Callout, Figure, Page, Section, Sentences, Table

EXAMPLES = 3
QUESTIONS = (
    "What did I see in this quarter that led to this rating, and could a colleague have seen it too?",
    "Which level of the rubric describes that conduct best, read word by word?",
    "Would I rate the same conduct alike in somebody of another team?",
)


@dataclass(frozen=True, eq=False)
class OwnRatings:
    """What one rater is told: own numbers alone, so that they can travel to whoever draws the page.

    ``row``: the rater's row of the table ``raters``, index the id; ``examples``: ratings to think about, with names.
    ``why``: the reason why severity is unknown; ``assumed``: the assumption by which it is known; ``moved``: the
    signal of drift; ``usual_halo``: of all raters; ``use_told``: whether these ratings tell how a scale is used.
    """

    quarter: str
    status: str
    simulated: bool
    confidence: float
    usual_halo: float
    use_told: bool
    row: pd.DataFrame
    examples: pd.DataFrame
    why: str
    assumed: str
    moved: str


def own_ratings(assessment) -> Iterator[OwnRatings]:
    """Of every rater who rated somebody else, one by one, in the language spoken."""
    fit, raters = assessment.severity, assessment.raters.set_index("rater_id")
    names = assessment.cycle.employees.set_index("employee_id")["name"]
    kpis = {item.id: item.name.say(spoken()) for item in assessment.cycle.scheme.items}
    now = assessment.drift[assessment.drift["quarter"].eq(assessment.cycle.id)]
    moved = dict(zip(now["rater_id"], now["signal"], strict=True))
    place = {rater: i for i, rater in enumerate(fit.model.rater_ids)}
    usual, use_told = float(np.sqrt(fit.variances.get("halo", np.nan))), tells_scale_use(fit.raters)
    for rater in raters.index:
        examples = fit.examples(rater, EXAMPLES)
        table = pd.DataFrame(
            {
                "person": [f"{names.get(who, '')} ({who})".strip() for who in examples["employee_id"]],
                "item": examples["kpi"].map(lambda kpi: kpis.get(kpi, kpi)),
                "others": examples["others"],
                "yours": examples["rating"],
                # With one other rater, what is expected would tell that rater's own rating.
                "expected": examples["expected"].where(examples["others"] > 1),
            }
        )
        yield OwnRatings(
            quarter=assessment.cycle.id,
            status=assessment.status,
            simulated=assessment.cycle.simulated,
            confidence=fit.confidence,
            usual_halo=usual,
            use_told=use_told,
            row=raters.loc[[rater]],
            examples=table,
            why=str(fit.model.alone[place[rater]]),
            assumed=ASSUMPTIONS[fit.link] if fit.link and fit.model.rests[place[rater]] else "",
            moved=moved.get(rater, ""),
        )


def feedback_sheet(own: OwnRatings) -> tuple[str, str]:
    """File name and HTML of a rater's page. For the rater and HR alone."""
    rater = str(own.row.index[0])
    meta = {say("Quarter"): own.quarter, say("For"): say("the rater and HR alone")}
    page = Page(say("Your ratings, {rater}", rater=rater), _parts(own), own.status, meta, own.simulated)
    return f"{_file(rater)}.html", page.html()


def feedback_sheets(assessment) -> Iterator[tuple[str, str]]:
    """``feedback_sheet`` of every rater who rated somebody else, one by one."""
    return map(feedback_sheet, own_ratings(assessment))


def _file(rater: str) -> str:
    """A file name of a rater's id; an id that cannot be one gets a mark of its own, so that no two share a file."""
    plain = re.sub(r"[^A-Za-z0-9._-]|^\.", "_", rater)[:60]
    return plain if plain == rater else f"{plain}-{hashlib.sha256(rater.encode()).hexdigest()[:8]}"


def _parts(own: OwnRatings) -> list:
    one = own.row.iloc[0]
    compared = say("colleagues who rate the same people")
    if own.assumed:
        compared = say("other raters, {assumption}", assumption=told(own.assumed))
    parts: list = [Sentences(_findings(one, own, compared), say("How your ratings compare"))]
    if np.isfinite(one["severity"]) and one["verdict"] != "too few ratings":
        parts.append(
            Figure(
                plots.severity(own.row.reset_index(), level=own.confidence),
                say("Your severity against {compared}", compared=compared),
                say("Rating points; inside the grey a rater is not distinguishable from the others."),
            )
        )
    table = own.examples
    if len(table):
        lead = Table(
            table,
            say("Three ratings to think about") if len(table) == EXAMPLES else say("Ratings to think about"),
            say(
                "Yours that lie farthest from what all ratings of the same person say. Expected is on your own scale: "
                "your severity is in it already. Empty where only one other person rated: it would give that rating "
                "away."
            ),
            labels={
                "person": say("Person"),
                "item": say("Item"),
                "yours": say("Your rating"),
                "expected": say("Expected of you"),
                "others": say("Number of other raters"),
            },
            formats={"yours": "rating", "expected": "rating", "others": "count"},
        )
        parts += [lead, Sentences([say(question) for question in QUESTIONS], say("Questions for each of them"))]
    else:
        parts.append(
            Callout(
                say(
                    "Nobody else rated the people you rated, so there is no example to compare. Ask for one or two of "
                    "your people to be rated by a colleague who works with them, blind to your ratings."
                ),
                say("No examples."),
                act=True,
            )
        )
    parts.append(
        Section(
            say("What this page is not"),
            [
                say(
                    "It compares scales, not right with wrong: a severe rater may be the one who is right. It enters "
                    "neither your own rating nor your pay, and your colleagues do not see it. It is part of the "
                    "training that the scheme promises to raters."
                )
            ],
        )
    )
    return parts


def _findings(one: pd.Series, own: OwnRatings, compared: str) -> list[str]:
    """Severity, scale use, halo and drift in words; what is not known with its reason."""
    ratings, people = int(one["n_ratings"]), int(one["n_employees"])
    based = {
        "ratings": say_n("{n} rating", "{n} ratings", ratings, n=words.grouped(ratings)),
        "people": say_n("{n} person", "{n} people", people, n=words.grouped(people)),
    }
    if not np.isfinite(one["severity"]):
        return [
            say(
                "Nothing can be said of your severity, on {ratings} of {people}: {why}. Your ratings enter the scores "
                "as you gave them.",
                why=_why(own.why), **based,
            )
        ]  # fmt: skip
    if one["verdict"] == "too few ratings":
        return [say("Too few ratings to say anything: on {ratings} of {people}.", **based)]
    said = [_against(one, f"{100 * own.confidence:.0f} %", compared, based)]
    if not own.use_told:
        said.append(say("Use of the scale: these ratings cannot tell raters apart in it."))
    elif np.isfinite(one["discrimination"]):
        said.append(_use(one["discrimination"]))
    if np.isfinite(one["halo"]):
        said.append(
            say(
                "Halo {halo} points, usual {usual}: how far one impression of a person moves all of your ratings of "
                "that person together.",
                halo=words.plain(one["halo"], 2), usual=words.plain(own.usual_halo, 2),
            )
        )  # fmt: skip
    if np.isfinite(one["drift"]):
        said.append(_since(one["drift"], own.moved))
    return said


def _against(one: pd.Series, level: str, compared: str, based: Mapping[str, str]) -> str:
    """The rater's severity beside that of the others."""
    values = {
        "size": words.plain(abs(one["severity"]), 2), "severity": words.signed(one["severity"], 2),
        "low": words.signed(one["lower"], 2), "high": words.signed(one["upper"], 2),
        "level": level, "others": compared, **based,
    }  # fmt: skip
    if one["verdict"] == "severe":
        return say(
            "{size} points more severe than {others} ({low} to {high} at {level}), on {ratings} of {people}.", **values
        )
    if one["verdict"] == "lenient":
        return say(
            "{size} points more lenient than {others} ({low} to {high} at {level}), on {ratings} of {people}.", **values
        )
    return say(
        "Not distinguishable from {others} ({severity}; {low} to {high} at {level}), on {ratings} of {people}.",
        **values,
    )


def _use(discrimination: float) -> str:
    """How far apart the rater puts people."""
    use = words.plain(discrimination, 2)
    if discrimination < 0.9:
        return say("Use of the scale {use} (1 is as the others; you keep nearer the middle).", use=use)
    if discrimination < 1.1:
        return say("Use of the scale {use} (1 is as the others).", use=use)
    return say("Use of the scale {use} (1 is as the others; you spread people further).", use=use)


def _since(drift: float, moved: str) -> str:
    """How the rater has moved since earlier quarters."""
    size = words.plain(abs(drift), 2)
    if drift > 0:
        return (
            say("{size} points severer than in your earlier quarters; more than error allows.", size=size)
            if moved
            else say("{size} points severer than in your earlier quarters; within what error allows.", size=size)
        )
    return (
        say("{size} points milder than in your earlier quarters; more than error allows.", size=size)
        if moved
        else say("{size} points milder than in your earlier quarters; within what error allows.", size=size)
    )


def _why(why: str) -> str:
    """Why a rater is left alone, said to the rater."""
    if why == UNLINKED:
        return say("you and your colleagues share no person, so a severe rater cannot be told from a weak team")
    return told(why)
