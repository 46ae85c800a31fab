# SPDX-License-Identifier: Apache-2.0
"""A configuration as the option numbers of the native gate."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pretrade.domain.config import MASS_CANCEL, SELF_MATCH, Config
from pretrade.domain.errors import GateError

STARTER: Final = "starter"
"""Name of the packaged order-error model, trained on a made-up desk."""
STARTER_FOLDER: Final = Path(__file__).parents[1] / "models/shipped/order-error-starter"
_CONTROLS: Final = 63
_UNLIMITED: Final = 2**63 - 1
_MS: Final = 1_000_000
_S: Final = 1_000_000_000


def options(config: Config) -> dict[str, int]:
    """The gate's own numbers."""
    gate = config.gate
    return {
        "t1_ns": gate.t1_ms * _MS,
        "t2_ns": gate.t2_ms * _MS,
        "reference_ttl_ns": gate.reference_ttl_ms * _MS,
        "fallback_standoff_ticks": gate.fallback_standoff_ticks,
        "stale_order_ns": gate.stale_order_ms * _MS,
        "duplicate_window_ns": gate.duplicate_window_ms * _MS,
        "duplicate_count": gate.duplicate_count,
        "ramp_ns": max(1, round(config.hysteresis.ramp_s * _S)),
        "self_match": SELF_MATCH.index(gate.self_match),
        "mass_cancel": MASS_CANCEL.index(gate.mass_cancel),
        "disconnect_grace_ns": -1 if gate.disconnect_grace_ms is None else gate.disconnect_grace_ms * _MS,
        "drop_copy_ns": gate.drop_copy_ms * _MS,
        "clock_jump_ns": gate.clock_jump_ms * _MS,
        "session_start_ns": gate.session_start_s * _S,
        "hold_controls": _bits(gate.hold_controls or []),
        "hold_timeout_ns": gate.hold_timeout_s * _S,
        "hold_second_notional": _UNLIMITED if gate.hold_second_notional is None else gate.hold_second_notional,
    }


def order_error_folder(config: Config) -> Path | None:
    """Folder of the configured order-error model, ``None`` where control 34 is off."""
    name = config.gate.order_error_model
    return STARTER_FOLDER if name == STARTER else Path(name) if name else None


def _bits(controls: list[int]) -> int:
    """Control numbers as the bits the gate knows; the gate itself refuses those that may not hold."""
    for control in controls:
        if not isinstance(control, int) or isinstance(control, bool) or not 0 < control < _CONTROLS:
            raise GateError(f"hold_controls holds {control!r}; controls are numbered from 1 to {_CONTROLS - 1}")
    return sum({1 << control for control in controls})
