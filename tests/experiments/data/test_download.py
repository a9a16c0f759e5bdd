import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from experiments.data.download import DownloadError, download_file

CONTENT = np.random.default_rng(0).bytes(3_000_000)


class Server:
    """A server on this machine that can be told to misbehave."""

    def __init__(self):
        self.content, self.requests = CONTENT, []
        self.knows_ranges, self.break_after, self.breaks, self.errors = True, None, 0, []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.headers.get("Range"))
                if server.errors:
                    return self.send_error(server.errors.pop(0))
                if self.path != "/file.bin":
                    return self.send_error(404)
                start, size = 0, len(server.content)
                if server.knows_ranges and self.headers.get("Range"):
                    start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
                    if start >= size:
                        self.send_response(416)
                        self.send_header("Content-Range", f"bytes */{size}")
                        self.send_header("Content-Length", "0")
                        return self.end_headers()
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
                else:
                    self.send_response(200)
                self.send_header("Content-Length", str(size - start))
                self.end_headers()
                rest = server.content[start:]
                if server.breaks:
                    server.breaks -= 1
                    rest = rest[: server.break_after]
                self.wfile.write(rest)
                return None

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/file.bin"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "file.bin"


def part_of(path):
    return path.with_name("file.bin.part")


def test_a_file_is_downloaded_once_and_progress_ends_at_its_size(server, path):
    seen = []
    download_file(server.url, path, progress=lambda done, total: seen.append((done, total)))
    download_file(server.url, path)
    assert path.read_bytes() == CONTENT
    assert not part_of(path).exists()
    assert server.requests == [None]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_broken_connection_is_gone_on_with(server, path):
    server.break_after, server.breaks = 1_000_000, 2
    download_file(server.url, path, pause=0)
    assert path.read_bytes() == CONTENT
    assert server.requests == [None, "bytes=1000000-", "bytes=2000000-"]


def test_what_a_killed_program_left_is_gone_on_with(server, path):
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT[:1234])
    download_file(server.url, path)
    assert path.read_bytes() == CONTENT
    assert server.requests == ["bytes=1234-"]


def test_a_server_without_ranges_starts_over(server, path):
    server.knows_ranges = False
    path.parent.mkdir()
    part_of(path).write_bytes(b"old" * 1000)
    download_file(server.url, path)
    assert path.read_bytes() == CONTENT


def test_a_complete_part_only_gets_its_name(server, path):
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT)
    download_file(server.url, path)
    assert path.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server, path):
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT + b"more")
    download_file(server.url, path, pause=0)
    assert path.read_bytes() == CONTENT


def test_a_dead_connection_gives_up_and_keeps_what_there_is(server, path):
    server.break_after, server.breaks = 0, 100
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT[:1234])
    with pytest.raises(DownloadError, match=r"file.bin cannot be downloaded: .*file.bin.part, is gone on with next"):
        download_file(server.url, path, attempts=3, pause=0)
    assert len(server.requests) == 3
    assert part_of(path).read_bytes() == CONTENT[:1234]
    assert not path.exists()


def test_a_server_that_starts_over_and_always_breaks_off_is_given_up(server, path):
    server.knows_ranges = False
    server.break_after, server.breaks = 1_000_000, 100
    with pytest.raises(DownloadError, match="the connection broke off"):
        download_file(server.url, path, attempts=3, pause=0)
    # The first brought something new, the others the same again.
    assert len(server.requests) == 3
    assert not path.exists()


def test_busy_servers_are_asked_again_and_refusals_are_not(server, path):
    server.errors = [503, 429]
    download_file(server.url, path, pause=0)
    assert path.read_bytes() == CONTENT
    server.requests.clear()
    with pytest.raises(DownloadError, match=r"other\.bin cannot be downloaded: 404 Not Found"):
        download_file(server.url.replace("file", "other"), path.with_name("other.bin"), pause=0)
    assert len(server.requests) == 1


def test_nobody_listening_is_an_error_in_words(server, path):
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(DownloadError, match=r"cannot be downloaded: .*refused"):
        download_file(server.url, path, attempts=2, pause=0)


def test_a_file_that_fails_its_check_is_deleted(server, path):
    def refuse(part):
        assert part.read_bytes() == CONTENT
        raise ValueError(f"{part.name} is bad")

    with pytest.raises(ValueError, match=r"file.bin.part is bad"):
        download_file(server.url, path, check=refuse)
    assert list(path.parent.iterdir()) == []
    download_file(server.url, path, check=lambda part: None)
    assert path.read_bytes() == CONTENT
