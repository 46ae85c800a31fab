// SPDX-License-Identifier: Apache-2.0
//! Events in, rows on the receive-time grid out; batch and stream are the same calls.
use crate::cross::{Group, GroupSpec, Seen};
use crate::features::COUNT;
use crate::instrument::{Faults, Instrument};
use crate::row::{InstrumentSpec, Row, SnapshotSpec};
use crate::state::{Reader, State, StateError, fresh};
use pretrade_records::{Event, EventFlags, EventKind, QuotesRecord, ReferenceKind};
use std::collections::HashMap;

const MAGIC: u32 = u32::from_le_bytes(*b"PTFE");
const VERSION: u32 = 3;
const SECOND: i64 = 1_000_000_000;
/// A silence that ends the recording it is in: beyond it the grid starts anew at the next event.
const RECORDING_GAP_NS: i64 = 4 * 86_400 * 1_000_000_000;

/// Feature engine over a group of instruments.
pub struct FeatureEngine {
    instruments: Vec<Instrument>,
    places: HashMap<u32, usize>,
    groups: Vec<Group>,
    /// Group and place in it of each instrument, by its place here: the first group that has it.
    homes: Vec<Option<(usize, usize)>>,
    last_place: usize,
    snapshot: SnapshotSpec,
    next_grid: i64,
    now: i64,
    with_quotes: bool,
    /// Rows closed and not yet taken.
    pub rows: Vec<Row>,
    /// The quotes record at each row, where asked for.
    pub quote_rows: Vec<QuotesRecord>,
    /// Events whose instrument is not among ours.
    pub foreign_events: u64,
}

impl FeatureEngine {
    /// An engine over `specs`.
    #[must_use]
    pub fn new(specs: Vec<InstrumentSpec>, snapshot: SnapshotSpec, with_quotes: bool) -> Self {
        Self {
            places: specs.iter().enumerate().map(|(place, s)| (s.instrument_id, place)).collect(),
            homes: vec![None; specs.len()],
            groups: Vec::new(),
            instruments: specs.into_iter().map(|s| Instrument::new(s, snapshot)).collect(),
            last_place: 0,
            snapshot,
            next_grid: i64::MIN,
            now: i64::MIN,
            with_quotes,
            rows: Vec::new(),
            quote_rows: Vec::new(),
            foreign_events: 0,
        }
    }

    /// Sees instruments as groups; members that are not ours are left out, and of one alone nothing is told.
    #[must_use]
    pub fn with_groups(mut self, specs: Vec<GroupSpec>) -> Self {
        for mut spec in specs {
            spec.members.retain(|id| self.places.contains_key(id));
            if spec.members.len() < 2 {
                continue;
            }
            for (member, id) in spec.members.iter().enumerate() {
                self.homes[self.places[id]].get_or_insert((self.groups.len(), member));
            }
            self.groups.push(Group::new(spec));
        }
        self
    }

    /// Takes one event; grid rows before it are closed first. An event older than its predecessor is taken at the present.
    pub fn push(&mut self, event: &Event) {
        if event.has(EventFlags::RECAP) {
            return self.hear_again(event);
        }
        if event.ts_recv > self.next_grid {
            self.reach(event.ts_recv);
        }
        self.now = self.now.max(event.ts_recv);
        let is_figure = event.kind == EventKind::Reference as u8 && event.aux == ReferenceKind::Index as u64 && self.hear(event);
        if let Some(place) = self.place(event.instrument_id) {
            if event.kind == EventKind::Reference as u8 && event.aux == ReferenceKind::Split as u64 && event.price > 0 {
                self.groups.iter_mut().for_each(|g| g.split(event.instrument_id, event.price as f64 / 1e9));
            }
            self.instruments[place].push(event, self.now);
        } else if event.instrument_id == 0 && event.kind == EventKind::Heartbeat as u8 {
            self.instruments.iter_mut().for_each(|i| i.hear_alive(self.now));
        } else if !is_figure {
            self.foreign_events += 1;
        }
    }

    /// Takes one event of a recap: nothing to an instrument that received events before it.
    #[cold]
    fn hear_again(&mut self, event: &Event) {
        if let Some(place) = self.place(event.instrument_id) {
            self.instruments[place].hear_again(event);
        }
    }

    /// Every book said again as of now, for a reader that starts here; `None` inside a snapshot of the venue.
    #[must_use]
    pub fn recap(&self) -> Option<Vec<Event>> {
        let mut out = Vec::new();
        for instrument in &self.instruments {
            if instrument.book.is_in_snapshot() {
                return None;
            }
            instrument.say_again(self.now, &mut out);
        }
        Some(out)
    }

    /// A figure that some group reads; true where there is one.
    fn hear(&mut self, event: &Event) -> bool {
        let (id, now) = (event.instrument_id, self.now);
        let mut is_heard = false;
        for group in &mut self.groups {
            is_heard |= group.hear(id, event.price, event.ts_event, now);
        }
        is_heard
    }

    /// What each member of group `at` shows at `ts`.
    fn seen(&mut self, at: usize, ts: i64) -> Vec<Seen> {
        self.groups[at].spec().members.iter().map(|id| self.instruments[self.places[id]].seen(ts)).collect()
    }

    /// Moves the groups on to the grid row at `ts` and fills in what they say of the rows from `first` on.
    fn close_groups(&mut self, ts: i64, first: usize) {
        for at in 0..self.groups.len() {
            let seen = self.seen(at, ts);
            self.groups[at].advance(&seen, ts % SECOND == 0);
        }
        for row in &mut self.rows[first..] {
            if let Some((group, member)) = self.homes[self.places[&row.instrument_id]] {
                self.groups[group].values(member, ts, None, row);
            }
        }
    }

    /// Lays the calendar of each instrument, in their order, further out; the first of its phases begins where the last one ends.
    pub fn lay_out(&mut self, phases: Vec<Vec<(i64, i64, u8)>>) {
        for (instrument, more) in self.instruments.iter_mut().zip(phases) {
            for (start, end, phase) in more {
                match instrument.spec.phases.last_mut() {
                    Some(last) if last.1 == start && last.2 == phase => last.1 = end,
                    _ => instrument.spec.phases.push((start, end, phase)),
                }
            }
        }
    }

    /// Place of an instrument; runs of one instrument's events are the rule.
    fn place(&mut self, instrument_id: u32) -> Option<usize> {
        if self.instruments.get(self.last_place).is_none_or(|i| i.id() != instrument_id) {
            self.last_place = *self.places.get(&instrument_id)?;
        }
        Some(self.last_place)
    }

    /// Moves the grid to the first point not before `ts`, closing the rows on the way.
    #[cold]
    fn reach(&mut self, ts: i64) {
        if self.next_grid == i64::MIN || ts - self.next_grid > RECORDING_GAP_NS {
            self.groups.iter_mut().for_each(Group::lose);
            self.next_grid = -((-ts).div_euclid(self.snapshot.interval_ns)) * self.snapshot.interval_ns;
        }
        while self.next_grid < ts {
            self.close_grid();
        }
    }

    /// Closes every grid row up to and including `ts`: no record with this or an earlier receive time will come.
    pub fn close(&mut self, ts: i64) {
        while self.next_grid != i64::MIN && self.next_grid <= ts {
            self.close_grid();
        }
        self.now = self.now.max(ts);
    }

    fn close_grid(&mut self) {
        let (ts, first) = (self.next_grid, self.rows.len());
        for instrument in &mut self.instruments {
            if let Some(row) = instrument.close_row(ts) {
                self.rows.push(row);
                if self.with_quotes {
                    self.quote_rows.push(instrument.quotes(ts));
                }
            }
        }
        if !self.groups.is_empty() {
            self.close_groups(ts, first);
        }
        self.next_grid += self.snapshot.interval_ns;
    }

    /// An event-driven row of one instrument at `ts`, not before the last event and not after the next grid point; else `None`.
    #[must_use]
    pub fn row_now(&mut self, instrument_id: u32, ts: i64) -> Option<Row> {
        let place = self.place(instrument_id)?;
        let mut row = (self.now <= ts && ts <= self.next_grid).then(|| self.instruments[place].row_now(ts))??;
        if let Some((group, member)) = self.homes[place] {
            let now = self.seen(group, ts);
            self.groups[group].values(member, ts, Some(&now), &mut row);
        }
        Some(row)
    }

    /// The quotes record of every instrument now.
    #[must_use]
    pub fn quotes(&mut self) -> Vec<QuotesRecord> {
        let now = self.now;
        self.instruments.iter_mut().map(|i| i.quotes(now)).collect()
    }

    /// Faults over all instruments.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.instruments.iter().fold(Faults::default(), |a, i| Faults {
            crossed_book: a.crossed_book + i.faults.crossed_book,
            unknown_order: a.unknown_order + i.faults.unknown_order,
            price_step: a.price_step + i.faults.price_step,
        })
    }

    /// One instrument's state.
    #[must_use]
    pub fn instrument(&self, instrument_id: u32) -> Option<&Instrument> {
        self.places.get(&instrument_id).map(|place| &self.instruments[*place])
    }

    /// Hash (FNV-1a) of all an engine is built from.
    fn fingerprint(&self) -> u64 {
        let s = &self.snapshot;
        let mut words = vec![s.interval_ns, s.depth_levels as i64, s.stale_after_ns, s.depth_window_ticks];
        for spec in self.instruments.iter().map(|i| &i.spec) {
            words.extend([i64::from(spec.instrument_id), spec.tick_size, spec.adv, spec.phases.len() as i64]);
            words.extend(spec.phases.iter().flat_map(|(start, end, phase)| [*start, *end, i64::from(*phase)]));
        }
        for spec in self.groups.iter().map(Group::spec) {
            words.push(spec.members.len() as i64);
            words.extend(spec.members.iter().chain(spec.factor.iter()).chain(spec.leader.iter()).map(|id| i64::from(*id)));
            words.push(i64::from(spec.factor.is_some()) + 2 * i64::from(spec.leader.is_some()));
            words.extend(spec.volatility.iter().flat_map(|(near, far)| [i64::from(*near), i64::from(*far)]));
        }
        words.iter().flat_map(|w| w.to_le_bytes()).fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
    }

    /// Everything the rows to come depend on, as bytes; rows not yet taken are not part of it.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        let mut out = Vec::new();
        [MAGIC, VERSION, COUNT as u32].write(&mut out);
        self.fingerprint().write(&mut out);
        self.next_grid.write(&mut out);
        self.now.write(&mut out);
        self.foreign_events.write(&mut out);
        self.instruments.iter().for_each(|i| i.write(&mut out));
        self.groups.iter().for_each(|g| g.write(&mut out));
        out
    }

    /// Goes on from saved state; the engine must have been built for the same instruments, calendars and settings, which is checked.
    /// The bytes are trusted beyond their shape: who stores them sees to a checksum.
    ///
    /// # Errors
    /// Where the bytes are not the state of such an engine; this engine is then unchanged.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut from = Reader(bytes);
        let head: [u32; 3] = fresh(&mut from)?;
        if head != [MAGIC, VERSION, COUNT as u32] {
            return Err(StateError(format!("its head is {head:?}; it must be {:?}", [MAGIC, VERSION, COUNT as u32])));
        }
        let built_for: u64 = fresh(&mut from)?;
        if built_for != self.fingerprint() {
            return Err(StateError("it was saved under other instruments, calendars or snapshot settings".into()));
        }
        let [next_grid, now]: [i64; 2] = fresh(&mut from)?;
        let foreign_events = fresh(&mut from)?;
        let mut instruments = self.instruments.clone();
        instruments.iter_mut().try_for_each(|i| i.read(&mut from))?;
        let mut groups = self.groups.clone();
        groups.iter_mut().try_for_each(|g| g.read(&mut from))?;
        if !from.0.is_empty() {
            return Err(StateError(format!("{} bytes are left over", from.0.len())));
        }
        self.groups = groups;
        (self.instruments, self.next_grid, self.now, self.foreign_events) = (instruments, next_grid, now, foreign_events);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretrade_records::Side;

    fn engine(depth_levels: usize) -> FeatureEngine {
        let spec = InstrumentSpec { instrument_id: 7, tick_size: 1, adv: 0, phases: vec![(0, i64::MAX, 3)] };
        let snapshot = SnapshotSpec { interval_ns: SECOND / 10, depth_levels, stale_after_ns: 5 * SECOND, depth_window_ticks: 10 };
        FeatureEngine::new(vec![spec], snapshot, false)
    }

    fn event(ts: i64, kind: EventKind, side: Side, order_id: u64, price: i64, size: i64) -> Event {
        let flags = EventFlags::LAST;
        Event { ts_recv: ts, ts_event: ts, kind: kind as u8, side: side as u8, order_id, price, size, flags, instrument_id: 7, ..Event::default() }
    }

    #[test]
    fn asking_between_two_records_of_one_instant_changes_no_row_to_come() {
        let t = 10 * SECOND + 3;
        let events = [
            event(t - 5, EventKind::Add, Side::Bid, 1, 100, 50),
            event(t - 4, EventKind::Add, Side::Bid, 2, 99, 50),
            event(t - 3, EventKind::Add, Side::Ask, 3, 102, 50),
            event(t, EventKind::Trade, Side::Ask, 0, 100, 50),
            event(t + 1, EventKind::Execute, Side::Bid, 1, 100, 50),
            event(t + SECOND, EventKind::Add, Side::Ask, 4, 103, 5),
            event(t + SECOND, EventKind::Add, Side::Bid, 5, 98, 30),
        ];
        let (mut asked, mut unasked) = (engine(10), engine(10));
        for e in &events {
            asked.push(e);
            unasked.push(e);
            assert!(asked.row_now(7, e.ts_recv).is_some());
        }
        asked.close(t + 2 * SECOND);
        unasked.close(t + 2 * SECOND);
        assert_eq!(asked.state(), unasked.state());
    }

    #[test]
    fn a_heartbeat_that_says_messages_are_missing_makes_the_book_unsound() {
        let mut engine = engine(10);
        engine.push(&event(SECOND, EventKind::Add, Side::Bid, 1, 100, 50));
        engine.push(&Event { flags: 0, ..event(2 * SECOND, EventKind::Heartbeat, Side::None, 0, 0, 0) });
        assert!(!engine.instrument(7).unwrap().book.is_unsound());
        engine.push(&Event { flags: EventFlags::GAP, ..event(3 * SECOND, EventKind::Heartbeat, Side::None, 0, 0, 0) });
        assert!(engine.instrument(7).unwrap().book.is_unsound());
    }

    #[test]
    fn state_is_refused_by_an_engine_of_other_settings() {
        let mut saved = engine(10);
        saved.push(&event(SECOND, EventKind::Add, Side::Bid, 1, 100, 50));
        let state = saved.state();
        assert!(engine(10).restore(&state).is_ok());
        assert!(engine(5).restore(&state).is_err());
    }
}
