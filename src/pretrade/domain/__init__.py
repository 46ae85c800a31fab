# SPDX-License-Identifier: Apache-2.0
"""Words: value types, code sets, units, errors and the configuration.

Reads nothing of ours but the native layouts; every other room speaks in these words.
Never computes, stores or sends anything.
"""

from pretrade.domain.codes import (
    Action,
    EventFlag,
    EventKind,
    FeedState,
    LimitFlag,
    OrderType,
    Phase,
    ReasonCode,
    ReferenceKind,
    Side,
    Tier,
    TimeInForce,
    Unit,
    VenueKind,
    Verdict,
)
from pretrade.domain.config import Config, Instrument
from pretrade.domain.errors import PretradeError
from pretrade.domain.group import Group
from pretrade.domain.layouts import DECISION_DTYPE, EVENT_DTYPE, LIMITS_DTYPE, ORDER_DTYPE, QUOTES_DTYPE, UNDEFINED_PRICE
from pretrade.domain.session import Session, SessionDate, SessionPhase

__all__ = [
    "DECISION_DTYPE",
    "EVENT_DTYPE",
    "LIMITS_DTYPE",
    "ORDER_DTYPE",
    "QUOTES_DTYPE",
    "UNDEFINED_PRICE",
    "Action",
    "Config",
    "EventFlag",
    "EventKind",
    "FeedState",
    "Group",
    "Instrument",
    "LimitFlag",
    "OrderType",
    "Phase",
    "PretradeError",
    "ReasonCode",
    "ReferenceKind",
    "Session",
    "SessionDate",
    "SessionPhase",
    "Side",
    "Tier",
    "TimeInForce",
    "Unit",
    "VenueKind",
    "Verdict",
]
