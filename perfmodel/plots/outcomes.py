"""Money: one bar against the pool line."""

import pandas as pd

from ..language import say
from .theme import BLUE, INK, INK2, STEPS, Chart, drawn, empty, panel


@drawn
def money(pool: pd.DataFrame, *, width: float = 3.5) -> Chart:
    """Cost of the last step as one bar against the pool; the steps themselves are rows of a table."""
    rows = pool.dropna(subset=["cost"])
    if rows.empty:
        return empty(say("No pay table: no cost is known."), width)
    last = rows.iloc[-1]
    chart, ax = panel(width, 0.72, left=0, right=0.05, top=0.22, bottom=0.22)
    cost, budget = float(last["cost"]), float(last["budget"])
    ax.barh(0, cost, 0.9, color=BLUE)
    ax.plot([budget] * 2, [-0.75, 0.75], color=INK, lw=1.6)
    ax.text(budget, 0.8, say("pool {money}", money=grouped(budget)), ha="right", va="bottom", fontsize=9)
    step = say(STEPS.get(last["step"], last["step"]))
    left = say("{step} {cost}, balance {balance}", step=step, cost=grouped(cost), balance=grouped(budget - cost))
    ax.text(0, -0.8, left, va="top", fontsize=9, color=INK2)
    ax.set_xlim(0, max(cost, budget) * 1.01 or 1)
    ax.set_ylim(-0.75, 0.75)
    ax.set_axis_off()
    chart.description = say(
        "{step} cost {cost} against a pool of {budget} {currency}.",
        step=step, cost=grouped(cost), budget=grouped(budget), currency=last["currency"],
    )  # fmt: skip
    return chart


def grouped(value: float) -> str:
    """Money in thousands with thin spaces between groups; the unit stands in the heading."""
    text = f"{abs(value) / 1000:,.0f}".replace(",", "\u2009")
    return ("−" if value < 0 and text != "0" else "") + text
