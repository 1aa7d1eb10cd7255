"""Packs of units beside what they could cost: papermill's command, and a script that draws the same pages and no more.

All of it is timed in one run, side by side, two processes each, their start included. Only papermill, of which a
thousand would take most of an hour, is timed on a few units.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import RunError
from . import record
from .bench_raters import json_of
from .run import NOTEBOOKS

PEOPLE = 20_000  # a thousand units of twenty
AT_ONCE = 2
KERNELS = 12  # notebooks that papermill is timed on
REPORT = NOTEBOOKS / "05_calibration_report.ipynb"
ROUNDS = """
import json, multiprocessing, os, pickle, sys, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
import perfmodel as pm
from perfmodel import report
from perfmodel.io import share
from perfmodel.runner import Engine
from perfmodel.runner.packs import write_packs
from perfmodel.simulate import sample_files

people, folder, repeat, jobs = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
for name, data in sample_files(employees=people, quarters=1).items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True); (folder / name).write_bytes(data)
cycle = next(path.parent for path in sorted(folder.rglob("scheme.yaml")) if "truth" not in path.parts)
quarter = pm.assess(cycle, seed=1); quarter.tables()
share(quarter, folder / "assessment.pickle", cycle, 1)

def draw(task):
    place, piece = Path(task[0]), pickle.loads(task[1])
    place.mkdir(parents=True)
    view = report.seen(piece)
    parts = [{"name": "calibration_report", "title": "Calibration report", "html": "calibration_report.html"}]
    text = report.calibration_report(view, manifest={}).html()
    (place / "calibration_report.html").write_text(text, encoding="utf-8")
    (place / "index.html").write_text(report.index_page(view, {}, parts), encoding="utf-8")

cuts = report.Excerpts(quarter, codes=report.rater_codes(quarter), company=report.company_of(quarter))
pieces = {str(unit): pickle.dumps(cuts.of(unit)) for unit in cuts.units}
def packs(place):
    (place / "restricted").mkdir(parents=True)
    made = write_packs(quarter, place, {}, engine=Engine(jobs=jobs))
    assert not made.failed
times = {"packs": [], "script": []}
for turn in range(repeat):
    start = time.perf_counter(); packs(folder / f"packs{turn}"); middle = time.perf_counter()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
        list(pool.map(draw, [(str(folder / f"script{turn}" / unit), piece) for unit, piece in pieces.items()]))
    times["packs"].append(middle - start); times["script"].append(time.perf_counter() - middle)
print(json.dumps({"cycle": str(cycle), "units": list(pieces), **times}))
"""


def packs(repeat: int, say: Callable[[str], None]) -> Iterator[str]:
    """Lines of ``what: seconds; ratio``, medians of ``repeat`` rounds.

    Raises
    ------
    RunError
        If papermill fails: a time of a failure would be a lie.
    """
    with tempfile.TemporaryDirectory() as place:
        say(f"packs: a simulated company of {PEOPLE:,} people")
        made = json_of(sys.executable, "-c", ROUNDS, str(PEOPLE), place, str(repeat), str(AT_ONCE))
        units = made["units"]
        pack, script = (statistics.median(made[name]) / len(units) for name in ("packs", "script"))
        say(f"papermill on {KERNELS} units, {AT_ONCE} at once")
        one = _papermill(Path(place), made["cycle"], units[:KERNELS])
    yield (
        f"{len(units):,} packs on {AT_ONCE} cores: {len(units) * pack / 60:.1f} minutes, {pack:.3f} s a pack; "
        f"{pack / script:.2f} × a script that only draws and writes its two pages ({script:.3f} s)"
    )
    yield (
        f"the same unit's {REPORT.stem} by the papermill command, the fit given to it, {AT_ONCE} at once: {one:.2f} s; "
        f"{one / pack:.1f} × a pack"
    )


def _papermill(place: Path, cycle: str, units: list[str]) -> float:
    """Seconds a notebook, ``AT_ONCE`` of them at a time, each in a fresh kernel that finds the fit already made."""
    environment = {**os.environ, record.SHARED: str(place / record.ASSESSMENT)}
    start = time.perf_counter()
    running: list[subprocess.Popen] = []
    for unit in units:
        while len(alive := [process for process in running if process.poll() is None]) >= AT_ONCE:
            alive[0].wait()
        command = [sys.executable, "-m", "papermill", str(REPORT), str(place / f"{unit}.ipynb"), "--no-progress-bar"]
        command += ["-p", "cycle", cycle, "-p", "unit", unit]
        running.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, cwd=NOTEBOOKS))
    if any(process.wait() for process in running):
        raise RunError("papermill failed on a unit's report, so there is nothing to compare with.")
    return (time.perf_counter() - start) / len(units)
