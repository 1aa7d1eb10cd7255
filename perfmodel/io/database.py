"""Tables of a database as text: those of the contract's names, the rows of one quarter."""

from collections.abc import Iterator

from ..errors import DataError
from ..tables import INPUTS
from .findings import Findings
from .sheet import Sheet, refuse, text_of


def sheets(url: str, cycle: str, found: Findings) -> Iterator[tuple[str, Sheet, bytes]]:
    """Each table with rows of ``cycle``, and the text that was read, for its digest.

    A row's line is its place in the order of all its cells, since a database keeps no order of its own.

    Raises
    ------
    DataError
        If the database cannot be opened. The address is not repeated: it may hold a password.
    """
    import sqlalchemy as sa

    try:
        engine = sa.create_engine(url)
        names = set(sa.inspect(engine).get_table_names()) | set(sa.inspect(engine).get_view_names())
    except (sa.exc.SQLAlchemyError, ImportError) as problem:
        raise _unopened(url, problem) from None
    try:
        with engine.connect() as connection:
            for name in INPUTS:
                if name in names:
                    table = sa.Table(name, sa.MetaData(), autoload_with=engine)
                    sheet = _sheet(connection, sa, table, cycle, found)
                    if sheet is not None:
                        yield name, sheet, _text(sheet)
    except sa.exc.SQLAlchemyError as problem:
        raise _unopened(url, problem) from None
    finally:
        engine.dispose()


def _unopened(url: str, problem: Exception) -> DataError:
    kind = url.split(":")[0]
    reason = str(getattr(problem, "orig", None) or problem).splitlines()[0]
    if url in reason or "@" in reason:
        reason = type(problem).__name__
    return refuse(
        "database", "database", f"The {kind} database cannot be read: {reason}. Check address, driver and rights."
    )


def _sheet(connection, sa, table, cycle: str, found: Findings) -> Sheet | None:
    file = f"database[{table.name}]"
    if "cycle" not in table.columns:
        found.add(
            file, 0, 0, "error", "column-missing",
            f"{table.name} has no column cycle, so rows of {cycle} cannot be told from others; add it.",
        )  # fmt: skip
        return None
    columns = [c for c in table.columns if c.name != "cycle"]
    rows = connection.execute(sa.select(*columns).where(sa.cast(table.c.cycle, sa.Text) == cycle)).all()
    if not rows and not INPUTS[table.name].required:
        return None
    texts = sorted([text_of(value) for value in row] for row in rows)
    numeric = {at: 1 for at in range(len(columns)) if any(isinstance(row[at], (int, float)) for row in rows)}
    cells = [list(c) for c in zip(*texts, strict=True)] or [[] for _ in columns]
    return Sheet(file, [c.name for c in columns], cells, list(range(1, len(texts) + 1)), numeric)


def _text(sheet: Sheet) -> bytes:
    rows = [sheet.header, *zip(*sheet.cells, strict=True)]
    return "\n".join("\x1f".join(row) for row in rows).encode()
