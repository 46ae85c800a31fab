// SPDX-License-Identifier: Apache-2.0
//! Control 34 beside the gate's state: the order-error model, the habits its features need, and the row of the last order.
use crate::breach::Breach;
use crate::checks::order_error::{Scored, check_order_error};
use crate::checks::passed_as;
use crate::decide::{At, Seen};
use crate::gate::{Gate, GateError};
use crate::journal::Transition;
use pretrade_records::parameter::Parameter;
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Action, Order, OrderType, QuotesRecord, Side};
use pretrade_score::order_features::{NAMES, WIDTH};
use pretrade_score::{Arrival, OrderErrorModel, OrderFeatures, arrival};
use std::path::Path;

const _: () = assert!(arrival::UNDEFINED == UNDEFINED_PRICE);

/// What a configured model adds to a gate.
#[derive(Debug)]
pub(crate) struct Scoring {
    model: OrderErrorModel,
    features: OrderFeatures,
    /// The order judged last; it becomes a habit when it is accepted.
    arrival: Arrival,
    row: [f32; WIDTH],
    /// The next score is NaN: the planted fault of the tests.
    is_blind: bool,
}

impl Scoring {
    /// Loads the model, which checks itself.
    pub(crate) fn open(folder: &Path, instruments: usize, accounts: usize, strategies: usize) -> Result<Self, GateError> {
        let model = OrderErrorModel::load(folder).map_err(|e| GateError::Refused(e.to_string()))?;
        if model.features() != NAMES {
            return Err(GateError::Refused(format!(
                "order-error model {} reads {}; this gate makes {}",
                folder.display(),
                model.features().join(", "),
                NAMES.join(", ")
            )));
        }
        let features = OrderFeatures::new(instruments, accounts, strategies);
        Ok(Scoring { model, features, arrival: Arrival::default(), row: [f32::NAN; WIDTH], is_blind: false })
    }

    /// The first sixteen bytes of the model's hash, as the journal keeps them.
    pub(crate) fn transition(&self) -> Transition {
        let id = self.model.id();
        let word = |at: usize| u64::from_be_bytes(*id[at..].first_chunk().expect("a hash has 32 bytes"));
        Transition { what: Transition::MODEL, first: word(0), second: word(8), ..Default::default() }
    }

    pub(crate) fn forget_monotonic(&mut self) {
        self.features.forget_monotonic();
    }

    fn score(&mut self, arrival: Arrival) -> f32 {
        self.arrival = arrival;
        let row = self.features.row(&self.arrival);
        self.row = row.unwrap_or([f32::NAN; WIDTH]);
        match row {
            Some(row) if !std::mem::take(&mut self.is_blind) => self.model.score(&row),
            _ => f32::NAN,
        }
    }
}

impl Gate {
    /// Control 34, after every other control: `held` is what they noted. Not for shrinking replaces (table 4.2).
    #[inline(never)]
    pub(crate) fn judge_error(
        &mut self,
        order: &Order,
        at: &At,
        held: Option<Breach>,
        seen: &mut Seen,
        now_mono: i64,
        now_utc: i64,
    ) -> Result<Option<Breach>, Breach> {
        if seen.passed_as == passed_as::SHRINKING {
            return Ok(held);
        }
        let arrival = self.arrival(order, at, seen.quotes_age, now_mono, now_utc);
        let in_force = &self.cold[at.instrument].in_force;
        let (hold, reject) = (in_force[Parameter::OrderErrorHold as usize], in_force[Parameter::OrderErrorReject as usize]);
        let Some(scoring) = &mut self.scoring else { return Ok(held) };
        let score = scoring.score(arrival);
        seen.order_error = score.to_bits();
        self.counters.unscored += u64::from(score.is_nan());
        match check_order_error(score, hold, reject) {
            Scored::Passed => Ok(held),
            // The reviewer saw the score.
            _ if self.options.waived_controls & (1 << 34) != 0 => Ok(held),
            // On a verified reduction the score only alerts: nobody is trapped by it.
            _ if seen.passed_as == passed_as::REDUCTION => {
                self.counters.alerted += 1;
                Ok(held)
            }
            Scored::Flagged(breach) => Ok(held.or(Some(breach))),
            Scored::Refused(breach) => Err(breach),
        }
    }

    /// The accepted order judged last becomes a habit; replaces and cancels are none.
    #[inline(never)]
    pub(crate) fn learn(&mut self, order: &Order) {
        if order.action == Action::New as u8
            && let Some(scoring) = &mut self.scoring
        {
            scoring.features.accept(&scoring.arrival);
        }
    }

    /// As [`Gate::learn`] for an order of an earlier life, with the touches it met.
    pub(crate) fn learn_again(&mut self, order: &Order, bid: i64, ask: i64, mono: i64, utc: i64) {
        let (Some(instrument), Some(account)) = (self.instrument_index.get(order.instrument_id), self.account_index.get(order.account_id)) else {
            return;
        };
        let strategy = self.strategy_index.get(order.strategy_id).unwrap_or(0);
        let at = At { instrument, account, strategy, cell: self.cell_at(instrument, account) };
        let arrival = self.valued(order, &at, if order.side == Side::BUY as u8 { ask } else { bid }, order.quantity);
        if let Some(scoring) = self.scoring.as_mut().filter(|_| order.action == Action::New as u8) {
            scoring.features.accept(&Arrival { mono, utc, ..arrival });
        }
    }

    /// The order with everything the features look at.
    fn arrival(&self, order: &Order, at: &At, quotes_age: i64, mono: i64, utc: i64) -> Arrival {
        let (i, cold, cell) = (&self.instruments[at.instrument], &self.cold[at.instrument], &self.cells[at.cell]);
        let is_buy = order.side == Side::BUY as u8;
        let bounds = if is_buy { &i.bounds.buy } else { &i.bounds.sell };
        let valued = self.valued(order, at, bounds.opposite_touch, self.judged_quantity(order));
        let unknown = QuotesRecord {
            bid_price: UNDEFINED_PRICE,
            ask_price: UNDEFINED_PRICE,
            nbbo_bid: UNDEFINED_PRICE,
            nbbo_ask: UNDEFINED_PRICE,
            depth_bid: -1,
            depth_ask: -1,
            volume_1m: -1,
            rv_1m: f32::NAN,
            ..Default::default()
        };
        let q = cold.quotes.as_ref().unwrap_or(&unknown);
        Arrival {
            bid: q.bid_price,
            ask: q.ask_price,
            nbbo_bid: q.nbbo_bid,
            nbbo_ask: q.nbbo_ask,
            depth: if is_buy { q.depth_ask } else { q.depth_bid },
            volume_1m: q.volume_1m,
            adv: q.adv,
            rv_1m: q.rv_1m,
            anomaly: i.score,
            reference_age: quotes_age,
            position: cell.position,
            is_position_known: u8::from(cell.is_known != 0),
            mono,
            utc,
            ..valued
        }
    }

    /// Places, side, quantity, price and money: what a habit is made of.
    fn valued(&self, order: &Order, at: &At, opposite_touch: i64, quantity: i64) -> Arrival {
        let i = &self.instruments[at.instrument];
        let is_buy = order.side == Side::BUY as u8;
        let price = if order.order_type == OrderType::Market as u8 {
            let slippage = i64::from(self.options.market_slippage_ticks).saturating_mul(i.tick_size);
            opposite_touch.saturating_add(if is_buy { slippage } else { -slippage })
        } else {
            order.price
        };
        let (lots, ticks) = (quantity as f64 / i.lot_size as f64, price.unsigned_abs() as f64 / i.tick_size as f64);
        Arrival {
            instrument: at.instrument as u32,
            trader: at.account as u32,
            strategy: at.strategy as u32,
            side: order.side,
            quantity,
            price,
            tick_size: i.tick_size,
            notional: lots * ticks * i.value_per_tick_lot as f64,
            ..Default::default()
        }
    }

    /// Of a replace its new leaves, as controls 12 to 17 judge them.
    fn judged_quantity(&self, order: &Order) -> i64 {
        if order.action != Action::Replace as u8 {
            return order.quantity;
        }
        let filled = self.orders.get(order.original_client_order_id, order.session_id).map_or(0, |old| old.quantity - old.leaves);
        order.quantity.saturating_sub(filled)
    }

    /// Features of the order judged last, in the order of [`NAMES`]; `None` without a model.
    #[must_use]
    pub fn order_error_row(&self) -> Option<[f32; WIDTH]> {
        self.scoring.as_ref().map(|scoring| scoring.row)
    }

    /// Makes the next score NaN: the planted fault of the tests.
    #[doc(hidden)]
    pub fn plant_blindness(&mut self) {
        self.scoring.iter_mut().for_each(|scoring| scoring.is_blind = true);
    }
}
