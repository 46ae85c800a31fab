// SPDX-License-Identifier: Apache-2.0
//! One row of cells to events.
use super::cell::{Cell, Scale};
use super::map::{Of, OrderAction, Rows, TableInstrument, TableMap};
use crate::error::{FaultKind, FaultLog};
use crate::levels::{BookRow, LevelDiff, check_order};
use pretrade_records::units::PRICE_SCALE;
use pretrade_records::{Event, EventFlags, EventKind, Side};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Largest price in 1e-9 and largest size in units that are believed.
const LARGEST_PRICE: i64 = 1_000_000_000_000_000_000;
const LARGEST_SIZE: i64 = 1_000_000_000_000_000;

/// What is remembered per instrument.
#[derive(Default)]
struct State {
    levels: LevelDiff,
    in_snapshot: bool,
    gap: bool,
}

/// Turns rows of one table into events.
pub struct RowDecoder {
    map: TableMap,
    path: PathBuf,
    unit: &'static str,
    states: HashMap<u32, State>,
    row: BookRow,
    sequence: Option<i64>,
    ts_last: i64,
    /// Faults so far.
    pub faults: FaultLog,
}

impl RowDecoder {
    /// A decoder of rows of the file `path`, its name in faults; `unit` says what a row is called there.
    #[must_use]
    pub fn new(map: TableMap, path: &Path, unit: &'static str) -> Self {
        Self {
            map,
            path: path.to_path_buf(),
            unit,
            states: HashMap::new(),
            row: BookRow::default(),
            sequence: None,
            ts_last: i64::MIN,
            faults: FaultLog::default(),
        }
    }

    /// The map.
    #[must_use]
    pub fn map(&self) -> &TableMap {
        &self.map
    }

    /// Counts the row at `line` as one that says nothing.
    pub fn bad(&mut self, line: u64, what: String) {
        self.faults.add(FaultKind::BadLine, &self.path, || format!("{} {line}", self.unit), || what);
    }

    /// Appends the events of one row; a row that says nothing is a counted fault. It is read whole before any event is made.
    pub fn decode(&mut self, cells: &[Cell<'_>], line: u64, out: &mut Vec<Event>) {
        if let Err(what) = self.row(cells, line, out) {
            self.bad(line, what);
        }
    }

    fn row(&mut self, cells: &[Cell<'_>], line: u64, out: &mut Vec<Event>) -> Result<(), String> {
        if cells.len() != self.map.columns.len() {
            return Err(format!("{} cells were given for {} columns", cells.len(), self.map.columns.len()));
        }
        let Some(instrument) = self.instrument(cells)? else { return Ok(()) };
        let ts_event = self.map.clock.read(cells[self.map.ts_event], "ts_event")?;
        let ts_recv = self.map.ts_recv.map_or(Ok(ts_event), |slot| self.map.clock.read(cells[slot], "ts_recv"))?;
        let sequence = self.map.sequence.map(|slot| Scale::ONE.apply_whole(cells[slot])).transpose()?.flatten();
        let mut stamp = Event {
            ts_event,
            ts_recv,
            sequence: sequence.and_then(|s| u64::try_from(s).ok()).unwrap_or_default(),
            instrument_id: instrument.instrument_id,
            ..Event::default()
        };
        if let Rows::Bars { interval_ns, at_start, .. } = self.map.rows {
            let (begin, end) = if at_start { (ts_event, ts_event + interval_ns) } else { (ts_event - interval_ns, ts_event) };
            (stamp.ts_event, stamp.ts_recv) = (begin, if self.map.ts_recv.is_some() { ts_recv } else { end });
        }
        if stamp.ts_recv < self.ts_last {
            return Err(format!("time goes back by {} ns", self.ts_last - stamp.ts_recv));
        }
        let gap = matches!((sequence, self.sequence), (Some(now), Some(before)) if now != before.wrapping_add(1));
        let lost = gap || self.states.get(&stamp.instrument_id).is_some_and(|s| s.gap);
        if lost {
            stamp.flags |= EventFlags::GAP;
        }
        match &self.map.rows {
            Rows::Quotes { .. } => self.quotes(cells, &instrument, stamp, out)?,
            Rows::Trades { .. } => self.trade(cells, &instrument, stamp, out)?,
            Rows::Orders { .. } => self.order(cells, &instrument, stamp, out)?,
            Rows::Bars { .. } => self.bar(cells, &instrument, stamp, out)?,
            Rows::Sentiment { .. } => self.sentiment(cells, stamp, out)?,
            Rows::Figures { .. } => self.figure(cells, stamp, out)?,
        }
        self.accept(&stamp, sequence, gap, line);
        Ok(())
    }

    /// Remembers what a good row said of clock and sequence.
    fn accept(&mut self, stamp: &Event, sequence: Option<i64>, gap: bool, line: u64) {
        let unit = self.unit;
        let place = || format!("{unit} {line}");
        if gap {
            let before = self.sequence.unwrap_or_default();
            let what = || format!("sequence jumps from {before} to {}", sequence.unwrap_or_default());
            self.faults.add(FaultKind::SequenceGap, &self.path, place, what);
            self.states.values_mut().for_each(|s| s.gap = true);
        }
        if stamp.ts_recv < stamp.ts_event {
            let what = || format!("ts_recv {} is before ts_event {}", stamp.ts_recv, stamp.ts_event);
            self.faults.add(FaultKind::NegativeAge, &self.path, place, what);
        }
        self.states.entry(stamp.instrument_id).or_default().gap = false;
        self.sequence = sequence.or(self.sequence);
        self.ts_last = stamp.ts_recv;
    }

    /// Whose row it is; `None` where the map leaves out instruments that the configuration lacks, and it is of such a one.
    fn instrument(&self, cells: &[Cell<'_>]) -> Result<Option<TableInstrument>, String> {
        match &self.map.of {
            Of::One(instrument) => Ok(Some(*instrument)),
            Of::Slot { slot, known, skip_others } => {
                let name = label(cells[*slot])?;
                match known.get(name.as_ref()) {
                    Some(instrument) => Ok(Some(*instrument)),
                    None if *skip_others => Ok(None),
                    None => Err(format!("instrument {name} is not in the configuration")),
                }
            }
        }
    }

    fn price(&self, cell: Cell<'_>, instrument: &TableInstrument) -> Result<Option<i64>, String> {
        let Some(price) = self.map.price.apply(cell).map_err(|e| format!("price {e}"))? else { return Ok(None) };
        let lowest = if instrument.allow_negative_price { -LARGEST_PRICE } else { 0 };
        if !(lowest..=LARGEST_PRICE).contains(&price) {
            return Err(format!("price {cell} is out of range"));
        }
        Ok(Some(price))
    }

    fn size(&self, cell: Cell<'_>, instrument: &TableInstrument) -> Result<Option<i64>, String> {
        let scale = self.map.size.shifted(-instrument.quantity_exponent);
        let Some(size) = scale.apply_whole(cell).map_err(|e| format!("size {e}"))? else { return Ok(None) };
        if !(0..=LARGEST_SIZE).contains(&size) {
            return Err(format!("size {cell} is out of range"));
        }
        Ok(Some(size))
    }

    fn side(&self, cell: Cell<'_>) -> Result<Side, String> {
        let code = label(cell)?;
        match (self.map.bid.iter().any(|b| *b == code), self.map.ask.iter().any(|a| *a == code)) {
            (true, false) => Ok(Side::Bid),
            (false, true) => Ok(Side::Ask),
            _ => Err(format!("side {code:?} is neither in bid nor in ask of the map")),
        }
    }

    fn quotes(&mut self, cells: &[Cell<'_>], instrument: &TableInstrument, stamp: Event, out: &mut Vec<Event>) -> Result<(), String> {
        let Rows::Quotes { levels } = &self.map.rows else { return Ok(()) };
        let mut row = std::mem::take(&mut self.row);
        row.iter_mut().for_each(Vec::clear);
        for (n, slots) in levels.iter().enumerate() {
            for (i, side) in row.iter_mut().enumerate() {
                let (price, size) = (cells[slots[2 * i]], cells[slots[2 * i + 1]]);
                match (self.price(price, instrument)?, self.size(size, instrument)?) {
                    (_, Some(0)) | (None, None) => {}
                    (Some(price), Some(size)) => side.push((price, size)),
                    _ => return Err(format!("level {} has price {price} and size {size}; both or neither must stand", n + 1)),
                }
            }
        }
        check_order(&row)?;
        let from = out.len();
        let state = self.states.entry(stamp.instrument_id).or_default();
        if stamp.flags & EventFlags::GAP != 0 {
            state.levels.lose();
        }
        state.levels.update(&stamp, &row, 0, out);
        if out.len() == from {
            out.push(state.levels.restated(&stamp));
        }
        if let Some(last) = out.last_mut() {
            last.flags |= EventFlags::LAST;
        }
        self.row = row;
        Ok(())
    }

    fn trade(&self, cells: &[Cell<'_>], instrument: &TableInstrument, stamp: Event, out: &mut Vec<Event>) -> Result<(), String> {
        let Rows::Trades { price, size, side, resting } = self.map.rows else { return Ok(()) };
        let price = self.price(cells[price], instrument)?.ok_or("price is absent")?;
        let size = self.size(cells[size], instrument)?.filter(|s| *s > 0).ok_or("size is absent or 0")?;
        let side = match side.map(|slot| cells[slot]) {
            None | Some(Cell::Null) => Side::None,
            Some(cell) if resting => self.side(cell)?.opposite(),
            Some(cell) => self.side(cell)?,
        };
        out.push(Event { kind: EventKind::Trade as u8, side: side as u8, price, size, ..stamp });
        Ok(())
    }

    fn order(&mut self, cells: &[Cell<'_>], instrument: &TableInstrument, stamp: Event, out: &mut Vec<Event>) -> Result<(), String> {
        let Rows::Orders { action, order_id, side, price, size, actions } = &self.map.rows else { return Ok(()) };
        let code = label(cells[*action])?;
        let action = *actions.get(code.as_ref()).ok_or_else(|| format!("action {code:?} is not in the map"))?;
        let mut event = Event { flags: stamp.flags | EventFlags::LAST, kind: EventKind::Clear as u8, ..stamp };
        let snapshot = action == OrderAction::Snapshot;
        if action != OrderAction::Clear {
            let id = Scale::ONE.apply_whole(cells[*order_id]).map_err(|e| format!("order id {e}"))?.ok_or("order id is absent")?;
            event.order_id = u64::try_from(id).map_err(|_| format!("order id {id} is negative"))?;
            let wants_price = matches!(action, OrderAction::Snapshot | OrderAction::Add | OrderAction::Modify);
            event.price = match self.price(cells[*price], instrument)? {
                Some(price) => price,
                None if wants_price => return Err("price is absent".into()),
                None => 0,
            };
            event.size = self.size(cells[*size], instrument)?.ok_or("size is absent")?;
            event.side = if wants_price || !cells[*side].is_null() { self.side(cells[*side])? } else { Side::None } as u8;
            event.kind = match action {
                OrderAction::Modify => EventKind::Modify,
                OrderAction::Cancel => EventKind::Cancel,
                OrderAction::Execute => EventKind::Execute,
                _ => EventKind::Add,
            } as u8;
        }
        let state = self.states.entry(stamp.instrument_id).or_default();
        if snapshot {
            event.flags |= EventFlags::SNAPSHOT;
            if !state.in_snapshot {
                out.push(Event { kind: EventKind::Clear as u8, flags: stamp.flags | EventFlags::SNAPSHOT, ..stamp });
            }
        }
        state.in_snapshot = snapshot;
        out.push(event);
        Ok(())
    }

    /// A score from -1 to 1 and how many items it is of, 1 where no column says.
    fn sentiment(&self, cells: &[Cell<'_>], stamp: Event, out: &mut Vec<Event>) -> Result<(), String> {
        let Rows::Sentiment { score, items } = self.map.rows else { return Ok(()) };
        let price = self.map.price.apply(cells[score]).map_err(|e| format!("score {e}"))?.ok_or("score is absent")?;
        if !(-PRICE_SCALE..=PRICE_SCALE).contains(&price) {
            return Err(format!("score {} is out of range; it must be from -1 to 1", cells[score]));
        }
        let size = items.map_or(Ok(Some(1)), |slot| self.map.size.apply_whole(cells[slot])).map_err(|e| format!("items {e}"))?;
        let size = size.filter(|n| (1..=LARGEST_SIZE).contains(n)).ok_or("items is absent or not above 0")?;
        out.push(Event { kind: EventKind::Sentiment as u8, price, size, ..stamp });
        Ok(())
    }

    /// A figure that somebody publishes; a row without one says nothing new.
    fn figure(&self, cells: &[Cell<'_>], stamp: Event, out: &mut Vec<Event>) -> Result<(), String> {
        let Rows::Figures { value, kind } = self.map.rows else { return Ok(()) };
        let Some(price) = self.map.price.apply(cells[value]).map_err(|e| format!("value {e}"))? else { return Ok(()) };
        if !(-LARGEST_PRICE..=LARGEST_PRICE).contains(&price) {
            return Err(format!("value {} is out of range", cells[value]));
        }
        out.push(Event { kind: EventKind::Reference as u8, aux: kind as u64, price, ..stamp });
        Ok(())
    }

    fn bar(&self, cells: &[Cell<'_>], instrument: &TableInstrument, stamp: Event, out: &mut Vec<Event>) -> Result<(), String> {
        let Rows::Bars { open, high, low, close, size, .. } = self.map.rows else { return Ok(()) };
        let price = |slot: usize| self.price(cells[slot], instrument)?.ok_or_else(|| "a price of the bar is absent".to_owned());
        let [open, high, low, close] = [price(open)?, price(high)?, price(low)?, price(close)?];
        if low > open.min(close) || high < open.max(close) {
            return Err(format!("bar runs from low {low} to high {high} (1e-9) and does not hold open {open} and close {close}"));
        }
        let size = size.map_or(Ok(None), |slot| self.size(cells[slot], instrument))?.unwrap_or(0);
        for (kind, price) in [(EventKind::BarOpen, open), (EventKind::BarHigh, high), (EventKind::BarLow, low)] {
            out.push(Event { kind: kind as u8, price, ..stamp });
        }
        out.push(Event { kind: EventKind::BarClose as u8, price: close, size, flags: stamp.flags | EventFlags::LAST, ..stamp });
        Ok(())
    }
}

/// A cell as a code: text, or a whole number in digits.
fn label<'a>(cell: Cell<'a>) -> Result<Cow<'a, str>, String> {
    match cell {
        Cell::Text(text) => Ok(Cow::Borrowed(text)),
        Cell::Int(value) => Ok(Cow::Owned(value.to_string())),
        other => Err(format!("{other} is no code")),
    }
}
