"""A whole run in Chinese: no English word is left on any page, in any chart, label or cell, and no glyph is missing.

What is data stays as it was delivered: names, ids, comments, and texts of the scheme that are given in one language.
"""

import base64
import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pandas as pd
import pypdf
import pytest
from test_fairness import SCHEME, _page, _planned
from test_readme import IN_CHINESE

import perfmodel as pm
from perfmodel.fairness import fairness
from perfmodel.fairness.table import COLUMNS
from perfmodel.language import speaking
from perfmodel.runner.pdf import print_pages

ROOT = Path(__file__).parents[1]
SAMPLE = "data/2026Q3"
# A word of Latin letters that is no abbreviation (KPI, CUSUM) and no part of a name of a file, column or option.
WORD = re.compile(r"(?<![\w./:#=@-])[A-Za-z][a-z]{2,}(?![\w/:#=@-]|\.\w)")
CHINESE = re.compile(r"[\u3400-\u9fff]")
# Programs, what is typed into them, units, and those after whom a method is called.
TERMS = (
    "perfmodel lab", "perfmodel decide",
    "perfmodel", "Python", "JupyterLab", "live = True", "logit", "GiB", "rmse", "Fisher", "Benjamini",
    "Hochberg", "Rasch", "Mantel", "Haenszel", "Krippendorff", "Wright", "Douglas", "Applied Psychological Measurement",
)  # fmt: skip
IDS = {"id", "code", "unit", "measure", "target_rule", "source", "period"}  # of a scheme: texts in one language
LABELS = {"aria-label", "alt", "title", "placeholder", "data-l"}
SILENT = {"style", "script", "code", "pre"}  # not read, or code as it was written


class Shown(HTMLParser):
    """The texts of a page that reach a reader, and those that only a screen reader says."""

    def __init__(self, page: str):
        super().__init__()
        self.inside: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.texts += [value for name, value in attrs if name in LABELS and value]
        if tag in SILENT:
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in SILENT and self.inside:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside and data.strip():
            self.texts.append(data)


def texts_of(value) -> list[str]:
    """Ids of a scheme, and its texts that are given in one language."""
    if isinstance(value, (list, tuple)):
        return [text for one in value for text in texts_of(one)]
    if not is_dataclass(value):
        return []
    own = {field.name: getattr(value, field.name) for field in fields(value)}
    return [text for name, text in own.items() if name in IDS] + [
        text for one in own.values() for text in texts_of(one)
    ]


@pytest.fixture(scope="module")
def data() -> re.Pattern[str]:
    """What was delivered, longest first: ids and names, and each cell of the sample that could be taken for prose."""
    cycle = pm.read_cycle(ROOT / SAMPLE)
    cells = {cell for table in cycle.tables.values() for column in table for cell in table[column] if type(cell) is str}
    found = {cell for cell in cells if len(WORD.findall(cell)) > 1} | set(texts_of(cycle.scheme))
    found |= {*cycle.groups["attribute"], *cycle.groups["value"]}
    listed = sorted((text for text in found if WORD.search(text)), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, listed))})(?!\w)")


@pytest.fixture(scope="module")
def english(data):
    """English words in a text that are neither data nor known terms."""
    known = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, TERMS))})(?!\w)")

    def look(text: str) -> list[str]:
        return WORD.findall(known.sub("·", data.sub("·", text)))

    return look


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The run of the whole sample, as the README has it."""
    out = tmp_path_factory.mktemp("zh")
    _, program, *words, option, _ = shlex.split(IN_CHINESE)
    assert (program, words[:2], option) == ("perfmodel", ["run", SAMPLE], "--out") and "--each-unit" in words
    command = [sys.executable, "-m", program, *words, option, str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    return out / (out / "latest").read_text(encoding="utf-8").strip()


@pytest.fixture(scope="module")
def pages(run) -> dict[str, list[str]]:
    """Every page of the run by its name, as the texts on it."""
    found = sorted(run.rglob("*.html"))
    return {path.relative_to(run).as_posix(): Shown(path.read_text(encoding="utf-8")).texts for path in found}


def test_every_kind_of_page_is_there_and_is_chinese(pages):
    kinds = {"index.html", "company.html", "04_raters.html", "restricted/fairness.html"}
    assert kinds <= pages.keys()
    assert sum(name.startswith("units/") for name in pages) >= 24
    assert sum(name.startswith("restricted/feedback/") for name in pages) >= 20
    for name, texts in pages.items():
        assert CHINESE.search(" ".join(texts)), name


def test_no_english_word_is_left_on_any_page(pages, english):
    left = {name: found for name, texts in pages.items() if (found := [e for text in texts for e in english(text)])}
    assert left == {}


def test_no_page_holds_a_character_that_stands_for_a_missing_one(pages):
    assert [name for name, texts in pages.items() if re.search("[\ufffd\u25a1\u25af]", "".join(texts))] == []


def test_kpis_and_posts_stand_on_pages_by_the_names_that_the_scheme_gives_them(run):
    scheme = pm.read_cycle(ROOT / SAMPLE).scheme
    ids = [one.id for one in (*scheme.kpis, *scheme.profiles) if "_" in one.id]
    for name in ("company", "02_scores", "03_weights", "04_raters", "05_calibration_report", "06_distribution"):
        texts = Shown((run / f"{name}.html").read_text(encoding="utf-8")).texts
        assert [text for text in texts if any(re.search(rf"(?<![\w./-]){i}(?![\w.-])", text) for i in ids)] == [], name


def test_what_sorts_the_tables_speaks_chinese(run, english):
    page = (run / "03_weights.html").read_text(encoding="utf-8")
    packed = re.search(r'id="sorting">([^<]*)<', page).group(1)
    script = gzip.decompress(base64.b64decode(packed)).decode()
    words, _ = json.JSONDecoder().raw_decode(script[script.index('{"search"') :])
    assert english("".join(words.pop("paginate").values())) == []  # arrows
    spoken = words.pop("aria")
    for text in (*spoken.pop("paginate").values(), *spoken.values(), *words.values()):
        assert text == "" or (CHINESE.search(text) and english(text) == []), text


def test_no_english_word_is_left_in_any_workbook(run, english):
    books = sorted(run.rglob("*.xlsx"))
    assert len(books) >= 13
    for path in books:
        book = openpyxl.load_workbook(path)
        assert [english(name) for name in book.sheetnames] == [[] for _ in book.sheetnames]
        for sheet in book:
            cells = [(cell.coordinate, str(cell.value)) for row in sheet.iter_rows() for cell in row if cell.value]
            for rule in sheet.data_validations.dataValidation:
                cells += [(str(rule.sqref), str(text)) for text in (rule.errorTitle, rule.error, rule.prompt) if text]
            left = {(sheet.title, at): found for at, text in cells if (found := english(text))}
            assert left == {}, path.relative_to(run)


def test_the_page_for_hr_and_legal_is_chinese_in_every_state(english):
    found = {"p": (200, 80), "q": (100, 10), "r": (100, 40), "s": (4, 3), "t": (19, 6)}
    scores, groups = _planned(found)
    slate = pd.Series(scores["grade_raw"].eq("A").to_numpy(), scores["employee_id"])
    unstated = groups[groups.index % 9 > 0]
    with speaking("zh"):
        pages = [
            _page(pd.DataFrame(columns=COLUMNS)),
            _page(fairness(scores, groups, SCHEME)),
            _page(fairness(scores, unstated, SCHEME, outcomes={"promotion slate": slate})),
            _page(fairness(*_planned({"p": (6, 3), "q": (5, 2)}), SCHEME)),
        ]
    for page in pages:
        left = {word for text in Shown(page).texts for word in english(text)}
        assert left <= {"origin", "attribute", "value"}, "an attribute, and columns to deliver"
    assert "未注明" in pages[2] and "超出偶然范围" in pages[1] and "候选名单" in pages[2]


# --- Printed -------------------------------------------------------------------------------------------------


def glyphs(page: pypdf.PageObject) -> list[tuple[str, bool, str]]:
    """Of each piece of text that is drawn: name of the font, whether its shapes are in the file, names of glyphs."""
    fonts = {name: font.get_object() for name, font in page["/Resources"]["/Font"].items()}
    font, found = None, []
    for operands, operator in page.get_contents().operations:
        if operator == b"Tf":
            font = fonts[operands[0]]
        if operator in (b"Tj", b"TJ"):
            shown = operands[0] if operator == b"TJ" else operands
            codes = b"".join(getattr(text, "original_bytes", b"") for text in shown)
            found.append(_glyphs(font, codes))
    return found


def _glyphs(font, codes: bytes) -> tuple[str, bool, str]:
    if font["/Subtype"] == "/Type3":  # each shape a procedure of its own; the code 0 is a glyph as any other
        names, code = {}, 0
        for entry in font["/Encoding"]["/Differences"]:
            if isinstance(entry, int):
                code = entry
            else:
                names[code], code = str(entry), code + 1
        name = font["/FontDescriptor"].get_object()["/FontName"]
        return str(name), bool(font["/CharProcs"]), " ".join(names[code] for code in codes)
    inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
    held = any(f"/FontFile{kind}" in inner["/FontDescriptor"].get_object() for kind in ("", "2", "3"))
    pairs = [codes[i : i + 2].hex() for i in range(0, len(codes), 2)]
    return str(font["/BaseFont"]), held, " ".join("/g0" if pair == "0000" else pair for pair in pairs)


@pytest.mark.browser
def test_a_printed_page_holds_its_chinese_as_text_and_every_shape_of_it(run, tmp_path):
    place = tmp_path / "report.html"
    shutil.copy(min(run.glob("units/*/calibration_report.html")), place)
    [printed] = print_pages([place])
    document = pypdf.PdfReader(printed)
    # Chromium names some characters by the radical that looks alike (U+2F08 for U+4EBA); NFKC undoes that.
    text = unicodedata.normalize("NFKC", "".join(page.extract_text() for page in document.pages))
    page = re.sub(r'<section class="src">.*?</section>', "", place.read_text(encoding="utf-8"), flags=re.S)
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)  # source rows are left out in print
    assert len(headings) > 4
    squeezed = "".join(text.split())
    for heading in headings:
        assert "".join(unicodedata.normalize("NFKC", heading).split()) in squeezed, heading
    drawn = [piece for page in document.pages for piece in glyphs(page)]
    assert any("CJK" in font or "Han" in font or "Hei" in font for font, _, _ in drawn)
    assert all(held for _, held, _ in drawn)
    assert not any("/g0" in names.split() for _, _, names in drawn)
    assert not re.search("[\ufffd\u25a1\x00]", text)
