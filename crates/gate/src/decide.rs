// SPDX-License-Identifier: Apache-2.0
//! One order in, one decision out.
use crate::arithmetic::minus;
use crate::breach::Breach;
use crate::checks::{Context, Request, beyond, extended, flow, form, passed_as, session};
use crate::duplicates::{Duplicates, Rank};
use crate::evaluate::evaluate;
use crate::gate::Gate;
use crate::holds::MOST_HELD;
use crate::ids::Place;
use crate::journal::{Read, Transition};
use crate::options::FUTURE_TOLERANCE_NS;
use crate::orders::{Key, LiveOrder, state};
use crate::state::{Instrument, flag};
use pretrade_journal::RecordKind;
use pretrade_records::order::{EXIT_TICKET, POST_ONLY};
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Action, Decision, Order, OrderType, ReasonCode, Side, TimeInForce, Unit, Verdict};
use pretrade_shm::memory::prefetch;
use std::hint::select_unpredictable;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What passed. Only a gate makes one, and only this can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    pub(crate) fn made(order: T) -> Self {
        Approved(order)
    }

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
pub(crate) struct Seen {
    pub(crate) limits_age: i64,
    pub(crate) quotes_age: i64,
    pub(crate) added: i64,
    pub(crate) passed_as: u8,
    /// Control whose soft limit was passed.
    pub(crate) warning: u8,
    /// Bits of the order-error score; 0 where there is no model.
    pub(crate) order_error: u32,
    fingerprint: u64,
    pub(crate) rank: Rank,
}

/// What is known before the order's own rows are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    kill_word: u64,
    has_id_room: bool,
    has_memory: bool,
    pub(crate) is_audited: bool,
    id_place: Place,
}

/// Where the searches for the order's id start.
#[derive(Clone, Copy, Debug)]
struct Homes {
    id: Place,
    order: Key,
}

/// Indexes of what an order touches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) instrument: usize,
    pub(crate) account: usize,
    pub(crate) strategy: usize,
    pub(crate) cell: usize,
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
            let (gate, out) = (&mut *self, &mut *decision);
            if catch_unwind(AssertUnwindSafe(move || gate.decide_unguarded(order, now_mono, now_utc, out))).is_ok() {
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
        let (Some(instrument), Some(account)) = (instrument, account) else {
            return self.decide_unknown(order, instrument, account, strategy, now_mono, now_utc, out);
        };
        let at = At { instrument, account, strategy, cell: self.cell_at(instrument, account) };
        let mut seen = Seen { fingerprint: fingerprint(order), ..Seen::default() };
        let homes = self.prefetch(order, &at, seen.fingerprint);
        self.bring_up_to_date(instrument, now_mono, now_utc, &mut seen);
        let verdict = match self.prepare(order, homes.id, false, now_mono, now_utc) {
            Ok(ready) if u64::from(order.flags & EXIT_TICKET) | self.beyond != 0 => {
                return self.decide_beyond(order, at, homes.order, ready, seen, now_mono, now_utc, out);
            }
            Ok(ready) => match self.judge::<false>(order, Some(instrument), Some(account), &at, &ready, now_mono, now_utc, &mut seen) {
                Ok(None) => return self.accept(order, &at, homes.order, &seen, &ready, now_mono, now_utc, out),
                verdict => verdict,
            },
            Err(breach) => Err(breach),
        };
        self.conclude_no(order, Some(instrument), verdict, seen, now_mono, now_utc, out);
    }

    /// The rest of a decision with extended controls, a score or an exit ticket. Apart, and given values: what it may change of them would keep
    /// them in memory for the order that has neither.
    #[allow(clippy::too_many_arguments, reason = "words, not a record")]
    #[inline(never)]
    fn decide_beyond(&mut self, order: &Order, at: At, key: Key, ready: Ready, mut seen: Seen, now_mono: i64, now_utc: i64, out: &mut Decision) {
        let is_exit = order.flags & EXIT_TICKET != 0;
        let verdict = if is_exit {
            self.judge_exit(order, &at, &ready, now_mono, now_utc, &mut seen).map(|()| None)
        } else {
            self.judge_all(order, &at, &ready, now_mono, now_utc, &mut seen)
        };
        match verdict {
            Ok(None) => self.accept(order, &at, key, &seen, &ready, now_mono, now_utc, out),
            verdict => self.conclude_no(order, Some(at.instrument), verdict, seen, now_mono, now_utc, out),
        }
        if is_exit && out.verdict == Verdict::Accept as u8 {
            self.spend_ticket(order);
        }
    }

    /// An order whose instrument or account the gate does not know: some control says no.
    #[allow(clippy::too_many_arguments, reason = "words, not a record")]
    #[cold]
    #[inline(never)]
    fn decide_unknown(
        &mut self,
        order: &Order,
        instrument: Option<usize>,
        account: Option<usize>,
        strategy: usize,
        now_mono: i64,
        now_utc: i64,
        out: &mut Decision,
    ) {
        // Zero where one is unknown; such an order never gets as far as its rows.
        let at = At { instrument: instrument.unwrap_or(0), account: account.unwrap_or(0), strategy, cell: 0 };
        let mut seen = Seen { fingerprint: fingerprint(order), ..Seen::default() };
        if let Some(instrument) = instrument {
            self.bring_up_to_date(instrument, now_mono, now_utc, &mut seen);
        }
        let home = self.ids.prefetch(order.client_order_id, order.session_id);
        let ready = self.prepare(order, home, false, now_mono, now_utc);
        let verdict = ready.and_then(|ready| self.judge::<false>(order, instrument, account, &at, &ready, now_mono, now_utc, &mut seen));
        self.conclude_no(order, instrument, verdict, seen, now_mono, now_utc, out);
    }

    /// Asks for every line that is read late; those read at once (identity, sequence words) are asked for by their loads.
    #[inline(always)]
    fn prefetch(&self, order: &Order, at: &At, fingerprint: u64) -> Homes {
        let i = &self.instruments[at.instrument];
        prefetch(&i.max_order_quantity);
        prefetch(&i.value_per_tick_lot);
        prefetch(if order.side == Side::BUY as u8 { &i.bounds.buy } else { &i.bounds.sell });
        prefetch(&self.cells[at.cell]);
        self.duplicates.prefetch(fingerprint);
        let (id, session) = (order.client_order_id, order.session_id);
        Homes { id: self.ids.prefetch(id, session), order: self.orders.prefetch(id, session) }
    }

    /// Compares the words that say "nothing changed"; anything else takes the slow path.
    #[inline(always)]
    fn bring_up_to_date(&mut self, at: usize, now_mono: i64, now_utc: i64, seen: &mut Seen) {
        let (i, route) = (&self.instruments[at], self.routes[at]);
        let (tick, data) = self.limits.channel(i.limits_channel);
        let age = minus(now_mono, tick.min(data));
        let is_same = self.limits.sequence_at(route.limits) == Some(i.limits_seq)
            && self.quotes.sequence_at(route.quotes) == Some(i.quotes_seq)
            && i.generation == self.controls.generation()
            && self.epoch == self.limits.epoch();
        let is_settled = i.stage == 0 && i.flags & flag::RAMPING == 0 && age <= self.options.t1_ns && age >= -FUTURE_TOLERANCE_NS;
        seen.limits_age = age;
        if !(is_same && is_settled) {
            self.refresh(at, now_mono, now_utc);
            let (tick, data) = self.limits.channel(self.instruments[at].limits_channel);
            seen.limits_age = minus(now_mono, tick.min(data));
        }
        let (tick, data) = self.quotes.channel(self.instruments[at].quotes_channel);
        seen.quotes_age = minus(now_mono, tick.min(data));
    }

    /// What comes before the order's own rows: controls readable (stage 3), id new (27; not of a held order, whose id is known),
    /// kill word seen, journal ready.
    #[inline(always)]
    fn prepare(&mut self, order: &Order, id_home: Place, is_known: bool, now_mono: i64, now_utc: i64) -> Result<Ready, Breach> {
        let generation = self.controls.generation();
        if generation == 0 || self.is_controls_lost {
            return Err(Breach::plain(0, ReasonCode::ControlsUnavailable));
        }
        if self.firm.generation != generation {
            self.read_all_ledgers();
        }
        let (id_place, is_seen) = self.ids.look_up(id_home, order.client_order_id, order.session_id);
        flow::check_client_order_id(is_seen && !is_known)?;
        let kill_word = self.controls.kill_word();
        if kill_word != self.kill_word {
            self.kill_word = kill_word;
            self.record_transition(Transition::whole(Transition::KILL, kill_word), now_mono, now_utc);
        }
        let has_id_room = self.ids.has_room();
        let has_memory = has_id_room && self.orders.has_room();
        Ok(Ready { kill_word, has_id_room, has_memory, is_audited: has_memory && self.can_record(), id_place })
    }

    /// Every control, the order-error score last where a model is configured.
    #[inline(always)]
    fn judge_all(&mut self, order: &Order, at: &At, ready: &Ready, now_mono: i64, now_utc: i64, seen: &mut Seen) -> Result<Option<Breach>, Breach> {
        if self.extended.is_on {
            return self.judge_extended(order, at, ready, now_mono, now_utc, seen);
        }
        let held = self.judge::<false>(order, Some(at.instrument), Some(at.account), at, ready, now_mono, now_utc, seen)?;
        if self.scoring.is_none() { Ok(held) } else { self.judge_error(order, at, held, seen, now_mono, now_utc) }
    }

    /// As [`Gate::judge_all`] with the extended controls.
    #[inline(never)]
    fn judge_extended(
        &mut self,
        order: &Order,
        at: &At,
        ready: &Ready,
        now_mono: i64,
        now_utc: i64,
        seen: &mut Seen,
    ) -> Result<Option<Breach>, Breach> {
        self.prepare_extended(order, at, now_mono, now_utc);
        let held = self.judge::<true>(order, Some(at.instrument), Some(at.account), at, ready, now_mono, now_utc, seen)?;
        if self.scoring.is_none() { Ok(held) } else { self.judge_error(order, at, held, seen, now_mono, now_utc) }
    }

    /// Runs the controls in their order; `instrument` and `account` are those of `at` where the gate knows them.
    #[allow(clippy::too_many_arguments, reason = "the hot path passes words, not a record")]
    #[inline(always)]
    fn judge<const EXTENDED: bool>(
        &self,
        order: &Order,
        instrument: Option<usize>,
        account: Option<usize>,
        at: &At,
        ready: &Ready,
        now_mono: i64,
        now_utc: i64,
        seen: &mut Seen,
    ) -> Result<Option<Breach>, Breach> {
        let instrument = instrument.map(|at| &self.instruments[at]);
        let account = account.map(|at| &self.accounts[at]);
        let strategy = &self.strategies[at.strategy];
        let mut flags = instrument.map_or(0, |i| i.flags) | account.map_or(0, |a| a.flags) | strategy.flags | self.firm.flags;
        if EXTENDED {
            flags |= self.extended.flags_above();
        }
        session::check_kill(ready.kill_word, flags)?;
        if EXTENDED {
            extended::check_loss_kill(&self.extended)?;
        }
        let request = match (instrument, account) {
            (Some(i), Some(_)) => Some(self.request(order, i, at, seen, now_mono, now_utc)?),
            _ => None,
        };
        if EXTENDED {
            extended::check_annex(self.annex.is_missing, request.as_ref())?;
        }
        flow::check_audit(ready.is_audited, ready.has_memory && request.is_some_and(|r| r.passed_as != passed_as::NEW_RISK))?;
        session::check_party(account, strategy)?;
        if EXTENDED {
            extended::check_party_above(self.extended.is_enabled_above())?;
        }
        session::check_instrument(instrument)?;
        if EXTENDED && request.is_some_and(|r| r.passed_as != passed_as::SHRINKING) {
            self.check_restricted(at)?;
            extended::check_surveillance(self.is_blocked(at))?;
        }
        let (Some(instrument), Some(account), Some(request)) = (instrument, account, request) else { return Err(Breach::missing(6)) };
        (seen.added, seen.passed_as, seen.rank) = (request.added, request.passed_as, request.rank);
        let context = Context {
            request,
            instrument,
            cell: &self.cells[at.cell],
            account,
            strategy,
            firm: &self.firm,
            flags,
            options: &self.options,
            limits_age: seen.limits_age,
            is_quote_fresh: seen.quotes_age <= self.options.reference_ttl_ns && seen.quotes_age >= -FUTURE_TOLERANCE_NS,
        };
        if !EXTENDED {
            return evaluate::<false>(&context, &self.duplicates, None);
        }
        let scope = self.scope(&context, at);
        let held = evaluate::<true>(&context, &self.duplicates, Some(&scope))?;
        seen.warning = if self.extended.clock.jump().is_some() { 31 } else { extended::soft_limit(&context, &scope) };
        Ok(held)
    }

    /// Works out what the message adds and whether it is a verified reduction or a shrinking replace.
    #[inline(always)]
    pub(crate) fn request<'a>(
        &self,
        order: &'a Order,
        i: &Instrument,
        at: &At,
        seen: &Seen,
        now_mono: i64,
        now_utc: i64,
    ) -> Result<Request<'a>, Breach> {
        let cell = &self.cells[at.cell];
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
        let crosses = !beyond(!is_buy, implied, bounds.opposite_touch);
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
            rank: self.duplicates.look_up(seen.fingerprint),
            now_mono,
            now_utc,
        };
        let mut counted = 0;
        if request.is_replace {
            let old = self.replaced_order(order, at.instrument, at.account)?;
            counted = old.counted;
            let new_leaves = order.quantity.saturating_sub(old.quantity - old.leaves);
            (request.quantity, request.added) = (new_leaves, new_leaves.saturating_sub(old.leaves).max(0));
            if is_shrinking(order, &old, new_leaves, is_buy) {
                request.passed_as = passed_as::SHRINKING;
                return Ok(request);
            }
        }
        let working = select_unpredictable(is_buy, cell.working_buy, cell.working_sell);
        let against = select_unpredictable(is_buy, minus(0, cell.position), cell.position);
        let room = minus(against, minus(working, counted));
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

    /// A cancel passes every risk rule in every state; only a cancel of an unknown order is answered no.
    fn decide_cancel(&mut self, order: &Order, now_mono: i64, now_utc: i64, out: &mut Decision) {
        let known = self.find_order(order.original_client_order_id, order.session_id);
        let seen = Seen::default();
        let instrument = known.map(|o| o.instrument as usize).or_else(|| self.instrument_index.get(order.instrument_id));
        let is_repeated = self.ids.contains(order.client_order_id, order.session_id);
        if known.is_none() {
            let unknown = Breach::plain(0, ReasonCode::UnknownOrder);
            let breach = flow::check_client_order_id(is_repeated).err().unwrap_or(unknown);
            return self.conclude_no(order, instrument, Err(breach), seen, now_mono, now_utc, out);
        }
        self.extended.observe(now_mono, now_utc);
        self.counters.decisions += 1;
        self.counters.accepted += 1;
        self.keep_id(order);
        let instrument = instrument.map(|at| &self.instruments[at]);
        let decision = describe(order, instrument, Verdict::Accept, None, &seen, self.counters.decisions, now_mono, now_utc);
        let read = read_of(order, instrument, &seen);
        self.apply_cancel(order);
        // Said again, a cancel passes again: an event on the decision it had, not a second one.
        let kind = if is_repeated { RecordKind::Order } else { RecordKind::Decision };
        if !self.record_entry(kind, &decision, &read, out) {
            self.end_journal();
        }
    }

    /// Counts an acceptance, keeps its id, makes the decision, moves the state and writes the record.
    #[allow(clippy::too_many_arguments, reason = "inlined: words, not a call")]
    #[inline(always)]
    fn accept(&mut self, order: &Order, at: &At, key: Key, seen: &Seen, ready: &Ready, now_mono: i64, now_utc: i64, out: &mut Decision) {
        self.counters.decisions += 1;
        self.counters.accepted += 1;
        if ready.has_id_room {
            self.ids.insert_at(ready.id_place, order.client_order_id, order.session_id);
        }
        let instrument = &self.instruments[at.instrument];
        let decision = describe(order, Some(instrument), Verdict::Accept, None, seen, self.counters.decisions, now_mono, now_utc);
        let read = read_of(order, Some(instrument), seen);
        let is_recorded = self.record_entry(RecordKind::Decision, &decision, &read, out);
        if !is_recorded {
            if matches!(seen.passed_as, passed_as::NEW_RISK | passed_as::EXIT) {
                return self.take_back(order, at.instrument, *seen, now_mono, now_utc, out);
            }
            self.end_journal();
        }
        self.apply_at(order, at, key, seen.fingerprint, seen.rank, now_mono, false);
        if self.scoring.is_some() {
            self.learn(order);
        }
    }

    /// The journal stopped between the check and the record: an unrecorded order is not sent (I1, control 44).
    #[cold]
    #[inline(never)]
    fn take_back(&mut self, order: &Order, instrument: usize, seen: Seen, now_mono: i64, now_utc: i64, out: &mut Decision) {
        self.counters.decisions -= 1;
        self.counters.accepted -= 1;
        let refused = Err(Breach::plain(44, ReasonCode::AuditUnavailable));
        self.conclude_no(order, Some(instrument), refused, seen, now_mono, now_utc, out);
    }

    /// Counts, applies and journals a HOLD or REJECT.
    #[allow(clippy::too_many_arguments, reason = "words, not a record")]
    #[inline(never)]
    fn conclude_no(
        &mut self,
        order: &Order,
        instrument: Option<usize>,
        verdict: Result<Option<Breach>, Breach>,
        seen: Seen,
        now_mono: i64,
        now_utc: i64,
        out: &mut Decision,
    ) {
        self.counters.decisions += 1;
        let (code, breach) = match verdict {
            Ok(held) if self.held.len() < MOST_HELD => (Verdict::Hold, held),
            // Nobody could review it.
            Ok(_) => (Verdict::Reject, Some(Breach::new(41, ReasonCode::HoldRefused, MOST_HELD as i64 + 1, MOST_HELD as i64, Unit::Count))),
            Err(breach) => (Verdict::Reject, Some(self.detailed(breach, instrument))),
        };
        let rows = instrument.map(|at| &self.instruments[at]);
        let decision = describe(order, rows, code, breach, &seen, self.counters.decisions, now_mono, now_utc);
        let read = read_of(order, rows, &seen);
        // A repeated id is an event on the first decision, not a second one (control 27).
        let is_repeated = decision.reason == ReasonCode::DuplicateClientOrderId as u8;
        if code == Verdict::Hold {
            self.counters.held += 1;
            self.apply(order, now_mono, true);
            self.keep_held(order, &decision, now_mono);
        } else {
            self.counters.rejected += 1;
        }
        if !is_repeated {
            self.keep_id(order);
        }
        let kind = if is_repeated { RecordKind::Order } else { RecordKind::Decision };
        let is_recorded = self.record_entry(kind, &decision, &read, out);
        if !is_recorded && code == Verdict::Hold {
            self.end_journal();
        }
        if let Some(breach) = breach {
            self.count_refusal(&breach, code == Verdict::Hold);
        }
    }

    /// Decides a held order again: `waived` is the control that flagged it, `waited` the time the review took, which does not
    /// make the order old (31).
    pub(crate) fn decide_again(&mut self, order: &Order, waived: u8, waited: i64, now_mono: i64, now_utc: i64, out: &mut Decision) {
        let (Some(instrument), Some(account)) = (self.instrument_index.get(order.instrument_id), self.account_index.get(order.account_id)) else {
            return self.decide_unknown(order, None, None, 0, now_mono, now_utc, out);
        };
        let strategy = self.strategy_index.get(order.strategy_id).unwrap_or(0);
        let at = At { instrument, account, strategy, cell: self.cell_at(instrument, account) };
        let mut seen = Seen { fingerprint: fingerprint(order), ..Seen::default() };
        let homes = self.prefetch(order, &at, seen.fingerprint);
        self.bring_up_to_date(instrument, now_mono, now_utc, &mut seen);
        self.options.waived_controls = 1 << waived;
        let verdict = match self.prepare(order, homes.id, true, now_mono, now_utc) {
            Ok(ready) => {
                let aged = Order { ts_event: order.ts_event.saturating_add(waited), ..*order };
                self.judge_all(&aged, &at, &ready, now_mono, now_utc, &mut seen).map(|held| (held, ready))
            }
            Err(breach) => Err(breach),
        };
        self.options.waived_controls = 0;
        match verdict {
            Ok((None, ready)) => self.accept(order, &at, homes.order, &seen, &ready, now_mono, now_utc, out),
            // A second flag is no second wait.
            Ok((Some(breach), _)) | Err(breach) => self.conclude_no(order, Some(instrument), Err(breach), seen, now_mono, now_utc, out),
        }
    }

    /// The decision that ends a wait without a release.
    pub(crate) fn conclude_hold(&mut self, order: &Order, breach: Breach, now_mono: i64, now_utc: i64) -> Decision {
        let instrument = self.instrument_index.get(order.instrument_id);
        let mut out = Decision::default();
        self.conclude_no(order, instrument, Err(breach), Seen::default(), now_mono, now_utc, &mut out);
        out
    }

    /// Of a trip of this gateway's own (control 32) the numbers lie with the cold part of the instrument.
    #[cold]
    fn detailed(&self, breach: Breach, instrument: Option<usize>) -> Breach {
        match instrument.map(|at| self.cold[at].velocity) {
            Some((moved, most)) if breach.reason == ReasonCode::Velocity => Breach::new(32, breach.reason, moved, most, Unit::Ticks),
            _ => breach,
        }
    }

    #[inline(always)]
    fn keep_id(&mut self, order: &Order) {
        if self.ids.has_room() {
            self.ids.insert(order.client_order_id, order.session_id);
        }
    }

    /// Trusts nothing of this gate's state any more: cancels pass, everything else is refused until it is opened anew. For a
    /// border that caught a panic outside a decision.
    #[cold]
    pub fn poison(&mut self, now_mono: i64, now_utc: i64) {
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
        let decision = describe(order, None, verdict, breach, &Seen::default(), self.counters.decisions, now_mono, now_utc);
        let _ = self.record_entry(RecordKind::Decision, &decision, &read_of(order, None, &Seen::default()), out);
    }
}

/// The decision. Its record is made of this value and not of what `out` points to: wide loads of narrow fields just
/// stored would stall.
#[allow(clippy::too_many_arguments, reason = "inlined: words, not a call")]
#[inline(always)]
fn describe(
    order: &Order,
    instrument: Option<&Instrument>,
    verdict: Verdict,
    breach: Option<Breach>,
    seen: &Seen,
    gate_sequence: u64,
    now_mono: i64,
    now_utc: i64,
) -> Decision {
    Decision {
        client_order_id: order.client_order_id,
        ts_event: order.ts_event,
        ts_decision: now_utc,
        mono_decision: now_mono,
        limit_version: instrument.map_or(0, |i| i.version),
        measured: breach.map_or(0, |b| b.measured),
        limit: breach.map_or(0, |b| b.limit),
        price: order.price,
        quantity: order.quantity,
        gate_sequence,
        trip_id: instrument.map_or(0, |i| i.trip_id),
        instrument_id: order.instrument_id,
        strategy_id: order.strategy_id,
        account_id: order.account_id,
        limit_epoch: instrument.map_or(0, |i| i.epoch),
        score: instrument.map_or(f32::NAN, |i| i.score),
        verdict: verdict as u8,
        reason: breach.map_or(0, |b| b.reason as u8),
        unit: breach.map_or(0, |b| b.unit as u8),
        tier: instrument.map_or(0, |i| i.tier),
        stage: instrument.map_or(0, |i| i.stage),
        control: breach.map_or(0, |b| b.control),
        passed_as: seen.passed_as,
        side: order.side,
        action: order.action,
        warning: seen.warning,
        pad: [0; 10],
    }
}

/// The rest of a decision's record: what the decision does not carry.
#[inline(always)]
fn read_of(order: &Order, instrument: Option<&Instrument>, seen: &Seen) -> Read {
    let side = instrument.map(|i| if order.side == Side::BUY as u8 { &i.bounds.buy } else { &i.bounds.sell });
    // The other side's opposite touch is this side's own: one line of bounds is enough.
    let (own, opposite) = side.map_or((UNDEFINED_PRICE, UNDEFINED_PRICE), |side| (side.own_touch, side.opposite_touch));
    let is_buy = order.side == Side::BUY as u8;
    let (bid_price, ask_price) = (select_unpredictable(is_buy, own, opposite), select_unpredictable(is_buy, opposite, own));
    Read {
        original_client_order_id: order.original_client_order_id,
        session_id: order.session_id,
        order_flags: order.flags,
        order_type: order.order_type,
        time_in_force: order.time_in_force,
        phase: instrument.map_or(0, |i| i.phase),
        feed_state: instrument.map_or(0, |i| i.feed_state),
        pad: 0,
        bid_price,
        ask_price,
        reference: side.map_or(0, |side| side.reference),
        collar: side.map_or(0, |side| side.collar),
        limits_age: seen.limits_age,
        quotes_age: seen.quotes_age,
        added: seen.added,
        order_error: seen.order_error,
        spare: 0,
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
pub(crate) fn fingerprint(order: &Order) -> u64 {
    let side_type = u32::from(order.side) | u32::from(order.order_type) << 8 | u32::from(order.action) << 16;
    Duplicates::fingerprint(order.account_id, order.instrument_id, side_type, order.quantity, order.price)
}
