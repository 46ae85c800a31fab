// SPDX-License-Identifier: Apache-2.0
//! DBN `mbo` recordings, versions 1 to 3.
//!
//! The `dbn` crate reads the metadata. Records are read here, because a file cut in mid-record must be refused and the crate
//! takes a cut for a clean end.
use crate::error::{FaultKind, FaultLog, FeedError};
use crate::{BATCH, Decoder, source};
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Event, EventFlags, EventKind, Side};
use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

/// Length of an MBO record and its record type.
const MBO_LENGTH: usize = 56;
const MBO_RTYPE: u8 = 0xA0;
/// DBN flag bits.
const F_LAST: u8 = 128;
const F_SNAPSHOT: u8 = 32;
const F_MAYBE_BAD_BOOK: u8 = 4;

/// Decoder of one DBN file.
pub struct DbnDecoder {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    ids: HashMap<u32, u32>,
    offset: u64,
    faults: FaultLog,
    filled: Vec<u64>,
    live: bool,
    cleared: bool,
    done: bool,
}

impl DbnDecoder {
    /// Opens a file; `instruments` gives our id by the venue's symbol.
    ///
    /// # Errors
    /// If it is no DBN file of schema `mbo`, or names a symbol that `instruments` lacks.
    pub fn open(path: &Path, instruments: &HashMap<String, u32>) -> Result<Self, FeedError> {
        let refuse = |what: String| FeedError::new(path, "offset 0", what);
        let mut reader = source::open(path)?;
        let start = reader.fill_buf().map_err(|e| refuse(format!("cannot be unpacked: {e}")))?;
        if !start.starts_with(b"DBN") {
            return Err(refuse("is no DBN file: its first bytes are not DBN".into()));
        }
        let metadata =
            dbn::decode::dbn::MetadataDecoder::new(&mut reader).decode().map_err(|e| refuse(format!("has no readable DBN header: {e}")))?;
        match metadata.schema {
            Some(dbn::Schema::Mbo) => {}
            Some(other) => return Err(refuse(format!("holds schema {other}; only mbo is read"))),
            None => return Err(refuse("holds mixed schemas; only mbo is read".into())),
        }
        let ids = map_ids(&metadata, instruments).map_err(refuse)?;
        Ok(Self {
            path: path.to_path_buf(),
            reader,
            ids,
            offset: 0,
            faults: FaultLog::default(),
            filled: Vec::new(),
            live: false,
            cleared: false,
            done: false,
        })
    }

    /// Reads one record's bytes; `false` at a clean end.
    fn read(&mut self, record: &mut [u8; 256]) -> Result<usize, FeedError> {
        let place = format!("record offset {}", self.offset);
        let refuse = |path: &Path, what: String| FeedError::new(path, place.clone(), what);
        let first = self.reader.fill_buf().map_err(|e| refuse(&self.path, format!("cannot be unpacked: {e}")))?;
        if first.is_empty() {
            return Ok(0);
        }
        let length = usize::from(first[0]) * 4;
        if !(16..=256).contains(&length) {
            return Err(refuse(&self.path, format!("record length is {length} bytes; it must be from 16 to 256")));
        }
        self.reader.read_exact(&mut record[..length]).map_err(|e| refuse(&self.path, format!("is cut inside a record of {length} bytes: {e}")))?;
        self.offset += length as u64;
        Ok(length)
    }

    fn decode(&mut self, r: &[u8; 256], out: &mut Vec<Event>) -> Result<(), FeedError> {
        let place = || format!("record offset {}", self.offset - MBO_LENGTH as u64);
        let venue_id = u32::from_le_bytes(field(r, 4));
        let Some(instrument_id) = self.ids.get(&venue_id).copied() else {
            return Err(FeedError::new(&self.path, place(), format!("instrument {venue_id} is not in the file's symbol mapping")));
        };
        let (flags, action) = (r[36], r[38]);
        let ts_recv = u64::from_le_bytes(field(r, 40)) as i64;
        let ts_event = u64::from_le_bytes(field(r, 8)) as i64;
        let order_id = u64::from_le_bytes(field(r, 16));
        let raw_price = i64::from_le_bytes(field(r, 24));
        let mut event = Event {
            ts_event,
            ts_recv,
            order_id,
            price: if raw_price == i64::MAX { UNDEFINED_PRICE } else { raw_price },
            size: i64::from(u32::from_le_bytes(field(r, 32))),
            sequence: u64::from(u32::from_le_bytes(field(r, 52))),
            aux: 0,
            instrument_id,
            kind: 0,
            side: match r[39] {
                b'B' => Side::Bid,
                b'A' => Side::Ask,
                _ => Side::None,
            } as u8,
            flags: 0,
        };
        let snapshot = flags & F_SNAPSHOT != 0;
        if flags & F_LAST != 0 {
            event.flags |= EventFlags::LAST;
        }
        if flags & F_MAYBE_BAD_BOOK != 0 {
            event.flags |= EventFlags::GAP;
            self.faults.add(FaultKind::SequenceGap, &self.path, place, || "flag MAYBE_BAD_BOOK is set".into());
        }
        if ts_recv < ts_event && !snapshot {
            self.faults.add(FaultKind::NegativeAge, &self.path, place, || format!("ts_recv {ts_recv} is before ts_event {ts_event}"));
        }
        let kind = match action {
            b'A' => EventKind::Add,
            b'M' => EventKind::Modify,
            b'C' => EventKind::Cancel,
            b'R' => EventKind::Clear,
            b'T' => EventKind::Trade,
            b'F' => EventKind::Execute,
            b'N' => EventKind::Heartbeat,
            other => {
                self.faults.add(FaultKind::BadLine, &self.path, place, || format!("action {:?} is unknown", char::from(other)));
                return Ok(());
            }
        };
        event.kind = kind as u8;
        match kind {
            EventKind::Execute => {
                event.flags |= EventFlags::INFORMATIVE;
                self.filled.push(order_id);
            }
            EventKind::Cancel | EventKind::Modify if self.filled.contains(&order_id) => event.flags |= EventFlags::CAUSED_BY_FILL,
            _ => {}
        }
        if flags & F_LAST != 0 {
            self.filled.clear();
        }
        if snapshot {
            event.flags |= EventFlags::SNAPSHOT;
            if self.live || !self.cleared {
                out.push(Event { kind: EventKind::Clear as u8, side: 0, order_id: 0, size: 0, flags: EventFlags::SNAPSHOT, ..event });
            }
        }
        self.live = !snapshot;
        self.cleared = true;
        out.push(event);
        Ok(())
    }
}

/// Bytes at a fixed place of a record.
fn field<const N: usize>(record: &[u8; 256], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&record[at..at + N]);
    out
}

fn map_ids(metadata: &dbn::Metadata, instruments: &HashMap<String, u32>) -> Result<HashMap<u32, u32>, String> {
    let mut ids = HashMap::new();
    for mapping in &metadata.mappings {
        let ours = instruments.get(&mapping.raw_symbol);
        for interval in &mapping.intervals {
            let (symbol, id) = match interval.symbol.parse::<u32>() {
                Ok(id) => (mapping.raw_symbol.as_str(), id),
                Err(_) => match mapping.raw_symbol.parse::<u32>() {
                    Ok(id) => (interval.symbol.as_str(), id),
                    Err(_) => continue,
                },
            };
            let Some(ours) = ours.or_else(|| instruments.get(symbol)) else {
                return Err(format!("holds symbol {symbol}, which the configuration lacks; add an [[instrument]] or name one"));
            };
            ids.insert(id, *ours);
        }
    }
    if ids.is_empty() {
        return Err("names no symbol in its header".into());
    }
    Ok(ids)
}

impl Decoder for DbnDecoder {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let mut record = [0; 256];
        while !self.done && out.len() < BATCH {
            let length = self.read(&mut record)?;
            if length == 0 {
                self.done = true;
            } else if record[1] != MBO_RTYPE || length < MBO_LENGTH {
                let (offset, rtype) = (self.offset - length as u64, record[1]);
                self.faults.add(
                    FaultKind::BadLine,
                    &self.path,
                    || format!("record offset {offset}"),
                    || format!("record type {rtype} of {length} bytes is no mbo record"),
                );
            } else {
                self.decode(&record, out)?;
            }
        }
        Ok(!out.is_empty())
    }

    fn faults(&self) -> &FaultLog {
        &self.faults
    }
}
