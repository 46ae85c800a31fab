// SPDX-License-Identifier: Apache-2.0
//! One market or own-flow event, 64 bytes: one cache line.
use crate::codes;
use bytemuck::{Pod, Zeroable};

codes! {
    /// What an event says. The unit of `size` is the instrument's quantity unit.
    EventKind {
        /// L3: order `order_id` enters at `price` with `size`.
        Add = 1 => "ADD",
        /// L3: order `order_id` now stands at `price` with `size` (the new total, not a change).
        Modify = 2 => "MODIFY",
        /// L3: `size` of order `order_id` leaves (the whole order when nothing remains).
        Cancel = 3 => "CANCEL",
        /// L3: `size` of the resting order `order_id` is filled; `side` is the resting order's.
        Execute = 4 => "EXECUTE",
        /// The book (of `side`, or both where `NONE`) is emptied; a snapshot follows.
        Clear = 5 => "CLEAR",
        /// L2: the level at `price` on `side` now holds `size` (0 removes it).
        Level = 6 => "LEVEL",
        /// A print of `size` at `price`; `side` is the aggressor's. Never touches the book.
        Trade = 7 => "TRADE",
        /// Bar: open; `ts_event` is the start of the bar, `ts_recv` its end.
        BarOpen = 8 => "BAR_OPEN",
        /// Bar: high.
        BarHigh = 9 => "BAR_HIGH",
        /// Bar: low.
        BarLow = 10 => "BAR_LOW",
        /// Bar: close; `size` is the volume; carries the LAST flag.
        BarClose = 11 => "BAR_CLOSE",
        /// Trading phase changes to `Phase` code `aux`.
        Status = 12 => "STATUS",
        /// What the venue says of an own order: `order_id` is the client order id, `sequence` the session of that id, `aux` =
        /// strategy << 32 | account, the high byte of `flags` ([`EventFlags::answer`]) the venue's answer, `size` what works
        /// now. With the answer 8 (position) `order_id` is 0 and `size` is the account's signed position. Answer 0 says nothing.
        OwnOrder = 13 => "OWN_ORDER",
        /// Own fill of `size` at `price`: fields as `OwnOrder`, answer 2 (filled).
        OwnExecution = 14 => "OWN_EXECUTION",
        /// Sentiment: `price` is the score in 1e-9 (-1 to 1), `size` the number of items.
        Sentiment = 15 => "SENTIMENT",
        /// Feed heartbeat: nothing changed, the channel is alive.
        Heartbeat = 16 => "HEARTBEAT",
        /// A figure that a venue or an index publishes: `aux` is its [`ReferenceKind`], `price` and `size` what that says.
        Reference = 17 => "REFERENCE",
    }
}

codes! {
    /// What a [`EventKind::Reference`] event publishes; `price` in 1e-9 unless said otherwise, 0 where it has none.
    ReferenceKind {
        /// Mark price of a derivative.
        Mark = 1 => "MARK",
        /// Level of an index, or of the index under a derivative.
        Index = 2 => "INDEX",
        /// Funding rate of one period, in 1e-9.
        FundingRate = 3 => "FUNDING_RATE",
        /// Settlement price.
        Settlement = 4 => "SETTLEMENT",
        /// Opening price of the session.
        Open = 5 => "OPEN",
        /// Closing price of the session.
        Close = 6 => "CLOSE",
        /// Lowest price of the session.
        SessionLow = 7 => "SESSION_LOW",
        /// Highest price of the session.
        SessionHigh = 8 => "SESSION_HIGH",
        /// Open interest: `size`.
        OpenInterest = 9 => "OPEN_INTEREST",
        /// Volume of the session: `size`.
        Volume = 10 => "VOLUME",
        /// Price an auction would give now, and `size` it would trade.
        Indicative = 11 => "INDICATIVE",
        /// Orders an auction leaves over: `size` on `side`, at the auction's reference price.
        Imbalance = 12 => "IMBALANCE",
        /// Highest price allowed.
        UpperLimit = 13 => "UPPER_LIMIT",
        /// Lowest price allowed.
        LowerLimit = 14 => "LOWER_LIMIT",
        /// Smallest price step.
        TickSize = 15 => "TICK_SIZE",
        /// Volume-weighted average price.
        Vwap = 16 => "VWAP",
        /// Any other figure; `order_id` is the venue's code of it.
        Other = 17 => "OTHER",
        /// A split: `price` is new shares for one old in 1e-9 (7 for 7:1); it holds from this event on.
        Split = 18 => "SPLIT",
    }
}

/// Bits of [`Event::flags`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFlags(pub u16);

impl EventFlags {
    /// Last record of one venue event: the book may be read after it.
    pub const LAST: u16 = 1;
    /// Part of a snapshot: builds the book, counts as no flow.
    pub const SNAPSHOT: u16 = 2;
    /// Messages before this one are missing (`sequence_gap`).
    pub const GAP: u16 = 4;
    /// A modify or cancel that a fill caused: changes the book, counts as no flow.
    pub const CAUSED_BY_FILL: u16 = 8;
    /// Counts as flow but does not touch the book (another record of the feed does).
    pub const INFORMATIVE: u16 = 16;
    /// A level change already counted by an informative record: changes the book, counts as no flow.
    pub const DERIVED: u16 = 32;
    /// The aggressor side was inferred (tick rule), not given by the feed.
    pub const SIDE_INFERRED: u16 = 64;
    /// Said again by the recorder, for a reader that starts here: builds the book of who has none, left out by who followed so far.
    /// The CLEAR that opens it carries the last print's price, when that was received (`order_id`) and when the book last
    /// changed (`aux`); GAP there says that the book is not to be trusted.
    pub const RECAP: u16 = 128;

    /// The venue's answer in the high byte of the flags of an own-flow event (`VenueKind` of the gate); 0 says nothing.
    #[must_use]
    pub const fn answer(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Flags of the last record of a venue event that carries an answer.
    #[must_use]
    pub const fn answering(answer: u8) -> u16 {
        (answer as u16) << 8 | Self::LAST
    }
}

/// One event as recorded, journalled and streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Event {
    /// When it happened at the venue, ns UTC.
    pub ts_event: i64,
    /// When it was captured here, ns UTC.
    pub ts_recv: i64,
    /// The venue's order id (L3), else what the kind says, else 0.
    pub order_id: u64,
    /// Price in 1e-9.
    pub price: i64,
    /// Size in the instrument's quantity unit.
    pub size: i64,
    /// The venue's sequence number, 0 where it has none.
    pub sequence: u64,
    /// Depends on the kind.
    pub aux: u64,
    /// Our instrument id.
    pub instrument_id: u32,
    /// [`EventKind`] code.
    pub kind: u8,
    /// [`crate::Side`] code.
    pub side: u8,
    /// [`EventFlags`] bits.
    pub flags: u16,
}

impl Event {
    /// True where every bit of `bits` is set.
    #[must_use]
    pub const fn has(&self, bits: u16) -> bool {
        self.flags & bits == bits
    }
}

const _: () = assert!(core::mem::size_of::<Event>() == 64);
