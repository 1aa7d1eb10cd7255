"""Charts say what their tables say, in DESIGN's language, with the same bytes each time."""

import re
from io import BytesIO, StringIO

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.text import Text
from report_sample import CUTS, sample

from perfmodel import plots
from perfmodel.language import speaking
from perfmodel.plots import theme

RUBRIC = ((1, 40), (2, 60), (3, 75), (4, 90), (5, 100))

SHRUNK = pd.DataFrame({"rater_id": ["R-1", "R-2"], "raw": [0.6, -0.4], "severity": [0.3, -0.35], "n_ratings": [5, 60]})
MOVES = pd.DataFrame(
    [
        ("R-1", "2026Q1", 0.1, 0.1, np.nan, 0.0, 0.0, ""), ("R-1", "2026Q2", 0.9, 0.1, 0.8, 5.2, 0.0, "severer"),
        ("R-2", "2026Q1", 0.0, 0.1, np.nan, 0.0, 0.0, ""), ("R-2", "2026Q2", -0.1, 0.1, -0.1, 0.0, 0.2, ""),
    ],
    columns=["rater_id", "quarter", "severity", "se", "change", "high", "low", "signal"],
)  # fmt: skip
RANGE = pd.DataFrame({"rater_id": ["R-1", "R-2"], "low": [0.2, -0.1], "used": [0.3, 0.1], "high": [0.4, 0.2]})
CURVE = pd.DataFrame({"raters": [1, 2, 3], "absolute": [0.5, 0.667, 0.75], "kind": ["a", "a", "b"]})
YEAR = pd.DataFrame(
    {
        "employee_id": ["e1", "e2"],
        "method": "mixed",
        **{"score_mean": [80.4, 75.0], "score_mixed": [79.9, 74.0], "score_cumulative": [79.0, 73.0]},
        **{"grade_mean": ["A", "B"], "grade_mixed": ["B", "B"], "grade_cumulative": ["B", "B"]},
    }
)
KPIS = pd.DataFrame(
    {
        "kpi": ["K-1", "K-2"],
        **{"retest": [0.5, 0.05], "lower": [0.4, -0.05], "upper": [0.6, 0.15], "year": [0.8, 0.17]},
        **{"validity": [0.3, -0.2], "validity_lower": [0.2, -0.3], "validity_upper": [0.4, -0.1]},
        "n_people": 90,
        "verdict": ["holds", "mostly chance"],
    }
)
PAIRS = pd.DataFrame({"kpi": ["a", "a", "b"], "other": ["b", "c", "c"], "r": [0.8, 0.3, 0.2], "n_people": 90})
PAIRS = PAIRS.assign(lower=PAIRS.r - 0.05, upper=PAIRS.r + 0.05, verdict=["same", "apart", "apart"])
PREDICTED = pd.DataFrame({"cluster": ["manager_id", "unit"], "n_clusters": [30, 12], "r_raw": 0.43, "r_adjusted": 0.46})
PREDICTED = PREDICTED.assign(difference=0.03, lower=[-0.01, -0.02], upper=[0.07, 0.08])
MAP = pd.DataFrame(
    {
        "facet": ["employee"] * 4 + ["rater"] * 3 + ["kpi"],
        "id": ["e1", "e2", "e3", "e4", "R-1", "R-2", "R-3", "item"],
        "measure": [-1.0, 0.0, 0.1, 2.0, 0.5, 0.49, -0.5, 0.0],
        "se": 0.2,
    }
)


@pytest.fixture(scope="module")
def assessment():
    return sample()


@pytest.fixture(scope="module")
def charts(assessment):
    return drawn_charts(assessment)


def drawn_charts(assessment):
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
        "shrinkage": plots.shrinkage(SHRUNK),
        "drift": plots.drift(MOVES),
        "link_range": plots.link_range(RANGE),
        "curve": plots.curve(CURVE, x="raters", y="absolute", ylabel="reliability of their mean", reference=0.8),
        "wright_map": plots.wright_map(MAP),
        "year_methods": plots.year_methods(YEAR, CUTS),
        "retest": plots.retest(KPIS),
        "validity": plots.validity(KPIS),
        "kpi_pairs": plots.kpi_pairs(PAIRS),
        "rating_prediction": plots.rating_prediction(PREDICTED),
        "histogram": plots.histogram(np.arange(30.0), xlabel="score", mark=4),
    }


def words_of(chart):
    return [text for text in chart.findobj(Text) if text.get_text().strip() and text.get_visible()]


def paper(chart):
    """What a page is drawn on, to measure with."""
    chart.dpi = 72
    with rc_context(theme.RC):
        return theme.PageRenderer(72 * chart.get_figwidth(), 72 * chart.get_figheight(), StringIO())


def picture(chart) -> bytes:
    file = BytesIO()
    chart.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


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


def test_last_digits_of_a_sum_do_not_change_a_chart():
    """Processors and thread counts differ in the 16th digit of a product of matrices; pages must not."""
    svgs = []
    for nudge in (0.0, 1e-9):
        chart = theme.Chart(figsize=(4, 3))
        chart.subplots().plot(np.array([1, 2, 4]) / 7 + nudge, [1, 3, 2], marker="o", label="0.123456")
        svgs.append(chart.svg("1.23456 stays in text"))
    assert svgs[0] == svgs[1]
    assert "1.23456 stays in text" in svgs[0]
    assert not re.search(r'="[^"]*\d\.\d{3,}', svgs[0])


def test_the_same_table_gives_the_same_bytes(assessment):
    table = assessment.tables()["distribution"]
    first, again = (plots.grade_change(table, unit="U01").svg("t") for _ in range(2))
    assert first == again


def test_row_order_changes_no_chart(assessment):
    t = assessment.tables()
    for draw, name in ((plots.severity, "raters"), (plots.weight_shares, "weight_grades")):
        assert draw(t[name]).svg("t") == draw(t[name].iloc[::-1]).svg("t"), name


def test_rank_bands_show_the_least_settled_first_and_not_the_best():
    shares = {"e1": (0.9, 0.1), "e2": (0.1, 0.9), "e3": (0.55, 0.45), "e4": (0.3, 0.7), "e5": (1.0, 0.0)}
    rows = [(e, b, s) for e, two in shares.items() for b, s in zip(("0-50 %", "50-100 %"), two, strict=True)]
    words = plots.rank_bands(pd.DataFrame(rows, columns=["employee_id", "band", "w_share"]), most=3).description
    assert [words.index(e) for e in ("e3", "e4", "e1")] == sorted(words.index(e) for e in ("e3", "e4", "e1"))
    assert "e2" not in words and "e5" not in words  # as settled as e1 but later by name; not open at all


def test_the_stable_interval_is_said_to_hold_for_all_but_a_few_grades(assessment):
    # 5 % of employees may change inside it, so "no grade changes" would be false.
    words = plots.stability(assessment.tables()["weight_importance"]).description
    assert words.startswith("At most one grade in twenty changes while")


def test_categories_are_drawn_as_kpis_are():
    row = {"weight_nominal": [50.0], "stable_low": [45.0], "stable_high": [58.0]}
    words = plots.stability(pd.DataFrame({"category": ["sales"], **row})).description
    assert words.endswith("sales 45.0 to 58.0 (now 50.0)")


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


def test_at_most_a_tenth_is_pointed_at_and_the_rest_is_counted():
    # 20 people on the rubric's line but five, 20 to 40 points above it: two of 20 are marked, three more are told.
    line = np.interp(3.0, *np.transpose(RUBRIC))
    people = pd.DataFrame({"employee_id": [f"E{i:02d}" for i in range(20)], "rating": 3.0, "kpi_score": line})
    people.loc[:4, "kpi_score"] += [20, 25, 30, 35, 40]
    chart = plots.kpi_against_rating(people, RUBRIC, zone=(-10, 10), least=15)
    assert "15 lie where" in chart.description and "and 3 more" in chart.description
    assert "E04" in chart.description and "E03" in chart.description and "E02" not in chart.description
    assert [len(dots.get_offsets()) for dots in chart.axes[0].collections[-2:]] == [20, 2]
    assert [plots.marked(29, 228), plots.marked(3, 9), plots.marked(0, 50)] == [4, 1, 0]


def test_no_text_of_a_chart_stands_on_its_side():
    charts = [
        plots.curve(CURVE, x="raters", y="absolute", ylabel="reliability"),
        plots.recovery([0, 1, 2], [0, 1, 3], ylabel="estimated"),
        plots.wright_map(MAP),
    ]
    for chart in charts:
        assert "rotate(-90" not in chart.svg("t") and "↑ " in chart.svg("t")


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


def test_fonts_of_the_machine_do_not_move_a_chart(assessment, monkeypatch, recwarn):
    table = assessment.tables()["pool"]
    drawn = []
    for installed in (("DejaVu Sans",), ("DejaVu Sans", "DejaVu Serif")):
        monkeypatch.setattr(theme, "fonts", lambda installed=installed: installed)
        with speaking("zh"):
            drawn += [plots.money(table).svg("t"), plots.severity(assessment.tables()["raters"]).svg("t")]
    assert drawn[:2] == drawn[2:] and "奖金池" in drawn[0] and "偏严" in drawn[1]
    assert not recwarn.list, "a page shows Chinese in a typeface of its own, so none is looked for"


def test_a_page_takes_a_chinese_character_for_one_em():
    chart, ax = theme.panel(4, 1, left=0, right=0, top=0, bottom=0)
    plain, bold = ax.text(0, 0, "评分尺度调整后", fontsize=10), ax.text(0, 1, "评分尺度", fontsize=8, weight="bold")
    for text, points in ((plain, 70), (bold, 32)):  # 7 characters of 10 points, 4 of 8
        assert text.get_window_extent(paper(chart), dpi=72).width == pytest.approx(points, rel=0.02)
    assert theme.letters("KPI 得分") == 4 + 2 * theme.EM_LETTERS and theme.letters("KPI") == 3
    assert theme.short("王" * 30) == "王" * 12 + "…", "21 letters hold twelve characters of 1.75"


def test_a_picture_without_a_chinese_font_is_labelled_in_english_and_says_so(monkeypatch):
    with speaking("zh"):
        chart = plots.shrinkage(SHRUNK)
        with speaking("en"):
            as_english = picture(plots.shrinkage(SHRUNK))
        page = chart.svg("t")
        monkeypatch.setattr(theme, "fonts", lambda: ("DejaVu Sans",))
        with pytest.warns(UserWarning, match="No Chinese font is installed.*Noto Sans CJK SC"):
            assert picture(chart) == as_english
        assert chart.svg("t") == page and "仅看评分" in page, "the page needs no font"
    assert theme.can_draw("S")


def test_a_picture_asks_for_the_chinese_font_and_leaves_the_chart_as_it_was(monkeypatch):
    monkeypatch.setattr(theme, "fonts", lambda: ("DejaVu Sans", "DejaVu Serif"))
    chart, ax = theme.panel(2, 1, left=0, right=0, top=0, bottom=0)
    chinese = ax.text(0, 0, "卓越 S")
    with pytest.warns(UserWarning, match="Glyph .* missing from .*DejaVu Serif"):
        picture(chart)  # the stand-in for a Chinese font has no such character
    assert chinese.get_fontfamily() != ["DejaVu Sans", "DejaVu Serif"]


def test_a_chinese_chart_says_nothing_in_english_and_stays_inside_its_frame(assessment, charts):
    data = {*assessment.tables()["weight_importance"]["kpi"], "item", "logit", "rest", "top half"}  # and ids
    with speaking("zh"):
        chinese = drawn_charts(assessment)
    for name, chart in chinese.items():
        same = {t.get_text() for t in words_of(chart)} & {t.get_text() for t in words_of(charts[name])}
        assert not [t for t in same - data if re.search("[a-z]{2,}", t) and not re.search(r"[A-Z]-?\d", t)], name
        assert theme.CHINESE.search(chart.description), name
        width, page = chart.get_figwidth() * 72, paper(chart)
        chart.draw(page)  # labels of axes find their places
        for text in words_of(chart):
            if theme.CHINESE.search(text.get_text()):
                box = text.get_window_extent(page)
                assert box.x0 > -3 and box.x1 < width + 3, (name, text.get_text())


def test_shrinkage_states_what_ratings_alone_say_and_what_is_believed():
    assert "R-1 +0.60 to +0.30 (5 ratings)" in plots.shrinkage(SHRUNK).description
    many = pd.DataFrame({"rater_id": [f"R{i:02d}" for i in range(40)], "raw": np.linspace(-1, 1, 40)})
    chart = plots.shrinkage(many.assign(severity=many.raw / 2, n_ratings=9))
    assert "10 more, nearer to 0" in chart.svg("t") and "R00" in chart.description


def test_drift_marks_who_moved_and_puts_them_first():
    chart = plots.drift(MOVES)
    assert chart.description.index("R-1") < chart.description.index("R-2")
    assert "R-1 change +0.80, CUSUM 5.2, severer" in chart.description
    assert chart.svg("t").count("#a8420a") >= 2, "the line and the word"
    many = pd.concat([MOVES.assign(rater_id=MOVES.rater_id + f"{i:02d}") for i in range(10)])
    assert "8 more, none of them beyond what error allows" in plots.drift(many).description
    assert "2 more" in plots.drift(many, most=18).description


def test_a_severity_whose_sign_the_assumption_decides_is_marked():
    chart = plots.link_range(RANGE)
    assert "R-2 +0.10 (−0.10 to +0.20), sign depends on it" in chart.description
    assert "R-1 +0.30 (+0.20 to +0.40);" in chart.description
    assert chart.svg("t").count("sign depends") == 2, "once on the chart, once in its description"


def test_a_curve_states_its_points_and_what_is_to_be_reached():
    chart = plots.curve(CURVE, x="raters", y="absolute", ylabel="reliability", reference=0.8)
    assert chart.description == "reliability by raters: 0.50 at 1, 0.67 at 2, 0.75 at 3. To be reached: 0.8."
    by = plots.curve(CURVE, x="raters", y="absolute", by="kind", log=True)
    assert "a: 0.50 at 1, 0.67 at 2; b: 0.75 at 3" in by.description


def test_a_curve_of_what_is_not_known_says_why():
    table = CURVE.assign(absolute=np.nan, reason="nobody has two raters")
    assert plots.curve(table, x="raters", y="absolute").description == "Nothing to draw: nobody has two raters."


def test_names_at_one_height_share_a_line_of_the_map():
    chart = plots.wright_map(MAP)
    assert "R-1, R-2" in chart.svg("t") and "people from −1.00 to +2.00" in chart.description


@pytest.mark.parametrize(
    "draw, table",
    [(plots.shrinkage, SHRUNK), (plots.drift, MOVES), (plots.link_range, RANGE), (plots.wright_map, MAP)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_new_charts_of_raters_bear_empty_tables_and_odd_names(draw, table):
    assert draw(table.iloc[:0]).description.endswith(".")
    column = "rater_id" if "rater_id" in table else "id"
    for name in ("<script>alert(1)</script>", "$x_1$", "x" * 300, "张伟"):
        odd = draw(table.assign(**{column: table[column].where(table[column] != "R-1", name)}))
        svg = odd.svg("t")
        assert "<script>" not in svg and "nan" not in odd.description
        assert odd.get_figwidth() < 15


def test_the_grey_of_a_rater_ends_where_the_interval_would_touch_zero():
    row = {"rater_id": "R-1", "severity": 0.5, "lower": 0.05, "upper": 1.3, "verdict": "severe", "n_ratings": 9}
    chart = plots.severity(pd.DataFrame([row | {"n_employees": 5}]))
    band = next(p for p in chart.axes[0].patches if p.get_width() > 0)
    assert band.get_x() == pytest.approx(-0.8) and band.get_x() + band.get_width() == pytest.approx(0.45)
