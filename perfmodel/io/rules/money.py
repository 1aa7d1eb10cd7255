"""Rules about what follows from a grade: events, pay, and who is set apart."""

import numpy as np

from .ground import Ground


def check(ground: Ground) -> None:
    for name in ("events", "pay", "groups", "exclusions"):
        if ground.sound(name):
            ground.unknown(
                ground.tables[name],
                "employee_id",
                ground.employees,
                "employee-unknown",
                "no such person is in employees",
            )
    if ground.sound("events"):
        _events(ground)
    if ground.sound("pay"):
        _pay(ground)


def _events(ground: Ground) -> None:
    rows, found = ground.tables["events"], ground.found
    who, code, kind, points = rows.text("employee_id"), rows.text("code"), rows.text("kind"), rows.numbers("points")
    gates = {g.code for g in ground.scheme.gates}
    found.rows(
        (kind == "gate") & ~np.isin(code.astype(str), sorted(gates)), rows, "code", "error", "gate-unknown",
        lambda r: f"{who[r]}: {code[r]} is no gate of the scheme ({', '.join(sorted(gates))}), "
        "so it is not known which grade it permits.",
    )  # fmt: skip
    found.rows(
        (kind == "gate") & ~np.isnan(points), rows, "points", "warning", "gate-points",
        lambda r: f"{who[r]}, {code[r]}: a gate caps the grade; its points are not used.",
    )  # fmt: skip
    found.rows(
        (kind != "gate") & ~(points > 0), rows, "points", "error", "event-points",
        lambda r: f"{who[r]}, {code[r]}: a {kind[r]} needs points above 0 (the kind says whether they are added or "
        "taken).",
    )  # fmt: skip


def _pay(ground: Ground) -> None:
    rows, found = ground.tables["pay"], ground.found
    if not len(rows):
        return
    who, currency = rows.text("employee_id"), rows.text("currency")
    found.rows(
        rows.numbers("bonus_target") < 0, rows, "bonus_target", "error", "pay-negative",
        lambda r: f"{who[r]}: the bonus target is below 0; correct it.",
    )  # fmt: skip
    common, counts = np.unique(currency.astype(str), return_counts=True)
    usual = common[np.argmax(counts)]
    found.rows(
        currency != usual, rows, "currency", "error", "pay-currency",
        lambda r: f"{who[r]}: {currency[r]} among {usual}; one pool is in one currency: convert, or split the cycle.",
    )  # fmt: skip
    if ground.sound("exclusions"):
        for employee in sorted(ground.employees - set(who) - ground.excluded):
            found.add(
                rows.file, 0, 0, "warning", "pay-missing",
                f"{employee} has no pay row, so costs nothing in the pool; add it, with eligible no if that is meant.",
            )  # fmt: skip
