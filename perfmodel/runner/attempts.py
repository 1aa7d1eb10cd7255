"""``DIR/status.json``: how the last attempt to publish there ended, and the last one that was not done.

It lies beside the runs and never in one, so that whatever goes wrong changes nothing of what was published.
"""

import json
import os
import socket
from pathlib import Path
from typing import Any

from . import lock
from .outcome import DONE, Outcome
from .publish import newest, replace_text

NAME = "status.json"
PATIENCE = 60.0  # seconds to wait for others who write beside the runs


def record(outcome: Outcome) -> None:
    """Note how an attempt ended; one that never began, because another was at work, is none.

    Raises
    ------
    OSError, Busy
        If it cannot be written.
    """
    if outcome.folder is None or outcome.busy:
        return
    attempt = {"verb": "run", "host": socket.gethostname(), "pid": os.getpid(), **_kept(outcome)}
    with lock.held(outcome.folder, "run", wait=PATIENCE, name=lock.PAGES):
        before = read(outcome.folder)
        failed = before.get("failed") if outcome.outcome == DONE else attempt
        whole = {"last": attempt, **({"failed": failed} if failed else {})}
        replace_text(outcome.folder / NAME, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


def read(folder: Path) -> dict[str, Any]:
    """What ``status.json`` of ``folder`` says; empty where there is none, or it is no longer one."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found = found if isinstance(found, dict) else {}
    return {name: found[name] for name in ("last", "failed") if _is_attempt(found.get(name))}


def _is_attempt(noted: Any) -> bool:
    if not isinstance(noted, dict) or not isinstance(noted.get("codes", {}), dict):
        return False
    return all(isinstance(noted.get(name, ""), str) for name in ("what", "outcome", "started")) and (
        {"outcome", "started"} <= noted.keys()
    )


def _kept(outcome: Outcome) -> dict[str, Any]:
    said = outcome.summary()
    kept = ("outcome", "exit", "cycle", "started", "seconds", "run", "already", "what", "codes")
    assert outcome.folder is not None
    return {name: said[name] for name in kept if name in said} | {"newest": newest(outcome.folder)}
