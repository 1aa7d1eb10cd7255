"""What a run has computed, for its notebooks: the same numbers, and for no other question."""

import os
import threading
import time

import pandas as pd

import perfmodel as pm
from perfmodel.io import share, shared
from perfmodel.io.shared import PLACE, TURN
from perfmodel.runner import record
from perfmodel.runner.turns import Turns

CYCLE = "data/2026Q3"


def test_a_notebook_of_a_run_gets_the_runs_own_numbers(quarter, tmp_path, monkeypatch):
    quarter.tables()
    share(quarter, tmp_path / "kept", CYCLE, 1)
    monkeypatch.setenv(PLACE, str(tmp_path / "kept"))
    found = pm.assess(os.path.abspath(CYCLE), seed=1)  # the runner gives an absolute path
    assert "scores" in found.__dict__  # computed already, not again
    for name, table in quarter.tables().items():
        pd.testing.assert_frame_equal(found.tables(name)[name], table)
    assert dict(found.cycle.digests) == dict(quarter.cycle.digests)


def test_another_seed_or_quarter_or_history_is_computed(quarter, tmp_path, monkeypatch):
    share(quarter, tmp_path / "kept", CYCLE, 1)
    monkeypatch.setenv(PLACE, str(tmp_path / "kept"))
    assert shared(CYCLE, 2) is None and shared("data/2026Q2", 1) is None
    assert pm.assess("data/2026Q2", seed=1).cycle.id == "2026Q2"
    assert "scores" not in pm.assess(CYCLE, seed=1, history=()).__dict__


def test_outside_of_a_run_everything_is_computed(monkeypatch):
    monkeypatch.delenv(PLACE, raising=False)
    assert shared(CYCLE, 1) is None and (PLACE, TURN) == (record.SHARED, record.TURN)


def test_a_notebook_that_is_quicker_than_its_run_waits(tmp_path, monkeypatch):
    monkeypatch.setenv(PLACE, str(tmp_path / "kept"))
    late = threading.Timer(0.3, share, ("the numbers", tmp_path / "kept", CYCLE, 1))
    late.start()
    start = time.monotonic()
    assert shared(CYCLE, 1) == "the numbers" and time.monotonic() - start >= 0.25
    late.join()


def test_a_notebook_that_has_started_ahead_waits_for_its_turn(tmp_path, monkeypatch):
    monkeypatch.setenv(PLACE, str(tmp_path / "kept"))
    monkeypatch.setenv(TURN, str(tmp_path / "turn"))
    share("the numbers", tmp_path / "kept", CYCLE, 1)
    late = threading.Timer(0.3, (tmp_path / "turn").touch)
    late.start()
    start = time.monotonic()
    assert shared(CYCLE, 1) == "the numbers" and time.monotonic() - start >= 0.25
    late.join()


def test_turns_come_in_order_and_who_left_before_its_own_took_none():
    begun, turns = [], Turns(2)
    jobs = [lambda name=name: begun.append(name) for name in "abcde"]
    for job in jobs:
        turns.join(job)
    assert begun == ["a", "b"]
    turns.leave(jobs[2])  # it asked for nothing, and has ended
    assert begun == ["a", "b"]
    turns.leave(jobs[0])
    turns.leave(jobs[1])
    assert begun == ["a", "b", "d", "e"]
    turns.leave(jobs[3])
    turns.join(jobs[0])
    assert begun[-1] == "a"
