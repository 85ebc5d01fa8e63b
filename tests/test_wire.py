"""Predictors as they travel."""

import numpy as np
import pytest
import torch

from rndcfl.predictors import RND, untrained_predictors
from rndcfl.wire import LARGEST, WireError, architecture, pack, unpack

SHAPES = [(1, 8, 8), (3,)]


@pytest.mark.parametrize("shape", SHAPES)
def test_unpack_gives_back_what_was_packed(shape):
    sent = untrained_predictors(shape, 3, RND(), seed=4)
    packed = pack(sent)
    assert packed.dtype == np.float32 and packed.nbytes == 3 * sent.bytes_each
    received = unpack(packed, shape, RND())
    assert list(received.parameters) == list(sent.parameters)
    for name, values in sent.parameters.items():
        assert torch.equal(received.parameters[name], values)


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda p: p.astype(np.float64), "float32"),
        (lambda p: p[:, 1:], "shape"),
        (lambda p: p[0], "shape"),
        (lambda p: p[:0], "shape"),
        (lambda p: np.where(p == p[0, 0], np.float32(np.nan), p), "NaN"),
        (lambda p: np.where(p == p[0, 0], np.float32(np.inf), p), "infinite"),
        (lambda p: np.where(p == p[0, 0], np.float32(-2 * LARGEST), p), "beyond"),
    ],
)
def test_what_is_not_a_stack_of_predictors_is_refused(spoil, says):
    packed = pack(untrained_predictors((1, 8, 8), 2, RND(), seed=0))
    with pytest.raises(WireError, match=says):
        unpack(spoil(packed), (1, 8, 8), RND())


def test_the_architecture_tells_shapes_and_budgets_apart():
    names = {architecture(shape, rnd) for shape in SHAPES for rnd in (RND(), RND(steps=151))}
    assert len(names) == 4 and architecture((3,), RND()) == architecture((3,), RND())
