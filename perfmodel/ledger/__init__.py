"""The ledger: every decision as an entry that is only ever added, each holding the hash of the one before.

A SQLite file unless a PostgreSQL URL is given. What the chain cannot see by itself is a cut tail: keep ``head()``,
as every report does, and give it to ``verify``. A hash shows change, it does not forbid it: who may write to the
database can write a whole new chain, and only a head kept elsewhere tells it from the old one.
"""

from .address import DEFAULT
from .chain import GENESIS
from .entry import Draft, Entry, token_of
from .ledger import Ledger, head_at, open_ledger
from .rows import export_lines, export_rows, show_rows
from .verification import verify

__all__ = [
    "DEFAULT",
    "GENESIS",
    "Draft",
    "Entry",
    "Ledger",
    "export_lines",
    "export_rows",
    "head_at",
    "open_ledger",
    "show_rows",
    "token_of",
    "verify",
]
