// SPDX-License-Identifier: Apache-2.0
//! The FIX edge behind `pretrade._native.gateway`: opened with the interpreter, served without it.
use crate::gateway::{clock, domain_of, options_of, raise};
use pretrade_fix::edge::Edge;
use pretrade_fix::server::Server;
use pretrade_fix::session::Now;
use pretrade_fix::settings::EdgeSettings;
use pretrade_gate::{Gate, GateFiles};
use pretrade_journal::GateJournalOptions;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
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
        stop: i32,
    ) -> PyResult<Self> {
        let domain = domain_of(None)?;
        let mut files = GateFiles::in_directory(&directory, gateway_id, domain);
        files.journal = Some(GateJournalOptions::new(&journal.0, &journal.1, gateway_id, domain));
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

fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "pretrade: {line}");
}
