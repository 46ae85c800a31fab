// SPDX-License-Identifier: Apache-2.0
//! One session: sequence numbers, logon and logout, heartbeats, gaps, resends. It reads no clock and owns no socket: bytes
//! and times come in, bytes to send stand in [`Session::outgoing`] once [`Session::commit`] returned.
mod compose;
mod incoming;
mod logon;
mod resend;

use crate::dictionary::Dictionary;
use crate::header::{Header, Span};
use crate::store::{Store, StoreError};
use crate::time::Stamp;
use crate::validate::Tolerance;
use std::collections::BTreeMap;
use std::sync::Arc;

pub use compose::Body;

const NS_PER_S: i64 = 1_000_000_000;
/// A counterparty that does not answer a Logout within this time is disconnected.
pub const LOGOUT_TIMEOUT_NS: i64 = 2 * NS_PER_S;
/// A Logon must come or be answered within this time.
pub const LOGON_TIMEOUT_NS: i64 = 10 * NS_PER_S;
/// Messages kept while a gap is being filled; the counterparty sends further ones again.
const MOST_QUEUED: usize = 4096;

/// Both clocks, taken once when bytes arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic ns.
    pub mono: i64,
    /// ns UTC.
    pub utc: i64,
}

/// What one session is.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// BeginString, such as `FIX.4.4` or `FIXT.1.1`.
    pub begin_string: Vec<u8>,
    /// Our CompID.
    pub sender: Vec<u8>,
    /// The counterparty's CompID.
    pub target: Vec<u8>,
    /// DefaultApplVerID (1137), for FIXT.
    pub appl_ver_id: Option<Vec<u8>>,
    /// We send the first Logon.
    pub is_initiator: bool,
    /// Heartbeat interval an initiator asks for, seconds.
    pub heartbeat_s: u32,
    /// Both numbers begin at 1 at every logon.
    pub reset_at_logon: bool,
    /// Application messages are sent again on request; else a gap fill stands for them (orders are not resent blindly).
    pub resends_application: bool,
    /// Furthest SendingTime may be from our clock, seconds.
    pub max_latency_s: u32,
    /// What messages are held against.
    pub dictionary: Option<Arc<Dictionary>>,
    /// What passes beyond the dictionary.
    pub tolerance: Tolerance,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No connection.
    Disconnected,
    /// Connected, no Logon yet; since when (monotonic ns).
    AwaitingLogon(i64),
    /// Both sides logged on.
    LoggedOn,
    /// We sent a Logout; when.
    LogoutSent(i64),
}

/// What became of a received message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The session layer dealt with it.
    Done,
    /// An application message, or a session-level Reject, in sequence and well formed: act on it, then call
    /// [`Session::taken`].
    Deliver,
    /// Send what is outgoing, then close the connection.
    Close,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    settings: SessionSettings,
    store: Store,
    state: State,
    out: Vec<u8>,
    scratch: Vec<u8>,
    stamp: Stamp,
    heartbeat_ns: i64,
    last_sent: i64,
    last_received: i64,
    test_requests: i64,
    queue: BTreeMap<u64, Vec<u8>>,
    /// Last number of the gap asked for.
    gap_end: Option<u64>,
    has_reset: bool,
}

impl Session {
    /// A session over its store.
    #[must_use]
    pub fn new(settings: SessionSettings, store: Store) -> Self {
        Session {
            heartbeat_ns: i64::from(settings.heartbeat_s) * NS_PER_S,
            settings,
            store,
            state: State::Disconnected,
            out: Vec::with_capacity(1 << 18),
            scratch: Vec::with_capacity(1 << 16),
            stamp: Stamp::default(),
            last_sent: 0,
            last_received: 0,
            test_requests: 0,
            queue: BTreeMap::new(),
            gap_end: None,
            has_reset: false,
        }
    }

    /// What it is.
    #[must_use]
    pub fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    /// Its numbers and sent messages.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where it stands.
    #[inline]
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// True between the two Logons and the first Logout.
    #[inline]
    #[must_use]
    pub fn is_logged_on(&self) -> bool {
        self.state == State::LoggedOn
    }

    /// A connection was made. An initiator's Logon is outgoing when this returns.
    ///
    /// # Errors
    /// When the numbers cannot be reset.
    pub fn connected(&mut self, now: Now) -> Result<(), StoreError> {
        self.state = State::AwaitingLogon(now.mono);
        (self.last_sent, self.last_received, self.test_requests, self.gap_end) = (now.mono, now.mono, 0, None);
        self.queue.clear();
        self.out.clear();
        if self.settings.is_initiator {
            self.send_logon(now)?;
        }
        Ok(())
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.state = State::Disconnected;
        self.queue.clear();
        self.out.clear();
        self.gap_end = None;
    }

    /// The message that [`Receipt::Deliver`] handed out was acted on: its number is used up.
    #[inline]
    pub fn taken(&mut self) {
        self.store.set_next_in(self.store.next_in() + 1);
    }

    /// Makes numbers and messages durable against the death of the process; only then may [`Session::outgoing`] be sent.
    ///
    /// # Errors
    /// When the store cannot be written.
    #[inline]
    pub fn commit(&mut self) -> Result<(), StoreError> {
        self.store.commit()
    }

    /// Bytes to send, in order; whoever sends them takes them out.
    #[inline]
    pub fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// A message kept while a gap was filled, whose turn has come.
    #[inline]
    pub fn next_queued(&mut self) -> Option<Vec<u8>> {
        if self.queue.is_empty() {
            return None;
        }
        let next = self.store.next_in();
        self.queue = self.queue.split_off(&next);
        let message = self.queue.remove(&next)?;
        if message.is_empty() {
            // Answered out of turn when it came; only its number counts now.
            self.taken();
            return self.next_queued();
        }
        Some(message)
    }

    /// Time passes: heartbeats, test requests, deadlines. `true` where the connection must be closed.
    pub fn tick(&mut self, now: Now) -> bool {
        match self.state {
            State::Disconnected => return false,
            State::AwaitingLogon(since) => return now.mono - since > LOGON_TIMEOUT_NS,
            State::LogoutSent(at) => return now.mono - at > LOGOUT_TIMEOUT_NS,
            State::LoggedOn => {}
        }
        if self.heartbeat_ns == 0 {
            return false;
        }
        let silence = now.mono - self.last_received;
        if silence >= self.heartbeat_ns * 24 / 10 {
            return true;
        }
        if silence >= self.heartbeat_ns * 12 / 10 * (self.test_requests + 1) {
            self.test_requests += 1;
            self.send_admin(b"1", now, |out| Body::new(out).put(112, b"TEST"));
        } else if self.test_requests == 0 && now.mono - self.last_sent >= self.heartbeat_ns {
            self.send_admin(b"0", now, |_| {});
        }
        self.store.reserve();
        false
    }

    /// Says goodbye; the connection is closed when the counterparty answers or the time for it is over.
    pub fn log_out(&mut self, text: &[u8], now: Now) {
        self.send_admin(b"5", now, |out| {
            if !text.is_empty() {
                Body::new(out).put(58, text);
            }
        });
        self.state = State::LogoutSent(now.mono);
    }

    fn is_begin_string(&self, bytes: &[u8], header: &Header) -> bool {
        header.begin_string.of_bytes(bytes) == self.settings.begin_string
    }

    fn is_ours(&self, bytes: &[u8], header: &Header) -> bool {
        let is = |span: Span, wanted: &[u8]| span.of_bytes(bytes) == wanted;
        is(header.sender, &self.settings.target) && is(header.target, &self.settings.sender)
    }

    fn is_timely(&self, bytes: &[u8], header: &Header, now: Now) -> bool {
        let sent = crate::time::parse(header.sending_time.of_bytes(bytes));
        sent.is_some_and(|sent| (now.utc - sent).abs() <= i64::from(self.settings.max_latency_s) * NS_PER_S)
    }
}

#[cfg(test)]
mod tests;
