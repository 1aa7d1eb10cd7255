"""Draws the README's picture anew: the unit report of the shipped sample, as Chromium shows it.

``python tests/picture.py`` runs the sample first, so the picture is never older than the report.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from conftest import ARGUMENTS, find_chromium
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "notebooks" / "pictures" / "unit-report.png"


def draw(page_file: Path, picture: Path) -> None:
    """The report from its headline to the foot notes; the source rows below stay out."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(page_file.as_uri())
        top = page.locator(".report .simulated").bounding_box()
        bottom = page.locator(".report .foot").bounding_box()
        assert top and bottom, "the report has lost its head or its foot"
        clip = {"x": 30, "y": top["y"] - 10, "width": 1380, "height": bottom["y"] + bottom["height"] - top["y"] + 25}
        page.screenshot(path=picture, clip=clip, full_page=True)
        browser.close()


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "perfmodel", "run", str(ROOT / "data" / "2026Q3"), "--out", folder]
        subprocess.run([*command, "--notebook", "05_calibration_report"], check=True)
        run = Path(folder) / (Path(folder) / "latest").read_text(encoding="utf-8").strip()
        PICTURE.parent.mkdir(exist_ok=True)
        draw(run / "05_calibration_report.html", PICTURE)
    print(PICTURE)
