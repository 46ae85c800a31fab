// SPDX-License-Identifier: Apache-2.0
//! Closed sets of codes carried in one byte.

/// A byte that is not a member of the closed set it should come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode {
    /// Name of the set.
    pub set: &'static str,
    /// The byte found.
    pub value: u8,
}

impl core::fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} is no code of {}", self.value, self.set)
    }
}

impl std::error::Error for UnknownCode {}

/// Declares a closed `u8` code set with its names.
#[macro_export]
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $value:literal => $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vmeta])* $variant = $value,)+ }

        impl $name {
            /// Every member, in the order of its code.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The stable name printed and exported.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }
        }

        impl TryFrom<u8> for $name {
            type Error = $crate::code::UnknownCode;
            fn try_from(value: u8) -> Result<Self, Self::Error> {
                match value {
                    $($value => Ok($name::$variant),)+
                    _ => Err($crate::code::UnknownCode { set: stringify!($name), value }),
                }
            }
        }
    };
}

codes! {
    /// Stress tier of an instrument; a higher tier is never looser.
    Tier {
        /// Static limits.
        Normal = 0 => "NORMAL",
        /// An event; maximum order size halves.
        Elevated = 1 => "ELEVATED",
        /// An alarm; maximum order size falls to a tenth.
        High = 2 => "HIGH",
        /// The breaker trips; a named human resumes.
        Critical = 3 => "CRITICAL",
    }
}

codes! {
    /// Side of a book entry, of an order or of an aggressor; which one, the field says.
    Side {
        /// Not known or not applicable.
        None = 0 => "NONE",
        /// Bid side of the book; buy order; buyer crossed.
        Bid = 1 => "BID",
        /// Ask side of the book; sell order; seller crossed.
        Ask = 2 => "ASK",
    }
}

impl Side {
    /// Order side: buy.
    pub const BUY: Side = Side::Bid;
    /// Order side: sell.
    pub const SELL: Side = Side::Ask;

    /// The other side; `None` stays `None`.
    #[must_use]
    pub const fn opposite(self) -> Side {
        match self {
            Side::Bid => Side::Ask,
            Side::Ask => Side::Bid,
            Side::None => Side::None,
        }
    }
}

codes! {
    /// What the gate says of an order.
    Verdict {
        /// Passes.
        Accept = 1 => "ACCEPT",
        /// Waits for a named reviewer.
        Hold = 2 => "HOLD",
        /// Refused.
        Reject = 3 => "REJECT",
    }
}

codes! {
    /// Trading phase of an instrument.
    Phase {
        /// Not known: no order passes.
        Unknown = 0 => "UNKNOWN",
        /// Orders are collected; the book may cross.
        PreOpen = 1 => "PRE_OPEN",
        /// One price for all.
        Auction = 2 => "AUCTION",
        /// Continuous trading; the book is never crossed after an event.
        Continuous = 3 => "CONTINUOUS",
        /// Halted or reserved by a venue protection.
        Halted = 4 => "HALTED",
        /// Scheduled maintenance break.
        Break = 5 => "BREAK",
        /// Closed.
        Closed = 6 => "CLOSED",
        /// Trades only at the price limit or better.
        LimitLocked = 7 => "LIMIT_LOCKED",
    }
}

/// Bits that say what is wrong with a feed or its book at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedState(pub u8);

impl FeedState {
    /// Messages are missing; the book is unsound until the next snapshot.
    pub const GAP: u8 = 1;
    /// Nothing arrived for too long.
    pub const STALE: u8 = 2;
    /// Best bid at or above best ask in continuous trading (strictly above; equal is LOCKED).
    pub const CROSSED: u8 = 4;
    /// Best bid equals best ask.
    pub const LOCKED: u8 = 8;
    /// One side of the book is empty.
    pub const ONE_SIDED: u8 = 16;
    /// Receive stamp before event stamp.
    pub const NEGATIVE_LAG: u8 = 32;
    /// Trading is halted.
    pub const HALTED: u8 = 64;
    /// Waiting for a snapshot.
    pub const RESYNC: u8 = 128;
    /// Any of these and the row is not scored.
    pub const UNSCORED: u8 = Self::GAP | Self::STALE | Self::CROSSED | Self::HALTED | Self::RESYNC;

    /// True where a row with this state may be scored.
    #[must_use]
    pub const fn is_scored(self) -> bool {
        self.0 & Self::UNSCORED == 0
    }
}
