// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.features`: books and feature rows.
use numpy::PyReadonlyArray1;
use pretrade_book::{COUNT, FeatureEngine, GroupSpec, InstrumentSpec, NAMES, Row, SnapshotSpec};
use pretrade_records::Event;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::collections::HashMap;

/// Feature engine over a group of instruments.
#[pyclass(module = "pretrade._native.features")]
pub(crate) struct Engine {
    engine: FeatureEngine,
}

impl Engine {
    /// The kernel, for a fused run that pushes events without an array in between.
    pub(crate) fn kernel(&mut self) -> &mut FeatureEngine {
        &mut self.engine
    }
}

/// Reads 64-byte records, aligned or not.
pub(crate) fn each_event(bytes: &[u8], mut take: impl FnMut(&Event)) -> PyResult<()> {
    let size = core::mem::size_of::<Event>();
    if !bytes.len().is_multiple_of(size) {
        return Err(PyValueError::new_err(format!("{} bytes of events are no multiple of {size}", bytes.len())));
    }
    match bytemuck::try_cast_slice::<u8, Event>(bytes) {
        Ok(events) => events.iter().for_each(take),
        Err(_) => bytes.chunks_exact(size).for_each(|c| take(&bytemuck::pod_read_unaligned(c))),
    }
    Ok(())
}

#[pymethods]
impl Engine {
    /// `instruments`: (instrument_id, tick_size, adv, phases) with phases as (start, end, phase code); `groups`: (members, factor, leader,
    /// ids of the near and the far volatility index).
    #[new]
    #[allow(clippy::type_complexity)]
    fn new(
        instruments: Vec<(u32, i64, i64, Vec<(i64, i64, u8)>)>,
        interval_ns: i64,
        depth_levels: usize,
        stale_after_ns: i64,
        depth_window_ticks: i64,
        with_quotes: bool,
        groups: Vec<(Vec<u32>, Option<u32>, Option<u32>, Option<(u32, u32)>)>,
    ) -> PyResult<Self> {
        if interval_ns <= 0 || depth_levels == 0 || depth_levels > 255 {
            return Err(PyValueError::new_err(format!(
                "interval {interval_ns} ns and {depth_levels} levels; both must be above 0, levels at most 255"
            )));
        }
        let specs =
            instruments.into_iter().map(|(instrument_id, tick_size, adv, phases)| InstrumentSpec { instrument_id, tick_size, adv, phases }).collect();
        let snapshot = SnapshotSpec { interval_ns, depth_levels, stale_after_ns, depth_window_ticks };
        let groups = groups.into_iter().map(|(members, factor, leader, volatility)| GroupSpec { members, factor, leader, volatility }).collect();
        Ok(Self { engine: FeatureEngine::new(specs, snapshot, with_quotes).with_groups(groups) })
    }

    /// Takes events; returns the bytes of the grid rows they closed.
    fn push<'py>(&mut self, py: Python<'py>, events: PyReadonlyArray1<'py, u8>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = events.as_slice()?;
        py.detach(|| each_event(bytes, |e| self.engine.push(e)))?;
        Ok(self.take_rows(py))
    }

    /// Closes the grid up to and including `ts_recv`.
    fn close<'py>(&mut self, py: Python<'py>, ts_recv: i64) -> Bound<'py, PyBytes> {
        self.engine.close(ts_recv);
        self.take_rows(py)
    }

    /// Bytes of the quotes record at each row of the last `push` or `close`.
    fn quote_rows<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let quotes = std::mem::take(&mut self.engine.quote_rows);
        PyBytes::new(py, bytemuck::cast_slice(&quotes))
    }

    /// Bytes of an event-driven row, empty outside continuous trading.
    fn row_now<'py>(&mut self, py: Python<'py>, instrument_id: u32, ts_recv: i64) -> Bound<'py, PyBytes> {
        let row: Vec<Row> = self.engine.row_now(instrument_id, ts_recv).into_iter().collect();
        PyBytes::new(py, bytemuck::cast_slice(&row))
    }

    /// Bytes of the quotes record of every instrument now.
    fn quotes<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, bytemuck::cast_slice(&self.engine.quotes()))
    }

    /// Bytes of everything the rows to come depend on.
    fn state<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.engine.state())
    }

    /// Goes on from saved state.
    fn restore(&mut self, state: &[u8]) -> PyResult<()> {
        self.engine.restore(state).map_err(|e| PyValueError::new_err(e.to_string()))
    }

    /// Lays the calendars further out: per instrument, phases as (start, end, phase code) that follow what it has.
    fn lay_out(&mut self, phases: Vec<Vec<(i64, i64, u8)>>) {
        self.engine.lay_out(phases);
    }

    /// Bytes of the events that say every book again; `None` inside a snapshot of the venue.
    fn recap<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.engine.recap().map(|events| PyBytes::new(py, bytemuck::cast_slice(&events)))
    }

    /// Faults the book saw, by kind.
    fn faults<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let faults = self.engine.faults();
        let out = PyDict::new(py);
        out.set_item("crossed_book", faults.crossed_book)?;
        out.set_item("unknown_order", faults.unknown_order)?;
        out.set_item("price_step", faults.price_step)?;
        Ok(out)
    }

    /// Events whose instrument is not among the engine's.
    fn foreign_events(&self) -> u64 {
        self.engine.foreign_events
    }

    /// Book of one instrument: (orders, bids, asks), sides as (price, size) from the best on.
    #[allow(clippy::type_complexity)]
    fn book(&self, instrument_id: u32) -> Option<(usize, Vec<(i64, i64)>, Vec<(i64, i64)>)> {
        let book = &self.engine.instrument(instrument_id)?.book;
        Some((book.order_count(), book.bids().iter().collect(), book.asks().iter().collect()))
    }
}

impl Engine {
    fn take_rows<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let rows = std::mem::take(&mut self.engine.rows);
        PyBytes::new(py, bytemuck::cast_slice(&rows))
    }
}

/// Bare books by instrument, for the benchmark of feeds and nothing else.
#[pyclass(module = "pretrade._native.features")]
#[derive(Default)]
struct Books {
    books: HashMap<u32, pretrade_book::Book>,
}

#[pymethods]
impl Books {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Applies events.
    fn push(&mut self, py: Python<'_>, events: &[u8]) -> PyResult<()> {
        py.detach(|| {
            each_event(events, |e| {
                self.books.entry(e.instrument_id).or_default().apply(e);
            })
        })
    }

    /// Levels held by all books.
    fn levels(&self) -> usize {
        self.books.values().map(|b| b.bids().len() + b.asks().len()).sum()
    }
}

/// Applies events to a bare book `rounds` times; returns seconds per event (for the benchmark).
#[pyfunction]
fn time_book(py: Python<'_>, events: &[u8], rounds: u32) -> PyResult<f64> {
    let mut all = Vec::new();
    each_event(events, |e| all.push(*e))?;
    Ok(py.detach(|| {
        let begun = std::time::Instant::now();
        for _ in 0..rounds {
            let mut book = pretrade_book::Book::default();
            for e in &all {
                std::hint::black_box(book.apply(e));
            }
            std::hint::black_box(&book);
        }
        begun.elapsed().as_secs_f64() / (f64::from(rounds) * all.len().max(1) as f64)
    }))
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    m.add_class::<Engine>()?;
    m.add_class::<Books>()?;
    m.add_function(wrap_pyfunction!(time_book, m)?)?;
    m.add("NAMES", NAMES.to_vec())?;
    m.add("CODE_HASH", format!("{:016x}", pretrade_book::code_hash()))?;
    let row = PyDict::new(py);
    row.set_item("names", vec!["ts_recv", "ts_event", "valid", "instrument_id", "phase", "feed_state", "levels", "kind", "values"])?;
    row.set_item(
        "formats",
        vec![
            "<i8".to_owned(),
            "<i8".into(),
            "<u8".into(),
            "<u4".into(),
            "u1".into(),
            "u1".into(),
            "u1".into(),
            "u1".into(),
            format!("({COUNT},)<f8"),
        ],
    )?;
    row.set_item(
        "offsets",
        vec![
            core::mem::offset_of!(Row, ts_recv),
            core::mem::offset_of!(Row, ts_event),
            core::mem::offset_of!(Row, valid),
            core::mem::offset_of!(Row, instrument_id),
            core::mem::offset_of!(Row, phase),
            core::mem::offset_of!(Row, feed_state),
            core::mem::offset_of!(Row, levels),
            core::mem::offset_of!(Row, kind),
            core::mem::offset_of!(Row, values),
        ],
    )?;
    row.set_item("itemsize", core::mem::size_of::<Row>())?;
    m.add("ROW", row)
}
