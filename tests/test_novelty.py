from dataclasses import replace

import numpy as np
import pytest
import torch

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.inputs import spelled
from rndcfl.engine.networks import device, multiply_adds
from rndcfl.novelty import Novelty, exchange, fit, profile_peers, report
from rndcfl.predictors import RND, frozen_target, train_predictors, untrained_predictors

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def clients(stripe_clients):
    return stripe_clients(3, n=12)


def modules_and_samples(clients, rnd, seed):
    """The target, every client's predictor as a plain module, and what each client scores with."""
    target = frozen_target(SHAPE, rnd, seed)
    fitted, scored = [], []
    for i, client in enumerate(clients):
        x = client.x[numpy_rng(seed, "samples", i).permutation(len(client))]
        x = torch.from_numpy(x).to(device())
        cut = round(rnd.train_share * len(x))
        fitted.append(x[:cut])
        scored.append(x if rnd.train_share == 1 else x[cut:])
    start = untrained_predictors(SHAPE, len(clients), rnd, seed)
    stack = train_predictors(fitted, [target(x) for x in fitted], start, rnd, seed)
    modules = []
    for j in range(len(clients)):
        module = frozen_target(SHAPE, replace(rnd, target=rnd.predictor), seed)
        module.load_state_dict({name: value[j] for name, value in stack.parameters.items()})
        modules.append(module)
    return target, modules, scored


@pytest.mark.parametrize("train_share", [1.0, 1 / 3])
def test_novelty_is_equation_8(clients, small_rnd, train_share):
    rnd = replace(small_rnd, train_share=train_share)
    reports = exchange(clients, Novelty(rnd), 1, Ledger())
    target, modules, scored = modules_and_samples(clients, rnd, 1)
    assert reports.samples.tolist() == ([12] * 3 if train_share == 1 else [8] * 3)
    for i, samples in enumerate(scored):
        for j, predictor in enumerate(modules):
            total = 0.0
            for x in samples:
                total += float(((predictor(x[None]) - target(x[None])) ** 2).sum())
            assert reports.novelty[i, j] == pytest.approx(total / len(samples), rel=1e-4)


def test_reports_are_means_and_covariances_of_log_errors(clients, small_rnd):
    reports = exchange(clients, Novelty(small_rnd), 0, Ledger())
    assert reports.peers.tolist() == [0, 1, 2]
    target, modules, scored = modules_and_samples(clients, small_rnd, 0)
    for i, x in enumerate(scored):
        errors = torch.stack([((predictor(x) - target(x)) ** 2).sum(1) for predictor in modules])
        logs = np.log(errors.detach().double().cpu().numpy())
        np.testing.assert_allclose(reports.profile[i], logs.mean(1), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(reports.covariance[i], np.cov(logs), rtol=1e-3, atol=1e-5)


def test_a_report_by_hand():
    logs = np.array([[0.0, 1, 2], [1, 1, 4], [9, 9, 9]])
    made = report(np.exp(logs), np.array([0, 1]))
    np.testing.assert_allclose(
        made.novelty, [(1 + np.e + np.e**2) / 3, (2 * np.e + np.e**4) / 3, np.exp(9)]
    )
    assert made.samples == 3
    np.testing.assert_allclose(made.profile, [1, 2])
    np.testing.assert_allclose(made.covariance, [[1, 1.5], [1.5, 3]])


def test_above_the_largest_profile_a_sample_of_the_predictors_makes_it_up(clients, small_rnd):
    all_, two, none = (
        exchange(clients, Novelty(small_rnd, most_peers=m), 0, Ledger()) for m in (3, 2, 0)
    )
    assert len(two.peers) == 2 and set(two.peers) < {0, 1, 2}
    np.testing.assert_array_equal(two.profile, all_.profile[:, two.peers])
    np.testing.assert_allclose(two.covariance, all_.covariance[:, two.peers][:, :, two.peers])
    np.testing.assert_array_equal(none.novelty, all_.novelty)
    assert none.profile.shape == (3, 0) and none.covariance.shape == (3, 0, 0)


def test_text_is_spelled_alike_for_everybody(small_rnd):
    """A client's characters do not depend on who else is there, nor on its own seed."""
    rng = np.random.default_rng(0)
    texts = Clients.from_arrays(
        [(rng.integers(30, size=(12, 10)), None) for _ in range(3)], kind="text"
    )
    for only in ([0, 1, 2], [2]):
        _, held_out = fit(texts, small_rnd, 7, Ledger(), only=only, target_seed=1)
        for i, (x, _) in zip(only, held_out, strict=True):
            used = numpy_rng(7, "samples", i).permutation(12)[4:]
            np.testing.assert_array_equal(x.cpu(), spelled(texts[i].x[used], 1))


def test_a_perfect_predictor_has_finite_logs():
    made = report(np.array([[0.0, 1.0], [1.0, 1.0]]), np.arange(2))
    assert all(np.isfinite(part).all() for part in (made.novelty, made.profile, made.covariance))


def test_other_clients_do_not_matter(clients, small_rnd):
    three, two = (exchange(c, Novelty(small_rnd), 0, Ledger()) for c in (clients, clients[:2]))
    np.testing.assert_allclose(two.novelty, three.novelty[:2, :2], rtol=1e-5)
    np.testing.assert_allclose(two.profile, three.profile[:2, :2], atol=1e-5)


def test_only_training_inputs_are_used(clients, small_rnd):
    bare = Clients.from_arrays([(client.x, None) for client in clients])
    np.testing.assert_array_equal(
        exchange(bare, Novelty(small_rnd), 0, Ledger()).novelty,
        exchange(clients, Novelty(small_rnd), 0, Ledger()).novelty,
    )


def test_at_most_max_samples_are_used(clients, small_rnd):
    rnd = replace(small_rnd, max_samples=6)
    assert exchange(clients, Novelty(rnd), 0, Ledger()).samples.tolist() == [4, 4, 4]


def test_tables_are_scored_too():
    rng = np.random.default_rng(0)
    tables = [
        rng.standard_normal((200, 6)) * kept for kept in ([1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1])
    ]
    clients = Clients.from_arrays([(x, None) for x in tables])
    novelty = exchange(clients, Novelty(RND(steps=300)), 0, Ledger()).novelty
    assert (novelty.diagonal() < 0.8 * novelty[[0, 1], [1, 0]]).all()


def test_what_it_costs(clients, small_rnd):
    ledger = Ledger()
    exchange(clients, Novelty(small_rnd), 0, ledger)
    predictors = untrained_predictors(SHAPE, 3, small_rnd, 0)
    each = multiply_adds(predictors.network, SHAPE)
    target = multiply_adds(frozen_target(SHAPE, small_rnd, 0), SHAPE)
    table = ledger.table
    assert set(table["round"]) == {0}
    train = table[table["phase"] == "discovery/predictors"]
    score = table[table["phase"] == "discovery/novelty"]
    assert train["client"].tolist() == score["client"].tolist() == [0, 1, 2]
    # A predictor goes up, the target's seed comes down; 5 steps of 8 samples, three passes each.
    assert set(train["bytes_up"]) == {predictors.bytes_each}
    assert set(train["bytes_down"]) == {8}
    assert set(train["multiply_adds"]) == {12 * target + 3 * 5 * 8 * each}
    # Two peers' predictors come down; three predictors are run on the 8 samples kept to score with.
    assert set(score["bytes_down"]) == {2 * predictors.bytes_each}
    assert set(score["multiply_adds"]) == {3 * 8 * each}
    assert (table["seconds"] > 0).all()


def test_the_row_that_goes_up_holds_all_that_is_reported(clients, small_rnd):
    ledger = Ledger()
    exchange(clients, Novelty(small_rnd), 0, ledger)
    # Three novelties, three means, three variances and covariances each, the number of samples.
    assert ledger.total("discovery/novelty")["bytes_up"] == 3 * 8 * (3 + 3 + 6 + 1)
    ledger = Ledger()
    exchange(clients, Novelty(small_rnd, most_peers=0), 0, ledger)
    assert ledger.total("discovery/novelty")["bytes_up"] == 3 * 8 * (3 + 1)


def test_same_seed_same_bits(clients, small_rnd, global_rng_untouched):
    a, b, c = (exchange(clients, Novelty(small_rnd), seed, Ledger()).novelty for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).all()


def test_a_client_on_its_own_machine_does_what_it_does_among_all(clients, small_rnd):
    together, held_out = fit(clients, small_rnd, 3, Ledger())
    for i, client in enumerate(clients):
        alone, [(x, wanted)] = fit({i: client}, small_rnd, 3, Ledger())
        for name, values in together.parameters.items():
            torch.testing.assert_close(alone.parameters[name][0], values[i], atol=1e-6, rtol=1e-5)
        assert torch.equal(x, held_out[i][0])
        torch.testing.assert_close(wanted, held_out[i][1])


def test_labels_are_seen_beside_the_inputs(clients, small_rnd):
    profile = Novelty(small_rnd, labels=True)
    predictors, held_out = profile.prepare(clients, 0, Ledger())
    _, plain = Novelty(small_rnd).prepare(clients, 0, Ledger())
    for (x, _), (bare, _) in zip(held_out, plain, strict=True):
        assert x.shape[1:] == (1 + 4, 8, 8)
        assert torch.equal(x[:, :1], bare)
    assert profile.reports(predictors, held_out, 0, Ledger()).novelty.shape == (3, 3)


@pytest.mark.parametrize("train_share, share", [(0.2, 0.8), (1.0, 1.0)])
def test_the_share_that_is_looked_at_is_told(clients, small_rnd, train_share, share):
    profile = Novelty(replace(small_rnd, train_share=train_share))
    assert exchange(clients, profile, 0, Ledger()).share == pytest.approx(share)


def test_peers_are_all_or_a_draw_of_them():
    assert profile_peers(5, 0).tolist() == [0, 1, 2, 3, 4]
    some = profile_peers(100, 0, 7)
    assert len(set(some)) == 7 and (np.diff(some) > 0).all()
    assert some.tolist() == profile_peers(100, 0, 7).tolist() != profile_peers(100, 1, 7).tolist()


# --- predictors that no training yields ---------------------------------------------------------


def exchanged(clients, profile, broken):
    """The reports where the predictors of the clients `broken` are not a number."""
    trained, held_out = profile.prepare(clients, 0, Ledger())
    for i in broken:
        trained.parameters["0.bias"][i] = np.nan
    return profile.reports(trained, held_out, 0, Ledger())


def test_a_predictor_of_nan_is_refused_and_in_nobodys_profile(clients, small_rnd):
    honest = exchange(clients, Novelty(small_rnd), 0, Ledger())
    found = exchanged(clients, Novelty(small_rnd), [1])
    assert list(found.refused) == [1] and "NaN" in found.refused[1]
    assert found.peers.tolist() == [0, 2]
    np.testing.assert_array_equal(found.profile, honest.profile[:, [0, 2]])
    np.testing.assert_array_equal(found.novelty[:, [0, 2]], honest.novelty[:, [0, 2]])
    assert np.isfinite(found.novelty).all()  # everybody scores zeros in its place


def test_without_a_screen_it_is_in_everybodys(clients, small_rnd):
    found = exchanged(clients, Novelty(small_rnd, screen=False), [1])
    assert found.refused == {} and found.peers.tolist() == [0, 1, 2]
    assert np.isnan(found.novelty[:, 1]).all() and np.isnan(found.profile[:, 1]).all()


def test_where_no_predictor_passes_there_is_nothing_to_compare_by(clients, small_rnd):
    with pytest.raises(InputError, match=r"nobody's predictor can be used: .* take a smaller lr"):
        exchanged(clients, Novelty(small_rnd), [0, 1, 2])
