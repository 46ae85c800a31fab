// SPDX-License-Identifier: Apache-2.0
//! A FIX counterparty for simulations: the sessions of the gateway, driven from Python between two calls.
use pretrade_fix::header::Header;
use pretrade_fix::server::{Application, Server, ServerError};
use pretrade_fix::session::{Now, Session};
use pretrade_fix::settings::{PartySettings, address};
use pretrade_fix::store::Store;
use pretrade_fix::wire::{clock_mono, clock_utc};
use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Mutex;

/// Session, what happened, and the whole message of an application.
type Heard = (usize, String, Vec<u8>);

#[derive(Default)]
struct Inbox(Vec<Heard>);

impl Application for Inbox {
    fn deliver(&mut self, at: usize, _sessions: &mut [Session], bytes: &[u8], header: &Header, _now: Now) -> Result<(), ServerError> {
        let msg_type = String::from_utf8_lossy(header.msg_type.of_bytes(bytes)).into_owned();
        self.0.push((at, msg_type, bytes.to_vec()));
        Ok(())
    }

    fn logged_on(&mut self, at: usize, _sessions: &mut [Session], _now: Now) -> Result<(), ServerError> {
        self.0.push((at, "logged on".to_owned(), Vec::new()));
        Ok(())
    }

    fn logged_out(&mut self, at: usize, _sessions: &mut [Session], _now: Now) -> Result<(), ServerError> {
        self.0.push((at, "logged out".to_owned(), Vec::new()));
        Ok(())
    }

    fn look(&mut self, _sessions: &mut [Session], _now: Now) -> Result<(), ServerError> {
        Ok(())
    }
}

/// Sessions of one counterparty; they live only while `poll` is called.
#[pyclass(module = "pretrade._native.simulation")]
pub(crate) struct FixParty(Mutex<Server<Inbox>>);

#[pymethods]
impl FixParty {
    #[new]
    fn new(settings: &str) -> PyResult<Self> {
        let refused = |e: String| PyValueError::new_err(e);
        let table = PartySettings::read(settings).map_err(refused)?;
        let mut sessions = Vec::new();
        for (session, to) in &table.sessions {
            let to = to.as_deref().map(address).transpose().map_err(refused)?;
            let settings = session.settings(to.is_some(), 0).map_err(refused)?;
            let store = match &table.stores {
                Some(folder) => Store::open(folder, &session.store_name()).map_err(|e| refused(e.to_string()))?,
                None => Store::memory(),
            };
            sessions.push((Session::new(settings, store), to));
        }
        let mut server = Server::new(Inbox::default(), sessions, None).map_err(failed)?;
        if let Some(listen) = &table.listen {
            server.listen(address(listen).map_err(refused)?).map_err(failed)?;
        }
        Ok(FixParty(Mutex::new(server)))
    }

    /// Port it listens on, 0 where it does not.
    #[getter]
    fn port(&mut self) -> PyResult<u16> {
        Ok(self.server()?.address().map_or(0, |address| address.port()))
    }

    /// What came within the time: (session, what, message). `what` is a MsgType, or `logged on`, or `logged out`.
    fn poll<'py>(&mut self, py: Python<'py>, wait_ms: i64) -> PyResult<Vec<(usize, String, Bound<'py, PyBytes>)>> {
        let server = self.server()?;
        let heard = py.detach(|| {
            let end = clock_mono() + wait_ms * 1_000_000;
            loop {
                server.turn((end - clock_mono()).max(0))?;
                if !server.parts().0.0.is_empty() || clock_mono() >= end {
                    return Ok(std::mem::take(&mut server.parts().0.0));
                }
            }
        });
        let heard = heard.map_err(failed)?;
        Ok(heard.into_iter().map(|(at, what, bytes)| (at, what, PyBytes::new(py, &bytes))).collect())
    }

    /// Sends an application message: its type and the fields of its body. Returns its number.
    fn send(&mut self, session: usize, msg_type: &str, body: &[u8]) -> PyResult<u64> {
        let server = self.server()?;
        let now = Now { mono: clock_mono(), utc: clock_utc() };
        let (_, sessions) = server.parts();
        let to = sessions.get_mut(session).ok_or_else(|| PyIndexError::new_err(format!("there is no session {session}")))?;
        let seq = to.send(msg_type.as_bytes(), now, |out| out.extend_from_slice(body));
        server.flush().map_err(failed)?;
        Ok(seq)
    }

    /// Next number expected and next number sent.
    fn numbers(&mut self, session: usize) -> PyResult<(u64, u64)> {
        let (_, sessions) = self.server()?.parts();
        let of = sessions.get(session).ok_or_else(|| PyIndexError::new_err(format!("there is no session {session}")))?;
        Ok((of.store().next_in(), of.store().next_out()))
    }

    /// Says goodbye and waits a second at most for the counterparties.
    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        let server = self.server()?;
        server.stop();
        py.detach(|| {
            while server.turn(1_000_000)? {}
            Ok(())
        })
        .map_err(failed)
    }
}

impl FixParty {
    fn server(&mut self) -> PyResult<&mut Server<Inbox>> {
        self.0.get_mut().map_err(|_| PyRuntimeError::new_err("a panic ended this FIX party"))
    }
}

fn failed(e: ServerError) -> PyErr {
    PyRuntimeError::new_err(e.to_string())
}
