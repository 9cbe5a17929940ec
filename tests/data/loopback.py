"""A web server on this machine whose answers a test writes byte by byte, and so as wrong as it likes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Loopback:
    """url: where it listens; requests: the paths asked for; sent: how many bytes; over: set when the test ends."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[str] = []
        self.sent = 0
        self.over = threading.Event()


class Answer:
    """One connection: send(bytes), and drip(bytes), which sends one byte every 50 ms until the test is over."""

    def __init__(self, server: Loopback, handler: BaseHTTPRequestHandler) -> None:
        self.server = server
        self.path = handler.path
        self._file = handler.wfile

    def send(self, content: bytes) -> None:
        self._file.write(content)
        self.server.sent += len(content)

    def drip(self, content: bytes) -> None:
        for i in range(len(content)):
            self.send(content[i : i + 1])
            if self.server.over.wait(0.05):
                return

    def stall(self) -> None:
        self.server.over.wait(20)

    def flood(self, most: int = 1 << 26) -> None:
        while self.server.sent < most:
            self.send(bytes(1 << 14))


@contextmanager
def serving(answer: Callable[[Answer], None]) -> Iterator[Loopback]:
    """A server that calls `answer` on each GET; what it raises when the client hangs up is ignored."""
    loopback = Loopback()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            loopback.requests.append(self.path)
            try:
                answer(Answer(loopback, self))
            except OSError:
                pass

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    loopback.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield loopback
    finally:
        loopback.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
