# SPDX-License-Identifier: Apache-2.0
"""NumPy dtypes of the fixed layouts in ``crates/records``."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from pretrade._native import domain as _native

EVENT_DTYPE: Final[np.dtype[Any]] = np.dtype(_native.EVENT)
ORDER_DTYPE: Final[np.dtype[Any]] = np.dtype(_native.ORDER)
DECISION_DTYPE: Final[np.dtype[Any]] = np.dtype(_native.DECISION)
LIMITS_DTYPE: Final[np.dtype[Any]] = np.dtype(_native.LIMITS)
QUOTES_DTYPE: Final[np.dtype[Any]] = np.dtype(_native.QUOTES)
UNDEFINED_PRICE: Final = -(2**63)
"""A price that is not known (``units::UNDEFINED_PRICE``)."""
