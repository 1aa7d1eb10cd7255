"""From the text of ``scheme.yaml`` to a ``Scheme``, every error with its line and what to write instead.

YAML is read only as far as its nodes: whether ``no`` is a word or a switch and ``1_000`` a number is
decided here, by what the scheme expects in that place, never by YAML's own guess.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import date
from types import MappingProxyType
from typing import Any

import yaml

from ..errors import Finding, SchemeError
from ..space import LAWS
from .objects import (
    Attribute,
    Category,
    Gate,
    Grade,
    Guideline,
    Item,
    Kpi,
    Limits,
    Profile,
    Role,
    Scheme,
    Severity,
    Text,
    unique_items,
)
from .outcomes import Outcomes, Pay

# libyaml where the wheel brings it: ten times faster, the same nodes.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
MISSING: Any = object()


class Place:
    """A node of the file: reads its value as what is asked for, or notes a finding at its line."""

    def __init__(self, node: yaml.Node, path: str, file: str, findings: list[Finding]):
        self.node, self.path, self.file, self.findings = node, path, file, findings
        self._entries: dict[str, Place] = {}
        self._read: set[str] = set()
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                name = str(key.value)
                here = Place(value, f"{path}.{name}" if path else name, file, findings)
                if name in self._entries:
                    Place(key, here.path, file, findings).wrong(
                        "scheme-duplicate", f"{here.path} is written twice; remove one of the two."
                    )
                self._entries[name] = here

    def wrong(self, code: str, message: str, level: str = "error") -> None:
        mark = self.node.start_mark
        self.findings.append(Finding(self.file, mark.line + 1, mark.column + 1, level, code, message))

    def _scalar(self) -> str | None:
        return self.node.value if isinstance(self.node, yaml.ScalarNode) else None

    def text(self) -> str:
        value = self._scalar()
        if value is None:
            self.wrong("scheme-type", f"{self.path} must be a word or a sentence, not a list or a block.")
            return ""
        return value.strip()

    def identifier(self) -> str:
        value = self.text()
        if not IDENTIFIER.fullmatch(value):
            self.wrong(
                "scheme-id",
                f"{self.path}: {value!r} cannot be an id; use letters, digits and _, a letter first.",
            )
        return value

    def number(self) -> float:
        value = self._scalar()
        plain = (value or "").strip().removesuffix("%").strip()
        if not NUMBER.fullmatch(plain):
            found = repr(value) if value is not None else "a list or a block"
            self.wrong("scheme-number", f"{self.path}: {found} is not a plain number; write for example 40 or 0.5.")
            return 0.0
        return float(plain)

    def whole(self) -> int:
        value = self.number()
        if value != int(value):
            self.wrong("scheme-number", f"{self.path}: {value:g} must be a whole number.")
        return int(value)

    def yes(self) -> bool:
        value = self.text().lower()
        if value not in ("yes", "no", "true", "false"):
            self.wrong("scheme-type", f"{self.path}: {value!r} must be yes or no.")
        return value in ("yes", "true")

    def day(self) -> date:
        try:
            return date.fromisoformat(self.text())
        except ValueError:
            self.wrong("scheme-date", f"{self.path}: {self.text()!r} is not a date; write it as 2026-07-01.")
            return date(1, 1, 1)

    def choice(self, *allowed: str) -> str:
        value = self.text()
        if value not in allowed:
            near = difflib.get_close_matches(value, allowed, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.wrong("scheme-choice", f"{self.path}: {value!r} must be one of {', '.join(allowed)}{hint}")
            return allowed[0]
        return value

    def name(self) -> Text:
        """``{en: …, zh: …}``, or one word for both."""
        if self._scalar() is not None:
            return Text(self.text())
        text = Text(self.take("en", Place.text, ""), self.take("zh", Place.text, ""))
        if not text.en:
            self.wrong("scheme-missing", f"{self.path} needs an English name: en: …")
        self.close()
        return text

    def pair(self) -> tuple[float, float]:
        numbers = [place.number() for place in self.items()]
        if len(numbers) != 2:
            self.wrong("scheme-range", f"{self.path} must be two numbers, lowest and highest, such as [40, 60].")
            return (0.0, 100.0)
        return (numbers[0], numbers[1])

    def pairs(self) -> tuple[tuple[float, float], ...]:
        return tuple(place.pair() for place in self.items())

    def items(self) -> "list[Place]":
        if not isinstance(self.node, yaml.SequenceNode):
            self.wrong("scheme-type", f"{self.path} must be a list.")
            return []
        return [Place(node, f"{self.path}[{i}]", self.file, self.findings) for i, node in enumerate(self.node.value, 1)]

    def entries(self) -> "Iterator[tuple[str, Place]]":
        if not isinstance(self.node, yaml.MappingNode):
            self.wrong("scheme-type", f"{self.path} must be a block of names and values.")
        self._read.update(self._entries)
        yield from self._entries.items()

    def take(self, key: str, read: Callable, default: Any = MISSING) -> Any:
        """The value of ``key`` read by ``read``; without a default its absence is a finding."""
        self._read.add(key)
        if key in self._entries:
            return read(self._entries[key])
        if default is MISSING:
            self.wrong("scheme-missing", f"{self.path or 'the scheme'} lacks {key}; add a line {key}: …")
            return read(Place(yaml.ScalarNode("", "", self.node.start_mark), f"{self.path}.{key}", self.file, []))
        return default

    def broken(self) -> bool:
        """Whether something inside was refused: what is built from a stand-in would only complain again."""
        start, end = ((m.line + 1, m.column + 1) for m in (self.node.start_mark, self.node.end_mark))
        return any(f.level == "error" and start <= (f.line, f.column) < end for f in self.findings)

    def close(self) -> None:
        """What was not read is unknown: a misspelt limit would otherwise silently keep its default."""
        for key, place in self._entries.items():
            if key not in self._read:
                near = difflib.get_close_matches(key, self._read, 1)
                hint = f" Did you mean {near[0]}?" if near else f" Known here: {', '.join(sorted(self._read))}."
                place.wrong("scheme-unknown", f"{place.path} is not known.{hint}")

    @contextmanager
    def located(self) -> Iterator[None]:
        """Turns what an object refuses about itself into a finding at this place."""
        try:
            yield
        except SchemeError as refusal:
            self._entries.get(refusal.at, self).wrong("scheme-invalid", str(refusal))


def read_scheme(text: str, file: str = "scheme.yaml") -> tuple[Scheme, list[Finding]]:
    """The scheme in ``text``, and what is worth a warning (KPIs that are not SMART, an anchor that also scores).

    Raises
    ------
    SchemeError
        With every finding, each naming its line and column in ``file``.
    """
    findings: list[Finding] = []
    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as broken:
        mark = getattr(broken, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problem = getattr(broken, "problem", None) or "characters that YAML does not allow"
        finding = Finding(file, line, column, "error", "scheme-yaml", f"This is not YAML: {problem}.")
        raise SchemeError(str(finding), [finding]) from None
    if node is None or not isinstance(node, yaml.MappingNode):
        finding = Finding(
            file, 1, 1, "error", "scheme-empty", "The scheme is empty; start from the one that perfmodel sample writes."
        )
        raise SchemeError(str(finding), [finding])
    top = Place(node, "", file, findings)
    scheme = None
    with top.located():
        scheme = _scheme(top)
    if scheme is None or any(f.level == "error" for f in findings):
        findings = sorted(set(findings))
        raise SchemeError("\n".join(map(str, findings)), findings)
    return scheme, [*findings, *_not_smart(scheme, top), *_anchored(scheme, top)]


def _scheme(top: Place) -> Scheme | None:
    cycle = top.take("cycle", lambda p: p)
    scale = top.take("rating_scale", lambda p: p)
    rubric = top.take("rubric", Place.items)
    defaults = top.take("points", _numbers, MappingProxyType({}))
    categories = _list(top, "categories", lambda p: _category(p, defaults))
    with top.take("categories", lambda p: p).located():
        unique_items(categories)
    whole = not any(f.level == "error" for f in top.findings)
    values: dict[str, Any] = {
        "name": top.take("name", Place.name),
        "cycle": cycle.take("id", Place.text),
        "start": cycle.take("start", Place.day),
        "end": cycle.take("end", Place.day),
        "scale": (
            scale.take("least", Place.number),
            scale.take("most", Place.number),
            scale.take("step", Place.number),
        ),
        "rubric": tuple((p.take("rating", Place.number), p.take("points", Place.number)) for p in rubric),
        "levels": tuple((p.take("rating", Place.number), p.take("name", Place.name)) for p in rubric),
        "responsibilities": MappingProxyType(
            {key: p.name() for key, p in top.take("responsibilities", lambda p: p).entries()}
        ),
        "categories": categories,
        "grades": _list(top, "grades", _grade),
        "guideline": _list(top, "guideline", _guideline, ()),
        # Of a broken category every profile would complain again: the first finding is the one to mend.
        "profiles": _list(top, "profiles", lambda p: _profile(p, categories))
        if whole
        else top.take("profiles", lambda p: ()),
        "roles": _list(top, "roles", _role),
        "gates": _list(top, "gates", _gate, ()),
        "limits": top.take("limits", lambda p: _fill(p, Limits), None) or Limits(),
        "severity": top.take("severity", _severity, None) or Severity(),
        **_outcomes(top),
        "simulated": top.take("simulated", Place.yes, False),
        "weight_law": top.take("weight_law", lambda p: p.choice(*LAWS), LAWS[0]),
        "attributes": _list(top, "attributes", _attribute, ()),
        "weight_order": tuple(p.text() for p in top.take("weight_order", Place.items, ())),
    }
    for place in (cycle, scale, *rubric, top):
        place.close()
    return None if any(f.level == "error" for f in top.findings) else Scheme(**values)


def _list(place: Place, key: str, read: Callable, default: Any = MISSING) -> tuple:
    found = place.take(key, Place.items, default)
    return tuple(value for p in found if (value := read(p)) is not None)


def _numbers(place: Place) -> MappingProxyType:
    return MappingProxyType({key: p.number() for key, p in place.entries()})


def _made(place: Place, cls: type, **values) -> Any:
    """``cls(**values)``, or a finding here; a block with an error inside makes nothing."""
    place.close()
    if place.broken():
        return None
    with place.located():
        return cls(**values)
    return None


def _fill(place: Place, cls: type) -> Any:
    """A flat dataclass of numbers and words, each field optional, of its default's kind."""
    values = {}
    for f in fields(cls):
        kinds = {bool: Place.yes, int: Place.whole, float: Place.number, str: Place.text}
        read = kinds.get(type(f.default), Place.number)
        value = place.take(f.name, read, MISSING if f.default is MISSING else None)
        if value is not None:
            values[f.name] = value
    return _made(place, cls, **values)


def _severity(p: Place) -> Severity | None:
    return _made(
        p,
        Severity,
        link=p.take("link", Place.text, "none"),
        anchor=tuple(one.identifier() for one in p.take("anchor", Place.items, ())),
    )


def _grade(p: Place) -> Grade | None:
    return _made(
        p,
        Grade,
        id=p.take("id", Place.identifier),
        name=p.take("name", Place.name),
        least=p.take("least", Place.number),
        multiplier=p.take("multiplier", Place.number, 1.0),
    )


def _guideline(p: Place) -> Guideline | None:
    return _made(p, Guideline, band=p.take("band", Place.text), range=p.take("range", Place.pair))


def _role(p: Place) -> Role | None:
    return _made(
        p,
        Role,
        id=p.take("id", Place.identifier),
        name=p.take("name", Place.name),
        weight=p.take("weight", Place.number),
        required=p.take("required", Place.yes, False),
    )


def _gate(p: Place) -> Gate | None:
    return _made(
        p, Gate, code=p.take("code", Place.identifier), name=p.take("name", Place.name), cap=p.take("cap", Place.text)
    )


def _attribute(p: Place) -> Attribute | None:
    values = p.take("values", lambda q: {value: name.name() for value, name in q.entries()}, {})
    return _made(
        p,
        Attribute,
        id=p.take("id", Place.text),
        name=p.take("name", Place.name),
        values=MappingProxyType(values),
    )


def _item(p: Place, kpi_id: str, name: Text, defaults: MappingProxyType, share: float | None) -> Item | None:
    kind = p.take("kind", lambda q: q.choice("measured", "rated", "milestone"))
    rule = p.take("rule", Place.text, {"rated": "rubric", "milestone": "milestone"}.get(kind, MISSING))
    at = dict(p.take("at", _numbers, {}))
    if rule == "threshold_target_max":
        at = {"threshold": 0.8, "target": 1.0, "stretch": 1.1} | at
    if rule == "milestone":
        at = {"threshold": 0.6, "target": 0.8, "stretch": 0.95} | at
    return _made(
        p,
        Item,
        id=kpi_id if share is None else p.take("id", Place.identifier),
        name=name if share is None else p.take("name", Place.name),
        kind=kind,
        rule=rule,
        direction=p.take("direction", lambda q: q.choice("higher", "lower"), "higher"),
        share=100.0 if share is None else share,
        points=MappingProxyType({**defaults, **p.take("points", _numbers, {})}),
        at=MappingProxyType(at),
        steps=p.take("steps", Place.pairs, ()),
        unit=p.take("unit", Place.text, ""),
        adds=p.take("adds", Place.yes, None),
    )


def _kpi(p: Place, category: str, defaults: MappingProxyType) -> Kpi | None:
    kpi_id = p.take("id", Place.identifier)
    name = p.take("name", Place.name)
    values: dict[str, Any] = {
        "id": kpi_id,
        "name": name,
        "category": category,
        "responsibility": p.take("responsibility", Place.text),
        "weight": p.take("weight", Place.number),
        "range": p.take("range", Place.pair),
        "rater_sets_target": p.take("rater_sets_target", Place.yes, False),
    }
    values |= {key: p.take(key, Place.text, "") for key in ("measure", "unit", "target_rule", "source", "period")}
    parts = p.take("parts", Place.items, None)
    if parts is None:
        items: tuple[Item | None, ...] = (_item(p, kpi_id, name, defaults, None),)
    else:
        items = tuple(_item(part, kpi_id, name, defaults, part.take("share", Place.number)) for part in parts)
        p.take("direction", Place.text, None)
        p.take("kind", Place.text, None)
    return None if None in items else _made(p, Kpi, items=items, **values)


def _category(p: Place, defaults: MappingProxyType) -> Category | None:
    category_id = p.take("id", Place.identifier)
    places = p.take("kpis", Place.items)
    kpis = tuple(_kpi(k, category_id, defaults) for k in places)
    values = {
        "id": category_id,
        "name": p.take("name", Place.name),
        "weight": p.take("weight", Place.number),
        "range": p.take("range", Place.pair),
    }
    return None if None in kpis else _made(p, Category, kpis=kpis, **values)


def _profile(p: Place, categories: tuple[Category, ...]) -> Profile | None:
    own = p.take("weights", lambda q: q, None)
    own_kpis = p.take("kpis", lambda q: q, None)
    own_ranges = p.take("ranges", lambda q: q, None)
    own_kpi_ranges = p.take("kpi_ranges", lambda q: q, None)
    by_id = {c.id: c for c in categories}

    def chosen(place: Place | None, default: dict, read: Callable, of: str = "") -> dict:
        if place is None:
            return dict(default)
        for key, entry in place.entries():
            if key not in default:
                near = difflib.get_close_matches(key, default, 1)
                hint = f" Did you mean {near[0]}?" if near else f" Known: {', '.join(default)}."
                entry.wrong(
                    "scheme-unknown",
                    f"{entry.path}: there is no {f'KPI of category {of},' if of else 'category'} {key!r}.{hint}",
                )
        return {key: read(entry) for key, entry in place.entries() if key in default}

    weights = chosen(own, {c.id: c.weight for c in categories}, Place.number)
    ranges = {c: by_id[c].range for c in weights}
    ranges |= chosen(own_ranges, ranges, Place.pair)
    blocks = chosen(own_kpis, dict.fromkeys(weights), lambda q: q)
    range_blocks = chosen(own_kpi_ranges, dict.fromkeys(weights), lambda q: q)
    kpis, kpi_ranges = {}, {}
    for c in weights:
        default = {k.id: k.weight for k in by_id[c].kpis}
        kpis[c] = chosen(blocks.get(c), default, Place.number, c)
        inherited = {k.id: k.range for k in by_id[c].kpis if k.id in kpis[c]}
        kpi_ranges[c] = inherited | chosen(range_blocks.get(c), inherited, Place.pair, c)
    return _made(
        p,
        Profile,
        id=p.take("id", Place.identifier),
        name=p.take("name", Place.name),
        categories=MappingProxyType(weights),
        category_ranges=MappingProxyType(ranges),
        kpis=MappingProxyType({c: MappingProxyType(v) for c, v in kpis.items()}),
        kpi_ranges=MappingProxyType({c: MappingProxyType(v) for c, v in kpi_ranges.items()}),
    )


def _outcomes(top: Place) -> dict[str, Any]:
    place = top.take("outcomes", lambda p: p, None)
    if place is None:
        return {"pay": Pay(), "outcomes": Outcomes()}
    pay = place.take("pay", lambda p: _fill(p, Pay), None) or Pay()
    rules = {f.name: place.take(f.name, lambda p, cls=f.type: _fill(p, cls), None) for f in fields(Outcomes)}
    place.close()
    return {"pay": pay, "outcomes": Outcomes(**{name: rule for name, rule in rules.items() if rule is not None})}


def _anchored(scheme: Scheme, top: Place) -> list[Finding]:
    """An anchor that also scores counts twice: in its own points, and in what ratings are moved by."""
    if not scheme.severity.anchor:
        return []
    tables = [scheme.weights(profile.id).set_index("kpi")["weight"] for profile in scheme.profiles]
    most = {
        item.id: max(float(weights.get(kpi.id, 0.0)) * item.share / 100 for weights in tables)
        for kpi in scheme.kpis
        for item in kpi.items
    }
    counted = [item for item in scheme.severity.anchor if most[item] > 0]
    if not counted:
        return []
    named = ", ".join(f"{item} ({most[item]:g} %)" for item in counted)
    notes: list[Finding] = []
    place = top.take("severity", lambda p: p)
    place.findings = notes
    place.wrong(
        "anchor-scores",
        f"severity.anchor: {named} also {'counts' if len(counted) == 1 else 'count'} in the score. What a figure says "
        "of a team then works twice, in its own points and in what ratings are moved by; name a figure of no weight, "
        "or tell the committee.",
        level="warning",
    )
    return notes


def _not_smart(scheme: Scheme, top: Place) -> list[Finding]:
    lines = {
        kpi.take("id", Place.text): kpi
        for category in top.take("categories", Place.items)
        for kpi in category.take("kpis", Place.items)
    }
    notes: list[Finding] = []
    for kpi_id, lacks in scheme.not_smart().items():
        place = lines[kpi_id]
        place.findings = notes
        place.wrong(
            "not-smart",
            f"KPI {kpi_id} is not SMART: it does not say its {', '.join(name.replace('_', ' ') for name in lacks)}. "
            "People cannot work to a target that is not stated; add the missing lines.",
            level="warning",
        )
    return notes
