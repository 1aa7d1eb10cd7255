"""Every recipe is taken apart: its days, its form, and each command in it by the parser that will read it."""

import ast
import configparser
import json
import re
import shlex
import xml.etree.ElementTree as ElementTree
from datetime import datetime
from importlib.resources import files
from itertools import islice

import pytest
from cronsim import CronSim

from perfmodel.cli import main, parser
from perfmodel.cli.operations import RECIPES
from perfmodel.runner import NOTEBOOKS
from perfmodel.runner.parameters import read_notebook

FOLDER = files("perfmodel") / "recipes"
TEXTS = {name: (FOLDER / file).read_text(encoding="utf-8") for name, file in RECIPES.items()}
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
MONTHS = [1, 4, 7, 10]


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str
    read.read_string(TEXTS[name])
    return read


def dag_calls() -> dict[str, list[dict]]:
    """Literal arguments of each call in the DAG, by the name of what is called."""
    found: dict[str, list[dict]] = {}
    for node in ast.walk(ast.parse(TEXTS["airflow"])):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            values = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
            found.setdefault(node.func.id, []).append(values)
    return found


def cron_line() -> tuple[str, str]:
    """Time and command of the one line of the crontab that is neither a comment nor a setting."""
    lines = [
        one for one in TEXTS["cron"].splitlines() if one and not one.startswith("#") and not re.match(r"\w+=", one)
    ]
    found = re.fullmatch(r"((?:\S+ ){4}\S+) (.+)", lines.pop())
    assert found and not lines and "%" not in found[2], "cron makes a line break of %"
    return found[1], found[2]


def commands() -> dict[str, list[str]]:
    """What each recipe starts, without the program itself."""
    task = ElementTree.fromstring(TEXTS["windows"]).find(f".//{TASK}Exec")
    _, shell = cron_line()
    said = {
        "cron": re.sub(r"\s*\d?>>\S+", "", shell.split(" && ")[-1]),
        "systemd": unit("systemd-service")["Service"]["ExecStart"],
        "windows": f"{task.find(f'{TASK}Command').text.rsplit(chr(92))[-1]} {task.find(f'{TASK}Arguments').text}",
        "comment": re.search(r"perfmodel status \S+", TEXTS["systemd-service"])[0],
    }
    said |= {f"airflow {call['task_id']}": call["bash_command"] for call in dag_calls()["BashOperator"]}
    return {name: shlex.split(text) for name, text in said.items()}


@pytest.mark.parametrize("name", commands())
def test_no_recipe_names_an_option_that_there_is_not(name):
    program, *words = commands()[name]
    assert re.split(r"[/\\]", program)[-1].removesuffix(".exe") == "perfmodel"
    found = parser().parse_args(words)
    if words[0] in ("run", "check"):
        assert found.newest and found.json and found.source in ("data", ["data"])
    if words[0] == "run":
        assert found.each_unit and found.wait == 3600 and found.notify == [], "addresses come from the environment"


def test_every_recipe_means_the_fifth_of_a_quarter_at_six():
    airflow = dag_calls()["DAG"][0]["schedule"]
    jupyter = json.loads(TEXTS["jupyter-scheduler"])["schedule"]
    for line in (cron_line()[0], airflow, jupyter):
        due = list(islice(CronSim(line, datetime(2026, 1, 1)), 8))
        assert [(day.month, day.day, day.hour, day.minute) for day in due] == [(m, 5, 6, 0) for m in MONTHS * 2], line
    calendar = re.fullmatch(r"\*-([\d,]+)-(\d\d) (\d\d):(\d\d):00", unit("systemd-timer")["Timer"]["OnCalendar"])
    assert [int(month) for month in calendar[1].split(",")] == MONTHS
    assert [int(part) for part in calendar.groups()[1:]] == [5, 6, 0]
    trigger = ElementTree.fromstring(TEXTS["windows"]).find(f".//{TASK}CalendarTrigger")
    months = [month.tag.removeprefix(TASK) for month in trigger.find(f".//{TASK}Months")]
    assert months == ["January", "April", "July", "October"]
    assert [day.text for day in trigger.find(f".//{TASK}DaysOfMonth")] == ["5"]
    assert datetime.fromisoformat(trigger.find(f"{TASK}StartBoundary").text).hour == 6


def test_the_units_of_systemd_belong_together_and_hold_no_secret():
    service, timer = unit("systemd-service"), unit("systemd-timer")
    assert timer["Timer"]["Unit"] == RECIPES["systemd-service"] and timer["Install"]["WantedBy"] == "timers.target"
    assert timer["Timer"]["Persistent"] == "yes", "a day on which the machine was off is made up for"
    assert service["Service"]["Type"] == "oneshot" and "Install" not in service, "the timer starts it"
    place = service["Service"]["WorkingDirectory"]
    assert service["Service"]["ReadWritePaths"].startswith(place), "only the reports are written"
    assert service["Service"]["ExecStart"].startswith(f"{place}/.venv/bin/")
    assert "PERFMODEL_NOTIFY" not in TEXTS["systemd-service"] and service["Service"]["EnvironmentFile"]


def test_the_task_of_windows_has_the_parts_that_its_schema_wants():
    task = ElementTree.fromstring(TEXTS["windows"])
    assert task.tag == f"{TASK}Task" and task.get("version") == "1.2" and TEXTS["windows"].isascii()
    parts = [part.tag.removeprefix(TASK) for part in task]
    assert parts == ["RegistrationInfo", "Triggers", "Settings", "Actions"]
    settings = {part.tag.removeprefix(TASK): part.text for part in task.find(f"{TASK}Settings")}
    assert settings["MultipleInstancesPolicy"] in ("Parallel", "Queue", "IgnoreNew", "StopExisting")
    assert settings["StartWhenAvailable"] == "true" and re.fullmatch(r"PT\d+H", settings["ExecutionTimeLimit"])


def test_the_dag_checks_before_it_runs_once_at_a_time():
    tree = ast.parse(TEXTS["airflow"])
    order = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift)]
    assert [(node.left.id, node.right.id) for node in order] == [("check", "run")]
    dag = dag_calls()["DAG"][0]
    assert dag["catchup"] is False and dag["max_active_runs"] == 1
    wanted = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert wanted == {"airflow.providers.standard.operators.bash", "airflow.sdk"}


def test_a_notebook_scheduled_in_jupyterlab_is_told_what_it_can_be_told():
    job = json.loads(TEXTS["jupyter-scheduler"])
    book = read_notebook(NOTEBOOKS / job["input_filename"])
    assert job["name"] == book.title and set(job["output_formats"]) == {"ipynb", "html"}
    for name, value in job["parameters"].items():
        assert book.parameters[name].accepts(value), name


@pytest.mark.parametrize("name", RECIPES)
def test_the_command_prints_it(name, capsys):
    assert main(["schedule", "recipe", name]) == 0
    assert capsys.readouterr().out == TEXTS[name]
