"""What payroll and the HR system are sent: final quarters alone, whole once, then what changed, and never twice."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from types import SimpleNamespace

import pytest
from committee_sample import Quarter, read_rows
from hypothesis import given
from hypothesis import strategies as st

from perfmodel import committee
from perfmodel.committee import Choice, exports
from perfmodel.errors import DecisionError
from perfmodel.ledger import Draft, open_ledger
from perfmodel.ledger.chain import following

TODAY = datetime.now(UTC).date().isoformat()


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """The small quarter, decided; and final in a copy."""
    quarter = Quarter.small(tmp_path_factory.mktemp("closed"))
    quarter.run()
    case, book = committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)
    committee.freeze(book, case.cycle, "data", by="HR")
    typed = {"reason": "As the figures say.", "proposer": "P. Lind", "authoriser": "K. Ortega"}
    committee.decide(book, case, [Choice(who, **typed) for who in case.roll.scored])
    shutil.copy(quarter.ledger, quarter.folder / "decided.sqlite")
    committee.finalize(book, case, ["HR", "Managing director"], list(case.roll.warnings))
    return quarter


@pytest.fixture
def quarter(closed, tmp_path):
    shutil.copytree(closed.folder, tmp_path / "q")
    return Quarter(tmp_path / "q", tmp_path / "q" / "2026Q3")


def send(quarter, layout, name, *more):
    """``perfmodel export`` as a shell would run it, and the file."""
    place = quarter.folder / name
    words = ("export", quarter.cycle, "--layout", layout, "--out", place, "--runs", quarter.out, *more)
    return quarter.do(*words, where=False), place


def control(place):
    (row,) = read_rows(committee.control_of(place))
    return row


def appealed(quarter, grade="A"):
    """001 appeals, and has another grade from then on."""
    case, book = committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)
    on = datetime.now(UTC).date()
    committee.open_appeal(book, case, "001", facts="A payment was booked late.", by="001", on=on)
    typed = {"outcome": "changed", "reason": "The account was opened in June.", "panel": ("Ana", "Bo"), "grade": grade}
    committee.resolve_appeal(book, case, "001", **typed)


def test_payroll_is_sent_every_amount_with_control_totals_that_can_be_checked(quarter):
    done, place = send(quarter, "payroll", "pay.csv", "--effective", "2026-11-01", "--by", "Payroll office")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [str(committee.control_of(place)), str(place)]
    rows, said = read_rows(place), control(place)
    paid = read_rows(quarter.out / "committee" / "restricted" / "bonuses.csv")
    amounts = {row["employee_id"]: float(row["amount"]) for row in paid if row["grade"]}
    assert {row["employee_id"]: float(row["amount"]) for row in rows} == amounts
    assert list(rows[0]) == exports.LAYOUTS["payroll"]
    assert {(row["currency"], row["effective_date"]) for row in rows} == {("CNY", "2026-11-01")}
    (pool,) = [r for r in read_rows(quarter.out / "committee" / "tables" / "pool.csv") if r["step"] == "decided"]
    assert float(said["total"]) == pytest.approx(float(pool["budget"]), abs=0.001)
    assert int(said["rows"]) == len(rows) == 7
    assert said["sha256"] == sha256(place.read_bytes()).hexdigest()
    last = open_ledger(quarter.ledger).entries("2026Q3")[-1]
    assert (said["ledger_head"], said["status"]) == (last.hash, "PROVISIONAL")
    assert (last.kind, last.author, last.data["digest"]) == ("export", "Payroll office", said["sha256"])


def test_the_hr_system_is_sent_grade_day_and_reason_code(quarter):
    done, place = send(quarter, "hris", "hr.csv")
    assert done.returncode == 0, done.stderr
    rows = {row["employee_id"]: row for row in read_rows(place)}
    case = committee.open_case(quarter.cycle, quarter.out)
    assert {who: row["grade"] for who, row in rows.items()} == {
        who: person.proposed for who, person in case.roll.people.items() if person.proposed
    }
    assert {row["decided_on"] for row in rows.values()} == {TODAY} == {row["effective_date"] for row in rows.values()}
    assert (control(place)["rows"], control(place)["total"]) == ("7", "")


def test_nothing_is_sent_before_the_quarter_is_final_nor_twice(quarter):
    shutil.copy(quarter.folder / "decided.sqlite", quarter.ledger)
    early, place = send(quarter, "payroll", "pay.csv")
    assert early.returncode == 1 and "[not-final]" in early.stderr and not place.exists()
    case, book = committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)
    committee.finalize(book, case, ["HR", "Managing director"], list(case.roll.warnings))
    first, place = send(quarter, "payroll", "pay.csv")
    assert first.returncode == 0
    again, other = send(quarter, "payroll", "other.csv")
    assert again.returncode == 1 and "[nothing-changed]" in again.stderr and not other.exists()
    assert send(quarter, "hris", "hr.csv")[0].returncode == 0, "each layout has its own account"


def test_after_an_appeal_only_the_differences_are_sent_and_all_exports_together_are_the_pool(quarter):
    _, first = send(quarter, "payroll", "one.csv")
    _, grades = send(quarter, "hris", "hr1.csv")
    appealed(quarter)
    done, second = send(quarter, "payroll", "two.csv")
    assert done.returncode == 0, done.stderr
    changes = {row["employee_id"]: (row["grade"], float(row["amount"])) for row in read_rows(second)}
    before = {row["employee_id"]: float(row["amount"]) for row in read_rows(first)}
    now = {
        row["employee_id"]: float(row["amount"])
        for row in read_rows(quarter.out / "committee" / "restricted" / "bonuses.csv")
        if row["grade"]
    }
    assert changes["001"][0] == "A" and changes["001"][1] > 0
    assert any(amount < 0 for _, amount in changes.values()), "a fixed pool gives one what it takes from the rest"
    for who, amount in now.items():
        assert before[who] + changes.get(who, ("", 0.0))[1] == pytest.approx(amount, abs=0.001)
    assert float(control(first)["total"]) + float(control(second)["total"]) == pytest.approx(sum(now.values()))
    assert control(second)["export"] == "2"
    done, third = send(quarter, "hris", "hr2.csv")
    assert [(row["employee_id"], row["grade"], row["reason_code"]) for row in read_rows(third)] == [("001", "A", "R10")]
    assert len(read_rows(grades)) == 7


def test_a_file_that_was_lost_is_written_again_from_the_ledger_byte_for_byte(quarter):
    _, place = send(quarter, "payroll", "pay.csv")
    content, head = place.read_bytes(), open_ledger(quarter.ledger).head()
    place.unlink()
    done, again = send(quarter, "payroll", "pay.csv", "--again")
    assert done.returncode == 0 and again.read_bytes() == content
    assert open_ledger(quarter.ledger).head() == head, "nothing is recorded twice"
    none, _ = send(quarter, "hris", "hr.csv", "--again")
    assert none.returncode == 1 and "[nothing-sent]" in none.stderr


def test_a_folder_that_is_not_there_is_refused_before_anything_is_recorded(quarter):
    head = open_ledger(quarter.ledger).head()
    done, _ = send(quarter, "payroll", "nowhere/pay.csv")
    assert done.returncode == 1 and "[no-folder]" in done.stderr
    assert open_ledger(quarter.ledger).head() == head
    assert send(quarter, "payroll", "pay.csv", "--effective", "soon")[0].returncode == 2


def test_cells_that_a_spreadsheet_would_run_are_kept_as_text_and_amounts_stay_numbers():
    day = date(2026, 11, 1)
    frame = exports.frame_of([["=1+1", "A", -1250, "CNY"]], "payroll", day)
    assert exports.csv_bytes(frame).decode().splitlines()[1] == "'=1+1,A,-12.5,CNY,2026-11-01"


def test_a_folder_in_the_files_place_is_refused_before_anything_is_recorded(tmp_path):
    with pytest.raises(DecisionError, match="is a folder"):
        exports.must_have_folder(tmp_path)


def test_amounts_of_two_currencies_are_never_subtracted():
    sent = {"rows": [["001", "A", 100_00, "CNY"]], "layout": "payroll"}
    entry = following(Draft("2026Q3", "export", "HR", sent, "t"), None, "2026-10-20T09:00:00.000000+00:00")
    state = SimpleNamespace(final=entry, entries=(entry,), grades={"001": "A"}, decisions={})
    case = SimpleNamespace(cycle=SimpleNamespace(id="2026Q3"), run="run1")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exports, "standing", lambda *_: {"001": ["A", 100_00, "USD"]})
        with pytest.raises(DecisionError, match="currency-changed"):
            exports.export_drafts(case, state, "payroll", effective=None, by="HR", head="")


def test_an_export_whose_file_would_be_another_is_not_written_again(quarter):
    _, _ = send(quarter, "payroll", "pay.csv")
    entry = open_ledger(quarter.ledger).entries("2026Q3")[-1]
    broken = replace(entry, payload=entry.payload.replace(entry.data["digest"], "0" * 64))
    with pytest.raises(DecisionError, match="digest"):
        exports.of_entry(broken, "FINAL")


grade_and_cents = st.tuples(st.sampled_from("AB"), st.integers(0, 10**6))
amounts = st.dictionaries(st.sampled_from("abcdef"), grade_and_cents, max_size=6)


@given(st.lists(amounts, min_size=1, max_size=5))
def test_whatever_changes_the_sums_of_all_payroll_exports_are_what_stands_now(states):
    known: dict[str, list] = {}
    for state in states:
        now = {who: [grade, cents, "CNY"] for who, (grade, cents) in state.items()}
        for who, grade, cents, currency in exports.deltas(now, known, "payroll"):
            known[who] = [grade, known.get(who, ["", 0])[1] + cents, currency]
        assert {who: found for who, found in known.items() if found[0]} == now
        assert exports.deltas(now, known, "payroll") == []
        assert all(found[1] == 0 for found in known.values() if not found[0])
