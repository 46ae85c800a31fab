// SPDX-License-Identifier: Apache-2.0
//! Controls 23 and 32: what marks and fills trip.
use crate::extended::book::narrow;
use crate::extended::party::Loss;
use crate::gate::Gate;
use crate::journal::Transition;
use crate::merge::is_unbounded;
use pretrade_journal::RecordKind;
use pretrade_records::LevelLimit;
use pretrade_records::parameter::Parameter;
use pretrade_records::units::{PPM, UNDEFINED_PRICE, UNLIMITED};

impl Gate {
    /// Values what is held at the present marks and judges losses. Between orders.
    pub(crate) fn poll_extended(&mut self, now_mono: i64, now_utc: i64) {
        self.extended.observe(now_mono, now_utc);
        for place in 0..self.extended.parties.len() {
            if self.extended.is_level(place) {
                self.publish_level(place);
            }
        }
        if !self.extended.has_losses {
            return;
        }
        for at in 0..self.cold.len() {
            self.read_mark(at, now_mono);
        }
        self.judge_losses(now_mono, now_utc);
    }

    /// A mark is a fresh pair of touches; none values what is held at nothing and lets only reductions pass.
    fn read_mark(&mut self, at: usize, now_mono: i64) {
        let i = &self.instruments[at];
        let age = now_mono.saturating_sub({
            let (tick, data) = self.quotes.channel(i.quotes_channel);
            tick.min(data)
        });
        let is_fresh = age <= self.options.reference_ttl_ns && i.missing & crate::bounds::missing::REFERENCE == 0;
        let quotes = self.cold[at].quotes.filter(|_| is_fresh);
        let mark = quotes.filter(|q| q.bid_price != UNDEFINED_PRICE && q.ask_price != UNDEFINED_PRICE).map(|q| (q.bid_price, q.ask_price));
        let x = &mut self.extended;
        x.marks[at] = mark;
        let count = x.instruments.len();
        for place in 1..x.desks_at.end {
            let book = &mut x.books[place * count + at];
            if book.position == 0 {
                continue;
            }
            let before = *book;
            book.mark(i, mark);
            let (moved, is_unmarked) = (book.unrealised - before.unrealised, book.is_unmarked);
            let is_account = x.accounts.contains(&place);
            for place in [place, 0].into_iter().take(1 + usize::from(is_account)) {
                let profit = &mut x.parties[place].profit;
                profit.unrealised += moved;
                profit.unmarked = profit.unmarked + u32::from(is_unmarked) - u32::from(before.is_unmarked);
            }
        }
    }

    /// The tightest factor a model set, at most 1.
    fn loss_ppm(&self) -> i128 {
        let factors = self.cold.iter().filter(|cold| cold.envelope.is_some()).map(|cold| cold.value(Parameter::LossTriggerPpm));
        i128::from(factors.min().unwrap_or(i64::from(PPM)).clamp(0, i64::from(PPM)))
    }

    fn judge_losses(&mut self, now_mono: i64, now_utc: i64) {
        let ppm = self.loss_ppm();
        for place in 0..self.extended.parties.len() {
            let party = &mut self.extended.parties[place];
            if !party.has_loss_limit() {
                continue;
            }
            let is_marked = party.profit.unmarked == 0 && party.exposure.unvalued == 0;
            if party.profit.is_base_due && is_marked {
                party.profit.base = party.profit.realised + party.profit.unrealised;
                (party.profit.peak, party.profit.is_base_due) = (0, false);
                let mark = Transition::profit(party.level, party.id, Transition::SESSION, narrow(party.profit.base));
                self.record(RecordKind::Mark, bytemuck::cast_slice(std::slice::from_ref(&mark)), now_mono, now_utc);
                continue;
            }
            let now = party.profit.now();
            if is_marked && now > party.profit.peak {
                party.profit.peak = now;
                let mark = Transition::profit(party.level, party.id, Transition::PEAK, narrow(now));
                self.record(RecordKind::Mark, bytemuck::cast_slice(std::slice::from_ref(&mark)), now_mono, now_utc);
            }
            self.judge_loss(place, ppm, is_marked);
        }
    }

    fn judge_loss(&mut self, place: usize, ppm: i128, is_marked: bool) {
        let party = &mut self.extended.parties[place];
        let (loss, drawdown) = (-party.profit.now(), party.profit.peak - party.profit.now());
        let bound = |limit: i64| if limit == UNLIMITED { i128::MAX } else { i128::from(limit) * ppm / i128::from(PPM) };
        let worst = |loss_limit: LevelLimit, drawdown_limit: LevelLimit| {
            [(loss, bound(party.limit(loss_limit))), (drawdown, bound(party.limit(drawdown_limit)))].into_iter().find(|(lost, most)| lost > most)
        };
        let soft = worst(LevelLimit::LossSoft, LevelLimit::DrawdownSoft);
        let hard = worst(LevelLimit::LossHard, LevelLimit::DrawdownHard);
        party.loss = match soft {
            Some((lost, most)) => Loss { is_soft: true, measured: narrow(lost), limit: narrow(most) },
            None => Loss { is_soft: !is_marked, ..Loss::default() },
        };
        if let Some((lost, most)) = hard.filter(|_| is_marked)
            && party.trip(23, narrow(lost), narrow(most))
        {
            self.record_latch(place);
        }
    }

    /// Control 32: the reference moved more than the trigger inside the window: this gateway trips the breaker.
    pub(crate) fn judge_velocity(&mut self, at: usize, now_mono: i64, now_utc: i64) {
        let cold = &self.cold[at];
        let (Some(quotes), most) = (cold.quotes, cold.value(Parameter::VelocityTicks)) else { return };
        if cold.envelope.is_none() || is_unbounded(Parameter::VelocityTicks, most) || quotes.velocity_low == UNDEFINED_PRICE {
            return;
        }
        let tick = self.instruments[at].tick_size.max(1);
        self.trip_velocity(at, quotes.velocity_high.saturating_sub(quotes.velocity_low) / tick, most, now_mono, now_utc);
    }

    /// Control 32 for the price of an own fill, against the slow reference.
    pub(crate) fn judge_fill(&mut self, at: usize, price: Option<i64>) {
        let cold = &self.cold[at];
        let (Some(quotes), Some(price), most) = (cold.good_quotes, price, cold.value(Parameter::VelocityTicks)) else { return };
        if self.extended.is_folding || cold.envelope.is_none() || is_unbounded(Parameter::VelocityTicks, most) {
            return;
        }
        let tick = self.instruments[at].tick_size.max(1);
        let moved = price.saturating_sub(quotes.slow_reference).saturating_abs() / tick;
        self.trip_velocity(at, moved, most, self.extended.now_mono, self.extended.now_utc);
    }

    fn trip_velocity(&mut self, at: usize, moved: i64, most: i64, now_mono: i64, now_utc: i64) {
        let cold = &mut self.cold[at];
        if moved <= most || cold.trip_gateway > cold.resumed_gateway {
            return;
        }
        cold.trip_gateway = cold.last_gateway.max(cold.resumed_gateway) + 1;
        (cold.last_gateway, cold.velocity) = (cold.trip_gateway, (moved, most));
        self.read_trips(at, now_mono, now_utc);
        self.publish_instrument(at, now_mono);
    }
}
