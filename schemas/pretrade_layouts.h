/* SPDX-License-Identifier: Apache-2.0 */
/* Shared records of pretrade. Generated from schemas/ (crates/journal/tests/schemas.rs); do not edit.
 * seq and crc are 4-byte atomics, every other place moves as 8-byte atomic words. */
#ifndef PRETRADE_LAYOUTS_H
#define PRETRADE_LAYOUTS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define PRETRADE_EVENT_VERSION 1u
#define PRETRADE_EVENT_HASH UINT64_C(0x99f7b06c433ed284)
struct pretrade_event {
    int64_t ts_event;
    int64_t ts_recv;
    uint64_t order_id;
    int64_t price;
    int64_t size;
    uint64_t sequence;
    uint64_t aux;
    uint32_t instrument_id;
    uint8_t kind;
    uint8_t side;
    uint16_t flags;
};
static_assert(sizeof(struct pretrade_event) == 64, "size");
static_assert(offsetof(struct pretrade_event, ts_event) == 0, "offset");
static_assert(offsetof(struct pretrade_event, ts_recv) == 8, "offset");
static_assert(offsetof(struct pretrade_event, order_id) == 16, "offset");
static_assert(offsetof(struct pretrade_event, price) == 24, "offset");
static_assert(offsetof(struct pretrade_event, size) == 32, "offset");
static_assert(offsetof(struct pretrade_event, sequence) == 40, "offset");
static_assert(offsetof(struct pretrade_event, aux) == 48, "offset");
static_assert(offsetof(struct pretrade_event, instrument_id) == 56, "offset");
static_assert(offsetof(struct pretrade_event, kind) == 60, "offset");
static_assert(offsetof(struct pretrade_event, side) == 61, "offset");
static_assert(offsetof(struct pretrade_event, flags) == 62, "offset");

#define PRETRADE_ORDER_VERSION 1u
#define PRETRADE_ORDER_HASH UINT64_C(0x264c2ec4f1b2b9a6)
struct pretrade_order {
    uint64_t client_order_id;
    int64_t ts_event;
    int64_t price;
    int64_t quantity;
    uint32_t instrument_id;
    uint32_t strategy_id;
    uint32_t account_id;
    uint8_t side;
    uint8_t order_type;
    uint8_t time_in_force;
    uint8_t action;
    uint32_t flags;
    uint32_t session_id;
    uint64_t original_client_order_id;
};
static_assert(sizeof(struct pretrade_order) == 64, "size");
static_assert(offsetof(struct pretrade_order, client_order_id) == 0, "offset");
static_assert(offsetof(struct pretrade_order, ts_event) == 8, "offset");
static_assert(offsetof(struct pretrade_order, price) == 16, "offset");
static_assert(offsetof(struct pretrade_order, quantity) == 24, "offset");
static_assert(offsetof(struct pretrade_order, instrument_id) == 32, "offset");
static_assert(offsetof(struct pretrade_order, strategy_id) == 36, "offset");
static_assert(offsetof(struct pretrade_order, account_id) == 40, "offset");
static_assert(offsetof(struct pretrade_order, side) == 44, "offset");
static_assert(offsetof(struct pretrade_order, order_type) == 45, "offset");
static_assert(offsetof(struct pretrade_order, time_in_force) == 46, "offset");
static_assert(offsetof(struct pretrade_order, action) == 47, "offset");
static_assert(offsetof(struct pretrade_order, flags) == 48, "offset");
static_assert(offsetof(struct pretrade_order, session_id) == 52, "offset");
static_assert(offsetof(struct pretrade_order, original_client_order_id) == 56, "offset");

#define PRETRADE_DECISION_VERSION 2u
#define PRETRADE_DECISION_HASH UINT64_C(0x87c9c2295f2ee4cc)
struct pretrade_decision {
    uint64_t client_order_id;
    int64_t ts_event;
    int64_t ts_decision;
    int64_t mono_decision;
    uint64_t limit_version;
    int64_t measured;
    int64_t limit;
    int64_t price;
    int64_t quantity;
    uint64_t gate_sequence;
    uint64_t trip_id;
    uint32_t instrument_id;
    uint32_t strategy_id;
    uint32_t account_id;
    uint32_t limit_epoch;
    float score;
    uint8_t verdict;
    uint8_t reason;
    uint8_t unit;
    uint8_t tier;
    uint8_t stage;
    uint8_t control;
    uint8_t passed_as;
    uint8_t side;
    uint8_t action;
    uint8_t warning;
    uint8_t pad[10];
};
static_assert(sizeof(struct pretrade_decision) == 128, "size");
static_assert(offsetof(struct pretrade_decision, client_order_id) == 0, "offset");
static_assert(offsetof(struct pretrade_decision, ts_event) == 8, "offset");
static_assert(offsetof(struct pretrade_decision, ts_decision) == 16, "offset");
static_assert(offsetof(struct pretrade_decision, mono_decision) == 24, "offset");
static_assert(offsetof(struct pretrade_decision, limit_version) == 32, "offset");
static_assert(offsetof(struct pretrade_decision, measured) == 40, "offset");
static_assert(offsetof(struct pretrade_decision, limit) == 48, "offset");
static_assert(offsetof(struct pretrade_decision, price) == 56, "offset");
static_assert(offsetof(struct pretrade_decision, quantity) == 64, "offset");
static_assert(offsetof(struct pretrade_decision, gate_sequence) == 72, "offset");
static_assert(offsetof(struct pretrade_decision, trip_id) == 80, "offset");
static_assert(offsetof(struct pretrade_decision, instrument_id) == 88, "offset");
static_assert(offsetof(struct pretrade_decision, strategy_id) == 92, "offset");
static_assert(offsetof(struct pretrade_decision, account_id) == 96, "offset");
static_assert(offsetof(struct pretrade_decision, limit_epoch) == 100, "offset");
static_assert(offsetof(struct pretrade_decision, score) == 104, "offset");
static_assert(offsetof(struct pretrade_decision, verdict) == 108, "offset");
static_assert(offsetof(struct pretrade_decision, reason) == 109, "offset");
static_assert(offsetof(struct pretrade_decision, unit) == 110, "offset");
static_assert(offsetof(struct pretrade_decision, tier) == 111, "offset");
static_assert(offsetof(struct pretrade_decision, stage) == 112, "offset");
static_assert(offsetof(struct pretrade_decision, control) == 113, "offset");
static_assert(offsetof(struct pretrade_decision, passed_as) == 114, "offset");
static_assert(offsetof(struct pretrade_decision, side) == 115, "offset");
static_assert(offsetof(struct pretrade_decision, action) == 116, "offset");
static_assert(offsetof(struct pretrade_decision, warning) == 117, "offset");
static_assert(offsetof(struct pretrade_decision, pad) == 118, "offset");

#define PRETRADE_LIMITS_VERSION 1u
#define PRETRADE_LIMITS_HASH UINT64_C(0xdb4033b41a0ea12b)
struct pretrade_limits {
    uint32_t seq;
    uint32_t crc;
    uint32_t instrument_id;
    uint32_t strategy_id;
    uint64_t version;
    uint32_t epoch;
    uint32_t model_set;
    int64_t mono_published;
    uint64_t trip_id;
    uint16_t channel;
    uint8_t tier;
    uint8_t flags;
    uint8_t reasons[3];
    uint8_t pad;
    int64_t max_order_quantity;
    int64_t max_order_notional;
    int64_t position_max_long;
    int64_t position_max_short;
    uint32_t collar_ticks;
    uint32_t collar_ppm;
    int32_t passive_standoff_ticks;
    uint32_t drift_short_ticks;
    uint32_t drift_long_ticks;
    uint32_t max_depth_share_ppm;
    uint32_t max_volume_share_ppm;
    uint32_t max_adv_share_ppm;
    uint64_t spare;
    int64_t ts_published;
    int64_t ts_data;
    float score;
    float order_error_hold;
    float order_error_reject;
    float impact_budget_bps;
    uint32_t margin_multiplier_ppm;
    uint32_t concentration_ppm;
    uint32_t rate_new_per_s;
    uint32_t rate_replace_per_s;
    uint32_t velocity_ticks;
    uint32_t loss_trigger_ppm;
    float systemic_score;
    uint32_t valid_mask;
};
static_assert(sizeof(struct pretrade_limits) == 192, "size");
static_assert(offsetof(struct pretrade_limits, seq) == 0, "offset");
static_assert(offsetof(struct pretrade_limits, crc) == 4, "offset");
static_assert(offsetof(struct pretrade_limits, instrument_id) == 8, "offset");
static_assert(offsetof(struct pretrade_limits, strategy_id) == 12, "offset");
static_assert(offsetof(struct pretrade_limits, version) == 16, "offset");
static_assert(offsetof(struct pretrade_limits, epoch) == 24, "offset");
static_assert(offsetof(struct pretrade_limits, model_set) == 28, "offset");
static_assert(offsetof(struct pretrade_limits, mono_published) == 32, "offset");
static_assert(offsetof(struct pretrade_limits, trip_id) == 40, "offset");
static_assert(offsetof(struct pretrade_limits, channel) == 48, "offset");
static_assert(offsetof(struct pretrade_limits, tier) == 50, "offset");
static_assert(offsetof(struct pretrade_limits, flags) == 51, "offset");
static_assert(offsetof(struct pretrade_limits, reasons) == 52, "offset");
static_assert(offsetof(struct pretrade_limits, pad) == 55, "offset");
static_assert(offsetof(struct pretrade_limits, max_order_quantity) == 56, "offset");
static_assert(offsetof(struct pretrade_limits, max_order_notional) == 64, "offset");
static_assert(offsetof(struct pretrade_limits, position_max_long) == 72, "offset");
static_assert(offsetof(struct pretrade_limits, position_max_short) == 80, "offset");
static_assert(offsetof(struct pretrade_limits, collar_ticks) == 88, "offset");
static_assert(offsetof(struct pretrade_limits, collar_ppm) == 92, "offset");
static_assert(offsetof(struct pretrade_limits, passive_standoff_ticks) == 96, "offset");
static_assert(offsetof(struct pretrade_limits, drift_short_ticks) == 100, "offset");
static_assert(offsetof(struct pretrade_limits, drift_long_ticks) == 104, "offset");
static_assert(offsetof(struct pretrade_limits, max_depth_share_ppm) == 108, "offset");
static_assert(offsetof(struct pretrade_limits, max_volume_share_ppm) == 112, "offset");
static_assert(offsetof(struct pretrade_limits, max_adv_share_ppm) == 116, "offset");
static_assert(offsetof(struct pretrade_limits, spare) == 120, "offset");
static_assert(offsetof(struct pretrade_limits, ts_published) == 128, "offset");
static_assert(offsetof(struct pretrade_limits, ts_data) == 136, "offset");
static_assert(offsetof(struct pretrade_limits, score) == 144, "offset");
static_assert(offsetof(struct pretrade_limits, order_error_hold) == 148, "offset");
static_assert(offsetof(struct pretrade_limits, order_error_reject) == 152, "offset");
static_assert(offsetof(struct pretrade_limits, impact_budget_bps) == 156, "offset");
static_assert(offsetof(struct pretrade_limits, margin_multiplier_ppm) == 160, "offset");
static_assert(offsetof(struct pretrade_limits, concentration_ppm) == 164, "offset");
static_assert(offsetof(struct pretrade_limits, rate_new_per_s) == 168, "offset");
static_assert(offsetof(struct pretrade_limits, rate_replace_per_s) == 172, "offset");
static_assert(offsetof(struct pretrade_limits, velocity_ticks) == 176, "offset");
static_assert(offsetof(struct pretrade_limits, loss_trigger_ppm) == 180, "offset");
static_assert(offsetof(struct pretrade_limits, systemic_score) == 184, "offset");
static_assert(offsetof(struct pretrade_limits, valid_mask) == 188, "offset");

#define PRETRADE_QUOTES_VERSION 1u
#define PRETRADE_QUOTES_HASH UINT64_C(0x5e06ce7a90bb4560)
struct pretrade_quotes {
    uint32_t seq;
    uint32_t crc;
    uint32_t instrument_id;
    uint16_t channel;
    uint8_t phase;
    uint8_t feed_state;
    int64_t bid_price;
    int64_t ask_price;
    int64_t bid_size;
    int64_t ask_size;
    int64_t last_price;
    int64_t mono_book;
    int64_t slow_reference;
    int64_t mid_10s;
    int64_t mid_5m;
    int64_t depth_bid;
    int64_t depth_ask;
    int64_t volume_1m;
    int64_t adv;
    int64_t ts_event;
    int64_t ts_recv;
    int64_t velocity_low;
    int64_t velocity_high;
    int64_t mono_last;
    int64_t ts_last;
    int64_t nbbo_bid;
    int64_t nbbo_ask;
    float rv_1m;
    uint32_t spare;
};
static_assert(sizeof(struct pretrade_quotes) == 192, "size");
static_assert(offsetof(struct pretrade_quotes, seq) == 0, "offset");
static_assert(offsetof(struct pretrade_quotes, crc) == 4, "offset");
static_assert(offsetof(struct pretrade_quotes, instrument_id) == 8, "offset");
static_assert(offsetof(struct pretrade_quotes, channel) == 12, "offset");
static_assert(offsetof(struct pretrade_quotes, phase) == 14, "offset");
static_assert(offsetof(struct pretrade_quotes, feed_state) == 15, "offset");
static_assert(offsetof(struct pretrade_quotes, bid_price) == 16, "offset");
static_assert(offsetof(struct pretrade_quotes, ask_price) == 24, "offset");
static_assert(offsetof(struct pretrade_quotes, bid_size) == 32, "offset");
static_assert(offsetof(struct pretrade_quotes, ask_size) == 40, "offset");
static_assert(offsetof(struct pretrade_quotes, last_price) == 48, "offset");
static_assert(offsetof(struct pretrade_quotes, mono_book) == 56, "offset");
static_assert(offsetof(struct pretrade_quotes, slow_reference) == 64, "offset");
static_assert(offsetof(struct pretrade_quotes, mid_10s) == 72, "offset");
static_assert(offsetof(struct pretrade_quotes, mid_5m) == 80, "offset");
static_assert(offsetof(struct pretrade_quotes, depth_bid) == 88, "offset");
static_assert(offsetof(struct pretrade_quotes, depth_ask) == 96, "offset");
static_assert(offsetof(struct pretrade_quotes, volume_1m) == 104, "offset");
static_assert(offsetof(struct pretrade_quotes, adv) == 112, "offset");
static_assert(offsetof(struct pretrade_quotes, ts_event) == 120, "offset");
static_assert(offsetof(struct pretrade_quotes, ts_recv) == 128, "offset");
static_assert(offsetof(struct pretrade_quotes, velocity_low) == 136, "offset");
static_assert(offsetof(struct pretrade_quotes, velocity_high) == 144, "offset");
static_assert(offsetof(struct pretrade_quotes, mono_last) == 152, "offset");
static_assert(offsetof(struct pretrade_quotes, ts_last) == 160, "offset");
static_assert(offsetof(struct pretrade_quotes, nbbo_bid) == 168, "offset");
static_assert(offsetof(struct pretrade_quotes, nbbo_ask) == 176, "offset");
static_assert(offsetof(struct pretrade_quotes, rv_1m) == 184, "offset");
static_assert(offsetof(struct pretrade_quotes, spare) == 188, "offset");

#define PRETRADE_PARAMETERS_VERSION 1u
#define PRETRADE_PARAMETERS_HASH UINT64_C(0x4c9563c713d13534)
struct pretrade_parameters {
    int64_t max_order_quantity;
    int64_t max_order_notional;
    int64_t position_max_long;
    int64_t position_max_short;
    uint32_t collar_ticks;
    uint32_t collar_ppm;
    int32_t passive_standoff_ticks;
    uint32_t drift_short_ticks;
    uint32_t drift_long_ticks;
    uint32_t max_depth_share_ppm;
    uint32_t max_volume_share_ppm;
    uint32_t max_adv_share_ppm;
    float order_error_hold;
    float order_error_reject;
    float impact_budget_bps;
    uint32_t margin_multiplier_ppm;
    uint32_t concentration_ppm;
    uint32_t rate_new_per_s;
    uint32_t rate_replace_per_s;
    uint32_t velocity_ticks;
    uint32_t loss_trigger_ppm;
    uint32_t valid_mask;
};
static_assert(sizeof(struct pretrade_parameters) == 104, "size");
static_assert(offsetof(struct pretrade_parameters, max_order_quantity) == 0, "offset");
static_assert(offsetof(struct pretrade_parameters, max_order_notional) == 8, "offset");
static_assert(offsetof(struct pretrade_parameters, position_max_long) == 16, "offset");
static_assert(offsetof(struct pretrade_parameters, position_max_short) == 24, "offset");
static_assert(offsetof(struct pretrade_parameters, collar_ticks) == 32, "offset");
static_assert(offsetof(struct pretrade_parameters, collar_ppm) == 36, "offset");
static_assert(offsetof(struct pretrade_parameters, passive_standoff_ticks) == 40, "offset");
static_assert(offsetof(struct pretrade_parameters, drift_short_ticks) == 44, "offset");
static_assert(offsetof(struct pretrade_parameters, drift_long_ticks) == 48, "offset");
static_assert(offsetof(struct pretrade_parameters, max_depth_share_ppm) == 52, "offset");
static_assert(offsetof(struct pretrade_parameters, max_volume_share_ppm) == 56, "offset");
static_assert(offsetof(struct pretrade_parameters, max_adv_share_ppm) == 60, "offset");
static_assert(offsetof(struct pretrade_parameters, order_error_hold) == 64, "offset");
static_assert(offsetof(struct pretrade_parameters, order_error_reject) == 68, "offset");
static_assert(offsetof(struct pretrade_parameters, impact_budget_bps) == 72, "offset");
static_assert(offsetof(struct pretrade_parameters, margin_multiplier_ppm) == 76, "offset");
static_assert(offsetof(struct pretrade_parameters, concentration_ppm) == 80, "offset");
static_assert(offsetof(struct pretrade_parameters, rate_new_per_s) == 84, "offset");
static_assert(offsetof(struct pretrade_parameters, rate_replace_per_s) == 88, "offset");
static_assert(offsetof(struct pretrade_parameters, velocity_ticks) == 92, "offset");
static_assert(offsetof(struct pretrade_parameters, loss_trigger_ppm) == 96, "offset");
static_assert(offsetof(struct pretrade_parameters, valid_mask) == 100, "offset");

#define PRETRADE_CONTROLS_VERSION 2u
#define PRETRADE_CONTROLS_HASH UINT64_C(0xec68f5e856174f59)
struct pretrade_controls {
    uint32_t seq;
    uint32_t crc;
    uint32_t id;
    uint8_t level;
    uint8_t pad;
    uint16_t session_calendar_id;
    uint64_t version;
    uint64_t generation;
    int64_t tick_size;
    int64_t lot_size;
    int64_t value_per_tick_lot;
    uint64_t level_mask;
    uint64_t resumed_sidecar;
    uint64_t resumed_gateway;
    uint64_t resumed_human;
    uint32_t open_orders_limit;
    uint32_t fallback_factor_ppm;
    int8_t quantity_exponent;
    int8_t money_exponent;
    uint8_t flags;
    uint8_t pad_2;
    uint32_t channel;
    uint32_t shares_ppm[8];
    uint8_t static_limits[104];
    uint8_t floor[104];
    uint8_t ceiling[104];
    int64_t level_limits[32];
    uint64_t kill;
    uint64_t trip;
    uint64_t reduce_only;
    uint64_t spare_state[5];
};
static_assert(sizeof(struct pretrade_controls) == 768, "size");
static_assert(offsetof(struct pretrade_controls, seq) == 0, "offset");
static_assert(offsetof(struct pretrade_controls, crc) == 4, "offset");
static_assert(offsetof(struct pretrade_controls, id) == 8, "offset");
static_assert(offsetof(struct pretrade_controls, level) == 12, "offset");
static_assert(offsetof(struct pretrade_controls, pad) == 13, "offset");
static_assert(offsetof(struct pretrade_controls, session_calendar_id) == 14, "offset");
static_assert(offsetof(struct pretrade_controls, version) == 16, "offset");
static_assert(offsetof(struct pretrade_controls, generation) == 24, "offset");
static_assert(offsetof(struct pretrade_controls, tick_size) == 32, "offset");
static_assert(offsetof(struct pretrade_controls, lot_size) == 40, "offset");
static_assert(offsetof(struct pretrade_controls, value_per_tick_lot) == 48, "offset");
static_assert(offsetof(struct pretrade_controls, level_mask) == 56, "offset");
static_assert(offsetof(struct pretrade_controls, resumed_sidecar) == 64, "offset");
static_assert(offsetof(struct pretrade_controls, resumed_gateway) == 72, "offset");
static_assert(offsetof(struct pretrade_controls, resumed_human) == 80, "offset");
static_assert(offsetof(struct pretrade_controls, open_orders_limit) == 88, "offset");
static_assert(offsetof(struct pretrade_controls, fallback_factor_ppm) == 92, "offset");
static_assert(offsetof(struct pretrade_controls, quantity_exponent) == 96, "offset");
static_assert(offsetof(struct pretrade_controls, money_exponent) == 97, "offset");
static_assert(offsetof(struct pretrade_controls, flags) == 98, "offset");
static_assert(offsetof(struct pretrade_controls, pad_2) == 99, "offset");
static_assert(offsetof(struct pretrade_controls, channel) == 100, "offset");
static_assert(offsetof(struct pretrade_controls, shares_ppm) == 104, "offset");
static_assert(offsetof(struct pretrade_controls, static_limits) == 136, "offset");
static_assert(offsetof(struct pretrade_controls, floor) == 240, "offset");
static_assert(offsetof(struct pretrade_controls, ceiling) == 344, "offset");
static_assert(offsetof(struct pretrade_controls, level_limits) == 448, "offset");
static_assert(offsetof(struct pretrade_controls, kill) == 704, "offset");
static_assert(offsetof(struct pretrade_controls, trip) == 712, "offset");
static_assert(offsetof(struct pretrade_controls, reduce_only) == 720, "offset");
static_assert(offsetof(struct pretrade_controls, spare_state) == 728, "offset");

#define PRETRADE_GATE_VERSION 1u
#define PRETRADE_GATE_HASH UINT64_C(0xe6f5ec0c2c0c3290)
struct pretrade_gate {
    uint32_t seq;
    uint32_t crc;
    uint32_t instrument_id;
    uint32_t strategy_id;
    uint8_t stage;
    uint8_t tier;
    uint8_t flags;
    uint8_t pad;
    uint32_t open_orders;
    uint64_t limit_version;
    uint64_t trip_sidecar;
    uint64_t trip_gateway;
    uint64_t trip_human;
    int64_t mono_stage;
    int64_t position;
    int64_t working_buy;
    int64_t working_sell;
    uint64_t accepted;
    uint64_t held;
    uint64_t rejected;
    uint64_t journal_sequence;
    uint32_t limit_epoch;
    uint32_t held_orders;
};
static_assert(sizeof(struct pretrade_gate) == 128, "size");
static_assert(offsetof(struct pretrade_gate, seq) == 0, "offset");
static_assert(offsetof(struct pretrade_gate, crc) == 4, "offset");
static_assert(offsetof(struct pretrade_gate, instrument_id) == 8, "offset");
static_assert(offsetof(struct pretrade_gate, strategy_id) == 12, "offset");
static_assert(offsetof(struct pretrade_gate, stage) == 16, "offset");
static_assert(offsetof(struct pretrade_gate, tier) == 17, "offset");
static_assert(offsetof(struct pretrade_gate, flags) == 18, "offset");
static_assert(offsetof(struct pretrade_gate, pad) == 19, "offset");
static_assert(offsetof(struct pretrade_gate, open_orders) == 20, "offset");
static_assert(offsetof(struct pretrade_gate, limit_version) == 24, "offset");
static_assert(offsetof(struct pretrade_gate, trip_sidecar) == 32, "offset");
static_assert(offsetof(struct pretrade_gate, trip_gateway) == 40, "offset");
static_assert(offsetof(struct pretrade_gate, trip_human) == 48, "offset");
static_assert(offsetof(struct pretrade_gate, mono_stage) == 56, "offset");
static_assert(offsetof(struct pretrade_gate, position) == 64, "offset");
static_assert(offsetof(struct pretrade_gate, working_buy) == 72, "offset");
static_assert(offsetof(struct pretrade_gate, working_sell) == 80, "offset");
static_assert(offsetof(struct pretrade_gate, accepted) == 88, "offset");
static_assert(offsetof(struct pretrade_gate, held) == 96, "offset");
static_assert(offsetof(struct pretrade_gate, rejected) == 104, "offset");
static_assert(offsetof(struct pretrade_gate, journal_sequence) == 112, "offset");
static_assert(offsetof(struct pretrade_gate, limit_epoch) == 120, "offset");
static_assert(offsetof(struct pretrade_gate, held_orders) == 124, "offset");

#define PRETRADE_HEADER_VERSION 1u
#define PRETRADE_HEADER_HASH UINT64_C(0x8f8f43d1c5a95dd8)
struct pretrade_header {
    uint64_t magic;
    uint32_t header_version;
    uint32_t byte_order;
    uint64_t layout_hash;
    uint32_t layout_version;
    uint32_t stride;
    uint32_t record_count;
    uint32_t index_count;
    uint64_t records_offset;
    uint64_t file_size;
    uint32_t header_crc;
    uint32_t owner_id;
    uint8_t clock_domain[16];
    int64_t ts_created;
    uint64_t spare_1[5];
    uint32_t epoch;
    uint32_t writer_pid;
    int64_t writer_heartbeat;
    uint32_t used;
    uint32_t retired;
    uint64_t spare_2[5];
    uint64_t kill_word;
    uint64_t generation;
    uint64_t kill_count;
    uint64_t spare_3[5];
    uint64_t gate_words[96];
    uint64_t spare_4[128];
    uint64_t channels[256];
};
static_assert(sizeof(struct pretrade_header) == 4096, "size");
static_assert(offsetof(struct pretrade_header, magic) == 0, "offset");
static_assert(offsetof(struct pretrade_header, header_version) == 8, "offset");
static_assert(offsetof(struct pretrade_header, byte_order) == 12, "offset");
static_assert(offsetof(struct pretrade_header, layout_hash) == 16, "offset");
static_assert(offsetof(struct pretrade_header, layout_version) == 24, "offset");
static_assert(offsetof(struct pretrade_header, stride) == 28, "offset");
static_assert(offsetof(struct pretrade_header, record_count) == 32, "offset");
static_assert(offsetof(struct pretrade_header, index_count) == 36, "offset");
static_assert(offsetof(struct pretrade_header, records_offset) == 40, "offset");
static_assert(offsetof(struct pretrade_header, file_size) == 48, "offset");
static_assert(offsetof(struct pretrade_header, header_crc) == 56, "offset");
static_assert(offsetof(struct pretrade_header, owner_id) == 60, "offset");
static_assert(offsetof(struct pretrade_header, clock_domain) == 64, "offset");
static_assert(offsetof(struct pretrade_header, ts_created) == 80, "offset");
static_assert(offsetof(struct pretrade_header, spare_1) == 88, "offset");
static_assert(offsetof(struct pretrade_header, epoch) == 128, "offset");
static_assert(offsetof(struct pretrade_header, writer_pid) == 132, "offset");
static_assert(offsetof(struct pretrade_header, writer_heartbeat) == 136, "offset");
static_assert(offsetof(struct pretrade_header, used) == 144, "offset");
static_assert(offsetof(struct pretrade_header, retired) == 148, "offset");
static_assert(offsetof(struct pretrade_header, spare_2) == 152, "offset");
static_assert(offsetof(struct pretrade_header, kill_word) == 192, "offset");
static_assert(offsetof(struct pretrade_header, generation) == 200, "offset");
static_assert(offsetof(struct pretrade_header, kill_count) == 208, "offset");
static_assert(offsetof(struct pretrade_header, spare_3) == 216, "offset");
static_assert(offsetof(struct pretrade_header, gate_words) == 256, "offset");
static_assert(offsetof(struct pretrade_header, spare_4) == 1024, "offset");
static_assert(offsetof(struct pretrade_header, channels) == 2048, "offset");

#define PRETRADE_CHANNEL_VERSION 1u
#define PRETRADE_CHANNEL_HASH UINT64_C(0x13f09226f738fee6)
struct pretrade_channel {
    int64_t mono_tick;
    int64_t mono_data;
};
static_assert(sizeof(struct pretrade_channel) == 16, "size");
static_assert(offsetof(struct pretrade_channel, mono_tick) == 0, "offset");
static_assert(offsetof(struct pretrade_channel, mono_data) == 8, "offset");

#define PRETRADE_FRAME_VERSION 1u
#define PRETRADE_FRAME_HASH UINT64_C(0x17ce443859d8a6b9)
struct pretrade_frame {
    uint32_t magic;
    uint16_t header_version;
    uint16_t flags;
    uint16_t stream;
    uint16_t shard;
    uint32_t schema_version;
    uint64_t source;
    uint64_t first_seq;
    uint32_t count;
    uint32_t reserved;
    int64_t first_ts_recv;
    int64_t last_ts_recv;
    uint32_t length;
    uint32_t payload_crc;
    uint32_t header_crc;
    uint32_t reserved_2;
};
static_assert(sizeof(struct pretrade_frame) == 72, "size");
static_assert(offsetof(struct pretrade_frame, magic) == 0, "offset");
static_assert(offsetof(struct pretrade_frame, header_version) == 4, "offset");
static_assert(offsetof(struct pretrade_frame, flags) == 6, "offset");
static_assert(offsetof(struct pretrade_frame, stream) == 8, "offset");
static_assert(offsetof(struct pretrade_frame, shard) == 10, "offset");
static_assert(offsetof(struct pretrade_frame, schema_version) == 12, "offset");
static_assert(offsetof(struct pretrade_frame, source) == 16, "offset");
static_assert(offsetof(struct pretrade_frame, first_seq) == 24, "offset");
static_assert(offsetof(struct pretrade_frame, count) == 32, "offset");
static_assert(offsetof(struct pretrade_frame, reserved) == 36, "offset");
static_assert(offsetof(struct pretrade_frame, first_ts_recv) == 40, "offset");
static_assert(offsetof(struct pretrade_frame, last_ts_recv) == 48, "offset");
static_assert(offsetof(struct pretrade_frame, length) == 56, "offset");
static_assert(offsetof(struct pretrade_frame, payload_crc) == 60, "offset");
static_assert(offsetof(struct pretrade_frame, header_crc) == 64, "offset");
static_assert(offsetof(struct pretrade_frame, reserved_2) == 68, "offset");

#define PRETRADE_JOURNAL_HEADER_VERSION 1u
#define PRETRADE_JOURNAL_HEADER_HASH UINT64_C(0x7a93f30e67cb404b)
struct pretrade_journal_header {
    uint64_t magic;
    uint32_t header_version;
    uint32_t byte_order;
    uint16_t stream;
    uint16_t shard;
    uint32_t schema_version;
    uint64_t source;
    uint64_t layout_hash;
    int64_t ts_created;
    uint32_t header_crc;
    uint32_t reserved;
    uint64_t spare;
    uint8_t commit[24];
};
static_assert(sizeof(struct pretrade_journal_header) == 88, "size");
static_assert(offsetof(struct pretrade_journal_header, magic) == 0, "offset");
static_assert(offsetof(struct pretrade_journal_header, header_version) == 8, "offset");
static_assert(offsetof(struct pretrade_journal_header, byte_order) == 12, "offset");
static_assert(offsetof(struct pretrade_journal_header, stream) == 16, "offset");
static_assert(offsetof(struct pretrade_journal_header, shard) == 18, "offset");
static_assert(offsetof(struct pretrade_journal_header, schema_version) == 20, "offset");
static_assert(offsetof(struct pretrade_journal_header, source) == 24, "offset");
static_assert(offsetof(struct pretrade_journal_header, layout_hash) == 32, "offset");
static_assert(offsetof(struct pretrade_journal_header, ts_created) == 40, "offset");
static_assert(offsetof(struct pretrade_journal_header, header_crc) == 48, "offset");
static_assert(offsetof(struct pretrade_journal_header, reserved) == 52, "offset");
static_assert(offsetof(struct pretrade_journal_header, spare) == 56, "offset");
static_assert(offsetof(struct pretrade_journal_header, commit) == 64, "offset");

#define PRETRADE_COMMIT_VERSION 1u
#define PRETRADE_COMMIT_HASH UINT64_C(0xcbc335997d486f77)
struct pretrade_commit {
    uint64_t offset;
    uint64_t next_seq;
    uint32_t crc;
    uint32_t reserved;
};
static_assert(sizeof(struct pretrade_commit) == 24, "size");
static_assert(offsetof(struct pretrade_commit, offset) == 0, "offset");
static_assert(offsetof(struct pretrade_commit, next_seq) == 8, "offset");
static_assert(offsetof(struct pretrade_commit, crc) == 16, "offset");
static_assert(offsetof(struct pretrade_commit, reserved) == 20, "offset");

#define PRETRADE_GATE_JOURNAL_RECORD_VERSION 1u
#define PRETRADE_GATE_JOURNAL_RECORD_HASH UINT64_C(0x32a9941a7e4644f9)
struct pretrade_gate_journal_record {
    uint32_t crc;
    uint32_t mark;
    uint64_t sequence;
    int64_t mono;
    int64_t ts;
    uint8_t kind;
    uint8_t version;
    uint16_t gateway;
    uint32_t words;
    uint64_t payload[27];
};
static_assert(sizeof(struct pretrade_gate_journal_record) == 256, "size");
static_assert(offsetof(struct pretrade_gate_journal_record, crc) == 0, "offset");
static_assert(offsetof(struct pretrade_gate_journal_record, mark) == 4, "offset");
static_assert(offsetof(struct pretrade_gate_journal_record, sequence) == 8, "offset");
static_assert(offsetof(struct pretrade_gate_journal_record, mono) == 16, "offset");
static_assert(offsetof(struct pretrade_gate_journal_record, ts) == 24, "offset");
static_assert(offsetof(struct pretrade_gate_journal_record, kind) == 32, "offset");
static_assert(offsetof(struct pretrade_gate_journal_record, version) == 33, "offset");
static_assert(offsetof(struct pretrade_gate_journal_record, gateway) == 34, "offset");
static_assert(offsetof(struct pretrade_gate_journal_record, words) == 36, "offset");
static_assert(offsetof(struct pretrade_gate_journal_record, payload) == 40, "offset");

#define PRETRADE_GATE_JOURNAL_BATCH_VERSION 1u
#define PRETRADE_GATE_JOURNAL_BATCH_HASH UINT64_C(0x6a73e200ec1151f1)
struct pretrade_gate_journal_batch {
    uint64_t number;
    uint64_t first_sequence;
    uint64_t count;
    uint8_t previous_hash[32];
    uint8_t hash[32];
};
static_assert(sizeof(struct pretrade_gate_journal_batch) == 88, "size");
static_assert(offsetof(struct pretrade_gate_journal_batch, number) == 0, "offset");
static_assert(offsetof(struct pretrade_gate_journal_batch, first_sequence) == 8, "offset");
static_assert(offsetof(struct pretrade_gate_journal_batch, count) == 16, "offset");
static_assert(offsetof(struct pretrade_gate_journal_batch, previous_hash) == 24, "offset");
static_assert(offsetof(struct pretrade_gate_journal_batch, hash) == 56, "offset");

#define PRETRADE_RING_HEADER_VERSION 1u
#define PRETRADE_RING_HEADER_HASH UINT64_C(0xac070c69c6568887)
struct pretrade_ring_header {
    uint64_t magic;
    uint32_t version;
    uint32_t byte_order;
    uint64_t capacity;
    uint32_t gateway;
    uint32_t header_crc;
    uint8_t clock_domain[16];
    uint64_t spare[2];
    uint64_t head;
    uint64_t producer_pid;
    uint64_t spare_1[6];
    uint64_t tail;
    uint64_t failed;
    uint64_t spare_2[6];
};
static_assert(sizeof(struct pretrade_ring_header) == 192, "size");
static_assert(offsetof(struct pretrade_ring_header, magic) == 0, "offset");
static_assert(offsetof(struct pretrade_ring_header, version) == 8, "offset");
static_assert(offsetof(struct pretrade_ring_header, byte_order) == 12, "offset");
static_assert(offsetof(struct pretrade_ring_header, capacity) == 16, "offset");
static_assert(offsetof(struct pretrade_ring_header, gateway) == 24, "offset");
static_assert(offsetof(struct pretrade_ring_header, header_crc) == 28, "offset");
static_assert(offsetof(struct pretrade_ring_header, clock_domain) == 32, "offset");
static_assert(offsetof(struct pretrade_ring_header, spare) == 48, "offset");
static_assert(offsetof(struct pretrade_ring_header, head) == 64, "offset");
static_assert(offsetof(struct pretrade_ring_header, producer_pid) == 72, "offset");
static_assert(offsetof(struct pretrade_ring_header, spare_1) == 80, "offset");
static_assert(offsetof(struct pretrade_ring_header, tail) == 128, "offset");
static_assert(offsetof(struct pretrade_ring_header, failed) == 136, "offset");
static_assert(offsetof(struct pretrade_ring_header, spare_2) == 144, "offset");

#define PRETRADE_GATE_JOURNAL_HEADER_VERSION 1u
#define PRETRADE_GATE_JOURNAL_HEADER_HASH UINT64_C(0x3409b20f653b3883)
struct pretrade_gate_journal_header {
    uint64_t magic;
    uint32_t version;
    uint32_t byte_order;
    uint64_t layout_hash;
    uint32_t gateway;
    uint32_t header_crc;
    uint8_t clock_domain[16];
    uint64_t spare[2];
    uint8_t commit[24];
};
static_assert(sizeof(struct pretrade_gate_journal_header) == 88, "size");
static_assert(offsetof(struct pretrade_gate_journal_header, magic) == 0, "offset");
static_assert(offsetof(struct pretrade_gate_journal_header, version) == 8, "offset");
static_assert(offsetof(struct pretrade_gate_journal_header, byte_order) == 12, "offset");
static_assert(offsetof(struct pretrade_gate_journal_header, layout_hash) == 16, "offset");
static_assert(offsetof(struct pretrade_gate_journal_header, gateway) == 24, "offset");
static_assert(offsetof(struct pretrade_gate_journal_header, header_crc) == 28, "offset");
static_assert(offsetof(struct pretrade_gate_journal_header, clock_domain) == 32, "offset");
static_assert(offsetof(struct pretrade_gate_journal_header, spare) == 48, "offset");
static_assert(offsetof(struct pretrade_gate_journal_header, commit) == 64, "offset");

#endif
