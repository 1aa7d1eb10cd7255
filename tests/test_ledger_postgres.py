"""The ledger in a real PostgreSQL server: several at work, a crash in mid-commit, the server's own guards."""

import threading
import time
from dataclasses import replace

import psycopg
import pytest
from committee_sample import Quarter
from ledger_work import at_once, decide, draft, finalize
from postgres_server import Server

from perfmodel import committee
from perfmodel.cli import main
from perfmodel.errors import LedgerError
from perfmodel.ledger import GENESIS, open_ledger, schema, verify


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.close()


def test_eight_writers_with_a_hundred_decisions_each_make_800_entries_in_one_chain(server):
    place = server.room("writers")  # its tables made by whoever is first
    told = at_once(decide, [(place, f"writer {n}", range(100 * n, 100 * n + 100)) for n in range(8)])
    entries = open_ledger(place).entries()
    assert [entry.seq for entry in entries] == list(range(1, 801))
    assert {entry for each in told for entry in each} == {*entries}
    for n, each in enumerate(told):  # each writer's decisions in the order in which they were made
        assert [entry.seq for entry in each] == sorted(entry.seq for entry in each)
        assert {entry.author for entry in each} == {f"writer {n}"}
    assert verify(place, entries[-1].hash) == []


def test_twenty_that_finalize_at_once_make_one_entry_and_all_are_told_of_it(server):
    place = server.room("finalize")
    told = at_once(finalize, [(place, f"person {n}") for n in range(20)])
    entries = open_ledger(place).entries()
    assert len(entries) == 1 and all(tuple(each) == entries for each in told) and verify(place) == []


def test_of_twenty_that_record_by_a_rule_at_once_the_rule_lets_one_through(server):
    ledger = open_ledger(server.room("rule"))
    refused = []

    def once(standing):
        if standing:
            raise LedgerError("closed already")
        return [draft(0)]

    def work():
        try:
            ledger.append_from(once)
        except LedgerError as problem:
            refused.append(str(problem))

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["closed already"] * 19 and len(ledger.entries()) == 1


def test_a_server_killed_in_mid_commit_loses_and_doubles_nothing_that_was_reported(server):
    place = server.room("killed")
    ledger = open_ledger(place)
    # The server waits 20 ms between writing a commit and making it durable, so that a kill finds it there.
    server.run(
        "ALTER SYSTEM SET commit_delay = 20000", "ALTER SYSTEM SET commit_siblings = 0", "SELECT pg_reload_conf()"
    )
    reported, cut, numbers = {}, 0, iter(range(1_000_000))
    rounds = 0
    while cut < 2:
        rounds += 1
        assert rounds <= 8, "no kill fell into a commit"
        failed = []

        def work(failed=failed):
            while True:
                number = next(numbers)
                try:
                    (reported[number],) = ledger.append(draft(number))
                except LedgerError as problem:
                    failed.append((number, str(problem)))
                    return

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.4 + 0.017 * rounds)
        server.kill()
        for thread in threads:
            thread.join()
        server.start()
        assert {said.split(" postgresql")[0] for _, said in failed} <= {"The connection to the ledger", "The ledger"}
        entries = ledger.entries()
        by_token = {entry.token: entry for entry in entries}
        assert len(by_token) == len(entries) and {*reported.values()} <= {*entries}
        assert ledger.verify(ledger.head()) == []
        cut += any(said.startswith("The connection") for _, said in failed)
        for number, _ in failed:  # given again: once each, whether or not the commit had come through
            (reported[number],) = ledger.append(draft(number))
            assert by_token.get(reported[number].token, reported[number]) == reported[number]
    entries = ledger.entries()
    assert len(entries) == len(reported) and {*reported.values()} == {*entries}
    assert ledger.verify(entries[-1].hash) == []
    server.run("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")


def three(server: Server, name: str) -> str:
    place = server.room(name)
    open_ledger(place).append(draft(1), draft(2), draft(3))
    return place


@pytest.fixture(scope="module")
def place(server):
    """A ledger of three entries."""
    return three(server, "three")


def run(place: str, *statements: str) -> None:
    """All in one transaction."""
    with psycopg.connect(place) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.mark.parametrize(
    "statement", ["UPDATE ledger_entries SET author = 'me'", "DELETE FROM ledger_entries", "TRUNCATE ledger_entries"]
)
def test_the_database_itself_refuses_to_change_or_remove(place, statement):
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        run(place, statement)
    assert verify(place) == []


def test_changes_past_the_triggers_are_told(server):
    place = three(server, "tampered")
    head = open_ledger(place).head()
    run(
        place,
        "ALTER TABLE ledger_entries DISABLE TRIGGER USER",
        "UPDATE ledger_entries SET payload = '{}' WHERE seq = 2",
        "DELETE FROM ledger_entries WHERE seq = 3",
    )
    found = verify(place, head)
    assert "trigger ledger_entries_no_change was changed" in found[0]
    assert "Entry 2 does not match its hash" in found[1] and "cut off its end" in found[2] and len(found) == 3
    with pytest.raises(LedgerError, match="Entry 2 of the ledger does not match its hash"):
        open_ledger(place).entries()


@pytest.mark.parametrize(
    ("name", "statement", "said"),
    [
        (
            "unguarded",
            "DROP TRIGGER ledger_entries_no_change ON ledger_entries",
            "trigger ledger_entries_no_change is missing",
        ),
        (
            "idle",
            "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "function ledger_refuse was changed",
        ),
        ("twice", "ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_token_key", "key on token is missing"),
        (
            "wider",
            "ALTER TABLE ledger_entries ADD COLUMN more text NOT NULL DEFAULT ''",
            "column more that perfmodel did not",
        ),
    ],
)
def test_a_ledger_that_is_no_longer_built_as_it_was_made_is_told(server, name, statement, said):
    place = three(server, name)
    run(place, statement)
    (found,) = verify(place)
    assert said in found


def test_a_ledger_without_its_table_of_entries_is_told(server):
    place = three(server, "emptied")
    head = open_ledger(place).head()
    run(place, "DROP TABLE ledger_entries")
    found = verify(place, head)
    assert any("key on seq is missing" in said for said in found) and "which is empty" in found[-1]


def test_an_older_ledger_is_brought_up_to_date_all_or_nothing(server, monkeypatch):
    older = three(server, "older")
    index = "CREATE INDEX ledger_entries_cycle ON ledger_entries (cycle)"
    steps = schema.STEPS["postgresql"]
    monkeypatch.setitem(schema.STEPS, "postgresql", (*steps, (index, index)))
    with pytest.raises(LedgerError, match="cannot be used"):
        open_ledger(older)
    monkeypatch.setitem(schema.STEPS, "postgresql", (*steps, (index,)))
    assert len(open_ledger(older).entries()) == 3 and verify(older) == []
    monkeypatch.undo()
    with pytest.raises(LedgerError, match="of version 2"):
        open_ledger(older)


def test_a_ledger_may_share_its_database_and_reading_makes_none(server):
    place = server.room("shared")
    run(place, "CREATE TABLE customers (x text)")
    for use in (lambda: open_ledger(place, create=False), lambda: verify(place)):
        with pytest.raises(LedgerError, match="There is no ledger"):
            use()
    assert open_ledger(place).head() == GENESIS and verify(place, GENESIS) == []


def test_a_user_who_may_only_read_and_insert_can_do_all_that_is_needed(server):
    place = three(server, "clerks")
    server.run("CREATE ROLE clerk LOGIN", "GRANT USAGE ON SCHEMA clerks TO clerk")
    clerks = place.replace("//postgres:", "//clerk:")
    with pytest.raises(LedgerError, match="refuses you the ledger"):
        open_ledger(clerks)
    run(place, "GRANT SELECT ON ledger_entries, ledger_versions TO clerk")
    reader = open_ledger(clerks)
    assert len(reader.entries()) == 3 and reader.verify(reader.head()) == []
    with pytest.raises(LedgerError, match="refuses you the ledger"):
        reader.append(draft(4))
    run(place, "GRANT INSERT ON ledger_entries TO clerk")
    assert open_ledger(clerks).append(draft(4))[0].seq == 4


def test_a_server_that_reports_before_it_has_written_is_made_to_wait_and_stricter_isolation_does_no_harm(server):
    place = server.database("careless")
    server.run(
        "ALTER DATABASE careless SET synchronous_commit = off",
        "ALTER DATABASE careless SET default_transaction_isolation = 'serializable'",
    )
    seen = []
    ledger = open_ledger(place)
    with ledger._writing() as connection:
        seen.append(connection.exec_driver_sql("SHOW synchronous_commit").scalar())
        seen.append(connection.exec_driver_sql("SHOW transaction_isolation").scalar())
    assert seen == ["on", "read committed"]


def test_a_ledger_that_others_keep_locked_is_given_up_in_words(place):
    holding = open_ledger(place)
    with holding._writing(), pytest.raises(LedgerError, match=r"kept locked by someone else for 0\.05 s") as caught:
        replace(holding, patience=0.05).append(draft(5))
    assert "not-to-be-shown" not in str(caught.value)


def test_a_database_of_another_alphabet_is_refused(server):
    place = server.database("latin", "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(LedgerError, match="stores LATIN1, which has no room for every name"):
        open_ledger(place)


def test_a_server_that_cannot_be_reached_is_said_without_the_password(server):
    nowhere = server.url("no_such_database")
    closed = server.url().replace(str(server.port), "1")
    in_query = f"postgresql:///ledger?host=127.0.0.1&port=1&user=hr&password={'not-to-be-shown'}"
    for place in (nowhere, closed, in_query):
        for use in (open_ledger, verify):
            with pytest.raises(LedgerError, match="cannot be reached") as caught:
                use(place)
            assert "not-to-be-shown" not in str(caught.value) and "postgres:" not in str(caught.value)
    assert "not-to-be-shown" not in repr(open_ledger(server.url()))


def test_a_quarter_is_decided_and_closed_on_a_server_by_the_commands_alone(server, tmp_path, monkeypatch, capsys):
    quarter = Quarter.small(tmp_path)
    quarter.run()
    place = server.room("quarter")
    monkeypatch.setenv("PERFMODEL_LEDGER", place)
    where = [str(quarter.cycle), "--out", str(quarter.out)]
    who = ["--proposer", "P", "--authoriser", "Chair", "--reason", "as the figures say"]
    assert main(["freeze", str(quarter.cycle), "--stage", "data", "--by", "HR"]) == 0
    case = committee.open_case(quarter.cycle, quarter.out)
    for employee in sorted(case.roll.flagged & set(case.roll.scored)):
        assert main(["decide", where[0], employee, *where[1:], "--accept", *who]) == 0
    assert main(["decide", *where, "--consent", *who]) in (0, 1)  # 1: nobody is left for the list
    codes = [word for code in case.roll.warnings for word in ("--acknowledge", code)]
    assert main(["finalize", *where, "--sign", "HR", "--sign", "Chair", *codes]) == 0
    assert main(["ledger", "verify", "--head", open_ledger(place).head()]) == 0
    said = capsys.readouterr()
    assert "is final" in said.out and "not-to-be-shown" not in said.out + said.err
    pages = [path.read_text(encoding="utf-8") for path in quarter.out.rglob("*.html")]
    assert any(open_ledger(place).head()[:12] in page for page in pages)
    assert not any("not-to-be-shown" in page for page in pages)
