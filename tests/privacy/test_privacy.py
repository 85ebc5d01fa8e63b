"""Private training, private rows, and a discovery that keeps its promise."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call

from rndcfl import InputError, Privacy, discover, simulate
from rndcfl.common.ledger import Ledger
from rndcfl.common.seeding import numpy_rng
from rndcfl.novelty import embed
from rndcfl.predictors import RND, frozen_target, untrained_predictors
from rndcfl.privacy.accountant import epsilon_of, gaussian_epsilon
from rndcfl.privacy.promise import PRIVATE
from rndcfl.privacy.reports import (
    COVARIANCE_SHARE,
    bounded,
    log_errors,
    private_exchange,
    private_row,
    symmetric_noise,
)
from rndcfl.privacy.training import clipped_sums, train_privately
from rndcfl.twosample import profile_test

SHAPE = (1, 8, 8)
TINY = RND((2, 4), (4, 8), embedding=8, steps=3, lr=1e-2, train_share=0.5)
LOUD = Privacy(1.0, noise_seed=0)


def batch(n_clients=2, n=5, seed=0):
    """A stack, a batch per client, what is wanted of it, and all places taken."""
    stack = untrained_predictors(SHAPE, n_clients, TINY, seed)
    x = torch.from_numpy(numpy_rng(seed, "x").random((n_clients, n, *SHAPE), dtype=np.float32))
    wanted = torch.stack([embed(frozen_target(SHAPE, TINY, seed), own) for own in x])
    return stack, x, wanted, torch.ones(n_clients, n, dtype=torch.bool)


def flat(parameters, i):
    return torch.cat([p[i].flatten() for p in parameters.values()])


def one_gradient(stack, i, x, wanted):
    """Gradient of one sample's error by plain autograd."""
    own = {k: v[i].clone().requires_grad_() for k, v in stack.parameters.items()}
    loss = (functional_call(stack.network, own, (x[None],))[0] - wanted).square().mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(own.values()))])


# --- clipping -----------------------------------------------------------------------------------


def test_without_a_limit_the_sum_is_the_plain_gradient():
    stack, x, wanted, there = batch()
    sums = clipped_sums(stack, x, wanted, there, clip=1e9)
    for i in range(2):
        expected = sum(one_gradient(stack, i, x[i, k], wanted[i, k]) for k in range(5))
        torch.testing.assert_close(flat(sums, i), expected, rtol=1e-4, atol=1e-5)


def test_every_sample_is_scaled_to_the_limit_and_keeps_its_direction():
    stack, x, wanted, there = batch()
    expected = torch.zeros(2, len(flat(stack.parameters, 0)))
    norms = []
    for i in range(2):
        for k in range(5):
            g = one_gradient(stack, i, x[i, k], wanted[i, k])
            norms.append(float(g.norm()))
            expected[i] += g * min(1.0, 0.5 / float(g.norm()))
    assert min(norms) < 0.5 < max(norms) or min(norms) > 0.5  # some are cut
    sums = clipped_sums(stack, x, wanted, there, clip=0.5)
    torch.testing.assert_close(
        torch.stack([flat(sums, i) for i in range(2)]), expected, rtol=1e-4, atol=1e-5
    )


def test_one_sample_moves_the_sum_by_at_most_the_limit_however_extreme_it_is():
    stack, x, wanted, there = batch()
    without = there.clone()
    without[0, 2] = False
    x, wanted = x.clone(), wanted.clone()
    x[0, 2], wanted[0, 2] = 1e3, -1e4
    clip = 0.1
    with_it, left_out = (clipped_sums(stack, x, wanted, t, clip) for t in (there, without))
    moved = flat(with_it, 0) - flat(left_out, 0)
    assert float(moved.norm()) == pytest.approx(clip, rel=1e-3)
    torch.testing.assert_close(flat(with_it, 1), flat(left_out, 1), rtol=0, atol=0)


def test_a_gradient_that_is_not_finite_is_refused():
    stack, x, wanted, there = batch()
    wanted[1, 0] = float("inf")
    with pytest.raises(InputError, match="not finite"):
        clipped_sums(stack, x, wanted, there, 0.1)


# --- training -----------------------------------------------------------------------------------


def training(n_clients=2, n=40, privacy=LOUD, secret=7, rnd=TINY, **how):
    stack, x, wanted, _ = batch(n_clients, n)
    return stack, train_privately(list(x), list(wanted), stack, rnd, privacy, secret, **how)


def test_all_samples_no_noise_no_limit_is_plain_adam():
    privacy = replace(LOUD, rate=1.0, clip=1e9)
    stack, trained = training(privacy=privacy, noise=0.0)
    _, x, wanted, _ = batch(2, 40)
    for i in range(2):
        own = {k: v[i].clone().requires_grad_() for k, v in stack.parameters.items()}
        optimiser = torch.optim.Adam(list(own.values()), lr=TINY.lr)
        for _ in range(TINY.steps):
            optimiser.zero_grad()
            made = functional_call(stack.network, own, (x[i],))
            (made - wanted[i]).square().mean().backward()
            optimiser.step()
        for k, v in own.items():
            torch.testing.assert_close(trained.parameters[k][i], v.detach(), rtol=1e-3, atol=1e-5)


class Noted(torch.optim.SGD):
    """Notes the gradients it is given, and learns nothing."""

    seen: list = []  # noqa: RUF012

    def __init__(self, parameters, lr):
        super().__init__(parameters, lr=0.0)
        self.own = parameters

    def step(self):
        Noted.seen.append([p.grad.clone() for p in self.own])


def test_noise_has_the_stated_scale(monkeypatch):
    """Twice the same batches: with and without noise, the difference is the noise alone."""
    monkeypatch.setattr(torch.optim, "Adam", Noted)
    privacy, scale = replace(LOUD, rate=1.0, clip=0.3), []
    for noise in (0.0, 2.0):
        monkeypatch.setattr(Noted, "seen", [])
        training(privacy=privacy, noise=noise, rnd=replace(TINY, steps=30))
        scale.append([torch.cat([g.flatten() for g in step]) for step in Noted.seen])
    drawn = torch.stack(scale[1]) - torch.stack(scale[0])
    expected = 2.0 * 0.3 / 40  # z times clip over the samples expected in a step
    assert float(drawn.std()) == pytest.approx(expected, rel=0.02)
    assert abs(float(drawn.mean())) < 4 * expected / np.sqrt(drawn.numel())
    correlation = np.corrcoef(drawn.numpy()[:5])
    assert np.abs(correlation - np.eye(5)).max() < 5 / np.sqrt(drawn.shape[1])  # fresh every step


def test_samples_take_part_at_the_rate_each_on_its_own(monkeypatch):
    widths = []

    def spy(predictors, x, wanted, there, clip):
        widths.append(there.sum(1).tolist())
        return {k: torch.zeros_like(v) for k, v in predictors.parameters.items()}

    monkeypatch.setattr("rndcfl.privacy.training.clipped_sums", spy)
    training(n=200, privacy=replace(LOUD, rate=0.2), rnd=replace(TINY, steps=300))
    taken = np.array(widths)
    assert taken.mean() == pytest.approx(40, abs=1)
    assert taken.var() == pytest.approx(200 * 0.2 * 0.8, rel=0.25)  # binomial, not a fixed size
    assert abs(np.corrcoef(taken.T)[0, 1]) < 0.2


def test_a_run_spends_what_it_promises():
    for epsilon in (0.5, 4.0):
        privacy = Privacy(epsilon, delta=1e-6, rate=0.2)
        z = privacy.noise_of_steps(50)
        assert 0.999 * epsilon < epsilon_of(z, 0.2, 50, 1e-6) <= epsilon


def test_the_same_secret_gives_the_same_bits_and_another_one_others():
    (_, a), (_, b), (_, c) = (training(secret=s) for s in (1, 1, 2))
    assert torch.equal(flat(a.parameters, 0), flat(b.parameters, 0))
    assert not torch.equal(flat(a.parameters, 0), flat(c.parameters, 0))


def test_a_client_does_not_depend_on_how_many_there_are():
    stack, x, wanted, _ = batch(3, 40)
    alone = train_privately([x[0]], [wanted[0]], stack.only([0]), TINY, LOUD, 3)
    together = train_privately(list(x), list(wanted), stack, TINY, LOUD, 3)
    torch.testing.assert_close(
        flat(alone.parameters, 0), flat(together.parameters, 0), rtol=1e-3, atol=1e-4
    )


def test_without_a_seed_noise_is_fresh_and_global_generators_rest(global_rng_untouched):
    assert Privacy(1.0).secret() != Privacy(1.0).secret()
    assert Privacy(1.0, noise_seed=5).secret() == 5
    training()


# --- rows ---------------------------------------------------------------------------------------


def errors(m=4, n=50, seed=0):
    rng = numpy_rng(seed, "errors")
    return np.exp(rng.standard_normal((m, n))), np.exp(rng.standard_normal(n) + 1)


def test_vectors_have_norm_one_at_most_whatever_a_hostile_predictor_says():
    e, scale = errors()
    e[0, :4] = [np.inf, np.nan, 0.0, 1e300]
    e[:, 5], scale[6] = np.nan, 0.0
    v = bounded(e, scale)
    assert np.isfinite(v).all()
    assert np.linalg.norm(v, axis=0).max() <= 1 + 1e-12


def test_a_vector_is_of_its_own_sample_only():
    e, scale = errors()
    changed = e.copy()
    changed[:, 3] *= 100
    before, after = bounded(e, scale), bounded(changed, scale)
    others = np.arange(50) != 3
    assert np.array_equal(before[:, others], after[:, others])
    assert not np.array_equal(before[:, 3], after[:, 3])


def test_log_errors_come_back_where_nothing_was_cut():
    logs = np.array([[-1.1, -0.9], [-1.0, -1.2], [-1.3, -0.8]])
    v = bounded(np.exp(logs), np.ones(2))
    assert np.linalg.norm(v, axis=0).max() < 1
    np.testing.assert_allclose(log_errors(v.T), logs.T)


def test_the_two_releases_of_a_row_have_the_stated_noise_and_spend_the_promise():
    """Many rows of one client: how the reported mean scatters, and what both noises cost."""
    e, scale = errors(m=3, n=60)
    v = bounded(e, scale)
    rows = [private_row(v, LOUD, numpy_rng(k, "row")) for k in range(2000)]
    means = np.array([row.mean for row in rows])
    np.testing.assert_allclose(means.mean(0), v.mean(1), atol=4 * means.std() / np.sqrt(2000))
    np.testing.assert_allclose(means.var(0), rows[0].noise, rtol=0.12)
    of_mean = np.sqrt(rows[0].noise) * 60  # in units of the sensitivity 1/n
    of_second = of_mean * np.sqrt((1 - COVARIANCE_SHARE) / COVARIANCE_SHARE)
    both = (of_mean**-2 + of_second**-2) ** -0.5
    assert gaussian_epsilon(both, LOUD.delta) == pytest.approx(LOUD.epsilon, rel=1e-3)


def test_noise_on_symmetric_matrices_is_standard_in_the_frobenius_norm():
    drawn = np.array([symmetric_noise(4, numpy_rng(k, "sym")) for k in range(4000)])
    np.testing.assert_array_equal(drawn, drawn.transpose(0, 2, 1))
    direction = np.array([[1, 2, 0, 0], [2, -1, 0, 3], [0, 0, 0, 0], [0, 3, 0, 1.0]])
    direction /= np.linalg.norm(direction)
    assert np.einsum("kij,ij->k", drawn, direction).std() == pytest.approx(1.0, rel=0.04)


def test_with_much_data_a_private_row_is_the_plain_one():
    e, scale = errors(n=200_000)
    v = bounded(e, scale)
    row = private_row(v, Privacy(50.0), numpy_rng(0, "row"))
    np.testing.assert_allclose(row.mean, v.mean(1), atol=1e-4)
    np.testing.assert_allclose(row.covariance, np.cov(v), atol=1e-4)


@pytest.mark.parametrize("epsilon, n", [(0.5, 100), (2.0, 300), (16.0, 300)])
def test_the_test_keeps_its_level_under_noise(epsilon, n):
    """Clients all alike: hardly ever a p-value below one in a hundred. Without being told of the
    noise the test fails."""
    told, untold = [], []
    mixing = numpy_rng(0, "mixing").standard_normal((6, 6)) * 0.3
    for k in range(12):
        rows = []
        for i in range(8):
            rng = numpy_rng(k, "client", i)
            logs = mixing @ rng.standard_normal((6, n)) - 1
            v = bounded(np.exp(logs), np.ones(n))
            rows.append(private_row(v, Privacy(epsilon), rng))
        stacked = (np.stack([getattr(r, a) for r in rows]) for a in ("mean", "covariance"))
        given = (np.full(8, n), *stacked, np.arange(6))
        noise = np.array([row.noise for row in rows])
        pairs = np.tril_indices(8, -1)
        told.append(profile_test(*given, noise=noise).evidence[pairs])
        untold.append(profile_test(*given).evidence[pairs])
    assert (np.concatenate(told) > 2).mean() <= 0.012
    assert epsilon > 4 or (np.concatenate(untold) > 2).mean() > 0.012


def test_noise_widens_the_variance_of_a_difference_by_hand():
    """One predictor, n = 9 and 4, variance 2: T^2 = 1 / (2 (1/9 + 1/4) + 0.5 + 0.1)."""
    samples, mean = np.array([9, 4]), np.array([[1.0], [0.0]])
    covariance, noise = np.full((2, 1, 1), 2.0), np.array([0.5, 0.1])
    test = profile_test(samples, mean, covariance, np.arange(1), noise=noise)
    squared = 1 / (2 * (1 / 9 + 1 / 4) + 0.6)
    from scipy.stats import f

    assert test.evidence[0, 1] == pytest.approx(-np.log10(f.sf(squared, 1, 11)), rel=1e-6)


# --- discovery ----------------------------------------------------------------------------------


def test_private_discovery_finds_clear_groups_and_says_what_it_promises(stripe_clients):
    clients = stripe_clients(4, n=400)
    found = discover(clients, privacy=Privacy(8.0, noise_seed=0))
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert "(8, 1e-05)-differentially private" in repr(found)
    assert found.privacy.epsilon == 8.0
    assert len(found.explain()) == 4
    again = discover(clients, privacy=Privacy(8.0, noise_seed=0))
    assert np.array_equal(found.reports.profile, again.reports.profile)
    other = discover(clients, privacy=Privacy(8.0, noise_seed=1))
    assert not np.array_equal(found.reports.profile, other.reports.profile)


def test_a_held_out_sample_changes_one_row_and_a_training_sample_one_predictor(stripe_clients):
    """What the parallel composition rests on: nobody's sample is used twice."""
    clients = stripe_clients(3, n=40)
    order = numpy_rng(0, "samples", 1).permutation(40)

    def reports(changed=None):
        x = clients[1].x.copy()
        if changed is not None:
            x[order[changed]] = 0.9
        members = (clients[0], replace(clients[1], x=x), clients[2])
        altered = replace(clients, members=members)
        return private_exchange(altered, TINY, 0, Ledger(), LOUD).profile

    plain, scored, trained = reports(), reports(39), reports(0)
    assert [np.array_equal(plain[i], scored[i]) for i in range(3)] == [True, False, True]
    columns = np.abs(log_errors(plain) - log_errors(trained)).max(0)
    assert columns.argmax() == 1 or np.array_equal(plain, trained)  # it may not have taken part


def test_the_default_budget_of_private_discovery_leaves_no_sample_out():
    assert PRIVATE.max_samples is None
    assert PRIVATE.n_train(1000) == PRIVATE.n_scored(1000) == 500


@pytest.mark.parametrize(
    "given, message",
    [
        (dict(privacy=1.0), "privacy must be a Privacy"),
        (dict(privacy=Privacy(0.0)), "epsilon must be"),
        (dict(privacy=Privacy(1.0, delta=0.5)), "delta must be"),
        (dict(privacy=Privacy(1.0, rate=0.0)), "rate must be"),
        (dict(privacy=LOUD, criterion="paper", tolerance=0.1), "criterion 'calibrated'"),
    ],
)
def test_what_cannot_be_private_is_refused(stripe_clients, given, message):
    with pytest.raises(InputError, match=message):
        discover(stripe_clients(3), **given)


@pytest.mark.parametrize("again", [dict(recluster_every=2), dict(on_signal=True)])
def test_discovering_again_would_spend_more_than_promised(stripe_clients, again):
    with pytest.raises(InputError, match="one discovery"):
        simulate(stripe_clients(3), "rnd", 1, privacy=LOUD, **again)
