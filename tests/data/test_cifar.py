import os
import pickle
import re
import tarfile
from pathlib import Path

import numpy as np
import pooch
import pytest

from rndcfl.common.errors import InputError
from rndcfl.data import cifar
from rndcfl.data.catalogue import data_files, load_dataset


def write_batch(path, first_pixel=0, labels=None):
    data = np.zeros((10000, 3072), dtype=np.uint8)
    data[:, 0] = first_pixel
    data[1] = np.arange(3072) % 251
    labels = list(np.arange(10000) % 10) if labels is None else labels
    batch = {"batch_label": "a batch", "data": data, "labels": [int(label) for label in labels]}
    path.write_bytes(pickle.dumps(batch, protocol=2))


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A data folder with six batches: the first and the last differ from the rest."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "cifar10" / cifar.FOLDER
    folder.mkdir(parents=True)
    write_batch(folder / "data_batch_1", first_pixel=1)
    write_batch(folder / "data_batch_2", first_pixel=2)
    for i in (3, 4, 5):
        os.link(folder / "data_batch_2", folder / f"data_batch_{i}")
    write_batch(folder / "test_batch", first_pixel=255)
    yield root
    for name in cifar.FILES:
        (folder / name).unlink()


@pytest.fixture
def folder(complete, no_user_data):
    """The same, to be spoilt."""
    folder = no_user_data / "cifar10" / cifar.FOLDER
    folder.mkdir(parents=True)
    for name in cifar.FILES:
        os.link(complete / "cifar10" / cifar.FOLDER / name, folder / name)
    return folder


def test_batches_become_images_and_labels(complete):
    (x_train, y_train, x_test, y_test), title = cifar.read(complete)
    assert x_train.shape == (50000, 3, 32, 32) and x_test.shape == (10000, 3, 32, 32)
    assert x_train.dtype == np.uint8 and y_train.dtype == np.uint8
    assert x_train[::10000, 0, 0, 0].tolist() == [1, 2, 2, 2, 2]
    assert x_test[0, 0, 0, 0] == 255
    # Rows of 1,024 red, then green, then blue pixels, line by line.
    assert x_train[1, 2, 3, 4] == (2 * 1024 + 3 * 32 + 4) % 251
    assert (y_train == np.arange(50000) % 10).all() and (y_test == np.arange(10000) % 10).all()
    assert title == "CIFAR-10 (not the official pixels)"


def test_the_title_tells_a_jpeg_re_encoding(folder):
    (folder / "make_cifar10.json").write_text("{}")
    assert cifar.read(folder.parent.parent)[1] == "CIFAR-10 (JPEG re-encoding)"


def test_batches_written_by_old_numpy_are_read(tmp_path):
    path = tmp_path / "data_batch_1"
    write_batch(path)
    raw = path.read_bytes()
    old = raw.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    path.write_bytes(old)
    assert b"numpy.core" in old
    assert cifar._read_batch(path)[0].shape == (10000, 3072)


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"echo run > '{self.target}'",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_batch_is_refused_and_does_not_run(folder, tmp_path, protocol):
    target = tmp_path / "it_ran"
    batch = folder / "data_batch_3"
    batch.unlink()
    raw = pickle.dumps({"data": Malicious(target), "labels": []}, protocol)
    batch.write_bytes(raw)
    with pytest.raises(
        InputError, match=rf"{re.escape(str(batch))} is corrupt \(it asks for (posix|nt)\.system"
    ):
        cifar.read(folder.parent.parent)
    assert not target.exists()
    pickle.loads(raw)
    assert target.exists()  # it would have run


@pytest.mark.parametrize("name", ["eval", "exec", "getattr", "__import__"])
def test_builtins_are_refused(tmp_path, name):
    path = tmp_path / "batch"
    path.write_bytes(f"cbuiltins\n{name}\n(S'1'\ntR.".encode())
    with pytest.raises(InputError, match=f"it asks for builtins.{name}, which is not allowed"):
        cifar._read_batch(path)


def replace_batch(folder, name, raw):
    (folder / name).unlink()
    (folder / name).write_bytes(raw)


def test_a_truncated_batch(folder):
    raw = (folder / "data_batch_2").read_bytes()
    replace_batch(folder, "data_batch_2", raw[: len(raw) // 2])
    with pytest.raises(InputError, match=r"data_batch_2 is corrupt \(.+\); delete it"):
        cifar.read(folder.parent.parent)


@pytest.mark.parametrize("labels", [[0] * 9999, [10] * 10000, [-1] * 10000])
def test_wrong_labels(tmp_path, labels):
    path = tmp_path / "batch"
    write_batch(path, labels=labels)
    with pytest.raises(InputError, match=r"corrupt \((not 10,000 labelled|labels outside 0 to 9)"):
        cifar._read_batch(path)


def test_wrong_size(tmp_path):
    path = tmp_path / "batch"
    batch = {"data": np.zeros((5, 3072), np.uint8), "labels": [0] * 5}
    path.write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(InputError, match="not 10,000 labelled images of 3 x 32 x 32"):
        cifar._read_batch(path)


def test_a_missing_batch(folder):
    (folder / "data_batch_4").unlink()
    with pytest.raises(InputError, match=r"data_batch_4 is missing; get https.*cifar-10-python"):
        cifar.read(folder.parent.parent)


def test_files_are_listed_where_they_are(folder, no_user_data, monkeypatch):
    assert data_files("cifar10") == []
    monkeypatch.setenv("RNDCFL_DATA", str(no_user_data))
    assert data_files("cifar10") == [folder / name for name in cifar.FILES]


def test_no_files_and_no_network(no_user_data):
    with pytest.raises(InputError) as caught:
        load_dataset("cifar10", no_user_data)
    for part in ("cifar-10-python.tar.gz", cifar.URL, str(no_user_data / "cifar10"), "RNDCFL_DATA"):
        assert part in str(caught.value)


def test_the_archive_is_unpacked_into_the_cache(complete, no_user_data, monkeypatch):
    def retrieve(url, known_hash, fname, path, progressbar):
        assert known_hash == f"sha256:{cifar.ARCHIVE_SHA256}"
        Path(path).mkdir(parents=True)
        with tarfile.open(Path(path) / fname, "w") as tar:
            tar.add(
                complete / "cifar10" / cifar.FOLDER / "test_batch", f"{cifar.FOLDER}/test_batch"
            )
        return str(Path(path) / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    folder = cifar._folder(None)
    assert folder == no_user_data / "cache" / "rndcfl" / "cifar10" / cifar.FOLDER
    assert cifar._read_batch(folder / "test_batch")[0][0, 0] == 255
