// SPDX-License-Identifier: Apache-2.0
//! The loop: one thread, one epoll, every session. Bytes in, messages to the application, bytes out.
//!
//! What a batch of received bytes led to is made durable in one step, initiators first, and only then sent.
use crate::frame::{Frame, find};
use crate::header::Header;
use crate::session::{Now, Receipt, Session};
use crate::tls::Tls;
use crate::wire::{Wire, clock_mono, clock_utc};
use rustix::event::{Timespec, epoll};
use std::fmt;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

/// Longest time between two looks at clocks, heartbeats and the application's own duties.
pub const LOOK_NS: i64 = 20_000_000;
/// Time between two attempts to reach a venue.
const DIAL_NS: i64 = 500_000_000;
/// A stop waits so long for the counterparties' Logouts.
const STOP_NS: i64 = 1_000_000_000;
const MOST_WIRES: usize = 256;
/// Sockets looked at in one round; what else is ready comes in the next.
const MOST_EVENTS: usize = 64;
const LISTENER: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;

/// What acts on messages.
pub trait Application {
    /// An application message, or a session-level Reject, came in sequence on session `at`. Its number is used up when this
    /// returns; what this leads to is outgoing in `sessions`.
    ///
    /// # Errors
    /// When going on would be unsafe: the loop ends.
    fn deliver(&mut self, at: usize, sessions: &mut [Session], bytes: &[u8], header: &Header, now: Now) -> Result<(), ServerError>;

    /// Session `at` is logged on.
    ///
    /// # Errors
    /// As [`Application::deliver`].
    fn logged_on(&mut self, at: usize, sessions: &mut [Session], now: Now) -> Result<(), ServerError>;

    /// Session `at` is not logged on any more.
    ///
    /// # Errors
    /// As [`Application::deliver`].
    fn logged_out(&mut self, at: usize, sessions: &mut [Session], now: Now) -> Result<(), ServerError>;

    /// Time passes; called every [`LOOK_NS`], never between a message and its answer.
    ///
    /// # Errors
    /// As [`Application::deliver`].
    fn look(&mut self, sessions: &mut [Session], now: Now) -> Result<(), ServerError>;

    /// A connection was refused before it came to a session: for people to read.
    fn refused(&mut self, _why: &str, _now: Now) {}
}

/// Why the loop ended.
#[derive(Debug)]
pub struct ServerError(pub String);

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServerError {}

impl From<crate::store::StoreError> for ServerError {
    fn from(e: crate::store::StoreError) -> Self {
        ServerError(e.to_string())
    }
}

impl From<std::io::Error> for ServerError {
    fn from(e: std::io::Error) -> Self {
        ServerError(e.to_string())
    }
}

impl From<rustix::io::Errno> for ServerError {
    fn from(e: rustix::io::Errno) -> Self {
        ServerError(e.to_string())
    }
}

/// A session that reaches out.
#[derive(Debug)]
struct Dial {
    session: usize,
    address: SocketAddr,
    pending: Option<Receiver<std::io::Result<TcpStream>>>,
    next_try: i64,
}

/// The loop over its sessions.
#[derive(Debug)]
pub struct Server<A> {
    application: A,
    sessions: Vec<Session>,
    was_logged_on: Vec<bool>,
    wires: Vec<Option<Wire>>,
    wire_of: Vec<Option<usize>>,
    accepts_with: Option<Tls>,
    reaches_with: Option<Tls>,
    /// Per session the certificate that it must be spoken with.
    pins: Vec<Option<[u8; 32]>>,
    dials: Vec<Dial>,
    listener: Option<TcpListener>,
    epoll: OwnedFd,
    stop: Option<OwnedFd>,
    busy_poll_ns: i64,
    heard: i64,
    looked: i64,
    stopping: Option<i64>,
}

impl<A: Application> Server<A> {
    /// A loop over `sessions`; those that initiate reach out to the address beside them.
    ///
    /// # Errors
    /// When the operating system gives no epoll.
    pub fn new(application: A, sessions: Vec<(Session, Option<SocketAddr>)>, stop: Option<OwnedFd>) -> Result<Self, ServerError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        if let Some(stop) = &stop {
            epoll::add(&epoll, stop, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)?;
        }
        let dial = |(session, address): (usize, Option<SocketAddr>)| address.map(|address| Dial { session, address, pending: None, next_try: 0 });
        let dials = sessions.iter().map(|(_, address)| *address).enumerate().filter_map(dial).collect();
        let count = sessions.len();
        Ok(Server {
            application,
            sessions: sessions.into_iter().map(|(session, _)| session).collect(),
            was_logged_on: vec![false; count],
            wires: Vec::new(),
            wire_of: vec![None; count],
            accepts_with: None,
            reaches_with: None,
            pins: vec![None; count],
            dials,
            listener: None,
            epoll,
            stop,
            busy_poll_ns: 0,
            heard: 0,
            looked: 0,
            stopping: None,
        })
    }

    /// Listens for counterparties; returns the address, whose port the system chose where 0 was given.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn listen(&mut self, address: SocketAddr) -> Result<SocketAddr, ServerError> {
        let listener = TcpListener::bind(address).map_err(|e| ServerError(format!("listen on {address}: {e}")))?;
        listener.set_nonblocking(true)?;
        epoll::add(&self.epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        let bound = listener.local_addr()?;
        self.listener = Some(listener);
        Ok(bound)
    }

    /// TLS towards those who connect, and towards those whom we reach out to.
    pub fn set_tls(&mut self, accepts_with: Option<Tls>, reaches_with: Option<Tls>) {
        (self.accepts_with, self.reaches_with) = (accepts_with, reaches_with);
    }

    /// Session `at` may be spoken only with the certificate of this SHA-256.
    pub fn pin(&mut self, at: usize, fingerprint: [u8; 32]) {
        self.pins[at] = Some(fingerprint);
    }

    /// For so long after bytes came the loop asks again without sleeping: a core for the time it takes to be woken.
    pub fn set_busy_poll(&mut self, ns: i64) {
        self.busy_poll_ns = ns;
    }

    /// Address it listens on.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until told to stop: then says goodbye to every counterparty and waits a second for their answers.
    ///
    /// # Errors
    /// When a store cannot be written, or the application says that going on would be unsafe.
    pub fn run(&mut self) -> Result<(), ServerError> {
        while self.turn(LOOK_NS)? {}
        Ok(())
    }

    /// One round of the loop, which sleeps `wait_ns` at most, and no longer than [`LOOK_NS`]; `false` once it has ended.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub fn turn(&mut self, wait_ns: i64) -> Result<bool, ServerError> {
        let mut room = [const { std::mem::MaybeUninit::<epoll::Event>::uninit() }; MOST_EVENTS];
        let is_awake = self.busy_poll_ns > 0 && clock_mono() - self.heard < self.busy_poll_ns;
        let wait = Timespec { tv_sec: 0, tv_nsec: if is_awake { 0 } else { wait_ns.clamp(0, LOOK_NS) } };
        let events: &[epoll::Event] = match epoll::wait(&self.epoll, &mut room, Some(&wait)) {
            Ok((events, _)) => events,
            Err(rustix::io::Errno::INTR) => &[],
            Err(e) => return Err(e.into()),
        };
        let mono = clock_mono();
        if events.is_empty() && is_awake && mono - self.looked < LOOK_NS {
            std::hint::spin_loop();
        } else {
            self.round(events, Now { mono, utc: clock_utc() })?;
        }
        Ok(!self.stopping.is_some_and(|since| mono - since > STOP_NS || self.wires.iter().all(Option::is_none)))
    }

    fn round(&mut self, events: &[epoll::Event], now: Now) -> Result<(), ServerError> {
        if !events.is_empty() {
            self.heard = now.mono;
        }
        for event in events {
            match event.data.u64() {
                LISTENER => self.welcome()?,
                STOP => self.stopping = self.stopping.or_else(|| Some(self.say_goodbye(now))),
                at => self.serve(at as usize, event.flags, now)?,
            }
        }
        self.send(now)?;
        if now.mono - self.looked >= LOOK_NS {
            self.looked = now.mono;
            self.look(now)?;
        }
        Ok(())
    }

    /// Sends what was written to sessions between two rounds.
    ///
    /// # Errors
    /// When a store cannot be written.
    pub fn flush(&mut self) -> Result<(), ServerError> {
        self.send(Now { mono: clock_mono(), utc: clock_utc() })
    }

    /// Says goodbye to every counterparty; [`Server::turn`] ends when they answered or a second is over.
    pub fn stop(&mut self) {
        let now = Now { mono: clock_mono(), utc: clock_utc() };
        self.stopping = self.stopping.or_else(|| Some(self.say_goodbye(now)));
    }

    /// The application and the sessions, between two rounds.
    pub fn parts(&mut self) -> (&mut A, &mut [Session]) {
        (&mut self.application, &mut self.sessions)
    }

    /// The application.
    #[must_use]
    pub fn application(&self) -> &A {
        &self.application
    }

    fn say_goodbye(&mut self, now: Now) -> i64 {
        // The descriptor stays readable; it has said all it can say.
        if let Some(stop) = &self.stop {
            let _ = epoll::delete(&self.epoll, stop);
        }
        for session in self.sessions.iter_mut().filter(|s| s.is_logged_on()) {
            session.log_out(b"gateway stops", now);
        }
        for at in 0..self.wires.len() {
            if self.wires[at].as_ref().is_some_and(|wire| wire.session.is_none()) {
                self.close(at);
            }
        }
        self.dials.clear();
        self.listener = None;
        now.mono
    }

    fn welcome(&mut self) -> Result<(), ServerError> {
        while let Some(Ok((stream, _))) = self.listener.as_ref().map(TcpListener::accept) {
            if self.wires.iter().flatten().count() < MOST_WIRES {
                self.attach(stream, None)?;
            }
        }
        Ok(())
    }

    fn attach(&mut self, stream: TcpStream, session: Option<usize>) -> Result<usize, ServerError> {
        let tls = if session.is_some() { &self.reaches_with } else { &self.accepts_with };
        let wire = Wire::new(stream, session, tls.as_ref())?;
        let at = self.wires.iter().position(Option::is_none).unwrap_or(self.wires.len());
        epoll::add(&self.epoll, wire.as_fd(), epoll::EventData::new_u64(at as u64), epoll::EventFlags::IN | epoll::EventFlags::RDHUP)?;
        if at == self.wires.len() {
            self.wires.push(None);
        }
        self.wires[at] = Some(wire);
        if let Some(session) = session {
            self.wire_of[session] = Some(at);
        }
        Ok(at)
    }

    fn serve(&mut self, at: usize, flags: epoll::EventFlags, now: Now) -> Result<(), ServerError> {
        let Some(wire) = self.wires.get_mut(at).and_then(Option::as_mut) else { return Ok(()) };
        if flags.contains(epoll::EventFlags::OUT) {
            wire.wants_write = true;
        }
        if !flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR | epoll::EventFlags::RDHUP) {
            return Ok(());
        }
        let is_open = wire.read();
        if let Some(problem) = wire.problem.take() {
            self.application.refused(&problem, now);
        }
        let is_kept = self.work_through(at, now)?;
        if !(is_open && is_kept) {
            self.send(now)?;
            self.lose(at, now)?;
        }
        Ok(())
    }

    /// Takes every whole message that a wire holds; `false` where the connection must end.
    fn work_through(&mut self, at: usize, now: Now) -> Result<bool, ServerError> {
        loop {
            let Some(wire) = self.wires[at].as_ref() else { return Ok(true) };
            match find(wire.unread()) {
                Frame::Incomplete => return Ok(!wire.is_stuck()),
                Frame::Garbled(n) => {
                    let is_known = wire.session.is_some_and(|s| self.sessions[s].receive_garbled() == Receipt::Done);
                    self.skip(at, n);
                    if !is_known {
                        return Ok(false);
                    }
                }
                Frame::Whole(n) => {
                    let is_kept = self.message(at, n, now)?;
                    self.skip(at, n);
                    if !is_kept {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn skip(&mut self, at: usize, n: usize) {
        if let Some(wire) = self.wires[at].as_mut() {
            wire.skip(n);
        }
    }

    fn message(&mut self, at: usize, n: usize, now: Now) -> Result<bool, ServerError> {
        let Server { wires, sessions, application, wire_of, was_logged_on, pins, .. } = self;
        let Some(wire) = wires[at].as_mut() else { return Ok(false) };
        let bytes = &wire.unread()[..n];
        let Ok(header) = Header::read(bytes) else {
            return Ok(wire.session.is_some_and(|s| sessions[s].receive_garbled() == Receipt::Done));
        };
        let session = match wire.session {
            Some(session) => session,
            None => {
                let Some(session) = find_session(sessions, wire_of, bytes, &header) else { return Ok(false) };
                if pins[session].is_some_and(|pin| wire.fingerprint() != Some(pin)) {
                    let name = String::from_utf8_lossy(&sessions[session].settings().target).into_owned();
                    application.refused(&format!("a Logon as {name} came with another certificate than that session's"), now);
                    return Ok(false);
                }
                sessions[session].connected(now)?;
                (wire_of[session], wire.session) = (Some(at), Some(session));
                session
            }
        };
        let Some(wire) = wires[at].as_ref() else { return Ok(false) };
        let is_kept = handle(application, sessions, was_logged_on, session, &wire.unread()[..n], &header, now)?;
        while let Some(queued) = sessions[session].next_queued() {
            let Ok(header) = Header::read(&queued) else { continue };
            if !handle(application, sessions, was_logged_on, session, &queued, &header, now)? {
                return Ok(false);
            }
        }
        Ok(is_kept)
    }

    /// Makes what happened durable, then sends what is outgoing.
    fn send(&mut self, now: Now) -> Result<(), ServerError> {
        // A venue's messages before an EMS's numbers: an order logged and not counted is caught as a duplicate, the reverse
        // would be an order lost.
        for is_initiator in [true, false] {
            for session in self.sessions.iter_mut().filter(|s| s.settings().is_initiator == is_initiator) {
                session.commit()?;
            }
        }
        for at in 0..self.sessions.len() {
            let Some(wire) = self.wire_of[at] else { continue };
            let out = self.sessions[at].outgoing();
            let Some(connection) = self.wires[wire].as_mut() else { continue };
            if out.is_empty() && !connection.has_unsent() {
                continue;
            }
            match connection.write(out) {
                Ok(is_blocked) => {
                    if is_blocked != connection.is_waiting {
                        connection.is_waiting = is_blocked;
                        let mut flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
                        flags.set(epoll::EventFlags::OUT, is_blocked);
                        epoll::modify(&self.epoll, connection.as_fd(), epoll::EventData::new_u64(wire as u64), flags)?;
                    }
                }
                Err(_) => self.lose(wire, now)?,
            }
        }
        Ok(())
    }

    fn look(&mut self, now: Now) -> Result<(), ServerError> {
        for at in 0..self.sessions.len() {
            if self.sessions[at].tick(now)
                && let Some(wire) = self.wire_of[at]
            {
                self.lose(wire, now)?;
            }
        }
        self.dial(now)?;
        self.application.look(&mut self.sessions, now)?;
        let strangers =
            |wire: &Option<Wire>| wire.as_ref().is_some_and(|w| w.session.is_none() && now.mono - w.since > crate::session::LOGON_TIMEOUT_NS);
        let late: Vec<usize> = (0..self.wires.len()).filter(|at| strangers(&self.wires[*at])).collect();
        late.into_iter().for_each(|at| self.close(at));
        self.send(now)
    }

    fn dial(&mut self, now: Now) -> Result<(), ServerError> {
        for at in 0..self.dials.len() {
            let dial = &mut self.dials[at];
            if self.wire_of[dial.session].is_some() {
                continue;
            }
            let Some(pending) = &dial.pending else {
                if now.mono >= dial.next_try {
                    dial.next_try = now.mono + DIAL_NS;
                    let (tell, pending) = channel();
                    let address = dial.address;
                    // The connection is made aside: a venue that does not answer must not hold up the others.
                    std::thread::spawn(move || tell.send(TcpStream::connect_timeout(&address, Duration::from_secs(2))));
                    dial.pending = Some(pending);
                }
                continue;
            };
            match pending.try_recv() {
                Err(TryRecvError::Empty) => {}
                Ok(Ok(stream)) => {
                    let session = dial.session;
                    dial.pending = None;
                    self.sessions[session].connected(now)?;
                    self.attach(stream, Some(session))?;
                }
                Ok(Err(_)) | Err(TryRecvError::Disconnected) => dial.pending = None,
            }
        }
        Ok(())
    }

    fn close(&mut self, at: usize) {
        if let Some(mut wire) = self.wires[at].take() {
            wire.say_end();
            let _ = epoll::delete(&self.epoll, wire.as_fd());
        }
    }

    /// The connection is over: its session is free at once.
    fn lose(&mut self, at: usize, now: Now) -> Result<(), ServerError> {
        let session = self.wires[at].as_ref().and_then(|wire| wire.session);
        self.close(at);
        let Some(session) = session else { return Ok(()) };
        self.wire_of[session] = None;
        self.sessions[session].disconnected();
        if std::mem::take(&mut self.was_logged_on[session]) {
            self.application.logged_out(session, &mut self.sessions, now)?;
        }
        Ok(())
    }
}

/// The acceptor's session that a Logon names, where nobody is connected to it.
fn find_session(sessions: &[Session], wire_of: &[Option<usize>], bytes: &[u8], header: &Header) -> Option<usize> {
    let is_named = |session: &Session| {
        let settings = session.settings();
        !settings.is_initiator
            && header.begin_string.of_bytes(bytes) == settings.begin_string
            && header.sender.of_bytes(bytes) == settings.target
            && header.target.of_bytes(bytes) == settings.sender
    };
    sessions.iter().position(is_named).filter(|at| wire_of[*at].is_none())
}

fn handle<A: Application>(
    application: &mut A,
    sessions: &mut [Session],
    was_logged_on: &mut [bool],
    at: usize,
    bytes: &[u8],
    header: &Header,
    now: Now,
) -> Result<bool, ServerError> {
    let receipt = sessions[at].receive(bytes, header, now)?;
    if receipt == Receipt::Deliver {
        application.deliver(at, sessions, bytes, header, now)?;
        sessions[at].taken();
    }
    let is_logged_on = sessions[at].is_logged_on();
    if is_logged_on && !was_logged_on[at] {
        was_logged_on[at] = true;
        application.logged_on(at, sessions, now)?;
    } else if !is_logged_on && was_logged_on[at] {
        was_logged_on[at] = false;
        application.logged_out(at, sessions, now)?;
    }
    Ok(receipt != Receipt::Close)
}
