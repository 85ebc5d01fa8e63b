import io
import pickle

import numpy as np
import pandas as pd
import pytest

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, Notice
from rndcfl.data.own_files import from_files

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.permutation(20) % 2
IMAGES = RNG.integers(256, size=(20, 1, 8, 8), dtype=np.uint8)


@pytest.fixture
def file(tmp_path):
    """Function name, content -> path; content is text, bytes, arrays by name, or a frame."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, dict):
            np.savez(path, **content)
        elif isinstance(content, np.ndarray):
            np.save(path, content)
        elif isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


NORTH = "age,sex,ill\n61,f,yes\n57,m,no\n?,m,no\n"
SOUTH = "ill;sex;age\nno;f;44,5\nyes;f;39\n"
FRAME = pd.DataFrame({"sex": ["f"], "age": [50], "ill": ["no"]})


def test_tables_of_any_dialect_are_matched_by_name(file):
    files = [file("north.csv", NORTH), file("south.txt", SOUTH), file("east.parquet", FRAME)]
    clients = Clients.from_files(files, target="ill", groups=[0, 1, 1])
    assert clients.names == ("north", "south", "east")
    assert clients.columns == ("age", "sex=f", "sex=m", "age missing")
    assert (clients.classes, clients[0].y.tolist()) == (("no", "yes"), [1, 0, 0])
    assert clients.groups.tolist() == [0, 1, 1]


def test_clients_are_called_as_their_files_or_as_somebody_calls_them(file):
    a, b = file("north.csv.gz", NORTH), file("south.csv", NORTH)
    assert from_files([a, str(b)]).names == ("north", "south")
    assert from_files({"N": a, "S": b}).names == ("N", "S")
    assert from_files(a.parent).names == ("north", "south")
    assert from_files([a.parent]).names == ("north", "south")
    twins = [file("x/a.csv", NORTH), file("y/a.csv", NORTH)]
    assert from_files(twins).names == tuple(map(str, twins))


def test_a_column_y_is_taken_as_the_labels_and_it_is_said(file):
    with pytest.warns(Notice, match="column y is taken as the labels; target= names another"):
        clients = from_files([file("a.csv", "x,y\n1,u\n2,v\n")])
    assert (clients.columns, clients.classes) == (("x",), ("u", "v"))
    assert clients.notices[0].startswith("column y is taken")


def test_columns_may_be_left_out_and_marks_for_missing_named(file):
    path = file("a.csv", "x,z\n1,2\n-9,3\n4,5\n")
    assert from_files([path], missing=[-9]).columns == ("x", "z", "x missing")
    assert from_files([path], missing="-9", drop="z").columns == ("x", "x missing")


def test_arrays(file):
    a = file("a.npz", {"x": IMAGES, "y": Y, "more": Y})
    b = file("b.npz", {"x": IMAGES[:9], "y": Y[:9], "x_test": IMAGES[9:], "y_test": Y[9:]})
    clients = from_files([a, b])
    assert (clients.kind, clients.names) == ("images", ("a", "b"))
    np.testing.assert_array_equal(clients[0].y, Y)
    assert len(clients[1].x_test) == 11
    table = from_files([file("c.npy", X)])
    np.testing.assert_array_equal(table[0].x, X.astype(np.float32))
    words = file("d.npz", {"x": X, "y": np.array(["u", "v"])[Y]})
    assert from_files([words]).classes == ("u", "v")
    assert from_files([file("e.npz", {"x": RNG.integers(9, size=(4, 7))})], kind="text").kind == (
        "text"
    )


PICKLED = {"x": X, "y": np.array([{}] * 20, dtype=object)}


def archive(**arrays):
    made = io.BytesIO()
    np.savez(made, **arrays)
    return made.getvalue()


HEADER = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }   \n"


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.npz", PICKLED, "Object arrays cannot be loaded when allow_pickle=False"),
        ("a.npy", pickle.dumps({"x": 1}), "This file contains pickled"),
        ("a.npy", PICKLED["y"], "Object arrays cannot be loaded"),
        ("a.npz", pickle.dumps({"x": 1}), "This file contains pickled"),
        ("a.npz", {"data": X}, r"has no array x; save it with numpy\.savez\(path, x=\.\.\., y"),
        ("a.npz", {"x": X, "y": Y[:5]}, r"client a: y has shape \(5,\), expected \(20,\)"),
        ("a.npz", {"x": X, "y": Y, "x_test": X}, "client a: y_test is missing"),
        ("a.npz", archive(x=X)[:-90], "is no archive of arrays"),
        ("a.npz", archive(x=X)[:90] + b"junk" + archive(x=X)[94:], "is no archive of arrays"),
        ("a.npz", b"", "is no archive of arrays"),
        ("a.npy", archive(x=X), r"holds several arrays; call it \.npz"),
        ("a.npy", b"\x93NUMPY\x01\x00" + b"junk" * 30, "is no array"),
        ("a.npy", b"\x93NUMPY\x01\x00\x46\x00" + HEADER, "is no array"),
        ("a.parquet", b"junk" * 30, "is no Parquet: it cannot be read"),
        ("a.pq", b"", "is no Parquet: it cannot be read"),
        ("a.csv", "a,b\n1,x\n2,5\n3,5\n", "client a: column b holds 'x' among numbers, in row 1"),
        ("a.csv", "a,a\n1,2\n", "client a: column a is there twice"),
        ("a.docx", "x", r"is of no sort that is read; give \.csv"),
    ],
)
def test_what_cannot_be_read(file, name, content, message):
    with pytest.raises(InputError, match=message) as caught:
        from_files({"a": file(name, content)})
    assert "\n" not in str(caught.value)


def test_a_single_array_that_is_called_an_archive(file):
    path = file("a.npy", X)
    path = path.rename(path.with_suffix(".npz"))
    with pytest.raises(InputError, match=r"a\.npz holds a single array; call it \.npy"):
        from_files([path])


@pytest.mark.parametrize(
    "files, message",
    [
        ([], "no clients given; give a list with one file or folder for each"),
        ({}, "no clients given"),
        (5, "files are paths, one for each client, got 5"),
        ([5], r"files are paths, one for each client, got \[5\]"),
        ({"a": None}, "files are paths, one for each client"),
        ("nowhere/*.csv", r"there is no nowhere/\*\.csv; give the files of your clients"),
        (["a\0b"], "there is no|cannot be read"),
        (["x" * 5000], "there is no|cannot be read"),
    ],
)
def test_what_are_no_files(files, message):
    with pytest.raises(InputError, match=message):
        from_files(files)


def test_files_that_do_not_go_together(file):
    table, arrays = file("a.csv", NORTH), file("b.npz", {"x": X})
    with pytest.raises(InputError, match=r"b\.npz is read as arrays, .*a\.csv as table; give"):
        from_files([table, arrays])
    with pytest.raises(InputError, match="target and drop are columns of tables"):
        from_files([arrays], target="y")
    with pytest.raises(InputError, match=r"a\.csv is given twice"):
        from_files([table, table])
    with pytest.raises(InputError, match="two clients are called 1"):
        from_files({1: table, "1": table})
    with pytest.raises(InputError, match="client b lacks column age, sex, ill and has column"):
        from_files([table, file("b.csv", "1,2,3\n4,5,6\n")])
    with pytest.raises(InputError, match="holds neither tables, arrays nor folders"):
        from_files(file("empty/notes.md", "x").parent)
