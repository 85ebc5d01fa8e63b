"""The benchmark of discovery measures what it says. How long things take is not tested."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from rndcfl import Clients
from rndcfl.book.bench import discovery, works
from rndcfl.book.cli import main
from rndcfl.engine.networks import multiply_adds, resnet18_imagenet

FEW = "bench discovery --dataset fashion-mnist-mini --clients 4 --samples 40 --naive-samples 20"
TIMED = "--epochs 1 --repeats 1 --seeds 2 --images 2 --cifar-images 1 --threads 1"
FAST = [*FEW.split(), *TIMED.split()]


def rndcfl_(*arguments):
    return CliRunner().invoke(main, list(arguments), prog_name="rndcfl")


def test_bench_discovery_writes_ratios_and_what_they_come_from(tmp_path):
    file = tmp_path / "speed.json"
    done = rndcfl_(*FAST, "--json", str(file))
    assert done.exit_code == 0, done.output
    result = json.loads(file.read_text())
    seconds = {name: own["seconds"]["median"] for name, own in result["works"].items()}
    assert list(seconds) == list(discovery.WORKS)
    for key, upper, lower in (
        ("naive_over_same_work", "naive", "same_work"),
        ("naive_over_default", "naive", "default"),
        ("default_over_features", "default", "features"),
        ("ifca_round_over_default", "ifca", "default"),
        ("ifca_cifar_round_over_default", "ifca_cifar", "default"),
    ):
        assert result[key] == pytest.approx(seconds[upper] / seconds[lower])
        assert f"{result[key]:.1f}" in done.stdout
    assert 0 <= result["exact_recovery_features"] <= 1
    assert 0 <= result["exact_recovery"] <= 1 and len(result["ari"]) == 2
    assert result["largest_relative_difference"] < 1e-4
    assert set(result["parts_of_default"]) == {"target", "training", "scoring", "test"}
    scaled = {name: own["scaled_by"] for name, own in result["works"].items()}
    assert scaled == dict(naive=2, same_work=2, default=0.5, features=0.5, ifca=20, ifca_cifar=40)
    assert "4 clients of 40 images of fashion-mnist-mini" in done.stdout

    refused = rndcfl_(*FAST, "--json", str(file))
    assert refused.exit_code == 2 and "exists" in refused.stderr
    assert json.loads(file.read_text()) == result


def test_costs_of_the_works_by_hand():
    sizes = works.Sizes("fashion-mnist-mini", 4, 20, epochs=1, seeds=1, images=2)
    measured = works.Works.of(sizes)
    target = 28 * 28 * 9 * 32 + 14 * 14 * 32 * 9 * 64 + 16 * 64 * 64
    predictor = 28 * 28 * 9 * 2 + 14 * 14 * 2 * 9 * 4 + 16 * 4 * 64
    shown = 128  # one epoch of 20 images is one batch, filled up from the next pass
    naive, ours = measured.naive(), measured.same_work()
    assert naive.multiply_adds == 4 * (
        shown * (target + 3 * predictor) + 4 * 20 * (target + predictor)
    )
    assert ours.multiply_adds == 4 * (20 * target + 3 * shown * predictor + 4 * 20 * predictor)
    assert naive.bytes_per_client > 10 * ours.bytes_per_client
    resnet = resnet18_imagenet((1, 28, 28), 10)
    assert measured.ifca().multiply_adds == 4 * 4 * 20 * multiply_adds(resnet, (1, 28, 28))


def test_clients_of_the_benchmark_are_plain_clients():
    sizes = works.Sizes("fashion-mnist-mini", 4, 20, seeds=2)
    measured = works.Works.of(sizes)
    assert all(isinstance(own, Clients) for own in measured.several)
    assert not np.array_equal(measured.several[0][0].x, measured.several[1][0].x)
