"""Charts say what their tables say, in DESIGN's language, with the same bytes each time."""

import re

import numpy as np
import pandas as pd
import pytest
from report_sample import CUTS, sample

from perfmodel import plots

RUBRIC = ((1, 40), (2, 60), (3, 75), (4, 90), (5, 100))


@pytest.fixture(scope="module")
def assessment():
    return sample()


@pytest.fixture(scope="module")
def charts(assessment):
    t = assessment.tables()
    return {
        "grade_change": plots.grade_change(t["distribution"], unit="U02"),
        "severity": plots.severity(t["raters"]),
        "kpi_against_rating": plots.kpi_against_rating(assessment.totals, RUBRIC),
        "unit_multiples": plots.unit_multiples(t["distribution"]),
        "score_distribution": plots.score_distribution(t["scores"], CUTS),
        "slopes": plots.slopes(t["scores"], CUTS),
        "weight_shares": plots.weight_shares(t["weight_grades"]),
        "rank_bands": plots.rank_bands(t["weight_rank_bands"]),
        "importance": plots.importance(t["weight_importance"]),
        "stability": plots.stability(t["weight_importance"]),
        "rater_network": plots.rater_network(assessment.cycle.ratings, t["raters"]),
        "money": plots.money(t["pool"]),
        "recovery": plots.recovery([0.1, 0.4, -0.3], [0.2, 0.3, -0.2], low=[0, 0, -1], high=[1, 1, 0]),
        "strip": plots.strip(t["raters"].head(4), label="rater_id", value="severity", low="lower", high="upper"),
        "histogram": plots.histogram(np.arange(30.0), xlabel="points", mark=4),
    }


def test_every_chart_is_an_image_with_a_description_and_no_outside_address(charts):
    for name, chart in charts.items():
        svg = chart.svg("What it shows")
        assert svg.startswith("<svg") and svg.endswith("</svg>"), name
        assert 'role="img"' in svg and "<title" in svg and "<desc" in svg, name
        assert len(chart.description) > 20, name
        assert "http" not in svg and "<style" not in svg and "<metadata" not in svg and "url(http" not in svg, name


def test_ids_of_two_charts_on_a_page_never_meet(charts):
    ids = [i for chart in charts.values() for i in set(re.findall(r'\bid="([^"]+)"', chart.svg("t")))]
    assert len(ids) == len(set(ids))


def test_every_reference_inside_a_chart_leads_somewhere(charts):
    for name, chart in charts.items():
        svg = chart.svg("t")
        known = set(re.findall(r'\bid="([^"]+)"', svg))
        used = set(re.findall(r'href="#([^"]+)"', svg)) | set(re.findall(r"url\(#([^)]+)\)", svg))
        assert used <= known, name


def test_the_same_table_gives_the_same_bytes(assessment):
    table = assessment.tables()["distribution"]
    first, again = (plots.grade_change(table, unit="U01").svg("t") for _ in range(2))
    assert first == again


def test_row_order_changes_no_chart(assessment):
    t = assessment.tables()
    for draw, name in ((plots.severity, "raters"), (plots.weight_shares, "weight_grades")):
        assert draw(t[name]).svg("t") == draw(t[name].iloc[::-1]).svg("t"), name


def test_grade_change_states_the_counts_of_the_table(assessment):
    table = assessment.tables()["distribution"]
    own = table[(table["unit"] == "U02") & (table["grade"] == "B")].set_index("stage")
    words = plots.grade_change(table, unit="U02").description
    assert f"B {own.loc['raw', 'n']} before, {own.loc['adjusted', 'n']} after" in words


def test_a_rater_without_estimate_is_said_in_words_and_gets_no_dot(assessment):
    raters = assessment.tables()["raters"]
    alone = raters.loc[raters["verdict"] == "left alone", "rater_id"].item()
    chart = plots.severity(raters)
    assert f"{alone} left alone: no shared rater" in chart.description
    assert "left alone: no shared rater" in chart.svg("t")


def test_zone_of_agreement_holds_the_middle_four_fifths():
    # KPI score minus rubric points is 0, 1, ..., 100 at rating 3 (75 points): its 10 % and 90 % quantiles are 10, 90.
    people = pd.DataFrame({"kpi_score": 75.0 + np.arange(101), "rating": 3.0})
    assert plots.agreement_zone(people, RUBRIC) == pytest.approx((10, 90))


def test_nine_people_are_too_few_to_call_a_distance_usual():
    people = pd.DataFrame({"kpi_score": 75.0 + np.arange(9), "rating": 3.0})
    assert np.isnan(plots.agreement_zone(people, RUBRIC)).all()


def test_units_stand_by_verdict_and_id_never_by_score():
    rows = pd.DataFrame(
        {
            "unit": ["U3", "U1", "U2", "U4"],
            "verdict": ["within chance", "within chance", "not tested", "outside chance"],
        }
    )
    from perfmodel.plots.grades import unit_order

    assert unit_order(rows) == ["U4", "U2", "U1", "U3"]


@pytest.mark.parametrize("draw", [plots.severity, plots.weight_shares, plots.rank_bands, plots.importance, plots.money])
def test_an_empty_table_gives_a_sentence_not_a_blank(assessment, draw):
    names = {
        "severity": "raters",
        "weight_shares": "weight_grades",
        "rank_bands": "weight_rank_bands",
        "importance": "weight_importance",
        "money": "pool",
    }
    assert draw(assessment.tables()[names[draw.__name__]].iloc[:0]).description.endswith(".")


def test_p_is_columns_and_w_is_one_bar():
    p = plots.p_columns({"S": 0.0, "A": 0.54, "B": 0.46, "C": 0.0, "D": 0.0}, "A")
    assert "A 0.54, B 0.46" in p and ".54" in p and "0.54<" not in p
    assert p.count("<rect") == 2 and p.count('fill="#1f5f99" stroke') == 1
    assert plots.w_bar(0.58, "A").count("<rect") == 2 and ".58 of the permitted weights keep A" in plots.w_bar(
        0.58, "A"
    )


def test_chances_are_never_shown_as_nought_or_one():
    from perfmodel.plots.theme import chance

    assert [chance(v) for v in (0.0, 0.001, 0.54, 0.999, 1.0)] == ["<.01", "<.01", ".54", ">.99", ">.99"]


def test_names_with_markup_stay_text_in_charts(assessment):
    people = assessment.totals.assign(employee_id=lambda t: "<b>" + t["employee_id"] + "</b>")
    svg = plots.kpi_against_rating(people, RUBRIC).svg("<i>title</i>")
    assert "<b>" not in svg and "<i>" not in svg


def test_settings_of_the_caller_do_not_reach_the_charts(assessment):
    import matplotlib as mpl

    table = assessment.tables()["pool"]
    plain = plots.money(table).svg("t")
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path"}):
        assert plots.money(table).svg("t") == plain


def test_more_raters_than_a_picture_holds_are_told_in_words():
    ratings = pd.DataFrame({"rater_id": [f"r{i}" for i in range(400)], "employee_id": "e", "role": "manager"})
    raters = pd.DataFrame({"rater_id": ratings.rater_id, "component": 1, "verdict": "not distinguishable"})
    assert "400 raters are too many to draw. Linked groups: 1" in plots.rater_network(ratings, raters).description


def test_fonts_of_the_machine_do_not_move_a_chart(assessment, monkeypatch):
    from perfmodel.plots import theme

    table = assessment.tables()["pool"]
    drawn = []
    for installed in (("DejaVu Sans",), ("DejaVu Sans", "DejaVu Serif")):
        monkeypatch.setattr(theme, "fonts", lambda installed=installed: installed)
        drawn.append(plots.money(table).svg("t"))
    assert drawn[0] == drawn[1]
    chart, ax = theme.panel(2, 1, left=0, right=0, top=0, bottom=0)
    chinese, latin = ax.text(0, 0, "卓越 S"), ax.text(0, 1, "S")
    with pytest.warns(UserWarning, match="Glyph"):  # the stand-in for a Chinese font has none
        chart.svg("t")
    assert chinese.get_fontfamily() == ["DejaVu Sans", "DejaVu Serif"], "a Chinese text asks for the Chinese font"
    assert latin.get_fontfamily() != chinese.get_fontfamily()


def test_chinese_without_a_chinese_font_warns_by_name(monkeypatch):
    from perfmodel.plots import theme

    monkeypatch.setattr(theme, "fonts", lambda: ("DejaVu Sans",))
    with pytest.warns(UserWarning, match="Noto Sans CJK SC"):
        assert not theme.can_draw("卓越")
    assert theme.can_draw("S")
