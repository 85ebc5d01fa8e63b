import bz2

import numpy as np
import pytest
from scipy import ndimage

from rndcfl.common.errors import InputError
from rndcfl.data import digits, idx
from rndcfl.data.catalogue import data_files, load_dataset
from rndcfl.data.files import sha256

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(no_user_data):
    """An empty folder digits/ below a root, and neither cache nor network."""
    folder = no_user_data / "digits"
    folder.mkdir()
    return folder


def svmlight(x, y):
    """LIBSVM's format: label, then INDEX:VALUE from 1, zeros left out."""
    lines = [
        " ".join([str(label), *(f"{k}:{v}" for k, v in enumerate(row, start=1) if v)])
        for row, label in zip(x, y, strict=True)
    ]
    return bz2.compress("\n".join([*lines, ""]).encode())


# --- images -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 16, 28])
def test_everything_becomes_16_by_16_between_0_and_1(size):
    x = digits._resized(RNG.random((5, size, size)))
    assert x.shape == (5, 16, 16) and x.dtype == np.float32
    assert 0 <= x.min() and x.max() <= 1


def test_images_of_the_right_size_stay_as_they_are():
    x = RNG.random((3, 16, 16)).astype(np.float32)
    np.testing.assert_array_equal(digits._resized(x), x)


@pytest.mark.parametrize("size", [8, 28])
def test_resizing_is_bilinear_within_each_image(size):
    slope = np.linspace(0, 1, size)
    plane = np.stack(
        [np.tile(slope, (size, 1)), np.tile(slope[:, None], size), np.zeros((size,) * 2)]
    )
    across, down, nothing = digits._resized(plane)
    expected = np.tile(np.linspace(0, 1, 16), (16, 1))
    np.testing.assert_allclose(across, expected, atol=1e-6)
    np.testing.assert_allclose(down, expected.T, atol=1e-6)
    assert not nothing.any()


# --- USPS ---------------------------------------------------------------------------------------


def test_usps_in_the_official_format_and_as_arrays(folder):
    pixels = RNG.integers(256, size=(9, 16, 16), dtype=np.uint8)
    pixels[0, 0, 0] = 0
    y = np.array([0, 1, 2, 3, 4, 5, 6, 9, 8])
    values = pixels.reshape(9, -1) / 127.5 - 1
    values[1, 5] = 0  # left out of the file
    for name, part in zip(digits.USPS, (slice(6), slice(6, 9)), strict=True):
        (folder / name).write_bytes(svmlight(values[part], y[part] + 1))
    x, labels = digits._usps(folder.parent)
    np.testing.assert_allclose(x.reshape(9, -1), (values + 1) / 2)
    assert x[0, 0, 0] == 0 and x.reshape(9, -1)[1, 5] == 0.5
    assert labels.tolist() == y.tolist()

    np.savez(
        folder / "usps.npz", x_train=pixels[:6], y_train=y[:6], x_test=pixels[6:], y_test=y[6:]
    )
    packed, same = digits._usps(folder.parent)
    wrong = np.abs(packed - x).reshape(9, -1)
    wrong[1, 5] = 0
    assert wrong.max() < 1e-6
    assert same.tolist() == y.tolist()


@pytest.mark.parametrize("there", [(), digits.USPS[:1]])
def test_missing_usps_says_which_files_from_where_and_where_to(folder, there):
    for name in there:
        (folder / name).write_bytes(b"")
    with pytest.raises(InputError) as caught:
        digits._usps(folder.parent)
    message = str(caught.value)
    assert "\n" not in message
    cache = folder.parent / "cache" / "rndcfl" / "digits"
    for part in (*digits.USPS, digits.USPS_FROM, str(folder), str(cache), "RNDCFL_DATA"):
        assert part in message


# --- Optdigits and Semeion: whoever packed them, the official content ---------------------------


@pytest.fixture
def known(monkeypatch):
    """Small images that count as Semeion's."""
    x = RNG.integers(2, size=(6, 2, 2), dtype=np.uint8)
    y = np.array([3, 1, 4, 1, 5, 9])
    rows = sorted([label, *row.ravel().tolist()] for label, row in zip(y.tolist(), x, strict=True))
    monkeypatch.setitem(digits.CONTENT, "Semeion", sha256([bytes(row) for row in rows]))
    return x, y


def test_official_content_in_any_order(known, tmp_path):
    x, y = known
    for order in (np.arange(6), np.arange(6)[::-1], RNG.permutation(6)):
        images, labels = digits._checked("Semeion", tmp_path, x[order].astype(float), y[order])
        np.testing.assert_array_equal(images, x[order])
        np.testing.assert_array_equal(labels, y[order])
        assert images.dtype == labels.dtype == np.uint8


def test_changed_content_is_refused(known, tmp_path):
    x, y = known
    pixel = x.copy()
    pixel[4, 1, 0] ^= 1
    swapped = y.copy()
    swapped[[0, 1]] = y[[1, 0]]
    path = tmp_path / "semeion.npz"
    for images, labels in (
        (pixel, y),
        (x, swapped),
        (x[:5], y[:5]),
        (np.repeat(x, 2, 0), y.repeat(2)),
    ):
        with pytest.raises(InputError, match=r"semeion\.npz is corrupt \(wrong checksum\)"):
            digits._checked("Semeion", path, images, labels)


@pytest.mark.parametrize("name", ["usps", "optdigits", "semeion"])
def test_what_is_no_archive_is_corrupt(folder, name):
    path = folder / f"{name}.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(InputError) as caught:
        getattr(digits, f"_{name}")(folder.parent)
    assert str(path) in str(caught.value) and "is corrupt" in str(caught.value)


@pytest.mark.parametrize("name", ["optdigits", "semeion"])
def test_what_is_no_table_is_corrupt(folder, name):
    for file in ("optdigits.tra", "optdigits.tes", "semeion.data"):
        (folder / file).write_text("<html>not found</html>\n")
    with pytest.raises(InputError, match="is corrupt"):
        getattr(digits, f"_{name}")(folder.parent)


def test_files_need_all_sources(no_user_data, monkeypatch):
    monkeypatch.setenv("RNDCFL_DATA", str(no_user_data))
    folders = {"mnist": idx.FILES, "digits": [*digits.USPS, "optdigits.npz", "semeion.data"]}
    paths = [no_user_data / folder / file for folder, files in folders.items() for file in files]
    for path in paths:
        assert data_files("digits") == []
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    assert data_files("digits") == paths


# --- the official data --------------------------------------------------------------------------


def test_the_four_sources(data_root):
    data = load_dataset("digits", data_root("digits"))
    assert data.x_train.shape == (26511, 1, 16, 16) and data.x_train.dtype == np.float32
    assert data.x_train.min() == 0 and data.x_train.max() == 1
    assert np.bincount(data.origin.owner).tolist() == [10000, 9298, 5620, 1593]
    assert data.origin.names == data.origin.group_names == digits.SOURCES
    assert data.n_classes == 10 and np.unique(data.y_train).tolist() == list(range(10))
    # As published: 1,553 zeros of USPS, 554 of Optdigits and 161 of Semeion.
    zeros = np.bincount(data.origin.owner[data.y_train == 0])
    assert zeros[1:].tolist() == [1553, 554, 161]


def arrays(root, name):
    path = root / "digits" / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"RNDCFL_DATA holds no {path.name}")
    with np.load(path) as packed:
        return dict(packed)


def test_optdigits_in_the_official_format(data_root, tmp_path):
    root = data_root("digits")
    a = arrays(root, "optdigits")
    (tmp_path / "digits").mkdir()
    for suffix, part in (("tra", "train"), ("tes", "test")):
        rows = np.column_stack([a[f"x_{part}"].reshape(-1, 64), a[f"y_{part}"]])
        np.savetxt(tmp_path / "digits" / f"optdigits.{suffix}", rows, fmt="%d", delimiter=",")
    for read, packed in zip(digits._optdigits(tmp_path), digits._optdigits(root), strict=True):
        np.testing.assert_array_equal(read, packed)


def test_semeion_in_the_official_format(data_root, tmp_path):
    root = data_root("digits")
    a = arrays(root, "semeion")
    (tmp_path / "digits").mkdir()
    lines = [
        "".join(f"{v:.4f} " for v in image.ravel())
        + "".join(f"{int(k == label)} " for k in range(10))
        for image, label in zip(a["x"], a["y"], strict=True)
    ]
    (tmp_path / "digits" / "semeion.data").write_bytes("\r\n".join([*lines, ""]).encode())
    for read, packed in zip(digits._semeion(tmp_path), digits._semeion(root), strict=True):
        np.testing.assert_array_equal(read, packed)


def test_small_images_are_spread_over_the_large_ones(data_root):
    """Corners stay corners: the eight pixels of an edge reach from the first to the last."""
    root = data_root("digits")
    images = digits._optdigits(root)[0][:20]
    x = digits._resized(images)
    np.testing.assert_allclose(x[:, ::15, ::15], images[:, ::7, ::7], atol=1e-6)
    one = ndimage.map_coordinates(images[3], np.mgrid[:16, :16] * 7 / 15, order=1)
    np.testing.assert_allclose(x[3], one, atol=1e-5)
