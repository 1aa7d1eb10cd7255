"""Results of long studies, committed beside the commands that make them, each with its date.

- ``recovery``: ``python -m perfmodel.recovery --sets 200 --seed 1``
- ``size``: ``python -m perfmodel.runner.bench_raters``
- ``cycles``: ``perfmodel bench --only cycles --repeat 3``
"""

from pathlib import Path

import pandas as pd


def path(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.csv")


def committed(name: str) -> pd.DataFrame:
    """The committed table of the study ``name``."""
    return pd.read_csv(path(name))


def commit(name: str, table: pd.DataFrame, out: Path | None = None) -> None:
    """Write a table where :func:`committed` finds it, or to ``out``."""
    (out or path(name)).write_text(table.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
