"""Every command and every block of Python in the README works as it is written there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
IN_CHINESE = next(line for line in COMMANDS if "--lang zh" in line)
ENTRY = {"perfmodel": ["-m", "perfmodel"], "papermill": ["-m", "papermill"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder that looks like the repository and takes what the commands write."""
    place = tmp_path_factory.mktemp("readme")
    (place / "reports").mkdir()
    for name in ("data", "notebooks", "run"):
        (place / name).symlink_to(ROOT / name)
    return place


# In the order of the README, in one folder: one reads what another wrote. `./run pytest` is what runs this, and what
# the Chinese run leaves is looked at in test_chinese, which types the same line.
STEPS = [
    (kind, step)
    for kind, text in BLOCKS
    for step in (text.splitlines() if kind == "sh" else [text] if kind == "python" else [])
    if step not in ("./run pytest", IN_CHINESE)
]


@pytest.mark.parametrize(
    ("kind", "step"), STEPS, ids=[f"{i}-{step.split(chr(10))[0][:60]}" for i, (_, step) in enumerate(STEPS)]
)
def test_a_step(place, kind, step, monkeypatch):
    if kind == "python":
        monkeypatch.chdir(place)
        names: dict = {}
        exec(compile(step, "README.md", "exec"), names)
        assert "pm" in names
        return
    first, program, *rest = shlex.split(step)
    assert first == "./run"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, *ENTRY[program], *rest], cwd=place, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    if program == "perfmodel" and rest[0] in ("run", "tables", "sample", "example"):
        assert (place / ended.stdout.splitlines()[-1].split(": ")[0]).exists()


def test_the_test_command_and_the_main_command_stand_there_as_typed():
    assert {"./run pytest", "./run perfmodel run data/2026Q3"} <= set(COMMANDS)


def test_files_and_notebooks_named_exist_and_none_is_left_out():
    for target in re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(r"`((?:perfmodel|tests|data)/[\w./]*)`", README):
        assert (ROOT / target).exists(), target
    named = set(re.findall(r"`(\d\d_\w+)`", README))
    assert named == {p.stem for p in (ROOT / "notebooks").glob("*.ipynb")}


def test_the_columns_it_names_are_those_that_a_table_must_have():
    from perfmodel.tables import INPUTS

    rows = re.findall(r"^\| (`.+?) \| .+? \| (`.+?) \|$", README, flags=re.M)
    told = {}
    for tables, columns in rows:
        told |= dict(zip(re.findall(r"`(\w+)`", tables), re.findall(r"`([\w, ]+)`", columns), strict=False))
    must = {t.name: ", ".join(c.name for c in t.columns if c.required) for t in INPUTS.values()}
    assert {name: told.get(name) for name in must} == must
