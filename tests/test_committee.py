"""The committee: what may be recorded and what not, what survives a new run, and a quarter from run to outcomes."""

import random
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import openpyxl
import pandas as pd
import pytest
from committee_sample import Quarter, finalize, read_rows, write_rows
from kill_committee_study import Study
from ledger_work import at_once

import perfmodel as pm
from perfmodel import committee, runner
from perfmodel.committee import Choice, Person, Roll, Vote, rules
from perfmodel.committee.case import plan_parts
from perfmodel.committee.compare import PARTS, compare_cycles, from_tables
from perfmodel.committee.pages import files_of
from perfmodel.committee.state import state_of, status_of, tally, window_of
from perfmodel.committee.typed import read_choices
from perfmodel.errors import DataError, DecisionError, RunError
from perfmodel.ledger import open_ledger, verify
from perfmodel.ledger.chain import following

NOW = "2026-10-20T09:00:00.000000+00:00"
BASIS = {
    "inputs": {"sales": "a1", "culture": "b1"},
    "scores": {"raw": 78.7, "adjusted": 78.2, "proposed": 78.2},
    "grades": {"raw": "B", "adjusted": "B", "proposed": "B"},
}
TYPED = {"reason": "as the figures say", "proposer": "M1", "authoriser": "Chair"}


# --- Rules, without a run: a roll of four people, entries of a chain by hand -----------------------------------


def person(who, grade="B", **more):
    basis = {**BASIS, "grades": dict.fromkeys(("raw", "adjusted", "proposed"), grade)}
    return Person(who, f"Person {who}", "North", "M1", grade, grade, grade, basis=basis, **more)


ROLL = Roll(
    "2026Q3",
    "run1",
    ("S", "A", "B", "C", "D"),
    {
        "001": person("001"),
        "002": person("002", "C", cap="B"),
        "003": person("003"),
        "008": replace(person("008", ""), reason="On leave"),
    },
    inputs="data1",
    plan="plan1",
    flagged=frozenset({"003"}),
)


def recorded(entries, drafts):
    """``entries`` with ``drafts`` after them, each token once, as a ledger does."""
    entries = list(entries)
    for draft in drafts:
        if draft.token not in {entry.token for entry in entries}:
            entries.append(following(draft, entries[-1] if entries else None, NOW))
    return entries


def frozen(roll=ROLL):
    return recorded(
        [], rules.freeze_drafts(state_of([]), roll.cycle, stage="data", digest=roll.inputs, parts={}, by="HR")
    )


def decided(entries, *choices, roll=ROLL):
    return recorded(entries, rules.decision_drafts(state_of(entries), roll, choices))


def choice(employee="001", **more):
    return Choice(employee, **{**TYPED, **more})


def everybody(entries=None):
    """All three decided one by one."""
    return decided(entries or frozen(), *(choice(who) for who in ROLL.scored))


def closed(entries=None, roll=ROLL, signers=("HR", "Chair"), **more):
    entries = everybody() if entries is None else entries
    drafts = rules.final_drafts(state_of(entries), roll, signers=signers, head=entries[-1].hash, **more)
    return recorded(entries, drafts)


def refusal(call, *arguments, **more):
    """Codes by which a call is refused."""
    with pytest.raises(DecisionError) as caught:
        call(*arguments, **more)
    codes = [finding.code for finding in caught.value.findings]
    return codes or [line.rsplit("[", 1)[1].rstrip("]") for line in str(caught.value).splitlines() if "[" in line]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ({"employee": "009"}, "unknown-employee"),
        ({"employee": "008"}, "no-score"),
        ({"proposer": "001"}, "own-result"),
        ({"authoriser": "person 001"}, "own-result"),
        ({"authoriser": "Ｐerson 001 (001)"}, "own-result"),
        ({"authoriser": " m1"}, "same-person"),
        ({"employee": "001", "proposer": "002", "authoriser": "Person 002"}, "same-person"),
        ({"proposer": ""}, "proposer-missing"),
        ({"authoriser": " "}, "authoriser-missing"),
        ({"reason": "  "}, "reason-missing"),
        ({"reason": "\u200b\u2060"}, "reason-missing"),
        ({"authoriser": "\u3164"}, "authoriser-missing"),
        ({"authoriser": "M\u200b1"}, "same-person"),
        ({"authoriser": "Pers\u00adon 001\u202c"}, "own-result"),
        ({"proposer": "王\u3000伟", "authoriser": "王伟"}, "same-person"),
        ({"grade": "A"}, "code-missing"),
        ({"grade": "A", "code": "R11"}, "code-unknown"),
        ({"grade": "E", "code": "R1"}, "grade-unknown"),
        ({"employee": "002", "grade": "A", "code": "R3"}, "gate-cap"),
        ({"basis": {**BASIS, "inputs": {"sales": "a2", "culture": "b1"}}}, "basis-changed"),
        ({"replaces": "12345678"}, "superseded"),
    ],
)
def test_a_decision_that_the_rules_do_not_allow_is_refused_by_name(typed, code):
    assert refusal(decided, frozen(), choice(**typed)) == [code]


def test_a_voter_has_one_vote_however_the_name_is_spelled():
    entries = frozen()
    for said, voter in (("question", "Ana"), ("question", "ａna\u200b "), ("agree", "ANA"), ("agree", "Person 002")):
        entries = recorded(entries, rules.vote_drafts(state_of(entries), ROLL, [Vote("001", voter, said)]))
    assert tally(state_of(entries), ROLL, "001") == {"agree": 2, "question": 0, "abstain": 0}
    again = [Vote("001", "002", "agree")]
    assert len(recorded(entries, rules.vote_drafts(state_of(entries), ROLL, again))) == len(entries)
    both = [Vote("001", "Person 003", "agree"), Vote("001", "003", "question")]
    assert refusal(rules.vote_drafts, state_of(entries), ROLL, both) == ["twice"]


def test_two_spellings_of_one_person_do_not_close_a_quarter():
    assert refusal(closed, signers=("王 伟", "王伟\u200d")) == ["signatures"]


def test_of_two_columns_that_may_be_the_decision_none_is_guessed(tmp_path):
    def read(header, row):
        path = tmp_path / "d.csv"
        path.write_text(f"{header}\n{row}\n", encoding="utf-8")
        return read_choices(path, {}, lambda run: {}, "run1")[0].grade

    assert read("employee_id,grade,decision,reason", "001,S,B,x") == "B", "the column's own name comes first"
    assert read("工号,等级,决定等级,理由", "001,S,B,x") == "B"
    for header in ("employee_id,decision,Decision,reason", "employee_id,to,grade,reason"):
        with pytest.raises(DataError, match="more than one column"):
            read(header, "001,S,B,x")


def test_every_refused_row_is_named_and_none_of_the_others_is_recorded():
    rows = [choice("001"), choice("009", place=("d.csv", 3, 2)), choice("002", reason="", place=("d.csv", 4, 2))]
    with pytest.raises(DecisionError, match="2 of 3 decisions refused, so none was recorded") as caught:
        decided(frozen(), *rows)
    assert [(f.file, f.line, f.code) for f in caught.value.findings] == [
        ("d.csv", 3, "unknown-employee"),
        ("d.csv", 4, "reason-missing"),
    ]


def test_nothing_is_decided_before_the_data_are_frozen_nor_after_they_or_the_plan_changed():
    assert refusal(decided, [], choice()) == ["not-frozen"]
    assert refusal(decided, frozen(), choice(), roll=replace(ROLL, inputs="data2")) == ["data-changed"]
    state = state_of(frozen())
    with_plan = recorded(
        frozen(), rules.freeze_drafts(state, "2026Q3", stage="plan", digest="plan1", parts={}, by="HR")
    )  # fmt: skip
    assert decided(with_plan, choice())[-1].kind == "decision"
    assert refusal(decided, with_plan, choice(), roll=replace(ROLL, plan="plan2")) == ["plan-changed"]


def test_a_new_version_of_what_is_frozen_needs_a_reason_and_names_what_changed():
    def version(entries, digest, reason="", parts=None):
        state = state_of(entries)
        return rules.freeze_drafts(
            state, "2026Q3", stage="data", digest=digest, parts=parts or {}, by="HR", reason=reason
        )

    entries = frozen()
    assert recorded(entries, version(entries, "data1")) == entries, "the same again is no new version"
    with pytest.raises(DecisionError, match=r"changed since: results.csv.*--reason"):
        version(entries, "data2", parts={"results.csv": "x"})
    entries = recorded(entries, version(entries, "data2", "a late figure came"))
    entries = recorded(entries, version(entries, "data1", "it was taken back"))
    assert [(e.data["version"], e.data["digest"]) for e in entries] == [(1, "data1"), (2, "data2"), (3, "data1")]


def test_a_decision_given_again_is_recorded_once_and_a_change_must_name_what_it_replaces():
    entries = decided(frozen(), choice())
    assert decided(entries, choice()) == entries
    change = choice(grade="A", code="R3")
    assert refusal(decided, entries, change) == ["superseded"]
    named = replace(change, replaces=entries[-1].hash[:12])
    changed = decided(entries, named)
    assert state_of(changed).grades == {"001": "A"} and decided(changed, named) == changed
    late = replace(choice(grade="C", code="R1"), replaces=entries[-1].hash)
    assert refusal(decided, changed, late) == ["superseded"], "somebody else was quicker"


def test_undoing_leaves_no_decision_and_deciding_the_same_again_is_a_new_entry():
    entries = decided(frozen(), choice())
    undone = recorded(
        entries, rules.undo_drafts(state_of(entries), ROLL, "001", reason="wrong sheet", authoriser="Chair")
    )
    assert state_of(undone).decisions == {}
    again = rules.undo_drafts(state_of(undone), ROLL, "001", reason="wrong sheet", authoriser="Chair")
    assert recorded(undone, again) == undone
    once_more = decided(undone, choice())
    assert len(once_more) == len(undone) + 1 and state_of(once_more).grades == {"001": "B"}
    gone = replace(ROLL, people={who: one for who, one in ROLL.people.items() if who != "001"})
    assert refusal(closed, entries, gone)[-1] == "basis-changed"
    assert state_of(recorded(entries, rules.undo_drafts(state_of(entries), gone, "001", **TYPED_UNDO))).decisions == {}
    undo = {"reason": "x", "authoriser": "001"}
    assert refusal(rules.undo_drafts, state_of(entries), ROLL, "001", **undo) == ["own-result"]
    assert refusal(rules.undo_drafts, state_of([]), ROLL, "001", **TYPED_UNDO) == ["nothing-to-undo"]


TYPED_UNDO = {"reason": "x", "authoriser": "Chair"}


def test_a_consent_list_leaves_out_flagged_questioned_and_own_results_and_says_so():
    votes = rules.vote_drafts(state_of([]), ROLL, [Vote("002", "V1", "question")])
    entries = recorded(frozen(), votes)
    drafts, left = rules.consent_drafts(state_of(entries), ROLL, reason="no doubt", proposer="M1", authoriser="Chair")
    assert left == {"002": "questioned", "003": "flagged"}
    entries = recorded(entries, drafts)
    assert state_of(entries).decisions["001"].data["code"] == ""
    assert state_of(entries).grades == {"001": "B"} and entries[-1].data["list"][0]["votes"]["question"] == 0
    again, _ = rules.consent_drafts(state_of(entries), ROLL, reason="no doubt", proposer="M1", authoriser="Chair")
    assert recorded(entries, again) == entries
    _, left = rules.consent_drafts(state_of(frozen()), ROLL, reason="no doubt", proposer="002", authoriser="Chair")
    assert left == {"002": "own result", "003": "flagged"}
    other = {"reason": "another", "proposer": "M1", "authoriser": "Chair"}
    assert refusal(rules.consent_drafts, state_of(entries), ROLL, **other) == ["nobody-left"]
    assert refusal(rules.consent_drafts, state_of(frozen()), ROLL, **{**other, "reason": ""}) == ["reason-missing"]


@pytest.mark.parametrize(
    ("vote", "code"),
    [
        (Vote("001", "001", "agree"), "own-result"),
        (Vote("001", "V1", "maybe"), "vote-unknown"),
        (Vote("001", "", "agree"), "voter-missing"),
        (Vote("009", "V1", "agree"), "unknown-employee"),
        (Vote("008", "V1", "agree"), "no-score"),
    ],
)
def test_a_vote_that_the_rules_do_not_allow_is_refused_by_name(vote, code):
    assert refusal(rules.vote_drafts, state_of([]), ROLL, [vote]) == [code]


def test_a_voters_last_vote_counts_and_a_vote_on_other_figures_does_not():
    entries = recorded(
        [], rules.vote_drafts(state_of([]), ROLL, [Vote("001", "V1", "agree"), Vote("001", "V2", "abstain")])
    )
    entries = recorded(entries, rules.vote_drafts(state_of(entries), ROLL, [Vote("001", "V1", "question")]))
    assert tally(state_of(entries), ROLL, "001") == {"agree": 0, "question": 1, "abstain": 1}
    assert recorded(entries, rules.vote_drafts(state_of(entries), ROLL, [Vote("001", "V1", "question")])) == entries
    moved = with_basis(ROLL, "001", scores={"raw": 80.1, "adjusted": 80.1, "proposed": 80.1})
    assert tally(state_of(entries), moved, "001") == {"agree": 0, "question": 0, "abstain": 0}
    assert refusal(rules.vote_drafts, state_of([]), ROLL, [Vote("001", "V1", "agree")] * 2) == ["twice"]


def with_basis(roll, who, **changed):
    one = roll.people[who]
    return replace(roll, people={**roll.people, who: replace(one, basis={**one.basis, **changed})})


def test_decisions_stand_on_a_newer_run_unless_the_employees_own_figures_score_or_grade_changed():
    entries = everybody()
    same = replace(ROLL, run="run2")
    shifted = with_basis(same, "002", scores={"raw": 78.7, "adjusted": 78.24, "proposed": 78.24})
    assert committee.void(state_of(entries), shifted) == {}, "the severity of others moved it by less than is shown"
    moved = with_basis(same, "001", scores={"raw": 80.1, "adjusted": 79.6, "proposed": 79.6})
    moved = with_basis(moved, "003", inputs={"sales": "a2", "culture": "b1"})
    assert committee.void(state_of(entries), moved) == {
        "001": ["score 78.7 → 80.1", "adjusted score 78.2 → 79.6", "proposed score 78.2 → 79.6"],
        "003": ["sales changed"],
    }
    with pytest.raises(DecisionError, match=r"001 was decided on other figures: score 78.7 → 80.1"):
        closed(entries, moved)
    anew = decided(entries, choice("001"), choice("003"), roll=moved)
    assert len(anew) == len(entries) + 2 and committee.void(state_of(anew), moved) == {}
    assert closed(anew, moved)[-1].kind == "final"


def test_a_quarter_is_final_only_when_everything_is_decided_seen_frozen_and_signed_by_two():
    some = decided(frozen(), choice("001"))
    roll = replace(ROLL, late=2, warnings={"target-unapproved": 3})
    assert refusal(closed, some, roll, signers=["HR"]) == ["late", "undecided", "warnings", "signatures"]
    assert refusal(closed, everybody(), ROLL, signers=["Ｈr", "hR "]) == ["signatures"]
    assert refusal(closed, everybody(), ROLL, signers=["001", "Person 001"]) == ["signatures"]
    assert refusal(closed, everybody(), replace(ROLL, inputs="data2")) == ["data-changed"]
    warned = replace(ROLL, warnings={"target-unapproved": 3})
    assert refusal(closed, everybody(), warned, acknowledged=["rating-late"]) == ["code-unknown", "warnings"]
    entries = closed(everybody(), warned, acknowledged=["target-unapproved"])
    assert [entry.kind for entry in entries[-4:]] == ["acknowledge", "sign", "sign", "final"]
    assert entries[-1].data["head"] == entries[-5].hash and entries[-1].data["without"] == {"008": "On leave"}


def test_final_is_said_once_and_nothing_changes_until_it_is_reopened_for_a_reason():
    entries = closed()
    assert closed(entries, signers=("Other", "Another")) == entries
    state = state_of(entries)
    assert refusal(
        decided, entries, choice("001", grade="A", code="R3", replaces=state.decisions["001"].entry.hash)
    ) == ["final"]
    assert refusal(rules.vote_drafts, state, ROLL, [Vote("001", "V1", "agree")]) == ["final"]
    assert refusal(rules.reopen_drafts, state, "2026Q3", reason="", by="HR") == ["reason-missing"]
    reopened = recorded(entries, rules.reopen_drafts(state, "2026Q3", reason="an appeal", by="HR"))
    assert state_of(reopened).final is None and state_of(reopened).grades == state.grades
    assert (
        recorded(reopened, rules.reopen_drafts(state_of(reopened), "2026Q3", reason="an appeal", by="HR")) == reopened
    )
    again = closed(reopened)
    assert [entry.kind for entry in again].count("final") == 2 and again[-1].data["decisions"] == entries[-1].data[
        "decisions"
    ]
    assert refusal(rules.reopen_drafts, state_of([]), "2026Q3", reason="x", by="HR") == ["not-final"]


def test_results_are_provisional_for_the_working_days_of_the_scheme_and_while_an_appeal_is_open():
    # Signed on Tuesday 20 Oct 2026: 7 working days are 21-23 and 26-29 Oct, Thursday.
    state = state_of(closed())
    assert window_of(state.final, 7) == date(2026, 10, 29)
    days = [status_of(state, ROLL, 7, date(2026, 10, day)) for day in (20, 29, 30)]
    assert days == ["PROVISIONAL", "PROVISIONAL", "FINAL"]
    open_ = replace(state, appeals={"001": (committee.Appeal(state.final),)})
    assert status_of(open_, ROLL, 7, date(2026, 12, 1)) == "PROVISIONAL"
    assert status_of(state_of([]), replace(ROLL, late=1), 7, date(2026, 10, 20)) == "PARTIAL"


# --- The small quarter, run and ledger on disk -----------------------------------------------------------------


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    quarter = Quarter.small(tmp_path_factory.mktemp("small"))
    quarter.run()
    return quarter


@pytest.fixture
def quarter(published, tmp_path):
    """A copy of the small quarter with its run, and no ledger yet."""
    shutil.copytree(published.folder, tmp_path / "q")
    return Quarter(tmp_path / "q", tmp_path / "q" / "2026Q3")


def opened(quarter):
    return committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)


def prepared(quarter):
    """Frozen, and everybody decided."""
    case, book = opened(quarter)
    committee.freeze(book, case.cycle, "data", by="HR")
    committee.decide(book, case, [choice(who, proposer="P") for who in case.roll.scored])
    return case, book


def test_a_case_needs_a_run_of_the_data_as_they_lie_there(quarter):
    with pytest.raises(DecisionError, match="no run of 2026Q3"):
        committee.open_case(quarter.cycle, quarter.folder / "elsewhere")
    results = quarter.cycle / "results.csv"
    results.write_bytes(results.read_bytes().replace(b"4080", b"4180"))
    with pytest.raises(DecisionError, match=r"changed since run .*2026Q3/results.csv.*\[data-changed\]"):
        opened(quarter)


def test_a_case_on_a_run_that_was_tampered_with_is_refused(quarter):
    run = quarter.out / (quarter.out / "latest").read_text().strip()
    scores = run / "tables" / "scores.csv"
    scores.write_bytes(scores.read_bytes().replace(b",C,", b",A,"))
    with pytest.raises(RunError, match="changed since"):
        opened(quarter)


def test_tables_of_a_run_read_back_are_those_that_were_written(quarter):
    case, _ = opened(quarter)
    scores = pm.assess(case.cycle, seed=1, history=()).scores
    back = case.tables["scores"]
    assert list(back["employee_id"]) == list(scores["employee_id"]) == [f"{n:03}" for n in range(1, 9)]
    np.testing.assert_array_equal(back["score_proposed"], scores["score_proposed"])


def test_pool_and_distribution_count_the_decided_grades(quarter):
    case, book = prepared(quarter)
    committee.undo(book, case, "001", reason="look again", authoriser="Chair")
    done = committee.decide(book, case, [choice("001", grade="S", code="R3")])
    money = committee.decided_pool(case, done.state.grades).set_index("step")
    # 001 (bonus target 30 000) goes from B (1.0) to S (1.5): 15 000 more.
    assert money.loc["decided", "cost"] - money.loc["proposed", "cost"] == 15_000
    table = committee.decided_distribution(case, done.state.grades)
    table = table[table["unit"].eq("company")].set_index(["stage", "grade"])["n"]
    assert table["decided", "S"] == table["proposed", "S"] + 1 and table["decided", "B"] == table["proposed", "B"] - 1


def test_a_plan_holds_its_scheme_whatever_the_file_is_called(quarter, tmp_path):
    other = tmp_path / "agreed.yml"
    plans = []
    for days in (7, 30):
        text = (quarter.cycle / "scheme.yaml").read_text(encoding="utf-8")
        other.write_text(text.replace("working_days: 7", f"working_days: {days}"), encoding="utf-8")
        plans.append(plan_parts(pm.read_cycle(quarter.cycle, scheme=other)))
    assert [name for name in plans[0] if plans[0][name] != plans[1][name]] == ["scheme"]
    assert plans[0] == plan_parts(pm.read_cycle(quarter.cycle))


def test_decisions_are_read_from_a_file_with_chinese_headings_and_each_refusal_has_its_line(quarter, tmp_path):
    case, book = prepared(quarter)
    committee.undo(book, case, "003", reason="look again", authoriser="Chair")
    path = tmp_path / "决定.csv"
    rows = [
        {
            "工号": "003",
            "决定等级": "A",
            "原因代码": "R3",
            "理由": "市场变化",
            "证据": "纪要 12",
            "提议人": "P",
            "批准人": "主席",
        }
    ]
    write_rows(path, rows)
    done = committee.decide_file(book, case, path, {})
    assert done.entries[-1].data["reason"] == "市场变化" and done.entries[-1].author == "主席"
    assert done.entries[-1].data["evidence"] == "纪要 12" and done.state.grades["003"] == "A"
    write_rows(path, [*rows, {**rows[0], "决定等级": "S"}])
    with pytest.raises(DataError) as caught:
        committee.decide_file(book, case, path, {})
    assert [(f.line, f.code) for f in caught.value.findings] == [(3, "contradicts")]
    write_rows(path, [*rows, {**rows[0], "工号": "", "决定等级": "S"}])
    with pytest.raises(DataError) as caught:
        committee.decide_file(book, case, path, {})
    assert [(f.line, f.code) for f in caught.value.findings] == [(3, "employee-missing")], "lost, were it passed over"
    write_rows(path, [{**rows[0], "决定等级": "S", "运行": "0aaa-0000-0000"}])
    (choice,) = read_choices(path, {}, lambda run: {}, case.run)
    with pytest.raises(DecisionError) as caught:
        committee.decide(book, case, [choice])
    assert [f.code for f in caught.value.findings] == ["basis-changed"], "whoever is not in the run that was looked at"


def test_a_pack_of_an_older_run_is_taken_where_the_figures_still_hold_and_refused_by_name_where_not(quarter):
    pack = filled(quarter, {"001": ("B", "", "as seen"), "007": ("B", "", "as seen")})
    change_own_figure(quarter)
    case, book = opened(quarter)
    committee.freeze(book, case.cycle, "data", by="HR")
    given = {"proposer": "P", "authoriser": "Chair"}
    with pytest.raises(DecisionError) as caught:
        committee.decide_file(book, case, pack, given)
    (found,) = caught.value.findings
    assert found.code == "basis-changed" and found.message.startswith("007: it was decided on other figures: ")
    assert "sales_attainment changed" in found.message and "score 77.4 → " in found.message
    pack = filled(quarter, {"001": ("B", "", "as seen")}, pack)
    assert committee.decide_file(book, case, pack, given).state.grades == {"001": "B"}


def test_a_title_above_the_header_hides_no_decision(quarter, tmp_path):
    # The discussion list has the columns too: it would be taken in the stead of what was filled in.
    path = filled(quarter, {"001": ("A", "R3", "typed on the discussion list")}, sheet="Discussion")
    path = filled(quarter, {"002": ("B", "R4", "typed under the title")}, path)
    book = openpyxl.load_workbook(path)
    book["Decisions"].insert_rows(1, 2)
    book["Decisions"]["A1"] = "Decisions of the committee, 30 October"
    book.save(path)
    found = {one.employee: one for one in read_choices(path, {}, lambda run: {}, "run1")}
    assert found["002"].reason == "typed under the title" and found["002"].place[0] == "filled.xlsx[Decisions]"
    plain = tmp_path / "d.csv"
    plain.write_text("Decisions of the committee,,\n,,\nemployee_id,decision,reason\n003,A,seen\n", encoding="utf-8")
    (one,) = read_choices(plain, {}, lambda run: {}, "run1")
    assert (one.employee, one.grade, one.place) == ("003", "A", ("d.csv", 4, 2))


def filled(quarter, decisions, pack=None, sheet="Decisions"):
    """The pack of the newest run with ``decisions`` (grade, code, reason) typed into a sheet; all other rows empty."""
    run = quarter.out / (quarter.out / "latest").read_text().strip()
    book = openpyxl.load_workbook(pack or run / "pack.xlsx")
    page = book[sheet]
    places = {cell.value: cell.column for cell in page[1]}
    columns = [places[name] for name in ("Decision", "Reason code", "Reason in words")]
    for row in range(2, page.max_row + 1):
        typed = decisions.get(page.cell(row, 1).value, ("", "", ""))
        for column, value in zip(columns, typed, strict=True):
            page.cell(row, column).value = value or None
    path = quarter.folder / "filled.xlsx"
    book.save(path)
    return path


def change_own_figure(quarter):
    """007 sold more than was reported; then a new run."""
    rows = read_rows(quarter.cycle / "results.csv")
    for row in rows:
        if (row["employee_id"], row["kpi"]) == ("007", "sales_attainment"):
            row["actual"] = "4240"
    write_rows(quarter.cycle / "results.csv", rows)
    quarter.run()


def test_decisions_survive_a_new_run_but_for_those_whose_own_figures_changed(quarter):
    _, book = prepared(quarter)
    change_own_figure(quarter)
    case = committee.open_case(quarter.cycle, quarter.out)
    committee.freeze(book, case.cycle, "data", by="HR", reason="sales of 007 corrected")
    state = committee.state_in(book, case)
    assert set(committee.void(state, case.roll)) == {"007"} and len(state.decisions) == 7
    with pytest.raises(DecisionError, match=r"007 was decided on other figures: sales_attainment changed; score"):
        committee.finalize(book, case, ["HR", "Chair"])
    committee.decide(book, case, [choice("007", proposer="P")])
    # 007 is credited with more than the team brought in: a warning of the new run, acknowledged.
    assert committee.finalize(book, case, ["HR", "Chair"], case.roll.warnings).state.final is not None


def test_twenty_who_finalize_at_once_leave_one_final_entry_and_whole_pages(quarter):
    _case, book = prepared(quarter)
    names = [(f"HR {n}", f"Chair {n}") for n in range(20)]
    calls = [(str(quarter.cycle), str(quarter.out), str(quarter.ledger), pair) for pair in names]
    found = at_once(finalize, calls)
    assert len({entry.hash for (entry,) in found}) == 1
    kinds = [entry.kind for entry in book.entries()]
    assert kinds.count("final") == 1 and kinds.count("sign") == 2 and verify(quarter.ledger) == []
    page = (quarter.out / "committee" / "index.html").read_text()
    assert "PROVISIONAL" in page and book.head() in page


def test_pages_and_tables_are_the_same_bytes_again_from_run_and_ledger(quarter):
    case, book = prepared(quarter)
    committee.finalize(book, case, ["HR", "Chair"])
    day = date(2026, 10, 20)
    page = committee.write_pages(book, case, day)
    before = {p.relative_to(page.parent): p.read_bytes() for p in page.parent.rglob("*") if p.is_file()}
    assert {"index.html", "agenda.html", "minutes.html", "second_look.html", "outcomes.html"} <= {
        str(p) for p in before
    }
    shutil.rmtree(page.parent)
    again, other = opened(quarter)
    committee.write_pages(other, again, day)
    after = {p.relative_to(page.parent): p.read_bytes() for p in page.parent.rglob("*") if p.is_file()}
    assert before == after and (page.parent / "restricted").stat().st_mode & 0o777 == 0o700
    assert files_of(committee.scene_of(book, case, day)) == files_of(committee.scene_of(other, again, day))


def test_pages_that_somebody_changed_are_written_again(quarter):
    case, book = prepared(quarter)
    page = committee.write_pages(book, case)
    whole = page.read_bytes()
    page.write_bytes(whole.replace(b"DRAFT", b"FINAL"))
    assert committee.write_pages(book, case).read_bytes() == whole


def test_bonuses_of_a_final_quarter_are_paid_out_of_the_pool_to_the_cent(quarter):
    case, book = prepared(quarter)
    committee.finalize(book, case, ["HR", "Chair"])
    folder = committee.write_pages(book, case).parent
    paid = read_rows(folder / "restricted" / "bonuses.csv")
    (pool,) = [row for row in read_rows(folder / "tables" / "pool.csv") if row["step"] == "decided"]
    assert sum(int(row["cents"]) for row in paid) == round(100 * float(pool["budget"]))
    assert not any("amount" in path.read_text() for path in (folder / "tables").iterdir())


def test_a_final_quarter_keeps_its_run_and_refuses_other_data(quarter):
    case, book = prepared(quarter)
    committee.finalize(book, case, ["HR", "Chair"])
    runner.run(str(quarter.cycle), out=quarter.out, notebooks=[str(quarter.notebook)], seed=2)
    newer, state = committee.open_case(quarter.cycle, quarter.out), committee.state_in(book, case)
    assert newer.run != case.run == committee.of_final(newer, state).run
    scores = quarter.out / case.run / "tables" / "scores.csv"
    whole = scores.read_bytes()
    scores.write_bytes(whole.replace(b",B,", b",A,"))
    with pytest.raises(RunError, match=r"changed since: tables/scores\.csv"):
        committee.of_final(newer, state)
    change_own_figure(quarter)
    newer = committee.open_case(quarter.cycle, quarter.out)
    with pytest.raises(DecisionError, match=r"final on the data of run .*\[data-changed\]"):
        committee.write_pages(book, newer)


def test_kills_at_random_moments_lose_and_double_nothing(published, tmp_path):
    study = Study(published, tmp_path, seed=20261020)
    for n in range(2):  # the study does fifty
        found = study.kill(finalize=n % 2 == 1)
        assert found.wrong == (), str(found)


# --- Comparing -------------------------------------------------------------------------------------------------


def test_the_parts_of_a_change_add_up_to_it_whatever_changed(quarter):
    rng = random.Random(3)
    before = pm.read_cycle(quarter.cycle)
    results, ratings = (read_rows(quarter.cycle / f"{name}.csv") for name in ("results", "ratings"))
    for row in results:
        if row["actual"] and row["employee_id"] != "005":
            row["actual"] = f"{float(row['actual']) * rng.uniform(0.95, 1.05):.2f}"
    for row in ratings:
        row["rating"] = str(rng.choice([2, 2.5, 3, 3.5, 4]))
    write_rows(quarter.cycle / "results.csv", results)
    write_rows(quarter.cycle / "ratings.csv", ratings)
    after = pm.read_cycle(quarter.cycle)
    tables = [pm.Assessment(cycle).tables("scores", "kpi_scores") for cycle in (before, after)]
    for table in (from_tables(*tables), compare_cycles(before, after).table):
        graded = table.dropna(subset=["change"])
        assert len(graded) == 7
        np.testing.assert_allclose(graded[list(PARTS)].sum(axis=1), graded["change"], atol=1e-9)


def test_one_corrected_figure_is_the_only_cause_of_the_only_move(quarter):
    before = pm.read_cycle(quarter.cycle)
    change_own_figure(quarter)
    after = pm.read_cycle(quarter.cycle)
    found = compare_cycles(before, after)
    assert found.way == "by computing again"
    moved = found.table[found.table["change"].abs() > 1e-9]
    assert list(moved["employee_id"]) == ["007"]
    np.testing.assert_allclose(moved["own_results"], moved["change"])
    run = sorted(path.parent for path in quarter.out.glob("*/manifest.json"))
    newest = (quarter.out / "latest").read_text().strip()
    older = next(path for path in run if path.name != newest)
    (row,) = committee.compare(older, quarter.out).table.query("change.abs() > 1e-9").to_dict("records")
    assert row["employee_id"] == "007" and "sales_attainment (actual)" in row["because"]


def side(points, weights, lift):
    """Tables of a run with one person: a measured and a rated KPI, and what the proposal adds to the raw score."""
    raw = sum(p * w for p, w in zip(points, weights, strict=True)) / 100
    kpis = pd.DataFrame(
        {
            "employee_id": "1",
            "scorecard": "",
            "kpi": ["sales", "culture"],
            "kind": ["measured", "rated"],
            "target": [100.0, np.nan],
            "actual": [points[0], np.nan],
            "score_raw": points,
            "weight": weights,
        }
    )
    scores = pd.DataFrame(
        {"employee_id": ["1"], "unit": "N", "score_raw": raw, "score_proposed": raw + lift, "grade_proposed": "B"}
    )
    return {"kpi_scores": kpis, "scores": scores}


def test_the_parts_of_one_change_are_those_worked_by_hand():
    # Raw 60 x .80 + 40 x .70 = 76 becomes 50 x .90 + 50 x .65 = 77.5; the proposal adds 1 before and .5 after.
    # Results: 60 (.90 - .80) = 6. Ratings: 40 (.65 - .70) = -2. Weights: -10 x .90 + 10 x .65 = -2.5. Severity: -.5.
    (row,) = from_tables(side([80, 70], [60, 40], 1), side([90, 65], [50, 50], 0.5)).to_dict("records")
    assert [row[part] for part in PARTS] == pytest.approx([6, -2, 0, -0.5, -2.5, 0])
    assert row["change"] == pytest.approx(1)
    assert row["because"].split("; ") == [
        "own results +6.0", "weights and rules −2.5", "own ratings −2.0", "severity of raters −0.5",
        "sales (actual) +6.0", "culture (rating) −2.0",
    ]  # fmt: skip


def test_other_points_for_the_same_figures_are_the_rules_doing_and_no_result_of_the_person():
    # 60 (.90 - .80) = 6 at the same target and actual: the rule gives more for them.
    before, after = side([80, 70], [60, 40], 1), side([90, 70], [60, 40], 1)
    after["kpi_scores"]["actual"] = before["kpi_scores"]["actual"]
    (row,) = from_tables(before, after).to_dict("records")
    assert [row[part] for part in PARTS] == pytest.approx([0, 0, 0, 0, 6, 0])
    assert row["because"] == "weights and rules +6.0; sales (rule or thresholds) +6.0"


def test_what_is_neither_run_nor_cycle_is_not_compared(tmp_path, quarter):
    with pytest.raises(RunError, match="cannot be compared"):
        committee.compare(tmp_path, quarter.cycle)


# --- The shipped quarter, start to end, by the commands a newcomer types ------------------------------------------


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Every command of the quarter with what it printed, in order."""
    quarter = Quarter.shipped(tmp_path_factory.mktemp("story"))
    told = {}

    def step(name, *words, where=True):
        told[name] = quarter.do(*words, where=where)
        return told[name]

    cycle = quarter.cycle
    step("plan", "freeze", cycle, "--stage", "plan", "--by", "HR", where=False)
    step("run", "run", cycle, "--notebook", quarter.notebook)
    step("early", "decide", cycle, "--consent", "--reason", "x", "--proposer", "P", "--authoriser", "Chair")
    step("data", "freeze", cycle, "--stage", "data", "--by", "HR", where=False)
    if told["run"].returncode:
        pytest.fail(told["run"].stderr)
    case = committee.open_case(cycle, quarter.out)
    ids = case.roll.scored
    calm = [who for who in ids if who not in case.roll.flagged]
    doubted = calm[0]
    votes = [{"employee_id": who, "voter": f"V{n}", "vote": "agree"} for n in range(3) for who in ids[::10]]
    votes += [{"employee_id": doubted, "voter": "V9", "vote": "question"}]
    step("votes", "decide", cycle, "--votes", write_rows(quarter.folder / "votes.csv", votes))
    people = case.roll.people
    lifted = next(who for who in sorted(case.roll.flagged) if people[who].proposed == "B" and not people[who].cap)
    typed = {
        who: (people[who].proposed, "R4" if people[who].raw != people[who].proposed else "", "Figures and talk agree.")
        for who in sorted(case.roll.flagged | {doubted})
        if people[who].proposed
    }
    typed[lifted] = ("A", "R3", "A customer closed down; the market note shows it.")
    pack = filled(quarter, typed)
    step("unsigned", "finalize", cycle, "--sign", "HR", "--sign", "Chair")
    decide = ("decide", cycle, "--proposer", "P", "--authoriser", "Chair", "--session", "20 Oct")
    step("pack", *decide, "--file", pack)
    step("again", *decide, "--file", pack)
    step("consent", *decide, "--consent", "--code", "R4", "--reason", "Neither flagged nor questioned.")
    codes = [word for code in case.roll.warnings for word in ("--acknowledge", code)]
    step("alone", "finalize", cycle, "--sign", "HR", "--sign", "hr", *codes)
    step("final", "finalize", cycle, "--sign", "HR", "--sign", "Managing director", *codes)
    step("final again", "finalize", cycle, "--sign", "HR", "--sign", "Managing director", *codes)
    step("verify", "ledger", "verify", "--head", told["final"].stdout.split()[-2][:12], where=False)
    return quarter, case, told, {"lifted": lifted, "doubted": doubted, "typed": typed}


def test_a_quarter_from_the_frozen_plan_to_its_outcomes_by_the_command_line_alone(story):
    _quarter, case, told, who = story
    refused = {name for name, run in told.items() if run.returncode}
    assert refused == {"early", "unsigned", "alone"}, {name: told[name].stderr for name in refused}
    assert all("Traceback" not in run.stderr for run in told.values())
    assert "[not-frozen]" in told["early"].stderr
    assert "[undecided]" in told["unsigned"].stderr and "[warnings]" in told["unsigned"].stderr
    assert "[signatures]" in told["alone"].stderr
    assert f"{len(who['typed'])} of {len(case.roll.scored)} decided." in told["pack"].stdout
    assert told["again"].stdout == told["pack"].stdout, "given again, nothing is recorded twice"
    assert "is final" in told["final"].stdout and "already final" in told["final again"].stdout
    assert "whole" in told["verify"].stdout


def test_the_final_quarter_holds_every_decision_with_its_record(story):
    quarter, case, _told, who = story
    entries = open_ledger(quarter.ledger, create=False).entries("2026Q3")
    state = state_of(entries)
    assert sorted(state.grades) == case.roll.scored and state.final is not None
    change = state.decisions[who["lifted"]].data
    assert (change["proposed"], change["to"], change["code"], change["session"]) == ("B", "A", "R3", "20 Oct")
    assert state.decisions[who["doubted"]].data["votes"]["question"] == 1
    assert state.final.data["counts"]["decided"] == len(who["typed"])
    assert state.final.data["counts"]["changed"] == 1
    assert sum(state.final.data["grades"].values()) == len(case.roll.scored)


def test_what_follows_reconciles_and_money_by_person_lies_in_restricted_alone(story):
    quarter, case, _, _who = story
    folder = quarter.out / "committee"
    rows = {
        name: read_rows(folder / "tables" / f"{name}.csv") for name in ("decisions", "distribution", "pool", "plans")
    }
    decided = {row["employee_id"]: row["grade_decided"] for row in rows["decisions"]}
    assert len(decided) == len(case.roll.scored) and all(decided.values())
    company = [
        r for r in rows["distribution"] if r["stage"] == "decided" and r["unit"] == "company" and len(r["grade"]) == 1
    ]
    assert sum(int(row["n"]) for row in company) == len(decided)
    paid = read_rows(folder / "restricted" / "bonuses.csv")
    (pool,) = [row for row in rows["pool"] if row["step"] == "decided"]
    assert sum(int(row["cents"]) for row in paid) == round(100 * float(pool["budget"]))
    assert {row["employee_id"] for row in rows["plans"]} == {e for e, grade in decided.items() if grade == "D"}
    fairness = {row["stage"] for row in read_rows(folder / "restricted" / "fairness.csv")}
    assert {"decided", "proposed to decided"} <= fairness
    assert {path.name for path in (folder / "restricted").iterdir()} == {
        "bonuses.csv", "bonuses.html", "fairness.csv", "fairness.html"
    }  # fmt: skip


def test_every_page_of_the_committee_prints_status_and_head_and_the_list_of_runs_leads_there(story):
    quarter, _, told, _ = story
    head = told["final"].stdout.split()[-2]
    pages = sorted((quarter.out / "committee").glob("*.html"))
    assert [page.stem for page in pages] == ["agenda", "index", "minutes", "outcomes", "second_look"]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "PROVISIONAL" in text and head in text and "Simulated data" in text, page.name
    assert 'href="committee/index.html"' in (quarter.out / "index.html").read_text(encoding="utf-8")
    second = (quarter.out / "committee" / "second_look.html").read_text(encoding="utf-8")
    assert "Rubber stamp?" in second and "1 moved up and 0 down" in second


def test_the_ledger_is_shown_exported_and_missed_where_its_tail_was_cut(story):
    quarter, _, _told, _ = story
    shown = quarter.do("ledger", "show", "--cycle", "2026Q3", where=False).stdout.splitlines()
    exported = quarter.do("ledger", "export", "-", where=False).stdout.splitlines()
    assert len(shown) == len(exported) and shown[-1].split("\t")[3] == "final"
    missed = quarter.do("ledger", "verify", "--head", "0123456789ab", where=False)
    assert missed.returncode == 1 and "not in this ledger" in missed.stdout
    compared = quarter.do("compare", quarter.out, quarter.out, where=False).stdout
    assert compared.splitlines()[-1] == "Found from the tables, for 240 people."


def test_the_agenda_puts_the_questioned_case_first(story):
    quarter, _, _, who = story
    rows = read_rows(quarter.out / "committee" / "tables" / "agenda.csv")
    assert (rows[0]["employee_id"], rows[0]["group"]) == (who["doubted"], "questioned")
    groups = list(dict.fromkeys(row["group"] for row in rows))
    assert groups == ["questioned", "cut line", "flagged", "consent"]


def test_deciding_on_the_clock_of_the_ledger_is_said_in_utc(quarter):
    case, _ = opened(quarter)
    book = open_ledger(quarter.ledger, clock=lambda: datetime(2026, 10, 20, 9, 5, tzinfo=UTC))
    committee.freeze(book, case.cycle, "data", by="HR")
    committee.decide(book, case, [choice("001", proposer="P")])
    page = committee.write_pages(book, case, date(2026, 10, 20)).with_name("minutes.html").read_text()
    assert "2026-10-20 09:05 UTC" in page and "as the figures say" in page


def test_spread_and_moves_of_the_second_look_are_those_of_the_grades_by_hand():
    # Steps above D: C 1, B 2, B 2 proposed; B 2, B 2, A 3 decided. Means 5/3 and 7/3, both with the same spread:
    # deviations (2, 1, 1)/3 about the mean, variance (4 + 1 + 1)/27 = 2/9.
    from perfmodel.committee.following import spread_table

    table = spread_table(ROLL, {"001": "B", "002": "B", "003": "A"}).set_index("stage")
    assert table.loc["proposed", "mean"] == pytest.approx(5 / 3) and table.loc["decided", "mean"] == pytest.approx(
        7 / 3
    )
    assert table["spread"].to_numpy() == pytest.approx(np.full(4, np.sqrt(2 / 9)))
    assert (table.loc["decided", "up"], table.loc["decided", "down"]) == (2, 0)


def test_a_basis_reads_missing_figures_and_several_scorecards():
    scores = {f"score_{step}": [78.7] for step in ("raw", "adjusted", "proposed")}
    grades = {f"grade_{step}": ["B"] for step in ("raw", "adjusted", "proposed")}
    kpis = pd.DataFrame(
        {
            "employee_id": ["1", "1"],
            "scorecard": ["a", "b"],
            "kpi": ["sales", "sales"],
            **{name: [1.0, float("nan")] for name in ("target", "actual", "attainment", "score_raw", "weight")},
        }
    )
    ratings = pd.DataFrame(columns=["employee_id", "scorecard", "kpi", "rating_raw"])
    tables = {"scores": pd.DataFrame({"employee_id": ["1"], **scores, **grades}), "kpi_scores": kpis}
    one = committee.bases({**tables, "adjusted_ratings": ratings})["1"]
    assert list(one["inputs"]) == ["sales (a)", "sales (b)"] and committee.changes(one, one) == []
    nudged = kpis.assign(actual=[1.0 + 1e-12, float("nan")])
    two = committee.bases({**tables, "kpi_scores": nudged, "adjusted_ratings": ratings})["1"]
    assert committee.changes(one, two) == [], "a last bit voids no decision"
    three = committee.bases({**tables, "kpi_scores": kpis.assign(actual=[1.1, 0.0]), "adjusted_ratings": ratings})["1"]
    assert committee.changes(one, three) == ["sales (a) changed", "sales (b) changed"]
