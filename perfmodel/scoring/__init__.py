"""From results and ratings to points, scores and grades, by the scheme's own arithmetic."""

from ..grades import cap_grades, grade_of
from .rules import RULES, attainment
from .score import counted_milestones, gate_caps, item_scores, kpi_table, rescore, rescorer, score, total
from .scorecards import scorecards

__all__ = [
    "RULES",
    "attainment",
    "cap_grades",
    "counted_milestones",
    "gate_caps",
    "grade_of",
    "item_scores",
    "kpi_table",
    "rescore",
    "rescorer",
    "score",
    "scorecards",
    "total",
]
