// SPDX-License-Identifier: Apache-2.0
//! The annex of `controls`: what humans allow or bar one by one, in an immutable file that is swapped whole (`records` section 2).
//!
//! Text: `pretrade-annex 1 NUMBER`, one thing a line as `kind name=number ...`, and `crc32c HEX` of all before it. The firm's row names the
//! number; a file that is absent, older or damaged leaves what was read before in force, and no risk is added until it can be read (6).
use crate::gate::Gate;
use pretrade_shm::crc::crc32c;
use pretrade_shm::{ControlsRecord, ControlsTable, Level, ReadOutcome};

/// A one-shot permission to reduce through what stops everybody else (control 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// Entry of the control journal that issued it.
    pub id: u64,
    /// The one gateway that may spend it.
    pub gateway: u32,
    /// Account that reduces.
    pub account: u32,
    /// Instrument it reduces.
    pub instrument: u32,
    /// [`pretrade_records::Side`] code.
    pub side: u8,
    /// Largest quantity.
    pub quantity: i64,
    /// Highest price of a buy, lowest of a sell.
    pub price: i64,
    /// Newest arming of a kill that it passes; 0 = none.
    pub kill: u64,
    /// Different persons who signed.
    pub persons: u8,
    /// Last instant it is good, ns UTC.
    pub until: i64,
}

/// A sum over instruments that a row may not exceed (control 22): a sector, a beta, a Greek; in money per lot of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Its number.
    pub id: u32,
    /// Level code of the row: account, desk or firm.
    pub level: u8,
    /// Its id.
    pub row: u32,
    /// Largest worst case of either sign, money.
    pub most: i64,
    /// Last instant its weights are good, ns UTC: stale ones are missing.
    pub until: i64,
}

/// What one lot of an instrument adds to a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// The bucket.
    pub bucket: u32,
    /// The instrument.
    pub instrument: u32,
    /// Signed money of one lot held long.
    pub per_lot: i64,
}

/// A check of the user's own (46): a named input of an order that adds risk, against a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserCheck {
    /// Level code of the row it belongs to.
    pub level: u8,
    /// Its id.
    pub row: u32,
    /// [`crate::checks::user::Input`] code.
    pub input: u8,
    /// Refuses above the bound, else below it.
    pub is_above: bool,
    /// The bound, in the input's unit.
    pub bound: i64,
}

/// Everything of one annex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annex {
    /// Its number, 0 = none was read.
    pub number: u64,
    /// The firm's row names one that cannot be read.
    pub is_missing: bool,
    /// Exit tickets.
    pub tickets: Vec<Ticket>,
    /// Accounts and the instruments they may not trade (control 6), in order: every order looks its own up.
    pub restricted: Vec<(u32, u32)>,
    /// Sums over instruments (control 22).
    pub buckets: Vec<Bucket>,
    /// Their weights.
    pub weights: Vec<Weight>,
    /// Checks of the user's own.
    pub checks: Vec<UserCheck>,
    /// Rows (level code, id) that surveillance blocked (control 33).
    pub blocked: Vec<(u8, u32)>,
}

/// The numbers of one line by name.
struct Line<'a>(Vec<(&'a str, i64)>);

impl<'a> Line<'a> {
    fn of(words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let number = |word: &'a str| {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("{word:?} is no name=number"))?;
            Ok((name, value.parse().map_err(|_| format!("{word:?} holds no number"))?))
        };
        words.map(number).collect::<Result<_, String>>().map(Line)
    }

    fn get<T: TryFrom<i64>>(&self, name: &str) -> Result<T, String> {
        let value = self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| *v).ok_or_else(|| format!("{name} is absent"))?;
        T::try_from(value).map_err(|_| format!("{name} is {value}; it does not fit"))
    }
}

impl Annex {
    /// Reads the text of one.
    ///
    /// # Errors
    /// In words, when anything in it is not what this program writes and reads.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (body, sum) = text.rsplit_once("crc32c ").ok_or("it has no checksum")?;
        let found = crc32c(body.as_bytes());
        if u32::from_str_radix(sum.trim(), 16) != Ok(found) {
            return Err(format!("its checksum is {}, its bytes give {found:08x}", sum.trim()));
        }
        let mut lines = body.lines();
        let head = lines.next().and_then(|head| head.strip_prefix("pretrade-annex 1 ")).ok_or("its first line is not `pretrade-annex 1 NUMBER`")?;
        let mut annex = Annex { number: head.parse().map_err(|_| format!("its number is {head:?}"))?, ..Annex::default() };
        for line in lines {
            annex.take(line).map_err(|problem| format!("{line:?}: {problem}"))?;
        }
        annex.restricted.sort_unstable();
        Ok(annex)
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        let mut words = line.split_whitespace();
        let kind = words.next().ok_or("an empty line")?;
        let of = Line::of(words)?;
        match kind {
            "ticket" => self.tickets.push(Ticket {
                id: of.get("id")?,
                gateway: of.get("gateway")?,
                account: of.get("account")?,
                instrument: of.get("instrument")?,
                side: of.get("side")?,
                quantity: of.get("quantity")?,
                price: of.get("price")?,
                kill: of.get("kill")?,
                persons: of.get("persons")?,
                until: of.get("until")?,
            }),
            "restrict" => self.restricted.push((of.get("account")?, of.get("instrument")?)),
            "block" => self.blocked.push((of.get("level")?, of.get("id")?)),
            "bucket" => self.buckets.push(Bucket {
                id: of.get("id")?,
                level: of.get("level")?,
                row: of.get("row")?,
                most: of.get("most")?,
                until: of.get("until")?,
            }),
            "weight" => {
                self.weights.push(Weight { bucket: of.get("bucket")?, instrument: of.get("instrument")?, per_lot: of.get("per_lot")? });
            }
            "check" => {
                let (input, is_above) = (of.get::<u8>("input")?, of.get::<u8>("is_above")? != 0);
                crate::checks::user::Input::try_from(input).map_err(|e| e.to_string())?;
                self.checks.push(UserCheck { level: of.get("level")?, row: of.get("row")?, input, is_above, bound: of.get("bound")? });
            }
            _ => return Err("nothing this gate knows".to_owned()),
        }
        Ok(())
    }

    /// True where something in it is asked of every order.
    #[must_use]
    pub fn binds_orders(&self) -> bool {
        self.is_missing || !(self.restricted.is_empty() && self.blocked.is_empty() && self.buckets.is_empty() && self.checks.is_empty())
    }

    /// True where an account may not trade an instrument.
    #[must_use]
    pub fn is_restricted(&self, account: u32, instrument: u32) -> bool {
        self.restricted.binary_search(&(account, instrument)).is_ok()
    }
}

impl Gate {
    /// Follows the number in the firm's row. Cold: a file is read only when that number moved.
    pub(crate) fn read_annex(&mut self) -> bool {
        let mut row = ControlsRecord::default();
        let slot = self.controls.row(Level::Firm, 0);
        let is_read = slot.is_some_and(|slot| self.controls.read(slot, &mut row) == ReadOutcome::Fresh && ControlsTable::is_intact(&row));
        if !is_read {
            return false;
        }
        let named = u64::from(row.channel);
        if named <= self.annex.number {
            self.annex.is_missing = false;
            return true;
        }
        match std::fs::read_to_string(&self.files.annex).map_err(|e| e.to_string()).and_then(|text| Annex::parse(&text)) {
            // A newer one than the row names was recorded before it was written.
            Ok(annex) if annex.number >= named => {
                self.spent.reserve(annex.tickets.len());
                self.annex = annex;
                true
            }
            _ => {
                self.annex.is_missing = true;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(body: &str) -> String {
        format!("{body}crc32c {:08x}\n", crc32c(body.as_bytes()))
    }

    const TICKET: &str = "pretrade-annex 1 9\nticket id=8 gateway=0 account=1 instrument=2 side=2 quantity=500 price=-7 kill=3 persons=1 until=99\nrestrict account=4 instrument=5\nrestrict account=3 instrument=9\nrestrict account=4 instrument=1\n";

    #[test]
    fn what_was_written_is_read() {
        let annex = Annex::parse(&signed(TICKET)).unwrap();
        assert_eq!((annex.number, annex.tickets.len(), annex.tickets[0].price, annex.tickets[0].kill), (9, 1, -7, 3));
        assert!(annex.is_restricted(4, 5) && annex.is_restricted(3, 9) && annex.is_restricted(4, 1));
        assert!(!annex.is_restricted(5, 4) && !annex.is_restricted(3, 5));
    }

    #[test]
    fn a_byte_flipped_a_word_unknown_or_a_number_absent_is_no_annex() {
        let whole = signed(TICKET);
        for at in 0..whole.len() - 1 {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(String::from_utf8(bytes).map_err(|_| ()).and_then(|text| Annex::parse(&text).map_err(|_| ())).is_err(), "byte {at}");
        }
        for body in ["pretrade-annex 1 9\nallow account=1\n", "pretrade-annex 1 9\nrestrict account=1\n", "pretrade-annex 2 9\n"] {
            assert!(Annex::parse(&signed(body)).is_err(), "{body}");
        }
    }
}
