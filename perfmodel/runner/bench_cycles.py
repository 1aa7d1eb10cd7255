"""`perfmodel tables` of quarters from 500 to 50,000 people: time and memory against size.

Each size is a process of its own on a simulated quarter of units of ten; the simulation is not timed.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pandas as pd

from ..errors import RunError
from ..studies import commit, path

SIZES = (500, 2_000, 5_000, 20_000, 50_000)
DESIGNS = ("linked", "nested")
SEED = 2026
PEOPLE_A_UNIT = 10
SVG = "http://www.w3.org/2000/svg"  # what a picture in a file of its own says that it is
REPEATED = 5_000  # larger quarters are taken once
# Time and memory of one command, asked of the system when it has ended.
TIMED = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
took, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = used.ru_utime + used.ru_stime
print(json.dumps({"code": code, "seconds": took, "cpu": cpu, "memory": used.ru_maxrss / 1024}))
"""


def cycles(repeat: int, say: Callable[[str], None], sizes: tuple[int, ...] = SIZES) -> Iterator[str]:
    """Lines of time and memory by size, and how time grows; the table and its chart are left in the studies."""
    found = []
    for row in measured(repeat, say, sizes):
        found.append(row)
        yield (
            f"tables, {row['design']}, {row['employees']:,} people, {row['units']:,} units, {row['raters']:,} raters, "
            f"{row['kpis']} KPIs: {row['seconds']:.1f} s ({row['cpu']:.1f} s of processor), {row['memory']:,} MiB"
        )
    table = pd.DataFrame(found).assign(seed=SEED, cores=os.cpu_count(), date=date.today().isoformat())
    for design, own in table.groupby("design", sort=False):
        yield f"{design}: processor time grows with people to the power {growth(own):.2f}"
    yield str(leave(table))


def leave(table: pd.DataFrame) -> Path:
    """Write the table and its chart where the studies are; the path of the chart."""
    from .. import plots

    commit("cycles", table)
    chart = plots.curve(
        table, x="employees", y="cpu", by="design", xlabel="employees", ylabel="seconds of processor", log=True,
        proportional=True, digits=1,
    )  # fmt: skip
    place = path("cycles").with_suffix(".svg")
    drawn = str(chart.svg("cycles")).replace("<svg ", f'<svg xmlns="{SVG}" font-family="sans-serif" ', 1)
    place.write_text(drawn, encoding="utf-8")
    return place


def growth(table: pd.DataFrame) -> float:
    """Exponent of processor time in people over the three largest sizes: 1 is linear; smaller ones mostly start."""
    rows = table.sort_values("employees").iloc[-3:]
    first, last = rows.iloc[0], rows.iloc[-1]
    if first["employees"] == last["employees"]:
        return math.nan
    return math.log(last["cpu"] / first["cpu"]) / math.log(last["employees"] / first["employees"])


def measured(repeat: int, say: Callable[[str], None], sizes: tuple[int, ...] = SIZES) -> Iterator[dict]:
    """One row a design and size: medians of seconds and processor seconds, the most memory (MiB).

    Raises
    ------
    RunError
        If a command fails: a time of a failure would be a lie.
    """
    for design in DESIGNS:
        for size in sizes:
            say(f"{size:,} people, {design}")
            with tempfile.TemporaryDirectory() as folder:
                cycle = _simulated(Path(folder), size, design)
                times = [_timed(cycle, Path(folder) / "out") for _ in range(repeat if size <= REPEATED else 1)]
                rows = {name: pd.read_csv(cycle / f"{name}.csv", dtype=str) for name in ("employees", "ratings")}
                rated = pd.read_csv(Path(folder) / "out" / "raters.csv", dtype=str)
                kpis = pd.read_csv(Path(folder) / "out" / "kpi_scores.csv", usecols=["kpi"])["kpi"].nunique()
            yield {
                "design": design,
                "employees": len(rows["employees"]),
                "units": rows["employees"]["unit"].nunique(),
                "raters": len(rated),
                "ratings": len(rows["ratings"]),
                "kpis": kpis,
                "seconds": round(statistics.median(t["seconds"] for t in times), 2),
                "cpu": round(statistics.median(t["cpu"] for t in times), 2),
                "memory": round(max(t["memory"] for t in times)),
                "runs": len(times),
            }


def _simulated(folder: Path, people: int, design: str) -> Path:
    words = ["sample", folder / "data", "--employees", people, "--units", max(people // PEOPLE_A_UNIT, 1)]
    _command(*words, "--quarters", 1, "--design", design, "--seed", SEED)
    return next((folder / "data").glob("*/scheme.yaml")).parent


def _timed(cycle: Path, out: Path) -> dict:
    words = [sys.executable, "-m", "perfmodel", "tables", str(cycle), "--out", str(out)]
    found = json.loads(_run([sys.executable, "-c", TIMED, *words]))
    if found["code"]:
        raise RunError(f"perfmodel tables ended with {found['code']}; a time of a failure would be a lie.")
    return found


def _command(*words: object) -> str:
    return _run([sys.executable, "-m", "perfmodel", *map(str, words)])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"{' '.join(command[1:4])} ended with {done.returncode}: {done.stderr[-300:].strip()}")
    return done.stdout


def main() -> None:
    for line in cycles(3, lambda text: print(text, flush=True)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
