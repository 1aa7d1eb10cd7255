"""The ledger in a SQLite file: what it records, what it refuses, and that nothing changes unseen."""

import csv
import hashlib
import io
import json
import os
import random
import sqlite3
import subprocess
import sys
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kill_ledger_study import Study
from ledger_work import at_once, command, decide, draft, finalize

from perfmodel.cli import main
from perfmodel.errors import LedgerError, PerfmodelError
from perfmodel.io import csv_bytes
from perfmodel.ledger import (
    GENESIS,
    Draft,
    Entry,
    export_lines,
    export_rows,
    open_ledger,
    schema,
    show_rows,
    token_of,
    verify,
)
from perfmodel.ledger.chain import following, problems
from perfmodel.ledger.entry import canonical

MOMENT = datetime(2026, 10, 8, 9, 0, 0, 5, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path):
    return open_ledger(tmp_path / "ledger.sqlite", clock=lambda: MOMENT)


@pytest.fixture(scope="module")
def twelve(tmp_path_factory):
    """A ledger of 12 entries: its bytes, entries and head, for damage to copies."""
    path = tmp_path_factory.mktemp("twelve") / "ledger.sqlite"
    ledger = open_ledger(path)
    ledger.append(*(draft(n) for n in range(12)))
    return path.read_bytes(), ledger.entries(), ledger.head()


def chain_of(count: int) -> list[Entry]:
    entries: list[Entry] = []
    for n in range(count):
        entries.append(following(draft(n), entries[-1] if entries else None, MOMENT.isoformat(timespec="microseconds")))
    return entries


# What an entry is


def test_the_hash_of_an_entry_can_be_recomputed_with_a_pencil_and_sha256(ledger):
    (entry,) = ledger.append(Draft("2026Q3", "decision", "HR", {"to": "优", "from": "B"}, "t1", subject="001"))
    text = (
        '[1,"2026-10-08T09:00:00.000005+00:00","2026Q3","decision","001","HR",'
        '"{\\"from\\":\\"B\\",\\"to\\":\\"优\\"}","t1","' + "0" * 64 + '"]'
    )
    assert entry.hash == hashlib.sha256(text.encode("utf-8")).hexdigest() == ledger.head()
    assert entry.payload == '{"from":"B","to":"优"}' and entry.data == {"from": "B", "to": "优"}


def test_each_entry_holds_the_hash_of_the_one_before_and_numbers_have_no_gap(ledger):
    assert ledger.head() == GENESIS and ledger.entries() == () and ledger.verify(GENESIS) == []
    one, two = ledger.append(draft(1), draft(2))
    (three,) = ledger.append(draft(3))
    assert [entry.seq for entry in ledger.entries()] == [1, 2, 3]
    assert (one.previous, two.previous, three.previous, ledger.head()) == (GENESIS, one.hash, two.hash, three.hash)
    assert ledger.verify() == ledger.verify(three.hash) == ledger.verify(one.hash[:12]) == []


def test_entries_are_found_by_quarter_kind_and_number(ledger):
    ledger.append(draft(1), replace(draft(2), cycle="2026Q4"), Draft("2026Q3", "finalize", "HR", {}, "f"))
    assert [entry.seq for entry in ledger.entries(cycle="2026Q3")] == [1, 3]
    assert [entry.seq for entry in ledger.entries(kind="decision")] == [1, 2]
    assert [entry.seq for entry in ledger.entries(after=1, cycle="2026Q3", kind="finalize")] == [3]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)  # time is the machine's
@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_a_payload_that_can_be_recorded_reads_back_equal_and_in_one_spelling(payload):
    try:
        made = Draft("q", "k", "a", payload, "t")
    except LedgerError:  # half a surrogate pair: the only text that UTF-8 cannot hold
        assert any("\ud800" <= c <= "\udfff" for c in json.dumps(payload, ensure_ascii=False))
        return
    entry = following(made, None, "2026-10-08T09:00:00.000000+00:00")
    assert entry.data == payload and canonical(entry.data) == entry.payload and problems([entry]) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"payload": {"x": float("nan")}}, "cannot be recorded as JSON"),
        ({"payload": {"x": {1, 2}}}, "cannot be recorded as JSON"),
        ({"payload": {1: "a", "1": "b"}}, "its key 1 is no text"),
        ({"payload": ["a"]}, "not an object"),
        ({"author": ""}, "without author"),
        ({"token": ""}, "without token"),
        ({"kind": None}, "must be text"),
        ({"subject": "a\0b"}, "zero byte"),
        ({"author": "\ud800"}, "half a character"),
    ],
)
def test_what_cannot_be_stored_as_it_is_is_refused_before_anything_is_recorded(wrong, said):
    with pytest.raises(LedgerError, match=said):
        Draft(**{"cycle": "q", "kind": "k", "author": "a", "payload": {}, "token": "t", **wrong})


def test_a_token_tells_commands_apart_that_look_alike_when_run_together():
    assert token_of("a", "bc") != token_of("ab", "c") and token_of("a", 1) != token_of("a", "1")
    assert token_of("decision", {"b": 1, "a": 2}) == token_of("decision", {"a": 2, "b": 1})
    with pytest.raises(LedgerError, match="token"):
        token_of({1, 2})


# Adding


def test_a_command_given_again_adds_nothing_and_returns_what_stands(ledger):
    first = ledger.append(draft(1), draft(2))
    again = ledger.append(draft(2), draft(3), draft(3), draft(1, author="someone else"))
    assert [entry.seq for entry in again] == [2, 3, 3, 1] and again[3] == first[0]
    assert len(ledger.entries()) == 3 and ledger.verify() == []
    assert ledger.append() == ()


def test_a_token_that_stands_for_something_else_is_refused_and_nothing_recorded(ledger):
    ledger.append(draft(1))
    with pytest.raises(LedgerError, match="carries the token of entry 1"):
        ledger.append(draft(2), replace(draft(1), subject="someone else"))
    with pytest.raises(LedgerError, match="carries the token of entry 2"):
        ledger.append(draft(3), replace(draft(3), payload={}))
    assert len(ledger.entries()) == 1


def test_more_drafts_than_a_statement_takes_values_are_one_command(ledger):
    drafts = [draft(n) for n in range(1200)]
    assert [entry.seq for entry in ledger.append(*drafts)] == list(range(1, 1201))
    assert ledger.append(*drafts) == ledger.entries() and ledger.verify(ledger.head()) == []


def test_what_was_decided_on_a_state_that_has_moved_on_is_refused(ledger):
    seen = ledger.head()
    ledger.append(draft(1), expect=seen)
    with pytest.raises(LedgerError, match="moved on"):
        ledger.append(draft(2), expect=seen)
    assert len(ledger.append(draft(1), expect=seen)) == 1 == len(ledger.entries())  # the same again is no surprise
    ledger.append(draft(2), expect=ledger.head())


def test_a_rule_sees_what_stands_and_what_it_refuses_leaves_nothing(ledger):
    def once(standing):
        if any(entry.kind == "finalize" for entry in standing):
            raise LedgerError("closed already")
        return [draft(len(standing)), Draft("2026Q3", "finalize", "HR", {}, f"f{len(standing)}")]

    assert len(ledger.append_from(once)) == 2
    with pytest.raises(LedgerError, match="closed already"):
        ledger.append_from(once)
    assert ledger.append_from(once, cycle="2026Q4") == ledger.entries()  # sees no entry, and repeats those that stand

    def broken(standing):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ledger.append_from(broken)
    assert len(ledger.entries()) == 2 and ledger.verify(ledger.head()) == []


# Several at once


def test_two_processes_that_decide_at_once_both_have_all_their_entries_in_one_chain(tmp_path):
    place = tmp_path / "ledger.sqlite"  # made by whoever is first
    one, two = at_once(decide, [(str(place), "one", range(20)), (str(place), "two", range(100, 120))])
    entries = open_ledger(place).entries()
    assert {*one, *two} == {*entries} and len(entries) == 40 and verify(place, entries[-1].hash) == []


def test_twenty_that_finalize_at_once_make_one_entry_and_all_are_told_of_it(tmp_path):
    place = tmp_path / "ledger.sqlite"
    told = at_once(finalize, [(str(place), f"person {n}") for n in range(20)])
    entries = open_ledger(place).entries()
    assert len(entries) == 1 and all(tuple(each) == entries for each in told) and verify(place) == []


def test_after_a_kill_at_any_moment_nothing_reported_is_lost_or_doubled_and_the_command_can_be_repeated(tmp_path):
    study = Study(tmp_path, seed=20261008)
    found = [study.kill(fresh=n % 4 == 3) for n in range(8)]
    assert [kill.wrong for kill in found] == [()] * 8
    assert sum(kill.reported for kill in found) > 0


# Whether it is what was recorded


def tampered(path: Path, statement: str, values: tuple) -> int:
    """A change past the triggers by one who covers the tracks: dropped before, put back after."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN")
    made = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in made:
        connection.execute(f"DROP TRIGGER {name}")
    changed = connection.execute(statement, values).rowcount
    for _, sql in made:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.close()
    return changed


def test_any_field_changed_row_removed_or_tail_cut_is_told_in_200_of_200_trials(twelve, tmp_path):
    content, entries, head = twelve
    rng = random.Random(20261008)
    names = [field.name for field in fields(Entry)]
    done = {"changed": 0, "removed": 0, "cut": 0}
    path = tmp_path / "ledger.sqlite"
    for trial in range(200):
        path.write_bytes(content)
        entry = rng.choice(entries)
        kind = ("changed", "changed", "removed", "cut")[trial % 4]
        if kind == "changed":  # told without a head, the last entry's fields too
            name = names[trial // 2 % len(names)]
            value = entry.seq + 100 if name == "seq" else altered(getattr(entry, name), rng)
            count = tampered(path, f"UPDATE ledger_entries SET {name} = ? WHERE seq = ?", (value, entry.seq))
            found = verify(path)
            assert any(f"Entry {value if name == 'seq' else entry.seq} does not match" in said for said in found), found
            assert any(name in said for said in found), (name, found)
        elif kind == "removed":  # any but the last: told without a head
            entry = rng.choice(entries[:-1])
            count = tampered(path, "DELETE FROM ledger_entries WHERE seq = ?", (entry.seq,))
            found = verify(path)
            assert found == [f"Entry {entry.seq} is missing: removed, or numbered otherwise, after being recorded."]
        else:  # from any entry to the end: the chain is whole, so only the head tells
            count = tampered(path, "DELETE FROM ledger_entries WHERE seq >= ?", (entry.seq,))
            assert verify(path) == []
            found = verify(path, head)
            assert len(found) == 1 and "entries were cut off its end" in found[0]
        assert count > 0
        done[kind] += 1
    assert done == {"changed": 100, "removed": 50, "cut": 50}


def altered(text: str, rng: random.Random) -> str:
    """``text`` with one character replaced, taken out or put in."""
    at = rng.randrange(len(text))
    other = rng.choice([c for c in "0123456789abcdefX优" if c != text[at]])
    return rng.choice([text[:at] + other + text[at + 1 :], text[:at] + text[at + 1 :], text[:at] + other + text[at:]])


def test_any_byte_flipped_in_the_file_is_found_or_leaves_every_entry_unchanged_in_300_trials(twelve, tmp_path):
    content, entries, head = twelve
    rng = random.Random(7)
    path = tmp_path / "ledger.sqlite"
    # Every byte of the header and of the first page's tree, the rest at random.
    places = [*range(0, 112), *(rng.randrange(112, len(content)) for _ in range(188))]
    told = 0
    for at in places:
        path.write_bytes(content[:at] + bytes([content[at] ^ rng.randrange(1, 256)]) + content[at + 1 :])
        found = verify(path, head)
        assert all(isinstance(said, str) and said.encode("utf-8") for said in found)
        told += bool(found)
        if not found:
            assert open_ledger(path, create=False).entries() == entries, at
        for beside in tmp_path.glob("ledger.sqlite-*"):
            beside.unlink()
    assert len(places) == 300 and 0 < told < 300


def test_the_field_that_was_changed_is_named_where_the_neighbours_give_it_away():
    entries = chain_of(5)
    wrong = "f" * 64
    assert "its hash was changed" in problems([*entries[:2], replace(entries[2], hash=wrong), *entries[3:]])[0]
    assert "its previous" in problems([*entries[:2], replace(entries[2], previous=wrong), *entries[3:]])[0]
    assert "its seq was changed from 3" in problems([*entries[:2], replace(entries[2], seq=7)])[1]
    assert "payload" in problems([*entries[:2], replace(entries[2], payload='{"to":"S"}'), *entries[3:]])[0]


def test_an_entry_that_was_changed_and_hashed_anew_is_told_by_the_next_or_by_the_head():
    entries = chain_of(3)

    def forged(entry):
        changed = replace(entry, payload='{"to":"S"}')
        return replace(changed, hash=changed.digest)

    found = problems([entries[0], forged(entries[1]), entries[2]])
    assert len(found) == 1 and found[0].startswith("Entry 3 does not follow from what stands before it")
    assert problems([*entries[:2], forged(entries[2])]) == []  # only the head, kept elsewhere, knows


def test_a_chain_hashed_anew_from_the_middle_is_told_by_a_head_printed_before(twelve, tmp_path):
    content, entries, head = twelve
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    tampered(path, "DELETE FROM ledger_entries WHERE seq > ?", (6,))
    open_ledger(path).append(*(draft(n, author="a forger") for n in range(6, 12)))
    assert verify(path) == [] and verify(path, entries[5].hash) == []
    assert "not in this ledger, which ends at entry 12" in verify(path, head)[0]


def test_two_entries_with_one_token_a_loose_spelling_and_a_loose_time_are_told():
    one, two = chain_of(2)
    twice = following(draft(0), two, two.at)
    assert any("Entries 1 and 3 carry one token" in said for said in problems([one, two, twice]))
    loose = replace(one, payload='{"to": "A"}', at="8 October")
    found = problems([replace(loose, hash=loose.digest)])
    assert ["canonical" in found[0], "no UTC time" in found[1]] == [True, True] and len(found) == 2


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TRIGGER ledger_entries_no_update", "trigger ledger_entries_no_update is missing"),
        ("CREATE TABLE notes (x TEXT)", "table notes that perfmodel did not make"),
        (
            "CREATE TRIGGER x AFTER INSERT ON ledger_entries BEGIN SELECT 1; END",
            "trigger x that perfmodel did not make",
        ),
        ("ALTER TABLE ledger_entries ADD COLUMN more TEXT", "table ledger_entries was changed"),
        ("UPDATE ledger_versions SET version = 0", "table of versions"),
        ("INSERT INTO ledger_versions VALUES (-3, '')", "should count from 1 to 1"),
    ],
)
def test_a_ledger_that_is_no_longer_built_as_it_was_made_is_told(ledger, statement, said):
    ledger.append(draft(1))
    with sqlite3.connect(ledger.address.path) as connection:
        connection.execute(statement)
    assert any(said in sentence for sentence in ledger.verify(ledger.head()))


def test_a_changed_entry_is_not_read_and_not_built_upon(twelve, tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(twelve[0])
    tampered(path, "UPDATE ledger_entries SET author = ? WHERE seq = ?", ("me", 12))
    ledger = open_ledger(path)
    for use in (ledger.entries, ledger.head, lambda: ledger.append(draft(99))):
        with pytest.raises(LedgerError, match="Entry 12 of the ledger does not match its hash"):
            use()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE ledger_entries SET cycle = 'x' WHERE seq = ?", "Entry 4 of the ledger does not match its hash"),
        ("DELETE FROM ledger_entries WHERE seq = ?", "Entry 5 of the ledger does not follow from the one before"),
    ],
)
def test_an_entry_that_was_moved_to_another_quarter_or_removed_is_not_passed_over_in_reading(
    twelve, tmp_path, statement, said
):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(twelve[0])
    tampered(path, statement, (4,))
    ledger = open_ledger(path)
    for use in (lambda: ledger.entries(cycle="2026Q3"), lambda: ledger.append_from(lambda _: [draft(99)], "2026Q3")):
        with pytest.raises(LedgerError, match=said):
            use()
    assert [entry.seq for entry in ledger.entries(after=5)] == list(range(6, 13))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET author = 'me'",
        "DELETE FROM ledger_entries",
        "INSERT OR REPLACE INTO ledger_entries SELECT 1, at, cycle, kind, subject, 'me', payload, token, previous, "
        "hash FROM ledger_entries WHERE seq = 1",
        "INSERT OR REPLACE INTO ledger_entries SELECT 13, at, cycle, kind, subject, 'me', payload, token, '', '' "
        "FROM ledger_entries WHERE seq = 1",
        "INSERT INTO ledger_entries SELECT 20, at, cycle, kind, subject, author, payload, 't', 'p', 'h' "
        "FROM ledger_entries WHERE seq = 1",
    ],
)
def test_the_database_itself_refuses_to_change_remove_or_replace(twelve, tmp_path, statement):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(twelve[0])
    with sqlite3.connect(path) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    assert verify(path, twelve[2]) == []


# Older and newer ledgers


def newer(monkeypatch, *statements):
    monkeypatch.setitem(schema.STEPS, "sqlite", (*schema.STEPS["sqlite"], statements))


def test_an_older_ledger_is_brought_up_to_date_and_keeps_its_entries(ledger, monkeypatch):
    entries = ledger.append(draft(1), draft(2))
    newer(monkeypatch, "CREATE INDEX ledger_entries_cycle ON ledger_entries (cycle)")
    assert ledger.verify(ledger.head()) == []  # an older one is whole as it is, and looking does not migrate
    later = open_ledger(ledger.address.path)
    assert later.entries() == entries and later.verify(ledger.head()) == []
    with sqlite3.connect(ledger.address.path) as connection:
        assert connection.execute("SELECT version FROM ledger_versions").fetchall() == [(1,), (2,)]
    monkeypatch.undo()
    with pytest.raises(LedgerError, match="of version 2, and this perfmodel knows versions up to 1"):
        open_ledger(ledger.address.path)


def test_a_migration_that_fails_half_way_leaves_the_ledger_as_it_was(ledger, monkeypatch):
    ledger.append(draft(1))
    newer(monkeypatch, "CREATE INDEX half ON ledger_entries (cycle)", "CREATE INDEX half ON ledger_entries (kind)")
    with pytest.raises(LedgerError, match="cannot be used"):
        open_ledger(ledger.address.path)
    monkeypatch.undo()
    assert open_ledger(ledger.address.path).verify(ledger.head()) == []


# What is said when it cannot be used


def test_what_can_be_no_ledger_is_refused_in_a_sentence(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("no database " * 100)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE customers (x)")
    for place, said in [
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "ledger.sqlite", "folder of the ledger .* is not there"),
        (text, "is no SQLite file"),
        (other, r"database of something else \(tables customers\)"),
        (":memory:", "would forget"),
        ("sqlite://", "would forget"),
        ("sqlite:///x.sqlite?mode=ro", "takes no options"),
        ("mysql://u:secret@h/d", "cannot be kept in a mysql database"),
        ("http://x", "cannot be kept in a http database"),
        ("postgresql://u:secret@h:port/d", "cannot be read"),
        ("postgresql:/u:secret@h/d", "cannot be read"),
        ("postgresql://u:a@secret@h/d", "cannot be read"),
    ]:
        with pytest.raises(LedgerError, match=said) as caught:
            open_ledger(place)
        assert "secret" not in str(caught.value) and isinstance(caught.value, PerfmodelError)
    assert text.read_text().startswith("no database") and verify(text)[0].startswith(f"{text} is no SQLite file")


def test_reading_makes_no_ledger_where_there_is_none(tmp_path):
    place = tmp_path / "ledger.sqlite"
    for use in (lambda: open_ledger(place, create=False), lambda: verify(place)):
        with pytest.raises(LedgerError, match="There is no ledger"):
            use()
    assert not place.exists()
    open_ledger(f"sqlite:///{place}")
    assert open_ledger(place, create=False).head() == GENESIS
    if os.name == "posix":
        assert place.stat().st_mode & 0o077 == 0  # decisions on people are their owner's alone to read
    place.write_bytes(b"")
    none, missing = verify(place, "a" * 12)
    assert "There is no ledger" in none and "not in this ledger, which is empty" in missing


def test_a_ledger_that_was_taken_away_is_missed_and_not_begun_anew(ledger):
    ledger.append(draft(1))
    ledger.address.path.unlink()
    with pytest.raises(LedgerError, match="cannot be opened"):
        ledger.append(draft(2))
    assert not ledger.address.path.exists()


def test_a_ledger_that_others_keep_locked_is_given_up_in_words(ledger):
    other = sqlite3.connect(ledger.address.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    hasty = replace(ledger, patience=0.05)
    for use in (lambda: hasty.append(draft(1)), hasty.entries, hasty.verify):
        with pytest.raises(LedgerError, match=r"kept locked by someone else for 0\.05 s"):
            use()
    other.execute("ROLLBACK")
    assert hasty.append(draft(1))[0].seq == 1


def test_a_read_only_ledger_can_be_read_and_verified_and_refuses_in_words(ledger):
    ledger.append(draft(1))
    head = ledger.head()
    # Byte 18 of a SQLite file is the version needed to write it; a version of the future makes it read only,
    # for the superuser too, whom no right on a file holds back.
    content = bytearray(ledger.address.path.read_bytes())
    content[18] = 9
    ledger.address.path.write_bytes(content)
    with pytest.raises(LedgerError, match="read only for you"):
        ledger.append(draft(2))
    reading = open_ledger(ledger.address.path, create=False)
    assert len(reading.entries()) == 1 and reading.verify(head) == []


def test_a_head_that_is_none_is_refused(ledger):
    for head in ("", "xyz", "abc123", "A" * 64, "a" * 65):
        with pytest.raises(LedgerError, match="is no head of a ledger"):
            ledger.verify(head)


def test_a_path_with_the_signs_of_an_address_in_it_is_a_path(tmp_path):
    place = tmp_path / "100 % sure? #1 优.sqlite"
    open_ledger(place).append(draft(1))
    assert place.is_file() and verify(place) == []


def test_without_the_driver_a_postgresql_address_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerError, match=r"pip install 'perfmodel\[postgres\]'") as caught:
        open_ledger("postgresql://hr:secret@localhost/ledger")
    assert "secret" not in str(caught.value)


# For people and other programs


def test_an_export_can_be_verified_by_whoever_reads_it_and_is_the_same_each_time(ledger):
    ledger.append(*(draft(n) for n in range(3)), Draft("2026Q3", "note", "=HYPERLINK(1)", {"é": [1, {"b": 2.5}]}, "t"))
    entries = ledger.entries()
    lines = export_lines(entries)
    assert lines == export_lines(ledger.entries()) and lines.count(b"\n") == 4
    read = [json.loads(line) for line in lines.decode("utf-8").splitlines()]
    assert [Entry(**{**row, "payload": canonical(row["payload"])}) for row in read] == list(entries)
    table = csv_bytes(pd.DataFrame(export_rows(entries)))
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8"), newline="")))
    assert [row["hash"] for row in rows] == [entry.hash for entry in entries]
    assert rows[3]["author"] == "'=HYPERLINK(1)"  # a spreadsheet must not run it


def test_what_is_shown_says_when_what_about_whom_by_whom_and_in_words(ledger):
    ledger.append(
        Draft("2026Q3", "decision", "李明", {"to": "A", "votes": 3, "session": ["a", "优"]}, "t", subject="001")
    )
    (row,) = show_rows(ledger.entries())
    assert row == {
        "entry": "1",
        "at": "2026-10-08 09:00:00 UTC",
        "cycle": "2026Q3",
        "kind": "decision",
        "subject": "001",
        "author": "李明",
        "content": 'session: ["a", "优"]; to: A; votes: 3',
        "hash": ledger.head()[:12],
    }


def test_the_command_that_says_what_a_kill_leaves_runs_by_itself(tmp_path):
    script = Path(__file__).with_name("kill_ledger_study.py")
    paths = os.pathsep.join([str(script.parents[1]), str(script.parent)])
    done = subprocess.run(
        [sys.executable, str(script), "1"], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert done.returncode == 0 and "1 of 1 clean" in done.stdout, done.stderr


def test_commands_of_the_study_are_the_same_each_time():
    assert command(4) == command(4) and len({d.token for n in range(9) for d in command(n)}) == 18


def test_a_ledger_is_not_written_over_by_its_own_export(tmp_path, capsys):
    place = tmp_path / "ledger.sqlite"
    open_ledger(place).append(draft(1))
    assert main(["ledger", "export", str(place), "--ledger", str(place)]) == 1
    assert "is a database" in capsys.readouterr().err
    assert verify(place) == [] and len(open_ledger(place).entries()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite"]
