// SPDX-License-Identifier: Apache-2.0
//! Messages out: the header is ours, the body is written by whoever sends, or passed on as it came.
use super::{Now, Session};
use crate::frame::checksum;
use crate::header::{Header, ROUTING};
use crate::number;
use crate::refusal::Refusal;

/// Appends the fields of a body.
#[derive(Debug)]
pub struct Body<'a>(&'a mut Vec<u8>);

impl<'a> Body<'a> {
    /// Onto `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Body(out)
    }

    /// A field.
    #[inline]
    pub fn put(&mut self, tag: u32, value: &[u8]) {
        number::put(self.0, u64::from(tag));
        self.0.push(b'=');
        self.0.extend_from_slice(value);
        self.0.push(crate::field::SOH);
    }

    /// A whole number.
    #[inline]
    pub fn number(&mut self, tag: u32, value: u64) {
        number::put(self.0, u64::from(tag));
        self.0.push(b'=');
        number::put(self.0, value);
        self.0.push(crate::field::SOH);
    }

    /// Fields as they stand, separators included.
    #[inline]
    pub fn raw(&mut self, fields: &[u8]) {
        self.0.extend_from_slice(fields);
    }
}

impl Session {
    /// Sends an application message and keeps it; `write` appends its body.
    #[inline]
    pub fn send(&mut self, msg_type: &[u8], now: Now, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        self.send_app(msg_type, false, now, write)
    }

    /// As [`Session::send`] with PossResend (97) set.
    pub fn send_poss_resend(&mut self, msg_type: &[u8], now: Now, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        self.send_app(msg_type, true, now, write)
    }

    #[inline]
    fn send_app(&mut self, msg_type: &[u8], is_poss_resend: bool, now: Now, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let seq = self.store.take_number();
        self.begin(msg_type, seq, now);
        if is_poss_resend {
            Body::new(&mut self.scratch).put(97, b"Y");
        }
        write(&mut self.scratch);
        let from = self.out.len();
        self.finish(now);
        self.store.keep(seq, &self.out[from..]);
        if !self.is_logged_on() {
            // Nobody to send it to: it is asked for as a gap at the next logon.
            self.out.truncate(from);
        }
        seq
    }

    /// Sends a message of the session layer, which is never sent again.
    pub(super) fn send_admin(&mut self, msg_type: &[u8], now: Now, write: impl FnOnce(&mut Vec<u8>)) {
        let seq = self.store.take_number();
        self.begin(msg_type, seq, now);
        write(&mut self.scratch);
        self.finish(now);
    }

    /// Begins the part of a message that BodyLength counts: MsgType, then header fields in ascending order.
    #[inline]
    fn begin(&mut self, msg_type: &[u8], seq: u64, now: Now) {
        self.scratch.clear();
        let mut header = Body::new(&mut self.scratch);
        header.put(35, msg_type);
        header.number(34, seq);
        header.put(49, &self.settings.sender);
        header.put(52, self.stamp.text(now.utc));
        header.put(56, &self.settings.target);
    }

    /// Puts BeginString, BodyLength and CheckSum around what stands in the scratch buffer.
    #[inline]
    pub(super) fn finish(&mut self, now: Now) {
        let from = self.out.len();
        let mut message = Body::new(&mut self.out);
        message.put(8, &self.settings.begin_string);
        message.number(9, self.scratch.len() as u64);
        message.raw(&self.scratch);
        let sum = checksum(&self.out[from..]);
        self.out.extend_from_slice(&[b'1', b'0', b'=', b'0' + sum / 100, b'0' + sum / 10 % 10, b'0' + sum % 10, crate::field::SOH]);
        self.last_sent = now.mono;
    }

    /// Answers a malformed message with 35=3, routing fields turned round.
    pub fn reject(&mut self, bytes: &[u8], header: &Header, refusal: &Refusal, now: Now) {
        let msg_type = header.msg_type.of_bytes(bytes);
        // FIX 4.2 ends its list of reasons at 11.
        let has_reason = self.settings.begin_string != b"FIX.4.2" || (refusal.reason as u32) <= 11;
        self.send_admin_routed(b"3", bytes, header, now, |body| {
            body.number(45, header.seq.unwrap_or(0));
            body.put(58, refusal.reason.text().as_bytes());
            if !refusal.tag.is_empty() {
                body.put(371, &refusal.tag);
            }
            body.put(372, msg_type);
            if has_reason {
                body.number(373, refusal.reason as u64);
            }
        });
    }

    /// Answers a message that is well formed and cannot be served with 35=j: BusinessRejectReason (380) and Text.
    pub fn business_reject(&mut self, bytes: &[u8], header: &Header, reason: u32, text: &[u8], now: Now) {
        let msg_type = header.msg_type.of_bytes(bytes);
        self.send(b"j", now, |out| {
            let mut body = Body::new(out);
            body.number(45, header.seq.unwrap_or(0));
            body.put(58, text);
            body.put(372, msg_type);
            body.number(380, u64::from(reason));
        });
    }

    fn send_admin_routed(&mut self, msg_type: &[u8], bytes: &[u8], header: &Header, now: Now, write: impl FnOnce(&mut Body<'_>)) {
        let mut routing: Vec<(u32, &[u8])> = ROUTING.iter().zip(&header.routing).map(|((_, to), span)| (*to, span.of_bytes(bytes))).collect();
        routing.retain(|(_, value)| !value.is_empty());
        routing.sort_unstable();
        self.send_admin(msg_type, now, |out| {
            let mut body = Body::new(out);
            for (tag, value) in routing {
                body.put(tag, value);
            }
            write(&mut body);
        });
    }
}
