"""Quarters in object storage and runs into it, on a real S3 API; one process is killed while its run goes up."""

import json
import os
import signal
import subprocess
import sys
from hashlib import sha256
from types import SimpleNamespace

import pytest
from s3_server import BUCKET, KEYS, Server
from small_cycle import write_small
from tiny_notebooks import closing, write_notebook

from perfmodel.cli import main
from perfmodel.errors import DataError
from perfmodel.io import check, read_beside, read_cycle, read_history
from perfmodel.io.store import Store
from perfmodel.runner.stored import run, write_tables
from perfmodel.urls import checked, is_url

QUARTER = f"s3://{BUCKET}/hr/2026Q3"
PATIENCE = 240.0  # seconds for a run to begin its upload, on a busy machine too
RUNS = f"s3://{BUCKET}/reports/2026Q3"


@pytest.fixture(scope="module")
def server():
    server = Server()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.settings.items():
            patch.setenv(name, value)
        yield server
    server.stop()


@pytest.fixture(scope="module")
def here(server, tmp_path_factory):
    """Two quarters beside one another, and the same in the store."""
    folder = tmp_path_factory.mktemp("hr")
    write_small(folder / "2026Q3")
    write_small(folder / "2026Q2", "2026Q2")
    (folder / "2026Q3" / "notes.txt").write_text("for nobody", encoding="utf-8")
    server.put(folder, "hr")
    return folder


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return write_notebook(tmp_path_factory.mktemp("books") / "tiny.ipynb", closing("tiny"), parameters='cycle = "x"')


@pytest.fixture(scope="module")
def published(server, here, book):
    """One run of the quarter in the store, into the store; the page to open."""
    return run(QUARTER, out=RUNS, notebooks=[str(book)], jobs=1)


def test_what_is_an_address_and_what_none():
    assert is_url("s3://b/x") and is_url("gs://b/x") and is_url("abfs://b@account.dfs.core.windows.net/x")
    assert not any(map(is_url, ("data/2026Q3", "sqlite:///hr.db", "postgresql://u:p@h/db", "C:\\data", None, 3)))


@pytest.mark.parametrize(
    "url", ["s3://KEY:hush@b/x", "gs://hush@b/x", "abfs://c/x?sig=hush", "s3://b/x#hush", "s3:///"]
)
def test_an_address_that_holds_a_secret_is_refused_without_repeating_it(url, capsys):
    with pytest.raises(DataError) as refused:
        checked(url)
    assert "hush" not in str(refused.value)
    assert main(["check", url]) == 1
    said = capsys.readouterr()
    assert "hush" not in said.out + said.err and "KEY" not in said.out + said.err


def test_a_quarter_in_the_store_is_read_as_the_same_quarter_in_a_folder(here):
    near, far = read_cycle(here / "2026Q3"), read_cycle(QUARTER)
    assert dict(far.digests) == dict(near.digests) and far.findings == near.findings
    assert all(far.tables[name].equals(near.tables[name]) for name in near.tables)
    assert [c.id for c in read_history(QUARTER)] == [c.id for c in read_beside(QUARTER)] == ["2026Q2"]


def test_findings_name_the_address_and_never_the_copy(server, here, capsys):
    _, found = check(f"s3://{BUCKET}/hr/2026Q9")
    assert [f.file for f in found] == [f"s3://{BUCKET}/hr/2026Q9"] and "does not exist" in found[0].message
    server.client.put_object(Bucket=BUCKET, Key="bad/2026Q3/employees.csv", Body=b"employee_id\n1,2\n")
    assert main(["check", f"s3://{BUCKET}/bad/2026Q3"]) == 1
    said = capsys.readouterr()
    assert "employees.csv:2" in said.out and "perfmodel-" not in said.out + said.err


@pytest.mark.parametrize("error", [PermissionError, OSError, ValueError])
def test_what_the_store_says_is_told_in_our_words_without_its_own(error):
    def refuse(*_, **__):
        raise error(f"{KEYS['AWS_SECRET_ACCESS_KEY']} is not known")

    with pytest.raises(DataError, match=r"(in|from) the environment") as told:
        Store(QUARTER, SimpleNamespace(ls=refuse), "company/hr/2026Q3").entries()
    assert "never-to-be-shown" not in str(told.value) and told.value.__cause__ is None


def test_other_verbs_say_that_they_take_no_address(capsys):
    assert main(["freeze", QUARTER, "--stage", "data", "--by", "x"]) == 2
    assert "only check, run and tables" in capsys.readouterr().err


def test_tables_go_up_as_the_run_has_them(server, published):
    rows = write_tables(QUARTER, f"s3://{BUCKET}/tables")
    there, runs = server.objects("tables"), server.objects("reports/2026Q3")
    run_id = runs["latest"].decode().strip()
    of_run = {
        name.removeprefix(f"{run_id}/").removeprefix("tables/"): content
        for name, content in runs.items()
        if name.startswith((f"{run_id}/tables/", f"{run_id}/restricted/"))
    }
    assert set(there) == set(rows) and all(of_run[name] == content for name, content in there.items())


def test_a_run_goes_up_whole_from_the_same_inputs_as_in_a_folder(server, here, published):
    assert published == f"{RUNS}/index.html"
    there = server.objects("reports/2026Q3")
    run_id = there["latest"].decode().strip()
    assert f"{run_id}/index.html" in there["index.html"].decode()
    manifest = json.loads(there[f"{run_id}/manifest.json"])
    said = {f"{run_id}/{name}": digest for name, digest in manifest["outputs"].items()}
    mine = {name: sha256(content).hexdigest() for name, content in there.items() if name.startswith(run_id)}
    assert mine == said | {f"{run_id}/manifest.json": mine[f"{run_id}/manifest.json"]}
    assert set(there) == {"latest", "index.html", *mine}
    near = {
        f"{quarter}/{name}": digest
        for quarter in ("2026Q3", "2026Q2")
        for name, digest in read_cycle(here / quarter).digests.items()
    }
    assert manifest["inputs"] == near  # so its id is that of the same run of the folder
    assert QUARTER in there[f"{run_id}/tiny.ipynb"].decode()
    everything = b"".join(there.values())
    assert b"never-to-be-shown" not in everything and b"perfmodel-runs" not in everything


def test_what_is_done_is_not_done_again_and_what_was_changed_is_told(server, here, book, published):
    from perfmodel.errors import RunError
    from perfmodel.runner import Progress

    before, heard = server.objects("reports/2026Q3"), []
    again = {"out": RUNS, "notebooks": [str(book)], "jobs": 1}
    assert run(QUARTER, **again, progress=Progress(heard.append)) == published
    assert any("already done" in text for text in heard) and server.objects("reports/2026Q3") == before
    page = f"reports/2026Q3/{before['latest'].decode().strip()}/index.html"
    server.client.put_object(Bucket=BUCKET, Key=page, Body=b"changed")
    with pytest.raises(RunError, match="was changed since"):
        run(QUARTER, **again)
    server.client.put_object(Bucket=BUCKET, Key=page, Body=before[page.removeprefix("reports/2026Q3/")])


def test_a_run_killed_while_it_goes_up_leaves_the_old_one_and_running_again_completes_it(server, here, book, published):
    before = server.objects("reports/2026Q3")
    old = before["latest"].decode().strip()
    seen: list[str] = []

    def holds(path: str) -> bool:
        own = "/reports/2026Q3/" in path and old not in path and ".uploading" not in path
        seen.extend([path] * own)
        return own and len(seen) > 3

    server.holds = holds
    process = subprocess.Popen(
        [sys.executable, "-m", "perfmodel", "run", QUARTER, "--out", RUNS, "--notebook", str(book), "--seed", "2"],
        env={**os.environ, **server.settings}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    held = server.held.wait(PATIENCE)
    process.send_signal(signal.SIGKILL)
    said = process.communicate()
    assert held, said
    server.holds = lambda path: False
    server.go.set()
    there = server.objects("reports/2026Q3")
    assert {name: there[name] for name in before} == before and b"never-to-be-shown" not in b"".join(said)
    left = {name.split("/")[0] for name in there.keys() - before.keys()}
    assert left and not any(name.endswith("manifest.json") for name in there.keys() - before.keys())

    run(QUARTER, out=RUNS, notebooks=[str(book)], jobs=1, seed=2)
    now = server.objects("reports/2026Q3")
    new = now["latest"].decode().strip()
    assert new != old and f"{new}/manifest.json" in now and not any(name.startswith(".uploading") for name in now)
    assert {name: now[name] for name in before if name.startswith(old)} == {
        name: before[name] for name in before if name.startswith(old)
    }
    outputs = json.loads(now[f"{new}/manifest.json"])["outputs"]
    assert {f"{new}/{name}" for name in outputs} | {f"{new}/manifest.json"} == {n for n in now if n.startswith(new)}
