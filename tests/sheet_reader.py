"""An explanation sheet read as a person reads it: its words and numbers alone, whatever the language."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np

NUMBER = r"[−-]?\d[\d\u2009]*(?:\.\d+)?"
BECOMES = re.compile(r"(\d\.\d+)\D+?(−?\d\.\d{4})\D+?(\d+\.\d{2})(?!\d)")
MOST = re.compile(rf"A shift may be ({NUMBER}) points at most|调整幅度(?:至多|最多) ({NUMBER}) 分")
CUT = re.compile(r"\b([A-Z])(?: from | 自 | )(\d+)(?: 起)?(?=[,，、 ])")


def number(text: str) -> float:
    return float(text.replace("\u2009", "").replace("−", "-").replace("+", ""))


def numbers(text: str) -> list[float]:
    return [number(found) for found in re.findall(NUMBER, text)]


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.rows, self.steps, self.pairs, self.paragraphs = [], [], [], []
        self.lang = self.title = ""
        self._into, self._svg = [], 0

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        if tag == "svg":
            self._svg += 1
        elif tag == "html":
            self.lang = known["lang"]
        elif tag == "tr":
            self.rows.append((known.get("class", ""), []))
        elif tag in ("td", "th"):
            self._open(self.rows[-1][1])
        elif tag == "li":
            self._open(self.steps)
        elif tag in ("dt", "dd"):
            self._open(self.pairs)
        elif tag in ("p", "h1"):
            self._open(self.paragraphs)
        elif tag == "br" and self._into:
            self.handle_data("\n")

    def _open(self, where):
        where.append("")
        self._into.append(where)

    def handle_endtag(self, tag):
        if tag == "svg":
            self._svg -= 1
        elif tag in ("td", "th", "li", "dt", "dd", "p", "h1") and self._into:
            self._into.pop()

    def handle_data(self, data):
        if self._into and not self._svg:
            self._into[-1][-1] += data


@dataclass
class Card:
    """A scorecard: items as (target cells or rule, actual, points, weight, gives, detail)."""

    days: int = 0
    items: list = field(default_factory=list)
    away: list = field(default_factory=list)
    points: dict = field(default_factory=dict)


class Sheet:
    """What a sheet prints, and the result computed anew from it."""

    def __init__(self, html: str):
        page = _Page()
        page.feed(html)
        self.lang, self.html = page.lang, html
        self.title, self.who, self.headline = page.paragraphs[:3]
        self.text = "\n".join([*page.paragraphs, *page.steps, *page.pairs])
        self.steps = page.steps
        self.pairs = list(zip(page.pairs[::2], page.pairs[1::2], strict=True))
        self.cards, self.extra, self.printed_raw = [], 0.0, None
        if page.rows:
            self._read(page)

    def _read(self, page):
        lead = numbers(page.paragraphs[3])
        heads = [numbers(cell) for cell in page.rows[0][1][1:4]]
        self.levels = [head[0] for head in heads if head]
        if self.levels:
            assert lead[:3] == self.levels
            self.floor, self.cap, *lead = lead[3:]
        half = len(lead[: lead.index(100.0, 5) if 100.0 in lead[5:] else 0]) // 2 + 1 if lead else 0
        self.rubric = (lead[:half], lead[half : 2 * half]) if half else ([], [])
        for kind, cells in page.rows[1:]:
            if kind == "card":
                days = int(numbers(cells[0])[-1])
                self.cards.append(Card(days))
            elif kind == "extra":
                self.extra += number(cells[2])
            elif kind == "sum":
                self.printed_raw = number(cells[2])
                self.last_sum = cells[0]
            elif kind == "cat":
                if not self.cards:
                    self.cards.append(Card())
            elif len(cells) == 8:
                self.cards[-1].items.append(("line", *cells))
            elif len(cells) == 6:
                self.cards[-1].items.append(("how", *cells))
            else:
                self.cards[-1].away.append(cells)

    def points_of(self, item) -> float:
        """Points of an item from its figures, by the rule that the row states."""
        if item[0] == "line":
            name, low, middle, high, actual = item[1:6]
            value, ends = number(actual), [number(cell) for cell in (low, middle, high)]
            if "×" in name:
                parts = re.findall(rf"({NUMBER}) × ({NUMBER})", name)
                value = 100 * sum(number(w) * number(d) for w, d in parts) / sum(number(w) for w, _ in parts)
            first, second, third = self.levels
            side = 0 if (value < ends[1]) == (ends[0] < ends[1]) and value != ends[1] else 2
            slope = (self.levels[side] - second) / (ends[side] - ends[1])
            assert first <= second <= third
            return float(np.clip(second + slope * (value - ends[1]), self.floor, self.cap))
        _, _name, how, actual, *_ = item
        if not numbers(how):
            return float(np.interp(number(actual), *self.rubric))
        return by_formula(how, number(actual))

    def score(self) -> float:
        """The score before adjustment, from targets, actuals, weights and days alone."""
        sums = []
        for card in self.cards:
            total = 0.0
            for item in card.items:
                points, weight = self.points_of(item), number(item[-2])
                shown, gives = number(item[-3]), number(item[-1])
                assert abs(points - shown) <= 0.005 + 1e-9, item
                assert abs(points * weight / 100 - gives) <= 0.0006, item
                total += points * weight / 100
            sums.append(total)
        days = [card.days for card in self.cards]
        if len(sums) == 1:
            return sums[0] + self.extra
        return sum(s * d for s, d in zip(sums, days, strict=True)) / sum(days) + self.extra

    def shift(self) -> float:
        """What giving back the standard of whoever rated adds, held where the sheet says."""
        told = [step for step in self.steps if BECOMES.search(step)]
        if not told:
            return 0.0
        changes = []
        for card, step in zip([card for card in self.cards if rated(card)], told, strict=True):
            becomes = {number(before): number(after) for before, after, _ in BECOMES.findall(step)}
            for before, after, points in BECOMES.findall(step):
                assert abs(np.interp(number(after), *self.rubric) - number(points)) < 0.006, before
            changes.append(
                (card.days or 1, sum(
                    (np.interp(becomes[number(item[3])], *self.rubric) - np.interp(number(item[3]), *self.rubric))
                    * number(item[-2]) / 100 for item in rated(card)))
            )  # fmt: skip
        whole = sum(days for days, _ in changes)
        wanted = sum(days * change for days, change in changes) / whole
        (most,) = {number(a or b) for step in self.steps for a, b in MOST.findall(step)}
        return float(np.clip(wanted, -most, most))

    def cuts(self) -> dict[str, float]:
        (step,) = [step for step in self.steps if len(CUT.findall(step)) >= 3]
        return {grade: float(cut) for grade, cut in CUT.findall(step)}

    def value(self, *names: str) -> str:
        """The text beside a name of the decision."""
        return next((value for name, value in self.pairs if name in names), "")


def rated(card: Card) -> list:
    return [item for item in card.items if item[0] == "how" and not numbers(item[2])]


def by_formula(how: str, actual: float) -> float:
    """A rule in words, in English."""
    values = numbers(how.replace("(2 −", "(").replace("%:", "% "))
    if "less" in how:
        points, each, floor, cap = values
        return float(np.clip(points - each * actual, floor, cap))
    if "is reached" in how:
        points, target, floor = values
        return points if actual >= target else floor
    target = values[0]
    if "a share" in how:
        share = 100 * (2 - actual / target if "2 −" in how else actual / target)
        *steps, floor = values[1:]
        reached = [worth for least, worth in zip(steps[::2], steps[1::2], strict=True) if share >= least - 1e-9]
        return reached[-1] if reached else floor
    points, floor, cap = values[1:]
    share = 2 - actual / target if "(2 −" in how else target / actual if "target ÷ actual" in how else actual / target
    return float(np.clip(points * share, floor, cap))
