"""Pages in a real browser beside a blank one: how large, how soon a reader can work, and what a unit's pack takes."""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .bench_raters import json_of
from .pdf import browser

SIZES = (240, 5_000)
MAKE = """
import json, sys, time
from pathlib import Path
import perfmodel as pm
from perfmodel import report
from perfmodel.runner.packs import write_packs
from perfmodel.simulate import sample_files
people, folder = int(sys.argv[1]), Path(sys.argv[2])
for name, data in sample_files(employees=people, quarters=1).items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True); (folder / name).write_bytes(data)
cycle = next(path.parent for path in sorted(folder.rglob("scheme.yaml")) if "truth" not in path.parts)
quarter = pm.assess(cycle, seed=1); quarter.tables()
(folder / "company.html").write_text(report.calibration_report(quarter).html(), encoding="utf-8")
(folder / "index.html").write_text(report.index_page(quarter), encoding="utf-8")
(folder / "blank.html").write_text("<!DOCTYPE html><html lang=en><title>blank</title><p>blank</p></html>")
took = 0
if len(sys.argv) > 3:
    (folder / "restricted").mkdir()
    start = time.perf_counter(); packs = write_packs(quarter, folder, {})
    took = (time.perf_counter() - start) / len(packs.pages)
print(json.dumps({"pack": took, "units": quarter.totals["unit"].nunique()}))
"""
# Until the page answers: loaded, laid out and painted twice, as a reader who scrolls or clicks would find it.
READY = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


def pages(repeat: int, say: Callable[[str], None]) -> Iterator[str]:
    """Lines on the company's page: size, time until it answers against a blank page, and to sort and filter."""
    from playwright.sync_api import sync_playwright

    chromium = browser()
    for people in SIZES:
        say(f"pages: {people:,} employees")
        with tempfile.TemporaryDirectory() as place, sync_playwright() as play:
            made = json_of(sys.executable, "-c", MAKE, str(people), place, *(["packs"] if people == SIZES[0] else []))
            folder = Path(place)
            window = play.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            )
            try:
                times: dict[str, list[float]] = {"blank": [], "index": [], "company": [], "sort": [], "filter": []}
                for _ in range(max(repeat, 3) + 1):
                    for name in ("blank", "index", "company"):
                        page = window.new_page(viewport={"width": 1440, "height": 900})
                        start = time.perf_counter()
                        page.goto((folder / f"{name}.html").as_uri())
                        page.evaluate(READY)
                        times[name].append(time.perf_counter() - start)
                        if name == "company":
                            _sort(page, times)
                        page.close()
                # The first round warms the browser up.
                of = {name: statistics.median(taken[1:]) for name, taken in times.items()}
            finally:
                window.close()
            size = {name: os.path.getsize(folder / f"{name}.html") / 1e6 for name in ("index", "company")}
            for name in ("index", "company"):
                yield (
                    f"{name} page of {people:,} employees: {size[name]:.2f} MB, answers after "
                    f"{1000 * of[name]:.0f} ms, "
                    f"{of[name] / of['blank']:.1f} × a blank page ({1000 * of['blank']:.0f} ms)"
                )
            yield f"  its table is sorted in {1000 * of['sort']:.0f} ms, filtered in {1000 * of['filter']:.0f} ms"
            if made["pack"]:
                yield f"  a unit's pack takes {made['pack']:.2f} s on one core, {made['units']} of them"


def _sort(page, times: dict[str, list[float]]) -> None:
    """Time from a click to the sorted table, and from a letter to the filtered one, both painted."""
    page.locator(".src").scroll_into_view_if_needed()
    page.wait_for_selector("html[data-sorts]", state="attached", timeout=60_000)
    for name, act in (
        ("sort", lambda: page.locator(".src table.sort thead th").nth(4).click()),
        ("filter", lambda: page.locator(".src .dt-search input").press("7")),
    ):
        start = time.perf_counter()
        act()
        page.evaluate(READY)
        times[name].append(time.perf_counter() - start)
