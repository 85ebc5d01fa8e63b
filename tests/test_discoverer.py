"""What :func:`discover` may be asked for: names, objects, and what is refused before any work."""

import numpy as np
import pytest

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, Notice
from rndcfl.criteria import Calibrated, Paper
from rndcfl.discovery import Discoverer, discover
from rndcfl.novelty import Novelty
from rndcfl.predictors import RND
from rndcfl.privacy import PRIVATE, Privacy

PAPER = dict(criterion="paper", tolerance=0.5)


@pytest.fixture(scope="module")
def clients(stripe_clients):
    return stripe_clients(4, n=60)


# --- by name or as an object --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, arguments, criterion",
    [
        ("calibrated", dict(), Calibrated()),
        ("calibrated", dict(alpha=0.05, min_effect=0.5), Calibrated(0.05, 0.5)),
        ("calibrated", dict(defence="robust"), Calibrated(defence="robust")),
        ("paper", dict(tolerance=0.5), Paper(0.5)),
        (
            "paper",
            dict(tolerance=-1, reading="either", grouping="components", defence="none"),
            Paper(-1, "either", "components", "none"),
        ),
    ],
)
def test_an_object_is_what_its_name_and_parameters_are(
    clients, small_rnd, name, arguments, criterion
):
    assert Discoverer.of(name, **arguments) == Discoverer.of(criterion)
    budget = dict(rnd=small_rnd, train_share=0.5)
    by_name, given = (
        discover(clients, name, **arguments, **budget),
        discover(clients, criterion, **budget),
    )
    np.testing.assert_array_equal(by_name.dissimilarity, given.dissimilarity)
    np.testing.assert_array_equal(by_name.labels, given.labels)
    assert (by_name.criterion, by_name.threshold) == (given.criterion, given.threshold)


def test_a_parameter_at_its_default_says_nothing(clients, small_rnd):
    """Whoever passes all of them on need not know which are the criterion's."""
    found = discover(clients, Calibrated(alpha=0.1), alpha=0.01, reading="average", rnd=small_rnd)
    assert found.alpha == 0.1


def test_the_budget_is_the_criterions_unless_one_is_given(small_rnd):
    assert Discoverer.of(steps=7).rnd == RND(steps=7)
    assert Discoverer.of("paper", 0.5).rnd == RND(train_share=1.0)
    assert Discoverer.of("paper", 0.5, train_share=0.5).rnd == RND(train_share=0.5)
    assert Discoverer.of("paper", 0.5, rnd=small_rnd).rnd == small_rnd
    assert Discoverer.of(privacy=Privacy(1.0)).rnd == PRIVATE


@pytest.mark.parametrize(
    "asked, profile",
    [
        (dict(), Novelty()),
        (dict(labels=True, steps=7), Novelty(RND(steps=7), labels=True)),
        (dict(defence="none"), Novelty(screen=False)),
        (PAPER, Novelty(RND(train_share=1.0), most_peers=0)),
    ],
)
def test_what_clients_are_compared_by_follows_from_what_is_asked_for(asked, profile):
    assert Discoverer.of(**asked).profile == profile


# --- what cannot be used ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(criterion="calibrate"), "unknown criterion 'calibrate'; did you mean 'calibrated'"),
        (dict(criterion="paper"), r"criterion 'paper' needs tolerance=epsilon"),
        (dict(criterion="paper", tolerance="1"), "tolerance must be a number"),
        (dict(criterion="paper", tolerance=float("nan")), "tolerance must be a number"),
        (dict(tolerance=0.3), "criterion 'calibrated' takes no tolerance"),
        (dict(alpha=0), "alpha must be a number from 1e-12 to 0.5, got 0"),
        (dict(alpha=0.9), "alpha must be a number from 1e-12 to 0.5, got 0.9"),
        (dict(PAPER, reading="mutal"), "unknown reading 'mutal'; did you mean 'mutual'"),
        (dict(PAPER, grouping="clique"), "unknown grouping 'clique'; did you mean 'cliques'"),
        (dict(reading="mutual"), "reading='mutual' is no parameter of criterion 'calibrated'"),
        (dict(grouping="components"), "grouping='components' is no parameter of criterion 'cal"),
        (dict(PAPER, alpha=0.1), "alpha=0.1 is no parameter of criterion 'paper'"),
        (dict(PAPER, min_effect=0.2), "min_effect=0.2 is no parameter of criterion 'paper'"),
        (dict(defence="robus"), "unknown defence 'robus'; did you mean 'robust'"),
        (dict(PAPER, defence="robust"), "goes with criterion 'calibrated'"),
        (dict(criterion=Calibrated), "unknown criterion <class"),
        (dict(criterion=Calibrated(), tolerance=0.3), r"Calibrated\(.*\) takes no tolerance"),
        (dict(criterion=Paper(0.5), tolerance=0.3), r"Paper\(.*\) takes no tolerance"),
        (dict(criterion=Calibrated(), alpha=0.1), r"alpha=0.1 is no parameter of criterion Cal"),
        (dict(criterion=Paper(0.5), reading="either"), "reading='either' is no parameter of"),
        (dict(step=5), "unknown parameter of discover 'step'; did you mean 'steps'"),
        (dict(alhpa=0.1), "unknown parameter of discover 'alhpa'; did you mean 'alpha'"),
        (dict(steps=0), "steps must be a whole number of at least 1, got 0"),
        (dict(train_share=1.0), "scores on held-out samples; take train_share < 1"),
        (dict(downsample="max"), "unknown downsample 'max'"),
        (dict(seed=-1), "seed must be a whole number of at least 0, got -1"),
        (dict(seed=0.5), "seed must be a whole number"),
    ],
)
def test_unusable_arguments(clients, arguments, message):
    with pytest.raises(InputError, match=message):
        discover(clients, **arguments)


@pytest.mark.parametrize(
    "params, says",
    [
        (dict(downsample="max"), "unknown downsample"),
        (dict(labels="yes"), "labels must be True or False, got 'yes'"),
        (dict(stepz=3), "unknown parameter of discover 'stepz'; did you mean 'steps'"),
    ],
)
def test_arguments_are_checked_without_clients(params, says):
    with pytest.raises(InputError, match=says):
        Discoverer.of(**params)


def test_clients_are_checked_before_any_work(clients):
    Discoverer.of("paper", 0.5).check(clients)
    with pytest.raises(InputError, match="at least 3 clients"):
        Discoverer.of("paper", 0.5).check(clients[:2])


def test_the_calibrated_criterion_needs_three_samples(stripe_clients):
    own = stripe_clients(1, n=60)[0].x
    clients = Clients.from_arrays(
        {"a": (own[:3], None), "b": (own[3:5], None), "c": (own[5:], None)}
    )
    with pytest.warns(Notice, match=r"client b \(2\) with too few samples to compare"):
        found = discover(clients)
    assert found.refused == {1: "it has 2 samples, too few to compare"}
    assert found.federations == [["a", "c"], ["b"]]
    table = found.explain()
    assert table["name"].tolist() == ["a", "b", "c"]
    assert table["scored"].tolist() == [2, 0, 44] and np.isnan(table["detectable"][1])
    with pytest.raises(
        InputError, match=r"client 0 has 2 samples, 1 of them left to compare; at least 2"
    ):
        discover(clients[1:2])


@pytest.mark.parametrize(
    "budget", [dict(train_share=0.99), dict(train_share=0.95), dict(max_samples=2)]
)
def test_enough_samples_must_be_left_to_test_with(stripe_clients, small_rnd, budget):
    # Of 12 samples, 12 or 11 would train; of 2, 1: a variance needs two held out.
    with pytest.raises(InputError, match="left to compare"):
        discover(stripe_clients(3, n=12), rnd=small_rnd, **budget)


def test_the_papers_criterion_needs_samples_to_score_with(stripe_clients, small_rnd):
    with pytest.raises(InputError, match="left to compare"):
        discover(stripe_clients(3, n=12), "paper", 0.5, rnd=small_rnd, train_share=0.99)


def test_the_papers_criterion_needs_peers(clients):
    with pytest.raises(InputError, match="criterion 'paper' needs at least 3 clients, got 2"):
        discover(clients[:2], "paper", 0.5)
