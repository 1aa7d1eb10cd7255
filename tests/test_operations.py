"""A run that nobody watches: its JSON line, its record, whom it tells, how its folder stands, and what is removed."""

import json
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from small_cycle import PEOPLE, write_small
from tiny_notebooks import closing, write_notebook

from perfmodel.cli import main
from perfmodel.committee import prune
from perfmodel.errors import DataError, Finding, LedgerError, RunError, TransientError
from perfmodel.ledger import Draft, open_ledger
from perfmodel.runner import attempts, lock, manifest, notify, publish
from perfmodel.runner.outcome import Outcome, attended, what_of
from perfmodel.runner.parameters import UsageError
from perfmodel.runner.status import status_of


class Listener:
    """An HTTP server that keeps what it is sent, and answers ``code``."""

    def __init__(self):
        heard, self.code = [], 200
        self.heard = heard
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(outer.code)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/perfmodel"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def listener():
    made = Listener()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The small quarter with a warning, a notebook of one cell, and a folder in which they were run once."""
    folder = tmp_path_factory.mktemp("unattended")
    cycle = write_small(folder / "2026Q3")
    write_notebook(folder / "one.ipynb", closing("one"))
    assert perfmodel(folder, cycle)[0] == 0
    return folder


def perfmodel(folder: Path, cycle: Path, *more: str, capsys=None) -> tuple[int, str, str]:
    """``perfmodel run`` in this process: exit code, stdout, stderr."""
    code = main(["run", str(cycle), "--out", str(folder / "out"), "--notebook", str(folder / "one.ipynb"), *more])
    said = capsys.readouterr() if capsys else ("", "")
    return code, *said


@pytest.fixture
def run(place, capsys):
    def run(*more: str, cycle: Path = place / "2026Q3"):
        return perfmodel(place, cycle, *more, capsys=capsys)

    return run


@pytest.fixture
def refused_cycle(place):
    """The small quarter with a rating off the scale, of a person whose name must not be told."""
    folder = write_small(place / "bad" / "2026Q3")
    text = (folder / "ratings.csv").read_text(encoding="utf-8")
    (folder / "ratings.csv").write_text(re.sub(r",manager,[\d.]+,", ",manager,77,", text, count=1), encoding="utf-8")
    return folder


def no_person_in(text: str) -> bool:
    return not any(f"Person {who}" in text or f'"{who}"' in text for who in PEOPLE) and "score_" not in text


def test_the_json_line_says_what_was_published_and_that_it_was_done_already(place, run):
    code, out, err = run("--json")
    said = json.loads(out)
    newest = publish.newest(place / "out")
    assert code == 0 and out.count("\n") == 1 and "already done" in err
    assert said["outcome"] == "done" and said["exit"] == 0 and said["already"] is True and said["run"] == newest
    assert said["page"] == str(place / "out" / "index.html") and Path(said["page"]).exists()
    assert said["cycle"] == "2026Q3" and said["status"] == "DRAFT" and said["simulated"] is True
    assert said["counts"] == {"in": 8, "scored": 7, "excluded": 1, "waiting": 0}
    made = place / "out" / newest / "manifest.json"
    assert said["manifest"] == manifest.sha256(made.read_bytes())
    assert said["warnings"] == manifest.read_manifest(made.parent)["warnings"]["codes"] and said["seconds"] > 0
    assert no_person_in(out)


def test_a_refusal_is_one_json_line_too_with_codes_and_no_data(place, run, refused_cycle):
    code, out, err = run("--json", cycle=refused_cycle)
    said = json.loads(out)
    assert (code, said["outcome"], said["exit"]) == (1, "refused", 1) and sum(said["codes"].values()) >= 1
    assert "77" not in said["what"] and "77" in err and no_person_in(out)
    code, out, _ = run("--json", "--unit", "Nowhere")
    assert (code, json.loads(out)["exit"]) == (2, 2) and "--unit Nowhere" in json.loads(out)["what"]


def test_check_gives_counts_by_code_however_many_there_are(place, capsys, tmp_path):
    assert main(["check", str(place / "2026Q3"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["outcome"] == "done" and said["tables"]["employees"] == 8 and said["errors"] == {}
    folder = write_small(tmp_path / "2026Q3")
    text = (folder / "ratings.csv").read_text(encoding="utf-8")
    changed, n = re.subn(r",manager,[\d.]+,", ",manager,77,", text)
    (folder / "ratings.csv").write_text(changed, encoding="utf-8")
    assert n > 20 and main(["check", str(folder), "--json"]) == 1
    said = capsys.readouterr()
    assert max(json.loads(said.out)["errors"].values()) == n and "77" in said.err, "the list is cut, the count is not"


def test_under_strict_a_warning_refuses_before_anything_is_computed_and_published(place, run, tmp_path, capsys):
    folder = write_small(tmp_path / "2026Q3")
    lines = (folder / "ratings.csv").read_text(encoding="utf-8").splitlines()
    lines.remove(next(line for line in lines if line.startswith("M1,001,") and ",manager," in line))
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["check", str(folder), "--json"]) == 0
    codes = json.loads(capsys.readouterr().out)["warnings"]
    assert codes and main(["check", str(folder), "--json", "--strict"]) == 1
    capsys.readouterr()
    before = publish.newest(place / "out")
    code, out, err = run("--json", "--strict", cycle=folder)
    said = json.loads(out)
    assert code == 1 and said["outcome"] == "refused" and said["codes"] == codes and "--strict" in said["what"]
    assert publish.newest(place / "out") == before and "Traceback" not in err


def test_how_the_last_attempt_ended_is_recorded_beside_the_runs_and_status_tells_it(place, run, refused_cycle, capsys):
    run("--json", cycle=refused_cycle)
    before = manifest.digests_below(place / "out" / publish.newest(place / "out"))
    found = status_of(place / "out")
    assert not found.fine and found.last["outcome"] == "refused" and found.last == found.failed
    assert main(["status", str(place / "out")]) == 1
    told = capsys.readouterr().out
    assert found.newest + " *" in told and "refused. The data are refused." in told and "is as it was published" in told
    run()
    assert manifest.digests_below(place / "out" / publish.newest(place / "out")) == before
    assert main(["status", str(place / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["exit"] == 0 and said["last"]["outcome"] == "done" and said["failed"]["outcome"] == "refused"
    assert said["changed"] == {found.newest: []} and said["age"] >= 0 and said["holder"] is None
    assert [one["run"] for one in said["runs"]] == [found.newest] and no_person_in(json.dumps(said))
    assert main(["status", str(place / "out"), "--lang", "zh"]) == 0
    assert re.search(r"[\u3400-\u9fff]", capsys.readouterr().out)


def test_status_sees_who_is_at_work_who_was_killed_and_what_was_changed(tmp_path, capsys):
    out = published(tmp_path / "out", "aaaa-bbbb-cccc", "2026-10-05 06:00:00")
    publish.point_to(out, "aaaa-bbbb-cccc")
    assert status_of(out).fine
    with lock.held(out, "run"):
        found = status_of(out)
        assert found.holder.verb == "run" and found.killed is None and found.fine
    (out / lock.LOCK).write_text(json.dumps({"host": "h", "pid": 1, "since": "2026-10-05 06:00:00", "verb": "run"}))
    found = status_of(out)
    assert found.killed.pid == 1 and found.holder is None and not found.fine
    (out / lock.LOCK).unlink()
    (out / "aaaa-bbbb-cccc" / "index.html").write_text("edited")
    assert main(["status", str(out)]) == 1
    assert "changed since it was published: index.html" in capsys.readouterr().out
    assert main(["status", str(tmp_path / "nowhere")]) == 1
    (tmp_path / "empty").mkdir()
    assert main(["status", str(tmp_path / "empty")]) == 1


def test_a_busy_folder_is_refused_and_is_no_failure_of_that_folder(place, run):
    run()
    with lock.held(place / "out", "run"):
        code, out, _ = run("--json")
    assert code == 1 and json.loads(out)["outcome"] == "refused" and "works in" in json.loads(out)["what"]
    assert attempts.read(place / "out")["last"]["outcome"] == "done"


def test_whoever_is_named_is_told_counts_and_a_link_and_no_person(place, run, listener, refused_cycle):
    listener.heard.clear()
    code, out, err = run("--notify", listener.url, "--link", "https://reports.example/2026Q3/")
    assert code == 0 and out.strip().endswith("index.html") and listener.url not in out + err
    done = listener.heard.pop()
    newest = publish.newest(place / "out")
    assert done["title"] == "perfmodel 2026Q3: already done, nothing new" and done["type"] == "success"
    assert "DRAFT, 7 of 8 scored." in done["message"]
    assert done["message"].endswith(f"https://reports.example/2026Q3/{newest}/index.html")
    run("--notify", listener.url, cycle=refused_cycle)
    refused = listener.heard.pop()
    assert refused["title"] == "perfmodel 2026Q3: refused" and refused["type"] == "warning"
    assert "77" not in refused["message"] and "The data are refused" in refused["message"]
    assert no_person_in(json.dumps([done, refused])) and listener.heard == []


def test_addresses_with_secrets_come_from_the_environment_alone(run, listener, monkeypatch):
    listener.heard.clear()
    monkeypatch.setenv("CHAT", f"{listener.url}?+X-Key=abc {listener.url}")
    monkeypatch.setenv("PERFMODEL_NOTIFY", listener.url)
    assert run("--notify", "env:CHAT")[0] == 0 and len(listener.heard) == 3
    secret = "slack://TokenAAAAAA/BBBBBBBBB/CCCCCCCCCCCCCCCCCCCCCCCC"
    for bad in (
        secret,
        "json://me:pass@localhost/",
        "jsons://hooks.example.com/services/abcdefghijklmnop1234",
        "json://h/?k=v",
    ):
        code, out, err = run("--notify", bad)
        assert code == 2 and "env:NAME" in err and bad not in out + err
    assert run("--notify", "env:NOWHERE")[0] == 2
    monkeypatch.setenv("ODD", "nonsense://x")
    code, _, err = run("--notify", "env:ODD")
    assert code == 2 and "apprise knows no service" in err and "nonsense" not in err
    assert run("--link", "https://me:pass@reports.example")[0] == 2
    monkeypatch.setenv("S", secret)
    assert "TokenAAAAAA" not in repr(notify.targets(["env:S"]))


@pytest.mark.parametrize("link", ["http://[bad", "http://h/#key", "javascript:alert(1)", "http://u:p@h", "//h"])
def test_a_link_that_is_no_plain_address_is_wrong_usage(link):
    with pytest.raises(UsageError, match="--link takes"):
        notify.base(link)
    with pytest.raises(UsageError, match="env:NAME"):
        notify.targets(["json://[bad"])


def test_an_address_where_a_folder_belongs_is_refused_and_not_shown(capsys):
    address = "postgresql://u:S3CRET@h/x"
    for words in (["run", "q", "--out", address], ["status", address], ["prune", address, "--older-than", "1y"],
                  ["compare", address, address], ["annual", "2026", "--data", address]):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main(words)
        said = capsys.readouterr().err
        assert ended.value.code == 2 and "an address is no folder" in said and "S3CRET" not in said


@pytest.mark.parametrize("words", [["check"], ["run", "q", "--out"], ["run", "--newest"], ["explain", "001"],
                                   ["status"], ["ledger", "verify", "--ledger"]])  # fmt: skip
def test_an_address_typed_with_one_slash_is_not_shown_and_an_empty_name_is_no_place(words, capsys):
    for text, why in (("s3:/user:S3CRET@bucket/q", "two slashes"), ("postgresql:/u:S3CRET@h/d", "two slashes"),
                      (" ", "an empty name is"), ("", "an empty name is")):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main([*words, text])
        said = "".join(capsys.readouterr())
        assert ended.value.code == 2 and why in said and "S3CRET" not in said


def test_wrong_usage_of_a_run_says_so_as_json_too(capsys):
    for words in (["--link", "http://u:p@h"], ["--notify", "json://h/?k=v"], ["r", "--newest"]):
        assert main(["run", "q", *words, "--json"]) == 2
        told = capsys.readouterr()
        said = json.loads(told.out)
        assert (said["outcome"], said["exit"]) == ("refused", 2) and said["what"] in told.err


def test_check_of_the_newest_says_its_refusal_as_json_too(tmp_path, capsys):
    assert main(["check", str(tmp_path), "--newest", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["outcome"], said["exit"], said["errors"]) == ("refused", 1, {}) and "no quarter" in said["what"]


def test_a_message_that_does_not_arrive_changes_nothing_but_is_said(run, listener):
    listener.code = 500
    code, out, err = run("--notify", listener.url, "--json")
    listener.code = 200
    assert code == 0 and json.loads(out)["outcome"] == "done" and "could not be told of this" in err


@pytest.mark.parametrize(
    ("error", "outcome", "code", "transient"),
    [
        (TransientError("a: its kernel died."), "failed", 1, True),
        (OSError(28, "No space left on device", "reports"), "failed", 1, True),
        (RunError("a failed in its cell 3: DataError: Ana is rated twice."), "failed", 1, False),
        (DataError("Ana is rated twice.", [Finding("r.csv", 2, 1, "error", "twice", "Ana")]), "refused", 1, False),
        (UsageError("--unit X"), "refused", 2, False),
        (KeyboardInterrupt(), "interrupted", 130, False),
        (SystemExit(143), "interrupted", 143, False),
    ],
)
def test_what_went_wrong_is_refused_or_failed_and_told_without_data(tmp_path, error, outcome, code, transient):
    def work(progress):
        raise error

    found = attended(work, folder=tmp_path, cycle="2026Q3")
    assert (found.outcome, found.exit, found.transient) == (outcome, code, transient)
    assert "Ana" not in json.dumps(found.summary()) and found.what
    attempts.record(found)
    assert attempts.read(tmp_path)["failed"]["outcome"] == outcome and [p.name for p in tmp_path.iterdir()] == [
        "status.json"
    ]
    assert what_of(RunError("a failed in its cell 3: KeyError.")) == "a failed in its cell 3: KeyError."


def test_a_fault_of_the_program_is_raised_and_not_taken_for_an_outcome(tmp_path):
    def work(progress):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        attended(work, folder=tmp_path)
    assert isinstance(attended(lambda progress: tmp_path, folder=tmp_path), Outcome)


def published(out: Path, run: str, finished: str, inputs: dict | None = None) -> Path:
    """A run in ``out`` as far as its manifest goes."""
    page = out / run
    page.mkdir(parents=True)
    (page / "index.html").write_text("<p>a run</p>")
    said = {"run_id": run, "digest": run, "cycle": "2026Q3", "status": "DRAFT", "simulated": True, "finished": finished}
    said |= {"counts": {"in": 2, "scored": 2}, "warnings": {"codes": {"late": 1}}, "inputs": inputs or {}}
    asked = {"lang": "en", "seed": 1, "units": [], "settings": {}, "each_unit": False}
    manifest.write_manifest(page, said | {"parameters": asked, "notebooks": {}})
    return out


RUNS = {f"{n}aaa-bbbb-cccc": f"20{16 + n}-10-05 06:00:00" for n in range(8)}


@pytest.fixture
def old(tmp_path):
    """Eight runs of 2016 to 2023, the last the newest; a ledger that closes, decides and freezes on one each."""
    out = tmp_path / "out"
    for run, finished in RUNS.items():
        published(out, run, finished, {"2026Q3/scheme.yaml": run})
    publish.point_to(out, list(RUNS)[-1])
    ledger = open_ledger(tmp_path / "ledger.sqlite")
    first, second, third = list(RUNS)[:3]
    ledger.append(
        Draft("2026Q3", "final", "HR", {"run": first}, "t1"),
        Draft("2026Q3", "reopen", "HR", {}, "t2"),
        Draft("2026Q3", "decision", "HR", {"run": second}, "t3", "001"),
        Draft("2026Q3", "freeze", "HR", {"stage": "data", "parts": {"scheme.yaml": third}}, "t4"),
    )
    (out / "committee").mkdir()
    note = {"run": list(RUNS)[3], "head": ledger.head(), "status": "DRAFT"}
    (out / "committee" / "committee.json").write_text(json.dumps(note))
    return out, tmp_path / "ledger.sqlite"


def test_prune_removes_what_is_old_and_nothing_that_something_rests_on(old, capsys):
    out, ledger = old
    command = ["prune", str(out), "--ledger", str(ledger), "--older-than", "4y"]
    assert main([*command, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "3 runs would go." in said and {p.parent.name for p in out.glob("*/manifest.json")} == RUNS.keys()
    assert main(command) == 0
    said = capsys.readouterr().out
    kept = dict(re.findall(r"^(\S+)  .* kept: (.*)$", said, flags=re.M))
    assert kept == {
        "0aaa-bbbb-cccc": "2026Q3 was made final on it",
        "1aaa-bbbb-cccc": "entry 3 of the ledger rests on it",
        "2aaa-bbbb-cccc": "it is of frozen data",
        "3aaa-bbbb-cccc": "the committee's pages show it",
        "7aaa-bbbb-cccc": "it is the newest",
    }
    assert {p.parent.name for p in out.glob("*/manifest.json")} == kept.keys() and "3 runs removed." in said
    page = (out / "index.html").read_text(encoding="utf-8")
    assert all((run in page) == (run in kept) for run in RUNS), "the list of runs is made anew"


def test_prune_refuses_where_the_ledger_cannot_say_what_is_final(old, tmp_path, capsys):
    out, _ = old
    command = ["prune", str(out), "--older-than", "1d", "--ledger"]
    assert main([*command, str(tmp_path / "none.sqlite")]) == 1 and "no ledger at" in capsys.readouterr().err
    open_ledger(tmp_path / "other.sqlite")
    assert main([*command, str(tmp_path / "other.sqlite")]) == 1 and "another" not in capsys.readouterr().out
    with pytest.raises(LedgerError, match="made from a ledger with head"):
        prune.fates(out, (), datetime.now(UTC))
    (tmp_path / "broken.sqlite").write_bytes(b"SQLite format 3\0 and then nothing of the kind")
    assert main([*command, str(tmp_path / "broken.sqlite")]) == 1
    with lock.held(out, "run"):
        assert main([*command, str(tmp_path / "ledger.sqlite")]) == 1
    assert {p.parent.name for p in out.glob("*/manifest.json")} == RUNS.keys(), "nothing was removed"


@pytest.mark.parametrize("damage", ["{}", "[1]", '{"head": 5, "run": "x", "status": ""}', "\udcff"])
def test_prune_refuses_where_the_committees_pages_say_no_ledger(old, damage, capsys):
    out, ledger = old
    (out / "committee" / "committee.json").write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert main(["prune", str(out), "--ledger", str(ledger), "--older-than", "4y"]) == 1
    assert "Nothing was removed" in capsys.readouterr().err
    assert {p.parent.name for p in out.glob("*/manifest.json")} == RUNS.keys()


@pytest.mark.parametrize("latest", [b"", b"\xff\xfe", b"../.."])
def test_prune_keeps_the_last_run_where_nobody_says_which_is_newest(tmp_path, latest, capsys):
    for run, finished in list(RUNS.items())[:2]:
        published(tmp_path, run, finished)
    (tmp_path / "latest").write_bytes(latest)
    assert main(["prune", str(tmp_path), "--no-ledger", "--older-than", "1d"]) == 0
    assert {p.parent.name for p in tmp_path.glob("*/manifest.json")} == {"1aaa-bbbb-cccc"}


def test_prune_takes_no_link_and_no_copy_for_a_run(tmp_path, capsys):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    published(out, "9aaa-bbbb-cccc", "2026-10-05 06:00:00")
    publish.point_to(out, "9aaa-bbbb-cccc")
    published(elsewhere, "0aaa-bbbb-cccc", "2016-10-05 06:00:00")
    (out / "0aaa-bbbb-cccc").symlink_to(elsewhere / "0aaa-bbbb-cccc")
    published(out, "1aaa-bbbb-cccc", "2016-10-05 06:00:00").joinpath("1aaa-bbbb-cccc").rename(out / "copy")
    assert main(["prune", str(out), "--no-ledger", "--older-than", "1y"]) == 0
    assert "a link" in capsys.readouterr().out
    assert (out / "copy" / "manifest.json").exists() and (out / "0aaa-bbbb-cccc" / "manifest.json").exists()


MADE = "aaaa-bbbb-cccc"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{MADE}/manifest.json", b""),
        (f"{MADE}/manifest.json", b'{"finished": 1}'),
        (f"{MADE}/manifest.json", b"\xff\xfe"),
        (f"{MADE}/manifest.json", {"finished": "yesterday"}),
        (f"{MADE}/manifest.json", {"outputs": [1]}),
        (f"{MADE}/manifest.json", {"warnings": None}),
        (f"{MADE}/manifest.json", {"counts": {"in": "2", "scored": 2}}),
        (f"{MADE}/manifest.json", {"run_id": "../x"}),
        ("latest", b"\xff\xfe"),
        ("status.json", b'{"last": {"a": 1}, "failed": 3}'),
        ("status.json", b'{"last": {"outcome": "done", "started": 5, "codes": []}}'),
    ],
)
def test_a_damaged_folder_is_told_and_is_no_fault_of_the_program(tmp_path, capsys, name, content):
    out = published(tmp_path / "out", MADE, "2026-10-05 06:00:00")
    publish.point_to(out, MADE)
    if isinstance(content, dict):
        content = json.dumps(manifest.read_manifest(out / MADE) | content).encode()
    (out / name).write_bytes(content)
    exits = 0 if name == "status.json" else 1
    for more in ([], ["--every"], ["--json"], ["--json", "--every"]):
        assert main(["status", str(out), *more]) == exits
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["exit"] == exits
    assert main(["prune", str(out), "--no-ledger", "--older-than", "9y"]) == 0


def test_one_damaged_run_keeps_no_other_from_being_published(tmp_path):
    out = published(tmp_path / "out", "aaaa-bbbb-cccc", "2026-10-05 06:00:00")
    (out / "aaaa-bbbb-cccc" / "manifest.json").write_text('{"finished": 1}')
    published(out, "dddd-bbbb-cccc", "2026-10-06 06:00:00")
    assert "dddd-bbbb-cccc" in publish.point_to(out, "dddd-bbbb-cccc").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "before"),
    [("4y", "2024-02-29"), ("1m", "2028-01-29"), ("14m", "2026-12-29"), ("2w", "2028-02-15"), ("30d", "2028-01-30")],
)
def test_ages_follow_the_calendar(text, before):
    assert prune.age_of(text, datetime(2028, 2, 29, tzinfo=UTC)).date().isoformat() == before


@pytest.mark.parametrize("text", ["", "4", "y", "-1d", "0d", "4 y", "4Y", "1e3d", "99999y"])
def test_what_is_no_age_is_refused(text):
    with pytest.raises(UsageError):
        prune.age_of(text, datetime(2028, 2, 29, tzinfo=UTC))
    assert prune.age_of("1y", datetime(2028, 2, 29, tzinfo=UTC)).date().isoformat() == "2027-02-28"


def test_help_of_the_new_verbs_loads_nothing_heavy():
    asked = "import sys; from perfmodel.cli import main\nfor verb in ('status', 'prune', 'schedule'):\n"
    asked += "    try: main([verb, '--help'])\n    except SystemExit: pass\n"
    heavy = "print([m for m in ('numpy', 'pandas', 'papermill', 'apprise', 'prefect') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", asked + heavy], capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == "[]", ended.stderr
