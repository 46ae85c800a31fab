// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.bench`: the gate's speed promises beside the bare floors, and the writers that disturb them.
//!
//! A measurement runs in this process; a writer is the same functions called in another one.
use crate::gateway::clock;
use pretrade_floor::table::{RECORDS, WORDS, field, pace};
use pretrade_floor::{FloorCheck, FloorOrder, FloorTable, Measured, Slices, mapping::Words};
use pretrade_gate::setup::{Tables, set_parameter};
use pretrade_gate::{Gate, GateFiles, GateOptions, VenueKind, VenueMessage};
use pretrade_journal::GateJournalOptions;
use pretrade_records::parameter::ALL_VALID;
use pretrade_records::units::{NS_PER_MS, UNDEFINED_PRICE};
use pretrade_records::{Decision, LimitsRecord, Order, Phase, QuotesRecord, Verdict};
use pretrade_shm::clock::boot_domain;
use pretrade_shm::controls::row_flags;
use pretrade_shm::{Access, ControlsRecord, Level, LimitsTable, QuotesTable, ReadOutcome};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

const TICK: i64 = 250_000_000;
const BID: i64 = 4_800_000_000_000;
const ORDERS: usize = 1 << 16;

/// A small fixed generator (SplitMix64), so that every run times the same calls.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

pub(crate) fn failed(e: impl std::fmt::Display) -> PyErr {
    PyRuntimeError::new_err(e.to_string())
}

pub(crate) fn figures(m: &Measured) -> HashMap<&'static str, f64> {
    HashMap::from([
        ("n", m.n as f64),
        ("min_ns", m.min_ns),
        ("p50_ns", m.p50_ns),
        ("p99_ns", m.p99_ns),
        ("kept", m.kept),
        ("amortised_ns", m.amortised_ns),
        ("unexpected", m.unexpected as f64),
    ])
}

fn files(directory: &Path) -> PyResult<GateFiles> {
    Ok(GateFiles::in_directory(directory, 0, boot_domain().map_err(failed)?))
}

fn limits_record(instrument_id: u32, version: u64) -> LimitsRecord {
    let stamp = version.cast_signed();
    LimitsRecord {
        instrument_id,
        version,
        epoch: 1,
        score: 0.01,
        valid_mask: ALL_VALID,
        max_order_quantity: 500,
        max_order_notional: 1 << 60,
        position_max_long: 1 << 40,
        position_max_short: 1 << 40,
        collar_ticks: 200,
        collar_ppm: 50_000,
        passive_standoff_ticks: 1,
        drift_short_ticks: 400,
        drift_long_ticks: 800,
        max_depth_share_ppm: 900_000,
        max_volume_share_ppm: 900_000,
        max_adv_share_ppm: 900_000,
        order_error_hold: 0.999_99,
        order_error_reject: 0.999_999,
        rate_new_per_s: 1_000_000_000,
        rate_replace_per_s: 1_000_000_000,
        margin_multiplier_ppm: 1_000_000,
        concentration_ppm: 1_000_000,
        velocity_ticks: u32::MAX,
        loss_trigger_ppm: 1_000_000,
        mono_published: stamp,
        ts_published: stamp,
        ts_data: stamp,
        ..Default::default()
    }
}

fn quotes_record(instrument_id: u32, number: u64) -> QuotesRecord {
    let shift = (number % 3) as i64 * TICK;
    QuotesRecord {
        instrument_id,
        phase: Phase::Continuous as u8,
        bid_price: BID + shift,
        ask_price: BID + shift + TICK,
        bid_size: 100,
        ask_size: 100,
        last_price: BID,
        slow_reference: BID + shift,
        mid_10s: BID,
        mid_5m: BID,
        depth_bid: 10_000,
        depth_ask: 10_000,
        volume_1m: 50_000,
        adv: 1_000_000,
        nbbo_bid: UNDEFINED_PRICE,
        nbbo_ask: UNDEFINED_PRICE,
        rv_1m: 0.05,
        ..Default::default()
    }
}

/// Makes tables of `instruments` x `strategies` x `accounts` with every control bounded, all records fresh.
#[pyfunction]
fn make_tables(directory: PathBuf, instruments: u32, strategies: u32, accounts: u32) -> PyResult<()> {
    let record = limits_record(1, 1);
    // What each level judges by itself: a position of a strategy is an extended control (0060).
    let statics = |level: Level| {
        let mut statics = pretrade_shm::ParameterBlock::default();
        level.parameters().iter().for_each(|&p| set_parameter(&mut statics, p, p.get(&record).unwrap_or(i64::MAX)));
        statics
    };
    let mut rows: Vec<ControlsRecord> = (1..=instruments)
        .map(|id| ControlsRecord {
            id,
            level: Level::Instrument as u8,
            flags: row_flags::ENABLED,
            tick_size: TICK,
            lot_size: 1,
            value_per_tick_lot: 125_000,
            open_orders_limit: 1_000_000,
            fallback_factor_ppm: 500_000,
            static_limits: statics(Level::Instrument),
            ..Default::default()
        })
        .collect();
    for (level, count) in [(Level::Strategy, strategies), (Level::Account, accounts), (Level::Firm, 1)] {
        let from = u32::from(level != Level::Firm);
        rows.extend((from..from + count).map(|id| ControlsRecord {
            id,
            level: level as u8,
            flags: row_flags::ENABLED,
            open_orders_limit: 1_000_000,
            static_limits: statics(level),
            ..Default::default()
        }));
    }
    let mut tables = Tables::create(&files(&directory)?, &rows, 1).map_err(failed)?;
    for id in 1..=instruments {
        let (l, q) = (tables.limits.slot(id, 0), tables.quotes.slot(id, 0));
        if let (Some(l), Some(q)) = (l, q) {
            tables.limits.publish(l, &limits_record(id, 1)).map_err(failed)?;
            tables.quotes.publish(q, &quotes_record(id, 0)).map_err(failed)?;
        }
    }
    beat(&tables.limits, &tables.quotes)
}

fn beat(limits: &LimitsTable, quotes: &QuotesTable) -> PyResult<()> {
    let now = clock(libc::CLOCK_MONOTONIC);
    limits.heartbeat(0, now, now).map_err(failed)?;
    quotes.heartbeat(0, now, now).map_err(failed)
}

fn parent_died(parent: i32) -> bool {
    // SAFETY: reads a number of our own process.
    parent != unsafe { libc::getppid() }
}

fn parent() -> i32 {
    // SAFETY: as above.
    unsafe { libc::getppid() }
}

/// Writer process of the bare table: `per_second` records (0 = flat out) until killed.
#[pyfunction]
fn write_floor(py: Python<'_>, path: PathBuf, per_second: u64) -> PyResult<()> {
    let (table, parent, mut random) = (FloorTable::open(&path).map_err(failed)?, parent(), Random(1));
    py.detach(|| pace(per_second, table.progress(), || parent_died(parent), |n| table.write(random.below(RECORDS as u64) as usize, n + 2, 0)));
    Ok(())
}

/// Writer process of `limits` and `quotes`: `per_second` records to each (0 = flat out) and both heartbeats, until killed.
#[pyfunction]
fn write_tables(py: Python<'_>, directory: PathBuf, instruments: u32, per_second: u64, with_quotes: bool) -> PyResult<()> {
    let files = files(&directory)?;
    let mut limits = LimitsTable::open(&files.limits, &files.clock_domain, Access::Shared).map_err(failed)?;
    let mut quotes = QuotesTable::open(&files.quotes, &files.clock_domain, Access::Shared).map_err(failed)?;
    let progress = Words::open(&directory.join("progress"), 8).map_err(failed)?;
    let (parent, mut random, mut versions) = (parent(), Random(2), vec![1u64; instruments as usize + 1]);
    let mut last_beat = 0;
    py.detach(|| {
        pace(
            per_second,
            &progress.as_slice()[0],
            || parent_died(parent),
            |n| {
                let id = random.below(u64::from(instruments)) as u32 + 1;
                versions[id as usize] += 1;
                if let Some(slot) = limits.slot(id, 0) {
                    let _ = limits.publish(slot, &limits_record(id, versions[id as usize]));
                }
                if with_quotes && let Some(slot) = quotes.slot(id, 0) {
                    let _ = quotes.publish(slot, &quotes_record(id, n));
                }
                if n & 0xff == 0 {
                    let now = clock(libc::CLOCK_MONOTONIC);
                    if now - last_beat > NS_PER_MS {
                        last_beat = now;
                        let _ = limits.heartbeat(0, now, now);
                        let _ = quotes.heartbeat(0, now, now);
                    }
                }
            },
        );
    });
    Ok(())
}

/// True when the flat-out writer moved since last asked; always true where none runs.
fn watch(progress: &std::sync::atomic::AtomicU64, is_watched: bool) -> impl FnMut() -> bool + '_ {
    let mut last = progress.load(Ordering::Relaxed);
    move || {
        let now = progress.load(Ordering::Relaxed);
        let moved = now != last;
        last = now;
        moved || !is_watched
    }
}

/// Times the bare 128-byte read.
#[pyfunction]
fn floor_read(py: Python<'_>, path: PathBuf, slices: usize, seconds: f64, is_busy: bool) -> PyResult<HashMap<&'static str, f64>> {
    let table = FloorTable::open(&path).map_err(failed)?;
    let (mut random, mut out) = (Random(3), [0; WORDS]);
    let places: Vec<usize> = (0..ORDERS).map(|_| random.below(RECORDS as u64) as usize).collect();
    let measured = py.detach(|| {
        let mut run = Slices::default();
        let call = |i: usize| table.read(places[i & (ORDERS - 1)], &mut out) && out[field::VERSION] == out[field::LAST];
        run.run(slices, Duration::from_secs_f64(seconds), call, |_| {}, watch(table.progress(), is_busy), || {});
        run.measured()
    });
    Ok(figures(&measured))
}

/// Makes the bare table.
#[pyfunction]
fn make_floor(path: PathBuf) -> PyResult<()> {
    FloorTable::create(&path).map(|_| ()).map_err(failed)
}

/// Times our look-up: all 192 bytes and the channel's heartbeat.
#[pyfunction]
fn limit_lookup(py: Python<'_>, directory: PathBuf, slices: usize, seconds: f64, is_busy: bool) -> PyResult<HashMap<&'static str, f64>> {
    let files = files(&directory)?;
    let limits = LimitsTable::open(&files.limits, &files.clock_domain, Access::Read).map_err(failed)?;
    let progress = Words::open(&directory.join("progress"), 8).map_err(failed)?;
    let (mut random, mut record) = (Random(3), LimitsRecord::default());
    let places: Vec<usize> = (0..ORDERS).map(|_| random.below(limits.used() as u64) as usize).collect();
    let measured = py.detach(|| {
        let mut run = Slices::default();
        let call = |i: usize| {
            let outcome = limits.read(places[i & (ORDERS - 1)], &mut record);
            let (tick, data) = limits.channel(record.channel);
            outcome == ReadOutcome::Fresh && tick.min(data) > 0 && record.ts_data == record.version.cast_signed()
        };
        run.run(slices, Duration::from_secs_f64(seconds), call, |_| {}, watch(&progress.as_slice()[0], is_busy), || {});
        run.measured()
    });
    Ok(figures(&measured))
}

/// Times the bare 20-rule check.
#[pyfunction]
fn floor_check(py: Python<'_>, path: PathBuf, slices: usize, seconds: f64) -> PyResult<HashMap<&'static str, f64>> {
    let table = FloorTable::open(&path).map_err(failed)?;
    let mut random = Random(4);
    let orders: Vec<FloorOrder> = (0..ORDERS)
        .map(|_| FloorOrder {
            instrument: random.below(RECORDS as u64) as u32,
            strategy: random.below(64) as u32,
            account: random.below(16) as u32,
            is_buy: random.below(2) == 0,
            price: 25 * (1 + random.below(40_000)) as i64,
            quantity: 1 + random.below(50) as i64,
        })
        .collect();
    let measured = py.detach(|| {
        let state = std::cell::RefCell::new(FloorCheck::default());
        let mut run = Slices::default();
        let now = clock(libc::CLOCK_MONOTONIC);
        let call = |i: usize| state.borrow_mut().check(&table, &orders[i & (ORDERS - 1)], now + i as i64) == 0;
        run.run(slices, Duration::from_secs_f64(seconds), call, |i| state.borrow_mut().undo(&orders[i & (ORDERS - 1)]), || true, || {});
        run.measured()
    });
    Ok(figures(&measured))
}

/// Times the whole gate: every configured control, state update, journal on unless `disk` is `None`; each accepted order is
/// undone outside the timed part. With `is_rejected` every price lies outside the collar: the reject path. With the folder of an order-error
/// model each order is scored on live features.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn full_check(
    py: Python<'_>,
    directory: PathBuf,
    disk: Option<PathBuf>,
    instruments: u32,
    strategies: u32,
    accounts: u32,
    slices: usize,
    seconds: f64,
    is_rejected: bool,
    order_error: Option<PathBuf>,
) -> PyResult<HashMap<&'static str, f64>> {
    let mut files = files(&directory)?;
    files.order_error = order_error;
    let is_scored = files.order_error.is_some();
    let expected = if is_rejected { Verdict::Reject } else { Verdict::Accept } as u8;
    // A journal of its own each time: the ids of an earlier run must not be known.
    let name = if is_scored {
        "scored"
    } else if is_rejected {
        "rejects"
    } else {
        "accepts"
    };
    let (ring, place) = (directory.join(format!("{name}.ring")), |disk: PathBuf| disk.join(format!("{name}.journal")));
    files.journal = disk.map(|disk| GateJournalOptions::new(&ring, &place(disk), 0, files.clock_domain));
    let mut random = Random(5);
    let orders: Vec<Order> = (0..ORDERS)
        .map(|_| {
            let is_buy = random.below(2) == 0;
            let ticks = if is_rejected { -1_000 } else { 10 + random.below(100) as i64 };
            Order {
                price: if is_buy { BID - ticks * TICK } else { BID + ticks * TICK },
                quantity: 1 + random.below(50) as i64,
                instrument_id: 1 + random.below(u64::from(instruments)) as u32,
                strategy_id: 1 + random.below(u64::from(strategies)) as u32,
                account_id: 1 + random.below(u64::from(accounts)) as u32,
                side: if is_buy { 1 } else { 2 },
                order_type: 2,
                time_in_force: 1,
                action: 1,
                ..Default::default()
            }
        })
        .collect();
    let gate =
        py.detach(|| Gate::open(files, GateOptions { id_blocks: 1 << 17, is_flat_at_start: true, ..GateOptions::default() })).map_err(failed)?;
    let measured = py.detach(|| {
        let gate = std::cell::RefCell::new(gate);
        let now = std::cell::Cell::new((clock(libc::CLOCK_MONOTONIC), clock(libc::CLOCK_REALTIME)));
        let mut run = Slices::default();
        let (mut id, mut last) = (0u64, 0u64);
        let next = std::cell::RefCell::new(Order::default());
        let prepare = |i: usize, id: u64, utc: i64| *next.borrow_mut() = Order { client_order_id: id, ts_event: utc, ..orders[i & (ORDERS - 1)] };
        prepare(0, 1, now.get().1);
        let mut decision = Decision::default();
        let call = |_: usize| {
            let (mono, utc) = now.get();
            gate.borrow_mut().decide_into(&next.borrow(), mono, utc, &mut decision);
            decision.verdict == expected && (decision.control == 15) == is_rejected
        };
        let after = |i: usize| {
            let utc = now.get().1;
            last = next.borrow().client_order_id;
            id = last + 1;
            let done = VenueMessage { client_order_id: last, kind: VenueKind::Cancelled as u8, ..Default::default() };
            gate.borrow_mut().undo(&done);
            prepare(i + 1, id, utc);
        };
        let between = || {
            let mut gate = gate.borrow_mut();
            let _ = gate.reserve();
            // The copier works off the hot path; a real order flow leaves it time.
            if gate.journal_fill_ppm() > 300_000 {
                let _ = gate.flush();
            }
            now.set((clock(libc::CLOCK_MONOTONIC), clock(libc::CLOCK_REALTIME)));
            next.borrow_mut().ts_event = now.get().1;
        };
        run.run(slices, Duration::from_secs_f64(seconds), call, after, || true, between);
        run.measured()
    });
    Ok(figures(&measured))
}

/// Reads `n` records under a writer in another process and counts those that mix two versions.
#[pyfunction]
fn count_torn(py: Python<'_>, directory: PathBuf, n: u64, is_unguarded: bool) -> PyResult<(u64, u64)> {
    let files = files(&directory)?;
    let limits = LimitsTable::open(&files.limits, &files.clock_domain, Access::Read).map_err(failed)?;
    let (mut random, mut record, used) = (Random(6), LimitsRecord::default(), limits.used() as u64);
    Ok(py.detach(|| {
        let (mut mixed, mut given_up) = (0, 0);
        for _ in 0..n {
            let slot = random.below(used) as usize;
            if is_unguarded {
                limits.read_unguarded(slot, &mut record);
            } else if limits.read(slot, &mut record) == ReadOutcome::Torn {
                given_up += 1;
                continue;
            }
            let stamp = record.version.cast_signed();
            mixed += u64::from(record.mono_published != stamp || record.ts_published != stamp || record.ts_data != stamp);
        }
        (mixed, given_up)
    }))
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<crate::bench_fix::FixStreet>()?;
    crate::bench_venue::fill(m)?;
    for function in [
        wrap_pyfunction!(make_tables, m)?,
        wrap_pyfunction!(make_floor, m)?,
        wrap_pyfunction!(write_floor, m)?,
        wrap_pyfunction!(write_tables, m)?,
        wrap_pyfunction!(floor_read, m)?,
        wrap_pyfunction!(limit_lookup, m)?,
        wrap_pyfunction!(floor_check, m)?,
        wrap_pyfunction!(full_check, m)?,
        wrap_pyfunction!(count_torn, m)?,
        wrap_pyfunction!(crate::lightgbm_floor::lightgbm_single_row, m)?,
    ] {
        m.add_function(function)?;
    }
    Ok(())
}
