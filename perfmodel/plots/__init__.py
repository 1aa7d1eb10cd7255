"""Charts of the output tables, one function a question; each returns a ``Chart`` that shows itself.

A chart takes plain tables in the shape of ``tables.OUTPUTS`` and knows no method. Grey is what chance or
rating error alone gives; blue is data; the accent marks what needs a person. ``chart.description`` states the
values in words, for readers who hear the page.

- ``grade_change(distribution, *, unit="company", before="raw", after="adjusted", level=0.95)``
- ``severity(raters, *, level=0.90, most=30)``
- ``kpi_against_rating(people, rubric, *, zone=None, scale=(1, 5), least=0.0, names=None)``
- ``agreement_zone(people, rubric, share=0.8)`` -> (low, high) for ``zone``
- ``unit_multiples(distribution, *, stage="adjusted", level=0.99, columns=6)``
- ``score_distribution(scores, cuts, *, column="score_adjusted")``
- ``slopes(scores, cuts, *, before="score_raw", after="score_adjusted", most=30)``
- ``weight_shares(weight_grades, *, call=0.70, most=30)``; ``rank_bands(weight_rank_bands, *, most=30)``
- ``importance(weight_importance)``; ``stability(weight_importance)``
- ``rater_network(ratings, raters)``
- ``shrinkage(raters, *, most=30)``; ``drift(moves, *, most=12)``; ``link_range(table, *, most=30)``
- ``curve(table, *, x, y, by=None, log=False, reference=None)``; ``wright_map(table)``
- ``year_methods(results, cuts, *, most=24)``
- ``retest(stability)``; ``validity(stability)``; ``kpi_pairs(pairs, *, most=10)``; ``rating_prediction(prediction)``
- ``money(pool)``; ``ratios(fairness, *, level=0.95)``
- ``recovery(truth, estimate, *, low=None, high=None, xlabel, ylabel)``; ``strip(table, *, label, low, value, high,
  xlabel, reference=None)``; ``histogram(values, *, xlabel, mark=None)``
- marks, as small inline SVG text: ``p_columns(chances, grade)``, ``w_bar(share, grade)``,
  ``grade_bars(counts, low, high, ...)``, ``category_strip(unit, company)``,
  ``score_line(before, after, cuts, *, low=None, high=None, level=0.90)``
"""

from .fairness import ratios
from .general import histogram, recovery, strip
from .grades import (
    agreement_zone,
    grade_change,
    kpi_against_rating,
    marked,
    outside_zone,
    score_distribution,
    slopes,
    unit_multiples,
)
from .health import kpi_pairs, rating_prediction, retest, validity
from .line import score_line
from .marks import category_strip, grade_bars, p_columns, w_bar
from .method import curve, wright_map
from .outcomes import money
from .raters import rater_network, severity
from .severities import drift, link_range, shrinkage
from .theme import PALETTE, RC, TOKENS, Chart
from .weights import importance, rank_bands, stability, weight_shares
from .year import year_methods

__all__ = [
    "PALETTE",
    "RC",
    "TOKENS",
    "Chart",
    "agreement_zone",
    "category_strip",
    "curve",
    "drift",
    "grade_bars",
    "grade_change",
    "histogram",
    "importance",
    "kpi_against_rating",
    "kpi_pairs",
    "link_range",
    "marked",
    "money",
    "outside_zone",
    "p_columns",
    "rank_bands",
    "rater_network",
    "rating_prediction",
    "ratios",
    "recovery",
    "retest",
    "score_distribution",
    "score_line",
    "severity",
    "shrinkage",
    "slopes",
    "stability",
    "strip",
    "unit_multiples",
    "validity",
    "w_bar",
    "weight_shares",
    "wright_map",
    "year_methods",
]
