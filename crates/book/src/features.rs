// SPDX-License-Identifier: Apache-2.0
//! Names and order of the features; a feature's code in `limits` records is its place plus one.

macro_rules! features {
    ($($variant:ident => $name:literal,)+) => {
        /// A feature; its value's place in a row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        #[allow(missing_docs)]
        pub enum Feature { $($variant,)+ }

        /// Names in row order; the first 32 are the anomaly vector v1.
        pub const NAMES: &[&str] = &[$($name,)+];
    };
}

features! {
    SpreadBps => "spread_bps",
    SpreadTicks => "spread_ticks",
    ImbalanceL1 => "imbalance_l1",
    ImbalanceL5 => "imbalance_l5",
    ImbalanceL10 => "imbalance_l10",
    BookPressure => "book_pressure",
    DepthRelBid => "depth_rel_bid",
    DepthRelAsk => "depth_rel_ask",
    DepthRelBidTod => "depth_rel_bid_tod",
    DepthRelAskTod => "depth_rel_ask_tod",
    ResilienceBid => "resilience_1s_bid",
    ResilienceAsk => "resilience_1s_ask",
    RecoveryHalfLife => "recovery_half_life_s",
    Ofi1s => "ofi_1s",
    Ofi10s => "ofi_10s",
    TradeFlow1s => "trade_flow_1s",
    TradeFlow10s => "trade_flow_10s",
    TradeToOrder => "trade_to_order",
    CancelRate => "cancel_rate",
    QuoteRate1s => "quote_rate_1s",
    BurstRatio => "burst_ratio",
    Rv1s => "rv_1s",
    Rv10s => "rv_10s",
    Rv1m => "rv_1m",
    Rv5m => "rv_5m",
    JumpShare1m => "jump_share_1m",
    RvRatio => "rv_ratio",
    FactorReturn1s => "factor_return_1s",
    ResidualReturn1s => "residual_return_1s",
    Corr5m => "corr_5m",
    Sentiment => "sentiment",
    NewsSurge => "news_surge",
    MidPrice => "mid_price",
    MicropriceDevBps => "microprice_dev_bps",
    JumpShare10s => "jump_share_10s",
    NTrade1s => "n_trade_1s",
    NAdd1s => "n_add_1s",
    NCancel1s => "n_cancel_1s",
    NModify1s => "n_modify_1s",
    NTrade10s => "n_trade_10s",
    NAdd10s => "n_add_10s",
    NCancel10s => "n_cancel_10s",
    NModify10s => "n_modify_10s",
    DepthBid => "depth_bid",
    DepthAsk => "depth_ask",
    DepthRatioBid => "depth_ratio_bid",
    DepthRatioAsk => "depth_ratio_ask",
    Return10sPct => "return_10s_pct",
    Sigma10sLaggedPct => "sigma_10s_lagged_pct",
    SpreadNowTicks => "spread_now_ticks",
    BookAgeMs => "book_age_ms",
    FeedLagMs => "feed_lag_ms",
    TodSin => "tod_sin",
    TodCos => "tod_cos",
    MinutesToClose => "minutes_to_close",
    RecoveryCensored => "recovery_censored",
    SideInferred10s => "side_inferred_10s",
    Vpin => "vpin",
    Beta5m => "beta_5m",
    LeaderReturn => "leader_return",
    VixRatio => "vix_ratio",
    FactorAgeMs => "factor_age_ms",
}

/// Number of features.
pub const COUNT: usize = NAMES.len();

/// Everything a feature's value depends on in this crate.
const SOURCES: &[&str] = &[
    include_str!("baseline.rs"),
    include_str!("book.rs"),
    include_str!("cross.rs"),
    include_str!("engine.rs"),
    include_str!("features.rs"),
    include_str!("flow.rs"),
    include_str!("instrument.rs"),
    include_str!("news.rs"),
    include_str!("resilience.rs"),
    include_str!("returns.rs"),
    include_str!("split.rs"),
    include_str!("values.rs"),
    include_str!("window.rs"),
];

/// Hash (FNV-1a) of the code that computes features; a model fitted under another one was fitted on other numbers.
#[must_use]
pub fn code_hash() -> u64 {
    let bytes = SOURCES.iter().flat_map(|source| source.bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}
