import csv

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.data import heart_disease
from rndcfl.data.catalogue import data_files, load_dataset
from rndcfl.settings.partition import make_clients

NAN = np.nan
# A man of 63 with everything measured, a woman of 41 of whom little is known.
ROWS = np.array(
    [
        [63, 1, 1, 145, 233, 1, 2, 150, 0, 2.3, 3, 0, 6],
        [41, 0, NAN, 0, 0, NAN, 0, NAN, 1, 0, NAN, NAN, NAN],
    ]
)
CATEGORIES = {2: 4, 6: 3, 10: 3, 12: 3}  # column -> values it may have


def columns():
    """Where each of the 13 columns is among the inputs."""
    ends = np.cumsum([CATEGORIES.get(k, 1) for k in range(13)])
    return [slice(end - CATEGORIES.get(k, 1), end) for k, end in enumerate(ends)]


def test_inputs_by_hand():
    x = heart_disease._inputs(ROWS)
    assert x.dtype == np.float32
    expected = [
        [63, 1, *(1, 0, 0, 0), 145, 233, 1, *(0, 0, 1), 150, 0, 2.3, *(0, 0, 1), 0, *(0, 1, 0)],
        [41, 0, *(0, 0, 0, 0), NAN, NAN, NAN, *(1, 0, 0), NAN, 1, 0, *(0, 0, 0), NAN, *(0, 0, 0)],
    ]
    np.testing.assert_allclose(x, expected, rtol=1e-6)


def test_every_value_of_a_category_has_its_own_column():
    for k, values in {2: (1, 2, 3, 4), 6: (0, 1, 2), 10: (1, 2, 3), 12: (3, 6, 7)}.items():
        rows = np.repeat(ROWS[:1], len(values), axis=0)
        rows[:, k] = values
        np.testing.assert_array_equal(
            heart_disease._inputs(rows)[:, columns()[k]], np.eye(len(values))
        )


def test_a_question_mark_is_missing(no_user_data, monkeypatch):
    """Through the reader, with files written here and checksums to match."""
    text = "63,1,1,145,0,?,2,150,0,2.3,?,0,6,1\n63,1,1,145,0,?,2,150,0,2.3,?,0,6,0\n"
    (no_user_data / "heart-disease").mkdir()
    known = {file: heart_disease.sha256([text.encode()]) for file in heart_disease.FILES}
    monkeypatch.setattr(heart_disease, "FILES", known)
    for file in known:
        (no_user_data / "heart-disease" / file).write_text(text)
    read = heart_disease.read(no_user_data)
    x, y = read.x_train, read.y_train
    assert x.shape == (8, 22)
    chol, fbs, slope = (x[:, columns()[k]] for k in (4, 5, 10))
    assert np.isnan(chol).all() and np.isnan(fbs).all() and not slope.any()
    assert np.isnan(x).sum() == 8 * 2
    assert y.tolist() == [1, 0] * 4 and y.dtype == np.int64
    assert read.origin.owner.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_changed_file_is_refused(no_user_data):
    (no_user_data / "heart-disease").mkdir()
    path = no_user_data / "heart-disease" / next(iter(heart_disease.FILES))
    path.write_text("63,1,1,145,233,1,2,150,0,2.3,3,0,6,0\n")
    with pytest.raises(InputError) as caught:
        load_dataset("heart-disease", no_user_data)
    assert str(path) in str(caught.value) and "wrong checksum" in str(caught.value)


def test_missing_files_without_network(no_user_data, monkeypatch):
    with pytest.raises(InputError) as caught:
        load_dataset("heart-disease", no_user_data)
    message = str(caught.value)
    assert "\n" not in message
    folder = str(no_user_data / "heart-disease")
    for part in ("processed.cleveland.data", folder, heart_disease.URL, "RNDCFL_DATA"):
        assert part in message
    monkeypatch.setenv("RNDCFL_DATA", str(no_user_data))
    assert data_files("heart-disease") == []


# --- the official files -------------------------------------------------------------------------


def patients(root, file):
    with (root / "heart-disease" / file).open() as lines:
        return list(csv.reader(lines))


def test_the_four_hospitals(data_root):
    root = data_root("heart-disease")
    data = load_dataset("heart-disease", root)
    origin = data.origin
    assert data.x_train.shape == (920, 22) and data.x_train.dtype == np.float32
    assert (data.n_classes, len(data.x_test), len(data.y_test)) == (2, 0, 0)
    assert np.bincount(origin.owner).tolist() == [303, 294, 123, 200]
    assert origin.names == origin.group_names == heart_disease.HOSPITALS
    # As published: 139 of 303 sick in Cleveland, 106, 115 and 149 elsewhere.
    sick = [int(data.y_train[origin.owner == k].sum()) for k in range(4)]
    assert sick == [139, 106, 115, 149]
    for k, file in enumerate(heart_disease.FILES):
        assert sick[k] == sum(int(row[-1]) > 0 for row in patients(root, file))


def test_values_are_missing_where_the_files_say(data_root):
    root = data_root("heart-disease")
    data = load_dataset("heart-disease", root)
    rows = [row for file in heart_disease.FILES for row in patients(root, file)]
    for k, where in enumerate(columns()):
        x = data.x_train[:, where]
        missing = np.array([row[k] == "?" or (k in (3, 4) and float(row[k]) == 0) for row in rows])
        if k in CATEGORIES:
            np.testing.assert_array_equal(x.sum(1), ~missing)
        else:
            np.testing.assert_array_equal(np.isnan(x[:, 0]), missing)
            given = [float(row[k]) for row, gone in zip(rows, missing, strict=True) if not gone]
            np.testing.assert_allclose(x[~missing, 0], given, rtol=1e-6)
    assert np.isnan(data.x_train[data.origin.owner == 2][:, columns()[4]]).all()  # Switzerland


def test_clinics_of_the_hospitals(data_root):
    data_root("heart-disease")
    clients = make_clients("heart-disease", "natural", n_clients=12)
    assert clients.groups.tolist() == [0, 1, 2, 3] * 3
    assert [clients[i].name for i in (0, 5, 10)] == ["Cleveland 1", "Budapest 2", "Switzerland 3"]
    sizes = [len(c.x) + len(c.x_test) for c in clients]
    assert [sum(sizes[k::4]) for k in range(4)] == [303, 294, 123, 200]
    assert all(np.isfinite(c.x).all() and np.isfinite(c.x_test).all() for c in clients)
