# SPDX-License-Identifier: Apache-2.0
"""Closed code sets; values as in ``crates/records`` (a test holds them equal)."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Tier(IntEnum):
    """Stress tier of an instrument; a higher tier is never looser."""

    NORMAL = 0
    ELEVATED = 1
    HIGH = 2
    CRITICAL = 3


class Side(IntEnum):
    """Side of a book entry, an order (BID = buy) or an aggressor; the field says which."""

    NONE = 0
    BID = 1
    ASK = 2


class Verdict(IntEnum):
    """What the gate says of an order."""

    ACCEPT = 1
    HOLD = 2
    REJECT = 3


class Phase(IntEnum):
    """Trading phase of an instrument."""

    UNKNOWN = 0
    PRE_OPEN = 1
    AUCTION = 2
    CONTINUOUS = 3
    HALTED = 4
    BREAK = 5
    CLOSED = 6
    LIMIT_LOCKED = 7


class EventKind(IntEnum):
    """What an event says (``crates/records/src/event.rs``)."""

    ADD = 1
    MODIFY = 2
    CANCEL = 3
    EXECUTE = 4
    CLEAR = 5
    LEVEL = 6
    TRADE = 7
    BAR_OPEN = 8
    BAR_HIGH = 9
    BAR_LOW = 10
    BAR_CLOSE = 11
    STATUS = 12
    OWN_ORDER = 13
    OWN_EXECUTION = 14
    SENTIMENT = 15
    HEARTBEAT = 16
    REFERENCE = 17


class ReferenceKind(IntEnum):
    """What a ``REFERENCE`` event publishes: its ``aux`` (``crates/records/src/event.rs``)."""

    MARK = 1
    INDEX = 2
    FUNDING_RATE = 3
    SETTLEMENT = 4
    OPEN = 5
    CLOSE = 6
    SESSION_LOW = 7
    SESSION_HIGH = 8
    OPEN_INTEREST = 9
    VOLUME = 10
    INDICATIVE = 11
    IMBALANCE = 12
    UPPER_LIMIT = 13
    LOWER_LIMIT = 14
    TICK_SIZE = 15
    VWAP = 16
    OTHER = 17
    SPLIT = 18


class VenueKind(IntEnum):
    """What the venue says of an own order: the high byte of the ``flags`` of OWN_ORDER and OWN_EXECUTION."""

    ACKNOWLEDGED = 1
    FILLED = 2
    CANCELLED = 3
    REJECTED = 4
    REPLACED = 5
    REPLACE_REJECTED = 6
    CANCEL_REJECTED = 7
    POSITION = 8
    DROP_COPY = 9


class EventFlag(IntFlag):
    """Bits of an event's ``flags``; the high byte of an own-flow event is a :class:`VenueKind`."""

    LAST = 1
    SNAPSHOT = 2
    GAP = 4
    CAUSED_BY_FILL = 8
    INFORMATIVE = 16
    DERIVED = 32
    SIDE_INFERRED = 64
    RECAP = 128


class FeedState(IntFlag):
    """What is wrong with a feed or its book at one instant."""

    GAP = 1
    STALE = 2
    CROSSED = 4
    LOCKED = 8
    ONE_SIDED = 16
    NEGATIVE_LAG = 32
    HALTED = 64
    RESYNC = 128


class LimitFlag(IntFlag):
    """What a limits record says about itself."""

    TRIPPED = 1
    """Tier CRITICAL tripped the breaker; a resume must name the record's trip id."""
    PROVISIONAL = 2
    """The model behind the score had a short history."""
    MODEL_ABSENT = 4
    """There is no score: stage 1."""
    FEED_FAULT = 8
    """The state of the feed raised the tier, not the score."""
    STATIC = 16
    """By configuration no model stands behind the record: the control arm, exactly the static limits."""


class Action(IntEnum):
    """What an order message asks for."""

    NEW = 1
    REPLACE = 2
    CANCEL = 3


class OrderType(IntEnum):
    """FIX 40 OrdType."""

    MARKET = 1
    LIMIT = 2


class TimeInForce(IntEnum):
    """FIX 59 TimeInForce."""

    DAY = 1
    IOC = 2
    FOK = 3
    GTC = 4


class ReasonCode(IntEnum):
    """Closed reasons of a HOLD or REJECT; NONE on ACCEPT. Codes are never reused."""

    NONE = 0
    KILL_SWITCH = 1
    BREAKER_TRIPPED = 2
    REDUCE_ONLY = 3
    EXIT_NOT_VERIFIED = 4
    PARTY_NOT_AUTHORISED = 5
    UNKNOWN_INSTRUMENT = 6
    INSTRUMENT_NOT_PERMITTED = 7
    SHORT_SALE_NOT_PERMITTED = 8
    PHASE_NOT_PERMITTED = 9
    INCORRECT_QUANTITY = 10
    INVALID_PRICE_INCREMENT = 11
    UNSUPPORTED_ORDER = 12
    LIMITS_INVALID = 13
    LIMITS_STALE = 14
    REFERENCE_PRICE_MISSING = 15
    ORDER_EXCEEDS_LIMIT = 16
    NOTIONAL_EXCEEDS_LIMIT = 17
    SIZE_EXCEEDS_LIQUIDITY = 18
    PRICE_OUTSIDE_COLLAR = 19
    PRICE_INSIDE_STANDOFF = 20
    PRICE_DRIFT = 21
    POSITION_EXCEEDS_LIMIT = 22
    EXPOSURE_EXCEEDS_LIMIT = 23
    CREDIT_EXCEEDS_LIMIT = 24
    ACCUMULATED_EXCEEDS_LIMIT = 25
    INSUFFICIENT_MARGIN = 26
    CONCENTRATION_EXCEEDS_LIMIT = 27
    LOSS_LIMIT = 28
    MESSAGE_RATE = 29
    EXECUTION_THROTTLE = 30
    DUPLICATE_ORDER = 31
    DUPLICATE_CLIENT_ORDER_ID = 32
    OPEN_ORDERS_EXCEED_LIMIT = 33
    ORDER_TO_TRADE_RATIO = 34
    SELF_MATCH = 35
    STALE_ORDER = 36
    VELOCITY = 37
    SURVEILLANCE_BLOCK = 38
    ORDER_ERROR_SCORE = 39
    IMPACT_EXCEEDS_BUDGET = 40
    CLIENT_DISCONNECTED = 41
    MASS_CANCEL = 42
    HOLD_EXPIRED = 43
    HOLD_REFUSED = 44
    RECONCILIATION_BREAK = 45
    CLOCK_UNHEALTHY = 46
    AUDIT_UNAVAILABLE = 47
    INPUT_MISSING = 48
    CONTROLS_UNAVAILABLE = 49
    UNKNOWN_ORDER = 50
    INTERNAL = 51
    USER_CHECK = 52


class Unit(IntEnum):
    """Unit of ``measured`` and ``limit`` of a decision; ``label`` is what is printed."""

    NONE = 0
    LOTS = 1
    PRICE_1E9 = 2
    MONEY = 3
    TICKS = 4
    NS = 5
    COUNT = 6
    PPM = 7
    PER_S = 8
    SCORE_1E9 = 9
