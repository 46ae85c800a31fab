// SPDX-License-Identifier: Apache-2.0
//! Orders, limit records and quotes of a stretch of time through a real gate over real tables, on a simulated clock.
use crate::gate::{Gate, GateError, GateFiles};
use crate::options::GateOptions;
use crate::setup::Tables;
use crate::venue::{VenueKind, VenueMessage};
use pretrade_records::units::ANY_STRATEGY;
use pretrade_records::{Action, Decision, LimitsRecord, Order, QuotesRecord, TimeInForce, Verdict};
use pretrade_shm::ControlsRecord;

/// What is put to the gate; each slice in time order (`ts_event`, `ts_published`, `ts_recv`).
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a> {
    /// `controls` rows.
    pub rows: &'a [ControlsRecord],
    /// Orders, decided at their `ts_event`.
    pub orders: &'a [Order],
    /// Limit records, applied at `ts_published`.
    pub limits: &'a [LimitsRecord],
    /// Quotes, applied at `ts_recv`; each is a heartbeat of both tables.
    pub quotes: &'a [QuotesRecord],
}

/// Runs a replay in fresh tables; one decision per order, in their order.
///
/// No venue answers: an accepted order that may not rest is taken as done unfilled, any other keeps working.
///
/// # Errors
/// When the tables cannot be made, or a record belongs to no instrument row.
pub fn replay(inputs: &Replay<'_>, files: GateFiles, options: GateOptions) -> Result<Vec<Decision>, GateError> {
    let epoch = inputs.limits.first().map_or(1, |r| r.epoch);
    let tables = Tables::create(&files, inputs.rows, epoch)?;
    let gate = Gate::open(files, options)?;
    let mut run = Run { tables, gate, limits: inputs.limits, quotes: inputs.quotes };
    let mut decisions = Vec::with_capacity(inputs.orders.len());
    for order in inputs.orders {
        run.advance(order.ts_event)?;
        decisions.push(run.decide(order)?);
    }
    if run.gate.journal.is_some() && !run.gate.flush() {
        return Err(GateError::Refused("the gate journal stopped before it was durable".to_owned()));
    }
    Ok(decisions)
}

struct Run<'a> {
    tables: Tables,
    gate: Gate,
    limits: &'a [LimitsRecord],
    quotes: &'a [QuotesRecord],
}

impl Run<'_> {
    /// Applies everything up to and at `now`; of the same instant quotes come first.
    fn advance(&mut self, now: i64) -> Result<(), GateError> {
        loop {
            let quotes = self.quotes.first().map(|q| q.ts_recv).filter(|ts| *ts <= now);
            let limits = self.limits.first().map(|r| r.ts_published).filter(|ts| *ts <= now);
            match (quotes, limits) {
                (None, None) => return Ok(()),
                (Some(ts), other) if other.is_none_or(|other| ts <= other) => self.apply_quotes(ts)?,
                (_, Some(ts)) => self.apply_limits(ts)?,
                (Some(_), None) => return Ok(()),
            }
        }
    }

    fn apply_quotes(&mut self, ts: i64) -> Result<(), GateError> {
        let Some((quotes, rest)) = self.quotes.split_first() else { return Ok(()) };
        self.quotes = rest;
        let slot = self.tables.quotes.slot(quotes.instrument_id, 0).ok_or_else(|| no_row("quotes", quotes.instrument_id))?;
        self.tables.quotes.publish(slot, quotes)?;
        self.tables.quotes.heartbeat(quotes.channel, ts, ts)?;
        // The row behind these quotes was scored at the same instant: the limits channel beats too.
        self.tables.limits.heartbeat(quotes.channel, ts, ts)?;
        self.gate.poll(ts, ts)
    }

    fn apply_limits(&mut self, ts: i64) -> Result<(), GateError> {
        let Some((record, rest)) = self.limits.split_first() else { return Ok(()) };
        self.limits = rest;
        let slot = self.tables.limits.slot(record.instrument_id, ANY_STRATEGY).ok_or_else(|| no_row("limit", record.instrument_id))?;
        self.tables.limits.publish(slot, record)?;
        self.tables.limits.heartbeat(record.channel, ts, ts)?;
        self.gate.poll(ts, ts)
    }

    fn decide(&mut self, order: &Order) -> Result<Decision, GateError> {
        let now = order.ts_event;
        self.gate.reserve()?;
        let decision = self.gate.decide(order, now, now);
        let rests = order.time_in_force == TimeInForce::Day as u8 || order.time_in_force == TimeInForce::GoodTillCancel as u8;
        if decision.verdict == Verdict::Accept as u8 && (order.action == Action::Cancel as u8 || !rests) {
            let id = if order.action == Action::Cancel as u8 { order.original_client_order_id } else { order.client_order_id };
            let done = VenueMessage {
                client_order_id: id,
                session_id: order.session_id,
                kind: VenueKind::Cancelled as u8,
                ts_event: now,
                ..Default::default()
            };
            self.gate.on_venue(&done, now, now);
        }
        Ok(decision)
    }
}

fn no_row(what: &str, instrument_id: u32) -> GateError {
    GateError::Refused(format!("a {what} record is of instrument {instrument_id}, which the configuration does not know"))
}
