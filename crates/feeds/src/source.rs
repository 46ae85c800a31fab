// SPDX-License-Identifier: Apache-2.0
//! A recording as a byte stream: plain, gzip, zstd, xz or the one file of a zip archive, told by its first bytes.
use crate::error::FeedError;
use crate::zip;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A byte stream that decoders read from.
pub type Source = Box<dyn BufRead + Send>;

const BUFFER: usize = 1 << 16;
/// A zstd frame that asks for a larger window is refused, so that memory stays bounded.
const ZSTD_WINDOW_LOG: u32 = 27;

/// How many bytes of files have been read, packed as they lie on the disk; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts bytes that were read.
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A file whose reading is counted.
struct Metered(File, Meter);

impl Read for Metered {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(buf)?;
        self.1.add(read as u64);
        Ok(read)
    }
}

/// Opens a file and unpacks it by its magic bytes.
///
/// # Errors
/// If the file cannot be read or is empty.
pub fn open(path: &Path) -> Result<Source, FeedError> {
    metered(path, &Meter::default())
}

/// As [`open`], counted by `meter`.
///
/// # Errors
/// As [`open`].
pub fn metered(path: &Path, meter: &Meter) -> Result<Source, FeedError> {
    let file = File::open(path).map_err(|e| FeedError::new(path, "offset 0", format!("cannot be opened: {e}")))?;
    unpack(path, Metered(file, meter.clone()))
}

/// Unpacks a byte stream by its magic bytes; `path` is only its name in errors.
///
/// # Errors
/// If it cannot be read or is empty.
pub fn unpack(path: &Path, bytes: impl Read + Send + 'static) -> Result<Source, FeedError> {
    let refuse = |what: String| FeedError::new(path, "offset 0", what);
    let mut reader = BufReader::with_capacity(BUFFER, bytes);
    let magic = reader.fill_buf().map_err(|e| refuse(format!("cannot be read: {e}")))?;
    if magic.is_empty() {
        return Err(refuse("is empty".into()));
    }
    let unpacked: Box<dyn Read + Send> = match magic {
        [0x1F, 0x8B, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => {
            let mut zstd = zstd::Decoder::with_buffer(reader).map_err(|e| refuse(format!("is no zstd stream: {e}")))?;
            zstd.window_log_max(ZSTD_WINDOW_LOG).map_err(|e| refuse(format!("zstd window: {e}")))?;
            Box::new(zstd)
        }
        [b'P', b'K', 3, 4, ..] => Box::new(zip::Entry::open(reader).map_err(|e| refuse(format!("is no zip archive of one file: {e}")))?),
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(reader)),
        _ => return Ok(Box::new(reader)),
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER, unpacked)))
}
