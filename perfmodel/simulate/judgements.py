"""Who rates whom in one quarter, and what ratings come of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..scheme import Scheme
from .organisation import Posts, Staff, quarter_days, stream
from .ratings import rating_given
from .remarks import remark

CENTRE = 3.15  # rating that usual conduct earns from a rater of no severity; this and the rest on a scale of 1 to 5
MERIT_SD, ITEM_SD, TEAM_MERIT, HALO_SD, RESIDUAL_SD = 0.52, 0.25, 0.60, 0.33, 0.30
ABILITY_IN_MERIT = 0.70  # correlation of what the figures and what the raters see of a person
LASTING = 0.80  # share of a person's strong and weak points that stays from quarter to quarter
SELF_LENIENCY, SELF_SD = 0.35, 0.35
SKIP, SECOND, SELF = 0.25, 0.15, 0.97  # share of scorecards rated in the role
SEEN, SILENT = 0.40, 0.06  # share of skip ratings given after seeing another; of superiors who write nothing
ROLES = np.array(["self", "manager", "skip", "second"], dtype=object)


@dataclass(frozen=True, eq=False)
class Judgements:
    """Ratings of one quarter, and behind them: ``halo`` (rater x employee) and ``deserved`` (card x item)."""

    ratings: pd.DataFrame
    halo: pd.DataFrame
    deserved: pd.DataFrame


def merit(staff: Staff, team: np.ndarray) -> np.ndarray:
    """Rating points that each holder of a post deserves over all items; ``team`` is the quality of the unit."""
    own = ABILITY_IN_MERIT * staff.people["ability"] + np.sqrt(1 - ABILITY_IN_MERIT**2) * staff.people["conduct"]
    return CENTRE + MERIT_SD * own + TEAM_MERIT * team


def judgements(
    scheme: Scheme,
    posts: Posts,
    staff: Staff,
    cards: pd.DataFrame,
    team: np.ndarray,
    ids: np.ndarray,
    seed: int,
    *,
    linked: bool,
    newest: bool,
) -> Judgements:
    """Ratings of every card by self, superior, some superiors' superiors and some blind second raters.

    In the newest quarter one rating of a superior is still missing.
    """
    rng = stream(seed, "ratings", staff.quarter)
    items = np.array([i.id for i in scheme.items if i.kind == "rated"], dtype=object)
    least, most, _ = scheme.scale
    point = (most - least) / 4
    person = cards["person"].to_numpy()
    deserved = (merit(staff, team)[:, None] + _strengths(staff, len(items), seed, rng))[person]

    card, rater, role = _who_rates_whom(posts, cards, rng, linked, {r.id for r in scheme.roles})
    keys, pair = np.unique(rater * posts.n + person[card], return_inverse=True)
    halo = HALO_SD * rng.standard_normal(len(keys))
    own = ROLES[role] == "self"
    base = np.column_stack([deserved[card], deserved[card].mean(axis=1)])  # the last is "overall"
    given = rating_given(
        base,
        severity=np.where(own, SELF_SD * rng.standard_normal(len(rater)) - SELF_LENIENCY, staff.severity[rater])[
            :, None
        ],
        discrimination=np.where(own, 1.0, staff.slope[rater])[:, None],
        halo=np.where(own, 0.0, halo[pair])[:, None],
        residual=RESIDUAL_SD * rng.standard_normal(base.shape),
        centre=CENTRE,
    )
    on_scale = rating_given(least + point * (given - 1), scale=scheme.scale)
    rows = _sheets(cards, card, ids[rater], ROLES[role], [*items, "overall"], on_scale, staff.quarter, scheme, rng)
    if newest:
        owed = rows.index[(rows["role"] == "manager") & (rows["kpi"] != "overall") & (rows["scorecard"] == "")]
        rows = rows.drop(owed[len(owed) // 2 : len(owed) // 2 + 1]).reset_index(drop=True)

    raters, rated = np.divmod(keys, posts.n)
    return Judgements(
        rows,
        pd.DataFrame({"rater_id": ids[raters], "employee_id": ids[rated], "halo": point * halo})[raters != rated],
        pd.DataFrame(
            {
                "employee_id": np.repeat(cards["employee_id"].to_numpy(), len(items)),
                "scorecard": np.repeat(cards["scorecard"].to_numpy(), len(items)),
                "kpi": np.tile(items, len(cards)),
                "rating_deserved": (least + point * (deserved - 1)).ravel(),
            }
        ),
    )


def _strengths(staff: Staff, n_items: int, seed: int, rng: np.random.Generator) -> np.ndarray:
    """Strong and weak points: posts x items. A person's own row of one lasting stream is found by the number."""
    number = staff.people["number"]
    lasting = stream(seed, "ratings").standard_normal((int(number.max()) + 1, n_items))[number]
    fresh = rng.standard_normal((len(number), n_items))
    return ITEM_SD * (np.sqrt(LASTING) * lasting + np.sqrt(1 - LASTING) * fresh)


def _sheets(cards, card, raters, roles, kpis, given, quarter, scheme, rng) -> pd.DataFrame:
    """Ratings as rows. Only superiors rate ``overall`` and write remarks; some write nothing."""
    n, k = given.shape
    submitted = np.datetime64(quarter_days(quarter)[1]) + rng.integers(1, 9, n) * np.timedelta64(1, "D")
    seen = (roles == "skip") & (rng.random(n) < SEEN)
    silent = (roles != "manager") | (rng.random(n) < SILENT)
    kpi = np.tile(np.array(kpis, dtype=object), n)
    written = remark(given.ravel(), kpi, rng.integers(0, 1000, n * k), scheme.scale)
    rows = pd.DataFrame(
        {
            "rater_id": np.repeat(raters, k),
            "employee_id": np.repeat(cards["employee_id"].to_numpy()[card], k),
            "scorecard": np.repeat(cards["scorecard"].to_numpy()[card], k),
            "kpi": kpi,
            "role": np.repeat(roles, k),
            "rating": given.ravel(),
            "submitted_on": np.repeat(submitted, k),
            "blind": np.repeat(~seen, k),
            "comment": np.where(np.repeat(silent, k), "", written),
        }
    )
    return rows[(rows["role"] == "manager") | (rows["kpi"] != "overall")].reset_index(drop=True)


def _who_rates_whom(posts: Posts, cards: pd.DataFrame, rng: np.random.Generator, linked: bool, roles: set[str]):
    """Card, rater (a person's number) and role (its place in ``ROLES``) of each set of ratings."""
    post, person = cards["post"].to_numpy(), cards["person"].to_numpy()
    every = np.arange(len(cards))
    boss = posts.boss[post]
    chance = rng.random((5, len(cards)))
    shared = ~posts.alone[post] if linked else np.zeros(len(cards), bool)
    above = np.where(boss < posts.n, posts.boss[np.minimum(boss, posts.n - 1)], -1)

    leaders = np.flatnonzero((posts.head | posts.lead) & ~posts.alone)
    outside = posts.n + np.arange(posts.n_outside)
    peer = leaders[(chance[2] * len(leaders)).astype(int)]
    director = outside[(chance[2] * len(outside)).astype(int)]
    second = np.where(posts.head[post], director, np.where(chance[3] < 0.2, outside[-1], peer))
    same_unit = (second < posts.n) & (posts.unit[np.minimum(second, posts.n - 1)] == posts.unit[post])

    chosen = {
        "self": (chance[4] < SELF, person),
        "manager": (np.ones(len(cards), bool), boss),
        "skip": (shared & (above >= 0) & (chance[0] < SKIP), above),
        "second": (shared & (chance[1] < SECOND) & ~same_unit & (second != boss) & (second != person), second),
    }
    parts = [(every[who], rater[who], i) for i, (who, rater) in enumerate(chosen.values()) if ROLES[i] in roles]
    return (
        np.concatenate([card for card, _, _ in parts]),
        np.concatenate([rater for _, rater, _ in parts]),
        np.concatenate([np.full(len(card), role) for card, _, role in parts]),
    )
