"""A meeting for tests: the real command line in a process of its own, and requests to it without a browser."""

import http.client
import re
import signal
import subprocess
from html import unescape
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from committee_sample import Quarter, read_rows, write_rows

from perfmodel import committee
from perfmodel.ledger import open_ledger
from perfmodel.simulate import sample_files

SCRIPT = "<script>alert(1)</script>"
LONG = "Ada " + "Byron" * 59 + "!"  # 300 characters, most of them without a place to break
RIGHT_TO_LEFT = "محمد (A) دود 123"
HOSTILE = {"001": SCRIPT, "002": LONG, "003": RIGHT_TO_LEFT}


def named(folder: Path) -> Quarter:
    """The small quarter with names that try a page, a run of it, and its data frozen."""
    quarter = Quarter.small(folder)
    rows = read_rows(quarter.cycle / "employees.csv")
    rows = [row | {"name": HOSTILE.get(row["employee_id"], row["name"])} for row in rows]
    write_rows(quarter.cycle / "employees.csv", rows)
    quarter.run()
    freeze(quarter)
    return quarter


def sampled(folder: Path, employees: int) -> Quarter:
    """A simulated quarter of so many people, with a run, and its data frozen."""
    for name, content in sample_files(employees=employees, quarters=1).items():
        place = folder / "data" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    quarter = Quarter(folder, next((folder / "data").glob("*/scheme.yaml")).parent)
    quarter.run()
    freeze(quarter)
    return quarter


def freeze(quarter: Quarter) -> None:
    case = committee.open_case(quarter.cycle, quarter.out)
    committee.freeze(open_ledger(quarter.ledger), case.cycle, "data", by="HR")


class Meeting:
    """``perfmodel session`` on a quarter, and a visitor who has its address."""

    def __init__(self, quarter: Quarter, *words: str, port: int = 0):
        self.quarter, self.words = quarter, words
        self.start(port)

    def start(self, port: int) -> None:
        command = self.quarter.command("session", self.quarter.cycle, "--port", port, *self.words)
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.quarter.environment
        )  # fmt: skip
        self.address = self.process.stdout.readline().strip()
        parts = urlsplit(self.address)
        assert parts.port, self.process.stderr.read()
        self.host, self.port, self.token = parts.hostname, parts.port, parts.query.removeprefix("token=")
        self.site = f"http://{self.host}:{self.port}"

    def stop(self, how: int = signal.SIGTERM) -> str:
        """End it; what it said on stderr."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.communicate(timeout=60)[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def ask(self, path: str, fields: dict[str, str] | None = None, **headers: str):
        """Status, headers and text of an answer; with the cookie and the origin of a page unless ``headers`` differ."""
        given = {"Cookie": f"perfmodel-{self.port}={self.token}", "Host": f"{self.host}:{self.port}"}
        if fields is not None:
            given |= {"Origin": self.site, "Content-Type": "application/x-www-form-urlencoded"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            method = "GET" if fields is None else "POST"
            body = None if fields is None else urlencode(fields)
            connection.request(method, path, body, {name: value for name, value in given.items() if value})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode("utf-8")
        finally:
            connection.close()

    @property
    def csrf(self) -> str:
        return self.hidden("_csrf")

    def hidden(self, name: str, path: str = "/consent") -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.ask(path)[2])
        return unescape(found[1]) if found else ""

    def decide(self, who: str, csrf: str, **typed: str):
        fields = {
            "_csrf": csrf, "employee": who, "replaces": "", "reason": "as the figures say", "code": "R3",
            "evidence": "", "proposer": "Ana", "authoriser": "Bo", "grade": "B", **typed,
        }  # fmt: skip
        return self.ask(f"/decide?view=case&who={who}&after=0", fields, X_Parts="1")

    @property
    def entries(self):
        return open_ledger(self.quarter.ledger).entries()
