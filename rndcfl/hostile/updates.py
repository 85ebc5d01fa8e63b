"""False updates: what a client may send in place of the model it has trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from rndcfl.common.errors import check_number


class UpdateAttack(Protocol):
    """What a client sends as its trained model."""

    def update(self, start: Tensor, trained: Tensor) -> Tensor:
        """One tensor of it, from the one that training started from and the one it gave."""


@dataclass(frozen=True)
class Scaled(UpdateAttack):
    """The update, times `factor`; a negative one (sign flip) leads away from what was learned."""

    factor: float = -1.0

    def __post_init__(self) -> None:
        check_number("factor", self.factor, -1e9, 1e9)

    def update(self, start: Tensor, trained: Tensor) -> Tensor:
        if not start.is_floating_point():
            return trained
        return start + self.factor * (trained - start)
