import time

import pytest
import torch
from torch import nn

from rndcfl.common.ledger import COSTS, Ledger, Stopwatch, nbytes


@pytest.fixture
def ledger():
    ledger = Ledger()
    ledger.add("discovery/predictors", 0, bytes_up=10, multiply_adds=5, seconds=0.5)
    ledger.add("discovery/novelty", 0, bytes_down=100)
    ledger.add("training", 0, 1, bytes_up=7, bytes_down=7, multiply_adds=3)
    ledger.add("training", 1, 2, bytes_up=1)
    return ledger


def test_one_row_per_entry(ledger):
    table = ledger.table
    assert list(table.columns) == ["phase", "round", "client", *COSTS]
    assert table["round"].tolist() == [0, 0, 1, 2]
    assert table["client"].tolist() == [0, 0, 0, 1]
    assert table["bytes_down"].tolist() == [0, 100, 7, 0]


@pytest.mark.parametrize(
    "phase, totals",
    [
        ("", [18, 107, 0.5, 8]),
        ("discovery", [10, 100, 0.5, 5]),
        ("discovery/novelty", [0, 100, 0, 0]),
        ("training", [8, 7, 0, 3]),
        ("novelty", [0, 0, 0, 0]),
    ],
)
def test_totals_of_phases_by_prefix(ledger, phase, totals):
    assert ledger.total(phase).to_dict() == dict(zip(COSTS, totals, strict=True))


def test_an_empty_ledger_totals_nothing():
    assert Ledger().total().to_dict() == dict.fromkeys(COSTS, 0)
    assert list(Ledger().table.columns) == ["phase", "round", "client", *COSTS]


def test_extend_enters_everything_under_the_round_given(ledger):
    whole = Ledger()
    whole.add("training", 3, 4, bytes_up=1)
    whole.extend(ledger, 5)
    assert whole.table["round"].tolist() == [4, 5, 5, 5, 5]
    assert whole.total()["bytes_up"] == 19
    assert ledger.table["round"].tolist() == [0, 0, 1, 2]


def test_nbytes_counts_every_element_at_its_size():
    assert nbytes([torch.zeros(2, 3), torch.tensor(1), torch.zeros(5, dtype=torch.uint8)]) == 37
    assert nbytes([]) == 0


def test_nbytes_of_a_state_includes_buffers():
    # Weight, bias, running mean and variance of four channels; the count of batches is one int64.
    assert nbytes(nn.BatchNorm2d(4).state_dict().values()) == 4 * 4 * 4 + 8


def test_stopwatch_adds_up_and_counts_blocks_that_fail():
    watch = Stopwatch()
    with watch.running():
        time.sleep(0.001)
    first = watch.seconds
    assert first > 0
    with pytest.raises(RuntimeError), watch.running():
        time.sleep(0.001)
        raise RuntimeError
    assert watch.seconds > first
