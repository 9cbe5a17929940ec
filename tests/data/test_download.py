"""A download yields the right file or no file, whatever the server does, and in bounded time and memory."""

import hashlib
import importlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchgen.data import DataError, download
from tests.data.loopback import Answer, Loopback, serving

MODULE = importlib.import_module("scratchgen.data.download")  # `scratchgen.data.download` itself is the function
CONTENT = np.random.default_rng(0).bytes(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = CONTENT[:100_000]
TIMEOUT, DEADLINE = 5.0, 10.0  # far more than a right answer takes on a busy machine
SHORT = 0.5  # where the time has to run out; the slow answers below would take 20 s and more


def get(server: Loopback, folder: Path, **changes: Any) -> Path:
    arguments = {"sha256": SHA256, "max_bytes": len(CONTENT), "timeout": TIMEOUT, "deadline": DEADLINE}
    return download(f"{server.url}/data", folder / "data.gz", **{**arguments, "progress": False, **changes})


def response(*headers: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    return "\r\n".join([f"HTTP/{version} {status}", *headers, "", ""]).encode()


LENGTH = f"Content-Length: {len(CONTENT)}"
CHUNKED = "Transfer-Encoding: chunked"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def in_small_pieces(answer: Answer) -> None:
    answer.send(response(LENGTH))
    for start in range(0, len(CONTENT), 999):
        answer.send(CONTENT[start : start + 999])


def redirects(answer: Answer) -> None:
    """Each /data, 1, 2 … answers with a different kind of redirect, the last with the content."""
    kinds = {"/data": "301 Moved", "/1": "302 Found", "/2": "303 See Other", "/3": "307 Temporary Redirect"}
    if answer.path in kinds:
        target = f"/{list(kinds).index(answer.path) + 1}"
        answer.send(response(f"Location: {target}", "Content-Length: 2", status=kinds[answer.path]) + b"go")
    else:
        answer.send(response(LENGTH) + CONTENT)


RIGHT: dict[str, Callable[[Answer], None]] = {
    "with its length": lambda answer: answer.send(response(LENGTH) + CONTENT),
    "without its length": lambda answer: answer.send(response(version="1.0") + CONTENT),
    "chunked": lambda answer: answer.send(response(CHUNKED) + chunk(HALF) + chunk(CONTENT[100_000:]) + chunk(b"")),
    "in small pieces": in_small_pieces,
    "after four redirects": redirects,
    "more than it announced, the extra ignored": lambda answer: answer.send(response(LENGTH) + CONTENT + b"extra"),
}


@pytest.mark.parametrize("answer", RIGHT.values(), ids=RIGHT)
def test_the_right_file_arrives(tmp_path: Path, answer: Callable[[Answer], None]) -> None:
    with serving(answer) as server:
        path = get(server, tmp_path)
    assert path == tmp_path / "data.gz" and path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def then(first: bytes, *rest: str) -> Callable[[Answer], None]:
    """Send the first bytes, then do what the words say: stall, flood, drip."""

    def answer(connection: Answer) -> None:
        connection.send(first)
        for word in rest:
            connection.drip(bytes(2000)) if word == "drip" else getattr(connection, word)()

    return answer


def drip_headers(answer: Answer) -> None:
    answer.drip(response("X-Slow: " + 2000 * "x"))


def redirect_to(location: str, then_flood: bool = False) -> Callable[[Answer], None]:
    return then(response(f"Location: {location}", status="302 Found"), *(["flood"] if then_flood else []))


WRONG: dict[str, tuple[Callable[[Answer], None], str]] = {
    "truncated": (then(response(LENGTH) + HALF), "length: got 100000 bytes, expected the 200000 of Content-Length"),
    "truncated without a length": (then(response(version="1.0") + HALF), "SHA-256: got"),
    "truncated chunk": (then(response(CHUNKED) + chunk(HALF)[:-9]), "connection: got IncompleteRead"),
    "no last chunk": (then(response(CHUNKED) + chunk(CONTENT)), "connection: got IncompleteRead"),
    "nothing": (then(b""), "connection: got RemoteDisconnected"),
    "empty body": (then(response("Content-Length: 0")), "SHA-256: got e3b0c442"),
    "length too short": (then(response("Content-Length: 100000") + CONTENT), "SHA-256: got"),
    "length too long": (
        then(response("Content-Length: 200001") + CONTENT),
        "Content-Length: got 200001, expected at most",
    ),
    "length of a terabyte": (
        then(response("Content-Length: 1099511627776"), "flood"),
        "Content-Length: got 1099511627776",
    ),
    "length negative": (then(response("Content-Length: -5") + HALF), "SHA-256: got"),
    "length not a number": (then(response("Content-Length: all") + HALF), "SHA-256: got"),
    "one byte too much": (then(response(version="1.0") + CONTENT + b"x"), "length: got more than 200000 bytes"),
    "endless": (then(response(version="1.0"), "flood"), "length: got more than 200000 bytes"),
    "endless chunk": (then(response(CHUNKED) + b"7fffffff\r\n", "flood"), "length: got more than 200000 bytes"),
    "endless header": (then(b"HTTP/1.1 200 OK\r\nX: ", "flood"), "connection: got LineTooLong"),
    "endless headers": (then(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9999, "flood"), "connection: got HTTPException"),
    "endless 100 Continue": (then(b"HTTP/1.1 100 Continue\r\n\r\n" * 80_000), "connection: got"),
    "endless redirect": (redirect_to("/data", then_flood=True), "connection: got OSError: 'more than"),
    "wrong bytes": (then(response(LENGTH) + CONTENT[::-1]), "SHA-256: got"),
    "one wrong bit": (then(response(LENGTH) + bytes([CONTENT[0] ^ 1]) + CONTENT[1:]), "SHA-256: got"),
    "silent": (then(b"", "stall"), "connection: got TimeoutError"),
    "stalls half-way": (then(response(LENGTH) + HALF, "stall"), "connection: got TimeoutError"),
    "stalls in a chunk": (then(response(CHUNKED) + chunk(HALF)[:-9], "stall"), "connection: got TimeoutError"),
    "drips the body": (then(response(LENGTH), "drip"), "time: got more than 0.5 s, expected at most deadline=0.5"),
    "drips the headers": (drip_headers, "time: got more than 0.5 s"),
    "drips a chunk size": (then(response(CHUNKED), "drip"), "time: got more than 0.5 s"),
    "drips a redirect": (then(response("Location: /1", LENGTH, status="302 Found"), "drip"), "time: got more than"),
    "404": (then(response(status="404 Not Found") + CONTENT), "HTTP status: got 404 'Not Found', expected 200 OK"),
    "500": (then(response(status="500 Oops") + CONTENT), "HTTP status: got 500 'Oops'"),
    "204": (then(response(status="204 No Content")), "HTTP status: got 204 'No Content'"),
    "206": (then(response(LENGTH, status="206 Partial Content") + CONTENT), "HTTP status: got 206 'Partial Content'"),
    "304": (then(response(status="304 Not Modified")), "HTTP status: got 304"),
    "redirect to itself": (redirect_to("/data"), "HTTP status: got 302"),
    "redirect without end": (lambda answer: redirect_to(answer.path + "x")(answer), "HTTP status: got 302"),
    "redirect to a file": (redirect_to("file:///etc/hostname"), "HTTP status: got 302"),
    "redirect to ftp": (
        redirect_to("ftp://127.0.0.1:9/data"),
        "connection: got URLError: '<urlopen error unknown url type",
    ),
    "redirect to nonsense": (redirect_to("http://[/"), "connection: got ValueError"),
    "redirect nowhere": (then(response(status="302 Found")), "HTTP status: got 302"),
    "not HTTP": (then(b"220 ftp.example.org ready\r\n"), "connection: got BadStatusLine"),
    "escape codes": (then(response(status="404 \x1b[2J")), r"HTTP status: got 404 '\x1b[2J'"),
}


@pytest.mark.parametrize(("answer", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_leaves_no_file(tmp_path: Path, answer: Callable[[Answer], None], message: str) -> None:
    limits = {"timeout": SHORT} if "TimeoutError" in message else {"deadline": SHORT} if "time:" in message else {}
    with serving(answer) as server:
        start = time.monotonic()
        with pytest.raises(DataError, match=re.escape(message)) as caught:
            get(server, tmp_path, **limits)
        assert time.monotonic() - start < TIMEOUT
        assert caught.value.source == f"{server.url}/data"
    assert list(tmp_path.iterdir()) == []
    # What the client did not take is in the system's socket buffers, of a few megabytes.
    assert server.sent < 1 << 25


def test_no_server_leaves_no_file(tmp_path: Path) -> None:
    with serving(then(b"")) as server:
        pass
    for url in (server.url, "https" + server.url[4:]):
        server.url = url
        with pytest.raises(DataError, match="connection: got URLError"):
            get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_https_is_not_satisfied_with_http(tmp_path: Path) -> None:
    with serving(RIGHT["with its length"]) as server:
        server.url = "https" + server.url[4:]
        with pytest.raises(DataError, match=r"connection: got URLError.*SSL"):
            get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_damaged_answers_leave_no_file(tmp_path: Path) -> None:
    """Fuzz: bits flipped in the status line, the headers and the framing, or the answer cut anywhere."""
    rng = np.random.default_rng(1)
    content, expected = CONTENT[:300], hashlib.sha256(CONTENT[:300]).hexdigest()
    whole = [
        response("Content-Length: 300", "Connection: close") + content,
        response(CHUNKED) + chunk(content[:200]) + chunk(content[200:]) + chunk(b""),
        response("Location: /data", status="301 Moved"),
    ]

    def answer(connection: Answer) -> None:
        data = bytearray(whole[rng.integers(0, 3)])
        for _ in range(rng.integers(0, 4)):
            data[rng.integers(0, min(len(data), 90))] ^= 1 << rng.integers(0, 8)
        connection.send(data[: rng.integers(0, len(data))] if rng.random() < 0.3 else data)

    arrived = 0
    with serving(answer) as server:
        for _ in range(300):
            try:
                path = get(server, tmp_path, sha256=expected)
            except DataError:
                assert list(tmp_path.iterdir()) == []
            else:
                assert path.read_bytes() == content
                path.unlink()
                arrived += 1
    assert 30 < arrived < 270


def test_the_unfinished_file_is_hidden_in_the_same_folder(tmp_path: Path) -> None:
    """Renaming is atomic only within one file system; until then nobody sees a file of that name."""
    seen = []

    def answer(connection: Answer) -> None:
        connection.send(response(LENGTH) + HALF)
        seen.extend(path.name for path in tmp_path.iterdir())
        connection.send(CONTENT[100_000:])

    with serving(answer) as server:
        get(server, tmp_path)
    assert len(seen) == 1 and re.fullmatch(r"\.[0-9a-f]+\.tmp", seen[0])


def test_the_checksum_is_compared_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(source: Path, target: Path) -> None:
        pytest.fail("a file with a wrong checksum was renamed")

    monkeypatch.setattr(os, "replace", replace)
    with serving(WRONG["wrong bytes"][0]) as server, pytest.raises(DataError, match="SHA-256"):
        get(server, tmp_path)


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    with serving(RIGHT["with its length"]) as server, pytest.raises(OSError, match="No space left"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    monkeypatch.setattr("builtins.print", interrupt)
    with serving(RIGHT["with its length"]) as server, pytest.raises(KeyboardInterrupt):
        get(server, tmp_path, progress=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_kept_and_nothing_is_fetched(tmp_path: Path) -> None:
    path = tmp_path / "data.gz"
    path.write_bytes(CONTENT)
    with serving(RIGHT["with its length"]) as server:
        assert get(server, tmp_path, sha256=SHA256.upper()) == path
        path.write_bytes(b"mine")
        with pytest.raises(FileExistsError, match=r"data\.gz exists and its SHA-256 is not .*: move it away first"):
            get(server, tmp_path)
        assert path.read_bytes() == b"mine" and server.requests == []


def test_a_bad_place_shows_before_anything_is_fetched(tmp_path: Path) -> None:
    with serving(RIGHT["with its length"]) as server:
        with pytest.raises(FileNotFoundError):
            get(server, tmp_path / "missing")
        (tmp_path / "data.gz").mkdir()
        with pytest.raises(FileExistsError):
            get(server, tmp_path)
        assert server.requests == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "ftp://example.org/data"}, "url is 'ftp://example.org/data', expected http:// or https://"),
        ({"url": "file:///etc/hostname"}, "url is 'file:///etc/hostname', expected http:// or https://"),
        ({"url": "example.org/data"}, "url is 'example.org/data', expected http:// or https://"),
        ({"sha256": "abc"}, "sha256 is 'abc', expected 64 hexadecimal digits"),
        ({"max_bytes": 0}, "max_bytes is 0, expected a positive number"),
        ({"timeout": -1.0}, "timeout is -1.0, expected a positive number"),
        ({"deadline": float("nan")}, "deadline is nan, expected a positive number"),
        ({"deadline": float("inf")}, "deadline is inf, expected a positive number"),
    ],
)
def test_bad_arguments(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    arguments = {"url": "http://127.0.0.1:9/data", "path": tmp_path / "data", "sha256": SHA256, "max_bytes": 5}
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        download(**{**arguments, **changes})
    assert not isinstance(caught.value, DataError) and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["with its length", "without its length"])
def test_progress_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with serving(RIGHT[name]) as server:
        get(server, tmp_path, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and err.endswith("data.gz: 200.0 of 200.0 kB\n")


@pytest.mark.parametrize(("terminal", "start", "end", "times"), [(True, "\r", "", 100), (False, "", "\n", 10)])
def test_progress_is_one_line_on_a_terminal_and_ten_in_a_log(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    start: str,
    end: str,
    times: int,
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    line = MODULE._ProgressLine("data.gz")
    for _ in range(1000):
        line.add(50, 50_000)
    shown = [f"{start}data.gz: {50 * i / times:.1f} of 50.0 kB{end}" for i in range(1, times + 1)]
    assert capsys.readouterr().err == "".join(shown) + ("\n" if terminal else "")


def test_no_progress_is_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(RIGHT["with its length"]) as server:
        get(server, tmp_path)
    assert capsys.readouterr() == ("", "")
