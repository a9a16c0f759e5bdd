import io
import pickle
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rich.console import Console
from scipy.ndimage import gaussian_filter

from experiments.data import etopo_files
from experiments.data.etopo import LONGITUDES, MARGIN, etopo
from experiments.data.etopo_files import TILES, check_tile, download_tiles, read_window, tile_path
from experiments.data.regions import SPLITS
from scripts.download_etopo import main
from scripts.small_trees import relief, write_tile

# All of them together take many seconds.
pytestmark = pytest.mark.slow

# One tile of a column to train on, to validate on, to test on.
CHOSEN = ("N45E000", "S15E015", "N45E045")


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """Three tiles of full size, in the two layouts and two types that GeoTIFF elevation comes in."""
    root = tmp_path_factory.mktemp("etopo")
    write_tile(tile_path(root, CHOSEN[0]), relief(0).astype(np.float32), tiled=True, blockxsize=256, blockysize=256)
    write_tile(tile_path(root, CHOSEN[1]), relief(1).astype(np.int16))
    write_tile(tile_path(root, CHOSEN[2]), relief(2).astype(np.int16), tiled=True, blockxsize=512, blockysize=512)
    return root


def test_tiles_are_the_288_of_the_archive():
    assert len(set(TILES)) == 288
    assert (TILES[0], TILES[-1]) == ("N90W180", "S75E165")
    assert tile_path("a", "N00W015").name == "ETOPO_2022_v1_15s_N00W015_surface.tif"
    for missing in ("N45E046", "S90E000", "N45W000", "n45e045"):
        with pytest.raises(ValueError, match=f"tile must be one of N90W180, .*, got '{missing}'"):
            tile_path("a", missing)


def test_patches_are_side_by_side_off_the_tiles_edge(root):
    splits = etopo(root, tiles=CHOSEN)
    assert (splits.task, splits.in_channels, splits.image_size) == ("super_resolution", 1, (192, 192))
    for number, split in enumerate(SPLITS):
        part = getattr(splits, split)
        assert len(part) == 256
        assert (part.corners[:, 0] == number).all()
        seen = np.zeros((3600, 3600), int)
        for _, top, left in part.corners:
            seen[top : top + 192, left : left + 192] += 1
        assert (seen[MARGIN:-MARGIN, MARGIN:-MARGIN] == 1).all()
        assert seen.sum() == (3600 - 2 * MARGIN) ** 2
    assert [len(etopo(root, tiles=CHOSEN, test_size=size).test) for size in (64, 128, 256)] == [2304, 576, 144]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_items_are_what_blurring_the_whole_tile_first_gives(root, number):
    splits = etopo(root, tiles=CHOSEN)
    part = pickle.loads(pickle.dumps(getattr(splits, SPLITS[number])))
    with rasterio.open(tile_path(root, CHOSEN[number])) as raster:
        clear = raster.read(1).astype(np.float64)
    blurred = gaussian_filter(clear, 3.0)
    for index in (0, 100, 255):
        _, top, left = part.corners[index]
        inside = np.s_[top : top + 192, left : left + 192]
        mean, std = blurred[inside].mean(), blurred[inside].std()
        image, target = part[index]
        assert image.dtype == target.dtype == torch.float32
        np.testing.assert_allclose(image[0], (blurred[inside] - mean) / std, atol=1e-4)
        np.testing.assert_allclose(target[0], (clear[inside] - mean) / std, atol=1e-4)


def test_the_papers_setting_takes_the_clear_range_and_all_tiles(root):
    splits = etopo(root, tiles=CHOSEN, normalisation="target_range", paper_split=True)
    for split in SPLITS:
        assert len(getattr(splits, split)) == 3 * 256
    _, target = splits.train[300]
    assert (target.min().item(), target.max().item()) == pytest.approx((-1, 1), abs=1e-5)


def test_halo_adds_true_context_and_changes_nothing_else(root):
    near, far = etopo(root, tiles=CHOSEN).test, etopo(root, tiles=CHOSEN, halo=128).test
    image, target = far[0]
    assert image.shape == (1, 448, 448)
    torch.testing.assert_close(image[:, 128:-128, 128:-128], near[0][0], atol=1e-5, rtol=0)
    torch.testing.assert_close(target, near[0][1])


def test_smooth_ice_is_not_blown_up(root, tmp_path):
    # Waves of a millimetre, as rounding leaves them.
    ice = np.full((3600, 3600), 3000, np.float32)
    ice[::5] += 0.001
    for tile in CHOSEN:
        write_tile(tile_path(tmp_path, tile), ice)
    image, target = etopo(tmp_path, tiles=CHOSEN).test[0]
    assert image.abs().max() < 0.01
    assert target.abs().max() < 0.01


def test_every_column_belongs_to_one_split(monkeypatch):
    monkeypatch.setattr("experiments.data.etopo._check_files", lambda root, paths: None)
    splits = etopo("anywhere")
    owners = {}
    for split in SPLITS:
        for number in np.unique(getattr(splits, split).corners[:, 0]):
            owners.setdefault(TILES[number][3:], set()).add(split)
    assert len(owners) == len(LONGITUDES) == 24
    assert all(len(owner) == 1 for owner in owners.values())
    assert [len(getattr(splits, split)) for split in SPLITS] == [46_080, 9_216, 18_432]
    assert len(etopo("anywhere", train_patches=1000).train) == 1000
    # The tile of the paper's figure 3 is one to test on.
    assert owners["E045"] == {"test"}


def test_missing_tiles_say_what_to_do(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"285 of 288 ETOPO tiles are missing in .*scripts.download_etopo"):
        etopo(root)
    with pytest.raises(FileNotFoundError, match=r"put ETOPO_2022_v1_15s_N90W180_surface.tif and the .* https://www"):
        etopo(tmp_path / "nowhere")


def test_damaged_and_foreign_tiles_are_named(root, tmp_path):
    for tile in CHOSEN:
        shutil.copy(tile_path(root, tile), tile_path(tmp_path, tile))
    torn = tile_path(tmp_path, CHOSEN[0])
    splits = etopo(tmp_path, tiles=CHOSEN)
    whole = torn.read_bytes()
    # A tile's head is whole, so that only reading finds the damage.
    torn.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    with pytest.raises(ValueError, match=r"N45E000_surface.tif cannot be read: delete it and download it again"):
        [splits.train[index] for index in range(256)]
    with pytest.raises(ValueError, match=r"N45E000_surface.tif is no GeoTIFF, or damaged"):
        check_tile(torn, whole=True)
    torn.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"N45E000_surface.tif is no GeoTIFF, or damaged"):
        etopo(tmp_path, tiles=CHOSEN)
    write_tile(torn, np.zeros((10, 20), np.int16))
    with pytest.raises(ValueError, match=r"must have one band of 3600 x 3600, got 1 of \(10, 20\)"):
        etopo(tmp_path, tiles=CHOSEN)
    torn.unlink()
    with pytest.raises(ValueError, match=r"N45E000_surface.tif cannot be read"):
        read_window(torn, 0, 0, 4, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "size must be within 16 and 3072, got 8"),
        ({"test_size": 4000}, "test_size must be within 16 and 3072, got 4000"),
        ({"sigma": 0.0}, "sigma must be above 0 and at most 16, got 0.0"),
        ({"halo": 129}, "halo must be within 0 and 128, got 129"),
        ({"train_patches": 0}, "train_patches must be at least 1, or null for all, got 0"),
        ({"train_patches": 257}, "train_patches must be at most 256 with these options, got 257"),
        ({"normalisation": "max"}, "normalisation must be one of input, target_range, got 'max'"),
        ({"tiles": CHOSEN[:1]}, "none of the tiles is in a column to validation on"),
    ],
)
def test_bad_options_are_refused(root, options, message):
    with pytest.raises(ValueError, match=message):
        etopo(root, **{"tiles": CHOSEN, **options})


class Breaking(SimpleHTTPRequestHandler):
    """Serves files and their ends, and breaks off the first answer half way."""

    broken = False

    def do_GET(self):
        try:
            content = Path(self.translate_path(self.path)).read_bytes()
        except OSError:
            return self.send_error(404)
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = len(content)
        if not type(self).broken:
            type(self).broken, stop = True, len(content) // 2
        self.wfile.write(content[start:stop])
        return None

    def log_message(self, *arguments):
        pass


@pytest.fixture
def url(root, monkeypatch):
    monkeypatch.setattr(Breaking, "broken", False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Breaking, directory=str(root)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_missing_tiles_are_downloaded_over_a_broken_connection(root, url, tmp_path):
    shutil.copy(tile_path(root, CHOSEN[0]), tile_path(tmp_path, CHOSEN[0]))
    console = Console(file=io.StringIO(), width=200)
    download_tiles(tmp_path, CHOSEN, url, console, pause=0)
    for tile in CHOSEN:
        assert tile_path(tmp_path, tile).read_bytes() == tile_path(root, tile).read_bytes()
    assert not list(tmp_path.glob("*.part"))
    assert "S15E015_surface.tif (1 of 2)" in console.file.getvalue()


def test_the_loader_downloads_on_request(monkeypatch, url, tmp_path):
    real = etopo_files.download_tiles
    monkeypatch.setattr("experiments.data.etopo.download_tiles", lambda root, tiles: real(root, tiles, url, pause=0))
    assert len(etopo(tmp_path, tiles=CHOSEN, download=True).test) == 256


def test_the_program_downloads_and_reports_in_words(root, url, tmp_path):
    main(["--root", str(tmp_path), "--url", url, "--tiles", CHOSEN[1]])
    check_tile(tile_path(tmp_path, CHOSEN[1]), whole=True)
    with pytest.raises(SystemExit, match=r"N90W180_surface\.tif cannot be downloaded: 404"):
        main(["--root", str(tmp_path), "--url", url, "--tiles", "N90W180"])


def test_a_page_in_place_of_a_tile_is_refused(root, url, tmp_path):
    # A login page or an error text that is sent with status 200, as some servers and hotels do.
    page = tile_path(root, "N90E000")
    page.write_text("<html>please pay</html>")
    try:
        with pytest.raises(ValueError, match=r"N90E000_surface.tif.part is no GeoTIFF, or damaged"):
            download_tiles(tmp_path, ["N90E000"], url, pause=0)
    finally:
        page.unlink()
    assert not list(tmp_path.glob("*.tif*"))
