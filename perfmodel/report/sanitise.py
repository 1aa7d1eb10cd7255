"""HTML from a notebook's cells, written anew from a list of what may stand in a page.

Every tag and attribute that comes out is on the list and every text is escaped again, so nothing in a cell
can run, load or imitate the page around it. The page's policy forbids scripts a second time.
"""

import re
from html import escape
from html.parser import HTMLParser

from markupsafe import Markup

VOID = {"br", "hr", "img", "col", "wbr"}
TEXT = set(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "main",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "section",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
        "wbr",
    ]
)
DRAWING = set(
    [
        "circle",
        "clippath",
        "defs",
        "desc",
        "ellipse",
        "g",
        "line",
        "lineargradient",
        "marker",
        "path",
        "pattern",
        "polygon",
        "polyline",
        "radialgradient",
        "rect",
        "stop",
        "svg",
        "text",
        "title",
        "tspan",
        "use",
        "symbol",
    ]
)
# Parts of the page that a cell may not bring: their content goes too.
DROPPED = set(
    [
        "script",
        "style",
        "iframe",
        "object",
        "embed",
        "applet",
        "template",
        "noscript",
        "textarea",
        "select",
        "button",
        "form",
        "math",
        "foreignobject",
    ]
)
ATTRIBUTES = set(
    [
        "alt",
        "aria-hidden",
        "aria-label",
        "aria-labelledby",
        "aria-describedby",
        "class",
        "colspan",
        "data-l",
        "dir",
        "height",
        "href",
        "id",
        "lang",
        "role",
        "rowspan",
        "scope",
        "src",
        "start",
        "style",
        "tabindex",
        "title",
        "type",
        "width",
        "open",
        "clip-path",
        "clip-rule",
        "cx",
        "cy",
        "d",
        "dx",
        "dy",
        "fill",
        "fill-opacity",
        "fill-rule",
        "font-size",
        "font-weight",
        "gradienttransform",
        "gradientunits",
        "marker-end",
        "marker-start",
        "offset",
        "opacity",
        "points",
        "preserveaspectratio",
        "r",
        "rx",
        "ry",
        "stop-color",
        "stop-opacity",
        "stroke",
        "stroke-dasharray",
        "stroke-dashoffset",
        "stroke-linecap",
        "stroke-linejoin",
        "stroke-opacity",
        "stroke-width",
        "text-anchor",
        "transform",
        "viewbox",
        "x",
        "x1",
        "x2",
        "y",
        "y1",
        "y2",
    ]
)
_IMAGE = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]+", re.I)
_RELATIVE = re.compile(r"(?![/\\])[\w./#%-]*(#[\w.%:-]*)?", re.I)
_STYLE = re.compile(r"(url\s*\((?!\s*['\"]?#)|expression|javascript|@import|position\s*:|behavior)", re.I)


def sanitised(html: str) -> Markup:
    """``html`` with nothing left in it that runs, loads or points outside."""
    writer = _Writer()
    writer.feed(html)
    writer.close()
    return Markup("".join([*writer.out, *(f"</{tag}>" for tag in reversed(writer.open))]))


class _Writer(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.open: list[str] = []
        self.skipped: list[str] = []

    def handle_starttag(self, tag, attrs):
        if self.skipped:
            if tag == self.skipped[-1]:
                self.skipped.append(tag)
            return
        if tag in DROPPED:
            self.skipped.append(tag)
            return
        if tag not in TEXT and tag not in DRAWING:
            return
        kept = "".join(self._attribute(tag, name, value or "") for name, value in attrs)
        self.out.append(f"<{tag}{kept}>")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        if self.skipped or tag in DROPPED:
            return
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if self.skipped:
            if tag == self.skipped[-1]:
                self.skipped.pop()
            return
        if tag in self.open:
            while self.open:
                last = self.open.pop()
                self.out.append(f"</{last}>")
                if last == tag:
                    break

    def handle_data(self, data):
        if not self.skipped:
            self.out.append(escape(data, quote=False))

    def _attribute(self, tag: str, name: str, value: str) -> str:
        if name == "xlink:href":
            name = "href"
        if name not in ATTRIBUTES:
            return ""
        if name == "href" and not (value.startswith("#") if tag == "use" else _RELATIVE.fullmatch(value.strip())):
            return ""
        if name == "src" and not (tag == "img" and _IMAGE.fullmatch(value)):
            return ""
        if name not in ("href", "src", "alt", "title", "aria-label") and _STYLE.search(value):
            return ""
        return f' {name}="{escape(value)}"'
