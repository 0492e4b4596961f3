"""The preset ``rapidocr`` with a real server: rapidocr_api from the Python registry.

``OCRWATCH_TEST_RAPIDOCR_API=1`` asks for it, since the server's 20 MB are fetched. The networks are those of the
package rapidocr in this environment.
"""

from __future__ import annotations

import concurrent.futures
import http.client
import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from ocrwatch.document import Line
from ocrwatch.executors.http_ocr.presets.base import Image, open_preset
from ocrwatch.recipe import RemoteService
from tests.rendering import draw, encode
from tests.waiting import until

MICROHEI = "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"
SERVER = ("rapidocr_api==0.2.0",)
WHAT_IT_NEEDS = ("fastapi", "uvicorn", "python-multipart")
TEXT = "The amber harbour\nstands here"

Pixels = Pillow.Image


@dataclass
class Server:
    """The server, asked as the daemon asks it."""

    port: int

    def ask(self, content: bytes, width: int, height: int) -> tuple[int, bytes]:
        """Send an image; return status and body."""
        request = open_preset("rapidocr").request(Image(content, "image/jpeg", width, height), self._service, ("eng",))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", request.path, request.body, {"Content-Type": request.content_type})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def read(self, page: Pixels) -> list[Line]:
        """Return the lines of a page."""
        image = Image(encode(page), "image/jpeg", page.width, page.height)
        status, body = self.ask(image.content, page.width, page.height)
        assert status == 200, body
        answer = open_preset("rapidocr").answer(body, replace(image, content=b""), self._service)
        return [line for block in answer.blocks for line in block.lines]

    @property
    def _service(self) -> RemoteService:
        return RemoteService("real", "rapidocr", f"http://127.0.0.1:{self.port}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Install and start the server."""
    if os.environ.get("OCRWATCH_TEST_RAPIDOCR_API") != "1":
        pytest.skip("fetches a package: OCRWATCH_TEST_RAPIDOCR_API=1 asks for it")
    if importlib.util.find_spec("rapidocr") is None:
        pytest.skip("rapidocr is not installed")
    folder = tmp_path_factory.mktemp("rapidocr_api")
    _install(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "rapidocr_api.main", "-ip", "127.0.0.1", "-p", str(port)]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        until(lambda: running.poll() is not None or _listens(port), 60, "the server runs")
        assert running.poll() is None, (folder / "log").read_text()[-2000:]
        yield Server(port)
    finally:
        running.kill()
        running.wait()


def _install(folder: Path) -> None:
    """Install the server into a folder. It is used with the networks of this environment, instead of 400 MB more."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "10", "--target"]
    for packages in (("--no-deps", *SERVER), WHAT_IT_NEEDS):
        done = subprocess.run([*pip, str(folder), *packages], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{packages[-1]} cannot be installed: {done.stderr.strip().splitlines()[-1]}")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_page_is_read(server: Server) -> None:
    """Its words have places within the lines, and confidences."""
    lines = server.read(draw(TEXT, size=40))
    assert [line.text for line in lines] == TEXT.split("\n")
    for line in lines:
        lefts = [word.box.left for word in line.words]
        assert lefts == sorted(set(lefts))
        assert line.confidence is not None
        assert line.confidence > 90
        assert line.baseline is not None
    # The letters of the first line end at 100.
    assert lines[0].baseline is not None
    assert lines[0].baseline.y0 == pytest.approx(100, abs=6)


def test_chinese_is_read(server: Server) -> None:
    """Latin words within Chinese text are words."""
    if not Path(MICROHEI).exists():
        pytest.skip(f"the font {MICROHEI} is missing; run: apt-get install fonts-wqy-microhei")
    page = Pillow.new("L", (900, 300), 255)
    font = ImageFont.truetype(MICROHEI, 48)
    ImageDraw.Draw(page).text((40, 40), "二〇二六年十一月", font=font, fill=0)
    ImageDraw.Draw(page).text((40, 150), "Invoice 发票 Nr. 4711", font=font, fill=0)
    first, second = server.read(page)
    assert first.text == "二〇二六年十一月"
    assert len(first.words) == 1
    assert [word.text for word in second.words] == ["Invoice", "发票", "Nr.", "4711"]


def test_a_page_on_its_side_is_read(server: Server) -> None:
    """The words of a line follow each other downwards, and have the line's height across."""
    lines = server.read(draw(TEXT, size=40).rotate(-90, expand=True))
    assert sorted(line.text for line in lines) == sorted(TEXT.split("\n"))
    for line in lines:
        tops = [word.box.top for word in line.words]
        assert tops == sorted(set(tops))
        assert all(word.height < 80 for word in line.words)


def test_a_tilted_page_has_tilted_lines(server: Server) -> None:
    """Baselines have the page's angle."""
    lines = server.read(draw(TEXT, size=40).rotate(10, expand=True, fillcolor=255))
    assert [line.text for line in lines] == TEXT.split("\n")
    for line in lines:
        assert line.baseline is not None
        rise = line.baseline.y0 - line.baseline.y1
        assert rise / (line.baseline.x1 - line.baseline.x0) == pytest.approx(0.176, abs=0.03)


def test_a_blank_page_has_no_text(server: Server) -> None:
    """It is no fault."""
    assert server.read(Pillow.new("L", (400, 400), 255)) == []


def test_a_truncated_image_is_an_error_of_the_server(server: Server) -> None:
    """It answers 500, as for its own errors: only the statuses of other images tell whose fault it is."""
    page = draw(TEXT, size=40)
    content = encode(page)
    assert server.ask(content[: len(content) // 2], page.width, page.height)[0] == 500
    assert server.read(page)


def test_pages_are_not_mixed_up(server: Server) -> None:
    """Requests at the same time get their own text."""
    texts = [f"page number {number}" for number in ("one", "two", "three", "four")]
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda text: server.read(draw(text, size=40)), texts))
    assert [" ".join(line.text for line in lines) for lines in found] == texts
