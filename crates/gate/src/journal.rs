// SPDX-License-Identifier: Apache-2.0
//! What the gate writes into its journal, and the fold that rebuilds its state from it (`records` section 4).
use crate::decide::At;
use crate::gate::{Gate, GateError};
use crate::merge::{Version, has_model, sound_values, tightest};
use crate::rate::Bucket;
use crate::stage::Stage;
use crate::venue::VenueMessage;
use bytemuck::{Pod, Zeroable};
use pretrade_journal::{GateJournal, GateJournalReader, GateJournalRecord, JournalError, RecordKind};
use pretrade_records::limits::flags;
use pretrade_records::order::EXIT_TICKET;
use pretrade_records::{Action, Decision, LimitsRecord, Order, Verdict};
use pretrade_shm::Level;
use pretrade_shm::clock::ClockDomain;

/// One decision with what it read: order and decision in one record, since both are known together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct DecisionEntry {
    /// The decision, which carries most of the order.
    pub decision: Decision,
    /// The rest of the order, and what was read.
    pub read: Read,
}

/// What a decision does not carry: the rest of its order, and what was read to judge it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Read {
    /// The order a replace or cancel names.
    pub original_client_order_id: u64,
    /// Session.
    pub session_id: u32,
    /// Order flags.
    pub order_flags: u32,
    /// [`pretrade_records::OrderType`] code.
    pub order_type: u8,
    /// [`pretrade_records::TimeInForce`] code.
    pub time_in_force: u8,
    /// [`pretrade_records::Phase`] code read.
    pub phase: u8,
    /// [`pretrade_records::FeedState`] bits read.
    pub feed_state: u8,
    /// Zero.
    pub pad: u32,
    /// Best bid read.
    pub bid_price: i64,
    /// Best ask read.
    pub ask_price: i64,
    /// Collar reference of the order's side.
    pub reference: i64,
    /// Collar bound of the order's side.
    pub collar: i64,
    /// Age of the limits channel, ns.
    pub limits_age: i64,
    /// Age of the quotes channel, ns.
    pub quotes_age: i64,
    /// Quantity added to the working side.
    pub added: i64,
    /// Bits of the order-error score, 0 where there is no model.
    pub order_error: u32,
    /// Zero.
    pub spare: u32,
}

const _: () = assert!(core::mem::size_of::<DecisionEntry>() == 216);

const DECISION_WORDS: usize = size_of::<Decision>() / 8;

impl Read {
    /// The entry of a decision as the payload of a whole record, whose first five words are left for the journal. Written field by field and not as a cast: a copy of freshly written narrow fields by wide
    /// loads stalls on store forwarding and costs more than the check (a test holds it equal to the cast).
    #[inline(always)]
    #[must_use]
    pub fn words(&self, d: &Decision) -> [u64; 32] {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let bytes = |bytes: [u8; 8]| u64::from_le_bytes(bytes);
        [
            0,
            0,
            0,
            0,
            0,
            d.client_order_id,
            d.ts_event.cast_unsigned(),
            d.ts_decision.cast_unsigned(),
            d.mono_decision.cast_unsigned(),
            d.limit_version,
            d.measured.cast_unsigned(),
            d.limit.cast_unsigned(),
            d.price.cast_unsigned(),
            d.quantity.cast_unsigned(),
            d.gate_sequence,
            d.trip_id,
            pair(d.instrument_id, d.strategy_id),
            pair(d.account_id, d.limit_epoch),
            pair(d.score.to_bits(), u32::from_le_bytes([d.verdict, d.reason, d.unit, d.tier])),
            bytes([d.stage, d.control, d.passed_as, d.side, d.action, d.warning, 0, 0]),
            0,
            self.original_client_order_id,
            pair(self.session_id, self.order_flags),
            bytes([self.order_type, self.time_in_force, self.phase, self.feed_state, 0, 0, 0, 0]),
            self.bid_price.cast_unsigned(),
            self.ask_price.cast_unsigned(),
            self.reference.cast_unsigned(),
            self.collar.cast_unsigned(),
            self.limits_age.cast_unsigned(),
            self.quotes_age.cast_unsigned(),
            self.added.cast_unsigned(),
            pair(self.order_error, 0),
        ]
    }
}

/// A change of state that no order caused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Transition {
    /// Instrument, 0 for the whole gate.
    pub instrument_id: u32,
    /// See the constants.
    pub what: u8,
    /// Stage level.
    pub level: u8,
    /// Stage cause.
    pub cause: u8,
    /// Zero.
    pub pad: u8,
    /// Trip latched for the sidecar; or when the stage was entered; or the kill word.
    pub first: u64,
    /// Trip latched for a human.
    pub second: u64,
}

impl Transition {
    /// Breaker latches changed.
    pub const TRIP: u8 = 1;
    /// A stage changed.
    pub const STAGE: u8 = 2;
    /// The firm kill word changed.
    pub const KILL: u8 = 3;
    /// The gate was poisoned by a caught panic.
    pub const POISON: u8 = 4;
    /// Not a change: the model that scores from here on, by the first sixteen bytes of its hash.
    pub const MODEL: u8 = 16;
    /// The journal before was not whole: no position is known until it is told again.
    pub const POSITIONS_UNKNOWN: u8 = 5;

    /// The trip of this gateway's own changed; `first` is the one in force.
    pub const TRIP_GATEWAY: u8 = 6;
    /// A level was stopped or resumed (controls 23 and 25).
    pub const LATCH: u8 = 7;
    /// The profit of a level rose above its session peak.
    pub const PEAK: u8 = 8;
    /// Profit of a level at the start of a session.
    pub const SESSION: u8 = 9;

    /// The trip of this gateway's own now in force, 0 where none, with the ticks moved and the trigger.
    #[must_use]
    pub fn trip_gateway(instrument_id: u32, id: u64, (moved, most): (i64, i64)) -> Self {
        let narrow = |ticks: i64| u64::from(u32::try_from(ticks).unwrap_or(u32::MAX));
        Transition { instrument_id, what: Self::TRIP_GATEWAY, first: id, second: narrow(moved) << 32 | narrow(most), ..Default::default() }
    }

    /// A stop of a level: its control, its id (0 = resumed), and what was measured.
    #[must_use]
    pub fn latch(level: Level, id: u32, control: u8, latch: u64, measured: i64) -> Self {
        Transition {
            instrument_id: id,
            what: Self::LATCH,
            level: level as u8,
            cause: control,
            pad: 0,
            first: latch,
            second: measured.cast_unsigned(),
        }
    }

    /// A number of a level's profit.
    #[must_use]
    pub fn profit(level: Level, id: u32, what: u8, amount: i64) -> Self {
        Transition { instrument_id: id, what, level: level as u8, first: amount.cast_unsigned(), ..Default::default() }
    }

    /// Latches now in force, 0 where none.
    #[must_use]
    pub fn trip(instrument_id: u32, sidecar: u64, human: u64) -> Self {
        Transition { instrument_id, what: Self::TRIP, first: sidecar, second: human, ..Default::default() }
    }

    /// A stage entered.
    #[must_use]
    pub fn stage(instrument_id: u32, stage: &Stage) -> Self {
        let first = stage.mono_entered.cast_unsigned();
        Transition { instrument_id, what: Self::STAGE, level: stage.level, cause: stage.cause, first, ..Default::default() }
    }

    /// A word of the whole gate changed.
    #[must_use]
    pub fn whole(what: u8, first: u64) -> Self {
        Transition { what, first, ..Default::default() }
    }
}

impl Gate {
    /// Writes a record of something that changes the gate's state; when the journal cannot take it, the journal ends there.
    #[inline(always)]
    pub(crate) fn record(&mut self, kind: RecordKind, payload: &[u64], now_mono: i64, now_utc: i64) {
        if let Some(journal) = &mut self.journal
            && journal.append(kind, now_mono, now_utc, payload).is_none()
        {
            journal.give_up();
            self.counters.unrecorded += 1;
        }
    }

    /// What was just decided changed the state and is not recorded.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_journal(&self) {
        if let Some(journal) = &self.journal {
            journal.give_up();
        }
    }

    /// Writes the decision where it is wanted and its record; `false` when the journal cannot take it.
    #[inline(always)]
    pub(crate) fn record_entry(&mut self, kind: RecordKind, decision: &Decision, read: &Read, out: &mut Decision) -> bool {
        let words = read.words(decision);
        let Some(journal) = &mut self.journal else {
            *out = *decision;
            return true;
        };
        let first: &mut [u64; DECISION_WORDS] = bytemuck::cast_mut(out);
        let is_recorded = journal.append_words(kind, decision.mono_decision, decision.ts_decision, words, first).is_some();
        if !is_recorded {
            *out = *decision;
            self.counters.unrecorded += 1;
        }
        is_recorded
    }

    pub(crate) fn record_transition(&mut self, transition: Transition, now_mono: i64, now_utc: i64) {
        self.record(RecordKind::Control, bytemuck::cast_slice(std::slice::from_ref(&transition)), now_mono, now_utc);
    }

    pub(crate) fn record_limits(&mut self, limits: &LimitsRecord, now_mono: i64, now_utc: i64) {
        self.record(RecordKind::Limits, bytemuck::cast_slice(std::slice::from_ref(limits)), now_mono, now_utc);
    }

    /// Above 90 % of the ring, or with a copier that stopped, new risk is refused (control 44).
    #[inline]
    pub(crate) fn can_record(&mut self) -> bool {
        match &mut self.journal {
            None => true,
            Some(journal) => journal.has_room(),
        }
    }

    /// Folds the journal of an earlier life, then opens it for writing. Where that life could not record everything, or what
    /// the ring held is lost, no position is known until the venue's side says it (`controls` 1, `pos`).
    pub(crate) fn rebuild(&mut self, past: Result<GateJournalReader, JournalError>) -> Result<(), GateError> {
        let Some(options) = self.files.journal.clone() else { return Ok(()) };
        let own = domain_words(&options.clock_domain);
        match past {
            Ok(mut reader) => {
                let (mut records, mut domain) = (Vec::new(), own);
                while reader.read(&mut records, 4096)? > 0 {
                    for record in records.drain(..) {
                        if record.kind() == Some(RecordKind::Start) && [record.payload[1], record.payload[2]] != domain {
                            domain = [record.payload[1], record.payload[2]];
                            self.forget_monotonic();
                        }
                        self.fold(&record)?;
                    }
                }
                if domain != own {
                    self.forget_monotonic();
                }
            }
            Err(e) if e.kind == pretrade_journal::error::JournalErrorKind::Absent => {}
            Err(e) => return Err(e.into()),
        }
        let journal = GateJournal::open(&options)?;
        let is_whole = journal.is_whole();
        self.journal = Some(journal);
        self.record(RecordKind::Start, &[u64::from(std::process::id()), own[0], own[1]], 0, 0);
        if let Some(model) = self.scoring.as_ref().map(|scoring| scoring.transition()) {
            self.record_transition(model, 0, 0);
        }
        if !is_whole {
            self.forget_positions();
            self.record_transition(Transition::whole(Transition::POSITIONS_UNKNOWN, 1), 0, 0);
        }
        Ok(())
    }

    /// Monotonic stamps of another boot mean nothing here: buckets are full, windows empty, stages not yet observed.
    fn forget_monotonic(&mut self) {
        for (cold, instrument) in self.cold.iter_mut().zip(self.instruments.iter_mut()) {
            (instrument.bucket_new, instrument.bucket_replace) = (Bucket::default(), Bucket::default());
            (instrument.stage, instrument.cause, cold.stage) = (1, 0, Stage::default());
            if cold.last_good.is_some() {
                cold.ramp.rest(cold.in_force);
            }
        }
        for ledger in self.accounts.iter_mut().chain(self.strategies.iter_mut()).chain(std::iter::once(&mut *self.firm)) {
            (ledger.bucket_new, ledger.bucket_replace) = (Bucket::default(), Bucket::default());
        }
        self.extended.forget_monotonic();
        self.duplicates.clear();
        self.age_holds();
        self.scoring.iter_mut().for_each(|scoring| scoring.forget_monotonic());
    }

    /// What a broken journal leaves is a guess, and a guess is no position.
    fn forget_positions(&mut self) {
        for cell in self.cells.iter_mut() {
            cell.is_known = 0;
        }
    }

    /// Takes one record of the past into the state.
    fn fold(&mut self, record: &GateJournalRecord) -> Result<(), GateError> {
        match record.kind() {
            Some(RecordKind::Decision) => self.fold_decision(&record.payload_as()),
            Some(RecordKind::Order) => {
                let entry: DecisionEntry = record.payload_as();
                if entry.decision.action == Action::Cancel as u8 {
                    self.fold_decision(&entry);
                }
            }
            Some(RecordKind::Venue) => {
                let message: VenueMessage = record.payload_as();
                self.extended.observe(record.mono, record.ts);
                self.apply_venue(&message);
            }
            Some(RecordKind::Limits) => self.fold_limits(&record.payload_as(), record.mono),
            Some(RecordKind::Mark) => self.fold_profit(&record.payload_as()),
            Some(RecordKind::Control) => self.fold_transition(&record.payload_as()),
            _ => {}
        }
        self.ids.reserve().map_err(GateError::from)
    }

    fn fold_decision(&mut self, entry: &DecisionEntry) {
        let (d, read) = (&entry.decision, &entry.read);
        self.counters.decisions = self.counters.decisions.max(d.gate_sequence);
        self.ids.insert(d.client_order_id, read.session_id);
        let order = Order {
            client_order_id: d.client_order_id,
            ts_event: d.ts_event,
            price: d.price,
            quantity: d.quantity,
            instrument_id: d.instrument_id,
            strategy_id: d.strategy_id,
            account_id: d.account_id,
            side: d.side,
            order_type: read.order_type,
            time_in_force: read.time_in_force,
            action: d.action,
            flags: read.order_flags,
            session_id: read.session_id,
            original_client_order_id: read.original_client_order_id,
        };
        // The end of a wait, where the order was held.
        self.unhold(d.client_order_id, read.session_id);
        match Verdict::try_from(d.verdict) {
            Ok(Verdict::Accept) => {
                self.apply_folded(&order, read, d.mono_decision, d.ts_decision);
                if order.action == Action::New as u8 && order.flags & EXIT_TICKET != 0 {
                    self.spend_ticket(&order);
                }
                self.learn_again(&order, read.bid_price, read.ask_price, d.mono_decision, d.ts_decision);
            }
            Ok(Verdict::Hold) => {
                self.apply(&order, d.mono_decision, true);
                self.keep_held(&order, d, d.mono_decision);
            }
            _ => {}
        }
    }

    /// Follows the limits as the earlier life did, ramp included: a restart is no way round a ramp.
    fn fold_limits(&mut self, record: &LimitsRecord, mono: i64) {
        let Some(at) = self.instrument_index.get(record.instrument_id) else { return };
        let cold = &mut self.cold[at];
        let Some(numbers) = sound_values(record, record.instrument_id, record.epoch, Version::default()) else { return };
        // A new epoch may count its versions from one again, so only the epoch binds a restarted gate.
        cold.last_version = Version { epoch: record.epoch, pad: 0, version: record.version };
        cold.has_scored |= has_model(record);
        let Some(envelope) = cold.envelope else { return };
        let clamped = envelope.clamp(&numbers);
        if cold.stage.level == 0 && (has_model(record) || record.flags & flags::STATIC != 0) {
            cold.in_force = cold.ramp.step(&clamped, &envelope.statics, mono, self.options.ramp_ns).0;
            (cold.last_good, cold.stage.was_fresh) = (Some(cold.in_force), 1);
        } else {
            cold.in_force = tightest(&envelope.fallback(cold.last_good.as_ref(), &self.options), &clamped);
            cold.ramp.rest(cold.in_force);
        }
    }

    fn fold_transition(&mut self, transition: &Transition) {
        if transition.what == Transition::POSITIONS_UNKNOWN {
            return self.forget_positions();
        }
        if transition.what == Transition::LATCH {
            return self.fold_latch(transition);
        }
        let Some(at) = self.instrument_index.get(transition.instrument_id) else { return };
        let (cold, instrument) = (&mut self.cold[at], &mut self.instruments[at]);
        match transition.what {
            Transition::TRIP_GATEWAY => {
                (cold.trip_gateway, cold.gateway_shown) = (transition.first, transition.first);
                cold.last_gateway = cold.last_gateway.max(transition.first);
                cold.velocity = ((transition.second >> 32) as i64, (transition.second & 0xffff_ffff) as i64);
            }
            Transition::TRIP => (cold.trip_sidecar, cold.trip_human) = (transition.first, transition.second),
            Transition::STAGE => {
                cold.stage = Stage {
                    level: transition.level,
                    cause: transition.cause,
                    mono_entered: transition.first.cast_signed(),
                    was_fresh: 1,
                    was_observed: 1,
                    ..Default::default()
                };
                (instrument.stage, instrument.cause) = (transition.level, transition.cause);
                if transition.level > 0 && cold.last_good.is_some() {
                    cold.ramp.rest(cold.in_force);
                }
            }
            _ => {}
        }
        cold.latch(instrument);
    }

    fn fold_latch(&mut self, t: &Transition) {
        let Some(party) = self.extended.party_mut(t.level, t.instrument_id) else { return };
        if t.first == 0 && party.latch.control == 25 {
            party.executions = 0;
        }
        party.latch.last = party.latch.last.max(t.first);
        (party.latch.id, party.latch.measured) = (t.first, t.second.cast_signed());
        if t.first != 0 {
            party.latch.control = t.cause;
        }
    }

    fn fold_profit(&mut self, t: &Transition) {
        let Some(party) = self.extended.party_mut(t.level, t.instrument_id) else { return };
        let amount = i128::from(t.first.cast_signed());
        match t.what {
            Transition::PEAK => party.profit.peak = amount,
            Transition::SESSION => (party.profit.base, party.profit.peak, party.profit.is_base_due) = (amount, 0, false),
            _ => {}
        }
    }

    /// As the earlier life did: with the prices its decision read.
    fn apply_folded(&mut self, order: &Order, read: &Read, now_mono: i64, now_utc: i64) {
        if self.extended.is_on
            && order.action != Action::Cancel as u8
            && let (Some(instrument), Some(account)) = (self.instrument_index.get(order.instrument_id), self.account_index.get(order.account_id))
        {
            let strategy = self.strategy_index.get(order.strategy_id).unwrap_or(0);
            let at = At { instrument, account, strategy, cell: self.cell_at(instrument, account) };
            self.prepare_folded(order, &at, read.bid_price, read.ask_price, now_mono, now_utc);
        }
        self.extended.observe(now_mono, now_utc);
        self.apply(order, now_mono, false);
    }
}

fn domain_words(domain: &ClockDomain) -> [u64; 2] {
    bytemuck::cast(*domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_words_of_an_entry_are_its_bytes(raw in proptest::collection::vec(any::<u64>(), 27)) {
            let mut entry: DecisionEntry = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&raw));
            (entry.decision.pad, entry.read.pad, entry.read.spare) = ([0; 10], 0, 0);
            let cast: &[u64] = bytemuck::cast_slice(std::slice::from_ref(&entry));
            prop_assert_eq!(&entry.read.words(&entry.decision)[5..], cast);
        }
    }
}
