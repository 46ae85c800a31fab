// SPDX-License-Identifier: Apache-2.0
//! What the gate keeps between orders: per instrument (hot and cold part), per instrument and account, per level.
use crate::bounds::Bounds;
use crate::merge::{Envelope, Ramp, Values, Version};
use crate::rate::Bucket;
use crate::stage::Stage;
use bytemuck::Zeroable;
use pretrade_records::parameter::Parameter;
use pretrade_records::{LimitsRecord, QuotesRecord};
use pretrade_shm::Spot;

/// Bits of [`Instrument::flags`] and [`Ledger::flags`].
pub mod flag {
    /// A kill word of this row is set.
    pub const KILLED: u32 = 1;
    /// A human set reduce-only.
    pub const REDUCE_ONLY: u32 = 2;
    /// The row speaks for something that may trade.
    pub const ENABLED: u32 = 4;
    /// A static value is absent.
    pub const NO_STATIC: u32 = 8;
    /// The breaker is latched.
    pub const TRIPPED: u32 = 16;
    /// Prices of zero and below are allowed.
    pub const NEGATIVE_PRICE: u32 = 32;
    /// A limit is on its way to a looser value: look again at each order.
    pub const RAMPING: u32 = 64;
    /// The instrument may not be sold short.
    pub const NO_SHORT: u32 = 512;
    /// A short sale of the instrument needs a locate.
    pub const NEEDS_LOCATE: u32 = 1024;
    /// A trip of this gateway is in force (control 32).
    pub const TRIPPED_BY_GATEWAY: u32 = 256;
    /// The trip in force came from a model (FIX 103 = 21), not from a human.
    pub const TRIPPED_BY_MODEL: u32 = 128;
}

/// Hot part of an instrument: what every order on it reads.
#[derive(Clone, Copy, Debug, Zeroable)]
#[repr(C, align(64))]
pub struct Instrument {
    /// Sequence word of the limits record last read; odd = read again.
    pub limits_seq: u32,
    /// Sequence word of the quotes record last read; odd = read again.
    pub quotes_seq: u32,
    /// Generation of `controls` last merged.
    pub generation: u64,
    /// Version of the limits in force.
    pub version: u64,
    /// Epoch of the limits in force.
    pub epoch: u32,
    /// Score last read, NaN where none.
    pub score: f32,
    /// Feed channel of the limits record.
    pub limits_channel: u16,
    /// Feed channel of the quotes record.
    pub quotes_channel: u16,
    /// [`pretrade_records::Tier`] code in force.
    pub tier: u8,
    /// Stage in force.
    pub stage: u8,
    /// See [`crate::stage::cause`].
    pub cause: u8,
    /// Zero.
    pub pad: u8,
    /// See [`flag`].
    pub flags: u32,
    /// Orders working or held.
    pub open_orders: u32,
    /// Trip in force, 0 where none.
    pub trip_id: u64,
    /// See [`crate::bounds::missing`]; this and the next two are copies, so that they lie on a line every order reads.
    pub missing: u8,
    /// [`pretrade_records::Phase`] code.
    pub phase: u8,
    /// [`pretrade_records::FeedState`] bits.
    pub feed_state: u8,
    /// Zero.
    pub pad_2: [u8; 5],

    /// Control 12.
    pub max_order_quantity: i64,
    /// Control 13.
    pub max_order_notional: i64,
    /// Control 18, long.
    pub position_max_long: i64,
    /// Control 18, short.
    pub position_max_short: i64,
    /// Control 24: ns between new orders.
    pub interval_new: i64,
    /// Control 24: ns between replaces.
    pub interval_replace: i64,
    /// Price step.
    pub tick_size: i64,
    /// Quantity step.
    pub lot_size: i64,

    /// Money of one lot moving one tick.
    pub value_per_tick_lot: i64,
    /// Static control 12: what a verified reduction of one lot is held against.
    pub static_max_order_quantity: i64,
    /// Control 28.
    pub open_orders_limit: i64,
    /// Signed position over all accounts.
    pub position: i64,
    /// Working buys over all accounts.
    pub working_buy: i64,
    /// Working sells over all accounts.
    pub working_sell: i64,
    /// Control 24, new orders.
    pub bucket_new: Bucket,
    /// Control 24, replaces.
    pub bucket_replace: Bucket,

    /// Derived from quotes and limits.
    pub bounds: Bounds,
}

impl Instrument {
    /// Takes in new bounds.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        (self.missing, self.phase, self.feed_state) = (bounds.missing, bounds.phase, bounds.feed_state);
        self.bounds = bounds;
    }
}

/// Where an instrument's records lie: apart from the hot part, so that their lines are asked for without waiting for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Zeroable)]
#[repr(C)]
pub struct Route {
    /// In `limits`.
    pub limits: Spot,
    /// In `quotes`.
    pub quotes: Spot,
}

/// Cold part of an instrument: what a change needs.
#[derive(Clone, Debug)]
pub struct Cold {
    /// Its id.
    pub instrument_id: u32,
    /// Slot in `controls`.
    pub controls_slot: usize,
    /// What humans signed, `None` where a static value is absent.
    pub envelope: Option<Envelope>,
    /// Stage machine.
    pub stage: Stage,
    /// Numbers of the record read last, `None` where they cannot be trusted.
    pub numbers: Option<Values>,
    /// Limits in force at the last order of stage 0.
    pub last_good: Option<Values>,
    /// Limits in force now.
    pub in_force: Values,
    /// How fast they loosen.
    pub ramp: Ramp,
    /// Identity of the last trusted record.
    pub last_version: Version,
    /// True where the record read last can be trusted.
    pub is_valid: bool,
    /// True where the record read last is this instrument's and carries the checksum of its bytes.
    pub is_intact: bool,
    /// True once a model stood behind a record: from then on a record without a score means stage 1.
    pub has_scored: bool,
    /// The record read last.
    pub record: LimitsRecord,
    /// The quotes read last, `None` where torn or absent.
    pub quotes: Option<QuotesRecord>,
    /// The last quotes with a reference price.
    pub good_quotes: Option<QuotesRecord>,
    /// Latched trip of the sidecar, 0 where none.
    pub trip_sidecar: u64,
    /// Latched trip of this gateway (control 32), 0 where none.
    pub trip_gateway: u64,
    /// Latched trip of a human, 0 where none.
    pub trip_human: u64,
    /// Last trip of the sidecar that a human resumed.
    pub resumed_sidecar: u64,
    /// Last trip this gateway set.
    pub last_gateway: u64,
    /// Last trip of this gateway that a human resumed.
    pub resumed_gateway: u64,
    /// Trip of this gateway as latched last.
    pub gateway_shown: u64,
    /// What tripped control 32: ticks moved, and the trigger.
    pub velocity: (i64, i64),
    /// Last trip of a human that a human resumed.
    pub resumed_human: u64,
    /// The human trip word as read last.
    pub human_word: u64,
}

impl Cold {
    /// A record never read.
    #[must_use]
    pub fn new(instrument_id: u32, controls_slot: usize) -> Self {
        Cold {
            instrument_id,
            controls_slot,
            envelope: None,
            stage: Stage::default(),
            numbers: None,
            last_good: None,
            in_force: Values::default(),
            ramp: Ramp::default(),
            last_version: Version::default(),
            is_valid: false,
            is_intact: false,
            has_scored: false,
            record: LimitsRecord::default(),
            quotes: None,
            good_quotes: None,
            trip_sidecar: 0,
            trip_gateway: 0,
            last_gateway: 0,
            resumed_gateway: 0,
            gateway_shown: 0,
            velocity: (0, 0),
            trip_human: 0,
            resumed_sidecar: 0,
            resumed_human: 0,
            human_word: 0,
        }
    }

    /// Puts the latches of all sources on the hot part; a sidecar's trip is shown first, then this gateway's.
    pub(crate) fn latch(&self, instrument: &mut Instrument) {
        instrument.flags &= !(flag::TRIPPED | flag::TRIPPED_BY_MODEL | flag::TRIPPED_BY_GATEWAY);
        let ids = [self.trip_sidecar, self.trip_gateway, self.trip_human];
        instrument.trip_id = ids.into_iter().find(|id| *id != 0).unwrap_or(0);
        for (id, bits) in ids.into_iter().zip([flag::TRIPPED | flag::TRIPPED_BY_MODEL, flag::TRIPPED | flag::TRIPPED_BY_GATEWAY, flag::TRIPPED]) {
            instrument.flags |= if id != 0 { bits } else { 0 };
        }
    }

    /// One limit in force.
    #[must_use]
    pub fn value(&self, p: Parameter) -> i64 {
        self.in_force[p as usize]
    }
}

/// Exposure of one account in one instrument; half a cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Zeroable)]
#[repr(C, align(32))]
pub struct Cell {
    /// Signed position from fills.
    pub position: i64,
    /// Leaves of live buys.
    pub working_buy: i64,
    /// Leaves of live sells.
    pub working_sell: i64,
    /// Not zero where the position is known.
    pub is_known: u64,
}

/// Static limits and ledger of one account, strategy or the firm, side by side.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
#[repr(C, align(64))]
pub struct Ledger {
    /// Its id.
    pub id: u32,
    /// See [`flag`].
    pub flags: u32,
    /// Generation of `controls` last merged.
    pub generation: u64,
    /// Slot in `controls` + 1; 0 where there is no row.
    pub controls_slot: u64,
    /// Control 12.
    pub max_order_quantity: i64,
    /// Control 13.
    pub max_order_notional: i64,
    /// Control 18, long.
    pub position_max_long: i64,
    /// Control 18, short.
    pub position_max_short: i64,
    /// Control 28.
    pub open_orders_limit: i64,
    /// Orders working or held.
    pub open_orders: i64,
    /// Control 24: ns between new orders.
    pub interval_new: i64,
    /// Control 24: ns between replaces.
    pub interval_replace: i64,
    /// Control 24, new orders.
    pub bucket_new: Bucket,
    /// Control 24, replaces.
    pub bucket_replace: Bucket,
    /// Cancels forwarded; counted, never blocked.
    pub cancels: u64,
    /// Zero.
    pub spare: [u64; 2],
}

const _: () = assert!(core::mem::size_of::<Instrument>() == 384);
const _: () = assert!(core::mem::size_of::<Ledger>() == 128);
