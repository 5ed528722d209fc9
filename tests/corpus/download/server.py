"""A server on loopback that does as a test says: answers, refuses, cuts, lies about lengths, sends elsewhere."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


@dataclass(frozen=True)
class Answer:
    """One answer out of turn: its status, headers and body. Of the body only `sent` bytes go out."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sent: int | None = None


class Request(NamedTuple):
    path: str
    range: str | None
    agent: str | None


@dataclass
class Site:
    """What the server has, by path. `next` are answers to the next requests for a path, before it behaves again;
    `always` are headers of every proper answer."""

    url: str
    bodies: dict[str, bytes] = field(default_factory=dict)
    next: dict[str, list[Answer]] = field(default_factory=dict)
    always: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if self.next.get(request.path):
            return self.next[request.path].pop(0)
        if request.path not in self.bodies:
            return Answer(404)
        body = self.bodies[request.path]
        if request.range is None or not self.ranges:
            return Answer(200, self.always, body)
        start = int(request.range.removeprefix("bytes=").rstrip("-"))
        if start >= len(body):
            return Answer(416, {"Content-Range": f"bytes */{len(body)}"})
        told = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return Answer(206, self.always | told, body[start:])

    @property
    def asked(self) -> list[str]:
        return [request.path for request in self.requests]


@contextmanager
def serving(kind: type[Site] = Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = site.answer(Request(self.path, self.headers.get("Range"), self.headers.get("User-Agent")))
            self.send_response(answer.status)
            for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # a client need not read what it refuses
                self.wfile.write(answer.body[: answer.sent])

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = kind(f"http://127.0.0.1:{httpd.server_port}")
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
