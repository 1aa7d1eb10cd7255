"""A quarter on a schedule: Prefect's own server and runner in earnest, on a small quarter and a tiny notebook."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from small_cycle import write_small
from test_operations import Listener, no_person_in
from tiny_notebooks import closing, write_notebook

from perfmodel.errors import RunError
from perfmodel.runner import attempts, lock, publish
from perfmodel.runner.parameters import UsageError
from perfmodel.runner.quarters import closed_quarter, end_of_next
from perfmodel.schedule import Plan

ROOT = Path(__file__).parents[1]
LONG = 900.0  # seconds after which what should have come will not come; most of it takes a few


def eventually(found, what: str, served: subprocess.Popen | None = None):
    """What ``found`` gives as soon as that is anything; a failure if it takes too long, or ``served`` ended."""
    until = time.monotonic() + LONG
    while not (value := found()):
        assert time.monotonic() < until and (served is None or served.poll() is None), what
        time.sleep(0.2)
    return value


@pytest.fixture(scope="module")
def listener():
    made = Listener()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A quarter and a notebook of one cell."""
    folder = tmp_path_factory.mktemp("schedule")
    write_small(folder / "data" / "2026Q3")
    write_notebook(folder / "one.ipynb", closing("one"))
    return folder


@pytest.fixture(scope="module")
def served(place, listener):
    """``perfmodel schedule serve`` with a server of its own, every five seconds, and how to reach that server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    before = dict(os.environ)
    os.environ.pop("PREFECT_API_URL", None)
    os.environ |= {"PREFECT_HOME": str(place / "prefect"), "PYTHONPATH": str(ROOT), "PREFECT_LOGGING_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "perfmodel", "schedule", "serve", "data/2026Q3", "--interval", "5"]
    command += ["--port", str(port), "--notebook", "one.ipynb", "--notify", listener.url]
    log = (place / "served.log").open("w")
    process = subprocess.Popen(command, cwd=place, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}/api"
    os.environ |= {"PREFECT_API_URL": url, "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    yield process
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
    log.close()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def flow(served, place, monkeypatch):
    """The flow, called here, with the server that is up: ``flow(cells)`` runs it on a notebook of such cells."""
    eventually(lambda: "is on the schedule" in (place / "served.log").read_text(), "not set up", served)
    from perfmodel.schedule.flow import quarter

    def flow(name: str, *cells: str, source: str = "data/2026Q3", **more):
        book = write_notebook(place / f"{name}.ipynb", *cells, closing(name))
        return quarter(source, {"notebooks": [str(book)]}, place=str(place), **{"reports": name, **more})

    return flow


def last(folder: Path) -> dict:
    return attempts.read(folder / "2026Q3").get("last", {})


def test_a_short_interval_fires_publishes_once_and_then_finds_it_done(served, place, listener):
    done = eventually(lambda: last(place / "reports"), "it did not fire", served)
    assert done["outcome"] == "done"
    titles = eventually(
        lambda: [heard["title"] for heard in list(listener.heard)][1:] and listener.heard, "not again", served
    )
    pause()
    out = place / "reports" / "2026Q3"
    assert len(list(out.glob("*/manifest.json"))) == 1 and served.poll() is None
    titles = [heard["title"] for heard in titles]
    assert titles[0] == "perfmodel 2026Q3: done" and "perfmodel 2026Q3: already done, nothing new" in titles
    assert no_person_in(json.dumps(list(listener.heard)))


def test_two_schedules_at_once_publish_one_run_and_the_second_waits_for_the_first(flow, place):
    write_notebook(place / "one.ipynb", closing("one"))
    call = "from perfmodel.schedule.flow import quarter; "
    call += "quarter('data/2026Q3', {'notebooks': ['one.ipynb']}, reports='twice')"
    other = subprocess.Popen([sys.executable, "-c", call], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = place / "twice" / "2026Q3"
    eventually(lambda: lock.holder_of(out)[1] or other.poll() is not None, "the first did not begin")
    said = flow("one", reports="twice")
    assert other.wait() == 0, other.stdout.read()
    other.stdout.close()
    assert said["outcome"] == "done" and said["already"] is True
    assert [found.parent.name for found in out.glob("*/manifest.json")] == [said["run"]]


def test_a_killed_kernel_is_tried_again_and_the_page_is_linked(flow, place):
    mark = place / "killed"
    kill = f"import os, signal\nif not os.path.exists({str(mark)!r}):\n    open({str(mark)!r}, 'w').close()\n"
    said = flow("dies", kill + "    os.kill(os.getpid(), signal.SIGKILL)", retries=1, retry_delay=0.1)
    assert mark.exists() and said["outcome"] == "done" and last(place / "dies")["outcome"] == "done"
    page = (place / "dies" / "2026Q3" / said["run"] / "index.html").as_uri()
    assert page in artifact("perfmodel-2026q3-page").data
    assert "7 of 8 scored" in artifact("perfmodel-2026q3").data


def test_what_is_refused_is_not_tried_again_and_is_told_without_data(flow, place, listener):
    from perfmodel.schedule.flow import Unfinished

    bad = write_small(place / "bad" / "2026Q3")
    text = (bad / "ratings.csv").read_text(encoding="utf-8")
    (bad / "ratings.csv").write_text(text.replace(",manager,3.5,", ",manager,77,"), encoding="utf-8")
    listener.heard.clear()
    with pytest.raises(Unfinished, match="The data are refused") as raised:
        flow("refused", source="bad/2026Q3", retries=3, retry_delay=60, notify=[listener.url])
    assert "77" not in repr(raised.value) and raised.value.__cause__ is None
    told = [heard for heard in listener.heard if heard["title"].endswith("refused")]
    assert len(told) == 1 and "77" not in told[0]["message"] and last(place / "refused")["outcome"] == "refused"


def test_a_notebook_that_is_wrong_is_not_tried_again(flow, place):
    from perfmodel.schedule.flow import Unfinished

    count = place / "count"
    with pytest.raises(Unfinished, match="failed in its cell"):
        flow(
            "wrong", f"open({str(count)!r}, 'a').write('x')", "raise KeyError('Person 001')", retries=3, retry_delay=60
        )
    assert count.read_text() == "x" and publish.newest(place / "wrong" / "2026Q3") == ""


def pause() -> None:
    """No more of the served schedule: the other tests have the machine to themselves."""
    from prefect.client.orchestration import get_client

    async def stop():
        async with get_client() as client:
            found = await client.read_deployment_by_name("perfmodel/2026Q3")
            for schedule in found.schedules:
                await client.update_deployment_schedule(found.id, schedule.id, active=False)

    asyncio.run(stop())


def artifact(key: str):
    from prefect.artifacts import Artifact

    return asyncio.run(Artifact.aget(key))


def test_of_a_folder_of_quarters_the_one_that_has_just_closed_is_taken(tmp_path):
    for quarter in ("2025Q4", "2026Q1", "2026Q2"):
        write_small(tmp_path / quarter, quarter)
    assert closed_quarter(str(tmp_path), date(2026, 7, 5)) == str(tmp_path / "2026Q2")
    assert closed_quarter(str(tmp_path), date(2026, 6, 30)) == str(tmp_path / "2026Q1"), "its last day is not over"
    assert closed_quarter(str(tmp_path), date(2026, 9, 30)) == str(tmp_path / "2026Q2")
    with pytest.raises(RunError, match="2026Q2, and one more ended on 2026-09-30, whose folder is not there"):
        closed_quarter(str(tmp_path), date(2026, 10, 5))
    with pytest.raises(RunError, match="has ended yet"):
        closed_quarter(str(tmp_path), date(2025, 12, 31))
    (tmp_path / "none").mkdir()
    with pytest.raises(RunError, match="no folder in it holds"):
        closed_quarter(str(tmp_path / "none"), date(2026, 10, 5))
    assert closed_quarter(str(tmp_path / "2025Q4"), date(2026, 10, 5)) == str(tmp_path / "2025Q4")
    assert closed_quarter("sqlite:///hr.db", date(2026, 10, 5)) == "sqlite:///hr.db"


def test_the_next_quarter_has_as_many_months():
    from perfmodel.io import Sibling

    ends = {("2025-10-01", "2025-12-31"): "2026-03-31", ("2026-01-01", "2026-06-30"): "2026-12-31"}
    ends |= {("2023-12-01", "2024-01-31"): "2024-03-31", ("2024-01-01", "2024-01-31"): "2024-02-29"}
    for (start, end), next_end in ends.items():
        one = Sibling(date.fromisoformat(start), date.fromisoformat(end), "x", Path())
        assert end_of_next(one).isoformat() == next_end


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "Say when"),
        ({"cron": "0 6 5 * *", "interval": 3}, "Say when"),
        ({"cron": "0 6 5 * *", "sources": ("a/data", "b/data")}, "called data"),
        ({"cron": "0 6 5 * *", "options": {"pseudonyms": "secret"}}, "env:NAME"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused(more, said):
    with pytest.raises(UsageError, match=said):
        Plan(**{"sources": ("data",), "options": {}, **more})
    several = Plan(("acme/a", "b"), {}, cron="0 6 5 * *")
    assert [several.parameters(one)["reports"] for one in several.sources] == ["reports/a", "reports/b"]
    assert Plan(("data",), {}, cron="0 6 5 * *").parameters("data")["reports"] == "reports"
