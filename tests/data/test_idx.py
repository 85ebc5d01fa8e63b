import gzip
import hashlib
import re
import struct

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.data.idx import FASHION_MNIST, FILES, MNIST, IdxSource

ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.array([0, 1], dtype=np.uint8),
    np.arange(12, dtype=np.uint8).reshape(1, 3, 4),
    np.array([2], dtype=np.uint8),
]


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


@pytest.fixture
def source():
    sums = tuple(hashlib.sha256(idx_bytes(array)).hexdigest() for array in ARRAYS)
    return IdxSource("mnist", "https://example.org/", ("0",) * 4, sums)


@pytest.fixture
def folder(no_user_data):
    """Two plain files and two packed ones."""
    folder = no_user_data / "mnist"
    folder.mkdir()
    for k, array in enumerate(ARRAYS):
        if k < 2:
            (folder / FILES[k]).write_bytes(idx_bytes(array))
        else:
            (folder / f"{FILES[k]}.gz").write_bytes(gzip.compress(idx_bytes(array)))
    return folder


def test_plain_and_packed_files_are_read(source, folder):
    x_train, y_train, x_test, y_test = source.read(folder.parent)
    np.testing.assert_array_equal(x_train, ARRAYS[0][:, None])
    np.testing.assert_array_equal(y_train, ARRAYS[1])
    np.testing.assert_array_equal(x_test, ARRAYS[2][:, None])
    np.testing.assert_array_equal(y_test, ARRAYS[3])


def test_files_are_all_four_or_none(source, folder):
    assert [path.name.removesuffix(".gz") for path in source.files(folder.parent)] == list(FILES)
    (folder / FILES[1]).unlink()
    assert source.files(folder.parent) == []


def test_wrong_checksum(source, folder):
    raw = bytearray(idx_bytes(ARRAYS[0]))
    raw[-1] ^= 1
    path = folder / FILES[0]
    path.write_bytes(raw)
    with pytest.raises(
        InputError, match=rf"{re.escape(str(path))} is corrupt \(wrong checksum\); delete it"
    ):
        source.read(folder.parent)


@pytest.mark.parametrize("spoil", [lambda raw: raw[:-10], lambda raw: b"not gzip"])
def test_damaged_archive(source, folder, spoil):
    path = folder / f"{FILES[2]}.gz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=rf"{re.escape(str(path))} is corrupt \(.+\); delete it"):
        source.read(folder.parent)


def test_a_missing_file_cannot_be_had_without_network(source, folder):
    (folder / FILES[1]).unlink()
    with pytest.raises(
        InputError, match=rf"mnist: {FILES[1]}.gz was not found in {re.escape(str(folder))}, "
    ):
        source.read(folder.parent)


@pytest.mark.parametrize("official", [MNIST, FASHION_MNIST])
def test_official_sources_have_a_checksum_for_every_file(official):
    assert {len(md5) for md5 in official.archive_md5} == {32}
    assert {len(sha) for sha in official.sha256} == {64}
    assert len(set(official.archive_md5 + official.sha256)) == 8
