"""Every notebook on quarters that lack something: each still comes to its end and shows what it can."""

import ast
import json
import re
from pathlib import Path

import openpyxl
import pytest
from small_cycle import write_small

import perfmodel as pm
from perfmodel import report
from perfmodel.examples import INSTEVAL_SCHEME
from perfmodel.runner.run import NOTEBOOKS

BLANK = re.compile(r">[^<]*\b(nan|NaN|NaT|inf|None,)\b")  # an absent number that was written as if it were one


def keep(folder: Path, table: str, wanted) -> None:
    head, *rows = (folder / f"{table}.csv").read_text().splitlines()
    (folder / f"{table}.csv").write_text("\n".join([head, *(r for r in rows if wanted(r.split(",")))]) + "\n")


def nobody_scored(folder):
    keep(folder, "results", lambda row: row[2] != "gross_margin")


def nobody_shares_anybody(folder):
    keep(folder, "ratings", lambda row: row[4] == "manager")


def nobody_is_rated(folder):
    (folder / "ratings.csv").unlink()


def only_what_must_be_there(folder):
    for name in ("assignments", "events", "exclusions", "groups", "milestones", "pay"):
        (folder / f"{name}.csv").unlink()
    keep(folder, "results", lambda row: row[0] != "004")
    keep(folder, "ratings", lambda row: row[1] != "004")


def one_person(folder):
    (folder / "assignments.csv").unlink()
    for name, at in (("employees", 0), ("results", 0), ("ratings", 1), ("milestones", 0), ("pay", 0), ("groups", 0)):
        keep(folder, name, lambda row, at=at: row[at] == "001")
    for name in ("events", "exclusions"):
        (folder / f"{name}.csv").unlink()


def everybody_is_excluded(folder):
    (folder / "exclusions.csv").write_text("employee_id,reason\n" + "".join(f"00{i},left\n" for i in range(1, 9)))


def ratings_of_lecturers(folder):
    for path in folder.glob("*.csv"):
        path.unlink()
    (folder / "scheme.yaml").write_text(INSTEVAL_SCHEME, encoding="utf-8")
    (folder / "employees.csv").write_text(
        "employee_id,name,unit,profile,manager_id\n" + "".join(f"d{i},D{i},U{i % 2},lecturer,\n" for i in range(6))
    )
    (folder / "ratings.csv").write_text(
        "rater_id,employee_id,kpi,role,rating\n"
        + "".join(f"s{j},d{i},teaching,student,{1 + (2 * i + j) % 5}\n" for i in range(6) for j in range(4))
    )


ODD = [
    nobody_scored,
    nobody_shares_anybody,
    nobody_is_rated,
    only_what_must_be_there,
    one_person,
    everybody_is_excluded,
    ratings_of_lecturers,
]


def executed(notebook: Path, given: dict) -> list[str]:
    """The HTML of every value that the notebook shows, its parameters replaced as papermill would."""
    names, shown = {}, []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        body = ast.parse("".join(cell["source"])).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), notebook.name, "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), notebook.name, "eval"), names)
            if value is not None:
                shown.append(value._repr_html_())
        if "parameters" in cell["metadata"].get("tags", ()):
            names.update({name: value for name, value in given.items() if name in names})
    return shown


@pytest.mark.parametrize("change", ODD, ids=lambda change: change.__name__)
def test_a_quarter_that_lacks_something_still_gets_every_page(tmp_path, change):
    folder = write_small(tmp_path / "2026Q3")
    change(folder)
    for notebook in sorted(NOTEBOOKS.glob("0[1-9]*.ipynb")):
        shown = executed(notebook, {"cycle": str(folder)})
        assert shown and all(shown), notebook.name
        assert not (odd := [m.group() for m in map(BLANK.search, shown) if m]), (notebook.name, odd)
    quarter = pm.assess(folder)
    pages = [report.index_page(quarter), report.calibration_report(quarter).html()]
    pages += [report.calibration_report(quarter, unit).html() for unit in set(quarter.cycle.employees.unit)]
    assert not any(map(BLANK.search, pages))
    report.workbook(quarter, tmp_path / "pack.xlsx")
    assert openpyxl.load_workbook(tmp_path / "pack.xlsx").sheetnames
