"""A private page for one rater: how the own ratings compare, and three of them to think about. Never a judgement."""

import hashlib
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from .. import plots
from ..raters import SeverityFit
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


def feedback_sheets(assessment) -> dict[str, str]:
    """File name -> HTML page of every rater who rated somebody else. For the rater and HR alone."""
    fit, raters = assessment.severity, assessment.raters.set_index("rater_id")
    names = assessment.cycle.employees.set_index("employee_id")["name"]
    kpis = {item.id: item.name.say() for item in assessment.cycle.scheme.items}
    now = assessment.drift[assessment.drift["quarter"].eq(assessment.cycle.id)]
    moved = dict(zip(now["rater_id"], now["signal"], strict=True))
    meta = {"Quarter": assessment.cycle.id, "For": "the rater and HR alone"}
    return {
        f"{_file(rater)}.html": Page(
            f"Your ratings, {rater}",
            _parts(fit, raters.loc[[rater]], names, kpis, moved.get(rater, "")),
            assessment.status,
            meta,
            assessment.cycle.simulated,
        ).html()
        for rater in raters.index
    }


def _file(rater: str) -> str:
    """A file name of a rater's id; an id that cannot be one gets a mark of its own, so that no two share a file."""
    plain = re.sub(r"[^A-Za-z0-9._-]|^\.", "_", rater)[:60]
    return plain if plain == rater else f"{plain}-{hashlib.sha256(rater.encode()).hexdigest()[:8]}"


def _parts(fit: SeverityFit, row: pd.DataFrame, names: pd.Series, kpis: Mapping[str, str], moved: str) -> list:
    rater = str(row.index[0])
    one = row.iloc[0]
    compared = "colleagues who rate the same people"
    if fit.link and fit.model.rests[list(fit.model.rater_ids).index(rater)]:
        compared = f"other raters, {ASSUMPTIONS[fit.link]}"
    parts: list = [Sentences(_findings(one, fit, compared, moved), "How your ratings compare")]
    if np.isfinite(one["severity"]) and one["verdict"] != "too few ratings":
        parts.append(
            Figure(
                plots.severity(row.reset_index(), level=fit.confidence),
                f"Your severity against {compared}",
                "Rating points; inside the grey a rater is not distinguishable from the others.",
            )
        )
    examples = fit.examples(rater, EXAMPLES)
    if len(examples):
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
        lead = Table(
            table,
            "Three ratings to think about" if len(table) == EXAMPLES else "Ratings to think about",
            "Yours that lie farthest from what all ratings of the same person say. Expected is on your own scale: your "
            "severity is in it already. Empty where only one other person rated: it would give that rating away.",
            labels={"yours": "Your rating", "expected": "Expected of you", "others": "Number of other raters"},
            formats={"yours": "rating", "expected": "rating", "others": "count"},
        )
        parts += [lead, Sentences(QUESTIONS, "Questions for each of them")]
    else:
        parts.append(
            Callout(
                "Nobody else rated the people you rated, so there is no example to compare. Ask for one or two of your "
                "people to be rated by a colleague who works with them, blind to your ratings.",
                "No examples.",
            )
        )
    parts.append(
        Section(
            "What this page is not",
            [
                "It compares scales, not right with wrong: a severe rater may be the one who is right. It enters "
                "neither your own rating nor your pay, and your colleagues do not see it. It is part of the training "
                "that the scheme promises to raters."
            ],
        )
    )
    return parts


def _findings(one: pd.Series, fit: SeverityFit, compared: str, moved: str) -> list[str]:
    """Severity, scale use, halo and drift in words; what is not known with its reason."""
    based = f"on {words.count_of(int(one['n_ratings']), 'rating')} of " + words.count_of(
        int(one["n_employees"]), "person", "people"
    )
    if not np.isfinite(one["severity"]):
        return [
            f"Nothing can be said of your severity, {based}: {_why(one, fit)}. Your ratings enter the scores as you "
            "gave them."
        ]
    if one["verdict"] == "too few ratings":
        return [f"Too few ratings to say anything: {based}."]
    level = f"{fit.confidence:.0%}".replace("%", " %")
    span = f"{words.signed(one['lower'], 2)} to {words.signed(one['upper'], 2)} at {level}"
    way = {"severe": "more severe than", "lenient": "more lenient than"}.get(one["verdict"])
    size = words.plain(abs(one["severity"]), 2)
    said = [
        f"{size} points {way} {compared} ({span}), {based}."
        if way
        else f"Not distinguishable from {compared} ({words.signed(one['severity'], 2)}; {span}), {based}."
    ]
    if not tells_scale_use(fit.raters):
        said.append("Use of the scale: these ratings cannot tell raters apart in it.")
    elif np.isfinite(one["discrimination"]):
        use = words.plain(one["discrimination"], 2)
        said.append(
            f"Use of the scale {use} (1 is as the others"
            + ("; you keep nearer the middle)." if one["discrimination"] < 0.9 else ")." if one["discrimination"] < 1.1
               else "; you spread people further)."))  # fmt: skip
    if np.isfinite(one["halo"]):
        usual = np.sqrt(fit.variances.get("halo", np.nan))
        said.append(
            f"Halo {words.plain(one['halo'], 2)} points, usual {words.plain(usual, 2)}: how far one impression of a "
            "person moves all of your ratings of that person together."
        )
    if np.isfinite(one["drift"]):
        size, way = words.plain(abs(one["drift"]), 2), "severer" if one["drift"] > 0 else "milder"
        allowed = "more than error allows" if moved else "within what error allows"
        said.append(f"{size} points {way} than in your earlier quarters; {allowed}.")
    return said


def _why(one: pd.Series, fit: SeverityFit) -> str:
    """Why a rater is left alone, said to the rater."""
    why = str(fit.model.alone[list(fit.model.rater_ids).index(one.name)])
    if why == UNLINKED:
        return "you and your colleagues share no person, so a severe rater cannot be told from a weak team"
    return why
