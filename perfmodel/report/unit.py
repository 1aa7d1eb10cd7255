"""The calibration report: one page on one unit, or on the company, then the rows it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from .. import plots
from ..errors import DataError
from ..plots.marks import p_letters, pool_bar
from ..plots.theme import rows_of
from . import words
from .page import Value, document, drawing, render
from .view import View, seen

SHOWN_OF_A_UNIT_IN_COMPANY = 3


def calibration_report(
    assessment, unit: str | None = None, *, manifest: Mapping[str, Any] | None = None, lang: str = "en"
) -> "Report":
    """The calibration report of ``unit``, or of the company when no unit is named.

    Raises
    ------
    DataError
        If nobody is in the unit.
    """
    view = seen(assessment, unit)
    if view.totals.empty:
        known = ", ".join(sorted(set(assessment.totals["unit"])))
        raise DataError(f"Nobody is in a unit {unit!r}, so there is nothing to report. The cycle has {known}.")
    return Report(view, dict(manifest or {}), lang)


@dataclass(frozen=True, eq=False)
class Report(Value):
    """A calibration report; shows itself in a notebook, ``html()`` is a whole document."""

    view: View
    manifest: Mapping[str, Any]
    lang: str = "en"

    @property
    def title(self) -> str:
        return f"{self.view.unit or 'Company'}, {self.view.assessment.cycle.id}"

    @property
    def status(self) -> str:
        """PARTIAL only where a result of these people is late."""
        status = self.view.assessment.status
        return "DRAFT" if status == "PARTIAL" and self.view.late.empty else status

    def html(self) -> str:
        return document(
            f"Calibration report, {self.title}", self._header, self._main, footer=self._source, lang=self.lang
        )

    def body(self) -> Markup:
        return Markup('<div class="report">{}{}<div class="src">{}</div></div>').format(
            self._header, self._main, self._source
        )

    def sentences(self) -> list[str]:
        """The headline as plain text."""
        return [f"{bold} {rest}".strip() for bold, rest in self.headline]

    @cached_property
    def _header(self) -> Markup:
        v = self.view
        people, scored, others = v.counts()
        rest = people - scored
        agree = "yes" if scored + sum(others.values()) == people else "no"
        meta = {"Run": self.manifest.get("run_id", "")} if self.manifest.get("run_id") else {}
        if self.manifest.get("ledger_head"):
            meta["Ledger head"] = self.manifest["ledger_head"][:12]
        meta |= {
            "Quarter": f"{words.day(v.scheme.start)} to {words.day(v.scheme.end)}",
            "Rated": f"{scored} of {people}",
            "Not in the counts": f"{rest}: " + words.listing([f"{n} {r}" for r, n in others.items()], 4)
            if rest
            else "nobody",
            "Data quality": self._light(scored),
            "Control totals agree": f"{agree}: {people} in = {scored} + {rest}",
        }
        return Markup(
            render(
                "head.html.j2",
                title=self.title,
                status=self.status,
                meta=meta,
                simulated=v.assessment.cycle.simulated,
                level=1,
            )
        )

    def _light(self, scored: int) -> str:
        late = sum(n for (_, status), n in self.view.gaps.items() if status == "late")
        away = sum(n for (_, status), n in self.view.gaps.items() if status != "late")
        if not late and not away:
            return f"● complete, {words.grouped(self.view.n_items)} items"
        sign = "◐" if scored else "○"
        return f"{sign} {late} late, {away} not due of {words.grouped(self.view.n_items)} items"

    @cached_property
    def headline(self) -> list[tuple[str, str]]:
        """Three findings: distribution, adjustment, what is open. (bold, rest)."""
        return [self._on_distribution(), self._on_adjustment(), self._on_open()]

    def _on_distribution(self) -> tuple[str, str]:
        v = self.view
        rows = v.distribution
        at = rows[(rows["stage"] == "adjusted") & (rows["grade"] == v.top_band)]
        if at.empty:
            return (f"{len(v.scores)} people scored.", "No distribution is known.")
        row = at.iloc[0]
        n, total = int(row["n"]), len(v.scores)
        guide = self._guide(row)
        if v.unit is None:
            share = f"{100 * n / total:.0f}" if total else "0"
            return (
                words.say("company", self.lang, band=v.top_band, n=n, total=total, share=share),
                words.say("company_more", self.lang, guide=guide),
            )
        if row["verdict"] == "not tested":
            return (
                words.say("small", self.lang, total=total),
                words.say(
                    "small_more" if "pooled with" in row["reason"] else "small_alone",
                    self.lang,
                    band=v.top_band,
                    n=n,
                    total=total,
                ),
            )
        outside = rows[
            (rows["stage"] == "adjusted") & (rows["verdict"] == "outside chance") & (rows["grade"] != v.top_band)
        ]
        if row["verdict"] != "outside chance" and len(outside):
            row = outside.iloc[0]
        said = {"band": row["grade"], "n": int(row["n"]), "total": total}
        said |= {"low": f"{row['chance_low']:.0f}", "high": f"{row['chance_high']:.0f}"}
        key = "outside" if row["verdict"] == "outside chance" else "within"
        return words.say(key, self.lang, **said), words.say(f"{key}_more", self.lang, guide=self._guide(row))

    def _guide(self, row: pd.Series) -> str:
        least, most, share = (float(row[c]) for c in ("guideline_low", "guideline_high", "share"))
        if not np.isfinite([least, most]).all():
            return words.say("guide_none", self.lang)
        key = "guide_above" if share > most + 1e-9 else "guide_below" if share < least - 1e-9 else "guide_in"
        return words.say(key, self.lang, least=f"{100 * least:.0f}", most=f"{100 * most:.0f}")

    def _on_adjustment(self) -> tuple[str, str]:
        v = self.view
        n, changed = len(v.moved), sorted(v.changed.index)
        bold = (
            words.say(
                "adjusted",
                self.lang,
                moved=n,
                total=len(v.scores),
                changed=len(changed),
                grades="grade" if len(changed) == 1 else "grades",
            )
            if n
            else words.say("adjusted_none", self.lang)
        )
        who = f"({words.listing(changed)}) " if changed and v.unit else ""
        alone = v.left_alone
        more = (
            words.say("alone", self.lang, n=len(alone), total=len(v.scores))
            if alone
            else words.say("alone_none" if len(v.scores) else "no_scores", self.lang)
        )
        return bold, who + more

    def _on_open(self) -> tuple[str, str]:
        v = self.view
        call = f"{v.limits.call:.2f}".removeprefix("0")
        if not v.late.empty:
            n = len(v.late)
            listed = words.listing([f"{r.employee_id} {r.kpi}" for r in rows_of(v.late)], 3)
            return (
                words.say("late", self.lang, n=n, results="result" if n == 1 else "results") + " PARTIAL",
                words.say("late_more", self.lang)
                + f" Missing: {listed}."
                + (f" Too close to call: {len(v.close)}." if v.close else ""),
            )
        if v.close:
            return (
                words.say("close", self.lang, n=len(v.close), total=len(v.scores)),
                words.say("close_more", self.lang, call=call),
            )
        return words.say("close_none", self.lang, call=call), ""

    @cached_property
    def charts(self) -> list[tuple[str, str, Any]]:
        """Charts A, B and C: (finding, what is drawn, chart)."""
        v = self.view
        rows = v.distribution[v.distribution["stage"] == "adjusted"]
        verdicts = rows["verdict"]
        out = int((verdicts == "outside chance").sum())
        if v.unit is None:
            a = words.say("chart_a_company", self.lang, n=len(v.changed), total=len(v.scores))
        elif (verdicts == "not tested").all():
            a = words.say("chart_a_small", self.lang)
        elif out:
            a = words.say(
                "chart_a_out", self.lang, n=words.number_word(out), counts="count lies" if out == 1 else "counts lie"
            )
        else:
            a = words.say("chart_a_in", self.lang)
        raters = v.raters
        apart = int(raters["verdict"].isin(["severe", "lenient"]).sum())
        if apart:
            b = words.say("chart_b", self.lang, n=words.number_word(apart), total=len(raters))
        else:
            b = words.say("chart_b_none" if raters["severity"].notna().any() else "chart_b_unknown", self.lang)
        zone = v.company.zone
        people = v.totals.reset_index(drop=True)
        odd = _outside_zone(people, v.scheme.rubric, zone, v.limits.disagreement)
        if not np.isfinite(zone).all():
            c = words.say("chart_c_unknown", self.lang)
        elif odd:
            c = words.say(
                "chart_c", self.lang, n=words.number_word(odd), ratings="rating does" if odd == 1 else "ratings do"
            )
        else:
            c = words.say("chart_c_none", self.lang)
        scale = v.scheme.scale[:2]
        named = v.names if v.unit else None
        return [
            (
                "A. " + a,
                f"People per grade, before and after severity adjustment, n = {len(v.scores)}",
                plots.grade_change(v.distribution, unit=v.name, level=v.limits.chance),
            ),
            (
                "B. " + b,
                "Severity in rating points; positive = severe",
                plots.severity(raters, level=v.limits.confidence, most=7),
            ),
            (
                "C. " + c,
                f"KPI score and rating, one dot a person; named: {v.limits.disagreement:g} points apart",
                plots.kpi_against_rating(
                    people, v.scheme.rubric, zone=zone, scale=scale, names=named, least=v.limits.disagreement
                ),
            ),
        ]

    def _case(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """A case of the discussion list as the page shows it."""
        v, who = self.view, case["id"]
        total = v.totals.loc[who]
        post = v.posts.get(total["profile"], total["profile"])
        # What is decisive is said first; the flag's own words carry it.
        flags = [words.FLAGS.get(f, f.replace("_", " ")) for f in case["flags"]]
        why = "; ".join(dict.fromkeys(flags))
        shown = {
            "id": who,
            "name": v.names.get(who, ""),
            "post": post,
            "kpi_score": total["kpi_score"],
            "rating": total["rating"],
            "why": why[:1].upper() + why[1:],
            "evidence": case["evidence"],
            "past": " ".join(grades.get(who, "–") for _, grades in v.past),
            "scored": who in v.scores.index,
        }
        if not shown["scored"]:
            return shown | {"reason": total["reason"]}
        row = v.scores.loc[who]
        chances = v.chances(who)
        known = np.isfinite(list(chances.values())).all()
        shift = row["score_adjusted"] - row["score_raw"]
        return shown | {
            "score": row["score_adjusted"],
            "shift": "left alone" if who in v.left_alone else words.signed(shift, 1) if pd.notna(shift) else "",
            "before": row["grade_raw"],
            "after": row["grade_proposed"],
            "p": plots.p_columns(chances, row["grade_proposed"]) if known else "",
        }

    @cached_property
    def _lists(self) -> list[dict[str, Any]]:
        """Discussion lists: one for a unit; one for each unit in the company's report."""
        v = self.view
        by_unit: dict[str, list] = {}
        for case in v.cases:
            by_unit.setdefault(case["unit"], []).append(case)
        most = v.limits.shown if v.unit else SHOWN_OF_A_UNIT_IN_COMPANY
        lists = []
        for unit in [v.unit] if v.unit else sorted(by_unit):
            cases = by_unit.get(unit, [])
            shown = cases[:most]
            title = words.say("list", self.lang, flagged=len(cases), shown=len(shown), rest=len(cases) - len(shown))
            lists.append(
                {
                    "unit": unit,
                    "title": title if v.unit else f"{unit}. {title}",
                    "cases": [self._case(c) for c in shown],
                }
            )
        return lists

    @cached_property
    def _units(self) -> list[dict[str, Any]]:
        """One row a unit for the company's report, in the order of unit_order."""
        v = self.view
        if v.unit is not None:
            return []
        rows = v.tables["distribution"]
        rows = rows[rows["stage"] == "adjusted"]
        flagged = pd.Series([c["unit"] for c in v.cases], dtype=str).value_counts()
        out = []
        for unit in v.units:
            own = rows[rows["unit"] == unit].set_index("grade")
            outside = list(own.index[own["verdict"] == "outside chance"])
            verdict = "; ".join(
                f"{g} {own.loc[g, 'n']:.0f}, chance {own.loc[g, 'chance_low']:.0f} to {own.loc[g, 'chance_high']:.0f}"
                for g in outside
            )
            small = own.empty or (own["verdict"] == "not tested").all()
            scored = int((v.scores["unit"] == unit).sum())
            alone = sum(v.scores.loc[e, "unit"] == unit for e in v.left_alone)
            counts = [int(own["n"].get(g, 0)) for g in v.grades]
            out.append(
                {
                    "unit": unit,
                    "n": scored,
                    "counts": counts,
                    "verdict": verdict or ("too few to test" if small else "within chance"),
                    "outside": bool(outside),
                    "alone": alone,
                    "flagged": int(flagged.get(unit, 0)),
                }
            )
        return out

    @cached_property
    def _main(self) -> Markup:
        v = self.view
        charts = [(title, sub, drawing(chart, title)) for title, sub, chart in self.charts]
        borderline = [
            {
                "id": r.employee_id,
                "name": v.names.get(r.employee_id, ""),
                "grade": r.grade,
                "w": r.w_stay,
                "bar": plots.w_bar(float(r.w_stay), r.grade),
                "else": v.otherwise(row),
            }
            for r, (_, row) in zip(rows_of(v.borderline), v.borderline.iterrows(), strict=True)
        ]
        means = [c[k] for c in v.categories for k in ("unit", "company") if np.isfinite(c[k])]
        low, high = (5 * np.floor(min(*means, 70) / 5), 5 * np.ceil(max(*means, 80) / 5)) if means else (60, 90)
        categories = [
            c | {"strip": plots.category_strip(c["unit"], c["company"], low=low, high=high)} for c in v.categories
        ]
        raw = v.scores["score_adjusted"].mean()
        flagged = len(v.cases)
        discussed = sum(len(group["cases"]) for group in self._lists)
        return Markup(
            render(
                "unit.html.j2",
                where=words.adjusted_where(v.assessment.severity.link),
                headline=self.headline,
                status=self.status,
                charts=charts,
                lists=self._lists,
                letters=p_letters(v.grades),
                past=", ".join(_quarter(k) for k, _ in v.past) or "Past",
                units=self._units,
                grades=v.grades,
                categories=categories,
                strip_range=f"{low:.0f} to {high:.0f}",
                mean=raw,
                company_mean=v.company.score,
                results=v.n_items,
                borderline=borderline,
                money=self._money,
                codes=words.REASON_CODES,
                counts={
                    "proposed": len(v.scores),
                    "discussed": discussed,
                    "rest": flagged - discussed,
                    "consent": len(v.scores) - sum(c["id"] in v.scores.index for c in v.cases),
                },
                company=v.unit is None,
                people=v.company.people,
                level=f"{100 * v.limits.chance:.0f} %",
                no_p=words.say("no_p", self.lang),
            )
        )

    @cached_property
    def _money(self) -> dict[str, Any]:
        """Costs by step in thousands, rounded before they are shown so that nobody's target can be read off."""
        pool = self.view.pool
        if pool.empty or pool["cost"].isna().all():
            return {}
        unit = 1000.0
        rows: list[dict[str, str]] = []
        last: int | None = None
        for row in rows_of(pool):
            cost, budget = round(row.cost / unit), round(row.budget / unit)
            change = None if last is None else cost - last
            rows.append(
                {
                    "step": row.step.capitalize(),
                    "cost": words.grouped(cost),
                    "balance": words.grouped(budget - cost),
                    "change": "" if change is None else words.signed(change, 0),
                }
            )
            last = cost
        end = pool.iloc[-1]
        cost, budget = round(end["cost"] / unit), round(end["budget"] / unit)
        said = f"{end['step']} {words.grouped(cost)}, balance {words.grouped(budget - cost)}"
        held = ("pool " if self.view.unit is None else "targets ") + words.grouped(budget)
        return {
            "currency": end["currency"],
            "rows": rows,
            "bar": pool_bar(cost, budget, said, held),
            "unit": self.view.unit is not None,
        }

    @cached_property
    def _source(self) -> Markup:
        v = self.view
        rows = []
        for who in sorted(v.totals.index):
            total: Any = v.totals.loc[who]
            score = v.scores.loc[who] if who in v.scores.index else None
            reason = str(total["reason"] or "") if score is None else str(score["reason"] or "")
            rows.append(
                {
                    "id": who,
                    "name": v.names.get(who, ""),
                    "raters": _few(v.rated_by.get(who, [])),
                    "kpi_score": total["kpi_score"],
                    "rating": total["rating"],
                    "reason": reason,
                    "score": score,
                    "p": [None if score is None else score[f"p_{g}"] for g in v.grades],
                }
            )
        return Markup(render("source.html.j2", rows=rows, grades=v.grades))


def _outside_zone(people: pd.DataFrame, rubric, zone: tuple[float, float], least: float) -> int:
    """People whose KPI score lies farther from their rating's points than is usual, and at least ``least``."""
    if not np.isfinite(zone).all():
        return 0
    both = people.dropna(subset=["kpi_score", "rating"])
    ratings, points = np.transpose(rubric)
    apart = both["kpi_score"].to_numpy(float) - np.interp(both["rating"].to_numpy(float), ratings, points)
    return int((((apart < zone[0]) | (apart > zone[1])) & (np.abs(apart) >= least)).sum())


def _quarter(cycle_id: str) -> str:
    return cycle_id[-2:] if len(cycle_id) == 6 and cycle_id[-2] == "Q" else cycle_id


def _few(names: list[str], most: int = 4) -> str:
    """Names, or how many where they would fill the line."""
    return ", ".join(names) if len(names) <= most else f"{len(names)} raters"
