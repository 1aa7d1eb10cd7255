"""The chain by itself, without a database: the next entry, and what is wrong with a list of entries."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from .entry import Draft, Entry, is_canonical

GENESIS = "0" * 64  # head of a ledger without entries, and ``previous`` of the first
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
CONTENT = "at, cycle, kind, subject, author, payload, token"


def following(draft: Draft, last: Entry | None, at: str) -> Entry:
    """``draft`` as the entry after ``last`` (None: the first)."""
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    entry = Entry(
        seq, at, draft.cycle, draft.kind, draft.subject, draft.author, draft.text, draft.token, previous, ""
    )  # fmt: skip
    return replace(entry, hash=entry.digest)


def problems(entries: Sequence[Entry]) -> list[str]:
    """What cannot be vouched for in ``entries`` (in order of seq), a sentence each; none for a whole chain.

    A chain cannot see its own missing end: see ``missing_head``.
    """
    return list(_problems(entries))


def _problems(entries: Sequence[Entry]) -> Iterator[str]:
    expected, before = 1, GENESIS
    tokens: dict[str, int] = {}
    numbers = {GENESIS: 0} | {entry.hash: entry.seq for entry in entries}
    for entry, after in zip_longest(entries, entries[1:]):
        linked = entry.seq == expected
        if entry.seq > expected:
            yield _gap(expected, entry.seq - 1)
        elif entry.seq < expected:
            yield f"Entry {entry.seq} is out of place: entries are numbered 1, 2, 3 and on, each once."
        yield from _of_itself(entry, numbers.get(entry.previous, 0) + 1, before, after)
        if linked and entry.previous != before and entry.digest == entry.hash:
            yield (
                f"Entry {entry.seq} does not follow from what stands before it: it names {_short(entry.previous)} as "
                f"the hash before its own, and that is {_short(before)}. Entries before it were changed and hashed "
                "anew, or others put in their place."
            )
        if entry.token in tokens:
            yield f"Entries {tokens[entry.token]} and {entry.seq} carry one token: one command was recorded twice."
        tokens[entry.token] = entry.seq
        expected, before = entry.seq + 1, entry.hash


def _gap(first: int, last: int) -> str:
    which = f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
    return f"{which} missing: removed, or numbered otherwise, after being recorded."


def _of_itself(entry: Entry, number: int, before: str, after: Entry | None) -> Iterator[str]:
    """What is wrong with one entry; others only help to tell which field it is.

    ``number`` is that of the entry with its ``previous`` and one; ``before`` and ``after`` stand next to it.
    """
    digest = entry.digest
    if digest != entry.hash:
        if after is not None and after.previous == digest:
            field = "hash was changed; the next entry still names the right one"
        elif replace(entry, previous=before).digest == entry.hash:
            field = "previous (the hash of the entry before) was changed"
        elif replace(entry, seq=number).digest == entry.hash:
            field = f"seq was changed from {number}"
        else:
            field = f"one or more of {CONTENT} were changed, and none of these can be vouched for"
        yield f"Entry {entry.seq} does not match its hash: its {field}."
    if not is_canonical(entry.payload):
        yield f"Entry {entry.seq} has a payload that is no JSON object in canonical spelling: not written by perfmodel."
    if not INSTANT.fullmatch(entry.at):
        yield f"Entry {entry.seq} has an at that is no UTC time with microseconds: not written by perfmodel."


def missing_head(entries: Sequence[Entry], head: str) -> list[str]:
    """A sentence if no entry has the hash ``head``, which may be shortened to its first 12 digits or more."""
    if GENESIS.startswith(head) or any(entry.hash.startswith(head) for entry in entries):
        return []
    ends = f"ends at entry {entries[-1].seq}, {_short(entries[-1].hash)}" if entries else "is empty"
    return [
        f"The head {_short(head)} is not in this ledger, which {ends}: entries were cut off its end or written anew "
        "since that head was printed, or it is the head of another ledger."
    ]


def _short(hash_: str) -> str:
    return f"{hash_[:12]}…" if len(hash_) > 12 else hash_ or "nothing"
