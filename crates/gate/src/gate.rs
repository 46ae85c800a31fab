// SPDX-License-Identifier: Apache-2.0
//! The gate: tables in, one decision out, state kept in between.
use crate::annex::Annex;
use crate::directory::Directory;
use crate::duplicates::Duplicates;
use crate::extended::Extended;
use crate::holds::{Held, MOST_HELD};
use crate::ids::IdSet;
use crate::mass_cancel::Cancelling;
use crate::options::GateOptions;
use crate::orders::OrderTable;
use crate::scoring::Scoring;
use crate::state::{Cell, Cold, Instrument, Ledger, Route};
use pretrade_journal::{GateJournal, GateJournalOptions, GateJournalReader, JournalError};
use pretrade_records::Decision;
use pretrade_records::units::ANY_STRATEGY;
use pretrade_shm::clock::ClockDomain;
use pretrade_shm::gate::LEVEL_KEY;
use pretrade_shm::memory::PrivateMemory;
use pretrade_shm::{Access, ControlsTable, CreateOptions, GateTable, Level, LimitsTable, QuotesTable, TableError};
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a gate cannot be built.
#[derive(Debug)]
pub enum GateError {
    /// A table is refused.
    Table(TableError),
    /// The gate journal is refused or corrupt.
    Journal(JournalError),
    /// Anything else, in words.
    Refused(String),
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GateError::Table(e) => e.fmt(f),
            GateError::Journal(e) => e.fmt(f),
            GateError::Refused(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for GateError {}

impl From<TableError> for GateError {
    fn from(e: TableError) -> Self {
        GateError::Table(e)
    }
}

impl From<JournalError> for GateError {
    fn from(e: JournalError) -> Self {
        GateError::Journal(e)
    }
}

impl From<std::io::Error> for GateError {
    fn from(e: std::io::Error) -> Self {
        GateError::Refused(format!("no memory for the gate's state: {e}"))
    }
}

/// Files a gate reads and writes.
#[derive(Clone, Debug)]
pub struct GateFiles {
    /// `limits` table.
    pub limits: PathBuf,
    /// `quotes` table.
    pub quotes: PathBuf,
    /// `controls` table.
    pub controls: PathBuf,
    /// What humans allow and bar one by one, beside `controls`.
    pub annex: PathBuf,
    /// This gateway's `gate` table, created.
    pub gate: PathBuf,
    /// Ring and disk file of the gate journal; `None` keeps no journal.
    pub journal: Option<GateJournalOptions>,
    /// Folder of the order-error model; `None` leaves control 34 off.
    pub order_error: Option<PathBuf>,
    /// Clock every table must carry.
    pub clock_domain: ClockDomain,
    /// Row of this gateway.
    pub gateway_id: u16,
}

impl GateFiles {
    /// The usual names in a run directory.
    #[must_use]
    pub fn in_directory(directory: &Path, gateway_id: u16, clock_domain: ClockDomain) -> Self {
        GateFiles {
            limits: directory.join("limits.tbl"),
            quotes: directory.join("quotes.tbl"),
            controls: directory.join("controls.tbl"),
            annex: directory.join("controls.annex"),
            gate: directory.join(format!("gate-{gateway_id}.tbl")),
            journal: None,
            order_error: None,
            clock_domain,
            gateway_id,
        }
    }
}

/// Decides orders. Owned by one thread; reads no clock.
#[derive(Debug)]
pub struct Gate {
    pub(crate) options: GateOptions,
    pub(crate) files: GateFiles,
    pub(crate) limits: LimitsTable,
    pub(crate) quotes: QuotesTable,
    pub(crate) controls: ControlsTable,
    pub(crate) table: GateTable,
    pub(crate) journal: Option<GateJournal>,
    pub(crate) instruments: PrivateMemory<Instrument>,
    pub(crate) routes: PrivateMemory<Route>,
    pub(crate) cold: Vec<Cold>,
    pub(crate) cells: PrivateMemory<Cell>,
    pub(crate) accounts: PrivateMemory<Ledger>,
    pub(crate) strategies: PrivateMemory<Ledger>,
    pub(crate) firm: Box<Ledger>,
    pub(crate) instrument_index: Directory,
    pub(crate) account_index: Directory,
    pub(crate) strategy_index: Directory,
    pub(crate) ids: IdSet,
    pub(crate) orders: OrderTable,
    pub(crate) duplicates: Duplicates,
    pub(crate) scoring: Option<Box<Scoring>>,
    pub(crate) held: Vec<Held>,
    pub(crate) resolved: Vec<Decision>,
    pub(crate) extended: Extended,
    pub(crate) annex: Annex,
    pub(crate) cancelling: Cancelling,
    /// Exit tickets this gateway spent.
    pub(crate) spent: Vec<u64>,
    /// Bits of [`pretrade_records::Order::flags`] that take an order off the plain path; all where every order leaves it.
    pub(crate) beyond: u64,
    pub(crate) epoch: u32,
    pub(crate) kill_word: u64,
    pub(crate) counters: Counters,
    pub(crate) is_poisoned: bool,
    /// The `controls` table lost its name: whoever arms a kill now does not reach this mapping (stage 3).
    pub(crate) is_controls_lost: bool,
    pub(crate) panic_planted: bool,
}

/// Counts since the gate was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Decisions.
    pub decisions: u64,
    /// Accepted.
    pub accepted: u64,
    /// Held.
    pub held: u64,
    /// Rejected.
    pub rejected: u64,
    /// Reads given up as torn.
    pub torn: u64,
    /// Stage changes.
    pub stage_changes: u64,
    /// Venue messages about orders the gate does not know.
    pub unknown_venue: u64,
    /// Records the journal could not take.
    pub unrecorded: u64,
    /// Orders that a configured model could not score.
    pub unscored: u64,
    /// Verified reductions that passed although their score did not.
    pub alerted: u64,
}

impl Gate {
    /// Opens the tables, claims the gateway's row, and rebuilds the state from the journal where there is one.
    ///
    /// # Errors
    /// When a table is absent or refused, the options are wrong, or the journal is corrupt.
    pub fn open(files: GateFiles, options: GateOptions) -> Result<Self, GateError> {
        if let Some(problem) = options.problem() {
            return Err(GateError::Refused(problem));
        }
        let limits = LimitsTable::open(&files.limits, &files.clock_domain, Access::Read)?;
        let quotes = QuotesTable::open(&files.quotes, &files.clock_domain, Access::Read)?;
        let controls = ControlsTable::open(&files.controls, &files.clock_domain, Access::Read)?;
        if let Some(((instrument, strategy), _)) = limits.keys().into_iter().find(|((_, strategy), _)| *strategy != ANY_STRATEGY) {
            let path = files.limits.display();
            return Err(GateError::Refused(format!(
                "{path} holds a record for strategy {strategy} of instrument {instrument}; this gate reads instrument records only"
            )));
        }
        let ids = |level: Level| rows(&controls, level);
        let (instruments, accounts, strategies) = (ids(Level::Instrument), ids(Level::Account), ids(Level::Strategy));
        if !ids(Level::Gateway).is_empty() && !ids(Level::Gateway).iter().any(|(id, _)| *id == u32::from(files.gateway_id)) {
            return Err(GateError::Refused(format!("{} has no row for gateway {}", files.controls.display(), files.gateway_id)));
        }
        if ids(Level::Firm).is_empty() {
            return Err(GateError::Refused(format!(
                "{} has no row of the firm; without one nothing bounds the sum of all accounts",
                files.controls.display()
            )));
        }
        let stoppable = [Level::Account, Level::Strategy, Level::Trader, Level::Desk, Level::Venue, Level::Firm];
        let levels = stoppable.into_iter().flat_map(|level| ids(level).into_iter().map(move |(id, _)| (id, LEVEL_KEY + level as u32)));
        let keys: Vec<(u32, u32)> = instruments.iter().map(|(id, _)| (*id, ANY_STRATEGY)).chain(levels).collect();
        let create = CreateOptions { owner_id: u32::from(files.gateway_id), ..CreateOptions::new(files.clock_domain) };
        let scoring = match &files.order_error {
            Some(folder) => Some(Box::new(Scoring::open(folder, instruments.len(), accounts.len(), strategies.len() + 1)?)),
            None => None,
        };
        let past = files.journal.as_ref().map(GateJournalReader::open);
        let table = GateTable::create(&files.gate, &keys, &create)?;
        let mut gate = Gate {
            extended: Extended::new(&controls, &options)?,
            annex: Annex::default(),
            cancelling: Cancelling::default(),
            spent: Vec::new(),
            beyond: 0,
            epoch: limits.epoch(),
            instruments: PrivateMemory::new(instruments.len().max(1))?,
            routes: PrivateMemory::new(instruments.len().max(1))?,
            cold: instruments.iter().map(|(id, slot)| Cold::new(*id, *slot)).collect(),
            cells: PrivateMemory::new((instruments.len() * accounts.len()).max(1))?,
            accounts: PrivateMemory::new(accounts.len().max(1))?,
            strategies: PrivateMemory::new(strategies.len() + 1)?,
            firm: Box::default(),
            instrument_index: Directory::new(instruments.iter().map(|(id, _)| *id), 0),
            account_index: Directory::new(accounts.iter().map(|(id, _)| *id), 0),
            strategy_index: Directory::new(strategies.iter().map(|(id, _)| *id), 1),
            ids: IdSet::new(options.id_blocks)?,
            orders: OrderTable::new(options.live_orders)?,
            duplicates: Duplicates::new(options.duplicate_window_ns, options.duplicate_count)?,
            scoring,
            held: Vec::with_capacity(MOST_HELD),
            resolved: Vec::new(),
            journal: None,
            kill_word: 0,
            counters: Counters::default(),
            is_poisoned: false,
            is_controls_lost: false,
            panic_planted: false,
            options,
            files,
            limits,
            quotes,
            controls,
            table,
        };
        gate.start(&accounts, &strategies)?;
        if let Some(past) = past {
            gate.extended.is_folding = true;
            gate.rebuild(past)?;
            gate.extended.is_folding = false;
            gate.read_all_ledgers();
        }
        Ok(gate)
    }

    fn start(&mut self, accounts: &[(u32, usize)], strategies: &[(u32, usize)]) -> Result<(), GateError> {
        for (at, cold) in self.cold.iter().enumerate() {
            let instrument = &mut self.instruments[at];
            self.routes[at] = Route {
                limits: self.limits.spot(self.limits.slot(cold.instrument_id, ANY_STRATEGY)),
                quotes: self.quotes.spot(self.quotes.slot(cold.instrument_id, 0)),
            };
            // Odd: nothing was read yet. Generation 0 never is one.
            (instrument.limits_seq, instrument.quotes_seq, instrument.score, instrument.stage) = (1, 1, f32::NAN, 1);
            instrument.set_bounds(crate::bounds::Bounds::unknown());
        }
        for cell in self.cells.iter_mut() {
            cell.is_known = u64::from(self.options.is_flat_at_start);
        }
        for (ledger, (id, slot)) in self.accounts.iter_mut().zip(accounts).chain(self.strategies[1..].iter_mut().zip(strategies)) {
            (ledger.id, ledger.controls_slot) = (*id, *slot as u64 + 1);
        }
        self.firm.controls_slot = rows(&self.controls, Level::Firm).first().map_or(0, |(_, slot)| *slot as u64 + 1);
        // Strategy 0 stands for all that have no row: where others have one, an unlisted strategy is not authorised.
        self.strategies[0] = if strategies.is_empty() { crate::refresh::open_ledger() } else { Ledger::default() };
        for at in 0..self.cold.len() {
            self.read_controls(at);
        }
        self.read_all_ledgers();
        Ok(())
    }

    /// Number of instruments.
    #[must_use]
    pub fn instrument_count(&self) -> usize {
        self.cold.len()
    }

    /// Counts since the gate was built.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// True once a panic was caught: everything but cancels is refused until the gate is rebuilt.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.is_poisoned
    }

    /// Makes the next order panic inside the gate: the planted fault of the border tests.
    #[doc(hidden)]
    pub fn plant_panic(&mut self) {
        self.panic_planted = true;
        for instrument in self.instruments.iter_mut() {
            instrument.limits_seq = 1;
        }
    }

    /// Makes the journal refuse the next record although it has room: the planted fault of the tests.
    #[doc(hidden)]
    pub fn plant_refusal(&mut self) {
        self.journal.iter_mut().for_each(pretrade_journal::GateJournal::plant_refusal);
    }

    /// Signed position of an account in an instrument, `None` where unknown.
    #[must_use]
    pub fn position(&self, instrument_id: u32, account_id: u32) -> Option<i64> {
        self.cell(instrument_id, account_id).filter(|c| c.is_known != 0).map(|c| c.position)
    }

    /// Exposure of an account in an instrument.
    #[must_use]
    pub fn cell(&self, instrument_id: u32, account_id: u32) -> Option<Cell> {
        let (i, a) = (self.instrument_index.get(instrument_id)?, self.account_index.get(account_id)?);
        Some(self.cells[self.cell_at(i, a)])
    }

    /// Live orders, held ones included.
    #[must_use]
    pub fn open_orders(&self) -> i64 {
        self.firm.open_orders
    }

    /// Grows the set of client order ids when it fills up; called at the border, never inside a check.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn reserve(&mut self) -> Result<(), GateError> {
        Ok(self.ids.reserve()?)
    }

    #[inline]
    pub(crate) fn cell_at(&self, instrument: usize, account: usize) -> usize {
        instrument * self.accounts.len() + account
    }
}

fn rows(controls: &ControlsTable, level: Level) -> Vec<(u32, usize)> {
    controls.keys().into_iter().filter(|((_, l), _)| *l == level as u32).map(|((id, _), slot)| (id, slot)).collect()
}
