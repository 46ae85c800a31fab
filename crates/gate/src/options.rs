// SPDX-License-Identifier: Apache-2.0
//! Numbers of the gate itself: deadlines, windows, capacities. Limits live in the tables.
use pretrade_records::units::{NS_PER_MS, NS_PER_S};

/// Scope of control 30.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelfMatch {
    /// Not configured.
    #[default]
    Off,
    /// Orders of the same account.
    Account,
    /// Orders of all accounts.
    Firm,
}

/// Control 40: which orders a kill or a trip takes out of the venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MassCancel {
    /// None.
    #[default]
    Off,
    /// All but good-till-cancelled ones.
    Day,
    /// Every one.
    All,
}

/// How a gate behaves; every duration in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateOptions {
    /// Above this age a limits record is stale (T1).
    pub t1_ns: i64,
    /// Stage 1 for longer than this is stage 2 (T2).
    pub t2_ns: i64,
    /// Above this age a reference price is missing.
    pub reference_ttl_ns: i64,
    /// Stand-off of stage 1 when no last good value is known (its HIGH value).
    pub fallback_standoff_ticks: i32,
    /// Control 31: oldest order; 0 switches the control off.
    pub stale_order_ns: i64,
    /// Control 26: length of the window; 0 switches the control off.
    pub duplicate_window_ns: i64,
    /// Control 26: equal orders allowed inside the window, 1 to [`crate::duplicates::MOST`].
    pub duplicate_count: u32,
    /// Time in which a limit may loosen by its whole static value.
    pub ramp_ns: i64,
    /// Slippage added to the touch for the implied price of a market order, in ticks.
    pub market_slippage_ticks: u32,
    /// Controls, by bit number, whose breach is a HOLD instead of a REJECT. Only 12 to 15, 17 and 26 may be here.
    pub hold_controls: u64,
    /// Control 41: a held order waits at most this long.
    pub hold_timeout_ns: i64,
    /// Control 41: above this value, in money, a release takes two persons.
    pub hold_second_notional: i64,
    /// Controls, by bit number, that a reviewer waived; set for the one decision that ends a wait.
    #[doc(hidden)]
    pub waived_controls: u64,
    /// Control 30: whose own working orders an order must not trade with.
    pub self_match: SelfMatch,
    /// Control 40: what is cancelled when a kill or a trip stands over it.
    pub mass_cancel: MassCancel,
    /// Control 38: how long after its session was lost an order is cancelled; below 0 never.
    pub disconnect_grace_ns: i64,
    /// Control 42: a drop copy silent, or unequal, for longer than this lets only reductions pass; 0 switches the control off.
    pub drop_copy_ns: i64,
    /// Control 43: UTC may leave the monotonic clock by so much at once; 0 switches the control off.
    pub clock_jump_ns: i64,
    /// When a session day begins, ns after midnight UTC: controls 20 and 23 start anew.
    pub session_start_ns: i64,
    /// Every position starts at zero; otherwise it is missing until set.
    pub is_flat_at_start: bool,
    /// Orders that can live at once.
    pub live_orders: usize,
    /// Blocks of 64 consecutive client order ids the set has room for before it grows.
    pub id_blocks: usize,
}

/// Controls that may be configured to hold.
pub const HOLDABLE: u64 = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 17 | 1 << 26;
/// Control 41: the longest wait that can be configured, 15 minutes.
pub const LONGEST_HOLD_NS: i64 = 900 * NS_PER_S;
/// A stamp this far ahead of the order's own clock reading is a race, not a clock gone wrong.
pub const FUTURE_TOLERANCE_NS: i64 = 100 * NS_PER_MS;
/// Advances of the channel needed to leave a stage.
pub const RETURN_ADVANCES: u8 = 10;

impl Default for GateOptions {
    fn default() -> Self {
        GateOptions {
            t1_ns: NS_PER_S,
            t2_ns: 60 * NS_PER_S,
            reference_ttl_ns: NS_PER_S,
            fallback_standoff_ticks: 5,
            stale_order_ns: 5 * NS_PER_S,
            duplicate_window_ns: 50 * NS_PER_MS,
            duplicate_count: 5,
            ramp_ns: 10 * NS_PER_S,
            market_slippage_ticks: 0,
            hold_controls: 0,
            hold_timeout_ns: 60 * NS_PER_S,
            hold_second_notional: i64::MAX,
            waived_controls: 0,
            self_match: SelfMatch::Off,
            mass_cancel: MassCancel::Off,
            disconnect_grace_ns: -1,
            drop_copy_ns: 0,
            clock_jump_ns: 0,
            session_start_ns: 0,
            is_flat_at_start: false,
            live_orders: 1 << 16,
            id_blocks: 1 << 16,
        }
    }
}

impl GateOptions {
    /// Says what is wrong with these numbers, if anything.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let positive = [
            ("t1_ns", self.t1_ns),
            ("t2_ns", self.t2_ns),
            ("reference_ttl_ns", self.reference_ttl_ns),
            ("ramp_ns", self.ramp_ns),
            ("live_orders", self.live_orders as i64),
            ("id_blocks", self.id_blocks as i64),
        ];
        if let Some((name, value)) = positive.iter().find(|(_, value)| *value <= 0) {
            return Some(format!("{name} is {value}; it must be above 0"));
        }
        if !(0..86_400 * NS_PER_S).contains(&self.session_start_ns) {
            return Some(format!("session_start_ns is {}; it must be inside a day", self.session_start_ns));
        }
        if self.drop_copy_ns < 0 || self.clock_jump_ns < 0 {
            return Some(format!("drop_copy_ns {} and clock_jump_ns {} must not be below 0", self.drop_copy_ns, self.clock_jump_ns));
        }
        if self.stale_order_ns < 0 || self.duplicate_window_ns < 0 {
            return Some(format!("stale_order_ns {} and duplicate_window_ns {} must not be below 0", self.stale_order_ns, self.duplicate_window_ns));
        }
        if self.duplicate_count == 0 || self.duplicate_count as usize > crate::duplicates::MOST {
            return Some(format!("duplicate_count is {}; it must be from 1 to {}", self.duplicate_count, crate::duplicates::MOST));
        }
        if self.hold_timeout_ns <= 0 || self.hold_timeout_ns > LONGEST_HOLD_NS || self.hold_second_notional < 0 || self.waived_controls != 0 {
            let (timeout, second) = (self.hold_timeout_ns, self.hold_second_notional);
            return Some(format!("hold_timeout_ns is {timeout} and hold_second_notional {second}; from 1 to {LONGEST_HOLD_NS}, and not below 0"));
        }
        if self.hold_controls & !HOLDABLE != 0 {
            return Some(format!("hold_controls is {:#x}; only the bits {HOLDABLE:#x} may hold", self.hold_controls));
        }
        None
    }
}
