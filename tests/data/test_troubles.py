"""What people's data do to such software; numbers are those of the list it was collected in."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, Subset, TensorDataset

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, Notice
from rndcfl.data.datasets import from_datasets
from rndcfl.data.own_files import from_files
from rndcfl.data.tables import from_tables
from rndcfl.discovery import discover
from rndcfl.simulation import simulate


def rng(seed=0):
    return np.random.default_rng(seed)


def tables(*shifts, n=120):
    """Tables of six columns, moved by so many standard deviations."""
    return [rng(i).normal(shift, 1, (n, 6)) for i, shift in enumerate(shifts)]


def ages(*years):
    return [rng(i).integers(20 + m, 60 + m, (120, 6)) for i, m in enumerate(years)]


def images(*brightness, n=60):
    return [np.clip(b + 0.3 * rng(i).random((n, 1, 8, 8)), 0, 1) for i, b in enumerate(brightness)]


def no_labels(arrays):
    return [(x, None) for x in arrays]


def groups(clients, **options):
    return discover(clients, by="features", seed=0, **options).labels.tolist()


def frames(arrays):
    return [pd.DataFrame(x, columns=list("abcdef")) for x in arrays]


# --- federations that come out right --------------------------------------------------------------


@pytest.mark.parametrize(
    "clients",
    [
        lambda: Clients.from_arrays(no_labels(ages(0, 0, 30))),
        lambda: from_tables(no_labels(ages(0, 0, 30))),
        lambda: from_tables(frames(ages(0, 0, 30))),
        lambda: Clients.from_arrays(no_labels(frames(ages(0, 0, 30)))),
        lambda: Clients.from_arrays(no_labels(map(torch.tensor, ages(0, 0, 30)))),
    ],
)
def test_1_tables_of_whole_numbers_are_no_text(clients):
    made = clients()
    assert made.kind == "table"
    assert groups(made) == [0, 0, 1]


def test_2_masked_values_are_missing_ones():
    given = [np.ma.array(x, mask=rng(9).random(x.shape) < 0.1) for x in tables(0, 0, 0)]
    for x in given:
        x.data[x.mask] = -999
    with pytest.raises(
        InputError, match=r"client 0: x holds \d+ NaN or .* take from_tables, which"
    ):
        Clients.from_arrays(no_labels(given))
    clients = from_tables(no_labels(given))
    assert len(clients.columns) == 12 and clients[0].x.min() > -9
    np.testing.assert_array_equal(clients[0].x[:, 6:], given[0].mask)
    assert groups(clients) == [0, 0, 0]


def test_3_columns_in_another_order_are_matched_by_name(tmp_path):
    sorts = [list("abcdef"), list("fedcba"), list("badcfe")]
    x = tables(0, 0, 0)
    for one in x:
        one += 10 * np.arange(6)
    mixed = [frame[order] for frame, order in zip(frames(x), sorts, strict=True)]
    assert groups(from_tables(mixed)) == [0, 0, 0]
    for i, frame in enumerate(mixed):
        frame.to_csv(tmp_path / f"{i}.csv", index=False)
    assert groups(from_files(tmp_path)) == [0, 0, 0]
    with pytest.raises(InputError, match="client 1: x has other columns than client 0: x, or in"):
        Clients.from_arrays(no_labels(mixed))
    with pytest.raises(InputError, match="client 1 lacks column a and has column A, which client"):
        from_tables([mixed[0], mixed[1].rename(columns={"a": "A"})])


@pytest.mark.parametrize(
    "turn",
    [
        lambda t: t.requires_grad_(),
        lambda t: t.bfloat16(),
        lambda t: t.half(),
        lambda t: t.to_sparse(),
        lambda t: list(t),
    ],
)
def test_4_tensors_that_numpy_cannot_read(turn):
    given = [turn(torch.tensor(x, dtype=torch.float32)) for x in tables(0, 0, 2)]
    assert groups(Clients.from_arrays(no_labels(given))) == [0, 0, 1]


def test_4_a_tensor_without_values():
    with pytest.raises(InputError, match="client 0: x is a tensor whose values cannot be read"):
        Clients.from_arrays([(torch.empty(9, 3, device="meta"), None)])


@pytest.mark.parametrize(
    "values, names",
    [
        ([0, 10_000_000, 20_000_000], (0, 10_000_000, 20_000_000)),
        ([1, 2, 3], (1, 2, 3)),
        ([-1, 0, 1], (-1, 0, 1)),
        (["flu", "none", "well"], ("flu", "none", "well")),
        ([0, 1, 2], ()),
    ],
)
def test_5_values_of_labels_are_names_and_no_sizes(values, names):
    codes = rng().integers(0, 3, 120)
    arrays = [(x, np.array(values)[codes]) for x in tables(0, 0)]
    clients = Clients.from_arrays(arrays)
    assert (clients.n_classes, clients.classes) == (3, names)
    np.testing.assert_array_equal(clients[0].y, codes)
    assert simulate(clients, method="global", rounds=1).labels[-1].tolist() == [0, 0]


@pytest.mark.parametrize(
    "shape", [lambda y: np.eye(2)[y], lambda y: y[:, None], lambda y: y > 0, lambda y: y / 1]
)
def test_5_labels_in_other_shapes(shape):
    y = rng().integers(0, 2, 120)
    clients = Clients.from_arrays([(x, shape(y)) for x in tables(0, 0)])
    assert clients.n_classes == 2
    np.testing.assert_array_equal(clients[1].y, y)


def test_5_real_targets_are_for_discovery_only():
    with pytest.warns(Notice, match="real numbers, which are no classes: federations are found"):
        clients = Clients.from_arrays([(x, x.sum(1)) for x in tables(0, 0, 2)])
    assert groups(clients) == [0, 0, 1]
    with pytest.raises(InputError, match="which are no classes; training needs") as caught:
        simulate(clients, method="global", rounds=1)
    assert "\n" not in str(caught.value)


def test_15_columns_of_any_scale_are_seen_by_from_tables():
    given = tables(0, 0, 0)
    given[2][:, 0] += 3
    for x in given:
        x[:, 1] *= 1e6
    with pytest.warns(Notice, match="column 1 varies .* times as much as .* from_tables brings"):
        Clients.from_arrays(no_labels(given))
    assert groups(from_tables(no_labels(given))) == [0, 0, 1]


def test_16_inputs_that_never_vary():
    with pytest.warns(Notice, match="all samples of client 0, client 1 are the same"):
        clients = Clients.from_arrays(no_labels([0 * x for x in images(0, 0)] + images(0.5)))
    assert groups(clients) == [0, 0, 1]
    assert groups(Clients.from_arrays(no_labels(tables(-50, -50, 0)))) == [0, 0, 1]
    constant = [np.column_stack([x, np.full(120, 14.62)]) for x in tables(0, 0, 2)]
    assert groups(Clients.from_arrays(no_labels(constant))) == [0, 0, 1]


def test_18_clients_with_too_few_samples_stay_alone():
    given = [*tables(0, 0), *tables(0, n=1), *tables(0, 0, n=1)[1:]]
    clients = Clients.from_arrays(no_labels(given))
    with pytest.warns(Notice, match=r"client 2 \(1\), client 3 \(1\) with too few samples to comp"):
        assert groups(clients) == [0, 0, 1, 2]
    unequal = [*tables(0, n=20), *tables(0, 0, n=900)[1:], *tables(2, 2, 2)[2:]]
    assert groups(Clients.from_arrays(no_labels(unequal))) == [0, 0, 1]


# --- what is read as it is meant ------------------------------------------------------------------


def test_12_datasets_instead_of_arrays():
    data = [TensorDataset(torch.tensor(x, dtype=torch.float32)) for x in tables(0, 0, 2)]
    given = {"A": data[0], "B": Subset(data[1], range(90)), "C": DataLoader(data[2], shuffle=True)}
    clients = from_datasets(given)
    assert clients.names == ("A", "B", "C")
    assert groups(clients) == [0, 0, 1]
    assert Clients.from_arrays({"A": (tables(0)[0], None)}).names == ("A",)
    with pytest.raises(InputError, match=r"client 0: give .* datasets are read by from_datasets"):
        Clients.from_arrays(data)


@pytest.mark.parametrize(
    "turn, said",
    [
        (lambda x: x[:, 0], "are taken as gray images"),
        (lambda x: np.repeat(x, 3, axis=1).transpose(0, 2, 3, 1), "have their channels last"),
        (lambda x: (255 * x).astype(np.uint8), "divided by 255, so that they are in"),
        (lambda x: 255 * x, "pixels up to 255 are divided by 255"),
    ],
)
def test_13_14_images_in_other_shapes_and_scales(turn, said):
    with pytest.warns(Notice, match=said):
        clients = Clients.from_arrays(no_labels([turn(x) for x in images(0, 0, 0.5)]))
    assert clients.kind == "images" and clients.input_shape[1:] == (8, 8)
    assert 0 <= clients[2].x.min() and clients[2].x.max() <= 1
    assert groups(clients) == [0, 0, 1]


# --- what looks like a slip -----------------------------------------------------------------------


def test_7_a_running_number_among_the_columns(tmp_path):
    given = [np.column_stack([np.arange(120) + 5000 * i, x]) for i, x in enumerate(tables(0, 0))]
    with pytest.warns(Notice, match="column 0 numbers the rows .*; leave it out"):
        Clients.from_arrays(no_labels(given))
    for i, frame in enumerate(frames(tables(0, 0))):
        frame.to_csv(tmp_path / f"{i}.csv")
    with pytest.warns(Notice, match=r"0\.csv: its first column has no name and numbers the rows"):
        assert from_files(tmp_path).columns == tuple("abcdef")


@pytest.mark.parametrize("mark", ["?", " ?", "", "NA"])
def test_8_marks_for_missing_in_files(tmp_path, mark):
    (tmp_path / "a.csv").write_text(f"age,chol,num\n63,{mark},0\n41,204,1\n57,236,0\n")
    clients = from_files({"a": tmp_path / "a.csv"}, target="num")
    assert clients.columns == ("age", "chol", "chol missing")
    assert clients[0].x[:, 2].tolist() == [1, 0, 0]


def test_8_a_mark_that_nobody_knows_is_named_with_its_row(tmp_path):
    (tmp_path / "a.csv").write_text("age,chol\n63,200\n41,n.d.\n57,236\n")
    with pytest.raises(InputError, match=r"client a: column chol holds 'n\.d\.' .* in row 2; if"):
        from_files({"a": tmp_path / "a.csv"})


@pytest.mark.parametrize("mark", [-999, 0])
def test_8_a_number_that_stands_for_missing(mark):
    given = [200 + 20 * x for x in tables(0, 0)]
    given[1][:40, 2] = mark
    with pytest.warns(Notice, match=f"column 2 is {mark} in 17% of its rows, far from all other"):
        from_tables(no_labels(given))


def test_17_everybody_holds_the_same_file():
    same = images(0.3, n=200) * 4
    with pytest.warns(
        Notice, match="client 0, client 1, client 2 and 1 more hold samples that oth"
    ):
        Clients.from_arrays(no_labels(same))
    copies = [np.repeat(x[:3], 20, axis=0) for x in images(0.3, 0.3)]
    with pytest.warns(Notice, match="client 0, client 1 hold each sample several times over"):
        Clients.from_arrays(no_labels(copies))
