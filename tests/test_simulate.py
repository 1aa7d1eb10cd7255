"""The sample is what it claims: reproducible, whole, and with the planted structure in it."""

import io
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel.errors import DataError
from perfmodel.examples import INSTEVAL_SCHEME
from perfmodel.io import check
from perfmodel.scheme import read_scheme
from perfmodel.simulate import sample_files, simulate_quarters, simulate_ratings
from perfmodel.simulate.organisation import quarter_days, quarter_name, quarter_number
from perfmodel.simulate.ratings import rating_given
from perfmodel.tables import INPUTS

DATA = Path(__file__).parent.parent / "data"
DEFAULT = files("perfmodel").joinpath("default_scheme.yaml").read_text(encoding="utf-8")
SCHEME, _ = read_scheme(DEFAULT, "scheme.yaml")
QUARTERS = ("2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1", "2026Q2", "2026Q3")


@pytest.fixture(scope="module")
def quarters():
    return simulate_quarters(SCHEME)


@pytest.fixture(scope="module")
def made():
    return sample_files()


@pytest.fixture(scope="module")
def read():
    """Cycle and findings of every shipped quarter."""
    return {name: check(DATA / name) for name in QUARTERS}


@pytest.fixture(scope="module")
def newest(quarters):
    return quarters[-1].tables


def _components(ratings):
    """Raters that can be compared: joined by employees rated in common, self ratings and seen ones aside."""
    edges = ratings[(ratings["role"] != "self") & ratings["blind"]][["rater_id", "employee_id"]].drop_duplicates()
    label = {rater: rater for rater in edges["rater_id"]}

    def root(rater):
        while label[rater] != rater:
            rater = label[rater]
        return rater

    for _, together in edges.groupby("employee_id")["rater_id"]:
        for other in together[1:]:
            label[root(other)] = root(together.iloc[0])
    return pd.Series({rater: root(rater) for rater in label})


# The shipped files


def test_the_shipped_sample_is_regenerated_byte_for_byte(made):
    shipped = {p.relative_to(DATA).as_posix(): p.read_bytes() for p in DATA.rglob("*") if p.is_file()}
    assert sorted(made) == sorted(shipped)
    assert [path for path in made if made[path] != shipped[path]] == []


def test_the_shipped_sample_is_small_and_says_that_it_is_simulated():
    made = sample_files(40, 1)
    assert sum(p.stat().st_size for p in DATA.rglob("*") if p.is_file()) < 5_000_000
    assert made["README.md"].decode().startswith("# Sample quarters, simulated")
    assert read_scheme(made["2026Q3/scheme.yaml"].decode(), "scheme.yaml")[0].simulated


def test_every_shipped_quarter_is_read_without_an_error(read):
    for name, (cycle, findings) in read.items():
        assert [str(f) for f in findings if f.level == "error"] == []
        assert cycle is not None
        assert cycle.simulated
        assert (cycle.id, cycle.scheme.start, cycle.scheme.end) == (name, *quarter_days(quarter_number(name)))


def test_only_the_newest_quarter_owes_anything(quarters, read):
    late = {q.id: int((q.tables["results"]["status"] == "late").sum()) for q in quarters}
    assert {name: n for name, n in late.items() if n} == {"2026Q3": 3}
    for name, (_, findings) in read.items():
        owed = sorted(f.code for f in findings if f.level == "warning")
        assert owed == (["rating-missing", "target-unapproved"] if name == "2026Q3" else [])


def test_year_to_date_figures_are_the_sums_of_the_quarters(quarters, made):
    read = {"employee_id": str, "scorecard": str}
    running = 0
    for quarter in quarters[4:]:  # 2026
        table = pd.read_csv(io.BytesIO(made[f"{quarter.id}/results.csv"]), dtype=read)
        ytd = table[table["basis"] == "ytd"].set_index("employee_id")["actual"]
        plain = quarter.tables["results"].query("kpi == 'new_customers' and scorecard == ''").set_index("employee_id")
        running = plain["actual"] + running
        assert len(ytd) >= 8
        pd.testing.assert_series_equal(ytd, running[ytd.index], check_names=False)


def test_a_year_that_the_sample_does_not_hold_from_january_has_no_year_to_date_figures():
    assert b"ytd" not in sample_files(60, 2)["2026Q3/results.csv"]


# Streams: what does not depend on what


def test_a_quarter_does_not_change_when_more_are_asked_for(quarters):
    alone = simulate_quarters(SCHEME, quarters=1)[0]
    for part in ("tables", "truth"):
        for name, frame in getattr(alone, part).items():
            pd.testing.assert_frame_equal(frame, getattr(quarters[-1], part)[name])


def test_another_seed_gives_other_people():
    one, other = sample_files(40, 1, seed=1), sample_files(40, 1, seed=2)
    assert one["2026Q3/ratings.csv"] != other["2026Q3/ratings.csv"]


def test_people_stay_the_same_from_quarter_to_quarter(quarters):
    before, after = (q.tables["employees"].set_index("employee_id") for q in quarters[-2:])
    both = before.index.intersection(after.index)
    assert 0.9 * len(before) < len(both) < len(before)
    pd.testing.assert_frame_equal(before.loc[both, ["name", "hire_date"]], after.loc[both, ["name", "hire_date"]])


@given(number=st.integers(2014 * 4, 2100 * 4))
def test_quarters_follow_each_other_without_a_gap(number):
    assert quarter_number(quarter_name(number)) == number
    assert (quarter_days(number + 1)[0] - quarter_days(number)[1]).days == 1


# The organisation


def test_the_organisation_has_240_people_in_12_units_and_30_raters(quarters):
    for quarter in quarters:
        employees, ratings = quarter.tables["employees"], quarter.tables["ratings"]
        raters = set(ratings.loc[ratings["role"] != "self", "rater_id"])
        assert (len(employees), employees["unit"].nunique(), len(raters)) == (240, 12, 30)
        assert len(raters - set(employees["employee_id"])) == 7
        assert employees["profile"].nunique() == 3


def test_keys_are_unique_and_everybody_is_known(quarters):
    for quarter in quarters:
        known = set(quarter.tables["employees"]["employee_id"])
        for name, frame in quarter.tables.items():
            assert not frame.duplicated([k for k in INPUTS[name].key if k in frame]).any(), (quarter.id, name)
            assert set(frame["employee_id"]) <= known


def test_every_chain_of_managers_ends_outside(newest):
    boss = newest["employees"].set_index("employee_id")["manager_id"]
    for person in boss.index:
        for _ in range(4):
            person = boss.get(person, "")
        assert person == ""


def test_names_are_invented_from_syllables(newest):
    from perfmodel.simulate.records import ENDINGS, FAMILY

    words = {a + b for a in FAMILY for b in ENDINGS}
    assert {word for name in newest["employees"]["name"] for word in name.split()} <= words


def test_a_quarter_holds_everything_that_happens_in_one(quarters):
    for quarter in quarters:
        tables = quarter.tables
        assert set(tables["events"]["kind"]) == {"gate", "bonus", "deduction"}
        assert set(tables["employees"]["status"]) == {"active", "leave", "left"}
        assert {"final", "not_due", "not_applicable"} <= set(tables["results"]["status"])
        assert (tables["assignments"].groupby("employee_id").size() == 2).all()
        assert len(tables["assignments"]) > 0
        hired = tables["employees"]["hire_date"]
        assert 2 <= (hired >= np.datetime64(quarter.start)).sum() <= 20
        assert tables["results"]["target_original"].notna().sum() >= 3
        assert tables["results"]["threshold"].notna().sum() >= 1
        comments = tables["ratings"].query("role == 'manager' and kpi == 'overall'")["comment"]
        assert 0.01 < (comments == "").mean() < 0.15
    assert any((q.tables["employees"]["hire_date"] > np.datetime64(q.end) - 30).any() for q in quarters)


def test_two_scorecards_cover_the_quarter_without_gap_or_overlap(quarters):
    for quarter in quarters:
        for _, cards in quarter.tables["assignments"].groupby("employee_id"):
            assert cards["from"].iloc[0] == np.datetime64(quarter.start)
            assert cards["from"].iloc[1] - cards["to"].iloc[0] == pd.Timedelta(days=1)
            assert cards["to"].iloc[1] == np.datetime64(quarter.end)


def test_a_leaders_sales_are_the_sum_of_the_reports(newest):
    sales = newest["results"].query("kpi == 'sales_attainment'")
    boss = newest["employees"].set_index("employee_id")["manager_id"]
    moved = newest["assignments"].set_index(["employee_id", "scorecard"])["manager_id"]
    own = [moved.get((e, c), boss[e]) for e, c in zip(sales["employee_id"], sales["scorecard"], strict=True)]
    summed = sales.groupby(np.array(own, dtype=object))["actual"].sum()
    leaders = sales.query("scorecard == ''").set_index("employee_id")["actual"].reindex(summed.index).dropna()
    assert len(leaders) == 23  # 12 heads and, but for the unit of one rater, a lead each
    assert (leaders == summed[leaders.index]).all()


# Figures


def test_revenue_has_its_season_and_quarters_differ_by_more_than_growth(quarters):
    target = pd.Series(
        {
            q.id: q.tables["results"].query("kpi == 'sales_attainment' and scorecard == ''")["target"].median()
            for q in quarters
        }
    )
    assert target["2025Q4"] > 1.15 * target["2025Q3"] > 1.15 * target["2025Q1"]
    assert target["2026Q1"] < 0.8 * target["2025Q4"]


def test_figures_are_correlated_and_some_reach_the_cap(quarters):
    rows = pd.concat([q.tables["results"].assign(quarter=q.id) for q in quarters])
    rows = rows[rows["status"].eq("final")].assign(attainment=lambda t: t["actual"] / t["target"])
    wide = rows.pivot_table(index=["quarter", "employee_id"], columns="kpi", values="attainment")
    r = wide.corr()
    assert r.loc["sales_attainment", "team_attainment"] > 0.35
    assert 0.15 < r.loc["sales_attainment", "market_penetration"] < 0.7
    assert r.loc["sales_attainment", "forecast_accuracy"] < -0.1  # an error: lower is better
    assert r.loc["sales_attainment", "gross_margin"] < r.loc["sales_attainment", "market_penetration"]  # discounts
    # At the slope beyond the stretch (15 points a tenth) 120 points are reached at 130 % of target.
    assert 0.002 < (wide["sales_attainment"] >= 1.30).mean() < 0.05


def test_a_market_shock_moves_a_whole_unit():
    calm = simulate_quarters(SCHEME, 2000, 1, market_sd=0.0)[0]
    moved = simulate_quarters(SCHEME, 2000, 1, market_sd=1.0)[0]

    def means(quarter):
        sales = quarter.tables["results"].query("kpi == 'sales_attainment' and scorecard == ''")
        unit = quarter.tables["employees"].set_index("employee_id")["unit"]
        attained = (sales["actual"] / sales["target"]).to_numpy()
        return pd.Series(attained).groupby(sales["employee_id"].map(unit).to_numpy()).mean()

    shock = moved.truth["units"].set_index("unit")["market"]
    assert (means(moved) - means(calm)).corr(shock) > 0.9


# Ratings and truth


def test_ratings_lie_on_the_steps_of_the_scale(quarters):
    for quarter in quarters:
        assert set(quarter.tables["ratings"]["rating"]) <= set(np.arange(1, 5.5, 0.5))


def test_linked_raters_form_one_group_but_for_the_unit_of_one_rater(quarters):
    for quarter in quarters:
        groups = _components(quarter.tables["ratings"]).value_counts()
        assert groups.iloc[0] >= 26
        boss = quarter.tables["employees"].query("unit == 'U11-Katsura'")["manager_id"].value_counts()
        alone = boss.index[0]
        assert (_components(quarter.tables["ratings"]) == alone).sum() == 1


def test_in_a_nested_organisation_no_two_raters_share_an_employee():
    quarter = simulate_quarters(SCHEME, 240, 1, design="nested")[0]
    assert _components(quarter.tables["ratings"]).value_counts().max() == 1
    assert len(quarter.tables["assignments"]) == 0


def test_truth_speaks_of_the_same_people_as_the_tables(quarters):
    for quarter in quarters:
        tables, truth = quarter.tables, quarter.truth
        ratings = tables["ratings"]
        by_others = ratings[ratings["role"] != "self"]
        assert set(truth["employees"]["employee_id"]) == set(tables["employees"]["employee_id"])
        assert set(truth["raters"]["rater_id"]) == set(by_others["rater_id"])
        assert set(truth["units"]["unit"]) == set(tables["employees"]["unit"])
        key = ["rater_id", "employee_id"]
        pairs = by_others[key].drop_duplicates().sort_values(key, ignore_index=True)
        pd.testing.assert_frame_equal(truth["halo"][key], pairs)


def test_the_planted_severity_and_halo_explain_the_ratings(quarters):
    # What is left is the residual (.30), scale use (.12 x .6 = .07) and rounding to half points (.5 / sqrt(12) = .14),
    # the ends of the scale aside: sqrt(.30^2 + .07^2 + .14^2) = .34.
    quarter = quarters[-1]
    rows = quarter.tables["ratings"].query("role != 'self' and kpi != 'overall'")
    rows = rows.merge(quarter.truth["ratings"], on=["employee_id", "scorecard", "kpi"])
    rows = rows.merge(quarter.truth["raters"], on="rater_id").merge(
        quarter.truth["halo"], on=["rater_id", "employee_id"]
    )
    rows = rows[rows["rating"].between(1.5, 4.5)]
    left = rows["rating"] - (rows["rating_deserved"] - rows["severity"] + rows["halo"])
    assert left.std() == pytest.approx(0.34, abs=0.03)
    assert left.mean() == pytest.approx(0, abs=0.05)


def test_two_superiors_agree_as_far_as_studies_find():
    # Supervisors agree about .52-.65 (METHODS 9); with severity still in. 1,000 pairs: standard error about .02.
    quarter = simulate_quarters(SCHEME, 6000, 1)[0]
    rows = quarter.tables["ratings"].query("role in ['manager', 'second'] and kpi != 'overall' and scorecard == ''")
    means = rows.pivot_table(index="employee_id", columns="role", values="rating").dropna()
    assert len(means) > 500
    assert 0.48 < means.corr().iloc[0, 1] < 0.68


def test_self_ratings_are_kinder(newest):
    means = newest["ratings"].groupby("role")["rating"].mean()
    assert 0.15 < means["self"] - means["manager"] < 0.6


def test_severity_drifts_and_yet_lasts(quarters):
    first, last = (q.truth["raters"].set_index("rater_id")["severity"] for q in (quarters[0], quarters[-1]))
    both = first.index.intersection(last.index)
    assert first[both].corr(last[both]) > 0.8
    assert (first[both] != last[both]).all()


def test_groups_are_drawn_apart_from_ability():
    quarter = simulate_quarters(SCHEME, 6000, 1)[0]
    gender = quarter.tables["groups"].query("attribute == 'gender'").set_index("employee_id")["value"]
    ability = quarter.truth["employees"].set_index("employee_id")["ability"]
    gap = ability[gender[gender == "f"].index].mean() - ability[gender[gender == "m"].index].mean()
    assert abs(gap) < 4 * np.sqrt(1 / 2520 + 1 / 3480)  # 4 standard errors


# Studies


@given(
    design=st.sampled_from(["nested", "linked", "crossed"]),
    raters=st.integers(2, 8),
    per_rater=st.integers(1, 6),
    kpis=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=25, deadline=None)
def test_every_design_gives_unique_ratings_whose_truth_is_known(design, raters, per_rater, kpis, seed):
    ratings, truth = simulate_ratings(
        design, n_raters=raters, n_employees=raters * per_rater, n_kpis=kpis, seed=seed, scale=(1, 5, 0.5)
    )
    assert not ratings.duplicated(["rater_id", "employee_id", "kpi", "role"]).any()
    assert set(ratings["employee_id"]) == set(truth["employees"]["employee_id"])
    assert set(ratings["rater_id"]) == set(truth["raters"]["rater_id"])
    assert ratings["rating"].between(1, 5).all()


def test_without_noise_a_rating_is_merit_less_severity():
    still = {"halo_sd": 0, "residual_sd": 0}
    ratings, truth = simulate_ratings("linked", n_raters=5, n_employees=40, n_kpis=2, seed=3, **still)
    rows = ratings.merge(truth["employees"]).merge(truth["raters"])
    np.testing.assert_allclose(rows["rating"], rows["merit"] - rows["severity"])


def test_a_rating_is_put_on_the_nearest_step_within_the_scale():
    # 3 + 1 x (4.2 - 3) - .5 + .1 - .1 = 3.7 -> 3.5; 9 lies above the scale -> 5.
    parts = {"severity": 0.5, "halo": 0.1, "residual": -0.1, "scale": (1, 5, 0.5)}
    assert rating_given(4.2, **parts) == 3.5
    assert rating_given(9.0, **parts) == 5.0


def test_planted_standard_deviations_are_those_asked_for():
    _, truth = simulate_ratings("nested", n_raters=4000, n_employees=40_000, n_kpis=1, severity_sd=0.35, seed=1)
    assert truth["raters"]["severity"].std() == pytest.approx(0.35, rel=4 / np.sqrt(2 * 4000))  # 4 standard errors
    assert truth["halo"]["halo"].std() == pytest.approx(0.33, rel=4 / np.sqrt(2 * 40_000))


def test_drift_begins_at_the_severity_of_the_first_quarter():
    ratings, truth = simulate_ratings("linked", n_raters=6, n_employees=30, quarters=4, drift_sd=0.2, seed=2)
    still = simulate_ratings("linked", n_raters=6, n_employees=30, drift_sd=0.0, seed=2)[1]["raters"]
    first = truth["raters"].query("quarter == 1").reset_index(drop=True)
    pd.testing.assert_series_equal(first["severity"], still["severity"])
    assert sorted(set(ratings["quarter"])) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"design": "ring"}, "nested, linked, crossed"),
        ({"design": "linked", "n_raters": 1}, "two raters"),
        ({"n_raters": 9, "n_employees": 8}, "needs an employee"),
        ({"double": 1.5}, "0 to 1"),
    ],
)
def test_an_impossible_study_is_refused(wrong, says):
    with pytest.raises(DataError, match=says):
        simulate_ratings(**wrong)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"design": "crossed"}, "nested or linked"),
        ({"employees": 3}, "10 or more"),
        ({"quarters": 0}, "one quarter or more"),
        ({"last": "2026-3"}, "2026Q3"),
        ({"last": "1999Q1"}, "begins later"),
    ],
)
def test_an_impossible_sample_is_refused(wrong, says):
    with pytest.raises(DataError, match=says):
        sample_files(**wrong)


def test_a_scheme_of_ones_own_is_followed(tmp_path):
    # Ratings alone, one role, whole steps, no gate: nothing of the shipped scheme is taken for granted.
    text = INSTEVAL_SCHEME.replace("id: student", "id: manager")
    for path, content in sample_files(60, 1, scheme_text=text).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    cycle, findings = check(tmp_path / "2026Q3")
    assert [str(f) for f in findings if f.level == "error"] == []
    assert set(cycle.ratings["role"]) == {"manager"}
    assert set(cycle.ratings["kpi"]) == {"teaching", "overall"}


def test_a_scheme_without_the_role_manager_is_refused():
    with pytest.raises(DataError, match="role manager"):
        sample_files(60, 1, scheme_text=INSTEVAL_SCHEME)


@pytest.mark.parametrize("design", ["nested", "linked"])
@pytest.mark.parametrize("employees", [10, 12, 40, 79])
def test_samples_of_any_size_are_read_without_an_error(tmp_path, employees, design):
    for path, content in sample_files(employees, 2, seed=5, design=design).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    for name in ("2026Q2", "2026Q3"):
        cycle, findings = check(tmp_path / name)
        assert [str(f) for f in findings if f.level == "error"] == []
        assert len(cycle.employees) == employees
