// SPDX-License-Identifier: Apache-2.0
//! Schema `mbo`: every order. A gap is the flag `MAYBE_BAD_BOOK` alone: sequence numbers count messages of the whole channel.
use super::record::{F_LAST, F_SNAPSHOT, Record};
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Event, EventFlags, EventKind, Side};
use std::collections::VecDeque;

/// Fills remembered within one venue event; more than any matching event of a real book.
const FILLS: usize = 4_096;

/// What is remembered of one instrument's orders.
#[derive(Default)]
pub(super) struct Orders {
    filled: VecDeque<u64>,
    in_snapshot: bool,
}

impl Orders {
    /// Appends one record, as read by [`event`].
    pub fn say(&mut self, mut event: Event, kind: EventKind, dbn_flags: u8, out: &mut Vec<Event>) {
        match kind {
            EventKind::Execute => {
                event.flags |= EventFlags::INFORMATIVE;
                if self.filled.len() == FILLS {
                    self.filled.pop_front();
                }
                self.filled.push_back(event.order_id);
            }
            EventKind::Cancel | EventKind::Modify if self.filled.contains(&event.order_id) => event.flags |= EventFlags::CAUSED_BY_FILL,
            _ => {}
        }
        if dbn_flags & F_LAST != 0 {
            event.flags |= EventFlags::LAST;
            self.filled.clear();
        }
        let snapshot = dbn_flags & F_SNAPSHOT != 0;
        if snapshot {
            event.flags |= EventFlags::SNAPSHOT;
            if !self.in_snapshot && kind != EventKind::Clear {
                let flags = event.flags & (EventFlags::SNAPSHOT | EventFlags::GAP);
                out.push(Event { kind: EventKind::Clear as u8, side: 0, order_id: 0, price: 0, size: 0, flags, ..event });
            }
        }
        self.in_snapshot = snapshot;
        out.push(event);
    }
}

/// The record's own fields; flags are left to [`Orders::say`].
pub(super) fn event(r: &Record, instrument_id: u32) -> Result<(Event, EventKind), String> {
    let kind = match r.u8(38) {
        b'A' => EventKind::Add,
        b'M' => EventKind::Modify,
        b'C' => EventKind::Cancel,
        b'R' => EventKind::Clear,
        b'T' => EventKind::Trade,
        b'F' => EventKind::Execute,
        b'N' => EventKind::Heartbeat,
        other => return Err(format!("action is {:?}; known are A M C R T F N", char::from(other))),
    };
    let side = side(r.u8(39))?;
    let stamped = r.stamped(40, instrument_id)?;
    let (price, size) = (r.price(24), r.u32(32));
    let rests = matches!(kind, EventKind::Add | EventKind::Modify);
    if rests && (price == UNDEFINED_PRICE || size == u32::MAX) {
        return Err(format!("{} without price or size", kind.name()));
    }
    if rests && side == Side::None {
        return Err(format!("{} without a side", kind.name()));
    }
    let event =
        Event { order_id: r.u64(16), price, size: i64::from(size), sequence: u64::from(r.u32(52)), kind: kind as u8, side: side as u8, ..stamped };
    Ok((event, kind))
}

/// Side of an order, a level or an aggressor.
pub(super) fn side(code: u8) -> Result<Side, String> {
    match code {
        b'B' => Ok(Side::Bid),
        b'A' => Ok(Side::Ask),
        b'N' => Ok(Side::None),
        other => Err(format!("side is {:?}; known are A B N", char::from(other))),
    }
}
