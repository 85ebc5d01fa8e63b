"""The benchmarks: that they measure what they say. How long things take is not tested."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from rndcfl import RND, Clients, Ledger, make_clients
from rndcfl.book import figures
from rndcfl.book.bench import discovery, scale, works
from rndcfl.book.bench.naive import Skewed, naive_novelty
from rndcfl.book.bench.timing import Timed, alternate
from rndcfl.book.cli import main
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.networks import multiply_adds, resnet18_imagenet
from rndcfl.novelty import exchange
from rndcfl.settings.transforms import equidistant_patterns

FEW = "bench discovery --dataset fashion-mnist-mini --clients 4 --samples 40 --naive-samples 20"
TIMED = "--epochs 1 --repeats 1 --seeds 2 --images 2 --cifar-images 1 --threads 1"
FAST = [*FEW.split(), *TIMED.split()]


def rndcfl_(*arguments):
    return CliRunner().invoke(main, list(arguments), prog_name="rndcfl")


# --- the naive path ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_the_naive_order_finds_the_novelty_of_the_exchange(tiny_dataset, seed):
    def clients(rms):
        return make_clients(tiny_dataset, "pattern", 3, 3, seed, 37, 1, rms=rms)

    rnd = RND((2, 4), (4, 8), 8, "pool", steps=7, batch_size=16, train_share=1.0, max_samples=None)
    patterns = equidistant_patterns(3, (1, 8, 8), 0.15, numpy_rng(seed, "patterns"))
    naive = naive_novelty(clients(0.0), patterns, rnd, seed, progress=False)
    ours = exchange(clients(0.15), rnd, seed, Ledger()).novelty
    np.testing.assert_allclose(naive, ours, rtol=1e-5)
    other = exchange(clients(0.15), rnd, seed + 1, Ledger()).novelty
    assert np.abs(naive / other - 1).max() > 0.01  # the tolerance would tell


def test_the_pattern_added_at_each_reading_is_that_of_the_setting(tiny_dataset):
    plain = make_clients(tiny_dataset, "pattern", 4, 4, 0, 20, 1, rms=0.0)
    skewed = make_clients(tiny_dataset, "pattern", 4, 4, 0, 20, 1)
    patterns = equidistant_patterns(4, (1, 8, 8), works.RMS, numpy_rng(0, "patterns"))
    for i in range(4):
        own = Skewed(plain[i].x, patterns[i])
        assert len(own) == 20
        assert np.array_equal(np.stack([own[k].numpy() for k in range(20)]), skewed[i].x)


# --- timing --------------------------------------------------------------------------------------


def test_works_take_turns():
    seen = []
    timed = alternate({name: lambda name=name: seen.append(name) for name in "abc"}, 3)
    assert "".join(seen) == "abcabcabc"
    assert {len(own.seconds) for own in timed.values()} == {3}
    own = Timed([3.0, 1.0, 2.0], [2.0, 2.0, 1.0]).scaled(2)
    assert own.summary() == dict(median=4, least=2, most=6, all=[6, 2, 4], cpu_median=4)


# --- bench discovery -----------------------------------------------------------------------------


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
        ("ifca_round_over_default", "ifca", "default"),
        ("ifca_cifar_round_over_default", "ifca_cifar", "default"),
    ):
        assert result[key] == pytest.approx(seconds[upper] / seconds[lower])
        assert f"{result[key]:.1f}" in done.stdout
    assert 0 <= result["exact_recovery"] <= 1 and len(result["ari"]) == 2
    assert result["largest_relative_difference"] < 1e-4
    assert set(result["parts_of_default"]) == {"target", "training", "scoring", "test"}
    scaled = {name: own["scaled_by"] for name, own in result["works"].items()}
    assert scaled == dict(naive=2, same_work=2, default=0.5, ifca=20, ifca_cifar=40)
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


@pytest.mark.parametrize(
    "typed, said",
    [
        ("bench discovery --dataset nmist", "did you mean 'mnist'"),
        ("bench discovery --dataset fashion-mnist-mini --samples 5000", "from 16 to 666"),
        ("bench discovery --dataset fashion-mnist-mini --clients 2", "n_clients"),
        ("bench discovery --dataset fashion-mnist-mini --repeats 0", "repeats"),
        ("bench scale --clients ten", "10,100,1000"),
        ("bench scale --clients 1", "clients must be"),
        ("bench scale --landmarks 1000", "from 2 to 64"),
        ("bench scale --seeds 0", "x>=1"),
        ("bench scale --dataset nmist", "did you mean 'mnist'"),
        ("bench speed", "No such command 'speed'"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(typed, said):
    result = rndcfl_(*typed.split())
    assert result.exit_code == 2
    assert said in result.stderr and len(result.stderr.splitlines()) == 1


# --- bench scale ---------------------------------------------------------------------------------


def test_bench_scale_writes_a_row_for_each_run(tmp_path):
    file = tmp_path / "scale.json"
    sizes = "--clients 40 --all-to-all 40 --samples 150 --landmarks 16 --threads 1".split()
    done = rndcfl_("bench", "scale", *sizes, "--json", str(file))
    assert done.exit_code == 0, done.output
    table = pd.DataFrame(json.loads(file.read_text()))
    assert table[["mode", "clients", "peers_scored"]].to_numpy().tolist() == [
        ["all_to_all", 40, 40],
        ["landmarks", 40, 16],
    ]
    assert table["exact"].all() and (table["ari"] == 1).all()
    assert (table["seconds"] > 0).all()
    assert table["peak_mb"].between(50, 5000).all()
    assert table["bytes_per_client"].iloc[1] < table["bytes_per_client"].iloc[0] / 2


def test_a_process_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(scale.Case, "check", lambda self: None)
    with pytest.raises(scale.InputError, match="unknown dataset"):
        scale.measure(scale.Case("landmarks", 4, dataset="nonsense"))


def test_exponents_by_hand():
    n = pd.Series([10, 100, 1000, 10000])
    assert figures.exponent(n, n**2 / 7) == pytest.approx(2)
    assert figures.exponent(n, pd.Series([50.0, 3.0, 3.0, 3.0])) == pytest.approx(0)
    assert np.isnan(figures.exponent(n[:1], n[:1]))


def test_clients_of_the_benchmark_are_plain_clients():
    sizes = works.Sizes("fashion-mnist-mini", 4, 20, seeds=2)
    measured = works.Works.of(sizes)
    assert all(isinstance(own, Clients) for own in measured.several)
    assert not np.array_equal(measured.several[0][0].x, measured.several[1][0].x)
