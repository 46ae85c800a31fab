// SPDX-License-Identifier: Apache-2.0
//! The gateway's application: orders of the EMS through the gate to the venue, the venue's answers back.
mod answers;
mod copies;
mod duties;
mod holds;
mod mass;
mod orders;
mod recovery;
mod venue;

use crate::book::{Book, Entry, book};
use crate::header::Header;
use crate::keeper::Keeper;
use crate::server::{Application, Server, ServerError};
use crate::session::{Now, Session};
use crate::settings::{EdgeSettings, EmsTable, address};
use crate::store::Store;
use crate::tls::Tls;
use pretrade_gate::look::Posture;
use pretrade_gate::{Gate, VenueMessage};
use pretrade_records::Decision;
use pretrade_shm::QuotesTable;
use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use answers::{cancel_reject_reason, order_reject_reason};
pub use holds::{Answer, Ask, Desk};

/// Place of the venue's session; those of the EMS follow.
const VENUE: usize = 0;
/// The gate's session of every order: ids are unique towards the venue, whoever sent them.
const GATE_SESSION: u32 = 1;
const LIVE_ORDERS: usize = 1 << 16;
const REFUSAL_EVERY_NS: i64 = 1_000_000_000;

/// Tells the operator a line.
pub type Say = Box<dyn FnMut(&str) + Send>;

/// A version's ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// FIX 4.2.
    Fix42,
    /// FIX 4.4.
    Fix44,
    /// FIX 5.0 SP2 over FIXT 1.1.
    Fix50,
}

impl Version {
    fn of(begin_string: &[u8]) -> Self {
        match begin_string {
            b"FIX.4.2" => Version::Fix42,
            b"FIX.4.4" => Version::Fix44,
            _ => Version::Fix50,
        }
    }
}

/// One EMS as the edge sees it.
#[derive(Debug)]
struct Ems {
    accounts: HashMap<Vec<u8>, u32>,
    strategy_id: u32,
    cancel_after_ns: Option<i64>,
    has_alerts: bool,
    lost_at: Option<i64>,
}

/// The application of a gateway's loop.
pub struct Edge {
    gate: Gate,
    ems: Vec<Ems>,
    symbols: HashMap<Vec<u8>, usize>,
    settings: EdgeSettings,
    version: Version,
    book: Book,
    /// Decided in an earlier life and written to no session: never sent.
    unsent: HashSet<u64>,
    decision: Decision,
    exec_prefix: u64,
    exec_number: u64,
    quotes: Option<QuotesTable>,
    phases_told: Vec<Option<u8>>,
    postures: Vec<Option<Posture>>,
    polled: i64,
    keeper: Keeper,
    /// Orders that wait for a person, as they came.
    held: HashMap<u64, holds::HeldMessage>,
    desk: Desk,
    asked: holds::Asked,
    say: Say,
    refusal_told: i64,
    /// Reports for the drop-copy sessions, not sent yet.
    copies: Vec<(&'static [u8], Vec<u8>)>,
    dead_man_told: i64,
}

impl Edge {
    /// Opens stores and sessions around a gate that is already rebuilt from its journal; what the earlier life left open is
    /// told through `say` and asked of the venue once it is logged on.
    ///
    /// # Errors
    /// When a store, dictionary, table or address cannot be used.
    pub fn serve(mut gate: Gate, settings: EdgeSettings, stop: Option<OwnedFd>, now: Now, say: Say) -> Result<Server<Edge>, ServerError> {
        let names = settings.store_names();
        let fail = |e: String| ServerError(e);
        Keeper::restore(&settings.run, &settings.journals, &names)?;
        let venue_address = address(&settings.venue_address).map_err(fail)?;
        let venue = settings.venue.settings(true, settings.alert_tag).map_err(fail)?;
        let mut sessions = vec![(Session::new(venue, Store::open(&settings.run, &names[0])?), Some(venue_address))];
        for (table, name) in settings.ems.iter().zip(&names[1..]) {
            let of = table.session.settings(false, settings.alert_tag).map_err(fail)?;
            sessions.push((Session::new(of, Store::open(&settings.run, name)?), None));
        }
        for (table, name) in settings.drop_copies.iter().zip(&names[1 + settings.ems.len()..]) {
            let of = table.settings(false, settings.alert_tag).map_err(fail)?;
            sessions.push((Session::new(of, Store::open(&settings.run, name)?), None));
        }
        let keeper = Keeper::start(&settings.run, &settings.journals, &names)?;
        if settings.is_flat {
            state_flat(&mut gate, &settings, now);
        }
        let quotes = if settings.is_standalone { Some(recovery::open_quotes(&settings)?) } else { None };
        let count = settings.instruments.len();
        let (desk, asked) = Desk::open();
        let mut edge = Edge {
            gate,
            ems: settings.ems.iter().map(Ems::of).collect(),
            symbols: settings.instruments.iter().enumerate().map(|(at, i)| (i.symbol.clone().into_bytes(), at)).collect(),
            version: Version::of(settings.venue.begin_string.as_bytes()),
            book: book(2 * LIVE_ORDERS),
            unsent: HashSet::new(),
            decision: Decision::default(),
            exec_prefix: now.utc.unsigned_abs() / 1_000_000,
            exec_number: 0,
            quotes,
            phases_told: vec![None; count],
            postures: vec![None; count],
            polled: 0,
            keeper,
            held: HashMap::new(),
            desk,
            asked,
            settings,
            say,
            refusal_told: i64::MIN / 2,
            copies: Vec::new(),
            dead_man_told: i64::MIN / 2,
        };
        edge.recover(now)?;
        edge.tell_phases(now)?;
        let listen = address(&edge.settings.listen).map_err(fail)?;
        let accepts_with = edge.settings.listen_tls.as_ref().map(Tls::acceptor).transpose().map_err(fail)?;
        let reaches_with = edge.settings.venue_tls.as_ref().map(Tls::initiator).transpose().map_err(fail)?;
        let pins = edge.settings.ems.iter().map(EmsTable::pin).collect::<Result<Vec<_>, _>>().map_err(fail)?;
        let busy_poll_ns = i64::from(edge.settings.busy_poll_us) * 1_000;
        let mut server = Server::new(edge, sessions, stop)?;
        server.set_busy_poll(busy_poll_ns);
        server.set_tls(accepts_with, reaches_with);
        for (at, pin) in pins.into_iter().enumerate() {
            if let Some(pin) = pin {
                server.pin(at + 1, pin);
            }
        }
        server.listen(listen)?;
        Ok(server)
    }

    /// Where another thread asks about held orders and decides them.
    #[must_use]
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Journals a venue message and acts on it; a panic poisons the gate, which still passes cancels.
    fn tell_gate(&mut self, message: &VenueMessage, now: Now) -> bool {
        let gate = &mut self.gate;
        match catch_unwind(AssertUnwindSafe(|| gate.on_venue(message, now.mono, now.utc))) {
            Ok(is_known) => is_known,
            Err(_) => {
                self.gate.poison(now.mono, now.utc);
                (self.say)("the gate was poisoned by a caught panic; cancels pass, everything else is refused until the gateway is started again");
                false
            }
        }
    }

    fn take_entry(&self, id: u64) -> Option<Entry> {
        self.book.get(&id).copied()
    }
}

impl Ems {
    fn of(table: &crate::settings::EmsTable) -> Self {
        Ems {
            accounts: table.accounts.iter().map(|(name, id)| (name.clone().into_bytes(), *id)).collect(),
            strategy_id: table.strategy_id,
            cancel_after_ns: table.cancel_after_s.map(|s| (s * 1e9) as i64),
            has_alerts: table.has_alerts,
            lost_at: None,
        }
    }
}

fn state_flat(gate: &mut Gate, settings: &EdgeSettings, now: Now) {
    for instrument in &settings.instruments {
        for account_id in settings.ems.iter().flat_map(|ems| ems.accounts.iter().map(|(_, id)| *id)) {
            let kind = pretrade_gate::VenueKind::Position as u8;
            let flat = VenueMessage { instrument_id: instrument.instrument_id, account_id, kind, ts_event: now.utc, ..Default::default() };
            gate.on_venue(&flat, now.mono, now.utc);
        }
    }
}

impl Application for Edge {
    fn deliver(&mut self, at: usize, sessions: &mut [Session], bytes: &[u8], header: &Header, now: Now) -> Result<(), ServerError> {
        match at {
            VENUE => self.hear_venue(sessions, bytes, header, now),
            at if at <= self.ems.len() => self.hear_ems(at, sessions, bytes, header, now),
            // Who hears copies has nothing to say.
            at => sessions[at].business_reject(bytes, header, orders::UNSUPPORTED_TYPE, b"Unsupported Message Type", now),
        }
        self.send_copies(sessions, now);
        Ok(())
    }

    fn logged_on(&mut self, at: usize, sessions: &mut [Session], now: Now) -> Result<(), ServerError> {
        if at == VENUE {
            self.dead_man_told = i64::MIN / 2;
            self.ask_about_doubt(sessions, now);
        } else if at <= self.ems.len() {
            self.ems[at - 1].lost_at = None;
            self.tell_doubt(at, &mut sessions[at], now);
            self.send_copies(sessions, now);
        }
        Ok(())
    }

    fn logged_out(&mut self, at: usize, sessions: &mut [Session], now: Now) -> Result<(), ServerError> {
        if at == VENUE {
            (self.say)("the venue's session is down: orders are refused until it is back");
        } else if at <= self.ems.len() {
            self.ems[at - 1].lost_at = Some(now.mono);
            self.refuse_held_of(at, sessions, now);
            self.send_copies(sessions, now);
        }
        Ok(())
    }

    fn look(&mut self, sessions: &mut [Session], now: Now) -> Result<(), ServerError> {
        self.duties(sessions, now)?;
        self.send_copies(sessions, now);
        Ok(())
    }

    fn refused(&mut self, why: &str, now: Now) {
        // Whoever can connect can make this happen: one line a second.
        if now.mono - self.refusal_told >= REFUSAL_EVERY_NS {
            self.refusal_told = now.mono;
            (self.say)(&format!("a connection is refused: {why}"));
        }
    }
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("settings", &self.settings).field("live", &self.book.len()).finish_non_exhaustive()
    }
}
