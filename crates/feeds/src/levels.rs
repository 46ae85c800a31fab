// SPDX-License-Identifier: Apache-2.0
//! Two books one after the other as the level changes between them: the one path from book rows to events.
use pretrade_records::{Event, EventFlags, EventKind, Side};

/// Price and size per level of one side, best first.
pub type OneSide = Vec<(i64, i64)>;

/// Levels of bids and asks, best first.
pub type BookRow = [OneSide; 2];

/// The book of the row before.
#[derive(Clone, Debug, Default)]
pub struct LevelDiff {
    book: BookRow,
    started: bool,
}

impl LevelDiff {
    /// Says that rows are missing: the next row restates the whole book.
    pub fn lose(&mut self) {
        self.started = false;
    }

    /// True once a row was seen since the last loss.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// Appends what changed from the row before to `row`, as copies of `stamp`.
    ///
    /// The first row is a snapshot: a clear, then every level. Later levels carry `flags`.
    pub fn update(&mut self, stamp: &Event, row: &BookRow, flags: u16, out: &mut Vec<Event>) {
        let level = |side: Side, price: i64, size: i64, flags: u16| Event {
            kind: EventKind::Level as u8,
            side: side as u8,
            price,
            size,
            flags: stamp.flags | flags,
            ..*stamp
        };
        let first = !std::mem::replace(&mut self.started, true);
        if first {
            self.book.iter_mut().for_each(Vec::clear);
            out.push(Event { kind: EventKind::Clear as u8, side: 0, price: 0, size: 0, flags: stamp.flags | EventFlags::SNAPSHOT, ..*stamp });
        }
        let flags = if first { EventFlags::SNAPSHOT } else { flags };
        for (i, side) in [Side::Bid, Side::Ask].into_iter().enumerate() {
            let key = |price: i64| if i == 0 { -price } else { price };
            let (old, new) = (&self.book[i], &row[i]);
            let (mut a, mut b) = (0, 0);
            while a < old.len() || b < new.len() {
                let (from, to) = (old.get(a), new.get(b));
                match (from, to) {
                    (Some(f), Some(t)) if f.0 == t.0 => {
                        if f.1 != t.1 {
                            out.push(level(side, t.0, t.1, flags));
                        }
                        a += 1;
                        b += 1;
                    }
                    (Some(f), t) if t.is_none_or(|t| key(f.0) < key(t.0)) => {
                        out.push(level(side, f.0, 0, flags));
                        a += 1;
                    }
                    (_, Some(t)) => {
                        out.push(level(side, t.0, t.1, flags));
                        b += 1;
                    }
                    _ => break,
                }
            }
        }
        for (mine, new) in self.book.iter_mut().zip(row) {
            mine.clone_from(new);
        }
    }

    /// Best level of the book, for a row that repeats it.
    #[must_use]
    pub fn restated(&self, stamp: &Event) -> Event {
        let best = self.book[0].first().map(|l| (Side::Bid, l)).or_else(|| self.book[1].first().map(|l| (Side::Ask, l)));
        match best {
            Some((side, &(price, size))) => {
                Event { kind: EventKind::Level as u8, side: side as u8, price, size, flags: stamp.flags | EventFlags::DERIVED, ..*stamp }
            }
            None => Event { kind: EventKind::Heartbeat as u8, side: 0, price: 0, size: 0, ..*stamp },
        }
    }
}

/// Checks that levels run away from the touch.
///
/// # Errors
/// In words, if two levels are out of order or the same.
pub fn check_order(row: &BookRow) -> Result<(), String> {
    for (i, name) in ["bid", "ask"].into_iter().enumerate() {
        for (n, pair) in row[i].windows(2).enumerate() {
            if (i == 0 && pair[1].0 >= pair[0].0) || (i == 1 && pair[1].0 <= pair[0].0) {
                return Err(format!("{name} level {} at {} does not lie behind level {} at {} (1e-9)", n + 2, pair[1].0, n + 1, pair[0].0));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(d: &mut LevelDiff, row: [&[(i64, i64)]; 2]) -> Vec<(u8, u8, i64, i64, u16)> {
        let mut out = Vec::new();
        d.update(&Event::default(), &row.map(<[_]>::to_vec), 0, &mut out);
        out.iter().map(|e| (e.kind, e.side, e.price, e.size, e.flags)).collect()
    }

    #[test]
    fn only_what_changed_is_said_after_the_first_row() {
        let mut d = LevelDiff::default();
        assert_eq!(said(&mut d, [&[(100, 5), (99, 1)], &[(101, 2)]]), [(5, 0, 0, 0, 2), (6, 1, 100, 5, 2), (6, 1, 99, 1, 2), (6, 2, 101, 2, 2)]);
        assert_eq!(said(&mut d, [&[(99, 1), (98, 4)], &[(101, 3)]]), [(6, 1, 100, 0, 0), (6, 1, 98, 4, 0), (6, 2, 101, 3, 0)]);
        assert_eq!(said(&mut d, [&[(99, 1), (98, 4)], &[(101, 3)]]), []);
        assert_eq!(said(&mut d, [&[], &[]]), [(6, 1, 99, 0, 0), (6, 1, 98, 0, 0), (6, 2, 101, 0, 0)]);
        assert_eq!(d.restated(&Event::default()).kind, EventKind::Heartbeat as u8);
    }

    #[test]
    fn levels_out_of_order_are_refused() {
        assert!(check_order(&[vec![(100, 1), (99, 1)], vec![(101, 1), (102, 1)]]).is_ok());
        assert!(check_order(&[vec![(100, 1), (100, 1)], vec![]]).is_err());
        assert!(check_order(&[vec![], vec![(102, 1), (101, 1)]]).is_err());
    }
}
