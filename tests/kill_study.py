"""Kill runs, or their kernels, at random moments and look at what is left.

``python tests/kill_study.py 30 [CYCLE]`` prints a table, one line a kill. With a CYCLE the shipped notebooks run
on it; without one two stand-ins run on a small quarter, which takes a tenth of the time.
What is published must be whole after each, no kernel may live on, and running again must work.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from tiny_notebooks import closing, write_notebook

from perfmodel.runner import manifest

ROOT = Path(__file__).parents[1]
GONE = 5.0  # seconds in which a kernel must notice that its run is dead; it looks once a second


@dataclass(frozen=True)
class Kill:
    """One kill: when and what, how the command ended, and what was found afterwards."""

    moment: float
    victim: str
    code: int
    said: str
    published: int
    damaged: tuple[str, ...]
    left: int

    def __str__(self) -> str:
        whole = ", ".join(self.damaged) or "whole"
        counted = f"{self.published:9}  {whole:9}  {self.left:7}"
        return f"{self.moment:6.2f}  {self.victim:7}  {self.code:4}  {counted}  {self.said}"


HEAD = "second  victim   exit  published  newest     kernels  said"


class Study:
    """Runs of one cycle into one folder, each with its own seed so that each is a new run."""

    def __init__(self, folder: Path, cycle: Path, shipped: bool = False, seed: int = 1):
        self.out, self.cycle, self.rng = folder / "out", cycle, random.Random(seed)
        pause, names = "import time; time.sleep(.4)", [] if shipped else ["one", "two"]
        books = [write_notebook(folder / f"{name}.ipynb", pause, closing(name)) for name in names]
        self.options = [part for book in books for part in ("--notebook", str(book))]
        self.seed = 0

    def start(self, *more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "perfmodel", "run", str(self.cycle), "--out", str(self.out)]
        return subprocess.Popen(
            [*command, "--seed", str(self.seed), *self.options, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def finish(self) -> float:
        """One undisturbed run: seconds it took. It must publish, be whole and leave nothing lying about."""
        began = time.perf_counter()
        process = self.start()
        said = process.communicate()[1]
        assert process.returncode == 0, said
        assert manifest.changes(self.newest()) == []
        assert not [p.name for p in self.out.iterdir() if p.name.startswith(".")]
        return time.perf_counter() - began

    def newest(self) -> Path:
        return self.out / (self.out / "latest").read_text(encoding="utf-8").strip()

    def kill(self, within: float, kernel: bool) -> Kill:
        """Start a new run, kill it (or one of its kernels) at a random moment, and look."""
        self.seed += 1
        began = time.perf_counter()
        process = self.start()
        if kernel:
            wait_for_kernels(process)
        time.sleep(self.rng.uniform(0, within / 4 if kernel else within))
        moment = time.perf_counter() - began
        kernels = kernels_of(process)
        victim = "kernel" if kernel and kernels else "run"
        if victim == "kernel":
            self.rng.choice(kernels).kill()
        else:
            process.send_signal(signal.SIGKILL)
        said = process.communicate()[1].strip().splitlines()
        psutil.wait_procs(kernels, timeout=GONE)
        published = [path.parent for path in self.out.glob("*/manifest.json")]
        damaged = tuple(sorted({name for run in published for name in manifest.changes(run)}))
        left = sum(k.is_running() for k in kernels)
        return Kill(moment, victim, process.returncode, said[-1] if said else "", len(published), damaged, left)


def kernels_of(process: subprocess.Popen) -> list[psutil.Process]:
    """Kernels that the run has started: its children by name, while it lives."""
    try:
        children = psutil.Process(process.pid).children()
        return [c for c in children if any("ipykernel_launcher" in word for word in c.cmdline())]
    except psutil.Error:
        return []


def wait_for_kernels(process: subprocess.Popen) -> list[psutil.Process]:
    """The kernels of a run as soon as there is one, or none if it ended before."""
    while not (kernels := kernels_of(process)) and process.poll() is None:
        time.sleep(0.02)
    return kernels


def main(count: int, cycle: Path | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if cycle is None:
            from small_cycle import write_small

            study = Study(folder, write_small(folder / "2026Q3"))
        else:
            study = Study(folder, cycle, shipped=True)
        study.finish()
        study.seed += 1
        length = study.finish()  # the second: the first also compiles
        print(f"{count} kills within {length:.1f} s, every third of a kernel\n{HEAD}", flush=True)
        for n in range(count):
            found = study.kill(1.05 * length, kernel=n % 3 == 2)
            again = study.finish()
            length = min(length, again)
            print(f"{found}; again: published in {again:.1f} s", flush=True)
            assert not found.damaged and not found.left


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 30, Path(sys.argv[2]) if sys.argv[2:] else None)
