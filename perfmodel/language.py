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
from pathlib import Path

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


@lru_cache(maxsize=20_000)
def _told(text: str, lang: str) -> str:
    catalogue = _catalogue(lang)
    whole = catalogue.pgettext(TOLD, text)
    if whole != text:
        return whole
    for pattern, said in _patterns(lang):
        if found := pattern.fullmatch(text):
            return said.format(*found.groups())
    for joint, shown in (("; ", "；"), (". ", "。")):
        first, found_joint, rest = text.partition(joint)
        if found_joint and (turned := _told(first, lang)) != first:
            return turned + shown + _told(rest, lang)
    return text


@lru_cache
def _catalogue(lang: str) -> gettext.NullTranslations:
    return gettext.translation("perfmodel", LOCALE, [lang], fallback=lang == "en")


@lru_cache
def _patterns(lang: str) -> list[tuple[re.Pattern[str], str]]:
    """Patterns of finished sentences with what they become; those that fix most of a sentence come first."""
    whole = getattr(_catalogue(lang), "_catalog", {})
    entries = ((key.removeprefix(TOLD + "\x04"), said) for key, said in whole.items() if _is_pattern(key))
    found = sorted(entries, key=lambda entry: -len(re.sub(r"\{\d\}", "", entry[0])))
    return [(re.compile(re.sub(r"\\\{\d\\\}", "(.+?)", re.escape(key)), re.DOTALL), said) for key, said in found]


def _is_pattern(key: object) -> bool:
    return isinstance(key, str) and key.startswith(TOLD + "\x04") and "{0}" in key
