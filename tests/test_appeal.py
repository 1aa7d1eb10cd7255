"""Appeals: who may file and hear one, what a corrected fact changes when replayed, and what it never touches."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from committee_sample import Quarter, read_rows, write_rows
from sheet_reader import Sheet
from small_cycle import crossed

import perfmodel as pm
from perfmodel import committee, report
from perfmodel.assessment import Assessment
from perfmodel.committee import Choice
from perfmodel.committee.appeals import barred_of, changes_of, corrections_in, replayed
from perfmodel.committee.state import state_of, window_of
from perfmodel.errors import DataError, DecisionError
from perfmodel.io import corrected, correction_of
from perfmodel.ledger import open_ledger
from perfmodel.outcomes import bonuses

TODAY = datetime.now(UTC).date()
LIFT = "results:sales_attainment:actual=4400"  # 001: 102 % of target becomes 110 %, 78 points become 90 on 20 %
HEARD = {"reason": "Finance restated the ledger.", "panel": ("Ana", "Bo")}


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """The small quarter with raters who differ, final."""
    quarter = Quarter.small(tmp_path_factory.mktemp("closed"))
    ratings = quarter.cycle / "ratings.csv"
    ratings.write_text(crossed(ratings.read_text(encoding="utf-8")), encoding="utf-8")
    quarter.run()
    case, book = committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)
    committee.freeze(book, case.cycle, "data", by="HR")
    typed = {"code": "R4", "reason": "As the figures say.", "proposer": "P. Lind", "authoriser": "K. Ortega"}
    committee.decide(book, case, [Choice(who, **typed) for who in case.roll.scored])
    committee.finalize(book, case, ["HR", "Managing director"], list(case.roll.warnings))
    return quarter


@pytest.fixture
def quarter(closed, tmp_path):
    """A copy of it that a test may change."""
    shutil.copytree(closed.folder, tmp_path / "q")
    return Quarter(tmp_path / "q", tmp_path / "q" / "2026Q3")


def opened(quarter):
    return committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)


def file(book, case, who="001", **more):
    typed = {"facts": "A payment was booked a day late.", "by": who, "on": TODAY, **more}
    return committee.open_appeal(book, case, who, **typed)


def rule(book, case, who="001", outcome="changed", **more):
    typed = {"outcome": outcome, **HEARD, **({"correct": [LIFT]} if outcome == "changed" else {}), **more}
    return committee.resolve_appeal(book, case, who, **typed)


def refused(function, *args, **kwargs) -> str:
    """The code by which a command is refused."""
    with pytest.raises(DecisionError) as problem:
        function(*args, **kwargs)
    return str(problem.value).rsplit("[", 1)[1].rstrip("]")


# --- By the command line ------------------------------------------------------------------------------------------


def test_an_appeal_from_filing_to_the_new_grade_by_the_command_line(quarter):
    inputs = {path.name: path.read_bytes() for path in quarter.cycle.iterdir()}
    cycle = quarter.cycle
    filing = ("appeal", "open", cycle, "001", "--facts", "A payment was booked a day late.", "--by", "Person 001")
    first = quarter.do(*filing)
    assert first.returncode == 0, first.stderr
    assert "The appeal of 001 is open" in first.stdout and "1 appeal is open: 001." in first.stdout
    assert quarter.do(*filing).stdout == first.stdout, "given again, it is one appeal"
    late = quarter.do("appeal", "open", cycle, "002", "--facts", "x", "--by", "002", "--on", "2999-01-04")
    assert late.returncode == 1 and "[too-late]" in late.stderr and "7 working days" in late.stderr
    heard = (
        "appeal",
        "resolve",
        cycle,
        "001",
        "--outcome",
        "changed",
        "--reason",
        "Finance restated.",
        "--correct",
        LIFT,
    )
    judge = quarter.do(*heard, "--panel", "Ana", "--panel", "K. Ortega")
    assert judge.returncode == 1 and "K. Ortega decided on this person" in judge.stderr
    done = quarter.do(*heard, "--panel", "Ana", "--panel", "Bo")
    assert done.returncode == 0, done.stderr
    assert "results, sales_attainment: actual 4080 → 4400 (version 2)." in done.stdout
    assert "Decided grade B → A." in done.stdout and "Nobody else's proposal moves." in done.stdout
    assert "No appeal is open." in done.stdout
    assert quarter.do(*heard, "--panel", "Ana", "--panel", "Bo").stdout == done.stdout
    assert quarter.do("ledger", "verify", where=False).returncode == 0

    entries = open_ledger(quarter.ledger).entries("2026Q3")
    state = state_of(entries)
    assert [entry.kind for entry in entries][-2:] == ["appeal_open", "appeal_resolve"]
    assert state.grades["001"] == "A" and state.final is not None and not state.open_appeals
    assert {path.name: path.read_bytes() for path in quarter.cycle.iterdir()} == inputs, "frozen figures stay"
    folder = quarter.out / "committee"
    decided = {row["employee_id"]: row for row in read_rows(folder / "tables" / "decisions.csv")}
    assert (decided["001"]["grade_decided"], decided["001"]["reason_code"]) == ("A", "R10")
    versions = [tuple(row.values()) for row in read_rows(folder / "restricted" / "corrections.csv")]
    assert [(v[1], v[2], v[3], v[4], v[5]) for v in versions] == [
        ("results", "sales_attainment", "actual", "1", "4080"),
        ("results", "sales_attainment", "actual", "2", "4400"),
    ]
    explained = quarter.do("explain", "001", cycle)
    sheet = Sheet(Path(explained.stdout.strip()).read_text(encoding="utf-8"))
    assert "After your appeal the grade is A." in sheet.headline
    assert sheet.value("Corrected").startswith("Sales attainment, actual: 4080 → 4400")
    score = sheet.score() + sheet.shift()
    after = state.appeals["001"][0].resolved.data["changes"]["own"]["scores"]["proposed"][1]
    assert score == pytest.approx(after, abs=0.0012) and score >= 80


def test_every_page_says_how_many_appeals_are_open(quarter):
    case, book = opened(quarter)
    file(book, case)
    file(book, case, "002")
    place = committee.write_pages(book, case).parent
    pages = [path for path in place.rglob("*.html") if path.name != "fairness.html"]
    assert len(pages) >= 7
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "PROVISIONAL" in text and "<dt>Appeals</dt><dd>2 open</dd>" in text, page.name
    later = TODAY + timedelta(days=60)
    assert committee.scene_of(book, case, later).status == "PROVISIONAL"
    assert "2 appeals are open" in committee.status_sentence(committee.scene_of(book, case, later))
    rule(book, case, outcome="upheld")
    rule(book, case, "002", outcome="upheld")
    assert committee.scene_of(book, case, later).status == "FINAL"


# --- Who, when ----------------------------------------------------------------------------------------------------


def test_an_appeal_may_be_filed_until_the_last_working_day_and_not_one_day_later(quarter):
    case, book = opened(quarter)
    last = window_of(committee.state_in(book, case).final, 7)
    assert refused(file, book, case, on=last + timedelta(days=1)) == "too-late"
    assert refused(file, book, case, on=TODAY - timedelta(days=1)) == "too-early"
    assert file(book, case, on=last).state.open_appeals == ["001"]


@pytest.mark.parametrize(
    ("who", "more", "code"),
    [
        ("999", {}, "unknown-employee"),
        ("008", {}, "no-score"),
        ("001", {"facts": " "}, "facts-missing"),
        ("001", {"by": ""}, "by-missing"),
    ],
)
def test_an_appeal_that_cannot_be_heard_is_refused_by_name(quarter, who, more, code):
    case, book = opened(quarter)
    before = book.head()
    assert refused(file, book, case, who, **more) == code
    assert book.head() == before


@pytest.mark.parametrize("name", ["M1", "005", "Person 005", "person 001", "P. Lind", "K. Ortega", "k. ortega"])
def test_nobody_hears_an_appeal_who_rated_managed_or_decided_or_whose_own_it_is(quarter, name):
    # 001 was rated by M1 (also the manager), M2 and 005; P. Lind proposed and K. Ortega authorised.
    case, book = opened(quarter)
    file(book, case)
    assert {who for who, _ in barred_of(case, committee.state_in(book, case), "001")} == {
        "M1", "M2", "005", "P. Lind", "K. Ortega"
    }  # fmt: skip
    assert refused(rule, book, case, panel=("Ana", name)) == "panel-member"


def test_whoever_transferred_is_not_judged_by_either_manager(quarter):
    case, book = opened(quarter)
    assert {"M1", "M2"} <= {who for who, _ in barred_of(case, committee.state_in(book, case), "004")}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"panel": ("Ana",)}, "panel"),
        ({"panel": ("Ana", "ana ")}, "panel"),
        ({"panel": ("Ana", "\u200b")}, "panel"),
        ({"panel": ("Ana", "Works council")}, "panel-member"),
        ({"reason": " "}, "reason-missing"),
        ({"outcome": "lost"}, "outcome-unknown"),
        ({"correct": []}, "nothing-to-change"),
        ({"grade": "E"}, "grade-unknown"),
        ({"correct": [], "grade": "B"}, "same-grade"),
        ({"correct": ["results:gross_margin:actual=32.65"]}, "same-grade"),
        ({"outcome": "upheld", "grade": "A"}, "outcome-unknown"),
        ({"outcome": "upheld", "correct": [LIFT, "results:sales_attainment:actual=4300"]}, "twice"),
    ],
)
def test_a_ruling_that_the_rules_do_not_allow_is_refused_by_name(quarter, more, code):
    case, book = opened(quarter)
    file(book, case, by="Works council")
    before = book.head()
    assert refused(rule, book, case, **more) == code
    assert book.head() == before


def test_a_gate_holds_in_an_appeal_until_the_event_behind_it_is_withdrawn(quarter):
    # 006 has C by its score, and gate G3 allows B at best.
    case, book = opened(quarter)
    file(book, case, "006")
    assert refused(rule, book, case, "006", correct=[], grade="A") == "gate-cap"
    done = rule(book, case, "006", correct=["events:G3:withdrawn=yes"], grade="A")
    assert done.state.grades["006"] == "A"
    assert done.entries[-1].data["corrections"][0]["now"] == "yes"


def test_a_result_is_disputed_once_but_for_an_appeal_that_was_withdrawn(quarter):
    case, book = opened(quarter)
    file(book, case)
    assert refused(file, book, case, facts="Something else.") == "already-open"
    gone = committee.resolve_appeal(book, case, "001", outcome="withdrawn", reason="Talked it over.")
    assert gone.state.grades["001"] == "B" and not gone.state.open_appeals
    assert refused(rule, book, case) == "not-open"
    file(book, case, facts="Something else.")
    rule(book, case, outcome="upheld")
    assert refused(file, book, case, facts="A third thing.") == "settled"


def test_an_appeal_that_is_sent_back_stays_open_until_it_was_looked_at_again(quarter):
    case, book = opened(quarter)
    file(book, case)
    back = rule(book, case, outcome="sent_back")
    assert back.state.open_appeals == ["001"] and back.state.grades["001"] == "B"
    done = rule(book, case)
    assert not done.state.open_appeals and done.state.grades["001"] == "A"
    assert [entry.kind for entry in done.state.entries].count("appeal_resolve") == 2


def test_a_quarter_that_is_not_final_has_no_appeals_and_one_that_is_reopened_hears_none(quarter):
    case, book = opened(quarter)
    file(book, case)
    committee.reopen(book, case, reason="A file was missing.", by="HR")
    assert refused(rule, book, case) == "not-final"
    assert refused(file, book, case, "002") == "not-final"


def test_an_appeal_from_before_a_reopening_is_the_only_one_and_is_resolved_after_it(quarter):
    case, book = opened(quarter)
    file(book, case)
    file(book, case, "002")
    committee.reopen(book, case, reason="A file was missing.", by="HR")
    committee.undo(book, case, "002", reason="To be looked at again.", authoriser="K. Ortega")
    gone = committee.resolve_appeal(book, case, "002", outcome="withdrawn", reason="It is decided anew.")
    assert gone.state.open_appeals == ["001"]
    typed = {"code": "R4", "reason": "As the figures say.", "proposer": "P. Lind", "authoriser": "K. Ortega"}
    committee.decide(book, case, [Choice("002", **typed)])
    committee.finalize(book, case, ["HR", "Managing director"], list(case.roll.warnings))
    assert refused(file, book, case, facts="Something else.") == "already-open"
    done = rule(book, case, panel=("", *HEARD["panel"]))
    assert not done.state.open_appeals
    assert [done.entries[-1].data[role] for role in ("proposer", "authoriser")] == ["Ana", "Bo"]
    committee.reopen(book, case, reason="Once more.", by="HR")
    closed = committee.finalize(book, case, ["HR", "Managing director"])
    assert closed.state.final.data["counts"]["decided"] == 7, "by an appeal too"


def test_a_grade_that_an_appeal_changed_stands_when_the_quarter_is_reopened_and_must_be_named_to_be_replaced(quarter):
    case, book = opened(quarter)
    file(book, case)
    changed = rule(book, case).entries[-1]
    committee.reopen(book, case, reason="A file was missing.", by="HR")
    typed = {"code": "R1", "reason": "The file was found.", "proposer": "P. Lind", "authoriser": "K. Ortega"}
    with pytest.raises(DecisionError, match="superseded"):
        committee.decide(book, case, [Choice("001", "B", **typed)])
    done = committee.decide(book, case, [Choice("001", "B", replaces=changed.hash[:12], **typed)])
    assert done.state.grades["001"] == "B"


# --- What changes --------------------------------------------------------------------------------------------------


def test_a_replay_is_the_quarter_computed_from_tables_in_which_the_figure_is_the_corrected_one(quarter, tmp_path):
    case, _ = opened(quarter)
    second = "001,,strategic_milestones,M2,50,2026-09-26,2026-09-26,"
    for place, text, row, was, now in (
        ("results.csv", LIFT, "001,,sales_attainment,4000,", "4080", "4400"),
        ("ratings.csv", "ratings:M1/team_culture:rating=5", "M1,001,,team_culture,manager,", "3.0", "5"),
        ("milestones.csv", "milestones:M2:share_done=0.1", second, "0.8", "0.1"),
    ):
        before, after = row + was, row + now
        folder = tmp_path / place / "2026Q3"
        shutil.copytree(quarter.cycle, folder)
        path = folder / place
        assert before in path.read_text(encoding="utf-8"), place
        path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
        fresh = Assessment(pm.read_cycle(folder), case.seed)
        again = replayed(case.assessment, [correction_of(case.cycle, "001", text)])
        pd.testing.assert_frame_equal(again.proposals, fresh.proposals, check_dtype=False)


def test_a_corrected_rating_moves_others_through_severity_and_their_decided_grades_stand(quarter):
    case, book = opened(quarter)
    file(book, case)
    text = "ratings:M1/team_culture:rating=5"
    done = rule(book, case, outcome="upheld", correct=[text])
    others = done.entries[-1].data["changes"]["others"]
    after = replayed(case.assessment, [correction_of(case.cycle, "001", text)]).proposals.set_index("employee_id")
    before = case.tables["scores"].set_index("employee_id")
    moved = (after["score_proposed"] - before["score_proposed"].astype(float)).drop("001").dropna()
    assert others["n"] == (moved.abs() > 1e-9).sum() == 6
    assert others["largest"] == pytest.approx(moved.abs().max())
    listed = {each["employee"]: each["scores"] for each in others["listed"]}
    assert set(listed) == set(moved.index[moved.abs() >= 0.005]) and listed
    for who, (one, two) in listed.items():
        assert two - one == pytest.approx(moved[who], abs=1e-6)
    assert done.state.grades == {who: person.proposed for who, person in case.roll.people.items() if person.proposed}


def test_pool_and_bonuses_of_a_changed_grade_are_those_of_the_grades_before_and_after(quarter):
    case, book = opened(quarter)
    file(book, case)
    done = rule(book, case)
    changes = done.entries[-1].data["changes"]
    grades = {who: person.proposed for who, person in case.roll.people.items() if person.proposed}
    sides = [
        bonuses(pd.DataFrame(g.items(), columns=["employee_id", "grade"]), case.cycle.pay, case.cycle.scheme)
        for g in (grades, {**grades, "001": "A"})
    ]
    one, two = (table.set_index("employee_id")["cents"].to_dict() for table in sides)
    assert changes["bonuses"] == {who: [one[who], two[who]] for who in one if one[who] != two[who]}
    assert sum(after - before for before, after in changes["bonuses"].values()) == 0, "the fixed pool is paid in full"
    # 001 has a target of 30 000: from B (1.0) to A (1.2) the claims cost 6 000 more.
    cost = changes["pool"]["cost"]
    assert cost[1] - cost[0] == 600_000 and changes["pool"]["budget"][0] == changes["pool"]["budget"][1]
    assert changes["distribution"]["decided"]["A"] == [1, 2] and changes["distribution"]["decided"]["B"] == [4, 3]


def test_an_appeal_that_changes_no_figure_changes_nothing_but_the_grade(quarter):
    case, book = opened(quarter)
    file(book, case)
    state = committee.state_in(book, case)
    told = changes_of(case, state, "001", case.assessment, "B")
    assert told["others"] == {"n": 0, "largest": 0.0, "listed": []} and not told["bonuses"] and not told["own"]["kpis"]
    assert committee.change_sentences({"corrections": [], "outcome": "upheld", "changes": told}) == ["Nothing changes."]
    by_hand = rule(book, case, correct=[], grade="A", reason="The account was opened in June.")
    assert by_hand.state.grades["001"] == "A" and by_hand.entries[-1].data["action"] == "change"


def test_a_second_correction_of_a_figure_is_its_third_version_and_the_one_that_counts(quarter):
    case, book = opened(quarter)
    file(book, case)
    rule(book, case, outcome="sent_back", correct=["results:sales_attainment:actual=4300"])
    done = rule(book, case)
    table = committee.corrections_table(done.state)
    assert list(zip(table["version"], table["value"], strict=True)) == [(1, "4080"), (2, "4300"), (3, "4400")]
    (stands,) = corrections_in(done.state, case.cycle, "001")
    assert stands.now == "4400"
    mended = corrected(case.cycle, [correction_of(case.cycle, "001", "results:sales_attainment:actual=4500")])
    assert corrections_in(done.state, mended, "001") == (), "a figure mended in the data since is the one that counts"


def without_person(quarter, who):
    """The data without ``who``, frozen again on a run of them."""
    for path in quarter.cycle.glob("*.csv"):
        rows = read_rows(path)
        if kept := [row for row in rows if row["employee_id"] != who]:
            write_rows(path, kept)
    quarter.run()
    case, book = opened(quarter)
    committee.freeze(book, case.cycle, "data", by="HR", reason=f"{who} left.")
    return case, book


def test_an_appeal_of_somebody_who_is_no_longer_in_the_data_can_be_withdrawn_and_nothing_else(quarter):
    case, book = opened(quarter)
    file(book, case, "002")
    committee.reopen(book, case, reason="Somebody was never of the company.", by="HR")
    committee.undo(book, case, "002", reason="Not of the company.", authoriser="K. Ortega")
    case, book = without_person(quarter, "002")
    stale = committee.void(committee.state_in(book, case), case.roll)
    typed = {"code": "R4", "reason": "As the figures say.", "proposer": "P. Lind", "authoriser": "K. Ortega"}
    committee.decide(book, case, [Choice(who, **typed) for who in stale])
    committee.finalize(book, case, ["HR", "Managing director"], list(case.roll.warnings))
    assert refused(rule, book, case, "002", outcome="upheld") == "unknown-employee"
    gone = ("appeal", "resolve", quarter.cycle, "002", "--outcome", "withdrawn", "--reason", "Nobody to hear.")
    done = quarter.do(*gone)
    assert done.returncode == 0, done.stderr
    assert "Nothing changes." in done.stdout and "No appeal is open." in done.stdout
    assert quarter.do(*gone).stdout == done.stdout
    assert committee.scene_of(book, case, TODAY + timedelta(days=60)).status == "FINAL"


def test_what_a_panel_corrected_when_it_sent_an_appeal_back_stands_in_the_ruling_and_on_the_sheet(quarter):
    case, book = opened(quarter)
    file(book, case)
    back = rule(book, case, outcome="sent_back", correct=[LIFT]).entries[-1]
    told = rule(book, case, correct=[]).entries[-1].data
    assert told["changes"]["own"] == back.data["changes"]["own"] and (told["decided"], told["to"]) == ("B", "A")
    assert "proposed grade B → A." in " ".join(committee.change_sentences(told))
    page = committee.write_pages(book, case, sheets={"001": "en"}).parent / committee.sheet_path("001")
    sheet = Sheet(page.read_text(encoding="utf-8"))
    assert sheet.value("Corrected").startswith("Sales attainment, actual: 4080 → 4400")
    after = told["changes"]["own"]["scores"]["proposed"][1]
    assert sheet.score() + sheet.shift() == pytest.approx(after, abs=0.0012)


def test_a_figure_that_was_corrected_is_put_back_by_name_or_with_the_appeal_that_is_withdrawn(quarter):
    case, book = opened(quarter)
    for who, end in (("001", {"outcome": "upheld", "correct": ["results:sales_attainment:actual=4080"]}),
                     ("002", {"outcome": "withdrawn"})):  # fmt: skip
        file(book, case, who)
        rule(book, case, who, outcome="sent_back", correct=["results:sales_attainment:actual=4300"])
        assert corrections_in(committee.state_in(book, case), case.cycle, who)
        assert refused(rule, book, case, who, outcome="withdrawn", correct=[LIFT]) == "outcome-unknown"
        done = rule(book, case, who, **end)
        assert corrections_in(done.state, case.cycle, who) == ()
        told = done.entries[-1].data["changes"]["own"]
        assert told["scores"]["proposed"][0] == told["scores"]["proposed"][1] and not told["kpis"]
    page = committee.write_pages(book, case, sheets={"001": "en", "002": "en"}).parent
    for who in ("001", "002"):
        assert "Corrected" not in dict(Sheet((page / committee.sheet_path(who)).read_text(encoding="utf-8")).pairs)


@pytest.mark.parametrize(("outcome", "counts"), [("changed", "A"), ("upheld", "B")])
def test_the_year_takes_the_score_that_an_appeal_corrected_and_says_so(quarter, outcome, counts):
    case, book = opened(quarter)
    file(book, case)
    told = rule(book, case, outcome=outcome, correct=[LIFT]).entries[-1].data["changes"]["own"]
    before, after = told["scores"]["proposed"]
    place = quarter.folder / "years"
    year, page = committee.write_year(quarter.folder, 2026, place, book.entries(), book.head())
    others = Assessment(case.cycle).proposals.set_index("employee_id").drop("001")["score_proposed"]
    rows = year.quarters.set_index("employee_id")
    assert rows.score["001"] == pytest.approx(after) and rows.score_frozen["001"] == pytest.approx(before)
    pd.testing.assert_series_equal(rows.score.drop("001"), others, check_names=False)
    own = year.results.set_index("employee_id").loc["001"]
    # After the appeal the score is over 80, A. Where B was upheld all the same, the year holds it under A.
    assert own.score_mean == pytest.approx(after if counts == "A" else 79.99) and own.grade_mean == counts
    assert own.score_cumulative == pytest.approx(after), "the year's figures are the corrected ones too"
    sales = year.kpi_scores.set_index(["employee_id", "kpi"])["actual"]
    assert sales["001", "sales_attainment"] == 4400
    text = page.read_text(encoding="utf-8")
    assert f"an appeal corrected 2026Q3: its score is {after:.2f}, not {before:.2f}" in text
    assert "2026Q3: an appeal changed figures or grade of 1 person: 001." in text


# --- Corrections as they are written -------------------------------------------------------------------------------


def test_a_correction_names_its_row_by_as_much_of_the_key_as_tells_it_apart(quarter):
    case, _ = opened(quarter)
    found = [
        correction_of(case.cycle, "001", text)
        for text in (
            "results:sales_attainment:actual=4 400",
            "results:001/sales_attainment:note=seen",
            "ratings:M1/team_culture/manager:rating=4",
            "employees::hire_date=2021-03-01",
        )
    ]
    assert [(each.row, each.column, each.was, each.now) for each in found] == [
        ("sales_attainment", "actual", "4080", "4400"),
        ("sales_attainment", "note", "", "seen"),
        ("M1/team_culture/manager", "rating", "3", "4"),
        ("", "hire_date", "2020-03-01", "2021-03-01"),
    ]
    two_cards = correction_of(case.cycle, "004", "results:b/gross_margin:actual=30")
    assert dict(two_cards.key)["scorecard"] == "b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sales=3", "is no correction"),
        ("pay:001:bonus_target=1", "is no correction"),
        ("results:nothing:actual=3", "is no row"),
        ("ratings:team_culture:rating=3", "means several rows of 001"),
        ("results:sales_attainment:kpi=x", "cannot be the key|no column of results that can be corrected"),
        ("results:sales_attainment:actual=much", "'much' is no number"),
        ("results:sales_attainment:actual=4080", "is 4080 already"),
        ("results:sales_attainment:actual=12%", "percent sign"),
        ("results:sales_attainment:status=perhaps", "is not one of final"),
        ("ratings:M1/team_culture:rating=", "must not be empty"),
    ],
)
def test_a_correction_that_means_nothing_is_refused_in_words(quarter, text, said):
    case, _ = opened(quarter)
    with pytest.raises(DataError, match=said):
        correction_of(case.cycle, "001", text)


def test_a_corrected_figure_is_checked_as_every_input_is(quarter):
    case, _ = opened(quarter)
    wrong = correction_of(case.cycle, "001", "ratings:M1/team_culture:rating=9")
    with pytest.raises(DataError, match="would be refused as input"):
        corrected(case.cycle, [wrong])
    assert case.cycle.table("ratings")["rating"].max() <= 5


def test_a_row_withdrawn_and_a_day_corrected_leave_the_cycle_they_came_from_as_it_was(quarter):
    case, _ = opened(quarter)
    gone = corrected(case.cycle, [correction_of(case.cycle, "003", "events:B1:withdrawn=yes")])
    moved = corrected(case.cycle, [correction_of(case.cycle, "001", "employees::hire_date=2021-03-01")])
    assert len(gone.table("events")) == 1 and len(case.cycle.table("events")) == 2
    people = moved.table("employees").set_index("employee_id")
    assert people.at["001", "hire_date"].date() == date(2021, 3, 1)
    assert replace(case.cycle).table("employees")["hire_date"].nunique() == 1


@pytest.mark.browser
def test_no_page_of_a_committee_has_a_serious_fault_or_scrolls_sideways(chromium, quarter):
    from axe_playwright_python.sync_playwright import Axe

    case, book = opened(quarter)
    file(book, case)
    rule(book, case)
    file(book, case, "002", facts="The target changed in May.")
    folder = committee.write_pages(book, case, sheets={"001": "en", "002": "zh"}).parent
    pages = [*folder.rglob("*.html"), committee.write_year(quarter.folder, 2026, quarter.folder / "years")[1]]
    pages.append(folder / "feedback.html")
    pages[-1].write_text(next(report.feedback_sheets(case.assessment))[1], encoding="utf-8")
    assert {"index", "agenda", "minutes", "second_look", "outcomes", "appeals", "bonuses", "fairness"} < {
        page.stem for page in pages
    }
    for width in (1440, 390):
        tab = chromium(viewport={"width": width, "height": 900})
        for page in pages:
            tab.goto(page.as_uri())
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, (page.name, width)
            if width == 390 and page.parent == folder:  # tables are cards there on all of them alike
                continue
            found = Axe().run(tab).response["violations"]
            serious = {v["id"]: v["nodes"][0]["html"] for v in found if v["impact"] in ("serious", "critical")}
            assert serious == {}, (page.name, width)
