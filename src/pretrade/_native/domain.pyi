# SPDX-License-Identifier: Apache-2.0
from typing import Any

EVENT: Any
ORDER: Any
DECISION: Any
LIMITS: Any
QUOTES: Any
TIERS: dict[str, int]
SIDES: dict[str, int]
VERDICTS: dict[str, int]
PHASES: dict[str, int]
EVENT_KINDS: dict[str, int]
REFERENCE_KINDS: dict[str, int]
ACTIONS: dict[str, int]
ORDER_TYPES: dict[str, int]
TIMES_IN_FORCE: dict[str, int]
REASON_CODES: dict[str, int]
UNITS: dict[str, int]
VENUE_KINDS: dict[str, int]
PARAMETERS: dict[str, int]
DIRECTIONS: dict[str, int]
LEVEL_LIMITS: dict[str, int]
LEVEL_LIMIT_DIRECTIONS: dict[str, int]
LEVEL_PARAMETERS: dict[str, list[str]]
EVENT_FLAGS: dict[str, int]
FEED_STATES: dict[str, int]
LIMIT_FLAGS: dict[str, int]

__all__ = [
    "ACTIONS",
    "DECISION",
    "DIRECTIONS",
    "EVENT",
    "EVENT_FLAGS",
    "EVENT_KINDS",
    "FEED_STATES",
    "LEVEL_LIMITS",
    "LEVEL_LIMIT_DIRECTIONS",
    "LEVEL_PARAMETERS",
    "LIMITS",
    "LIMIT_FLAGS",
    "ORDER",
    "ORDER_TYPES",
    "PARAMETERS",
    "PHASES",
    "QUOTES",
    "REASON_CODES",
    "REFERENCE_KINDS",
    "SIDES",
    "TIERS",
    "TIMES_IN_FORCE",
    "UNITS",
    "VENUE_KINDS",
    "VERDICTS",
]
