"""From a cycle to a published run: parameters, kernels, records, publication.

papermill is loaded to execute only: a notebook's last cell imports this package too.
"""

from .engine import Engine
from .outcome import Outcome, attempt, attended
from .packs import UnitsFailed
from .record import done
from .run import NOTEBOOKS, Progress, run, write_tables
from .several import run_each

__all__ = [
    "NOTEBOOKS",
    "Engine",
    "Outcome",
    "Progress",
    "UnitsFailed",
    "attempt",
    "attended",
    "done",
    "run",
    "run_each",
    "write_tables",
]
