"""Thousands by features: no landmarks, and the same answer."""

import numpy as np
import pytest

from rndcfl import InputError, discover, discover_at_scale, load_dataset, make_clients
from rndcfl.reports import report_bytes
from rndcfl.scale.lazy_clients import Drawn, symmetries


def test_few_clients_are_grouped_as_discover_does():
    clients = make_clients(
        "fashion-mnist-mini", "rotation", 8, 4, samples_per_client=100, test_per_client=1
    )
    found, expected = discover_at_scale(clients, by="features"), discover(clients, by="features")
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.reports.profile, expected.reports.profile)
    assert not len(found.landmarks) and "by features" in repr(found)
    assert found.detectable > 0


def test_many_clients_cost_each_the_same():
    kinds = symmetries(load_dataset())
    for n in (80, 160):
        found = discover_at_scale(Drawn(kinds, n, 150), by="features", embedding=16)
        assert found.n_federations == 8
        each = found.ledger.table.query("client >= 0")
        assert (each["bytes_up"] == report_bytes(0, 16)).all() and (each["bytes_down"] == 8).all()


@pytest.mark.parametrize(
    "asked, says",
    [
        (dict(by="novelties"), "did you mean 'novelty'"),
        (dict(by="features", steps=3), "steps is of the predictors"),
        (dict(by="features", nothing=3), "unknown parameter of discover_at_scale 'nothing'"),
    ],
)
def test_what_does_not_go_together_is_refused(asked, says):
    with pytest.raises(InputError, match=says):
        discover_at_scale(Drawn(symmetries(load_dataset()), 3, 20), **asked)
