"""Targets and actual figures of one quarter, correlated as they are in a sales organisation."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..scheme import Item, Scheme
from .organisation import SIZE, Posts, Staff, stream

SEASON = (0.80, 1.00, 0.98, 1.22)  # Q1 holds the Chinese new year, Q4 the year's end
GROWTH = 1.015  # a quarter
SHIFT, SPREAD = -0.20, 0.74  # of attainment, in units of half the way from threshold to stretch
WINDFALL, WINDFALL_SIZE = 0.015, 4.0  # share of people with one very large order; its size
TEAM_SD, COMPANY_SD = 0.30, 0.05  # lasting quality of a unit; shock to the whole market, in standard deviations


@dataclass(frozen=True)
class Figure:
    """How a figure comes about. Loadings are correlations with the traits; the rest is the figure's own noise.

    ``level`` is the usual target, ``decimals`` those it is written with, ``most`` the largest it can be.
    ``form`` is how well the quarter went for the person, ``price`` how far discounts bought revenue.
    """

    level: float = 100.0
    varies: float = 0.0
    decimals: int = 1
    most: float = np.inf
    ability: float = 0.45
    market: float = 0.0
    form: float = 0.25
    price: float = 0.0
    flow: bool = False  # adds up over days and people, and has a season; a windfall shows here


FIGURES = {
    "sales_attainment": Figure(SIZE, decimals=0, ability=0.55, market=0.45, form=0.35, price=0.20, flow=True),
    "new_customers": Figure(14, decimals=0, ability=0.45, market=0.35, form=0.25, flow=True),
    "gross_margin": Figure(31.0, varies=0.08, ability=0.40, market=0.15, price=-0.45),
    "expense_ratio": Figure(7.5, varies=0.10, ability=0.45, market=0.20),
    "team_attainment": Figure(100.0, ability=0.55, market=0.40, form=0.40),
    "core_attrition": Figure(4.0, varies=0.10, ability=0.30, form=0.05),
    "market_penetration": Figure(38.0, varies=0.12, ability=0.50, market=0.30, most=100.0),
    "customer_satisfaction": Figure(86.0, varies=0.02, ability=0.40, form=0.10, price=0.15, most=100.0),
    "forecast_accuracy": Figure(12.0, varies=0.08, ability=0.40, market=0.15),
    "crm_completeness": Figure(95.0, ability=0.40, form=0.10, most=100.0),
}


def shocks(posts: Posts, seed: int, quarter: int, market_sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Lasting quality of each unit, and the market's push to each unit in this quarter; standard deviations."""
    quality = TEAM_SD * stream(seed, "market").standard_normal(len(posts.units))
    rng = stream(seed, "market", quarter)
    return quality, market_sd * rng.standard_normal(len(posts.units)) + COMPANY_SD * rng.standard_normal()


def figures(
    scheme: Scheme, posts: Posts, staff: Staff, cards: pd.DataFrame, seed: int, market_sd: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Results of every card (employee x scorecard), and the standing of each card on each item.

    ``cards`` holds ``post`` (held at the time), ``person`` (post held at the end), ``share`` of the quarter.
    Results come as one row a card and measured item: ``card, kpi, target, actual``.
    """
    rng = stream(seed, "figures", staff.quarter)
    quality, market = shocks(posts, seed, staff.quarter, market_sd)
    post, person, share = (cards[c].to_numpy() for c in ("post", "person", "share"))
    unit = posts.unit[post]
    n = posts.n
    form, price = rng.standard_normal(n), rng.standard_normal(n)
    windfall = WINDFALL_SIZE * (rng.random(n) < WINDFALL)
    ability = staff.people["ability"]
    season = SEASON[staff.quarter % 4] * GROWTH ** (staff.quarter - 2026 * 4)
    plan = stream(seed, "plans", staff.quarter)
    lasting = stream(seed, "plans")

    blocks, standing = [], {}
    for item in scheme.items:
        if item.kind != "measured":
            continue
        f = FIGURES.get(item.id, Figure())
        used = f.ability**2 + f.market**2 * 0.15 + f.form**2 + f.price**2
        own = np.sqrt(max(1 - used, 0.1)) * rng.standard_t(6, n) * np.sqrt(4 / 6)
        z = f.ability * (ability + quality[posts.unit]) + f.form * form + f.price * price + f.flow * windfall + own
        z = z[person] + f.market * market[unit]
        attainment = 1 + half_way(item) * (SHIFT + SPREAD * z)
        tilt = np.exp(f.varies * (lasting.standard_normal(n) + 0.2 * plan.standard_normal(n)))
        target = _written(_plan(posts, f, season)[post] * tilt[post] * (share if f.flow else 1.0), f)
        if item.direction == "lower":
            actual = target * np.maximum(2 - attainment, 0.05)
        else:
            actual = np.minimum(target * np.maximum(attainment, 0.05), f.most)
        actual = np.round(actual, f.decimals)
        if f.flow:
            target, actual = _with_reports(posts, cards, target, actual)
        standing[item.id] = z
        blocks.append(pd.DataFrame({"card": np.arange(len(cards)), "kpi": item.id, "target": target, "actual": actual}))
    if {"sales_attainment", "team_attainment"} <= standing.keys():
        _team_follows_sales(posts, post, blocks)
    results = (
        pd.concat(blocks, ignore_index=True)
        if blocks
        else pd.DataFrame({"card": [], "kpi": [], "target": [], "actual": []})
    )
    return results, pd.DataFrame(standing)


def half_way(item: Item) -> float:
    """Half the attainment between threshold and stretch: the distance in which about 15 points are earned."""
    low, high = item.at.get("threshold", 0.85), item.at.get("stretch", 1.10)
    return (high - low) / 2


def _plan(posts: Posts, f: Figure, season: float) -> np.ndarray:
    """Usual target of each post. What adds up has a season and grows with the post, counts less than money."""
    if not f.flow:
        return np.full(posts.n, f.level)
    size = posts.size / SIZE
    return f.level * season * (size if f.level >= 1000 else np.sqrt(size))


def _written(target: np.ndarray, f: Figure) -> np.ndarray:
    """Targets as people write them: large sums in tens, the rest with their own decimals."""
    if f.flow and f.level >= 1000:
        return np.maximum(np.round(target, -1), 10.0)
    return np.maximum(np.round(target, f.decimals), 1.0)


def _with_reports(posts, cards, target, actual):
    """Posts that lead show the sum of their reports, so that managers' figures reconcile."""
    post = cards["post"].to_numpy()
    target, actual = target.copy(), actual.copy()
    for leads in (posts.lead, posts.head):
        leader = leads[post]
        for values in (target, actual):
            total = np.bincount(posts.boss[post], values, posts.n + posts.n_outside)
            values[leader] = np.where(total[post[leader]] > 0, total[post[leader]], values[leader])
    return target, actual


def _team_follows_sales(posts, post, blocks):
    """The team of a post that leads others reached what its summed sales reached."""
    by_item = {block["kpi"].iloc[0]: block for block in blocks}
    sales, team = by_item["sales_attainment"], by_item["team_attainment"]
    leads = (posts.lead | posts.head)[post]
    reached = np.round(100 * sales["actual"] / sales["target"], 1)
    team.loc[leads, "target"] = 100.0
    team.loc[leads, "actual"] = reached[leads]
