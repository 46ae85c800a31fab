// SPDX-License-Identifier: Apache-2.0
//! Fields of a message, read where they lie.

/// Field separator.
pub const SOH: u8 = 1;

/// One `tag=value` field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The tag; 0 where it is not a plain number of at most nine digits, and then `name` says what stands there.
    pub tag: u32,
    /// The tag as written.
    pub name: &'a [u8],
    /// The value, separator left out.
    pub value: &'a [u8],
    /// Where the tag begins in the message.
    pub start: usize,
    /// Where the next field begins.
    pub end: usize,
}

/// Walks the fields of `bytes[at..end]`. A data field (RawData and its like) is as long as the length field before it says,
/// so that separators inside it are data and not fields: what the counterparty reads is what is read here.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
    /// Data tag that the last field announced, and its length.
    data: Option<(u32, usize)>,
}

/// A stretch of bytes that is no field: no `=`, or no separator where one must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAField;

impl<'a> Fields<'a> {
    /// Fields between two offsets.
    #[must_use]
    pub fn new(bytes: &'a [u8], at: usize, end: usize) -> Self {
        Fields { bytes, at, end: end.min(bytes.len()), data: None }
    }

    /// The next field, `None` at the end.
    ///
    /// # Errors
    /// When what stands there is no field; the rest of the message cannot be read then.
    #[inline]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, NotAField> {
        if self.at >= self.end {
            return Ok(None);
        }
        let (start, bytes) = (self.at, &self.bytes[..self.end]);
        let mut at = start;
        let mut tag = 0u32;
        let mut is_plain = true;
        while at < bytes.len() && bytes[at] != b'=' {
            let digit = bytes[at].wrapping_sub(b'0');
            if bytes[at] == SOH {
                return Err(NotAField);
            }
            is_plain &= digit <= 9 && at - start < 9;
            tag = tag.wrapping_mul(10).wrapping_add(u32::from(digit));
            at += 1;
        }
        if at == bytes.len() || at == start {
            return Err(NotAField);
        }
        let name = &bytes[start..at];
        let tag = if is_plain && name[0] != b'0' { tag } else { 0 };
        let from = at + 1;
        let to = match self.data.take() {
            Some((of, length)) if of == tag => from.checked_add(length).filter(|to| bytes.get(*to) == Some(&SOH)).ok_or(NotAField)?,
            _ => from + bytes[from..].iter().position(|b| *b == SOH).ok_or(NotAField)?,
        };
        let value = &bytes[from..to];
        if let Some(data) = data_tag(tag) {
            self.data = crate::number::unsigned(value).map(|length| (data, usize::try_from(length).unwrap_or(usize::MAX)));
        }
        self.at = to + 1;
        Ok(Some(Field { tag, name, value, start, end: to + 1 }))
    }
}

/// The data field whose length a length field gives (FIX 5.0 SP2, data type `Length`).
#[inline]
#[must_use]
pub const fn data_tag(length_tag: u32) -> Option<u32> {
    Some(match length_tag {
        90 => 91,
        93 => 89,
        95 => 96,
        212 => 213,
        348 => 349,
        350 => 351,
        352 => 353,
        354 => 355,
        356 => 357,
        358 => 359,
        360 => 361,
        362 => 363,
        364 => 365,
        445 => 446,
        618 => 619,
        621 => 622,
        1184 => 1185,
        1277 => 1278,
        1280 => 1281,
        1282 => 1283,
        1397 => 1398,
        1401 => 1402,
        1468 => 1469,
        _ => return None,
    })
}

/// True for fields of the standard header.
#[inline]
#[must_use]
pub const fn is_header(tag: u32) -> bool {
    matches!(
        tag,
        8 | 9
            | 35
            | 34
            | 43
            | 49
            | 50
            | 52
            | 56
            | 57
            | 90
            | 91
            | 97
            | 115
            | 116
            | 122
            | 128
            | 129
            | 142
            | 143
            | 144
            | 145
            | 212
            | 213
            | 347
            | 369
            | 370
            | 627
            | 628
            | 629
            | 630
            | 1128
            | 1129
            | 1156
    )
}

/// True for fields of the standard trailer.
#[inline]
#[must_use]
pub const fn is_trailer(tag: u32) -> bool {
    matches!(tag, 10 | 89 | 93)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(u32, String)>, NotAField> {
        let bytes = text.replace('|', "\u{1}").into_bytes();
        let mut fields = Fields::new(&bytes, 0, bytes.len());
        let mut out = Vec::new();
        while let Some(field) = fields.next_field()? {
            out.push((field.tag, String::from_utf8_lossy(field.value).replace('\u{1}', "|")));
        }
        Ok(out)
    }

    #[test]
    fn separators_inside_data_are_data() {
        assert_eq!(all("354=7|355=a|38=9b|38=1|").unwrap(), vec![(354, "7".into()), (355, "a|38=9b".into()), (38, "1".into())]);
    }

    #[test]
    fn a_data_length_that_does_not_end_at_a_separator_is_no_field() {
        assert_eq!(all("95=3|96=abcd|"), Err(NotAField));
        assert_eq!(all("95=18446744073709551615|96=abcd|"), Err(NotAField));
    }

    #[test]
    fn a_tag_that_is_no_plain_number_is_zero_and_keeps_its_name() {
        for name in ["-1", "0", "01", "x", "1234567890"] {
            assert_eq!(all(&format!("{name}=HI|")).unwrap(), vec![(0, "HI".into())]);
        }
        assert_eq!(all("=HI|"), Err(NotAField));
        assert_eq!(all("58|"), Err(NotAField));
        assert_eq!(all("58=unfinished"), Err(NotAField));
    }
}
