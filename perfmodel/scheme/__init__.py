"""The scheme: what is measured, how it counts, and what may be chosen."""

from .objects import (
    Attribute,
    Category,
    Gate,
    Grade,
    Guideline,
    Item,
    Kpi,
    Limits,
    Profile,
    Role,
    Scheme,
    Severity,
    Text,
)
from .outcomes import Outcomes, Pay
from .reading import read_scheme

__all__ = [
    "Attribute",
    "Category",
    "Gate",
    "Grade",
    "Guideline",
    "Item",
    "Kpi",
    "Limits",
    "Outcomes",
    "Pay",
    "Profile",
    "Role",
    "Scheme",
    "Severity",
    "Text",
    "read_scheme",
]
