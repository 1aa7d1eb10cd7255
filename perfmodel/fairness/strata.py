"""The ratio of two rates inside units: Mantel and Haenszel's, and how many of its digits may be told."""

import numpy as np

UNITS = 128  # taken together against all others
DIGITS = (2, 1)  # decimals that may be shown, finest first


def mantel_haenszel(yes, n, yes_reference, n_reference, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """Common ratio of rates over strata, each array one value a stratum, with its interval.

    Strata without one of the groups carry no weight. ``(nan, nan, nan)`` where nobody of the reference, or of the
    group, has the outcome in a stratum that both share.

    References
    ----------
    Mantel and Haenszel (1959), J. Natl. Cancer Inst. 22, in the form for rates; variance of its logarithm:
    Greenland and Robins (1985), Estimation of a common effect parameter from sparse follow-up data,
    Biometrics 41, eq. 13.
    """
    from scipy.special import ndtri

    top, bottom, spread = _terms(yes, n, yes_reference, n_reference)
    ratio, low, high = (float(value) for value in _ratio(top, bottom, spread, float(ndtri((1 + confidence) / 2))))
    return ratio, low, high


def _terms(yes, n, yes_reference, n_reference):
    """Sums over strata: of the numerator, the denominator, and the variance's own numerator."""
    a, n1, b, n0 = (np.asarray(x, float) for x in (yes, n, yes_reference, n_reference))
    both = (n1 > 0) & (n0 > 0)
    a, n1, b, n0 = a[both], n1[both], b[both], n0[both]
    whole = n1 + n0
    return (a * n0 / whole).sum(), (b * n1 / whole).sum(), ((n1 * n0 * (a + b) - a * b * whole) / whole**2).sum()


def _ratio(top, bottom, spread, z):
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = top / bottom
        se = np.sqrt(np.maximum(spread, 0) / (top * bottom))
        known = (top > 0) & (bottom > 0)
        return tuple(np.where(known, ratio * np.exp(sign * z * se), np.nan) for sign in (0, -1, 1))


def digits_to_tell(yes, n, yes_reference, n_reference, *, confidence: float = 0.95) -> int | None:
    """Decimals of ratio and interval from which no unit's own counts can be worked out; None where there are none.

    Whoever knows how many of each group are in each unit, and how many of a unit have the outcome, is left with one
    unknown a unit; a ratio with all its digits would give them all away. Decimals are safe when every unit could
    have one person of the group more (or fewer) with the outcome and another unit one fewer (more), and not one
    shown figure would differ.
    """
    from scipy.special import ndtri

    a, n1, b, n0 = (np.asarray(x, float) for x in (yes, n, yes_reference, n_reference))
    both = (n1 > 0) & (n0 > 0)
    a, n1, b, n0 = a[both], n1[both], b[both], n0[both]
    whole = n1 + n0
    up, down = (a < n1) & (b > 0), (a > 0) & (b < n0)  # where one person of the group more, or fewer, is possible
    unknown = up | down
    if not unknown.any():
        return None
    z = float(ndtri((1 + confidence) / 2))
    top, bottom, spread = _terms(a, n1, b, n0)
    more, fewer = -((a + 1) * (b - 1) - a * b) / whole, -((a - 1) * (b + 1) - a * b) / whole
    gain = n0 / whole  # of the numerator by one person more; the denominator loses n1 / whole
    shown = _ratio(top, bottom, spread, z)
    everyone = np.arange(len(a))

    def same(one_more: np.ndarray, one_fewer: np.ndarray, digits: int) -> np.ndarray:
        """Whether nothing that is shown tells the swap from the truth: (units with one more, units with one fewer)."""
        shift = gain[one_more, None] - gain[None, one_fewer]
        swapped = _ratio(top + shift, bottom + shift, spread + more[one_more, None] + fewer[None, one_fewer], z)
        alike = np.logical_and.outer(up[one_more], down[one_fewer]) & (one_more[:, None] != one_fewer)
        for now, then in zip(shown, swapped, strict=True):
            alike &= np.round(then, digits) == np.round(now, digits)
        return alike

    def safe(digits: int) -> bool:
        """Whether every unit has such a swap; some units at a time, for most find one that many share."""
        hidden = ~unknown
        while (left := np.flatnonzero(~hidden)[:UNITS]).size:
            more_here, fewer_here = same(left, everyone, digits), same(everyone, left, digits)
            hidden |= more_here.any(axis=0) | fewer_here.any(axis=1)
            hidden[left] |= more_here.any(axis=1) | fewer_here.any(axis=0)
            if not hidden[left].all():
                return False
        return True

    return next((digits for digits in DIGITS if safe(digits)), None)
