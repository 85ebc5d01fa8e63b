"""Federations grown from profiles: Gaussian profiles whose groups are known."""

import numpy as np
import pytest

from rndcfl.common.metrics import exact
from rndcfl.criteria.linkage import group, in_order_of_appearance
from rndcfl.scale.grouping import Profiles, group_profiles, n_tests
from rndcfl.twosample import evidence_against, profile_test

M = 5
NOBODY = np.full(M, -1)


def gaussian(groups, seed, apart=1.5, samples=200):
    """What clients report whose l(x) is normal: group g is `apart` from the others along axis g."""
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((M, M)) + 3 * np.eye(M)  # correlated predictors
    n = np.full(len(groups), samples) if np.isscalar(samples) else np.asarray(samples)
    rows = []
    for g, count in zip(groups, n, strict=True):
        centre = np.zeros(M)
        if g < M:  # the last group is at the origin
            centre[g] = apart / np.sqrt(2)
        logs = (rng.standard_normal((count, M)) + centre) @ mix
        rows.append((logs.mean(0), np.cov(logs.T)))
    mean, covariance = (np.stack(part) for part in zip(*rows, strict=True))
    return Profiles(n, mean, covariance)


def all_pairs(profiles, alpha=0.01):
    test = profile_test(
        profiles.samples, profiles.mean, profiles.covariance, np.arange(M), min_effect=0.1
    )
    threshold = -np.log10(alpha / n_tests(len(profiles.samples)))
    return group(test.evidence, threshold, "cliques")


def test_a_federation_pools_its_members_samples():
    rng = np.random.default_rng(0)
    own = [rng.standard_normal((n, M)) + n for n in (7, 5, 9)]
    one = lambda logs: (len(logs), logs.mean(0), np.cov(logs.T))  # noqa: E731
    profiles = Profiles(*(np.stack(part) for part in zip(*map(one, own), strict=True)))
    pooled = profiles.pooled(np.array([0, 1, 0]))
    for f, members in enumerate(([own[0], own[2]], [own[1]])):
        n, mean, covariance = one(np.vstack(members))
        assert pooled.samples[f] == n
        np.testing.assert_allclose(pooled.mean[f], mean)
        np.testing.assert_allclose(pooled.covariance[f], covariance)
    left = pooled[np.array([0])].without(profiles[np.array([2])])
    np.testing.assert_allclose(left.covariance[0], np.cov(own[0].T))


def test_evidence_against_a_group_is_that_of_the_pair():
    profiles = gaussian([0, 1, 0, 2], 0, apart=0.5, samples=[100, 60, 8, 30])
    pairs = profile_test(profiles.samples, profiles.mean, profiles.covariance, NOBODY, 0.1)
    for j in range(4):
        others = [i for i in range(4) if i != j]
        found = profiles[np.array(others)].against(profiles[j], 0.1)
        np.testing.assert_allclose(found, pairs.evidence[others, j], rtol=1e-9)
    every = evidence_against(
        profiles.samples,
        profiles.mean,
        profiles.covariance,
        profiles.samples[::-1],
        profiles.mean[::-1],
        profiles.covariance[::-1],
        0.1,
    )
    np.testing.assert_allclose(every, pairs.evidence[range(4), range(3, -1, -1)], rtol=1e-9)


@pytest.mark.parametrize("together", [4, 16, 64])
@pytest.mark.parametrize("seed", range(3))
def test_groups_that_are_apart_are_found_whatever_the_order(seed, together):
    rng = np.random.default_rng(100 + seed)
    truth = rng.integers(4, size=150)
    profiles = gaussian(truth, seed)
    found = group_profiles(profiles, NOBODY, together=together)
    assert exact(truth, found)
    assert np.array_equal(found, in_order_of_appearance(truth))
    order = rng.permutation(len(truth))
    again = group_profiles(profiles[order], NOBODY, together=together)
    assert exact(found[order], again)


@pytest.mark.parametrize("seed", range(5))
def test_clients_that_are_all_alike_stay_together(seed):
    profiles = gaussian(np.zeros(300, dtype=int), seed, samples=60)
    assert group_profiles(profiles, NOBODY, together=16).max() == 0


def test_false_alarms_are_as_rare_as_the_level_says():
    split = [
        group_profiles(gaussian(np.zeros(60, dtype=int), s, samples=40), NOBODY, 0.5, 0.0, 16).max()
        for s in range(40)
    ]
    assert np.mean(np.array(split) > 0) <= 0.5 + 2 * np.sqrt(0.25 / 40)


def test_singletons_found_federations_of_their_own_also_late():
    truth = np.zeros(100, dtype=int)
    truth[[3, 57, 99]] = 1, 2, 3
    assert exact(truth, group_profiles(gaussian(truth, 1, apart=2), NOBODY, together=16))


def test_everybody_unlike_everybody():
    truth = np.arange(6)
    assert exact(truth, group_profiles(gaussian(truth, 2, apart=3), NOBODY, together=2))


@pytest.mark.parametrize("seed", range(4))
def test_few_clients_are_grouped_as_all_with_all(seed):
    truth = np.arange(40) % 3
    profiles = gaussian(truth, seed, apart=0.6, samples=60)  # too weak to be found exactly
    found = group_profiles(profiles, np.arange(M), together=64)
    assert np.array_equal(found, all_pairs(profiles))


@pytest.mark.parametrize("seed", range(4))
def test_labels_of_many_are_those_of_all_with_all(seed):
    truth = np.random.default_rng(seed).integers(5, size=64)
    profiles = gaussian(truth, seed)
    found = group_profiles(profiles, NOBODY, together=16)
    assert np.array_equal(found, all_pairs(profiles))


def test_differences_too_small_to_count_do_not_split_large_federations():
    truth = np.arange(40) % 2
    profiles = gaussian(truth, 0, apart=0.08, samples=20000)
    assert group_profiles(profiles, NOBODY, together=16).max() == 0
    assert group_profiles(profiles, NOBODY, min_effect=0.0, together=16).max() > 0


def test_number_of_tests_by_hand():
    assert n_tests(2) == 1
    assert n_tests(64) == 64 * 63 // 2
    assert n_tests(100, 64) == 50 * 63 + 200
