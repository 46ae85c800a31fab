// SPDX-License-Identifier: Apache-2.0
//! What an EMS sends: orders, replaces and cancels through the gate, everything else that bears no risk passed on.
use super::{Edge, GATE_SESSION, VENUE};
use crate::book::Entry;
use crate::header::Header;
use crate::ids::{Text, order_id};
use crate::number::scaled;
use crate::order_fields::{Cuts, OrderFields};
use crate::refusal::{Reason, Refusal};
use crate::session::{Now, Session};
use pretrade_gate::Approved;
use pretrade_gate::orders::state;
use pretrade_records::order::{EXIT_TICKET, LOCATED, POST_ONLY};
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Action, Order, OrderType, ReasonCode, Side, TimeInForce, Verdict};

const PRICE_PLACES: u32 = 9;
/// BusinessRejectReason (380): unsupported message type.
pub(super) const UNSUPPORTED_TYPE: u32 = 3;
/// BusinessRejectReason (380): application not available.
pub(super) const NOT_AVAILABLE: u32 = 4;
/// BusinessRejectReason (380): conditionally required field missing.
const CONDITIONAL_MISSING: u32 = 5;
/// No account, instrument or order has this id.
const NOBODY: u32 = u32::MAX;

/// Message types that put risk on the market in a form no check reads: lists, legs, crosses, quotes.
fn bears_unread_risk(msg_type: &[u8]) -> bool {
    matches!(msg_type, b"E" | b"L" | b"AB" | b"AC" | b"s" | b"t" | b"S" | b"i" | b"AJ")
}

impl Edge {
    pub(super) fn hear_ems(&mut self, at: usize, sessions: &mut [Session], bytes: &[u8], header: &Header, now: Now) {
        let msg_type = header.msg_type.of_bytes(bytes);
        match msg_type {
            b"D" | b"F" | b"G" => self.order_message(at, sessions, bytes, header, now),
            b"q" => self.mass_cancel(at, sessions, bytes, header, now),
            b"3" | b"j" => (self.say)(&format!("a client refuses a message of ours: {}", printable(bytes))),
            _ if bears_unread_risk(msg_type) => {
                sessions[at].business_reject(bytes, header, UNSUPPORTED_TYPE, b"Unsupported Message Type", now);
            }
            _ if !sessions[VENUE].is_logged_on() => {
                sessions[at].business_reject(bytes, header, NOT_AVAILABLE, b"GATEWAY:VENUE_NOT_LOGGED_ON", now);
            }
            _ => match Cuts::of(bytes, header, self.settings.alert_tag) {
                Ok(cuts) => {
                    sessions[VENUE].send(msg_type, now, |out| cuts.copy(bytes, header.body, header.end, out));
                }
                Err(refusal) => sessions[at].reject(bytes, header, &refusal, now),
            },
        }
    }

    fn order_message(&mut self, at: usize, sessions: &mut [Session], bytes: &[u8], header: &Header, now: Now) {
        let kind = header.msg_type.of_bytes(bytes)[0];
        let fields = match OrderFields::read(bytes, header, self.settings.alert_tag) {
            Ok(fields) => fields,
            Err(refusal) => return sessions[at].reject(bytes, header, &refusal, now),
        };
        if let Some(tag) = fields.missing(kind) {
            return sessions[at].reject(bytes, header, &Refusal::of(Reason::RequiredTagMissing, tag), now);
        }
        let text = fields.client_order_id.of_bytes(bytes);
        let Some(kept) = Text::new(text) else {
            return sessions[at].reject(bytes, header, &Refusal::of(Reason::ValueOutOfRange, 11), now);
        };
        let id = order_id(text);
        if (header.is_poss_dup || header.is_poss_resend) && self.gate.is_decided(id, GATE_SESSION) {
            // Acted on before; only one that is known never to have left is answered.
            if self.unsent.remove(&id) {
                self.answer_unsent(&mut sessions[at], bytes, kind, &fields, now);
            }
            return;
        }
        if !sessions[VENUE].is_logged_on() {
            return sessions[at].business_reject(bytes, header, NOT_AVAILABLE, b"GATEWAY:VENUE_NOT_LOGGED_ON", now);
        }
        let needs_price = kind != b'F' && fields.order_type.of_bytes(bytes) == b"2";
        if (kind != b'F' && !fields.quantity.is_some()) || (needs_price && !fields.price.is_some()) {
            let tag = if fields.quantity.is_some() { "44" } else { "38" };
            let words = format!("Conditionally Required Field Missing ({tag})");
            return sessions[at].business_reject(bytes, header, CONDITIONAL_MISSING, words.as_bytes(), now);
        }
        let Some(ts_event) = crate::time::parse(fields.transact_time.of_bytes(bytes)) else {
            return sessions[at].reject(bytes, header, &Refusal::of(Reason::IncorrectFormat, 60), now);
        };
        let order = self.order_of(at, kind, bytes, &fields, id, ts_event);
        if kind == b'F' && self.take_entry(order.original_client_order_id).is_some_and(|entry| entry.is_cancelling) {
            return self.answer_pending(&mut sessions[at], bytes, &fields, now);
        }
        let (decision, approved) = self.gate.submit(&order, now.mono, now.utc);
        self.decision = decision;
        match approved {
            Some(_) if kind == b'F' && self.cancel_held(at, &mut sessions[at], bytes, &fields, order.original_client_order_id, now) => {}
            Some(approved) => self.pass_on(at, sessions, bytes, header, &fields, &approved, kept, now),
            None if decision.verdict == Verdict::Hold as u8 => self.hold(at, &mut sessions[at], bytes, &fields, &order, kept, now),
            None => self.answer_refused(&mut sessions[at], bytes, kind, &fields, order.original_client_order_id, now),
        }
    }

    /// The message as the gate reads it. What cannot be read becomes what the gate refuses, never a default.
    #[inline]
    fn order_of(&self, at: usize, kind: u8, bytes: &[u8], fields: &OrderFields, id: u64, ts_event: i64) -> Order {
        let ems = &self.ems[at - 1];
        let instrument = self.symbols.get(fields.symbol.of_bytes(bytes)).map(|at| &self.settings.instruments[*at]);
        let places = instrument.map_or(0, |i| i.quantity_places);
        let original = if kind == b'D' { 0 } else { order_id(fields.original_client_order_id.of_bytes(bytes)) };
        let owned = self.take_entry(original).filter(|entry| usize::from(entry.owner) == at);
        let is_own = owned.is_some() || self.is_held_by(original, at);
        let account =
            if fields.account.is_some() { ems.accounts.get(fields.account.of_bytes(bytes)).copied() } else { owned.map(|entry| entry.account_id) };
        // A ticket that is no number is one that nobody gave out.
        let has_ticket = kind == b'D' && fields.exit_ticket.is_some();
        let ticket = has_ticket.then(|| crate::number::unsigned(fields.exit_ticket.of_bytes(bytes)).unwrap_or(u64::MAX));
        Order {
            client_order_id: id,
            ts_event,
            price: if fields.price.is_some() {
                scaled(fields.price.of_bytes(bytes), PRICE_PLACES).unwrap_or(UNDEFINED_PRICE)
            } else {
                UNDEFINED_PRICE
            },
            quantity: if fields.quantity.is_some() { scaled(fields.quantity.of_bytes(bytes), places).unwrap_or(0) } else { 0 },
            instrument_id: instrument.map_or(NOBODY, |i| i.instrument_id),
            strategy_id: ems.strategy_id,
            account_id: account.unwrap_or(NOBODY),
            side: side_code(fields.side.of_bytes(bytes)),
            order_type: type_code(fields.order_type.of_bytes(bytes)),
            time_in_force: if fields.time_in_force.is_some() { time_code(fields.time_in_force.of_bytes(bytes)) } else { TimeInForce::Day as u8 },
            action: match kind {
                b'D' => Action::New as u8,
                b'G' => Action::Replace as u8,
                _ => Action::Cancel as u8,
            },
            flags: flags_of(bytes, fields, ticket.is_some()),
            session_id: GATE_SESSION,
            // An order of somebody else is no order of this client.
            original_client_order_id: if is_own { original } else { ticket.unwrap_or(0) },
        }
    }

    /// Only what the gate approved gets here.
    #[allow(clippy::too_many_arguments, reason = "a message and all that is known of it")]
    #[inline]
    pub(super) fn pass_on(
        &mut self,
        at: usize,
        sessions: &mut [Session],
        bytes: &[u8],
        header: &Header,
        fields: &OrderFields,
        approved: &Approved<Order>,
        text: Text,
        now: Now,
    ) {
        let order = approved.order();
        let write = |out: &mut Vec<u8>| fields.cuts.copy(bytes, header.body, header.end, out);
        let msg_type = header.msg_type.of_bytes(bytes);
        if header.is_poss_resend {
            sessions[VENUE].send_poss_resend(msg_type, now, write);
        } else {
            sessions[VENUE].send(msg_type, now, write);
        }
        if order.action == Action::Cancel as u8 {
            if let Some(entry) = self.book.get_mut(&order.original_client_order_id) {
                entry.is_cancelling = true;
            }
            return;
        }
        let entry = Entry {
            text,
            owner: at as u16,
            instrument: self.symbols.get(fields.symbol.of_bytes(bytes)).map_or(u16::MAX, |at| *at as u16),
            side: fields.side.of_bytes(bytes).first().copied().unwrap_or(0),
            is_cancelling: false,
            is_in_doubt: false,
            cancel_due: 0,
            quantity: order.quantity,
            account_id: order.account_id,
        };
        self.book.insert(order.client_order_id, entry);
    }

    /// True where the gate says the order is gone or never was.
    pub(super) fn is_unknown(&self, id: u64) -> bool {
        self.gate.live_order(id, GATE_SESSION).is_none_or(|order| order.state == state::EMPTY)
    }

    pub(super) fn reason(&self) -> ReasonCode {
        ReasonCode::try_from(self.decision.reason).unwrap_or(ReasonCode::Internal)
    }
}

/// ExecInst 6 (participate, do not initiate); LocateReqd N on a short sale (the client has located, nobody else need).
fn flags_of(bytes: &[u8], fields: &OrderFields, has_ticket: bool) -> u32 {
    let is_post_only = fields.exec_inst.of_bytes(bytes).contains(&b'6');
    let is_located = fields.locate.of_bytes(bytes) == b"N";
    let bit = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
    bit(is_post_only, POST_ONLY) | bit(is_located, LOCATED) | bit(has_ticket, EXIT_TICKET)
}

/// Buy, sell, sell short and sell short exempt: whether a sale is short the gate sees from the position. Others are refused.
pub(super) fn side_code(value: &[u8]) -> u8 {
    match value {
        b"1" => Side::BUY as u8,
        b"2" | b"5" | b"6" => Side::SELL as u8,
        _ => 0,
    }
}

fn type_code(value: &[u8]) -> u8 {
    match value {
        b"1" => OrderType::Market as u8,
        b"2" => OrderType::Limit as u8,
        _ => 0,
    }
}

fn time_code(value: &[u8]) -> u8 {
    match value {
        b"0" => TimeInForce::Day as u8,
        b"1" => TimeInForce::GoodTillCancel as u8,
        b"3" => TimeInForce::ImmediateOrCancel as u8,
        b"4" => TimeInForce::FillOrKill as u8,
        _ => 0,
    }
}

/// A message for people to read.
pub(super) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\u{1}', "|")
}
