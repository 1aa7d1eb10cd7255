"""The catalogue of sentences: what the code, the templates and the notebooks say, and what each is in Chinese.

``./run python tests/catalogue.py`` takes in what is new and compiles what is translated; other .po files named behind
it have their translations taken in. With ``--check`` it changes nothing, and fails where something is missing or out of
date.
"""

import argparse
import ast
import io
import json
import re
import string
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from itertools import chain, product
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from perfmodel.language import LOCALE, TOLD
from perfmodel.runner.translate import blocks

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, NOTEBOOKS = ROOT / "perfmodel", ROOT / "notebooks"
PO = LOCALE / "zh" / "LC_MESSAGES" / "perfmodel.po"
HEADER = [
    ("Language", "zh"),
    ("MIME-Version", "1.0"),
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Transfer-Encoding", "8bit"),
    ("Plural-Forms", "nplurals=1; plural=0;"),
]
KEYWORDS = {"say": None, "say_n": (1, 2)}

# Modules whose sentences are said by say() where they are written, or are no sentences of the report.
SAID = ("language.py", "plots/", "report/", "runner/bench", "runner/translate.py", "recipes/")
# Modules whose other texts are data, names of columns or lists of words: only what they raise or tell is told.
RAISED = ("simulate/", "session/", "examples.py", "tables.py", "studies/", "cli/", "runner/record.py")
# Dictionaries and texts that are turned when they are shown, by module and name.
LABELS = (
    ("perfmodel.report.words", "LABELS"),
    ("perfmodel.report.words", "FLAGS"),
    ("perfmodel.report.words", "REASON_CODES"),
    ("perfmodel.report.index", "ABOUT"),
    ("perfmodel.report.index", "WARNINGS"),
    ("perfmodel.report.words", "MONTHS"),
    ("perfmodel.report.page", "CHIPS"),
    ("perfmodel.report.fairness", "SHOWN"),
    ("perfmodel.report.feedback", "QUESTIONS"),
    ("perfmodel.plots.grades", "SCORES"),
    ("perfmodel.plots.general", "RECOVERY"),
    ("perfmodel.plots.health", "CLUSTERS"),
    ("perfmodel.report.year", "METHOD_NAMES"),
)
# Words and frames of methods that no rule below recognises as prose: verdicts, states, and how pieces are joined.
WORDS = """
more; less; hierarchical; flat
severe; lenient; severer; rating; result; severity; none; late; excluded; scored; final; kpi; gate; error; warning
maximum; minimum; one; two; three; four; five; six; weights; actual; target; employee; team; rater; halo; residual
discrimination; drift; semicolons; tabs; bars; manager; peer; self; skip; dotted; second; vignette
direct superior; superior's superior; functional superior; second rater; measure; unit; target rule; source; period
raw; adjusted; proposed; decided; company; a result late; no score
no shared rater or ratee
no rating that tells anything of severity; all ratings that could tell are equal; no rating here tells of severity
raw to adjusted; raw to proposed; raw to decided; adjusted to proposed; adjusted to decided; proposed to decided
holds; unclear; same; apart; free; better; worse; met; unmet; people; raters; superiors; units; decisions; grades
nothing
reference; promotion slate; improvement plan
in force; chosen; centre; baseline; least; median; most; discriminating; reliable; used; within
between; difference; nested; linked; shocks; Krippendorff's alpha
plan; data; frozen; appeal; category; domain; upheld; changed; sent back; withdrawn; empty
questioned; flagged; proposer; authoriser; propose; authorise
decision; decisions; vote; votes; list; lists; higher; lower; more; less; hierarchical; flat
"""
FRAMES = (
    "{0} ({1})",
    "{0}: {1}",
    "{0}: error: {1} [{2}]",
    "{0}: warning: {1} [{2}]",
    "discrimination: {0}",
    "halo: {0}",
    "team: {0}",
    "rater: {0}",
    "KPI {0}",
    "pooled: {0}",
    "{0} (profile {1})",
    "{0} in {1} stands twice in {2}; keep one row.",
    "{0} in {1} stands twice in the {2}; only one grade can hold.",
    "- {0} [{1}]",
    "{0} cannot be made final yet; nothing was recorded.",
    "{0} cannot be relied on, so nothing was recorded.",
    "The corrected figures would be refused as input, so nothing was replayed.",
    "own results {0}",
    "own ratings {0}",
    "own results and ratings of one KPI {0}",
    "severity of raters {0}",
    "weights and rules {0}",
    "all else (bonus, deduction, posts, scorecards) {0}",
    "{0} (actual) {1}",
    "{0} (target) {1}",
    "{0} (target and actual) {1}",
    "{0} (rating) {1}",
    "{0} (rule or thresholds) {1}",
    "{0} (parts) {1}",
    "{0} person",
    "{0} people",
    "{0} seat",
    "{0} seats",
    "{0} month",
    "{0} months",
    "{0} quarter",
    "{0} quarters",
    "{0} graded quarter",
    "{0} graded quarters",
)

# Texts that look like sentences and are none: options, what a system says, names of a database's parts.
NOT_TOLD = {
    "rater_id == @self.rater and quarter == @self.since",
    "--set profile=", "Address already in use", "Address in use", "Python 3", "weights: {0}",
    '<li><a href="{}">{}</a>: {}</li>', "perfmodel run", "--acknowledge {0}",
    "at, cycle, kind, subject, author, payload, token", "key on seq", "key on {0}", "column {0}",
    r"(failed in its cell \w+: \w+): .*",
}  # fmt: skip
SQL = re.compile(r"(CREATE|SELECT|INSERT|BEGIN|SHOW|PRIMARY KEY|UNIQUE)\b")
PROSE = re.compile(r"(?<![\w{])[A-Za-z]*[a-z]{2,}(?![\w}])")
CHINESE = re.compile(r"[\u3400-\u9fff]")
HOLE = "\0"  # a placeholder while a pattern is put together
FIELD = re.compile(r"\{[a-z_]+(?::[^{}]*)?\}")  # one of str.format


# --- Sentences of methods ------------------------------------------------------------------------------------


def told_patterns(source: str, *, raised_only: bool = False) -> dict[str, int]:
    """Patterns of the finished sentences in ``source``, ``{0}``, ``{1}`` … for what varies, with their lines."""
    found: dict[str, int] = {}
    for node in _prose(ast.parse(source), raised_only):
        for text in _forms(node) or ():
            for pattern in _patterns(text):
                found.setdefault(pattern, node.lineno)
    return found


def _prose(tree: ast.AST, raised_only: bool) -> Iterator[ast.expr]:
    """Outermost string expressions that may be sentences, those inside placeholders of others after them."""
    match tree:
        case ast.Raise() | ast.Call(func=ast.Name(id="tell" | "told")):
            raised_only = False
    for child in _read(tree):
        forms = _forms(child) if isinstance(child, ast.expr) else None
        if forms and not raised_only:
            yield child
            for inner in _holes(child):
                yield from _prose(ast.Expr(inner), raised_only)
        else:
            yield from _prose(child, raised_only)


def _read(node: ast.AST) -> Iterator[ast.AST]:
    """Children of ``node`` that may hold sentences: no docstring, annotation, comparison, index or help text."""
    skipped: tuple[ast.AST | None, ...] = ()
    match node:
        case ast.Expr(value=ast.Constant()):
            return
        case ast.FunctionDef(name="__repr__") | ast.Compare() | ast.Assert():
            return
        case ast.FunctionDef(returns=returns, args=arguments):
            skipped = (returns, arguments)
        case ast.AnnAssign(annotation=annotation):
            skipped = (annotation,)
        case ast.Subscript(slice=at):
            skipped = (at,)
        case ast.Raise(exc=ast.Call(func=ast.Name(id="AssertionError" | "AttributeError"))):
            return
        case ast.Call(func=ast.Attribute(attr="split" | "compile" | "filterwarnings" | "groupby")):
            return
        case ast.Call(func=ast.Attribute(attr="add_argument" | "add_parser" | "add_subparsers" | "startswith")):
            return
        case ast.Call(func=ast.Attribute(attr="ArgumentParser") | ast.Name(id="say" | "say_n")):
            return
    for child in ast.iter_child_nodes(node):
        if not any(child is one for one in skipped):
            yield child


def _forms(node: ast.expr) -> list[str] | None:
    """What a string expression can read, every branch of a condition inside it by itself; None if it is no string."""
    match node:
        case ast.Constant(value=str(text)):
            return [FIELD.sub(HOLE, text).replace("{", "{{").replace("}", "}}")]
        case ast.JoinedStr(values=values):
            parts = [_forms(part) or [HOLE] for part in values]
            return ["".join(chosen) for chosen in product(*parts)]
        case ast.FormattedValue(value=ast.IfExp() as choice, format_spec=None):
            return _branches(choice) or [HOLE]
        case ast.FormattedValue():
            return [HOLE]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = _forms(left), _forms(right)
            if one is None and other is None:
                return None
            return ["".join(chosen) for chosen in product(one or [HOLE], other or [HOLE])]
    return None


def _branches(choice: ast.IfExp) -> list[str] | None:
    parts = [_branches(part) if isinstance(part, ast.IfExp) else _forms(part) for part in (choice.body, choice.orelse)]
    return None if None in parts else list(chain.from_iterable(part for part in parts if part))


def _holes(node: ast.expr) -> Iterator[ast.expr]:
    """Expressions in the placeholders of a string expression, branches that are part of its forms left out."""
    match node:
        case ast.JoinedStr(values=values):
            for part in values:
                if isinstance(part, ast.FormattedValue) and _forms(part) == [HOLE]:
                    yield part.value
                elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.IfExp):
                    for branch in (part.value.body, part.value.orelse):
                        yield from _holes(branch)
        case ast.BinOp(left=left, right=right):
            for part in (left, right):
                if _forms(part) is None:
                    yield part
                else:
                    yield from _holes(part)


def _patterns(text: str) -> Iterator[str]:
    """Sentences of one text as they are told: without joints at its ends, neighbouring placeholders as one."""
    if CHINESE.search(text) or SQL.match(text) or ("_" in text and not re.search(r"[.;:]", text)):
        return
    text = re.sub(f"{HOLE}+", HOLE, text)
    ends = [m for m in re.finditer(rf"(?<=[.?]){HOLE}(?: |$)", text) if " " in text[: m.start()]]
    starts = [0, *(m.end() for m in ends)]
    for part in (text[a:b] for a, b in zip(starts, [*(m.start() for m in ends), len(text)], strict=True)):
        part = re.sub(rf"^(?:{HOLE}?; | )+|(?:;| )+$", "", part)
        part = HOLE + part if part.startswith(": ") else part
        words = part.replace(HOLE, "{}")
        if not PROSE.search(words) or (" " not in words.strip() and HOLE not in words):
            continue
        first, *others = part.split(HOLE)
        numbered = first + "".join(f"{{{i}}}{piece}" for i, piece in enumerate(others))
        pattern = numbered if others else numbered.replace("{{", "{").replace("}}", "}")
        if pattern not in NOT_TOLD:
            yield pattern


# --- Notebooks -----------------------------------------------------------------------------------------------


def notebook_texts(path: Path) -> Iterator[str]:
    """Blocks of a notebook's Markdown, and the literals that its cells hand to a report or a plot."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield from (block for block in blocks(source) if block)
        elif cell["cell_type"] == "code":
            yield from _literals(ast.parse(source))


def _literals(tree: ast.AST) -> Iterator[str]:
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        match call.func:
            case ast.Attribute(value=ast.Name(id="report"), attr=name) if name[0].isupper():
                shown = chain(call.args, (k.value for k in call.keywords if k.arg in ("title", "caption")))
                labels = (k.value for k in call.keywords if k.arg == "labels" and isinstance(k.value, ast.Dict))
                for value in chain(shown, *(one.values for one in labels if isinstance(one, ast.Dict))):
                    yield from _shown(value)
            case ast.Attribute(value=ast.Name(id="plots")):
                for keyword in call.keywords:
                    if keyword.arg in ("xlabel", "ylabel", "title", "label"):
                        yield from _shown(keyword.value)


def _shown(value: ast.expr) -> Iterator[str]:
    match value:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _shown(one)
            yield from _shown(other)
        case ast.BoolOp(values=values):
            for part in values:
                yield from _shown(part)


# --- The catalogue -------------------------------------------------------------------------------------------


def extracted() -> Catalog:
    """Everything that is said, as a catalogue without translations."""
    catalog = Catalog(project="perfmodel", charset="utf-8")
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith("runner/bench"):  # what it prints is for its makers
            _take_said(catalog, "python", path, path.read_bytes())
        if not name.startswith(SAID):
            found = told_patterns(path.read_text(encoding="utf-8"), raised_only=name.startswith(RAISED))
            for pattern, line in found.items():
                _add(catalog, pattern, path, line, TOLD)
    for path in sorted(PACKAGE.rglob("*.j2")):
        _take_said(catalog, "jinja2.ext:babel_extract", path, path.read_bytes())
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        for text in notebook_texts(path):
            _add(catalog, text, path)
        _take_said(catalog, "python", path, code.encode())
    for module, name in LABELS:
        for text in _texts(getattr(import_module(module), name)):
            _add(catalog, text, PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py"))
    for text in chain(FRAMES, (word for word in re.split(r"\s*[;\n]\s*", WORDS) if word)):
        _add(catalog, text, Path(__file__), context=TOLD)
    return catalog


def _take_said(catalog: Catalog, method: str, path: Path, content: bytes) -> None:
    found = extract(method, io.BytesIO(content), KEYWORDS, options={"encoding": "utf-8"})
    for line, message, _, context in found:
        if message and message != ("", ""):
            _add(catalog, message, path, line, context)


def _add(catalog: Catalog, text, path: Path, line: int = 0, context: str | None = None) -> None:
    del line  # lines move with every change: the file alone keeps the catalogue's history readable
    message = catalog.add(text, locations=[(path.relative_to(ROOT).as_posix(), None)], context=context)
    message.locations = sorted(set(message.locations))
    message.flags.clear()  # per cent signs are per cent signs


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, Iterable):
        for one in value:
            yield from _texts(one)


def read(path: Path = PO) -> Catalog:
    """The catalogue in ``path``; an empty one where there is none."""
    if not path.exists():
        return Catalog(locale="zh")
    with path.open("rb") as file:
        return read_po(file, locale="zh")


def merged(current: Catalog, others: Iterable[Catalog] = ()) -> Catalog:
    """What is said now with the translations of ``current``, and of ``others`` where it has none."""
    result = Catalog(locale="zh", project="perfmodel", fuzzy=False, charset="utf-8")
    sources = [current, *others]
    for message in extracted():
        if message.id:
            known = (source.get(_id(message), message.context) for source in sources)
            said = next((one.string for one in known if one and _filled(one)), message.string)
            new = result.add(message.id, said, message.locations, context=message.context)
            new.flags.clear()
    return result


def _id(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _filled(message: Message) -> bool:
    texts = (message.string,) if isinstance(message.string, str) else message.string
    return bool(texts) and all(texts)


def faults(catalog: Catalog) -> list[str]:
    """What is wrong with a catalogue's translations, one line each."""
    found = []
    for message in catalog:
        if not message.id:
            continue
        name = f"{message.context or ''} {_id(message)!r}".strip()
        if not _filled(message):
            found.append(f"not translated: {name}")
            continue
        if message.fuzzy:
            found.append(f"fuzzy: {name}")
        ids = (message.id,) if isinstance(message.id, str) else message.id
        texts = (message.string,) if isinstance(message.string, str) else message.string
        wanted = set(chain.from_iterable(map(places, ids)))
        found += [f"other placeholders in {text!r}: {name}" for text in texts if places(text) != wanted]
    return found


def places(text: str) -> set[str]:
    """Names of the placeholders of ``text``; a text without any is never formatted, and may hold single braces."""
    if not re.search(r"\{\w+(:\w+)?\}", text):
        return set()
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


class Plain(Catalog):
    """A catalogue whose header names no date and no program, so that the same entries are the same bytes."""

    mime_headers = HEADER


def po_bytes(catalog: Catalog) -> bytes:
    """The catalogue as a file of text: entries by their ids, files without lines."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=120, sort_output=True, omit_header=True, include_lineno=False)
    head = "".join(f'"{name}: {value}\\n"\n' for name, value in HEADER)
    return f'msgid ""\nmsgstr ""\n{head}\n'.encode() + buffer.getvalue()


def mo_bytes(catalog: Catalog) -> bytes:
    """The catalogue as gettext reads it."""
    compiled, buffer = Plain(locale="zh"), io.BytesIO()
    for message in catalog:
        if message.id and _filled(message):
            compiled.add(message.id, message.string, context=message.context)
    write_mo(buffer, compiled)
    return buffer.getvalue()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Keep the catalogue of sentences.", allow_abbrev=False)
    parser.add_argument("other", nargs="*", type=Path, help="further .po files whose translations are taken in")
    parser.add_argument("--check", action="store_true", help="change nothing; fail where something is missing")
    arguments = parser.parse_args(argv)
    catalog = merged(read(), map(read, arguments.other))
    wrong = faults(catalog)
    mo = PO.with_suffix(".mo")
    if arguments.check:
        for path, content in ((PO, po_bytes(catalog)), (mo, mo_bytes(catalog))):
            if not path.exists() or path.read_bytes() != content:
                wrong.append(f"out of date: {path.relative_to(ROOT)}; run python tests/catalogue.py")
    else:
        PO.parent.mkdir(parents=True, exist_ok=True)
        PO.write_bytes(po_bytes(catalog))
        mo.write_bytes(mo_bytes(catalog))
    for line in wrong:
        print(line)
    print(f"{len(catalog)} entries, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
