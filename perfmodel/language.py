"""The language of what is shown. English is written in the code and is its own key; one gettext catalogue turns it.

Methods know no language: their tables, findings and errors are English sentences, the same bytes for every reader.
What shows them calls ``told``, which finds the sentence among the catalogue's patterns and says it anew.
"""

import gettext
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

LANGUAGES = ("en", "zh")
LOCALE = Path(__file__).with_name("locale")
TOLD = "told"  # context of the catalogue's entries that are patterns of finished sentences, {0}, {1} … for what varies

_spoken: ContextVar[str] = ContextVar("spoken", default="en")


def spoken() -> str:
    """The language that is spoken here now: ``en`` or ``zh``."""
    return _spoken.get()


def speak(lang: str) -> None:
    """Speak ``lang`` from here on, as a notebook does.

    Raises
    ------
    ValueError
        If there is no catalogue for it.
    """
    if lang not in LANGUAGES:
        raise ValueError(f"There is no language {lang!r} here, only {' and '.join(LANGUAGES)}.")
    _spoken.set(lang)


@contextmanager
def speaking(lang: str) -> Iterator[None]:
    """Speak ``lang`` inside the ``with`` block alone."""
    before = spoken()
    speak(lang)
    try:
        yield
    finally:
        speak(before)


def say(text: str, /, **values: object) -> str:
    """``text`` in the language spoken, its ``{names}`` filled in; English where the catalogue lacks it."""
    found = _catalogue(spoken()).gettext(text) if text else ""
    return found.format(**values) if values else found


def say_n(one: str, many: str, n: int, /, **values: object) -> str:
    """``one`` for n = 1, else ``many``, in the language spoken; ``{n}`` is the number unless given otherwise."""
    return _catalogue(spoken()).ngettext(one, many, n).format(**{"n": n, **values})


def told(text: str) -> str:
    """A finished English sentence of a method, or several, in the language spoken.

    What varies in a sentence (ids, numbers, names) is handed on as it is: it may be data. A sentence that the
    catalogue does not know stays English.
    """
    return text if spoken() == "en" or not text else _told(text, spoken())


class _Piece(str):
    """What stood where a pattern has a placeholder; ``{0:told}`` in a translation says it anew, ``{0}`` hands it on."""

    lang = "en"

    def __format__(self, kind: str) -> str:
        return _told(str(self), self.lang) if kind == TOLD else str(self)


class _Pattern(NamedTuple):
    """One kind of finished sentence: what it must contain, how it is read, what it becomes."""

    key: str  # the longest of its words between placeholders: most patterns are passed over without reading
    shape: re.Pattern[str]
    said: str
    again: frozenset[int]  # pieces that are sentences themselves
    open: bool  # ends in a piece that is handed on
    bare: bool  # no word of its own, so that it holds only where a piece inside is a sentence that is known
    tight: bool  # one word behind a piece, so that it holds only beside single words: "C in 2026Q2", "3 quarters"

    def turn(self, text: str, lang: str, strict: bool) -> str | None:
        """``text`` said anew, None where it is another sentence; ``strict``: not where data look like sentences."""
        if (found := self.shape.fullmatch(text)) is None:
            return None
        pieces = [_Piece(piece) for piece in found.groups()]
        if self.open and pieces[-1].endswith("."):
            return None  # the full stop is the sentence's, not the piece's
        if self.tight and any(" " in piece for piece in pieces):
            return None
        if strict and any(_torn(piece, i in self.again) for i, piece in enumerate(pieces)):
            return None
        for piece in pieces:
            piece.lang = lang
        said = self.said.format(*pieces)
        return None if self.bare and said == self.said.replace(f":{TOLD}}}", "}").format(*pieces) else said


def _torn(piece: str, sentence: bool) -> bool:
    """Whether a piece begins or ends inside something else: between brackets, or, if it is none, among sentences."""
    depth = list(accumulate((c == "(") - (c == ")") for c in piece if c in "()"))
    cut = bool(depth) and (min(depth) < 0 or depth[-1] > 0)
    return cut or (not sentence and JOINT.search(piece) is not None)


JOINT = re.compile(r"(?<=[.?]) |; or |; | · ")
SHOWN = {" ": "", "; or ": "；或", "; ": "；", " · ": " · "}


@lru_cache(maxsize=50_000)
def _told(text: str, lang: str) -> str:
    """A sentence as it is known; else several, the longest known beginning first; else a list of known things; else
    a sentence with data in it that look like several."""
    if "\n" in text:
        return "\n".join(_told(line, lang) for line in text.split("\n"))
    if (turned := _sentence(text, lang, strict=True)) is not None:
        return turned
    for joint in reversed(list(JOINT.finditer(text))):
        if (turned := _sentence(text[: joint.start()], lang, strict=True)) is not None:
            return turned + SHOWN[joint[0]] + _told(text[joint.end() :], lang)
    parts = [_sentence(part, lang, strict=True) for part in text.split(", ")]
    if None not in parts:
        return "、".join(filter(None, parts))
    turned = _sentence(text, lang, strict=False)
    return text if turned is None else turned


def _sentence(text: str, lang: str, strict: bool) -> str | None:
    exact = _catalogue(lang).pgettext(TOLD, text)
    if exact != text:
        return exact
    for pattern in [pattern for key, pattern in _patterns(lang) if key in text]:
        if pattern.bare and text.endswith("."):  # these come last
            break
        if (turned := pattern.turn(text, lang, strict)) is not None:
            return turned
    if text.endswith(".") and (turned := _sentence(text[:-1], lang, strict)) is not None:
        return turned if turned.endswith(("。", "？")) else turned + "。"
    return None


@lru_cache
def _catalogue(lang: str) -> gettext.NullTranslations:
    return gettext.translation("perfmodel", LOCALE, [lang], fallback=lang == "en")


@lru_cache
def _patterns(lang: str) -> list[tuple[str, _Pattern]]:
    """Patterns of finished sentences by their key; those that fix most of a sentence come first, bare ones last."""
    whole = getattr(_catalogue(lang), "_catalog", {})
    entries = ((key.removeprefix(TOLD + "\x04"), said) for key, said in whole.items() if _is_pattern(key))
    found = [([_plain(part) for part in re.split(r"\{\d+\}", key)], key, said) for key, said in entries]
    found.sort(key=lambda entry: (-len("".join(entry[0])), entry[1]))
    made = sorted((_pattern(fixed, said) for fixed, _, said in found), key=lambda pattern: pattern.bare)
    return [(pattern.key, pattern) for pattern in made]


def _pattern(fixed: list[str], said: str) -> _Pattern:
    again = frozenset(int(place) for place in re.findall(rf"\{{(\d+):{TOLD}\}}", said))
    return _Pattern(
        key=max(fixed, key=len),
        shape=re.compile("(.+?)".join(map(re.escape, fixed)), re.DOTALL),
        said=said,
        again=again,
        open=not fixed[-1] and len(fixed) - 2 not in again,
        bare=not re.search(r"\w", "".join(fixed)),
        tight=not fixed[0] and re.fullmatch(r" \w+ ?", "".join(fixed)) is not None,
    )


def _plain(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")


def _is_pattern(key: object) -> bool:
    return isinstance(key, str) and key.startswith(TOLD + "\x04") and "{0}" in key
