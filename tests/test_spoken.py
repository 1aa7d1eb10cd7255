"""Nothing a reader sees goes round the catalogue: where brackets stand for Chinese, only data stand outside them."""

import gettext
import json
import re
from types import SimpleNamespace

import openpyxl
import pandas as pd
import pytest
from markupsafe import Markup
from report_sample import sample

from perfmodel import language, report
from perfmodel.language import speaking, spoken
from perfmodel.report import words
from perfmodel.report.export import notebook_page
from perfmodel.runner import publish

# What is data in the sample: ids, names, addresses, and the scheme's own words.
DATA = re.compile(
    r"\b([ERU]-?\d+|perfmodel|Python|pack\.xlsx|manifest\.json|tables|csv|scores|CNY|data owner|manager|self"
    r"|company|too_close|Ana|exact|sales|regional_manager|customer_satisfaction)\b"
)


class Brackets(gettext.NullTranslations):
    def gettext(self, message):
        return f"⟦{message}⟧"

    def ngettext(self, one, many, n):
        return f"⟦{one if n == 1 else many}⟧"

    def pgettext(self, context, message):
        return f"⟦{message}⟧"


@pytest.fixture
def brackets(monkeypatch):
    """Chinese is English in brackets."""
    plain = gettext.NullTranslations()
    monkeypatch.setattr(language, "_catalogue", lambda lang: plain if lang == "en" else Brackets())
    caches = [made for made in vars(language).values() if hasattr(made, "cache_clear")]
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture(scope="module")
def assessment():
    return sample(names=["Ana"])


def outside_brackets(text: str) -> list[str]:
    """Words of ``text`` that no brackets hold, and that are no data."""
    while "⟦" in text:
        shorter = re.sub(r"⟦[^⟦⟧]*⟧", "", text)
        assert shorter != text, text[:200]
        text = shorter
    return re.findall(r"[A-Za-z]{4,}", DATA.sub("", text))


def seen(page: str) -> str:
    """The text of a page and of its labels; charts speak for themselves."""
    page = re.sub(r"<(style|script).*?</\1>|<svg.*?</svg>|<pre>.*?</pre>", "", page, flags=re.S)
    labels = re.findall(r'(?:aria-label|data-l|alt)="([^"]*)"', page)
    return "\n".join([re.sub(r"<[^>]*>", " ", page), *labels])


def test_every_sentence_of_every_page_comes_from_the_catalogue(brackets, assessment):
    late = [{"name": "10_calibration", "title": "Ana", "html": "x.html"}]
    manifest = {"run_id": "1", "versions": {"python": "3.11"}, "inputs": {"a": 1}, "finished": "2026-10-20"}
    with speaking("zh"):
        pages = {
            "unit": report.calibration_report(assessment, "U01", manifest=manifest).html(),
            "small": report.calibration_report(assessment, "U04").html(),
            "company": report.calibration_report(assessment).html(),
            "index": report.index_page(assessment, manifest, late),
            "banner": str(report.banner(assessment).body()),
            "empty": report.Page("A page", [report.Sentences([]), report.Table(pd.DataFrame()), "a text"]).html(),
        }
    for name, page in pages.items():
        assert outside_brackets(seen(page)) == [], name


def test_a_page_says_its_language_and_a_notebooks_value_too(brackets, assessment):
    with speaking("zh"):
        assert '<html lang="zh">' in report.index_page(assessment)
        assert '<div class="pm" lang="zh">' in report.Callout("x")._repr_html_()
    assert '<div class="pm">' in report.Callout("x")._repr_html_()


def test_every_sentence_of_the_workbook_comes_from_the_catalogue(brackets, assessment, tmp_path):
    with speaking("zh"):
        report.workbook(assessment, tmp_path / "pack.xlsx", manifest={"run_id": "1"})
    book = openpyxl.load_workbook(tmp_path / "pack.xlsx")
    cells = [c for sheet in book for row in sheet.iter_rows() for c in row]
    for cell in cells:
        assert not isinstance(cell.value, str) or outside_brackets(cell.value) == [], (cell.parent, cell.coordinate)
    assert {cell.font.name for cell in cells if cell.value is not None} == {"Microsoft YaHei"}
    assert all(outside_brackets(name) == [] for name in book.sheetnames)
    for rule in book[book.sheetnames[2]].data_validations.dataValidation:
        assert outside_brackets(f"{rule.errorTitle} {rule.error}") == []


def test_an_exported_notebook_has_its_own_words_and_says_only_the_frame(brackets):
    cells = [
        {"cell_type": "markdown", "source": "# Raters"},
        {
            "cell_type": "code",
            "source": "x",
            "outputs": [{"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}}],
        },
    ]
    with speaking("zh"):
        page = notebook_page(cells, title="Raters", simulated=True)
    assert outside_brackets(seen(page).replace("Raters", "")) == []
    assert "<summary>⟦Code⟧</summary>" in page and "⟦Chart in the section Raters⟧" in page


def test_data_are_never_said_anew(brackets, assessment):
    frame = pd.DataFrame({"unit": ["severe", "company"], "comment": ["within chance", "x"], "verdict": "severe"})
    with speaking("zh"):
        shown = report.Table(frame).body()
    assert '<th scope="row" class="nw">severe</th>' in shown and ">within chance</td>" in shown
    assert '<th scope="row" class="nw">⟦company⟧</th>' in shown and ">⟦severe⟧</td>" in shown


def test_markup_handed_to_a_page_stays_markup_and_text_of_the_same_letters_text(brackets):
    with speaking("zh"):
        assert words.shown(Markup("<b>x</b>")) == Markup("<b>x</b>")
        assert "&lt;b&gt;x&lt;/b&gt;" in report.Callout("<b>x</b>").body()


def manifest_of(run_id: str, lang: str, finished: str) -> dict:
    return {
        "run_id": run_id,
        "cycle": "2026Q3",
        "status": "DRAFT",
        "simulated": True,
        "finished": finished,
        "counts": {"in": 3, "scored": 2},
        "notebooks": {"a": {}},
        "parameters": {"seed": 1, "units": [], "each_unit": False, "lang": lang, "settings": {}},
        "warnings": {"codes": {}},
        "inputs": {},
        "outputs": {},
    }


def test_the_list_of_runs_speaks_the_language_of_the_newest_run(brackets, tmp_path):
    for run_id, lang in (("aa", "en"), ("bb", "zh")):
        (tmp_path / run_id).mkdir()
        text = json.dumps(manifest_of(run_id, lang, f"2026-10-20 10:00:0{int(lang == 'zh')}"))
        (tmp_path / run_id / "manifest.json").write_text(text, encoding="utf-8")
    said = {run: publish.point_to(tmp_path, run).read_text(encoding="utf-8") for run in ("aa", "bb")}
    assert '<html lang="en">' in said["aa"] and "<h2>The newest run</h2>" in said["aa"]
    assert '<html lang="zh">' in said["bb"] and outside_brackets(seen(said["bb"])) == []
    assert spoken() == "en"


def test_chinese_lists_days_and_number_words_follow_its_own_rules(monkeypatch):
    chinese = {", ": "、", "{names} and {n} more": "{names} 等，另有 {n} 项", "Oct": "10 月"}
    chinese["{day} {month} {year}"] = "{year} 年 {month} {day} 日"
    catalogue = SimpleNamespace(gettext=lambda text: chinese.get(text, text))
    monkeypatch.setattr(language, "_catalogue", lambda lang: catalogue)
    with speaking("zh"):
        assert words.listing(["a", "b", "c"], 2) == "a、b 等，另有 1 项"
        assert words.day(pd.Timestamp("2026-10-20")) == "2026 年 10 月 20 日"
        assert words.number_word(3) == "3" and words.gap() == ""
    assert words.number_word(3) == "Three" and words.gap() == " "
