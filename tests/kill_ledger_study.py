"""Kill a process that adds to a ledger at random moments and look at what is left.

``python tests/kill_ledger_study.py 50`` prints a table, one line a kill. Every fourth kill falls on a ledger that is
just being made. After each the ledger must verify, hold every command that was reported as recorded, hold each
command whole or not at all and once, and take the command that was cut off when it is given again.
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

from ledger_work import command

from perfmodel.ledger import open_ledger, verify

HERE = Path(__file__).parent
HEAD = "  second  ledger  reported  entries  cut off         verify"
WORK = "import sys, pathlib, ledger_work; ledger_work.give(pathlib.Path(sys.argv[1]))"


@dataclass(frozen=True)
class Kill:
    """One kill: when, on which ledger, and what was found afterwards."""

    moment: float
    fresh: bool
    reported: int  # commands that the killed process had said were recorded
    entries: int
    unsaid: int  # commands recorded whole that it could no longer report
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        ledger = "new" if self.fresh else "grown"
        cut = "after commit" if self.unsaid else "before commit"
        return f"{self.moment:8.3f}  {ledger:6}  {self.reported:8}  {self.entries:7}  {cut:14}  " + (
            "; ".join(self.wrong) or "clean"
        )


class Study:
    """One ledger that grows from kill to kill, and new ones to be killed while they are made."""

    def __init__(self, folder: Path, seed: int = 1):
        self.folder, self.grown, self.rng, self.count = folder, folder / "grown.sqlite", random.Random(seed), 0
        self.said: dict[int, list[str]] = {}  # by command, the hashes reported on the grown ledger

    def kill(self, fresh: bool) -> Kill:
        self.count += 1
        place = self.folder / f"new{self.count}.sqlite" if fresh else self.grown
        process = subprocess.Popen(
            [sys.executable, "-c", WORK, str(place)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])},
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        began = time.perf_counter()
        time.sleep(self.rng.uniform(0, 0.3 if fresh else 0.4))
        process.send_signal(signal.SIGKILL)
        moment = time.perf_counter() - began
        lines = [line.split() for line in process.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
        reported = {int(number): hashes for number, *hashes in lines}
        said = {} if fresh else self.said
        said |= reported
        return self._look(place, fresh, moment, said, len(reported))

    def _look(self, place: Path, fresh: bool, moment: float, said: dict[int, list[str]], reported: int) -> Kill:
        """What is wrong after the kill, and after the last commands were given once more."""
        ledger = open_ledger(place)  # a new one may not have come to be: then it is made now
        entries, head = ledger.entries(), ledger.head()
        hashes, tokens = {entry.hash for entry in entries}, [entry.token for entry in entries]
        wrong = verify(place, head)
        wrong += [f"command {n} was reported and is lost" for n, reported in said.items() if not hashes >= {*reported}]
        wrong += ["a command stands twice"] if len(tokens) != len({*tokens}) else []
        stand, last = {*tokens}, max(said, default=-1)
        whole = [{draft.token for draft in command(n)} <= stand for n in range(last + 3)]
        parts = sum(len(command(n)) for n, is_whole in enumerate(whole) if is_whole)
        wrong += ["a command stands in part"] if parts != len(entries) else []
        for n in range(last + 2):
            said[n] = [entry.hash for entry in ledger.append(*command(n))]
        again = ledger.entries()
        wrong += verify(place, head)
        wrong += ["an entry changed"] if again[: len(entries)] != entries else []
        expected = sum(len(command(n)) for n in range(max(last + 2, sum(whole))))
        wrong += [f"{len(again)} entries stand after a rerun, not {expected}"] if len(again) != expected else []
        return Kill(moment, fresh, reported, len(entries), sum(whole) - (last + 1), tuple(wrong))


def main(kills: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        study = Study(Path(name), seed=int(time.time()))
        print(HEAD, flush=True)
        found = []
        for n in range(kills):
            found.append(study.kill(fresh=n % 4 == 3))
            print(found[-1], flush=True)
        clean = sum(not kill.wrong for kill in found)
        unsaid = sum(kill.unsaid for kill in found)
        print(f"{clean} of {kills} clean; {unsaid} commands were recorded but not yet reported when the kill fell")
    if clean < kills:
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 50)
