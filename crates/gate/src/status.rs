// SPDX-License-Identifier: Apache-2.0
//! What the gate shows of itself in its `gate` table, and what it does between orders.
use crate::breach::Breach;
use crate::gate::{Gate, GateError};
use crate::state::flag;
use pretrade_records::units::ANY_STRATEGY;
use pretrade_shm::gate::{GateWord, LEVEL_KEY};
use pretrade_shm::{Access, GateRecord, LimitsTable, QuotesTable};

impl Gate {
    /// Looks at every instrument between orders: stages move, trips latch, ramps run, replaced `limits` and `quotes` are
    /// opened again, the status is published. A replaced `controls` table is stage 3 until the gate is opened anew: nobody
    /// can say what was decided in between. Call it a few times a second.
    ///
    /// # Errors
    /// When there is no memory for more client order ids.
    pub fn poll(&mut self, now_mono: i64, now_utc: i64) -> Result<(), GateError> {
        self.reserve()?;
        if self.is_poisoned {
            return Ok(());
        }
        self.is_controls_lost |= self.controls.is_detached();
        self.reopen_replaced();
        for at in 0..self.cold.len() {
            self.refresh(at, now_mono, now_utc);
            self.publish_instrument(at, now_mono);
        }
        self.read_all_ledgers();
        self.watch_holds(now_mono, now_utc);
        if self.extended.is_on {
            self.poll_extended(now_mono, now_utc);
        }
        self.publish_status(now_mono);
        Ok(())
    }

    /// A table whose file was replaced is mapped again; while that fails the old one ages into stage 1.
    fn reopen_replaced(&mut self) {
        let domain = self.files.clock_domain;
        if self.limits.is_detached()
            && let Ok(limits) = LimitsTable::open(&self.files.limits, &domain, Access::Read)
        {
            self.limits = limits;
            for ((cold, i), route) in self.cold.iter_mut().zip(self.instruments.iter_mut()).zip(self.routes.iter_mut()) {
                route.limits = self.limits.spot(self.limits.slot(cold.instrument_id, ANY_STRATEGY));
                (i.limits_seq, cold.is_valid, cold.numbers) = (1, false, None);
            }
        }
        if self.quotes.is_detached()
            && let Ok(quotes) = QuotesTable::open(&self.files.quotes, &domain, Access::Read)
        {
            self.quotes = quotes;
            for ((cold, i), route) in self.cold.iter().zip(self.instruments.iter_mut()).zip(self.routes.iter_mut()) {
                (route.quotes, i.quotes_seq) = (self.quotes.spot(self.quotes.slot(cold.instrument_id, 0)), 1);
            }
        }
    }

    pub(crate) fn publish_instrument(&mut self, at: usize, now_mono: i64) {
        let (cold, i) = (&self.cold[at], &self.instruments[at]);
        let record = GateRecord {
            instrument_id: cold.instrument_id,
            stage: i.stage,
            tier: i.tier,
            flags: (i.flags & 0xff) as u8,
            open_orders: i.open_orders,
            limit_version: i.version,
            limit_epoch: i.epoch,
            trip_sidecar: cold.trip_sidecar,
            trip_gateway: cold.trip_gateway,
            trip_human: cold.trip_human,
            mono_stage: cold.stage.mono_entered,
            position: i.position,
            working_buy: i.working_buy,
            working_sell: i.working_sell,
            journal_sequence: self.journal.as_ref().map_or(0, |j| j.head()),
            ..Default::default()
        };
        let is_published = self.table.slot(cold.instrument_id, ANY_STRATEGY).is_some_and(|slot| self.table.publish(slot, &record).is_ok());
        self.counters.unrecorded += u64::from(!is_published);
        let _ = self.table.set_word(GateWord::MonoDecision, now_mono.cast_unsigned());
    }

    /// What stops a level, where something may: viewers see it, and a resume names it.
    pub(crate) fn publish_level(&mut self, place: usize) {
        let party = &self.extended.parties[place];
        let record = GateRecord {
            instrument_id: party.id,
            strategy_id: LEVEL_KEY + party.level as u32,
            stage: if party.latch.id == 0 { 0 } else { party.latch.control },
            trip_gateway: party.latch.id,
            ..Default::default()
        };
        let slot = self.table.slot(record.instrument_id, record.strategy_id);
        let is_published = slot.is_none_or(|slot| self.table.publish(slot, &record).is_ok());
        self.counters.unrecorded += u64::from(!is_published);
    }

    pub(crate) fn publish_status(&mut self, now_mono: i64) {
        let strictest = self.instruments.iter().take(self.cold.len()).map(|i| u64::from(i.stage)).max().unwrap_or(0);
        let stage = if self.has_controls() { strictest } else { 3 };
        let journal = self.journal.as_mut().map_or((0, 0, 0), |j| (j.head(), j.durable(), u64::from(j.fill_ppm())));
        let c = self.counters;
        for (word, value) in [
            (GateWord::JournalHead, journal.0),
            (GateWord::JournalDurable, journal.1),
            (GateWord::RingFillPpm, journal.2),
            (GateWord::Accepted, c.accepted),
            (GateWord::Held, c.held),
            (GateWord::Rejected, c.rejected),
            (GateWord::Generation, self.firm.generation),
            (GateWord::KillWord, self.controls.kill_word()),
            (GateWord::Stage, stage),
            (GateWord::MonoDecision, now_mono.cast_unsigned()),
            (GateWord::Poisoned, u64::from(self.is_poisoned)),
            (GateWord::TornReads, c.torn),
            (GateWord::StageChanges, c.stage_changes),
        ] {
            // The table is ours and writable; a dead mapping costs the status, never a decision.
            let _ = self.table.set_word(word, value);
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn count_refusal(&mut self, breach: &Breach, is_hold: bool) {
        let _ = self.table.count_reason(breach.reason as u8);
        if is_hold {
            let _ = self.table.count_hold(breach.reason as u8);
        }
    }

    /// Trip latched for an instrument as (sidecar, human), 0 where none.
    #[must_use]
    pub fn trips(&self, instrument_id: u32) -> Option<(u64, u64)> {
        let cold = &self.cold[self.instrument_index.get(instrument_id)?];
        Some((cold.trip_sidecar, cold.trip_human))
    }

    /// False in stage 3.
    pub(crate) fn has_controls(&self) -> bool {
        self.controls.generation() != 0 && !self.is_controls_lost
    }

    /// Stage in force for an instrument.
    #[must_use]
    pub fn stage(&self, instrument_id: u32) -> Option<u8> {
        if !self.has_controls() {
            return Some(3);
        }
        Some(self.instruments[self.instrument_index.get(instrument_id)?].stage)
    }

    /// True where the breaker of an instrument is latched.
    #[must_use]
    pub fn is_tripped(&self, instrument_id: u32) -> bool {
        self.instrument_index.get(instrument_id).is_some_and(|at| self.instruments[at].flags & flag::TRIPPED != 0)
    }

    /// Limits in force for an instrument by parameter code, after clamp, fallback and ramp.
    #[must_use]
    pub fn limits_in_force(&self, instrument_id: u32) -> Option<crate::merge::Values> {
        Some(self.cold[self.instrument_index.get(instrument_id)?].in_force)
    }

    /// Fill of the journal's ring in ppm; 0 where there is none.
    #[must_use]
    pub fn journal_fill_ppm(&mut self) -> u32 {
        self.journal.as_mut().map_or(0, |j| j.fill_ppm())
    }

    /// Waits until the journal is durable; `false` when it cannot be, or there is none.
    #[must_use]
    pub fn flush(&self) -> bool {
        self.journal.as_ref().is_some_and(pretrade_journal::GateJournal::flush)
    }
}
