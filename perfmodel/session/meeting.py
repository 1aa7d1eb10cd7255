"""The server of a meeting: pages out, entries in, and nobody else.

Loopback unless told otherwise; whoever has the address with its token may read and record. A token in the address
becomes a cookie at the first visit; every form carries a second secret and must come from this very page. Scripts,
styles and pages come from this server alone, and the policy of a page says so to the browser.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from ..errors import PerfmodelError
from ..language import say, speaking, spoken, told
from . import view
from .room import Moment, Room, too_long
from .view import AGENDA, CASE, CONSENT_LIST, LOOK, PARTS, Place, Typed

PORT = 8765
LOOPBACK = ("127.0.0.1", "::1", "localhost")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MOST = 64 * 1024  # bytes of a form
LONGEST = 18  # digits of an entry's number


class Handler(RequestHandler):
    """Lets in whoever has the token, and speaks the meeting's language."""

    room: Room
    token: str
    lang: str
    hosts: frozenset[str]  # names under which the server may be called; empty: any

    def initialize(self, **given: Any) -> None:
        vars(self).update(given)

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)

    @property
    def cookie(self) -> str:
        """Named by port: cookies do not tell ports apart, and two meetings may be held on one machine."""
        return f"perfmodel-{self.settings['port']}"

    @property
    def csrf(self) -> str:
        return hmac.new(self.token.encode(), b"form", hashlib.sha256).hexdigest()

    def prepare(self) -> None:
        with speaking(self.lang):
            self._admit()

    def _admit(self) -> None:
        if self.hosts and self.request.host_name not in self.hosts:
            self._refuse(HTTPStatus.FORBIDDEN, say("The meeting does not answer under this name."))
        elif self.request.method == "GET" and _same(self.get_query_argument("token", ""), self.token):
            # Lax: the address may be opened from a message, and then goes on without the token in it.
            self.set_cookie(self.cookie, self.token, path="/", httponly=True, samesite="Lax")
            path = f"/{self.request.path.lstrip('/')}"  # two slashes would name another server
            self.redirect(path, status=HTTPStatus.SEE_OTHER)
        elif not _same(self.get_cookie(self.cookie) or "", self.token):
            self._refuse(HTTPStatus.FORBIDDEN, say("Open the meeting by its whole address, with the token in it."))
        elif self.request.method == "POST" and not self._ours():
            self._refuse(HTTPStatus.FORBIDDEN, say("This was not sent from a page of the meeting."))

    def _ours(self) -> bool:
        """Whether a form was sent from a page of this server, and carries the secret that only such a page has."""
        origin = urlsplit(self.request.headers.get("Origin", ""))
        return origin.netloc == self.request.host and _same(self.get_body_argument("_csrf", ""), self.csrf)

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(text)

    async def moment(self) -> Moment:
        return await asyncio.to_thread(self.room.now)

    def place(self, moment: Moment, name: str) -> Place:
        who = self.get_query_argument("who", "")
        if name == CASE and who not in moment.facts.case.roll.people:
            name, who = AGENDA, ""
        return Place(name, who if name == CASE else "", self.get_query_argument("find", "").strip()[:300])

    def news(self, moment: Moment, after: str) -> str:
        """What was recorded since the entry that a browser saw last; nothing where it names none."""
        return " ".join(view.news(moment, int(after))) if after.isdecimal() and len(after) <= LONGEST else ""

    def send_json(self, answer: Mapping[str, Any]) -> None:
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(answer, ensure_ascii=False))

    def write_error(self, status_code: int, **_: Any) -> None:
        with speaking(self.lang):
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(
                say("The meeting's server could not answer this ({n}). What is in the ledger stays.", n=status_code)
            )

    def log_exception(self, kind, value, trace) -> None:
        """The program's fault and its place, without the request: it may hold names."""
        if kind is not None and not hasattr(value, "status_code"):
            while trace and trace.tb_next:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
            print(f"perfmodel: {kind.__name__} at {where}", file=sys.stderr, flush=True)


class PageHandler(Handler):
    """A page of the meeting, by its name."""

    name: str

    async def get(self) -> None:
        try:
            moment = await self.moment()
        except PerfmodelError as refused:
            return self.trouble(refused)
        place = self.place(moment, self.name)
        if place.find:
            found = view.matches(moment, place.find)
            if len(found) == 1:
                return self.redirect(f"/case?who={quote(found[0], safe='')}", status=HTTPStatus.SEE_OTHER)
        with speaking(self.lang):
            self.finish(view.page(moment, place, self.csrf))
        return None

    def trouble(self, refused: PerfmodelError) -> None:
        with speaking(self.lang):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, told(str(refused)))


class StateHandler(Handler):
    """What is new since an entry, for the place that a browser has in view."""

    async def get(self) -> None:
        try:
            moment = await self.moment()
        except PerfmodelError:
            return self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        after, name = self.get_query_argument("after", ""), self.get_query_argument("view", AGENDA)
        known = {"seq": moment.seq, "head": moment.head}
        if after == str(moment.seq) and self.get_query_argument("head", "") == moment.head and not moment.stale:
            return self.send_json(known)
        with speaking(self.lang):
            place = self.place(moment, name if name in PARTS else AGENDA)
            knew = self.get_query_argument("knew", None)
            parts = view.parts(moment, place, self.csrf, Typed(), knew)
            said = self.news(moment, after)
            self.send_json({**known, "parts": parts, "said": said})
        return None


class RecordHandler(Handler):
    """One command: a form in, an entry or a refusal in words out."""

    name: str
    command: Callable[[Room, Mapping[str, str]], Moment]

    async def post(self) -> None:
        fields = {name: self.get_body_argument(name, "") for name in self.request.body_arguments}
        fields = {name: text.strip() for name, text in fields.items() if name != "_csrf"}
        fields |= {"code": fields["code"].upper()} if "code" in fields else {}
        typed = Typed(self.name, fields)
        after = self.get_query_argument("after", "")
        try:
            if too_long(fields):
                raise PerfmodelError("[too-long]")
            if self.name == "decide" and not fields.get("grade"):
                raise PerfmodelError("[grade-missing]")
            moment = await asyncio.to_thread(self.command, self.room, fields)
        except PerfmodelError as refused:
            typed = Typed(self.name, fields, str(refused), view.code_of(str(refused)))
            with suppress(PerfmodelError):
                moment = await self.moment()
                return self.answer(moment, typed, after)
            return self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        return self.answer(moment, typed, after)

    def answer(self, moment: Moment, typed: Typed, after: str) -> None:
        who = typed.fields.get("employee", "")
        name = self.get_query_argument("view", "") or {"consent": CONSENT_LIST, "freeze": AGENDA}.get(self.name, CASE)
        self.request.query_arguments.setdefault("who", [who.encode()])
        place = self.place(moment, name if name in PARTS else AGENDA)
        if typed.refused:
            self.set_status(HTTPStatus.UNPROCESSABLE_ENTITY)
        with speaking(self.lang):
            if self.request.headers.get("X-Parts"):
                parts = view.parts(moment, place, self.csrf, typed)
                said = say("Nothing was recorded.") if typed.refused else self.news(moment, after)
                whole = {"seq": moment.seq, "head": moment.head, "parts": parts, "said": said}
                self.send_json({**whole, "refused": bool(typed.refused)})
            elif typed.refused:
                self.finish(view.page(moment, place, self.csrf, typed))
            else:
                paths = {CONSENT_LIST: "/consent", AGENDA: "/", LOOK: "/look"}
                path = paths.get(place.view, f"/case?{urlencode({'who': place.employee})}")
                self.redirect(path, status=HTTPStatus.SEE_OTHER)


class FileHandler(Handler):
    """The page's style and script."""

    text: str
    kind: str

    def get(self) -> None:
        self.set_header("Content-Type", f"{self.kind}; charset=utf-8")
        self.finish(self.text)


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode(), wanted.encode())


def application(room: Room, token: str, port: int, *, hosts: frozenset[str] = frozenset()) -> Application:
    """The meeting as an application, in the language that is spoken now."""
    shared = {"room": room, "token": token, "lang": spoken(), "hosts": hosts}
    pages = {"/": AGENDA, "/case": CASE, "/consent": CONSENT_LIST, "/look": LOOK}
    commands: dict[str, tuple[str, Callable[[Room, Mapping[str, str]], Moment]]] = {
        "/decide": ("decide", Room.decide),
        "/accept": ("consent", Room.consent),
        "/undo": ("undo", Room.undo),
        "/question": ("question", Room.question),
        "/freeze": ("freeze", Room.freeze),
    }
    texts = {"/meeting.css": (view.stylesheet(), "text/css"), "/meeting.js": (view.script(), "text/javascript")}
    return Application(
        [
            *((path, PageHandler, {**shared, "name": name}) for path, name in pages.items()),
            *((path, RecordHandler, {**shared, "name": n, "command": c}) for path, (n, c) in commands.items()),
            *((path, FileHandler, {**shared, "text": text, "kind": kind}) for path, (text, kind) in texts.items()),
            ("/state", StateHandler, shared),
        ],
        default_handler_class=Nowhere,
        default_handler_args=shared,
        log_function=lambda _: None,  # no names, ids or tokens in logs
        port=port,
    )


class Nowhere(Handler):
    def get(self) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    post = get


def serve(room: Room, *, host: str, port: int | None, ready: Callable[[str], None]) -> None:
    """Hold the meeting until the process is told to stop; ``ready`` is called with its address.

    ``port`` None: the usual one, or any if that is taken. Nothing has to be saved at the end: what is recorded is in
    the ledger before the browser is answered.

    Raises
    ------
    PerfmodelError
        If nothing can listen there.
    """
    asyncio.run(_serve(room, host, port, ready))


async def _serve(room: Room, host: str, port: int | None, ready: Callable[[str], None]) -> None:
    logging.getLogger("tornado").setLevel(logging.CRITICAL)
    sockets = _listening(host, PORT if port is None else port, port is None)
    number, token = sockets[0].getsockname()[1], secrets.token_urlsafe(32)
    hosts = frozenset({*LOOPBACK, "[::1]", host}) if host in LOOPBACK else frozenset()
    server = HTTPServer(application(room, token, number, hosts=hosts), max_body_size=MOST)
    server.add_sockets(sockets)
    stop = asyncio.Event()
    with suppress(NotImplementedError):  # Windows: the signal ends the process, and nothing is lost by that
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    shown = f"[{host}]" if ":" in host else host
    ready(f"http://{shown}:{number}/?token={token}")
    await stop.wait()
    server.stop()


def _listening(host: str, port: int, otherwise: bool):
    try:
        return bind_sockets(port, host, reuse_port=False)[:1]
    except OSError as problem:
        if otherwise:
            return bind_sockets(0, host)[:1]
        raise PerfmodelError(
            f"Nothing can listen at {host}, port {port}: {problem.strerror or problem}. Is another meeting held there? "
            "Choose another --port, or leave it out."
        ) from None


__all__ = ["application", "serve"]
