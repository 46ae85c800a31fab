// SPDX-License-Identifier: Apache-2.0
//! Verifies a gate journal on disk: checksums, order, hash chain. Goes on after a problem and names each.
use crate::copier::GateJournalHeader;
use crate::error::JournalError;
use crate::file::{self, PAGE};
use crate::record::{Batch, GateJournalRecord, RECORD, RecordKind};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::Path;

/// Problems listed at most; the count goes on.
const LISTED: usize = 100;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateVerification {
    /// Records, batch records left out.
    pub records: u64,
    /// Batches whose hash is right.
    pub batches: u64,
    /// Hash of the last batch.
    pub head: [u8; 32],
    /// Problems in all.
    pub problem_count: u64,
    /// The first of them: offset and text.
    pub problems: Vec<String>,
    /// Records after the last batch: the copier was cut off; not a problem.
    pub loose: u64,
}

impl GateVerification {
    fn report(&mut self, text: String) {
        self.problem_count += 1;
        if self.problems.len() < LISTED {
            self.problems.push(text);
        }
    }
}

/// Verifies the whole file.
///
/// # Errors
/// When the file cannot be read or its header page is refused.
pub fn verify_gate_journal(path: &Path) -> Result<GateVerification, JournalError> {
    let file = File::open(path).map_err(|e| JournalError::os(path, "open", &e))?;
    let header = GateJournalHeader::read(&file, path)?;
    let committed = header.commit.checked().map_or(PAGE, |(offset, _)| offset);
    let mut found = GateVerification::default();
    let mut walk = Walk { hasher: Sha256::new(), previous: [0; 32], in_batch: 0, last: 0, number: 0 };
    walk.hasher.update([0; 32]);
    let mut block = vec![0; 4096 * RECORD];
    let mut at = PAGE;
    loop {
        let read = file::read_at_most(&file, &mut block, at).map_err(|e| JournalError::os(path, "read", &e))?;
        for bytes in block[..read].chunks_exact(RECORD) {
            walk.step(bytes, at, committed, &mut found);
            at += RECORD as u64;
        }
        if read < block.len() {
            break;
        }
    }
    if at < committed {
        found.report(format!("{}: ends at offset {at}; {committed} was committed", path.display()));
    }
    found.loose = walk.in_batch;
    found.head = walk.previous;
    Ok(found)
}

struct Walk {
    hasher: Sha256,
    previous: [u8; 32],
    in_batch: u64,
    last: u64,
    number: u64,
}

impl Walk {
    fn step(&mut self, bytes: &[u8], at: u64, committed: u64, found: &mut GateVerification) {
        let record: GateJournalRecord = bytemuck::pod_read_unaligned(bytes);
        if !record.is_intact() {
            if at < committed {
                found.report(format!("offset {at}: corrupt record after record {}", self.last));
                self.hasher.update(bytes);
            }
            return;
        }
        if record.kind == RecordKind::Batch as u8 {
            return self.close_batch(&record, at, found);
        }
        if record.sequence != self.last + 1 {
            found.report(format!("offset {at}: record {} follows record {}", record.sequence, self.last));
        }
        self.hasher.update(bytes);
        self.in_batch += 1;
        self.last = record.sequence;
        found.records += 1;
    }

    fn close_batch(&mut self, record: &GateJournalRecord, at: u64, found: &mut GateVerification) {
        let batch: Batch = record.payload_as();
        let hash: [u8; 32] = std::mem::take(&mut self.hasher).finalize().into();
        if batch.number != self.number + 1 || batch.previous_hash != self.previous {
            found.report(format!("offset {at}: batch {} does not continue batch {}", batch.number, self.number));
        } else if batch.hash != hash {
            found.report(format!(
                "offset {at}: batch {} (records {} to {}) does not match its hash",
                batch.number, batch.first_sequence, record.sequence
            ));
        } else {
            found.batches += 1;
        }
        (self.previous, self.number, self.in_batch) = (batch.hash, batch.number, 0);
        self.hasher.update(batch.hash);
    }
}
