"""Series [n, C, T] go all ways that images go."""

import numpy as np
import pytest

from rndcfl import (
    METHODS,
    RND,
    Clients,
    InputError,
    Ledger,
    Privacy,
    discover,
    discover_at_scale,
    load_dataset,
    make_clients,
    simulate,
)
from rndcfl.engine.inputs import readable, smaller
from rndcfl.evolving.newcomers import Federations
from rndcfl.evolving.watching import Standing
from rndcfl.settings.transforms import turned


@pytest.fixture(scope="module")
def worn():
    """Four people; every other one wears the sensor turned by half a circle."""
    return make_clients("waves", "mounting", 4, 2, samples_per_client=80, test_per_client=20)


def test_series_are_a_kind(worn):
    assert (worn.kind, worn.input_shape) == ("series", (3, 64))
    assert worn[0].x.dtype == np.float32


def test_series_are_read_as_lines():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert readable(x, 0).shape == (2, 3, 1, 4)
    np.testing.assert_array_equal(readable(x, 0)[:, :, 0], x)


def test_long_series_and_large_images_are_averaged():
    assert smaller((3, 224, 112), 64) == (3, 64, 32)
    assert smaller((3, 64, 64), 64) == (3, 64, 64)
    assert smaller((2, 1, 8192), 64) == (2, 1, 4096)
    assert smaller((3, 500, 500), None) == (3, 500, 500)
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    assert readable(x, 0, 2).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]


@pytest.mark.parametrize("by", ["novelty", "features"])
def test_groups_of_series_are_found(worn, by):
    assert discover(worn, by=by).labels.tolist() == [0, 1, 0, 1]
    assert discover_at_scale(worn, by=by).labels.tolist() == [0, 1, 0, 1]
    assert discover(worn, by=by, labels=True).labels.tolist() == [0, 1, 0, 1]


def test_equal_series_share_a_federation():
    alike = make_clients("waves", "iid", 4, 1, samples_per_client=80)
    assert discover(alike).n_federations == 1


def test_privacy_and_newcomers_take_series(worn):
    private = discover(worn, by="features", privacy=Privacy(10.0))
    assert len(private.labels) == 4
    standing = Standing.start(worn, RND(steps=40), 0, Ledger())
    federations = Federations.of(standing, np.array([0, 1, 0, 1]))
    again = make_clients("waves", "mounting", 4, 2, samples_per_client=80, draw=1)
    assert federations.place(again[1]).federation == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", ["mlp", "conv1d"])
def test_every_method_trains_on_series(worn, method, model):
    params = dict(n_clusters=2) if method in ("ifca",) else {}
    history = simulate(worn, method, 1, model, progress=False, **params)
    assert np.isfinite(history.table["loss"]).all()


def test_one_model_is_for_series_and_others_are_not(worn, stripe_clients):
    with pytest.raises(InputError, match="'conv1d' needs series"):
        simulate(stripe_clients(2), "local", 1, "conv1d")
    with pytest.raises(InputError, match="'cnn' needs images"):
        simulate(worn, "local", 1, "cnn")


def test_mounting_turns_two_axes():
    x = np.array([[[1.0], [0.0], [5.0]]])
    np.testing.assert_allclose(turned(x, 90), [[[0], [1], [5]]], atol=1e-12)
    with pytest.raises(InputError, match="one channel"):
        turned(x[:, :1], 90)


@pytest.mark.parametrize("setting", ["rotation", "pattern", "noise", "contrast"])
def test_settings_of_images_are_not_for_series(setting):
    with pytest.raises(InputError, match=f"'{setting}' is for images, and waves is of kind series"):
        make_clients("waves", setting, 4, 2)
    with pytest.raises(InputError, match="'mounting' is for series"):
        make_clients("fashion-mnist-mini", "mounting", 4, 2)


@pytest.mark.parametrize("setting", ["classes", "dirichlet", "label_swap"])
def test_settings_of_labels_are(setting):
    clients = make_clients("waves", setting, 4, 2, samples_per_client=40)
    assert [c.x.shape for c in clients] == [(40, 3, 64)] * 4


def test_waves_are_the_same_everywhere_and_learned():
    data = load_dataset("waves")
    assert (data.x_train.shape, data.x_test.shape) == ((4000, 3, 64), (1000, 3, 64))
    assert np.bincount(np.concatenate([data.y_train, data.y_test])).tolist() == [1250] * 4
    upright = Clients.from_arrays(
        [(data.x_train[:600], data.y_train[:600], data.x_test[:200], data.y_test[:200])]
    )
    history = simulate(upright, "local", 10, "conv1d", local_epochs=4, progress=False)
    assert history.final()["accuracy"][0] > 0.8
