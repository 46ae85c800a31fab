// SPDX-License-Identifier: Apache-2.0
//! Client order ids of FIX (text) as the gate's (64 bits), the same in every life of a gateway.

const HASHED: u64 = 1 << 63;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A plain number below 10^18 is itself, so that ids that count up stay dense in the gate; any other text is its hash with the
/// top bit set. Two texts of one hash (one in 2^63 for a pair) would look like a repeated id and the second be refused.
#[inline]
#[must_use]
pub fn order_id(text: &[u8]) -> u64 {
    let is_number = !text.is_empty() && text.len() <= 18 && text[0] != b'0' && text.iter().all(u8::is_ascii_digit);
    if is_number { text.iter().fold(0, |n, b| n * 10 + u64::from(b - b'0')) } else { hash(text) | HASHED }
}

/// A multiply-and-fold hash over 8 bytes at a time.
fn hash(text: &[u8]) -> u64 {
    let mut state = MULTIPLIER ^ text.len() as u64;
    let mut chunks = text.chunks_exact(8);
    for chunk in &mut chunks {
        state = fold(state ^ u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
    }
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    fold(fold(state ^ u64::from_le_bytes(last)) ^ MULTIPLIER)
}

#[inline]
fn fold(value: u64) -> u64 {
    let wide = u128::from(value ^ 0xa076_1d64_78bd_642f) * u128::from(MULTIPLIER | 1);
    (wide >> 64) as u64 ^ wide as u64
}

/// A text of at most 64 bytes, kept without allocating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    bytes: [u8; Text::MOST],
    length: u8,
}

impl Default for Text {
    fn default() -> Self {
        Text { bytes: [0; Text::MOST], length: 0 }
    }
}

impl Text {
    /// Longest text kept; a longer ClOrdID is refused.
    pub const MOST: usize = 64;

    /// `None` where the text is too long.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; Text::MOST];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Text { bytes, length: text.len() as u8 })
    }

    /// The text.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_themselves_and_texts_are_apart_from_them() {
        assert_eq!(order_id(b"17"), 17);
        assert_eq!(order_id(b"999999999999999999"), 999_999_999_999_999_999);
        for text in ["017", "17a", "1000000000000000000", "0", "-1"] {
            assert!(order_id(text.as_bytes()) >= HASHED, "{text}");
        }
    }

    #[test]
    fn ids_of_a_day_do_not_collide() {
        let ids: HashSet<u64> = (0..1_000_000).map(|i| order_id(format!("ORD-20261124-{i}").as_bytes())).collect();
        assert_eq!(ids.len(), 1_000_000);
    }

    #[test]
    fn the_hash_is_the_same_in_every_life() {
        assert_eq!(order_id(b"ORD-1"), 0xa318_ae78_e031_b0d3_u64);
    }
}
