// SPDX-License-Identifier: Apache-2.0
//! Messages held against a dictionary, or, where the session has none, against what every message must keep.
use crate::dictionary::{Dictionary, FieldDefinition, Format, Members};
use crate::field::{Field, Fields, is_header, is_trailer};
use crate::header::Header;
use crate::number::unsigned;
use crate::refusal::{Reason, Refusal};
use std::collections::HashSet;

const REQUIRED_HEADER: [u32; 4] = [34, 49, 52, 56];

/// Without a dictionary: header fields there and in the header, no field empty or without a plain tag.
///
/// # Errors
/// The first rule the message breaks.
pub fn check_form(bytes: &[u8], header: &Header) -> Result<(), Refusal> {
    if header.out_of_order != 0 {
        return Err(Refusal::of(Reason::OutOfOrder, header.out_of_order));
    }
    let there = [header.seq.is_some(), header.sender.is_some(), header.sending_time.is_some(), header.target.is_some()];
    if let Some(at) = there.iter().position(|is_there| !is_there) {
        return Err(Refusal::of(Reason::RequiredTagMissing, REQUIRED_HEADER[at]));
    }
    let mut fields = Fields::new(bytes, 0, header.end);
    while let Some(field) = fields.next_field().map_err(|_| Refusal::plain(Reason::IncorrectFormat))? {
        if field.value.is_empty() {
            return Err(Refusal::named(Reason::EmptyValue, field.name));
        }
        if field.tag == 0 {
            return Err(Refusal::named(Reason::InvalidTag, field.name));
        }
        if field.start >= header.body && is_header(field.tag) {
            return Err(Refusal::of(Reason::OutOfOrder, field.tag));
        }
    }
    Ok(())
}

/// What a session accepts beyond its dictionary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// Tags from 5000 on pass undefined.
    pub user_fields: bool,
    /// Tags that pass wherever they stand: our own alert fields.
    pub ignored: Vec<u32>,
}

/// Holds a message against a dictionary.
///
/// # Errors
/// The first rule the message breaks.
pub fn check(dictionary: &Dictionary, tolerance: &Tolerance, bytes: &[u8], header: &Header) -> Result<(), Refusal> {
    check_order(dictionary, bytes, header)?;
    let msg_type = header.msg_type.of_bytes(bytes);
    let message = dictionary.messages.get(msg_type).ok_or_else(|| Refusal::plain(Reason::InvalidMsgType))?;
    let is_admin = header.is_admin(bytes);
    let mut walk = Walk { dictionary, tolerance, fields: Fields::new(bytes, 0, header.end), ahead: None, at_header: true, is_admin };
    let mut present = HashSet::new();
    let outcome = walk.message(message, &mut present);
    for members in [&dictionary.header, message] {
        if let Some(missing) = members.required.iter().find(|tag| !present.contains(*tag)) {
            return Err(Refusal::of(Reason::RequiredTagMissing, *missing));
        }
    }
    outcome
}

fn check_order(dictionary: &Dictionary, bytes: &[u8], header: &Header) -> Result<(), Refusal> {
    let mut fields = Fields::new(bytes, 0, header.end);
    let (mut is_body, mut is_end) = (false, false);
    while let Some(field) = fields.next_field().map_err(|_| Refusal::plain(Reason::IncorrectFormat))? {
        let of_header = dictionary.header.fields.contains(&field.tag) || (is_header(field.tag) && !is_body);
        let of_trailer = is_trailer(field.tag) || dictionary.trailer.fields.contains(&field.tag);
        if (is_body && of_header) || (is_end && !of_trailer) {
            return Err(Refusal::of(Reason::OutOfOrder, field.tag));
        }
        is_body |= !of_header && !dictionary.header.groups.values().any(|g| g.members.fields.contains(&field.tag));
        is_end |= of_trailer;
    }
    Ok(())
}

struct Walk<'a> {
    dictionary: &'a Dictionary,
    tolerance: &'a Tolerance,
    fields: Fields<'a>,
    ahead: Option<Field<'a>>,
    at_header: bool,
    is_admin: bool,
}

impl<'a> Walk<'a> {
    fn next(&mut self) -> Option<Field<'a>> {
        self.ahead.take().or_else(|| self.fields.next_field().ok().flatten())
    }

    /// Checks every field; keeps on collecting what is present after the first refusal, since a missing field goes first.
    fn message(&mut self, message: &Members, present: &mut HashSet<u32>) -> Result<(), Refusal> {
        let mut outcome = Ok(());
        while let Some(field) = self.next() {
            let is_new = present.insert(field.tag) || field.tag == 0;
            if outcome.is_ok() {
                outcome = if is_new { self.field(&field, message) } else { Err(Refusal::of(Reason::RepeatedTag, field.tag)) };
            }
        }
        outcome
    }

    fn field(&mut self, field: &Field<'a>, message: &Members) -> Result<(), Refusal> {
        if self.tolerance.ignored.contains(&field.tag) {
            return Ok(());
        }
        self.value(field)?;
        let header = &self.dictionary.header;
        let of_header = self.at_header && header.fields.contains(&field.tag);
        self.at_header &= of_header;
        let members = if of_header { header } else { message };
        let is_user = field.tag >= 5000 && self.tolerance.user_fields;
        if !members.fields.contains(&field.tag) && !self.dictionary.trailer.fields.contains(&field.tag) && !is_user {
            return Err(Refusal::of(Reason::TagNotDefined, field.tag));
        }
        match members.groups.get(&field.tag) {
            Some(group) => self.group(field, group),
            None => Ok(()),
        }
    }

    /// Checks tag, presence and form of one value.
    fn value(&self, field: &Field<'_>) -> Result<(), Refusal> {
        if field.value.is_empty() {
            return Err(Refusal::named(Reason::EmptyValue, field.name));
        }
        let is_known = !self.is_admin || self.dictionary.transport.contains(&field.tag);
        let Some(definition) = self.dictionary.fields.get(&field.tag).filter(|_| is_known) else {
            let is_user = field.tag >= 5000 && self.tolerance.user_fields;
            return if is_user { Ok(()) } else { Err(Refusal::named(Reason::InvalidTag, field.name)) };
        };
        if !has_format(definition.format, field.value) {
            return Err(Refusal::of(Reason::IncorrectFormat, field.tag));
        }
        if !has_value(definition, field.value) {
            return Err(Refusal::of(Reason::ValueOutOfRange, field.tag));
        }
        Ok(())
    }

    /// Entries of a group: each begins with the delimiter, and there are as many as the count says. A wrong count is told
    /// before anything that is wrong inside.
    fn group(&mut self, count: &Field<'a>, group: &crate::dictionary::Group) -> Result<(), Refusal> {
        let wanted = unsigned(count.value).unwrap_or(u64::MAX);
        let (mut entries, mut outcome) = (0, Ok(()));
        let mut seen = HashSet::new();
        while let Some(field) = self.next() {
            let is_first = field.tag == group.delimiter;
            if !group.members.fields.contains(&field.tag) || (entries == 0 && !is_first) {
                self.ahead = Some(field);
                break;
            }
            if is_first {
                entries += 1;
                seen.clear();
            }
            let is_new = seen.insert(field.tag);
            let inside = self.entry_field(&field, is_new, group);
            outcome = outcome.and(inside);
        }
        if entries == wanted { outcome } else { Err(Refusal::of(Reason::GroupCount, count.tag)) }
    }

    fn entry_field(&mut self, field: &Field<'a>, is_new: bool, group: &crate::dictionary::Group) -> Result<(), Refusal> {
        if !is_new {
            return Err(Refusal::of(Reason::RepeatedTag, field.tag));
        }
        let value = self.value(field);
        match group.members.groups.get(&field.tag) {
            Some(inner) => value.and(self.group(field, inner)),
            None => value,
        }
    }
}

fn has_value(definition: &FieldDefinition, value: &[u8]) -> bool {
    definition.values.is_empty()
        || if definition.is_multiple {
            value.split(|b| *b == b' ').all(|part| definition.values.contains(part))
        } else {
            definition.values.contains(value)
        }
}

fn has_format(format: Format, value: &[u8]) -> bool {
    match format {
        Format::Text => true,
        Format::Char => value.len() == 1,
        Format::Boolean => matches!(value, b"Y" | b"N"),
        Format::Integer => {
            let digits = value.strip_prefix(b"-").unwrap_or(value);
            !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
        }
        Format::Float => is_float(value),
        Format::Timestamp => crate::time::parse(value).is_some(),
        Format::Date => value.len() == 8 && value.iter().all(u8::is_ascii_digit),
        Format::Time => value.len() >= 8 && crate::time::parse(&[b"20000101-", value].concat()).is_some(),
    }
}

fn is_float(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    digits.iter().any(u8::is_ascii_digit)
        && digits.iter().all(|b| b.is_ascii_digit() || *b == b'.')
        && digits.iter().filter(|b| **b == b'.').count() <= 1
}

#[cfg(test)]
mod tests;
