"""Set-up: ./run against a stand-in Python that only notes what it is asked, the lock, and the tree itself.

The stand-in takes milliseconds where a real set-up takes a minute; .ci/run does the real one each time.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
FOLDERS = {"notebooks", "perfmodel", "data", "reports", "tests"}
FILES = {"pyproject.toml", "requirements.lock", "run", "README.md", "LICENSE"}
TOOLS = ("sh", "true", "cat", "cksum", "rm", "mkdir", "cp", "sleep", "env")  # all that ./run and the stand-ins call

# A Python of the right age. `-m venv` copies it, `-m pip` is noted and may take its time or fail; -c is run in earnest.
PYTHON = f"""#!/bin/sh
case "$1 $2" in
"-m venv") echo venv >>"$NOTES"; mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
"-m pip") echo "pip $*" >>"$NOTES"; sleep "${{PIP_SECONDS:-0}}"; exit "${{PIP_EXIT:-0}}" ;;
"-c "*realpath*) echo "$0" ;;
*) exec "{sys.executable}" "$@" ;;
esac
"""
OLD_PYTHON = """#!/bin/sh
[ "$1" = --version ] && echo "Python 3.9.2" || exit 1
"""
UV = """#!/bin/sh
echo "uv $*" >>"$NOTES"
[ "$1" = venv ] && { for last; do :; done; mkdir -p "$last/bin"; cp "$(command -v python3)" "$last/bin/python"; }
exit "${UV_EXIT:-0}"
"""


class Tree:
    """A copy of what ./run reads, in a folder with a space in its name, and a PATH of stand-ins."""

    def __init__(self, folder):
        self.root, self.bin, self.notes = folder / "a tree", folder / "bin", folder / "notes"
        for made in (self.root, self.bin, folder / "home"):
            made.mkdir()
        for name in ("run", "requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, self.root)
        for tool in TOOLS:  # so that no other python, and no uv, is on the PATH
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.notes.touch()
        self.environment = {"PATH": str(self.bin), "HOME": str(folder / "home"), "NOTES": str(self.notes)}

    def put(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def start(self, *command, cwd=None, **environment):
        return subprocess.Popen(
            [self.root / "run", *command],
            cwd=cwd or self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command, **options):
        process = self.start(*command, **options)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def count(self, word):
        return sum(line.split()[0] == word for line in self.notes.read_text().splitlines())


@pytest.fixture
def tree(tmp_path):
    tree = Tree(tmp_path)
    tree.put("python3", PYTHON)
    return tree


def test_run_without_a_command_says_how_to_use_it_and_exits_2(tree):
    code, out, err = tree.run()
    assert (code, out, tree.count("venv")) == (2, "", 0)
    assert err.startswith("usage: ./run CMD")


def test_the_first_use_installs_the_lock_by_hash_then_the_package_and_speaks_on_stderr_only(tree):
    code, out, err = tree.run("true")
    assert (code, out) == (0, "")
    lock, package = [line for line in tree.notes.read_text().splitlines() if line.startswith("pip")]
    assert "--require-hashes" in lock and str(tree.root / "requirements.lock") in lock
    assert all(word in package for word in ("--no-deps", "--no-build-isolation", "-e"))
    assert not re.search(r"index-url|--isolated|trusted-host", tree.notes.read_text())  # the machine's settings hold
    assert "setting up" in err


def test_later_uses_are_silent_and_set_nothing_up(tree):
    tree.run("env")
    code, out, err = tree.run("env")
    assert (code, err, tree.count("venv")) == (0, "", 1)
    assert f"PATH={tree.root}/.venv/bin:" in out


def test_the_command_gets_its_arguments_whole_and_runs_where_it_was_called(tree, tmp_path):
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    code, out, _ = tree.run("sh", "-c", 'pwd; printf "<%s>" "$@"; exit 7', "sh", "a b", "", "*", cwd=elsewhere)
    assert (code, out) == (7, f"{elsewhere}\n<a b><><*>")


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_changed_input_sets_up_anew_once(tree, changed):
    tree.run("env")
    with (tree.root / changed).open("a") as file:
        file.write("# changed\n")
    tree.run("env")
    tree.run("env")
    assert tree.count("venv") == 2


def test_a_failed_set_up_runs_nothing_and_the_next_use_repairs_it(tree):
    code, out, err = tree.run("env", PIP_EXIT="1")
    assert (code, out) == (1, "")
    assert "Running ./run again" in err
    assert tree.run("env")[0] == 0
    assert tree.count("venv") == 2


def test_a_killed_set_up_is_repaired_by_the_next_use(tree):
    killed = tree.start("env", PIP_SECONDS="1")
    while not tree.count("pip") and killed.poll() is None:
        pass
    killed.kill()
    killed.communicate()  # until its pip has ended too: it holds the turn
    assert tree.run("env")[0] == 0
    assert tree.count("venv") == 2


def test_two_at_once_set_up_once_and_both_run(tree):
    both = [tree.start("env", PIP_SECONDS="0.5") for _ in range(2)]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert tree.count("venv") == 1
    assert sum("waiting for it" in err for err in said) == 1


def test_a_moved_folder_sets_up_anew(tree):
    tree.run("env")
    tree.root = tree.root.rename(tree.root.with_name("moved"))
    tree.run("env")
    assert tree.count("venv") == 2


def test_a_python_that_is_too_old_is_refused_with_the_remedy(tree):
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"):
        tree.put(name, OLD_PYTHON)
    code, out, err = tree.run("env")
    assert (code, out, tree.count("venv")) == (1, "", 0)
    assert "needs Python 3.11 or newer" in err and "python3 is Python 3.9.2" in err and "Install one" in err


def test_a_newer_python_beside_an_old_one_is_found(tree):
    tree.put("python3", OLD_PYTHON)
    tree.put("python3.12", PYTHON)
    assert tree.run("env")[0] == 0


def test_uv_does_the_same_where_it_is_on_the_path(tree):
    tree.put("uv", UV)
    assert tree.run("env")[0] == 0
    assert (tree.count("uv"), tree.count("pip")) == (3, 0)
    assert "--require-hashes" in tree.notes.read_text()


def test_pip_tries_where_uv_could_not(tree):
    tree.put("uv", UV)
    code, _, err = tree.run("env", UV_EXIT="1")
    assert (code, tree.count("pip")) == (0, 2)
    assert "uv could not" in err


def test_the_lock_names_no_index_no_local_path_and_nothing_unpinned():
    requirements = re.sub(r"\\\n", " ", LOCK).splitlines()
    pinned = re.compile(r"[a-z0-9-]+==\S+( ; [^\\/]+?)?(\s+--hash=sha256:[0-9a-f]{64})+")
    assert len(requirements) > 50
    assert [line for line in requirements if not pinned.fullmatch(line.rstrip())] == []
    assert not re.search(r"https?:|file:|://|--index|--find-links|@ ", LOCK)


def requirements_of_pyproject():
    project = tomllib.loads(PROJECT)
    extras = project["project"]["optional-dependencies"]
    asked = project["project"]["dependencies"] + extras["test"] + project["dependency-groups"]["build"]
    return {re.match(r"[\w-]+", line)[0].lower().replace("_", "-") for line in asked}


def test_every_dependency_and_the_build_backend_is_in_the_lock():
    locked = set(re.findall(r"^([a-z0-9-]+)==", LOCK, re.MULTILINE))
    assert requirements_of_pyproject() - locked == set()


def test_every_dependency_has_its_reason_beside_it():
    lines = re.findall(r'^    "[\w-]+ [<>=].*$', PROJECT, re.MULTILINE)
    assert len(lines) > 25
    assert [line for line in lines if not re.search(r'", +# \w+', line)] == []


def tracked():
    """Files of the project: what git tracks or would; without git, all but what tools leave behind."""
    question = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(question, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return sorted(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not any(re.match(r"\.(?!ci$|gitignore$)|__pycache__$", part) for part in path.relative_to(ROOT).parts)
    )


def test_the_top_level_is_the_contracts():
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in top if not name.startswith(".")} == FOLDERS | FILES
    assert {name for name in top if name.startswith(".")} <= {".ci", ".gitignore", ".gitattributes"}
    assert os.access(ROOT / "run", os.X_OK)


def test_no_file_names_a_place_on_one_machine_or_a_registry_host():
    # Put together here, so that this file does not hold what it looks for.
    places = "|".join(f"/{folder}/" for folder in ("work", "root"))
    hosts = "|".join(re.escape(".".join(host)) for host in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org")))
    found = re.compile(rf"(?<![\w.~/-])(?:{places})|{hosts}".encode())
    assert [str(path.relative_to(ROOT)) for path in tracked() if found.search(path.read_bytes())] == []


def test_the_scripts_are_clean_shell():
    assert subprocess.run(["sh", "-n", ROOT / "run"]).returncode == 0
    assert subprocess.run(["bash", "-n", ROOT / ".ci/run"]).returncode == 0
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("\n./run pytest")  # CI types what the README says


def said_by(*tool):
    """What a tool says about the tree; nothing where all is well."""
    said = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True)
    return said.stdout + said.stderr


def test_ruff_has_nothing_to_say():
    assert said_by("ruff", "check", ".", "--quiet", "--output-format=concise") == ""


def test_mypy_has_nothing_to_say():
    assert said_by("mypy", "--no-error-summary", "--no-pretty") == ""


def run_browser_test_without_chromium(pytester, monkeypatch, ci, *options):
    pytester.makeconftest((ROOT / "tests/conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers = browser: opens pages")
    pytester.makepyfile("import pytest\n@pytest.mark.browser\ndef test_page(chromium): pass\ndef test_other(): pass")
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", str(pytester.mkdir("empty")))
    return pytester.runpytest_subprocess("-p", "no:nbval", *options)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_without_a_browser_its_tests_are_left_out_and_the_last_words_say_so(pytester, monkeypatch, workers):
    run = run_browser_test_without_chromium(pytester, monkeypatch, "", "-n", workers)
    run.assert_outcomes(passed=1, deselected=1 if workers == "0" else 0)  # workers do not report it: hence the words
    left_out, name, remedy = run.outlines[-3:]
    assert "Left out" in left_out and "1 test" in left_out
    assert name.strip().endswith("::test_page")
    assert "apt-get install chromium" in remedy


def test_in_ci_a_missing_browser_is_a_failure(pytester, monkeypatch):
    run = run_browser_test_without_chromium(pytester, monkeypatch, "true", "-n", "0")
    assert run.ret == 1
    run.stdout.fnmatch_lines(["*CI is set, so no test may be left out*apt-get install chromium*"])


@pytest.mark.browser
def test_the_chromium_fixture_opens_a_page(chromium, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<title>评分</title>", encoding="utf-8")
    assert chromium(page, offline=True).title() == "评分"
