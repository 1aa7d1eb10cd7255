"""Parquet files as text, where pyarrow is installed."""

import io

from .findings import Findings
from .sheet import Sheet, text_of


def sheet(content: bytes, file: str, found: Findings) -> Sheet | None:
    """Cells of a Parquet file; a row's line is its number, counted from 1."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        found.add(
            file, 0, 0, "error", "pyarrow",
            'Parquet needs pyarrow, which is not installed: pip install "perfmodel[parquet]", or deliver CSV.',
        )  # fmt: skip
        return None
    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError) as problem:
        found.add(file, 0, 0, "error", "parquet", f"This is no readable Parquet file: {str(problem).splitlines()[0]}.")
        return None
    cells, numeric = [], {}
    for at, column in enumerate(table.columns):
        cells.append([text_of(value) for value in column.to_pylist()])
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            numeric[at] = 1
    return Sheet(file, list(table.column_names), cells, list(range(1, table.num_rows + 1)), numeric)
