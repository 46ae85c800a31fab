// SPDX-License-Identifier: Apache-2.0
//! After a crash: which orders are open, which were decided and never sent, and what the venue must be asked.
use super::answers::{Said, Subject};
use super::{Edge, GATE_SESSION, VENUE};
use crate::book::Entry;
use crate::header::Header;
use crate::ids::{Text, order_id};
use crate::number::{put_scaled, scaled};
use crate::order_fields::OrderFields;
use crate::server::ServerError;
use crate::session::{Body, Now, Session};
use crate::settings::EdgeSettings;
use crate::store::{for_each_sent, remove_past_logs};
use pretrade_gate::{VenueKind, VenueMessage};
use pretrade_shm::clock::boot_domain;
use pretrade_shm::{Access, QuotesTable};
use std::collections::HashMap;

/// Opens `quotes` for writing: a stand-alone edge has no feed handler, and no other writer may be there.
pub(super) fn open_quotes(settings: &EdgeSettings) -> Result<QuotesTable, ServerError> {
    let domain = boot_domain()?;
    let path = settings.run.join("quotes.tbl");
    QuotesTable::open(&path, &domain, Access::Write).map_err(|e| ServerError(e.to_string()))
}

impl Edge {
    /// Finds the FIX names of what the gate still holds open. What no session's log has was never sent: the log is written
    /// before the socket. It is closed, and told to the client that sends it again.
    pub(super) fn recover(&mut self, now: Now) -> Result<(), ServerError> {
        self.refuse_held_of_an_earlier_life(now);
        let mut open: HashMap<u64, (u32, u32)> = self.gate.live_orders().map(|o| (o.client_order_id, self.gate.owner_of(o))).collect();
        let name = self.settings.venue.store_name();
        for name in self.settings.store_names().iter().skip(usize::from(!open.is_empty())) {
            remove_past_logs(&self.settings.run, name);
            remove_past_logs(&self.settings.journals, name);
        }
        if open.is_empty() {
            return Ok(());
        }
        let mut found = Vec::new();
        for_each_sent(&self.settings.run, &name, |message| {
            if let Some((id, entry)) = self.entry_of(message) {
                found.push((id, entry));
            }
        })?;
        for (id, mut entry) in found {
            if let Some((_, account_id)) = open.remove(&id) {
                entry.account_id = account_id;
                self.book.insert(id, entry);
            } else if self.gate.live_order(id, GATE_SESSION).is_some() {
                // A replace that was pending: its order is in doubt, under both names.
                self.book.insert(id, entry);
            }
        }
        self.forget_unsent(&open, now);
        if !self.book.is_empty() {
            let names: Vec<String> = self.book.values().map(|e| String::from_utf8_lossy(e.text.as_bytes()).into_owned()).collect();
            let shown = names.iter().take(20).cloned().collect::<Vec<_>>().join(" ");
            (self.say)(&format!("{} orders in doubt after a restart, counted as working and not sent again: {shown}", names.len()));
        }
        Ok(())
    }

    fn forget_unsent(&mut self, open: &HashMap<u64, (u32, u32)>, now: Now) {
        for (id, (instrument_id, account_id)) in open {
            let gone = VenueMessage {
                client_order_id: *id,
                session_id: GATE_SESSION,
                instrument_id: *instrument_id,
                account_id: *account_id,
                kind: VenueKind::Rejected as u8,
                ts_event: now.utc,
                ..Default::default()
            };
            self.tell_gate(&gone, now);
            self.unsent.insert(*id);
        }
        if !open.is_empty() {
            (self.say)(&format!("{} orders were decided and never sent: the gateway stopped in between; they are closed", open.len()));
        }
    }

    fn entry_of(&self, message: &[u8]) -> Option<(u64, Entry)> {
        let header = Header::read(message).ok()?;
        if !matches!(header.msg_type.of_bytes(message), b"D" | b"G") {
            return None;
        }
        let fields = OrderFields::read(message, &header, self.settings.alert_tag).ok()?;
        let text = fields.client_order_id.of_bytes(message);
        let account = fields.account.of_bytes(message);
        let instrument = self.symbols.get(fields.symbol.of_bytes(message)).copied()?;
        let places = self.settings.instruments[instrument].quantity_places;
        let entry = Entry {
            text: Text::new(text)?,
            owner: self.ems.iter().position(|ems| ems.accounts.contains_key(account)).map_or(1, |at| at as u16 + 1),
            instrument: instrument as u16,
            side: fields.side.of_bytes(message).first().copied()?,
            is_cancelling: false,
            is_in_doubt: true,
            cancel_due: 0,
            quantity: scaled(fields.quantity.of_bytes(message), places)?,
            account_id: self.ems.iter().find_map(|ems| ems.accounts.get(account).copied()).unwrap_or(0),
        };
        Some((order_id(text), entry))
    }

    /// Asks the venue what became of every order in doubt (35=H).
    pub(super) fn ask_about_doubt(&mut self, sessions: &mut [Session], now: Now) {
        let doubtful: Vec<Entry> = self.book.values().filter(|e| e.is_in_doubt).copied().collect();
        for entry in doubtful {
            sessions[VENUE].send(b"H", now, |out| {
                let mut body = Body::new(out);
                body.put(11, entry.text.as_bytes());
                body.put(54, &[entry.side]);
                body.put(55, self.settings.instruments[usize::from(entry.instrument)].symbol.as_bytes());
            });
        }
    }

    /// Tells a client which of its orders are in doubt: nobody here knows whether the venue has them, and it has been asked.
    pub(super) fn tell_doubt(&mut self, at: usize, to: &mut Session, now: Now) {
        let mut doubtful: Vec<(u64, Entry)> =
            self.book.iter().filter(|(_, e)| e.is_in_doubt && usize::from(e.owner) == at).map(|(id, e)| (*id, *e)).collect();
        doubtful.sort_unstable_by_key(|(id, _)| *id);
        for (_, entry) in doubtful {
            let (mut quantity, place) = (Vec::new(), usize::from(entry.instrument));
            put_scaled(&mut quantity, entry.quantity, self.settings.instruments[place].quantity_places);
            let symbol = self.settings.instruments[place].symbol.clone().into_bytes();
            let account = self.ems[at - 1].accounts.iter().find(|(_, id)| **id == entry.account_id).map(|(name, _)| name.clone()).unwrap_or_default();
            let side = [entry.side];
            let subject = Subject {
                account: &account,
                client_order_id: entry.text.as_bytes(),
                original_client_order_id: b"",
                quantity: &quantity,
                side: &side,
                symbol: &symbol,
            };
            let words =
                "GATEWAY:IN_DOUBT the gateway stopped after this order was written for the venue; it counts as working until the venue answers";
            self.report(to, &subject, &Said { exec_type: b'I', status: b'A', reason: None, words, posture: None }, now);
        }
    }

    /// Cancels an order on the gateway's own account (35=F); `false` where the gate does not know it.
    pub(super) fn cancel(&mut self, sessions: &mut [Session], id: u64, now: Now) -> bool {
        let Some(entry) = self.take_entry(id) else { return false };
        let own_id = self.next_exec();
        let order = pretrade_records::Order {
            client_order_id: order_id(&own_id),
            original_client_order_id: id,
            ts_event: now.utc,
            session_id: GATE_SESSION,
            action: pretrade_records::Action::Cancel as u8,
            ..Default::default()
        };
        let (_, Some(_approved)) = self.gate.submit(&order, now.mono, now.utc) else { return false };
        let instrument = &self.settings.instruments[usize::from(entry.instrument)];
        let account = self.ems[usize::from(entry.owner) - 1].accounts.iter().find(|(_, id)| **id == entry.account_id).map(|(name, _)| name.clone());
        sessions[VENUE].send(b"F", now, |out| {
            if let Some(account) = account {
                Body::new(out).put(1, &account);
            }
            Body::new(out).put(11, &own_id);
            out.extend_from_slice(b"38=");
            put_scaled(out, entry.quantity, instrument.quantity_places);
            out.push(crate::field::SOH);
            let mut body = Body::new(out);
            body.put(41, entry.text.as_bytes());
            body.put(54, &[entry.side]);
            body.put(55, instrument.symbol.as_bytes());
            body.put(60, crate::time::Stamp::default().text(now.utc));
        });
        if let Some(entry) = self.book.get_mut(&id) {
            entry.is_cancelling = true;
        }
        true
    }
}
