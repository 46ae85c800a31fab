// SPDX-License-Identifier: Apache-2.0
//! What a venue publishes beside orders and quotes: bars, phases, auction imbalances, statistics, definitions.
use super::record::Record;
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Event, EventFlags, EventKind, Phase, ReferenceKind, Side};

/// Appends an `ohlcv` record, known at the end of its interval.
pub(super) fn bar(r: &Record, instrument_id: u32, interval_ns: i64, out: &mut Vec<Event>) -> Result<(), String> {
    let ts_event = r.needed_stamp(8, "ts_event")?;
    let ts_recv = ts_event.checked_add(interval_ns).ok_or_else(|| format!("ts_event is {ts_event}; it is out of range"))?;
    let [open, high, low, close] = [16, 24, 32, 40].map(|at| r.price(at));
    if [open, high, low, close].contains(&UNDEFINED_PRICE) {
        return Err("a price of the bar is absent".into());
    }
    if low > open.min(close) || high < open.max(close) {
        return Err(format!("bar runs from low {low} to high {high} (1e-9) and does not hold open {open} and close {close}"));
    }
    let size = i64::try_from(r.u64(48)).map_err(|_| format!("volume is {}; it is out of range", r.u64(48)))?;
    let stamp = Event { ts_event, ts_recv, instrument_id, ..Event::default() };
    for (kind, price) in [(EventKind::BarOpen, open), (EventKind::BarHigh, high), (EventKind::BarLow, low)] {
        out.push(Event { kind: kind as u8, price, ..stamp });
    }
    out.push(Event { kind: EventKind::BarClose as u8, price: close, size, flags: EventFlags::LAST, ..stamp });
    Ok(())
}

/// A `status` record; an action that leaves the phase as it is tells only that the channel is alive.
pub(super) fn status(r: &Record, instrument_id: u32) -> Result<Event, String> {
    let phase = match r.u16(24) {
        1 | 3 => Phase::PreOpen,
        2 | 4 | 5 => Phase::Auction,
        7 => Phase::Continuous,
        8..=10 => Phase::Halted,
        11..=13 | 15 => Phase::Closed,
        0 | 6 | 14 => return Ok(Event { kind: EventKind::Heartbeat as u8, ..r.stamped(16, instrument_id)? }),
        other => return Err(format!("status action is {other}; known are 0 to 15")),
    };
    Ok(Event { kind: EventKind::Status as u8, aux: phase as u64, ..r.stamped(16, instrument_id)? })
}

fn reference(stamp: &Event, kind: ReferenceKind, price: i64, size: i64) -> Event {
    let price = if price == UNDEFINED_PRICE { 0 } else { price };
    Event { kind: EventKind::Reference as u8, aux: kind as u64, price, size, ..*stamp }
}

/// Appends an `imbalance` record: the price an auction would give and what it leaves over.
pub(super) fn imbalance(r: &Record, instrument_id: u32, out: &mut Vec<Event>) -> Result<(), String> {
    let stamp = r.stamped(16, instrument_id)?;
    let side = match r.u8(105) {
        b'B' => Side::Bid,
        b'A' => Side::Ask,
        b'N' | b'~' => Side::None,
        other => return Err(format!("imbalance side is {:?}; known are A B N ~", char::from(other))),
    };
    let size = |at: usize| match r.u32(at) {
        u32::MAX => 0,
        size => i64::from(size),
    };
    // A venue that gives no indicative price (Nasdaq) gives the price at which the auction would clear.
    let indicative = [64, 40].map(|at| r.price(at)).into_iter().find(|p| *p != UNDEFINED_PRICE && *p != 0);
    if let Some(price) = indicative {
        out.push(reference(&stamp, ReferenceKind::Indicative, price, size(88)));
    }
    out.push(Event { side: side as u8, ..reference(&stamp, ReferenceKind::Imbalance, r.price(24), size(92)) });
    Ok(())
}

/// Appends the price steps and limits of a `definition` record.
pub(super) fn definition(r: &Record, instrument_id: u32, out: &mut Vec<Event>) -> Result<(), String> {
    let stamp = r.stamped(16, instrument_id)?;
    let from = out.len();
    for (at, kind) in [(24, ReferenceKind::TickSize), (56, ReferenceKind::UpperLimit), (64, ReferenceKind::LowerLimit)] {
        if r.price(at) != UNDEFINED_PRICE {
            out.push(reference(&stamp, kind, r.price(at), 0));
        }
    }
    if out.len() == from {
        out.push(Event { kind: EventKind::Heartbeat as u8, ..stamp });
    }
    Ok(())
}

/// A `statistics` record; from version 3 on the quantity is twice as wide.
pub(super) fn statistic(r: &Record, instrument_id: u32, version: u8) -> Result<Event, String> {
    let (quantity, rest) = if version < 3 { (i64::from(i32::from_le_bytes(r.field(40))), 44) } else { (i64::from_le_bytes(r.field(40)), 48) };
    let absent = if version < 3 { i64::from(i32::MAX) } else { i64::MAX };
    let size = if quantity == absent { 0 } else { quantity };
    let code = r.u16(rest + 8);
    // 7 and 8 are highest bid and lowest offer of the session, 20 the indicative close; the codes are Databento's.
    let kind = match code {
        1 => ReferenceKind::Open,
        2 | 16 | 20 => ReferenceKind::Indicative,
        3 => ReferenceKind::Settlement,
        4 => ReferenceKind::SessionLow,
        5 => ReferenceKind::SessionHigh,
        6 => ReferenceKind::Volume,
        9 => ReferenceKind::OpenInterest,
        11 => ReferenceKind::Close,
        13 => ReferenceKind::Vwap,
        17 => ReferenceKind::UpperLimit,
        18 => ReferenceKind::LowerLimit,
        _ => ReferenceKind::Other,
    };
    let order_id = if kind == ReferenceKind::Other { u64::from(code) } else { 0 };
    let stamp = Event { order_id, sequence: u64::from(r.u32(rest)), ..r.stamped(16, instrument_id)? };
    Ok(reference(&stamp, kind, r.price(32), size))
}
