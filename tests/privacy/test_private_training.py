"""Private training: what is clipped, what is drawn, what is spent."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call

from rndcfl import InputError, Privacy
from rndcfl.common.seeding import numpy_rng
from rndcfl.predictors import RND, embed, frozen_target, untrained_predictors
from rndcfl.privacy.accountant import epsilon_of
from rndcfl.privacy.training import clipped_sums, train_privately

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
    how = dict(noise=privacy.noise_of_steps(rnd.steps), clip=privacy.clip, rate=privacy.rate) | how
    return stack, train_privately(list(x), list(wanted), stack, rnd, secret, **how)


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
    how = dict(noise=1.0, clip=LOUD.clip, rate=LOUD.rate)
    alone = train_privately([x[0]], [wanted[0]], stack.only([0]), TINY, 3, **how)
    together = train_privately(list(x), list(wanted), stack, TINY, 3, **how)
    torch.testing.assert_close(
        flat(alone.parameters, 0), flat(together.parameters, 0), rtol=1e-3, atol=1e-4
    )


def test_without_a_seed_noise_is_fresh_and_global_generators_rest(global_rng_untouched):
    assert Privacy(1.0).secret() != Privacy(1.0).secret()
    assert Privacy(1.0, noise_seed=5).secret() == 5
    training()
