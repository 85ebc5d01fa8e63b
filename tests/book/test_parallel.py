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
