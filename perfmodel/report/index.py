"""The first page of a run: what was found, what needs a person, where everything is."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from .. import plots
from ..plots.grades import unit_order
from ..plots.theme import rows_of
from ..raters.links import ASSUMPTIONS
from . import words
from .page import control_totals, counts_of, document, render
from .view import View, seen

NEEDS_SHOWN = 12
ABOUT = {
    "method_check": "planted truth: bias, coverage, and where the method refuses",
    "scheme": "what is measured, and how it counts",
    "data_quality": "what came in, what is late, what does not agree",
    "scores": "points, weights, scores and where they come from",
    "rater": "links, intervals, whom to double-rate next",
    "severity": "links, intervals, whom to double-rate next",
    "weight": "what follows from any permitted choice of weights",
    "calibration": "distribution, raters, discussion list, money",
    "distribution": "grades against guideline and chance",
}


def index_page(
    assessment,
    manifest: Mapping[str, Any] | None = None,
    notebooks: Iterable[Any] = (),
    *,
    units: Mapping[str, str] | None = None,
    lang: str = "en",
) -> str:
    """The first page of a run, or of a unit's pack, as a whole HTML document.

    ``notebooks`` are the pages of the run: mappings with ``title`` and ``html`` (and, where wanted, ``about``).
    ``units`` names the page that a unit's panel opens.
    """
    view = seen(assessment)
    manifest = dict(manifest or {})
    cycle = assessment.cycle
    total, scored, others = counts_of(assessment)
    meta = {"Run": manifest["run_id"]} if manifest.get("run_id") else {}
    if manifest.get("ledger_head"):
        meta["Ledger head"] = manifest["ledger_head"][:12]
    meta |= {
        "Quarter": f"{words.day(view.scheme.start)} to {words.day(view.scheme.end)}",
        "Rated": f"{scored} of {total}, {len(view.units)} units",
        "Control totals agree": control_totals(assessment),
    }
    title = f"Performance calibration, {cycle.id}" + (f", {view.unit}" if view.unit else "")
    head = render("head.html.j2", title=title, status=assessment.status, meta=meta, simulated=cycle.simulated, level=1)
    panels = _units(view, units or {})
    main = render(
        "index.html.j2",
        where=words.adjusted_where(assessment.severity.link),
        findings=_findings(view, panels),
        units=panels,
        flags=_false_flags(panels),
        needs=(needs := _needs(view, panels))[:NEEDS_SHOWN],
        left=len(needs) - len(needs[:NEEDS_SHOWN]),
        parts=_parts(notebooks, view),
        provenance=_provenance(assessment, manifest, others),
    )
    return document(title, Markup(head), Markup(main), kind="index", lang=lang)


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
            f"{g} {counts[g]}; chance gives {own.loc[g, 'chance_low']:.0f} to {own.loc[g, 'chance_high']:.0f}"
            for g in outside
        ]
        svg = plots.grade_bars(
            counts,
            dict(zip(view.grades, own["chance_low"].astype(float), strict=True)),
            dict(zip(view.grades, own["chance_high"].astype(float), strict=True)),
            ceiling=ceiling,
            tested=tested,
            outside=outside,
            name=f"Unit {unit}",
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
                "text": ", ".join(words_of) or ("within chance" if tested else _not_tested(own["reason"].iloc[0])),
            }
        )
    return out


def _not_tested(reason: str) -> str:
    """The reason without the list of siblings that a pool is named by."""
    return "no test: " + re.sub(r" \(.*\)$", "", str(reason))


def _false_flags(units: list[dict[str, Any]]) -> dict[str, Any]:
    """How many grade counts were tested, so that a reader knows what a flag is worth."""
    return {"tested": sum(u["grades"] for u in units if u["tested"]), "found": sum(len(u["outside"]) for u in units)}


def _findings(view: View, units: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Four findings, each a heading that says it and a line that says what to do."""
    s = view.scores
    outside = [u for u in units if u["outside"]]
    tested = sum(u["tested"] for u in units)
    if outside:
        many = len(outside) > 1
        first = {
            "title": f"{words.number_word(len(outside))} {'units' if many else 'unit'} of {len(units)} "
            f"{'are' if many else 'is'} outside chance",
            "text": f"{outside[0]['unit']}: {outside[0]['text']}. Look at targets and rater first.",
        }
    elif tested:
        first = {
            "title": "Every unit lies within chance",
            "text": f"{tested} of {len(units)} units are large enough to test; no action needed on the distribution.",
        }
    else:
        first = {"title": "No unit is large enough to test", "text": f"Each has under {view.limits.min_unit} people."}
    order = {g: i for i, g in enumerate(view.grades)}
    changed = view.changed
    up = int((changed["grade_adjusted"].map(order) < changed["grade_raw"].map(order)).sum())
    alone = len(view.left_alone)
    rest = (
        f"{words.count_of(alone, 'person', 'people')} left alone: no shared rater."
        if alone
        else f"Nobody was left alone, {ASSUMPTIONS[view.assessment.severity.link]}."
        if view.assessment.severity.link
        else "Nobody was left alone."
        if len(view.scores)
        else "Nobody has a score yet."
    )
    second = {
        "title": f"Adjustment moves {words.count_of(len(changed), 'grade')}",
        "text": f"Of {len(s)}: {up} up, {len(changed) - up} down. {rest}",
    }
    close = len(view.close)
    call = f"{view.limits.call:.2f}".removeprefix("0")
    known = int(s["p_stay"].notna().sum())
    third = {
        "title": f"{words.count_of(close, 'person is', 'people are')} too close to call",
        "text": f"P of the proposed grade is under {call}, of {known} with a p. The committee’s time belongs here.",
    }
    if close == 0:
        third = {"title": "No grade is too close to call", "text": f"Every known p is {call} or more ({known} people)."}
    late = len(view.late)
    if late:
        fourth = {
            "title": f"{words.count_of(late, 'result')} late: PARTIAL",
            "text": "The run cannot be made final until all are in. The chase list below names the owner.",
            "need": True,
        }
    else:
        flagged = len(view.cases)
        fourth = {
            "title": f"{words.count_of(flagged, 'case')} to discuss",
            "text": f"{len(s) - sum(c['id'] in s.index for c in view.cases)} of {len(s)} can go by consent, "
            "with one recorded reason.",
        }
    return [f | {"need": f.get("need", False)} for f in (first, second, third, fourth)]


def _needs(view: View, units: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What needs a decision: where, what, kind, whose turn; what blocks stands first."""
    rows: list[dict[str, Any]] = []
    whole = view.unit or "Company"

    def add(where: str, what: str, kind: str, turn: str, act: bool = True) -> None:
        rows.append({"where": where, "what": what, "kind": kind, "turn": turn, "act": act})

    for u in units:
        if u["outside"]:
            add(u["unit"], f"{u['text']}. Look at targets and rater before the grades", "distribution", "Unit head, HR")
    for row in rows_of(view.late):
        add(
            row.unit, f"{row.employee_id}: {row.kpi} {row.what} late; PARTIAL until it is in", "data", _owner(row.owner)
        )
    links = view.tables["links"]
    raters = view.tables["raters"]
    alone = raters[raters["verdict"] == "left alone"]
    if len(alone):
        listed = words.listing(alone["rater_id"].tolist(), 4)
        add(
            whole,
            f"{listed} share nobody with another rater: {words.count_of(len(view.left_alone), 'person', 'people')} "
            "left alone. A second rating would link them",
            "raters",
            "HR",
        )
    elif view.assessment.severity.link:
        fit = view.assessment.severity
        told = [said for said in fit.sentences() if "assum" in said]
        doubted = any("contradicted" in said or "nothing in the ratings examines" in said for said in told)
        add(whole, " ".join(told), "raters", "HR", doubted)
    elif len(links) > 1:
        add(
            whole,
            f"Raters fall into {len(links)} groups that share nobody: compare within groups only",
            "raters",
            "HR",
            False,
        )
    if view.close:
        both = len(set(view.close) & set(view.changed.index))
        add(
            whole,
            f"{words.count_of(len(view.close), 'person is', 'people are')} too close to call, "
            f"{both} of them change grade by adjustment",
            "cut line",
            "Committee",
        )
    pool = view.tables["pool"].dropna(subset=["cost"])
    if len(pool):
        end = pool.iloc[-1]
        cost, budget = round(end["cost"] / 1000), round(end["budget"] / 1000)
        add(
            whole,
            f"{str(end['step']).capitalize()} cost {words.grouped(cost)} of pool {words.grouped(budget)} "
            f"thousand {end['currency']}: "
            f"balance {words.grouped(budget - cost)}",
            "money",
            "Finance",
            cost > budget,
        )
    warnings = pd.Series(
        [f.code for f in view.assessment.findings if f.level == "warning"],
        dtype=str,
    )
    for code, n in warnings.value_counts().sort_index().items():
        add(
            "Data",
            f"{words.count_of(int(n), 'warning')}: {str(code).replace('_', ' ').replace('-', ' ')}",
            "data",
            "Data owner",
            False,
        )
    return sorted(rows, key=lambda r: not r["act"])


def _owner(name) -> str:
    return name if isinstance(name, str) and name else "Data owner"


def _parts(notebooks: Iterable[Any], view: View) -> list[dict[str, str]]:
    parts = []
    for book in notebooks:
        entry = dict(book) if isinstance(book, Mapping) else {"title": str(book), "html": f"{book}.html"}
        name = str(entry.get("name", entry["html"]))
        about = entry.get("about") or next((text for key, text in ABOUT.items() if key in name), "")
        parts.append({"href": entry["html"], "title": entry["title"], "about": about})
    parts.append({"href": "pack.xlsx", "title": "Committee workbook", "about": "filters on, no live formula"})
    count = len(view.tables)
    parts.append({"href": "tables/", "title": "Tables as CSV", "about": f"{count} tables, unrounded, sorted by key"})
    if view.unit is None:
        about = "digests of every input and output, versions, warnings"
        parts.append({"href": "manifest.json", "title": "Manifest", "about": about})
    return parts


def _provenance(assessment, manifest: Mapping[str, Any], others: Mapping[str, int]) -> list[tuple[str, str]]:
    total, scored, _ = counts_of(assessment)
    rest = sum(others.values())
    versions = manifest.get("versions", {})
    finished = str(manifest.get("finished", ""))[:16].replace("T", " ")
    inputs = manifest.get("inputs", {})
    return [
        ("Run", str(manifest.get("run_id", "not published"))),
        ("Made", finished or "not recorded"),
        ("Inputs", f"{len(inputs)} files, digests in manifest.json" if inputs else "not recorded"),
        ("Seed", str(assessment.seed)),
        ("Counts", f"{total} in = {scored} scored + {rest} not scored"),
        ("Not scored", words.listing([f"{n} {reason}" for reason, n in others.items()], 5) or "nobody"),
        ("Status", f"{assessment.status}; a proposal is not a grade"),
        (
            "Package",
            f"perfmodel {versions.get('perfmodel', '')}, Python {versions.get('python', '')}"
            if versions
            else "perfmodel",
        ),
    ]
