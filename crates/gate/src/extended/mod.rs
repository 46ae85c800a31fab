// SPDX-License-Identifier: Apache-2.0
//! Controls that most orders never meet: exposure, accumulation, losses, ratios, self-match, traders and desks.
//!
//! All of it lies behind [`Extended::is_on`]: a gate without level limits pays one test of it per step of an order.
//! Standards: RTS 6 (2017/589) art. 15; SEC rule 15c3-5 (pre-set credit and capital thresholds).
pub mod book;
pub mod counts;
mod losses;
pub mod own;
pub mod party;
mod state;
pub mod trust;

use crate::directory::Directory;
use crate::gate::GateError;
use crate::options::SelfMatch;
use crate::state::Ledger;
use book::Book;
use own::OwnBook;
use party::Party;
use pretrade_shm::{ControlsTable, Level};
use std::ops::Range;
use trust::{ClockWatch, DropCopy};

/// Parties of one order: firm, account, strategy, instrument; trader, desk and session where it has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Involved {
    places: [u32; 7],
    count: usize,
}

impl Involved {
    fn push(&mut self, place: usize) {
        self.places[self.count] = place as u32;
        self.count += 1;
    }

    /// Their places.
    pub fn iter(&self) -> impl Iterator<Item = usize> + use<> {
        let (places, count) = (self.places, self.count);
        (0..count).map(move |i| places[i] as usize)
    }
}

/// Who is above an order's account and strategy; place 0 of each is nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Above {
    /// Place among the traders.
    pub trader: usize,
    /// Place among the desks.
    pub desk: usize,
    /// Place among the venue sessions.
    pub session: usize,
}

/// The message being decided, worked out once before it is judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Current {
    /// Its parties.
    pub involved: Involved,
    /// Trader, desk and session.
    pub above: Above,
    /// Price it is valued at when it works: its own, or of a market order the touch moved by the slippage.
    pub implied: i64,
    /// Value of the order a replace names.
    pub old_value: i128,
    /// True where it would trade with an own working order.
    pub is_self_match: bool,
    /// Best own price it would trade with.
    pub own_price: i64,
}

/// One kind of row above accounts: its ledgers and whom each reports to.
#[derive(Clone, Debug, Default)]
pub struct Tier {
    index: Directory,
    /// Place 0 is nobody.
    pub ledgers: Vec<Ledger>,
    /// Id of the row above, 0 = none.
    pub parents: Vec<u32>,
}

/// State and limits of the extended controls.
#[derive(Debug)]
pub struct Extended {
    /// Any of them is configured.
    pub is_on: bool,
    /// Some party has a loss limit.
    pub has_losses: bool,
    /// Some account has a margin.
    pub has_margin: bool,
    /// The past is being folded: what happened then trips nothing now.
    pub is_folding: bool,
    /// Firm, accounts, strategies, traders, desks, sessions, instruments.
    pub parties: Vec<Party>,
    accounts: Range<usize>,
    strategies: Range<usize>,
    traders_at: Range<usize>,
    desks_at: Range<usize>,
    sessions_at: Range<usize>,
    instruments: Range<usize>,
    /// By party (up to the desks) and instrument.
    books: Vec<Book>,
    marks: Vec<Option<(i64, i64)>>,
    margins: Vec<i128>,
    /// Traders.
    pub traders: Tier,
    /// Desks.
    pub desks: Tier,
    /// Venue sessions.
    pub sessions: Tier,
    /// Own working prices, for control 30.
    pub own: OwnBook,
    self_match: SelfMatch,
    session_start_ns: i64,
    day: i64,
    now_mono: i64,
    now_utc: i64,
    restamp_due: bool,
    /// Control 42.
    pub drop_copy: DropCopy,
    /// Control 43.
    pub clock: ClockWatch,
    /// The message being decided.
    pub current: Current,
}

fn rows(controls: &ControlsTable, level: Level) -> Vec<(u32, usize)> {
    controls.keys().into_iter().filter(|((_, l), _)| *l == level as u32).map(|((id, _), slot)| (id, slot)).collect()
}

impl Tier {
    fn of(rows: &[(u32, usize)]) -> Self {
        let mut ledgers = vec![crate::refresh::open_ledger()];
        ledgers.extend(rows.iter().map(|(id, slot)| Ledger { id: *id, controls_slot: *slot as u64 + 1, ..Ledger::default() }));
        Tier { index: Directory::new(rows.iter().map(|(id, _)| *id), 1), parents: vec![0; ledgers.len()], ledgers }
    }

    /// Place of an id, 0 where it has no row.
    #[must_use]
    pub fn place(&self, id: u32) -> usize {
        self.index.get(id).unwrap_or(0)
    }
}

impl Extended {
    /// Makes room for every row there is; nothing is configured yet.
    pub(crate) fn new(controls: &ControlsTable, options: &crate::options::GateOptions) -> Result<Self, GateError> {
        let of = |level: Level| rows(controls, level);
        let (traders, desks, sessions) = (of(Level::Trader), of(Level::Desk), of(Level::Venue));
        let firm = of(Level::Firm).first().map(|(_, slot)| *slot);
        let mut parties = vec![Party::new(Level::Firm, 0, firm)];
        let mut group = |level: Level, has_nobody: bool| {
            let first = parties.len();
            if has_nobody {
                parties.push(Party::new(level, 0, None));
            }
            parties.extend(of(level).into_iter().map(|(id, slot)| Party::new(level, id, Some(slot))));
            first..parties.len()
        };
        let (accounts, strategies) = (group(Level::Account, false), group(Level::Strategy, true));
        let (traders_at, desks_at) = (group(Level::Trader, true), group(Level::Desk, true));
        let (sessions_at, instruments) = (group(Level::Venue, true), group(Level::Instrument, false));
        Ok(Extended {
            is_on: false,
            has_losses: false,
            has_margin: false,
            is_folding: false,
            books: Vec::new(),
            marks: vec![None; instruments.len()],
            margins: Vec::new(),
            own: OwnBook::new(),
            parties,
            accounts,
            strategies,
            traders_at,
            desks_at,
            sessions_at,
            instruments,
            traders: Tier::of(&traders),
            desks: Tier::of(&desks),
            sessions: Tier::of(&sessions),
            self_match: options.self_match,
            session_start_ns: options.session_start_ns,
            day: i64::MIN,
            now_mono: 0,
            now_utc: 0,
            restamp_due: false,
            drop_copy: DropCopy::new(options.drop_copy_ns),
            clock: ClockWatch::new(options.clock_jump_ns),
            current: Current::default(),
        })
    }

    /// Room for books and margins, made when the first extended control is configured.
    pub(crate) fn make_room(&mut self) {
        let instruments = self.instruments.len();
        self.books = vec![Book::default(); self.desks_at.end * instruments];
        self.margins = vec![0; self.accounts.len() * instruments];
        self.own.make_room(instruments * self.accounts.len());
    }

    /// Trader, desk and session of a session id.
    #[must_use]
    pub fn above(&self, session_id: u32) -> Above {
        let session = self.sessions.place(session_id);
        let trader = self.traders.place(self.sessions.parents[session]);
        Above { session, trader, desk: self.desks.place(self.traders.parents[trader]) }
    }

    /// Everyone a message of these places concerns.
    #[must_use]
    pub fn involved(&self, instrument: usize, account: usize, strategy: usize, above: Above) -> Involved {
        let mut involved = Involved::default();
        involved.push(0);
        involved.push(self.accounts.start + account);
        involved.push(self.strategies.start + strategy);
        involved.push(self.instruments.start + instrument);
        for (group, place) in [(&self.traders_at, above.trader), (&self.desks_at, above.desk), (&self.sessions_at, above.session)] {
            if place > 0 {
                involved.push(group.start + place);
            }
        }
        involved
    }

    /// Flags of trader, desk and session of the message.
    #[must_use]
    pub fn flags_above(&self) -> u32 {
        self.ledgers_above().iter().fold(0, |flags, ledger| flags | ledger.flags)
    }

    /// Flags of trader, desk and session of a session id.
    #[must_use]
    pub fn flags_of(&self, session_id: u32) -> u32 {
        let above = self.above(session_id);
        [&self.traders.ledgers[above.trader], &self.desks.ledgers[above.desk], &self.sessions.ledgers[above.session]]
            .iter()
            .fold(0, |flags, ledger| flags | ledger.flags)
    }

    /// True where trader, desk and session of the message may trade.
    #[must_use]
    pub fn is_enabled_above(&self) -> bool {
        self.ledgers_above().iter().all(|ledger| ledger.flags & crate::state::flag::ENABLED != 0)
    }

    /// Ledgers of trader, desk and session of the message.
    #[must_use]
    pub fn ledgers_above(&self) -> [&Ledger; 3] {
        let above = self.current.above;
        [&self.traders.ledgers[above.trader], &self.desks.ledgers[above.desk], &self.sessions.ledgers[above.session]]
    }

    /// Party of an account place.
    #[must_use]
    pub fn account(&self, account: usize) -> &Party {
        &self.parties[self.accounts.start + account]
    }

    /// Party of the instrument of a message.
    #[must_use]
    pub fn parties_of_instrument(&self, current: &Current) -> &Party {
        &self.parties[current.involved.places[INSTRUMENT] as usize]
    }

    /// Party of an instrument place.
    #[must_use]
    pub fn instrument(&self, instrument: usize) -> &Party {
        &self.parties[self.instruments.start + instrument]
    }

    /// What a party (up to the desks) holds and works of the instrument of the message.
    #[must_use]
    pub(crate) fn book_of(&self, place: usize) -> Option<&Book> {
        let instrument = self.current.involved.places[INSTRUMENT] as usize - self.instruments.start;
        self.books.get(place * self.instruments.len() + instrument)
    }

    /// As [`Extended::book_of`], of the message's party of a level in any instrument.
    pub(crate) fn book_at(&self, level: u8, instrument: usize) -> Option<&Book> {
        let place = self.current.involved.iter().find(|place| self.parties[*place].level as u8 == level)?;
        if place < self.desks_at.end { self.books.get(place * self.instruments.len() + instrument) } else { None }
    }

    /// True for a row that may be stopped as a whole: every level but instruments.
    pub(crate) fn is_level(&self, place: usize) -> bool {
        !self.instruments.contains(&place) && self.parties[place].slot.is_some()
    }

    /// A party by level and id.
    #[must_use]
    pub fn party(&self, level: Level, id: u32) -> Option<&Party> {
        self.parties.iter().find(|p| p.level == level && p.id == id && p.slot.is_some())
    }

    pub(crate) fn party_mut(&mut self, level: u8, id: u32) -> Option<&mut Party> {
        self.parties.iter_mut().find(|p| p.level as u8 == level && p.id == id && p.slot.is_some())
    }

    /// True where nobody stands above any order.
    #[must_use]
    pub fn has_tiers(&self) -> bool {
        [&self.traders, &self.desks, &self.sessions].iter().any(|tier| tier.ledgers.len() > 1)
    }

    /// Monotonic stamps are of another boot: what the windows hold counts as done now, minute buckets are full.
    pub(crate) fn forget_monotonic(&mut self) {
        self.restamp_due = true;
        for party in &mut self.parties {
            (party.minute_new, party.minute_replace) = Default::default();
        }
    }

    /// Takes both clocks; a new session day empties the day's counters.
    pub(crate) fn observe(&mut self, now_mono: i64, now_utc: i64) {
        (self.now_mono, self.now_utc) = (now_mono, now_utc);
        if !self.is_folding {
            self.clock.observe(now_mono, now_utc);
            self.drop_copy.begin(now_mono);
        }
        let day = (now_utc.saturating_sub(self.session_start_ns)).div_euclid(DAY_NS);
        if day > self.day {
            let is_first = self.day == i64::MIN;
            self.day = day;
            if !is_first {
                for party in &mut self.parties {
                    party.day = counts::Counts::default();
                    party.profit.is_base_due = true;
                }
            }
        }
        if self.restamp_due && !self.is_folding {
            self.restamp_due = false;
            for party in &mut self.parties {
                party.window.restamp(now_mono, party.window_ns);
            }
        }
    }
}

/// Place of the instrument among the parties of an order.
const INSTRUMENT: usize = 3;
const DAY_NS: i64 = 86_400 * pretrade_records::units::NS_PER_S;
