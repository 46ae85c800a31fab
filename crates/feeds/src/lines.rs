// SPDX-License-Identifier: Apache-2.0
//! Lines of a text recording in constant memory.
use crate::error::FeedError;
use crate::source::Source;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

/// A longer line is no line of a recording; it is skipped without being kept.
pub const LONGEST_LINE: usize = 1 << 16;

/// Reads one line after the other.
pub struct Lines {
    path: PathBuf,
    reader: Source,
    buffer: Vec<u8>,
    number: u64,
    longest: usize,
}

impl Lines {
    /// Lines of `reader`; `path` is its name in errors.
    #[must_use]
    pub fn new(path: &Path, reader: Source) -> Self {
        Self::with_longest(path, reader, LONGEST_LINE)
    }

    /// As [`Lines::new`] with another bound on the length of a line.
    #[must_use]
    pub fn with_longest(path: &Path, reader: Source, longest: usize) -> Self {
        Self { path: path.to_path_buf(), reader, buffer: Vec::new(), number: 0, longest }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of the line read last, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Reads the next line; `false` at the end.
    ///
    /// # Errors
    /// If the file cannot be unpacked (a packed file that is cut, noise).
    pub fn advance(&mut self) -> Result<bool, FeedError> {
        self.buffer.clear();
        let limit = self.longest as u64 + 2;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer).map_err(|e| self.refuse(&e))?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if self.buffer.last() != Some(&b'\n') && read as u64 == limit {
            self.reader.skip_until(b'\n').map_err(|e| self.refuse(&e))?;
        }
        Ok(true)
    }

    /// The line read last, without its end.
    ///
    /// # Errors
    /// In words, if it is too long or no text.
    pub fn text(&self) -> Result<&str, String> {
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > self.longest {
            return Err(format!("the line is longer than {} bytes", self.longest));
        }
        std::str::from_utf8(line).map_err(|e| format!("the line is no UTF-8 text: {e}"))
    }

    fn refuse(&self, e: &std::io::Error) -> FeedError {
        FeedError::new(&self.path, format!("line {}", self.number + 1), format!("cannot be read: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_one_read() {
        let mut bytes = vec![b'x'; 3 * LONGEST_LINE];
        bytes.extend_from_slice(b"\r\nshort\r\n\xFF\n");
        let mut lines = Lines::new(Path::new("t"), Box::new(std::io::Cursor::new(bytes)));
        assert!(lines.advance().unwrap());
        assert!(lines.text().is_err());
        assert!(lines.advance().unwrap());
        assert_eq!((lines.text().unwrap(), lines.number()), ("short", 2));
        assert!(lines.advance().unwrap());
        assert!(lines.text().unwrap_err().contains("UTF-8"));
        assert!(!lines.advance().unwrap());
    }
}
