"""What is done stays done: finished packs of a run that did not come to its end, in ``DIR/.packs/<key>/``.

The key is a digest of all that a pack says: the run's own digest (inputs, parameters, code, versions) and what is
printed beside. A pack is written beside its place and renamed, so it is there whole or not at all. A run that comes to
its end removes its folder, and those to which nothing has been added for a day.
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .manifest import canonical, sha256

FOLDER = ".packs"
FACTS = "facts.json"
ABANDONED = 86_400.0  # seconds


class Kept:
    """Packs by folder name in a folder of their own, and what was printed on all of them."""

    def __init__(self, folder: Path):
        self.folder = folder

    def facts(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """``manifest`` as it was when the first of these packs was made: they name one time, that of their numbers."""
        path = self.folder / FACTS
        if not path.exists():
            _write(path, json.dumps(dict(manifest), ensure_ascii=False, default=str).encode())
        return json.loads(path.read_text(encoding="utf-8"))

    def __contains__(self, name: str) -> bool:
        return (self.folder / name).is_dir()

    def keep(self, name: str, files: Mapping[str, bytes]) -> None:
        """Put ``files`` (by path below the pack) at ``name``, whole; a pack that is there already is the same one."""
        draft = self.folder / f".{name}-{os.getpid()}"
        write_files(draft, files)
        try:
            os.rename(draft, self.folder / name)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if name not in self:
                raise

    def remove(self) -> None:
        """Remove them, which are published, and those of other runs to which nothing has been added for a day."""
        for folder in self.folder.parent.iterdir():
            if folder == self.folder or time.time() - folder.stat().st_mtime > ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another run's are still in it
            self.folder.parent.rmdir()

    def hand_over(self, name: str, place: Path) -> None:
        """The pack ``name`` at ``place`` too: the same files under a second name where the file system has that."""
        shutil.copytree(self.folder / name, place, copy_function=_link)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """``files`` below ``folder``, which must not be there yet."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


def kept_in(out: Path, *facts: Any, anew: bool = False) -> Kept:
    """The packs kept in ``out`` under the digest of ``facts``; none yet if ``anew``."""
    folder = out.absolute() / FOLDER / sha256(canonical(facts))[:16]
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    folder.parent.chmod(0o700)
    for draft in folder.glob(".*"):
        shutil.rmtree(draft, ignore_errors=True)
    return Kept(folder)


def _write(path: Path, data: bytes) -> None:
    draft = path.with_suffix(".part")
    draft.write_bytes(data)
    os.replace(draft, path)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)
