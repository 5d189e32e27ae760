import hashlib
import io
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

from suresam.errors import ConfigurationError
from suresam.segmentation.download_progress import DownloadProgress
from suresam.segmentation.downloads import RETRIES, DownloadError, download, pull_model
from suresam.segmentation.manifests import ModelManifest, load_manifest

CONTENT = bytes(range(256)) * 40  # 10,240 bytes
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """What a local file server answers, and what it was asked."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    has_ranges: bool = True
    claimed_length: int | None = None
    statuses: list[int] = field(default_factory=list)  # one is used up by each request
    cuts: list[int] = field(default_factory=list)  # likewise: bytes sent before the line breaks
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
            site.asked.append((self.path, wanted, condition))
            if site.statuses:
                self.send_error(site.statuses.pop(0))
                return
            start = 0
            if wanted is not None and site.has_ranges and condition == site.etag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(site.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(site.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                last = len(site.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(site.content)}")
            if site.etag is not None:
                self.send_header("ETag", site.etag)
            length = site.claimed_length or len(site.content) - start
            self.send_header("Content-Length", str(length))
            self.end_headers()
            end = start + site.cuts.pop(0) if site.cuts else None
            self.wfile.write(site.content[start:end])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        site.url = f"http://127.0.0.1:{server.server_port}"
        yield site
        server.shutdown()
        thread.join()


class Fetch:
    """Downloads to one place and remembers the waits between tries."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.part = target.with_name(f"{target.name}.part")
        self.version = target.with_name(f"{target.name}.part.version")
        self.waits: list[float] = []
        self.told = io.StringIO()

    def __call__(self, url: str, sha256: str = SHA256) -> None:
        with DownloadProgress("weights.pt", self.told) as progress:
            download(url, self.target, sha256=sha256, progress=progress, sleep=self.waits.append)

    def leave_part(self, content: bytes, version: str | None) -> None:
        """What an earlier process that was killed left behind."""
        self.part.write_bytes(content)
        if version is not None:
            self.version.write_text(version)

    def left_over(self) -> list[str]:
        return sorted(path.name for path in self.target.parent.glob("weights.pt.part*"))


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path / "weights.pt")


def test_whole_file_arrives_and_nothing_is_left_over(site, fetch):
    fetch(f"{site.url}/weights.pt")
    assert fetch.target.read_bytes() == CONTENT
    assert fetch.left_over() == []
    assert site.asked == [("/weights.pt", None, None)]


def test_target_folder_is_made(site, tmp_path):
    fetch = Fetch(tmp_path / "new" / "folder" / "weights.pt")
    fetch(site.url)
    assert fetch.target.read_bytes() == CONTENT


def test_cut_connection_is_resumed_where_it_broke(site, fetch):
    site.cuts = [1000, 2000]
    fetch(site.url)
    assert fetch.target.read_bytes() == CONTENT
    assert site.asked == [
        ("/", None, None),
        ("/", "bytes=1000-", '"one"'),
        ("/", "bytes=3000-", '"one"'),
    ]
    assert fetch.waits == [1.0, 1.0]  # new bytes came each time


def test_part_of_an_earlier_process_is_resumed(site, fetch):
    fetch.leave_part(CONTENT[:700], '"one"')
    fetch(site.url)
    assert fetch.target.read_bytes() == CONTENT
    assert site.asked == [("/", "bytes=700-", '"one"')]


def test_server_without_ranges_starts_over(site, fetch):
    site.has_ranges = False
    site.cuts = [1000]
    fetch(site.url)
    assert fetch.target.read_bytes() == CONTENT
    assert len(site.asked) == 2


def test_server_without_ranges_that_always_breaks_is_given_up(site, fetch):
    site.has_ranges = False
    site.cuts = [1000] * 100
    with pytest.raises(DownloadError):
        fetch(site.url)
    assert len(site.asked) == RETRIES + 1


def test_changed_file_is_fetched_from_the_start(site, fetch):
    fetch.leave_part(b"of another version", '"zero"')
    fetch(site.url)
    assert fetch.target.read_bytes() == CONTENT
    assert site.asked == [("/", f"bytes={len(b'of another version')}-", '"zero"')]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_part_without_a_strong_version_is_not_continued(site, fetch, etag):
    site.etag = etag
    site.cuts = [1000]
    fetch(site.url)
    assert fetch.target.read_bytes() == CONTENT
    assert site.asked == [("/", None, None), ("/", None, None)]


def test_part_that_is_whole_already_is_accepted(site, fetch):
    fetch.leave_part(CONTENT, '"one"')
    fetch(site.url)
    assert fetch.target.read_bytes() == CONTENT
    assert len(site.asked) == 1


def test_part_longer_than_the_file_is_thrown_away(site, fetch):
    fetch.leave_part(CONTENT + b"more", '"one"')
    fetch(site.url)
    assert fetch.target.read_bytes() == CONTENT


def test_wrong_hash_is_told_and_leaves_what_was_there(site, fetch):
    fetch.target.write_bytes(b"an older valid file")
    with pytest.raises(DownloadError, match=f"SHA-256 {SHA256}, expected {64 * '0'}"):
        fetch(site.url, sha256=64 * "0")
    assert fetch.target.read_bytes() == b"an older valid file"
    assert fetch.left_over() == []


def test_missing_file_is_told_at_once(site, fetch):
    site.statuses = [404]
    with pytest.raises(
        DownloadError, match=rf"download {site.url}: the server answered 404 Not Found; "
    ):
        fetch(site.url)
    assert len(site.asked) == 1


def test_busy_server_is_asked_again_with_growing_waits(site, fetch):
    site.statuses = [503, 429, 500]
    fetch(site.url)
    assert fetch.target.read_bytes() == CONTENT
    assert fetch.waits == [1.0, 2.0, 4.0]


def test_connection_without_new_bytes_is_given_up_and_the_part_is_kept(site, fetch):
    site.cuts = [1000] + [0] * 100
    with pytest.raises(DownloadError) as told:
        fetch(site.url)
    assert "\n" not in str(told.value)
    assert fetch.waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert fetch.part.read_bytes() == CONTENT[:1000]


def test_nothing_listening_is_told_at_once_with_what_to_do(fetch):
    url = "http://127.0.0.1:1/weights.pt"
    with pytest.raises(
        DownloadError, match=rf"download {url}: .*refused.*; check .* put it at {fetch.target}$"
    ) as told:
        fetch(url)
    assert "\n" not in str(told.value)
    assert fetch.waits == []


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/x", "http://[::1/x"])
def test_wrong_url_is_refused(fetch, url):
    with pytest.raises(DownloadError, match=re.escape(url)):
        fetch(url)


def test_full_disk_is_told_before_anything_is_written(site, fetch):
    site.claimed_length = 10**18
    with pytest.raises(DownloadError, match=r"MB free, 1000000000000\.0 MB are needed"):
        fetch(site.url)
    assert not fetch.part.exists()


def test_folder_that_cannot_be_made_is_told(site, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match=r"cannot write .*weights\.pt: "):
        Fetch(tmp_path / "file" / "weights.pt")(site.url)


def test_second_process_is_refused(site, fetch):
    with (
        FileLock(fetch.target.with_name(".weights.pt.lock")),
        pytest.raises(DownloadError, match="by another process"),
    ):
        fetch(site.url)
    assert site.asked == []


def test_plain_output_has_a_line_every_tenth_and_no_control_characters(site, fetch):
    fetch(site.url)
    first, *lines = fetch.told.getvalue().splitlines()
    assert first == "weights.pt: 0.0 MB, starting at 0.0 MB"
    assert lines[-1] == "weights.pt: 100 %"
    assert "\r" not in fetch.told.getvalue()


def test_terminal_gets_one_bar_that_continues_after_a_break(site, fetch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    fetch.told = Terminal()
    site.cuts = [5120]
    fetch(site.url)
    shown = fetch.told.getvalue()
    assert "50%" in shown
    assert "100%" in shown.splitlines()[-1]


@pytest.fixture
def manifest(site: Site) -> ModelManifest:
    """A model whose weights nobody has, so that no real download is touched."""
    tiny = load_manifest("sam2.1_hiera_tiny")
    return replace(tiny, weights="t.pt", url=f"{site.url}/folder/t.pt", sha256=SHA256)


def test_model_is_pulled_into_the_users_folder_once(site, manifest, tmp_path):
    path = pull_model(manifest, tmp_path, stream=io.StringIO())
    assert path == tmp_path / manifest.weights
    assert path.read_bytes() == CONTENT
    assert pull_model(manifest, tmp_path, stream=io.StringIO()) == path
    assert [asked[0] for asked in site.asked] == ["/folder/t.pt"]


def test_mirror_replaces_all_of_the_url_but_the_file_name(site, manifest, tmp_path):
    elsewhere = replace(manifest, url="http://nowhere.invalid/x.pt")
    pull_model(elsewhere, tmp_path, mirror=f"{site.url}/mirror/", stream=io.StringIO())
    assert [asked[0] for asked in site.asked] == ["/mirror/t.pt"]


def test_damaged_weights_are_fetched_again(site, manifest, tmp_path):
    (tmp_path / manifest.weights).write_bytes(b"damaged")
    told = io.StringIO()
    assert pull_model(manifest, tmp_path, stream=told).read_bytes() == CONTENT
    assert "is damaged and is fetched again" in told.getvalue()


def test_model_without_an_established_hash_is_not_downloaded(site, tmp_path):
    manifest = replace(load_manifest("sam2_hiera_tiny"), weights="nosuch.pt")
    message = f"no established SHA-256 .* download {manifest.url} yourself and put it at {tmp_path}"
    with pytest.raises(ConfigurationError, match=message):
        pull_model(manifest, tmp_path, mirror=site.url)
    (tmp_path / manifest.weights).write_bytes(b"brought by the user")
    assert pull_model(manifest, tmp_path) == tmp_path / manifest.weights
    assert site.asked == []


def test_model_without_url_is_not_downloaded(manifest, tmp_path):
    with pytest.raises(ConfigurationError, match="comes without a URL"):
        pull_model(replace(manifest, url=None), tmp_path)
