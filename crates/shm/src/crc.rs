// SPDX-License-Identifier: Apache-2.0
//! CRC32C of records: the library's for any length, three lanes for the fixed 256-byte journal record.

/// CRC32C of `bytes`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// Words of a 256-byte record that its checksum covers (bytes 8 to 256).
const WORDS: usize = 31;

/// CRC32C of words 1..32 of a 256-byte record, as [`crc32c`] of its bytes 8..256.
///
/// Three independent lanes hide the 3-cycle latency of the instruction; 31 dependent steps would cost about 40 ns.
#[must_use]
#[inline]
pub fn crc32c_record(words: &[u64; 32]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sse4.2") && std::arch::is_x86_feature_detected!("pclmulqdq") {
        // SAFETY: both features were just detected on this machine.
        return unsafe { x86::lanes(words) };
    }
    crc32c(&bytemuck::bytes_of(words)[8..])
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::WORDS;
    use std::arch::x86_64::{_mm_clmulepi64_si128, _mm_crc32_u64, _mm_cvtsi64_si128, _mm_cvtsi128_si64};

    /// Lanes of 11, 10 and 10 words.
    const FIRST: usize = 11;
    const REST: usize = 10;

    /// Reflected CRC32C polynomial.
    const POLYNOMIAL: u32 = 0x82f6_3b78;

    /// x^n mod P, reflected.
    const fn power(mut n: usize) -> u32 {
        let mut value: u32 = 1 << 31;
        while n > 0 {
            value = if value & 1 == 1 { (value >> 1) ^ POLYNOMIAL } else { value >> 1 };
            n -= 1;
        }
        value
    }

    /// Multiplying a 32-bit remainder by this and reducing with the CRC instruction moves it `words` words on.
    const fn shift(words: usize) -> u64 {
        power(words * 64 - 33) as u64
    }
    const SHIFT_20: u64 = shift(2 * REST);
    const SHIFT_10: u64 = shift(REST);

    #[target_feature(enable = "sse4.2,pclmulqdq")]
    pub(super) fn lanes(words: &[u64; 32]) -> u32 {
        let covered: &[u64; WORDS] = words.last_chunk().expect("32 words hold 31");
        let (mut a, mut b, mut c) = (u64::from(u32::MAX), 0u64, 0u64);
        for i in 0..REST {
            a = _mm_crc32_u64(a, covered[i]);
            b = _mm_crc32_u64(b, covered[FIRST + i]);
            c = _mm_crc32_u64(c, covered[FIRST + REST + i]);
        }
        a = _mm_crc32_u64(a, covered[REST]);
        let moved = moved(a, SHIFT_20) ^ moved(b, SHIFT_10);
        !((moved ^ c) as u32)
    }

    #[target_feature(enable = "sse4.2,pclmulqdq")]
    fn moved(crc: u64, by: u64) -> u64 {
        let product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(crc as i64), _mm_cvtsi64_si128(by as i64), 0);
        _mm_crc32_u64(0, _mm_cvtsi128_si64(product) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_check_value_of_crc32c_holds() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    proptest! {
        #[test]
        fn three_lanes_equal_the_library(words in proptest::array::uniform32(any::<u64>())) {
            prop_assert_eq!(crc32c_record(&words), crc32c(&bytemuck::bytes_of(&words)[8..]));
        }
    }
}
