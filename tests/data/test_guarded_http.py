"""The guard between socket and http.client, on a socket made of bytes; test_download.py has it on real ones."""

import io
import time

import pytest

from scratchgen.data.guarded_http import _OVERHEAD, Limits, _GuardedSocket


class Waits:
    """In the place of a socket: notes how long it is allowed to wait."""

    def __init__(self) -> None:
        self.allowed: list[float] = []

    def settimeout(self, seconds: float) -> None:
        self.allowed.append(seconds)


class Incoming(io.RawIOBase):
    """As many zero bytes as are asked for, for ever."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        buffer[:] = bytes(len(buffer))
        return len(buffer)


def guarded(timeout: float, seconds_left: float, max_bytes: int = 100) -> tuple[_GuardedSocket, Waits, Incoming]:
    waits, incoming = Waits(), Incoming()
    return _GuardedSocket(waits, incoming, Limits(timeout, time.monotonic() + seconds_left, max_bytes)), waits, incoming


def test_a_wait_is_no_longer_than_the_timeout_and_the_time_left() -> None:
    for timeout, left in ((5.0, 100.0), (100.0, 50.0)):
        sock, waits, _ = guarded(timeout, left)
        sock.read(1)
        sock.read(1)
        assert all(0.5 * min(timeout, left) < allowed <= min(timeout, left) for allowed in waits.allowed)
        assert len(waits.allowed) == 2


def test_nothing_is_read_after_the_deadline() -> None:
    sock, waits, _ = guarded(timeout=5.0, seconds_left=0.0)
    with pytest.raises(TimeoutError, match="the deadline has passed"):
        sock.read(1)
    assert waits.allowed == []


def test_nothing_is_read_after_the_largest_body_and_some_room_for_headers() -> None:
    sock, _, _ = guarded(timeout=5.0, seconds_left=100.0, max_bytes=100)
    assert len(sock.read(_OVERHEAD + 99)) == _OVERHEAD + 99
    assert len(sock.read(1)) == 1
    with pytest.raises(OSError, match=f"more than {_OVERHEAD + 100} bytes were sent"):
        sock.read(1)


def test_closing_closes_what_is_below() -> None:
    sock, _, incoming = guarded(timeout=5.0, seconds_left=100.0)
    sock.close()
    assert sock.closed and incoming.closed
