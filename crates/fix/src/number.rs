// SPDX-License-Identifier: Apache-2.0
//! Numbers of FIX: unsigned integers, decimals as scaled integers, and back.

/// A plain unsigned integer; `None` for anything else, also where it does not fit.
#[inline]
#[must_use]
pub fn unsigned(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 20 {
        return None;
    }
    let mut out = 0u64;
    for byte in value {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        out = out.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(out)
}

/// A FIX float as an integer in units of `10^-places`; `None` where it is no number, does not fit, or is no whole multiple
/// of that unit: an amount is never rounded on its way to a limit.
#[inline]
#[must_use]
pub fn scaled(value: &[u8], places: u32) -> Option<i64> {
    let (is_negative, digits) = match value.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, value),
    };
    let mut out = 0i64;
    let (mut has_digit, mut has_point) = (false, false);
    let mut left = places;
    for byte in digits {
        if *byte == b'.' {
            if has_point {
                return None;
            }
            has_point = true;
            continue;
        }
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        has_digit = true;
        if has_point {
            if left == 0 {
                if digit != 0 {
                    return None;
                }
                continue;
            }
            left -= 1;
        }
        out = out.checked_mul(10)?.checked_add(i64::from(digit))?;
    }
    if !has_digit {
        return None;
    }
    for _ in 0..left {
        out = out.checked_mul(10)?;
    }
    Some(if is_negative { -out } else { out })
}

/// Appends an unsigned integer.
#[inline]
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends an integer in units of `10^-places` as a decimal without trailing zeros.
pub fn put_scaled(out: &mut Vec<u8>, value: i64, places: u32) {
    if value < 0 {
        out.push(b'-');
    }
    let unit = 10u64.pow(places);
    put(out, value.unsigned_abs() / unit);
    let mut part = value.unsigned_abs() % unit;
    if part == 0 {
        return;
    }
    let mut width = places as usize;
    while part.is_multiple_of(10) {
        part /= 10;
        width -= 1;
    }
    out.push(b'.');
    out.extend_from_slice(format!("{part:0width$}").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_keep_their_value_or_are_refused() {
        assert_eq!(scaled(b"4800.25", 9), Some(4_800_250_000_000));
        assert_eq!(scaled(b"-0.5", 9), Some(-500_000_000));
        assert_eq!(scaled(b"002000.00", 0), Some(2000));
        assert_eq!(scaled(b"1.5", 0), None, "half a lot is not rounded");
        for wrong in ["", ".", "-", "+1", "1e3", "1.2.3", " 1", "1 ", "99999999999999999999"] {
            assert_eq!(scaled(wrong.as_bytes(), 0), None, "{wrong}");
        }
        assert_eq!(scaled(b"9223372037", 9), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any::<i64>(), places in 0u32..=9) {
            prop_assume!(value != i64::MIN);
            let mut out = Vec::new();
            put_scaled(&mut out, value, places);
            prop_assert_eq!(scaled(&out, places), Some(value));
        }

        #[test]
        fn integers_go_both_ways(value in any::<u64>()) {
            let mut out = Vec::new();
            put(&mut out, value);
            prop_assert_eq!(unsigned(&out), Some(value));
        }
    }
}
