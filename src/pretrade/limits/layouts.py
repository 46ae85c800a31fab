# SPDX-License-Identifier: Apache-2.0
"""NumPy dtypes of the ``controls`` and ``gate`` records, from the native layouts."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from pretrade._native import limits as _native

LAYOUTS: Final[dict[str, dict[str, Any]]] = _native.LAYOUTS
_FORMATS: Final = {"u8": "u1", "i8": "i1", "u16": "<u2", "u32": "<u4", "i32": "<i4", "u64": "<u8", "i64": "<i8", "f32": "<f4"}


def dtype_of(name: str, nested: dict[str, np.dtype[Any]] | None = None) -> np.dtype[Any]:
    """Structured dtype of a layout; ``nested`` gives the dtypes of fields that are themselves records."""
    layout = LAYOUTS[name]
    names, formats, offsets = [], [], []
    for field, kind, offset, _size in layout["fields"]:
        base, _, count = kind.partition("[")
        plain: Any = _FORMATS[base] if not count else (_FORMATS[base], (int(count[:-1]),))
        names.append(field)
        formats.append((nested or {}).get(field, plain))
        offsets.append(offset)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": layout["size"]})


PARAMETERS_DTYPE: Final = dtype_of("parameters")
CONTROLS_DTYPE: Final = dtype_of("controls", dict.fromkeys(("static_limits", "floor", "ceiling"), PARAMETERS_DTYPE))
GATE_DTYPE: Final = dtype_of("gate")
