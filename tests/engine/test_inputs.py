import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.engine.inputs import (
    CHANNELS,
    CHARACTERS,
    check_characters,
    readable,
    spelled,
    with_labels,
)


def test_labels_become_planes_or_columns():
    y = np.array([1, 0])
    images = np.arange(2 * 1 * 2 * 2, dtype=np.float32).reshape(2, 1, 2, 2)
    both = with_labels(images, y, 3)
    assert both.shape == (2, 4, 2, 2) and both.dtype == np.float32
    np.testing.assert_array_equal(both[:, :1], images)
    assert (both[0, 1:] == np.array([0, 1, 0])[:, None, None]).all()
    table = with_labels(np.zeros((2, 5), dtype=np.float32), y, 2)
    assert table.tolist() == [[0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1, 0]]


def test_text_is_spelled_with_a_vector_for_each_character():
    x = np.array([[5, 7, 5], [7, 0, CHARACTERS - 1]])
    image = spelled(x, seed=3)
    assert image.shape == (2, CHANNELS, 1, 3) and image.dtype == np.float32
    vectors = image[:, :, 0].transpose(0, 2, 1)  # [sample, place, channel]
    for i, j in np.ndindex(x.shape):
        for k, m in np.ndindex(x.shape):
            assert (vectors[i, j] == vectors[k, m]).all() == (x[i, j] == x[k, m])
    np.testing.assert_array_equal(spelled(x[:1], seed=3), image[:1])
    assert (spelled(x, seed=4) != image).all()


def test_characters_are_standard_normal():
    vectors = spelled(np.arange(4000)[None], seed=0)
    assert abs(vectors.mean()) < 0.02 and abs(vectors.std() - 1) < 0.02
    np.testing.assert_allclose(np.cov(vectors[0, :, 0]), np.eye(CHANNELS), atol=0.1)


def test_only_text_is_spelled_to_be_read():
    text = np.array([[1, 2]])
    np.testing.assert_array_equal(readable(text, 3), spelled(text, 3))
    images = np.zeros((2, 1, 8, 8), dtype=np.float32)
    assert readable(images, 3) is images


@pytest.mark.parametrize("wrong", [-1, CHARACTERS])
def test_characters_that_cannot_be_spelled_are_named_with_their_client(wrong):
    check_characters(4, np.array([[0, CHARACTERS - 1]]))
    with pytest.raises(InputError, match=f"client 4: text .* to {CHARACTERS - 1}, got .*{wrong}"):
        check_characters(4, np.array([[7, wrong]]))
