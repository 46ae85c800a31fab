// SPDX-License-Identifier: Apache-2.0
//! What the extended controls cost an accepted order: `extended_cost plain|extended N`, then count the process's instructions.
//!
//! `perf stat -e instructions:u` (or `valgrind`) of two runs that differ in N gives instructions per order; it prints the p50 in ns.
use pretrade_gate::setup::{Tables, set_parameter};
use pretrade_gate::{Gate, GateFiles, GateOptions, SelfMatch, VenueKind, VenueMessage};
use pretrade_journal::GateJournalOptions;
use pretrade_records::parameter::{ALL_VALID, Parameter};
use pretrade_records::units::{PRICE_SCALE, STANDOFF_OFF, UNLIMITED, UNLIMITED_U32};
use pretrade_records::{Decision, LevelLimit, LimitsRecord, Order, Phase, QuotesRecord, Verdict};
use pretrade_shm::clock::simulated_domain;
use pretrade_shm::controls::row_flags;
use pretrade_shm::{ControlsRecord, Level, ParameterBlock};
use std::time::Instant;

const BID: i64 = 4_800 * PRICE_SCALE;
const TICK: i64 = PRICE_SCALE / 4;
const NOW: i64 = 1_000_000_000_000;

fn statics() -> ParameterBlock {
    let mut block = ParameterBlock::default();
    for &p in Parameter::ALL {
        let value = match p {
            Parameter::PassiveStandoffTicks => i64::from(STANDOFF_OFF),
            Parameter::MaxOrderQuantity | Parameter::MaxOrderNotional | Parameter::PositionMaxLong | Parameter::PositionMaxShort => UNLIMITED / 4,
            Parameter::OrderErrorHold | Parameter::OrderErrorReject | Parameter::ImpactBudgetBps => i64::MAX,
            Parameter::VelocityTicks | Parameter::RateNewPerS | Parameter::RateReplacePerS => i64::from(UNLIMITED_U32),
            _ => 1_000_000,
        };
        set_parameter(&mut block, p, value);
    }
    block
}

fn row(level: Level, id: u32, is_extended: bool) -> ControlsRecord {
    let mut row = ControlsRecord {
        id,
        level: level as u8,
        flags: row_flags::ENABLED,
        tick_size: TICK,
        lot_size: 1,
        value_per_tick_lot: 125_000,
        open_orders_limit: u32::MAX,
        static_limits: statics(),
        ..Default::default()
    };
    let is_bounded = |limit: &LevelLimit| !matches!(limit, LevelLimit::MinQuantity | LevelLimit::ParentId | LevelLimit::MarginPerLot);
    for limit in LevelLimit::ALL.iter().filter(|l| is_extended && is_bounded(l)) {
        row.set_level_limit(*limit, if *limit == LevelLimit::WindowMs { 60_000 } else { UNLIMITED / 4 });
    }
    if is_extended && level == Level::Instrument {
        row.set_level_limit(LevelLimit::MarginPerLot, 1_000);
    }
    row
}

fn main() {
    let is_extended = std::env::args().nth(1).is_some_and(|a| a == "extended");
    let orders: u64 = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let directory = std::path::PathBuf::from(format!("/dev/shm/pretrade-cost-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a folder in /dev/shm");
    let domain = simulated_domain(3);
    let mut files = GateFiles::in_directory(&directory, 0, domain);
    files.journal = Some(GateJournalOptions::new(&directory.join("gate.ring"), &directory.join("gate.journal"), 0, domain));
    let rows = [(Level::Instrument, 1), (Level::Account, 1), (Level::Strategy, 1), (Level::Firm, 0)].map(|(level, id)| row(level, id, is_extended));
    let mut tables = Tables::create(&files, &rows, 1).expect("tables");
    let s = statics();
    let record = LimitsRecord {
        instrument_id: 1,
        version: 1,
        epoch: 1,
        score: 0.01,
        valid_mask: ALL_VALID,
        max_order_quantity: s.max_order_quantity,
        max_order_notional: s.max_order_notional,
        position_max_long: s.position_max_long,
        position_max_short: s.position_max_short,
        collar_ticks: s.collar_ticks,
        collar_ppm: s.collar_ppm,
        passive_standoff_ticks: s.passive_standoff_ticks,
        drift_short_ticks: s.drift_short_ticks,
        drift_long_ticks: s.drift_long_ticks,
        max_depth_share_ppm: s.max_depth_share_ppm,
        max_volume_share_ppm: s.max_volume_share_ppm,
        max_adv_share_ppm: s.max_adv_share_ppm,
        order_error_hold: s.order_error_hold,
        order_error_reject: s.order_error_reject,
        impact_budget_bps: s.impact_budget_bps,
        margin_multiplier_ppm: s.margin_multiplier_ppm,
        concentration_ppm: s.concentration_ppm,
        rate_new_per_s: s.rate_new_per_s,
        rate_replace_per_s: s.rate_replace_per_s,
        velocity_ticks: s.velocity_ticks,
        loss_trigger_ppm: s.loss_trigger_ppm,
        ..Default::default()
    };
    let quotes = QuotesRecord {
        instrument_id: 1,
        phase: Phase::Continuous as u8,
        bid_price: BID,
        ask_price: BID + TICK,
        slow_reference: BID,
        mid_10s: BID,
        mid_5m: BID,
        depth_bid: 1_000,
        depth_ask: 1_000,
        volume_1m: 1_000,
        adv: 1_000_000,
        ..Default::default()
    };
    let (l, q) = (tables.limits.slot(1, 0).expect("a slot"), tables.quotes.slot(1, 0).expect("a slot"));
    tables.limits.publish(l, &record).expect("published");
    tables.quotes.publish(q, &quotes).expect("published");
    tables.limits.heartbeat(0, NOW, NOW).expect("a beat");
    tables.quotes.heartbeat(0, NOW, NOW).expect("a beat");
    let self_match = if is_extended { SelfMatch::Account } else { SelfMatch::Off };
    let options = GateOptions { is_flat_at_start: true, id_blocks: 1 << 17, self_match, ..GateOptions::default() };
    let mut gate = Gate::open(files, options).expect("a gate");
    let (mut decision, mut spent) = (Decision::default(), Vec::new());
    for number in 1..=orders {
        let order = Order {
            client_order_id: number,
            ts_event: NOW,
            price: BID - (number % 100) as i64 * TICK,
            quantity: 1 + (number / 100 % 50) as i64,
            instrument_id: 1,
            strategy_id: 1,
            account_id: 1,
            side: 1,
            order_type: 2,
            time_in_force: 1,
            action: 1,
            ..Default::default()
        };
        let start = Instant::now();
        gate.decide_into(&order, NOW, NOW, &mut decision);
        spent.push(start.elapsed().as_nanos());
        assert_eq!(decision.verdict, Verdict::Accept as u8, "{decision:?}");
        gate.undo(&VenueMessage { client_order_id: number, kind: VenueKind::Cancelled as u8, ..Default::default() });
        if number % 10_000 == 0 {
            assert!(gate.flush());
        }
    }
    spent.sort_unstable();
    println!("p50 {} ns an order, two readings of the clock included", spent[spent.len() / 2]);
    drop(gate);
    let _ = std::fs::remove_dir_all(&directory);
}
