"""What engines' own pages say."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Page(BaseHTTPRequestHandler):
    """`bodies` by path, as JSON; the front page of a Spark master, as version 3.5 writes it."""

    bodies: dict[str, Any]

    def do_GET(self) -> None:
        if self.path != "/" and self.path not in self.bodies:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        html = '<a href="/"><img src="/static/spark-logo-77x50px-hd.png" />\n<span class="version">3.5.0</span></a>'
        self.wfile.write((html if self.path == "/" else json.dumps(self.bodies[self.path])).encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def served(bodies: dict[str, Any]) -> Iterator[int]:
    """The port where they are."""
    server = ThreadingHTTPServer(("localhost", 0), type("Served", (Page,), {"bodies": bodies}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def spark_master(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the master at localhost says of itself: two workers, one of them dead. $SPARK_MASTER_WEBUI_PORT is the port
    of its page, where something listens."""
    worker = {"cores": 4, "coresfree": 3, "memory": 2048, "memoryfree": 1024, "state": "ALIVE"}
    body = {"status": "ALIVE", "workers": [worker, {**worker, "state": "DEAD"}]}
    with served({"/json/": body}) as port:
        monkeypatch.setenv("SPARK_MASTER_WEBUI_PORT", str(port))
        yield body


@pytest.fixture
def flink() -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of a Flink, and what it says by path."""
    bodies: dict[str, Any] = {
        "/overview": {"taskmanagers": 2, "slots-total": 4, "slots-available": 3, "flink-version": "1.19.1"},
        "/jobmanager/config": [{"key": "restart-strategy.type", "value": "fixed-delay"}],
    }
    with served(bodies) as port:
        yield f"localhost:{port}", bodies
