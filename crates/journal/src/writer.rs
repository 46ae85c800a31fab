// SPDX-License-Identifier: Apache-2.0
//! The one writer of a journal file.
use crate::error::{JournalError, JournalErrorKind};
use crate::file::{self, PAGE};
use crate::frame::{Commit, FRAME_HEADER, FRAME_MAGIC, FRAME_VERSION, FrameHeader, JOURNAL_MAGIC, JournalHeader, MAX_PAYLOAD};
use crate::reader::{JournalReader, Problem};
use pretrade_records::Event;
use pretrade_shm::header::BYTE_ORDER_MARK;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest time written bytes wait for their sync.
pub const COMMIT_INTERVAL: Duration = Duration::from_millis(5);
/// Most bytes that wait for a sync.
pub const COMMIT_BYTES: u64 = 4 << 20;
/// Space reserved at a time.
const RESERVE: u64 = 16 << 20;

/// What a journal is.
#[derive(Clone, Copy, Debug, Default)]
pub struct JournalOptions {
    /// Stream.
    pub stream: u16,
    /// Shard of the stream.
    pub shard: u16,
    /// Version of the payload's layout.
    pub schema_version: u32,
    /// Who produces.
    pub source: u64,
    /// Hash of the payload's layout, 0 where it has no fixed one.
    pub layout_hash: u64,
    /// Now, ns UTC.
    pub ts_created: i64,
}

/// Where an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// End of the frame.
    pub offset: u64,
    /// Sequence number after it.
    pub next_seq: u64,
}

/// Appends frames. Every error after opening is final: no retry, no further write.
#[derive(Debug)]
pub struct JournalWriter {
    file: File,
    path: PathBuf,
    options: JournalOptions,
    end: Position,
    committed: Position,
    reserved_to: u64,
    waiting_since: Option<Instant>,
    stopped: Option<JournalError>,
    problems: Vec<Problem>,
    buffer: Vec<u8>,
}

impl JournalWriter {
    /// Opens `path` or makes it. A torn tail is truncated; corruption is kept, reported, and appended after.
    ///
    /// # Errors
    /// When the file is no journal of this stream, shard and layout, or another process writes it.
    pub fn open(path: &Path, options: JournalOptions) -> Result<Self, JournalError> {
        if path.exists() { Self::open_existing(path, options) } else { Self::create(path, options) }
    }

    fn create(path: &Path, options: JournalOptions) -> Result<Self, JournalError> {
        let header = JournalHeader {
            magic: JOURNAL_MAGIC,
            header_version: u32::from(FRAME_VERSION),
            byte_order: BYTE_ORDER_MARK,
            stream: options.stream,
            shard: options.shard,
            schema_version: options.schema_version,
            source: options.source,
            layout_hash: options.layout_hash,
            ts_created: options.ts_created,
            commit: Commit::new(PAGE, 0),
            ..Default::default()
        }
        .sealed();
        let mut page = vec![0; PAGE as usize];
        page[..size_of::<JournalHeader>()].copy_from_slice(bytemuck::bytes_of(&header));
        let file = file::create(path, &page)?;
        Ok(Self::at(file, path, options, Position { offset: PAGE, next_seq: 0 }, Vec::new()))
    }

    fn open_existing(path: &Path, options: JournalOptions) -> Result<Self, JournalError> {
        let file = file::open_for_writing(path)?;
        let mut reader = JournalReader::open(path)?;
        let header = *reader.header();
        if (header.stream, header.shard, header.schema_version, header.layout_hash)
            != (options.stream, options.shard, options.schema_version, options.layout_hash)
        {
            let problem = format!(
                "holds stream {} shard {} schema {} layout {:#x}; the writer brings {} {} {} {:#x}",
                header.stream,
                header.shard,
                header.schema_version,
                header.layout_hash,
                options.stream,
                options.shard,
                options.schema_version,
                options.layout_hash
            );
            return Err(JournalError::new(path, JournalErrorKind::Refused, problem));
        }
        let end = reader.skip_to_end()?;
        let mut problems = reader.problems().to_vec();
        if let Some(committed) = reader.committed()?.filter(|c| c.offset > end.offset) {
            let (first_lost_seq, next_seq) = (end.next_seq, committed.next_seq);
            problems.push(Problem { path: path.to_owned(), offset: end.offset, resumes_at: committed.offset, first_lost_seq, next_seq });
        }
        // Drops a torn tail and the reserved zeros alike.
        file.set_len(end.offset).map_err(|e| JournalError::stopped(path, "truncating the torn tail", &e))?;
        let mut writer = Self::at(file, path, options, end, problems);
        writer.commit()?;
        Ok(writer)
    }

    fn at(file: File, path: &Path, options: JournalOptions, end: Position, problems: Vec<Problem>) -> Self {
        JournalWriter {
            file,
            path: path.to_owned(),
            options,
            end,
            committed: end,
            reserved_to: end.offset,
            waiting_since: None,
            stopped: None,
            problems,
            buffer: Vec::new(),
        }
    }

    /// Appends events, at most one commit's worth per frame; written when this returns, durable after [`Self::commit`].
    ///
    /// # Errors
    /// When the write or a due sync fails; the writer has then stopped.
    pub fn append(&mut self, events: &[Event]) -> Result<Position, JournalError> {
        for chunk in events.chunks(MAX_PAYLOAD / size_of::<Event>()) {
            let (first, last) = (chunk[0].ts_recv, chunk[chunk.len() - 1].ts_recv);
            self.append_frame(bytemuck::cast_slice(chunk), chunk.len() as u32, first, last)?;
        }
        Ok(self.end)
    }

    /// Appends one frame of any payload.
    ///
    /// # Errors
    /// When the payload is above [`MAX_PAYLOAD`], or the write or a due sync fails (the writer has then stopped).
    pub fn append_frame(&mut self, payload: &[u8], count: u32, first_ts_recv: i64, last_ts_recv: i64) -> Result<Position, JournalError> {
        self.must_run()?;
        if payload.len() > MAX_PAYLOAD {
            let problem = format!("payload of {} bytes is above {MAX_PAYLOAD}", payload.len());
            return Err(JournalError::new(&self.path, JournalErrorKind::Refused, problem));
        }
        let header = FrameHeader {
            magic: FRAME_MAGIC,
            header_version: FRAME_VERSION,
            stream: self.options.stream,
            shard: self.options.shard,
            schema_version: self.options.schema_version,
            source: self.options.source,
            first_seq: self.end.next_seq,
            count,
            first_ts_recv,
            last_ts_recv,
            length: payload.len() as u32,
            ..Default::default()
        }
        .sealed(payload);
        self.buffer.clear();
        self.buffer.extend_from_slice(bytemuck::bytes_of(&header));
        self.buffer.extend_from_slice(payload);
        self.buffer.resize(header.frame_size() as usize, 0);
        let result = self.write_buffer();
        self.stop_on_error("writing a frame", result)?;
        self.end = Position { offset: self.end.offset + header.frame_size(), next_seq: header.next_seq() };
        self.commit_if_due()?;
        Ok(self.end)
    }

    fn write_buffer(&mut self) -> std::io::Result<()> {
        let need = self.end.offset + self.buffer.len() as u64;
        if need > self.reserved_to {
            let to = need.next_multiple_of(RESERVE);
            match file::reserve(&self.file, self.reserved_to, to - self.reserved_to) {
                Ok(()) => self.reserved_to = to,
                // No room for a whole block: the write itself decides whether this frame still fits.
                Err(e) if e.raw_os_error() == Some(libc::ENOSPC) || e.raw_os_error() == Some(libc::EFBIG) => self.reserved_to = need,
                Err(e) => return Err(e),
            }
        }
        self.file.write_all_at(&self.buffer, self.end.offset)
    }

    fn commit_if_due(&mut self) -> Result<(), JournalError> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        if self.end.offset - self.committed.offset >= COMMIT_BYTES || since.elapsed() >= COMMIT_INTERVAL { self.commit().map(|_| ()) } else { Ok(()) }
    }

    /// Syncs everything appended so far, then moves the committed position.
    ///
    /// # Errors
    /// When the sync fails; the writer has then stopped.
    pub fn commit(&mut self) -> Result<Position, JournalError> {
        self.must_run()?;
        let result = self.file.sync_data();
        self.stop_on_error("sync", result)?;
        let commit = Commit::new(self.end.offset, self.end.next_seq);
        let at = core::mem::offset_of!(JournalHeader, commit) as u64;
        let result = self.file.write_all_at(bytemuck::bytes_of(&commit), at);
        self.stop_on_error("writing the committed position", result)?;
        self.committed = self.end;
        self.waiting_since = None;
        Ok(self.committed)
    }

    /// Where the next frame goes.
    #[must_use]
    pub fn end(&self) -> Position {
        self.end
    }

    /// What is durable.
    #[must_use]
    pub fn committed(&self) -> Position {
        self.committed
    }

    /// Corruption found when opening.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Header bytes a frame adds to its payload.
    #[must_use]
    pub const fn overhead() -> usize {
        FRAME_HEADER
    }

    fn must_run(&self) -> Result<(), JournalError> {
        self.stopped.clone().map_or(Ok(()), Err)
    }

    fn stop_on_error(&mut self, what: &str, result: std::io::Result<()>) -> Result<(), JournalError> {
        result.map_err(|error| {
            let error = JournalError::stopped(&self.path, what, &error);
            self.stopped = Some(error.clone());
            error
        })
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        if self.stopped.is_none() && self.commit().is_ok() {
            // The reserved zeros are of no use to a closed journal.
            let _ = self.file.set_len(self.end.offset);
        }
    }
}
