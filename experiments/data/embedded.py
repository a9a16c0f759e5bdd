"""The files of data that are part of the repository, read only as they were committed."""

import hashlib
from pathlib import Path

__all__ = ["DATA", "SHA256", "read_embedded"]

DATA = Path(__file__).resolve().parents[2] / "data"

# Of each file; data/README.md shows them too, and a test compares.
SHA256 = {
    "navier_stokes/kolmogorov_re500.npy": "6eca9ba7eedb7fbcb1e14b16dcbe7864b700c85be46ffe6675f4144ebb9d2c29",
    "globe/himalaya.png": "9da67dff2c49107d5626b3eff50c0a898da880641becae75165740b6a3f4fa44",
    "landcover/blue_marble.jpg": "10f5389b365d7ece89f68a73ce5653fb5692145fde181fc64596d0d87cb89bb8",
    "landcover/classes.png": "8190ff221cf6a57059b3d922ead0a5184fe846a6dc42edd8b2eb11788ddfcc4f",
}


def read_embedded(path: Path) -> bytes:
    """Read a file, and refuse one of the repository's that is not what was committed: it takes milliseconds.

    Args:
        path: The file. One that is not of the repository has no checksum.

    Raises:
        ValueError: The file has changed.

    """
    content = path.read_bytes()
    name = next((name for name in SHA256 if path.resolve() == (DATA / name).resolve()), None)
    if name is None:
        return content
    found, expected = hashlib.sha256(content).hexdigest(), SHA256[name]
    if found != expected:
        raise ValueError(
            f"{path} has changed: its sha256 is {found}, not {expected}; `git checkout -- data/{name}` restores it "
            "(data/README.md says how to make it anew)"
        )
    return content
