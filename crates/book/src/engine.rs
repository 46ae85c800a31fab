// SPDX-License-Identifier: Apache-2.0
//! Events in, rows on the receive-time grid out; batch and stream are the same calls.
use crate::instrument::{Faults, Instrument, InstrumentSpec, Row, SnapshotSpec};
use pretrade_records::{Event, QuotesRecord};

/// Feature engine over a group of instruments.
pub struct FeatureEngine {
    instruments: Vec<Instrument>,
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
            instruments: specs.into_iter().map(|s| Instrument::new(s, snapshot)).collect(),
            snapshot,
            next_grid: i64::MIN,
            now: i64::MIN,
            with_quotes,
            rows: Vec::new(),
            quote_rows: Vec::new(),
            foreign_events: 0,
        }
    }

    /// Takes one event; grid rows before it are closed first. An event older than its predecessor is taken at the present.
    pub fn push(&mut self, event: &Event) {
        if self.next_grid == i64::MIN {
            self.next_grid = self.grid_after(event.ts_recv);
        }
        if event.ts_recv > self.next_grid {
            self.close_before(event.ts_recv);
        }
        self.now = self.now.max(event.ts_recv);
        match self.instruments.iter_mut().find(|i| i.id() == event.instrument_id) {
            Some(instrument) => instrument.push(event),
            None => self.foreign_events += 1,
        }
    }

    /// First grid point not before `ts`.
    fn grid_after(&self, ts: i64) -> i64 {
        -((-ts).div_euclid(self.snapshot.interval_ns)) * self.snapshot.interval_ns
    }

    /// Closes every grid row that ends before `ts`.
    fn close_before(&mut self, ts: i64) {
        while self.next_grid < ts {
            self.close_grid();
        }
    }

    /// Closes every grid row up to and including `ts`: no record with an earlier receive time will come.
    pub fn close(&mut self, ts: i64) {
        while self.next_grid != i64::MIN && self.next_grid <= ts {
            self.close_grid();
        }
    }

    fn close_grid(&mut self) {
        let ts = self.next_grid;
        for instrument in &mut self.instruments {
            if let Some(row) = instrument.close_row(ts) {
                self.rows.push(row);
                if self.with_quotes {
                    self.quote_rows.push(instrument.quotes(ts));
                }
            }
        }
        self.next_grid += self.snapshot.interval_ns;
    }

    /// An event-driven row of one instrument.
    #[must_use]
    pub fn row_now(&mut self, instrument_id: u32, ts: i64) -> Option<Row> {
        self.instruments.iter_mut().find(|i| i.id() == instrument_id)?.row_now(ts)
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
        })
    }

    /// One instrument's state.
    #[must_use]
    pub fn instrument(&self, instrument_id: u32) -> Option<&Instrument> {
        self.instruments.iter().find(|i| i.id() == instrument_id)
    }
}
