"""Where a ledger is: a path or URL into an engine, and a database's complaints into sentences."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from ..errors import LedgerError
from ..urls import may_hold_secret

DEFAULT = "reports/ledger.sqlite"
PATIENCE = 30.0  # seconds to wait for others who are writing
POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
SQLITE = ("sqlite", "sqlite+pysqlite")


@dataclass(frozen=True)
class Address:
    """One ledger's place. ``shown`` names it in messages: never user, password or options of a URL."""

    shown: str
    path: Path | None = None  # of a SQLite file
    url: sa.URL | None = field(default=None, repr=False)  # of a PostgreSQL database

    def engine(self, patience: float) -> sa.Engine:
        """A connection for each use, so that processes, threads and a restarted server are all the same to it.

        Raises
        ------
        LedgerError
            If the driver for PostgreSQL is not installed.
        """
        if self.path is not None:
            return _sqlite(self.path, patience)
        options = {"connect_timeout": 10, "application_name": "perfmodel", "client_encoding": "utf8"}
        assert self.url is not None
        try:
            # Under REPEATABLE READ the snapshot would be older than the lock that is waited for.
            return sa.create_engine(
                self.url, poolclass=sa.NullPool, connect_args=options, isolation_level="READ COMMITTED"
            )  # fmt: skip
        except ImportError:
            raise LedgerError(
                "A ledger in PostgreSQL needs the driver psycopg, which is not installed here. "
                "Install it: pip install 'perfmodel[postgres]'."
            ) from None


def address_of(place: str | Path) -> Address:
    """The address that ``place`` names: a path, ``sqlite:///PATH`` or ``postgresql://USER@HOST/DATABASE``.

    Raises
    ------
    LedgerError
        If it is none of these, or a SQLite database in memory, which would forget.
    """
    text = str(place)
    scheme = text.partition(":")[0]
    unread = LedgerError(
        f"The address of the ledger that begins with {scheme}:// cannot be read. Write "
        "postgresql://USER:PASSWORD@HOST:5432/DATABASE, with @ / : and % inside a password as %40 %2F %3A %25."
    )
    if may_hold_secret(text):
        raise unread
    if "://" not in text:
        return _file(text)
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise unread from None
    if url.drivername in SQLITE:
        if url.query:
            raise LedgerError("A SQLite ledger takes no options in its address: give sqlite:///PATH or the path alone.")
        return _file(url.database or "")
    if url.drivername not in POSTGRES:
        raise LedgerError(
            f"A ledger cannot be kept in a {url.drivername} database. Give the path of a SQLite file, "
            "or postgresql://USER@HOST/DATABASE."
        )
    host = url.host or url.query.get("host") or ""
    port = f":{url.port}" if url.port else ""
    shown = f"postgresql://{host if isinstance(host, str) else host[0]}{port}/{url.database or ''}"
    if "@" in shown:  # the rest of a password
        raise unread
    return Address(shown, url=url.set(drivername="postgresql+psycopg"))


def _file(text: str) -> Address:
    if text in ("", ":memory:"):
        raise LedgerError(f"A ledger in memory would forget every decision. Give a file, for example {DEFAULT}.")
    return Address(text, path=Path(text))


def _sqlite(path: Path, patience: float) -> sa.Engine:
    # mode=rw: a file that was taken away is missed, not made anew.
    uri = f"{path.absolute().as_uri()}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)

    @sa.event.listens_for(engine, "connect")
    def _settings(connection, _record):
        connection.text_factory = _any_text
        # EXTRA is FULL, and the folder synced too when the journal goes: without it a power cut may undo a commit.
        for setting in (
            "foreign_keys=ON", "synchronous=EXTRA", "fullfsync=ON", "trusted_schema=OFF", "cell_size_check=ON"
        ):  # fmt: skip
            connection.execute(f"PRAGMA {setting}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection):
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _any_text(stored: bytes) -> str:
    """Damaged text too, and no two alike: the hash then tells."""
    return stored.decode("utf-8", "surrogateescape")


class Locked(LedgerError):
    """Others kept the ledger longer than one waits: no fault of the ledger's."""


@contextmanager
def in_words(address: Address, patience: float) -> Iterator[None]:
    """What a database raises inside becomes a LedgerError: what was found, why it matters, what to do."""
    try:
        yield
    except UnicodeDecodeError:  # SQLite quotes the damaged bytes in its complaint
        raise LedgerError(
            SAID["SQLITE_CORRUPT"].format(place=address.shown, reason="its description of tables")
        ) from None
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as problem:
        origin = getattr(problem, "orig", None) or problem
        code = getattr(origin, "sqlite_errorname", None) or getattr(origin, "sqlstate", None) or ""
        say = next((text for start, text in SAID.items() if code.startswith(start)), OTHER)
        if say is OTHER and address.url is not None and isinstance(problem, sa.exc.OperationalError):
            say = LOST if problem.connection_invalidated else UNREACHED
        sentence = say.format(place=address.shown, seconds=patience, reason=_reason(address, origin))
        raise (Locked if say is LOCKED else LedgerError)(sentence) from None


def _reason(address: Address, origin: BaseException) -> str:
    """First line of what the database said, without what could be a password."""
    lines = str(origin).strip().splitlines()
    reason = lines[0].rstrip(".") if lines else type(origin).__name__
    secrets = [] if address.url is None else [address.url.password, address.url.query.get("password")]
    return type(origin).__name__ if any(s and str(s) in reason for s in secrets) else reason


LOCKED = (
    "The ledger {place} was kept locked by someone else for {seconds:g} s, so the command was given up; it "
    "recorded nothing. See who else is at work on it (a session, a backup), then give the command again."
)
UNWRITABLE = (
    "The ledger {place} is read only for you, so nothing was recorded. Ask for the right to write to it, "
    "or name another with --ledger."
)
LOST = (
    "The connection to the ledger {place} broke off, and whether the command was recorded is not known. "
    "Give it again when the database is back: what was recorded already is not recorded twice."
)
UNREACHED = (
    "The ledger {place} cannot be reached ({reason}). Nothing was recorded. See that the database runs and that "
    "address, user and password are right, then try again."
)
OTHER = (
    "The ledger {place} cannot be used: {reason}. When that is mended give the command again: "
    "what was recorded already is not recorded twice."
)
PAST = (
    "Someone wrote to the ledger {place} past its lock, and this command would have stood twice or in the wrong place. "
    "Nothing was recorded. See perfmodel ledger verify, then give the command again."
)
# By the beginning of SQLite's error name or PostgreSQL's SQLSTATE.
SAID = {
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "55P03": LOCKED,
    "SQLITE_READONLY": UNWRITABLE,
    "SQLITE_PERM": UNWRITABLE,
    "25006": UNWRITABLE,
    "42501": (
        "The database refuses you the ledger {place} ({reason}), so nothing was recorded. Ask its owner for the rights "
        "to read (SELECT) and to add (INSERT) on ledger_entries, and to read ledger_versions."
    ),
    "SQLITE_CANTOPEN": (
        "The ledger {place} cannot be opened: there is no such file, or you have no right to it. "
        "Check the path, and the rights on the file and its folder."
    ),
    "SQLITE_NOTADB": (
        "{place} is no SQLite file, so no ledger, or its first bytes are damaged. Name the right file with "
        "--ledger, or put back a copy."
    ),
    "SQLITE_CORRUPT": (
        "The ledger {place} is damaged ({reason}), so what it says cannot be relied on. See what is left with "
        "perfmodel ledger verify, then put back a copy."
    ),
    "SQLITE_FULL": "There is no room on the disk of the ledger {place}. Nothing was recorded. Make room and try again.",
    "53100": "There is no room on the disk of the ledger {place}. Nothing was recorded. Make room and try again.",
    "57P": LOST,
    "08": LOST,
    "23505": PAST,
    "SQLITE_CONSTRAINT": PAST,
}
