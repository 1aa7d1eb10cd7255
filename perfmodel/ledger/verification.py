"""Whether a ledger is what was recorded: its build, the database's own check, every hash and link, the head."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from ..errors import LedgerError
from . import schema
from .address import PATIENCE, Address, Locked, address_of, in_words
from .chain import missing_head, problems
from .entry import Entry, entry_of
from .schema import ENTRIES, VERSIONS


def verify(place: str | Path, head: str | None = None, patience: float = PATIENCE) -> list[str]:
    """Recompute the whole ledger at ``place`` from what is stored; nothing is written, made or migrated.

    Parameters
    ----------
    head : str, optional
        A head kept elsewhere, whole or its first 12 digits or more. The ledger must contain it: without one,
        entries cut off the end, or a chain written anew, are not seen.

    Returns
    -------
    list of str
        What cannot be vouched for, a sentence each: which entry, which field. Empty for a whole ledger.

    Raises
    ------
    LedgerError
        If there is nothing to look at: no file, no ledger in the PostgreSQL database, or it cannot be reached.
    """
    return verify_at(address_of(place), head, patience)


def verify_at(address: Address, head: str | None, patience: float) -> list[str]:
    """``verify`` of an address that was read before."""
    if head is not None and not re.fullmatch("[0-9a-f]{12,64}", head):
        raise LedgerError(f"{head} is no head of a ledger: give the 64 digits 0-9 a-f of a report, or at least 12.")
    if address.path is not None and not address.path.is_file():
        raise LedgerError(f"There is no ledger at {address.shown}: nothing was decided there, or it is elsewhere.")
    found: list[str] = []
    entries: list[Entry] = []
    with _noted(found, address, patience), address.engine(patience).connect() as connection:
        # Each by itself: where one stops at the damage, the next may still tell more.
        for look in (_of_the_build, _of_the_file, partial(_gather, entries)):
            with _noted(found, address, patience):
                for sentence in look(connection, address):
                    found.append(sentence)
    found += problems(entries)
    if head is not None:
        found += missing_head(entries, head)
    return [sentence.encode("utf-8", "backslashreplace").decode("utf-8") for sentence in dict.fromkeys(found)]


@contextmanager
def _noted(found: list[str], address: Address, patience: float) -> Iterator[None]:
    """A file that cannot be read is a finding; a server that cannot, or a lock, says nothing about the ledger."""
    try:
        with in_words(address, patience):
            yield
    except LedgerError as problem:
        if address.url is not None or isinstance(problem, Locked):
            raise
        found.append(str(problem))


def _gather(entries: list[Entry], connection: sa.Connection, address: Address) -> Iterator[str]:
    """Puts what can be read into ``entries``; the database's complaint ends it, and says how far it came."""
    if not sa.inspect(connection).has_table(ENTRIES.name):
        return
    try:
        for row in connection.execute(sa.select(ENTRIES).order_by(ENTRIES.c.seq)):
            entries.append(entry_of(row))
    except sa.exc.DatabaseError:
        yield f"Of the entries {len(entries)} could be read."
        raise


def _of_the_build(connection: sa.Connection, address: Address) -> Iterator[str]:
    version = schema.version(connection, address)
    if version == 0:
        raise LedgerError(f"There is no ledger at {address.shown}: nothing was decided there, or it is elsewhere.")
    yield from schema.changes(connection, version)
    numbers = list(connection.scalars(sa.select(VERSIONS.c.version).order_by(VERSIONS.c.version)))
    if numbers != list(range(1, version + 1)):
        yield f"The ledger's table of versions says {numbers}, and should count from 1 to {version}."


def _of_the_file(connection: sa.Connection, address: Address) -> Iterator[str]:
    if connection.dialect.name != "sqlite":
        return
    for (line,) in connection.exec_driver_sql("PRAGMA integrity_check(20)"):
        if line != "ok":
            yield f"The file is damaged, by SQLite's own check: {' '.join(line.split())}."
