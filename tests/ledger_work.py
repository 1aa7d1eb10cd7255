"""Commands for a ledger, the same whenever they are given again, and processes that give them at once."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from unittest.mock import patch

from perfmodel.ledger import Draft, Entry, open_ledger, token_of

HERE = Path(__file__).parent


def draft(number: int, author: str = "HR", **payload) -> Draft:
    """A decision that ``number`` names, with text that databases like to spoil."""
    content = {"to": "AB"[number % 2], "reason": "R3 – “市场” \\ ' \" \n", "n": number, **payload}
    return Draft("2026Q3", "decision", author, content, token_of("decision", number, payload), f"{number:03}")


def command(number: int) -> tuple[Draft, ...]:
    """One command of one to three decisions."""
    return tuple(draft(10 * number + part) for part in range(1 + number % 3))


def decide(place: str, author: str, numbers: Sequence[int]) -> list[Entry]:
    """Record decisions one by one, as one of several at work."""
    ledger = open_ledger(place)
    return [ledger.append(draft(number, author))[0] for number in numbers]


def finalize(place: str, author: str) -> list[Entry]:
    """The one finalize of a quarter, given by whoever is first."""
    return list(open_ledger(place).append(Draft("2026Q3", "finalize", author, {"digest": "d"}, "finalize 2026Q3")))


def at_once(work: Callable[..., list[Entry]], calls: Sequence[tuple]) -> list[list[Entry]]:
    """``work`` with the arguments of each of ``calls``, each in a process of its own, all let go together."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload(
        ["ledger_work", "psycopg", "sqlalchemy.dialects.postgresql"]
    )  # imported once, for all
    found = {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}  # by the server that forks them
    with patch.dict(os.environ, found), context.Manager() as manager:
        start, results = manager.Barrier(len(calls)), manager.dict()
        processes = [
            context.Process(target=_started, args=(start, results, n, work, call)) for n, call in enumerate(calls)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        return [results[n] for n in range(len(calls))]


def _started(start, results, n: int, work: Callable[..., list[Entry]], call: tuple) -> None:
    start.wait()
    results[n] = work(*call)


def give(place: Path) -> None:
    """Give command after command without end, saying which was recorded, until killed."""
    print("ready", flush=True)
    ledger = open_ledger(place)
    # About two entries a command: begin among those that stand already, as a repeated command does.
    for number in count(max(0, len(ledger.entries()) // 2 - 3)):
        entries = ledger.append(*command(number))
        print(number, *(entry.hash for entry in entries), flush=True)
