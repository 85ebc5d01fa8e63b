from dataclasses import replace

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger
from rndcfl.criteria.linkage import group
from rndcfl.criteria.paper import READINGS, Paper, paper_dissimilarity
from rndcfl.predictors import RND

# Rows: whose data; columns: whose predictor.
# Spread over the peers (population standard deviation): 1, 2, 1.
NOVELTY = np.array([[1.0, 2.0, 4.0], [3.0, 2.0, 7.0], [6.0, 8.0, 4.0]])

# (s_ij - s_ii) / sigma_i of NOVELTY:
#     0    1    3
#     1/2  0    5/2
#     2    4    0


@pytest.mark.parametrize(
    "reading, expected",
    [
        ("mutual", [[0, 1, 3], [1, 0, 4], [3, 4, 0]]),
        ("either", [[0, 0.5, 2], [0.5, 0, 2.5], [2, 2.5, 0]]),
        ("average", [[0, 0.75, 2.5], [0.75, 0, 3.25], [2.5, 3.25, 0]]),
        # |s_ij - s_ii| / s_ii: rows 1 3, 1/2 5/2, 1/2 1; both directions must hold.
        ("two_sided", [[0, 1, 3], [1, 0, 2.5], [3, 2.5, 0]]),
        # (s_ij - s_ii) / sigma_i^2: rows 1 3, 1/4 5/4, 2 4, of which the mean.
        ("variance", [[0, 0.625, 2.5], [0.625, 0, 2.625], [2.5, 2.625, 0]]),
    ],
)
def test_readings_of_equation_9_by_hand(reading, expected):
    np.testing.assert_allclose(paper_dissimilarity(NOVELTY, reading), expected)


def test_only_the_two_sided_reading_minds_smaller_scores():
    novelty = np.array([[4.0, 2, 1], [4, 4, 8], [4, 8, 4]])
    assert paper_dissimilarity(novelty, "mutual")[0, 1] <= 0
    assert paper_dissimilarity(novelty, "two_sided")[0, 1] == 0.5


@pytest.mark.parametrize("reading", READINGS)
def test_in_other_units_a_variance_needs_another_tolerance_and_no_other_reading_does(reading):
    times = 1 / 8 if reading == "variance" else 1
    expected = times * paper_dissimilarity(NOVELTY, reading)
    np.testing.assert_allclose(paper_dissimilarity(8 * NOVELTY, reading), expected)


@pytest.mark.parametrize(
    "reading, tolerance, labels",
    [
        ("mutual", 1.0, [0, 0, 1]),
        ("mutual", 0.9, [0, 1, 2]),
        ("mutual", 3.0, [0, 0, 0]),
        ("either", 0.5, [0, 0, 1]),
        ("average", 0.75, [0, 0, 1]),
        ("two_sided", 2.5, [0, 0, 0]),
        ("variance", 0.625, [0, 0, 1]),
    ],
)
def test_compatible_up_to_and_including_the_tolerance(reports, reading, tolerance, labels):
    assert group(paper_dissimilarity(NOVELTY, reading), tolerance).tolist() == labels
    given = replace(reports((0.0,) * 3), novelty=NOVELTY)
    found = Paper(tolerance, reading, "components").judge(given, Ledger())
    assert found.labels.tolist() == labels


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("grouping", ["components", "cliques"])
def test_it_groups_the_novelty_as_it_is_read(reports, reading, grouping):
    novelty = 1 + np.random.default_rng(0).random((4, 4))
    ledger = Ledger()
    found = Paper(0.4, reading, grouping).judge(replace(reports(), novelty=novelty), ledger)
    expected = paper_dissimilarity(novelty, reading)
    np.testing.assert_array_equal(found.dissimilarity, expected)
    np.testing.assert_array_equal(found.labels, group(expected, 0.4, grouping))
    assert (found.tolerance, found.threshold, found.ledger) == (0.4, 0.4, ledger)
    assert found.criterion == f"paper_{reading}" + "_cliques" * (grouping == "cliques")


def test_who_is_refused_is_in_nobodys_spread(reports):
    """Of four clients the last is refused: what is left is judged as if there were three."""
    novelty = np.full((4, 4), 99.0)
    novelty[:3, :3] = NOVELTY
    given = replace(reports(), novelty=novelty, refused={3: "why"})
    found = Paper(0.75).judge(given, Ledger())
    np.testing.assert_array_equal(
        found.dissimilarity[:3, :3], paper_dissimilarity(NOVELTY, "average")
    )
    assert found.labels.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize(
    "part, says",
    [
        (dict(refused={0: "why", 2: "why"}), "needs 3 clients; refused: {0: 'why', 2: 'why'}"),
        (dict(novelty=None), "judges novelty, which these reports do not hold"),
    ],
)
def test_what_cannot_be_judged(reports, part, says):
    with pytest.raises(InputError, match=says):
        Paper(0.5).judge(replace(reports(), **part), Ledger())


def test_it_trains_and_scores_on_the_same_samples_and_compares_novelty_only():
    assert Paper.budget == RND(train_share=1.0)
    assert (Paper.most_peers, Paper.least_scored) == (0, 1)


@pytest.mark.parametrize(
    "given, says",
    [
        (dict(tolerance=None), "needs tolerance=epsilon"),
        (dict(tolerance="1"), "tolerance must be a number"),
        (dict(tolerance=float("nan")), "tolerance must be a number"),
        (dict(tolerance=0.5, reading="mutal"), "unknown reading 'mutal'; did you mean 'mutual'"),
        (dict(tolerance=0.5, grouping="clique"), "unknown grouping 'clique'; did you mean"),
        (dict(tolerance=0.5, defence="robust"), "goes with criterion 'calibrated'"),
    ],
)
def test_parameters_are_checked_when_it_is_made(given, says):
    with pytest.raises(InputError, match=says):
        Paper(**given)
