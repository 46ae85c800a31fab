// SPDX-License-Identifier: Apache-2.0
//! Flagged orders wait at the edge as they came (`controls` 4.6): the client hears PendingNew, then what a named person or the
//! clock made of it. Who decides reaches the loop over a channel, looked at between messages.
use super::answers::{Said, Subject};
use super::{Edge, GATE_SESSION, VENUE};
use crate::header::Header;
use crate::ids::Text;
use crate::number::put_scaled;
use crate::order_fields::OrderFields;
use crate::session::{Now, Session};
use pretrade_gate::Approved;
use pretrade_gate::holds::{HoldOutcome, Reviewed};
use pretrade_gate::text;
use pretrade_records::{Decision, Order, ReasonCode};
use std::sync::mpsc::{Receiver, Sender, channel};

/// An order that waits, as the client sent it.
#[derive(Clone, Debug)]
pub(super) struct HeldMessage {
    owner: usize,
    bytes: Vec<u8>,
    text: Text,
}

/// What is asked of the loop.
#[derive(Debug)]
pub enum Ask {
    /// Which orders wait.
    Holds,
    /// Release one, with a lower quantity where one is given.
    Release(u64, u32, Option<i64>, Reviewed),
    /// Refuse one.
    Refuse(u64, u32, Option<Reviewed>),
}

/// What the loop answers.
#[derive(Debug)]
pub enum Answer {
    /// Order, decision, monotonic ns since when, and whether a release needs a second person.
    Holds(Vec<(Order, Decision, i64, bool)>),
    /// What became of an action.
    Outcome(HoldOutcome),
}

/// A place from which another thread asks the loop; every question is answered at the loop's next look.
#[derive(Clone, Debug)]
pub struct Desk(Sender<(Ask, Sender<Answer>)>);

/// The loop's end of the desk.
pub(super) type Asked = Receiver<(Ask, Sender<Answer>)>;

impl Desk {
    pub(super) fn open() -> (Desk, Asked) {
        let (ask, asked) = channel();
        (Desk(ask), asked)
    }

    /// Asks and waits for the answer; `None` once the loop has ended.
    #[must_use]
    pub fn ask(&self, what: Ask) -> Option<Answer> {
        let (answer, answered) = channel();
        self.0.send((what, answer)).ok()?;
        answered.recv().ok()
    }
}

impl Edge {
    /// The gate holds the order: it is kept as it came, and its client told that it waits.
    #[allow(clippy::too_many_arguments, reason = "a message and all that is known of it")]
    pub(super) fn hold(&mut self, at: usize, to: &mut Session, bytes: &[u8], fields: &OrderFields, order: &Order, text: Text, now: Now) {
        self.held.insert(order.client_order_id, HeldMessage { owner: at, bytes: bytes.to_vec(), text });
        let words = format!("HOLD:{}", text::text(&self.decision));
        self.waits(to, bytes, fields, (b'A', b'A'), &words, now);
    }

    /// What became of an order that waits: ExecType and OrdStatus.
    fn waits(&mut self, to: &mut Session, bytes: &[u8], fields: &OrderFields, (exec_type, status): (u8, u8), words: &str, now: Now) {
        self.report(to, &Subject::of(bytes, fields), &Said { exec_type, status, reason: None, words, posture: None }, now);
    }

    /// True where that order waits and is this client's.
    pub(super) fn is_held_by(&self, id: u64, at: usize) -> bool {
        self.held.get(&id).is_some_and(|held| held.owner == at)
    }

    /// A client cancels an order that waits: it was never sent, and is gone. `false` where no such order waits.
    pub(super) fn cancel_held(&mut self, at: usize, to: &mut Session, bytes: &[u8], fields: &OrderFields, original: u64, now: Now) -> bool {
        if !self.is_held_by(original, at) {
            return false;
        }
        self.held.remove(&original);
        self.waits(to, bytes, fields, (b'4', b'4'), "GATEWAY:CANCELLED_WHILE_HELD", now);
        true
    }

    /// Answers what other threads asked since the last look, and tells clients of waits that ended by themselves.
    pub(super) fn tend_holds(&mut self, sessions: &mut [Session], now: Now) {
        while let Ok((ask, answer)) = self.asked.try_recv() {
            let said = match ask {
                Ask::Holds => {
                    let row = |h: &pretrade_gate::holds::Held| (h.order, h.decision, h.mono, self.gate.needs_second(h, h.order.quantity));
                    Answer::Holds(self.gate.holds().iter().map(row).collect())
                }
                Ask::Release(id, session, quantity, by) => {
                    let outcome = self.gate.release_hold(id, session, quantity, by, now.mono, now.utc);
                    Answer::Outcome(self.conclude_hold(sessions, id, outcome, now))
                }
                Ask::Refuse(id, session, by) => {
                    let reason = if by.is_some() { ReasonCode::HoldRefused } else { ReasonCode::ClientDisconnected };
                    let outcome = self.gate.refuse_hold(id, session, reason, by, now.mono, now.utc);
                    Answer::Outcome(self.conclude_hold(sessions, id, outcome, now))
                }
            };
            // Whoever asked may have gone; what was decided stands all the same.
            drop(answer.send(said));
        }
        for decision in self.gate.take_resolved() {
            self.conclude_hold(sessions, decision.client_order_id, HoldOutcome::Decided(decision, None), now);
        }
    }

    /// A lost client's held orders are refused at once.
    pub(super) fn refuse_held_of(&mut self, at: usize, sessions: &mut [Session], now: Now) {
        let ids: Vec<u64> = self.held.iter().filter(|(_, held)| held.owner == at).map(|(id, _)| *id).collect();
        for id in ids {
            let outcome = self.gate.refuse_hold(id, GATE_SESSION, ReasonCode::ClientDisconnected, None, now.mono, now.utc);
            self.conclude_hold(sessions, id, outcome, now);
        }
    }

    /// Orders that waited when the gateway died were never sent, and what their clients wrote died with it: refused.
    pub(super) fn refuse_held_of_an_earlier_life(&mut self, now: Now) {
        let waiting: Vec<u64> = self.gate.holds().iter().map(|held| held.order.client_order_id).collect();
        for id in &waiting {
            self.gate.refuse_hold(*id, GATE_SESSION, ReasonCode::ClientDisconnected, None, now.mono, now.utc);
            self.unsent.insert(*id);
        }
        if !waiting.is_empty() {
            (self.say)(&format!("{} held orders of an earlier life are refused: they were never sent", waiting.len()));
        }
    }

    /// Sends what a release let pass, tells the client of a refusal; an outcome that ends no wait changes nothing here.
    fn conclude_hold(&mut self, sessions: &mut [Session], id: u64, outcome: HoldOutcome, now: Now) -> HoldOutcome {
        let HoldOutcome::Decided(decision, approved) = &outcome else { return outcome };
        let Some(held) = self.held.remove(&id) else { return outcome };
        let Ok(header) = Header::read(&held.bytes) else { return outcome };
        let Ok(fields) = OrderFields::read(&held.bytes, &header, self.settings.alert_tag) else { return outcome };
        self.decision = *decision;
        let kind = header.msg_type.of_bytes(&held.bytes).first().copied().unwrap_or(b'D');
        match approved {
            Some(approved) if sessions[VENUE].is_logged_on() => self.release(sessions, &held, &header, &fields, approved, now),
            Some(approved) => {
                let order = *approved.order();
                self.take_back(&order, now);
                self.reject_order(&mut sessions[held.owner], &held.bytes, &fields, 99, "GATEWAY:VENUE_NOT_LOGGED_ON", None, now);
            }
            None => {
                let original = self.decision_original(&held.bytes, &fields, kind);
                self.answer_refused(&mut sessions[held.owner], &held.bytes, kind, &fields, original, now);
            }
        }
        outcome
    }

    /// Approved and not sent: its exposure ends.
    fn take_back(&mut self, order: &Order, now: Now) {
        let gone = pretrade_gate::VenueMessage {
            client_order_id: order.client_order_id,
            session_id: GATE_SESSION,
            kind: pretrade_gate::VenueKind::Rejected as u8,
            ts_event: now.utc,
            ..Default::default()
        };
        self.tell_gate(&gone, now);
    }

    fn decision_original(&self, bytes: &[u8], fields: &OrderFields, kind: u8) -> u64 {
        if kind == b'D' { 0 } else { crate::ids::order_id(fields.original_client_order_id.of_bytes(bytes)) }
    }

    #[allow(clippy::too_many_arguments, reason = "a message and all that is known of it")]
    fn release(&mut self, sessions: &mut [Session], held: &HeldMessage, header: &Header, fields: &OrderFields, approved: &Approved<Order>, now: Now) {
        let order = *approved.order();
        let places = self.symbols.get(fields.symbol.of_bytes(&held.bytes)).map_or(0, |at| self.settings.instruments[*at].quantity_places);
        let mut quantity = Vec::new();
        put_scaled(&mut quantity, order.quantity, places);
        let sent = crate::number::scaled(fields.quantity.of_bytes(&held.bytes), places);
        if sent == Some(order.quantity) {
            return self.pass_on(held.owner, sessions, &held.bytes, header, fields, approved, held.text, now);
        }
        // A reviewer lowered the quantity: the client hears so before the venue's answer, and the venue sees the lower one.
        let body = with_quantity(&held.bytes, header, fields, &quantity);
        let Ok(header) = Header::read(&body) else { return };
        let Ok(fields) = OrderFields::read(&body, &header, self.settings.alert_tag) else { return };
        self.waits(&mut sessions[held.owner], &body, &fields, (b'5', b'A'), "HOLD:AMENDED the reviewer lowered the quantity", now);
        self.pass_on(held.owner, sessions, &body, &header, &fields, approved, held.text, now);
    }
}

/// The message with another OrderQty; length and checksum are those of the old one, since it is never sent as it stands.
fn with_quantity(bytes: &[u8], header: &Header, fields: &OrderFields, quantity: &[u8]) -> Vec<u8> {
    let (start, end) = (fields.quantity.start as usize, (fields.quantity.start + fields.quantity.length) as usize);
    let mut out = bytes[..start].to_vec();
    out.extend_from_slice(quantity);
    out.extend_from_slice(&bytes[end..header.end]);
    out.extend_from_slice(&bytes[header.end..]);
    out
}
