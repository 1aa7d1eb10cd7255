"""What a run has computed, for its notebooks: the same numbers, and for no other question."""

import os
import threading
import time

import pandas as pd

import perfmodel as pm
from perfmodel.io import share, shared
from perfmodel.io.shared import PLACE
from perfmodel.runner import record

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
    assert shared(CYCLE, 1) is None and PLACE == record.SHARED


def test_a_notebook_that_is_quicker_than_its_run_waits(tmp_path, monkeypatch):
    monkeypatch.setenv(PLACE, str(tmp_path / "kept"))
    late = threading.Timer(0.3, share, ("the numbers", tmp_path / "kept", CYCLE, 1))
    late.start()
    start = time.monotonic()
    assert shared(CYCLE, 1) == "the numbers" and time.monotonic() - start >= 0.25
    late.join()
