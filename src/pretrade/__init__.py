# SPDX-License-Identifier: Apache-2.0
"""Adaptive pre-trade risk control.

Rooms load on first use, so that importing the gateway never brings in a model library.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

_ROOMS = frozenset(
    {
        "domain",
        "audit",
        "feeds",
        "bus",
        "features",
        "models",
        "limits",
        "calibration",
        "gateway",
        "sidecar",
        "simulation",
        "conformance",
        "monitoring",
        "validation",
    }
)

__version__ = "0.1.0"

_NATIVE = importlib.util.find_spec("pretrade._native")
if _NATIVE is None or _NATIVE.origin is None:  # unbuilt, the folder of stubs is found as an empty namespace
    raise ImportError(
        "pretrade._native, the compiled module, is not built for this interpreter; build it in the checkout: pip install -e . (or make setup)"
    )


def __getattr__(name: str) -> ModuleType:
    if name in _ROOMS:
        return importlib.import_module(f"pretrade.{name}")
    raise AttributeError(f"module 'pretrade' has no room {name!r}; the rooms are {', '.join(sorted(_ROOMS))}")


def __dir__() -> list[str]:
    return sorted(_ROOMS)
