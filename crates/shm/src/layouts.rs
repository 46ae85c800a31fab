// SPDX-License-Identifier: Apache-2.0
//! The layouts of `records` and of this crate as data; `schemas/` holds the same in JSON and C.
use crate::controls::{ControlsRecord, ParameterBlock};
use crate::gate::GateRecord;
use crate::header::{Channel, Header};
use crate::layout::Layout;
use crate::record_layout;
use pretrade_records::{Decision, Event, LimitsRecord, Order, QuotesRecord};

/// [`Event`].
pub const EVENT: Layout = record_layout!("event", version 1, Event {
    ts_event: i64, ts_recv: i64, order_id: u64, price: i64, size: i64, sequence: u64, aux: u64,
    instrument_id: u32, kind: u8, side: u8, flags: u16,
});

/// [`Order`].
pub const ORDER: Layout = record_layout!("order", version 1, Order {
    client_order_id: u64, ts_event: i64, price: i64, quantity: i64, instrument_id: u32, strategy_id: u32, account_id: u32,
    side: u8, order_type: u8, time_in_force: u8, action: u8, flags: u32, session_id: u32, original_client_order_id: u64,
});

/// [`Decision`].
pub const DECISION: Layout = record_layout!("decision", version 2, Decision {
    client_order_id: u64, ts_event: i64, ts_decision: i64, mono_decision: i64, limit_version: u64, measured: i64, limit: i64,
    price: i64, quantity: i64, gate_sequence: u64, trip_id: u64, instrument_id: u32, strategy_id: u32, account_id: u32,
    limit_epoch: u32, score: f32, verdict: u8, reason: u8, unit: u8, tier: u8, stage: u8, control: u8, passed_as: u8,
    side: u8, action: u8, warning: u8, pad: u8[10],
});

/// [`LimitsRecord`].
pub const LIMITS: Layout = record_layout!("limits", version 1, LimitsRecord {
    seq: u32, crc: u32, instrument_id: u32, strategy_id: u32, version: u64, epoch: u32, model_set: u32, mono_published: i64,
    trip_id: u64, channel: u16, tier: u8, flags: u8, reasons: u8[3], pad: u8, max_order_quantity: i64,
    max_order_notional: i64, position_max_long: i64, position_max_short: i64, collar_ticks: u32, collar_ppm: u32,
    passive_standoff_ticks: i32, drift_short_ticks: u32, drift_long_ticks: u32, max_depth_share_ppm: u32,
    max_volume_share_ppm: u32, max_adv_share_ppm: u32, spare: u64, ts_published: i64, ts_data: i64, score: f32,
    order_error_hold: f32, order_error_reject: f32, impact_budget_bps: f32, margin_multiplier_ppm: u32,
    concentration_ppm: u32, rate_new_per_s: u32, rate_replace_per_s: u32, velocity_ticks: u32, loss_trigger_ppm: u32,
    systemic_score: f32, valid_mask: u32,
});

/// [`QuotesRecord`].
pub const QUOTES: Layout = record_layout!("quotes", version 1, QuotesRecord {
    seq: u32, crc: u32, instrument_id: u32, channel: u16, phase: u8, feed_state: u8, bid_price: i64, ask_price: i64,
    bid_size: i64, ask_size: i64, last_price: i64, mono_book: i64, slow_reference: i64, mid_10s: i64, mid_5m: i64,
    depth_bid: i64, depth_ask: i64, volume_1m: i64, adv: i64, ts_event: i64, ts_recv: i64, velocity_low: i64,
    velocity_high: i64, mono_last: i64, ts_last: i64, nbbo_bid: i64, nbbo_ask: i64, rv_1m: f32, spare: u32,
});

/// [`ParameterBlock`].
pub const PARAMETERS: Layout = record_layout!("parameters", version 1, ParameterBlock {
    max_order_quantity: i64, max_order_notional: i64, position_max_long: i64, position_max_short: i64, collar_ticks: u32,
    collar_ppm: u32, passive_standoff_ticks: i32, drift_short_ticks: u32, drift_long_ticks: u32, max_depth_share_ppm: u32,
    max_volume_share_ppm: u32, max_adv_share_ppm: u32, order_error_hold: f32, order_error_reject: f32,
    impact_budget_bps: f32, margin_multiplier_ppm: u32, concentration_ppm: u32, rate_new_per_s: u32,
    rate_replace_per_s: u32, velocity_ticks: u32, loss_trigger_ppm: u32, valid_mask: u32,
});

/// [`ControlsRecord`]; the three blocks have the layout [`PARAMETERS`].
pub const CONTROLS: Layout = record_layout!("controls", version 2, ControlsRecord {
    seq: u32, crc: u32, id: u32, level: u8, pad: u8, session_calendar_id: u16, version: u64, generation: u64,
    tick_size: i64, lot_size: i64, value_per_tick_lot: i64, level_mask: u64, resumed_sidecar: u64, resumed_gateway: u64,
    resumed_human: u64, open_orders_limit: u32, fallback_factor_ppm: u32, quantity_exponent: i8, money_exponent: i8,
    flags: u8, pad_2: u8, channel: u32, shares_ppm: u32[8], static_limits: u8[104], floor: u8[104], ceiling: u8[104],
    level_limits: i64[32], kill: u64, trip: u64, reduce_only: u64, spare_state: u64[5],
});

/// [`GateRecord`].
pub const GATE: Layout = record_layout!("gate", version 1, GateRecord {
    seq: u32, crc: u32, instrument_id: u32, strategy_id: u32, stage: u8, tier: u8, flags: u8, pad: u8, open_orders: u32,
    limit_version: u64, trip_sidecar: u64, trip_gateway: u64, trip_human: u64, mono_stage: i64, position: i64,
    working_buy: i64, working_sell: i64, accepted: u64, held: u64, rejected: u64, journal_sequence: u64, limit_epoch: u32, held_orders: u32,
});

/// [`Header`].
pub const HEADER: Layout = record_layout!("header", version 1, Header {
    magic: u64, header_version: u32, byte_order: u32, layout_hash: u64, layout_version: u32, stride: u32, record_count: u32,
    index_count: u32, records_offset: u64, file_size: u64, header_crc: u32, owner_id: u32, clock_domain: u8[16],
    ts_created: i64, spare_1: u64[5], epoch: u32, writer_pid: u32, writer_heartbeat: i64, used: u32, retired: u32,
    spare_2: u64[5], kill_word: u64, generation: u64, kill_count: u64, spare_3: u64[5], gate_words: u64[96],
    spare_4: u64[128], channels: u64[256],
});

/// [`Channel`]; `channels` of the header is an array of 128 of these.
pub const CHANNEL: Layout = record_layout!("channel", version 1, Channel { mono_tick: i64, mono_data: i64 });

/// Every layout of this crate.
pub const ALL: [Layout; 10] = [EVENT, ORDER, DECISION, LIMITS, QUOTES, PARAMETERS, CONTROLS, GATE, HEADER, CHANNEL];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_fill_every_record_without_a_gap() {
        for layout in ALL {
            let mut end = 0;
            for field in layout.fields {
                assert_eq!(field.offset, end, "{}.{}", layout.name, field.name);
                end += field.size;
            }
            assert_eq!(end, layout.size, "{}", layout.name);
        }
    }
}
