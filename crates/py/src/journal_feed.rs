// SPDX-License-Identifier: Apache-2.0
//! A market journal as a recording: what capture or an import wrote, read back by the decoders' own rules.
use pretrade_feeds::source::Meter;
use pretrade_feeds::{BATCH, Decoder, FaultKind, FaultLog, FeedError};
use pretrade_journal::{JournalError, JournalReader};
use pretrade_records::{Event, EventFlags};
use pretrade_shm::layouts::EVENT;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Decoder of one market journal. Lost records are counted, and the next event of each instrument says that some are missing.
pub(crate) struct JournalDecoder {
    path: PathBuf,
    reader: JournalReader,
    problems: usize,
    /// Instruments told of the last loss; `None` where nothing was lost.
    told: Option<HashSet<u32>>,
    faults: FaultLog,
    meter: Meter,
    done: bool,
}

impl JournalDecoder {
    /// Opens a journal of events.
    pub(crate) fn open(path: &Path, meter: &Meter) -> Result<Self, FeedError> {
        let reader = JournalReader::open(path).map_err(|e| refuse(path, 0, &e))?;
        if reader.header().layout_hash != EVENT.hash() {
            let what = format!("holds records of layout {:#x}; events have {:#x}", reader.header().layout_hash, EVENT.hash());
            return Err(FeedError::new(path, "offset 0", what));
        }
        meter.add(reader.position().offset);
        let (path, meter) = (path.to_path_buf(), meter.clone());
        Ok(Self { path, reader, problems: 0, told: None, faults: FaultLog::default(), meter, done: false })
    }

    /// Appends the events of the next frame; `false` at the end.
    fn frame(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let at = self.reader.position().offset;
        let from = out.len();
        let Some((header, payload)) = self.reader.next_frame().map_err(|e| refuse(&self.path, at, &e))? else {
            return self.end().map(|()| false);
        };
        if payload.len() != header.count as usize * size_of::<Event>() {
            let what = format!("frame of {} bytes does not hold {} events of {} bytes", payload.len(), header.count, size_of::<Event>());
            return Err(FeedError::new(&self.path, format!("offset {at}"), what));
        }
        out.extend(payload.chunks_exact(size_of::<Event>()).map(bytemuck::pod_read_unaligned::<Event>));
        self.meter.add(self.reader.position().offset - at);
        for problem in &self.reader.problems()[self.problems..] {
            self.faults.add(FaultKind::SequenceGap, &self.path, || format!("offset {}", problem.offset), || problem.to_string());
            self.told = Some(HashSet::new());
        }
        self.problems = self.reader.problems().len();
        if let Some(told) = &mut self.told {
            out[from..].iter_mut().filter(|e| told.insert(e.instrument_id)).for_each(|e| e.flags |= EventFlags::GAP);
        }
        Ok(true)
    }

    /// Refuses a journal whose durable records are gone.
    fn end(&self) -> Result<(), FeedError> {
        let (at, next) = (self.reader.position().offset, self.reader.position().next_seq);
        match self.reader.committed().map_err(|e| refuse(&self.path, at, &e))? {
            Some(c) if c.offset > at => {
                let what = format!("is cut: records {next} to {} were committed up to offset {}", c.next_seq.wrapping_sub(1), c.offset);
                Err(FeedError::new(&self.path, format!("offset {at}"), what))
            }
            _ => Ok(()),
        }
    }
}

fn refuse(path: &Path, at: u64, e: &JournalError) -> FeedError {
    FeedError::new(path, format!("offset {at}"), e.problem.clone())
}

impl Decoder for JournalDecoder {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let from = out.len();
        while !self.done && out.len() - from < BATCH {
            self.done = !self.frame(out)?;
        }
        Ok(out.len() > from)
    }

    fn faults(&self) -> &FaultLog {
        &self.faults
    }
}
