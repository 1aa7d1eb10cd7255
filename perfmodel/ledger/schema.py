"""The tables, how an older ledger becomes a newer one, and whether a ledger is still built as it was made.

``STEPS`` is history: a step that was ever released is never edited, a change is a new step.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache

import sqlalchemy as sa

from ..errors import LedgerError
from .address import Address

METADATA = sa.MetaData()
VERSIONS = sa.Table(
    "ledger_versions",
    METADATA,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
)
ENTRIES = sa.Table(
    "ledger_entries",
    METADATA,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    *(
        sa.Column(name, sa.Text, nullable=False)
        for name in ("at", "cycle", "kind", "subject", "author", "payload", "token", "previous", "hash")
    ),
)

_SQLITE_1 = (
    "CREATE TABLE ledger_versions (version INTEGER PRIMARY KEY, at TEXT NOT NULL) STRICT",
    """CREATE TABLE ledger_entries (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    at TEXT NOT NULL,
    cycle TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    author TEXT NOT NULL,
    payload TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE,
    previous TEXT NOT NULL UNIQUE,
    hash TEXT NOT NULL UNIQUE
) STRICT""",
    """CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no entry is changed'); END""",
    """CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no entry is removed'); END""",
    # INSERT OR REPLACE removes what stands in its way without asking the trigger above.
    """CREATE TRIGGER ledger_entries_no_replace BEFORE INSERT ON ledger_entries
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM ledger_entries)
OR EXISTS (SELECT 1 FROM ledger_entries WHERE token = NEW.token OR previous = NEW.previous OR hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is added at the end, once'); END""",
)
_POSTGRESQL_1 = (
    "CREATE TABLE ledger_versions (version integer PRIMARY KEY, at text NOT NULL)",
    """CREATE TABLE ledger_entries (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    at text NOT NULL,
    cycle text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    author text NOT NULL,
    payload text NOT NULL,
    token text NOT NULL UNIQUE,
    previous text NOT NULL UNIQUE,
    hash text NOT NULL UNIQUE
)""",
    """CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the ledger is append-only: no entry is changed or removed'; END $$""",
    """CREATE TRIGGER ledger_entries_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_entries
FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()""",
)
# Step n brings a ledger of version n - 1 to version n.
STEPS: dict[str, tuple[tuple[str, ...], ...]] = {"sqlite": (_SQLITE_1,), "postgresql": (_POSTGRESQL_1,)}


def version(connection: sa.Connection, address: Address) -> int:
    """Version of the ledger that is there; 0 in a database without one.

    Raises
    ------
    LedgerError
        If the file holds other tables, or the ledger was made by a newer perfmodel.
    """
    tables = set(sa.inspect(connection).get_table_names())
    if VERSIONS.name not in tables:
        if ENTRIES.name in tables or (address.path is not None and tables):
            raise LedgerError(
                f"{address.shown} is a database of something else (tables {', '.join(sorted(tables)[:3])}), "
                "or a ledger that lost its table of versions. Name the ledger, or a file that is not there yet, with "
                "--ledger."
            )
        return 0
    found = connection.scalar(sa.select(sa.func.max(VERSIONS.c.version))) or 0
    if found < 1:
        raise LedgerError(
            f"The table of versions of the ledger {address.shown} names none, though every ledger is made with one. "
            "See perfmodel ledger verify, then put back a copy."
        )
    known = len(STEPS[connection.dialect.name])
    if found > known:
        raise LedgerError(
            f"The ledger {address.shown} is of version {found}, and this perfmodel knows versions up to {known}. "
            "Install the perfmodel that wrote it, or a newer one."
        )
    return found


def migrate(connection: sa.Connection, address: Address, clock: Callable[[], datetime]) -> None:
    """Take the steps that are missing, inside the transaction of ``connection``: all or none."""
    found = version(connection, address)
    for number, step in enumerate(STEPS[connection.dialect.name][found:], found + 1):
        for statement in step:
            connection.exec_driver_sql(statement)
        connection.execute(VERSIONS.insert().values(version=number, at=instant(clock)))


def instant(clock: Callable[[], datetime]) -> str:
    """The time by ``clock`` (aware, UTC) as entries hold it."""
    return clock().isoformat(timespec="microseconds")


def changes(connection: sa.Connection, found: int) -> list[str]:
    """How tables, triggers and keys differ from what the steps up to version ``found`` make, a sentence each."""
    made = STEPS[connection.dialect.name][:found]
    there, expected = (
        (_sqlite_parts(connection), _sqlite_made(made))
        if connection.dialect.name == "sqlite"
        else (_postgresql_parts(connection), POSTGRESQL_PARTS)
    )
    facts = [f"The ledger's {name} is missing" for name in sorted(expected.keys() - there.keys())]
    facts += [
        f"The ledger's {name} was changed"
        for name in sorted(expected.keys() & there.keys())
        if there[name] != expected[name]
    ]
    facts += [f"The ledger has a {name} that perfmodel did not make" for name in sorted(there.keys() - expected.keys())]
    why = ": what is recorded was no longer, or not only, guarded as it should be. Compare the entries with a copy."
    return [fact + why for fact in facts]


def _sqlite_parts(connection: sa.Connection) -> dict[str, str]:
    rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_schema").all()
    return {f"{kind} {name}": sql or "" for kind, name, sql in rows if not str(name).startswith("sqlite_stat")}


@cache
def _sqlite_made(steps: tuple[tuple[str, ...], ...]) -> dict[str, str]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        for statement in (statement for step in steps for statement in step):
            connection.exec_driver_sql(statement)
        return _sqlite_parts(connection)


POSTGRESQL_PARTS = {
    "trigger ledger_entries_no_change": "O " + " ".join(_POSTGRESQL_1[3].split()),
    "function ledger_refuse": "BEGIN RAISE EXCEPTION 'the ledger is append-only: no entry is changed or removed'; END",
    **{f"column {column.name}": "bigint" if column.name == "seq" else "text" for column in ENTRIES.c},
    "key on seq": "PRIMARY KEY (seq)",
    **{f"key on {name}": f"UNIQUE ({name})" for name in ("token", "previous", "hash")},
}
_POSTGRESQL_QUERIES = (
    """SELECT 'trigger ' || tgname, tgenabled::text || ' ' || pg_get_triggerdef(oid, true) FROM pg_trigger
    WHERE tgrelid = to_regclass('ledger_entries') AND NOT tgisinternal""",
    "SELECT 'function ' || proname, trim(prosrc, E' \\n') FROM pg_proc WHERE oid = to_regproc('ledger_refuse')",
    """SELECT 'column ' || attname, format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = to_regclass('ledger_entries') AND attnum > 0 AND NOT attisdropped AND attnotnull""",
    """SELECT 'key on ' || attname, pg_get_constraintdef(pg_constraint.oid) FROM pg_constraint
    JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
    WHERE conrelid = to_regclass('ledger_entries') AND contype IN ('p', 'u') AND convalidated""",
)


def _postgresql_parts(connection: sa.Connection) -> dict[str, str]:
    parts: dict[str, str] = {}
    for query in _POSTGRESQL_QUERIES:
        parts |= {name: text for name, text in connection.exec_driver_sql(query).all()}
    return parts
