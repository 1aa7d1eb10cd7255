"""The meeting as HTML: from a moment and a place in it to the parts of a page. Pure; the language is what is spoken.

A page is made of parts with ids. Whoever polls is sent the parts of the place in view that may have changed, never
the lists of another place, so the work of an answer does not grow with what nobody looks at.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from ..committee import Standing, decisions_table, moves_table
from ..committee.case import plain
from ..committee.following import acceptance, spread_table
from ..committee.pages import LEAST_TOLD, RUBBER_STAMP
from ..committee.state import PLAN, VOTE
from ..language import say, say_n, spoken, told
from ..ledger import Entry
from ..plots import p_columns, w_bar
from ..plots.marks import grade_moves, p_letters, pool_bar
from ..report import Table, words
from ..report.page import css, made_up, templates
from .room import Moment, seen_of

AGENDA, CASE, CONSENT_LIST, LOOK = "agenda", "case", "consent", "look"
EVERYWHERE = ("top", "notice", "figures", "recent")
PARTS = {AGENDA: ("agenda",), CASE: ("case", "clash", "form"), CONSENT_LIST: ("form", "list"), LOOK: ("look",)}
LAST, FOUND, TOLD_AT_ONCE = 8, 12, 3


@dataclass(frozen=True)
class Place:
    """What a browser has in view."""

    view: str = AGENDA
    employee: str = ""
    find: str = ""


@dataclass(frozen=True)
class Typed:
    """A form as it was sent: its fields, and the refusal with its code where it was refused."""

    form: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    code: str = ""

    def get(self, name: str) -> str:
        return self.fields.get(name, "")

    def of(self, form: str) -> "Typed":
        """This, if it is of ``form``; else an empty one."""
        return self if self.form == form else Typed()


@lru_cache
def environment() -> Environment:
    env = templates().overlay(loader=PackageLoader("perfmodel.session", "template"))
    env.globals.update(entry_words=entry_words, w_bar=w_bar, time_of=time_of)
    return env


def stylesheet() -> str:
    own = files("perfmodel.session").joinpath("template", "meeting.css").read_text(encoding="utf-8")
    return f"{css()}\n{own}"


def script() -> str:
    return files("perfmodel.session").joinpath("template", "meeting.js").read_text(encoding="utf-8")


def page(moment: Moment, place: Place, csrf: str, typed: Typed | None = None) -> str:
    """A whole document."""
    case = moment.facts.case
    title = say("Calibration meeting, {cycle}", cycle=case.cycle.id)
    found = parts(moment, place, csrf, typed or Typed())
    return environment().get_template("meeting.html.j2").render(
        lang=spoken(),
        title=title,
        heading=f"{place.employee} · {title}" if place.employee else title,
        simulated=made_up() if case.cycle.simulated else "",
        place=place,
        moment=moment,
        everywhere={name: found[name] for name in EVERYWHERE},
        own={name: found[name] for name in PARTS[place.view]},
        names=moment.names,
        codes=words.reason_codes(),
    )  # fmt: skip


def parts(moment: Moment, place: Place, csrf: str, typed: Typed, knew: str | None = None) -> dict[str, Markup]:
    """HTML by id of the part; ``knew``: hash of the decision that the browser's form of the case was made on."""
    made = {name: _EVERYWHERE[name](moment, place, csrf, typed) for name in EVERYWHERE}
    made |= _PLACES[place.view](moment, place, csrf, typed)
    if place.view == CASE:
        made["clash"] = Markup(clash(moment, place.employee, knew)) if knew is not None else Markup("")
    return made


def _render(name: str, **values: Any) -> Markup:
    return Markup(environment().get_template(f"{name}.html.j2").render(**values))


# --- On every page ---------------------------------------------------------------------------------------------


def _top(moment: Moment, place: Place, csrf: str, typed: Typed) -> Markup:
    return _render("top", m=moment, place=place, people=len(moment.facts.proposed))


def _notice(moment: Moment, place: Place, csrf: str, typed: Typed) -> Markup:
    return _render("notice", m=moment, csrf=csrf, typed=typed.of("freeze"), refusal=_refusal(typed.of("freeze")))


def _figures(moment: Moment, place: Place, csrf: str, typed: Typed) -> Markup:
    facts = moment.facts
    people = len(facts.proposed)
    band = next((name for name in facts.bands if "+" in name), next(iter(facts.bands)))
    count = moment.counts[band][1]
    share = f"{100 * count / people:.0f}" if people else "0"
    numbers = {"band": band, "n": count, "total": people, "share": share}
    heading = say("{band} {n} of {total} ({share} %)", **numbers)
    if guide := facts.guideline.get(band):
        ends = {"least": f"{100 * guide[0]:.0f}", "most": f"{100 * guide[1]:.0f}"}
        heading = say("{band} {n} of {total} ({share} %), guideline {least}–{most} %", **numbers, **ends)
    drawn = grade_moves(moment.counts, facts.guideline, name=say("Company"))
    return _render("figures", heading=heading, drawn=drawn, money=_money(moment))


def _money(moment: Moment) -> dict[str, Any]:
    """In thousands, rounded before they are shown, so that nobody's target can be read off."""
    money = moment.facts.money
    if money is None:
        return {}
    before, cost, budget = (round(cents / 100_000) for cents in (money.cost, moment.cost, money.budget))
    numbers = {"cost": words.grouped(cost), "budget": words.grouped(budget), "balance": words.grouped(budget - cost)}
    said = say("decided so far {cost}, balance {balance}", **numbers)
    return {
        "heading": say("Pool: {cost} of {budget}, balance {balance}", **numbers),
        "currency": money.currency,
        "bar": pool_bar(cost, budget, said, say("pool {budget}", budget=words.grouped(budget))),
        "before": words.grouped(before),
        "change": words.signed(cost - before, 0),
        **numbers,
    }


def _recent(moment: Moment, place: Place, csrf: str, typed: Typed) -> Markup:
    shown = [entry for entry in reversed(moment.state.entries) if entry.kind != VOTE][:LAST]
    return _render("recent", entries=shown, n=len(moment.state.entries))


_EVERYWHERE = {"top": _top, "notice": _notice, "figures": _figures, "recent": _recent}


def entry_words(entry: Entry) -> str:
    """What an entry did, in a sentence; who voted how is nobody's business."""
    data, who = entry.data, entry.subject
    match entry.kind:
        case "decision" if data["action"] == "accept":
            return say("{who}: {grade} accepted, {name}", who=who, grade=data["to"], name=entry.author)
        case "decision":
            moved = {"before": data["proposed"], "grade": data["to"]}
            return say("{who}: {before} changed to {grade}, {name}", who=who, name=entry.author, **moved)
        case "consent":
            return say_n(
                "{n} proposal accepted on consent, {name}",
                "{n} proposals accepted on consent, {name}",
                len(data["list"]),
                name=entry.author,
            )
        case "undo":
            return say("{who}: decision taken back, {name}", who=who, name=entry.author)
        case "vote":
            return say("A vote was recorded.")
        case "freeze":
            stage = say("plan") if data["stage"] == PLAN else say("data")
            return say("{stage} frozen, version {n}", stage=stage, n=data["version"])
        case "acknowledge":
            return say("warnings acknowledged: {codes}", codes=", ".join(sorted(data["codes"])))
        case "sign":
            return say("signed, {name}", name=entry.author)
        case "final":
            return say("the quarter was made final")
        case "reopen":
            return say("the quarter was reopened")
        case _:
            return say("another entry: {kind}", kind=told(entry.kind))


def news(moment: Moment, seq: int) -> list[str]:
    """What was recorded after entry ``seq``, for the line that a screen reader speaks."""
    fresh = moment.since(seq)
    said = [say("Entry {n}: {what}", n=entry.seq, what=entry_words(entry)) for entry in fresh[-TOLD_AT_ONCE:]]
    if more := len(fresh) - len(said):
        said.insert(0, say_n("{n} more entry.", "{n} more entries.", more))
    return said


def time_of(entry: Entry) -> str:
    return f"{entry.at[11:16]} UTC"


# --- Agenda ----------------------------------------------------------------------------------------------------


def _agenda(moment: Moment, place: Place, csrf: str, typed: Typed) -> dict[str, Markup]:
    heads = {
        "questioned": (say("Questioned by a vote"), say("Somebody doubts the proposal: discussed first.")),
        "cut line": (say("At a cut line"), say("Rating error or the adjustment decides the grade.")),
        "flagged": (say("Flagged otherwise"), say("Figures that do not fit together, or a grade with consequences.")),
    }
    groups = []
    for group, (title, lead) in heads.items():
        rows = [_row(moment, row) for row in moment.agenda if row["group"] == group]
        left = sum(not row["decided"] for row in rows)
        groups.append({"id": group.replace(" ", "-"), "title": title, "lead": lead, "rows": rows, "open": left})
    first = next(iter(moment.open_cases), "")
    found = _found(moment, place.find) if place.find else None
    rest = sum(row["group"] == "consent" for row in moment.agenda)
    values = {"m": moment, "groups": groups, "first": first, "found": found, "find": place.find, "rest": rest}
    return {"agenda": _render("agenda", **values)}


def _row(moment: Moment, row: Mapping[str, Any]) -> dict[str, Any]:
    who = row["employee_id"]
    person, standing = moment.facts.case.roll.people[who], moment.standing(who)
    flags = moment.facts.flags.get(who, [])
    return {
        "id": who,
        "name": person.name,
        "unit": person.unit,
        "raw": person.raw,
        "proposed": person.proposed,
        "why": say("; ").join(words.flag(flag) for flag, _ in flags),
        "decided": standing.grade if standing else "",
    }


def matches(moment: Moment, text: str) -> list[str]:
    """Employees of that id or name; else those whose id or name holds the text."""
    roll = moment.facts.case.roll
    if exact := roll.known_as(text):
        return sorted(exact)
    part = plain(text)
    return sorted(who for who, one in roll.people.items() if part in plain(f"{who} {one.name}")) if part else []


def _found(moment: Moment, text: str) -> list[dict[str, str]]:
    roll = moment.facts.case.roll
    return [{"id": who, "name": roll.people[who].name, "unit": roll.people[who].unit} for who in matches(moment, text)][
        :FOUND
    ]


# --- One case --------------------------------------------------------------------------------------------------


def _case(moment: Moment, place: Place, csrf: str, typed: Typed) -> dict[str, Markup]:
    facts, who = moment.facts, place.employee
    roll, scores = facts.case.roll, facts.scores[who]
    person, standing = roll.people[who], moment.standing(who)
    group = moment.places[who]["group"] if who in moment.places else ""
    shared = {"m": moment, "who": who, "person": person, "standing": standing, "next": moment.following(who)}
    chances = {grade: float(scores[f"p_{grade}"]) for grade in roll.grades}
    known = any(p == p for p in chances.values())
    weights = facts.weights.get(who, {"w_stay": np.nan})
    evidence = _render(
        "case",
        **shared,
        post=facts.profiles[scores["profile"]].say(spoken()) if scores["profile"] in facts.profiles else "",
        place=moment.places[who]["place"] if who in moment.places else 0,
        of=len(moment.agenda),
        group=_group(group),
        scores=scores,
        total=facts.totals[who],
        p=p_columns(chances, person.proposed) if known and person.proposed else "",
        letters=p_letters(roll.grades),
        weights=weights,
        w=w_bar(float(weights["w_stay"]), person.proposed),
        past=_past(moment, who),
        flags=[(words.flag(flag), told(text)) for flag, text in facts.flags.get(who, [])],
        votes=moment.votes(who) if person.proposed else {},
        kpis=_kpis(moment, who),
        void=[told(text) for text in moment.void.get(who, [])],
    )
    form = _render(
        "form",
        **shared,
        csrf=csrf,
        decide=typed.of("decide"),
        undo=typed.of("undo"),
        vote=typed.of("question"),
        refusal=_refusal(typed, moment, who),
        stands=moment.stands(who),
        grades=_grades(roll.grades, person),
        needs_code=person.raw != person.proposed,
        codes=words.reason_codes(),
        consent=group == "consent",
        now=entry_words(standing.entry) if standing else "",
    )
    return {"case": evidence, "form": form}


def _group(name: str) -> str:
    """Why a case is where it is on the agenda, in words."""
    return {
        "questioned": say("questioned by a vote"),
        "cut line": say("at a cut line"),
        "flagged": say("flagged otherwise"),
        "consent": say("on consent"),
    }.get(name, "")


def _grades(grades: tuple[str, ...], person) -> list[str]:
    """Grades that may be decided, the proposal first; a gate takes those above its cap away."""
    least = grades.index(person.cap) if person.cap else 0
    return [person.proposed, *(grade for grade in grades[least:] if grade != person.proposed)]


def _past(moment: Moment, who: str) -> str:
    found = [f"{quarter} {grades[who]}" for quarter, grades in moment.facts.past if grades.get(who)]
    return " · ".join(found)


def _kpis(moment: Moment, who: str) -> list[dict[str, Any]]:
    scheme = moment.facts.case.cycle.scheme
    names = {kpi.id: kpi.name.say(spoken()) for kpi in scheme.kpis}
    rows = moment.facts.kpis(who)
    cards = {row["scorecard"] for row in rows}

    def named(row: Mapping[str, Any]) -> str:
        name = names.get(row["kpi"], row["kpi"])
        return f"{name} ({row['scorecard']})" if len(cards) > 1 else name

    return [{**row, "name": named(row)} for row in rows]


def clash(moment: Moment, who: str, knew: str) -> str:
    """What happened to a case since the form in a browser was made, in words; "" where nothing did."""
    if moment.stands(who) == knew:
        return ""
    last, standing = moment.state.last.get(who), moment.standing(who)
    numbers = {"name": last.author if last else "", "n": last.seq if last else 0}
    if standing is None:
        return say(
            "While you typed, {name} took the decision back (entry {n}). Your text is kept, and nothing of it is "
            "recorded yet.",
            **numbers,
        )
    return say(
        "While you typed, {name} decided {grade} (entry {n}). Your text is kept, and nothing of it is recorded yet.",
        grade=standing.grade,
        **numbers,
    )


# --- Consent list and second look ------------------------------------------------------------------------------


def _consent(moment: Moment, place: Place, csrf: str, typed: Typed) -> dict[str, Markup]:
    roll = moment.facts.case.roll
    people = [roll.people[who] for who in moment.consent_list]
    counts = [(grade, n) for grade in roll.grades if (n := sum(p.proposed == grade for p in people))]
    shown = say(", ").join(f"{grade} {n}" for grade, n in counts)
    form = _render(
        "consent",
        counts=shown,
        m=moment,
        n=len(people),
        left=len(moment.open_cases),
        csrf=csrf,
        seen=seen_of(moment.consent_list),
        typed=typed.of("consent"),
        refusal=_refusal(typed.of("consent"), moment),
        needs_code=any(person.raw != person.proposed for person in people),
        codes=words.reason_codes(),
    )
    return {"form": form, "list": _render("list", people=people)}


def _look(moment: Moment, place: Place, csrf: str, typed: Typed) -> dict[str, Markup]:
    case, state = moment.facts.case, moment.state
    accepted, n, balance = acceptance(state)
    spread = spread_table(case.roll, state.grades)
    up, down = (int(spread.iloc[-1][name]) if n else 0 for name in ("up", "down"))
    tables = []
    if n:
        moves = moves_table(case, state)
        labels = {
            "who": say("Who"),
            "n": say("People"),
            "up": say("Up"),
            "down": say("Down"),
            "same": say("As proposed"),
        }
        heads = {
            "manager": say("Moves by manager of the person"),
            "proposer": say("Moves by who proposed"),
            "authoriser": say("Moves by who authorised"),
            "reason code": say("Moves by reason code"),
        }
        formats = dict.fromkeys(("n", "up", "down", "same"), "count")
        for by, title in heads.items():
            own = moves[moves["by"].eq(by)].drop(columns="by").sort_values("who").head(LONG_LIST)
            own = own.assign(who=own["who"].map(told))
            tables.append(Table(own, title, "", labels, formats).body())
    rows = [
        {
            "stage": told(str(row["stage"])),
            **{name: row[name] for name in ("n", "mean", "spread")},
            **{name: row[name] for name in ("up", "down")},
        }
        for row in spread.to_dict("records")
    ]
    changed = decisions_table(case, state)
    changed = changed[changed["action"].eq("change")]
    return {
        "look": _render(
            "look",
            m=moment,
            accepted=accepted,
            n=n,
            up=up,
            down=down,
            balance=balance,
            share=f"{100 * accepted / n:.0f}" if n else "0",
            stamp=n >= LEAST_TOLD and accepted >= RUBBER_STAMP * n,
            rows=rows,
            tables=tables,
            changed=changed.to_dict("records"),
            plan="plan" in state.frozen,
        )
    }


LONG_LIST = 40

_PLACES = {AGENDA: _agenda, CASE: _case, CONSENT_LIST: _consent, LOOK: _look}


# --- Refusals --------------------------------------------------------------------------------------------------

# The field beside which a refusal stands; "" is the form itself.
FIELDS = {
    "reason-missing": "reason",
    "code-missing": "code",
    "code-unknown": "code",
    "proposer-missing": "proposer",
    "authoriser-missing": "authoriser",
    "same-person": "authoriser",
    "grade-unknown": "grade",
    "gate-cap": "grade",
    "grade-missing": "grade",
    "voter-missing": "voter",
    "by-missing": "by",
}


@dataclass(frozen=True)
class Refusal:
    """Why nothing was recorded, and the field to look at."""

    form: str = ""
    field: str = ""
    text: str = ""

    def at(self, form: str, name: str = "") -> str:
        """The words, if they belong to this field of this form."""
        return self.text if (self.form, self.field) == (form, name) else ""


def code_of(message: str) -> str:
    """The name of a refusal, as its message ends in it."""
    found = re.search(r"\[([a-z-]+)\]\s*$", message)
    return found[1] if found else ""


def _refusal(typed: Typed, moment: Moment | None = None, who: str = "") -> Refusal:
    if not typed.refused:
        return Refusal()
    place = FIELDS.get(typed.code, "")
    if typed.form == "undo" and place in ("reason", "authoriser"):
        place = f"undo_{place}"
    if typed.code == "own-result":
        place = {"question": "voter", "undo": "undo_authoriser"}.get(typed.form, "authoriser")
        if typed.form == "decide" and moment and who in moment.facts.case.roll.known_as(typed.get("proposer")):
            place = "proposer"
    return Refusal(typed.form, place, _words(typed, moment, who))


def _words(typed: Typed, moment: Moment | None, who: str) -> str:
    """A refusal in the words of the page; what has none here is told as the rules say it."""
    standing = moment.standing(who) if moment and who else None
    match typed.code:
        case "reason-missing":
            return say("Write the reason in words first; an acceptance has one too.")
        case "code-missing":
            return say("The grade is not the one that stood before: say why with a code, R1 to R10.")
        case "code-unknown":
            return say("This is no reason code; write one of R1 to R10.")
        case "proposer-missing":
            return say("Name the person who proposes this.")
        case "authoriser-missing":
            return say("Name the person who authorises this.")
        case "same-person":
            return say("Two different people decide: one proposes, another authorises.")
        case "own-result":
            return say("Nobody decides or votes on an own result; name somebody else.")
        case "voter-missing":
            return say("Name the person who doubts the proposal.")
        case "by-missing":
            return say("Name the person who freezes the data.")
        case "superseded" if standing:
            return _superseded(standing)
        case "superseded":
            return say("The decision that you looked at was taken back meanwhile. Your text is kept; look again.")
        case "list-changed":
            return say("The list changed while you looked: it is shown anew. Look again, then accept it.")
        case "too-long":
            return say("One field holds more than anybody reads here; shorten it.")
        case "grade-missing":
            return say("Choose the grade.")
        case "run":
            return say("A newer run was published since this meeting began; start the meeting again.")
        case "nobody-left":
            return say("Nobody is left for a consent list.")
        case _:
            return told(re.sub(r"\s*\[[a-z-]+\]\s*$", "", typed.refused))


def _superseded(standing: Standing) -> str:
    return say(
        "{name} decided {grade} meanwhile (entry {n}). Your text is kept. To put yours in its place, press again.",
        name=standing.entry.author,
        grade=standing.grade,
        n=standing.entry.seq,
    )


__all__ = ["Place", "Typed", "clash", "matches", "news", "page", "parts", "script", "stylesheet"]
