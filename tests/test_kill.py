"""Kills at random moments; ``kill_study.py`` does as many as one likes and prints what it saw."""

import signal

import psutil
import pytest
from kill_study import GONE, Study, wait_for_kernels
from small_cycle import write_small


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    write_small(folder / "2026Q3")
    return Study(folder, folder / "2026Q3", seed=20261001)


@pytest.fixture(scope="module")
def length(study):
    return study.finish()


def test_after_a_kill_at_any_moment_all_that_is_published_is_whole_and_running_again_works(study, length):
    before = study.newest()
    for n in range(3):
        found = study.kill(1.05 * length, kernel=n == 2)
        assert found.damaged == () and found.left == 0, str(found)
    assert before.exists()
    study.finish()


def test_a_killed_kernel_is_named_and_the_run_refused(study, length):
    study.seed += 1
    before = study.newest()
    process = study.start()
    wait_for_kernels(process)[0].kill()
    said = process.communicate()[1]
    assert process.returncode == 1 and "its kernel died" in said and "Traceback" not in said, said
    assert study.newest() == before


@pytest.mark.parametrize(("asked", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_asked_to_stop_takes_its_kernels_along(study, length, asked, code):
    study.seed += 1
    process = study.start()
    kernels = wait_for_kernels(process)
    process.send_signal(asked)
    said = process.communicate()[1]
    gone, alive = psutil.wait_procs(kernels, timeout=GONE)
    # Interrupted inside an exec() of source, as dataclasses do on import, CPython ends by the signal itself:
    # for a shell that is the same 130.
    assert process.returncode in (code, -asked) and gone and not alive and "Traceback" not in said, said
    assert not [p.name for p in study.out.iterdir() if p.name.startswith(".building")]
