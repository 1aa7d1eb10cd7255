"""Appeals as a page for HR and legal: each with its status and all that its ruling changes. From the ledger alone."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from ..language import say, say_n, told
from ..ledger import Entry
from ..plots.grades import order_of
from ..plots.theme import signed
from ..report import Section, Sentences, Table, words
from ..report.explain import figure, outcome_name
from .appeals import corrections_table
from .pages import Scene, page_of, status_sentence
from .state import APPEAL_RESOLVE, CHANGED

PAGE, TABLE = "restricted/appeals.html", "restricted/corrections.csv"
STEPS = ("raw", "adjusted", "proposed")


def appeal_files(scene: Scene) -> dict[str, bytes]:
    """The page and the table of corrected figures, by path; none while nobody has appealed."""
    from ..io import csv_bytes

    if not scene.state.appeals:
        return {}
    return {PAGE: _page(scene).encode("utf-8"), TABLE: csv_bytes(corrections_table(scene.state))}


def _page(scene: Scene) -> str:
    state = scene.state
    own = [(appeal, who) for who, appeals in state.appeals.items() for appeal in appeals]
    own.sort(key=lambda pair: pair[0].opened.seq)
    table = pd.DataFrame(
        {
            "entry": [appeal.opened.seq for appeal, _ in own],
            "employee_id": [who for _, who in own],
            "filed": [words.day(date.fromisoformat(appeal.opened.data["on"])) for appeal, _ in own],
            "by": [appeal.opened.author for appeal, _ in own],
            "facts": [appeal.opened.data["facts"] for appeal, _ in own],
            "outcome": [_status(appeal.outcome) for appeal, _ in own],
        }
    )
    labels = {
        "entry": say("Entry"),
        "employee_id": say("Employee"),
        "filed": say("Filed"),
        "by": say("By"),
        "facts": say("Facts"),
        "outcome": say("Outcome"),
    }
    lead = say_n("{n} appeal, {open} open.", "{n} appeals, {open} open.", len(own), open=len(state.open_appeals))
    parts: list[Any] = [
        Sentences([status_sentence(scene), lead]),
        Table(table, say("Appeals"), say("In the order in which they were filed."), labels, {"entry": "count"}),
    ]
    parts += [_ruling(entry) for entry in state.entries if entry.kind == APPEAL_RESOLVE]
    if len(corrected := corrections_table(state)):
        shown = {
            "employee_id": say("Employee"),
            "table": say("Table"),
            "row": say("Row"),
            "column": say("Column"),
            "version": say("Version"),
            "value": say("Value"),
            "by": say("By"),
            "entry": say("Entry"),
        }
        formats = {"version": "count", "entry": "count"}
        caption = say("The frozen figure is version 1 and stays; a corrected one stands beside it.")
        corrected = corrected.assign(by=[told(by) for by in corrected["by"]])
        parts.append(Table(corrected, say("Corrected figures"), caption, shown, formats))
    return page_of(scene, say("Appeals, {cycle}: for HR and legal alone", cycle=scene.case.cycle.id), parts)


def _status(outcome: str) -> str:
    if outcome == "":
        return say("open")
    if outcome == "sent_back":
        return say("sent back, open")
    return outcome_name(outcome)


def _ruling(entry: Entry) -> Section:
    data = entry.data
    title = say(
        "{employee}: {outcome}, entry {n}", employee=entry.subject, outcome=outcome_name(data["outcome"]), n=entry.seq
    )
    return Section(title, ruling_parts(entry.subject, data), data["reason"])


def ruling_parts(employee: str, data: Mapping[str, Any]) -> list[Any]:
    """What a ruling changes, as sentences and tables."""
    changes = data["changes"]
    parts: list[Any] = [Sentences(change_sentences(data))]
    own = changes["own"]
    steps = pd.DataFrame(
        {
            "step": [told(step) for step in STEPS],
            "score_before": [own["scores"][step][0] for step in STEPS],
            "score_after": [own["scores"][step][1] for step in STEPS],
            "grade_before": [own["grades"][step][0] for step in STEPS],
            "grade_after": [own["grades"][step][1] for step in STEPS],
        }
    )
    labels = {
        "step": say("Step"),
        "score_before": say("Score before"),
        "score_after": say("Score after"),
        "grade_before": say("Grade before"),
        "grade_after": say("Grade after"),
        "employee": say("Employee"),
        "grade": say("Grade"),
        "before": say("Before"),
        "after": say("After"),
    }
    formats = {"score_before": "score2", "score_after": "score2"}
    if data["corrections"] or _moved(data):
        parts.append(Table(steps, say("Own score and grade"), employee, labels, formats))
    if listed := changes["others"]["listed"]:
        others = pd.DataFrame(
            {
                "employee": [each["employee"] for each in listed],
                "score_before": [each["scores"][0] for each in listed],
                "score_after": [each["scores"][1] for each in listed],
                "grade_before": [each["grades"][0] for each in listed],
                "grade_after": [each["grades"][1] for each in listed],
            }
        )
        caption = say("Proposals as they would be; what was decided on these people stands.")
        parts.append(Table(others, say("Others, through the severity of raters"), caption, labels, formats))
    if data["outcome"] == CHANGED:
        sides = changes["distribution"]["decided"]
        rows = [(grade, *sides[grade]) for grade in order_of(sides)]
        counts = pd.DataFrame(rows, columns=["grade", "before", "after"])
        whole = {"before": "count", "after": "count"}
        parts.append(Table(counts, say("Decided grades"), "", labels, whole))
        if paid := changes["bonuses"]:
            money = pd.DataFrame(
                {
                    "employee": list(paid),
                    "before": [before for before, _ in paid.values()],
                    "after": [after for _, after in paid.values()],
                }
            )
            parts.append(
                Table(money, say("Bonuses that change"), "", labels, dict.fromkeys(["before", "after"], "cents"))
            )
    return parts


def _moved(data: Mapping[str, Any]) -> bool:
    """Whether the own score moves: also by what stood corrected before the ruling."""
    before, after = data["changes"]["own"]["scores"]["proposed"]
    return before != after


def change_sentences(data: Mapping[str, Any]) -> list[str]:
    """What a ruling changes, in short."""
    changes, lines = data["changes"], []
    for each in data["corrections"]:
        row = "/".join(value for name, value in each["key"].items() if name != "employee_id" and value)
        lines.append(
            say(
                "{table}, {row}: {column} {was} → {now} (version {n}).",
                table=each["table"],
                row=row or "-",
                column=each["column"],
                was=each["was"] or say("nothing"),
                now=each["now"] or say("nothing"),
                n=each["version"],
            )
        )
    before, after = changes["own"]["scores"]["proposed"]
    if (data["corrections"] or _moved(data)) and before is not None and after is not None:
        one, two = changes["own"]["grades"]["proposed"]
        lines.append(
            say(
                "Proposed score {before} → {after} ({change}), proposed grade {one} → {two}.",
                before=f"{before:.3f}",
                after=f"{after:.3f}",
                change=signed(after - before, 3),
                one=one,
                two=two,
            )
        )
    if data["outcome"] == CHANGED:
        lines.append(say("Decided grade {one} → {two}.", one=data["decided"], two=data["to"]))
    others = changes["others"]
    flips = [each["employee"] for each in others["listed"] if each["grades"][0] != each["grades"][1]]
    if others["n"]:
        lines.append(
            say_n(
                "{n} other proposal moves, by {most} points at most; {flips} of them to another grade.",
                "{n} other proposals move, by {most} points at most; {flips} of them to another grade.",
                others["n"],
                most=f"{others['largest']:.3f}",
                flips=len(flips),
            )
        )
    elif data["corrections"] or _moved(data):
        lines.append(say("Nobody else's proposal moves."))
    if pool := changes["pool"]:
        cost, balance = ([cents / 100 for cents in pool[name]] for name in ("cost", "balance"))
        if cost[0] != cost[1]:
            lines.append(
                say(
                    "Pool: cost {before} → {after} {currency}, balance {balance}.",
                    before=figure(cost[0], 2),
                    after=figure(cost[1], 2),
                    currency=pool["currency"],
                    balance=figure(balance[1], 2),
                )
            )
    if changes["bonuses"]:
        lines.append(say_n("{n} bonus changes.", "{n} bonuses change.", len(changes["bonuses"])))
    return lines or [say("Nothing changes.")]


__all__ = ["PAGE", "TABLE", "appeal_files", "change_sentences", "ruling_parts"]
