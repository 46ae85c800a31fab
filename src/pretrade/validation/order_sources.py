# SPDX-License-Identifier: Apache-2.0
"""Where the order-error study gets its orders: made-up firms, and real order flow whose traders are made up."""

from __future__ import annotations

from typing import Final

from pretrade.models import desk
from pretrade.models.order_flow import DAY_NS, Flow, desk_flow
from pretrade.validation.folds import Block
from pretrade.validation.order_study import Source

DAYS: Final = 19
A_DAY: Final = 15_000
FIRMS: Final = {"fit": range(100, 105), "calibrate": range(200, 205), "test": range(300, 305)}
"""Seeds of firms by role: nobody trades in two roles."""


def desks(days: int = DAYS, orders_a_day: int = A_DAY, firms: int = 5) -> Source:
    """Made-up firms over nineteen days: the first makes habits; fit from four days on, two days to calibrate, two to test."""

    def flows(role: str) -> tuple[Flow, ...]:
        return tuple(desk_flow(seed, orders=days * orders_a_day, days=days) for seed in FIRMS[role][:firms])

    sessions = tuple(Block(desk._FIRST_DAY_NS + d * DAY_NS, desk._FIRST_DAY_NS + (d + 1) * DAY_NS) for d in range(1, days))
    return Source("desk", flows("fit"), flows("calibrate"), flows("test"), sessions, first_fit=4, step=2, share=0.02)
