"""How severe raters are, where the data can show it, and ratings with that given back."""

from .diagnostics import drift, with_drift
from .facets import FacetsFit, fit_facets
from .severity import SeverityFit, fit_severity

__all__ = ["FacetsFit", "SeverityFit", "drift", "fit_facets", "fit_severity", "with_drift"]
