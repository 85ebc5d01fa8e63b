import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from rndcfl import InputError
from rndcfl.book.bench.rounds import MethodRounds, OneByOne, difference, one_by_one, turned_clients
from rndcfl.book.cli import main
from rndcfl.data import catalogue
from rndcfl.engine.networks import build_model
from rndcfl.engine.stacked import stackable


@pytest.fixture
def clients(tiny_dataset):
    return turned_clients(tiny_dataset, 5, 20)


def test_clients_hold_turned_images_of_their_own_draw(clients, tiny_dataset):
    assert clients.groups.tolist() == [0, 1, 2, 3, 0]
    assert [len(c) for c in clients] == [20] * 5
    known = {image.tobytes() for image in tiny_dataset.x_train}
    for i, client in enumerate(clients):
        back = np.rot90(client.x, -i % 4, (2, 3))
        assert len({image.tobytes() for image in back} & known) == 20
    again = turned_clients(tiny_dataset, 2, 20)
    assert np.array_equal(again[1].x, clients[1].x)
    assert not np.array_equal(clients[0].x, clients[4].x)
    with pytest.raises(InputError, match="600 images, asked for 601"):
        turned_clients(tiny_dataset, 4, 601)


def test_the_loop_starts_from_the_same_weights_and_is_not_stacked():
    loop, mlp = build_model(one_by_one, (1, 8, 8), 4, 0), build_model("mlp", (1, 8, 8), 4, 0)
    assert isinstance(loop, OneByOne) and not stackable(loop) and stackable(mlp)
    assert list(loop.state_dict()) == list(mlp.state_dict())
    for a, b in zip(loop.parameters(), mlp.parameters(), strict=True):
        assert torch.equal(a, b)


def test_ifca_by_its_authors_code_is_ours(clients):
    job = MethodRounds("ifca", clients, rounds=2)
    ours, theirs = job.simulated("mlp").models, dict(enumerate(job.authors()))
    assert difference(ours, theirs) < 1e-4
    assert difference(ours, job.simulated(one_by_one).models) < 1e-4
    once = MethodRounds("ifca", clients, rounds=1).simulated("mlp").models
    assert difference(once, theirs) > 1e-3


def test_bench_rounds_writes_a_row_for_each_method_and_number(tmp_path, monkeypatch, tiny_dataset):
    monkeypatch.setattr(catalogue, "load_dataset", lambda name: tiny_dataset)
    file = tmp_path / "rounds.json"
    command = [
        "bench",
        "rounds",
        "--clients",
        "4,6",
        "--samples",
        "8",
        "--repeats",
        "2",
        "--rounds",
        "1",
        "--json",
        str(file),
    ]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())
    for n in (4, 6):
        for name in ("fedavg_loop", "ifca_loop", "ifca_authors"):
            assert found[f"{name}_over_batched_{n}"] > 0
    assert (found["samples"], found["rounds"], found["dataset"]) == (8, 1, "tiny")
    assert [(row["method"], row["clients"]) for row in found["rows"]] == [
        ("fedavg", 4),
        ("ifca", 4),
        ("fedavg", 6),
        ("ifca", 6),
    ]
    for row in found["rows"]:
        assert row["difference"] < 1e-4
        assert row["same_choices"] == 1
        assert len(row["loop_all"]) == len(row["batched_all"]) == 2


@pytest.mark.parametrize("given", ["", "12,", "a", "3", "12,0"])
def test_numbers_of_clients_are_checked(given):
    result = CliRunner().invoke(main, ["bench", "rounds", "--clients", given])
    assert result.exit_code == 2 and "numbers from 4 on" in result.output
