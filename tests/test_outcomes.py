"""What follows from decided grades: sums written out in whole cents, and conditions case by case."""

import dataclasses
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from small_cycle import SCHEME

from perfmodel.errors import DataError, SchemeError
from perfmodel.outcomes import (
    bonuses,
    grade_rise,
    improvement_goals,
    improvement_plans,
    largest_remainder,
    organisation_summary,
    pool,
    promotion_slate,
    slate_note,
    training_by_domain,
    training_needs,
    what_if,
)
from perfmodel.scheme import Pay, read_scheme


@pytest.fixture(scope="module")
def scheme():
    return read_scheme(SCHEME.read_text(encoding="utf-8"))[0]


SCORES = pd.DataFrame(
    {
        "employee_id": ["1", "2", "3", "4"],
        "grade_raw": ["S", "B", "C", ""],
        "grade_adjusted": ["A", "B", "D", ""],
        "grade_proposed": ["A", "B", "D", ""],
    }
)
PAY = pd.DataFrame(
    {
        "employee_id": ["1", "2", "3", "4"],
        "bonus_target": [1000.10, 2000.0, 3000.0, 4000.0],
        "currency": "CNY",
        "eligible": [True, True, True, True],
    }
)


def test_cost_is_target_times_multiplier_over_those_with_a_grade(scheme):
    table = pool(SCORES, PAY, scheme).set_index("step")
    # 1.5 x 1000.10 + 2000 + .6 x 3000 = 5300.15; 1.2 x 1000.10 + 2000 + 0 = 3200.12; pool 1.05 x 6000.10 = 6300.105,
    # paid in cents: 1050.105 rounds to the even cent 1050.10, so 1050.10 + 2100 + 3150 = 6300.10.
    assert table.cost.to_dict() == {"raw": 5300.15, "adjusted": 3200.12, "proposed": 3200.12}
    assert set(table.n) == {3} and set(table.currency) == {"CNY"}
    assert table.budget["raw"] == pytest.approx(6300.10, abs=0.011)
    assert (table.balance - (table.budget - table.cost)).abs().max() < 1e-9


def test_who_is_not_eligible_costs_nothing_and_funds_nothing(scheme):
    pay = PAY.assign(eligible=[True, False, True, True])
    table = pool(SCORES, pay, scheme).set_index("step")
    assert table.n["raw"] == 2 and table.cost["raw"] == 3300.15


def test_a_fixed_budget_is_taken_as_it_is(scheme):
    fixed = dataclasses.replace(scheme, pay=dataclasses.replace(scheme.pay, budget=5000.0))
    table = pool(SCORES, PAY, fixed).set_index("step")
    assert table.balance["raw"] == -300.15 and table.budget["raw"] == 5000


def test_without_pay_there_is_no_pool(scheme):
    assert pool(SCORES, PAY.iloc[:0], scheme).empty


# --- The rules in the scheme -------------------------------------------------------------------------------------

TEXT = SCHEME.read_text(encoding="utf-8")
PAY_LINE = "  pay: {company_multiplier: 1.0, pool: fixed, funding: 1.05}"


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        (PAY_LINE, "  pay: {pool: fixed, threshold: 0.8}", "scheme-invalid", "limits a funded pool"),
        (PAY_LINE, "  pay: {pool: funded, threshold: 1.2, cap: 1}", "scheme-invalid", "lies above cap"),
        (PAY_LINE, "  pay: {pool: funded, cap: -1}", "scheme-invalid", "cannot be negative"),
        (PAY_LINE, "  pay: {pool: funded, treshold: 1}", "scheme-unknown", "Did you mean threshold?"),
        ("quarters_share: 60", "quarters_share: 70", "scheme-invalid", "total 110 %"),
        ("days_least: 30", "days_least: 120", "scheme-invalid", "lies above days_most"),
        ("quarters_at_a: 2,", "quarters_at_a: 0,", "scheme-invalid", "write 1 or more"),
        ("  training:", "  trainig:", "scheme-unknown", "Did you mean training?"),
        ("good: A,", "good: X,", "scheme-invalid", "no grade is called X"),
        ("  appeal: {working_days: 7}", "  appeal: {working_days: 0}", "scheme-invalid", "write 1 or more"),
        (
            "kind: rated\n        weight: 30",
            "kind: rated\n        adds: yes\n        weight: 30",
            "scheme-invalid",
            "adds",
        ),
    ],
)
def test_a_rule_that_cannot_hold_is_refused_at_its_line(old, new, code, says):
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    with pytest.raises(SchemeError) as refusal:
        read_scheme(text)
    hits = [f for f in refusal.value.findings if f.code == code and says in f.message]
    assert hits and all(f.line > 0 for f in hits), [str(f) for f in refusal.value.findings]
    if code == "scheme-invalid" and "pay" in new:
        assert hits[0].line == text[: text.index(new)].count("\n") + 1


def test_the_grades_that_rules_speak_of_are_the_ladders_unless_named(scheme):
    silent = read_scheme(TEXT.replace("  grades: {good: A, low: C, failed: D}", "  # none named:"))[0]
    for one in (scheme, silent):
        assert (one.good_grades, one.low_grades, one.failed_grades) == (("S", "A"), ("C", "D"), ("D",))
    named = read_scheme(TEXT.replace("{good: A, low: C, failed: D}", "{good: S, low: B, failed: C}"))[0]
    assert (named.good_grades, named.low_grades, named.failed_grades) == (("S",), ("B", "C", "D"), ("C", "D"))


# --- Bonus -------------------------------------------------------------------------------------------------------


def paying(scheme, **rule):
    return dataclasses.replace(scheme, pay=dataclasses.replace(Pay(), **rule))


def decided(**grades):
    return pd.DataFrame({"employee_id": list(grades), "grade": list(grades.values())})


def test_a_fixed_pool_of_100_yuan_in_three_equal_claims_gives_the_odd_cent_to_the_smallest_id(scheme):
    # 10000 cents / 3 = 3333 each and one left; remainders and claims are equal, so the id decides.
    pay = pd.DataFrame({"employee_id": ["c", "a", "b"], "bonus_target": 500.0, "currency": "CNY", "eligible": True})
    table = bonuses(decided(a="B", b="B", c="B"), pay, paying(scheme, budget=100.0)).set_index("employee_id")
    assert table.cents.to_dict() == {"a": 3334, "b": 3333, "c": 3333} and table.cents.sum() == 10_000


def test_shares_are_target_times_multiplier(scheme):
    # Claims 1.5 x 1000, 1.0 x 1000, 0.6 x 2500, 0: 1500 + 1000 + 1500 = 4000; of a pool of 8000 each is doubled.
    pay = pd.DataFrame({"employee_id": list("wxyz"), "bonus_target": [1000.0, 1000, 2500, 900], "currency": "CNY",
                        "eligible": True})  # fmt: skip
    table = bonuses(decided(w="S", x="B", y="C", z="D"), pay, paying(scheme, budget=8000.0)).set_index("employee_id")
    assert table.amount.to_dict() == {"w": 3000, "x": 2000, "y": 3000, "z": 0}
    assert table.reason["z"] == "the multiplier of D is 0"


def test_a_thousand_random_pools_add_up_to_the_cent_whatever_the_order_of_rows(scheme):
    rng = np.random.default_rng(1)
    grades = np.array(list("SABCD"))
    for trial in range(1000):
        n = int(rng.integers(1, 40))
        ids = np.array([f"{i:03d}" for i in rng.permutation(n)])
        pay = pd.DataFrame({"employee_id": ids, "bonus_target": rng.integers(0, 10**7, n) / 100, "currency": "CNY",
                            "eligible": rng.random(n) < 0.9})  # fmt: skip
        given = pd.DataFrame({"employee_id": ids, "grade": rng.choice(grades, n)})
        budget = int(rng.integers(0, 10**9))
        rule = paying(scheme, budget=budget / 100)
        table = bonuses(given, pay, rule)
        if trial % 10 == 0:
            assert table.equals(bonuses(given.sample(frac=1, random_state=2), pay.sample(frac=1, random_state=3), rule))
        claims = table.claim.to_numpy()
        assert table.cents.sum() == (budget if claims.sum() > 0 else 0)
        assert (table.cents[~table.employee_id.isin(pay.employee_id[pay.eligible])] == 0).all()
        if claims.sum():  # nobody is further than a cent from the exact share
            assert np.abs(table.cents - budget * claims / claims.sum()).max() < 1 + 1e-6


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_the_largest_remainder_never_loses_a_cent_nor_gives_more_than_one_beyond_the_share(total, claims):
    assume(sum(claims))
    found = largest_remainder(total, claims, [str(i) for i in range(len(claims))])
    assert sum(found) == total
    for share, claim in zip(found, claims, strict=True):
        assert total * claim // sum(claims) <= share <= -(-total * claim // sum(claims))


def test_a_funded_pool_pays_the_multipliers_between_threshold_and_cap(scheme):
    pay, given = PAY.iloc[:2], decided(**{"1": "S", "2": "B"})
    rule = {"pool": "funded", "funding": 2.0, "threshold": 0.8, "cap": 1.2}
    # 1000.10 x 1.1 x 1.5 = 1650.165: half a cent goes to the even one; 2000 x 1.1 = 2200.
    paid = bonuses(given, pay, paying(scheme, company_multiplier=1.1, **rule))
    assert list(paid.amount) == [1650.16, 2200.0]
    # Counted at most as 1.2: 1000.10 x 1.2 x 1.5 = 1800.18.
    paid = bonuses(given, pay, paying(scheme, company_multiplier=1.9, **rule))
    assert list(paid.amount) == [1800.18, 2400.0] and paid.reason.str.contains("counts as 1.2").all()
    paid = bonuses(given, pay, paying(scheme, company_multiplier=0.79, **rule))
    assert list(paid.amount) == [0, 0] and paid.reason.str.contains("under the threshold 0.8").all()
    assert list(bonuses(given, pay, paying(scheme, company_multiplier=0.8, **rule)).amount) == [1200.12, 1600.0]


def test_a_funded_pool_that_is_overdrawn_cuts_everybody_alike_to_the_cent(scheme):
    # Claims 1500.15 + 2000 = 3500.15 against 3000: 1500.15 x 3000 / 3500.15 = 1285.787...,
    # and 1714.212... of the other; the odd cent goes to the larger remainder.
    given = decided(**{"1": "S", "2": "B"})
    paid = bonuses(given, PAY.iloc[:2], paying(scheme, pool="funded", budget=3000.0))
    assert list(paid.amount) == [1285.79, 1714.21] and paid.cents.sum() == 300_000
    assert paid.reason.str.contains("all are cut in one proportion").all()
    rest = bonuses(given, PAY.iloc[:2], paying(scheme, pool="funded", budget=9000.0))
    assert rest.amount.sum() == 3500.15


def test_whoever_is_not_paid_stands_in_the_table_with_the_reason(scheme):
    pay = PAY.assign(eligible=[True, False, True, True])
    table = bonuses(decided(**{"1": "A", "2": "A", "3": "B"}), pay, scheme).set_index("employee_id")
    assert len(table) == 4
    assert table.reason["2"] == "not eligible in the pay table" and "no decided grade" in table.reason["4"]
    assert table.cents[["2", "4"]].sum() == 0
    money = pool(pd.DataFrame({"employee_id": table.index, "grade_decided": table.grade.to_numpy()}), pay, scheme)
    assert table.cents.sum() == round(100 * money.set_index("step").budget["decided"])


def test_two_currencies_are_refused_in_words(scheme):
    pay = PAY.assign(currency=["CNY", "USD", "CNY", "CNY"])
    with pytest.raises(DataError, match=r"CNY \(3 people\), USD \(1 people\).*without a rate"):
        bonuses(decided(**{"1": "A", "2": "A", "3": "B", "4": "B"}), pay, scheme)


def test_a_proposal_is_never_taken_for_a_decision(scheme):
    with pytest.raises(DataError, match=r"It has grade_raw, grade_adjusted, grade_proposed; a proposal is no decision"):
        bonuses(SCORES, PAY, scheme)
    with pytest.raises(DataError, match="stands twice"):
        bonuses(pd.concat([decided(a="B"), decided(a="A")]), PAY, scheme)
    with pytest.raises(DataError, match="the grade Z"):
        bonuses(decided(a="Z"), PAY, scheme)


# --- What if -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [{"budget": 5000.0}, {"funding": 1.05}, {"pool": "funded", "funding": 1.05}])
def test_what_if_agrees_with_paying_each_case_out(scheme, rule):
    chosen = paying(scheme, **rule)
    base = decided(**{"1": "A", "2": "B", "3": "C"})
    table = what_if(base, PAY, chosen)
    assert len(table) == 3 * 5
    before = bonuses(base, PAY, chosen).set_index("employee_id").amount
    for row in table.to_dict("records"):
        case = base.assign(grade=base.grade.where(base.employee_id.ne(row["employee_id"]), row["to_grade"]))
        money = pool(case.rename(columns={"grade": "grade_decided"}), PAY, chosen).iloc[0]
        assert (row["cost"], row["balance"]) == (money["cost"], money["balance"])
        after = bonuses(case, PAY, chosen).set_index("employee_id").amount
        who = row["employee_id"]
        assert row["amount"] == pytest.approx(after[who], abs=0.011)  # largest remainder moves a cent
        assert row["amount_change"] == pytest.approx(after[who] - before[who], abs=0.021)
        assert row["others_change"] == pytest.approx((after - before).drop(who).sum(), abs=0.021)


# --- Promotion and rise ------------------------------------------------------------------------------------------

ENDS = {"2025Q3": "2025-09-30", "2025Q4": "2025-12-31", "2026Q1": "2026-03-31", "2026Q2": "2026-06-30",
        "2026Q3": "2026-09-30"}  # fmt: skip


def history(**people):
    """Grades over the newest quarters, one letter each: "-" gave no grade, "." no row at all."""
    rows = []
    for who, letters in people.items():
        for quarter, letter in zip(list(ENDS)[-len(letters) :], letters, strict=True):
            if letter != ".":
                rows.append((who, quarter, ENDS[quarter], "" if letter == "-" else letter))
    return pd.DataFrame(rows, columns=["employee_id", "quarter", "end", "grade"])


def staff(people, since="2024-01-01", hired="2020-01-01"):
    return pd.DataFrame({"employee_id": list(people), "unit": "North", "manager_id": "M", "level": "L2",
                         "level_since": pd.to_datetime(since), "hire_date": pd.to_datetime(hired)})  # fmt: skip


def slate_of(scheme, letters, since="2024-01-01", hired="2020-01-01"):
    # A second person, graded in all quarters, tells which quarters there are.
    grades = history(x=letters, y="BBBBB")
    return promotion_slate(grades, staff("xy", since, hired), scheme).set_index("employee_id").loc["x"]


@pytest.mark.parametrize(
    ("letters", "since", "on", "near", "missing"),
    [
        ("BBBAA", "2024-01-01", True, False, ""),
        ("DBBSA", "2024-01-01", True, False, ""),  # the D of 2025Q3 ended on 30 September, 12 months and a day before
        ("BDBAA", "2024-01-01", False, True, "D in 2025Q4, within 12 months"),  # 15 months at the next quarter's end
        ("BBDAA", "2024-01-01", False, False, "D in 2026Q1, within 12 months"),
        (
            "BBBBA",
            "2024-01-01",
            False,
            True,
            "1 of the last 2 graded quarters at A or above (B in 2026Q2, A in 2026Q3)",
        ),
        (
            "BBBAB",
            "2024-01-01",
            False,
            False,
            "1 of the last 2 graded quarters at A or above (A in 2026Q2, B in 2026Q3)",
        ),
        ("BBAA-", "2024-01-01", True, False, ""),  # leave is passed over
        ("BBBAA", "2025-10-01", True, False, ""),  # 1 October to 30 September are 12 months
        ("BBBAA", "2025-10-02", False, True, "11 months in level, 12 are asked for"),
        ("BBBAA", "2026-04-01", False, False, "6 months in level, 12 are asked for"),
        ("BBBAA", None, False, True, "12 months in level: not known, level_since is empty"),
        ("BB.AA", "2024-01-01", False, True, "12 months without D: not known, of 2026Q1 the table says nothing"),
    ],
)
def test_conditions_of_the_slate(scheme, letters, since, on, near, missing):
    row = slate_of(scheme, letters, since)
    assert (row.on_slate, row.near, row.missing) == (on, near, missing)


def test_what_was_over_before_the_day_of_hiring_cannot_have_failed(scheme):
    row = slate_of(scheme, "...AA", "2025-01-01", "2026-04-01")
    assert row.on_slate and row.missing == ""


def test_a_table_that_starts_too_late_says_that_it_does_not_know(scheme):
    grades = history(x="AA", y="BB")
    row = promotion_slate(grades, staff("xy"), scheme).iloc[0]
    assert not row.on_slate and row.missing.endswith("of the time before 2026Q2 the table says nothing")


def test_leave_is_named_and_the_slate_is_in_the_order_of_ids(scheme):
    grades = history(c="BBAA-", a="AAAAS", b="AAAAA")
    table = promotion_slate(grades.sample(frac=1, random_state=1), staff("cab"), scheme)
    assert list(table.employee_id) == ["a", "b", "c"] and "rank" not in table
    assert table.reason.iloc[2] == "passed over, without a grade: 2026Q3"
    assert "the committee chooses" in slate_note(table, 2) and "nothing to choose" in slate_note(table, 3)


def test_sustained_high_performance_is_a_row_of_good_quarters_without_a_hole(scheme):
    people = {"a": "BASAA", "b": "AABAA", "c": "AAA-A", "d": "AA.AA"}
    table = grade_rise(history(**people), staff(people), scheme).set_index("employee_id")
    assert table.good_in_row.to_dict() == {"a": 4, "b": 2, "c": 4, "d": 2}
    assert table.sustained.to_dict() == {"a": True, "b": False, "c": True, "d": False}
    assert table.reason["b"] == "2 in a row, 4 are asked for: B in 2026Q1"
    assert table.reason["c"] == "2026Q2 gave no grade and is passed over"
    assert table.reason["d"].endswith("of 2026Q1 the table says nothing")


def test_quarters_that_are_neighbours_in_the_table_alone_are_not_in_a_row(scheme):
    # 2026Q2 was never made final, so the table has no row of anybody in it.
    people = {"a": "AAA.A", "c": "BBC.C"}
    grades = history(**people)
    slate = promotion_slate(grades, staff(people), scheme).set_index("employee_id")
    assert slate.missing["a"] == (
        "2 quarters at A or above: not known, only A in 2026Q3 is there; "
        "12 months without D: not known, of the time before 2026Q3 the table says nothing"
    )
    rise = grade_rise(grades, staff(people), scheme).set_index("employee_id")
    assert rise.reason["a"] == "1 in a row, 4 are asked for: of the time before 2026Q3 the table says nothing"
    assert improvement_plans(grades, staff(people), scheme, start=date(2026, 10, 20)).empty


# --- Improvement plans -------------------------------------------------------------------------------------------


def test_a_plan_follows_from_d_or_two_c_in_a_row_and_from_nothing_else(scheme):
    people = {"a": "BBBBD", "b": "BBBCC", "c": "BBCBC", "d": "BBC-C", "e": "BBCDC", "f": "BBDBB", "g": "BBB.C"}
    plans = improvement_plans(history(**people), staff(people), scheme, start=date(2026, 10, 20))
    assert dict(zip(plans.employee_id, plans.trigger, strict=True)) == {
        "a": "D in 2026Q3",
        "b": "2 in a row: C in 2026Q2, C in 2026Q3",
        "e": "2 in a row: D in 2026Q2, C in 2026Q3",
    }
    # 20 October + 30 = 19 November, + 90 = 18 January.
    row = plans.iloc[0]
    assert (row.end_least, row.end_most, row.end) == (date(2026, 11, 19), date(2027, 1, 18), date(2027, 1, 18))
    assert row.reviews == "2026-11-19; 2026-12-19; 2027-01-18"


def test_a_plan_does_not_depend_on_how_others_did(scheme):
    # The lowest of a strong group gets none; the best of a weak group gets one.
    strong = improvement_plans(history(a="SSSSS", b="BBBBB"), staff("ab"), scheme, start=date(2026, 10, 20))
    weak = improvement_plans(history(a="DDDDD", b="CCCCC"), staff("ab"), scheme, start=date(2026, 10, 20))
    assert strong.empty and list(weak.employee_id) == ["a", "b"]
    assert weak.standard.str.contains("How others did played no part").all()
    assert not weak.to_string().lower().count("rank")


def test_dates_of_a_plan_that_the_scheme_does_not_allow_are_refused(scheme):
    grades = history(a="DDDDD")
    with pytest.raises(DataError, match="before 2026Q3 ends"):
        improvement_plans(grades, staff("a"), scheme, start=date(2026, 9, 30))
    for days in (29, 91):
        with pytest.raises(DataError, match="outside the 30 to 90 days"):
            improvement_plans(grades, staff("a"), scheme, start=date(2026, 10, 1), days=days)


# --- Training and the organisation -------------------------------------------------------------------------------


def item_rows(*rows):
    names = """employee_id scorecard kpi item category kind score_raw score_adjusted rating_raw rating_adjusted
    weight"""
    return pd.DataFrame(rows, columns=names.split()).assign(day_share=1.0)


def test_needs_are_figures_behind_target_and_low_ratings_by_domain(scheme):
    na = np.nan
    items = item_rows(
        ("a", "", "sales_attainment", "sales_attainment", "sales", "measured", 74.9, 74.9, na, na, 20),
        ("a", "", "new_customers", "new_customers", "sales", "measured", 75.0, 75.0, na, na, 10),  # on target
        ("a", "", "crm_quality", "crm_use", "operations", "rated", 60, 67.5, 2.0, 2.5, 5),  # low at 2.5 inclusive
        ("a", "", "collaboration", "collaboration", "operations", "rated", 60, 69, 2.0, 2.6, 5),  # a severe rater
        ("b", "", "collaboration", "collaboration", "operations", "rated", 60, na, 2.0, na, 5),
        ("c", "", "sales_attainment", "sales_attainment", "sales", "measured", 10, 10, na, na, 20),  # not decided
    )
    people, given = staff("abc"), decided(a="B", b="C")
    needs = training_needs(given, items, people, scheme)
    found = list(zip(needs.employee_id, needs.responsibility, needs.item, needs.basis, strict=True))
    assert found == [
        ("a", "R1", "sales_attainment", "result"),
        ("a", "R3", "crm_use", "severity-adjusted"),
        ("b", "R5", "collaboration", "as given"),
    ]
    assert needs.gap.tolist() == pytest.approx([0.1, 0.0, 0.5])
    by = training_by_domain(needs, given, people, scheme).set_index(["unit", "responsibility"])
    assert by.n_in_need["company"].to_dict() == {"R1": 1, "R2": 0, "R3": 1, "R4": 0, "R5": 1}
    assert by.share["company", "R1"] == 0.5 and by.n_people["company", "R1"] == 2
    units = by.drop("company", level="unit").groupby("responsibility")[["n_people", "n_in_need", "n_needs"]].sum()
    assert units.equals(by.loc["company", ["n_people", "n_in_need", "n_needs"]])
    plans = improvement_plans(history(a="DDDDD", b="DDDDD", c="DDDDD"), people, scheme, start=date(2026, 10, 1))
    goals = improvement_goals(plans, needs, scheme).set_index(["employee_id", "item"])
    assert goals.goal["a", "sales_attainment"] == "Sales attainment: from 74.9 to 75 points or more"
    assert "agree the goals" in goals.goal["c", ""] and (goals.due == date(2026, 12, 30)).all()


def organisation(sizes):
    rows, people, number = [], [], 0
    for unit, n in sizes.items():
        for i in range(n):
            who, number = f"{number:03d}", number + 1
            people.append((who, unit))
            for kpi, category in (("sales_attainment", "sales"), ("collaboration", "operations")):
                rows.append((who, "", kpi, kpi, category, "measured", 60.0 + i, np.nan, np.nan, np.nan, 20.0))
    employees = pd.DataFrame(people, columns=["employee_id", "unit"])
    return item_rows(*rows), employees, decided(**dict.fromkeys(employees.employee_id, "B"))


def test_no_group_of_under_ten_is_told_nor_left_by_subtraction(scheme):
    items, people, given = organisation({"A": 14, "B": 12, "C": 4})
    table = organisation_summary(given, items, people, scheme)
    # C alone (4) would be company - A - B, so the smaller B is pooled with it.
    assert list(dict.fromkeys(table.unit)) == ["company", "A", "pooled: B + C"]
    assert table.n.dropna().min() >= 10
    told = table[table.level.eq("category") & table.id.eq("sales")].set_index("unit")
    assert told["mean"]["A"] == pytest.approx(60 + 13 / 2) and told.share_behind["A"] == 0 + 14 / 14
    parts = told.drop("company")
    assert (parts["mean"] * parts.n).sum() / parts.n.sum() == pytest.approx(told["mean"]["company"])


def test_a_company_of_under_ten_is_told_nothing(scheme):
    items, people, given = organisation({"A": 9})
    table = organisation_summary(given, items, people, scheme)
    assert table["mean"].isna().all() and table.reason.str.contains("9 people: under 10").all()
    with pytest.raises(DataError, match="ask for 10 or more"):
        organisation_summary(given, items, people, scheme, least=5)
