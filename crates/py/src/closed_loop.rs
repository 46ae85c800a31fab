// SPDX-License-Identifier: Apache-2.0
//! The closed loop for Python: the simulated market, the gate of a run directory and the native firm, with no Python in between.
use crate::bus::NativeJournal;
use crate::features::Engine;
use crate::gateway::Gate;
use crate::limits::{NativeLimits, NativeQuotes, raise};
use crate::simulation::Simulator;
use pretrade_book::FeatureEngine;
use pretrade_gate::VenueMessage;
use pretrade_journal::JournalWriter;
use pretrade_records::{Event, EventKind, Order, ReasonCode, VenueKind, Verdict};
use pretrade_shm::{LimitsTable as Limits, QuotesTable as Quotes};
use pretrade_venue::closed_loop::{ClosedLoop, Desk, OrderLatency};
use pretrade_venue::firm::{Answer, Firm};
use pyo3::prelude::*;

/// Feed channel both tables beat on.
const CHANNEL: u16 = 0;

/// The native firm and its orders under way.
#[pyclass(module = "pretrade._native.simulation")]
pub(crate) struct FirmLoop(ClosedLoop);

/// The real gate behind the tables it reads; without a gate everything is accepted.
struct GateDesk<'a> {
    features: &'a mut FeatureEngine,
    gate: Option<&'a mut pretrade_gate::Gate>,
    limits: &'a Limits,
    quotes: &'a mut Quotes,
    log: Option<&'a mut JournalWriter>,
    touch: (i64, i64),
    failed: Option<String>,
}

impl GateDesk<'_> {
    /// Keeps the first failure: the loop runs on, the border raises it.
    fn keep<T, E: ToString>(failed: &mut Option<String>, outcome: Result<T, E>) {
        if let Err(e) = outcome {
            failed.get_or_insert(e.to_string());
        }
    }
}

impl Desk for GateDesk<'_> {
    fn hear_market(&mut self, events: &[Event], now: i64) {
        if let Some(log) = self.log.as_mut().filter(|_| !events.is_empty()) {
            Self::keep(&mut self.failed, log.append(events));
        }
        events.iter().for_each(|e| self.features.push(e));
        self.features.close(now);
        if let Some(record) = self.features.quotes().last() {
            self.touch = (record.bid_price, record.ask_price);
            if let Some(slot) = self.quotes.slot(record.instrument_id, 0) {
                Self::keep(&mut self.failed, self.quotes.publish(slot, record));
            }
        }
        Self::keep(&mut self.failed, self.limits.heartbeat(CHANNEL, now, now));
        Self::keep(&mut self.failed, self.quotes.heartbeat(CHANNEL, now, now));
    }

    fn touch(&mut self) -> (i64, i64) {
        self.touch
    }

    fn decide(&mut self, order: &Order, now: i64) -> Answer {
        let Some(gate) = self.gate.as_mut() else { return Answer::Accepted };
        Self::keep(&mut self.failed, gate.reserve());
        let decision = gate.decide(order, now, now);
        if decision.verdict == Verdict::Accept as u8 {
            Answer::Accepted
        } else if decision.reason == ReasonCode::PriceInsideStandoff as u8 {
            Answer::TooNear
        } else {
            Answer::Refused
        }
    }

    fn hear_venue(&mut self, answers: &[Event], now: i64) {
        let Some(gate) = self.gate.as_mut() else { return };
        for m in answers {
            let is_fill = m.kind == EventKind::OwnExecution as u8;
            let message = VenueMessage {
                client_order_id: m.order_id,
                quantity: m.size,
                price: m.price,
                ts_event: now,
                session_id: u32::try_from(m.sequence).unwrap_or(u32::MAX),
                instrument_id: m.instrument_id,
                account_id: m.aux as u32,
                kind: if is_fill { VenueKind::Filled as u8 } else { (m.flags >> 8) as u8 },
                side: m.side,
                ..Default::default()
            };
            gate.on_venue(&message, now, now);
        }
    }
}

#[pymethods]
impl FirmLoop {
    /// `order_latency`: median in ns (0 sends at once) and standard deviation of the logarithm.
    #[new]
    #[pyo3(signature = (*, seed, ts_start, ts_onset, account_id, instrument_id, tick_size, order_latency))]
    fn new(seed: u64, ts_start: i64, ts_onset: i64, account_id: u32, instrument_id: u32, tick_size: i64, order_latency: (f64, f64)) -> Self {
        let latency = OrderLatency { median_ns: order_latency.0, sigma: order_latency.1 };
        Self(ClosedLoop::new(Firm::new(instrument_id, account_id, tick_size), latency, seed, ts_start, ts_onset))
    }

    /// Runs to an instant; the feature rows wait in the engine.
    #[pyo3(signature = (ts, *, simulator, engine, gate, limits, quotes, log = None))]
    #[allow(clippy::too_many_arguments, reason = "one border function, called by keyword from one place")]
    fn run_until(
        &mut self,
        py: Python<'_>,
        ts: i64,
        simulator: &Bound<'_, Simulator>,
        engine: &Bound<'_, Engine>,
        gate: Option<&Bound<'_, Gate>>,
        limits: &Bound<'_, NativeLimits>,
        quotes: &Bound<'_, NativeQuotes>,
        log: Option<&Bound<'_, NativeJournal>>,
    ) -> PyResult<()> {
        let (mut simulator, mut engine, mut quotes) = (simulator.try_borrow_mut()?, engine.try_borrow_mut()?, quotes.try_borrow_mut()?);
        let limits = limits.try_borrow()?;
        let mut gate = gate.map(|g| g.try_borrow_mut()).transpose()?;
        let mut log = log.map(|l| l.try_borrow_mut()).transpose()?;
        let mut desk = GateDesk {
            features: engine.kernel(),
            gate: gate.as_mut().map(|g| g.open_gate(py)).transpose()?,
            limits: &limits.0,
            quotes: &mut quotes.0,
            log: log.as_mut().map(|l| l.writer(py)).transpose()?,
            touch: (0, 0),
            failed: None,
        };
        let (inner, entry) = (&mut self.0, &mut simulator.entry);
        py.detach(|| inner.run_until(ts, entry, &mut desk));
        desk.failed.map_or(Ok(()), |problem| Err(raise(py, "SimulationError", problem)))
    }

    /// Orders sent, refused by the gate, and rejected by the venue so far.
    fn counts(&self) -> (u64, u64, u64) {
        (self.0.sent, self.0.refused, self.0.rejected)
    }

    /// Lots held by maker, momentum and execution, and cash in 1e-9 price units times lots.
    fn books(&self) -> ([i64; 3], i128) {
        let firm = self.0.firm();
        ([firm.position[1], firm.position[2], firm.position[3]], firm.cash)
    }
}
