"""The sample quarter through every method: what must hold between the tables, and what is known of its truth."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from small_cycle import write_small

import perfmodel as pm
from perfmodel import report
from perfmodel.grades import cap_grades, grade_of
from perfmodel.scheme import Severity
from perfmodel.scoring import item_scores, rescore
from perfmodel.tables import OUTPUTS, columns_of

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_table_has_the_contracts_columns_unique_keys_and_rows(quarter, name):
    table, key = quarter.tables(name)[name], list(OUTPUTS[name][0])
    assert list(table) == columns_of(name, quarter.grades)
    assert len(table) and not table.duplicated(key).any()
    assert table.equals(table.reset_index(drop=True))


def test_everyone_who_comes_in_goes_out_once(quarter):
    counts = quarter.counts
    others = sum(counts["excluded"].values()) + sum(counts["waiting"].values())
    assert counts["in"] == 240 == counts["scored"] + others == len(quarter.scores)
    empty = quarter.scores[quarter.scores.score_raw.isna()]
    assert len(empty) == others and empty.reason.ne("").all()


def test_points_add_up_to_the_score(quarter):
    shares = quarter.day_shares.reindex(pd.MultiIndex.from_frame(quarter.kpi_scores[["employee_id", "scorecard"]]))
    totals = quarter.totals.set_index("employee_id")
    for step in ("raw", "adjusted"):
        points = (quarter.kpi_scores[f"points_{step}"] * shares.to_numpy()).groupby(quarter.kpi_scores.employee_id)
        whole = points.sum() + totals.bonus - totals.deduction
        apart = (whole - totals[f"score_{step}"])[totals.status.eq("scored")]
        assert len(apart) == 228 and apart.abs().max() < 1e-9


def test_chances_sum_to_one_and_the_stay_is_the_chance_of_the_proposed_grade(quarter):
    table = quarter.scores
    chances = table[[f"p_{g}" for g in quarter.grades]]
    known = table.p_stay.notna()
    assert chances[known].sum(axis=1).sub(1).abs().max() < 1e-9
    assert chances[~known].isna().all(axis=None)
    stay = [row[f"p_{row['grade_proposed']}"] for row in table[known].to_dict("records")]
    assert np.allclose(stay, table.p_stay[known])
    left = table.score_raw.notna() & ~known
    assert table.reason[left].str.contains("left alone").all() and left.sum() == 17


def test_shares_of_weights_sum_to_one_and_speak_of_the_proposed_grade(quarter):
    table = quarter.weight_grades
    assert table[[f"w_{g}" for g in quarter.grades]].sum(axis=1).sub(1).abs().max() < 1e-9
    grades = quarter.scores.set_index("employee_id").grade_proposed
    assert (table.grade == table.employee_id.map(grades)).all()
    # Everyone with a score is there, or named with the reason why not.
    scored = set(quarter.scores.employee_id[quarter.scores.score_raw.notna()])
    assert scored == set(table.employee_id) | set(quarter.not_simulated.employee_id)


def test_proposals_stay_within_the_limit_and_move_toward_the_adjusted_score(quarter):
    table = quarter.scores.dropna(subset="score_raw")
    moved, wanted = table.score_proposed - table.score_raw, table.score_adjusted - table.score_raw
    assert moved.abs().max() <= 5 + 1e-9 and (moved * wanted >= 0).all() and (moved.abs() <= wanted.abs() + 1e-9).all()
    assert (table.moved_by[moved.abs() < 1e-12] == "").all() and (table.moved_by[moved.abs() > 1e-9] != "").all()


def test_the_agenda_puts_lower_grades_first_then_pay_then_the_least_certain(quarter):
    table = quarter.discussion.merge(quarter.scores[["employee_id", "p_stay"]], on="employee_id")
    people = table.groupby(["unit", "employee_id"], as_index=False).agg(
        rank=("rank", "first"), ranks=("rank", "nunique"), priority=("priority", "min"), p=("p_stay", "first")
    )
    assert people.ranks.eq(1).all()
    for _, unit in people.sort_values(["unit", "rank"]).groupby("unit"):
        assert unit["rank"].tolist() == list(range(1, len(unit) + 1))
        order = list(zip(unit.priority, unit.p.fillna(0), unit.employee_id, strict=True))
        assert order == sorted(order)


def test_the_planted_severities_are_found(quarter):
    """Simulated: 30 raters, of whom those that share people with others are placed, the others left alone."""
    planted = pd.read_csv(DATA / "truth" / "2026Q3" / "raters.csv", dtype={"rater_id": str}).set_index("rater_id")
    found = quarter.raters.set_index("rater_id").join(planted[["severity"]].rename(columns={"severity": "planted"}))
    placed = found.dropna(subset="severity")
    placed = placed.assign(planted=placed.planted - placed.groupby("component").planted.transform("mean"))
    assert len(found) >= 30 and len(placed) >= 25
    assert placed.severity.corr(placed.planted) > 0.9
    covered = placed.planted.between(placed.lower, placed.upper).mean()
    # 90 % intervals, 28 raters: fewer than 21 inside has a chance of .6 % if the level holds.
    assert covered > 0.75
    assert found.reason[found.severity.isna()].ne("").all()


def test_every_quarter_shows_every_grade_and_mostly_b():
    for folder in sorted(DATA.glob("20*")):
        cycle = pm.read_cycle(folder)
        quarter = pm.assess(cycle, history=())
        grades = quarter.proposals.grade_proposed.replace("", np.nan).value_counts(normalize=True)
        assert set(grades.index) == set("SABCD"), folder.name
        assert grades.idxmax() == "B" and grades["B"] > 0.4, folder.name


def test_the_chances_of_grades_hold_in_seven_quarters_of_known_truth():
    """Simulated: the grade that the deserved ratings give, by the same rules, against P of the proposed grade."""
    said, hits, apart, before = [], [], [], []
    for folder in sorted(DATA.glob("20*")):
        quarter = pm.assess(pm.read_cycle(folder), history=())
        truth = pd.read_csv(DATA / "truth" / folder.name / "ratings.csv", dtype={"employee_id": str, "scorecard": str})
        key = ["employee_id", "scorecard", "kpi"]
        index = quarter.severity.adjusted_ratings[key]
        deserved = index.merge(truth.fillna({"scorecard": ""}), how="left", on=key)["rating_deserved"]
        (found,) = rescore(quarter.cycle, quarter.items, quarter.totals, deserved.to_numpy()[None, :], index)
        scores = pd.Series(found, quarter.totals.employee_id)
        cuts, caps = quarter.cycle.scheme.cuts, quarter.totals.set_index("employee_id").cap
        grades = pd.Series(cap_grades(grade_of(scores, cuts), caps.reindex(scores.index), cuts), scores.index)
        table = quarter.scores.set_index("employee_id").assign(truth=grades, deserved=scores)
        table = table[table.p_stay.notna() & table.deserved.notna()]
        said += table.p_stay.tolist()
        hits += (table.grade_proposed == table.truth).tolist()
        apart += ((table.score_adjusted - table.deserved) / table.se).tolist()
        before += ((table.score_raw - table.deserved) / table.se).tolist()
    # 1,507 people, sharing raters: with twice the binomial standard error of .007 for that, three are .045.
    assert len(hits) > 1400 and np.mean(hits) == pytest.approx(np.mean(said), abs=0.045)
    close = np.array(said) < 0.7
    assert np.mean(np.array(hits)[close]) == pytest.approx(np.mean(np.array(said)[close]), abs=0.12)  # 161 people
    # The standard error is what the error is: a ratio of 1.2 would leave 17 % outside 90 % intervals instead of 10.
    assert np.std(apart) == pytest.approx(1, abs=0.2) and np.std(apart) < np.std(before)


def test_the_same_input_gives_the_same_tables_and_another_seed_only_moves_what_is_drawn(quarter):
    first = quarter
    second, other = (pm.assess(DATA / "2026Q3", seed=seed) for seed in (1, 2))
    for name in ("scores", "weight_grades", "discussion"):
        assert getattr(first, name).to_csv() == getattr(second, name).to_csv()
    fixed = ["score_raw", "score_adjusted", "score_proposed", "grade_proposed"]
    assert first.scores[fixed].equals(other.scores[fixed]) and not first.scores.p_stay.equals(other.scores.p_stay)
    # 4,000 draws: a standard error of at most .008 each, so .05 apart would be more than four of the difference.
    assert (first.scores.p_stay - other.scores.p_stay).abs().max() < 0.05


def test_history_feeds_the_list_and_corrects_no_score(quarter):
    cycle = pm.read_cycle(DATA / "2026Q3")
    alone, after = pm.assess(cycle, history=()), quarter
    assert [c.id for c in after.history] == ["2026Q1", "2026Q2"]
    assert alone.scores.equals(after.scores)
    assert not alone.discussion.flag.isin(["repeated_low", "two_level_jump"]).any()
    assert after.discussion.flag.isin(["repeated_low"]).any()


def test_an_earlier_quarter_that_cannot_be_read_is_named_among_the_findings(tmp_path):
    write_small(tmp_path / "2026Q2", "2026Q2")
    (tmp_path / "2026Q2" / "results.csv").write_text("nothing here")
    quarter = pm.assess(write_small(tmp_path / "2026Q3"))
    assert not len(quarter.history) and [f.level for f in quarter.findings] == ["warning"]
    assert "2026Q2" in quarter.findings[0].file + quarter.findings[0].message


# --- Raters -------------------------------------------------------------------------------------------------------


def of_scheme(quarter, **changed):
    """The same quarter under a scheme with another entry."""
    cycle = quarter.cycle
    return pm.Assessment(replace(cycle, scheme=replace(cycle.scheme, **changed)), quarter.seed)


def test_the_link_that_a_scheme_names_stands_beside_every_number_that_rests_on_it(quarter):
    linked = of_scheme(quarter, severity=Severity("kpi", ("sales_attainment", "new_customers")))
    raters = linked.raters
    assert raters.severity.notna().all() and raters.reason.str.contains("only as their KPI says").all()
    assert linked.links.what_is_identified.str.contains("KPI").all()
    given = linked.adjusted_ratings
    assert given.loc[given.se.notna(), "reason"].str.contains("KPI").all()
    moved = linked.scores[linked.scores.score_adjusted.ne(linked.scores.score_raw) & linked.scores.score_raw.notna()]
    assert len(moved) > 200 and moved.reason.str.contains("KPI").all()
    assert moved.moved_by[moved.moved_by.ne("")].str.contains("KPI").all()


def test_grades_are_shown_over_the_interval_of_the_slope_between_teams(quarter):
    linked = of_scheme(quarter, severity=Severity("kpi", ("sales_attainment", "new_customers")))
    rows = linked.link_grades.set_index("employee_id")
    # By hand: one person's ratings with the severities at one end, scored by the scheme's rules.
    ends = linked.severity.link_range
    fit, low = linked.severity, linked.severity.link_ratings("low")
    apart = low.rating_adjusted - fit.adjusted_ratings.rating_adjusted
    assert apart.abs().max() == pytest.approx((ends.low - ends.used).abs().max(), abs=0.2) and apart.abs().max() > 0.01
    scores = rescore(linked.cycle, linked.items, linked.totals, low[["rating_adjusted"]].to_numpy().T,
                     low[["employee_id", "scorecard", "kpi"]])[0]  # fmt: skip
    by_hand = pd.Series(scores, linked.totals.employee_id).reindex(rows.index)
    assert rows.score_low.to_numpy() == pytest.approx(by_hand.to_numpy())
    hangs = report.link_grades_table(linked)
    assert 0 < len(hangs) < len(rows)
    assert report.link_grades_finding(linked).startswith(f"{len(hangs)} of {len(rows)} adjusted grades hang")
    # Without the link nothing rests on it.
    assert quarter.link_grades.empty and report.link_grades_table(quarter).empty
    assert "No grade rests on a KPI" in report.link_grades_finding(quarter)


def test_the_note_on_self_ratings_states_their_offset(quarter):
    found = quarter.severity.self_offset
    rows = quarter.cycle.ratings
    own = rows[rows.role.eq("self")].merge(quarter.adjusted_ratings, on=["employee_id", "scorecard", "kpi"])
    apart = (own.rating - own.rating_adjusted).groupby(own.employee_id).mean()
    # The plain difference of means, which does not share what is known of one person with the others, is near.
    assert found.estimate == pytest.approx(apart.mean(), abs=3 * found.se) and 0 < found.n <= len(apart)
    assert f"{found.n} people rate themselves on average {found.estimate:.2f} points above" in report.self_rating_note(
        quarter
    )


def test_the_note_beside_the_advice_says_why_no_more_is_advised(quarter):
    assert report.double_rating_note(quarter).startswith("10 further ratings are advised, the one")
    seen = {**quarter.cycle.tables, "ratings": quarter.cycle.ratings.assign(blind=False)}
    alone = replace(quarter.cycle, tables=MappingProxyType(seen))
    note = report.double_rating_note(pm.Assessment(alone, quarter.seed))
    assert note.startswith("No further rating is advised: no rating that tells anything")


def test_everybody_who_is_compared_under_a_named_assumption_has_chances_and_an_error(quarter):
    teams = of_scheme(quarter, severity=Severity("equal_teams"))
    scored = teams.scores[teams.scores.score_raw.notna()]
    assert teams.severity.raters.severity.notna().all()  # so nobody's rating is left alone
    assert len(scored) == 228 and scored[["se", "p_stay", "p_B"]].notna().all(axis=None)


def test_the_anchor_is_the_mean_attainment_on_the_items_that_the_scheme_names(quarter):
    names = ["sales_attainment", "gross_margin"]
    one = of_scheme(quarter, severity=Severity("kpi", tuple(names))).anchor
    rows = item_scores(quarter.cycle)
    who = one.dropna().index[5]
    expected = rows[rows.employee_id.eq(who) & rows.item.isin(names)].attainment.mean()
    assert one[who] == pytest.approx(expected) and quarter.anchor is None


def test_drift_compares_with_the_earlier_quarters_and_the_table_of_raters_repeats_it(quarter):
    moves = quarter.drift
    assert set(moves.quarter) == {"2026Q1", "2026Q2", "2026Q3"}
    now = moves[moves.quarter == "2026Q3"].set_index("rater_id").change
    drifts = quarter.raters.set_index("rater_id").drift
    assert drifts.dropna().equals(now.reindex(drifts.dropna().index).rename("drift"))
    assert drifts.notna().sum() > 10
    alone = pm.Assessment(quarter.cycle, quarter.seed)
    assert alone.raters.drift.isna().all() and alone.raters.reason.str.contains("needs earlier quarters").all()


def test_requests_for_second_ratings_are_rows_of_the_ratings_table_still_to_be_filled_in(quarter):
    rows, advice = quarter.double_rating_requests, quarter.double_ratings
    pairs = rows.drop_duplicates("rank").set_index("rank")[["rater_id", "employee_id"]]
    assert pairs.equals(advice.set_index("rank")[["rater_id", "employee_id"]])
    assert rows.rating.eq("").all() and rows.blind.eq("yes").all()
    assert set(rows.role) <= set(quarter.cycle.scheme.role_weights)
    rated = {i.id for i in quarter.cycle.scheme.items if i.kind == "rated"}
    assert set(rows.kpi) <= rated and rows.employee_name.ne("").all()


def test_differences_between_groups_are_restricted_and_small_ones_not_shown(quarter):
    table = quarter.tables("restricted/rater_groups")["restricted/rater_groups"]
    hidden = table[table.difference.isna()]
    assert hidden[["n_group", "n_reference", "p", "q"]].isna().all(axis=None) and hidden.reason.ne("").all()
    shown = table[table.difference.notna()]
    assert (shown[["n_group", "n_reference"]] >= 5).all(axis=None)


def test_nothing_is_sent_for_of_people_whom_it_would_not_score(quarter):
    awaited = set(quarter.totals.employee_id[quarter.totals.status.eq("late")])
    assert set(quarter.chase.employee_id) == awaited and len(awaited) == quarter.counts["waiting"]["late"]
    late = quarter.items[quarter.items.status.eq("late")]
    away = quarter.totals.assign(status="excluded")  # as if nobody were to be scored
    other = replace(quarter)
    other.__dict__.update(items=quarter.items, totals=away)
    assert len(late) and other.chase.empty and other.status == "DRAFT"
