import numpy as np
import pytest

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.common.metrics import exact
from rndcfl.criteria.linkage import group
from rndcfl.criteria.paper import READINGS, paper_dissimilarity
from rndcfl.discovery import discover
from rndcfl.federations import log_excess
from rndcfl.predictors import RND
from rndcfl.settings.partition import make_clients


@pytest.fixture(scope="module")
def clients(stripe_clients):
    return stripe_clients(4, n=60)


@pytest.fixture(scope="module")
def found(clients):
    return discover(clients)


# --- what it finds ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting, federations", [("pattern", 4), ("rotation", 4), ("classes", 4), ("iid", 1)]
)
def test_the_true_groups_are_found_on_the_bundled_data(setting, federations):
    clients = make_clients("fashion-mnist-mini", setting, n_clients=12, n_groups=4, seed=0)
    found = discover(clients, seed=0)
    assert found.n_federations == federations
    assert exact(clients.groups, found.labels)
    assert found.labels.tolist() == [i % federations for i in range(12)]


def test_two_kinds_of_stripes_are_told_apart(clients, found):
    assert found.labels.tolist() == [0, 1, 0, 1] == clients.groups.tolist()
    assert found.labels.dtype == np.int64
    assert found.n_federations == 2
    same = found.labels[:, None] == found.labels[None]
    assert found.excess[~same].min() > 2 * found.excess[same].max()


def test_the_results_belong_together(found):
    assert found.novelty.shape == (4, 4) and found.novelty.dtype == np.float64
    assert (found.novelty > 0).all()
    np.testing.assert_array_equal(found.novelty, found.reports.novelty)
    np.testing.assert_array_equal(found.excess, log_excess(found.novelty))
    assert found.threshold == pytest.approx(2)  # alpha = 0.01
    assert (found.tolerance, found.criterion) == (None, "calibrated")


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("grouping", ["components", "cliques"])
def test_the_papers_criterion(clients, small_rnd, reading, grouping):
    found = discover(
        clients, "paper", 0.4, reading=reading, grouping=grouping, rnd=small_rnd, train_share=1.0
    )
    expected = paper_dissimilarity(found.novelty, reading)
    np.testing.assert_array_equal(found.dissimilarity, expected)
    np.testing.assert_array_equal(found.labels, group(expected, 0.4, grouping))
    assert (found.tolerance, found.threshold) == (0.4, 0.4)
    assert found.criterion == f"paper_{reading}" + "_cliques" * (grouping == "cliques")


def test_the_paper_scores_on_all_samples_and_the_calibrated_criterion_on_held_out_ones(
    clients, found
):
    assert found.reports.samples.tolist() == [48] * 4
    paper = discover(clients, "paper", 0.5, steps=2)
    assert paper.reports.samples.tolist() == [60] * 4


def test_alpha_is_the_threshold(clients, small_rnd):
    found = discover(clients, alpha=0.1, rnd=small_rnd)
    assert found.threshold == pytest.approx(1)


def test_single_fields_of_the_budget(clients, small_rnd):
    a = discover(clients, rnd=small_rnd, steps=7, predictor=(3, 3))
    b = discover(clients, rnd=RND((3, 3), (4, 8), 8, steps=7, batch_size=8, train_share=1 / 3))
    np.testing.assert_array_equal(a.novelty, b.novelty)


def test_a_single_client(clients, small_rnd):
    found = discover(clients[:1], rnd=small_rnd)
    assert found.labels.tolist() == [0]
    assert found.ledger.total("discovery/novelty")["bytes_down"] == 0


def test_clients_of_different_size(stripe_clients, small_rnd):
    sizes = (6, 9, 30)
    arrays = [(stripe_clients(1, n=n)[0].x, None) for n in sizes]
    found = discover(Clients.from_arrays(arrays), rnd=small_rnd)
    assert found.reports.samples.tolist() == [4, 6, 20]
    assert np.isfinite(found.dissimilarity).all()


def test_labels_and_test_data_are_not_looked_at(clients, small_rnd):
    bare = Clients.from_arrays([(client.x, None) for client in clients])
    a, b = (discover(c, rnd=small_rnd) for c in (clients, bare))
    np.testing.assert_array_equal(a.dissimilarity, b.dissimilarity)


def test_with_labels_the_same_images_under_other_labels_are_told_apart(stripe_clients):
    alike = stripe_clients(4, n=150, one_group=True)
    groups = [0, 1, 0, 1]
    shifted = [(c.x, (c.y + g) % 4) for c, g in zip(alike, groups, strict=True)]
    clients = Clients.from_arrays(shifted, groups)
    assert discover(clients).labels.tolist() == [0, 0, 0, 0]
    assert discover(clients, labels=True).labels.tolist() == groups
    assert discover(alike, labels=True).labels.tolist() == [0, 0, 0, 0]


def test_labels_must_be_there_to_be_used(clients):
    bare = Clients.from_arrays([(client.x, None) for client in clients])
    with pytest.raises(InputError, match="labels=True needs clients with labels"):
        discover(bare, labels=True)
    with pytest.raises(InputError, match="labels must be True or False, got 'yes'"):
        discover(clients, labels="yes")


def test_a_smallest_relevant_effect_joins_what_hardly_differs(clients, found):
    apart = found.distance[0, 1]
    assert discover(clients, min_effect=0.5 * apart).n_federations == 2
    assert discover(clients, min_effect=1.5 * apart).n_federations == 1


# --- reproducibility ----------------------------------------------------------------------------


def test_same_seed_same_bits(clients, small_rnd):
    a, b, c = (discover(clients, seed=seed, rnd=small_rnd) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.novelty, b.novelty)
    np.testing.assert_array_equal(a.dissimilarity, b.dissimilarity)
    assert (a.novelty != c.novelty).all()


@pytest.mark.parametrize("criterion, tolerance", [("calibrated", None), ("paper", 0.5)])
def test_global_generators_are_left_alone(
    clients, small_rnd, global_rng_untouched, criterion, tolerance
):
    discover(clients, criterion, tolerance, rnd=small_rnd, train_share=0.5)


# --- text ---------------------------------------------------------------------------------------


def written(languages, weights, n=60, length=20, seed=0):
    """Clients who draw their letters from their language's weights [languages, letters]."""
    arrays = []
    for i, language in enumerate(languages):
        rng = np.random.default_rng((seed, i))
        arrays.append((rng.choice(len(weights[0]), (n, length), p=weights[language]), None))
    return Clients.from_arrays(arrays, languages, kind="text")


SKEWED = np.array([[4.0] * 10 + [1] * 10, [1.0] * 10 + [4] * 10]) / 50  # the same 20 letters
DISJOINT = np.array([[1.0] * 10 + [0] * 10, [0.0] * 10 + [1] * 10]) / 10
TURNS = [0, 1, 1, 0, 1, 0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weights", [DISJOINT, SKEWED], ids=["disjoint", "skewed"])
def test_languages_are_told_apart(weights, seed):
    found = discover(written(TURNS, weights, seed=seed), seed=seed)
    assert exact(TURNS, found.labels)


def test_one_language_is_one_federation():
    assert discover(written([0] * 6, SKEWED)).n_federations == 1


def test_the_order_of_letters_is_seen():
    """The same letters equally often: one language repeats each, the other never does."""
    arrays = []
    for i in range(4):
        rng = np.random.default_rng(i)
        x = rng.integers(6, size=(80, 10)).repeat(2, axis=1)
        if i % 2:
            x[:, 1::2] = (x[:, ::2] + rng.integers(1, 6, (80, 10))) % 6
        arrays.append((x, None))
    assert discover(Clients.from_arrays(arrays, kind="text")).labels.tolist() == [0, 1, 0, 1]


def test_the_papers_criterion_reads_text(small_rnd):
    found = discover(written(TURNS, DISJOINT), "paper", 0.3, rnd=small_rnd, train_share=1.0)
    np.testing.assert_array_equal(
        found.dissimilarity, paper_dissimilarity(found.novelty, "average")
    )
    assert (found.novelty > 0).all()


def test_text_is_discovered_without_labels():
    x = written(TURNS, SKEWED)[0].x
    with pytest.raises(InputError, match="labels=True is for images and tables"):
        discover(Clients.from_arrays([(x, x)] * 3, kind="text"), labels=True)


@pytest.mark.parametrize("number, said", [(-1, "-1 to 19"), (2**14, "0 to 16384")])
def test_numbers_of_characters_have_a_range(number, said):
    x = np.arange(60).reshape(3, 20) % 20
    wrong = x.copy()
    wrong[1, 3] = number
    with pytest.raises(InputError, match=f"text must be numbers from 0 to 16383, got {said}"):
        discover(Clients.from_arrays([(x, None), (wrong, None)], kind="text"))
