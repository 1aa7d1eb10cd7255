"""A meeting of few people beside one of many: decisions sent as a browser sends them, until everybody is decided."""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from ..errors import RunError
from .bench import _notebook
from .run import run

PEOPLE = (20, 500)
LAST = 20  # decisions at the end of a meeting that are compared: by then everything else is recorded
CLOSING = 'from perfmodel.runner import done\ndone("one")'


def session(repeat: int, say: Callable[[str], None]) -> Iterator[str]:
    """Lines of ``what: milliseconds; ratio``: from sending a decision to its answer, medians of ``repeat`` meetings.

    Raises
    ------
    RunError
        If a decision is refused or a command fails: a time of a failure would be a lie.
    """
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for people in PEOPLE:
            say(f"a meeting on {people} people")
            cycle = _published(Path(folder) / str(people), people)
            rounds = [_held(cycle, Path(folder) / f"{people}-{n}.sqlite") for n in range(repeat)]
            first[people] = statistics.median(statistics.median(times[:LAST]) for times in rounds)
            last[people] = statistics.median(statistics.median(times[-LAST:]) for times in rounds)
    few, many = PEOPLE
    for what, found in (("first", first), ("last", last)):
        ratio = found[many] / found[few]
        yield (
            f"a decision among {many} people, median of the {what} {LAST}: {found[many]:.0f} ms; {ratio:.2f} × that "
            f"among {few} people ({found[few]:.0f} ms)"
        )


def _published(folder: Path, people: int) -> Path:
    """A simulated quarter of so many people with a run of it beside."""
    _do("sample", folder / "data", "--employees", people, "--quarters", 1)
    notebook = folder / "one.ipynb"
    notebook.write_text(json.dumps(_notebook(CLOSING)), encoding="utf-8")
    cycle = next((folder / "data").glob("*/scheme.yaml")).parent
    run(str(cycle), out=folder / "reports", notebooks=[str(notebook)])
    return cycle


def _do(*words: object) -> None:
    done = subprocess.run(_command(*words), capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"perfmodel {words[0]} ended with {done.returncode}: {done.stderr[-300:].strip()}")


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "perfmodel", *map(str, words)]


def _held(cycle: Path, ledger: Path) -> list[float]:
    """Milliseconds of each decision of a meeting in which everybody is decided one by one."""
    where = ["--out", cycle.parents[1] / "reports", "--ledger", ledger]
    _do("freeze", cycle, "--stage", "data", "--by", "HR", *where)
    server = subprocess.Popen(
        _command("session", cycle, "--port", 0, *where),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dict(os.environ),
    )
    try:
        assert server.stdout is not None
        address = urlsplit(server.stdout.readline().strip())
        if not address.port:
            raise RunError("the meeting did not start")
        visitor = _Visitor(address.hostname or "", address.port, address.query.removeprefix("token="))
        everybody = re.findall(r'id="[ac]-([^"]+)" href="/case', visitor.ask("/") + visitor.ask("/consent"))
        csrf = re.findall(r'name="_csrf" value="(\w+)"', visitor.ask(f"/case?who={quote(everybody[0])}"))[0]
        return [visitor.decide(who, csrf) for who in everybody]
    finally:
        server.kill()  # the pages of the committee are not what is timed
        server.wait()


class _Visitor:
    """One connection that is kept, as a browser keeps it."""

    def __init__(self, host: str, port: int, token: str):
        self.connection = http.client.HTTPConnection(host, port, timeout=60)
        self.origin, self.cookie = f"http://{host}:{port}", f"perfmodel-{port}={token}"

    def ask(self, path: str, fields: dict[str, str] | None = None) -> str:
        headers = {"Cookie": self.cookie, "Origin": self.origin, "X-Parts": "1"}
        headers |= {"Content-Type": "application/x-www-form-urlencoded"} if fields else {}
        body = urlencode(fields) if fields else None
        self.connection.request("POST" if fields else "GET", path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode("utf-8")
        if answer.status != 200:
            raise RunError(f"the meeting answered {answer.status} to {path.split('?')[0]}")
        return text

    def decide(self, who: str, csrf: str) -> float:
        page = self.ask(f"/case?who={quote(who, safe='')}")
        grade = re.findall(r'name="grade" value="([^"]+)"', page)[0]
        fields = {"_csrf": csrf, "employee": who, "replaces": "", "grade": grade, "code": "R3", "reason": "as seen",
                  "evidence": "", "proposer": "Ana", "authoriser": "Bo"}  # fmt: skip
        start = time.perf_counter()
        self.ask(f"/decide?view=case&who={quote(who, safe='')}&after=0", fields)
        return 1000 * (time.perf_counter() - start)
