import subprocess
import sys

import torch

from rndcfl.book.run.parallel import over_seeds


def draws(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1000, generator=generator).sum().item(), torch.get_num_threads()


def test_results_come_in_order_with_one_thread_each_and_do_not_depend_on_the_workers():
    alone, together = (
        over_seeds(draws, [3, 1, 2], workers=1),
        over_seeds(draws, [3, 1, 2], workers=2),
    )
    assert alone == together == [(draws(seed)[0], 1) for seed in (3, 1, 2)]


IN_A_NOTEBOOK = """
from dataclasses import dataclass
from rndcfl.book.run.parallel import over_seeds

@dataclass
class Plus:
    n: int

factor = 10

def computed(seed):
    return Plus(factor * seed)

print(over_seeds(computed, [3, 1], workers=2), over_seeds(lambda s: s + factor, [2, 5], workers=2))
"""


def test_functions_and_classes_that_no_module_has_are_taken_too():
    ran = subprocess.run([sys.executable, "-c", IN_A_NOTEBOOK], capture_output=True, text=True)
    assert ran.stdout == "[Plus(n=30), Plus(n=10)] [12, 15]\n", ran.stderr
