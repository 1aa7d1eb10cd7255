"""Pages as a reader sees them: nothing fetched, no error, links that lead, one printed page, a phone's width."""

import pytest
from playwright.sync_api import expect
from report_sample import EVIL, sample

from perfmodel import report
from perfmodel.language import speaking

pytestmark = pytest.mark.browser
# What a reader who hears the page is told of each chart.
NAMES = """[...document.querySelectorAll('svg[role=img]')].map(s => s.getAttribute('aria-label') ||
    (s.getAttribute('aria-labelledby') || '').split(' ').map(i => document.getElementById(i)?.textContent).join(' '))"""
CHINESE = ("unit-zh", "company-zh", "index-zh")
PAGES = ("unit", "company", "index", "notebook", *CHINESE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from test_report import executed_notebook

    place = tmp_path_factory.mktemp("pages")
    assessment = sample(names=["Ana", EVIL])
    (place / "unit.html").write_text(report.calibration_report(assessment, "U01").html(), encoding="utf-8")
    (place / "company.html").write_text(report.calibration_report(assessment).html(), encoding="utf-8")
    (place / "index.html").write_text(report.index_page(assessment), encoding="utf-8")
    report.export_html(executed_notebook(place, assessment), place / "notebook.html", title="Raters")
    with speaking("zh"):
        (place / "unit-zh.html").write_text(report.calibration_report(assessment, "U01").html(), encoding="utf-8")
        (place / "company-zh.html").write_text(report.calibration_report(assessment).html(), encoding="utf-8")
        (place / "index-zh.html").write_text(report.index_page(assessment), encoding="utf-8")
    return place


@pytest.fixture
def opened(chromium, folder):
    """Open a page of the folder and keep everything it asked for or complained of."""

    def go(name, width=1440, media="screen"):
        page = chromium(viewport={"width": width, "height": 900})
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: (page.said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: page.asked.append(request.url))
        page.emulate_media(media=media)
        page.goto((folder / f"{name}.html").as_uri())
        return page

    return go


def test_pages_open_without_an_error_and_ask_for_nothing_but_themselves(opened):
    for name in PAGES:
        page = opened(name)
        assert page.said == [], name
        assert [url for url in page.asked if not url.startswith("data:")] == [page.url], name
        assert page.locator("h1").count() == 1, name
        heard = page.evaluate(NAMES)
        least = 8 if name in CHINESE else 15  # characters of a sentence that says something
        assert heard and all(len(text) > least and "undefined" not in text for text in heard), name
        if name == "unit":
            assert page.get_by_text(EVIL).first.is_visible()


def test_pages_read_on_a_phone_without_sideways_scroll(opened):
    for name in PAGES:
        assert opened(name, width=390).evaluate("document.documentElement.scrollWidth") <= 390, name


def test_an_id_opens_the_row_it_came_from(opened):
    page = opened("unit")
    link = page.locator(".disc tbody th a").first
    target = link.get_attribute("href")
    link.click()
    row = page.locator(f"tr{target}")
    assert page.url.endswith(target) and row.is_visible()
    assert row.evaluate("r => getComputedStyle(r).backgroundColor") == "rgb(253, 242, 233)"


def test_a_unit_prints_on_one_landscape_page(opened):
    for name in ("unit", "unit-zh"):
        pdf = opened(name, media="print").pdf(prefer_css_page_size=True, print_background=True)
        assert b"/Count 1" in pdf and b"/Count 2" not in pdf, name
    # What is taller than a page and may not break leaves an empty one before it.
    cells = opened("notebook", media="print").locator(".book .cell")
    assert cells.evaluate_all("all => all.every(cell => getComputedStyle(cell).breakInside === 'auto')")


def test_chinese_pages_have_the_line_height_of_chinese_and_break_no_short_heading(opened):
    for name in CHINESE:
        page = opened(name)
        assert page.locator("html").get_attribute("lang") == "zh"
        height, size = page.locator("body").evaluate(
            "b => [getComputedStyle(b).lineHeight, getComputedStyle(b).fontSize].map(parseFloat)"
        )
        assert abs(height / size - 1.55) < 0.01, name
        broken = page.locator("thead th").evaluate_all("all => all.filter(t => t.offsetHeight > 60).length")
        assert broken == 0, name


def sorted_table(page, where=".src"):
    """The first sortable table below ``where``, once it sorts."""
    page.locator(where).scroll_into_view_if_needed()
    page.wait_for_selector("html[data-sorts]", state="attached")
    return page.locator(f"{where} table.sort")


def column(table, name):
    """Cells of a column from the top, as shown."""
    heads = [text.strip() for text in table.locator("thead th").all_inner_texts()]
    at = heads.index(name) + 1
    return table.locator(f"tbody tr > :nth-child({at})").all_inner_texts()


def test_a_table_sorts_numbers_as_numbers_and_keeps_what_is_missing_last(opened):
    page = opened("company")
    table = sorted_table(page)
    given = column(table, "Employee")
    head = table.locator("thead th", has_text="KPI score")
    for sign in (1, -1):
        head.click()
        expect(head).to_have_attribute("aria-sort", "ascending" if sign == 1 else "descending")
        shown = column(table, "KPI score")
        known = [sign * float(text.replace("\u2212", "-")) for text in shown if text]
        assert known == sorted(known) and shown == [t for t in shown if t] + [t for t in shown if not t]
    assert column(table, "Employee") != given
    head.click()
    expect(head).not_to_have_attribute("aria-sort", "descending")
    assert column(table, "Employee") == given
    head.locator("[role=button]").focus()
    page.keyboard.press("Enter")  # the same without a mouse
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert page.said == []


def test_a_table_filters_and_a_link_to_a_hidden_row_brings_it_back(opened):
    page = opened("company")
    table = sorted_table(page)
    page.locator(".src .dt-search input").fill("E-01")
    assert set(name[:4] for name in column(table, "Employee")) == {"E-01"}
    assert "of 64" in page.locator(".src .dt-info").inner_text()
    page.evaluate("location.hash = '#s-E-041'")
    page.wait_for_selector("#s-E-041")
    assert len(column(table, "Employee")) == 64 and page.said == []


def test_a_table_of_thousands_has_leaves_and_a_link_finds_its_row_on_any(opened, folder):
    rows = "".join(f'<tr id="s-{i}"><td>Person {i:04d}</td><td class="r">{i % 97}</td></tr>' for i in range(1200))
    text = (folder / "company.html").read_text(encoding="utf-8")
    start = text.index("<tbody>", text.index('class="sort"', text.index('class="src"')))
    width = text[start : text.index("</tr>", start)].count("<td") + text[start : text.index("</tr>", start)].count(
        "<th"
    )
    rows = rows.replace("</tr>", "<td></td>" * (width - 2) + "</tr>")
    (folder / "long.html").write_text(text[:start] + "<tbody>" + rows + text[text.index("</tbody>", start) :], "utf-8")
    page = opened("long")
    table = sorted_table(page)
    expect(table.locator("tbody tr")).to_have_count(250)
    page.locator(".src .dt-paging-button", has_text="›").click()
    expect(table.locator("tbody tr").first).to_contain_text("Person 0250")
    page.evaluate("location.hash = 's-1100'")
    expect(page.locator("#s-1100")).to_be_in_viewport()
    page.locator(".src .dt-search input").fill('"Person 07"')  # as one phrase
    expect(table.locator("tbody tr")).to_have_count(100)
    page.evaluate("location.hash = 's-3'")
    expect(page.locator("#s-3")).to_be_in_viewport()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(table.locator("tbody tr")).to_have_count(1200)


def test_no_script_runs_but_the_one_that_sorts(opened):
    page = opened("company")
    page.evaluate("""() => { const s = document.createElement('script'); s.textContent = 'window.pwned = 1';
        document.body.append(s); document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="pwned=1">'); }""")
    assert page.evaluate("window.pwned") is None
    assert any("Content Security Policy" in said for said in page.said)


def test_no_page_has_a_serious_fault_for_those_who_see_or_hear_otherwise(opened):
    from axe_playwright_python.sync_playwright import Axe

    for name in PAGES:
        page = opened(name)
        if page.locator("table.sort").count():
            sorted_table(page, ".src" if page.locator(".src").count() else "main")
        found = Axe().run(page).response["violations"]
        serious = {v["id"]: v["nodes"][0]["html"] for v in found if v["impact"] in ("serious", "critical")}
        assert serious == {}, name


def test_code_of_a_notebook_opens_without_a_script(opened):
    page = opened("notebook")
    code = page.locator("details.code").first
    assert not code.locator("pre").is_visible()
    code.locator("summary").click()
    assert code.locator("pre").is_visible()
