// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.simulation`: the simulated exchange.
use crate::features::Engine;
use pretrade_records::Order;
use pretrade_venue::{Entry, Market, Parameters};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Simulated time between two hand-overs of a fused run, ns.
const FUSED_STEP_NS: i64 = 1_000_000_000;

/// One simulated market.
#[pyclass(module = "pretrade._native.simulation")]
pub(crate) struct Simulator {
    pub(crate) entry: Entry,
}

#[pymethods]
impl Simulator {
    #[new]
    fn new(parameters: &str, seed: u64, ts_start: i64) -> PyResult<Self> {
        let p: Parameters = serde_json::from_str(parameters).map_err(|e| PyValueError::new_err(format!("market parameters: {e}")))?;
        if p.protections.rules().is_none() {
            return Err(PyValueError::new_err(format!(
                "protections are {:?}; known are \"off\", \"late\", \"full\", or a table of rules",
                p.protections
            )));
        }
        let tick_size = p.tick_size;
        Ok(Self { entry: Entry::new(Market::new(p, seed, ts_start), tick_size) })
    }

    /// Events published up to and including an instant, as 64-byte records.
    fn run_until<'py>(&mut self, py: Python<'py>, ts: i64) -> Bound<'py, PyBytes> {
        py.detach(|| self.entry.market.run_until(ts));
        let events = std::mem::take(&mut self.entry.market.recorder.events);
        PyBytes::new(py, bytemuck::cast_slice(&events))
    }

    /// Goes on under other numbers, whole as JSON, from the present.
    fn change(&mut self, parameters: &str) -> PyResult<()> {
        let p: Parameters = serde_json::from_str(parameters).map_err(|e| PyValueError::new_err(format!("market parameters: {e}")))?;
        self.entry.market.change(p).map_err(|name| PyValueError::new_err(format!("{name} cannot change while the market runs")))
    }

    /// News: the fundamental value jumps by so many ticks.
    fn shift_value(&mut self, ticks: f64) {
        self.entry.market.shift_value(ticks);
    }

    /// Enters outside orders of an owner now; returns what the owner has not been told yet, as 64-byte records.
    #[pyo3(signature = (orders, owner = 0))]
    fn submit<'py>(&mut self, py: Python<'py>, orders: &[u8], owner: u32) -> PyResult<Bound<'py, PyBytes>> {
        let size = core::mem::size_of::<Order>();
        if !orders.len().is_multiple_of(size) {
            return Err(PyValueError::new_err(format!("{} bytes of orders are no multiple of {size}", orders.len())));
        }
        for chunk in orders.chunks_exact(size) {
            self.entry.submit(&bytemuck::pod_read_unaligned(chunk), owner);
        }
        Ok(self.reports(py, owner))
    }

    /// What an owner has not been told yet: fills of its orders that rested.
    #[pyo3(signature = (owner = 0))]
    fn reports<'py>(&mut self, py: Python<'py>, owner: u32) -> Bound<'py, PyBytes> {
        PyBytes::new(py, bytemuck::cast_slice(&self.entry.reports(owner)))
    }

    /// Takes everything an owner has working out of the book; nobody is told. Returns how many orders.
    fn withdraw(&mut self, owner: u32) -> usize {
        self.entry.withdraw(owner)
    }

    /// Signed position of an account in an instrument: the sum of its fills here.
    fn position(&mut self, account_id: u32, instrument_id: u32) -> i64 {
        self.entry.position(account_id, instrument_id)
    }

    /// Runs up to an instant straight into a feature engine, no event array in between; the rows wait in the engine.
    fn run_features(&mut self, py: Python<'_>, ts: i64, engine: &Bound<'_, Engine>) -> PyResult<usize> {
        let mut engine = engine.try_borrow_mut()?;
        let kernel = engine.kernel();
        let market = &mut self.entry.market;
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
        self.entry.market.recorder.hash()
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
    m.add_class::<crate::order_replay::OrderReplay>()?;
    m.add_class::<crate::fix_party::FixParty>()?;
    m.add_class::<crate::closed_loop::FirmLoop>()?;
    m.add_function(wrap_pyfunction!(default_parameters, m)?)
}
