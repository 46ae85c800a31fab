// SPDX-License-Identifier: Apache-2.0
//! Stamps of any unit, origin and zone to ns UTC.
use super::cell::{Cell, Scale};

const NS_PER_S: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * NS_PER_S;
/// 2200-01-01; a later stamp is absurd.
const LATEST: i64 = 7_258_118_400 * NS_PER_S;

/// A time zone: from when on (ns UTC) which offset from UTC holds (ns), the first entry for ever before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(Vec<(i64, i64)>);

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self::fixed(0)
    }

    /// One offset from UTC, ns.
    #[must_use]
    pub fn fixed(offset_ns: i64) -> Self {
        Self(vec![(i64::MIN, offset_ns)])
    }

    /// A zone of (from ns UTC, offset ns) steps.
    ///
    /// # Errors
    /// In words, if there is none, they are out of order or an offset is more than a day.
    pub fn steps(steps: Vec<(i64, i64)>) -> Result<Self, String> {
        let sorted = steps.windows(2).all(|p| p[0].0 < p[1].0);
        if steps.is_empty() || !sorted || steps.iter().any(|s| s.1.abs() > DAY_NS) {
            return Err("zone steps must be in order, at least one, each with an offset of at most a day".into());
        }
        Ok(Self(steps))
    }

    /// Parses `UTC` or a fixed offset such as `+09:00`; `None` where it is a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if matches!(text, "UTC" | "Z" | "GMT") { Some(Self::utc()) } else { offset(text).map(Self::fixed) }
    }

    fn offset_at(&self, utc: i64) -> i64 {
        let i = self.0.partition_point(|s| s.0 <= utc);
        self.0[i.saturating_sub(1)].1
    }

    /// Wall time (as if it were UTC) to UTC, the first of two where a clock was set back.
    ///
    /// # Errors
    /// In words, if a clock was set forward over this time.
    pub fn to_utc(&self, wall: i64) -> Result<i64, String> {
        if let [(_, only)] = self.0.as_slice() {
            return Ok(wall.saturating_sub(*only));
        }
        let candidates = [wall.saturating_sub(DAY_NS), wall.saturating_add(DAY_NS)].map(|near| wall.saturating_sub(self.offset_at(near)));
        let valid = candidates.into_iter().filter(|utc| utc.saturating_add(self.offset_at(*utc)) == wall);
        valid.min().ok_or_else(|| format!("wall time {wall} ns does not exist in this zone: the clock was set forward over it"))
    }
}

/// Unit of a stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of these many powers of ten to a ns (9 for seconds).
    Digits(i32),
    /// ISO 8601 text.
    Iso,
    /// A date; what stands in its row is known at this time of the day, ns after midnight.
    Date(i64),
}

/// How stamps are read.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Unit.
    pub unit: Unit,
    /// Zone of wall times; numbers since 1970 are UTC unless the map says a zone.
    pub zone: Zone,
    /// Midnight of the recording's day as wall time in ns, where stamps count from midnight.
    pub midnight: Option<i64>,
}

impl Clock {
    /// ns UTC of a stamp.
    ///
    /// # Errors
    /// In words, if it is absent, unreadable or outside 1970 to 2200.
    pub fn read(&self, cell: Cell<'_>, name: &str) -> Result<i64, String> {
        let say = |what: String| format!("{name}: {what}");
        let wall = match (self.unit, cell) {
            (_, Cell::Null) => return Err(say("is absent".into())),
            (Unit::Digits(digits), _) => {
                let elapsed = Scale::ONE.shifted(digits).apply(cell).map_err(say)?.unwrap_or_default();
                if self.midnight.is_some() && !(0..DAY_NS).contains(&elapsed) {
                    return Err(say(format!("{cell} is no time of day")));
                }
                self.midnight.unwrap_or(0).saturating_add(elapsed)
            }
            (Unit::Iso, Cell::Text(text)) => match iso(text).ok_or_else(|| say(format!("{cell} is no ISO 8601 time")))? {
                (wall, Some(offset)) => return in_range(wall.saturating_sub(offset)).map_err(say),
                (wall, None) => wall,
            },
            (Unit::Date(at), Cell::Text(text)) => date(text).ok_or_else(|| say(format!("{cell} is no date YYYY-MM-DD")))?.saturating_add(at),
            (Unit::Date(_), _) => return Err(say(format!("{cell} is no date YYYY-MM-DD"))),
            (Unit::Iso, _) => return Err(say(format!("{cell} is no ISO 8601 text"))),
        };
        self.zone.to_utc(wall).and_then(in_range).map_err(say)
    }
}

fn in_range(ts: i64) -> Result<i64, String> {
    if (0..LATEST).contains(&ts) { Ok(ts) } else { Err(format!("{ts} ns is outside the years 1970 to 2200")) }
}

/// `YYYY-MM-DD[T ]HH:MM[:SS[.fraction]][Z|+HH:MM]` as wall ns and the offset it names.
fn iso(text: &str) -> Option<(i64, Option<i64>)> {
    if !text.is_ascii() || text.len() < 16 {
        return None;
    }
    let day = date(&text[..10])?;
    if !matches!(text.as_bytes()[10], b'T' | b' ' | b't') {
        return None;
    }
    let rest = &text[11..];
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = (rest[..at].trim_end(), &rest[at..]);
    let offset = match zone {
        "" => None,
        "Z" | "z" => Some(0),
        other => Some(offset(other)?),
    };
    Some((day + time_of_day(clock)?, offset))
}

/// A stamp of date and time that says it is UTC, in ns since 1970.
pub(crate) fn utc(text: &str) -> Option<i64> {
    iso(text).and_then(|(wall, offset)| wall.checked_sub(offset?))
}

/// `HH:MM[:SS[.fraction]]` in ns.
pub(crate) fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hour, minute) = (two(parts.next()?, 23)?, two(parts.next()?, 59)?);
    let (second, fraction) = match parts.next() {
        None => (0, ""),
        Some(s) => {
            let (whole, fraction) = s.split_once('.').unwrap_or((s, "0"));
            (two(whole, 59)?, fraction)
        }
    };
    if parts.next().is_some() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |n, b| n * 10 + i64::from(b - b'0'));
    Some(((hour * 60 + minute) * 60 + second) * NS_PER_S + nanos)
}

/// `+HH:MM` or `+HHMM` in ns.
fn offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text.get(1..)?;
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "00"),
    };
    Some(sign * (two(hours, 18)? * 60 + two(minutes, 59)?) * 60 * NS_PER_S)
}

fn two(text: &str, most: i64) -> Option<i64> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten().filter(|v| *v <= most)
}

/// `YYYY-MM-DD` as ns since 1970 of its midnight, proleptic Gregorian.
#[must_use]
pub fn date(text: &str) -> Option<i64> {
    let b = text.as_bytes();
    if b.len() != 10 || b[4] != b'-' || b[7] != b'-' || !text.is_ascii() {
        return None;
    }
    let year: i64 = text[..4].parse().ok().filter(|_| text[..4].bytes().all(|d| d.is_ascii_digit()))?;
    let (month, day) = (two(&text[5..7], 12)?, two(&text[8..], 31)?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = lengths.get(usize::try_from(month - 1).ok()?)?;
    if day < 1 || day > *length || !(1900..2200).contains(&year) {
        return None;
    }
    // Days since 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * DAY_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600 * NS_PER_S;

    fn new_york_2023() -> Zone {
        let at = |text: &str| iso(text).unwrap().0;
        Zone::steps(vec![(0, -5 * HOUR), (at("2023-03-12T07:00"), -4 * HOUR), (at("2023-11-05T06:00"), -5 * HOUR)]).unwrap()
    }

    #[test]
    fn iso_text_and_numbers_agree() {
        let clock = |unit| Clock { unit, zone: Zone::utc(), midnight: None };
        let want = 1_682_949_600_132_000_000;
        for text in ["2023-05-01T14:00:00.132Z", "2023-05-01 14:00:00.132", "2023-05-01T16:00:00.132+02:00", "2023-05-01T14:00:00.132000000+0000"] {
            assert_eq!(clock(Unit::Iso).read(Cell::Text(text), "t"), Ok(want), "{text}");
        }
        assert_eq!(clock(Unit::Digits(6)).read(Cell::Int(1_682_949_600_132), "t"), Ok(want));
        assert_eq!(clock(Unit::Digits(9)).read(Cell::Text("1682949600.132"), "t"), Ok(want));
        for text in
            ["2023-02-29T00:00", "2023-13-01T00:00", "2023-05-01T24:00", "2023-05-01", "2023-05-01T14:00:00.1234567891", "x", "2023-05-01T1é:00:0"]
        {
            assert!(clock(Unit::Iso).read(Cell::Text(text), "t").is_err(), "{text}");
        }
        assert!(clock(Unit::Digits(9)).read(Cell::Float(f64::NAN), "t").is_err());
        assert!(clock(Unit::Digits(0)).read(Cell::Int(-1), "t").is_err());
        assert!(clock(Unit::Digits(0)).read(Cell::Null, "t").is_err());
    }

    #[test]
    fn wall_time_follows_the_clock_change() {
        let zone = new_york_2023();
        let utc = |text: &str| zone.to_utc(iso(text).unwrap().0).map(|t| t / HOUR % 24);
        assert_eq!(utc("2023-03-12T01:30"), Ok(6));
        assert!(utc("2023-03-12T02:30").is_err(), "set forward");
        assert_eq!(utc("2023-03-12T03:30"), Ok(7));
        assert_eq!(utc("2023-11-05T01:30"), Ok(5), "the first of two");
        assert_eq!(utc("2023-11-05T02:30"), Ok(7));
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2000-02-29"), Some(11_016 * DAY_NS));
        assert_eq!(date("2012-06-21"), Some(15_512 * DAY_NS));
        assert_eq!(date("1900-02-29"), None);
    }
}
