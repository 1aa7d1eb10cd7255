"""One run at a time in a folder: who holds it, who waits, who is refused, and who was killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from small_cycle import write_small

from perfmodel.runner import lock

HOLD = "import sys, time; from pathlib import Path; from perfmodel.runner import lock\n"
HOLD += "with lock.held(Path(sys.argv[1]), 'run'): print('held', flush=True); time.sleep(60)"


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of ``tmp_path``."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_one_is_refused_in_a_sentence_that_names_the_first(other, tmp_path):
    with (
        pytest.raises(lock.Busy, match=rf"perfmodel run \(process {other.pid} on .*, since .* UTC\) works in") as found,
        lock.held(tmp_path, "run"),
    ):
        pass
    assert found.value.holder.verb == "run" and "--wait SECONDS" in str(found.value)
    assert lock.holder_of(tmp_path) == (found.value.holder, True)


def test_a_dead_holder_is_noticed_at_once_and_named(other, tmp_path):
    other.send_signal(signal.SIGKILL)
    other.wait()
    left, holds = lock.holder_of(tmp_path)
    assert left.pid == other.pid and not holds
    began = time.perf_counter()
    with lock.held(tmp_path, "run") as dead:
        assert dead == left and time.perf_counter() - began < 0.1
    assert list(tmp_path.iterdir()) == [], "nothing is left of a lock that was given back"


def test_one_who_waits_gets_it_when_the_first_is_done_and_says_for_whom_it_waits(tmp_path):
    said, order = [], []

    def first():
        with lock.held(tmp_path, "run"):
            began.set()
            time.sleep(0.4)
            order.append("first")

    began = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    began.wait()
    with lock.held(tmp_path, "run", wait=10, tell=said.append):
        order.append("second")
    thread.join()
    assert order == ["first", "second"] and len(said) == 1 and f"process {os.getpid()} on" in said[0]


def test_of_many_at_once_one_at_a_time_is_in_even_though_the_file_is_taken_away_each_time(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(20):
            with lock.held(tmp_path, "run", wait=30):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 80


def test_a_look_at_a_free_lock_keeps_nobody_out(tmp_path):
    assert lock.holder_of(tmp_path) == (None, False)
    with lock.held(tmp_path, "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_made_for_a_refused_run_is_not_left_behind(tmp_path):
    with pytest.raises(ValueError), lock.held(tmp_path / "new", "run"):
        raise ValueError
    assert not (tmp_path / "new").exists()


def test_a_forked_child_does_not_keep_what_its_parent_held(tmp_path):
    with lock.held(tmp_path, "run"):
        child = os.fork()
        if child == 0:
            time.sleep(5)
            os._exit(0)
    try:
        with lock.held(tmp_path, "run") as dead:
            assert dead is None and os.waitpid(child, os.WNOHANG) == (0, 0)  # the child is still there
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_second_run_of_the_command_is_refused_with_exit_1_before_it_reads_anything(other, tmp_path):
    cycle = write_small(tmp_path / "cycle")
    command = [sys.executable, "-m", "perfmodel", "run", str(cycle), "--out", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stdout == ""
    assert f"process {other.pid}" in ended.stderr and ended.stderr.count("\n") == 1
    assert json.loads((tmp_path / ".lock").read_text())["pid"] == other.pid, "the holder's words stand"
