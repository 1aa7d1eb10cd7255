"""Findings as pages a committee reads: values for notebooks, whole pages, the workbook.

Values (each shows itself in a notebook, all data escaped, in the language that is spoken: ``language.speak``):

- ``Figure(fig, title, caption="", alt="")``: a chart under the sentence it shows. ``fig`` is what a function of
  ``perfmodel.plots`` returns; ``alt`` is its description when left empty.
- ``Table(frame, title="", caption="", labels=None, formats=None, limit=None)``: a table; ``formats`` names a
  format of ``words.FORMATS`` by column (score, score2, signed, severity, rating, rating2, chance, percent, weight,
  count, money, number, text), guessed from the contract's column names where it is not given.
- ``Sentences(lines, title="")``: headline findings as a numbered list.
- ``Callout(text, title="")``: what a person must act on, or what a number does not mean.
- ``Section(title, parts, lead="")``, ``Page(title, parts, status="", meta=None, simulated=False)``:
  parts put together; ``Page.html()`` is a whole document.

From an assessment (``assessment`` is what ``perfmodel.assess`` returns):

- ``calibration_report(assessment, unit=None, *, manifest=None)`` -> Report: the one-page calibration
  report of a unit, or of the company; shows itself in a notebook, ``.html()`` is a whole document.
- ``index_page(assessment, manifest=None, notebooks=())`` -> str: the run's first page.
- ``workbook(assessment, path, *, manifest=None)``: pack.xlsx.
- ``export_html(notebook, html, *, title="", simulated=None)``: an executed notebook as one offline page.
- ``feedback_sheets(assessment)``: file name and HTML of a private page for each rater, one by one; ``own_ratings``
  and ``feedback_sheet`` are its two steps, for processes that share the work.
- ``excerpt(assessment, unit, *, codes, company, key="")`` -> Excerpt: one unit of it, which every report reads alike;
  ``codes`` from ``rater_codes(assessment)``, ``company`` from ``company_of(assessment)``; ``Excerpts`` cuts unit after
  unit. ``seen(excerpt)`` is its view: pages and workbook made from one view share what they have worked out.
- ``fairness_page(assessment, table=None)`` -> str: outcomes by group, for HR and legal alone.
- ``banner(assessment)`` -> Banner: cycle, status, "Simulated data", the counts; the first output of a notebook.

Answers for notebooks (``answers``): ``finding(assessment, about, profile="")`` states one finding in a sentence;
``counts_table, findings_table, not_tested_table, smart_table, score_sums, weight_choices, variances_table,
agreement_table, d_study_table, shrinkage_table, scale_use_table, link_slopes_table,
link_range_table, link_grades_table, double_rating_table, changed_table, claims_table, permitted_table`` are tables,
``busiest_unit`` names the unit with most to discuss and ``largest_profile`` the post that most people have;
``link_grades_finding``, ``double_rating_note`` and ``self_rating_note`` are sentences.

``named(table or sentence, scheme)``: the same with the scheme's names where it has ids, for a page or a chart.

Over quarters: ``year_banner, year_finding, year_sentences, year_*_table`` of ``quarters.Year``, ``annual_page(year)``
-> Page; ``health_banner, health_finding, health_rows, health_advice, health_*_table`` of ``quarters.Health``.
"""

from .answers import (
    agreement_table,
    busiest_unit,
    changed_table,
    claims_table,
    counts_table,
    d_study_table,
    double_rating_table,
    finding,
    findings_table,
    largest_profile,
    link_range_table,
    link_slopes_table,
    not_tested_table,
    permitted_table,
    scale_use_table,
    score_sums,
    shrinkage_table,
    smart_table,
    variances_table,
    weight_choices,
)
from .excerpt import Excerpt, Excerpts, excerpt, rater_codes
from .export import export_html
from .fairness import fairness_page
from .feedback import feedback_sheet, feedback_sheets, own_ratings
from .health import (
    health_advice,
    health_banner,
    health_drift_table,
    health_finding,
    health_profiles_table,
    health_refused_table,
    health_rows,
    health_verdicts_table,
)
from .index import index_page
from .named import named
from .page import Banner, Callout, Figure, Page, Section, Sentences, Table, banner
from .severities import double_rating_note, link_grades_finding, link_grades_table, self_rating_note
from .unit import Report, calibration_report
from .view import Company, company_of, seen
from .workbook import workbook
from .year import (
    annual_page,
    basis_sentence,
    year_banner,
    year_conditions_table,
    year_finding,
    year_left_out_table,
    year_methods_table,
    year_milestones_table,
    year_missing_table,
    year_quarters_table,
    year_sentences,
    year_service_table,
)

__all__ = [
    "Banner",
    "Callout",
    "Company",
    "Excerpt",
    "Excerpts",
    "Figure",
    "Page",
    "Report",
    "Section",
    "Sentences",
    "Table",
    "agreement_table",
    "annual_page",
    "banner",
    "basis_sentence",
    "busiest_unit",
    "calibration_report",
    "changed_table",
    "claims_table",
    "company_of",
    "counts_table",
    "d_study_table",
    "double_rating_note",
    "double_rating_table",
    "excerpt",
    "export_html",
    "fairness_page",
    "feedback_sheet",
    "feedback_sheets",
    "finding",
    "findings_table",
    "health_advice",
    "health_banner",
    "health_drift_table",
    "health_finding",
    "health_profiles_table",
    "health_refused_table",
    "health_rows",
    "health_verdicts_table",
    "index_page",
    "largest_profile",
    "link_grades_finding",
    "link_grades_table",
    "link_range_table",
    "link_slopes_table",
    "named",
    "not_tested_table",
    "own_ratings",
    "permitted_table",
    "rater_codes",
    "scale_use_table",
    "score_sums",
    "seen",
    "self_rating_note",
    "shrinkage_table",
    "smart_table",
    "variances_table",
    "weight_choices",
    "workbook",
    "year_banner",
    "year_conditions_table",
    "year_finding",
    "year_left_out_table",
    "year_methods_table",
    "year_milestones_table",
    "year_missing_table",
    "year_quarters_table",
    "year_sentences",
    "year_service_table",
]
