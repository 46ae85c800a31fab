// SPDX-License-Identifier: Apache-2.0
//! A small world for gate tests: one instrument, two accounts, wide-open limits, calm quotes, a clock in hand.
#![allow(dead_code, reason = "each test file uses its part")]
use pretrade_gate::setup::{Tables, set_parameter};
use pretrade_gate::{Gate, GateFiles, GateOptions, VenueKind, VenueMessage};
use pretrade_journal::GateJournalOptions;
use pretrade_records::parameter::{ALL_VALID, Parameter};
use pretrade_records::units::{NS_PER_S, PRICE_SCALE, STANDOFF_OFF, UNDEFINED_PRICE, UNLIMITED, UNLIMITED_U32};
use pretrade_records::{Action, Decision, LimitsRecord, Order, OrderType, Phase, QuotesRecord, ReasonCode, Side, TimeInForce, Verdict};
use pretrade_shm::clock::simulated_domain;
use pretrade_shm::controls::row_flags;
use pretrade_shm::{ControlsRecord, Level, ParameterBlock};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

pub const S: i64 = NS_PER_S;
pub const TICK: i64 = PRICE_SCALE / 4;
pub const BID: i64 = 4_800 * PRICE_SCALE;
pub const ASK: i64 = BID + TICK;
pub const ES: u32 = 1;
pub const T0: i64 = 1_000 * S;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Positions start at zero, as if the venue had said so.
pub fn flat() -> GateOptions {
    GateOptions { is_flat_at_start: true, ..GateOptions::default() }
}

/// The static limits every world starts from: nothing bounds.
pub fn open_static() -> ParameterBlock {
    let mut block = ParameterBlock::default();
    for &p in Parameter::ALL {
        let value = match p {
            Parameter::PassiveStandoffTicks => i64::from(STANDOFF_OFF),
            Parameter::MarginMultiplierPpm => 1_000_000,
            Parameter::MaxOrderQuantity | Parameter::MaxOrderNotional | Parameter::PositionMaxLong | Parameter::PositionMaxShort => UNLIMITED,
            Parameter::OrderErrorHold | Parameter::OrderErrorReject | Parameter::ImpactBudgetBps => i64::MAX,
            _ => i64::from(UNLIMITED_U32),
        };
        set_parameter(&mut block, p, value);
    }
    block
}

/// A limits record that holds exactly `block`.
pub fn record_of(block: &ParameterBlock, version: u64) -> LimitsRecord {
    LimitsRecord {
        instrument_id: ES,
        version,
        epoch: 1,
        score: 0.01,
        systemic_score: f32::NAN,
        valid_mask: ALL_VALID,
        max_order_quantity: block.max_order_quantity,
        max_order_notional: block.max_order_notional,
        position_max_long: block.position_max_long,
        position_max_short: block.position_max_short,
        collar_ticks: block.collar_ticks,
        collar_ppm: block.collar_ppm,
        passive_standoff_ticks: block.passive_standoff_ticks,
        drift_short_ticks: block.drift_short_ticks,
        drift_long_ticks: block.drift_long_ticks,
        max_depth_share_ppm: block.max_depth_share_ppm,
        max_volume_share_ppm: block.max_volume_share_ppm,
        max_adv_share_ppm: block.max_adv_share_ppm,
        order_error_hold: block.order_error_hold,
        order_error_reject: block.order_error_reject,
        impact_budget_bps: block.impact_budget_bps,
        margin_multiplier_ppm: block.margin_multiplier_ppm,
        concentration_ppm: block.concentration_ppm,
        rate_new_per_s: block.rate_new_per_s,
        rate_replace_per_s: block.rate_replace_per_s,
        velocity_ticks: block.velocity_ticks,
        loss_trigger_ppm: block.loss_trigger_ppm,
        ..Default::default()
    }
}

pub fn instrument_row(block: ParameterBlock) -> ControlsRecord {
    ControlsRecord {
        id: ES,
        level: Level::Instrument as u8,
        flags: row_flags::ENABLED,
        tick_size: TICK,
        lot_size: 1,
        value_per_tick_lot: 125_000,
        open_orders_limit: u32::MAX,
        fallback_factor_ppm: 500_000,
        static_limits: block,
        ..Default::default()
    }
}

pub fn level_row(level: Level, id: u32) -> ControlsRecord {
    let mut row = ControlsRecord { id, level: level as u8, flags: row_flags::ENABLED, open_orders_limit: u32::MAX, ..Default::default() };
    for &p in level.parameters() {
        let is_rate = matches!(p, Parameter::RateNewPerS | Parameter::RateReplacePerS);
        set_parameter(&mut row.static_limits, p, if is_rate { i64::from(UNLIMITED_U32) } else { UNLIMITED });
    }
    row
}

pub fn calm_quotes() -> QuotesRecord {
    QuotesRecord {
        instrument_id: ES,
        phase: Phase::Continuous as u8,
        bid_price: BID,
        ask_price: ASK,
        bid_size: 100,
        ask_size: 100,
        last_price: BID,
        slow_reference: BID,
        mid_10s: BID,
        mid_5m: BID,
        depth_bid: 1_000,
        depth_ask: 1_000,
        volume_1m: 10_000,
        adv: 1_000_000,
        nbbo_bid: UNDEFINED_PRICE,
        nbbo_ask: UNDEFINED_PRICE,
        ..Default::default()
    }
}

/// Tables, a gate over them, and the time.
pub struct World {
    pub tables: Tables,
    pub gate: Option<Gate>,
    pub files: GateFiles,
    pub options: GateOptions,
    pub block: ParameterBlock,
    pub version: u64,
    pub now: i64,
    pub next_id: u64,
    directory: PathBuf,
}

impl World {
    pub fn new() -> Self {
        Self::with(open_static(), flat(), false)
    }

    pub fn with(block: ParameterBlock, options: GateOptions, journal: bool) -> Self {
        let rows = [
            instrument_row(block),
            level_row(Level::Account, 1),
            level_row(Level::Account, 2),
            level_row(Level::Strategy, 1),
            level_row(Level::Firm, 0),
        ];
        Self::of(&rows, block, options, journal)
    }

    /// A world with these rows of `controls`; the instrument's bounds nothing.
    pub fn over(rows: &[ControlsRecord]) -> Self {
        Self::of(rows, open_static(), flat(), false)
    }

    pub fn of(rows: &[ControlsRecord], block: ParameterBlock, options: GateOptions, journal: bool) -> Self {
        let base = if std::path::Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
        let directory = base.join(format!("pretrade-gate-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&directory).unwrap();
        let domain = simulated_domain(9);
        let mut files = GateFiles::in_directory(&directory, 0, domain);
        if journal {
            files.journal = Some(GateJournalOptions {
                capacity: 1 << 12,
                ..GateJournalOptions::new(&directory.join("gate-0.ring"), &directory.join("gate-0.journal"), 0, domain)
            });
        }
        let tables = Tables::create(&files, rows, 1).unwrap();
        let mut world = World { tables, gate: None, files, options, block, version: 0, now: T0, next_id: 0, directory };
        world.publish_block(block);
        world.quotes(calm_quotes());
        world.beat();
        world.gate = Some(Gate::open(world.files.clone(), options).unwrap());
        world
    }

    pub fn gate(&mut self) -> &mut Gate {
        self.gate.as_mut().unwrap()
    }

    /// Moves time on and both channels with it.
    pub fn advance(&mut self, ns: i64) {
        self.now += ns;
        self.beat();
    }

    pub fn beat(&mut self) {
        self.tables.limits.heartbeat(0, self.now, self.now).unwrap();
        self.tables.quotes.heartbeat(0, self.now, self.now).unwrap();
    }

    pub fn publish(&mut self, record: LimitsRecord) {
        self.version = self.version.max(record.version);
        let slot = self.tables.limits.slot(ES, 0).unwrap();
        self.tables.limits.publish(slot, &record).unwrap();
    }

    pub fn publish_block(&mut self, block: ParameterBlock) {
        self.publish(record_of(&block, self.version + 1));
    }

    pub fn quotes(&mut self, quotes: QuotesRecord) {
        let slot = self.tables.quotes.slot(ES, 0).unwrap();
        self.tables.quotes.publish(slot, &quotes).unwrap();
    }

    pub fn put(&mut self, row: ControlsRecord) {
        self.tables.put(&row).unwrap();
    }

    /// Writes an annex of `controls` and names it in the firm's row, as the control service does.
    pub fn annex(&mut self, number: u64, lines: &str) {
        let body = format!("pretrade-annex 1 {number}\n{lines}");
        let sum = pretrade_shm::crc::crc32c(body.as_bytes());
        std::fs::write(&self.files.annex, format!("{body}crc32c {sum:08x}\n")).unwrap();
        self.name_annex(number);
    }

    /// Says in the firm's row that an annex of this number is in force.
    pub fn name_annex(&mut self, number: u64) {
        let slot = self.tables.controls.row(Level::Firm, 0).unwrap();
        let mut row = ControlsRecord::default();
        assert_eq!(self.tables.controls.read(slot, &mut row), pretrade_shm::ReadOutcome::Fresh);
        row.channel = number as u32;
        self.put(row);
    }

    pub fn instrument_slot(&self) -> usize {
        self.tables.controls.row(Level::Instrument, ES).unwrap()
    }

    pub fn order(&mut self, side: Side, quantity: i64, price: i64) -> Order {
        self.next_id += 1;
        Order {
            client_order_id: self.next_id,
            ts_event: self.now,
            price,
            quantity,
            instrument_id: ES,
            strategy_id: 1,
            account_id: 1,
            side: side as u8,
            order_type: OrderType::Limit as u8,
            time_in_force: TimeInForce::Day as u8,
            action: Action::New as u8,
            ..Default::default()
        }
    }

    pub fn decide(&mut self, order: &Order) -> Decision {
        let now = self.now;
        self.gate().decide(order, now, now)
    }

    /// Decides a new limit order.
    pub fn new_order(&mut self, side: Side, quantity: i64, price: i64) -> Decision {
        let order = self.order(side, quantity, price);
        self.decide(&order)
    }

    pub fn replace(&mut self, original: u64, side: Side, quantity: i64, price: i64) -> Decision {
        let order = Order { action: Action::Replace as u8, original_client_order_id: original, ..self.order(side, quantity, price) };
        self.decide(&order)
    }

    pub fn cancel(&mut self, original: u64) -> Decision {
        let order = Order { action: Action::Cancel as u8, original_client_order_id: original, ..self.order(Side::None, 0, 0) };
        self.decide(&order)
    }

    pub fn venue(&mut self, kind: VenueKind, id: u64, original: u64, quantity: i64) -> bool {
        let now = self.now;
        let message = VenueMessage { kind: kind as u8, client_order_id: id, original_client_order_id: original, quantity, ..Default::default() };
        self.gate().on_venue(&message, now, now)
    }

    /// Buys (or sells) and fills, so that account 1 holds `position`.
    pub fn hold(&mut self, position: i64) {
        let now = self.now;
        let message = VenueMessage { kind: VenueKind::Position as u8, instrument_id: ES, account_id: 1, quantity: position, ..Default::default() };
        assert!(self.gate().on_venue(&message, now, now));
    }

    /// Kills the gate as SIGKILL would: nothing is flushed by us. Then opens a new one on the same files.
    pub fn restart(&mut self) {
        drop(self.gate.take());
        self.gate = Some(Gate::open(self.files.clone(), self.options).unwrap());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.gate.take());
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub fn reason(decision: &Decision) -> ReasonCode {
    ReasonCode::try_from(decision.reason).unwrap()
}

#[track_caller]
pub fn assert_accepted(decision: &Decision) {
    assert_eq!((decision.verdict, reason(decision)), (Verdict::Accept as u8, ReasonCode::None));
}

#[track_caller]
pub fn assert_rejected(decision: &Decision, expected: ReasonCode) {
    assert_eq!((reason(decision), decision.verdict), (expected, Verdict::Reject as u8));
}
