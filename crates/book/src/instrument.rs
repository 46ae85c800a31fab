// SPDX-License-Identifier: Apache-2.0
//! One instrument: its book, windows, phase and soundness, moved on by events and by the grid.
use crate::baseline::{Recent, TimeOfDay};
use crate::book::{Applied, Book};
use crate::cross::Seen;
use crate::flow::{Count, Flow, TickRule, Touches, Vpin};
use crate::news::News;
use crate::resilience::{Resilience, median_half_life};
use crate::returns::Returns;
use crate::row::{InstrumentSpec, Row, SnapshotSpec};
use crate::state;
use crate::window::Total;
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Event, EventFlags, EventKind, FeedState, Phase, ReferenceKind, Side};

const SECOND: i64 = 1_000_000_000;
/// Levels of the resilience of depth.
const SHOCK_LEVELS: usize = 5;

/// Counts of faults that only the book can see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Event ends with best bid above best ask in continuous trading.
    pub crossed_book: u64,
    /// Records that named an order nobody knows.
    pub unknown_order: u64,
    /// Prices at least half as much again as the one before, or as much less, that no split explains.
    pub price_step: u64,
}

state!(Faults { crossed_book, unknown_order, price_step });

/// State of one instrument.
#[derive(Clone, Debug)]
pub struct Instrument {
    pub(crate) spec: InstrumentSpec,
    pub(crate) snapshot: SnapshotSpec,
    /// The book.
    pub book: Book,
    pub(crate) flow: Flow,
    pub(crate) returns: Returns,
    pub(crate) resilience: [Resilience; 2],
    pub(crate) half_life: Option<(f64, bool)>,
    pub(crate) recent_depth: [Recent; 2],
    pub(crate) usual_depth: [TimeOfDay; 2],
    pub(crate) best_size: [Total; 2],
    pub(crate) touches: Touches,
    pub(crate) tick_rule: TickRule,
    pub(crate) vpin: Vpin,
    pub(crate) news: News,
    pub(crate) volume: Total,
    pub(crate) open_volume: i64,
    noted: u64,
    /// An event of this instrument was received.
    pub(crate) is_started: bool,
    pub(crate) status: Option<u8>,
    phase_at: usize,
    negative_lag: bool,
    pub(crate) has_book: bool,
    /// Length of the bars of a feed that has them, 0 where none.
    bar_ns: i64,
    pub(crate) ts_alive: i64,
    pub(crate) ts_event: i64,
    pub(crate) ts_book: i64,
    pub(crate) ts_book_event: i64,
    pub(crate) lag_ns: i64,
    pub(crate) spread_area: i128,
    spread_since: i64,
    pub(crate) spread_time: i64,
    pub(crate) last_price: i64,
    pub(crate) ts_last: i64,
    /// Price that steps are measured from: of a print, of a bar, or the mid of a row.
    pub(crate) step_price: i64,
    /// Faults so far.
    pub faults: Faults,
}

state!(Instrument {
    book,
    flow,
    returns,
    resilience,
    half_life,
    noted,
    recent_depth,
    usual_depth,
    best_size,
    touches,
    tick_rule,
    vpin,
    news,
    volume,
    open_volume,
    status,
    phase_at,
    negative_lag,
    has_book,
    bar_ns,
    ts_alive,
    ts_event,
    ts_book,
    ts_book_event,
    lag_ns,
    spread_area,
    spread_since,
    spread_time,
    last_price,
    ts_last,
    is_started,
    step_price,
    faults
});

impl Instrument {
    /// A fresh instrument.
    #[must_use]
    pub fn new(spec: InstrumentSpec, snapshot: SnapshotSpec) -> Self {
        Self {
            vpin: Vpin::new(spec.adv),
            spec,
            snapshot,
            book: Book::default(),
            flow: Flow::default(),
            returns: Returns::default(),
            resilience: Default::default(),
            half_life: None,
            recent_depth: Default::default(),
            usual_depth: Default::default(),
            best_size: [Total::new(100), Total::new(100)],
            touches: (None, None),
            tick_rule: TickRule::default(),
            news: News::default(),
            volume: Total::new(600),
            open_volume: 0,
            noted: 0,
            is_started: false,
            status: None,
            phase_at: 0,
            negative_lag: false,
            has_book: false,
            bar_ns: 0,
            ts_alive: 0,
            ts_event: 0,
            ts_book: 0,
            ts_book_event: 0,
            lag_ns: 0,
            spread_area: 0,
            spread_since: 0,
            spread_time: 0,
            last_price: UNDEFINED_PRICE,
            ts_last: 0,
            step_price: UNDEFINED_PRICE,
            faults: Faults::default(),
        }
    }

    /// Instrument id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.spec.instrument_id
    }

    /// Phase at `ts` (not before the last call's): a status record holds until the calendar next changes.
    pub fn phase(&mut self, ts: i64) -> Phase {
        while let Some((_, end, _)) = self.spec.phases.get(self.phase_at) {
            if ts < *end {
                break;
            }
            self.phase_at += 1;
            self.status = None;
        }
        let calendar = match self.spec.phases.get(self.phase_at) {
            Some((start, _, phase)) if ts >= *start => *phase,
            _ => Phase::Closed as u8,
        };
        Phase::try_from(self.status.unwrap_or(calendar)).unwrap_or(Phase::Unknown)
    }

    /// When the phase the calendar holds now ends.
    pub(crate) fn phase_end(&self) -> Option<i64> {
        self.spec.phases.get(self.phase_at).map(|p| p.1)
    }

    /// The channel said that it is alive at `ts`.
    pub fn hear_alive(&mut self, ts: i64) {
        self.ts_alive = ts;
    }

    /// Takes one event at receive time `ts` (its own, or the present where it comes late).
    pub fn push(&mut self, event: &Event, ts: i64) {
        let Ok(kind) = EventKind::try_from(event.kind) else { return };
        self.is_started = true;
        match kind {
            // A heartbeat that says messages are missing is news of the book.
            EventKind::Heartbeat if event.flags & EventFlags::GAP == 0 => return self.hear_alive(ts),
            EventKind::OwnOrder | EventKind::OwnExecution => return,
            EventKind::Sentiment => return self.news.hear(ts, event.price, event.size),
            EventKind::Reference if event.aux == ReferenceKind::Split as u64 => return self.split(event.price),
            EventKind::Status => {
                self.phase(ts);
                self.status = u8::try_from(event.aux).ok();
            }
            EventKind::Trade => self.trade(event, ts),
            EventKind::BarClose => self.bar(event, ts),
            _ => {}
        }
        self.ts_alive = ts;
        self.ts_event = event.ts_event;
        self.lag_ns = event.ts_recv - event.ts_event;
        self.negative_lag |= event.ts_recv < event.ts_event;
        let applied = self.book.apply(event);
        if applied == Applied::UnknownOrder {
            self.faults.unknown_order += 1;
        }
        self.count(event, kind, ts, applied);
        if event.flags & EventFlags::LAST != 0 && kind as u8 <= EventKind::Trade as u8 {
            self.end_of_event(event, ts);
        }
    }

    /// A print; it may come before or after the book records of its event, so depth before it is that of the last event end.
    fn trade(&mut self, event: &Event, ts: i64) {
        self.note_price(event.price);
        self.last_price = event.price;
        self.ts_last = ts;
        self.open_volume += event.size;
        let side = Side::try_from(event.side).ok().filter(|s| *s != Side::None);
        let (sign, inferred) = self.tick_rule.sign(side, event.price);
        self.flow.add(ts, Count::Trade, 1);
        self.flow.add(ts, Count::Volume, event.size);
        if sign != 0 {
            self.flow.add(ts, Count::Signed, sign * event.size);
            self.resilience[usize::from(sign > 0)].on_trade(ts);
        }
        if inferred || event.flags & EventFlags::SIDE_INFERRED != 0 {
            self.flow.add(ts, Count::Inferred, event.size);
        }
        self.vpin.push(event.size, sign);
    }

    fn bar(&mut self, event: &Event, ts: i64) {
        self.note_price(event.price);
        self.last_price = event.price;
        self.ts_last = ts;
        self.open_volume += event.size;
        self.bar_ns = (event.ts_recv - event.ts_event).max(1);
    }

    /// Counts orders entered, changed and withdrawn; what a snapshot, a fill or another record already said is left out.
    fn count(&mut self, event: &Event, kind: EventKind, ts: i64, applied: Applied) {
        const QUIET: u16 = EventFlags::SNAPSHOT | EventFlags::CAUSED_BY_FILL | EventFlags::DERIVED;
        if event.flags & QUIET != 0 {
            return;
        }
        let what = match (kind, applied) {
            (EventKind::Add, _) => Count::Add,
            (EventKind::Cancel, _) => Count::Cancel,
            (EventKind::Modify, _) => Count::Modify,
            (EventKind::Level, Applied::Changed(by)) if by > 0 => Count::Add,
            (EventKind::Level, Applied::Changed(by)) if by < 0 => Count::Cancel,
            _ => return,
        };
        self.flow.add(ts, what, 1);
    }

    /// Follows the touches after a venue event.
    fn end_of_event(&mut self, event: &Event, ts: i64) {
        self.has_book |= !self.book.bids().is_empty() || !self.book.asks().is_empty();
        self.ts_book = ts;
        self.ts_book_event = event.ts_event;
        self.integrate_spread(ts);
        let was_sound = self.is_sound();
        let before = std::mem::replace(&mut self.touches, (self.book.bids().best(), self.book.asks().best()));
        if self.is_crossed() && self.phase(ts) == Phase::Continuous {
            self.faults.crossed_book += 1;
        }
        if was_sound && self.is_sound() && event.flags & EventFlags::SNAPSHOT == 0 {
            self.flow.quote(ts, before, self.touches);
            self.resilience[0].on_depth(ts, self.book.bids().depth(SHOCK_LEVELS));
            self.resilience[1].on_depth(ts, self.book.asks().depth(SHOCK_LEVELS));
        }
    }

    /// Adds the spread that held since the last call; a crossed or unsound book has none.
    fn integrate_spread(&mut self, ts: i64) {
        if let (Some(b), Some(a)) = self.touches
            && self.is_sound()
        {
            let held = (ts - self.spread_since).max(0);
            self.spread_area += i128::from(a.0 - b.0) * i128::from(held);
            self.spread_time += held;
        }
        self.spread_since = ts;
    }

    fn is_crossed(&self) -> bool {
        matches!(self.touches, (Some(b), Some(a)) if b.0 > a.0)
    }

    /// Whether features may be derived from the book.
    pub(crate) fn is_sound(&self) -> bool {
        !self.book.is_unsound() && !self.is_crossed()
    }

    /// What is wrong now.
    pub(crate) fn feed_state(&self, ts: i64, phase: Phase) -> u8 {
        let mut state = 0;
        if self.book.is_unsound() {
            state |= FeedState::RESYNC;
        }
        // A feed of bars is silent between them.
        if !self.has_prices() || ts - self.ts_alive > self.snapshot.stale_after_ns + self.bar_ns {
            state |= FeedState::STALE;
        }
        match self.touches {
            (Some(b), Some(a)) if b.0 > a.0 => state |= FeedState::CROSSED,
            (Some(b), Some(a)) if b.0 == a.0 => state |= FeedState::LOCKED,
            (Some(_), Some(_)) => {}
            _ if self.has_book => state |= FeedState::ONE_SIDED,
            _ => {}
        }
        if self.negative_lag {
            state |= FeedState::NEGATIVE_LAG;
        }
        if phase == Phase::Halted {
            state |= FeedState::HALTED;
        }
        state
    }

    /// What the other instruments of its group see of this one at `ts`: a mid only in continuous trading, sound and fresh.
    pub(crate) fn seen(&mut self, ts: i64) -> Seen {
        const UNUSABLE: u8 = FeedState::GAP | FeedState::STALE | FeedState::CROSSED | FeedState::HALTED | FeedState::RESYNC;
        let phase = self.phase(ts);
        let is_usable = phase == Phase::Continuous && self.feed_state(ts, phase) & UNUSABLE == 0;
        let mid = self.twice_mid().filter(|m| is_usable && *m > 0);
        Seen { log: mid.map_or(f64::NAN, |m| (m as f64).ln()), ts: self.ts_book.max(self.ts_last) }
    }

    fn has_prices(&self) -> bool {
        self.has_book || self.bar_ns > 0
    }

    /// Twice the mid of a sound two-sided book; of a feed of bars, twice the last close.
    pub(crate) fn twice_mid(&self) -> Option<i64> {
        match self.touches {
            (Some(b), Some(a)) if self.is_sound() => Some(b.0 + a.0),
            _ if self.bar_ns > 0 && !self.has_book => Some(2 * self.last_price),
            _ => None,
        }
    }

    /// Closes the grid row at `ts`; `None` outside continuous trading, where windows of returns restart.
    pub fn close_row(&mut self, ts: i64) -> Option<Row> {
        let phase = self.phase(ts);
        let is_second = ts % SECOND == 0;
        self.flow.close(ts);
        if self.book.is_unsound() {
            self.flow.lose();
        }
        self.volume.push(std::mem::take(&mut self.open_volume));
        self.recover(ts);
        self.news.advance(ts, is_second);
        let row = if phase == Phase::Continuous && self.has_prices() {
            self.integrate_spread(ts);
            self.sample(ts, is_second);
            Some(self.row(ts, phase, 0))
        } else {
            if phase != Phase::Continuous {
                self.returns.clear();
                self.best_size.iter_mut().for_each(Total::clear);
            }
            None
        };
        self.spread_area = 0;
        self.spread_time = 0;
        self.spread_since = ts;
        self.negative_lag = false;
        row
    }

    /// Judges shocks up to `ts`; the median over them is made anew where one was added.
    fn recover(&mut self, ts: i64) {
        self.resilience.iter_mut().for_each(|r| r.advance(ts));
        let noted = self.resilience[0].noted() + self.resilience[1].noted();
        if noted != self.noted {
            self.noted = noted;
            self.half_life = median_half_life(&self.resilience);
        }
    }

    /// Moves the windows of the book on by one row; an unsound book adds nothing but the passing of time.
    fn sample(&mut self, ts: i64, is_second: bool) {
        self.returns.push(self.twice_mid());
        // A wide market has a mid but no price to measure a step from.
        if let (Some(b), Some(a)) = self.touches
            && self.is_sound()
            && (a.0 - b.0).saturating_mul(10) < b.0
        {
            self.note_price(b.0.midpoint(a.0));
        }
        let best = match self.touches {
            (Some(b), Some(a)) if self.is_sound() => [b.1 + a.1, 1],
            _ => [0, 0],
        };
        self.best_size[0].push(best[0]);
        self.best_size[1].push(best[1]);
        if !is_second {
            return;
        }
        let is_sampled = self.has_book && self.is_sound();
        for (side, levels) in [self.book.bids(), self.book.asks()].into_iter().enumerate() {
            self.recent_depth[side].advance(ts);
            if is_sampled {
                let depth = levels.depth(self.snapshot.depth_levels);
                self.recent_depth[side].sample(ts, depth);
                self.usual_depth[side].sample(ts, depth);
            }
        }
    }

    /// An event-driven row at `ts`; windows end there, the grid stays where it is.
    #[must_use]
    pub fn row_now(&mut self, ts: i64) -> Option<Row> {
        let phase = self.phase(ts);
        if phase != Phase::Continuous || !self.has_prices() {
            return None;
        }
        self.integrate_spread(ts);
        // Another record of this very instant may follow; what its depth decides is left to it, or asking would change rows to come.
        self.recover(ts - 1);
        self.news.advance(ts, false);
        Some(self.row(ts, phase, 1))
    }
}
