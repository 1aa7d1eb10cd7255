"""Pages as PDF, printed by the machine's own Chromium: what its print view shows, nothing else."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import RunError

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "msedge",
    "chrome",
)
# Nothing of a page is fetched, and Chromium calls nobody on its own account.
QUIET = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic", "--no-pdf-header-footer",
)  # fmt: skip
TIMEOUT = 120.0


def find_browser() -> str | None:
    """Path of the first Chromium on the PATH."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def browser() -> str:
    """The same, which must be there.

    Raises
    ------
    RunError
        If there is none.
    """
    found = find_browser()
    if found is None:
        raise RunError(
            "PDF pages are printed by Chromium, and none is on the PATH. Install it (Debian, Ubuntu: apt-get install "
            "chromium; macOS: brew install --cask chromium; Windows: Chrome or Edge on the PATH), or leave out "
            "--format pdf and print the pages from your own browser."
        )
    return found


def print_pages(pages: Iterable[Path], *, at_once: int = 2) -> list[Path]:
    """Print each HTML page to a PDF of the same name beside it.

    Raises
    ------
    RunError
        If there is no Chromium, or it cannot print one of them.
    """
    chromium = browser()
    with ThreadPoolExecutor(max(1, at_once)) as pool:
        return list(pool.map(lambda page: _print(chromium, page), pages))


def _print(chromium: str, page: Path) -> Path:
    target = page.with_suffix(".pdf")
    # The sandbox cannot be had as root; a page holds no script but the one that sorts, and none from outside.
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium, *QUIET, *sandbox, f"--user-data-dir={profile}", f"--print-to-pdf={target}", page.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise RunError(f"Chromium took longer than {TIMEOUT:g} s to print {page.name}, and was stopped.") from None
    if done.returncode or not target.exists():
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise RunError(
            f"Chromium could not print {page.name} (exit {done.returncode}): {said[-1] if said else 'no word'}."
        )
    return target
