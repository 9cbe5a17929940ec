"""A headless Chromium for tests, driven by its DevTools protocol over a pair of pipes.

Commands go in by file descriptor 3, answers and events come out of 4, each a JSON object that a NUL ends
(``--remote-debugging-pipe``). https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path

import pytest

REQUIRED = "SCRATCHGEN_NEEDS_CHROMIUM"  # set where a missing browser is a failure, not a reason to skip: by .ci/run
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
SECONDS = 60  # to wait for any answer


def find_chromium() -> str:
    """The path of the browser; skips the test if there is none, or fails it where one is required."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None or not hasattr(os, "posix_spawn"):
        message = f"no Chromium is installed (looked for {', '.join(NAMES)})"
        pytest.fail(message) if os.environ.get(REQUIRED) else pytest.skip(message)
    return path


class Browser:
    """A browser process; use it in a ``with`` statement. ``log`` gets what it prints."""

    def __init__(self, profile: Path) -> None:
        self.path, self.profile, self.log = find_chromium(), profile, profile / "log.txt"
        self.number, self.rest, self.events = 0, b"", []

    def __enter__(self) -> "Browser":
        import fcntl  # which Windows has not, nor posix_spawn: there, no browser is found

        self.profile.mkdir(parents=True, exist_ok=True)
        (commands_out, commands_in), (answers_out, answers_in) = os.pipe(), os.pipe()
        # From 10 up, so that placing one end at 3 does not close another.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (commands_out, answers_in)]
        for end in (commands_out, answers_in):
            os.close(end)
        self.commands, self.answers = commands_in, answers_out
        self.process = os.posix_spawn(
            self.path,
            [self.path, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"],
            {**os.environ, "HOME": str(self.profile)},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                *((os.POSIX_SPAWN_DUP2, end, number) for end, number in zip(theirs, (3, 4))),
            ],
            setpgroup=0,
        )
        for end in theirs:
            os.close(end)
        return self

    def __exit__(self, *exception: object) -> None:
        os.killpg(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        for end in (self.commands, self.answers):
            os.close(end)

    def send(self, method: str, session: str | None = None, **parameters: object) -> dict:
        """Send a command, and return its result; what happens meanwhile is kept in ``events``."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        os.write(self.commands, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        until = time.monotonic() + SECONDS
        while True:
            answer = self.receive(until - time.monotonic())
            if answer is None:
                raise TimeoutError(f"no answer to {method}; the browser said: {self.log.read_text(errors='replace')}")
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def receive(self, seconds: float) -> dict | None:
        """The next message, or None if none comes within these seconds."""
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.answers], [], [], max(seconds, 0))
            read = os.read(self.answers, 1 << 20) if ready else b""
            if not read:
                return None
            self.rest += read
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, path: Path, width: int = 1280, height: int = 800, **media: str) -> "Page":
        """Load a file in a page of its own, as large as said, and wait until it has loaded.

        ``media`` are what the user prefers, such as ``prefers_color_scheme="dark"``.
        """
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"], target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        page.send("Page.bringToFront")  # what is behind another page may stand still
        page.resize(width, height)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        page.send("Emulation.setEmulatedMedia", features=features)
        page.send("Page.navigate", url=path.resolve().as_uri())
        page.wait_for("document.readyState === 'complete' && location.protocol === 'file:'")
        return page


class Page:
    """A page that is open in the browser."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self.browser, self.session, self.target = browser, session, target

    def send(self, method: str, **parameters: object) -> dict:
        """Send a command to this page."""
        return self.browser.send(method, self.session, **parameters)

    def resize(self, width: int, height: int) -> None:
        """Make the window so large, in CSS pixels; a narrow one is a phone's, which shows wide pages shrunk."""
        self.width = width
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def run(self, script: str) -> object:
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description", answer))
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until the JavaScript expression is true."""
        until = time.monotonic() + SECONDS
        while not self.run(condition):
            if time.monotonic() > until:
                raise TimeoutError(f"never true: {condition}")
            time.sleep(0.02)

    def press(self, key: str, code: int) -> None:
        """Press and release a key, as at a keyboard; ``code`` is its number in JavaScript's ``keyCode``."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, text=text, windowsVirtualKeyCode=code)

    def click(self, selector: str) -> None:
        """Scroll to the first element that the selector finds, and click in its middle."""
        x, y = self.run(
            f"""(() => {{
                const element = document.querySelector({json.dumps(selector)});
                element.scrollIntoView({{block: "center", behavior: "instant"}});
                const box = element.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def complaints(self) -> list[str]:
        """What a console would show as an error or a warning, up to now."""
        self.run("0")
        found = []
        for event in self.happened("Log.entryAdded"):
            entry = event["entry"]
            found += [entry["text"]] if entry["level"] in ("error", "warning") else []
        for event in self.happened("Runtime.consoleAPICalled"):
            found += [str(event["args"])] if event["type"] in ("error", "warning", "assert") else []
        found += [str(event["exceptionDetails"]) for event in self.happened("Runtime.exceptionThrown")]
        return found

    def requests(self) -> list[str]:
        """The addresses that were asked for, but for what the page itself contains."""
        urls = [event["request"]["url"] for event in self.happened("Network.requestWillBeSent")]
        return [url for url in urls if not url.startswith(("data:", "blob:"))]

    def happened(self, method: str) -> list[dict]:
        """The parameters of all events of this kind."""
        mine = (event for event in self.browser.events if event.get("sessionId") == self.session)
        return [event["params"] for event in mine if event["method"] == method]

    def screenshot(self, path: Path, full: bool = False) -> None:
        """Save what is to be seen, or with ``full`` the whole page, as PNG."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=full)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """Close the page."""
        self.browser.send("Target.closeTarget", targetId=self.target)
