// SPDX-License-Identifier: Apache-2.0
//! The FIX edge behind `pretrade._native.gateway`: opened with the interpreter, served without it.
use crate::gateway::{Ended, clock, domain_of, end_of, options_of, raise, reviewed_of};
use pretrade_fix::edge::{Answer, Ask, Desk, Edge};
use pretrade_fix::server::Server;
use pretrade_fix::session::Now;
use pretrade_fix::settings::EdgeSettings;
use pretrade_gate::{Gate, GateFiles};
use pretrade_journal::GateJournalOptions;
use pretrade_records::{Decision, Order};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Mutex;

/// A FIX edge over the tables of a run directory.
#[pyclass(module = "pretrade._native.gateway")]
pub(crate) struct FixEdge {
    server: Mutex<Option<Server<Edge>>>,
    port: u16,
}

#[pymethods]
impl FixEdge {
    /// Rebuilds the gate from its journal, opens stores and sessions, and listens.
    #[new]
    #[allow(clippy::too_many_arguments, reason = "one border function, called from one place")]
    fn new(
        py: Python<'_>,
        settings: &str,
        directory: PathBuf,
        quotes: Option<PathBuf>,
        gateway_id: u16,
        journal: (PathBuf, PathBuf),
        options: HashMap<String, i64>,
        order_error: Option<PathBuf>,
        stop: i32,
    ) -> PyResult<Self> {
        let domain = domain_of(None)?;
        let mut files = GateFiles::in_directory(&directory, gateway_id, domain);
        files.journal = Some(GateJournalOptions::new(&journal.0, &journal.1, gateway_id, domain));
        files.order_error = order_error;
        if let Some(quotes) = quotes {
            files.quotes = quotes;
        }
        let options = options_of(&options)?;
        let settings = EdgeSettings::read(settings).map_err(|e| raise(py, e))?;
        // SAFETY: the caller keeps the descriptor open for the length of this call; it is duplicated here.
        let stop = unsafe { BorrowedFd::borrow_raw(stop) }.try_clone_to_owned().map_err(|e| PyOSError::new_err(format!("stop descriptor: {e}")))?;
        let now = Now { mono: clock(libc::CLOCK_MONOTONIC), utc: clock(libc::CLOCK_REALTIME) };
        let opened = py.detach(|| {
            let gate = Gate::open(files, options).map_err(|e| e.to_string())?;
            Edge::serve(gate, settings, Some(stop), now, Box::new(say)).map_err(|e| e.to_string())
        });
        let server = opened.map_err(|e| raise(py, e))?;
        let port = server.address().map_or(0, |address| address.port());
        Ok(FixEdge { server: Mutex::new(Some(server)), port })
    }

    /// Port it listens on.
    #[getter]
    fn port(&self) -> u16 {
        self.port
    }

    /// Where another thread asks about held orders.
    fn desk(&mut self, py: Python<'_>) -> PyResult<FixDesk> {
        let desk = self.server.get_mut().ok().and_then(|server| server.as_ref()).map(|server| server.application().desk());
        desk.map(|desk| FixDesk(Mutex::new(desk))).ok_or_else(|| raise(py, "the FIX edge has been served already".to_owned()))
    }

    /// Serves until a byte comes on the stop descriptor; the interpreter is free meanwhile. Journal and stores are durable
    /// when this returns.
    fn run(&mut self, py: Python<'_>) -> PyResult<()> {
        let server = self.server.get_mut().ok().and_then(Option::take);
        let Some(mut server) = server else { return Err(raise(py, "the FIX edge has been served already".to_owned())) };
        py.detach(|| {
            let outcome = server.run();
            drop(server);
            outcome
        })
        .map_err(|e| raise(py, e.to_string()))
    }
}

/// Asks a served edge about held orders; every call waits for the loop's next look, interpreter released.
#[pyclass(frozen, module = "pretrade._native.gateway")]
pub(crate) struct FixDesk(Mutex<Desk>);

#[pymethods]
impl FixDesk {
    /// Orders that wait, oldest first: (ORDER bytes, DECISION bytes, monotonic ns, needs a second person).
    #[allow(clippy::type_complexity)]
    fn holds<'py>(&self, py: Python<'py>) -> PyResult<Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>, i64, bool)>> {
        let Answer::Holds(rows) = self.ask(py, Ask::Holds)? else { return Ok(Vec::new()) };
        let row = |(order, decision, mono, needs_second): &(Order, Decision, i64, bool)| {
            (PyBytes::new(py, bytemuck::bytes_of(order)), PyBytes::new(py, bytemuck::bytes_of(decision)), *mono, *needs_second)
        };
        Ok(rows.iter().map(row).collect())
    }

    /// Releases a held order; `reviewed` is (entry of the control journal, its time, persons). The loop sends it.
    #[allow(clippy::too_many_arguments, reason = "the signature of a gate")]
    fn release_hold<'py>(
        &self,
        py: Python<'py>,
        client_order_id: u64,
        session_id: u32,
        quantity: Option<i64>,
        reviewed: (u64, i64, u8),
        _now_mono: i64,
        _now_utc: i64,
    ) -> PyResult<Ended<'py>> {
        self.end(py, Ask::Release(client_order_id, session_id, quantity, reviewed_of(reviewed)))
    }

    /// Refuses a held order. The loop tells its client.
    fn refuse_hold<'py>(
        &self,
        py: Python<'py>,
        client_order_id: u64,
        session_id: u32,
        reviewed: Option<(u64, i64, u8)>,
        _now_mono: i64,
        _now_utc: i64,
    ) -> PyResult<Ended<'py>> {
        self.end(py, Ask::Refuse(client_order_id, session_id, reviewed.map(reviewed_of)))
    }

    /// Nothing: the loop itself tells clients of waits that ended.
    fn take_resolved<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, b"")
    }
}

impl FixDesk {
    fn ask(&self, py: Python<'_>, what: Ask) -> PyResult<Answer> {
        let desk = self.0.lock().map(|desk| desk.clone()).map_err(|_| raise(py, "the desk is gone".to_owned()))?;
        py.detach(|| desk.ask(what)).ok_or_else(|| raise(py, "the FIX edge has ended".to_owned()))
    }

    fn end<'py>(&self, py: Python<'py>, what: Ask) -> PyResult<Ended<'py>> {
        match self.ask(py, what)? {
            Answer::Outcome(outcome) => Ok(end_of(py, outcome)),
            Answer::Holds(_) => Err(raise(py, "the FIX edge answered another question".to_owned())),
        }
    }
}

fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "pretrade: {line}");
}
