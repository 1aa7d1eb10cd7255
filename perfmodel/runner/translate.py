"""A notebook's prose in the language spoken, before it is executed: the notebooks themselves are English."""

import json
import re
from pathlib import Path

from ..language import say, speaking

BLANK = re.compile(r"\n[ \t]*\n")


def translated(notebook: Path, target: Path, lang: str) -> Path:
    """``notebook`` itself in English, else a copy of it in ``target`` whose Markdown is of ``lang``.

    Cells keep their ids, metadata and code; a block of prose that the catalogue does not know stays as it is.
    """
    if lang == "en":
        return notebook
    content = json.loads(notebook.read_text(encoding="utf-8"))
    with speaking(lang):
        for cell in content["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = prose("".join(cell["source"]))
    target.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return target


def prose(markdown: str) -> str:
    """Markdown in the language spoken, block by block."""
    shown = []
    for block in BLANK.split(markdown):
        [text] = blocks(block)
        shown.append(block if (said := say(text)) == text else said)
    return "\n\n".join(shown)


def blocks(markdown: str) -> list[str]:
    """Blocks of prose as the catalogue knows them: between blank lines, each on one line."""
    return [" ".join(block.split()) for block in BLANK.split(markdown)]


def title(text: str) -> str:
    """A notebook's title in the language spoken."""
    return say(f"# {text}").removeprefix("# ")
