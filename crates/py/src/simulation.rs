// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.simulation`: the simulated exchange.
use crate::features::Engine;
use pretrade_records::order::{Action, POST_ONLY};
use pretrade_records::{Event, EventFlags, EventKind, Order, OrderType, Side, TimeInForce};
use pretrade_venue::{Handle, Market, Parameters};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::HashMap;

/// Furthest an outside market order walks, ticks.
const PROTECTION: i32 = 40;
/// Simulated time between two hand-overs of a fused run, ns.
const FUSED_STEP_NS: i64 = 1_000_000_000;

/// One simulated market.
#[pyclass(module = "pretrade._native.simulation")]
struct Simulator {
    market: Market,
    tick_size: i64,
    working: HashMap<u64, (Order, Handle)>,
}

#[pymethods]
impl Simulator {
    #[new]
    fn new(parameters: &str, seed: u64, ts_start: i64) -> PyResult<Self> {
        let p: Parameters = serde_json::from_str(parameters).map_err(|e| PyValueError::new_err(format!("market parameters: {e}")))?;
        let tick_size = p.tick_size;
        Ok(Self { market: Market::new(p, seed, ts_start), tick_size, working: HashMap::new() })
    }

    /// Events published up to and including an instant, as 64-byte records.
    fn run_until<'py>(&mut self, py: Python<'py>, ts: i64) -> Bound<'py, PyBytes> {
        py.detach(|| self.market.run_until(ts));
        let events = std::mem::take(&mut self.market.recorder.events);
        PyBytes::new(py, bytemuck::cast_slice(&events))
    }

    /// Enters outside orders now; returns their reports as 64-byte records.
    fn submit<'py>(&mut self, py: Python<'py>, orders: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let size = core::mem::size_of::<Order>();
        if !orders.len().is_multiple_of(size) {
            return Err(PyValueError::new_err(format!("{} bytes of orders are no multiple of {size}", orders.len())));
        }
        let mut reports = self.passive_fills();
        for chunk in orders.chunks_exact(size) {
            let order: Order = bytemuck::pod_read_unaligned(chunk);
            self.enter(&order, &mut reports);
        }
        Ok(PyBytes::new(py, bytemuck::cast_slice(&reports)))
    }

    /// Fills of outside orders that rested, since the last call of this or of `submit`.
    fn reports<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let reports = self.passive_fills();
        PyBytes::new(py, bytemuck::cast_slice(&reports))
    }

    /// Runs up to an instant straight into a feature engine, no event array in between; the rows wait in the engine.
    fn run_features(&mut self, py: Python<'_>, ts: i64, engine: &Bound<'_, Engine>) -> PyResult<usize> {
        let mut engine = engine.try_borrow_mut()?;
        let kernel = engine.kernel();
        let market = &mut self.market;
        Ok(py.detach(|| {
            let mut count = 0;
            while market.now() < ts {
                market.run_until((market.now() + FUSED_STEP_NS).min(ts));
                market.recorder.events.iter().for_each(|e| kernel.push(e));
                count += market.recorder.events.len();
                market.recorder.events.clear();
            }
            count
        }))
    }

    /// Hash over everything published so far.
    fn event_log_hash(&self) -> u64 {
        self.market.recorder.hash()
    }
}

impl Simulator {
    fn enter(&mut self, order: &Order, reports: &mut Vec<Event>) {
        let side = Side::try_from(order.side).unwrap_or(Side::None);
        match Action::try_from(order.action) {
            Ok(Action::New) if side != Side::None && order.quantity > 0 => self.enter_new(order, side, reports),
            Ok(Action::Replace) if order.quantity > 0 => self.enter_replace(order, reports),
            Ok(Action::Cancel) => {
                if let Some((known, handle)) = self.working.remove(&order.original_client_order_id) {
                    self.market.cancel(handle);
                    reports.push(self.report(&known, EventKind::OwnOrder, 0, 0));
                }
            }
            _ => reports.push(self.report(order, EventKind::OwnOrder, 0, 0)),
        }
    }

    /// Price in ticks: an order off the tick grid has none and is refused; a market order walks a protected way.
    fn tick_of(&self, order: &Order, side: Side) -> Option<i32> {
        if order.order_type == OrderType::Market as u8 {
            return match side {
                Side::Ask => self.market.engine.best_bid().map(|t| t - PROTECTION),
                _ => self.market.engine.best_ask().map(|t| t + PROTECTION),
            };
        }
        (order.price % self.tick_size == 0).then(|| i32::try_from(order.price / self.tick_size).ok()).flatten()
    }

    fn enter_new(&mut self, order: &Order, side: Side, reports: &mut Vec<Event>) {
        let is_fok = order.time_in_force == TimeInForce::FillOrKill as u8;
        let is_market = order.order_type == OrderType::Market as u8;
        let rests = !(is_market || is_fok || order.time_in_force == TimeInForce::ImmediateOrCancel as u8);
        let tick = self.tick_of(order, side).filter(|t| {
            let takeable = self.market.engine.takeable(side, *t, order.quantity);
            let is_taker = order.flags & POST_ONLY != 0 && takeable > 0;
            !is_taker && (!is_fok || takeable >= order.quantity)
        });
        let (prints, handle) = tick.map_or((Vec::new(), None), |t| self.market.enter(side, t, order.quantity, rests));
        self.told(order, &prints, handle, reports);
    }

    fn enter_replace(&mut self, order: &Order, reports: &mut Vec<Event>) {
        let Some((known, handle)) = self.working.get(&order.original_client_order_id).copied() else {
            return reports.push(self.report(order, EventKind::OwnOrder, 0, 0));
        };
        let side = Side::try_from(known.side).unwrap_or(Side::None);
        let Some(tick) = self.tick_of(order, side) else {
            return reports.push(self.report(order, EventKind::OwnOrder, 0, 0));
        };
        self.working.remove(&order.original_client_order_id);
        let (prints, handle) = self.market.replace(handle, tick, order.quantity);
        self.told(&Order { side: known.side, ..*order }, &prints, handle, reports);
    }

    /// Reports fills by price and what is still working; remembers what rests.
    fn told(&mut self, order: &Order, prints: &[(i32, i64)], handle: Option<Handle>, reports: &mut Vec<Event>) {
        for (tick, size) in prints {
            reports.push(self.report(order, EventKind::OwnExecution, i64::from(*tick) * self.tick_size, *size));
        }
        let left = handle.map_or(0, |h| self.market.engine.resting(h));
        if let Some(h) = handle.filter(|_| left > 0) {
            self.working.insert(order.client_order_id, (*order, h));
        }
        reports.push(self.report(order, EventKind::OwnOrder, 0, left));
    }

    fn passive_fills(&mut self) -> Vec<Event> {
        let mut reports = Vec::new();
        for fill in self.market.outside_fills() {
            let known = self.working.values().find(|(_, h)| h.order_id == fill.order_id).copied();
            let Some((order, handle)) = known else { continue };
            reports
                .push(Event { ts_event: fill.ts, ..self.report(&order, EventKind::OwnExecution, i64::from(fill.tick) * self.tick_size, fill.size) });
            if self.market.engine.resting(handle) == 0 {
                self.working.remove(&order.client_order_id);
            }
        }
        reports
    }

    fn report(&self, order: &Order, kind: EventKind, price: i64, size: i64) -> Event {
        let now = self.market.now();
        Event {
            ts_event: now,
            ts_recv: now,
            order_id: order.client_order_id,
            price,
            size,
            sequence: 0,
            aux: u64::from(order.strategy_id) << 32 | u64::from(order.account_id),
            instrument_id: order.instrument_id,
            kind: kind as u8,
            side: order.side,
            flags: EventFlags::LAST,
        }
    }
}

/// Every parameter of the simulated market with its default, as JSON.
#[pyfunction]
fn default_parameters() -> PyResult<String> {
    serde_json::to_string(&Parameters::default()).map_err(|e| PyValueError::new_err(e.to_string()))
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Simulator>()?;
    m.add_function(wrap_pyfunction!(default_parameters, m)?)
}
