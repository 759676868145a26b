import itertools

import pytest
import torch

from talkinghead.training_state import falling_rate, optimiser_tensors, restore_optimiser


def test_an_optimiser_goes_on_where_it_was() -> None:
    def stepped(num_steps: int, weight: torch.Tensor, optimiser: torch.optim.Optimizer) -> None:
        for step in range(num_steps):
            weight.grad = torch.full_like(weight, 1.0 + step)
            optimiser.step()

    first = torch.nn.Parameter(torch.ones(3))
    before = torch.optim.AdamW([first], lr=0.1)
    stepped(4, first, before)
    kept = {name: value.clone() for name, value in optimiser_tensors("optimiser", before).items()} | {"step": torch.tensor(4)}
    second = torch.nn.Parameter(first.detach().clone())
    after = torch.optim.AdamW([second], lr=0.1)
    restore_optimiser("optimiser", after, kept)
    stepped(3, first, before)
    stepped(3, second, after)
    assert torch.equal(first, second)


def test_the_rate_rises_then_falls_to_the_least() -> None:
    rates = [falling_rate(step, 100, 10) for step in range(101)]
    assert rates[0] == pytest.approx(0.1, rel=0.01) and max(rates) == rates[9] and rates[100] == pytest.approx(0.02)
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
