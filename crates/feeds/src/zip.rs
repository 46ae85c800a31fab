// SPDX-License-Identifier: Apache-2.0
//! The one file of a zip archive as a byte stream (APPNOTE 4.3.7 to 4.3.9), checked by its CRC.
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// The CRC stands behind the data, not before it.
const DESCRIPTOR: u16 = 8;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENTRY: &[u8] = b"PK\x03\x04";

enum Data<R: BufRead> {
    Stored(std::io::Take<R>),
    Deflated(DeflateDecoder<R>),
    Done,
}

/// The first entry of an archive; a second one is refused.
pub(crate) struct Entry<R: BufRead> {
    data: Data<R>,
    crc: Crc,
    wanted: Option<u32>,
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl<R: BufRead> Entry<R> {
    /// Reads the entry's header.
    pub fn open(mut reader: R) -> Result<Self> {
        let mut head = [0; 30];
        reader.read_exact(&mut head)?;
        let (flags, method, crc, size) = (u16_at(&head, 6), u16_at(&head, 8), u32_at(&head, 14), u32_at(&head, 18));
        if flags & 1 != 0 {
            return Err(bad("it is encrypted"));
        }
        let names = u64::from(u16_at(&head, 26)) + u64::from(u16_at(&head, 28));
        if std::io::copy(&mut reader.by_ref().take(names), &mut std::io::sink())? != names {
            return Err(bad("it is cut in its header"));
        }
        let wanted = (flags & DESCRIPTOR == 0).then_some(crc);
        let data = match method {
            DEFLATED => Data::Deflated(DeflateDecoder::new(reader)),
            STORED if wanted.is_some() => Data::Stored(reader.take(u64::from(size))),
            _ => return Err(bad("it is packed in a way that is not read")),
        };
        Ok(Self { data, crc: Crc::new(), wanted })
    }

    /// Checks what follows the data: its CRC, and that no other file does.
    fn finish(&mut self) -> Result<()> {
        let mut reader = match std::mem::replace(&mut self.data, Data::Done) {
            Data::Stored(data) if data.limit() > 0 => return Err(Error::new(ErrorKind::UnexpectedEof, "the archive is cut")),
            Data::Stored(data) => data.into_inner(),
            Data::Deflated(data) => data.into_inner(),
            Data::Done => return Ok(()),
        };
        let wanted = match self.wanted {
            Some(crc) => crc,
            None => {
                let mut tail = [0; 16];
                reader.read_exact(&mut tail)?;
                if tail.starts_with(b"PK\x07\x08") { u32_at(&tail, 4) } else { u32_at(&tail, 0) }
            }
        };
        if wanted != self.crc.sum() {
            return Err(bad("the data do not fit their CRC"));
        }
        if reader.fill_buf()?.starts_with(ENTRY) {
            return Err(bad("the archive holds several files"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Entry<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let read = match &mut self.data {
            Data::Stored(data) => data.read(out)?,
            Data::Deflated(data) => data.read(out)?,
            Data::Done => 0,
        };
        self.crc.update(&out[..read]);
        if read == 0 && !out.is_empty() {
            self.finish()?;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn archive(text: &[u8], flags: u16, method: u16) -> Vec<u8> {
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text).unwrap();
        let data = if method == STORED { text.to_vec() } else { packed.finish().unwrap() };
        let mut crc = Crc::new();
        crc.update(text);
        let mut out = ENTRY.to_vec();
        let (now, later) =
            if flags & DESCRIPTOR == 0 { (crc.sum(), Vec::new()) } else { (0, [b"PK\x07\x08", &crc.sum().to_le_bytes()[..], &[0; 8]].concat()) };
        out.extend([20, 0]);
        [flags, method, 0, 0].iter().for_each(|v| out.extend(v.to_le_bytes()));
        [now, data.len() as u32, text.len() as u32].iter().for_each(|v| out.extend(v.to_le_bytes()));
        out.extend([1, 0, 0, 0, b'n']);
        out.extend(data);
        out.extend(later);
        out.extend(b"PK\x01\x02 and the directory");
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        Entry::open(bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn the_one_file_comes_back_and_a_cut_or_changed_one_is_refused() {
        let text = b"some text, some text, some text".repeat(9);
        for (flags, method) in [(0, STORED), (0, DEFLATED), (DESCRIPTOR, DEFLATED)] {
            let whole = archive(&text, flags, method);
            assert_eq!(read(&whole).unwrap(), text);
            let end = whole.len() - b"PK\x01\x02 and the directory".len();
            for cut in 4..end {
                assert!(read(&whole[..cut]).is_err(), "cut at {cut} of {end}");
            }
            let mut changed = whole.clone();
            changed[40] ^= 1;
            assert!(read(&changed).is_err());
            assert!(read(&[&whole[..end], &whole].concat()).is_err(), "two files");
        }
        assert!(
            read(&archive(&text, 1, STORED)).is_err() && read(&archive(&text, 0, 9)).is_err() && read(&archive(&text, DESCRIPTOR, STORED)).is_err()
        );
    }
}
