// SPDX-License-Identifier: Apache-2.0
//! UTCTimestamp: `YYYYMMDD-HH:MM:SS`, with a fraction of up to nine digits, and nanoseconds UTC.

const NS_PER_S: i64 = 1_000_000_000;
const S_PER_DAY: i64 = 86_400;

/// Nanoseconds UTC of a UTCTimestamp; `None` where it is none. A leap second counts as the second after.
#[must_use]
pub fn parse(value: &[u8]) -> Option<i64> {
    if value.len() < 17 || value[8] != b'-' || value[11] != b':' || value[14] != b':' {
        return None;
    }
    let number = |from: usize, to: usize| crate::number::unsigned(&value[from..to]).map(|n| n as i64);
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(12, 14)?, number(15, 17)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let fraction = match value.len() {
        17 => 0,
        19..=27 if value[17] == b'.' => number(18, value.len())? * 10i64.pow(27 - value.len() as u32),
        _ => return None,
    };
    let seconds = days_since_1970(year, month, day) * S_PER_DAY + hour * 3_600 + minute * 60 + second;
    seconds.checked_mul(NS_PER_S)?.checked_add(fraction)
}

const fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + is_leap(year) as i64,
        _ => 31,
    }
}

/// Days from 1970-01-01 of a civil date (Howard Hinnant, chrono-compatible date algorithms).
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Writes timestamps in milliseconds; the part down to the minute is kept, since it seldom changes.
#[derive(Clone, Debug)]
pub struct Stamp {
    minute: i64,
    text: [u8; 21],
}

impl Default for Stamp {
    fn default() -> Self {
        Stamp { minute: i64::MIN, text: *b"00000000-00:00:00.000" }
    }
}

impl Stamp {
    /// `YYYYMMDD-HH:MM:SS.sss` of an instant, ns UTC.
    #[inline]
    pub fn text(&mut self, ts: i64) -> &[u8; 21] {
        let ts = ts.max(0);
        let minute = ts / (60 * NS_PER_S);
        if minute != self.minute {
            self.minute = minute;
            self.write_minute(minute);
        }
        let rest = (ts % (60 * NS_PER_S)) / 1_000_000;
        two(&mut self.text[15..17], rest / 1000);
        self.text[18] = b'0' + (rest / 100 % 10) as u8;
        two(&mut self.text[19..21], rest % 100);
        &self.text
    }

    fn write_minute(&mut self, minute: i64) {
        let days = minute / 1440;
        let z = days + 719_468;
        let era = z / 146_097;
        let of_era = z % 146_097;
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        two(&mut self.text[0..2], year / 100);
        two(&mut self.text[2..4], year % 100);
        two(&mut self.text[4..6], month);
        two(&mut self.text[6..8], day);
        two(&mut self.text[9..11], minute / 60 % 24);
        two(&mut self.text[12..14], minute % 60);
    }
}

#[inline]
fn two(out: &mut [u8], value: i64) {
    out[0] = b'0' + (value / 10 % 10) as u8;
    out[1] = b'0' + (value % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants() {
        assert_eq!(parse(b"19700101-00:00:00"), Some(0));
        assert_eq!(parse(b"20240229-23:59:59.5"), Some(1_709_251_199_500_000_000));
        assert_eq!(parse(b"20261124-14:30:00.123456789"), Some(1_795_530_600_123_456_789));
        for wrong in ["20230229-00:00:00", "20240101 00:00:00", "20240101-24:00:00", "20240101-00:00", "20240101-00:00:00.", "2024010a-00:00:00"] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in 0i64..4_102_444_800_000) {
            let mut stamp = Stamp::default();
            prop_assert_eq!(parse(stamp.text(ms * 1_000_000)), Some(ms * 1_000_000));
            prop_assert_eq!(parse(stamp.text(ms * 1_000_000 + 999_999)), Some(ms * 1_000_000));
        }
    }
}
