// SPDX-License-Identifier: Apache-2.0
//! Level changes that count from a snapshot: which of them belong to the book, and when messages are missing.
use super::Sink;
use crate::error::FaultKind;
use pretrade_records::{Event, EventFlags, EventKind, Side};
use std::collections::VecDeque;

/// Level changes kept while a snapshot is awaited; the oldest go first, and a snapshot older than what is left does not fit.
const KEPT_LEVELS: usize = 1 << 18;

/// One message of level changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Diff {
    /// First and last update it holds.
    pub first: u64,
    pub last: u64,
    /// Last update of the message before it, where the venue says so.
    pub before: Option<u64>,
    pub ts_event: i64,
    /// Side, price, new size.
    pub levels: Vec<(Side, i64, i64)>,
}

impl Diff {
    fn say(&self, stamp: &Event, flags: u16, sink: &mut Sink<'_>) {
        let stamp = Event { flags: stamp.flags | flags, sequence: self.last, ..*stamp };
        for &(side, price, size) in &self.levels {
            sink.push(Event { kind: EventKind::Level as u8, side: side as u8, price, size, ..stamp });
        }
        if self.levels.is_empty() {
            sink.push(Event { kind: EventKind::Heartbeat as u8, ..stamp });
        }
    }
}

/// Where the book of one instrument stands.
#[derive(Debug)]
enum Book {
    /// No snapshot yet, or messages were missed: changes wait.
    Waiting,
    /// A snapshot at this update; the next change must hold it.
    Snapshot(u64),
    /// Every change up to this update is in.
    Live(u64),
}

/// Rules of one kind of market: does a first change follow a snapshot, and a change the one before it?
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The first change may begin this many updates behind the snapshot.
    pub ahead: u64,
}

/// Joins snapshots and changes of one instrument.
#[derive(Debug)]
pub(super) struct Sync {
    rules: Rules,
    book: Book,
    waiting: VecDeque<Diff>,
    held: usize,
}

impl Sync {
    pub fn new(rules: Rules) -> Self {
        Self { rules, book: Book::Waiting, waiting: VecDeque::new(), held: 0 }
    }

    /// True where the change joins a snapshot at `update`.
    fn joins(&self, diff: &Diff, update: u64) -> bool {
        let next = update.saturating_add(self.rules.ahead);
        (diff.first <= next && next <= diff.last) || diff.before == Some(update)
    }

    fn follows(diff: &Diff, last: u64) -> bool {
        diff.before.map_or(diff.first == last.saturating_add(1), |before| before == last)
    }

    /// Takes level changes.
    pub fn diff(&mut self, stamp: &Event, diff: Diff, sink: &mut Sink<'_>) {
        match self.book {
            Book::Waiting => self.wait(diff),
            Book::Snapshot(update) if diff.last < update.saturating_add(self.rules.ahead) => {}
            Book::Snapshot(update) if self.joins(&diff, update) => self.live(&diff, stamp, sink),
            Book::Live(last) if Self::follows(&diff, last) => self.live(&diff, stamp, sink),
            Book::Live(last) if diff.last <= last => {
                sink.fault(FaultKind::Duplicate, || format!("updates up to {} came before; the book stands at {last}", diff.last));
            }
            Book::Snapshot(last) | Book::Live(last) => self.lose(stamp, diff, last, sink),
        }
    }

    fn live(&mut self, diff: &Diff, stamp: &Event, sink: &mut Sink<'_>) {
        self.book = Book::Live(diff.last);
        diff.say(stamp, 0, sink);
        sink.end();
    }

    fn lose(&mut self, stamp: &Event, diff: Diff, last: u64, sink: &mut Sink<'_>) {
        sink.fault(FaultKind::SequenceGap, || format!("updates {} to {} follow update {last}; those between are missing", diff.first, diff.last));
        sink.push(Event { kind: EventKind::Heartbeat as u8, flags: EventFlags::GAP, sequence: diff.last, ..*stamp });
        self.book = Book::Waiting;
        self.wait(diff);
    }

    fn wait(&mut self, diff: Diff) {
        self.held += diff.levels.len() + 1;
        self.waiting.push_back(diff);
        while self.held > KEPT_LEVELS {
            let Some(old) = self.waiting.pop_front() else { break };
            self.held -= old.levels.len() + 1;
        }
    }

    /// Takes a snapshot of the stream itself: it starts the book anew, and what waited is older.
    pub fn restart(&mut self, stamp: &Event, update: u64, levels: Vec<(Side, i64, i64)>, sink: &mut Sink<'_>) {
        self.waiting.clear();
        self.book = Book::Waiting;
        self.snapshot(stamp, update, levels, sink);
        self.book = Book::Live(update);
    }

    /// Takes a snapshot at `update` and the changes that were received before it but are newer.
    pub fn snapshot(&mut self, stamp: &Event, update: u64, levels: Vec<(Side, i64, i64)>, sink: &mut Sink<'_>) {
        if let Book::Live(last) = self.book
            && update < last
        {
            sink.fault(FaultKind::Duplicate, || format!("snapshot at update {update} is older than the book, which stands at {last}"));
            return;
        }
        sink.push(Event { kind: EventKind::Clear as u8, flags: EventFlags::SNAPSHOT, sequence: update, ..*stamp });
        Diff { last: update, levels, ..Diff::default() }.say(stamp, EventFlags::SNAPSHOT, sink);
        self.book = Book::Snapshot(update);
        self.held = 0;
        let mut newest = stamp.ts_event;
        for diff in std::mem::take(&mut self.waiting) {
            let fits = match self.book {
                Book::Snapshot(update) if diff.last < update.saturating_add(self.rules.ahead) => continue,
                Book::Snapshot(update) => self.joins(&diff, update),
                Book::Live(last) => Self::follows(&diff, last),
                Book::Waiting => false,
            };
            if fits {
                newest = newest.max(diff.ts_event);
                diff.say(&Event { ts_event: newest, ..*stamp }, EventFlags::SNAPSHOT, sink);
                self.book = Book::Live(diff.last);
            } else if matches!(self.book, Book::Waiting) {
                self.wait(diff);
            } else {
                sink.end();
                let stamp = Event { ts_event: newest, ..*stamp };
                self.lose(&stamp, diff, update, sink);
            }
        }
        sink.end();
    }
}
