"""Quarters before a committee: the small one and the shipped one, with a run, a ledger, and the real command line."""

import csv
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from small_cycle import write_small
from tiny_notebooks import closing, write_notebook

ROOT = Path(__file__).parents[1]
LATE = {"E-0035": "gross_margin", "E-0562": "gross_margin", "E-0604": "gross_margin"}
UNRATED = ("E-0489", "talent_development")


class Quarter:
    """A cycle in a folder of its own, where runs go, and its ledger."""

    def __init__(self, folder: Path, cycle: Path):
        self.folder, self.cycle = folder, cycle
        self.out, self.ledger = folder / "reports", folder / "ledger.sqlite"
        self.notebook = write_notebook(folder / "one.ipynb", "x = 1", closing("one"))

    @classmethod
    def small(cls, folder: Path) -> "Quarter":
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, write_small(folder / "2026Q3"))

    @classmethod
    def shipped(cls, folder: Path) -> "Quarter":
        """The shipped quarter with its late figures delivered."""
        for quarter in ("2026Q2", "2026Q3"):
            shutil.copytree(ROOT / "data" / quarter, folder / "data" / quarter)
        place = folder / "data" / "2026Q3"
        rows = read_rows(place / "results.csv")
        for row in rows:
            if row["status"] == "late":
                row["actual"], row["status"] = row["target"], "final"
        write_rows(place / "results.csv", rows)
        rows = read_rows(place / "ratings.csv")
        like = next(r for r in rows if r["employee_id"] == UNRATED[0] and r["role"] == "manager")
        write_rows(place / "ratings.csv", [*rows, {**like, "kpi": UNRATED[1]}])
        return cls(folder, place)

    def command(self, *words: object, where: bool = True) -> list[str]:
        """The command line of ``perfmodel WORDS``; ``where``: with the folder of runs."""
        more = ["--out", str(self.out)] if where else []
        return [sys.executable, "-m", "perfmodel", *map(str, words), *more]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "PERFMODEL_LEDGER": str(self.ledger)}

    def do(self, *words: object, where: bool = True) -> subprocess.CompletedProcess:
        """What ``perfmodel WORDS`` prints and how it ends; in this process, which has everything loaded."""
        from perfmodel.cli import main
        from perfmodel.language import speak

        command = self.command(*words, where=where)
        said, complained = io.StringIO(), io.StringIO()
        stopped = signal.getsignal(signal.SIGTERM)
        with (
            chdir(self.folder),
            patch.dict(os.environ, self.environment),
            redirect_stdout(said),
            redirect_stderr(complained),
        ):
            try:
                code = main(command[3:])
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                signal.signal(signal.SIGTERM, stopped)
                speak("en")
        return subprocess.CompletedProcess(command, code, said.getvalue(), complained.getvalue())

    def run(self) -> None:
        """A published run of the cycle as it lies there."""
        from perfmodel.runner import run

        run(str(self.cycle), out=self.out, notebooks=[str(self.notebook)])


def read_rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: Iterable[dict[str, object]]) -> Path:
    rows = list(rows)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def finalize(cycle: str, out: str, ledger: str, signers: tuple[str, str]):
    """Close the quarter and write its pages, as one of many who do at once."""
    from perfmodel import committee
    from perfmodel.ledger import open_ledger

    case, book = committee.open_case(cycle, out), open_ledger(ledger)
    done = committee.finalize(book, case, signers)
    committee.write_pages(book, case)
    return [done.entries[-1]]
