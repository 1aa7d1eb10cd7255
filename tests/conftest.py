"""What tests share: the shipped quarters, each computed once; pages in Chromium, and what is said where it lacks."""

import os
from pathlib import Path

import pytest

from perfmodel import assess
from perfmodel.runner.pdf import find_browser as find_chromium

DATA = Path(__file__).parents[1] / "data"
# No sandbox: it cannot be had as root. The rest keeps Chromium from calling anyone outside.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REMEDY = (
    "Install it (Debian, Ubuntu: apt-get install chromium; macOS: brew install --cask chromium; "
    "Windows: Chrome or Edge on the PATH), then run the tests again."
)
# Files that take longest, longest first: what is begun last would keep one core waiting for the other.
LONG = (
    "test_readme.py", "test_session.py", "test_committee.py", "test_schedule.py", "test_forked.py", "test_notebooks.py",
    "test_kill.py", "test_live.py", "test_fanout.py", "test_chinese.py", "test_export.py", "test_appeal.py",
    "test_fairness.py", "test_browser.py", "test_cli.py", "test_explain.py", "test_annual_verb.py", "test_store.py",
    "test_ledger_postgres.py", "test_raters.py", "test_assessment.py", "test_weights.py", "03_weights.ipynb",
)  # fmt: skip
LEFT_OUT = pytest.StashKey[set[str]]()


def in_ci() -> bool:
    """Whether nothing may be left out."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def pytest_configure(config):
    config.stash[LEFT_OUT] = set()


def pytest_collection_modifyitems(config, items):
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
    if find_chromium() or in_ci():
        return
    browser = [item for item in items if item.get_closest_marker("browser")]
    if browser:
        config.hook.pytest_deselected(items=browser)
        items[:] = [item for item in items if not item.get_closest_marker("browser")]
        config.stash[LEFT_OUT] |= {item.nodeid for item in browser}


def pytest_runtest_setup(item):
    if item.get_closest_marker("browser") and not find_chromium():
        pytest.fail(f"CI is set, so no test may be left out, and no Chromium is on the PATH. {REMEDY}", pytrace=False)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # a worker of pytest-xdist: its last words are the controller's
        session.config.workeroutput["left_out"] = sorted(session.config.stash[LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    node.config.stash[LEFT_OUT] |= set(getattr(node, "workeroutput", {}).get("left_out", ()))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    left_out, terminal = config.stash[LEFT_OUT], config.pluginmanager.get_plugin("terminalreporter")
    if left_out and terminal and not hasattr(config, "workeroutput"):
        terminal.write_line(f"Left out, for want of Chromium on the PATH: {len(left_out)} tests that open pages in it:")
        for name in sorted(left_out):
            terminal.write_line(f"  {name}")
        terminal.write_line(REMEDY)


@pytest.fixture
def chromium():
    """``chromium(address, **options)`` opens a page: a Path or an address, none for a blank page.

    ``options`` are those of playwright's ``new_context`` (viewport, locale, offline ...). One browser a test:
    while playwright's synchronous interface is open, its event loop keeps papermill's from running in this process.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))

        def page(address: str | Path | None = None, **options):
            new = browser.new_context(**options).new_page()
            if address is not None:
                new.goto(address.resolve().as_uri() if isinstance(address, Path) else address)
            return new

        yield page
        browser.close()


@pytest.fixture(scope="session")
def quarter():
    """The shipped quarter, open, computed once; tests change nothing of it."""
    return assess(DATA / "2026Q3", seed=1)


@pytest.fixture(scope="session")
def closed():
    """The shipped quarter before it, whose results are all there."""
    return assess(DATA / "2026Q2", seed=1)
