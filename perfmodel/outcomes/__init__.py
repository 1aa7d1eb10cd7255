"""What follows from decided grades: money, promotion, training, improvement plans, and what the organisation learns.

Nothing here decides. ``pool`` and ``what_if`` tell what grades would cost before anybody has decided; everything else
takes a table of decisions (``employee_id, grade``) and never looks at a proposal.
"""

from .bonus import bonuses, largest_remainder
from .careers import grade_rise, promotion_slate, slate_note
from .development import improvement_goals, improvement_plans, training_by_domain, training_needs
from .money import pool, what_if
from .organisation import organisation_summary

__all__ = [
    "bonuses",
    "grade_rise",
    "improvement_goals",
    "improvement_plans",
    "largest_remainder",
    "organisation_summary",
    "pool",
    "promotion_slate",
    "slate_note",
    "training_by_domain",
    "training_needs",
    "what_if",
]
