"""From a cycle to a published run: parameters, kernels, records, publication.

papermill is loaded to execute only: a notebook's last cell imports this package too.
"""

from .outcome import Outcome, attended
from .record import done
from .run import NOTEBOOKS, Progress, folder_of, run, write_tables

__all__ = ["NOTEBOOKS", "Outcome", "Progress", "attended", "done", "folder_of", "run", "write_tables"]
