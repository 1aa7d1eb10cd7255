"""Opening a ledger, adding to it in one transaction a command, and reading it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa

from ..errors import LedgerError
from . import schema
from .address import DEFAULT, PATIENCE, Address, address_of, in_words
from .chain import GENESIS, following
from .entry import Draft, Entry, entry_of
from .schema import ENTRIES
from .verification import verify_at

LOCK = 0x7065_7266_6C65_6467  # PostgreSQL's advisory lock of all ledgers of one database: "perfledg"
REMEDY = "See perfmodel ledger verify, then put back a copy of the ledger."
Rule = Callable[[tuple[Entry, ...]], Iterable[Draft]]


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, eq=False)
class Ledger:
    """An open ledger. It holds no connection, so it may be shared by threads and outlive a restart of the server."""

    address: Address
    clock: Callable[[], datetime] = now
    patience: float = PATIENCE  # seconds to wait for others who are writing

    @cached_property
    def _engine(self) -> sa.Engine:
        return self.address.engine(self.patience)

    def append(self, *drafts: Draft, expect: str | None = None) -> tuple[Entry, ...]:
        """Record ``drafts`` in one transaction, all or none, and return their entries in the same order.

        A draft whose token stands already is not added again; its standing entry is returned. So a command that
        was cut off is simply given again.

        Parameters
        ----------
        expect : str, optional
            The head on which the caller decided. If it moved since, nothing is recorded (unless all stands already).

        Raises
        ------
        LedgerError
            If the head moved, a token stands for something else, the last entry is damaged, or the database refuses.
        """
        with self._writing() as connection:
            return self._add(connection, drafts, expect)

    def append_from(self, rule: Rule, cycle: str | None = None) -> tuple[Entry, ...]:
        """Record what ``rule`` makes of the entries that stand (of one ``cycle``, if given), while no one else writes.

        For rules such as "not yet superseded" or "one finalize": the rule sees the entries under the lock, so
        nothing comes between looking and recording. It raises LedgerError to refuse; then nothing is recorded.
        Given again after it succeeded it sees its own entries too: look for their tokens before refusing.
        """
        with self._writing() as connection:
            standing = _read(connection, cycle)
            return self._add(connection, tuple(rule(tuple(standing))), None)

    def entries(self, cycle: str | None = None, after: int = 0, kind: str | None = None) -> tuple[Entry, ...]:
        """Entries in order: those of one quarter or kind, those after entry number ``after``.

        All that stands after entry ``after`` is read and its hashes and links are recomputed, so a ledger that was
        changed is refused rather than used. That none is missing at the end, only a head kept elsewhere can say.
        """
        with self._reading() as connection:
            return tuple(_read(connection, cycle, after, kind))

    def head(self) -> str:
        """Hash of the last entry, 64 hex digits: the whole ledger in a line, to be kept elsewhere."""
        with self._reading() as connection:
            last = _last(connection)
        return last.hash if last else GENESIS

    def verify(self, head: str | None = None) -> list[str]:
        """What cannot be vouched for, a sentence each: see ``perfmodel.ledger.verify``."""
        return verify_at(self.address, head, self.patience)

    def __repr__(self) -> str:
        return f"Ledger at {self.address.shown}"

    def _add(self, connection: sa.Connection, drafts: Sequence[Draft], expect: str | None) -> tuple[Entry, ...]:
        standing = _standing(connection, [draft.token for draft in drafts])
        last = _last(connection)
        head = last.hash if last else GENESIS
        if expect not in (None, head) and any(draft.token not in standing for draft in drafts):
            raise LedgerError(
                f"The ledger has moved on since this was decided: its head was {expect:.12}… and is {head:.12}…. "
                "Nothing was recorded. Look at what was added (perfmodel ledger show), then decide again."
            )
        added = []
        for draft in drafts:
            if draft.token in standing:
                _must_be_the_same(draft, standing[draft.token])
                continue
            last = following(draft, last, schema.instant(self.clock))
            standing[draft.token] = last
            added.append(asdict(last))
        if added:
            connection.execute(ENTRIES.insert(), added)
        return tuple(standing[draft.token] for draft in drafts)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """One transaction that no other writer shares; committed at the end, undone by any error."""
        with self._reading() as connection, connection.execution_options(writes=True).begin():
            if connection.dialect.name == "postgresql":
                _lock_postgresql(connection, self.patience)
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with in_words(self.address, self.patience), self._engine.connect() as connection:
            yield connection


def open_ledger(
    place: str | Path = DEFAULT,
    *,
    create: bool = True,
    clock: Callable[[], datetime] = now,
    patience: float = PATIENCE,
) -> Ledger:
    """The ledger at ``place``: the path of a SQLite file, or ``postgresql://USER:PASSWORD@HOST/DATABASE``.

    A file that is not there is made, tables that are not there are made, an older ledger is brought up to date in
    one transaction. With ``create=False`` nothing is made: for reading.

    Raises
    ------
    LedgerError
        If it is no ledger, of a newer perfmodel, damaged, locked, or cannot be reached or written to.
    """
    address = address_of(place)
    if address.path is not None:
        _prepare_file(address.path, address.shown, create)
    ledger = Ledger(address, clock, patience)
    with ledger._reading() as connection:
        found = schema.version(connection, address)
        current = found == len(schema.STEPS[connection.dialect.name])
        if connection.dialect.name == "postgresql":
            _must_be_unicode(connection, address)
    if found == 0 and not create:
        raise LedgerError(f"There is no ledger at {address.shown}: nothing was decided there, or it is elsewhere.")
    if not current:
        with ledger._writing() as connection:
            schema.migrate(connection, address, clock)
    return ledger


def head_at(place: str) -> str:
    """Head of the ledger at ``place``, to be printed in a report; "" where there is none yet."""
    if "://" not in place and not Path(place).is_file():
        return ""
    return open_ledger(place, create=False).head()


def _prepare_file(path: Path, shown: str, create: bool) -> None:
    """Makes an empty file where there is none and one is wanted; refuses what can be no ledger."""
    if path.is_dir():
        raise LedgerError(f"{shown} is a folder, and a ledger is a file. Name one in it: {path / 'ledger.sqlite'}.")
    if path.exists():
        return
    if not create:
        raise LedgerError(f"There is no ledger at {shown}: nothing was decided there, or it is elsewhere.")
    if not path.parent.is_dir():
        raise LedgerError(f"The folder of the ledger {shown} is not there. Make it, or name another place.")
    try:
        path.touch(mode=0o600)  # who was decided on, and how, is not for every user of the machine
    except OSError as problem:
        raise LedgerError(
            f"The ledger {shown} cannot be made: {problem.strerror}. Check your rights in its folder."
        ) from None


def _must_be_unicode(connection: sa.Connection, address: Address) -> None:
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise LedgerError(
            f"The database {address.shown} stores {encoding}, which has no room for every name. "
            "Make one with: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0."
        )


def _lock_postgresql(connection: sa.Connection, patience: float) -> None:
    # A server set to answer before it has written to disk would report as recorded what a crash still takes.
    settings = sa.text(
        "SELECT set_config('lock_timeout', :wait, true), set_config('synchronous_commit', "
        "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
        "ELSE current_setting('synchronous_commit') END, true)"
    )
    connection.execute(settings, {"wait": f"{max(1, round(patience * 1000))}ms"})
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def _read(connection: sa.Connection, cycle: str | None = None, after: int = 0, kind: str | None = None) -> list[Entry]:
    """Entries after number ``after``, chosen here and not by the database: one whose cycle was changed is met too."""
    rows = connection.execute(sa.select(ENTRIES).where(ENTRIES.c.seq > after).order_by(ENTRIES.c.seq))
    expected, before, chosen = after + 1, None if after else GENESIS, []
    for row in rows:
        entry = _checked(row)
        if entry.seq != expected or before not in (None, entry.previous):
            raise LedgerError(
                f"Entry {entry.seq} of the ledger does not follow from the one before: entries were removed or "
                f"changed, so nothing may rest on what is left. {REMEDY}"
            )
        expected, before = entry.seq + 1, entry.hash
        if cycle in (None, entry.cycle) and kind in (None, entry.kind):
            chosen.append(entry)
    return chosen


def _checked(row: sa.Row) -> Entry:
    entry = entry_of(row)
    if entry.digest != entry.hash:
        raise LedgerError(
            f"Entry {entry.seq} of the ledger does not match its hash: it was changed after being recorded, so nothing "
            f"may rest on it. {REMEDY}"
        )
    return entry


def _last(connection: sa.Connection) -> Entry | None:
    row = connection.execute(sa.select(ENTRIES).order_by(ENTRIES.c.seq.desc()).limit(1)).first()
    return None if row is None else _checked(row)


def _standing(connection: sa.Connection, tokens: Sequence[str]) -> dict[str, Entry]:
    """Entries that carry one of ``tokens``. In portions: a statement takes only so many values."""
    found: dict[str, Entry] = {}
    for start in range(0, len(tokens), 500):
        query = sa.select(ENTRIES).where(ENTRIES.c.token.in_(tokens[start : start + 500]))
        found |= {entry.token: entry for entry in map(_checked, connection.execute(query))}
    return found


def _must_be_the_same(draft: Draft, entry: Entry) -> None:
    """The author may differ: of several who give one command at once, one is recorded."""
    if (draft.cycle, draft.kind, draft.subject, draft.text) != (entry.cycle, entry.kind, entry.subject, entry.payload):
        raise LedgerError(
            f"This {draft.kind} carries the token of entry {entry.seq} ({entry.kind}) but says something else, so it "
            "cannot be a repetition of it. Nothing was recorded. Give what differs a token of its own."
        )
