"""Names that a program could take for something else are shown as what they are: in a browser, in Excel, on paper."""

import openpyxl
import pytest
from report_sample import EVIL, sample

from perfmodel import report
from perfmodel.runner.pdf import print_pages

NAMES = (
    EVIL,
    '=HYPERLINK("https://example.invalid")',
    "{{7*7}}",
    "${7*7} {% raw %}",
    "x" * 300,
    "علي بن محمد",
    "‮gnp.exe",
    "王小明",
)
WHOLE = "document.querySelector('.src table').innerText"


@pytest.fixture(scope="module")
def assessment():
    return sample(people=42, units=2, names=[*NAMES, EVIL])


@pytest.mark.browser
def test_every_name_is_text_in_a_browser_and_on_paper(assessment, chromium, tmp_path):
    import pypdf

    path = tmp_path / "company.html"
    path.write_text(report.calibration_report(assessment).html(), encoding="utf-8")
    page = chromium(viewport={"width": 1440, "height": 900})
    said = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    shown = page.evaluate(WHOLE)
    assert said == [] and all(name in shown for name in NAMES)
    assert "49" not in {word for word in shown.split()}  # no template took {{7*7}} for its own
    # A name of three hundred letters breaks inside its cell and pushes nothing off the page.
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    (printed,) = print_pages([path])
    text = "".join(p.extract_text() for p in pypdf.PdfReader(printed).pages)
    squeezed = "".join(text.split())
    listed = [name for name in NAMES if name in page.evaluate("document.querySelector('main').innerText")]
    assert len(listed) >= 4
    for name in listed:
        left_to_right = name.isascii() or name == "王小明"  # a PDF holds the others in the order of the eye
        assert not left_to_right or "".join(name.split()) in squeezed, name


def test_every_name_is_text_in_the_workbook(assessment, tmp_path):
    report.workbook(assessment, tmp_path / "pack.xlsx")
    book = openpyxl.load_workbook(tmp_path / "pack.xlsx")
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d", "b"}  # none is a formula
    assert set(NAMES) <= {cell.value for cell in cells} and all(cell.hyperlink is None for cell in cells)
