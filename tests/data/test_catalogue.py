import os
import re

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.data.catalogue import DATASETS, data_files, load_dataset
from rndcfl.data.idx import FILES


def test_the_bundled_dataset_comes_first():
    assert next(iter(DATASETS)) == "fashion-mnist-mini"
    assert load_dataset().name == "fashion-mnist-mini"


def test_the_bundled_dataset(no_user_data):
    data = load_dataset("fashion-mnist-mini")
    assert data.x_train.shape == (8000, 1, 28, 28) and data.x_test.shape == (2000, 1, 28, 28)
    assert data.y_train.shape == (8000,) and data.y_test.shape == (2000,)
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert x.dtype == np.float32 and y.dtype == np.int64
        assert x.min() == 0 and x.max() == 1
    assert data.n_classes == 10
    assert (np.bincount(data.y_train) + np.bincount(data.y_test)).tolist() == [1000] * 10
    assert data.licence == "MIT" and "1708.07747" in data.citation


def test_the_bundled_split_is_fixed():
    expected = "8d61ab7ab4f650d460b57e588a5662800dbfedf3385c123a6ae1a6096d3755dc"
    assert load_dataset().sha256 == expected


def test_pixels_are_scaled_to_one_and_no_image_is_in_both_parts():
    data = load_dataset()
    pixels = np.concatenate([data.x_train, data.x_test]) * 255
    assert np.abs(pixels - np.rint(pixels)).max() < 1e-4
    assert len(np.unique(np.rint(pixels).reshape(10000, -1).astype(np.uint8), axis=0)) == 10000


def test_arrays_are_read_only_and_shared():
    data = load_dataset()
    assert load_dataset() is data
    for array in (data.x_train, data.y_train, data.x_test, data.y_test):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_unknown_dataset():
    with pytest.raises(InputError, match="unknown dataset 'minst'; did you mean 'mnist'"):
        load_dataset("minst")
    with pytest.raises(InputError, match="unknown dataset 'minst'; did you mean 'mnist'"):
        data_files("minst")


def test_missing_folder(no_user_data, monkeypatch):
    missing = no_user_data / "nowhere"
    with pytest.raises(InputError, match=f"data folder '{re.escape(str(missing))}' does not exist"):
        load_dataset("mnist", missing)
    monkeypatch.setenv("RNDCFL_DATA", str(missing))
    with pytest.raises(InputError, match=f"data folder '{re.escape(str(missing))}' does not exist"):
        load_dataset("mnist")


def test_the_bundled_dataset_needs_no_folder(no_user_data, monkeypatch):
    monkeypatch.setenv("RNDCFL_DATA", str(no_user_data / "nowhere"))
    assert load_dataset().name == "fashion-mnist-mini"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_missing_files_without_network(no_user_data, name):
    with pytest.raises(InputError) as caught:
        load_dataset(name, no_user_data)
    cache = no_user_data / "cache" / "rndcfl" / name
    for part in (f"{FILES[0]}.gz", str(no_user_data / name), str(cache), "http", "RNDCFL_DATA"):
        assert part in str(caught.value)


def test_data_files(no_user_data, monkeypatch):
    assert [path.name for path in data_files("fashion-mnist-mini")] == [
        f"fashion-mnist-{FILES[k]}.gz" for k in (2, 3)
    ]
    assert data_files("mnist") == []
    (no_user_data / "mnist").mkdir()
    for file in FILES:
        (no_user_data / "mnist" / file).write_bytes(b"")
    monkeypatch.setenv("RNDCFL_DATA", str(no_user_data))
    assert data_files("mnist") == [no_user_data / "mnist" / file for file in FILES]


def test_mnist_from_a_local_folder():
    root = os.environ.get("RNDCFL_DATA")
    if not root or not data_files("mnist"):
        pytest.skip("RNDCFL_DATA names no folder with mnist/")
    data = load_dataset("mnist", root)
    assert data.x_train.shape == (60000, 1, 28, 28) and data.x_test.shape == (10000, 1, 28, 28)
    assert data.n_classes == 10
    # As published: 5,923 zeros and 6,742 ones; the first digit is a five.
    assert np.bincount(data.y_train)[:2].tolist() == [5923, 6742]
    assert data.y_train[0] == 5
