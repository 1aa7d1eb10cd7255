"""Entries for reading and for other programs."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from .entry import Entry, canonical


def show_rows(entries: Iterable[Entry]) -> list[dict[str, str]]:
    """One row an entry for a person: number, time to the second, what, about whom, by whom, payload in words, hash."""
    return [
        {
            "entry": str(entry.seq),
            "at": f"{entry.at[:10]} {entry.at[11:19]} UTC",
            "cycle": entry.cycle,
            "kind": entry.kind,
            "subject": entry.subject,
            "author": entry.author,
            "content": "; ".join(f"{name}: {_words(value)}" for name, value in entry.data.items()),
            "hash": entry.hash[:12],
        }
        for entry in entries
    ]


def _words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def export_rows(entries: Iterable[Entry]) -> list[dict[str, str | int]]:
    """One row an entry with every field as stored, for a table; the chain can be recomputed from them."""
    return [asdict(entry) for entry in entries]


def export_lines(entries: Iterable[Entry]) -> bytes:
    """One JSON object a line, the payload inside it as an object; the same entries give the same bytes.

    Since the payload is canonical, writing it canonically again gives the text that was hashed.
    """
    return "".join(canonical({**asdict(entry), "payload": entry.data}) + "\n" for entry in entries).encode("utf-8")
