"""The live cell in a real JupyterLab: a slider is moved in a browser, and the answer is awaited there."""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from ..errors import RunError
from .pdf import find_browser

PEOPLE = 1_000
STEPS = 12  # moves of the slider
OPENED = 3  # times that the notebook is opened
ASKED = 8  # times that it is told to run
IDLE = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
DIALOG = ".jp-Dialog"
CELLS = (
    "import datetime\nimport perfmodel as pm",
    "quarter = pm.assess({cycle!r}, seed=1)",
    "pm.live_weights(quarter, {profile!r}, scheme={scheme!r}, plan={plan!r}, today={today!r})",
)
RUNNING = "() => /[*0-9]/.test(document.querySelector('.jp-CodeCell .jp-InputPrompt')?.textContent || '')"
# From the key to the next paint after the answer stands on the page, in milliseconds.
WATCH = """() => { window.pmTimes = []; let from = 0;
    document.addEventListener('keydown', () => { from = performance.now(); }, true);
    const shown = document.querySelector('.pm-flips').closest('.widget-html-content');
    new MutationObserver(() => requestAnimationFrame(() => {
        if (from) { window.pmTimes.push(performance.now() - from); from = 0; } })
    ).observe(shown, {childList: true, subtree: true, characterData: true}); }"""


def drive(
    folder: Path,
    cycle: str,
    profile: str,
    *,
    chromium: str,
    steps: int = STEPS,
    reason: str = "",
    today: date | None = None,
) -> dict:
    """Open a notebook with the live cell in JupyterLab, move the first slider ``steps`` times, then write the plan.

    Returns ``times`` (ms, key to paint), ``before`` and ``after`` (what the cell says of flips), ``said`` (of the
    plan, where ``reason`` is given), ``problems`` (errors on the page).

    Raises
    ------
    RunError
        If JupyterLab or its page does not come so far, with what it said.
    """
    from playwright.sync_api import Error, sync_playwright

    said_by_lab: list[str] = []

    notebook = folder / "live.ipynb"
    given = {
        "cycle": cycle,
        "profile": profile,
        "scheme": str(Path(cycle) / "scheme.yaml"),
        "plan": str(folder / "plan"),
        "today": today,
    }
    notebook.write_text(json.dumps(_notebook([cell.format(**given) for cell in CELLS])), encoding="utf-8")
    try:
        with serving(folder, "jupyterlab", f"--ServerApp.root_dir={folder}") as lab, sync_playwright() as play:
            browser = play.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            )
            try:
                page = browser.new_page(viewport={"width": 1440, "height": 1000})
                problems: list[str] = []
                page.on("pageerror", lambda error: problems.append(str(error)))
                _open(page, f"{lab}/lab/tree/live.ipynb?reset&token=t", said_by_lab)
                before = page.locator(".pm-flips").inner_text()
                page.evaluate(WATCH)
                page.locator(".noUi-handle").first.focus()
                for step in range(steps):
                    page.keyboard.press("ArrowRight" if step % 2 == 0 or step > 3 else "ArrowLeft")
                    page.wait_for_function("n => window.pmTimes.length > n", arg=step, timeout=20_000)
                after = page.locator(".pm-flips").inner_text()
                said = ""
                if reason:
                    page.get_by_placeholder("why these weights").fill(reason)
                    page.get_by_role("button", name="Write plan/scheme.yaml").click()
                    page.wait_for_selector(".pm-written", timeout=20_000)
                    said = page.locator(".pm-written").inner_text()
                page.screenshot(path=folder / "live.png", full_page=True)
                return {"times": page.evaluate("window.pmTimes"), "before": before, "after": after, "said": said,
                        "problems": problems}  # fmt: skip
            finally:
                browser.close()
    except Error as failure:
        heard = f" JupyterLab said: {'; '.join(said_by_lab)}." if said_by_lab else ""
        raise RunError(
            f"The live cell could not be driven in the browser: {str(failure).splitlines()[0]}.{heard} "
            "Try again when the machine is less loaded."
        ) from failure


@contextmanager
def serving(folder: Path, *command: str) -> Iterator[str]:
    """``python -m COMMAND``, which starts JupyterLab, with settings of its own in ``folder``; its address, token t."""
    settings = {
        "ServerApp": {"ip": "127.0.0.1", "allow_root": True, "open_browser": False},
        "IdentityProvider": {"token": "t"},
        "LabApp": {
            "workspaces_dir": str(folder / "workspaces"),
            "user_settings_dir": str(folder / "settings"),
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        },
    }
    own = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "RUNTIME", "DATA")}
    Path(own["JUPYTER_CONFIG_DIR"]).mkdir()
    (folder / "CONFIG" / "jupyter_server_config.json").write_text(json.dumps(settings), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | own | {"JUPYTER_PORT": str(port)}
    with open(folder / "lab.log", "wb") as log:
        lab = subprocess.Popen([sys.executable, "-m", *command], stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        _await(f"http://127.0.0.1:{port}/api?token=t", lab, folder / "lab.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        lab.terminate()
        lab.wait(timeout=30)


def _open(page, address: str, said: list[str]) -> None:
    """The notebook with its cells run and the sliders there; opened anew where its first kernel did not come up.

    On a loaded machine JupyterLab may give a kernel up ("Error Starting Kernel"). Another one can be chosen, but
    widgets then wait for the first one for good.
    """
    from playwright.sync_api import TimeoutError as Late

    for attempt in range(OPENED):
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        try:
            _run_all(page, said)
            page.wait_for_selector(".pm-flips", timeout=90_000)
            return
        except (Late, RunError):
            if attempt == OPENED - 1:
                raise


def _answer(page, said: list[str]) -> None:
    """Agree to what JupyterLab asks before it goes on, and keep its words."""
    dialog = page.locator(DIALOG).last
    page.wait_for_timeout(500)  # it may still fetch what it offers
    said.append(" ".join(dialog.inner_text().split()))
    accept = dialog.locator("button.jp-mod-accept")
    if accept.count():
        accept.last.click()
    else:
        page.keyboard.press("Escape")


def _run_all(page, said: list[str]) -> None:
    """Run every cell; asked again where the notebook has not met its kernel yet and does nothing."""
    from playwright.sync_api import TimeoutError as Late

    for _ in range(ASKED):
        while page.locator(DIALOG).count():
            _answer(page, said)
        try:
            with suppress(Late):  # without a kernel it never gets idle; told to run it asks which to take
                page.wait_for_selector(IDLE, state="attached", timeout=20_000)
            page.locator(".lm-MenuBar-itemLabel", has_text="Run").click(timeout=6_000)
            page.locator('[data-command="runmenu:run-all"]').first.click(timeout=6_000)
            page.wait_for_function(RUNNING, timeout=6_000)
            return
        except Late:
            if not page.locator(DIALOG).count():
                page.keyboard.press("Escape")  # the menu that may stand open
    raise RunError("JupyterLab does not run the notebook's cells.")


def live(repeat: int, say: Callable[[str], None]) -> Iterator[str]:
    """A line on the time from a key on a slider to the new grades on the page, ``PEOPLE`` employees."""
    chromium = find_browser()
    if chromium is None:
        yield "live: no Chromium here"
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        say(f"live: {PEOPLE:,} employees in JupyterLab")
        sample = [sys.executable, "-m", "perfmodel", "sample", str(folder / "data"), "--employees", str(PEOPLE)]
        made = subprocess.run([*sample, "--quarters", "1"], capture_output=True, text=True)
        if made.returncode:
            raise RunError(f"perfmodel sample ended with {made.returncode}: {made.stderr[-300:]}")
        cycle = next(path.parent for path in sorted((folder / "data").rglob("scheme.yaml")))
        found = drive(folder, str(cycle), "regional_manager", chromium=chromium, steps=max(repeat, 5) * 4)
    times = found["times"]
    yield (
        f"live re-scoring of {PEOPLE:,} employees, key to paint: median {statistics.median(times):.0f} ms, "
        f"slowest {max(times):.0f} ms of {len(times)}"
    )


def _await(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RunError(f"JupyterLab did not start: {log.read_text(errors='replace')[-500:]}")


def _notebook(cells: list[str]) -> dict:
    return {
        "cells": [
            {"cell_type": "code", "id": f"c{i}", "metadata": {}, "execution_count": None, "outputs": [], "source": cell}
            for i, cell in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
