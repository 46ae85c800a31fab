// SPDX-License-Identifier: Apache-2.0
//! The standard header of a message, read in one walk.
use crate::field::{Field, Fields, is_header};
use crate::frame::TRAILER;
use crate::number::unsigned;

/// A value inside a message; `start` 0 = the field is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where the value begins.
    pub start: u32,
    /// Its bytes.
    pub length: u32,
}

impl Span {
    /// Of a field's value.
    #[inline]
    #[must_use]
    pub fn of(field: &Field<'_>) -> Self {
        Span { start: (field.start + field.name.len() + 1) as u32, length: field.value.len() as u32 }
    }

    /// True where the field is there, empty or not.
    #[inline]
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.start != 0
    }

    /// The value; empty where the field is not there.
    #[inline]
    #[must_use]
    pub fn of_bytes(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..(self.start + self.length) as usize]
    }
}

/// Routing fields in the order of [`Header::routing`], each beside the field it becomes in an answer.
pub const ROUTING: [(u32, u32); 6] = [(115, 128), (116, 129), (128, 115), (129, 116), (144, 145), (145, 144)];

/// What the session layer reads of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// BeginString (8).
    pub begin_string: Span,
    /// MsgType (35).
    pub msg_type: Span,
    /// SenderCompID (49).
    pub sender: Span,
    /// TargetCompID (56).
    pub target: Span,
    /// SendingTime (52).
    pub sending_time: Span,
    /// OrigSendingTime (122).
    pub orig_sending_time: Span,
    /// OnBehalfOf and DeliverTo fields, in the order of [`ROUTING`].
    pub routing: [Span; 6],
    /// MsgSeqNum (34).
    pub seq: Option<u64>,
    /// PossDupFlag (43).
    pub is_poss_dup: bool,
    /// PossResend (97).
    pub is_poss_resend: bool,
    /// First header field that came after the header's end, 0 where none was met.
    pub out_of_order: u32,
    /// Where the first field of the body begins.
    pub body: usize,
    /// Where the CheckSum field begins.
    pub end: usize,
}

/// Bytes that carry length and checksum of a message and are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

impl Header {
    /// Reads the header of a whole message (see [`crate::frame::find`]).
    ///
    /// # Errors
    /// When a part of the header is no field.
    pub fn read(bytes: &[u8]) -> Result<Header, Garbled> {
        let end = bytes.len().checked_sub(TRAILER).ok_or(Garbled)?;
        let mut header = Header { end, body: end, ..Header::default() };
        let mut fields = Fields::new(bytes, 0, end);
        while let Some(field) = fields.next_field().map_err(|_| Garbled)? {
            if !is_header(field.tag) {
                header.body = field.start;
                break;
            }
            header.take(&field);
        }
        let is_whole = header.seq.is_some() && header.sender.is_some() && header.target.is_some() && header.sending_time.is_some();
        if !is_whole {
            header.look_behind(fields)?;
        }
        if header.msg_type.is_some() { Ok(header) } else { Err(Garbled) }
    }

    /// A counterparty that puts header fields into the body is told so, under the sequence number found there.
    #[cold]
    fn look_behind(&mut self, mut fields: Fields<'_>) -> Result<(), Garbled> {
        while let Some(field) = fields.next_field().map_err(|_| Garbled)? {
            if is_header(field.tag) {
                if self.out_of_order == 0 {
                    self.out_of_order = field.tag;
                }
                self.take(&field);
            }
        }
        Ok(())
    }

    #[inline]
    fn take(&mut self, field: &Field<'_>) {
        let span = Span::of(field);
        match field.tag {
            8 => self.begin_string = span,
            35 => self.msg_type = span,
            49 => self.sender = span,
            56 => self.target = span,
            34 => self.seq = unsigned(field.value),
            52 => self.sending_time = span,
            43 => self.is_poss_dup = field.value == b"Y",
            97 => self.is_poss_resend = field.value == b"Y",
            122 => self.orig_sending_time = span,
            tag => {
                if let Some(at) = ROUTING.iter().position(|(of, _)| *of == tag) {
                    self.routing[at] = span;
                }
            }
        }
    }

    /// True for Heartbeat, TestRequest, ResendRequest, Reject, SequenceReset, Logout and Logon.
    #[inline]
    #[must_use]
    pub fn is_admin(&self, bytes: &[u8]) -> bool {
        is_admin(self.msg_type.of_bytes(bytes))
    }
}

/// True for the message types of the session layer.
#[inline]
#[must_use]
pub fn is_admin(msg_type: &[u8]) -> bool {
    matches!(msg_type, [b'0'..=b'5' | b'A'])
}

/// First field with this tag from `at` on; `None` where there is none.
#[must_use]
pub fn find_field(bytes: &[u8], at: usize, end: usize, tag: u32) -> Option<&[u8]> {
    let mut fields = Fields::new(bytes, at, end);
    while let Ok(Some(field)) = fields.next_field() {
        if field.tag == tag {
            return Some(field.value);
        }
    }
    None
}
