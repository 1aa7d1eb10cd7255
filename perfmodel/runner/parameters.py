"""What a notebook may be told, read from its ``parameters`` cell without starting a kernel.

papermill itself lets an unknown name or a text in place of a number through, and the notebook then
runs on its default: a report of something nobody asked for. So all is checked before a kernel starts.
"""

import ast
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..errors import PerfmodelError, RunError

RESERVED = {"cycle": "CYCLE", "seed": "--seed", "unit": "--unit", "lang": "--lang"}
WORDS = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "tuple": tuple, "dict": dict}
TRUTH = {"yes": True, "true": True, "no": False, "false": False}


class UsageError(PerfmodelError):
    """The command itself is wrong; nothing was read or computed."""

    exit_status = 2


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook: its default, and the types its value may have (empty: any literal)."""

    name: str
    default: Any
    types: tuple[type, ...]

    @property
    def kind(self) -> str:
        return " or ".join(t.__name__ for t in self.types) or "any literal"

    def parse(self, text: str) -> Any:
        """``text`` of the command line as a value of the parameter's type; text itself for a str."""
        value: Any = TRUTH.get(text.lower()) if bool in self.types else None
        if value is None:
            try:
                value = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                value = text
        if self.accepts(value):
            return float(value) if self.types == (float,) else value
        if str in self.types:
            return text
        raise UsageError(f"--set {self.name}={text}: {self.name} takes {self.kind} (by default {self.default!r}).")

    def accepts(self, value: Any) -> bool:
        if isinstance(value, bool):  # a bool is an int to Python, never to an analyst
            return not self.types or bool in self.types
        return not self.types or isinstance(value, self.types) or (float in self.types and isinstance(value, int))


@dataclass(frozen=True)
class Notebook:
    """A notebook before it runs: its file, its title, and what it may be told.

    ``all_quarters``: it reads every quarter beside the cycle, as its metadata say (``perfmodel: {"reads": "all
    quarters"}``). A run does such a notebook only when asked by name: a run is of one quarter, and what it reads is in
    its id.
    """

    path: Path
    title: str
    parameters: Mapping[str, Parameter]
    all_quarters: bool = False

    @property
    def name(self) -> str:
        return self.path.stem


def read_notebook(path: Path) -> Notebook:
    """The notebook in ``path``, its parameters taken from the literals of its tagged cell.

    Raises
    ------
    RunError
        If it cannot be read as a notebook, or a parameter is not a plain literal: papermill injects after
        that cell, so a value derived inside it would silently keep the default.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells, own = content["cells"], dict(content.get("metadata", {}).get("perfmodel", {}))
        texts = [(c["cell_type"], "".join(c["source"]), c.get("metadata", {}).get("tags", ())) for c in cells]
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{path.name} cannot be read as a notebook. Save it anew in JupyterLab.") from None
    prose = (line for kind, text, _ in texts if kind == "markdown" for line in text.splitlines())
    headings = (line[2:].strip() for line in prose if line.startswith("# "))
    source = next((text for kind, text, tags in texts if kind == "code" and "parameters" in tags), "")
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise RunError(f"{path.name}: line {error.lineno} of its parameters cell is not Python. Mend it.") from None
    found = (_parameter(statement, path.name) for statement in statements)
    return Notebook(
        path, next(headings, path.stem), {p.name: p for p in found if p}, own.get("reads") == "all quarters"
    )  # fmt: skip


def _parameter(statement: ast.stmt, notebook: str) -> Parameter | None:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value) if value is not None:
            written = [part.split("[")[0].strip() for part in ast.unparse(annotation).split("|")]
            types = tuple(WORDS[word] for word in written if word in WORDS)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            types = ()
        case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom():
            return None
        case _:
            raise RunError(
                f"{notebook}: its parameters cell, line {statement.lineno}, is not of the form name = literal. "
                "Only literals can be replaced from outside; move the rest to the next cell."
            )
    try:
        default = ast.literal_eval(value)
    except ValueError:
        raise RunError(
            f"{notebook}: its parameter {name} is computed, so a value from outside would not reach what follows "
            "from it. Write a literal, and compute in the next cell."
        ) from None
    return Parameter(name, default, types or (() if default is None else (type(default),)))


def parse_settings(settings: Iterable[str], notebooks: Iterable[Notebook]) -> dict[str, dict[str, Any]]:
    """``KEY=VALUE`` texts as values for each notebook that knows the key: {notebook: {key: value}}.

    Raises
    ------
    UsageError
        If a key is known to none of the notebooks, its value has the wrong type for one, or it is set twice.
    """
    notebooks = tuple(notebooks)
    known = sorted({n for book in notebooks for n in book.parameters} - RESERVED.keys())
    values: dict[str, dict[str, Any]] = {book.name: {} for book in notebooks}
    seen = set()
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: write it as KEY=VALUE.")
        if key in RESERVED:
            raise UsageError(f"--set {setting}: {key} is set by {RESERVED[key]}.")
        if key in seen:
            raise UsageError(f"--set {key} is given twice; give it once.")
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            there = ", ".join(known) or "none"
            raise UsageError(f"--set {setting}: no notebook has a parameter {key}.{hint} Known: {there}.")
        seen.add(key)
        for book in notebooks:
            if key in book.parameters:
                values[book.name][key] = book.parameters[key].parse(text)
    return values


def from_environment(text: str, option: str) -> str:
    """``text``, or what the environment holds where it is ``env:NAME``: secrets do not belong on a command line.

    Raises
    ------
    UsageError
        If there is nothing of that name.
    """
    if not text.startswith("env:"):
        return text
    name = text.removeprefix("env:")
    if not (held := os.environ.get(name, "").strip()):
        raise UsageError(f"{option} {text}: the environment holds nothing called {name}. Set it there.")
    return held


def find_notebooks(names: Iterable[str], folder: Path) -> tuple[Notebook, ...]:
    """The notebooks called ``names``; a path ending in .ipynb is one's own.

    Without names all of ``folder`` that are of one quarter: those that read every quarter are asked for by name.

    Raises
    ------
    UsageError
        If a name is unknown, or two files share one: their pages would overwrite each other.
    """
    shelf = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    chosen = []
    for name in names:
        stem = name.removesuffix(".ipynb")
        if stem in shelf:
            chosen.append(shelf[stem])
        elif name.endswith(".ipynb") and Path(name).is_file():
            chosen.append(Path(name).resolve())
        else:
            near = get_close_matches(stem, shelf, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            there = ", ".join(shelf) or "none"
            raise UsageError(f"There is no notebook {name}.{hint} Known: {there}; or give the path of one.")
    asked = list(dict.fromkeys(chosen or shelf.values()))
    if not asked:
        raise UsageError(f"There are no notebooks in {folder}. Give the path of one with --notebook.")
    stems = [path.stem for path in asked]
    if twice := sorted({s for s in stems if stems.count(s) > 1}):
        raise UsageError(f"Two notebooks are called {', '.join(twice)}; rename one, their pages would have one name.")
    books = tuple(read_notebook(path) for path in asked)
    return books if chosen else tuple(book for book in books if not book.all_quarters)
