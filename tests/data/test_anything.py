"""Whatever is thrown at the doors: clients, or one clear line; no other error, no NumPy warning."""

import datetime
import io
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.data import datasets
from rndcfl.data.datasets import from_datasets
from rndcfl.data.own_files import from_files
from rndcfl.data.tables import from_tables
from rndcfl.discovery import discover
from rndcfl.given import KINDS

MANY = settings(max_examples=300, suppress_health_check=list(HealthCheck))
SOME = settings(max_examples=120, suppress_health_check=list(HealthCheck))


def answer(door, *args, look=False, **options):
    """What a door says: clients, or None after one clear line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        try:
            clients = door(*args, **options)
            assert all(np.isfinite(client.x).all() for client in clients)
            if look:
                found = discover(clients, by="features", seed=0)
                assert len(found.labels) == len(clients)
        except InputError as problem:
            assert str(problem) and "\n" not in str(problem)
            return None
    return clients


# --- arrays ---------------------------------------------------------------------------------------

NUMBERS = ["f2", "f4", "f8", ">f8", "longdouble", "i1", "u1", "i4", ">i2", "i8", "u8", "?"]
SPECIAL = [np.nan, np.inf, -np.inf, 1e38, -1e300, 1e30, 65504.0, 255.0, -999.0, 5e-324, 1e-30]
SHAPES = st.one_of(
    st.tuples(st.integers(1, 20), st.integers(1, 4)),
    st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    st.lists(st.integers(0, 3), max_size=5).map(tuple),
)


ROWS = st.tuples(st.integers(1, 20), st.just(3))


@st.composite
def numbers(draw, shapes=SHAPES):
    """An array of numbers of any type and size, some of them special."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.normal(size=draw(shapes)) * draw(st.sampled_from([1, 1, 30, 255, 1e6, 1e30]))
    special = draw(st.sampled_from([0, 0, 0, 1, 2])) if x.size else 0
    for value in [draw(st.sampled_from(SPECIAL)) for _ in range(special)]:
        x.flat[rng.integers(x.size)] = value
    with np.errstate(all="ignore"):
        return x.astype(draw(st.sampled_from(["f8", "f8", *NUMBERS])))


def with_gap(x):
    x = x.astype(object)
    x.flat[:1] = None
    return x


TURNS = [
    np.asarray,
    np.asarray,
    np.ndarray.tolist,
    with_gap,
    lambda x: x.astype(object),
    lambda x: x.astype("U"),
    lambda x: x.astype("S"),
    lambda x: x * 1j,
    lambda x: x.view("V1"),
    lambda x: np.zeros(x.shape, "M8[s]"),
    lambda x: np.ma.array(x),
    lambda x: np.ma.masked_greater(x, 0),
    lambda x: list(np.ma.masked_greater(x, 0)),
    lambda x: np.ma.masked_greater(x.astype(object), 0),
    lambda x: [Decimal(float(v)) for v in x.ravel()],
    lambda x: [*x.ravel().tolist(), [1]],
    lambda x: (row for row in x),
    lambda x: {"x": x},
    lambda x: {1.5, 2.5},
    lambda x: x.item(0),
    lambda x: x.tobytes(),
    lambda x: scipy.sparse.csr_matrix(x),
    lambda x: memoryview(x),
    lambda x: pd.Series(list(x)),
    lambda x: pd.DataFrame(x),
    lambda x: pd.DataFrame(x).convert_dtypes(),
    lambda x: torch.tensor(x),
    lambda x: list(torch.tensor(x)),
    lambda x: torch.tensor(x).bfloat16(),
    lambda x: torch.tensor(x).to_sparse(),
    lambda x: torch.tensor(x).float().requires_grad_(),
    lambda x: torch.tensor(x).to(torch.complex64).conj(),
    lambda x: torch.tensor(x).to("meta"),
    lambda x: torch.tensor(x).to(torch.float8_e4m3fn),
]


def turned(turn, x):
    """An array in another form, or as it is where it has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return turn(x)
        except Exception:
            return x


ODD = st.one_of(
    st.builds(turned, st.sampled_from(TURNS), numbers()),
    st.sampled_from([None, 3, "hello", b"x", object(), len, [], [[]], {}, float("nan")]),
    st.recursive(st.none() | st.floats() | st.text(max_size=3), st.lists, max_leaves=9),
)


def length(x):
    """How many samples it holds, if it says so."""
    try:
        return len(x)
    except TypeError:
        return 3


def labels_of(n):
    """Labels for n samples, mostly."""
    codes = np.arange(n) % 3
    words = np.array(["a", "b\n", ""])[codes]
    usual = [
        *(None, codes, codes * 10**7, codes - 1, codes / 2, codes > 1, words, words.tolist()),
        *(words.astype(object), words.astype("S"), np.eye(3)[codes], codes[:, None]),
        *(codes.astype("f2"), codes.astype("u8") + 2**63, torch.tensor(codes).bfloat16()),
        *(np.ma.masked_equal(codes, 1), np.where(codes > 1, np.nan, codes), [None] * n),
        *(pd.Categorical.from_codes(codes, list("uvw")), pd.Series(words, dtype="string")),
        *([datetime.date(2020, 1, 1)] * n, np.zeros(n, "M8[D]"), [Decimal("1.5")] * n),
        *([10**400] * n, [{}] * n, [[1], [1, 2]] * n, ["a", 1] * (n // 2), [float("inf")] * n),
    ]
    return st.one_of(st.sampled_from(usual), ODD)


@st.composite
def clients_of_arrays(draw):
    """Parts of one to three clients, alike or not."""
    first = draw(ODD)
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        x = first if draw(st.booleans()) else draw(ODD)
        row = (x, draw(labels_of(length(x))))
        rows.append((*row, x, row[1]) if draw(st.integers(0, 4)) == 0 else row)
    forms = [rows, rows, rows, dict(enumerate(rows)), rows[0], tuple(rows)]
    return forms[draw(st.integers(0, len(forms) - 1))]


@MANY
@given(st.data())
def test_arrays(data):
    rows = data.draw(clients_of_arrays())
    kind = data.draw(st.sampled_from([None, None, None, *KINDS, "pictures"]))
    classes = data.draw(st.sampled_from([None, None, None, range(3), "ab", 5, ["a", "b\n", ""]]))
    look = data.draw(st.integers(0, 3)) == 0
    answer(Clients.from_arrays, rows, kind=kind, classes=classes, look=look)


@MANY
@given(numbers(), numbers(), st.sampled_from(TURNS), st.booleans())
def test_arrays_of_two_clients_of_one_shape(x, other, turn, look):
    other = np.resize(other, x.shape) if other.size else x
    rows = [(turned(turn, x), None), (other, None), (turned(turn, other), None)]
    answer(Clients.from_arrays, rows, look=look)
    answer(from_tables, rows, look=look)


# --- tables ---------------------------------------------------------------------------------------

CELLS = [
    *(1, 2.5, -999, 0, True, 10**30, 10**400, 1e300, np.inf, np.nan, None, pd.NA, pd.NaT),
    *("a", "b\n", "", "7", "1,5", "2020-01-01", "?", b"x", 1j, [1], (1, 2), {}, object()),
    *(datetime.date(2020, 1, 1), pd.Timestamp("2020"), pd.Timedelta(1), Decimal("1.5")),
    *(Decimal("sNaN"), frozenset(), np.float16(3), np.datetime64("NaT"), pd.Interval(0, 1)),
]
TYPES = ["Int64", "boolean", "string", "category", "float32", "int64[pyarrow]", "double[pyarrow]"]


@st.composite
def columns(draw, n):
    """A column of n cells: of one value mostly, or of any."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    usual = [rng.normal(size=n), rng.integers(9, size=n), rng.choice(["f", "m"], n), np.arange(n)]
    values = list(draw(st.sampled_from(usual)))
    for value in draw(st.lists(st.sampled_from(CELLS), max_size=3)) if n else []:
        values[rng.integers(n)] = value
    if draw(st.integers(0, 5)) == 0:
        values = [draw(st.sampled_from(CELLS))] * n
    series = turned(pd.Series, values)
    if not isinstance(series, pd.Series):
        series = pd.Series(values, dtype=object)
    wanted = draw(st.sampled_from([None, None, object, *TYPES]))
    return series if wanted is None else turned(lambda s: s.astype(wanted), series)


@st.composite
def frames(draw):
    n = draw(st.sampled_from([0, 1, 2, 12, 30]))
    names = draw(st.lists(st.sampled_from(["a", "b", "y", "a=b", "c\nd", ""]), max_size=4))
    made = [draw(columns(n)).reset_index(drop=True) for _ in names]
    return pd.concat(made, axis=1).set_axis(names, axis=1) if made else pd.DataFrame(index=range(n))


@MANY
@given(
    st.lists(frames(), min_size=1, max_size=3),
    st.sampled_from([None, None, "y", "q", 0, "c\nd"]),
    st.sampled_from([(), (), ["a"], "b", ["q"], [0]]),
    st.booleans(),
    st.booleans(),
)
def test_frames(given, target, drop, alike, look):
    if alike:
        given = [given[0], given[0][list(reversed(given[0].columns))], *given[:1]]
    answer(from_tables, given, target=target, drop=drop, look=look)
    answer(Clients.from_arrays, [(frame, None) for frame in given])


# --- datasets -------------------------------------------------------------------------------------


class Stream(IterableDataset):
    """Samples one after the other, again and again where it is endless."""

    def __init__(self, samples, endless):
        self.samples, self.endless = samples, endless

    def __iter__(self):
        yield from self.samples
        while self.endless:
            yield from self.samples or [None]


def tensors_of(x):
    return TensorDataset(torch.tensor(x), torch.arange(len(x)))


WRAPS = [
    *(lambda x: x, list, tensors_of, lambda x: [(row, k % 2) for k, row in enumerate(x)]),
    *(lambda x: [{"x": row, "y": "a"} for row in x], lambda x: Stream(list(x), False)),
    *(lambda x: Stream([(row, 0) for row in x], True), lambda x: Subset(tensors_of(x), [0, 99])),
    *(lambda x: DataLoader(tensors_of(x), batch_size=3, shuffle=True), lambda x: (x, x)),
    *(lambda x: {"train": list(x), "test": list(x[:1])}, lambda x: {"x": x}, lambda x: 1 / 0),
    lambda x: [(row,) for row in x] + [row for row in x],
    lambda x: DataLoader(tensors_of(x), sampler=[0, "a"]),
    lambda x: [Image.fromarray(row) for row in x],
]


@SOME
@given(
    st.lists(st.tuples(st.sampled_from(WRAPS), ODD | numbers(ROWS)), min_size=1, max_size=3),
    st.booleans(),
)
def test_datasets(made, look):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "MOST", 100)
        answer(from_datasets, [turned(wrap, x) for wrap, x in made], look=look)


# --- files ----------------------------------------------------------------------------------------

LINES = st.lists(
    st.lists(st.sampled_from(["1", "2,5", "-3.5", "a", "", "?", '"', "ü", "1e400"]), max_size=4),
    max_size=6,
)


def written(lines, delimiter, encoding):
    text = "\n".join(delimiter.join(cells) for cells in lines)
    return text.encode(encoding)


def picture(seed, mode, side):
    made = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(256, size=(side, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(made, "PNG")
    return made.getvalue()


def archive(x, y):
    made = io.BytesIO()
    np.savez(made, x=x, y=y)
    return made.getvalue()


def stored(x):
    made = io.BytesIO()
    np.save(made, x)
    return made.getvalue()


def parquet(frame):
    made = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            frame.to_parquet(made)
        except Exception:  # what no Parquet holds
            return b""
    return made.getvalue()


def flipped(content, at, junk):
    """A file of which some bytes are others."""
    at = at % (len(content) + 1)
    return content[:at] + junk + content[at + len(junk) :]


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "cp1252"]
CONTENTS = {
    ".csv": st.builds(
        written, LINES, st.sampled_from([",", ";", "\t", " "]), st.sampled_from(ENCODINGS)
    ),
    ".npz": st.builds(archive, numbers(), numbers()),
    ".npy": st.builds(stored, numbers() | numbers(ROWS)),
    ".parquet": st.builds(parquet, frames()),
    ".png": st.builds(
        picture, st.integers(0, 9), st.sampled_from(["L", "1", "RGB", "LA"]), st.integers(1, 9)
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@SOME
@given(data=st.data())
@pytest.mark.parametrize("ending", CONTENTS)
def test_files(folder, ending, data):
    contents = data.draw(st.lists(CONTENTS[ending], min_size=1, max_size=2))
    for _ in range(data.draw(st.integers(0, 2))):
        at, junk = data.draw(st.integers(0, 4000)), data.draw(st.binary(max_size=4))
        contents[0] = flipped(contents[0], at, junk)
    if data.draw(st.integers(0, 9)) == 0:
        contents[0] = data.draw(st.binary(max_size=60))
    paths = {}
    for i, content in enumerate(contents):
        path = folder / f"{i}{ending}" if ending != ".png" else folder / f"{i}" / "1.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        paths[i] = path if ending != ".png" else path.parent
    answer(from_files, paths, look=data.draw(st.booleans()))
