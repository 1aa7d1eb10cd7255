"""Two rates beside each other: ratio, interval, exact test, what one person changes, what could have been found."""

from functools import lru_cache

import numpy as np

ALPHA, POWER = 0.05, 0.80
FOUR_FIFTHS = 0.8
FLIPS, STANDS, NO_FINDING = "yes", "no", "no finding"


def risk_ratio(yes: int, n: int, yes_reference: int, n_reference: int) -> float:
    """Rate over the reference's rate; infinite where only the reference's is 0, NaN where both are."""
    if yes_reference == 0:
        return np.inf if yes else np.nan
    return (yes / n) / (yes_reference / n_reference)


def score_statistic(ratio, yes: int, n: int, yes_reference: int, n_reference: int):
    """Squared distance of the counts from a given ratio of rates, about chi-square with 1 degree of freedom.

    The variance is that at the likeliest rates with this ratio (Koopman 1984, eq. 2.2, in the form of Miettinen and
    Nurminen 1985 without their N / (N - 1)). ``ratio`` is positive.
    """
    a = (n + n_reference) * ratio
    b = n * ratio + yes + n_reference + yes_reference * ratio
    # The smaller root of a p^2 - b p + c; the form that loses no digits where the ratio is extreme.
    root = np.sqrt(np.maximum(b**2 - 4 * a * (yes + yes_reference), 0))
    low = 2 * (yes + yes_reference) / (b + root)
    high = low * ratio
    variance = high * (1 - high) / n + ratio**2 * low * (1 - low) / n_reference
    gap = yes / n - ratio * yes_reference / n_reference
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap == 0, 0.0, gap**2 / variance)


def ratio_interval(
    yes: int, n: int, yes_reference: int, n_reference: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Score interval of the ratio of two rates: the ratios from which the counts are not too far.

    Chosen over the interval of the logarithm (Katz et al. 1978) because that has no answer where a count is 0 and is
    too short where counts are few; the score interval needs no half person added. Nobody in the group: from 0.
    Nobody in the reference: to infinity. Nobody in either: 0 to infinity, for the counts say nothing of the ratio.

    References
    ----------
    Koopman (1984), Confidence intervals for the ratio of two binomial proportions, Biometrics 40.
    Gart and Nam (1988), Approximate interval estimation of the ratio of binomial parameters, Biometrics 44.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    if yes == 0 and yes_reference == 0:
        return 0.0, np.inf
    limit = float(ndtri((1 + confidence) / 2)) ** 2

    def beyond(log_ratio: float) -> float:
        return float(score_statistic(np.exp(log_ratio), yes, n, yes_reference, n_reference)) - limit

    far = 40.0
    centre = np.log(risk_ratio(yes, n, yes_reference, n_reference)) if yes and yes_reference else None
    low = 0.0 if yes == 0 else float(np.exp(brentq(beyond, -far, far if centre is None else centre, xtol=1e-10)))
    high = np.inf if yes_reference == 0 else float(
        np.exp(brentq(beyond, -far if centre is None else centre, far, xtol=1e-10))
    )  # fmt: skip
    return low, high


@lru_cache(maxsize=4096)
def fisher(yes: int, n: int, yes_reference: int, n_reference: int) -> float:
    """Two-sided p of Fisher's exact test: all tables no likelier than this one, given both margins."""
    from scipy.stats import fisher_exact

    return float(fisher_exact([[yes, n - yes], [yes_reference, n_reference - yes_reference]]).pvalue)


def findings(yes: int, n: int, yes_reference: int, n_reference: int) -> tuple[bool, bool]:
    """Whether p < .05, and whether the ratio lies beyond four fifths in either direction."""
    ratio = risk_ratio(yes, n, yes_reference, n_reference)
    beyond = bool(np.isfinite(ratio) or ratio == np.inf) and not FOUR_FIFTHS <= ratio <= 1 / FOUR_FIFTHS
    return fisher(yes, n, yes_reference, n_reference) < ALPHA, beyond


def flip_one(yes: int, n: int, yes_reference: int, n_reference: int) -> str:
    """Whether a finding is undone when one person, of either group, has the other outcome.

    A finding is p < .05, or a ratio beyond four fifths (under .8, over 1.25). "yes": one person undoes one of
    them; "no": they stand; "no finding": there is none to undo.
    """
    now = findings(yes, n, yes_reference, n_reference)
    if not any(now):
        return NO_FINDING
    for group, reference in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        a, b = yes + group, yes_reference + reference
        if 0 <= a <= n and 0 <= b <= n_reference:
            then = findings(a, n, b, n_reference)
            if any(was and not still for was, still in zip(now, then, strict=True)):
                return FLIPS
    return STANDS


def shortfall(yes: int, n: int, yes_reference: int, n_reference: int) -> float:
    """How many more people of the group would have the outcome at the reference's rate; negative: how many fewer."""
    return n * yes_reference / n_reference - yes


def power_of_test(rate, reference_rate: float, n: int, n_reference: int, *, alpha: float = ALPHA):
    """About the chance that Fisher's test finds the difference of two true rates.

    Normal approximation with the continuity correction that fits Fisher's test (Casagrande, Pike and Smith 1978;
    unequal groups: Ury and Fleiss 1980), solved for the power: with n' people uncorrected, sqrt(n') = sqrt(n) -
    c / (2 sqrt(n)), c = (1 + r) / (r d).
    """
    from scipy.special import ndtr, ndtri

    rate = np.asarray(rate, float)
    r = n_reference / n
    d = np.abs(rate - reference_rate)
    mean = (rate + r * reference_rate) / (1 + r)
    with np.errstate(divide="ignore", invalid="ignore"):
        people = np.maximum(np.sqrt(n) - (1 + r) / (r * d) / (2 * np.sqrt(n)), 0)
        spread = np.sqrt(r * rate * (1 - rate) + reference_rate * (1 - reference_rate))
        z = (people * d * np.sqrt(r) - ndtri(1 - alpha / 2) * np.sqrt((1 + r) * mean * (1 - mean))) / spread
        return np.where(d > 0, ndtr(z), alpha)


def smallest_detectable(
    reference_rate: float, n: int, n_reference: int, *, power: float = POWER, alpha: float = ALPHA
) -> float:
    """Smallest difference of rates, in either direction, that groups of this size show with this power.

    NaN where none would be: not even nobody in the group, or everybody.
    """
    from scipy.optimize import brentq

    def over(rate: float) -> float:
        return float(power_of_test(rate, reference_rate, n, n_reference, alpha=alpha)) - power

    gaps = []
    for end in (1e-9, 1 - 1e-9):
        if abs(end - reference_rate) > 1e-6 and over(end) > 0:
            near = reference_rate + np.sign(end - reference_rate) * 1e-9
            gaps.append(abs(brentq(over, near, end, xtol=1e-9) - reference_rate))
    return min(gaps, default=np.nan)
