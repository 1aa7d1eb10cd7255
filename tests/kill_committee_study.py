"""Kill ``perfmodel decide`` and ``perfmodel finalize`` at random moments and look at what is left.

``python tests/kill_committee_study.py 50`` prints a table, one line a kill. After each the ledger must verify, the
command must be recorded whole or not at all, and given again it must complete: every entry once, pages whole.
"""

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from committee_sample import Quarter, write_rows

from perfmodel import committee
from perfmodel.io import digest
from perfmodel.ledger import open_ledger, verify

HEAD = "second  command   recorded  pages   wrong"
WHOLE = {False: ["decision"] * 7, True: ["sign", "sign", "final"]}  # kinds of one command's entries


@dataclass(frozen=True)
class Kill:
    """One kill: when, of what, and what was found."""

    moment: float
    command: str
    recorded: bool
    pages: bool
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        there = f"{'whole' if self.recorded else 'nothing':8}  {'there' if self.pages else 'none':6}"
        return f"{self.moment:6.2f}  {self.command:8}  {there}  {'; '.join(self.wrong) or 'clean'}"


class Study:
    """Copies of one published quarter, each with a ledger of its own."""

    def __init__(self, published: Quarter, folder: Path, seed: int = 1):
        self.published, self.folder, self.rng, self.count = published, folder, random.Random(seed), 0
        self.lengths: dict[bool, float] = {}

    def _copy(self, finalize: bool) -> tuple[Quarter, list[str]]:
        """A quarter that is frozen, and decided where it is to be finalized; the command that comes next."""
        self.count += 1
        place = self.folder / f"{self.count}"
        shutil.copytree(self.published.folder, place)
        quarter = Quarter(place, place / "2026Q3")
        case, book = committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)
        committee.freeze(book, case.cycle, "data", by="HR")
        rows = [
            {"employee_id": who, "decision": "accept", "reason_code": "", "reason": "seen"} for who in case.roll.scored
        ]
        file = write_rows(place / "decisions.csv", rows)
        words = ("decide", quarter.cycle, "--file", file, "--proposer", "P", "--authoriser", "Chair")
        if finalize:
            committee.decide_file(book, case, file, {"proposer": "P", "authoriser": "Chair"})
            words = ("finalize", quarter.cycle, "--sign", "HR", "--sign", "Chair")
        return quarter, quarter.command(*words)

    def length(self, finalize: bool) -> float:
        """Seconds that the command takes undisturbed."""
        if finalize not in self.lengths:
            quarter, command = self._copy(finalize)
            began = time.perf_counter()
            subprocess.run(command, env=quarter.environment, capture_output=True, check=True)
            self.lengths[finalize] = time.perf_counter() - began
        return self.lengths[finalize]

    def kill(self, finalize: bool) -> Kill:
        length = self.length(finalize)
        quarter, command = self._copy(finalize)
        before = open_ledger(quarter.ledger).entries()
        process = subprocess.Popen(
            command, env=quarter.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # fmt: skip
        began = time.perf_counter()
        # Imports take the first half and record nothing: most kills fall on what comes after.
        time.sleep(self.rng.uniform(0.35, 1.05) * length)
        process.send_signal(signal.SIGKILL)
        moment = time.perf_counter() - began
        process.wait()
        return self._look(quarter, command, before, moment, finalize)

    def _look(self, quarter: Quarter, command: list[str], before, moment: float, finalize: bool) -> Kill:
        wrong = verify(quarter.ledger)
        entries = open_ledger(quarter.ledger).entries()
        new = [entry.kind for entry in entries[len(before) :]]
        wrong += ["an earlier entry is lost"] if entries[: len(before)] != before else []
        wrong += [f"recorded in part: {new}"] if new not in ([], WHOLE[finalize]) else []
        pages = whole_pages(quarter, wrong)
        again = subprocess.run(command, env=quarter.environment, capture_output=True, text=True)
        wrong += [f"given again, refused: {again.stderr}"] if again.returncode else []
        after = open_ledger(quarter.ledger).entries()
        wrong += ["an entry changed"] if after[: len(entries)] != entries else []
        kinds = [entry.kind for entry in after[len(before) :]]
        wrong += [f"after a rerun {kinds}"] if kinds != WHOLE[finalize] else []
        wrong += verify(quarter.ledger, after[-1].hash)
        wrong += [] if whole_pages(quarter, wrong) else ["no pages after a rerun"]
        left = [path.name for path in quarter.out.iterdir() if path.name.startswith((".building", ".replaced"))]
        wrong += [f"left lying: {left}"] if left else []
        return Kill(moment, command[3], bool(new), pages, tuple(wrong))


def whole_pages(quarter: Quarter, wrong: list[str]) -> bool:
    """Whether there are pages of the committee; what of them is not as it was made is added to ``wrong``."""
    import json

    place = quarter.out / "committee"
    if not place.is_dir():
        return False
    said = json.loads((place / "committee.json").read_text(encoding="utf-8"))["files"]
    wrong += [f"{name} is damaged" for name, was in said.items() if digest((place / name).read_bytes()) != was]
    return True


def main(kills: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        published = Quarter.small(Path(name) / "published")
        published.run()
        study = Study(published, Path(name), seed=int(time.time()))
        print(HEAD, flush=True)
        found = []
        for n in range(kills):
            found.append(study.kill(finalize=n % 2 == 1))
            print(found[-1], flush=True)
    clean = sum(not kill.wrong for kill in found)
    cut = sum(kill.recorded for kill in found)
    print(f"{clean} of {kills} clean; {cut} were recorded when the kill fell, {kills - cut} were not")
    if clean < kills:
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 50)
