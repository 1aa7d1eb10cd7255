"""The tables of the contract: exact columns, true keys, one order."""

import pandas as pd
import pytest

from perfmodel.errors import DataError
from perfmodel.tables import OUTPUTS, columns_of, conform

# Copied by eye from the contract's table of outputs, so that a slip in tables.py is seen; what is there beyond it
# (bounds, moments, law of the weights) follows the contract's columns.
CONTRACT = {
    "kpi_scores": "employee_id scorecard kpi category kind target actual attainment score_raw score_adjusted "
    "weight_nominal weight points_raw points_adjusted reason",
    "scores": "employee_id unit profile score_raw score_adjusted score_proposed grade_raw grade_adjusted "
    "grade_proposed se p_A p_B p_stay moved_by reason",
    "raters": "rater_id roles n_ratings n_employees component severity se lower upper discrimination halo drift "
    "verdict reason",
    "adjusted_ratings": "employee_id scorecard kpi rating_raw rating_adjusted se reason",
    "links": "component n_raters n_employees connectivity linked_by what_is_identified",
    "double_ratings": "rank rater_id employee_id variance_before variance_after",
    "weight_grades": "profile employee_id grade w_A w_B w_stay rank_best rank_worst rank_exact driver "
    "rank_best_bound rank_worst_bound score_mean score_sd score_min score_max score_exact driver_direction law",
    "weight_rank_bands": "profile employee_id band w_share law",
    "weight_importance": "profile kpi category weight_nominal importance importance_share stable_low stable_high "
    "share_at_cap",
    "distribution": "stage unit grade n share guideline_low guideline_high chance_low chance_high verdict reason",
    "discussion": "employee_id flag unit rank evidence priority",
    "pool": "step n cost budget balance currency",
    # the contract's, and further columns after them
    "restricted/fairness": "attribute group reference outcome stage n rate ratio ratio_low ratio_high difference "
    "p_exact flip_one smallest_detectable verdict q shortfall mh_ratio mh_low mh_high reason",
}

# Beyond the contract.
FURTHER = {
    "double_rating_requests": "rank scorecard kpi rater_id rater_name employee_id employee_name unit role rating blind",
    "rater_consistency": "rater_id infit outfit low high",
    "drift": "rater_id quarter severity se change z high low signal",
    "weight_categories": "profile category weight_nominal importance importance_share stable_low stable_high",
    "restricted/rater_groups": "rater_id attribute group reference n_group n_reference difference se shrunk p q reason",
}


@pytest.mark.parametrize("table", CONTRACT)
def test_a_table_has_the_contracts_columns_in_its_order(table):
    assert columns_of(table, ("A", "B")) == CONTRACT[table].split()


@pytest.mark.parametrize("table", FURTHER)
def test_a_table_beyond_the_contract_has_the_columns_that_are_written_here(table):
    assert columns_of(table) == FURTHER[table].split()


def test_no_table_is_missing():
    assert OUTPUTS.keys() == CONTRACT.keys() | FURTHER.keys()


def test_conform_sorts_by_key_and_drops_what_the_contract_does_not_name():
    links = pd.DataFrame({name: [2, 1] for name in columns_of("links")} | {"own": [0, 0]})
    assert conform(links, "links").component.tolist() == [1, 2]
    assert "own" not in conform(links, "links")


def test_stages_stand_in_the_order_of_events_not_of_the_alphabet():
    pool = pd.DataFrame({name: ["proposed", "raw", "adjusted"] for name in columns_of("pool")})
    assert conform(pool, "pool").step.tolist() == ["raw", "adjusted", "proposed"]


def test_the_ways_between_stages_follow_the_stages():
    stages = ["raw to adjusted", "adjusted", "adjusted to proposed", "raw"]
    rows = pd.DataFrame({name: ["x"] * 4 for name in columns_of("restricted/fairness")} | {"stage": stages})
    in_order = conform(rows, "restricted/fairness").stage.tolist()
    assert in_order == ["raw", "adjusted", "raw to adjusted", "adjusted to proposed"]


def test_a_repeated_key_is_refused():
    links = pd.DataFrame({name: [1, 1] for name in columns_of("links")})
    with pytest.raises(DataError, match="several rows for one component"):
        conform(links, "links")


def test_an_absent_column_is_named():
    with pytest.raises(DataError, match="connectivity"):
        conform(pd.DataFrame({"component": [1]}), "links")
