"""Points, weights after sharing, scores and grades: each against arithmetic that a reader can redo."""

import numpy as np
import pandas as pd
import pytest
from small_cycle import write_small

from perfmodel import read_cycle
from perfmodel.errors import DataError
from perfmodel.scoring import RULES, attainment, cap_grades, grade_of, item_scores, kpi_table, rescore, score, total

POINTS = {"floor": 0, "threshold": 60, "target": 75, "stretch": 90, "cap": 120}
CUTS = {"S": 90, "A": 80, "B": 70, "C": 60, "D": 0}


@pytest.fixture
def folder(tmp_path):
    return write_small(tmp_path / "2026Q3")


def edit(folder, file, *changes):
    """Replace texts in one file; each must stand there exactly once."""
    path = folder / file
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def scored(folder, adjusted=None):
    """Items, KPI table and totals of a folder; the totals by employee."""
    cycle = read_cycle(folder)
    items = item_scores(cycle, adjusted)
    table = kpi_table(items)
    return items, table, total(cycle, items).set_index("employee_id")


def of(table, employee):
    return table[table["employee_id"] == employee].set_index("kpi")


# attainment, points: each worked in the comment or plain from the rule's definition
RATIO = [(0.0, 0), (1.0, 75), (1.1, 82.5), (2.0, 120)]  # 75 a, held at 120
LINES = [(0.0, 0), (0.4, 30), (0.8, 60), (0.9, 67.5), (1.0, 75), (1.05, 82.5), (1.1, 90), (1.2, 105), (1.5, 120)]
STEPS = [(0.79, 0), (0.8, 60), (0.999, 60), (1.0, 75), (0.1 + 0.2 + 0.7, 75), (1.1, 90), (3.0, 90)]
PROJECT = [(0.4, 60), (0.575, 67.5), (0.75, 75), (0.85, 82.5), (0.95, 90), (1.0, 93.75)]
RUBRIC = ((1, 40), (2, 60), (3, 75), (4, 90), (5, 100))


@pytest.mark.parametrize(
    ("rule", "worked", "more"),
    [
        ("ratio", RATIO, {}),
        ("inverse_ratio", RATIO, {}),
        ("mirror", RATIO, {}),
        ("threshold_target_max", LINES, {"low": 0.8, "high": 1.1}),
        ("step_table", STEPS, {"steps": ((0.8, 60), (1.0, 75), (1.1, 90))}),
        ("all_or_nothing", [(0.999, 0), (1.0, 75), (1.7, 75)], {}),
        ("deduction", [(0, 75), (3, 60), (15, 0), (40, 0)], {}),  # 75 - 5 each, not under 0
        ("milestone", PROJECT, {"low": 0.4, "high": 0.95, "middle": 0.75}),
        ("rubric", [(1, 40), (2.5, 67.5), (3.2, 78), (5, 100)], {"steps": RUBRIC}),
    ],
)
def test_rules_closed_form(rule, worked, more):
    reached, expected = np.transpose(worked)
    points = POINTS | {"each": 5}
    assert RULES[rule](reached, points, **more) == pytest.approx(expected, abs=1e-9)
    assert np.isnan(RULES[rule](np.array([np.nan]), points, **more)).all()


def test_every_rule_of_the_scheme_is_worked_above():
    assert len(RULES) == 9


def test_less_is_better_in_two_ways_that_agree_on_target_only():
    # 8 of 10: inverse 10/8 = 1.25, mirror 2 - .8 = 1.2. 12 of 10: 10/12 and .8.
    actual, target = [8, 10, 12], [10, 10, 10]
    assert attainment(actual, target, rule="inverse_ratio", direction="lower") == pytest.approx([1.25, 1, 10 / 12])
    assert attainment(actual, target, rule="mirror", direction="lower") == pytest.approx([1.2, 1, 0.8])
    assert attainment(actual, target) == pytest.approx([0.8, 1, 1.2])


def test_nothing_at_all_of_what_should_be_little_earns_the_cap():
    reached = attainment([0.0], [10.0], rule="inverse_ratio", direction="lower")
    assert RULES["inverse_ratio"](reached, POINTS) == [120]


@pytest.mark.parametrize("target", [0, -5])
def test_a_target_that_is_not_positive_is_refused(target):
    with pytest.raises(DataError, match="divides by it"):
        attainment([1.0, 1.0], [1.0, target])


def test_a_score_on_the_cut_takes_the_better_grade():
    values = [100, 90, 90 - 1e-10, 90 - 1e-6, 80, 70, 60, 59.999, 0, -3, np.nan]
    assert "".join(g or "-" for g in grade_of(values, CUTS)) == "SSSAABCDDD-"


def test_a_gate_makes_no_grade_better():
    assert list(cap_grades(["S", "C", "D", ""], ["B", "B", "B", "B"], CUTS)) == ["B", "C", "D", ""]
    assert list(cap_grades(["S"], [""], CUTS)) == ["S"]


def test_the_explanation_sheet_of_the_design_can_be_recomputed(folder):
    """``explain-sheet.html`` of the design: 78.747 before, 80.142 after a severity of 0.52 is given back."""
    sheet = {  # item: threshold, target, stretch, actual, points, gives
        "sales_attainment": (9.92, 12.40, 13.64, 12.71, 78.75, 15.750),
        "new_customers": (12, 18, 22, 19, 78.75, 7.875),
        "gross_margin": (20.0, 24.0, 26.0, 24.6, 79.50, 9.938),
        "expense_ratio": (8.00, 6.50, 5.80, 6.30, 79.29, 5.946),
        "team_attainment": (80.0, 100.0, 110.0, 101.4, 77.10, 7.710),
        "core_attrition": (14.0, 8.0, 4.0, 7.0, 78.75, 2.953),
        "market_penetration": (11.0, 15.0, 18.0, 15.5, 77.50, 4.650),
        "customer_satisfaction": (76, 86, 92, 88, 80.00, 3.600),
        "forecast_accuracy": (20.0, 12.0, 8.0, 10.5, 80.62, 3.225),
        "crm_completeness": (85.0, 95.0, 99.0, 96.0, 78.75, 1.181),
    }
    rated = {  # item: rating, points, gives
        "talent_development": (3.5, 82.5, 3.094),
        "team_culture": (3.0, 75.0, 5.625),
        "strategic_conduct": (3.5, 82.5, 1.856),
        "crm_use": (3.0, 75.0, 1.125),
        "collaboration": (3.5, 82.5, 2.475),
    }
    lines = (folder / "results.csv").read_text().splitlines()
    own = [f"001,,{k},{t},{a},{low},{high},final,quarter,ledger," for k, (low, t, high, a, _, _) in sheet.items()]
    (folder / "results.csv").write_text("\n".join([lines[0], *own, *lines[11:]]) + "\n")
    manager = "M1,001,,{},manager,{},2026-09-30,yes"
    edit(
        folder, "ratings.csv", *[(manager.format(k, 3.5), manager.format(k, 3.0)) for k in ("team_culture", "crm_use")]
    )
    # Two milestones of 50 %, one accepted and one to .3: .65, on the sheet's own line 30 - 60 - 90.
    edit(
        folder,
        "milestones.csv",
        (
            "001,,strategic_milestones,M2,50,2026-09-26,2026-09-26,0.8",
            "001,,strategic_milestones,M2,50,2026-09-26,,0.3",
        ),
    )
    edit(
        folder,
        "scheme.yaml",
        ("{threshold: 0.40, target: 0.75, stretch: 0.95}", "{threshold: 0.30, target: 0.60, stretch: 0.90}"),
    )
    severe = pd.DataFrame([("001", "", kpi, value[0] + 0.52) for kpi, value in rated.items()])
    severe.columns = ["employee_id", "scorecard", "kpi", "rating_adjusted"]

    items, table, totals = scored(folder, severe)
    mine = items[items["employee_id"] == "001"].set_index("item")
    expected = {k: v[-2:] for k, v in {**sheet, **rated, "strategic_milestones": (77.50, 1.744)}.items()}
    for item, (points, gives) in expected.items():
        # The sheet prints points to .01 and what they give to .001.
        assert mine.score_raw[item] == pytest.approx(points, abs=0.0051), item
        assert mine.score_raw[item] * mine.weight[item] / 100 == pytest.approx(gives, abs=0.00051), item
    assert totals.score_raw["001"] == pytest.approx(78.747, abs=0.0005) and totals.grade_raw["001"] == "B"
    assert totals.score_adjusted["001"] == pytest.approx(80.142, abs=0.0005) and totals.grade_adjusted["001"] == "A"
    assert of(table, "001").points_raw.sum() == pytest.approx(totals.score_raw["001"], abs=1e-9)


def test_a_kpi_that_is_not_due_shares_its_weight_inside_its_category(folder):
    edit(folder, "results.csv", ("001,,new_customers,20,20,,,final", "001,,new_customers,20,,,,not_due"))
    mine = of(scored(folder)[1], "001")
    # Sales is 50; without the 10 of new customers the 20, 12.5 and 7.5 grow by 50 / 40.
    assert mine.weight[["sales_attainment", "gross_margin", "expense_ratio"]].tolist() == [25, 15.625, 9.375]
    assert np.isnan(mine.weight["new_customers"]) and np.isnan(mine.score_raw["new_customers"])
    assert mine.weight_nominal["new_customers"] == 10
    assert mine.reason["new_customers"] == "not due: weight shared inside the category"
    assert mine.weight.sum() == pytest.approx(100) and mine.weight_nominal.sum() == pytest.approx(100)


def test_a_part_that_is_not_applicable_shares_inside_its_kpi_first(folder):
    edit(folder, "results.csv", ("001,,core_attrition,5,4.90,,,final", "001,,core_attrition,5,,,,not_applicable"))
    items, table, _ = scored(folder)
    mine = items[items["employee_id"] == "001"].set_index("item")
    assert mine.weight["talent_development"] == 7.5 and of(table, "001").weight["talent_retention"] == 7.5
    assert of(table, "001").score_raw["talent_retention"] == 82.5  # the rating of 3.5 alone
    assert "shared inside the KPI" in of(table, "001").reason["talent_retention"]


def test_a_row_of_results_may_say_that_a_plan_or_a_rating_is_not_applicable(folder):
    # What check advises where either is missing; the other part of the KPI then carries its whole weight.
    say = "001,,core_attrition,5,4.90,,,final"
    rows = "".join(f"001,,{item},,,,,not_applicable,,,\n" for item in ("strategic_milestones", "talent_development"))
    edit(folder, "results.csv", (say, rows + say))
    for step in ("M1,50,2026-09-12,2026-09-12,1", "M2,50,2026-09-26,2026-09-26,0.8"):
        edit(folder, "milestones.csv", (f"001,,strategic_milestones,{step}\n", ""))
    edit(folder, "ratings.csv", ("001,,talent_development,manager", "002,,talent_development,peer"))
    items, _, totals = scored(folder)
    mine = items[items["employee_id"] == "001"].set_index("item")
    assert totals.status["001"] == "scored"
    assert mine.status[["strategic_milestones", "talent_development"]].eq("not_applicable").all()
    assert mine.weight[["strategic_conduct", "core_attrition"]].tolist() == [4.5, 7.5]


def test_a_whole_category_missing_leaves_no_score_and_says_so(folder):
    for kpi in ("sales_attainment,4000,4080", "new_customers,20,20", "gross_margin,32,32.6", "expense_ratio,8,7.84"):
        name, target, _ = kpi.split(",")
        edit(folder, "results.csv", (f"001,,{kpi},,,final", f"001,,{name},{target},,,,not_applicable"))
    _, _, totals = scored(folder)
    assert np.isnan(totals.score_raw["001"]) and totals.grade_raw["001"] == ""
    assert totals.status["001"] == "no score" and "whole category is missing" in totals.reason["001"]
    assert totals.status["002"] == "scored"


def test_a_late_result_leaves_no_score_but_says_between_which_it_must_lie(folder):
    before = scored(folder)[2].score_raw["001"]
    edit(folder, "results.csv", ("001,,sales_attainment,4000,4080,,,final", "001,,sales_attainment,4000,,,,late"))
    items, _, totals = scored(folder)
    mine = totals.loc["001"]
    # Attainment 1.02, stretch at 1.10: 75 + 15 x .02 / .10 = 78 points of weight 20, which floor and cap replace.
    rest = before - 78 * 0.2
    assert (mine.score_low, mine.score_high) == pytest.approx((rest, rest + 24))
    assert np.isnan(mine.score_raw) and mine.grade_raw == "" and mine.status == "late"
    assert f"between {rest:.1f} and {rest + 24:.1f}" in mine.reason
    # Late is no sharing: the weight waits.
    assert items[items.employee_id.eq("001") & items.item.eq("sales_attainment")].weight.tolist() == [20]


def test_a_rating_that_must_come_and_has_not_is_late_and_never_zero(folder):
    edit(folder, "ratings.csv", ("M1,001,,team_culture,manager,3.5,2026-09-30,yes,Seen in the reviews\n", ""))
    _, table, totals = scored(folder)
    assert totals.status["001"] == "late" and np.isnan(of(table, "001").score_raw["team_culture"])
    assert "no rating" in totals.reason["001"]


def test_milestones_count_by_weight_when_due_and_no_others(folder):
    old = "001,,strategic_milestones,M{},50,2026-09-{},2026-09-{},{}"
    edit(folder, "milestones.csv", (old.format(2, 26, 26, 0.8), "001,,strategic_milestones,M2,50,2026-11-26,,"))
    mine = scored(folder)[0].query("employee_id == '001'").set_index("item")
    assert mine.attainment["strategic_milestones"] == 1  # M1 alone is due, and done
    edit(folder, "milestones.csv", (old.format(1, 12, 12, 1), "001,,strategic_milestones,M1,50,2026-12-12,,"))
    mine = scored(folder)[0].query("employee_id == '001'").set_index("item")
    assert mine.status["strategic_milestones"] == "not_due" and mine.weight["strategic_conduct"] == 4.5


def test_two_scorecards_are_weighted_by_days(folder):
    edit(
        folder, "results.csv", ("004,b,sales_attainment,4000,4000,,,final", "004,b,sales_attainment,4000,4400,,,final")
    )
    _, table, totals = scored(folder)
    cards = table[table["employee_id"] == "004"].groupby("scorecard").points_raw.sum()
    # 1 July to 14 August are 45 days, 15 August to 30 September 47. On b attainment 1.1 gives 90 for 75, at 20 %.
    assert cards["b"] - cards["a"] == pytest.approx(15 * 0.2)
    assert totals.score_raw["004"] == pytest.approx((45 * cards["a"] + 47 * cards["b"]) / 92)


def test_a_scorecard_of_too_few_days_does_not_count(folder):
    edit(folder, "assignments.csv", ("2026-07-01,2026-08-14", "2026-07-01,2026-07-20"), ("2026-08-15", "2026-07-21"))
    items, table, totals = scored(folder)
    cards = table[table["employee_id"] == "004"].groupby("scorecard").points_raw.sum()
    assert totals.score_raw["004"] == pytest.approx(cards["b"])
    assert set(items[items.employee_id.eq("004") & items.scorecard.eq("a")].day_share) == {0.0}


def test_bonus_and_deduction_points_come_last_and_are_limited(folder):
    plain = scored(folder)[2]
    assert plain.bonus["003"] == 2  # as the table says
    edit(folder, "events.csv", ("003,B1,bonus,2", "003,B1,bonus,9"))
    more = (folder / "events.csv").read_text() + "001,X1,deduction,4,Late forecast\n001,X2,deduction,8,Late forecast\n"
    (folder / "events.csv").write_text(more)
    totals = scored(folder)[2]
    assert totals.bonus["003"] == 5 and totals.score_raw["003"] == pytest.approx(plain.score_raw["003"] + 3)
    assert totals.deduction["001"] == 10 and totals.score_raw["001"] == pytest.approx(plain.score_raw["001"] - 10)


def test_a_gate_caps_the_grade_and_leaves_the_score(folder):
    plain = scored(folder)[2]
    edit(folder, "events.csv", ("006,G3,gate", "003,G1,gate"))
    totals = scored(folder)[2]
    assert plain.grade_raw["003"] in "SAB" and totals.grade_raw["003"] == "C"
    assert totals.score_raw["003"] == plain.score_raw["003"]


def test_the_newly_hired_and_the_excluded_have_no_score_and_a_reason(folder):
    edit(folder, "employees.csv", ("001,Person 001,North,regional_manager,M1,L2,2024-01-01,2020-03-01",
                                   "001,Person 001,North,regional_manager,M1,L2,2026-08-01,2026-08-01"))  # fmt: skip
    totals = scored(folder)[2]
    # 1 August to 30 September: 61 days.
    assert totals.status["001"] == "too new to rate" and "61 days" in totals.reason["001"]
    assert totals.status["008"] == "excluded" and totals.reason["008"] == "On leave since the second week"
    assert totals.score_raw[["001", "008"]].isna().all()


def test_the_order_of_rows_changes_nothing(folder):
    first = [t.to_csv() for t in scored(folder)]
    for path in folder.glob("*.csv"):
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *np.random.default_rng(3).permutation(rows)]) + "\n")
    assert [t.to_csv() for t in scored(folder)] == first


def test_rescoring_gives_back_the_score_and_moves_it_by_the_weight_of_the_rating(folder):
    cycle = read_cycle(folder)
    given = cycle.ratings.query("role == 'manager'")[["employee_id", "scorecard", "kpi", "rating"]]
    adjusted = given.rename(columns={"rating": "rating_adjusted"}).reset_index(drop=True)
    items = item_scores(cycle, adjusted)
    totals = total(cycle, items)
    base = totals.score_adjusted
    at_one = totals.index[totals.employee_id.eq("001")][0]
    drawn = np.tile(adjusted.rating_adjusted.to_numpy(), (2, 1))
    at = adjusted.index[adjusted.employee_id.eq("001") & adjusted.kpi.eq("team_culture")][0]
    drawn[1, at] += 0.5  # 3.5 to 4.0 is 82.5 to 90 points, at a weight of 7.5 %
    before, after = rescore(cycle, items, totals, drawn, adjusted)
    assert np.allclose(before, base, equal_nan=True, atol=1e-9)
    assert after[at_one] - base[at_one] == pytest.approx(7.5 * 0.075)
    assert np.array_equal(np.delete(after, at_one), np.delete(before, at_one), equal_nan=True)


def test_every_scorecard_of_the_sample_totals_100_percent():
    cycle = read_cycle("data/2026Q3")
    table = score(cycle)
    sums = table.groupby(["employee_id", "scorecard"]).weight.sum(min_count=1).dropna()
    assert len(sums) > 230 and sums.sub(100).abs().max() < 1e-9
    assert table.groupby(["employee_id", "scorecard"]).weight_nominal.sum().sub(100).abs().max() < 1e-9
    # Where there are no points there is a reason.
    assert table.loc[table.score_raw.isna(), "reason"].ne("").all()
