// SPDX-License-Identifier: Apache-2.0
//! What happens when a table changed, a stage may move or a limit ramps: the slow path before the checks.
use crate::bounds::Bounds;
use crate::gate::Gate;
use crate::journal::Transition;
use crate::merge::{Envelope, Values, Version, has_model, intact_values, tightest};
use crate::rate::interval;
use crate::state::{Cold, Ledger, flag};
use pretrade_records::limits::flags;
use pretrade_records::parameter::Parameter;
use pretrade_records::units::{PPM, UNLIMITED, UNLIMITED_U32};
use pretrade_records::{LimitsRecord, QuotesRecord};
use pretrade_shm::controls::{StateWords, row_flags};
use pretrade_shm::{ControlsRecord, ControlsTable, Level, LimitsTable, ReadOutcome, Spot};

impl Gate {
    /// Brings one instrument up to date. Cold: taken when the hot comparison failed.
    #[cold]
    #[inline(never)]
    pub(crate) fn refresh(&mut self, at: usize, now_mono: i64, now_utc: i64) {
        assert!(!self.panic_planted, "planted panic");
        let epoch = self.limits.epoch();
        if epoch != self.epoch {
            self.epoch = epoch;
            for instrument in self.instruments.iter_mut() {
                instrument.limits_seq = 1;
            }
        }
        let route = self.routes[at];
        self.limits.prefetch_at(route.limits);
        self.quotes.prefetch_at(route.quotes);
        let shown = self.shown(at);
        let mut is_changed = false;
        if self.instruments[at].generation != self.controls.generation() {
            is_changed |= self.read_controls(at);
        }
        if self.limits.sequence_at(route.limits) != Some(self.instruments[at].limits_seq) {
            is_changed |= self.read_limits(at, now_mono, now_utc);
        }
        is_changed |= self.read_trips(at, now_mono, now_utc);
        is_changed |= self.restage(at, now_mono, now_utc);
        let is_quote_changed = self.quotes.sequence_at(route.quotes) != Some(self.instruments[at].quotes_seq);
        if is_quote_changed {
            self.read_quotes(at);
        }
        if is_changed || instrument_is_ramping(self.instruments[at].flags) {
            self.put_in_force(at, now_mono);
        }
        if is_changed || is_quote_changed || instrument_is_ramping(self.instruments[at].flags) {
            self.derive_bounds(at);
            self.judge_velocity(at, now_mono, now_utc);
        }
        if is_changed && self.extended.has_margin {
            self.recount_margin(at);
        }
        if self.shown(at) != shown {
            self.publish_instrument(at, now_mono);
        }
    }

    /// What viewers must see at once; the rest of the status (version, exposure) waits for the next [`Gate::poll`].
    fn shown(&self, at: usize) -> (u8, u8, u32, u64) {
        let i = &self.instruments[at];
        (i.stage, i.tier, i.flags, i.trip_id)
    }

    /// Reads an instrument's `controls` row: envelope, reference data, state words.
    pub(crate) fn read_controls(&mut self, at: usize) -> bool {
        let (cold, instrument) = (&mut self.cold[at], &mut self.instruments[at]);
        // Before the row: a change after this read moves the word again and is seen at the next order.
        let generation = self.controls.generation();
        let mut row = ControlsRecord::default();
        let is_read = self.controls.read(cold.controls_slot, &mut row) == ReadOutcome::Fresh && ControlsTable::is_intact(&row);
        let words = self.controls.state(cold.controls_slot);
        instrument.flags &= flag::TRIPPED | flag::TRIPPED_BY_MODEL | flag::TRIPPED_BY_GATEWAY | flag::RAMPING;
        instrument.flags |= words_flags(words);
        if !is_read {
            // Read again at the next order; until then nothing is allowed.
            (cold.envelope, instrument.generation) = (None, 0);
            instrument.flags |= flag::NO_STATIC | flag::ENABLED;
            return true;
        }
        (cold.resumed_sidecar, cold.resumed_gateway, cold.resumed_human) = (row.resumed_sidecar, row.resumed_gateway, row.resumed_human);
        cold.human_word = words.trip;
        cold.envelope = Envelope::of(&row);
        instrument.generation = generation;
        (instrument.tick_size, instrument.lot_size, instrument.value_per_tick_lot) = (row.tick_size, row.lot_size, row.value_per_tick_lot);
        instrument.open_orders_limit = i64::from(row.open_orders_limit);
        for (bit, set) in [
            (flag::ENABLED, row.flags & row_flags::ENABLED != 0),
            (flag::NEGATIVE_PRICE, row.flags & row_flags::ALLOW_NEGATIVE_PRICE != 0),
            (flag::NO_SHORT, row.flags & row_flags::NO_SHORT != 0),
            (flag::NEEDS_LOCATE, row.flags & row_flags::NEEDS_LOCATE != 0),
            (flag::NO_STATIC, cold.envelope.is_none()),
        ] {
            instrument.flags |= if set { bit } else { 0 };
        }
        true
    }

    /// Reads the limits record; returns whether anything but the score moved.
    fn read_limits(&mut self, at: usize, now_mono: i64, now_utc: i64) -> bool {
        let (cold, instrument) = (&mut self.cold[at], &mut self.instruments[at]);
        let mut record = LimitsRecord::default();
        let spot = self.routes[at].limits;
        if self.limits.read_at(spot, &mut record) != ReadOutcome::Fresh {
            self.counters.torn += u64::from(spot != Spot::NONE);
            (instrument.limits_seq, cold.is_valid, cold.numbers) = (1, false, None);
            return true;
        }
        instrument.limits_seq = record.seq;
        if !LimitsTable::is_intact(&record) || record.instrument_id != cold.instrument_id {
            (cold.is_valid, cold.numbers) = (false, None);
            return true;
        }
        if cold.is_valid && is_refreshed_score(&cold.record, &record) && record.epoch == self.epoch {
            (cold.record, instrument.score) = (record, record.score);
            return false;
        }
        let is_new = (cold.record.epoch, cold.record.version) != (record.epoch, record.version);
        (cold.record, cold.is_intact) = (record, true);
        cold.numbers = intact_values(&record, cold.instrument_id, self.epoch, cold.last_version);
        cold.has_scored |= has_model(&record);
        cold.is_valid = cold.numbers.is_some() && (has_model(&record) || is_control_arm(cold));
        instrument.limits_channel = record.channel;
        if cold.numbers.is_some() {
            instrument.tier = record.tier;
            (instrument.version, instrument.epoch, instrument.score) = (record.version, record.epoch, record.score);
            cold.last_version = Version { epoch: record.epoch, pad: 0, version: record.version };
            if is_new {
                self.record_limits(&record, now_mono, now_utc);
            }
        }
        true
    }

    /// Latches and clears the breaker: a trip holds until a resume names it, whatever the record says later.
    pub(crate) fn read_trips(&mut self, at: usize, now_mono: i64, now_utc: i64) -> bool {
        let (cold, instrument) = (&mut self.cold[at], &mut self.instruments[at]);
        let before = (cold.trip_sidecar, cold.trip_human);
        let gateway_before = std::mem::replace(&mut cold.gateway_shown, if cold.trip_gateway > cold.resumed_gateway { cold.trip_gateway } else { 0 });
        cold.trip_gateway = cold.gateway_shown;
        if cold.is_intact && cold.record.flags & flags::TRIPPED != 0 {
            cold.trip_sidecar = cold.trip_sidecar.max(cold.record.trip_id);
        }
        cold.trip_human = cold.trip_human.max(cold.human_word);
        if cold.trip_sidecar <= cold.resumed_sidecar {
            cold.trip_sidecar = 0;
        }
        if cold.trip_human <= cold.resumed_human {
            cold.trip_human = 0;
        }
        let after = (cold.trip_sidecar, cold.trip_human);
        if before == after && gateway_before == cold.gateway_shown {
            return false;
        }
        cold.latch(instrument);
        let (id, gateway, velocity) = (cold.instrument_id, cold.trip_gateway, cold.velocity);
        if before != after {
            self.record_transition(Transition::trip(id, after.0, after.1), now_mono, now_utc);
        }
        if gateway_before != gateway {
            self.record_transition(Transition::trip_gateway(id, gateway, velocity), now_mono, now_utc);
        }
        true
    }

    fn restage(&mut self, at: usize, now_mono: i64, now_utc: i64) -> bool {
        let (cold, instrument) = (&mut self.cold[at], &mut self.instruments[at]);
        let pair = self.limits.channel(instrument.limits_channel);
        let before = (instrument.stage, instrument.cause);
        cold.stage.observe(cold.is_valid && cold.envelope.is_some(), pair, now_mono, &self.options);
        (instrument.stage, instrument.cause) = (cold.stage.level, cold.stage.cause);
        if before == (instrument.stage, instrument.cause) {
            return false;
        }
        let transition = Transition::stage(cold.instrument_id, &cold.stage);
        if before.0 != instrument.stage {
            self.counters.stage_changes += 1;
            self.record_transition(transition, now_mono, now_utc);
        }
        true
    }

    /// The limits in force from record, envelope, stage and ramp.
    fn put_in_force(&mut self, at: usize, now_mono: i64) {
        let (cold, instrument) = (&mut self.cold[at], &mut self.instruments[at]);
        instrument.flags &= !flag::RAMPING;
        let Some(envelope) = cold.envelope else {
            cold.in_force = Values::default();
            return hot_limits(instrument, &cold.in_force, 0);
        };
        if let (0, Some(numbers)) = (cold.stage.level, &cold.numbers) {
            let (values, is_ramping) = cold.ramp.step(&envelope.clamp(numbers), &envelope.statics, now_mono, self.options.ramp_ns);
            (cold.in_force, cold.last_good) = (values, Some(values));
            instrument.flags |= if is_ramping { flag::RAMPING } else { 0 };
        } else {
            let fallback = envelope.fallback(cold.last_good.as_ref(), &self.options);
            // A record without a usable score may still tighten, never loosen.
            cold.in_force = cold.numbers.map_or(fallback, |numbers| tightest(&fallback, &envelope.clamp(&numbers)));
            if cold.last_good.is_some() {
                cold.ramp.rest(cold.in_force);
            }
        }
        hot_limits(instrument, &cold.in_force, envelope.statics[Parameter::MaxOrderQuantity as usize]);
    }

    fn read_quotes(&mut self, at: usize) {
        let (cold, instrument) = (&mut self.cold[at], &mut self.instruments[at]);
        let mut quotes = QuotesRecord::default();
        let spot = self.routes[at].quotes;
        let is_read = self.quotes.read_at(spot, &mut quotes) == ReadOutcome::Fresh;
        if !is_read || quotes.instrument_id != cold.instrument_id {
            self.counters.torn += u64::from(spot != Spot::NONE);
            (cold.quotes, instrument.quotes_seq) = (None, 1);
            return;
        }
        (instrument.quotes_seq, instrument.quotes_channel) = (quotes.seq, quotes.channel);
        cold.quotes = Some(quotes);
        if crate::bounds::has_reference(&quotes) {
            cold.good_quotes = Some(quotes);
        }
    }

    fn derive_bounds(&mut self, at: usize) {
        let (cold, instrument) = (&self.cold[at], &mut self.instruments[at]);
        let statics = cold.envelope.map_or([0; _], |e| e.statics);
        instrument.set_bounds(Bounds::derive(cold.quotes.as_ref(), cold.good_quotes.as_ref(), &cold.in_force, &statics, instrument.tick_size));
    }

    /// Reads every account, strategy and the firm again. Cold: only when the generation word moved.
    #[cold]
    #[inline(never)]
    pub(crate) fn read_all_ledgers(&mut self) {
        let generation = self.controls.generation();
        let share = self.shares();
        let mut is_whole = true;
        for ledger in self.accounts.iter_mut() {
            is_whole &= read_ledger(&self.controls, ledger, Level::Account, share(Level::Account));
        }
        for ledger in &mut self.strategies[1..] {
            is_whole &= read_ledger(&self.controls, ledger, Level::Strategy, PPM);
        }
        is_whole &= read_ledger(&self.controls, &mut self.firm, Level::Firm, share(Level::Firm));
        is_whole &= self.read_annex();
        is_whole &= self.read_parties(&share);
        self.beyond = if self.extended.is_on || self.scoring.is_some() { u64::MAX } else { 0 };
        // What stops this gateway stops whatever it would send: its own row's words count as the firm's.
        if let Some(slot) = self.controls.row(Level::Gateway, u32::from(self.files.gateway_id)) {
            self.firm.flags |= words_flags(self.controls.state(slot));
        }
        // A row that could not be read is read again at the next order.
        self.firm.generation = if is_whole { generation } else { 0 };
    }

    /// This gateway's share of each level's limits; everything when there is no gateway row at all.
    fn shares(&self) -> impl Fn(Level) -> u32 + use<> {
        let mut row = ControlsRecord::default();
        let shares = match self.controls.row(Level::Gateway, u32::from(self.files.gateway_id)) {
            Some(slot) if self.controls.read(slot, &mut row) == ReadOutcome::Fresh && ControlsTable::is_intact(&row) => {
                row.shares_ppm.map(|s| s.min(PPM))
            }
            Some(_) => [0; 8],
            None => [PPM; 8],
        };
        move |level| shares[level as usize]
    }
}

fn instrument_is_ramping(flags: u32) -> bool {
    flags & flag::RAMPING != 0
}

fn words_flags(words: StateWords) -> u32 {
    (if words.kill != 0 { flag::KILLED } else { 0 }) | (if words.reduce_only != 0 { flag::REDUCE_ONLY } else { 0 })
}

/// True where only the living variables moved: same version, epoch, tier and flags.
fn is_refreshed_score(before: &LimitsRecord, now: &LimitsRecord) -> bool {
    (before.version, before.epoch, before.tier, before.flags, before.trip_id) == (now.version, now.epoch, now.tier, now.flags, now.trip_id)
        && has_model(now)
}

/// True for the control arm: marked as such by its writer, static limits, tier NORMAL, never a model behind this instrument.
fn is_control_arm(cold: &Cold) -> bool {
    let is_static = cold.envelope.zip(cold.numbers).is_some_and(|(e, numbers)| numbers == e.statics);
    !cold.has_scored && is_static && cold.record.flags == flags::STATIC && cold.record.tier == 0 && cold.record.score.is_nan()
}

fn hot_limits(instrument: &mut crate::state::Instrument, values: &Values, static_max_order_quantity: i64) {
    let get = |p: Parameter| values[p as usize];
    instrument.max_order_quantity = get(Parameter::MaxOrderQuantity);
    instrument.max_order_notional = get(Parameter::MaxOrderNotional);
    instrument.position_max_long = get(Parameter::PositionMaxLong);
    instrument.position_max_short = get(Parameter::PositionMaxShort);
    instrument.interval_new = interval(get(Parameter::RateNewPerS));
    instrument.interval_replace = interval(get(Parameter::RateReplacePerS));
    instrument.static_max_order_quantity = static_max_order_quantity;
}

/// A level's static numbers; a row that lacks one of them allows nothing (control 9).
pub(crate) fn read_ledger(controls: &ControlsTable, ledger: &mut Ledger, level: Level, share_ppm: u32) -> bool {
    let mut row = ControlsRecord::default();
    let slot = (ledger.controls_slot as usize).checked_sub(1);
    let is_read = slot.is_some_and(|slot| controls.read(slot, &mut row) == ReadOutcome::Fresh && ControlsTable::is_intact(&row));
    let words = slot.map(|slot| controls.state(slot)).unwrap_or_default();
    let is_whole = level.parameters().iter().all(|&p| row.static_limits.get(p).is_some_and(|value| value >= 0));
    let shared = |value: i64| if value == UNLIMITED { value } else { (i128::from(value) * i128::from(share_ppm) / i128::from(PPM)) as i64 };
    let get = |p: Parameter| row.static_limits.get(p).unwrap_or(0);
    ledger.flags = words_flags(words);
    ledger.flags |= if is_read && row.flags & row_flags::ENABLED != 0 { flag::ENABLED } else { 0 };
    ledger.flags |= if is_read && is_whole { 0 } else { flag::NO_STATIC };
    ledger.max_order_quantity = get(Parameter::MaxOrderQuantity);
    ledger.max_order_notional = get(Parameter::MaxOrderNotional);
    ledger.position_max_long = shared(get(Parameter::PositionMaxLong));
    ledger.position_max_short = shared(get(Parameter::PositionMaxShort));
    let rate = |p: Parameter| if get(p) >= i64::from(UNLIMITED_U32) { get(p) } else { shared(get(p)) };
    ledger.interval_new = interval(rate(Parameter::RateNewPerS));
    ledger.interval_replace = interval(rate(Parameter::RateReplacePerS));
    let is_bounded = row.open_orders_limit != u32::MAX;
    ledger.open_orders_limit = if is_bounded { shared(i64::from(row.open_orders_limit)) } else { UNLIMITED };
    is_read
}

/// The ledger of strategies without a row, where no strategy has one: no number of its own, account and firm bind it.
pub(crate) fn open_ledger() -> Ledger {
    Ledger {
        flags: flag::ENABLED,
        max_order_quantity: UNLIMITED,
        max_order_notional: UNLIMITED,
        position_max_long: UNLIMITED,
        position_max_short: UNLIMITED,
        open_orders_limit: UNLIMITED,
        ..Ledger::default()
    }
}
