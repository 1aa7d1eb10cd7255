"""A person's score on the line of the grades: before and after, and the range that rating error alone gives."""

from collections.abc import Mapping

from markupsafe import Markup, escape

from ..language import say
from .theme import INK, INK2, RULE, letters, on_colour, ramp, sentences

WIDE, NARROW = (680, 20, 0.19), (350, 8, 0.30)  # width, margin, share of the line kept free beside the outer marks
LETTER = 6.1  # width of a letter of the page's text


def score_line(
    before: float,
    after: float,
    cuts: Mapping[str, float],
    *,
    low: float | None = None,
    high: float | None = None,
    level: float = 0.90,
) -> Markup:
    """Two drawings of one line, for a wide and a narrow page; the page's style shows the one that fits.

    Parameters
    ----------
    before, after : float
        The score as it came (hollow ring) and as proposed (filled); one dot where they are the same.
    cuts : mapping
        Lower bound of each grade, best first.
    low, high : float, optional
        The range that rating error gives at ``level``; nothing is drawn where it is not known.
    """
    said = [say("Cut lines {cuts}.", cuts=" ".join(f"{cut:g}" for cut in list(cuts.values())[-2::-1]))]
    if f"{before:.2f}" == f"{after:.2f}":
        said.insert(0, say("Score {score}.", score=f"{after:.2f}"))
    else:
        said.insert(0, say("Before {before}, after {after}.", before=f"{before:.2f}", after=f"{after:.2f}"))
    if low is not None and high is not None:
        span = {"level": f"{100 * level:.0f} %", "low": f"{low:.1f}", "high": f"{high:.1f}"}
        said.append(say("Rating error alone, {level}: {low} to {high}.", **span))
    label = sentences(said)
    return Markup("").join(
        _drawn(kind, shape, label, before, after, cuts, low, high, level)
        for kind, shape in (("wid", WIDE), ("nar", NARROW))
    )


def _drawn(kind, shape, label, before, after, cuts, low, high, level) -> Markup:
    width, margin, free = shape
    marks = [before, after] + ([low, high] if low is not None and high is not None else [])
    inner = list(cuts.values())[:-1]
    left, right = min(*marks, inner[-1]) - 1.5, max(*marks, inner[0]) + 1.5
    for _ in range(20):  # the marks keep their distance from both ends, where their words stand
        left = min(left, min(before, after) - free * (right - left))
        right = max(right, max(before, after) + free * (right - left))

    def at(score: float) -> float:
        return margin + (width - 2 * margin) * (score - left) / (right - left)

    parts = []
    colours, upper = ramp(cuts), right
    for grade, least in cuts.items():
        start, end = at(max(least, left)), at(min(upper, right))
        upper = least
        if end - start < 1:
            continue
        parts.append(
            f'<rect x="{start:.1f}" y="50" width="{end - start:.1f}" height="20" fill="{colours[grade]}" '
            'stroke="#fff"/>'
        )
        if end - start > 12:
            ink = on_colour(colours[grade])
            parts.append(
                f'<text x="{(start + end) / 2:.1f}" y="65" text-anchor="middle" class="b" '
                f'style="fill:{ink};font-size:13px">{escape(grade)}</text>'
            )
    for cut in inner:
        parts.append(f'<path d="M{at(cut):.1f} 70v6" stroke="{INK}"/>')
        parts.append(f'<text x="{at(cut):.1f}" y="90" text-anchor="middle">{cut:g}</text>')
    if low is not None and high is not None:
        x, y = at(low), at(high)
        parts.append(f'<path d="M{x:.1f} 40H{y:.1f}M{x:.1f} 36v8M{y:.1f} 36v8" stroke="{INK2}" stroke-width="2"/>')
        said = say("{level}, rating error: {low}–{high}", level=f"{100 * level:.0f} %", low=f"{low:.1f}",
                   high=f"{high:.1f}")  # fmt: skip
        x, y = min(x, at(before), at(after)) - 8, max(y, at(before), at(after)) + 8
        fits = y + LETTER * letters(said) < width
        place, anchor = (y, "start") if fits else (x, "end")
        if fits or x - LETTER * letters(said) > 0:
            parts.append(f'<text x="{place:.1f}" y="44" class="m" text-anchor="{anchor}">{escape(said)}</text>')
    same = f"{before:.2f}" == f"{after:.2f}"
    if not same:
        side = -1 if before < after else 1
        parts.append(_mark(at(before), side, say("before {score}"), before, "#fff"))
        parts.append(_mark(at(after), -side, say("after {score}"), after, INK))
    else:
        parts.append(_mark(at(after), 1, say("score {score}"), after, INK))
    return Markup(
        f'<svg class="{kind}" viewBox="0 0 {width} 96" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _mark(x: float, side: int, text: str, score: float, fill: str) -> str:
    """A ring or dot, its words to the left (-1) or right of it."""
    anchor = "start" if side > 0 else "end"
    said = escape(text).format(score=Markup('<tspan class="b">{}</tspan>').format(f"{score:.2f}"))
    return (
        f'<circle cx="{x:.1f}" cy="40" r="5.5" fill="{fill}" stroke="{INK}" stroke-width="2"/>'
        f'<text x="{x + 8 * side:.1f}" y="20" text-anchor="{anchor}">{said}</text>'
        f'<path d="M{x + 5 * side:.1f} 22L{x:.1f} 33" stroke="{RULE}"/>'
    )
