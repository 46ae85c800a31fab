// SPDX-License-Identifier: Apache-2.0
//! One cell of a table and exact decimal scaling.

/// One cell. Text cells are trimmed by whoever makes them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nothing stands there.
    Null,
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(&'a str),
}

impl Cell<'_> {
    /// True where nothing stands.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl std::fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("absent"),
            Self::Int(v) => v.fmt(f),
            Self::Float(v) => v.fmt(f),
            Self::Text(v) => write!(f, "{v:?}"),
        }
    }
}

/// A decimal factor `mantissa x 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    mantissa: i64,
    exponent: i32,
}

/// Doubles carry 15 decimal digits; digits behind them are noise of the conversion.
const DOUBLE_DIGITS: f64 = 1e15;
/// Largest magnitude of any scaled number.
const LARGEST: i128 = 4_000_000_000_000_000_000;

impl Scale {
    /// One.
    pub const ONE: Self = Self { mantissa: 1, exponent: 0 };

    /// Reads a positive decimal such as `0.0001`.
    ///
    /// # Errors
    /// In words, if it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mantissa, exponent) = decimal(text).ok_or_else(|| format!("scale {text:?} is no decimal number"))?;
        let mantissa = i64::try_from(mantissa).ok().filter(|m| *m > 0 && *m < 1_000_000_000_000);
        let mantissa = mantissa.ok_or_else(|| format!("scale {text:?} must be positive, with at most 12 digits"))?;
        if exponent.abs() > 18 {
            return Err(format!("scale {text:?} must lie between 1e-18 and 1e18"));
        }
        Ok(Self { mantissa, exponent })
    }

    /// The same, times `10^digits`.
    #[must_use]
    pub const fn shifted(self, digits: i32) -> Self {
        Self { exponent: self.exponent + digits, ..self }
    }

    /// The cell's number times this scale, rounded to the nearest whole number; `None` where the cell is null.
    ///
    /// # Errors
    /// In words, if the cell is no number, is not finite or is absurd.
    pub fn apply(self, cell: Cell<'_>) -> Result<Option<i64>, String> {
        Ok(self.rounded(cell)?.map(|(value, _)| value))
    }

    /// As [`Scale::apply`], and the cell must be a whole number after scaling.
    ///
    /// # Errors
    /// As [`Scale::apply`], or if a part of a unit is left.
    pub fn apply_whole(self, cell: Cell<'_>) -> Result<Option<i64>, String> {
        match self.rounded(cell)? {
            Some((_, false)) => Err(format!("{cell} is no whole number of units")),
            Some((value, true)) => Ok(Some(value)),
            None => Ok(None),
        }
    }

    /// Rounded value, and whether it was whole to a millionth.
    fn rounded(self, cell: Cell<'_>) -> Result<Option<(i64, bool)>, String> {
        let absurd = || format!("{cell} is out of range");
        let (mantissa, exponent) = match cell {
            Cell::Null => return Ok(None),
            Cell::Float(v) => return self.float(v).map(Some).ok_or_else(absurd),
            Cell::Int(v) => (i128::from(v), 0),
            Cell::Text(t) => decimal(t).ok_or_else(|| format!("{cell} is no number"))?,
        };
        let exponent = exponent + self.exponent;
        let product = mantissa.checked_mul(i128::from(self.mantissa)).ok_or_else(absurd)?;
        let (value, whole) = match power(exponent.unsigned_abs()) {
            Some(p) if exponent >= 0 => (product.checked_mul(p).ok_or_else(absurd)?, true),
            Some(p) => {
                let value = (product + product.signum() * (p / 2)) / p;
                (value, (product - value * p).unsigned_abs().saturating_mul(1_000_000) <= p.unsigned_abs())
            }
            None if product == 0 => (0, true),
            None if exponent < 0 => (0, false),
            None => return Err(absurd()),
        };
        if value.abs() > LARGEST {
            return Err(absurd());
        }
        Ok(Some((i64::try_from(value).map_err(|_| absurd())?, whole)))
    }

    fn float(self, v: f64) -> Option<(i64, bool)> {
        let exact = v * self.mantissa as f64;
        // Dividing by a power of ten rounds once; multiplying by its inverse would round twice.
        let scaled = if self.exponent >= 0 { exact * 10f64.powi(self.exponent) } else { exact / 10f64.powi(-self.exponent) };
        if !scaled.is_finite() || scaled.abs() > LARGEST as f64 {
            return None;
        }
        let mut value = scaled.round();
        let whole = (scaled - value).abs() <= 1e-6_f64.max(scaled.abs() * 1e-15);
        let mut step = 1.0;
        while value.abs() / step >= DOUBLE_DIGITS {
            step *= 10.0;
        }
        value = (value / step).round() * step;
        Some((value as i64, whole))
    }
}

fn power(n: u32) -> Option<i128> {
    10_i128.checked_pow(n).filter(|_| n <= 36)
}

/// Mantissa and exponent of a decimal text such as `-12.50` or `1.5e-3`; at most 30 digits.
#[must_use]
pub fn decimal(text: &str) -> Option<(i128, i32)> {
    let (digits, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok().filter(|e| e.abs() <= 400)?),
        None => (text, 0),
    };
    let (negative, digits) = match digits.as_bytes().first()? {
        b'-' => (true, &digits[1..]),
        b'+' => (false, &digits[1..]),
        _ => (false, digits),
    };
    let (mut mantissa, mut seen, mut places, mut point) = (0_i128, 0, 0, false);
    for b in digits.bytes() {
        match b {
            b'.' if !point => point = true,
            b'0'..=b'9' => {
                seen += 1;
                if seen > 30 {
                    return None;
                }
                mantissa = mantissa * 10 + i128::from(b - b'0');
                places += i32::from(point);
            }
            _ => return None,
        }
    }
    (seen > 0).then_some((if negative { -mantissa } else { mantissa }, exponent - places))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_scale_exactly_whatever_the_cell_is() {
        let price = Scale::ONE.shifted(9);
        let both = [Cell::Text("1995.8000000000002"), Cell::Float(1_995.800_000_000_000_2), Cell::Text("19958e-1"), Cell::Text("+1995.80")];
        for cell in both {
            assert_eq!(price.apply(cell), Ok(Some(1_995_800_000_000)), "{cell}");
        }
        assert_eq!(price.apply(Cell::Float(61_234_567.1)), Ok(Some(61_234_567_100_000_000)), "behind 15 digits there is noise");
        assert_eq!(Scale::parse("0.0001").unwrap().shifted(9).apply(Cell::Int(-5_853_300)), Ok(Some(-585_330_000_000)));
        assert_eq!(price.apply(Cell::Null), Ok(None));
    }

    #[test]
    fn no_number_and_absurd_numbers_are_said() {
        let price = Scale::ONE.shifted(9);
        for cell in [
            Cell::Float(f64::NAN),
            Cell::Float(f64::INFINITY),
            Cell::Float(1e300),
            Cell::Int(i64::MAX),
            Cell::Text("nan"),
            Cell::Text("inf"),
            Cell::Text(""),
            Cell::Text("-"),
            Cell::Text("."),
            Cell::Text("1.2.3"),
            Cell::Text("1e400"),
            Cell::Text("12x"),
            Cell::Text("0x10"),
        ] {
            assert!(price.apply(cell).is_err(), "{cell}");
        }
        assert_eq!(price.apply(Cell::Text("1e-300")), Ok(Some(0)));
    }

    #[test]
    fn a_part_of_a_unit_is_no_size() {
        assert!(Scale::ONE.apply_whole(Cell::Text("1.5")).is_err());
        assert!(Scale::ONE.apply_whole(Cell::Float(1.5)).is_err());
        assert_eq!(Scale::ONE.apply_whole(Cell::Text("3.0")), Ok(Some(3)));
        assert_eq!(Scale::ONE.shifted(3).apply_whole(Cell::Float(0.1 + 0.2)), Ok(Some(300)));
        assert!(Scale::parse("-1").is_err() && Scale::parse("0").is_err() && Scale::parse("1e30").is_err());
    }
}
