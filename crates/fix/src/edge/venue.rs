// SPDX-License-Identifier: Apache-2.0
//! What the venue says: it moves the gate's exposure first and is passed on to the order's owner then.
use super::answers::write_alert;
use super::{Edge, GATE_SESSION, VENUE, Version};
use crate::header::Header;
use crate::ids::order_id;
use crate::number::scaled;
use crate::order_fields::{OrderFields, ReportFields};
use crate::session::{Body, Now, Session};
use pretrade_gate::{VenueKind, VenueMessage};
use pretrade_records::Side;

/// Session that hears what belongs to no known order.
const DEFAULT_OWNER: usize = 1;

/// What an execution report is about.
#[derive(Clone, Copy, Debug)]
struct About {
    id: u64,
    original: u64,
    /// The live order it names, 0 where none is known.
    target: u64,
    owner: usize,
    instrument_id: u32,
    account_id: u32,
    places: u32,
    side: u8,
}

impl Edge {
    pub(super) fn hear_venue(&mut self, sessions: &mut [Session], bytes: &[u8], header: &Header, now: Now) {
        let fields = match ReportFields::read(bytes, header, self.settings.alert_tag) {
            Ok(fields) => fields,
            Err(refusal) => return sessions[VENUE].reject(bytes, header, &refusal, now),
        };
        match header.msg_type.of_bytes(bytes) {
            b"8" => self.execution_report(sessions, bytes, header, &fields, now),
            b"9" => self.cancel_reject(sessions, bytes, header, &fields, now),
            b"3" | b"j" => self.refused_by_venue(sessions, bytes, header, &fields, now),
            msg_type => {
                sessions[DEFAULT_OWNER].send(msg_type, now, |out| fields.cuts.copy(bytes, header.body, header.end, out));
            }
        }
    }

    fn about(&self, bytes: &[u8], fields: &ReportFields) -> About {
        let id = order_id(fields.client_order_id.of_bytes(bytes));
        let original = if fields.original_client_order_id.is_some() { order_id(fields.original_client_order_id.of_bytes(bytes)) } else { 0 };
        let entry = self.book.get(&id).or_else(|| self.book.get(&original));
        let is_live = |id: u64| self.gate.live_order(id, GATE_SESSION).is_some();
        let target = if original != 0 && is_live(original) {
            original
        } else if is_live(id) {
            id
        } else {
            0
        };
        let instrument = self.symbols.get(fields.symbol.of_bytes(bytes)).map(|at| &self.settings.instruments[*at]);
        let account = fields.account.of_bytes(bytes);
        About {
            id,
            original,
            target,
            owner: entry.map_or(DEFAULT_OWNER, |e| usize::from(e.owner)),
            instrument_id: instrument.map_or(0, |i| i.instrument_id),
            account_id: self.ems.iter().find_map(|ems| ems.accounts.get(account).copied()).or(entry.map(|e| e.account_id)).unwrap_or(0),
            places: instrument.map_or(0, |i| i.quantity_places),
            side: match super::orders::side_code(fields.side.of_bytes(bytes)) {
                0 => Side::None as u8,
                side => side,
            },
        }
    }

    fn execution_report(&mut self, sessions: &mut [Session], bytes: &[u8], header: &Header, fields: &ReportFields, now: Now) {
        let about = self.about(bytes, fields);
        let posture = self.posture_of(about.target).or_else(|| self.gate.posture(about.instrument_id));
        self.act_on_report(bytes, header, fields, &about, now);
        let owner = about.owner.min(self.ems.len());
        let has_alerts = self.ems[owner - 1].has_alerts;
        let alert_tag = self.settings.alert_tag;
        sessions[owner].send(b"8", now, |out| {
            fields.cuts.copy(bytes, header.body, header.end, out);
            if let Some(posture) = posture.filter(|_| has_alerts) {
                write_alert(Body::new(out), alert_tag, &posture);
            }
        });
        self.copy_out(b"8", |out| fields.cuts.copy(bytes, header.body, header.end, out));
        self.tidy(&about);
    }

    fn act_on_report(&mut self, bytes: &[u8], header: &Header, fields: &ReportFields, about: &About, now: Now) {
        let first = |span: crate::header::Span| span.of_bytes(bytes).first().copied().unwrap_or(0);
        let (exec_type, status, transaction) = (first(fields.exec_type), first(fields.status), first(fields.transaction));
        if let Some(entry) = self.book.get_mut(&about.target) {
            entry.is_in_doubt = false;
        }
        let is_undone = matches!(exec_type, b'H' | b'G') || matches!(transaction, b'1' | b'2');
        if is_undone {
            return self.undo_trade(bytes, fields, about, exec_type == b'H' || transaction == b'1', now);
        }
        let is_status = exec_type == b'I' || transaction == b'3';
        if is_status || matches!(exec_type, b'F' | b'1' | b'2') {
            self.fill(bytes, header, fields, about, is_status, now);
        }
        let kind = match if is_status { status } else { exec_type } {
            b'0' => VenueKind::Acknowledged,
            b'4' | b'3' | b'C' => VenueKind::Cancelled,
            b'8' => VenueKind::Rejected,
            b'5' if about.original != 0 => VenueKind::Replaced,
            _ => return,
        };
        let (id, original) = if kind == VenueKind::Replaced { (about.id, about.original) } else { (about.target, 0) };
        if about.target != 0 {
            self.tell_gate(&self.message(kind, id, original, 0, 0, about, now), now);
        }
    }

    /// Executed quantity: what CumQty says beyond what the gate has, so that a report told twice fills once.
    fn fill(&mut self, bytes: &[u8], header: &Header, fields: &ReportFields, about: &About, is_status: bool, now: Now) {
        let number = |span: crate::header::Span, places| if span.is_some() { scaled(span.of_bytes(bytes), places) } else { None };
        let live = self.gate.live_order(about.target, GATE_SESSION);
        let quantity = match (live, number(fields.filled, about.places)) {
            (Some(order), Some(filled)) => filled - (order.quantity - order.leaves),
            // Of an order the gate knows no more, a repeated report cannot be told from a late one: only new ones count.
            (None, _) if is_status || header.is_poss_resend => 0,
            _ => number(fields.last_quantity, about.places).unwrap_or(0),
        };
        if quantity <= 0 {
            return;
        }
        let price = number(fields.last_price, 9).unwrap_or(0);
        let id = if about.target == 0 { about.id } else { about.target };
        if !self.tell_gate(&self.message(VenueKind::Filled, id, 0, quantity, price, about, now), now) {
            (self.say)(&format!("the venue fills an order that is not open here: {}", super::orders::printable(bytes)));
        }
    }

    /// A trade taken back moves the position back; of a corrected one nobody can say by how much: the position is unknown.
    fn undo_trade(&mut self, bytes: &[u8], fields: &ReportFields, about: &About, is_cancelled: bool, now: Now) {
        let quantity = scaled(fields.last_quantity.of_bytes(bytes), about.places).unwrap_or(0);
        let mut message = self.message(VenueKind::Filled, 0, 0, quantity, 0, about, now);
        message.side = match about.side {
            side if !is_cancelled || quantity <= 0 => side & (Side::None as u8),
            side if side == Side::BUY as u8 => Side::SELL as u8,
            side if side == Side::SELL as u8 => Side::BUY as u8,
            side => side,
        };
        self.tell_gate(&message, now);
        let what = if is_cancelled { "takes a trade back" } else { "corrects a trade, so the position is unknown until it is stated" };
        (self.say)(&format!("the venue {what}: {}", super::orders::printable(bytes)));
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one message")]
    fn message(&self, kind: VenueKind, id: u64, original: u64, quantity: i64, price: i64, about: &About, now: Now) -> VenueMessage {
        VenueMessage {
            client_order_id: id,
            original_client_order_id: original,
            quantity,
            price,
            ts_event: now.utc,
            session_id: GATE_SESSION,
            instrument_id: about.instrument_id,
            account_id: about.account_id,
            kind: kind as u8,
            side: about.side,
            ..Default::default()
        }
    }

    /// Forgets what is not open any more.
    fn tidy(&mut self, about: &About) {
        for id in [about.id, about.original, about.target] {
            if id != 0 && self.book.contains_key(&id) && self.is_unknown(id) {
                self.book.remove(&id);
            }
        }
    }

    fn cancel_reject(&mut self, sessions: &mut [Session], bytes: &[u8], header: &Header, fields: &ReportFields, now: Now) {
        let about = self.about(bytes, fields);
        let is_replace = fields.response_to.of_bytes(bytes) == b"2";
        self.change_refused(&about, is_replace, now);
        let owner = about.owner.min(self.ems.len());
        sessions[owner].send(b"9", now, |out| fields.cuts.copy(bytes, header.body, header.end, out));
        self.copy_out(b"9", |out| fields.cuts.copy(bytes, header.body, header.end, out));
        self.tidy(&about);
    }

    fn change_refused(&mut self, about: &About, is_replace: bool, now: Now) {
        let about = About { side: Side::None as u8, instrument_id: 0, account_id: 0, ..*about };
        if is_replace {
            self.tell_gate(&self.message(VenueKind::ReplaceRejected, about.id, about.original, 0, 0, &about, now), now);
            self.book.remove(&about.id);
        } else {
            self.tell_gate(&self.message(VenueKind::CancelRejected, about.original, 0, 0, 0, &about, now), now);
            if let Some(entry) = self.book.get_mut(&about.original) {
                entry.is_cancelling = false;
            }
        }
    }

    /// The venue refused a message of ours as such: whoever sent it hears of it, and its exposure ends.
    fn refused_by_venue(&mut self, sessions: &mut [Session], bytes: &[u8], header: &Header, fields: &ReportFields, now: Now) {
        let reference = if fields.reference.is_some() { crate::number::unsigned(fields.reference.of_bytes(bytes)) } else { None };
        let sent = reference.and_then(|seq| sessions[VENUE].store().sent(seq).ok().flatten());
        let original = sent.as_ref().and_then(|sent| Header::read(sent).ok().map(|header| (sent, header)));
        let Some((sent, its)) = original else {
            return (self.say)(&format!("the venue refuses a message: {}", super::orders::printable(bytes)));
        };
        let kind = its.msg_type.of_bytes(sent).first().copied().unwrap_or(0);
        let Ok(order) = OrderFields::read(sent, &its, self.settings.alert_tag) else { return };
        let about = self.about(sent, &ReportFields::read(sent, &its, self.settings.alert_tag).unwrap_or_default());
        let owner = about.owner.min(self.ems.len());
        let words = format!("VENUE:{}", String::from_utf8_lossy(fields.text.of_bytes(bytes)));
        let other = if self.version == Version::Fix42 { 0 } else { 99 };
        match kind {
            b'D' => {
                self.tell_gate(&self.message(VenueKind::Rejected, about.id, 0, 0, 0, &about, now), now);
                self.reject_order(&mut sessions[owner], sent, &order, other, &words, None, now);
            }
            b'F' | b'G' => {
                self.change_refused(&about, kind == b'G', now);
                let other = if self.version == Version::Fix42 { 2 } else { 99 };
                self.reject_change(&mut sessions[owner], sent, kind, &order, other, false, &words, now);
            }
            _ => {
                (self.say)(&format!("the venue refuses a message: {}", super::orders::printable(bytes)));
                if header.msg_type.of_bytes(bytes) == b"j" {
                    sessions[DEFAULT_OWNER].send(b"j", now, |out| fields.cuts.copy(bytes, header.body, header.end, out));
                }
            }
        }
        self.tidy(&about);
    }
}
