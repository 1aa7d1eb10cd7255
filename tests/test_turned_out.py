"""How earlier decisions turned out: an effect planted is found, a market is none, and few people are too few."""

import shutil
from datetime import date

import numpy as np
import pandas as pd
import pytest
from committee_sample import Quarter
from small_cycle import write_small

from perfmodel import committee
from perfmodel.committee.state import State
from perfmodel.committee.turned_out import follow, measured_scores, turned_out, turned_out_parts
from perfmodel.ledger import open_ledger


def made(n=240, *, up=0.0, down=0.0, units=12, market=0.0, seed=1, moved=0.15):
    """People whose next figures are 70 + .6 (proposed - 75) + 4 e + what is planted on those moved up or down."""
    rng = np.random.default_rng(seed)
    score = 75 + 6 * rng.standard_normal(n)
    unit = np.arange(n) % units
    step = rng.choice([1, 0, -1], n, p=[moved, 1 - 2 * moved, moved])
    shock = market * rng.standard_normal(units)
    # Where the market was good, the committee moved people up: the trap.
    step = np.where((market > 0) & (shock[unit] > market) & (rng.random(n) < 0.5), 1, step)
    after = 70 + 0.6 * (score - 75) + 4 * rng.standard_normal(n) + shock[unit] + up * (step > 0) + down * (step < 0)
    return pd.DataFrame({
        "quarter": "2026Q2", "next": "2026Q3", "employee_id": [f"e{i}" for i in range(n)],
        "unit": [f"U{u}" for u in unit], "profile": np.where(np.arange(n) % 3, "p", "q"), "step": step,
        "score_proposed": score, "kpi_next": after,
    })  # fmt: skip


def of(table, move):
    return table.set_index("move").loc[move]


def test_a_planted_difference_is_found_beside_people_of_the_same_proposed_score():
    table = turned_out(made(up=3.0, down=-3.0))
    up, down = of(table, "moved up"), of(table, "moved down")
    # About 36 moved each way of 240: a standard error of about 4 / sqrt(36) = .7 points.
    assert up.difference == pytest.approx(3, abs=2.1) and up.verdict == "higher" and up.lower > 0
    assert down.difference == pytest.approx(-3, abs=2.1) and down.verdict == "lower"
    assert of(table, "left as proposed").verdict == "" and table.n.sum() == 240


def test_intervals_hold_nothing_where_nothing_was_planted_about_nine_times_in_ten():
    held = [of(turned_out(made(seed=seed)), "moved up") for seed in range(200)]
    covered = sum(row.lower < 0 < row.upper for row in held)
    assert abs(covered - 180) < 3 * 4.2  # binomial standard error of 200 trials at .9


def test_a_market_that_a_unit_shares_makes_no_difference():
    found = [of(turned_out(made(market=6.0, seed=seed)), "moved up").difference for seed in range(20)]
    assert np.mean(found) == pytest.approx(0, abs=0.6)  # 20 means of error .7 each: .16
    assert np.mean([_plain(made(market=6.0, seed=seed)) for seed in range(20)]) > 2  # what plain means would say


def test_a_person_seen_in_three_quarters_is_one_person():
    rows = made()
    once, thrice = (of(turned_out(t), "moved up") for t in (rows, pd.concat([rows.assign(quarter=q) for q in "abc"])))
    assert thrice.difference == pytest.approx(once.difference)
    assert thrice.upper - thrice.lower == pytest.approx(once.upper - once.lower, rel=0.05)


def _plain(rows):
    return rows.kpi_next[rows.step.gt(0)].mean() - rows.kpi_next[rows.step.eq(0)].mean()


def test_under_ten_people_nothing_is_told_and_the_words_say_how_many_there_were():
    rows = made()
    few = rows.assign(step=np.where(rows.step.gt(0) & (rows.step.gt(0).cumsum() > 7), 0, rows.step))
    row = of(turned_out(few), "moved up")
    assert row.n == 7 and row.reason == "7 people with figures in the next quarter: too few to tell, 10 are needed"
    assert np.isnan([row.kpi_next, row.difference, row.lower, row.upper]).all() and row.verdict == ""


def test_people_who_have_no_next_figures_are_counted_and_not_compared():
    rows = made(up=3.0)
    gone = rows.assign(kpi_next=rows.kpi_next.where(rows.index % 2 == 0))
    row = of(turned_out(gone), "moved up")
    assert row.n == rows.step.gt(0).sum() and row.n_known == (rows.step.gt(0) & (rows.index % 2 == 0)).sum()


def test_where_all_of_a_unit_were_moved_there_is_nobody_to_compare_with():
    rows = made(120, units=6)
    apart = rows.assign(step=np.where(rows.unit.isin(["U0", "U1"]), 1, 0))
    assert of(turned_out(apart), "moved up").reason.startswith("too few people left as proposed beside them")


def test_measured_scores_are_the_weighted_points_of_measured_kpis_on_one_scorecard():
    rows = pd.DataFrame(
        [("a", "", "measured", 80.0, 30.0), ("a", "", "measured", 60.0, 10.0), ("a", "", "rated", 0.0, 60.0),
         ("b", "1", "measured", 90.0, 50.0), ("c", "", "measured", np.nan, 50.0)],
        columns=["employee_id", "scorecard", "kind", "score_raw", "weight"],
    )  # fmt: skip
    assert measured_scores(rows).to_dict() == {"a": (80 * 30 + 60 * 10) / 40}


# --- On disk ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """2026Q2 final with one change, and a run of 2026Q3 on the same ledger."""
    folder = tmp_path_factory.mktemp("two")
    typed = {"reason": "as the figures say", "proposer": "P", "authoriser": "Chair"}
    for name in ("2026Q2", "2026Q3"):
        write_small(folder / name, name)
    before, now = (Quarter(folder, folder / name) for name in ("2026Q2", "2026Q3"))
    before.out, now.out = folder / "reports" / "2026Q2", folder / "reports" / "2026Q3"
    before.run()
    now.run()
    case, book = committee.open_case(before.cycle, before.out), open_ledger(before.ledger)
    committee.freeze(book, case.cycle, "data", by="HR")
    committee.decide(book, case, [committee.Choice(who, **typed) for who in case.roll.scored if who != "001"])
    committee.decide(book, case, [committee.Choice("001", "A", code="R3", **typed)])
    return before, now, case, book


def test_decisions_are_followed_from_a_final_quarter_into_the_next_one_alone(two):
    _before, now, case, book = two
    after = committee.open_case(now.cycle, now.out)
    assert follow(book.entries(), after).pairs == (), "not final: nothing to follow"
    assert "is final in the ledger" in str(turned_out_parts(follow(book.entries(), after))[0].body())
    committee.finalize(book, case, ["HR", "Chair"])
    found = follow(book.entries(), after)
    assert found.pairs == (("2026Q2", "2026Q3"),) and found.lost == ()
    rows = found.rows.set_index("employee_id")
    assert len(rows) == 7 and rows.step["001"] == 1 and rows.step.drop("001").eq(0).all()
    assert np.isnan(rows.kpi_next["004"]) and rows.kpi_next.drop("004").notna().all()  # 004: two scorecards
    assert follow(book.entries(), case).pairs == (), "a quarter does not follow itself"
    folder = committee.write_pages(book, after, date(2026, 10, 20)).parent
    for page in ("index.html", "minutes.html"):
        text = (folder / page).read_text(encoding="utf-8")
        assert "How the last changes turned out" in text and "2026Q2 → 2026Q3" in text
        assert "moved up: 1; 1 people with figures in the next quarter: too few to tell, 10 are needed." in text
    assert (folder / "tables" / "turned_out.csv").is_file()


def test_a_run_id_knows_nothing_of_it(two, tmp_path):
    _before, now, *_ = two
    run = (now.out / "latest").read_text().strip()
    other = Quarter(tmp_path, shutil.copytree(now.cycle, tmp_path / "2026Q3"))
    shutil.copytree(now.cycle.parent / "2026Q2", tmp_path / "2026Q2")
    other.notebook = now.notebook
    other.run()
    assert (other.out / "latest").read_text().strip() == run


def test_a_state_without_decisions_gives_no_rows():
    from perfmodel.committee.turned_out import followed_rows

    empty = {
        "scores": pd.DataFrame({"employee_id": [], "unit": [], "profile": []}),
        "kpi_scores": pd.DataFrame({"employee_id": [], "scorecard": [], "kind": [], "score_raw": [], "weight": []}),
    }
    rows = followed_rows(State(), empty, ("A", "B"), "1", "2")  # fmt: skip
    assert rows.empty and turned_out(rows).reason.str.contains("0 people").all()
