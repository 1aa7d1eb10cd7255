"""Tables that a reader sorts and filters, offline: DataTables, as itables carries it, inlined once a page.

It lies in the page packed, as text, until a table comes near the eye, so a page is small and there as soon as its words
are. The policy of a page names the digests of the script that waits and of the unpacked one: nothing else can run.
"""

import base64
import gzip
import hashlib
import json
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from markupsafe import Markup

from ..language import say

ROWS = 12  # what the eye takes in at once needs no sorting
LONG = 500  # rows from which a sorted table has leaves: a browser lays out thousands too slowly to filter by the letter
MARK = 'class="sort"'

# What a cell shows is what it is sorted by: a true minus, thin spaces between thousands, a missing leading zero, a
# sign and a unit; empty cells stay last whichever way. Text is compared as readers of the page's language do.
_START = """
const number = text => {
  const plain = text.replace(/<[^>]*>/g, "").replace(/[\\u2009\\u202f\\u00a0 ]/g, "").replace(/\\u2212/g, "-").trim();
  return /^[<>]?[-+]?[0-9]*[.]?[0-9]+%?$/.test(plain) ? parseFloat(plain.replace(/[<>%]/g, "")) : null;
};
const last = (a, b, way) => a === null || b === null ? (a === null) - (b === null) : way * (a - b);
DataTable.type("figure", {
  detect: {oneOf: text => number(String(text)) !== null, allOf: text => text === "" || number(String(text)) !== null},
  order: {pre: text => number(String(text)), asc: (a, b) => last(a, b, 1), desc: (a, b) => last(a, b, -1)},
});
const names = new Intl.Collator(document.documentElement.lang, {numeric: true});
DataTable.type("name", {
  detect: () => true,
  order: {
    pre: text => String(text).replace(/<[^>]*>/g, "").trim(),
    asc: (a, b) => (a === "") - (b === "") || names.compare(a, b),
    desc: (a, b) => (a === "") - (b === "") || names.compare(b, a),
  },
});
for (const table of document.querySelectorAll("table.sort")) {
  const label = table.getAttribute("aria-label") || table.closest("[aria-label]")?.getAttribute("aria-label") || "";
  const long = table.tBodies[0].rows.length > LONG;
  const shown = new DataTable(table, {
    paging: long, pageLength: LONG / 2, info: true, order: [], autoWidth: false, orderMulti: true, language: WORDS,
    layout: {topStart: "search", topEnd: "info", bottomStart: long ? "paging" : null, bottomEnd: null},
    columnDefs: [{targets: "_all", orderSequence: ["asc", "desc", ""]}],
  });
  table.closest(".dt-container").querySelector("input").setAttribute("aria-label", `${WORDS.search} ${label}`.trim());
  // A link to a row that the filter, or another leaf, hides.
  const seek = () => {
    const id = decodeURIComponent(location.hash.slice(1)), row = shown.row((_, data, one) => one.id === id);
    if (!id.startsWith("s-") || !row.any() || document.getElementById(id)) return;
    shown.search("").draw();
    if (long) shown.page(Math.floor(shown.rows().indexes().indexOf(row.index()) / shown.page.len())).draw(false);
    document.getElementById(id)?.scrollIntoView();
  };
  addEventListener("hashchange", seek);
  seek();
  if (long) {  // paper has no leaves to turn
    addEventListener("beforeprint", () => shown.page.len(-1).draw(false));
    addEventListener("afterprint", () => shown.page.len(LONG / 2).draw(false));
  }
}
document.documentElement.dataset.sorts = "";
"""
_AWAIT = """
const tables = document.querySelectorAll("table.sort");
const wake = async () => {
  const packed = Uint8Array.from(atob(document.getElementById("sorting").textContent), one => one.charCodeAt(0));
  const whole = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.type = "module";
  script.textContent = await new Response(whole).text();
  document.body.append(script);
};
const near = new IntersectionObserver(seen => {
  if (!seen.some(one => one.isIntersecting)) return;
  near.disconnect();
  setTimeout(() => (window.requestIdleCallback || setTimeout)(wake), 250); // the first paint goes before
}, {rootMargin: "400px"});
tables.forEach(table => near.observe(table));
"""


def sorts(rows: int) -> Markup:
    """What marks a table of so many rows as one to be sorted."""
    return Markup(" " + MARK) if rows >= ROWS else Markup("")


@lru_cache
def _library() -> str:
    """DataTables as one module whose own name for the class is called DataTable."""
    spec = find_spec("itables")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("itables, which carries the sorting of tables, is not installed.", name="itables")
    text = (Path(spec.origin).parent / "html" / "dt_bundle.js").read_text(encoding="utf-8")
    exports = re.search(r"export\s*\{([^}]*)\};?\s*", text)
    own = exports and re.search(r"([\w$]+) as default", exports.group(1))
    if not exports or not own:
        raise ImportError("itables carries DataTables in a form that is not known here; see its version.")
    text = text[: exports.start()] + text[exports.end() :]
    # Notes on licences name addresses, and a page names none: they are not fetched, but a reader cannot know.
    return text.replace("</script", "<\\/script") + f"\nconst DataTable = {own.group(1)};"


def scripts() -> tuple[Markup, Markup]:
    """What waits for a table to come near, and what then sorts, in the language spoken."""
    words = {
        "search": say("Filter"),
        "info": say("{n} rows", n="_TOTAL_"),
        "infoEmpty": say("no row"),
        "infoFiltered": say("of {n}", n="_MAX_"),
        "zeroRecords": say("No row holds that."),
        "emptyTable": say("None."),
        "paginate": {"first": "«", "previous": "‹", "next": "›", "last": "»"},
        "aria": {"orderable": say(": sort"), "orderableReverse": say(": sort the other way"),
                 "orderableRemove": say(": sort as given"),
                 "paginate": {"first": say("First rows"), "previous": say("Rows before"), "next": say("Rows after"),
                              "last": say("Last rows"), "number": ""}},
    }  # fmt: skip
    start = _START.replace("LONG", str(LONG)).replace(
        "WORDS", json.dumps(words, ensure_ascii=False).replace("</", "<\\/")
    )
    return Markup(_AWAIT), Markup(_library() + start)


def packed(script: str) -> Markup:
    """``script`` as text that the waiting script unpacks: gzip (RFC 1952, without a time) in base64."""
    return Markup(base64.b64encode(gzip.compress(script.encode(), mtime=0)).decode())


def digest(script: str) -> str:
    """What a page's policy calls ``script`` by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
