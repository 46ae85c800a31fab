// SPDX-License-Identifier: Apache-2.0
//! One order in, one decision out.
use crate::breach::Breach;
use crate::checks::{Context, Request, flow, form, passed_as, session};
use crate::duplicates::Duplicates;
use crate::evaluate::evaluate;
use crate::gate::Gate;
use crate::journal::{DecisionEntry, Transition};
use crate::options::FUTURE_TOLERANCE_NS;
use crate::orders::{LiveOrder, state};
use crate::state::flag;
use pretrade_journal::RecordKind;
use pretrade_records::order::POST_ONLY;
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Action, Decision, Order, OrderType, ReasonCode, Side, TimeInForce, Verdict};
use pretrade_shm::memory::prefetch;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What passed. Only a gate makes one, and only this can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    /// The order that passed.
    pub fn order(&self) -> &T {
        &self.0
    }

    /// Gives the order up.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// What one decision read besides limits.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    limits_age: i64,
    quotes_age: i64,
    added: i64,
    passed_as: u8,
    fingerprint: u64,
    cell: usize,
}

impl Gate {
    /// Decides one order; the record of the decision stands in the journal's ring when this returns.
    #[inline(always)]
    pub fn decide(&mut self, order: &Order, now_mono: i64, now_utc: i64) -> Decision {
        let mut decision = Decision::default();
        self.decide_into(order, now_mono, now_utc, &mut decision);
        decision
    }

    /// As [`Gate::decide`], writing the decision where it is wanted: 128 bytes are not copied on the way out.
    pub fn decide_into(&mut self, order: &Order, now_mono: i64, now_utc: i64, decision: &mut Decision) {
        if !self.is_poisoned {
            if catch_unwind(AssertUnwindSafe(|| self.decide_unguarded(order, now_mono, now_utc, decision))).is_ok() {
                return;
            }
            self.poison(now_mono, now_utc);
        }
        self.decide_poisoned(order, now_mono, now_utc, decision);
    }

    /// Decides one order and hands out the approval that sending needs.
    pub fn submit(&mut self, order: &Order, now_mono: i64, now_utc: i64) -> (Decision, Option<Approved<Order>>) {
        let decision = self.decide(order, now_mono, now_utc);
        (decision, (decision.verdict == Verdict::Accept as u8).then_some(Approved(*order)))
    }

    #[inline(always)]
    fn decide_unguarded(&mut self, order: &Order, now_mono: i64, now_utc: i64, out: &mut Decision) {
        if order.action == Action::Cancel as u8 {
            return self.decide_cancel(order, now_mono, now_utc, out);
        }
        let instrument = self.instrument_index.get(order.instrument_id);
        let account = self.account_index.get(order.account_id);
        let strategy = self.strategy_index.get(order.strategy_id).unwrap_or(0);
        let fingerprint = fingerprint(order);
        // Zero where one of the two is unknown; such an order never gets as far as its cell.
        let cell = instrument.zip(account).map_or(0, |(i, a)| self.cell_at(i, a));
        self.prefetch(order, instrument, cell, fingerprint);
        let mut seen = Seen { fingerprint, cell, ..Seen::default() };
        if let Some(at) = instrument {
            self.bring_up_to_date(at, now_mono, now_utc, &mut seen);
        }
        let verdict = self.judge(order, instrument, account, strategy, now_mono, now_utc, &mut seen);
        let (Ok(None), Some(i), Some(a)) = (verdict, instrument, account) else {
            self.counters.decisions += 1;
            *out = self.conclude_no(order, instrument, verdict, &seen, now_mono, now_utc);
            return;
        };
        *out = self.accept(order, instrument, &seen, now_mono, now_utc);
        if !self.record_decision(order, instrument, out, &seen, RecordKind::Decision) {
            if seen.passed_as == passed_as::NEW_RISK {
                *out = self.take_back(order, instrument, &seen, now_mono, now_utc);
                return;
            }
            self.end_journal();
        }
        self.apply_at(order, [i, a, strategy], seen.fingerprint, now_mono, false);
    }

    /// The journal stopped between the check and the record: an unrecorded order is not sent (I1, control 44).
    #[cold]
    #[inline(never)]
    fn take_back(&mut self, order: &Order, instrument: Option<usize>, seen: &Seen, now_mono: i64, now_utc: i64) -> Decision {
        self.counters.accepted -= 1;
        let refused = Err(Breach::plain(44, ReasonCode::AuditUnavailable));
        self.conclude_no(order, instrument, refused, seen, now_mono, now_utc)
    }

    /// Asks for every line the checks will read.
    #[inline(always)]
    fn prefetch(&self, order: &Order, instrument: Option<usize>, cell: usize, fingerprint: u64) {
        self.ids.prefetch(order.client_order_id, order.session_id);
        self.orders.prefetch(order.client_order_id, order.session_id);
        self.duplicates.prefetch(fingerprint);
        if let Some(at) = instrument {
            let i = &self.instruments[at];
            prefetch(&i.value_per_tick_lot);
            prefetch(&i.bounds.buy);
            prefetch(&i.bounds.sell);
            prefetch(&i.bounds.missing);
            prefetch(&self.cells[cell]);
        }
    }

    /// Compares the words that say "nothing changed"; anything else takes the slow path.
    #[inline(always)]
    fn bring_up_to_date(&mut self, at: usize, now_mono: i64, now_utc: i64, seen: &mut Seen) {
        let i = &self.instruments[at];
        let (tick, data) = self.limits.channel(i.limits_channel);
        let age = now_mono.saturating_sub(tick.min(data));
        let is_same = i.limits_slot != u32::MAX
            && i.quotes_slot != u32::MAX
            && i.limits_seq == self.limits.sequence(i.limits_slot as usize)
            && i.quotes_seq == self.quotes.sequence(i.quotes_slot as usize)
            && i.generation == self.controls.generation()
            && self.epoch == self.limits.epoch();
        let is_settled = i.stage == 0 && i.flags & flag::RAMPING == 0 && age <= self.options.t1_ns && age >= -FUTURE_TOLERANCE_NS;
        seen.limits_age = age;
        if !(is_same && is_settled) {
            self.refresh(at, now_mono, now_utc);
            let (tick, data) = self.limits.channel(self.instruments[at].limits_channel);
            seen.limits_age = now_mono.saturating_sub(tick.min(data));
        }
        let (tick, data) = self.quotes.channel(self.instruments[at].quotes_channel);
        seen.quotes_age = now_mono.saturating_sub(tick.min(data));
    }

    #[allow(clippy::too_many_arguments, reason = "the hot path passes words, not a record")]
    #[inline(always)]
    fn judge(
        &mut self,
        order: &Order,
        instrument: Option<usize>,
        account: Option<usize>,
        strategy: usize,
        now_mono: i64,
        now_utc: i64,
        seen: &mut Seen,
    ) -> Result<Option<Breach>, Breach> {
        let generation = self.controls.generation();
        if generation == 0 || self.is_controls_lost {
            return Err(Breach::plain(0, ReasonCode::ControlsUnavailable));
        }
        if self.firm.generation != generation {
            self.read_all_ledgers();
        }
        flow::check_client_order_id(order, &self.ids)?;
        let kill_word = self.controls.kill_word();
        if kill_word != self.kill_word {
            self.kill_word = kill_word;
            self.record_transition(Transition::whole(Transition::KILL, kill_word), now_mono, now_utc);
        }
        let flags = instrument.map_or(0, |at| self.instruments[at].flags)
            | account.map_or(0, |at| self.accounts[at].flags)
            | self.strategies[strategy].flags
            | self.firm.flags;
        session::check_kill(kill_word, flags)?;
        let has_memory = self.ids.has_room() && self.orders.has_room();
        let is_audited = has_memory && self.can_record();
        let request = match (instrument, account) {
            (Some(i), Some(a)) => Some(self.request(order, i, a, seen, now_mono, now_utc)?),
            _ => None,
        };
        flow::check_audit(is_audited, has_memory && request.is_some_and(|r| r.passed_as != passed_as::NEW_RISK))?;
        session::check_party(account.map(|at| &self.accounts[at]), &self.strategies[strategy])?;
        session::check_instrument(instrument.map(|at| &self.instruments[at]))?;
        let (Some(i), Some(a), Some(request)) = (instrument, account, request) else { return Err(Breach::missing(6)) };
        (seen.added, seen.passed_as) = (request.added, request.passed_as);
        let context = Context {
            request,
            instrument: &self.instruments[i],
            cell: &self.cells[seen.cell],
            account: &self.accounts[a],
            strategy: &self.strategies[strategy],
            firm: &self.firm,
            options: &self.options,
            limits_age: seen.limits_age,
            is_quote_fresh: seen.quotes_age <= self.options.reference_ttl_ns && seen.quotes_age >= -FUTURE_TOLERANCE_NS,
        };
        evaluate(&context, &self.duplicates)
    }

    /// Works out what the message adds and whether it is a verified reduction or a shrinking replace.
    #[inline(always)]
    fn request<'a>(
        &self,
        order: &'a Order,
        instrument: usize,
        account: usize,
        seen: &Seen,
        now_mono: i64,
        now_utc: i64,
    ) -> Result<Request<'a>, Breach> {
        let (i, cell) = (&self.instruments[instrument], &self.cells[seen.cell]);
        let is_buy = order.side == Side::BUY as u8;
        let is_market = order.order_type == OrderType::Market as u8;
        let bounds = if is_buy { &i.bounds.buy } else { &i.bounds.sell };
        let implied = if is_market {
            let slippage = i64::from(self.options.market_slippage_ticks).saturating_mul(i.tick_size);
            bounds.opposite_touch.saturating_add(if is_buy { slippage } else { -slippage })
        } else {
            order.price
        };
        let rests = order.time_in_force == TimeInForce::Day as u8 || order.time_in_force == TimeInForce::GoodTillCancel as u8;
        let crosses = if is_buy { implied >= bounds.opposite_touch } else { implied <= bounds.opposite_touch };
        let mut request = Request {
            order,
            is_buy,
            is_market,
            is_replace: order.action == Action::Replace as u8,
            is_passive: order.flags & POST_ONLY != 0 || (rests && !is_market && !crosses),
            ticks: order.price.unsigned_abs() / i.tick_size.unsigned_abs().max(1),
            quantity: order.quantity,
            added: order.quantity.max(0),
            implied,
            passed_as: passed_as::NEW_RISK,
            fingerprint: seen.fingerprint,
            now_mono,
            now_utc,
        };
        let mut counted = 0;
        if request.is_replace {
            let old = self.replaced_order(order, instrument, account)?;
            counted = old.counted;
            let new_leaves = order.quantity.saturating_sub(old.quantity - old.leaves);
            (request.quantity, request.added) = (new_leaves, new_leaves.saturating_sub(old.leaves).max(0));
            if is_shrinking(order, &old, new_leaves, is_buy) {
                request.passed_as = passed_as::SHRINKING;
                return Ok(request);
            }
        }
        let working = if is_buy { cell.working_buy } else { cell.working_sell };
        let against = if is_buy { cell.position.saturating_neg() } else { cell.position };
        let room = against.saturating_sub(working.saturating_sub(counted));
        if cell.is_known != 0 && against > 0 && request.quantity > 0 && request.quantity <= room {
            request.passed_as = passed_as::REDUCTION;
        }
        Ok(request)
    }

    fn replaced_order(&self, order: &Order, instrument: usize, account: usize) -> Result<LiveOrder, Breach> {
        let unknown = Breach::plain(0, ReasonCode::UnknownOrder);
        let old = self.orders.get(order.original_client_order_id, order.session_id).ok_or(unknown)?;
        let is_same = old.instrument as usize == instrument && usize::from(old.account) == account && old.side == order.side;
        if is_same && old.state == state::WORKING { Ok(*old) } else { Err(unknown) }
    }

    /// Changes ledgers, windows, tokens and the order table. Only for ACCEPT, and of HOLD the count of live orders.
    pub(crate) fn apply(&mut self, order: &Order, now_mono: i64, is_held: bool) {
        if order.action == Action::Cancel as u8 {
            return self.apply_cancel(order);
        }
        let (Some(i), Some(a)) = (self.instrument_index.get(order.instrument_id), self.account_index.get(order.account_id)) else { return };
        let s = self.strategy_index.get(order.strategy_id).unwrap_or(0);
        self.apply_at(order, [i, a, s], fingerprint(order), now_mono, is_held);
    }

    /// As [`Gate::apply`] with instrument, account, strategy and fingerprint already known.
    #[inline(always)]
    fn apply_at(&mut self, order: &Order, [i, a, s]: [usize; 3], fingerprint: u64, now_mono: i64, is_held: bool) {
        let live = LiveOrder {
            client_order_id: order.client_order_id,
            session_id: order.session_id,
            instrument: i as u32,
            account: a as u16,
            strategy: s as u16,
            side: order.side,
            state: if is_held { state::HELD } else { state::WORKING },
            order_type: order.order_type,
            time_in_force: order.time_in_force,
            price: order.price,
            quantity: order.quantity,
            leaves: order.quantity,
            counted: if is_held { 0 } else { order.quantity },
            other_id: 0,
        };
        let is_replace = order.action == Action::Replace as u8;
        if is_replace {
            if !is_held {
                self.apply_replace(order, live);
            }
        } else {
            self.orders.insert(live);
            self.count_open(&live, 1);
            self.move_working(&live, live.counted);
        }
        if is_held {
            return;
        }
        self.duplicates.remember(fingerprint, now_mono);
        let instrument = &mut self.instruments[i];
        if is_replace {
            instrument.bucket_replace.spend(instrument.interval_replace, now_mono);
        } else {
            instrument.bucket_new.spend(instrument.interval_new, now_mono);
        }
        for ledger in [&mut self.accounts[a], &mut self.strategies[s], &mut *self.firm] {
            if is_replace {
                ledger.bucket_replace.spend(ledger.interval_replace, now_mono);
            } else {
                ledger.bucket_new.spend(ledger.interval_new, now_mono);
            }
        }
    }

    fn apply_replace(&mut self, order: &Order, live: LiveOrder) {
        let Some(old) = self.orders.get(order.original_client_order_id, order.session_id).copied() else { return };
        let new_leaves = order.quantity.saturating_sub(old.quantity - old.leaves);
        let counted = old.leaves.max(new_leaves);
        self.move_working(&old, counted - old.counted);
        self.orders.insert(LiveOrder { state: state::PENDING_REPLACE, counted, other_id: order.client_order_id, ..old });
        self.orders.insert(LiveOrder { state: state::ALIAS, leaves: 0, counted: 0, other_id: old.client_order_id, ..live });
    }

    fn apply_cancel(&mut self, order: &Order) {
        let Some(old) = self.find_order(order.original_client_order_id, order.session_id) else { return };
        let strategy = usize::from(old.strategy);
        self.strategies[strategy].cancels += 1;
        match old.state {
            // A held order was never sent: it is gone at once.
            state::HELD => {
                self.orders.remove(old.client_order_id, old.session_id);
                self.count_open(&old, -1);
            }
            state::WORKING => self.orders.insert(LiveOrder { state: state::PENDING_CANCEL, ..old }),
            _ => {}
        }
    }

    /// A cancel passes every risk rule in every state; only a cancel of an unknown order is answered no.
    fn decide_cancel(&mut self, order: &Order, now_mono: i64, now_utc: i64, out: &mut Decision) {
        let known = self.find_order(order.original_client_order_id, order.session_id);
        let seen = Seen::default();
        let instrument = known.map(|o| o.instrument as usize).or_else(|| self.instrument_index.get(order.instrument_id));
        if known.is_none() {
            self.counters.decisions += 1;
            *out = self.conclude_no(order, instrument, Err(Breach::plain(0, ReasonCode::UnknownOrder)), &seen, now_mono, now_utc);
            return;
        }
        let decision = self.accept(order, instrument, &seen, now_mono, now_utc);
        self.apply_cancel(order);
        if !self.record_decision(order, instrument, &decision, &seen, RecordKind::Decision) {
            self.end_journal();
        }
        *out = decision;
    }

    /// Counts an acceptance, keeps its id and makes the decision.
    #[inline(always)]
    fn accept(&mut self, order: &Order, instrument: Option<usize>, seen: &Seen, now_mono: i64, now_utc: i64) -> Decision {
        self.counters.decisions += 1;
        self.counters.accepted += 1;
        self.keep_id(order);
        self.describe(order, instrument, Verdict::Accept, None, seen, now_mono, now_utc)
    }

    /// Counts, applies and journals a HOLD or REJECT.
    #[inline(never)]
    fn conclude_no(
        &mut self,
        order: &Order,
        instrument: Option<usize>,
        verdict: Result<Option<Breach>, Breach>,
        seen: &Seen,
        now_mono: i64,
        now_utc: i64,
    ) -> Decision {
        let (code, breach) = match verdict {
            Ok(held) => (Verdict::Hold, held),
            Err(breach) => (Verdict::Reject, Some(breach)),
        };
        let decision = self.describe(order, instrument, code, breach, seen, now_mono, now_utc);
        // A repeated id is an event on the first decision, not a second one (control 27).
        let is_repeated = decision.reason == ReasonCode::DuplicateClientOrderId as u8;
        if code == Verdict::Hold {
            self.counters.held += 1;
            self.apply(order, now_mono, true);
        } else {
            self.counters.rejected += 1;
        }
        if !is_repeated {
            self.keep_id(order);
        }
        let is_recorded =
            self.record_decision(order, instrument, &decision, seen, if is_repeated { RecordKind::Order } else { RecordKind::Decision });
        if !is_recorded && code == Verdict::Hold {
            self.end_journal();
        }
        if let Some(breach) = breach {
            self.count_refusal(&breach);
        }
        decision
    }

    #[inline(always)]
    fn keep_id(&mut self, order: &Order) {
        if self.ids.has_room() {
            self.ids.insert(order.client_order_id, order.session_id);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "inlined: words, not a call")]
    #[inline(always)]
    fn describe(
        &self,
        order: &Order,
        instrument: Option<usize>,
        verdict: Verdict,
        breach: Option<Breach>,
        seen: &Seen,
        now_mono: i64,
        now_utc: i64,
    ) -> Decision {
        let mut decision = Decision {
            client_order_id: order.client_order_id,
            ts_event: order.ts_event,
            ts_decision: now_utc,
            mono_decision: now_mono,
            price: order.price,
            quantity: order.quantity,
            gate_sequence: self.counters.decisions,
            instrument_id: order.instrument_id,
            strategy_id: order.strategy_id,
            account_id: order.account_id,
            score: f32::NAN,
            verdict: verdict as u8,
            passed_as: seen.passed_as,
            side: order.side,
            action: order.action,
            ..Default::default()
        };
        if let Some(at) = instrument {
            let i = &self.instruments[at];
            (decision.limit_version, decision.limit_epoch, decision.trip_id) = (i.version, i.epoch, i.trip_id);
            (decision.tier, decision.stage, decision.score) = (i.tier, i.stage, i.score);
        }
        if let Some(breach) = breach {
            (decision.reason, decision.control, decision.unit) = (breach.reason as u8, breach.control, breach.unit as u8);
            (decision.measured, decision.limit) = (breach.measured, breach.limit);
        }
        decision
    }

    #[inline(always)]
    fn record_decision(&mut self, order: &Order, instrument: Option<usize>, decision: &Decision, seen: &Seen, kind: RecordKind) -> bool {
        if self.journal.is_none() {
            return true;
        }
        let mut entry = DecisionEntry {
            decision: *decision,
            original_client_order_id: order.original_client_order_id,
            session_id: order.session_id,
            order_flags: order.flags,
            order_type: order.order_type,
            time_in_force: order.time_in_force,
            bid_price: UNDEFINED_PRICE,
            ask_price: UNDEFINED_PRICE,
            limits_age: seen.limits_age,
            quotes_age: seen.quotes_age,
            added: seen.added,
            ..Default::default()
        };
        if let Some(at) = instrument {
            let bounds = &self.instruments[at].bounds;
            let side = if order.side == Side::BUY as u8 { &bounds.buy } else { &bounds.sell };
            (entry.bid_price, entry.ask_price) = (bounds.sell.opposite_touch, bounds.buy.opposite_touch);
            (entry.reference, entry.collar, entry.phase, entry.feed_state) = (side.reference, side.collar, bounds.phase, bounds.feed_state);
        }
        self.record_entry(kind, &entry)
    }

    #[cold]
    fn poison(&mut self, now_mono: i64, now_utc: i64) {
        self.is_poisoned = true;
        self.record_transition(Transition::whole(Transition::POISON, 1), now_mono, now_utc);
        self.publish_status(now_mono);
    }

    /// A poisoned gate trusts none of its state: cancels pass, everything else is refused.
    #[cold]
    fn decide_poisoned(&mut self, order: &Order, now_mono: i64, now_utc: i64, out: &mut Decision) {
        let (verdict, breach) = if order.action == Action::Cancel as u8 {
            (Verdict::Accept, None)
        } else {
            (Verdict::Reject, Some(Breach::plain(0, ReasonCode::Internal)))
        };
        self.counters.decisions += 1;
        let decision = self.describe(order, None, verdict, breach, &Seen::default(), now_mono, now_utc);
        let _ = self.record_decision(order, None, &decision, &Seen::default(), RecordKind::Decision);
        *out = decision;
    }
}

/// Same instrument and side, leaves not larger, price and type not more aggressive.
fn is_shrinking(order: &Order, old: &LiveOrder, new_leaves: i64, is_buy: bool) -> bool {
    let is_softer = if is_buy { order.price <= old.price } else { order.price >= old.price };
    new_leaves > 0
        && new_leaves <= old.leaves
        && order.order_type == old.order_type
        && order.time_in_force == old.time_in_force
        && order.order_type == OrderType::Limit as u8
        && is_softer
        && form::check_form(order).is_ok()
}

#[inline]
fn fingerprint(order: &Order) -> u64 {
    let side_type = u32::from(order.side) | u32::from(order.order_type) << 8 | u32::from(order.action) << 16;
    Duplicates::fingerprint(order.account_id, order.instrument_id, side_type, order.quantity, order.price)
}
