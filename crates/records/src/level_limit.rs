// SPDX-License-Identifier: Apache-2.0
//! Limits that no model moves, one row of `controls` at a time: exposure, counters, rates, losses, sizes.
use crate::codes;
use crate::parameter::Direction;

codes! {
    /// A static limit of one row; its code is its place in `level_limits` and its bit in `level_mask`.
    LevelLimit {
        /// Control 19, both sides together, money.
        GrossExposure = 0 => "gross_exposure",
        /// Control 19, the worse side, money.
        NetExposure = 1 => "net_exposure",
        /// Control 19: gross exposure plus what was lost this session, money.
        Credit = 2 => "credit",
        /// Control 20: value of the session day, money.
        DayValue = 3 => "day_value",
        /// Control 20: quantity of the session day.
        DayQuantity = 4 => "day_quantity",
        /// Control 20: orders and replaces of the session day.
        DayOrders = 5 => "day_orders",
        /// Control 20: cancels of the session day.
        DayCancels = 6 => "day_cancels",
        /// Control 20: fills of the session day.
        DayTrades = 7 => "day_trades",
        /// Control 20: value of the rolling window, money.
        WindowValue = 8 => "window_value",
        /// Control 20: quantity of the rolling window.
        WindowQuantity = 9 => "window_quantity",
        /// Control 20: orders and replaces of the rolling window.
        WindowOrders = 10 => "window_orders",
        /// Control 20: cancels of the rolling window.
        WindowCancels = 11 => "window_cancels",
        /// Control 20: fills of the rolling window.
        WindowTrades = 12 => "window_trades",
        /// Controls 20 and 29: length of the rolling window.
        WindowMs = 13 => "window_ms",
        /// Control 24: new orders per minute.
        RateNewPerMin = 14 => "rate_new_per_min",
        /// Control 24: replaces per minute.
        RateReplacePerMin = 15 => "rate_replace_per_min",
        /// Control 25: executions until a human enables again.
        Executions = 16 => "executions",
        /// Control 29: messages per fill of the rolling window.
        OrderToTrade = 17 => "order_to_trade",
        /// Control 29: messages of the rolling window below which the ratio is not judged.
        OrderToTradeMessages = 18 => "order_to_trade_messages",
        /// Control 45: share of a limit from which it warns.
        SoftLimitPpm = 19 => "soft_limit_ppm",
        /// Control 23: loss since session start from which only reductions pass, money.
        LossSoft = 20 => "loss_soft",
        /// Control 23: loss since session start that kills the level, money.
        LossHard = 21 => "loss_hard",
        /// Control 23: loss from the session peak from which only reductions pass, money.
        DrawdownSoft = 22 => "drawdown_soft",
        /// Control 23: loss from the session peak that kills the level, money.
        DrawdownHard = 23 => "drawdown_hard",
        /// Control 21: margin an account may use, money.
        Margin = 24 => "margin",
        /// Control 21: initial margin of one lot of an instrument, money.
        MarginPerLot = 25 => "margin_per_lot",
        /// Control 8: smallest quantity the venue takes.
        MinQuantity = 26 => "min_quantity",
        /// Control 8: largest quantity the venue takes.
        MaxQuantity = 27 => "max_quantity",
        /// Control 7: largest quantity in an auction.
        AuctionQuantity = 28 => "auction_quantity",
        /// Control 7: largest value in an auction, money.
        AuctionValue = 29 => "auction_value",
        /// Control 5: desk of a trader, trader of a venue session; 0 = none.
        ParentId = 30 => "parent_id",
        /// Control 22: largest net value of one instrument at this level, money.
        Concentration = 31 => "concentration",
    }
}

/// Number of level limits.
pub const LEVEL_LIMIT_COUNT: usize = 32;

impl LevelLimit {
    /// Which of two values is the tighter one; `None` where any change loosens.
    #[must_use]
    pub const fn direction(self) -> Option<Direction> {
        match self {
            LevelLimit::ParentId => None,
            LevelLimit::WindowMs | LevelLimit::MarginPerLot | LevelLimit::MinQuantity => Some(Direction::BiggerIsTighter),
            _ => Some(Direction::SmallerIsTighter),
        }
    }

    /// True where a gateway gets its share of the number: what several gateways spend together.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        !matches!(
            self,
            LevelLimit::WindowMs
                | LevelLimit::OrderToTrade
                | LevelLimit::OrderToTradeMessages
                | LevelLimit::SoftLimitPpm
                | LevelLimit::MarginPerLot
                | LevelLimit::MinQuantity
                | LevelLimit::MaxQuantity
                | LevelLimit::AuctionQuantity
                | LevelLimit::AuctionValue
                | LevelLimit::ParentId
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_places_in_table_order() {
        assert_eq!(LevelLimit::ALL.len(), LEVEL_LIMIT_COUNT);
        for (i, limit) in LevelLimit::ALL.iter().enumerate() {
            assert_eq!(*limit as usize, i);
        }
    }
}
