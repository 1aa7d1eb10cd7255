"""Reading cycles and writing tables: the only place that opens files of data."""

from .back import read_filled, read_table
from .correct import Correction, corrected, correction_of, standing_text
from .cycle import check, read_beside, read_cycle, read_history, read_year
from .earlier import Sibling, id_of, quarters_in
from .evaluations import read_evaluations
from .findings import format_findings
from .plan import write_plan
from .shared import share, shared
from .write import csv_bytes, digest, write_atomic, write_csv

__all__ = [
    "Correction",
    "Sibling",
    "check",
    "corrected",
    "correction_of",
    "csv_bytes",
    "digest",
    "format_findings",
    "id_of",
    "quarters_in",
    "read_beside",
    "read_cycle",
    "read_evaluations",
    "read_filled",
    "read_history",
    "read_table",
    "read_year",
    "share",
    "shared",
    "standing_text",
    "write_atomic",
    "write_csv",
    "write_plan",
]
