"""Pages and workbook: what they say, that data stay text, that nothing is fetched."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import openpyxl
import pandas as pd
import pytest
from report_sample import EVIL, default_scheme, sample

from perfmodel import report
from perfmodel.errors import DataError, RunError
from perfmodel.language import speaking
from perfmodel.plots import severity
from perfmodel.report import words
from perfmodel.report.sanitise import sanitised
from perfmodel.report.sorting import MARK, digest

OUTSIDE = re.compile(r"""(?:https?:|ftp:|(?:src|href|action|data|poster)\s*=\s*["']?\s*//|@import|javascript:)""", re.I)
VOID = {"meta", "br", "hr", "img", "link", "input", "col", "wbr"}


@pytest.fixture(scope="module")
def assessment():
    return sample(names=["Ana", EVIL, '"><img src=x onerror=alert(2)>'])


def test_names_of_the_scheme_stand_for_ids_and_rows_are_never_mixed_up():
    scheme = default_scheme()
    table = pd.DataFrame(
        {"kpi": ["new_customers", "unknown"], "weight": [20.0, 1.0], "reason": ["new_customers late", ""]}
    )
    shown = report.named(table, scheme)
    assert shown["kpi"].tolist() == ["New customers", "unknown"] and shown["weight"].tolist() == [20.0, 1.0]
    assert shown["reason"].tolist() == ["New customers late", ""] and table["kpi"][0] == "new_customers"
    with speaking("zh"):
        assert report.named(table, scheme)["kpi"][0] == "新客户开发"
    names = report.named(pd.DataFrame({"kpi": [item.id for item in scheme.items]}), scheme)["kpi"]
    assert names.is_unique and report.named("regional_manager", scheme) == scheme.profiles[0].name.say("en")


@pytest.fixture(scope="module")
def pages(assessment):
    return {
        "unit": report.calibration_report(assessment, "U01", manifest={"run_id": "7f3a-91c2-0b5e"}).html(),
        "small": report.calibration_report(assessment, "U04").html(),
        "company": report.calibration_report(assessment).html(),
        "index": report.index_page(
            assessment,
            {
                "run_id": "7f3a-91c2-0b5e",
                "finished": "2026-10-20T18:04:00",
                "versions": {"perfmodel": "1.0.0", "python": "3.11"},
            },
            [
                {
                    "name": "10_calibration_report",
                    "title": EVIL,
                    "html": "10_calibration_report.html",
                    "ipynb": "x.ipynb",
                }
            ],
        ),
    }


class Balance(HTMLParser):
    """Every tag is closed in order, every id is alone, one h1, headings without a jump."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.levels = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "a":
            self.links.append(attrs.get("href", ""))
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()


def test_pages_are_whole_documents_with_headings_in_order_and_ids_of_their_own(pages):
    for name, text in pages.items():
        page = Balance(text)
        assert page.open == [], name
        assert len(page.ids) == len(set(page.ids)), name
        assert page.levels.count(1) == 1 and page.levels[0] == 1, name
        assert all(b - a <= 1 for a, b in zip(page.levels, page.levels[1:], strict=False)), name
        assert '<html lang="en">' in text and "<meta charset" in text, name


def test_every_link_within_a_page_leads_to_a_row_of_that_page(pages):
    for name, text in pages.items():
        page = Balance(text)
        inner = [link[1:] for link in page.links if link.startswith("#")]
        assert set(inner) <= set(page.ids), name
        assert inner or name == "index"


def test_pages_name_no_outside_address_and_forbid_every_script_but_the_one_that_sorts(pages):
    for name, text in pages.items():
        scripts = re.findall(r"<script[^>]*>(.*?)</script>", text, re.S)
        assert not OUTSIDE.search(re.sub(r"<script.*?</script>", "", text, flags=re.S)), name
        assert "default-src 'none'" in text and "script-src 'self'" not in text, name
        allowed = re.findall(r"'(sha256-[^']+)'", text.split("<title>")[0])
        unpacked = [gzip.decompress(base64.b64decode(scripts[0])).decode(), *scripts[1:]] if scripts else []
        assert sorted(map(digest, unpacked)) == sorted(allowed), name
        assert len(scripts) == (2 if MARK in text else 0), name
    assert MARK in pages["company"] and MARK not in pages["index"]


def test_names_that_look_like_markup_are_shown_as_text(pages):
    assert EVIL not in pages["unit"] and "&lt;script&gt;alert(1)&lt;/script&gt;" in pages["unit"]
    assert "<img src=x" not in pages["unit"]
    assert EVIL not in pages["index"]


def test_simulated_data_are_called_so_on_top_of_every_page(pages):
    for name, text in pages.items():
        body = text[text.index("<body") :]
        assert body.index("Simulated data.") < body.index("<h1"), name
    real = sample(people=30, units=2, simulated=False)
    assert "Simulated data" not in report.calibration_report(real, "U01").html()
    assert "Simulated data" not in report.index_page(real)


def test_a_units_page_holds_no_row_of_another_unit(assessment):
    text = report.calibration_report(assessment, "U02").html()
    unit = assessment.totals.set_index("employee_id")["unit"]
    for who, own in unit.items():
        assert (f'id="s-{who}"' in text) == (own == "U02")
        if own != "U02":
            assert who not in text


def test_a_page_is_the_same_whatever_the_order_of_rows(assessment):
    from types import SimpleNamespace

    turned = {name: frame.iloc[::-1] for name, frame in assessment.tables().items() if name != "pool"}
    other = SimpleNamespace(**{**vars(assessment), "tables": lambda: {**assessment.tables(), **turned}})
    assert report.calibration_report(other, "U01").html() == report.calibration_report(assessment, "U01").html()


def test_one_late_result_makes_its_unit_partial_and_names_it(assessment):
    late = report.calibration_report(assessment, "U01")
    assert late.status == "PARTIAL" and "E-004 Customer satisfaction" in " ".join(late.sentences())
    assert report.calibration_report(assessment, "U02").status == "DRAFT"


def test_headline_of_a_unit_has_the_counts_of_its_tables(assessment):
    rows = assessment.tables()["distribution"]
    at = rows[(rows["unit"] == "U02") & (rows["grade"] == "S+A") & (rows["stage"] == "adjusted")].iloc[0]
    said = report.calibration_report(assessment, "U02").sentences()
    assert said[0].startswith(
        f"S+A {at['n']} of 16; chance alone gives {at['chance_low']:.0f} to {at['chance_high']:.0f}."
    )
    assert len(said) == 3


def test_headlines_never_judge(pages):
    for name, text in pages.items():
        words_said = re.sub(r"<script.*?</script>|<[^>]+>", " ", text[text.index("<body") :], flags=re.S).lower()
        for word in ("fair ", "true ", "bias removed", "bottom", "forced", "failed"):
            assert word not in words_said, (name, word)


def test_a_unit_nobody_is_in_is_refused_with_the_units_there_are(assessment):
    with pytest.raises(DataError, match="U01, U02, U03, U04"):
        report.calibration_report(assessment, "U99")


def test_index_says_control_totals_and_links_every_part(pages):
    assert "64 in = 62 + 2" in pages["index"] and "yes: " in pages["index"]
    for part in ("10_calibration_report.html", "pack.xlsx", "tables/", "manifest.json"):
        assert f'href="{part}"' in pages["index"]


def test_a_discussion_list_shows_eight_and_counts_the_rest(assessment):
    from types import SimpleNamespace

    ids = assessment.totals.loc[assessment.totals["unit"] == "U02", "employee_id"].head(11)
    list_ = pd.DataFrame(
        {
            "employee_id": list(ids),
            "flag": "too_close",
            "unit": "U02",
            "rank": range(1, 12),
            "evidence": "near a cut",
            "priority": 1,
        }
    )
    full = SimpleNamespace(**{**vars(assessment), "tables": lambda: {**assessment.tables(), "discussion": list_}})
    text = report.calibration_report(full, "U02").html()
    assert "11 flagged, 8 shown, 3 remaining" in text
    # The three that wait are no consent: 16 scored - 11 flagged = 5.
    assert re.search(r"On consent</th><td class=\"r\">5</td>", text)


def test_numbers_are_shown_as_the_design_says():
    shown = {
        ("score", 80.142): "80.1",
        ("signed", 1.4): "+1.4",
        ("severity", -0.41): "−0.41",
        ("chance", 0.54): "0.54",
        ("chance", 0.0004): "<.01",
        ("percent", 0.36): "36 %",
        ("money", 6842.4): "6\u2009842",
        ("score", np.nan): "",
        ("severity", -0.001): "0.00",
        ("money", -58.0): "−58",
        ("cents", 123456789): "1\u2009234\u2009567.89",
        ("cents", -5): "−0.05",
        ("text", "<b>"): "<b>",
    }
    for (kind, value), text in shown.items():
        assert words.FORMATS[kind](value) == text, kind


def test_numbers_of_a_column_have_the_same_decimals():
    def cells(*values):
        table = report.Table(pd.DataFrame({"who": "e", "quantity": [*values]})).body()
        return re.findall(r'class="r"[^>]*>([^<]*)</td>', table)

    assert cells(20.8, 7.823, 13.0) == ["20.8", "7.8", "13.0"]
    assert cells(0.598, 0.0806, -0.518) == ["0.598", "0.081", "−0.518"]
    assert cells(3.0, np.nan, 12.0) == ["3", "", "12"]


def test_the_accent_is_kept_for_what_a_person_must_do():
    assert 'class="callout act"' in report.Callout("Rate again.", act=True).body()
    assert 'class="callout"' in report.Callout("Self ratings run high.", "Note.").body()


def test_a_sentence_in_chinese_names_every_kpi():
    scheme = default_scheme()
    with speaking("zh"):
        said = report.named("sales at 40 % is reached only with the other three at their maximum.", scheme)
        assert "sales" not in said and "销售业绩" in said


def test_a_table_escapes_cells_headings_and_title():
    table = report.Table(pd.DataFrame({EVIL: [EVIL], "n": [3]}), title=EVIL, caption=EVIL)
    assert "<script" not in table.body() and table.body().count("&lt;script&gt;") >= 4
    assert 'class="r">3<' in table.body()


def test_a_long_table_says_how_many_rows_it_leaves_out():
    assert "7 more rows" in report.Table(pd.DataFrame({"n": range(12)}), limit=5).body()


def test_values_show_themselves_and_make_a_page(assessment):
    chart = severity(assessment.tables()["raters"])
    parts = [
        report.Figure(chart, "Two raters differ", "severity"),
        report.Sentences(["one", EVIL], title="Findings"),
        report.Callout("read this", "Careful"),
        report.Section("More", [report.Table(assessment.tables()["pool"]), "text & more"]),
        chart,
    ]
    page = report.Page("A page", parts, status="FINAL", simulated=True)
    Balance(page.html())
    assert "text &amp; more" in page.html() and 'class="chip final"' in page.html() and EVIL not in page.html()
    assert all('class="pm"' in part._repr_html_() for part in parts[:4])
    assert report.banner(assessment).body().count("<h1>") == 1


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)><a href='javascript:alert(1)'>x</a></svg>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<a href=' java\nscript:alert(1)'>x</a>",
        "<style>@import url(http://example.invalid/x.css)</style>",
        "<p style='background:url(http://example.invalid/x)'>x</p>",
        "<svg><use href='http://example.invalid/x#y'/></svg>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<math><mtext><script>alert(1)</script></mtext></math>",
        "<link rel=stylesheet href=//example.invalid/x.css>",
        "<svg><foreignObject><body onload=alert(1)></body></foreignObject></svg>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<form action=//example.invalid><input autofocus onfocus=alert(1)></form>",
        "<a href='//example.invalid'>x</a><a href='\\\\example.invalid'>y</a>",
        "<object data=x></object><embed src=x><base href=//example.invalid>",
        '<p title="a&quot; onmouseover=&quot;alert(1)">x</p>',
    ],
)
def test_nothing_of_a_cell_runs_or_loads(evil):
    clean = sanitised(evil)
    tags = re.findall(r"<[^>]*>", clean)
    for tag in tags:
        bare = re.sub(r'"[^"]*"', '""', tag)  # what stands inside quotes is data
        assert not re.search(r"<(script|style|iframe|object|embed|base|link|form|input|math|foreignobject)", tag, re.I)
        assert not re.search(r"\son\w+", bare, re.I)
        assert not OUTSIDE.search(tag) and "//" not in tag and "\\" not in tag
    assert sanitised(clean) == clean  # reading it again finds nothing more to remove


def test_sanitising_keeps_headings_tables_and_drawings():
    html = '<h2 id="a">A</h2><table><tr><th scope="row">x</th><td class="r">1</td></tr></table>'
    assert sanitised(html) == html
    drawn = sanitised('<svg viewBox="0 0 1 1" role="img"><path d="M0 0h1" style="fill: #fff"/></svg>')
    assert 'viewbox="0 0 1 1"' in drawn and 'd="M0 0h1"' in drawn and "fill: #fff" in drawn


def executed_notebook(folder, assessment):
    """A notebook as papermill leaves it, with hostile outputs."""
    chart = severity(assessment.tables()["raters"])
    shown = report.Figure(chart, "Two raters differ")._repr_html_()

    def code(source, *outputs):
        return {"cell_type": "code", "source": source, "metadata": {}, "execution_count": 1, "outputs": list(outputs)}

    def rich(**data):
        data = {kind.replace("__", "/").replace("svg", "svg+xml"): value for kind, value in data.items()}
        return {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}

    cells = [
        {
            "cell_type": "markdown",
            "source": f"# Raters\n\nSee [the paper](https://example.invalid/p). {EVIL}",
            "metadata": {},
        },
        code("report.banner(a)", rich(text__html=report.banner(assessment)._repr_html_(), text__plain="banner")),
        {
            "cell_type": "markdown",
            "source": "## Is any rater severe?\n\n| a | b |\n|---|---|\n| 1 | 2 |",
            "metadata": {},
        },
        code("figure", rich(text__html=shown, text__plain="Figure")),
        code("print('<b>hi</b>')", {"output_type": "stream", "name": "stdout", "text": "<b>hi</b>\n"}),
        code("evil", rich(text__html=f"<p onclick='x()'>kept</p>{EVIL}", text__plain="x")),
        code("png", rich(image__png="iVBORw0KGgo=", text__plain="<Figure size>")),
    ]
    path = folder / "20_raters.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory, assessment):
    folder = tmp_path_factory.mktemp("export")
    report.export_html(executed_notebook(folder, assessment), folder / "out.html", title="Rater severity")
    return (folder / "out.html").read_text(encoding="utf-8")


def test_an_exported_notebook_is_one_offline_page(exported):
    assert not OUTSIDE.search(exported) and "<script" not in exported and "<link" not in exported  # no table to sort
    for name in ("require", "mathjax", "mermaid", "cdn"):
        assert name not in exported.lower()
    page = Balance(exported)
    assert page.open == [] and page.levels.count(1) == 1 and len(page.ids) == len(set(page.ids))


def test_an_exported_notebook_keeps_headings_folds_code_and_names_images(exported):
    assert re.search(r"<h2[^>]*>Is any rater severe\?", exported)
    assert exported.count('<details class="code">') == 5
    assert "print(&#39;&lt;b&gt;hi&lt;/b&gt;&#39;)" in exported and "<b>hi</b>" not in exported
    assert 'alt="Chart in the section Is any rater severe?"' in exported
    assert "<desc" in exported and "Severity in rating points" in exported
    assert ">kept</p>" in exported and "onclick" not in exported
    assert exported.count("--accbg") <= 4  # the style stands once, not once a value


def test_a_file_that_is_no_notebook_is_an_error_with_its_name(tmp_path):
    (tmp_path / "x.ipynb").write_text("{}")
    with pytest.raises(RunError, match=r"x\.ipynb"):
        report.export_html(tmp_path / "x.ipynb", tmp_path / "x.html")


@pytest.fixture(scope="module")
def pack(tmp_path_factory, assessment):
    path = tmp_path_factory.mktemp("pack") / "pack.xlsx"
    report.workbook(assessment, path)
    return path


def test_the_workbook_has_its_sheets_filters_and_frozen_heads(pack):
    book = openpyxl.load_workbook(pack)
    assert book.sheetnames == [
        "Findings",
        "Scores",
        "Discussion",
        "Decisions",
        "Raters",
        "Distribution",
        "Weights",
        "Pool",
        "Notes",
    ]
    for name in book.sheetnames[1:-1]:
        assert book[name].auto_filter.ref and book[name].freeze_panes == "B2", name
    assert book["Findings"]["A2"].value == "Simulated data."


def test_the_workbook_shows_formulas_in_names_as_text_and_holds_none(tmp_path):
    a = sample(people=30, units=2, names=["=HYPERLINK(1)", "+1", "@x", "http://example.invalid"])
    report.workbook(a, tmp_path / "p.xlsx")
    book = openpyxl.load_workbook(tmp_path / "p.xlsx")
    cells = [c for sheet in book for row in sheet.iter_rows() for c in row]
    assert not any(c.data_type == "f" or c.hyperlink for c in cells)
    assert "=HYPERLINK(1)" in {c.value for c in cells}
    assert book["Scores"]["A2"].value == "E-001" and book["Scores"]["A2"].data_type == "s"


def test_the_workbook_asks_for_grades_and_reason_codes(pack):
    rules = openpyxl.load_workbook(pack)["Discussion"].data_validations.dataValidation
    lists = {rule.formula1 for rule in rules}
    assert '"S,A,B,C,D"' in lists and any("R1" in r and "R10" in r for r in lists)


def test_the_workbook_keeps_unrounded_numbers_and_holds_no_restricted_word(pack, assessment):
    scores = pd.read_excel(pack, sheet_name="Scores")
    assert scores["Raw"].iloc[0] == pytest.approx(assessment.tables()["scores"]["score_raw"].iloc[0], abs=1e-12)
    book = openpyxl.load_workbook(pack)
    assert not {"groups", "pay", "fairness"} & {n.lower() for n in book.sheetnames}


def test_the_same_assessment_gives_the_same_workbook(tmp_path, assessment):
    for name in ("a", "b"):
        report.workbook(assessment, tmp_path / f"{name}.xlsx")
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_money_of_a_unit_is_targets_times_multipliers(assessment):
    # 16 people with a target of 1,000 each; the multipliers are the default scheme's: S 1.5, A 1.2, B 1, C .6, D 0.
    from perfmodel.report.view import View

    view = View(assessment, "U02")
    times = {"S": 1.5, "A": 1.2, "B": 1.0, "C": 0.6, "D": 0.0}
    pool = view.pool.set_index("step")
    assert pool.loc["adjusted", "cost"] == pytest.approx(1000 * sum(times[g] for g in view.scores["grade_adjusted"]))
    assert pool.loc["raw", "budget"] == 16_000 * assessment.cycle.scheme.pay.funding


def test_a_table_too_wide_for_a_phone_names_each_cell_and_a_narrow_one_stays_a_table():
    said = {
        "employee_id": ["E-1"],
        "reason": ["a gate in the third quarter holds the grade at C"],
        "score_raw": [71.25],
    }
    wide, narrow = (report.Table(pd.DataFrame(frame)).body() for frame in (said, {"grade": ["A"], "n": [3]}))
    assert 'class="scroll stack"' in wide and '<td role="cell" class="long" data-l="Reason">a gate' in wide
    assert '<td role="cell" class="r" data-l="Raw">71.2</td>' in wide and wide.count('role="columnheader"') == 3
    assert "data-l" not in narrow and 'role="cell"' not in narrow and 'class="scroll few"' in narrow


def test_what_is_late_of_one_person_is_one_row_of_the_index(assessment):
    chase = assessment.chase
    more = pd.concat([chase, chase.assign(kpi="gross_margin"), chase.assign(kpi="new_customers")], ignore_index=True)
    page = report.index_page(SimpleNamespace(**{**vars(assessment), "chase": more}))
    assert page.count("PARTIAL until") == 1
    assert "E-004: 3 figures late (Customer satisfaction, Gross margin and 1 more); PARTIAL until they are in" in page
