"""A folder behind an HTTP server that answers range requests, counts them, and can spoil what it sends."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Served:
    """What was asked of the server.

    Attributes:
        url: of the folder.
        requests: (file name, first byte, last byte) of every range request, in order.
        spoil: requests from now on whose answer has a flipped bit.
        ranges: whether it answers range requests; else it sends the whole file.
    """

    url: str
    requests: list[tuple[str, int, int]] = field(default_factory=list)
    spoil: int = 0
    ranges: bool = True

    def sent(self) -> int:
        return sum(last + 1 - first for _, first, last in self.requests)


@contextmanager
def serve(folder: Path) -> Iterator[Served]:
    served = Served("")

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            path = folder / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            data = path.read_bytes()
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if asked and body and served.ranges:
                first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
                served.requests.append((path.name, first, last))
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
                data = data[first : last + 1]
                if served.spoil:
                    served.spoil -= 1
                    data = bytes([data[0] ^ 1]) + data[1:]
            else:
                self.send_response(200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
