// SPDX-License-Identifier: Apache-2.0
//! Reads a journal while it is being written. Never writes.
use crate::error::{JournalError, JournalErrorKind};
use crate::file::{self, PAGE};
use crate::frame::{FRAME_HEADER, FRAME_MAGIC, FRAME_VERSION, FrameHeader, JOURNAL_MAGIC, JournalHeader};
use crate::writer::Position;
use pretrade_records::Event;
use pretrade_shm::crc::crc32c;
use pretrade_shm::header::BYTE_ORDER_MARK;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Bytes looked at per step when searching the next good frame.
const SEARCH: usize = 1 << 20;

/// Corruption: bad bytes with good frames after them, or durable frames that are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// First bad byte's frame.
    pub offset: u64,
    /// Where good frames go on.
    pub resumes_at: u64,
    /// First missing sequence number.
    pub first_lost_seq: u64,
    /// First sequence number after the gap.
    pub next_seq: u64,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: corrupt from offset {} to {}; records {} to {} are lost",
            self.path.display(),
            self.offset,
            self.resumes_at,
            self.first_lost_seq,
            self.next_seq.wrapping_sub(1)
        )
    }
}

/// Reads frames in order, from the start or from a position given earlier.
#[derive(Debug)]
pub struct JournalReader {
    file: File,
    path: PathBuf,
    header: JournalHeader,
    at: Position,
    problems: Vec<Problem>,
    payload: Vec<u8>,
}

impl JournalReader {
    /// Opens a journal at its first frame.
    ///
    /// # Errors
    /// When the file is absent or its header page is not that of a journal this program reads.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let file = File::open(path).map_err(|e| JournalError::os(path, "open", &e))?;
        let header = read_header(&file, path)?;
        Ok(JournalReader {
            file,
            path: path.to_owned(),
            header,
            at: Position { offset: PAGE, next_seq: 0 },
            problems: Vec::new(),
            payload: Vec::new(),
        })
    }

    /// The header page as it was when opened.
    #[must_use]
    pub fn header(&self) -> &JournalHeader {
        &self.header
    }

    /// Where the next frame is expected.
    #[must_use]
    pub fn position(&self) -> Position {
        self.at
    }

    /// Goes on from a position given earlier.
    ///
    /// # Errors
    /// When the offset cannot be that of a frame.
    pub fn seek(&mut self, position: Position) -> Result<(), JournalError> {
        if position.offset < PAGE || !position.offset.is_multiple_of(8) {
            let problem = format!("offset {} is no place of a frame (from {PAGE}, a multiple of 8)", position.offset);
            return Err(JournalError::new(&self.path, JournalErrorKind::Refused, problem));
        }
        self.at = position;
        Ok(())
    }

    /// What is durable now; `None` while the writer moves it or after a power failure in that instant.
    ///
    /// # Errors
    /// When the header page cannot be read.
    pub fn committed(&self) -> Result<Option<Position>, JournalError> {
        let header = read_header(&self.file, &self.path)?;
        Ok(header.commit.checked().map(|(offset, next_seq)| Position { offset, next_seq }))
    }

    /// Corruption met so far.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The next frame and its payload, `None` at the end of what is written. Corruption is noted and skipped.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_frame(&mut self) -> Result<Option<(FrameHeader, &[u8])>, JournalError> {
        let found = match self.frame_at(self.at.offset)? {
            Some(header) => Some(header),
            None => self.resume()?,
        };
        let Some(header) = found else { return Ok(None) };
        let is_known = self.problems.last().is_some_and(|p| p.resumes_at == self.at.offset);
        if header.first_seq != self.at.next_seq && !is_known {
            self.note(self.at.offset, self.at.offset, header.first_seq);
        }
        self.at = Position { offset: self.at.offset + header.frame_size(), next_seq: header.next_seq() };
        Ok(Some((header, &self.payload)))
    }

    /// As [`Self::next_frame`], but stops at the committed position: for what must be permanent.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_committed_frame(&mut self) -> Result<Option<(FrameHeader, &[u8])>, JournalError> {
        match self.committed()? {
            Some(committed) if self.at.offset < committed.offset => self.next_frame(),
            _ => Ok(None),
        }
    }

    /// Reads whole frames of events until about `at_most` are there or the end is reached; returns how many.
    ///
    /// # Errors
    /// When the file cannot be read or a frame holds no events.
    pub fn read_events(&mut self, into: &mut Vec<Event>, at_most: usize) -> Result<usize, JournalError> {
        let before = into.len();
        while into.len() - before < at_most {
            let path = self.path.clone();
            let Some((header, payload)) = self.next_frame()? else { break };
            if payload.len() != header.count as usize * size_of::<Event>() {
                let problem = format!("frame of {} bytes does not hold {} events of {} bytes", payload.len(), header.count, size_of::<Event>());
                return Err(JournalError::new(&path, JournalErrorKind::Refused, problem));
            }
            into.extend(payload.chunks_exact(size_of::<Event>()).map(bytemuck::pod_read_unaligned::<Event>));
        }
        Ok(into.len() - before)
    }

    /// Goes to the end of the good frames, noting corruption on the way; verifies every checksum.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn skip_to_end(&mut self) -> Result<Position, JournalError> {
        while self.next_frame()?.is_some() {}
        Ok(self.at)
    }

    /// The good frame at `offset`, its payload in `self.payload`.
    fn frame_at(&mut self, offset: u64) -> Result<Option<FrameHeader>, JournalError> {
        let os = |e: std::io::Error| JournalError::os(&self.path, "read", &e);
        let mut bytes = [0; FRAME_HEADER];
        if file::read_at_most(&self.file, &mut bytes, offset).map_err(os)? < FRAME_HEADER {
            return Ok(None);
        }
        let Some(header) = FrameHeader::decode(&bytes) else { return Ok(None) };
        let length = header.length as usize;
        self.payload.resize(length.next_multiple_of(8), 0);
        let read = file::read_at_most(&self.file, &mut self.payload, offset + FRAME_HEADER as u64).map_err(os)?;
        let is_good = read == self.payload.len()
            && self.payload[length..].iter().all(|&padding| padding == 0)
            && crc32c(&self.payload[..length]) == header.payload_crc;
        self.payload.truncate(length);
        Ok(is_good.then_some(header))
    }

    /// No good frame here: the end of data, a tail in the making, or corruption with good frames after it.
    fn resume(&mut self) -> Result<Option<FrameHeader>, JournalError> {
        let from = self.at.offset;
        let committed = self.committed()?.map_or(0, |c| c.offset);
        let mut first = [0; 4];
        let read = file::read_at_most(&self.file, &mut first, from).map_err(|e| JournalError::os(&self.path, "read", &e))?;
        if from >= committed && (read < 4 || first == [0; 4]) {
            return Ok(None);
        }
        let Some(good) = self.search(from + 8)? else { return Ok(None) };
        // The writer may have finished this very frame, and the next, since we looked.
        if let Some(header) = self.frame_at(from)? {
            return Ok(Some(header));
        }
        let header = self.frame_at(good)?;
        if let Some(header) = header {
            self.note(from, good, header.first_seq);
            self.at.offset = good;
        }
        Ok(header)
    }

    fn note(&mut self, offset: u64, resumes_at: u64, next_seq: u64) {
        self.problems.push(Problem { path: self.path.clone(), offset, resumes_at, first_lost_seq: self.at.next_seq, next_seq });
    }

    /// Offset of the first good frame from `from` on, by magic and both checksums.
    fn search(&mut self, from: u64) -> Result<Option<u64>, JournalError> {
        let magic = FRAME_MAGIC.to_le_bytes();
        let (mut start, mut block) = (from, vec![0; SEARCH]);
        loop {
            let read = file::read_at_most(&self.file, &mut block, start).map_err(|e| JournalError::os(&self.path, "read", &e))?;
            for at in (0..read.saturating_sub(3)).step_by(8) {
                if block[at..at + 4] == magic && self.frame_at(start + at as u64)?.is_some() {
                    return Ok(Some(start + at as u64));
                }
            }
            if read < SEARCH {
                return Ok(None);
            }
            start += SEARCH as u64;
        }
    }
}

fn read_header(file: &File, path: &Path) -> Result<JournalHeader, JournalError> {
    let refuse = |problem: String| Err(JournalError::new(path, JournalErrorKind::Refused, problem));
    let mut bytes = [0; size_of::<JournalHeader>()];
    let read = file::read_at_most(file, &mut bytes, 0).map_err(|e| JournalError::os(path, "read", &e))?;
    if read < bytes.len() {
        return refuse(format!("{read} bytes are below the {PAGE}-byte header page"));
    }
    let header: JournalHeader = bytemuck::pod_read_unaligned(&bytes);
    if header.magic != JOURNAL_MAGIC {
        return refuse(format!("magic is {:#018x}; a journal starts with {JOURNAL_MAGIC:#018x}", header.magic));
    }
    if header.byte_order != BYTE_ORDER_MARK || header.header_version != u32::from(FRAME_VERSION) {
        let (order, version) = (header.byte_order, header.header_version);
        return refuse(format!("byte order {order:#010x} and version {version}; this program reads {BYTE_ORDER_MARK:#010x} and {FRAME_VERSION}"));
    }
    if header.header_crc != crc32c(&bytes[..48]) {
        return refuse(format!("header checksum is {:#010x}; its bytes give {:#010x}", header.header_crc, crc32c(&bytes[..48])));
    }
    Ok(header)
}
