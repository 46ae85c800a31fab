# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from pretrade.domain import DECISION_DTYPE, EVENT_DTYPE, LIMITS_DTYPE, ORDER_DTYPE, QUOTES_DTYPE
from pretrade.features import ROW_DTYPE


@pytest.mark.parametrize(
    ("dtype", "size"), [(EVENT_DTYPE, 64), (ORDER_DTYPE, 64), (DECISION_DTYPE, 128), (LIMITS_DTYPE, 192), (QUOTES_DTYPE, 192), (ROW_DTYPE, 528)]
)
def test_records_have_no_gaps_so_that_joining_arrays_keeps_their_layout(dtype: np.dtype[np.void], size: int) -> None:
    assert dtype.itemsize == size
    assert np.concatenate([np.zeros(2, dtype), np.zeros(1, dtype)]).dtype == dtype


def test_limits_stand_where_the_abi_says() -> None:
    fields = LIMITS_DTYPE.fields
    assert fields is not None
    offsets = {
        name: fields[name][1]
        for name in ("version", "mono_published", "trip_id", "tier", "max_order_quantity", "collar_ticks", "score", "valid_mask")
    }
    assert offsets == {
        "version": 16,
        "mono_published": 32,
        "trip_id": 40,
        "tier": 50,
        "max_order_quantity": 56,
        "collar_ticks": 88,
        "score": 144,
        "valid_mask": 188,
    }
