// SPDX-License-Identifier: Apache-2.0
//! DBN `mbo` recordings, versions 1 to 3.
//!
//! The `dbn` crate reads the header. Records are read here, because a file cut in mid-record must be refused and the crate
//! takes a cut for a clean end. A gap is the flag `MAYBE_BAD_BOOK` alone: sequence numbers count messages of the whole channel.
use crate::error::{FaultKind, FaultLog, FeedError};
use crate::source::{self, Source};
use crate::{BATCH, Decoder};
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Event, EventFlags, EventKind, Side};
use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

/// Versions whose `mbo` records have one layout.
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=3;
/// Length of an MBO record and its record type.
const MBO_LENGTH: usize = 56;
const MBO_RTYPE: u8 = 0xA0;
/// Records a gateway adds to a live capture: symbol mapping and system messages. They say nothing about the book.
const ADDED_RTYPES: [u8; 2] = [0x16, 0x17];
/// A record's length is one byte, in words of four.
const LONGEST_RECORD: usize = 255 * 4;
/// A longer header is noise.
const LONGEST_HEADER: u64 = 64 << 20;
/// DBN flag bits.
const F_LAST: u8 = 128;
const F_SNAPSHOT: u8 = 32;
const F_MAYBE_BAD_BOOK: u8 = 4;
/// Fills remembered within one venue event; more than any matching event of a real book.
const FILLS: usize = 4_096;

/// What is remembered per instrument.
#[derive(Default)]
struct State {
    venue_id: u32,
    instrument_id: u32,
    filled: VecDeque<u64>,
    in_snapshot: bool,
    seen: bool,
}

/// Decoder of one DBN file.
pub struct DbnDecoder {
    path: PathBuf,
    reader: Source,
    states: Vec<State>,
    slots: HashMap<u32, usize>,
    last_slot: usize,
    offset: u64,
    faults: FaultLog,
    done: bool,
}

impl DbnDecoder {
    /// Opens a file; `instruments` gives our id by the venue's symbol.
    ///
    /// # Errors
    /// If it is no DBN file of schema `mbo`, or names a symbol that `instruments` lacks.
    pub fn open(path: &Path, instruments: &HashMap<String, u32>) -> Result<Self, FeedError> {
        Self::from_reader(path, source::open(path)?, instruments)
    }

    /// As [`DbnDecoder::open`] for bytes; `path` is their name in errors.
    ///
    /// # Errors
    /// As [`DbnDecoder::open`].
    pub fn from_reader(path: &Path, mut reader: Source, instruments: &HashMap<String, u32>) -> Result<Self, FeedError> {
        let refuse = |what: String| FeedError::new(path, "offset 0", what);
        let (metadata, offset) = read_header(&mut reader).map_err(refuse)?;
        match metadata.schema {
            Some(dbn::Schema::Mbo) => {}
            Some(other) => return Err(refuse(format!("holds schema {other}; only mbo is read"))),
            None => return Err(refuse("holds mixed schemas; only mbo is read".into())),
        }
        let ids = map_ids(&metadata, instruments).map_err(refuse)?;
        let slots = ids.iter().enumerate().map(|(i, (venue_id, _))| (*venue_id, i)).collect();
        let states = ids.iter().map(|&(venue_id, instrument_id)| State { venue_id, instrument_id, ..State::default() }).collect();
        Ok(Self { path: path.to_path_buf(), reader, states, slots, last_slot: 0, offset, faults: FaultLog::default(), done: false })
    }

    /// Reads one record's bytes; 0 at a clean end.
    fn read(&mut self, record: &mut [u8; LONGEST_RECORD]) -> Result<usize, FeedError> {
        let refuse = |what: String| FeedError::new(&self.path, format!("offset {}", self.offset), what);
        let first = self.reader.fill_buf().map_err(|e| refuse(format!("cannot be unpacked: {e}")))?;
        let Some(words) = first.first() else { return Ok(0) };
        let length = usize::from(*words) * 4;
        if length < 16 {
            return Err(refuse(format!("record length is {length} bytes; it must be at least 16")));
        }
        if let Some(whole) = first.get(..length) {
            record[..length].copy_from_slice(whole);
            self.reader.consume(length);
        } else {
            self.reader.read_exact(&mut record[..length]).map_err(|e| refuse(format!("is cut inside a record of {length} bytes: {e}")))?;
        }
        self.offset += length as u64;
        Ok(length)
    }

    /// Slot of a venue's instrument id; the last one is tried first.
    fn slot(&mut self, venue_id: u32) -> Result<usize, FeedError> {
        if self.states[self.last_slot].venue_id != venue_id {
            self.last_slot = *self.slots.get(&venue_id).ok_or_else(|| {
                let place = format!("offset {}", self.offset - MBO_LENGTH as u64);
                FeedError::new(&self.path, place, format!("instrument {venue_id} is not in the file's symbol mapping"))
            })?;
        }
        Ok(self.last_slot)
    }

    fn bad(&mut self, length: usize, what: impl FnOnce() -> String) {
        let offset = self.offset - length as u64;
        self.faults.add(FaultKind::BadLine, &self.path, || format!("offset {offset}"), what);
    }

    fn decode(&mut self, r: &[u8; LONGEST_RECORD], out: &mut Vec<Event>) -> Result<(), FeedError> {
        let slot = self.slot(u32::from_le_bytes(field(r, 4)))?;
        let offset = self.offset - MBO_LENGTH as u64;
        let (event, kind) = match event(r, self.states[slot].instrument_id) {
            Ok(read) => read,
            Err(what) => {
                self.bad(MBO_LENGTH, || what);
                return Ok(());
            }
        };
        let mut event = event;
        let dbn_flags = r[36];
        let snapshot = dbn_flags & F_SNAPSHOT != 0;
        let place = || format!("offset {offset}");
        if dbn_flags & F_MAYBE_BAD_BOOK != 0 {
            event.flags |= EventFlags::GAP;
            self.faults.add(FaultKind::SequenceGap, &self.path, place, || "flag MAYBE_BAD_BOOK is set".into());
        }
        if event.ts_recv < event.ts_event && !snapshot {
            let what = || format!("ts_recv {} is before ts_event {}", event.ts_recv, event.ts_event);
            self.faults.add(FaultKind::NegativeAge, &self.path, place, what);
        }
        let state = &mut self.states[slot];
        match kind {
            EventKind::Execute => {
                event.flags |= EventFlags::INFORMATIVE;
                if state.filled.len() == FILLS {
                    state.filled.pop_front();
                }
                state.filled.push_back(event.order_id);
            }
            EventKind::Cancel | EventKind::Modify if state.filled.contains(&event.order_id) => event.flags |= EventFlags::CAUSED_BY_FILL,
            _ => {}
        }
        if dbn_flags & F_LAST != 0 {
            event.flags |= EventFlags::LAST;
            state.filled.clear();
        }
        if snapshot {
            event.flags |= EventFlags::SNAPSHOT;
            if !(state.seen && state.in_snapshot) && kind != EventKind::Clear {
                let flags = event.flags & (EventFlags::SNAPSHOT | EventFlags::GAP);
                out.push(Event { kind: EventKind::Clear as u8, side: 0, order_id: 0, price: 0, size: 0, flags, ..event });
            }
        }
        state.in_snapshot = snapshot;
        state.seen = true;
        out.push(event);
        Ok(())
    }
}

/// Bytes at a fixed place of a record.
fn field<const N: usize>(record: &[u8; LONGEST_RECORD], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&record[at..at + N]);
    out
}

/// The record's own fields; flags are left to the caller.
fn event(r: &[u8; LONGEST_RECORD], instrument_id: u32) -> Result<(Event, EventKind), String> {
    let kind = match r[38] {
        b'A' => EventKind::Add,
        b'M' => EventKind::Modify,
        b'C' => EventKind::Cancel,
        b'R' => EventKind::Clear,
        b'T' => EventKind::Trade,
        b'F' => EventKind::Execute,
        b'N' => EventKind::Heartbeat,
        other => return Err(format!("action is {:?}; known are A M C R T F N", char::from(other))),
    };
    let side = match r[39] {
        b'B' => Side::Bid,
        b'A' => Side::Ask,
        b'N' => Side::None,
        other => return Err(format!("side is {:?}; known are A B N", char::from(other))),
    };
    let stamp = |at: usize, name: &str| {
        let ts = u64::from_le_bytes(field(r, at));
        i64::try_from(ts).map_err(|_| format!("{name} is {ts}; it is absent or out of range"))
    };
    let (ts_event, ts_recv) = (stamp(8, "ts_event")?, stamp(40, "ts_recv")?);
    let raw_price = i64::from_le_bytes(field(r, 24));
    let price = if raw_price == i64::MAX { UNDEFINED_PRICE } else { raw_price };
    let size = u32::from_le_bytes(field(r, 32));
    let rests = matches!(kind, EventKind::Add | EventKind::Modify);
    if rests && (price == UNDEFINED_PRICE || size == u32::MAX) {
        return Err(format!("{} without price or size", kind.name()));
    }
    if rests && side == Side::None {
        return Err(format!("{} without a side", kind.name()));
    }
    let event = Event {
        ts_event,
        ts_recv,
        order_id: u64::from_le_bytes(field(r, 16)),
        price,
        size: i64::from(size),
        sequence: u64::from(u32::from_le_bytes(field(r, 52))),
        aux: 0,
        instrument_id,
        kind: kind as u8,
        side: side as u8,
        flags: 0,
    };
    Ok((event, kind))
}

/// Reads exactly the header, so that the reader stands at the first record; the crate's own decoder reads ahead.
fn read_header(reader: &mut Source) -> Result<(dbn::Metadata, u64), String> {
    let mut header = Vec::new();
    reader.by_ref().take(8).read_to_end(&mut header).map_err(|e| format!("cannot be unpacked: {e}"))?;
    if !header.starts_with(b"DBN") {
        return Err("is no DBN file: its first bytes are not DBN".into());
    }
    if let Some(version) = header.get(3).filter(|v| !VERSIONS.contains(v)) {
        return Err(format!("is of DBN version {version}; versions 1 to 3 are read"));
    }
    let Some(length) = header.get(4..8).map(|b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))) else {
        return Err("is cut inside the DBN header".into());
    };
    if length > LONGEST_HEADER {
        return Err(format!("has a DBN header of {length} bytes; at most {LONGEST_HEADER} are read"));
    }
    reader.by_ref().take(length).read_to_end(&mut header).map_err(|e| format!("cannot be unpacked: {e}"))?;
    if header.len() as u64 != 8 + length {
        return Err("is cut inside the DBN header".into());
    }
    let metadata = dbn::decode::dbn::MetadataDecoder::new(header.as_slice()).decode().map_err(|e| format!("has no readable DBN header: {e}"))?;
    Ok((metadata, 8 + length))
}

/// Pairs of the venue's instrument id and ours.
fn map_ids(metadata: &dbn::Metadata, instruments: &HashMap<String, u32>) -> Result<Vec<(u32, u32)>, String> {
    let mut ids: Vec<(u32, u32)> = Vec::new();
    for mapping in &metadata.mappings {
        for interval in &mapping.intervals {
            let (symbol, id) = match (interval.symbol.parse::<u32>(), mapping.raw_symbol.parse::<u32>()) {
                (Ok(id), _) => (mapping.raw_symbol.as_str(), id),
                (Err(_), Ok(id)) => (interval.symbol.as_str(), id),
                _ => continue,
            };
            let Some(ours) = instruments.get(symbol) else {
                return Err(format!("holds symbol {symbol}, which the configuration lacks; add an [[instrument]] for it"));
            };
            if !ids.iter().any(|(venue_id, _)| *venue_id == id) {
                ids.push((id, *ours));
            }
        }
    }
    if ids.is_empty() {
        return Err("names no symbol in its header".into());
    }
    Ok(ids)
}

impl Decoder for DbnDecoder {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let from = out.len();
        let mut record = [0; LONGEST_RECORD];
        while !self.done && out.len() - from < BATCH - 1 {
            let length = self.read(&mut record)?;
            if length == 0 {
                self.done = true;
            } else if record[1] == MBO_RTYPE && length >= MBO_LENGTH {
                self.decode(&record, out)?;
            } else if !ADDED_RTYPES.contains(&record[1]) {
                let rtype = record[1];
                self.bad(length, || format!("record type {rtype} of {length} bytes is no mbo record"));
            }
        }
        Ok(out.len() > from)
    }

    fn faults(&self) -> &FaultLog {
        &self.faults
    }
}
