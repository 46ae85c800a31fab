// SPDX-License-Identifier: Apache-2.0
//! What the gate decided and why, 128 bytes.
use crate::codes;
use bytemuck::{Pod, Zeroable};

codes! {
    /// Closed reasons of a HOLD or REJECT; `None` on ACCEPT. Codes are never reused.
    ReasonCode {
        /// Accepted.
        None = 0 => "NONE",
        /// Control 1.
        KillSwitch = 1 => "KILL_SWITCH",
        /// Control 2.
        BreakerTripped = 2 => "BREAKER_TRIPPED",
        /// Control 3.
        ReduceOnly = 3 => "REDUCE_ONLY",
        /// Control 4.
        ExitNotVerified = 4 => "EXIT_NOT_VERIFIED",
        /// Control 5.
        PartyNotAuthorised = 5 => "PARTY_NOT_AUTHORISED",
        /// Control 6: no such instrument.
        UnknownInstrument = 6 => "UNKNOWN_INSTRUMENT",
        /// Control 6: known, not allowed.
        InstrumentNotPermitted = 7 => "INSTRUMENT_NOT_PERMITTED",
        /// Control 6: short sale.
        ShortSaleNotPermitted = 8 => "SHORT_SALE_NOT_PERMITTED",
        /// Control 7.
        PhaseNotPermitted = 9 => "PHASE_NOT_PERMITTED",
        /// Control 8: quantity.
        IncorrectQuantity = 10 => "INCORRECT_QUANTITY",
        /// Control 8: price increment.
        InvalidPriceIncrement = 11 => "INVALID_PRICE_INCREMENT",
        /// Control 8: order form.
        UnsupportedOrder = 12 => "UNSUPPORTED_ORDER",
        /// Control 9.
        LimitsInvalid = 13 => "LIMITS_INVALID",
        /// Control 10.
        LimitsStale = 14 => "LIMITS_STALE",
        /// Control 11.
        ReferencePriceMissing = 15 => "REFERENCE_PRICE_MISSING",
        /// Control 12.
        OrderExceedsLimit = 16 => "ORDER_EXCEEDS_LIMIT",
        /// Control 13.
        NotionalExceedsLimit = 17 => "NOTIONAL_EXCEEDS_LIMIT",
        /// Control 14.
        SizeExceedsLiquidity = 18 => "SIZE_EXCEEDS_LIQUIDITY",
        /// Control 15.
        PriceOutsideCollar = 19 => "PRICE_OUTSIDE_COLLAR",
        /// Control 16.
        PriceInsideStandoff = 20 => "PRICE_INSIDE_STANDOFF",
        /// Control 17.
        PriceDrift = 21 => "PRICE_DRIFT",
        /// Control 18.
        PositionExceedsLimit = 22 => "POSITION_EXCEEDS_LIMIT",
        /// Control 19: exposure.
        ExposureExceedsLimit = 23 => "EXPOSURE_EXCEEDS_LIMIT",
        /// Control 19: credit.
        CreditExceedsLimit = 24 => "CREDIT_EXCEEDS_LIMIT",
        /// Control 20.
        AccumulatedExceedsLimit = 25 => "ACCUMULATED_EXCEEDS_LIMIT",
        /// Control 21.
        InsufficientMargin = 26 => "INSUFFICIENT_MARGIN",
        /// Control 22.
        ConcentrationExceedsLimit = 27 => "CONCENTRATION_EXCEEDS_LIMIT",
        /// Control 23.
        LossLimit = 28 => "LOSS_LIMIT",
        /// Control 24.
        MessageRate = 29 => "MESSAGE_RATE",
        /// Control 25.
        ExecutionThrottle = 30 => "EXECUTION_THROTTLE",
        /// Control 26.
        DuplicateOrder = 31 => "DUPLICATE_ORDER",
        /// Control 27.
        DuplicateClientOrderId = 32 => "DUPLICATE_CLIENT_ORDER_ID",
        /// Control 28.
        OpenOrdersExceedLimit = 33 => "OPEN_ORDERS_EXCEED_LIMIT",
        /// Control 29.
        OrderToTradeRatio = 34 => "ORDER_TO_TRADE_RATIO",
        /// Control 30.
        SelfMatch = 35 => "SELF_MATCH",
        /// Control 31.
        StaleOrder = 36 => "STALE_ORDER",
        /// Control 32.
        Velocity = 37 => "VELOCITY",
        /// Control 33.
        SurveillanceBlock = 38 => "SURVEILLANCE_BLOCK",
        /// Control 34.
        OrderErrorScore = 39 => "ORDER_ERROR_SCORE",
        /// Control 35.
        ImpactExceedsBudget = 40 => "IMPACT_EXCEEDS_BUDGET",
        /// Control 38.
        ClientDisconnected = 41 => "CLIENT_DISCONNECTED",
        /// Control 40.
        MassCancel = 42 => "MASS_CANCEL",
        /// Control 41: time out.
        HoldExpired = 43 => "HOLD_EXPIRED",
        /// Control 41: reviewer.
        HoldRefused = 44 => "HOLD_REFUSED",
        /// Control 42.
        ReconciliationBreak = 45 => "RECONCILIATION_BREAK",
        /// Control 43.
        ClockUnhealthy = 46 => "CLOCK_UNHEALTHY",
        /// Control 44.
        AuditUnavailable = 47 => "AUDIT_UNAVAILABLE",
        /// An input of the control named in `control` is missing.
        InputMissing = 48 => "INPUT_MISSING",
        /// Stage 3: the `controls` table cannot be read.
        ControlsUnavailable = 49 => "CONTROLS_UNAVAILABLE",
        /// The order a cancel or replace names is not known.
        UnknownOrder = 50 => "UNKNOWN_ORDER",
        /// The gate is poisoned by a caught panic until rebuilt.
        Internal = 51 => "INTERNAL",
        /// A check of the user's own (46, beside the sheet); which one stands in the journal's annex by its bound.
        UserCheck = 52 => "USER_CHECK",
    }
}

codes! {
    /// Unit of `measured` and `limit` of a decision.
    Unit {
        /// No number belongs to this reason.
        None = 0 => "none",
        /// The instrument's quantity unit.
        Lots = 1 => "lots",
        /// 1e-9 price units.
        Price = 2 => "price_1e9",
        /// Money at the currency's exponent.
        Money = 3 => "money",
        /// Price ticks.
        Ticks = 4 => "ticks",
        /// Nanoseconds.
        Nanoseconds = 5 => "ns",
        /// A count.
        Count = 6 => "count",
        /// Parts per million.
        Ppm = 7 => "ppm",
        /// Messages per second.
        PerSecond = 8 => "per_s",
        /// A score, in 1e-9.
        Score = 9 => "score_1e9",
    }
}

/// One decision, as journalled and returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Decision {
    /// The order's id.
    pub client_order_id: u64,
    /// The order's own time, ns UTC.
    pub ts_event: i64,
    /// When decided, ns UTC, as given to the gate.
    pub ts_decision: i64,
    /// When decided, monotonic ns, as given to the gate.
    pub mono_decision: i64,
    /// Version of the limits record used; 0 where none was.
    pub limit_version: u64,
    /// What was measured, in `unit`.
    pub measured: i64,
    /// The bound it was held against, in `unit`.
    pub limit: i64,
    /// The order's price, 1e-9.
    pub price: i64,
    /// The order's quantity.
    pub quantity: i64,
    /// Consecutive number of this decision in its gate.
    pub gate_sequence: u64,
    /// Trip id in force for the instrument, 0 where none.
    pub trip_id: u64,
    /// The order's instrument.
    pub instrument_id: u32,
    /// The order's strategy.
    pub strategy_id: u32,
    /// The order's account.
    pub account_id: u32,
    /// Epoch of the limits record used.
    pub limit_epoch: u32,
    /// Anomaly score in force, NaN where none.
    pub score: f32,
    /// [`crate::Verdict`] code.
    pub verdict: u8,
    /// [`ReasonCode`] code.
    pub reason: u8,
    /// [`Unit`] code.
    pub unit: u8,
    /// [`crate::Tier`] code in force.
    pub tier: u8,
    /// Staleness stage 0 to 3.
    pub stage: u8,
    /// Control number of `reason`, 0 on ACCEPT.
    pub control: u8,
    /// 1 where the order passed as a verified reduction, 2 where it is a shrinking replace, 3 where an exit ticket let it pass.
    pub passed_as: u8,
    /// [`crate::Side`] code of the order.
    pub side: u8,
    /// [`crate::order::Action`] code of the order.
    pub action: u8,
    /// Control whose soft limit this order passed (control 45), 0 where none.
    pub warning: u8,
    /// Zero.
    pub pad: [u8; 10],
}

const _: () = assert!(core::mem::size_of::<Decision>() == 128);
