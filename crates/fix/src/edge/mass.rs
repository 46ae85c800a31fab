// SPDX-License-Identifier: Apache-2.0
//! OrderMassCancelRequest (35=q): the venue's session carries the orders of every order system, so what one of them may cancel
//! is cancelled order by order; a mass cancel passed on would take the others' orders with it.
use super::orders::{NOT_AVAILABLE, UNSUPPORTED_TYPE, printable};
use super::{Edge, VENUE, Version};
use crate::header::Header;
use crate::order_fields::OrderFields;
use crate::refusal::{Reason, Refusal};
use crate::session::{Body, Now, Session};

/// MassCancelRequestType (530): orders of one security, all orders.
const ONE_SECURITY: &[u8] = b"1";
const ALL: &[u8] = b"7";
/// MassCancelRejectReason (532).
const NOT_SUPPORTED: u64 = 0;
const UNKNOWN_SECURITY: u64 = 1;
const OTHER: u64 = 99;

impl Edge {
    pub(super) fn mass_cancel(&mut self, at: usize, sessions: &mut [Session], bytes: &[u8], header: &Header, now: Now) {
        if self.version == Version::Fix42 {
            return sessions[at].business_reject(bytes, header, UNSUPPORTED_TYPE, b"Unsupported Message Type", now);
        }
        if !sessions[VENUE].is_logged_on() {
            return sessions[at].business_reject(bytes, header, NOT_AVAILABLE, b"GATEWAY:VENUE_NOT_LOGGED_ON", now);
        }
        let fields = match OrderFields::read(bytes, header, self.settings.alert_tag) {
            Ok(fields) => fields,
            Err(refusal) => return sessions[at].reject(bytes, header, &refusal, now),
        };
        let Some(request) = crate::header::find_field(bytes, header.body, header.end, 530).map(<[u8]>::to_vec) else {
            return sessions[at].reject(bytes, header, &Refusal::of(Reason::RequiredTagMissing, 530), now);
        };
        match self.scope_of(at, bytes, &fields, &request) {
            Ok(ids) => {
                let count = ids.into_iter().filter(|id| self.cancel(sessions, *id, now)).count();
                self.answer_mass(&mut sessions[at], bytes, &fields, &request, Ok(count as u64), now);
            }
            Err(refused) => {
                (self.say)(&format!("a mass cancel is refused, {}: {}", refused.1, printable(bytes)));
                self.answer_mass(&mut sessions[at], bytes, &fields, &request, Err(refused), now);
            }
        }
    }

    /// Which of this client's orders are meant; those whose cancel is on its way are not asked for twice.
    fn scope_of(&self, at: usize, bytes: &[u8], fields: &OrderFields, request: &[u8]) -> Result<Vec<u64>, (u64, &'static str)> {
        let instrument = match request {
            ALL => None,
            ONE_SECURITY => {
                let known = self.symbols.get(fields.symbol.of_bytes(bytes));
                Some(*known.ok_or((UNKNOWN_SECURITY, "RISK:UNKNOWN_INSTRUMENT"))?)
            }
            _ => return Err((NOT_SUPPORTED, "GATEWAY:UNSUPPORTED_MASS_CANCEL")),
        };
        let account = match fields.account.is_some().then(|| self.ems[at - 1].accounts.get(fields.account.of_bytes(bytes))) {
            Some(None) => return Err((OTHER, "RISK:PARTY_NOT_AUTHORISED")),
            of => of.flatten().copied(),
        };
        let side = fields.side.of_bytes(bytes).first().copied();
        let is_meant = |e: &crate::book::Entry| {
            usize::from(e.owner) == at
                && !e.is_cancelling
                && instrument.is_none_or(|i| usize::from(e.instrument) == i)
                && account.is_none_or(|a| e.account_id == a)
                && side.is_none_or(|s| e.side == s)
        };
        let mut ids: Vec<u64> = self.book.iter().filter(|(_, e)| is_meant(e)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// 35=r: how many orders are being cancelled, or why none.
    fn answer_mass(&mut self, to: &mut Session, bytes: &[u8], fields: &OrderFields, request: &[u8], outcome: Result<u64, (u64, &str)>, now: Now) {
        let number = self.next_exec();
        to.send(b"r", now, |out| {
            let mut body = Body::new(out);
            if fields.client_order_id.is_some() {
                body.put(11, fields.client_order_id.of_bytes(bytes));
            }
            body.put(37, &number);
            if let Err((_, words)) = outcome {
                body.put(58, words.as_bytes());
            }
            body.put(60, crate::time::Stamp::default().text(now.utc));
            body.put(530, request);
            match outcome {
                Ok(count) => {
                    body.put(531, request);
                    body.number(533, count);
                }
                Err((reason, _)) => {
                    body.number(531, 0);
                    body.number(532, reason);
                }
            }
        });
    }
}
