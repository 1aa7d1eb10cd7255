"""Calibration and modelling of performance results before they become final."""

from importlib import import_module

__version__ = "1.0.0"

# Public name -> module that holds it. Loaded on first use, so that the command line answers at once.
_HOME = {
    "read_cycle": "io",
    "read_history": "io",
    "Cycle": "cycle",
    "read_scheme": "scheme",
    "Scheme": "scheme",
    "score": "scoring",
    "WeightSpace": "space",
    "simulate_weights": "weights",
    "choose_weights": "weights",
    "write_plan": "io",
    "live_weights": "session",
    "done": "runner",
    "speak": "language",
    "check": "io",
    "fit_severity": "raters",
    "Assessment": "assessment",
    "assess": "assessment",
    "DataError": "errors",
    "Finding": "errors",
    "PerfmodelError": "errors",
    "RunError": "errors",
    "SchemeError": "errors",
}
_MODULES = {
    "annual",
    "assessment",
    "calibration",
    "distribution",
    "health",
    "io",
    "language",
    "outcomes",
    "planning",
    "plots",
    "quarters",
    "raters",
    "reliability",
    "report",
    "scheme",
    "scoring",
    "session",
    "simulate",
    "tables",
    "weights",
}

__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str):
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*__all__, *_MODULES})
