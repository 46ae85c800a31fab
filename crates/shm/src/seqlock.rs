// SPDX-License-Identifier: Apache-2.0
//! The seqlock over atomic words: one writer, any number of readers, no data race.
//!
//! Protocol (Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012):
//! the writer makes the sequence odd, fences, stores the payload relaxed, then stores the next even
//! sequence with release; the reader loads the sequence with acquire, the payload relaxed, fences with
//! acquire and loads the sequence again.
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// A reader gives up after this many attempts: a writer killed mid-write leaves the sequence odd for ever.
pub const MAX_RETRIES: u32 = 64;

/// Whether a read returned one consistent record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ReadOutcome {
    /// One consistent record.
    Fresh,
    /// No consistent record within [`MAX_RETRIES`]; what was read must not be used.
    Torn,
}

/// Reads `out.len()` 8-byte words: word 0 is (sequence, checksum), the rest the payload.
///
/// `words` starts at the record; its word 0 is never touched as 8 bytes, only through the halves.
#[inline]
pub fn read_words<const N: usize>(seq: &AtomicU32, crc: &AtomicU32, words: &[AtomicU64], out: &mut [u64; N]) -> ReadOutcome {
    let words = &words[..N];
    for _ in 0..MAX_RETRIES {
        let before = seq.load(Ordering::Acquire);
        if before & 1 == 1 {
            std::hint::spin_loop();
            continue;
        }
        out[0] = u64::from(before) | (u64::from(crc.load(Ordering::Relaxed)) << 32);
        for i in 1..N {
            out[i] = words[i].load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        if seq.load(Ordering::Relaxed) == before {
            return ReadOutcome::Fresh;
        }
        std::hint::spin_loop();
    }
    ReadOutcome::Torn
}

/// The mutation of [`read_words`] that the stress test must catch: no sequence check at all.
#[doc(hidden)]
#[inline]
pub fn read_words_unguarded<const N: usize>(seq: &AtomicU32, crc: &AtomicU32, words: &[AtomicU64], out: &mut [u64; N]) {
    out[0] = u64::from(seq.load(Ordering::Relaxed)) | (u64::from(crc.load(Ordering::Relaxed)) << 32);
    for i in 1..N {
        out[i] = words[i].load(Ordering::Relaxed);
    }
}

/// Opens the record for writing: the sequence becomes odd. Returns the odd value.
#[inline]
pub fn begin_write(seq: &AtomicU32) -> u32 {
    // `| 1` also takes over a record that a killed writer left odd.
    let odd = seq.load(Ordering::Relaxed).wrapping_add(1) | 1;
    seq.store(odd, Ordering::Relaxed);
    fence(Ordering::Release);
    odd
}

/// Closes the record: the sequence becomes the next even number.
#[inline]
pub fn end_write(seq: &AtomicU32, odd: u32) {
    seq.store(odd.wrapping_add(1), Ordering::Release);
}

/// Writes the payload (`payload[0]` is ignored) and its checksum. One writer at a time per record.
#[inline]
pub fn write_words(seq: &AtomicU32, crc: &AtomicU32, words: &[AtomicU64], payload: &[u64], checksum: u32) {
    let odd = begin_write(seq);
    crc.store(checksum, Ordering::Relaxed);
    for (word, value) in words.iter().zip(payload).skip(1) {
        word.store(*value, Ordering::Relaxed);
    }
    end_write(seq, odd);
}

#[cfg(all(test, feature = "loom"))]
mod loom_model {
    use super::*;
    use loom::sync::Arc;

    struct Record {
        seq: AtomicU32,
        crc: AtomicU32,
        words: [AtomicU64; 3],
    }

    fn record() -> Arc<Record> {
        Arc::new(Record { seq: AtomicU32::new(0), crc: AtomicU32::new(0), words: [AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)] })
    }

    /// Every interleaving of one write and one read: a read that claims to be fresh is never mixed.
    #[test]
    fn a_fresh_read_is_never_mixed() {
        loom::model(|| {
            let shared = record();
            let writer = Arc::clone(&shared);
            let handle = loom::thread::spawn(move || write_words(&writer.seq, &writer.crc, &writer.words, &[0, 7, 7], 7));
            let mut out = [0u64; 3];
            if read_once(&shared.seq, &shared.crc, &shared.words, &mut out) == ReadOutcome::Fresh {
                assert_eq!(out[1], out[2]);
                assert_eq!(out[0] >> 32, out[1]);
            }
            handle.join().unwrap();
        });
    }

    /// One attempt of `read_words`; the bounded loop itself has no memory-order content.
    fn read_once(seq: &AtomicU32, crc: &AtomicU32, words: &[AtomicU64], out: &mut [u64; 3]) -> ReadOutcome {
        let before = seq.load(Ordering::Acquire);
        if before & 1 == 1 {
            return ReadOutcome::Torn;
        }
        read_words_unguarded(seq, crc, words, out);
        fence(Ordering::Acquire);
        if seq.load(Ordering::Relaxed) == before { ReadOutcome::Fresh } else { ReadOutcome::Torn }
    }

    /// The planted bug: without the check loom finds the mixed read.
    #[test]
    #[should_panic(expected = "mixed")]
    fn an_unguarded_read_is_found_mixed() {
        loom::model(|| {
            let shared = record();
            let writer = Arc::clone(&shared);
            let handle = loom::thread::spawn(move || write_words(&writer.seq, &writer.crc, &writer.words, &[0, 7, 7], 7));
            let mut out = [0u64; 3];
            read_words_unguarded(&shared.seq, &shared.crc, &shared.words, &mut out);
            assert!(out[1] == out[2], "mixed");
            handle.join().unwrap();
        });
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn words(value: u64) -> Vec<AtomicU64> {
        (0..4).map(|_| AtomicU64::new(value)).collect()
    }

    #[test]
    fn an_odd_sequence_is_torn_after_bounded_retries() {
        let (seq, crc) = (AtomicU32::new(5), AtomicU32::new(0));
        assert_eq!(read_words::<4>(&seq, &crc, &words(1), &mut [0; 4]), ReadOutcome::Torn);
    }

    #[test]
    fn a_reader_between_two_stores_of_a_writer_never_says_fresh() {
        // Deterministic interleaving: the writer stops half way; the unguarded reader returns a mixture.
        let (seq, crc, shared) = (AtomicU32::new(2), AtomicU32::new(0), words(1));
        let odd = begin_write(&seq);
        shared[1].store(9, Ordering::Relaxed);
        let mut out = [0; 4];
        assert_eq!(read_words::<4>(&seq, &crc, &shared, &mut out), ReadOutcome::Torn);
        read_words_unguarded::<4>(&seq, &crc, &shared, &mut out);
        assert_eq!((out[1], out[2]), (9, 1), "the mutated reader must be caught mixing");
        end_write(&seq, odd);
        assert_eq!(read_words::<4>(&seq, &crc, &shared, &mut out), ReadOutcome::Fresh);
    }

    #[test]
    fn a_write_takes_over_a_record_left_odd() {
        let (seq, crc, shared) = (AtomicU32::new(7), AtomicU32::new(0), words(0));
        write_words(&seq, &crc, &shared, &[0, 3, 3, 3], 11);
        let mut out = [0; 4];
        assert_eq!(read_words::<4>(&seq, &crc, &shared, &mut out), ReadOutcome::Fresh);
        assert_eq!(out, [u64::from(seq.load(Ordering::Relaxed)) | (11 << 32), 3, 3, 3]);
    }
}
