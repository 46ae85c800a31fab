// SPDX-License-Identifier: Apache-2.0
//! Numbers of a JSON message as they stand in the text, exact.
use crate::table::clock::utc;
use crate::table::{TableInstrument, decimal};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Largest price in 1e-9 and largest size in units that are believed.
const LARGEST_PRICE: i64 = 1_000_000_000_000_000_000;
const LARGEST_SIZE: i64 = 1_000_000_000_000_000_000;
const MS: i64 = 1_000_000;
/// One part in so many of a step is noise.
const NOISE: i128 = 100;

/// A number, quoted or not, as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number<'a>(pub &'a str);

impl<'de: 'a, 'a> Deserialize<'de> for Number<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Self(text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text)))
    }
}

/// The number in steps of `10^-digits`; `None` where it is no number or no whole number of steps. What a venue's own doubles leave
/// behind (`235.91999999999999`) is no part of a step.
pub(super) fn fixed(text: &str, digits: i32) -> Option<i64> {
    let (mantissa, exponent) = decimal(text)?;
    let shift = exponent.checked_add(digits)?;
    if mantissa == 0 {
        return Some(0);
    }
    let power = 10_i128.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 {
        return i64::try_from(mantissa.checked_mul(power)?).ok();
    }
    let value = (mantissa + mantissa.signum() * (power / 2)) / power;
    let rest = (mantissa - value * power).checked_abs()?.checked_mul(NOISE)?;
    (rest <= power).then(|| i64::try_from(value).ok()).flatten()
}

impl Number<'_> {
    /// True where a price is too large for any of ours: an order so far away that it belongs to no book.
    pub fn is_beyond(self) -> bool {
        let whole = self.0.split('.').next().unwrap_or_default();
        whole.len() >= 10 && decimal(self.0).is_some_and(|(_, exponent)| exponent <= 0) && whole.bytes().all(|b| b.is_ascii_digit())
    }

    /// A price in 1e-9.
    pub fn price(self, instrument: &TableInstrument) -> Result<i64, String> {
        let lowest = if instrument.allow_negative_price { -LARGEST_PRICE } else { 1 };
        fixed(self.0, 9)
            .filter(|p| (lowest..=LARGEST_PRICE).contains(p))
            .ok_or_else(|| format!("price is {:?}; it must be a multiple of 1e-9 in range", self.0))
    }

    /// A size in the instrument's quantity units, which may be 0.
    pub fn size(self, instrument: &TableInstrument) -> Result<i64, String> {
        let exponent = instrument.quantity_exponent;
        fixed(self.0, -exponent)
            .filter(|s| (0..=LARGEST_SIZE).contains(s))
            .ok_or_else(|| format!("size is {:?}; it must be a whole number of 1e{exponent}, the instrument's quantity unit", self.0))
    }

    /// The size of a print, which is not 0.
    pub fn traded(self, instrument: &TableInstrument) -> Result<i64, String> {
        self.size(instrument).and_then(|s| if s > 0 { Ok(s) } else { Err("a print of size 0".into()) })
    }
}

/// Price and size of one level.
pub(super) fn level(row: [Number<'_>; 2], instrument: &TableInstrument) -> Result<(i64, i64), String> {
    Ok((row[0].price(instrument)?, row[1].size(instrument)?))
}

/// A stamp such as `2021-04-17T16:43:37.075687Z`.
pub(super) fn iso(text: &str) -> Result<i64, String> {
    utc(text)
        .filter(|ts| *ts > 0)
        .ok_or_else(|| format!("time is {text:?}; it must be a date and time of day in UTC, such as 2021-04-17T16:43:37.07Z"))
}

/// Milliseconds since 1970 in ns.
pub(super) fn ms(stamp: i64) -> Result<i64, String> {
    stamp.checked_mul(MS).filter(|ts| *ts > 0).ok_or_else(|| format!("stamp is {stamp}; it must be milliseconds since 1970"))
}

/// A stamp of whole digits since 1970, in s, ms, us or ns by their number.
pub(super) fn digits(text: &str) -> Option<i64> {
    let unit = match text.len() {
        10 => 1_000_000_000,
        13 => MS,
        16 => 1_000,
        19 => 1,
        _ => return None,
    };
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok()?.checked_mul(unit)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BTC: TableInstrument = TableInstrument { instrument_id: 1, quantity_exponent: -3, allow_negative_price: false };

    #[test]
    fn numbers_are_exact_or_refused() {
        assert_eq!(Number("28145.10").price(&BTC), Ok(28_145_100_000_000));
        assert_eq!(Number("1e-8").price(&BTC), Ok(10));
        assert_eq!(Number("3.8680").size(&BTC), Ok(3_868));
        assert_eq!(Number("0.000").size(&BTC), Ok(0));
        assert_eq!(Number("235.91999999999999").price(&BTC), Ok(235_920_000_000), "noise of the venue's doubles");
        assert_eq!(Number("1.7880000000000001").size(&BTC), Ok(1_788));
        assert!(Number("0.0000016425").price(&BTC).is_err(), "half a step is none");
        for bad in ["", "nan", "-1", "0", "1e-10", "1e99", "1.2.3", "null", "[]", "99999999999999999999"] {
            assert!(Number(bad).price(&BTC).is_err(), "{bad}");
        }
        assert!(Number("0.0001").size(&BTC).is_err() && Number("0").traded(&BTC).is_err());
        assert_eq!(fixed("0", i32::MAX), Some(0));
        assert_eq!(fixed("1", i32::MAX), None);
    }

    #[test]
    fn stamps_tell_their_unit_by_their_length() {
        assert_eq!(digits("1680652800004107"), Some(1_680_652_800_004_107_000));
        assert_eq!(digits("1721347020984480942"), Some(1_721_347_020_984_480_942));
        assert_eq!(digits("1430438404518"), Some(1_430_438_404_518_000_000));
        for bad in ["", "168065280000410", "16806528000041a7", "9999999999999999999", "-430438404518"] {
            assert_eq!(digits(bad), None, "{bad}");
        }
        assert!(ms(i64::MAX).is_err() && ms(0).is_err());
    }
}
