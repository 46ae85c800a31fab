// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.gateway`: the gate and its decisions.
use pretrade_gate::holds::{Held, HoldOutcome, Reviewed};
use pretrade_gate::replay::{Replay, replay as run_replay};
use pretrade_gate::{Gate as NativeGate, GateError, GateFiles, GateOptions, MassCancel, SelfMatch, VenueMessage, text};
use pretrade_journal::{GateJournalOptions, GateJournalReader, RecordKind};
use pretrade_records::parameter::Parameter;
use pretrade_records::{Decision as Record, LimitsRecord, Order, QuotesRecord, ReasonCode, Tier, Unit, Verdict};
use pretrade_shm::clock::{ClockDomain, boot_domain, simulated_domain};
use pretrade_shm::{ControlsRecord, Level};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// What the gate said of one order.
#[pyclass(frozen, module = "pretrade._native.gateway")]
pub(crate) struct Decision {
    record: Record,
}

macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident : $kind:ty),+ $(,)?) => {
        #[pymethods]
        impl Decision {
            $($(#[$meta])* #[getter] fn $name(&self) -> $kind { self.record.$name })+

            /// ACCEPT, HOLD or REJECT.
            #[getter]
            fn verdict(&self) -> &'static str {
                Verdict::try_from(self.record.verdict).map_or("UNKNOWN", Verdict::name)
            }
            /// Name of the closed reason; NONE on ACCEPT.
            #[getter]
            fn reason(&self) -> &'static str {
                ReasonCode::try_from(self.record.reason).map_or("UNKNOWN", ReasonCode::name)
            }
            /// Unit of measured and limit.
            #[getter]
            fn unit(&self) -> &'static str {
                Unit::try_from(self.record.unit).map_or("unknown", Unit::name)
            }
            /// Tier in force.
            #[getter]
            fn tier(&self) -> &'static str {
                Tier::try_from(self.record.tier).map_or("UNKNOWN", Tier::name)
            }
            /// True where the order passed.
            #[getter]
            fn is_accepted(&self) -> bool {
                self.record.verdict == Verdict::Accept as u8
            }
            /// The decision in words.
            fn text(&self) -> String {
                text::line(&self.record)
            }
            /// The 128 bytes of the record.
            fn record<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
                PyBytes::new(py, bytemuck::bytes_of(&self.record))
            }
            fn __repr__(&self) -> String {
                format!("<Decision {}>", text::line(&self.record))
            }
        }
    };
}
numbers! {
    /// Id of the order.
    client_order_id: u64,
    /// Time of the order, ns UTC.
    ts_event: i64,
    /// When decided, ns UTC.
    ts_decision: i64,
    /// When decided, monotonic ns.
    mono_decision: i64,
    /// Version of the limits used.
    limit_version: u64,
    /// Epoch of the limits used.
    limit_epoch: u32,
    /// What was measured.
    measured: i64,
    /// The bound.
    limit: i64,
    /// Price, 1e-9.
    price: i64,
    /// Quantity.
    quantity: i64,
    /// Number of the decision in its gate.
    gate_sequence: u64,
    /// Trip in force.
    trip_id: u64,
    /// Instrument.
    instrument_id: u32,
    /// Strategy.
    strategy_id: u32,
    /// Account.
    account_id: u32,
    /// Score in force.
    score: f32,
    /// Stage in force.
    stage: u8,
    /// Number of the control.
    control: u8,
}

/// The gate.
#[pyclass(subclass, module = "pretrade._native.gateway")]
pub(crate) struct Gate {
    gate: Option<NativeGate>,
    clock: Option<Py<PyAny>>,
    orders: u32,
    /// UTC minus monotonic, and when it was taken.
    offset: (i64, i64),
    /// A panic was caught outside a decision: half a message may have moved the state.
    is_unsound: bool,
    venue_panic_planted: bool,
}

#[pymethods]
impl Gate {
    /// Opens the tables of a run directory.
    #[new]
    #[allow(clippy::too_many_arguments, reason = "one border function, called by keyword from one place")]
    #[pyo3(signature = (directory, quotes, gateway_id, journal, domain, clock, options, order_error))]
    fn new(
        py: Python<'_>,
        directory: PathBuf,
        quotes: Option<PathBuf>,
        gateway_id: u16,
        journal: Option<(PathBuf, PathBuf)>,
        domain: Option<Vec<u8>>,
        clock: Option<Py<PyAny>>,
        options: HashMap<String, i64>,
        order_error: Option<PathBuf>,
    ) -> PyResult<Self> {
        let domain = domain_of(domain)?;
        let mut files = GateFiles::in_directory(&directory, gateway_id, domain);
        files.order_error = order_error;
        files.journal = journal.map(|(ring, disk)| GateJournalOptions::new(&ring, &disk, gateway_id, domain));
        if let Some(quotes) = quotes {
            files.quotes = quotes;
        }
        let options = options_of(&options)?;
        let gate = py.detach(|| NativeGate::open(files, options)).map_err(|e| raise(py, e.to_string()))?;
        Ok(Gate { gate: Some(gate), clock, orders: 0, offset: (0, i64::MIN / 2), is_unsound: false, venue_panic_planted: false })
    }

    /// Decides one new order given as seven integers; `side_type_tif` is side, order type << 8, time in force << 16.
    #[pyo3(signature = (instrument_id, strategy_id, account_id, side_type_tif, price, quantity, client_order_id, /))]
    #[allow(clippy::too_many_arguments, reason = "seven integers are the fastest way across the border")]
    fn check(
        &mut self,
        py: Python<'_>,
        instrument_id: u32,
        strategy_id: u32,
        account_id: u32,
        side_type_tif: u32,
        price: i64,
        quantity: i64,
        client_order_id: u64,
    ) -> PyResult<Decision> {
        let (now_mono, now_utc) = self.now(py)?;
        let order = Order {
            client_order_id,
            ts_event: now_utc,
            price,
            quantity,
            instrument_id,
            strategy_id,
            account_id,
            side: side_type_tif as u8,
            order_type: (side_type_tif >> 8) as u8,
            time_in_force: (side_type_tif >> 16) as u8,
            action: 1,
            ..Default::default()
        };
        self.orders = self.orders.wrapping_add(1);
        let poll = self.orders & 0xfff == 0;
        let gate = self.open_gate(py)?;
        if poll {
            gate.reserve().map_err(|e| raise(py, e.to_string()))?;
        }
        let mut decision = Decision { record: Record::default() };
        gate.decide_into(&order, now_mono, now_utc, &mut decision.record);
        Ok(decision)
    }

    /// Decides the bytes of ORDER records; returns the bytes of as many DECISION records.
    fn decide_bytes<'py>(&mut self, py: Python<'py>, orders: &[u8], now_mono: i64, now_utc: i64) -> PyResult<Bound<'py, PyBytes>> {
        let orders = records::<Order>(orders, "orders")?;
        let gate = self.open_gate(py)?;
        let decisions = py.detach(|| -> Result<Vec<Record>, GateError> {
            orders
                .iter()
                .map(|order| {
                    gate.reserve()?;
                    Ok(gate.decide(order, now_mono, now_utc))
                })
                .collect()
        });
        let decisions = decisions.map_err(|e| raise(py, e.to_string()))?;
        Ok(PyBytes::new(py, bytemuck::cast_slice(&decisions)))
    }

    /// Takes venue messages, each (kind, client_order_id, original_client_order_id, quantity, price, instrument_id,
    /// account_id, side, session_id); returns how many named an order the gate does not know.
    #[allow(clippy::type_complexity)]
    fn on_venue_messages(
        &mut self,
        py: Python<'_>,
        messages: Vec<(u8, u64, u64, i64, i64, u32, u32, u8, u32)>,
        now_mono: i64,
        now_utc: i64,
    ) -> PyResult<u64> {
        let panics = std::mem::take(&mut self.venue_panic_planted);
        self.must_be_sound(py)?;
        let gate = self.open_gate(py)?;
        let mut unknown = 0;
        for (kind, client_order_id, original_client_order_id, quantity, price, instrument_id, account_id, side, session_id) in messages {
            let message = VenueMessage {
                client_order_id,
                original_client_order_id,
                quantity,
                price,
                ts_event: now_utc,
                session_id,
                instrument_id,
                account_id,
                kind,
                side,
                ..Default::default()
            };
            let taken = catch_unwind(AssertUnwindSafe(|| {
                let is_known = gate.on_venue(&message, now_mono, now_utc);
                assert!(!panics, "planted panic");
                is_known
            }));
            match taken {
                Ok(is_known) => unknown += u64::from(!is_known),
                Err(_) => return Err(self.give_up(py, now_mono, now_utc)),
            }
        }
        Ok(unknown)
    }

    /// Looks at tables and stages between orders and publishes the status.
    fn poll(&mut self, py: Python<'_>, now_mono: i64, now_utc: i64) -> PyResult<()> {
        if self.is_unsound {
            return Ok(());
        }
        let gate = self.open_gate(py)?;
        match catch_unwind(AssertUnwindSafe(|| gate.poll(now_mono, now_utc))) {
            Ok(polled) => polled.map_err(|e| raise(py, e.to_string())),
            Err(_) => Err(self.give_up(py, now_mono, now_utc)),
        }
    }

    /// Position of an account in an instrument, `None` where unknown.
    fn position(&mut self, py: Python<'_>, instrument_id: u32, account_id: u32) -> PyResult<Option<i64>> {
        Ok(self.open_gate(py)?.position(instrument_id, account_id))
    }

    /// Working (buy, sell) quantity of an account in an instrument.
    fn working(&mut self, py: Python<'_>, instrument_id: u32, account_id: u32) -> PyResult<Option<(i64, i64)>> {
        Ok(self.open_gate(py)?.cell(instrument_id, account_id).map(|c| (c.working_buy, c.working_sell)))
    }

    /// Staleness stage of an instrument.
    fn stage(&mut self, py: Python<'_>, instrument_id: u32) -> PyResult<Option<u8>> {
        Ok(self.open_gate(py)?.stage(instrument_id))
    }

    /// Latched trips of an instrument as (sidecar, human), 0 where none.
    fn trips(&mut self, py: Python<'_>, instrument_id: u32) -> PyResult<Option<(u64, u64)>> {
        Ok(self.open_gate(py)?.trips(instrument_id))
    }

    /// Limits in force by parameter name (floats in 1e-9).
    fn limits_in_force(&mut self, py: Python<'_>, instrument_id: u32) -> PyResult<Option<HashMap<&'static str, i64>>> {
        let values = self.open_gate(py)?.limits_in_force(instrument_id);
        Ok(values.map(|v| Parameter::ALL.iter().map(|p| (p.name(), v[*p as usize])).collect()))
    }

    /// Order-error features of the order judged last; `None` without a model.
    fn order_error_row(&mut self, py: Python<'_>) -> PyResult<Option<Vec<f32>>> {
        Ok(self.open_gate(py)?.order_error_row().map(|row| row.to_vec()))
    }

    /// Orders that wait, oldest first: (ORDER bytes, DECISION bytes, monotonic ns, needs a second person).
    #[allow(clippy::type_complexity)]
    fn holds<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>, i64, bool)>> {
        let gate = self.open_gate(py)?;
        let bytes = |held: &Held| (PyBytes::new(py, bytemuck::bytes_of(&held.order)), PyBytes::new(py, bytemuck::bytes_of(&held.decision)));
        Ok(gate
            .holds()
            .iter()
            .map(|held| {
                let (order, decision) = bytes(held);
                (order, decision, held.mono, gate.needs_second(held, held.order.quantity))
            })
            .collect())
    }

    /// Releases a held order; `reviewed` is (entry of the control journal, its time, persons). See `end_of`.
    #[allow(clippy::too_many_arguments, reason = "one border function, called from one place")]
    fn release_hold<'py>(
        &mut self,
        py: Python<'py>,
        client_order_id: u64,
        session_id: u32,
        quantity: Option<i64>,
        reviewed: (u64, i64, u8),
        now_mono: i64,
        now_utc: i64,
    ) -> PyResult<Ended<'py>> {
        let by = reviewed_of(reviewed);
        self.end_hold(py, now_mono, now_utc, |gate| gate.release_hold(client_order_id, session_id, quantity, by, now_mono, now_utc))
    }

    /// Refuses a held order: by a reviewer, or, where `reviewed` is `None`, because its client left. See `end_of`.
    fn refuse_hold<'py>(
        &mut self,
        py: Python<'py>,
        client_order_id: u64,
        session_id: u32,
        reviewed: Option<(u64, i64, u8)>,
        now_mono: i64,
        now_utc: i64,
    ) -> PyResult<Ended<'py>> {
        let reason = if reviewed.is_some() { ReasonCode::HoldRefused } else { ReasonCode::ClientDisconnected };
        let by = reviewed.map(reviewed_of);
        self.end_hold(py, now_mono, now_utc, |gate| gate.refuse_hold(client_order_id, session_id, reason, by, now_mono, now_utc))
    }

    /// DECISION bytes of waits that ended without a person since last asked.
    fn take_resolved<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let resolved = self.open_gate(py)?.take_resolved();
        Ok(PyBytes::new(py, bytemuck::cast_slice(&resolved)))
    }

    /// What a row of a level did and holds, by name; `None` where it has no row. Numbers beyond 64 bits are cut there.
    fn party(&mut self, py: Python<'_>, level: u8, id: u32) -> PyResult<Option<HashMap<&'static str, i64>>> {
        let level = Level::try_from(level).map_err(|e| PyValueError::new_err(e.to_string()))?;
        let Some(p) = self.open_gate(py)?.party(level, id) else { return Ok(None) };
        let money = |amount: i128| i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX });
        Ok(Some(HashMap::from([
            ("working_buy", money(p.exposure.working_buy)),
            ("working_sell", money(p.exposure.working_sell)),
            ("net", money(p.exposure.net)),
            ("gross", money(p.exposure.gross)),
            ("realised", money(p.profit.realised)),
            ("profit", money(p.profit.now())),
            ("peak", money(p.profit.peak)),
            ("day_value", money(p.day.value)),
            ("day_quantity", p.day.quantity),
            ("day_orders", p.day.orders),
            ("day_cancels", p.day.cancels),
            ("day_trades", p.day.trades),
            ("window_orders", p.window.sum().orders),
            ("executions", p.executions),
            ("stop_id", p.latch.id as i64),
        ])))
    }

    /// ORDER bytes of the cancels that a kill, a trip or a lost session calls for now (40, 38), each decided and journalled.
    fn due_cancels<'py>(&mut self, py: Python<'py>, now_mono: i64, now_utc: i64) -> PyResult<Bound<'py, PyBytes>> {
        self.must_be_sound(py)?;
        let orders: Vec<Order> = self.open_gate(py)?.due_cancels(now_mono, now_utc).into_iter().map(|approved| approved.into_inner()).collect();
        Ok(PyBytes::new(py, bytemuck::cast_slice(&orders)))
    }

    /// Orders (client order id, session) whose cancel was asked for three times and is not confirmed: for a human.
    fn unconfirmed_cancels(&mut self, py: Python<'_>) -> PyResult<Vec<(u64, u32)>> {
        Ok(self.open_gate(py)?.unconfirmed_cancels())
    }

    /// The sender of a session is gone: its orders are cancelled after the grace (38).
    fn disconnect(&mut self, py: Python<'_>, session_id: u32, now_mono: i64) -> PyResult<()> {
        self.open_gate(py)?.disconnect(session_id, now_mono);
        Ok(())
    }

    /// The sender of a session is back.
    fn reconnect(&mut self, py: Python<'_>, session_id: u32) -> PyResult<()> {
        self.open_gate(py)?.reconnect(session_id);
        Ok(())
    }

    /// Live orders, oldest id first: (client_order_id, session_id, instrument_id, account_id, side, state, price, quantity, leaves, counted).
    #[allow(clippy::type_complexity)]
    fn live_orders(&mut self, py: Python<'_>) -> PyResult<Vec<(u64, u32, u32, u32, u8, u8, i64, i64, i64, i64)>> {
        let gate = self.open_gate(py)?;
        let mut rows: Vec<_> = gate
            .live_orders()
            .map(|o| {
                let (instrument, account) = gate.owner_of(o);
                (o.client_order_id, o.session_id, instrument, account, o.side, o.state, o.price, o.quantity, o.leaves, o.counted)
            })
            .collect();
        rows.sort_unstable();
        Ok(rows)
    }

    /// Live orders.
    #[getter]
    fn open_orders(&mut self, py: Python<'_>) -> PyResult<i64> {
        Ok(self.open_gate(py)?.open_orders())
    }

    /// Counts by name.
    fn counters(&mut self, py: Python<'_>) -> PyResult<HashMap<&'static str, u64>> {
        let c = self.open_gate(py)?.counters();
        Ok(HashMap::from([
            ("decisions", c.decisions),
            ("accepted", c.accepted),
            ("held", c.held),
            ("rejected", c.rejected),
            ("torn", c.torn),
            ("stage_changes", c.stage_changes),
            ("unknown_venue", c.unknown_venue),
            ("unrecorded", c.unrecorded),
            ("unscored", c.unscored),
            ("alerted", c.alerted),
        ]))
    }

    /// True once a panic was caught.
    #[getter]
    fn is_poisoned(&mut self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.is_unsound | self.open_gate(py)?.is_poisoned())
    }

    /// Makes the next order panic inside the gate (border test).
    fn _plant_panic(&mut self, py: Python<'_>) -> PyResult<()> {
        self.open_gate(py)?.plant_panic();
        Ok(())
    }

    /// Makes the next venue message panic after the gate has acted on it (border test).
    fn _plant_venue_panic(&mut self) {
        self.venue_panic_planted = true;
    }

    /// Waits until the journal is durable.
    fn flush(&mut self, py: Python<'_>) -> PyResult<bool> {
        let gate = self.open_gate(py)?;
        Ok(py.detach(|| gate.flush()))
    }

    /// Drains the journal and lets go of the tables.
    fn close(&mut self, py: Python<'_>) {
        let gate = self.gate.take();
        py.detach(|| drop(gate));
    }
}

/// What became of an action on a held order, its DECISION bytes, and the ORDER bytes to send.
pub(crate) type Ended<'py> = (&'static str, Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>);

pub(crate) fn reviewed_of((entry, ts, persons): (u64, i64, u8)) -> Reviewed {
    Reviewed { entry, ts, persons }
}

pub(crate) fn end_of(py: Python<'_>, outcome: HoldOutcome) -> Ended<'_> {
    match outcome {
        HoldOutcome::Unknown => ("UNKNOWN", None, None),
        HoldOutcome::NeedsSecond => ("NEEDS_SECOND", None, None),
        HoldOutcome::NotLower => ("NOT_LOWER", None, None),
        HoldOutcome::Decided(decision, approval) => {
            let order = approval.map(|approved| PyBytes::new(py, bytemuck::bytes_of(approved.order())));
            ("DECIDED", Some(PyBytes::new(py, bytemuck::bytes_of(&decision))), order)
        }
    }
}

const POISONED: &str = "the gate was poisoned by a caught panic; cancels pass, everything else is refused; rebuild it from its journal";

impl Gate {
    /// After a panic outside a decision the state is not trusted.
    #[cold]
    fn give_up(&mut self, py: Python<'_>, now_mono: i64, now_utc: i64) -> PyErr {
        self.is_unsound = true;
        if let Some(gate) = &mut self.gate {
            gate.poison(now_mono, now_utc);
        }
        raise(py, POISONED.to_owned())
    }

    fn end_hold<'py>(
        &mut self,
        py: Python<'py>,
        now_mono: i64,
        now_utc: i64,
        act: impl FnOnce(&mut NativeGate) -> HoldOutcome,
    ) -> PyResult<Ended<'py>> {
        self.must_be_sound(py)?;
        let gate = self.open_gate(py)?;
        match catch_unwind(AssertUnwindSafe(|| act(gate))) {
            Ok(outcome) => Ok(end_of(py, outcome)),
            Err(_) => Err(self.give_up(py, now_mono, now_utc)),
        }
    }

    fn must_be_sound(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_unsound { Err(raise(py, POISONED.to_owned())) } else { Ok(()) }
    }

    #[inline]
    pub(crate) fn open_gate(&mut self, py: Python<'_>) -> PyResult<&mut NativeGate> {
        match &mut self.gate {
            Some(gate) => Ok(gate),
            None => Err(raise(py, "the gate is closed".to_owned())),
        }
    }

    /// Both clocks from one reading: UTC is the monotonic clock plus an offset not older than 10 ms.
    #[inline]
    fn now(&mut self, py: Python<'_>) -> PyResult<(i64, i64)> {
        if let Some(clock) = &self.clock {
            return Ok((clock.call_method0(py, "mono")?.extract(py)?, clock.call_method0(py, "utc")?.extract(py)?));
        }
        let mono = clock(libc::CLOCK_MONOTONIC);
        if mono - self.offset.1 > 10_000_000 {
            self.offset = (clock(libc::CLOCK_REALTIME) - mono, mono);
        }
        Ok((mono, mono + self.offset.0))
    }
}

/// One reading of a clock of this host, ns.
pub(crate) fn clock(which: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec; both clocks exist on Linux.
    unsafe { libc::clock_gettime(which, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

pub(crate) fn domain_of(bytes: Option<Vec<u8>>) -> PyResult<ClockDomain> {
    match bytes {
        None => boot_domain().map_err(|e| PyOSError::new_err(format!("boot id: {e}"))),
        Some(bytes) => bytes.try_into().map_err(|b: Vec<u8>| PyValueError::new_err(format!("a clock domain has 16 bytes; this has {}", b.len()))),
    }
}

pub(crate) fn raise(py: Python<'_>, message: String) -> PyErr {
    let error = py.import("pretrade.domain.errors").and_then(|m| m.getattr("GateError")).and_then(|class| class.call1((message.clone(),)));
    error.map_or_else(|_| PyValueError::new_err(message), PyErr::from_value)
}

pub(crate) fn options_of(given: &HashMap<String, i64>) -> PyResult<GateOptions> {
    let mut options = GateOptions::default();
    for (name, &value) in given {
        match name.as_str() {
            "t1_ns" => options.t1_ns = value,
            "t2_ns" => options.t2_ns = value,
            "reference_ttl_ns" => options.reference_ttl_ns = value,
            "fallback_standoff_ticks" => options.fallback_standoff_ticks = narrow(name, value)?,
            "stale_order_ns" => options.stale_order_ns = value,
            "duplicate_window_ns" => options.duplicate_window_ns = value,
            "duplicate_count" => options.duplicate_count = narrow(name, value)?,
            "ramp_ns" => options.ramp_ns = value,
            "market_slippage_ticks" => options.market_slippage_ticks = narrow(name, value)?,
            "hold_timeout_ns" => options.hold_timeout_ns = value,
            "hold_second_notional" => options.hold_second_notional = value,
            "hold_controls" => options.hold_controls = narrow(name, value)?,
            "self_match" => options.self_match = self_match(value)?,
            "mass_cancel" => options.mass_cancel = mass_cancel(value)?,
            "disconnect_grace_ns" => options.disconnect_grace_ns = value,
            "drop_copy_ns" => options.drop_copy_ns = value,
            "clock_jump_ns" => options.clock_jump_ns = value,
            "session_start_ns" => options.session_start_ns = value,
            "is_flat_at_start" => options.is_flat_at_start = value != 0,
            "live_orders" => options.live_orders = narrow(name, value)?,
            "id_blocks" => options.id_blocks = narrow(name, value)?,
            _ => return Err(PyValueError::new_err(format!("{name} is no option of a gate"))),
        }
    }
    Ok(options)
}

fn mass_cancel(value: i64) -> PyResult<MassCancel> {
    Ok(match value {
        0 => MassCancel::Off,
        1 => MassCancel::Day,
        2 => MassCancel::All,
        _ => return Err(PyValueError::new_err(format!("mass_cancel is {value}; it must be 0 (off), 1 (day) or 2 (all)"))),
    })
}

fn self_match(value: i64) -> PyResult<SelfMatch> {
    Ok(match value {
        0 => SelfMatch::Off,
        1 => SelfMatch::Account,
        2 => SelfMatch::Firm,
        _ => return Err(PyValueError::new_err(format!("self_match is {value}; it must be 0 (off), 1 (account) or 2 (firm)"))),
    })
}

fn narrow<T: TryFrom<i64>>(name: &str, value: i64) -> PyResult<T> {
    T::try_from(value).map_err(|_| PyValueError::new_err(format!("{name} is {value}; it does not fit")))
}

/// Fixed-layout records from bytes, aligned or not.
pub(crate) fn records<T: bytemuck::Pod>(bytes: &[u8], what: &str) -> PyResult<Vec<T>> {
    if !bytes.len().is_multiple_of(size_of::<T>()) {
        return Err(PyValueError::new_err(format!("{} bytes of {what} are no multiple of {}", bytes.len(), size_of::<T>())));
    }
    Ok(bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect())
}

/// Puts orders, limit records and quotes to a real gate in fresh tables under `directory`; returns the decisions' bytes.
#[pyfunction]
#[pyo3(signature = (directory, rows, orders, limits, quotes, options, order_error))]
#[allow(clippy::too_many_arguments, reason = "one border function, called from one place")]
fn replay<'py>(
    py: Python<'py>,
    directory: PathBuf,
    rows: &[u8],
    orders: &[u8],
    limits: &[u8],
    quotes: &[u8],
    options: HashMap<String, i64>,
    order_error: Option<PathBuf>,
) -> PyResult<Bound<'py, PyBytes>> {
    let domain = simulated_domain(1);
    let mut files = GateFiles::in_directory(&directory, 0, domain);
    files.order_error = order_error;
    files.journal = Some(GateJournalOptions::new(&directory.join("gate-0.ring"), &directory.join("gate-0.journal"), 0, domain));
    let rows = records::<ControlsRecord>(rows, "controls rows")?;
    let (orders, limits, quotes) =
        (records::<Order>(orders, "orders")?, records::<LimitsRecord>(limits, "limits")?, records::<QuotesRecord>(quotes, "quotes")?);
    let options = options_of(&options)?;
    let inputs = Replay { rows: &rows, orders: &orders, limits: &limits, quotes: &quotes };
    let decisions = py.detach(|| run_replay(&inputs, files, options)).map_err(|e| raise(py, e.to_string()))?;
    Ok(PyBytes::new(py, bytemuck::cast_slice(&decisions)))
}

/// Verifies the hash chain of a gate journal: (records, problems).
#[pyfunction]
fn verify_journal(py: Python<'_>, path: PathBuf) -> PyResult<(u64, Vec<String>)> {
    let found = pretrade_journal::verify_gate_journal(&path).map_err(|e| raise(py, e.to_string()))?;
    Ok((found.records, found.problems))
}

/// Decisions that a gate journal holds, disk first and then what only the ring has, as DECISION records.
#[pyfunction]
fn decisions<'py>(py: Python<'py>, ring: PathBuf, disk: PathBuf, gateway_id: u16) -> PyResult<Bound<'py, PyBytes>> {
    let options = GateJournalOptions::new(&ring, &disk, gateway_id, domain_of(None)?);
    let read = || -> Result<Vec<Record>, pretrade_journal::JournalError> {
        let mut reader = GateJournalReader::open(&options)?;
        let (mut found, mut records) = (Vec::new(), Vec::new());
        while reader.read(&mut records, 1 << 14)? > 0 {
            found.extend(records.drain(..).filter(|r| r.kind() == Some(RecordKind::Decision)).map(|r| r.payload_as::<Record>()));
        }
        Ok(found)
    };
    let found = py.detach(read).map_err(|e| raise(py, e.to_string()))?;
    Ok(PyBytes::new(py, bytemuck::cast_slice(&found)))
}

/// Words of decisions, one line each.
#[pyfunction]
fn lines(decisions: &[u8]) -> PyResult<Vec<String>> {
    Ok(records::<Record>(decisions, "decisions")?.iter().map(text::line).collect())
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Gate>()?;
    m.add_class::<Decision>()?;
    m.add_class::<crate::fix::FixDesk>()?;
    m.add_class::<crate::fix::FixEdge>()?;
    m.add_function(wrap_pyfunction!(replay, m)?)?;
    m.add_function(wrap_pyfunction!(verify_journal, m)?)?;
    m.add_function(wrap_pyfunction!(decisions, m)?)?;
    m.add_function(wrap_pyfunction!(lines, m)?)
}
