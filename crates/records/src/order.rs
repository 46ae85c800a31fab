// SPDX-License-Identifier: Apache-2.0
//! One order message as the gate reads it, 64 bytes.
use crate::codes;
use bytemuck::{Pod, Zeroable};

codes! {
    /// What the message asks for.
    Action {
        /// A new order.
        New = 1 => "NEW",
        /// Replace `original_client_order_id`.
        Replace = 2 => "REPLACE",
        /// Cancel `original_client_order_id`.
        Cancel = 3 => "CANCEL",
    }
}

codes! {
    /// FIX 40 OrdType.
    OrderType {
        /// Executes at the best available price.
        Market = 1 => "MARKET",
        /// At `price` or better.
        Limit = 2 => "LIMIT",
    }
}

codes! {
    /// FIX 59 TimeInForce.
    TimeInForce {
        /// Rests until the end of the session.
        Day = 1 => "DAY",
        /// Immediate or cancel.
        ImmediateOrCancel = 2 => "IOC",
        /// Fill or kill.
        FillOrKill = 3 => "FOK",
        /// Good till cancelled.
        GoodTillCancel = 4 => "GTC",
    }
}

codes! {
    /// What a venue message says.
    VenueKind {
        /// The order rests or was taken in.
        Acknowledged = 1 => "ACKNOWLEDGED",
        /// `quantity` was executed.
        Filled = 2 => "FILLED",
        /// The order is gone: cancelled, expired or done for the day.
        Cancelled = 3 => "CANCELLED",
        /// The venue refused the new order.
        Rejected = 4 => "REJECTED",
        /// `client_order_id` took the place of `original_client_order_id`.
        Replaced = 5 => "REPLACED",
        /// The replace `client_order_id` was refused; the old order stands.
        ReplaceRejected = 6 => "REPLACE_REJECTED",
        /// The cancel was refused.
        CancelRejected = 7 => "CANCEL_REJECTED",
        /// The drop copy says the account's position in the instrument is `quantity`.
        Position = 8 => "POSITION",
        /// As `Position`, to be compared with the own one and never put in its place (control 42).
        DropCopy = 9 => "DROP_COPY",
    }
}

/// Bit of [`Order::flags`]: the order may only rest (post-only).
pub const POST_ONLY: u32 = 1;

/// Bit of [`Order::flags`]: the seller located what it sells short.
pub const LOCATED: u32 = 2;

/// Bit of [`Order::flags`] of a new order: `original_client_order_id` is the number of the exit ticket it spends (control 4).
pub const EXIT_TICKET: u32 = 4;

/// One order message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Order {
    /// The client's id of this message, unique per session and trading day.
    pub client_order_id: u64,
    /// FIX 60 TransactTime, ns UTC.
    pub ts_event: i64,
    /// Limit price in 1e-9; [`crate::units::UNDEFINED_PRICE`] for market orders.
    pub price: i64,
    /// Quantity in the instrument's quantity unit.
    pub quantity: i64,
    /// Our instrument id.
    pub instrument_id: u32,
    /// Strategy or algorithm id.
    pub strategy_id: u32,
    /// Account id.
    pub account_id: u32,
    /// [`crate::Side`] code.
    pub side: u8,
    /// [`OrderType`] code.
    pub order_type: u8,
    /// [`TimeInForce`] code.
    pub time_in_force: u8,
    /// [`Action`] code.
    pub action: u8,
    /// [`POST_ONLY`] and later bits.
    pub flags: u32,
    /// Session the message arrived on.
    pub session_id: u32,
    /// The order a replace or cancel names; of a new order with [`EXIT_TICKET`] its ticket; else 0.
    pub original_client_order_id: u64,
}

const _: () = assert!(core::mem::size_of::<Order>() == 64);
