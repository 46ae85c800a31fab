// SPDX-License-Identifier: Apache-2.0
//! Messages out of a stream of bytes: BeginString, BodyLength, CheckSum, in this order and right, or it is no message.
use crate::field::SOH;

/// Longest message taken; a longer one is garbled.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Bytes of `10=nnn` and its separator.
pub const TRAILER: usize = 7;

/// What stands at the beginning of the bytes received so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// More bytes are needed.
    Incomplete,
    /// So many bytes are no message and are skipped: the sequence number they carried, if any, is not used up.
    Garbled(usize),
    /// A message of so many bytes whose length and checksum are right; its third field is MsgType.
    Whole(usize),
}

/// Looks at the beginning of `bytes`.
#[must_use]
pub fn find(bytes: &[u8]) -> Frame {
    if !bytes.starts_with(b"8=") {
        return match bytes.windows(2).position(|w| w == b"8=") {
            Some(at) => Frame::Garbled(at),
            None if bytes.len() <= 1 => Frame::Incomplete,
            // The last byte may be the first of a message.
            None => Frame::Garbled(bytes.len() - usize::from(bytes[bytes.len() - 1] == b'8')),
        };
    }
    let Some(body) = body_start(bytes) else {
        return if bytes.len() > 64 { Frame::Garbled(2) } else { Frame::Incomplete };
    };
    let Ok((body, length)) = body else { return Frame::Garbled(2) };
    let Some(end) = body.checked_add(length).filter(|end| *end <= MAX_MESSAGE) else { return Frame::Garbled(2) };
    let Some(rest) = bytes.get(end..) else { return Frame::Incomplete };
    if rest.len() < TRAILER && b"10=".starts_with(&rest[..rest.len().min(3)]) {
        return Frame::Incomplete;
    }
    let is_closed = rest.starts_with(b"10=") && rest[6] == SOH && bytes[end - 1] == SOH;
    if !is_closed {
        return after_wrong_length(bytes, end);
    }
    let is_typed = bytes[body..].starts_with(b"35=");
    if is_typed && checksum_of(&rest[3..6]) == Some(checksum(&bytes[..end])) { Frame::Whole(end + TRAILER) } else { Frame::Garbled(end + TRAILER) }
}

/// Offset of the third field and the length that BodyLength says, `None` while more bytes are needed.
#[allow(clippy::type_complexity, reason = "three outcomes, used once")]
fn body_start(bytes: &[u8]) -> Option<Result<(usize, usize), ()>> {
    let of_begin = bytes.iter().take(32).position(|b| *b == SOH);
    let Some(at) = of_begin.map(|at| at + 1) else { return if bytes.len() >= 32 { Some(Err(())) } else { None } };
    let rest = &bytes[at..];
    if rest.len() < 2 {
        return None;
    }
    if !rest.starts_with(b"9=") {
        return Some(Err(()));
    }
    let Some(to) = rest.iter().take(12).position(|b| *b == SOH) else { return if rest.len() >= 12 { Some(Err(())) } else { None } };
    Some(crate::number::unsigned(&rest[2..to]).map(|length| (at + to + 1, length as usize)).ok_or(()))
}

/// A message whose length is wrong ends at the next trailer after the length it gave: what a longer length swallowed is
/// gone with it, and is asked for again as a gap.
fn after_wrong_length(bytes: &[u8], end: usize) -> Frame {
    let from = end - 1;
    let trailer = bytes[from..].windows(4).position(|w| w == b"\x0110=");
    let close = trailer.and_then(|at| bytes[from + at + 4..].iter().position(|b| *b == SOH).map(|to| from + at + 4 + to + 1));
    match close {
        Some(end) => Frame::Garbled(end),
        None if bytes.len() - end > MAX_MESSAGE => Frame::Garbled(bytes.len()),
        None => Frame::Incomplete,
    }
}

/// Sum of bytes modulo 256.
#[inline]
#[must_use]
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, b| sum.wrapping_add(*b))
}

fn checksum_of(text: &[u8]) -> Option<u8> {
    crate::number::unsigned(text).and_then(|n| u8::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(body: &str) -> Vec<u8> {
        let body = body.replace('|', "\u{1}");
        let head = format!("8=FIX.4.4\u{1}9={}\u{1}{body}", body.len());
        format!("{head}10={:03}\u{1}", checksum(head.as_bytes())).into_bytes()
    }

    #[test]
    fn a_message_is_found_whole_and_only_whole() {
        let bytes = message("35=0|34=1|");
        for cut in 0..bytes.len() {
            assert_eq!(find(&bytes[..cut]), Frame::Incomplete, "cut at {cut}");
        }
        assert_eq!(find(&bytes), Frame::Whole(bytes.len()));
        assert_eq!(find(&[bytes.as_slice(), b"8=FIX"].concat()), Frame::Whole(bytes.len()));
    }

    #[test]
    fn a_wrong_checksum_is_garbled_to_its_end() {
        let mut bytes = message("35=0|34=1|");
        let length = bytes.len();
        bytes[length - 2] ^= 1;
        assert_eq!(find(&bytes), Frame::Garbled(length));
        assert_eq!(find(b"8=FIX.4.4\x019=5\x0135=0\x0110=256\x01"), Frame::Garbled(26));
    }

    #[test]
    fn a_length_too_short_ends_at_the_trailer_and_too_long_swallows_the_next() {
        let good = message("35=0|34=1|");
        let short = String::from_utf8(good.clone()).unwrap().replace("9=10", "9=6").into_bytes();
        assert_eq!(find(&short), Frame::Garbled(short.len()));
        let long = String::from_utf8(good.clone()).unwrap().replace("9=10", "9=40").into_bytes();
        assert_eq!(find(&long), Frame::Incomplete);
        assert_eq!(find(&[long.clone(), good.clone(), good.clone()].concat()), Frame::Garbled(long.len() + good.len()));
    }

    #[test]
    fn a_third_field_that_is_no_message_type_is_garbled() {
        let bytes = message("34=3|35=0|");
        assert_eq!(find(&bytes), Frame::Garbled(bytes.len()));
    }

    #[test]
    fn noise_before_a_message_is_skipped_and_an_endless_length_refused() {
        assert_eq!(find(b"35=0\x018=FIX.4.4"), Frame::Garbled(5));
        assert_eq!(find(b"noise"), Frame::Garbled(5));
        assert_eq!(find(b"noise8"), Frame::Garbled(5));
        assert_eq!(find(b"8=FIX.4.4\x019=999999999\x0135=0"), Frame::Garbled(2));
        assert_eq!(find(b"8=FIX.4.4\x019=18446744073709551615\x0135=0"), Frame::Garbled(2));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_progress_or_wait(bytes in proptest::collection::vec(prop_oneof![Just(1u8), Just(b'8'), Just(b'='), Just(b'9'), Just(b'1'), Just(b'0'), any::<u8>()], 0..300)) {
            let mut at = 0;
            for _ in 0..=bytes.len() {
                match find(&bytes[at..]) {
                    Frame::Incomplete => break,
                    Frame::Garbled(n) | Frame::Whole(n) => {
                        prop_assert!(n > 0 && at + n <= bytes.len());
                        at += n;
                    }
                }
            }
        }
    }
}
