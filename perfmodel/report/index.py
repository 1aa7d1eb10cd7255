"""The first page of a run: what was found, what needs a person, where everything is."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from .. import plots
from ..language import say, say_n, told
from ..plots.grades import unit_order
from ..raters.links import ASSUMPTIONS
from . import words
from .page import control_totals, counts_of, document, quarter, render
from .view import View, seen

NEEDS_SHOWN = 12
FAILED_SHOWN = 5
ABOUT = {
    "method_check": "planted truth: bias, coverage, and where the method refuses",
    "health": "reliability, redundancy, drift, and what to change in the scheme",
    "annual": "quarters to a year by three methods, and who has none",
    "scheme": "what is measured, and how it counts",
    "data_check": "what came in, what is late, what does not agree",
    "scores": "points, weights, scores and where they come from",
    "rater": "links, intervals, whom to double-rate next",
    "severity": "links, intervals, whom to double-rate next",
    "weight": "what follows from any permitted choice of weights",
    "company": "distribution, raters, discussion list, money",
    "calibration": "distribution, raters, discussion list, money",
    "distribution": "grades against guideline and chance",
}

# What the reading warns of, by the code of the finding.
WARNINGS = {
    code: code.replace("-", " ")
    for code in (
        "accepted-late",
        "actual-unused",
        "assignment-gap",
        "blank-row",
        "by-name",
        "date-after",
        "date-before",
        "date-form",
        "date-time",
        "far-off",
        "file-unknown",
        "fullwidth",
        "gate-points",
        "header-unknown",
        "header-unused",
        "history",
        "hundredfold",
        "id-number",
        "kpi-not-in-profile",
        "milestone-missing",
        "milestone-total",
        "no-data",
        "no-rows",
        "not-smart",
        "number-percent",
        "number-thousands",
        "pay-missing",
        "rating-missing",
        "reconcile",
        "result-missing",
        "spaces",
        "target-self-approved",
        "target-unapproved",
        "unit-alike",
        "wide",
        "wide-unused",
    )
}


def index_page(
    assessment,
    manifest: Mapping[str, Any] | None = None,
    notebooks: Iterable[Any] = (),
    *,
    units: Mapping[str, str] | None = None,
    failed: Mapping[str, str] | None = None,
) -> str:
    """The first page of a run, or of a unit's pack, as a whole HTML document.

    ``notebooks`` are the pages of the run: mappings with ``title`` and ``html`` (and, where wanted, ``about``).
    ``units`` names the page that a unit's panel opens, ``failed`` says why a unit has none.
    """
    view = seen(assessment)
    assessment = view.assessment
    manifest = dict(manifest or {})
    cycle = assessment.cycle
    total, scored, others = counts_of(assessment)
    meta = {say("Run"): manifest["run_id"]} if manifest.get("run_id") else {}
    if manifest.get("ledger_head"):
        meta[say("Ledger head")] = manifest["ledger_head"][:12]
    meta |= {
        say("Quarter"): quarter(view.scheme),
        say("Rated"): say("{scored} of {total}", scored=scored, total=total)
        if view.unit
        else say("{scored} of {total}, {n} units", scored=scored, total=total, n=len(view.units)),
        say("Control totals agree"): control_totals(assessment),
    }
    of = f"{cycle.id} {view.unit}" if view.unit else cycle.id
    title = say("Performance calibration, {cycle}", cycle=of)
    head = render("head.html.j2", title=title, status=assessment.status, meta=meta, simulated=cycle.simulated, level=1)
    panels = _units(view, units or {})
    parts = _parts(notebooks, view)
    main = render(
        "index.html.j2",
        unit=view.unit,
        where=words.adjusted_where(assessment.severity.link),
        findings=_findings(view, panels, _report_of(parts)),
        units=panels,
        flags=_false_flags(panels),
        needs=(needs := [*_without_pack(failed or {}), *_needs(view, panels, _report_of(parts))])[:NEEDS_SHOWN],
        left=len(needs) - len(needs[:NEEDS_SHOWN]),
        parts=parts,
        provenance=_provenance(assessment, manifest, others),
    )
    return document(title, Markup(head), Markup(main), kind="index")


def _units(view: View, pages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Small multiples: one entry a unit, outside chance first."""
    rows = view.tables["distribution"]
    rows = rows[(rows["stage"] == "adjusted") & rows["unit"].isin(view.units) & rows["grade"].isin(view.grades)]
    if rows.empty:
        return []
    sizes = rows.groupby("unit")["n"].sum()
    tops = np.fmax(rows["share"].astype(float), (rows["chance_high"] / rows["unit"].map(sizes)).astype(float))
    ceiling = max(float(tops.max()), 0.1)
    out = []
    for unit in unit_order(rows):
        own = rows[rows["unit"] == unit].set_index("grade").reindex(view.grades)
        counts = {g: int(n) for g, n in zip(view.grades, own["n"].fillna(0), strict=True)}
        tested = bool((own["verdict"] != "not tested").any())
        outside = tuple(own.index[own["verdict"] == "outside chance"])
        words_of = [
            say(
                "{grade} {n}; chance gives {low} to {high}",
                grade=g,
                n=counts[g],
                low=f"{own.loc[g, 'chance_low']:.0f}",
                high=f"{own.loc[g, 'chance_high']:.0f}",
            )
            for g in outside
        ]
        svg = plots.grade_bars(
            counts,
            dict(zip(view.grades, own["chance_low"].astype(float), strict=True)),
            dict(zip(view.grades, own["chance_high"].astype(float), strict=True)),
            ceiling=ceiling,
            tested=tested,
            outside=outside,
            name=say("Unit {unit}", unit=unit),
        )
        out.append(
            {
                "unit": unit,
                "page": pages.get(unit, ""),
                "n": int(sizes[unit]),
                "svg": svg,
                "outside": outside,
                "tested": tested,
                "grades": len(counts),
                "text": words.joined(words_of)
                or (say("within chance") if tested else _not_tested(own["reason"].iloc[0])),
            }
        )
    return out


def _not_tested(reason: str) -> str:
    """The reason without the list of siblings that a pool is named by."""
    return say("no test: {reason}", reason=told(re.sub(r" \(.*\)$", "", str(reason))))


def _false_flags(units: list[dict[str, Any]]) -> dict[str, Any]:
    """How many grade counts were tested, so that a reader knows what a flag is worth."""
    return {"tested": sum(u["grades"] for u in units if u["tested"]), "found": sum(len(u["outside"]) for u in units)}


def _report_of(parts: list[dict[str, str]]) -> str:
    """The address of the calibration report among the parts of a run, empty if it is none of them."""
    return next((p["href"] for p in parts if p["href"] in ("company.html", "calibration_report.html")), "")


def _findings(view: View, units: list[dict[str, Any]], report: str) -> list[dict[str, Any]]:
    """Four findings, each a heading that says it and leads on, and a line that says what to do."""
    s = view.scores
    outside = [u for u in units if u["outside"]]
    tested = sum(u["tested"] for u in units)
    if view.unit:
        first = _finding_of_a_unit(view, outside, tested)
    elif outside:
        first = {
            "href": outside[0]["page"],
            "title": say_n(
                "{n} unit of {total} is outside chance",
                "{n} units of {total} are outside chance",
                len(outside),
                n=words.number_word(len(outside)),
                total=len(units),
            ),
            "text": say(
                "{unit}: {finding}. Look at targets and rater first.",
                unit=outside[0]["unit"],
                finding=outside[0]["text"],
            ),
        }
    elif tested:
        first = {
            "title": say("Every unit lies within chance"),
            "text": say(
                "{tested} of {total} units are large enough to test; no action needed on the distribution.",
                tested=tested,
                total=len(units),
            ),
        }
    else:
        first = {
            "title": say("No unit is large enough to test"),
            "text": say("Each has under {n} people.", n=view.limits.min_unit),
        }
    order = {g: i for i, g in enumerate(view.grades)}
    changed = view.changed
    up = int((changed["grade_adjusted"].map(order) < changed["grade_raw"].map(order)).sum())
    alone = len(view.left_alone)
    if alone:
        rest = say_n(
            "{n} person left alone: no shared rater.",
            "{n} people left alone: no shared rater.",
            alone,
            n=words.grouped(alone),
        )
    elif view.assessment.severity.link:
        rest = say("Nobody was left alone, {assumption}.", assumption=told(ASSUMPTIONS[view.assessment.severity.link]))
    else:
        rest = say("Nobody was left alone.") if len(s) else say("Nobody has a score yet.")
    moves = say("Of {total}: {up} up, {down} down.", total=len(s), up=up, down=len(changed) - up)
    second = {
        "title": say_n(
            "Adjustment moves {n} grade", "Adjustment moves {n} grades", len(changed), n=words.grouped(len(changed))
        )
        if len(changed)
        else say("Adjustment moves no grade"),
        "text": words.gap().join([moves, rest]) if len(changed) else rest,
    }
    close = len(view.close)
    call = f"{view.limits.call:.2f}".removeprefix("0")
    known = int(s["p_stay"].notna().sum())
    if close:
        third = {
            "title": say_n(
                "{n} person is too close to call", "{n} people are too close to call", close, n=words.grouped(close)
            ),
            "text": say(
                "P of the proposed grade is under {call}, of {known} with a p. The committee’s time belongs here.",
                call=call,
                known=known,
            ),
        }
    else:
        third = {
            "title": say("No grade is too close to call"),
            "text": say("Every known p is {call} or more ({known} people).", call=call, known=known),
        }
    late = len(view.late)
    if late:
        fourth = {
            "title": say_n("{n} result late: PARTIAL", "{n} results late: PARTIAL", late, n=words.grouped(late)),
            "text": say("The run cannot be made final until all are in. The chase list below names the owner."),
            "href": "#needs",
            "need": True,
        }
    else:
        cases = len(view.cases)
        fourth = {
            "title": say_n("{n} case to discuss", "{n} cases to discuss", cases, n=words.grouped(cases)),
            "text": say(
                "{n} of {total} can go by consent, with one recorded reason.",
                n=len(s) - sum(c["id"] in s.index for c in view.cases),
                total=len(s),
            ),
        }
    return [{"need": False, "href": report} | f for f in (first, second, third, fourth)]


def _finding_of_a_unit(view: View, outside: list[dict[str, Any]], tested: int) -> dict[str, Any]:
    """The first finding of a unit's own pack."""
    if outside:
        text = say("{finding}. Look at targets and rater first.", finding=outside[0]["text"])
        return {"title": say("The grades lie outside chance"), "text": text}
    if tested:
        return {"title": say("The grades lie within chance"), "text": say("No action needed on the distribution.")}
    text = say("The unit has under {n} people.", n=view.limits.min_unit)
    return {"title": say("Too few people to tell from chance"), "text": text}


def _needs(view: View, units: list[dict[str, Any]], report: str) -> list[dict[str, Any]]:
    """What needs a decision: where, what, kind, whose turn; what blocks stands first."""
    rows: list[dict[str, Any]] = []
    pages = {u["unit"]: u["page"] for u in units}

    def add(where: str, what: str, kind: str, turn: str, act: bool = True) -> None:
        href = pages.get(where) or (report if where == company else "")
        rows.append({"where": where, "what": what, "kind": kind, "turn": turn, "act": act, "href": href})

    company = view.unit or say("Company")
    for u in units:
        if u["outside"]:
            what = say("{finding}. Look at targets and rater before the grades", finding=u["text"])
            add(u["unit"], what, say("distribution"), say("Unit head, HR"))
    for (unit, who), late in view.late.groupby(["unit", "employee_id"], sort=False):
        add(unit, _late(view, who, late), say("data"), words.listing([*dict.fromkeys(map(_owner, late["owner"]))], 2))
    links = view.tables["links"]
    raters = view.tables["raters"]
    alone = raters[raters["verdict"] == "left alone"]
    if len(alone):
        what = say_n(
            "{raters}: nobody rated in common with another rater; {n} person left alone. A second rating links them",
            "{raters}: nobody rated in common with another rater; {n} people left alone. A second rating links them",
            len(view.left_alone),
            n=words.grouped(len(view.left_alone)),
            raters=words.listing(alone["rater_id"].tolist(), 4),
        )
        add(company, what, say("raters"), say("HR"))
    elif view.assessment.severity.link:
        found = [said for said in view.assessment.severity.sentences() if "assum" in said]
        doubted = any("contradicted" in said or "nothing in the ratings examines" in said for said in found)
        add(company, words.gap().join(told(said) for said in found), say("raters"), say("HR"), doubted)
    elif len(links) > 1:
        what = say("Raters fall into {n} groups that share nobody: compare within groups only", n=len(links))
        add(company, what, say("raters"), say("HR"), False)
    if view.close:
        what = say_n(
            "{n} person is too close to call, {both} of them change grade by adjustment",
            "{n} people are too close to call, {both} of them change grade by adjustment",
            len(view.close),
            n=words.grouped(len(view.close)),
            both=len(set(view.close) & set(view.changed.index)),
        )
        add(company, what, say("cut line"), say("Committee"))
    if view.unit and view.cases:
        named = words.listing([case["id"] for case in view.cases], 4)
        what = say_n("{n} case to discuss: {names}", "{n} cases to discuss: {names}", len(view.cases), names=named)
        add(company, what, say("cases"), say("Committee"))
    pool = view.tables["pool"].dropna(subset=["cost"])
    if len(pool):
        end = pool.iloc[-1]
        cost, budget = round(end["cost"] / 1000), round(end["budget"] / 1000)
        figures = {
            "step": say(str(end["step"]).capitalize()),
            "cost": words.grouped(cost),
            "budget": words.grouped(budget),
            "currency": end["currency"],
            "balance": words.grouped(budget - cost),
        }
        what = (
            say("{step} cost {cost} of targets {budget} thousand {currency}: balance {balance}", **figures)
            if view.unit
            else say("{step} cost {cost} of pool {budget} thousand {currency}: balance {balance}", **figures)
        )
        add(company, what, say("money"), say("Finance"), cost > budget)
    codes = pd.Series([f.code for f in view.assessment.findings if f.level == "warning"], dtype=str)
    for code, n in codes.value_counts().sort_index().items():
        about = say(WARNINGS.get(code, str(code).replace("_", " ").replace("-", " ")))
        what = say_n("{n} warning: {about}", "{n} warnings: {about}", int(n), n=words.grouped(int(n)), about=about)
        add(say("Data"), what, say("data"), say("Data owner"), False)
    return sorted(rows, key=lambda r: not r["act"])


def _without_pack(failed: Mapping[str, str]) -> list[dict[str, Any]]:
    """A line for each unit whose pack could not be made, the first of them by name."""
    row = {"kind": say("pack"), "turn": say("Whoever runs this"), "act": True, "href": ""}
    rows = [
        {**row, "where": unit, "what": say("No pack: {why}. Run the same command again", why=told(why))}
        for unit, why in list(failed.items())[:FAILED_SHOWN]
    ]
    if more := len(failed) - FAILED_SHOWN:
        what = say("{n} more units have no pack; manifest.json names them", n=words.grouped(more))
        rows += [{**row, "where": say("Company"), "what": what}] if more > 0 else []
    return rows


def _late(view: View, who: str, late: pd.DataFrame) -> str:
    """What of one person is late: one row, however much it is."""
    if len(late) > 1:
        names = [view.kpi_names.get(kpi, kpi) for kpi in late["kpi"]]
        return say(
            "{employee}: {n} figures late ({names}); PARTIAL until they are in",
            employee=who,
            n=len(late),
            names=words.listing(names, 2),
        )
    row = late.iloc[0]
    return say(
        "{employee}: {kpi} {what} late; PARTIAL until it is in",
        employee=who,
        kpi=view.kpi_names.get(row["kpi"], row["kpi"]),
        what=told(row["what"]),
    )


def _owner(name) -> str:
    return name if isinstance(name, str) and name else say("Data owner")


def _parts(notebooks: Iterable[Any], view: View) -> list[dict[str, str]]:
    parts = []
    for book in notebooks:
        entry = dict(book) if isinstance(book, Mapping) else {"title": str(book), "html": f"{book}.html"}
        name = str(entry.get("name", entry["html"]))
        about = entry.get("about") or next((text for key, text in ABOUT.items() if key in name), "")
        parts.append({"href": entry["html"], "title": entry["title"], "about": say(about)})
    tables = say("{n} tables, unrounded, sorted by key", n=len(view.tables))
    digests = say("digests of every input and output, versions, warnings")
    return [
        *parts,
        {"href": "pack.xlsx", "title": say("Committee workbook"), "about": say("filters on, no live formula")},
        {"href": "tables/", "title": say("Tables as CSV"), "about": tables},
        *([{"href": "manifest.json", "title": say("Manifest"), "about": digests}] if view.unit is None else []),
    ]


def _provenance(assessment, manifest: Mapping[str, Any], others: Mapping[str, int]) -> list[tuple[str, str]]:
    total, scored, _ = counts_of(assessment)
    rest = sum(others.values())
    versions = manifest.get("versions", {})
    finished = str(manifest.get("finished", ""))[:16].replace("T", " ")
    inputs = manifest.get("inputs", {})
    reasons = [say("{n} {reason}", n=n, reason=told(reason)) for reason, n in others.items()]
    unknown = say("not recorded")
    return [
        (say("Run"), str(manifest.get("run_id", say("not published")))),
        (say("Made"), finished or unknown),
        (say("Inputs"), say("{n} files, digests in manifest.json", n=len(inputs)) if inputs else unknown),
        (say("Seed"), str(assessment.seed)),
        (
            say("Counts"),
            say("{total} in = {scored} scored + {rest} not scored", total=total, scored=scored, rest=rest),
        ),
        (say("Not scored"), words.listing(reasons, 5) or say("nobody")),
        (say("Status"), say("{status}; a proposal is not a grade", status=say(assessment.status))),
        (
            say("Package"),
            f"perfmodel {versions.get('perfmodel', '')}, Python {versions.get('python', '')}"
            if versions
            else "perfmodel",
        ),
    ]
