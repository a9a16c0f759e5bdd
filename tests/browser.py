"""A headless browser, driven through its pipe: pages, their errors, what they fetch, their pictures."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: Widths of a phone and of a desk, in pixels.
PHONE, DESK = 390, 1280


def executable():
    """The path of a browser; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One process of the browser with one page."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        to_read, self.out = os.pipe()
        self.inward, to_write = os.pipe()

        def wired():
            # The browser reads from 3 and writes to 4, wherever these were before.
            read, write = os.dup(to_read), os.dup(to_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        quiet = ["--disable-background-networking", "--disable-component-update", "--no-first-run"]
        self.process = subprocess.Popen(
            [executable(), *options, *quiet, "--remote-debugging-pipe", f"--user-data-dir={self.folder.name}"],
            stderr=subprocess.DEVNULL,
            preexec_fn=wired,
            close_fds=False,
        )
        os.close(to_read)
        os.close(to_write)
        self.count, self.rest, self.session, self.events = 0, b"", None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.inward)
        self.folder.cleanup()

    def _next(self, deadline):
        while b"\0" not in self.rest:
            if not select.select([self.inward], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            self.rest += os.read(self.inward, 1 << 20)
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def call(self, method, seconds=60, **parameters):
        """Call a method of the DevTools protocol and return its result; events are kept."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + seconds
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, event, seconds=60):
        """Wait until an event has come."""
        deadline = time.monotonic() + seconds
        while not any(one.get("method") == event for one in self.events):
            self.events.append(self._next(deadline))

    def show(self, width, dark):
        """Show the page at a width, in light or dark colours."""
        height = 844 if width == PHONE else 900
        phone = width == PHONE
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address, width=DESK, dark=False):
        """Open a page at a width, in light or dark colours, and forget what the one before has complained of."""
        self.show(width, dark)
        # A heading of the same page would be scrolled to, and nothing loaded.
        self.events.clear()
        self.call("Page.navigate", url="about:blank")
        self.wait("Page.loadEventFired")
        self.events.clear()
        self.call("Page.navigate", url=address)
        self.wait("Page.loadEventFired")

    def run(self, expression):
        """The value of an expression of JavaScript, waited for if it is a promise."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def until(self, expression, seconds=30):
        """Wait until an expression of JavaScript is true."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(expression)):
            if time.monotonic() > deadline:
                raise TimeoutError(expression)
            time.sleep(0.05)
        return value

    def errors(self):
        """What the page has complained of since it was opened."""
        thrown = [
            e["params"]["exceptionDetails"] for e in self.events if e.get("method") == "Runtime.exceptionThrown"
        ]
        logged = [e["params"]["entry"]["text"] for e in self.events if e.get("method") == "Log.entryAdded"]
        told = [e["params"] for e in self.events if e.get("method") == "Runtime.consoleAPICalled"]
        return thrown + logged + [one["args"] for one in told if one["type"] in ("error", "assert")]

    def fetched(self):
        """The addresses that the page has asked for since it was opened."""
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def press(self, key, code):
        """Press a key, such as Tab."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, path, whole=False):
        """Write what is seen of the page, or the whole of it, as a PNG."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))
