"""Written assessments, so that sample ratings carry evidence as real ones do."""

import numpy as np

PHRASES = {
    "low": (
        "Agreed actions were not finished; weekly reviews set up for next quarter",
        "Two complaints from other functions; talked through on site",
        "Records arrived late in all three months",
        "Plan for the team was not followed after the first month",
    ),
    "middle": (
        "Did what was agreed in the plan",
        "Steady quarter; goals of the development plan kept",
        "Reviews held each month, records complete",
        "Reliable with other functions; few initiatives beyond the plan",
    ),
    "high": (
        "Coached two colleagues who then closed on their own",
        "Solved the delivery dispute before it reached the customer",
        "Review of lost bids is now used by other units",
        "Led the joint project and finished early",
    ),
}


def remark(rating: np.ndarray, kpi: np.ndarray, number: np.ndarray, scale: tuple[float, float, float]) -> np.ndarray:
    """A sentence for every ``overall`` and every rating far from the middle of the scale, "" for the rest."""
    least, most, _ = scale
    place = (rating - least) / (most - least)
    level = np.where(place < 0.4, 0, np.where(place > 0.7, 2, 1))
    choices = np.array([PHRASES[name] for name in ("low", "middle", "high")], dtype=object)
    text = choices[level, number % choices.shape[1]]
    return np.where((kpi == "overall") | (place <= 0.25) | (place >= 0.875), text, "")
