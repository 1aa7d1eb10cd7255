"""The calibration report: one page on one unit, or on the company, then the rows it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from .. import plots
from ..errors import DataError
from ..language import say, say_n, told
from ..plots.marks import p_letters, pool_bar
from ..plots.theme import rows_of
from . import words
from .page import Value, add_up, document, drawing, quarter, render
from .view import View, seen

SHOWN_OF_A_UNIT_IN_COMPANY = 3
# A page that a browser opens at once holds about 5 MB: lists of so many units, rows of so many people.
LISTED_UNITS, LISTED_PEOPLE = 250, 5_000


def calibration_report(assessment, unit: str | None = None, *, manifest: Mapping[str, Any] | None = None) -> "Report":
    """The calibration report of ``unit``, or of the company when no unit is named.

    Raises
    ------
    DataError
        If nobody is in the unit.
    """
    view = seen(assessment, unit)
    assessment = view.assessment
    if view.totals.empty:
        known = ", ".join(sorted(set(assessment.totals["unit"])))
        raise DataError(f"Nobody is in a unit {unit!r}, so there is nothing to report. The cycle has {known}.")
    return Report(view, dict(manifest or {}))


@dataclass(frozen=True, eq=False)
class Report(Value):
    """A calibration report; shows itself in a notebook, ``html()`` is a whole document."""

    view: View
    manifest: Mapping[str, Any]

    @property
    def title(self) -> str:
        return say("{unit}, {cycle}", unit=self.view.unit or say("Company"), cycle=self.view.assessment.cycle.id)

    @property
    def status(self) -> str:
        """PARTIAL only where a result of these people is late."""
        status = self.view.assessment.status
        return "DRAFT" if status == "PARTIAL" and self.view.late.empty else status

    def html(self) -> str:
        title = say("Calibration report, {title}", title=self.title)
        return document(title, self._header, self._main, footer=self._source)

    def body(self) -> Markup:
        return Markup('<div class="report">{}{}<div class="src">{}</div></div>').format(
            self._header, self._main, self._source
        )

    def sentences(self) -> list[str]:
        """The headline as plain text."""
        return [f"{bold}{words.gap()}{rest}".strip() for bold, rest in self.headline]

    @cached_property
    def _header(self) -> Markup:
        v = self.view
        people, scored, others = v.counts()
        rest = sum(others.values())
        reasons = [say("{n} {reason}", n=n, reason=words.shown(why)) for why, n in others.items()]
        meta = {say("Run"): self.manifest.get("run_id", "")} if self.manifest.get("run_id") else {}
        if self.manifest.get("ledger_head"):
            meta[say("Ledger head")] = self.manifest["ledger_head"][:12]
        meta |= {
            say("Quarter"): quarter(v.scheme),
            say("Rated"): say("{scored} of {total}", scored=scored, total=people),
            say("Not in the counts"): say("{n}: {reasons}", n=rest, reasons=words.listing(reasons, 4))
            if rest
            else say("nobody"),
            say("Data quality"): self._light(scored),
            say("Control totals agree"): add_up(people, scored, rest),
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

    def _light(self, scored: int) -> Markup | str:
        late = sum(n for (_, status), n in self.view.gaps.items() if status == "late")
        away = sum(n for (_, status), n in self.view.gaps.items() if status != "late")
        items = words.grouped(self.view.n_items)
        if not late and not away:
            return say("● complete, {n} items", n=items)
        sign = Markup('<span class="light">{}</span>').format("◐" if scored else "○")
        text = escape(say("{sign} {late} late, {away} not due of {n} items"))
        return text.format(sign=sign, late=late, away=away, n=items)

    @cached_property
    def headline(self) -> list[tuple[str, str]]:
        """Three findings: distribution, adjustment, what is open. (bold, rest)."""
        return [self._on_distribution(), self._on_adjustment(), self._on_open()]

    def _on_distribution(self) -> tuple[str, str]:
        v = self.view
        rows = v.distribution
        at = rows[(rows["stage"] == "adjusted") & (rows["grade"] == v.top_band)]
        if at.empty:
            return say("{n} people scored.", n=len(v.scores)), say("No distribution is known.")
        row = at.iloc[0]
        n, total = int(row["n"]), len(v.scores)
        if v.unit is None:
            share = f"{100 * n / total:.0f}" if total else "0"
            return (
                say("{band} {n} of {total} ({share} %).", band=v.top_band, n=n, total=total, share=share),
                say("The share is {guide}. The guideline is guidance, never a gate.", guide=_guide(row)),
            )
        if row["verdict"] == "not tested":
            more = (
                say("{band} {n} of {total}; pooled with sibling units.", band=v.top_band, n=n, total=total)
                if "pooled with" in row["reason"]
                else say(
                    "{band} {n} of {total}; no small sibling unit to pool with.", band=v.top_band, n=n, total=total
                )
            )
            return say("{total} people: too few to tell from chance.", total=total), more
        outside = rows[
            (rows["stage"] == "adjusted") & (rows["verdict"] == "outside chance") & (rows["grade"] != v.top_band)
        ]
        if row["verdict"] != "outside chance" and len(outside):
            row = outside.iloc[0]
        said = say(
            "{band} {n} of {total}; chance alone gives {low} to {high}.",
            band=row["grade"],
            n=int(row["n"]),
            total=total,
            low=f"{row['chance_low']:.0f}",
            high=f"{row['chance_high']:.0f}",
        )
        if row["verdict"] == "outside chance":
            return said, say("Outside chance: look at targets and rater first.")
        return said, say(
            "The share is {guide} and within chance: no action needed on the distribution.", guide=_guide(row)
        )

    def _on_adjustment(self) -> tuple[str, str]:
        v = self.view
        moved, changed = len(v.moved), sorted(v.changed.index)
        total = len(v.scores)
        bold = (
            say_n(
                "Severity-adjusted: {moved} of {total} scores moved, {n} grade changed.",
                "Severity-adjusted: {moved} of {total} scores moved, {n} grades changed.",
                len(changed),
                moved=moved,
                total=total,
            )
            if moved
            else say("Severity-adjusted: no score moved.")
        )
        who = [say("({names})", names=words.listing(changed))] if changed and v.unit else []
        if v.left_alone:
            alone = say(
                "Left alone: {n} of {total}, no shared rater. Severity and team quality cannot be told apart.",
                n=len(v.left_alone),
                total=total,
            )
        elif total:
            alone = say("Nobody was left alone: every rater shares people with another.")
        else:
            alone = say("Nobody has a score yet.")
        return bold, words.gap().join([*who, alone])

    def _on_open(self) -> tuple[str, str]:
        v = self.view
        call = f"{v.limits.call:.2f}".removeprefix("0")
        if not v.late.empty:
            listed = words.listing([f"{r.employee_id} {v.kpi_names.get(r.kpi, r.kpi)}" for r in rows_of(v.late)], 3)
            bold = say_n(
                "{n} result late, so this report is {partial}",
                "{n} results late, so this report is {partial}",
                len(v.late),
                partial=say("PARTIAL"),
            )
            close = [say("Too close to call: {n}.", n=len(v.close))] if v.close else []
            return bold, words.gap().join(
                [say("and cannot be made final."), say("Missing: {names}.", names=listed), *close]
            )
        if v.close:
            return (
                say("Too close to call: {n} of {total}.", n=len(v.close), total=len(v.scores)),
                say("Rating error alone leaves the proposed grade under p {call}; discuss these first.", call=call),
            )
        return say("No grade is too close to call: every p is {call} or more.", call=call), ""

    @cached_property
    def charts(self) -> list[tuple[str, str, Any]]:
        """Charts A, B and C: (finding, what is drawn, chart)."""
        v = self.view
        rows = v.distribution[v.distribution["stage"] == "adjusted"]
        verdicts = rows["verdict"]
        out = int((verdicts == "outside chance").sum())
        if v.unit is None:
            a = say("Adjustment changed {n} of {total} grades", n=len(v.changed), total=len(v.scores))
        elif (verdicts == "not tested").all():
            a = say("Too few people to tell from chance")
        elif out:
            a = say_n("{n} count lies outside chance", "{n} counts lie outside chance", out, n=words.number_word(out))
        else:
            a = say("Every count lies within chance")
        raters = v.raters
        apart = int(raters["verdict"].isin(["severe", "lenient"]).sum())
        if apart:
            b = say_n(
                "{n} of {total} raters differs from the rest",
                "{n} of {total} raters differ from the rest",
                apart,
                n=words.number_word(apart),
                total=len(raters),
            )
        elif raters["severity"].notna().any():
            b = say("No rater differs from the rest")
        else:
            b = say("No rater can be compared")
        zone = v.company.zone
        people = v.totals.reset_index(drop=True)
        odd = len(plots.outside_zone(people, v.scheme.rubric, zone, v.limits.disagreement))
        more = odd - plots.marked(odd, len(people.dropna(subset=["kpi_score", "rating"])))
        if not np.isfinite(zone).all():
            c = say("Too few people to compare rating and results")
        elif odd:
            c = say_n(
                "{n} rating does not fit the results",
                "{n} ratings do not fit the results",
                odd,
                n=words.number_word(odd),
            )
        else:
            c = say("Every rating fits the results")
        scale = v.scheme.scale[:2]
        named = v.names if v.unit else None
        return [
            (
                "A. " + a,
                say("People per grade, before and after severity adjustment, n = {n}", n=len(v.scores)),
                plots.grade_change(v.distribution, unit=v.name, level=v.limits.chance),
            ),
            (
                "B. " + b,
                say("Severity in rating points; positive = severe"),
                plots.severity(raters, level=v.limits.confidence, most=7),
            ),
            (
                "C. " + c,
                say(
                    "KPI score and rating, one dot a person; orange: the {n} farthest outside the grey and {apart} "
                    "points apart; {more} more are blue",
                    n=odd - more,
                    more=more,
                    apart=f"{v.limits.disagreement:g}",
                )
                if more
                else say(
                    "KPI score and rating, one dot a person; orange: outside the grey and {apart} points apart",
                    apart=f"{v.limits.disagreement:g}",
                ),
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
        why = say("; ").join(dict.fromkeys(words.flag(f) for f in case["flags"]))
        shown = {
            "id": who,
            "name": v.names.get(who, ""),
            "post": post,
            "kpi_score": total["kpi_score"],
            "rating": total["rating"],
            "why": why[:1].upper() + why[1:],
            "evidence": [told(said) for said in case["evidence"]],
            "past": " ".join(grades.get(who, "–") for _, grades in v.past),
            "scored": who in v.scores.index,
        }
        if not shown["scored"]:
            return shown | {"reason": told(total["reason"])}
        row = v.scores.loc[who]
        chances = v.chances(who)
        known = np.isfinite(list(chances.values())).all()
        shift = row["score_adjusted"] - row["score_raw"]
        return shown | {
            "score": row["score_adjusted"],
            "shift": say("left alone") if who in v.left_alone else words.signed(shift, 1) if pd.notna(shift) else "",
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
        for unit in [v.unit] if v.unit else self._listed_units:
            cases = by_unit.get(unit, [])
            shown = cases[:most]
            title = say(
                "Discussion list: {flagged} flagged, {shown} shown, {rest} remaining",
                flagged=len(cases),
                shown=len(shown),
                rest=len(cases) - len(shown),
            )
            lists.append(
                {
                    "unit": unit,
                    "title": title if v.unit else say("{unit}. {title}", unit=unit, title=title),
                    "cases": [self._case(c) for c in shown],
                }
            )
        return lists

    @cached_property
    def _listed_units(self) -> list[str]:
        """Units whose first cases stand on the company's page: all; of very many, those outside chance first."""
        flagged = {case["unit"] for case in self.view.cases}
        return sorted([unit for unit in self.view.units if unit in flagged][:LISTED_UNITS])

    @cached_property
    def _units(self) -> list[dict[str, Any]]:
        """One row a unit for the company's report, in the order of unit_order."""
        v = self.view
        if v.unit is not None:
            return []
        rows = v.tables["distribution"]
        rows = rows[rows["stage"] == "adjusted"]
        flagged = pd.Series([c["unit"] for c in v.cases], dtype=str).value_counts()
        of_unit = {unit: own.set_index("grade") for unit, own in rows.groupby("unit")}
        people = v.scores["unit"].value_counts()
        left_alone = v.scores.loc[list(v.left_alone), "unit"].value_counts()
        listed = set(self._listed_units)
        out = []
        for unit in v.units:
            own = of_unit.get(unit, rows.head(0).set_index("grade"))
            outside = list(own.index[own["verdict"] == "outside chance"])
            verdict = say("; ").join(
                say(
                    "{grade} {n}, chance {low} to {high}",
                    grade=g,
                    n=f"{own.loc[g, 'n']:.0f}",
                    low=f"{own.loc[g, 'chance_low']:.0f}",
                    high=f"{own.loc[g, 'chance_high']:.0f}",
                )
                for g in outside
            )
            small = own.empty or (own["verdict"] == "not tested").all()
            counts = [int(own["n"].get(g, 0)) for g in v.grades]
            out.append(
                {
                    "unit": unit,
                    "n": int(people.get(unit, 0)),
                    "counts": counts,
                    "verdict": verdict or (say("too few to test") if small else say("within chance")),
                    "outside": bool(outside),
                    "alone": int(left_alone.get(unit, 0)),
                    "flagged": int(flagged.get(unit, 0)),
                    "listed": unit in listed,
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
                past=words.joined(_quarter(k) for k, _ in v.past) or say("Past"),
                units=self._units,
                unlisted=sum(bool(u["flagged"]) and not u["listed"] for u in self._units),
                grades=v.grades,
                categories=categories,
                strip_range=say("{low} to {high}", low=f"{low:.0f}", high=f"{high:.0f}"),
                mean=raw,
                company_mean=v.company.score,
                results=v.n_items,
                borderline=borderline,
                money=self._money,
                codes=words.reason_codes(),
                counts={
                    "proposed": len(v.scores),
                    "discussed": discussed,
                    "rest": flagged - discussed,
                    "consent": len(v.scores) - sum(c["id"] in v.scores.index for c in v.cases),
                },
                company=v.unit is None,
                people=v.company.people,
                level=f"{100 * v.limits.chance:.0f} %",
                no_p=say("none: severity of the rater is not identified"),
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
                    "step": say(row.step.capitalize()),
                    "cost": words.grouped(cost),
                    "balance": words.grouped(budget - cost),
                    "change": "" if change is None else words.signed(change, 0),
                }
            )
            last = cost
        end = pool.iloc[-1]
        cost, budget = round(end["cost"] / unit), round(end["budget"] / unit)
        said = say(
            "{step} {cost}, balance {balance}",
            step=told(end["step"]),
            cost=words.grouped(cost),
            balance=words.grouped(budget - cost),
        )
        held = (
            say("pool {budget}", budget=words.grouped(budget))
            if self.view.unit is None
            else say("targets {budget}", budget=words.grouped(budget))
        )
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
        shown = set(v.totals.index)
        if v.unit is None and len(shown) > LISTED_PEOPLE:
            shown = {case["id"] for group in self._lists for case in group["cases"]}
            shown |= {row.employee_id for row in rows_of(v.borderline)}
        for who in sorted(shown):
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
                    "reason": told(v.named(reason)),
                    "score": score,
                    "p": [None if score is None else score[f"p_{g}"] for g in v.grades],
                }
            )
        return Markup(render("source.html.j2", rows=rows, grades=v.grades, unlisted=len(v.totals) - len(shown)))


def _guide(row: pd.Series) -> str:
    """Where a share lies beside its guideline, as the end of "The share is …"."""
    least, most, share = (float(row[c]) for c in ("guideline_low", "guideline_high", "share"))
    if not np.isfinite([least, most]).all():
        return say("without a guideline")
    ends = {"least": f"{100 * least:.0f}", "most": f"{100 * most:.0f}"}
    if share > most + 1e-9:
        return say("above the guideline of {least}–{most} %", **ends)
    if share < least - 1e-9:
        return say("below the guideline of {least}–{most} %", **ends)
    return say("inside the guideline of {least}–{most} %", **ends)


def _quarter(cycle_id: str) -> str:
    return cycle_id[-2:] if len(cycle_id) == 6 and cycle_id[-2] == "Q" else cycle_id


def _few(names: list[str], most: int = 4) -> str:
    """Names, or how many where they would fill the line."""
    return words.joined(names) if len(names) <= most else say("{n} raters", n=len(names))
