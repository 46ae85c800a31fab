// SPDX-License-Identifier: Apache-2.0
//! Messages sent again on request, and gap fills for those that are not.
use super::{Body, Now, Receipt, Session};
use crate::field::Fields;
use crate::header::{Header, find_field};
use crate::number::unsigned;
use crate::refusal::{Reason, Refusal};
use crate::store::StoreError;

impl Session {
    /// A resend request is answered even in the middle of a gap of our own: two sides that wait for each other never end.
    pub(super) fn resend_request(&mut self, bytes: &[u8], header: &Header, now: Now) -> Result<Receipt, StoreError> {
        if !self.is_acceptable(bytes, header, now) {
            return Ok(Receipt::Done);
        }
        let number = |tag| find_field(bytes, header.body, header.end, tag).and_then(unsigned);
        let (Some(from), Some(to)) = (number(7), number(16)) else {
            let missing = if number(7).is_none() { 7 } else { 16 };
            self.reject(bytes, header, &Refusal::of(Reason::RequiredTagMissing, missing), now);
            return Ok(Receipt::Done);
        };
        let last = self.store.next_out() - 1;
        // FIX 4.2 and later say 0 for "all"; 999999 said so before.
        let to = if to == 0 || to == 999_999 || to > last { last } else { to };
        self.resend(from.max(1), to, now)?;
        let (seq, expected) = (header.seq.unwrap_or(0), self.store.next_in());
        if seq == expected {
            self.taken();
        } else if seq > expected {
            self.ask_for_gap(expected, seq - 1, now);
            self.queue.insert(seq, Vec::new());
        }
        Ok(Receipt::Done)
    }

    fn resend(&mut self, from: u64, to: u64, now: Now) -> Result<(), StoreError> {
        let mut gap = None;
        for seq in from..=to {
            let message = if self.settings.resends_application { self.store.sent(seq)? } else { None };
            let Some(message) = message else {
                gap.get_or_insert(seq);
                continue;
            };
            if let Some(begin) = gap.take() {
                self.gap_fill(begin, seq, now);
            }
            self.send_again(&message, now);
        }
        if let Some(begin) = gap {
            self.gap_fill(begin, to + 1, now);
        }
        Ok(())
    }

    fn gap_fill(&mut self, seq: u64, new: u64, now: Now) {
        self.scratch.clear();
        let time = *self.stamp.text(now.utc);
        let mut message = Body::new(&mut self.scratch);
        message.put(35, b"4");
        message.number(34, seq);
        message.put(43, b"Y");
        message.put(49, &self.settings.sender);
        message.put(52, &time);
        message.put(56, &self.settings.target);
        message.put(122, &time);
        message.number(36, new);
        message.put(123, b"Y");
        self.finish(now);
    }

    /// The message as it was, with PossDupFlag, a new SendingTime and the old one as OrigSendingTime.
    fn send_again(&mut self, message: &[u8], now: Now) {
        let Ok(header) = Header::read(message) else { return };
        self.scratch.clear();
        let mut fields = Fields::new(message, 0, header.body);
        let (mut has_flag, mut has_time) = (false, false);
        while let Ok(Some(field)) = fields.next_field() {
            let mut out = Body::new(&mut self.scratch);
            if !has_flag && field.tag > 43 && field.tag != 35 {
                out.put(43, b"Y");
                has_flag = true;
            }
            if !has_time && field.tag > 122 {
                out.put(122, header.sending_time.of_bytes(message));
                has_time = true;
            }
            match field.tag {
                8 | 9 => {}
                52 => out.put(52, self.stamp.text(now.utc)),
                _ => out.raw(&message[field.start..field.end]),
            }
        }
        let mut out = Body::new(&mut self.scratch);
        if !has_time {
            out.put(122, header.sending_time.of_bytes(message));
        }
        out.raw(&message[header.body..header.end]);
        self.finish(now);
    }
}
