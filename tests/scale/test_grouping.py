"""Federations grown from reports: Gaussian reports whose groups are known."""

from dataclasses import replace

import numpy as np
import pytest

from rndcfl.common.metrics import exact
from rndcfl.criteria import Calibrated
from rndcfl.criteria.linkage import group, in_order_of_appearance
from rndcfl.reports import Report, Reports
from rndcfl.scale.grouping import group_reports, n_tests
from rndcfl.twosample import profile_test

M = 5
NOBODY = np.full(M, -1)


def gaussian(groups, seed, apart=1.5, samples=200):
    """What clients report whose l(x) is normal: group g is `apart` from the others along axis g."""
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((M, M)) + 3 * np.eye(M)  # correlated predictors
    rows = []
    for g in groups:
        centre = np.zeros(M)
        if g < M:  # the last group is at the origin
            centre[g] = apart / np.sqrt(2)
        rows.append(Report.of(((rng.standard_normal((samples, M)) + centre) @ mix).T))
    return Reports.of(rows, len(rows), NOBODY)


def all_pairs(reports, alpha=0.01):
    test = profile_test(replace(reports, peers=np.arange(M)), min_effect=0.1)
    threshold = -np.log10(alpha / n_tests(len(reports)))
    return group(test.evidence, threshold, "cliques")


@pytest.mark.parametrize("together", [4, 16, 64])
@pytest.mark.parametrize("seed", range(3))
def test_groups_that_are_apart_are_found_whatever_the_order(seed, together):
    rng = np.random.default_rng(100 + seed)
    truth = rng.integers(4, size=150)
    reports = gaussian(truth, seed)
    found = group_reports(reports, together=together)
    assert exact(truth, found)
    assert np.array_equal(found, in_order_of_appearance(truth))
    order = rng.permutation(len(truth))
    again = group_reports(reports[order], together=together)
    assert exact(found[order], again)


@pytest.mark.parametrize("seed", range(5))
def test_clients_that_are_all_alike_stay_together(seed):
    reports = gaussian(np.zeros(300, dtype=int), seed, samples=60)
    assert group_reports(reports, together=16).max() == 0


def test_false_alarms_are_as_rare_as_the_level_says():
    alike = np.zeros(60, dtype=int)
    alike = (gaussian(np.zeros(60, dtype=int), seed, samples=40) for seed in range(40))
    split = [group_reports(reports, Calibrated(0.5, 0.0), 16).max() for reports in alike]
    assert np.mean(np.array(split) > 0) <= 0.5 + 2 * np.sqrt(0.25 / 40)


def test_singletons_found_federations_of_their_own_also_late():
    truth = np.zeros(100, dtype=int)
    truth[[3, 57, 99]] = 1, 2, 3
    assert exact(truth, group_reports(gaussian(truth, 1, apart=2), together=16))


def test_everybody_unlike_everybody():
    truth = np.arange(6)
    assert exact(truth, group_reports(gaussian(truth, 2, apart=3), together=2))


@pytest.mark.parametrize("seed", range(4))
def test_few_clients_are_grouped_as_all_with_all(seed):
    truth = np.arange(40) % 3
    reports = gaussian(truth, seed, apart=0.6, samples=60)  # too weak to be found exactly
    found = group_reports(replace(reports, peers=np.arange(M)), together=64)
    assert np.array_equal(found, all_pairs(reports))


@pytest.mark.parametrize("seed", range(4))
def test_labels_of_many_are_those_of_all_with_all(seed):
    truth = np.random.default_rng(seed).integers(5, size=64)
    reports = gaussian(truth, seed)
    found = group_reports(reports, together=16)
    assert np.array_equal(found, all_pairs(reports))


def test_differences_too_small_to_count_do_not_split_large_federations():
    truth = np.arange(40) % 2
    reports = gaussian(truth, 0, apart=0.08, samples=20000)
    assert group_reports(reports, together=16).max() == 0
    assert group_reports(reports, Calibrated(min_effect=0.0), together=16).max() > 0


def test_number_of_tests_by_hand():
    assert n_tests(2) == 1
    assert n_tests(64) == 64 * 63 // 2
    assert n_tests(100, 64) == 50 * 63 + 200
