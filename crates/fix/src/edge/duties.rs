// SPDX-License-Identifier: Apache-2.0
//! What the edge does between messages: look at the tables, tell phases and alerts, cancel what a lost client left.
use super::answers::{alert_of, write_alert};
use super::{Edge, VENUE};
use crate::field::SOH;
use crate::server::ServerError;
use crate::session::{Body, Now, Session};
use pretrade_gate::look::Posture;
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Phase, QuotesRecord};

const POLL_NS: i64 = 100_000_000;
/// Time until the cancel of an order that a lost client left is tried again.
const CANCEL_AGAIN_NS: i64 = 1_000_000_000;

impl Edge {
    pub(super) fn duties(&mut self, sessions: &mut [Session], now: Now) -> Result<(), ServerError> {
        if now.mono - self.polled >= POLL_NS {
            self.polled = now.mono;
            self.tell_phases(now)?;
            self.gate.poll(now.mono, now.utc).map_err(|e| ServerError(e.to_string()))?;
            self.tell_alerts(sessions, now);
            if self.keeper.has_failed() {
                return Err(ServerError(
                    "the FIX stores cannot be copied to disk any more; nothing may be sent that would not be durable".to_owned(),
                ));
            }
        }
        self.tend_holds(sessions, now);
        self.cancel_for_the_lost(sessions, now);
        self.refresh_dead_man(sessions, now);
        Ok(())
    }

    /// Control 39: the venue's countdown is set anew while this loop runs; should it stop, the venue cancels.
    fn refresh_dead_man(&mut self, sessions: &mut [Session], now: Now) {
        let Some(dead_man) = &self.settings.dead_man else { return };
        if !sessions[VENUE].is_logged_on() || now.mono - self.dead_man_told < (dead_man.every_s * 1e9) as i64 {
            return;
        }
        self.dead_man_told = now.mono;
        sessions[VENUE].send(dead_man.msg_type.as_bytes(), now, |out| out.extend(dead_man.fields.bytes().map(|c| if c == b'|' { SOH } else { c })));
    }

    /// Writes the phases of the calendar into `quotes`, without any price: what needs one is refused (control 11).
    pub(super) fn tell_phases(&mut self, now: Now) -> Result<(), ServerError> {
        let Some(quotes) = &mut self.quotes else { return Ok(()) };
        for (instrument, told) in self.settings.instruments.iter().zip(&mut self.phases_told) {
            let begun = instrument.phases.partition_point(|(since, _)| *since <= now.utc);
            // Beyond the end of the calendar nothing is known, and nothing passes.
            let is_known = begun > 0 && begun < instrument.phases.len();
            let phase = if is_known { instrument.phases[begun - 1].1 } else { Phase::Unknown as u8 };
            if *told == Some(phase) {
                continue;
            }
            let slot = quotes.slot(instrument.instrument_id, 0);
            let slot = slot.ok_or_else(|| ServerError(format!("the quotes table has no record of instrument {}", instrument.instrument_id)))?;
            quotes.publish(slot, &without_prices(instrument.instrument_id, phase)).map_err(|e| ServerError(e.to_string()))?;
            *told = Some(phase);
        }
        Ok(())
    }

    /// A News (35=B) to the clients that asked for alerts where an instrument's posture changed.
    fn tell_alerts(&mut self, sessions: &mut [Session], now: Now) {
        for at in 0..self.settings.instruments.len() {
            let instrument = &self.settings.instruments[at];
            let Some(posture) = self.gate.posture(instrument.instrument_id) else { continue };
            let before = self.postures[at].replace(posture);
            let is_same = |old: Posture| (old.tier, old.is_tripped) == (posture.tier, posture.is_tripped);
            if before.is_none_or(is_same) {
                continue;
            }
            let alert = alert_of(&posture);
            for (client, ems) in self.ems.iter().enumerate().filter(|(_, ems)| ems.has_alerts) {
                debug_assert!(ems.has_alerts);
                sessions[client + 1].send(b"B", now, |out| {
                    let mut body = Body::new(out);
                    body.put(33, b"1");
                    body.put(58, format!("{alert} {}", instrument.symbol).as_bytes());
                    body.put(146, b"1");
                    body.put(55, instrument.symbol.as_bytes());
                    body.put(148, alert.as_bytes());
                    write_alert(body, self.settings.alert_tag, &posture);
                });
            }
        }
    }

    /// Control 38: a client whose session is lost for longer than its grace time has its orders cancelled.
    fn cancel_for_the_lost(&mut self, sessions: &mut [Session], now: Now) {
        if self.ems.iter().all(|ems| ems.lost_at.is_none()) || !sessions[VENUE].is_logged_on() {
            return;
        }
        let is_due = |owner: u16| {
            let ems = &self.ems[usize::from(owner) - 1];
            ems.cancel_after_ns.zip(ems.lost_at).is_some_and(|(grace, lost)| now.mono - lost >= grace)
        };
        let due = self.book.iter().filter(|(_, e)| is_due(e.owner) && !e.is_cancelling && e.cancel_due <= now.mono);
        let ids: Vec<u64> = due.map(|(id, _)| *id).collect();
        for id in &ids {
            if let Some(entry) = self.book.get_mut(id) {
                entry.cancel_due = now.mono + CANCEL_AGAIN_NS;
            }
            self.cancel(sessions, *id, now);
        }
        if !ids.is_empty() {
            (self.say)(&format!("CLIENT_DISCONNECTED: {} orders of a lost client are being cancelled", ids.len()));
        }
    }
}

fn without_prices(instrument_id: u32, phase: u8) -> QuotesRecord {
    let unknown = UNDEFINED_PRICE;
    QuotesRecord {
        instrument_id,
        phase,
        bid_price: unknown,
        ask_price: unknown,
        last_price: unknown,
        slow_reference: unknown,
        mid_10s: unknown,
        mid_5m: unknown,
        nbbo_bid: unknown,
        nbbo_ask: unknown,
        velocity_low: unknown,
        velocity_high: unknown,
        rv_1m: f32::NAN,
        ..Default::default()
    }
}
