"""An executed notebook as one page: offline, code folded away, headings kept, nothing live in it."""

import json
import os
import re
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..errors import RunError
from ..language import say
from .page import css, document, made_up
from .sanitise import sanitised

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def export_html(
    notebook: str | os.PathLike,
    html: str | os.PathLike,
    *,
    title: str = "",
    simulated: bool | None = None,
) -> None:
    """Write the executed ``notebook`` as one self-contained page to ``html``.

    Markdown is converted by nbconvert; each output gives one form, the richest that a page can hold (HTML, SVG,
    PNG, JPEG, text), and passes ``sanitised``. ``simulated=True`` puts the banner on the page; left out, the
    notebook's own banner tells.

    Raises
    ------
    RunError
        If ``notebook`` is no notebook.
    """
    source = Path(notebook)
    try:
        book = json.loads(source.read_text(encoding="utf-8"))
        cells = book["cells"]
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise RunError(f"{source.name} cannot be read as a notebook, so it has no page: {wrong}.") from wrong
    page = notebook_page(cells, title=title or source.stem.replace("_", " "), simulated=simulated)
    Path(html).write_text(page, encoding="utf-8", newline="\n")


def notebook_page(cells: list[dict[str, Any]], *, title: str, simulated: bool | None = None) -> str:
    """The page of a notebook's cells."""
    body = []
    sources: list[str] = []
    heading = title
    for cell in cells:
        text = "".join(cell.get("source", ""))
        if cell["cell_type"] == "markdown":
            heading = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), heading)
            body.append(Markup('<div class="cell md">{}</div>').format(_markdown(text)))
        elif cell["cell_type"] == "code" and text.strip():
            outputs = [_output(out, heading) for out in _joined(cell.get("outputs", []))]
            shown = Markup("").join(outputs)
            sources.append(text)
            if not shown:  # what shows nothing is prelude to the next: one place to open, not four
                continue
            body.append(Markup('<div class="cell">{}<div class="out">{}</div></div>').format(_code(sources), shown))
            sources = []
    if sources:
        body.append(Markup('<div class="cell">{}</div>').format(_code(sources)))
    main = Markup("\n").join(body)
    header = Markup("")
    if simulated and 'class="simulated"' not in main:
        header = made_up()
    if "<h1" not in main:
        header += Markup('<div class="head"><h1>{}</h1></div>').format(title)
    return document(title, header, _one_heading(main), kind="book")


def _code(sources: list[str]) -> Markup:
    """Code cells out of sight, one click away."""
    return Markup('<details class="code"><summary>{}</summary>{}</details>').format(
        say("Code"), Markup("").join(Markup("<pre>{}</pre>").format(text) for text in sources)
    )


def _markdown(text: str) -> Markup:
    """Markdown as nbconvert writes it, without anchors' signs, made safe."""
    from nbconvert.filters.markdown import markdown2html

    html = re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html(text), flags=re.S)
    return sanitised(html)


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs with the pieces of one stream put together."""
    whole: list[dict[str, Any]] = []
    for out in outputs:
        last = whole[-1] if whole else {}
        if out["output_type"] == "stream" and last.get("output_type") == "stream" and last["name"] == out["name"]:
            last["text"] += "".join(out["text"])
        elif out["output_type"] == "stream":
            whole.append({**out, "text": "".join(out["text"])})
        else:
            whole.append(out)
    return whole


def _output(out: dict[str, Any], heading: str) -> Markup:
    if out["output_type"] == "stream":
        return Markup("<pre>{}</pre>").format(_COLOUR.sub("", out["text"])) if out["text"].strip() else Markup("")
    if out["output_type"] == "error":
        return Markup('<p class="callout"><b class="att">{}</b> {}</p>').format(out["ename"], out["evalue"])
    data = {
        kind: value if isinstance(value, str) else "".join(value) if isinstance(value, list) else str(value)
        for kind, value in out.get("data", {}).items()
    }
    if "text/html" in data:
        return sanitised(data["text/html"].replace(str(css()), ""))
    if "image/svg+xml" in data:
        svg = data["image/svg+xml"]
        return Markup('<figure role="img" aria-label="{}">{}</figure>').format(
            say("Chart in the section {heading}", heading=heading), sanitised(svg[max(svg.find("<svg"), 0) :])
        )
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            alt = data.get("text/plain", "")
            alt = say("Chart in the section {heading}", heading=heading) if not alt or alt.startswith("<") else alt
            return Markup('<img src="data:{};base64,{}" alt="{}">').format(
                kind, re.sub(r"[^\w+/=]", "", data[kind]), alt
            )
    if "text/markdown" in data:
        return Markup('<div class="md">{}</div>').format(_markdown(data["text/markdown"]))
    if "text/plain" in data:
        return Markup("<pre>{}</pre>").format(_COLOUR.sub("", data["text/plain"]))
    return Markup("")


def _one_heading(main: Markup) -> Markup:
    """One h1 a page: later ones become h2."""
    end = str(main).find("</h1>")
    if end < 0:
        return main
    head, rest = str(main)[: end + 5], str(main)[end + 5 :]
    rest = re.sub(r"<(/?)h1(\b[^>]*>)", r"<\1h2\2", rest)
    return Markup(head + rest)
