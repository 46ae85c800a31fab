// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.simulation`: the simulated exchange.
use pretrade_records::order::Action;
use pretrade_records::{Event, EventFlags, EventKind, Order, OrderType, Side, TimeInForce};
use pretrade_venue::{Handle, Market, Parameters};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::HashMap;

/// Furthest an outside market order walks, ticks.
const PROTECTION: i32 = 40;

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
        let mut reports = Vec::new();
        for chunk in orders.chunks_exact(size) {
            let order: Order = bytemuck::pod_read_unaligned(chunk);
            self.enter(&order, &mut reports);
        }
        Ok(PyBytes::new(py, bytemuck::cast_slice(&reports)))
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
            Ok(Action::Cancel) => {
                if let Some((known, handle)) = self.working.remove(&order.original_client_order_id) {
                    self.market.engine.cancel(handle, &mut self.market.recorder);
                    reports.push(self.report(&known, EventKind::OwnOrder, 0, 0));
                }
            }
            _ => reports.push(self.report(order, EventKind::OwnOrder, 0, 0)),
        }
    }

    fn enter_new(&mut self, order: &Order, side: Side, reports: &mut Vec<Event>) {
        let market = order.order_type == OrderType::Market as u8;
        let touch = if side == Side::Ask {
            self.market.engine.best_bid().map(|t| t - PROTECTION)
        } else {
            self.market.engine.best_ask().map(|t| t + PROTECTION)
        };
        let tick = if market { touch } else { i32::try_from(order.price / self.tick_size).ok() };
        let immediate = market || order.time_in_force == TimeInForce::ImmediateOrCancel as u8 || order.time_in_force == TimeInForce::FillOrKill as u8;
        let (filled, handle) = tick.map_or((0, None), |t| self.market.enter(side, t, order.quantity, !immediate));
        if filled > 0 {
            let price = self.market.engine.last_trade().map_or(0, |t| i64::from(t) * self.tick_size);
            reports.push(self.report(order, EventKind::OwnExecution, price, filled));
        }
        let working = handle.map_or(0, |h| self.market.engine.resting(h));
        if let Some(h) = handle {
            self.working.insert(order.client_order_id, (*order, h));
        }
        reports.push(self.report(order, EventKind::OwnOrder, 0, working));
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
