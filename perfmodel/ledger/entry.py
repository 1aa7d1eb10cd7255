"""What is recorded: a draft, as the caller writes it, and an entry, as it stands in the chain."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import LedgerError


def canonical(value: Any) -> str:
    """``value`` as JSON in its one spelling: keys sorted, no spaces, Unicode as it is.

    Raises
    ------
    ValueError
        If JSON has no word for it: NaN, infinity, half a surrogate pair.
    TypeError
        If it is of a type that JSON does not know, or has a key that is no text (1 would come back as "1").
    """
    _check_keys(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    text.encode("utf-8")
    return text


def _check_keys(value: Any) -> None:
    if isinstance(value, dict):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"its key {odd[0]!r} is no text")
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for inner in value:
        _check_keys(inner)


def is_canonical(text: str) -> bool:
    """Whether ``text`` is a JSON object in the spelling of ``canonical``."""
    try:
        value = json.loads(text)
        return isinstance(value, dict) and canonical(value) == text
    except (ValueError, RecursionError):
        return False


def token_of(*parts: Any) -> str:
    """Digest of ``parts`` (anything JSON can hold), for a draft's token: the same command gives the same token.

    Leave out what differs when a command is repeated (the time), put in what makes it another command: the hash of
    the entry that it supersedes, so that deciding, undoing and deciding the same again are three entries.
    """
    try:
        return hashlib.sha256(canonical(list(parts)).encode("utf-8")).hexdigest()
    except (ValueError, TypeError, RecursionError) as problem:
        raise LedgerError(f"A token cannot be made of this: {problem}. Use texts, whole numbers and lists.") from None


@dataclass(frozen=True)
class Draft:
    """What a command wants recorded.

    ``payload`` is whatever the kind of entry needs, as a JSON object. ``token`` makes repeating safe: an entry with
    this token is added once, however often and by however many the command is given (see ``token_of``).

    Raises
    ------
    LedgerError
        If kind, author or token is empty, or a text or the payload cannot be stored as it is.
    """

    cycle: str
    kind: str
    author: str
    payload: Mapping[str, Any]
    token: str
    subject: str = ""  # the employee concerned; empty when it concerns the quarter
    text: str = field(init=False, repr=False)  # the payload as it is stored

    def __post_init__(self):
        for name in ("cycle", "kind", "author", "token", "subject"):
            _check_text(name, getattr(self, name), may_be_empty=name in ("cycle", "subject"))
        try:
            if not isinstance(self.payload, Mapping):
                raise TypeError(f"it is a {type(self.payload).__name__}, not an object of names and values")
            text = canonical(dict(self.payload))
        except (ValueError, TypeError, RecursionError) as problem:
            raise LedgerError(
                f"The payload of this {self.kind} cannot be recorded as JSON: {problem}. "
                "Use texts, finite numbers, lists, and objects whose keys are texts."
            ) from None
        object.__setattr__(self, "text", text)


def _check_text(name: str, value: Any, may_be_empty: bool) -> None:
    if not isinstance(value, str):
        raise LedgerError(f"The {name} of an entry must be text, and this is {type(value).__name__}.")
    if not value and not may_be_empty:
        raise LedgerError(f"An entry without {name} says too little to be recorded. Name it.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise LedgerError(f"The {name} holds half a character and cannot be stored. Type it again.") from None
    if "\0" in value:
        raise LedgerError(f"The {name} holds a zero byte, which databases cut off. Take it out.")


@dataclass(frozen=True)
class Entry:
    """One entry as it stands. Fields in the order in which they are hashed."""

    seq: int  # 1, 2, 3 ... without a gap
    at: str  # when it was added, UTC, ISO 8601 with microseconds: by the clock of who added it
    cycle: str
    kind: str
    subject: str
    author: str
    payload: str  # canonical JSON
    token: str
    previous: str  # hash of the entry before; of the first, GENESIS
    hash: str  # SHA-256 over all the fields above

    @property
    def data(self) -> dict[str, Any]:
        """The payload, read."""
        return json.loads(self.payload)

    @property
    def digest(self) -> str:
        """The hash that the other fields should have: SHA-256 of them as a JSON list, whose quotes keep them apart."""
        fields = [self.seq, self.at, self.cycle, self.kind, self.subject, self.author, self.payload, self.token]
        text = json.dumps([*fields, self.previous], separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def entry_of(row: Sequence[Any]) -> Entry:
    """A stored row as an entry. What a damaged file gives in place of text is text that no entry would hold."""
    seq, *texts = row
    return Entry(seq, *(text if isinstance(text, str) else f"\0{text!r}" for text in texts))
