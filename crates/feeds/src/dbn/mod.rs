// SPDX-License-Identifier: Apache-2.0
//! DBN recordings of every schema, versions 1 to 3.
//!
//! The `dbn` crate reads the header. Records are read here, because a file cut in mid-record must be refused and the crate
//! takes a cut for a clean end; the tests hold every field against the crate's.
mod orders;
mod published;
mod quotes;
mod record;

use crate::error::{FaultKind, FaultLog, FeedError};
use crate::source::{self, Source};
use crate::{BATCH, Decoder};
use dbn::Schema;
use pretrade_records::{Event, EventFlags};
use quotes::Quotes;
use record::{F_MAYBE_BAD_BOOK, F_SNAPSHOT, LONGEST, Record};
use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

/// Versions that are read.
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=3;
/// Records a gateway adds to a live capture: errors, symbol mapping and system messages. They say nothing about the market.
const ADDED_RTYPES: [u8; 3] = [0x15, 0x16, 0x17];
/// A longer header is noise.
const LONGEST_HEADER: u64 = 64 << 20;
const SECOND: i64 = 1_000_000_000;

/// How the records of a schema are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Orders,
    Quotes(Quotes, usize),
    Trades,
    Bars(i64),
    Status,
    Imbalance,
    Statistics,
    Definition,
}

/// Record type, least length and reading of a schema.
fn plan(schema: Schema, version: u8) -> Option<(u8, usize, What)> {
    Some(match schema {
        Schema::Mbo => (0xA0, 56, What::Orders),
        Schema::Mbp1 => (0x01, 80, What::Quotes(Quotes::Changes, 1)),
        Schema::Mbp10 => (0x0A, 368, What::Quotes(Quotes::Changes, 10)),
        Schema::Cmbp1 => (0xB1, 80, What::Quotes(Quotes::Changes, 1)),
        Schema::Tbbo => (0x01, 80, What::Quotes(Quotes::BeforePrints, 1)),
        Schema::Tcbbo => (0xC2, 80, What::Quotes(Quotes::BeforePrints, 1)),
        Schema::Bbo1S => (0xC3, 80, What::Quotes(Quotes::Sampled, 1)),
        Schema::Bbo1M => (0xC4, 80, What::Quotes(Quotes::Sampled, 1)),
        Schema::Cbbo1S => (0xC0, 80, What::Quotes(Quotes::Sampled, 1)),
        Schema::Cbbo1M => (0xC1, 80, What::Quotes(Quotes::Sampled, 1)),
        Schema::Trades => (0x00, 48, What::Trades),
        Schema::Ohlcv1S => (0x20, 56, What::Bars(SECOND)),
        Schema::Ohlcv1M => (0x21, 56, What::Bars(60 * SECOND)),
        Schema::Ohlcv1H => (0x22, 56, What::Bars(3_600 * SECOND)),
        Schema::Ohlcv1D => (0x23, 56, What::Bars(86_400 * SECOND)),
        Schema::Status => (0x12, 40, What::Status),
        Schema::Imbalance => (0x14, 112, What::Imbalance),
        Schema::Statistics => (0x18, if version < 3 { 64 } else { 80 }, What::Statistics),
        Schema::Definition => (0x13, [360, 400, 520][usize::from(version.clamp(1, 3)) - 1], What::Definition),
        _ => return None,
    })
}

/// What is remembered per instrument.
#[derive(Default)]
struct State {
    venue_id: u32,
    instrument_id: u32,
    orders: orders::Orders,
    book: quotes::Book,
}

/// Decoder of one DBN file.
pub struct DbnDecoder {
    path: PathBuf,
    reader: Source,
    rtype: u8,
    least: usize,
    what: What,
    version: u8,
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
    /// If it is no DBN file of one schema, or names a symbol that `instruments` lacks.
    pub fn open(path: &Path, instruments: &HashMap<String, u32>) -> Result<Self, FeedError> {
        Self::from_reader(path, source::open(path)?, instruments)
    }

    /// As [`DbnDecoder::open`] for bytes; `path` is their name in errors.
    ///
    /// # Errors
    /// As [`DbnDecoder::open`].
    pub fn from_reader(path: &Path, mut reader: Source, instruments: &HashMap<String, u32>) -> Result<Self, FeedError> {
        let refuse = |what: String| FeedError::new(path, "offset 0", what);
        let (metadata, version, offset) = read_header(&mut reader).map_err(refuse)?;
        let Some(schema) = metadata.schema else {
            return Err(refuse("holds mixed schemas; a recording of one schema is read".into()));
        };
        let Some((rtype, least, what)) = plan(schema, version) else {
            return Err(refuse(format!("holds schema {schema}, which is not read")));
        };
        let ids = map_ids(&metadata, instruments).map_err(refuse)?;
        Ok(Self {
            path: path.to_path_buf(),
            reader,
            rtype,
            least,
            what,
            version,
            slots: ids.iter().enumerate().map(|(i, (venue_id, _))| (*venue_id, i)).collect(),
            states: ids.iter().map(|&(venue_id, instrument_id)| State { venue_id, instrument_id, ..State::default() }).collect(),
            last_slot: 0,
            offset,
            faults: FaultLog::default(),
            done: false,
        })
    }

    /// Reads one record; `false` at a clean end.
    fn read(&mut self, record: &mut Record) -> Result<bool, FeedError> {
        let refuse = |what: String| FeedError::new(&self.path, format!("offset {}", self.offset), what);
        let first = self.reader.fill_buf().map_err(|e| refuse(format!("cannot be unpacked: {e}")))?;
        let Some(words) = first.first() else { return Ok(false) };
        let length = usize::from(*words) * 4;
        if length < 16 {
            return Err(refuse(format!("record length is {length} bytes; it must be at least 16")));
        }
        let bytes = &mut record.bytes[..length.min(LONGEST)];
        if let Some(whole) = first.get(..length) {
            bytes.copy_from_slice(whole);
            self.reader.consume(length);
        } else {
            self.reader.read_exact(bytes).map_err(|e| refuse(format!("is cut inside a record of {length} bytes: {e}")))?;
        }
        record.length = length;
        self.offset += length as u64;
        Ok(true)
    }

    /// Slot of a venue's instrument id; the last one is tried first.
    fn slot(&mut self, venue_id: u32, offset: u64) -> Result<usize, FeedError> {
        if self.states[self.last_slot].venue_id != venue_id {
            self.last_slot = *self.slots.get(&venue_id).ok_or_else(|| {
                FeedError::new(&self.path, format!("offset {offset}"), format!("instrument {venue_id} is not in the file's symbol mapping"))
            })?;
        }
        Ok(self.last_slot)
    }

    /// Appends the events of one record; one that says nothing is a counted fault.
    fn decode(&mut self, r: &Record, out: &mut Vec<Event>) -> Result<(), FeedError> {
        let offset = self.offset - r.length as u64;
        let slot = self.slot(r.venue_id(), offset)?;
        let from = out.len();
        if let Err(what) = self.say(r, slot, offset, out) {
            out.truncate(from);
            self.faults.add(FaultKind::BadLine, &self.path, || format!("offset {offset}"), || what);
            return Ok(());
        }
        let snapshot = matches!(self.what, What::Orders) && r.u8(36) & F_SNAPSHOT != 0;
        if let Some(e) = out.last().filter(|e| e.ts_recv < e.ts_event && !snapshot) {
            let what = || format!("ts_recv {} is before ts_event {}", e.ts_recv, e.ts_event);
            self.faults.add(FaultKind::NegativeAge, &self.path, || format!("offset {offset}"), what);
        }
        Ok(())
    }

    fn say(&mut self, r: &Record, slot: usize, offset: u64, out: &mut Vec<Event>) -> Result<(), String> {
        let state = &mut self.states[slot];
        let id = state.instrument_id;
        let mut gap = |flags: u8| {
            let bad = flags & F_MAYBE_BAD_BOOK != 0;
            if bad {
                self.faults.add(FaultKind::SequenceGap, &self.path, || format!("offset {offset}"), || "flag MAYBE_BAD_BOOK is set".into());
            }
            bad
        };
        match self.what {
            What::Orders => {
                let (mut event, kind) = orders::event(r, id)?;
                if gap(r.u8(36)) {
                    event.flags |= EventFlags::GAP;
                }
                state.orders.say(event, kind, r.u8(36), out);
            }
            What::Quotes(quotes, levels) => {
                state.book.gap |= gap(r.u8(30));
                state.book.say(r, id, levels, quotes, out)?;
            }
            What::Trades => {
                out.push(quotes::trade(r, id)?);
                gap(r.u8(30));
            }
            What::Bars(interval_ns) => published::bar(r, id, interval_ns, out)?,
            What::Status => out.push(published::status(r, id)?),
            What::Imbalance => published::imbalance(r, id, out)?,
            What::Statistics => out.push(published::statistic(r, id, self.version)?),
            What::Definition => published::definition(r, id, out)?,
        }
        Ok(())
    }
}

/// Reads exactly the header, so that the reader stands at the first record; the crate's own decoder reads ahead. The version
/// is the file's own; the crate's metadata name the one that the crate would raise the records to.
fn read_header(reader: &mut Source) -> Result<(dbn::Metadata, u8, u64), String> {
    let mut header = Vec::new();
    reader.by_ref().take(8).read_to_end(&mut header).map_err(|e| format!("cannot be unpacked: {e}"))?;
    if !header.starts_with(b"DBN") {
        return Err("is no DBN file: its first bytes are not DBN".into());
    }
    let version = header.get(3).copied().unwrap_or_default();
    if header.len() > 3 && !VERSIONS.contains(&version) {
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
    Ok((metadata, version, 8 + length))
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
        let mut record = Record::new();
        while !self.done && out.len() - from < BATCH - 64 {
            if !self.read(&mut record)? {
                self.done = true;
            } else if record.rtype() == self.rtype && record.length >= self.least {
                self.decode(&record, out)?;
            } else if !ADDED_RTYPES.contains(&record.rtype()) {
                let (offset, rtype, length) = (self.offset - record.length as u64, record.rtype(), record.length);
                let what = || format!("record type {rtype} of {length} bytes is none of the file's schema");
                self.faults.add(FaultKind::BadLine, &self.path, || format!("offset {offset}"), what);
            }
        }
        Ok(out.len() > from)
    }

    fn faults(&self) -> &FaultLog {
        &self.faults
    }
}
