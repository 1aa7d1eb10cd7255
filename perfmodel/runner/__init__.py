"""From a cycle to a published run: parameters, kernels, records, publication.

papermill is loaded to execute only: a notebook's last cell imports this package too.
"""

from .outcome import Outcome, attempt, attended
from .record import done
from .run import NOTEBOOKS, Progress, run, write_tables

__all__ = ["NOTEBOOKS", "Outcome", "Progress", "attempt", "attended", "done", "run", "write_tables"]
