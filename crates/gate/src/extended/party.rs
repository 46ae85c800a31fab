// SPDX-License-Identifier: Apache-2.0
//! One row of a level with level limits: what it may do, and what it did.
use crate::extended::counts::{Counts, Window};
use crate::rate::{self, Bucket};
use pretrade_records::level_limit::LEVEL_LIMIT_COUNT;
use pretrade_records::parameter::Parameter;
use pretrade_records::units::{NS_PER_MS, PPM, UNLIMITED};
use pretrade_records::{LevelLimit, ReasonCode};
use pretrade_shm::controls::row_flags;
use pretrade_shm::{ControlsRecord, Level};

/// Value at cost of what is held, and of what works on each side; money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Live buys at their prices.
    pub working_buy: i128,
    /// Live sells at their prices.
    pub working_sell: i128,
    /// Positions, long less short.
    pub net: i128,
    /// Positions without their signs.
    pub gross: i128,
    /// Instruments held at a price that nobody said.
    pub unvalued: u32,
}

/// Profit and loss since the session began; money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Profit {
    /// From closed positions, all sessions.
    pub realised: i128,
    /// From open positions at the marks.
    pub unrealised: i128,
    /// What it was when the session began.
    pub base: i128,
    /// Highest of the session, never below zero.
    pub peak: i128,
    /// Instruments held without a mark.
    pub unmarked: u32,
    /// The session began and no mark was read since.
    pub is_base_due: bool,
}

impl Profit {
    /// Since the session began.
    #[must_use]
    pub fn now(&self) -> i128 {
        self.realised.saturating_add(self.unrealised).saturating_sub(self.base)
    }
}

/// A stop that this gateway set and a human ends by naming its id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latch {
    /// In force, 0 where none.
    pub id: u64,
    /// Last one set.
    pub last: u64,
    /// Last one a human resumed.
    pub resumed: u64,
    /// Control that set it.
    pub control: u8,
    /// What was measured then.
    pub measured: i64,
    /// The bound then.
    pub limit: i64,
}

/// What a soft loss limit says now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Only reductions pass.
    pub is_soft: bool,
    /// Loss or drawdown.
    pub measured: i64,
    /// Its bound.
    pub limit: i64,
}

/// A row of an account, strategy, trader, desk, venue session, instrument or the firm.
#[derive(Clone, Debug)]
pub struct Party {
    /// Level of the row.
    pub level: Level,
    /// Its id.
    pub id: u32,
    /// Slot in `controls`.
    pub slot: Option<usize>,
    /// Short sales of the instrument are bounded (control 6).
    pub is_short_bounded: bool,
    /// Control 18 of a strategy, trader or desk: largest long and short position in one instrument.
    pub position_max: (i64, i64),
    /// Configured limits, one bit each.
    pub mask: u64,
    limits: [i64; LEVEL_LIMIT_COUNT],
    /// Length of the rolling window.
    pub window_ns: i64,
    /// Control 24 per minute: ns between new orders.
    pub interval_new: i64,
    /// Control 24 per minute: ns between replaces.
    pub interval_replace: i64,
    /// Control 19.
    pub exposure: Exposure,
    /// Controls 19 and 23.
    pub profit: Profit,
    /// Control 23, soft.
    pub loss: Loss,
    /// Control 20.
    pub day: Counts,
    /// Controls 20 and 29.
    pub window: Window,
    /// Control 24 per minute.
    pub minute_new: Bucket,
    /// Control 24 per minute.
    pub minute_replace: Bucket,
    /// Control 25.
    pub executions: i64,
    /// Controls 23 (hard) and 25.
    pub latch: Latch,
    /// Control 21: margin in use.
    pub margin: i128,
}

/// Rolling window where none is configured.
const WINDOW_NS: i64 = 60_000 * NS_PER_MS;

impl Party {
    /// A row that does nothing yet.
    #[must_use]
    pub fn new(level: Level, id: u32, slot: Option<usize>) -> Self {
        Party {
            level,
            id,
            slot,
            is_short_bounded: false,
            position_max: (UNLIMITED, UNLIMITED),
            mask: 0,
            limits: [UNLIMITED; LEVEL_LIMIT_COUNT],
            window_ns: WINDOW_NS,
            interval_new: 0,
            interval_replace: 0,
            exposure: Exposure::default(),
            profit: Profit::default(),
            loss: Loss::default(),
            day: Counts::default(),
            window: Window::default(),
            minute_new: Bucket::default(),
            minute_replace: Bucket::default(),
            executions: 0,
            latch: Latch::default(),
            margin: 0,
        }
    }

    /// Takes over what humans configured; `share_ppm` of what several gateways spend together.
    pub fn configure(&mut self, row: &ControlsRecord, share_ppm: u32) {
        self.mask = row.level_mask;
        self.is_short_bounded = row.flags & (row_flags::NO_SHORT | row_flags::NEEDS_LOCATE) != 0;
        self.limits = [UNLIMITED; LEVEL_LIMIT_COUNT];
        for &limit in LevelLimit::ALL {
            if let Some(value) = row.level_limit(limit) {
                let shared = (i128::from(value) * i128::from(share_ppm) / i128::from(PPM)) as i64;
                self.limits[limit as usize] = if limit.is_shared() && value != UNLIMITED { shared } else { value };
            }
        }
        if matches!(self.level, Level::Strategy | Level::Trader | Level::Desk) {
            let most = |p: Parameter| row.static_limits.get(p).unwrap_or(UNLIMITED);
            let shared = |n: i64| if n == UNLIMITED { n } else { (i128::from(n.max(0)) * i128::from(share_ppm) / i128::from(PPM)) as i64 };
            self.position_max = (shared(most(Parameter::PositionMaxLong)), shared(most(Parameter::PositionMaxShort)));
        }
        self.window_ns = self.configured(LevelLimit::WindowMs).map_or(WINDOW_NS, |ms| ms.max(1).saturating_mul(NS_PER_MS));
        self.interval_new = self.per_minute(LevelLimit::RateNewPerMin);
        self.interval_replace = self.per_minute(LevelLimit::RateReplacePerMin);
        self.latch.resumed = row.resumed_gateway;
    }

    /// A row that cannot be read: whatever it bounds is bounded at zero.
    pub fn close(&mut self) {
        if self.bounds_position() {
            self.position_max = (0, 0);
        }
        for &limit in LevelLimit::ALL {
            if self.mask >> limit as u32 & 1 != 0 && !matches!(limit, LevelLimit::ParentId | LevelLimit::WindowMs) {
                self.limits[limit as usize] = 0;
            }
        }
        (self.interval_new, self.interval_replace) = (self.per_minute(LevelLimit::RateNewPerMin), self.per_minute(LevelLimit::RateReplacePerMin));
    }

    /// True where control 18 is configured at this row.
    #[must_use]
    pub fn bounds_position(&self) -> bool {
        self.position_max != (UNLIMITED, UNLIMITED)
    }

    fn per_minute(&self, limit: LevelLimit) -> i64 {
        match self.configured(limit) {
            None | Some(UNLIMITED) => 0,
            Some(n) if n <= 0 => rate::NEVER,
            Some(n) => rate::MINUTE / n,
        }
    }

    /// A limit; no bound where it is not configured.
    #[inline]
    #[must_use]
    pub fn limit(&self, limit: LevelLimit) -> i64 {
        self.limits[limit as usize]
    }

    /// A limit, `None` where it is not configured.
    #[inline]
    #[must_use]
    pub fn configured(&self, limit: LevelLimit) -> Option<i64> {
        (self.mask >> limit as u32 & 1 != 0).then(|| self.limits[limit as usize])
    }

    /// True where control 23 is configured.
    #[must_use]
    pub fn has_loss_limit(&self) -> bool {
        use LevelLimit::{DrawdownHard, DrawdownSoft, LossHard, LossSoft};
        [LossSoft, LossHard, DrawdownSoft, DrawdownHard].iter().any(|l| self.configured(*l).is_some())
    }

    /// Stops this row until a human resumes the new id; no second one while one is in force.
    pub fn trip(&mut self, control: u8, measured: i64, limit: i64) -> bool {
        if self.latch.id != 0 {
            return false;
        }
        let id = self.latch.last.max(self.latch.resumed) + 1;
        self.latch = Latch { id, last: id, control, measured, limit, ..self.latch };
        true
    }

    /// Ends a stop that a human resumed: executions are counted anew.
    pub fn release(&mut self) -> bool {
        if self.latch.id == 0 || self.latch.id > self.latch.resumed {
            return false;
        }
        if self.latch.control == 25 {
            self.executions = 0;
        }
        self.latch.id = 0;
        true
    }

    /// Reason of the stop in force.
    #[must_use]
    pub fn reason(&self) -> ReasonCode {
        if self.latch.control == 25 { ReasonCode::ExecutionThrottle } else { ReasonCode::LossLimit }
    }
}
