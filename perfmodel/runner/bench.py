"""The program's time beside what no such program can do without. Ratios, for absolute times do not travel."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import RunError
from .parameters import find_notebooks
from .run import NOTEBOOKS

SAMPLE = NOTEBOOKS.parent / "data" / "2026Q3"
IMPORTS = "import numpy, pandas, scipy.stats, seaborn"
# What a person would write without perfmodel: the notebooks one after another through papermill's own interface.
PEER = """
import sys, papermill
from concurrent.futures import ProcessPoolExecutor
def one(n): papermill.execute_notebook(sys.argv[1], f"{sys.argv[2]}/{n}.ipynb", progress_bar=False)
if __name__ == "__main__":
    with ProcessPoolExecutor(int(sys.argv[4])) as pool: list(pool.map(one, range(int(sys.argv[3]))))
"""


def measure(source: str | None, *, repeat: int, jobs: int | None, say: Callable[[str], None]) -> Iterator[str]:
    """Lines of ``what: seconds; ratio to peer``, each the median of ``repeat`` runs.

    Raises
    ------
    RunError
        If something that is timed fails: a time of a failure would be a lie.
    """
    cycle = str(Path(source or SAMPLE).resolve())
    jobs = jobs or os.cpu_count() or 1
    count = len(find_notebooks((), NOTEBOOKS))  # those that a run executes when none is named
    python = [sys.executable]

    def timed(*command: str) -> tuple[float, float]:
        walls, works = [], []
        for _ in range(repeat):
            wall, before = time.perf_counter(), os.times()
            outcome = subprocess.run(command, capture_output=True, text=True)
            after = os.times()
            if outcome.returncode:
                said = outcome.stderr[-300:].strip()
                raise RunError(f"{' '.join(command[1:4])} … ended with {outcome.returncode}: {said}")
            walls.append(time.perf_counter() - wall)
            works.append(after.children_user + after.children_system - before.children_user - before.children_system)
        return statistics.median(walls), statistics.median(works)

    def line(what: str, mine: tuple[float, float], peer: str, other: tuple[float, float]) -> str:
        return f"{what}: {mine[0]:.2f} s, CPU {mine[1]:.2f} s; {mine[0] / other[0]:.2f} × {peer} ({other[0]:.2f} s)"

    say("bare Python, help, reading")
    bare = timed(*python, "-c", "pass")
    pandas = timed(*python, "-c", "import pandas")
    yield line("perfmodel --help", timed(*python, "-m", "perfmodel", "--help"), "python -c pass", bare)
    read = f"import perfmodel as pm; pm.read_cycle({cycle!r})"
    yield line("read_cycle", timed(*python, "-c", read), "import pandas", pandas)

    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "tables")
        yield line("tables", timed(*python, "-m", "perfmodel", "tables", cycle, "--out", out), "import pandas", pandas)
        say(f"{count} notebooks, {jobs} at once")
        empty = Path(folder) / "imports.ipynb"
        empty.write_text(json.dumps(_notebook(IMPORTS)), encoding="utf-8")
        script = Path(folder) / "peer.py"
        script.write_text(PEER, encoding="utf-8")
        peer = timed(*python, str(script), str(empty), folder, str(count), str(jobs))
        out = os.path.join(folder, "run")
        mine = timed(*python, "-m", "perfmodel", "run", cycle, "--out", out, "--jobs", str(jobs), "--force")
        yield line("run", mine, f"{count} notebooks that only import", peer)


def _notebook(source: str) -> dict:
    cell: dict = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": None, "outputs": []}
    return {
        "cells": [{**cell, "source": source}],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
