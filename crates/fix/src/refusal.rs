// SPDX-License-Identifier: Apache-2.0
//! Why the session layer refuses a message: SessionRejectReason (373) and the field it is about.

/// A malformed message: answered 35=3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// SessionRejectReason.
    pub reason: Reason,
    /// RefTagID as written, empty where no field is named.
    pub tag: Vec<u8>,
}

/// SessionRejectReason (373).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The tag is in no dictionary.
    InvalidTag = 0,
    /// A required field is not there.
    RequiredTagMissing = 1,
    /// The field does not belong to this message.
    TagNotDefined = 2,
    /// The field is empty.
    EmptyValue = 4,
    /// The value is not one of those allowed.
    ValueOutOfRange = 5,
    /// The value is not of the field's type.
    IncorrectFormat = 6,
    /// SenderCompID or TargetCompID is not the session's.
    CompId = 9,
    /// SendingTime is too far from the clock.
    SendingTime = 10,
    /// The message type is in no dictionary.
    InvalidMsgType = 11,
    /// The field stands there twice.
    RepeatedTag = 13,
    /// Header, body or trailer fields are mixed.
    OutOfOrder = 14,
    /// A group has another number of entries than its count says.
    GroupCount = 16,
}

impl Reason {
    /// Text (58) of the refusal, in the words that the QuickFIX acceptance definitions expect.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Reason::InvalidTag => "Invalid tag number",
            Reason::RequiredTagMissing => "Required tag missing",
            Reason::TagNotDefined => "Tag not defined for this message type",
            Reason::EmptyValue => "Tag specified without a value",
            Reason::ValueOutOfRange => "Value is incorrect (out of range) for this tag",
            Reason::IncorrectFormat => "Incorrect data format for value",
            Reason::CompId => "CompID problem",
            Reason::SendingTime => "SendingTime accuracy problem",
            Reason::InvalidMsgType => "Invalid MsgType",
            Reason::RepeatedTag => "Tag appears more than once",
            Reason::OutOfOrder => "Tag specified out of required order",
            Reason::GroupCount => "Incorrect NumInGroup count for repeating group",
        }
    }
}

impl Refusal {
    /// About a field.
    #[must_use]
    pub fn of(reason: Reason, tag: u32) -> Self {
        Refusal { reason, tag: tag.to_string().into_bytes() }
    }

    /// About a field whose tag may be no number.
    #[must_use]
    pub fn named(reason: Reason, tag: &[u8]) -> Self {
        Refusal { reason, tag: tag.to_vec() }
    }

    /// About the message.
    #[must_use]
    pub fn plain(reason: Reason) -> Self {
        Refusal { reason, tag: Vec::new() }
    }
}
