"""What every verb shares: speaking to the user, words of the command line into values, the ledger at its place."""

import argparse
import os
import sys

from ..language import told

OK, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130
LEDGER = "reports/ledger.sqlite"


def tell(text: str) -> None:
    """A finished sentence to the user, in the language spoken."""
    print(f"perfmodel: {told(text)}", file=sys.stderr, flush=True)


def coloured(text: str) -> str:
    """``text`` with errors red and warnings yellow on a terminal, unless NO_COLOR is set."""
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    for level, colour in (("error", 31), ("warning", 33)):
        text = text.replace(f": {told(level)}: ", f": \033[{colour}m{told(level)}\033[0m: ")
    return text


class bar:
    """A progress bar on stderr where that is a terminal; nothing elsewhere."""

    def __enter__(self):
        self._bar = None
        return self._steps

    def _steps(self, total: int):
        if not sys.stderr.isatty():
            return lambda: None
        from tqdm import tqdm

        self._bar = tqdm(total=total, file=sys.stderr, leave=False, bar_format="{bar:30} {n_fmt}/{total_fmt} {elapsed}")
        return self._bar.update

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()


def with_notice(p: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """``p`` with the options that say who is told how it ended."""
    who = "tell this address of apprise how it ended; env:NAME where it holds a secret; repeatable ($PERFMODEL_NOTIFY)"
    p.add_argument("--notify", metavar="URL", action="append", default=[], help=who)
    p.add_argument("--link", metavar="BASE", default="", help="http address at which DIR is served, for what is told")
    return p


def print_json(value: dict) -> None:
    """One line on stdout for whoever reads it by program."""
    import json

    print(json.dumps(value, ensure_ascii=False), flush=True)


def report(outcome, *, notify, link: str, as_json: bool, of: str = "") -> None:
    """Record how an attempt ended, tell whom to tell, print its line; ``of``: which of several it was."""
    from ..errors import PerfmodelError
    from ..runner import attempts
    from ..runner.notify import deliver

    try:
        attempts.record(outcome)
    except (OSError, PerfmodelError) as problem:
        tell(f"how this ended could not be noted in {outcome.folder}: {problem}")
    for failed in deliver(notify, outcome, link):
        tell(failed)
    if as_json:
        print_json(outcome.summary())
    elif of:
        print(f"{of}: {outcome.page or told('nothing published')}", flush=True)
    elif outcome.page:
        print(outcome.page, flush=True)


def usage(text: str) -> int:
    tell(text)
    return USAGE


def with_ledger(p: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """``p`` with the option that says where decisions are recorded."""
    where = f"file, or postgresql:// address (default $PERFMODEL_LEDGER, else {LEDGER})"
    p.add_argument(
        "--ledger", type=named, metavar="URL", default=os.environ.get("PERFMODEL_LEDGER") or LEDGER, help=where
    )
    return p


def open_ledger(place: str):
    """The ledger at ``place``, made if it is not there; the folder of the default one too."""
    from ..ledger import open_ledger

    if place == LEDGER:
        os.makedirs(os.path.dirname(LEDGER), exist_ok=True)
    return open_ledger(place)


def whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of {least} or more")
    return int(text)


def count(text: str) -> int:
    return whole(text, 1)


def natural(text: str) -> int:
    return whole(text, 0)


seed = natural


def day(text: str):
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2026-10-20") from None


def seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return number


def port(text: str) -> int:
    number = whole(text, 0)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; ports end at 65535")
    return number


def named(text: str) -> str:
    from ..urls import may_hold_secret  # here, because it loads what --help does without

    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name is no folder; write . for this one")
    if may_hold_secret(text):
        raise argparse.ArgumentTypeError("an address has two slashes after its kind, as s3://; this one has one")
    return text


def folder(text: str) -> str:
    from ..urls import is_url

    named(text)
    if "://" in text and not is_url(text):  # not quoted: it may hold a password
        raise argparse.ArgumentTypeError("an address is no folder; write the path of one")
    return text
