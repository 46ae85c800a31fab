// SPDX-License-Identifier: Apache-2.0
//! Checks given as data: sums over instruments (control 22, sectors and Greeks), and comparisons of the user's own (46).
use super::extended::Scope;
use super::{Context, beyond};
use crate::annex::{Bucket, UserCheck};
use crate::breach::{Breach, Check};
use crate::decide::At;
use crate::extended::book::narrow;
use crate::gate::Gate;
use pretrade_records::{ReasonCode, Unit, codes};
use pretrade_shm::Level;

codes! {
    /// What a check of the user's own may look at; the closed list.
    Input {
        /// Quantity of the message, of a replace its new leaves.
        Quantity = 1 => "quantity",
        /// Its value, money.
        Notional = 2 => "notional",
        /// Ticks by which its price is worse than the collar reference, below 0 where it is better.
        DistanceTicks = 3 => "distance_ticks",
        /// Ticks between the touches.
        SpreadTicks = 4 => "spread_ticks",
        /// Worst case of its side in the instrument, its account alone.
        Position = 5 => "position",
        /// Live orders of its account with this one.
        OpenOrders = 6 => "open_orders",
        /// Tier in force, 0 to 3.
        Tier = 7 => "tier",
        /// Staleness stage in force, 0 to 2.
        Stage = 8 => "stage",
        /// Anomaly score in force, ppm.
        ScorePpm = 9 => "score_ppm",
    }
}

impl Input {
    /// Unit of the input and of the bound.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Input::Quantity | Input::Position => Unit::Lots,
            Input::Notional => Unit::Money,
            Input::DistanceTicks | Input::SpreadTicks => Unit::Ticks,
            Input::OpenOrders | Input::Tier | Input::Stage => Unit::Count,
            Input::ScorePpm => Unit::Ppm,
        }
    }

    /// Its value for one message; `None` where it is missing.
    fn of(self, c: &Context<'_>, s: &Scope<'_>) -> Option<i64> {
        let tick = c.instrument.tick_size.max(1);
        let side = if c.request.is_buy { &c.instrument.bounds.buy } else { &c.instrument.bounds.sell };
        let has_reference = c.is_quote_fresh && c.instrument.missing & crate::bounds::missing::REFERENCE == 0;
        Some(match self {
            Input::Quantity => c.request.quantity,
            Input::Notional => narrow(s.value?),
            Input::DistanceTicks => {
                let distance = c.request.implied.checked_sub(side.reference).filter(|_| has_reference)?.saturating_abs() / tick;
                if beyond(c.request.is_buy, c.request.implied, side.reference) { distance } else { -distance }
            }
            Input::SpreadTicks => side.opposite_touch.checked_sub(side.own_touch).filter(|_| has_reference)?.saturating_abs() / tick,
            Input::Position => {
                (c.cell.is_known != 0).then_some(())?;
                let (held, working) = if c.request.is_buy { (c.cell.position, c.cell.working_buy) } else { (-c.cell.position, c.cell.working_sell) };
                held.saturating_add(working).saturating_add(c.request.added)
            }
            Input::OpenOrders => c.account.open_orders + i64::from(!c.request.is_replace),
            Input::Tier => i64::from(c.instrument.tier),
            Input::Stage => i64::from(c.instrument.stage),
            Input::ScorePpm => (0.0..=1.0).contains(&c.instrument.score).then(|| (f64::from(c.instrument.score) * 1e6) as i64)?,
        })
    }
}

/// One comparison: the input is there and not beyond its bound.
///
/// # Errors
/// `USER_CHECK` with input and bound, or the input as missing.
pub fn check_user_bound(check: &UserCheck, c: &Context<'_>, s: &Scope<'_>) -> Check {
    let input = Input::try_from(check.input).map_err(|_| Breach::missing(46))?;
    let value = input.of(c, s).ok_or(Breach::missing(46))?;
    let is_beyond = if check.is_above { value > check.bound } else { value < check.bound };
    if is_beyond { Err(Breach::new(46, ReasonCode::UserCheck, value, check.bound, input.unit())) } else { Ok(()) }
}

impl Gate {
    /// The first check of the user's own that an order of these rows does not pass.
    pub(crate) fn check_user(&self, c: &Context<'_>, s: &Scope<'_>, at: &At) -> Check {
        self.annex.checks.iter().filter(|check| self.is_of_row(at, check.level, check.row)).try_for_each(|check| check_user_bound(check, c, s))
    }

    /// Control 22: the worst case of every bucket of the order's rows stays within its maximum, or the order brings it down.
    pub(crate) fn check_buckets(&self, c: &Context<'_>, at: &At) -> Check {
        for bucket in self.annex.buckets.iter().filter(|bucket| self.is_of_row(at, bucket.level, bucket.row)) {
            let own = self.cold[at.instrument].instrument_id;
            if !self.annex.weights.iter().any(|w| w.bucket == bucket.id && w.instrument == own) {
                continue;
            }
            if c.request.now_utc > bucket.until || !self.is_bucket_known(bucket, at) {
                return Err(Breach::missing(22));
            }
            let (before, after) = (self.bucket_value(bucket, at, c, 0), self.bucket_value(bucket, at, c, c.request.added));
            if after > i128::from(bucket.most) && after > before {
                return Err(Breach::new(22, ReasonCode::ConcentrationExceedsLimit, narrow(after), bucket.most, Unit::Money));
            }
        }
        Ok(())
    }

    /// True where the position behind every weight is known: an unknown one is missing, never zero. What desks hold is the sum of own fills.
    fn is_bucket_known(&self, bucket: &Bucket, at: &At) -> bool {
        let accounts = match bucket.level {
            level if level == Level::Account as u8 => at.account..at.account + 1,
            level if level == Level::Firm as u8 => 0..self.accounts.len(),
            _ => 0..0,
        };
        let mut instruments = self.annex.weights.iter().filter(|w| w.bucket == bucket.id).filter_map(|w| self.instrument_index.get(w.instrument));
        instruments.all(|i| accounts.clone().all(|a| self.cells[self.cell_at(i, a)].is_known != 0))
    }

    /// Largest amount, of either sign, that a bucket may come to when of each instrument the worse side fills and the other does not.
    fn bucket_value(&self, bucket: &Bucket, at: &At, c: &Context<'_>, added: i64) -> i128 {
        let (mut high, mut low) = (0, 0);
        for weight in self.annex.weights.iter().filter(|w| w.bucket == bucket.id) {
            let Some(i) = self.instrument_index.get(weight.instrument) else { continue };
            let (position, mut buy, mut sell) = self.held_at(bucket.level, i, at);
            if i == at.instrument {
                *(if c.request.is_buy { &mut buy } else { &mut sell }) += i128::from(added);
            }
            let lot = i128::from(self.instruments[i].lot_size.max(1));
            let worth = |quantity: i128| quantity * i128::from(weight.per_lot) / lot;
            let (long, short) = (worth(position + buy), worth(position - sell));
            (high, low) = (high + long.max(short), low + long.min(short));
        }
        high.max(-low)
    }

    /// Position and working quantities of one instrument at the order's row of a level.
    fn held_at(&self, level: u8, instrument: usize, at: &At) -> (i128, i128, i128) {
        if level == Level::Account as u8 {
            let cell = &self.cells[self.cell_at(instrument, at.account)];
            return (cell.position.into(), cell.working_buy.into(), cell.working_sell.into());
        }
        if level == Level::Firm as u8 {
            let i = &self.instruments[instrument];
            return (i.position.into(), i.working_buy.into(), i.working_sell.into());
        }
        let book = self.extended.book_at(level, instrument).copied().unwrap_or_default();
        (book.position.into(), book.working_buy.into(), book.working_sell.into())
    }
}
