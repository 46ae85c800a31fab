// SPDX-License-Identifier: Apache-2.0
//! Splits: what is remembered is restated in the new shares, so that the first new price is no move; and the step that no split explains.
use crate::instrument::Instrument;
use crate::window::Total;
use pretrade_records::units::UNDEFINED_PRICE;

const ONE: i128 = 1_000_000_000;

/// `value` x `by` / `over`, rounded to the nearest.
fn scaled(value: i64, by: i128, over: i128) -> i64 {
    let exact = i128::from(value) * by;
    let half = if exact < 0 { -over / 2 } else { over / 2 };
    i64::try_from((exact + half) / over).unwrap_or(value)
}

/// True where one price is at least half as much again as the other.
pub(crate) fn is_step(before: i64, now: i64) -> bool {
    let (low, high) = (i128::from(before.min(now)), i128::from(before.max(now)));
    low > 0 && 2 * high >= 3 * low
}

impl Instrument {
    /// Restates prices and sizes for `ratio` new shares per old one (1e-9): the market is the same, its units are others.
    ///
    /// The venue's orders of before are void, so the book is emptied; what was traded in the open windows is forgotten.
    pub(crate) fn split(&mut self, ratio: i64) {
        if ratio <= 0 {
            return;
        }
        let ratio = i128::from(ratio);
        let price = |value: i64| scaled(value, ONE, ratio);
        let size = |value: i64| scaled(value, ratio, ONE);
        self.returns.restate(price);
        self.tick_rule.restate(price);
        for last in [&mut self.last_price, &mut self.step_price].into_iter().filter(|p| **p != UNDEFINED_PRICE) {
            *last = price(*last);
        }
        self.recent_depth.iter_mut().for_each(|d| d.restate(size));
        self.usual_depth.iter_mut().for_each(|d| d.restate(size));
        self.best_size.iter_mut().for_each(Total::clear);
        self.volume.clear();
        self.open_volume = 0;
        self.flow.lose();
        self.book.empty();
        self.touches = (None, None);
    }

    /// Follows the price that steps are measured from; a step that no split explains is a fault.
    pub(crate) fn note_price(&mut self, price: i64) {
        if self.step_price != UNDEFINED_PRICE && is_step(self.step_price, price) {
            self.faults.price_step += 1;
        }
        self.step_price = price;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{InstrumentSpec, SnapshotSpec};
    use pretrade_records::{Event, EventFlags, EventKind, ReferenceKind, Side};

    const S: i64 = 1_000_000_000;

    fn instrument() -> Instrument {
        let spec = InstrumentSpec { instrument_id: 7, tick_size: 10_000_000, adv: 0, phases: vec![(0, i64::MAX, 3)] };
        Instrument::new(spec, SnapshotSpec { interval_ns: S / 10, depth_levels: 10, stale_after_ns: 5 * S, depth_window_ticks: 10 })
    }

    fn level(ts: i64, side: Side, price: i64, size: i64) -> Event {
        let flags = EventFlags::LAST;
        Event { ts_recv: ts, ts_event: ts, kind: EventKind::Level as u8, side: side as u8, price, size, flags, instrument_id: 7, ..Event::default() }
    }

    fn split(ts: i64, ratio: i64) -> Event {
        let aux = ReferenceKind::Split as u64;
        Event { ts_recv: ts, ts_event: ts, kind: EventKind::Reference as u8, aux, price: ratio, instrument_id: 7, ..Event::default() }
    }

    /// Ten minutes at 700.00, then at 100.00, with or without the split between them.
    fn stepped(with_split: bool) -> (Instrument, Vec<crate::row::Row>) {
        let mut i = instrument();
        let mut rows = Vec::new();
        for n in 1..=6_000 {
            let ts = n * S / 10;
            let (cents, lots) = if n <= 5_000 { (70_000, 100) } else { (10_000, 700) };
            if n == 5_001 && with_split {
                i.push(&split(ts - 2, 7 * S), ts - 2);
            }
            if n == 1 || n == 5_001 {
                if n > 1 && !with_split {
                    i.push(&level(ts - 1, Side::Bid, 69_999 * 10_000_000, 0), ts - 1);
                    i.push(&level(ts - 1, Side::Ask, 70_001 * 10_000_000, 0), ts - 1);
                }
                i.push(&level(ts - 1, Side::Bid, (cents - 1) * 10_000_000, lots), ts - 1);
                i.push(&level(ts - 1, Side::Ask, (cents + 1) * 10_000_000, lots), ts - 1);
            }
            rows.extend(i.close_row(ts));
        }
        (i, rows)
    }

    #[test]
    fn seven_for_one_is_no_move_and_no_loss_of_depth() {
        let (i, rows) = stepped(true);
        assert_eq!(i.faults.price_step, 0);
        for row in &rows {
            for (feature, bound) in [(crate::Feature::Rv10s, 1e-9), (crate::Feature::Return10sPct, 1e-9), (crate::Feature::DepthRelBid, 0.0)] {
                assert!(row.values[feature as usize].abs() <= bound, "{} at {}", crate::NAMES[feature as usize], row.ts_recv);
            }
        }
    }

    #[test]
    fn the_same_step_without_the_split_is_a_move_and_a_fault() {
        let (i, rows) = stepped(false);
        assert_eq!(i.faults.price_step, 1);
        let worst = rows.iter().map(|r| r.values[crate::Feature::Return10sPct as usize]).fold(0.0, f64::min);
        assert!(worst < -85.0, "{worst}");
    }

    #[test]
    fn a_reverse_split_restates_too_and_a_ratio_of_nothing_does_nothing() {
        let mut i = instrument();
        i.last_price = 3 * S;
        i.split(S / 10);
        assert_eq!(i.last_price, 30 * S);
        i.split(0);
        i.split(-S);
        assert_eq!(i.last_price, 30 * S);
    }

    #[test]
    fn a_split_is_no_return_beside_the_others_of_the_group() {
        let spec = |instrument_id| InstrumentSpec { instrument_id, tick_size: 10_000_000, adv: 0, phases: vec![(0, i64::MAX, 3)] };
        let snapshot = SnapshotSpec { interval_ns: S / 10, depth_levels: 10, stale_after_ns: 5 * S, depth_window_ticks: 10 };
        let group = crate::cross::GroupSpec { members: vec![7, 8], factor: Some(8), leader: None, volatility: None };
        let mut engine = crate::FeatureEngine::new(vec![spec(7), spec(8)], snapshot, false).with_groups(vec![group]);
        let mut rows = Vec::new();
        for n in 1..=2_000i64 {
            let ts = n * S / 10;
            if n == 1_001 {
                engine.push(&split(ts - 9, 7 * S));
            }
            let cents = if n <= 1_000 { 70_000 } else { 10_000 };
            for (id, cents) in [(7, cents), (8, 50_000 + 10 * (n / 10 % 2))] {
                for (side, price) in [(Side::Bid, cents - 1), (Side::Ask, cents + 1)] {
                    engine.push(&Event { instrument_id: id, kind: EventKind::Clear as u8, side: side as u8, ..level(ts - 5, side, 0, 0) });
                    engine.push(&Event { instrument_id: id, ..level(ts - 4, side, price * 10_000_000, 100) });
                }
            }
            engine.close(ts);
            rows.append(&mut engine.rows);
        }
        let told: Vec<_> = rows.iter().filter(|r| r.instrument_id == 7 && r.valid >> (crate::Feature::ResidualReturn1s as usize) & 1 == 1).collect();
        assert!(told.len() > 1_000, "{}", told.len());
        for row in told {
            assert!(row.values[crate::Feature::ResidualReturn1s as usize].abs() < 1e-6, "at {}", row.ts_recv);
        }
    }

    #[test]
    fn steps_begin_at_half_as_much_again_and_need_prices_above_zero() {
        assert!(is_step(100, 150) && is_step(150, 100) && !is_step(100, 149) && !is_step(-37, 60) && !is_step(0, 60));
    }
}
