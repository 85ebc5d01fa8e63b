import pytest
import torch

from rndcfl.common.seeding import numpy_rng, torch_seeded

KEYS = [(0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2), (0, "a"), (0, 1, "a"), (0,)]


def torch_draw(seed, *key):
    with torch_seeded(seed, *key):
        return torch.rand(4)


DRAWS = {"numpy_rng": lambda *key: numpy_rng(*key).random(4), "torch_seeded": torch_draw}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_key_names_one_stream(draw):
    draws = [tuple(map(float, draw(*key))) for key in KEYS]
    assert len(set(draws)) == len(KEYS)
    assert [tuple(map(float, draw(*key))) for key in reversed(KEYS)] == draws[::-1]


def test_streams_are_the_same_in_every_process():
    # The hash of a string differs from process to process; these numbers must not.
    assert numpy_rng(0, "batches", 1).integers(1000, size=3).tolist() == [869, 166, 435]


def test_torch_seeded_puts_the_global_generator_back():
    before = torch.random.get_rng_state()
    with torch_seeded(0, "x"):
        torch.rand(3)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_torch_seeded_puts_the_global_generator_back_after_an_error():
    before = torch.random.get_rng_state()
    with pytest.raises(RuntimeError), torch_seeded(0):
        torch.rand(3)
        raise RuntimeError
    assert torch.equal(torch.random.get_rng_state(), before)


def test_global_generators_do_not_matter():
    torch.manual_seed(1)
    first = torch_draw(5, "x")
    torch.manual_seed(2)
    assert torch.equal(torch_draw(5, "x"), first)


def test_making_a_generator_leaves_global_states_alone(global_rng_untouched):
    numpy_rng(0, "x").random()
    torch_draw(0, "x")
