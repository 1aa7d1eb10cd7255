"""Whoever has to know is told how an attempt ended, through apprise: mail, chat, or any of its other services.

An address is mostly a secret, for whoever has it can write there. So it comes from the environment, and only one that
cannot hold a secret may stand on a command line, where every process list and log shows it.
"""

import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..language import say, say_n, told
from ..urls import is_url
from .outcome import DONE, FAILED, INTERRUPTED, REFUSED, Outcome, counts_of
from .parameters import UsageError, from_environment

VARIABLE = "PERFMODEL_NOTIFY"  # addresses that are always told, one or more, with spaces between them
PLAIN = ("json", "jsons", "xml", "xmls", "form", "forms")  # services whose address is a place and no key
LONGEST = 15  # letters of one part of a path; keys are longer


@dataclass(frozen=True)
class Target:
    """One address to tell. ``name`` may be shown; the address itself never is."""

    name: str
    url: str = field(repr=False)


def targets(given: Iterable[str]) -> tuple[Target, ...]:
    """The addresses of ``--notify``: ``env:NAME`` is what the variable NAME holds; and those of $PERFMODEL_NOTIFY.

    Raises
    ------
    UsageError
        If an address may hold a secret, a variable is not set, apprise does not know an address or is not installed.
    """
    asked = [*given, *([f"env:{VARIABLE}"] if os.environ.get(VARIABLE, "").split() else [])]
    found = [target for text in dict.fromkeys(asked) for target in _targets(text)]
    if found and find_spec("apprise") is None:
        raise UsageError("--notify needs apprise, which is not here. Get it with: pip install 'perfmodel[notify]'")
    for target in found:
        if not _service(target.url):
            raise UsageError(f"--notify {target.name}: apprise knows no service at such an address.")
    return tuple(found)


def base(link: str) -> str:
    """``--link``, where DIR is served, without a slash at its end.

    Raises
    ------
    UsageError
        If it is no address of a web page, or holds a user name, a password or a key.
    """
    parts = _parts(link)
    plain = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if link and (not plain or parts.query or parts.fragment):
        raise UsageError("--link takes the http address at which DIR is served, without user, password or key.")
    return link.rstrip("/")


def deliver(targets: Iterable[Target], outcome: Outcome, link: str = "") -> list[str]:
    """Tell each of ``targets`` how an attempt ended; a sentence for each that could not be told.

    Nothing is raised: what was computed stands, whether or not a message about it arrives.
    """
    title, body = title_of(outcome), body_of(outcome, link)
    failed = []
    for target in targets:
        try:
            sent = bool(_service(target.url).notify(title=title, body=body, notify_type=KINDS[outcome.outcome]))
        except Exception:  # some two hundred services, each with its own way to fail; its words may quote the address
            sent = False
        if not sent:
            failed.append(f"{target.name} could not be told of this; nothing else is affected")
    return failed


KINDS = {DONE: "success", REFUSED: "warning", FAILED: "failure", INTERRUPTED: "failure"}


def title_of(outcome: Outcome) -> str:
    """``perfmodel 2026Q3: done``."""
    words = {
        DONE: say("already done, nothing new") if outcome.already else say("done"),
        REFUSED: say("refused"),
        FAILED: say("failed"),
        INTERRUPTED: say("interrupted"),
    }
    return ": ".join((" ".join(filter(None, ("perfmodel", outcome.cycle))), words[outcome.outcome]))


def body_of(outcome: Outcome, link: str = "") -> str:
    """Counts, what was found by code, and where to look; never a name, an id or a score."""
    if not outcome.run:
        lines = [told(outcome.what), _listed(outcome.codes)]
        place = f"{link}/index.html" if link else str(outcome.folder.resolve()) if outcome.folder else ""
        if outcome.folder and (outcome.folder / "latest").exists():
            lines.append(say("What was published before stands: {place}", place=place))
        return "\n".join(filter(None, lines))
    made = outcome.made
    counts, codes = counts_of(made), made["warnings"]["codes"]
    number = sum(codes.values())
    lines = [
        told(outcome.what) if outcome.what else "",
        say("Simulated data.") if made["simulated"] else "",
        say("{status}, {scored} of {all} scored.", status=made["status"], scored=counts["scored"], all=counts["in"]),
        say("{n} waiting for a result.", n=counts["waiting"]) if counts["waiting"] else "",
        say_n("{n} warning: {codes}", "{n} warnings: {codes}", number, codes=_listed(codes)) if codes else "",
        f"{link}/{outcome.run}/index.html" if link else _place(outcome.run_page),
    ]
    return "\n".join(filter(None, lines))


def _place(page: str) -> str:
    return page if is_url(page) else str(Path(page).resolve())


def _listed(codes: Mapping[str, int]) -> str:
    return ", ".join(f"{code} {n}" for code, n in codes.items())


def _targets(text: str) -> list[Target]:
    if text.startswith("env:"):
        held = from_environment(text, "--notify").split()
        return [Target(text if len(held) == 1 else f"{text} ({n})", url) for n, url in enumerate(held, start=1)]
    if not _is_open(text):
        raise UsageError(
            "An address of --notify may hold a password or key, which everybody on this machine could read in the list "
            "of processes. Put it into an environment variable and write --notify env:NAME."
        )
    return [Target(text, text)]


def _is_open(url: str) -> bool:
    """Whether an address is only a place: no user, no options, and no word in its path long enough for a key."""
    parts = _parts(url)
    words = re.split(r"/+", parts.path)
    plain = not ("@" in parts.netloc or parts.query or parts.fragment or "?" in url)
    return parts.scheme in PLAIN and bool(parts.hostname) and plain and all(len(word) <= LONGEST for word in words)


def _parts(url: str) -> SplitResult:
    """The parts of an address; none of what cannot be one."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _service(url: str) -> Any:
    """apprise, with one address; false where it knows none such."""
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # what it logs may quote an address; we say what failed
    asset = apprise.AppriseAsset(app_id="perfmodel", app_desc="perfmodel", app_url="", async_mode=False)
    service = apprise.Apprise(asset=asset)
    service.add(url)
    return service
