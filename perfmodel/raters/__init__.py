"""How severe raters are, where the data can show it, and ratings with that given back."""

from .severity import SeverityFit, fit_severity

__all__ = ["SeverityFit", "fit_severity"]
