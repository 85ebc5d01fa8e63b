import hashlib
from pathlib import Path

import numpy as np
import pooch
import pytest

from rndcfl.common.errors import InputError
from rndcfl.data.files import cache_folder, download, find, not_found, places, sha256

URL = "https://example.org/data/part.gz"


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_places_are_ours_then_torchvisions_then_the_cache(no_user_data):
    root = no_user_data / "root"
    cache = no_user_data / "cache" / "rndcfl"
    assert places("mnist", root) == [root / "mnist", root / "MNIST/raw", cache / "mnist"]
    assert places("mnist", None) == [cache / "mnist"] == [cache_folder("mnist")]


def test_only_what_torchvision_has_lies_in_its_folders(no_user_data):
    root = no_user_data / "root"
    assert places("sms", root) == [root / "sms", cache_folder("sms")]


def test_find_takes_the_first_place_and_the_first_name(no_user_data):
    root = no_user_data / "root"
    assert find("mnist", ["a", "a.gz"], root) is None
    cached = touch(cache_folder("mnist") / "a")
    assert find("mnist", ["a", "a.gz"], root) == cached
    theirs = touch(root / "MNIST/raw/a")
    assert find("mnist", ["a", "a.gz"], root) == theirs
    packed = touch(root / "mnist/a.gz")
    assert find("mnist", ["a", "a.gz"], root) == packed
    plain = touch(root / "mnist/a")
    assert find("mnist", ["a", "a.gz"], root) == plain


def test_a_failed_download_says_what_where_and_how(no_user_data):
    root = no_user_data / "root"
    with pytest.raises(InputError) as caught:
        download("mnist", URL, "md5:0", root)
    message = str(caught.value)
    assert "\n" not in message
    for part in ("mnist: part.gz was not found in", URL, "network is unreachable", "RNDCFL_DATA"):
        assert part in message
    for place in places("mnist", root):
        assert str(place) in message
    assert f"put it into {root / 'mnist'}" in message


def test_a_download_goes_to_the_cache(no_user_data, monkeypatch):
    asked = {}

    def retrieve(url, known_hash, fname, path, progressbar):
        asked.update(url=url, known_hash=known_hash)
        return str(touch(Path(path) / fname))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    path = download("mnist", URL, "md5:0", None)
    assert path == cache_folder("mnist") / "part.gz"
    assert asked == dict(url=URL, known_hash="md5:0")


def test_files_that_we_may_not_download(no_user_data):
    root = no_user_data / "root"
    message = str(not_found("sms", ("a.zip", "b.zip"), "https://example.org", root))
    assert message.startswith("sms: a.zip and b.zip not found in ")
    for part in (*map(str, places("sms", root)), "https://example.org", "sms/", "RNDCFL_DATA"):
        assert part in message


def test_checksums_are_of_everything_one_after_the_other():
    array = np.arange(6, dtype=np.int64).reshape(2, 3)
    expected = hashlib.sha256(array.tobytes() + b"ab" + array.T.copy().tobytes()).hexdigest()
    assert sha256([array, b"a", b"b", array.T]) == expected
    assert sha256([array]) != sha256([array.T])
