"""What a run was made from and what it left: its id, and ``manifest.json``."""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import Finding, RunError, by_code

PACKAGES = ["numpy", "pandas", "scipy", "matplotlib", "PyYAML", "jinja2", "xlsxwriter"]
PACKAGES += ["papermill", "nbclient", "nbconvert", "ipykernel"]
LISTED = 500  # warnings written out in full; their counts are complete


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> bytes:
    """One text for one value, whatever the order in which a mapping was filled."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).encode()


def versions() -> dict[str, str]:
    """Versions of what computes and draws; another version is other code."""
    found = {"perfmodel": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def code_digest(notebooks: Iterable[Path]) -> str:
    """Digest of the package's files and of the notebooks' sources (their stored outputs are not code)."""
    package = Path(__file__).resolve().parents[1]
    files = (p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    parts = {p.relative_to(package).as_posix(): sha256(p.read_bytes()) for p in files}
    for path in notebooks:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        parts[f"notebook {path.stem}"] = sha256(canonical([[c["cell_type"], "".join(c["source"])] for c in cells]))
    return sha256(canonical(parts))


def identity(inputs: Mapping[str, str], parameters: Mapping[str, Any], code: str) -> str:
    """Full digest of all that a run depends on; the run id is its beginning."""
    whole = {"inputs": dict(inputs), "parameters": dict(parameters), "code": code, "versions": versions()}
    return sha256(canonical(whole))


def short(digest: str, blocks: int = 3) -> str:
    """``7f3a-91c2-0b5e``: short enough to read out, at 12 digits one clash in a million runs is a 1 in 500 chance."""
    return "-".join(digest[4 * i : 4 * i + 4] for i in range(blocks))


def agreed(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Counts whose parts make the whole.

    Raises
    ------
    RunError
        If someone went in and is neither scored nor excluded nor waiting with a reason.
    """
    parts = counts["scored"] + sum(counts.get("excluded", {}).values()) + sum(counts.get("waiting", {}).values())
    if counts["in"] != parts:
        raise RunError(
            f"Control totals do not agree: {counts['in']} employees went in, {parts} are scored, excluded or waiting. "
            "Nothing is published; this is a fault of the program, please report it with the cycle's findings."
        )
    return {key: dict(value) if isinstance(value, Mapping) else int(value) for key, value in counts.items()}


def warnings_of(findings: Iterable[Finding]) -> dict[str, Any]:
    """Warnings by code with their number, and the first of them in full."""
    warnings = [f for f in findings if f.level == "warning"]
    return {
        "codes": by_code(warnings, "warning"),
        "listed": [
            {"code": f.code, "file": f.file, "line": f.line, "column": f.column, "message": f.message}
            for f in warnings[:LISTED]
        ],
    }


def digests_below(folder: Path) -> dict[str, str]:
    """Digest of each file under ``folder``, by its path from there."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): sha256(p.read_bytes()) for p in files}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """``manifest.json``, the last file of a run: it holds the digest of every other."""
    whole = {**manifest, "outputs": digests_below(folder)}
    text = json.dumps(whole, indent=1, ensure_ascii=False, default=str) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run; empty where it is gone or no longer one, which no published run is."""
    try:
        found = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def changes(folder: Path) -> list[str]:
    """Files of a published run that are not as its manifest says: changed, gone or added."""
    said = read_manifest(folder).get("outputs", {"manifest.json": ""})
    found = digests_below(folder)
    found.pop("manifest.json", None)
    return sorted(name for name in said.keys() | found.keys() if said.get(name) != found.get(name))
