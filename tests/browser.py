"""A real browser, for tests of pages: Chromium without a window, spoken to by its DevTools protocol."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    "--remote-debugging-port=0",
)
PATIENCE = 60.0
"""Seconds for the browser to start, and for each answer."""


class Tab:
    """A page in the browser. Its events are kept as they come."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self._socket, self._session, self._number = socket, session, 0
        self.events: list[dict[str, Any]] = []

    async def call(self, method: str, **arguments: Any) -> Any:
        """What the browser answers. Raises RuntimeError with its complaint."""
        self._number += 1
        request = {"id": self._number, "method": method, "params": arguments}
        await self._socket.send_json(request if not self._session else {**request, "sessionId": self._session})
        while True:
            answer = await self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(answer["error"]["message"])
                return answer["result"]

    async def wait_for(self, event: str) -> None:
        while event not in [one["method"] for one in self.events]:
            await self._next()

    async def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._socket.receive_json(timeout=PATIENCE)
        if "method" in message:
            self.events.append(message)
        return message

    async def evaluate(self, script: str) -> Any:
        """The value of an expression in the page, even where its policy forbids scripts of its own."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")


async def _look(home: Path, page: Path, width: int, scheme: str, scripts: Sequence[str]) -> tuple[list[Any], list[str]]:
    port, path = (home / "DevToolsActivePort").read_text(encoding="utf-8").split()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0) as socket,
    ):
        browser = Tab(socket, "")
        target = await browser.call("Target.createTarget", url="about:blank")
        attached = await browser.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab = Tab(socket, attached["sessionId"])
        for domain in ("Page", "Network", "Runtime", "Log"):
            await tab.call(f"{domain}.enable")
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await tab.call("Emulation.setEmulatedMedia", features=features)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        await tab.call("Emulation.setDeviceMetricsOverride", **size)
        await tab.call("Page.navigate", url=page.as_uri())
        await tab.wait_for("Page.loadEventFired")
        values = [await tab.evaluate(script) for script in scripts]
        asked = [one["params"]["request"]["url"] for one in tab.events if one["method"] == "Network.requestWillBeSent"]
        said = [one for one in tab.events if one["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
        assert said == []
        return values, asked


def look(page: Path, scripts: Sequence[str], width: int = 1200, scheme: str = "light") -> tuple[list[Any], list[str]]:
    """The values of expressions in a page, and every URL that it asked for.

    Skips the test where there is no Chromium, unless `CORPUS_TEST_REQUIRE_BROWSER` is set.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        message = f"pages are not looked at in a browser: none of {', '.join(PROGRAMS)} is installed"
        if os.environ.get("CORPUS_TEST_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        arguments = [program, *OPTIONS, f"--user-data-dir={home}"]
        running = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return asyncio.run(_started(running, Path(home), page, width, scheme, scripts))
        finally:
            running.terminate()
            running.wait(PATIENCE)


async def _started(
    running: "subprocess.Popen[bytes]", home: Path, page: Path, width: int, scheme: str, scripts: Sequence[str]
) -> tuple[list[Any], list[str]]:
    for _ in range(int(PATIENCE * 10)):
        ready = home / "DevToolsActivePort"
        if ready.exists() and "\n" in ready.read_text(encoding="utf-8"):
            return await _look(home, page, width, scheme, scripts)
        assert running.poll() is None, "the browser ended as it started"
        await asyncio.sleep(0.1)
    raise TimeoutError("the browser did not start")
