from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call

from rndcfl.common.errors import InputError
from rndcfl.common.seeding import numpy_rng, torch_seeded
from rndcfl.engine.networks import device, encoder
from rndcfl.engine.stacked import side_by_side
from rndcfl.predictors import (
    LARGEST,
    RND,
    frozen_target,
    squared_errors,
    train_predictors,
    untrained_predictors,
)

SHAPE = (1, 8, 8)


@pytest.fixture
def samples():
    """Inputs of three clients of 12, 20 and 7 samples."""
    rng = np.random.default_rng(0)
    arrays = [rng.random((n, *SHAPE), dtype=np.float32) for n in (12, 20, 7)]
    return [torch.from_numpy(x).to(device()) for x in arrays]


def trained(samples, rnd, seed=0):
    target = frozen_target(SHAPE, rnd, seed)
    wanted = [target(x) for x in samples]
    stack = untrained_predictors(SHAPE, len(samples), rnd, seed)
    return train_predictors(samples, wanted, stack, rnd, seed), wanted


def state(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_equal(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def beside(batches):
    """Each predictor's own batch [N, n, *shape], as :meth:`Predictors.forward` reads them."""
    return side_by_side(list(batches)) if batches.ndim == 5 else batches


# --- the target ---------------------------------------------------------------------------------


def test_the_target_is_a_function_of_the_seed_alone(small_rnd):
    torch.manual_seed(1)
    first = state(frozen_target(SHAPE, small_rnd, 3))
    torch.manual_seed(2)
    other_budget = replace(small_rnd, steps=50, predictor=(3, 3))
    assert_equal(first, state(frozen_target(SHAPE, other_budget, 3)))
    other = state(frozen_target(SHAPE, small_rnd, 4))
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_the_target_is_frozen(small_rnd):
    target = frozen_target(SHAPE, small_rnd, 0)
    assert not target.training
    assert not any(p.requires_grad for p in target.parameters())


def test_the_authors_target_is_larger_than_the_predictor():
    rnd = RND.authors(4166)
    assert rnd.steps == 326  # 10 epochs of 4,166 samples in batches of 128
    assert (rnd.train_share, rnd.max_samples, rnd.downsample) == (1.0, None, "pool")
    predictors = untrained_predictors((3, 32, 32), 2, rnd, 0)
    assert predictors.bytes_each == 4 * (2 * 27 + 2 + 4 * 18 + 4 + 64 * 64 + 64)
    target = frozen_target((3, 32, 32), rnd, 0)
    assert sum(p.numel() for p in target.parameters()) == 32 * 28 + 64 * 289 + 64 * 1025


# --- the stack ----------------------------------------------------------------------------------


def test_untrained_predictors_do_not_depend_on_how_many_there_are(small_rnd):
    two = untrained_predictors(SHAPE, 2, small_rnd, 0).parameters
    five = untrained_predictors(SHAPE, 5, small_rnd, 0).parameters
    assert_equal(two, {name: value[:2] for name, value in five.items()})
    weights = five["0.weight"].flatten(1)
    assert len(torch.unique(weights, dim=0)) == 5


def test_len(small_rnd):
    assert len(untrained_predictors(SHAPE, 3, small_rnd, 0)) == 3


@pytest.mark.parametrize("downsample", ["stride", "pool"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 11), (5,)])
def test_stacked_passes_equal_one_predictor_at_a_time(small_rnd, shape, downsample):
    stack = untrained_predictors(shape, 3, replace(small_rnd, downsample=downsample), 0)
    rng = np.random.default_rng(0)
    batches = torch.from_numpy(rng.random((3, 7, *shape), dtype=np.float32)).to(device())
    own, common = stack.forward(beside(batches)), stack.forward(batches[0])
    assert own.shape == common.shape == (3, 7, 8)
    for j in range(3):
        alone = {name: value[j] for name, value in stack.parameters.items()}
        for stacked, x in ((own[j], batches[j]), (common[j], batches[0])):
            torch.testing.assert_close(stacked, functional_call(stack.network, alone, (x,)))


@pytest.mark.parametrize("shape", [(1, 8, 8), (5,)])
def test_a_stack_of_one(small_rnd, shape):
    stack = untrained_predictors(shape, 1, small_rnd, 0)
    x = torch.ones(2, *shape, device=device())
    alone = {name: value[0] for name, value in stack.parameters.items()}
    expected = functional_call(stack.network, alone, (x,))
    torch.testing.assert_close(stack.forward(x)[0], expected)
    torch.testing.assert_close(stack.forward(beside(x[None]))[0], expected)


def test_some_of_a_stack(small_rnd):
    stack = untrained_predictors(SHAPE, 4, small_rnd, 0)
    some = stack.only([3, 1])
    assert len(some) == 2
    assert_equal(some.parameters, {name: p[[3, 1]] for name, p in stack.parameters.items()})


def test_a_packed_stack_has_a_row_for_each(small_rnd):
    stack = untrained_predictors(SHAPE, 3, small_rnd, 0)
    packed = stack.packed()
    assert packed.dtype == np.float32 and packed.nbytes == 3 * stack.bytes_each
    for i, row in enumerate(packed):
        expected = torch.cat([p[i].flatten() for p in stack.parameters.values()])
        np.testing.assert_array_equal(row, expected.cpu())


# --- what no training yields --------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.01 * LARGEST, -1.01 * LARGEST])
@pytest.mark.parametrize("name", ["0.weight", "2.bias"])
def test_one_such_weight_is_enough_to_be_refused(small_rnd, name, value):
    stack = untrained_predictors(SHAPE, 3, small_rnd, 0)
    stack.parameters[name][1].view(-1)[0] = value
    refused = stack.refused()
    assert list(refused) == [1] and "NaN, infinite or weights beyond 1000" in refused[1]


def test_the_refused_are_named_in_the_order_of_their_numbers(small_rnd):
    stack = untrained_predictors(SHAPE, 5, small_rnd, 0)
    for i, value in ((4, np.nan), (0, 1e9), (2, np.inf)):
        stack.parameters["0.bias"][i] = value
    refused = stack.refused()
    assert list(refused) == [0, 2, 4] and all(type(i) is int for i in refused)


def test_weights_up_to_the_largest_are_accepted(small_rnd):
    stack = untrained_predictors(SHAPE, 2, small_rnd, 0)
    stack.parameters["0.bias"][:] = LARGEST
    assert stack.refused() == {}


def test_without_the_refused_the_stack_is_as_large_and_the_others_are_as_they_were(small_rnd):
    stack = untrained_predictors(SHAPE, 3, small_rnd, 0)
    stack.parameters["0.weight"][1] = np.nan
    safe = stack.without(stack.refused())
    for name, p in safe.parameters.items():
        assert not p[1].any()
        assert torch.equal(p[[0, 2]], stack.parameters[name][[0, 2]])
    assert stack.parameters["0.weight"][1].isnan().all()  # what was sent is kept
    assert safe.refused() == {} and safe.without({}) is safe


@pytest.mark.parametrize("chunk", [4, 7, 512])
def test_squared_errors_equal_one_predictor_at_a_time(small_rnd, samples, chunk):
    stack, wanted = trained(samples, small_rnd)
    errors = squared_errors(stack, samples[1], wanted[1], chunk)
    assert errors.shape == (3, 20) and errors.dtype == np.float64
    for j in range(3):
        alone = {name: value[j] for name, value in stack.parameters.items()}
        outputs = functional_call(stack.network, alone, (samples[1],))
        expected = ((outputs - wanted[1]) ** 2).sum(1).cpu().numpy()
        np.testing.assert_allclose(errors[j], expected, rtol=1e-4)


# --- training -----------------------------------------------------------------------------------


def train_alone(i, x, wanted, rnd, seed):
    """Client i's predictor with PyTorch's own loop and the draws that belong to ``(seed, i)``."""
    with torch_seeded(seed, "predictor", i):
        network = encoder(SHAPE, rnd.predictor, rnd.embedding, rnd.downsample).to(device())
    rng = numpy_rng(seed, "batches", i)
    stream = np.concatenate([rng.permutation(len(x)) for _ in range(rnd.steps * rnd.batch_size)])
    optimiser = torch.optim.Adam(network.parameters(), lr=rnd.lr)
    for step in range(rnd.steps):
        batch = torch.from_numpy(stream[step * rnd.batch_size :][: rnd.batch_size]).to(x.device)
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(network(x[batch]), wanted[batch]).backward()
        optimiser.step()
    return network


@pytest.mark.parametrize("batch_size", [4, 16])
def test_training_in_the_stack_equals_training_alone(small_rnd, samples, batch_size):
    rnd = replace(small_rnd, steps=12, batch_size=batch_size, lr=1e-2)
    stack, wanted = trained(samples, rnd, seed=5)
    before = untrained_predictors(SHAPE, 3, rnd, 5)
    for i in range(3):
        alone = train_alone(i, samples[i], wanted[i], rnd, 5)
        for name, value in alone.state_dict().items():
            assert not torch.allclose(before.parameters[name][i], value)
            torch.testing.assert_close(stack.parameters[name][i], value, rtol=1e-3, atol=1e-5)


def test_other_clients_do_not_matter(small_rnd, samples):
    two, three = trained(samples[:2], small_rnd)[0], trained(samples, small_rnd)[0]
    for name, value in two.parameters.items():
        torch.testing.assert_close(value, three.parameters[name][:2])


def test_training_reduces_the_error_and_leaves_what_it_was_given(small_rnd, samples):
    rnd = replace(small_rnd, steps=60, lr=1e-2)
    before = untrained_predictors(SHAPE, 3, rnd, 0)
    kept = {name: value.clone() for name, value in before.parameters.items()}
    after, wanted = trained(samples, rnd)
    assert_equal(before.parameters, kept)
    for i, x in enumerate(samples):
        errors = [squared_errors(stack, x, wanted[i])[i].mean() for stack in (before, after)]
        assert errors[1] < 0.5 * errors[0]
    assert not any(value.requires_grad for value in after.parameters.values())


def test_same_seed_same_bits(small_rnd, samples):
    a, b, c = (trained(samples, small_rnd, seed)[0].parameters for seed in (0, 0, 1))
    assert_equal(a, b)
    assert not torch.equal(a["0.weight"], c["0.weight"])


def test_training_leaves_global_generators_alone(small_rnd, samples, global_rng_untouched):
    trained(samples, small_rnd)


# --- the budget ---------------------------------------------------------------------------------


def test_the_defaults_are_usable():
    RND().check()
    RND.authors(100).check()


@pytest.mark.parametrize(
    "values, message",
    [
        (dict(steps=0), "steps must be a whole number of at least 1, got 0"),
        (dict(steps=2.5), "steps must be a whole number"),
        (dict(batch_size=0), "batch_size must be a whole number of at least 1"),
        (dict(embedding=0), "embedding must be a whole number of at least 1"),
        (dict(lr=-1), "lr must be a number of at least 0.0, got -1"),
        (dict(lr=float("nan")), "lr must be a number"),
        (dict(train_share=1.1), "train_share must be a number from 0.0 to 1.0, got 1.1"),
        (dict(max_samples=1), "max_samples must be a whole number of at least 2, got 1"),
        (dict(predictor=(2, 4, 8)), r"predictor must be two widths, got \(2, 4, 8\)"),
        (dict(predictor=8), "predictor must be two widths, got 8"),
        (dict(target=(0, 4)), "each width of target must be a whole number of at least 1, got 0"),
        (dict(downsample="strides"), "unknown downsample 'strides'; did you mean 'stride'"),
    ],
)
def test_values_that_cannot_be_meant(values, message):
    with pytest.raises(InputError, match=message):
        RND(**values).check()
