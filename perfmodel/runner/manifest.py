"""What a run was made from and what it left: its id, and ``manifest.json``."""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
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
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def published(out: Path) -> list[dict[str, Any]]:
    """Manifests of the runs in ``out``, in the order of their ids.

    What is no whole manifest, or is of a run of another name (a copy that somebody laid there), is none of them.
    """
    found = ((path.parent.name, read_manifest(path.parent)) for path in sorted(out.glob("*/manifest.json")))
    return [made for name, made in found if name[0] != "." and _is_whole(made) and made["run_id"] == name]


def _is_whole(made: Mapping[str, Any]) -> bool:
    """Whether a manifest says all that is read of it beside its own run."""
    try:
        moment(made["finished"])
        names = {"run_id", "cycle", "status", "simulated", "notebooks"}
        counts, asked = made["counts"], made["parameters"]
        numbers = [counts["in"], counts["scored"], *made["warnings"]["codes"].values()]
        numbers += [n for part in ("excluded", "waiting") for n in counts.get(part, {}).values()]
        parts = (made["inputs"], made["outputs"], asked["settings"])
        return (
            names <= made.keys()
            and {"seed", "units", "lang", "each_unit"} <= asked.keys()
            and all(isinstance(number, int) for number in numbers)
            and all(isinstance(part, dict) for part in parts)
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def moment(text: str) -> datetime:
    """A time of a manifest, which is UTC."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def changes(folder: Path) -> list[str]:
    """Files of a published run that are not as its manifest says: changed, gone or added."""
    said = read_manifest(folder).get("outputs")
    said = said if isinstance(said, dict) else {"manifest.json": ""}
    found = digests_below(folder)
    found.pop("manifest.json", None)
    return sorted(name for name in said.keys() | found.keys() if said.get(name) != found.get(name))
