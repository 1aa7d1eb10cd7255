"""Money against sums written out, in whole cents."""

import dataclasses

import pandas as pd
import pytest
from small_cycle import SCHEME

from perfmodel.outcomes import pool
from perfmodel.scheme import read_scheme


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
