// SPDX-License-Identifier: Apache-2.0
//! What a received message does to a session.
use super::{MOST_QUEUED, Now, Receipt, Session, State};
use crate::header::{Header, find_field};
use crate::number::unsigned;
use crate::refusal::{Reason, Refusal};
use crate::store::StoreError;
use crate::validate;

/// What the sequence number says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Now,
    Later,
    Seen,
    Refused,
}

impl Session {
    /// Takes one whole message (see [`crate::frame::find`]) with its header.
    ///
    /// # Errors
    /// When the store cannot be read or reset.
    #[inline]
    pub fn receive(&mut self, bytes: &[u8], header: &Header, now: Now) -> Result<Receipt, StoreError> {
        let msg_type = header.msg_type.of_bytes(bytes);
        match self.state {
            State::Disconnected => return Ok(Receipt::Close),
            State::AwaitingLogon(_) => return self.first_message(bytes, header, now),
            State::LoggedOn | State::LogoutSent(_) => {}
        }
        if !self.is_begin_string(bytes, header) {
            return Ok(self.wrong_begin_string(now));
        }
        if let Err(refusal) = self.check(bytes, header) {
            return Ok(self.refuse(bytes, header, &refusal, now));
        }
        if matches!(msg_type, [b'0' | b'1' | b'2' | b'4' | b'5' | b'A']) {
            return self.admin(msg_type[0], bytes, header, now);
        }
        Ok(match self.turn(bytes, header, now) {
            Turn::Now if matches!(self.state, State::LogoutSent(_)) => {
                self.taken();
                Receipt::Done
            }
            Turn::Now => Receipt::Deliver,
            Turn::Later => self.queue_up(bytes, header),
            Turn::Seen => Receipt::Done,
            Turn::Refused => self.closing(),
        })
    }

    /// Bytes that were no message: before the Logon nobody garbled is listened to.
    pub fn receive_garbled(&mut self) -> Receipt {
        if matches!(self.state, State::AwaitingLogon(_)) { Receipt::Close } else { Receipt::Done }
    }

    pub(super) fn check(&self, bytes: &[u8], header: &Header) -> Result<(), Refusal> {
        match &self.settings.dictionary {
            Some(dictionary) => validate::check(dictionary, &self.settings.tolerance, bytes, header),
            None => validate::check_form(bytes, header),
        }
    }

    fn wrong_begin_string(&mut self, now: Now) -> Receipt {
        if self.is_logged_on() {
            self.log_out(b"Incorrect BeginString", now);
        }
        Receipt::Done
    }

    /// Rejects a malformed message; its number is used up where it was its turn.
    fn refuse(&mut self, bytes: &[u8], header: &Header, refusal: &Refusal, now: Now) -> Receipt {
        if header.seq.is_none() {
            self.log_out(b"Required tag missing", now);
            return Receipt::Done;
        }
        if header.seq == Some(self.store.next_in()) && header.msg_type.of_bytes(bytes) != b"4" {
            self.taken();
        }
        self.last_received = now.mono;
        self.reject(bytes, header, refusal, now);
        Receipt::Done
    }

    fn admin(&mut self, kind: u8, bytes: &[u8], header: &Header, now: Now) -> Result<Receipt, StoreError> {
        let is_gap_fill = kind == b'4' && self.field(bytes, header, 123) == Some(b"Y");
        match kind {
            b'2' => return self.resend_request(bytes, header, now),
            b'5' => return Ok(self.logout(bytes, header, now)),
            b'4' if !is_gap_fill => {
                if self.is_acceptable(bytes, header, now) {
                    self.sequence_reset(bytes, header, now);
                }
                return Ok(self.closing());
            }
            b'A' if self.field(bytes, header, 141) == Some(b"Y") => return self.reset_in_session(bytes, header, now),
            _ => {}
        }
        match self.turn(bytes, header, now) {
            Turn::Now => {}
            Turn::Later => return Ok(self.queue_up(bytes, header)),
            Turn::Seen => return Ok(Receipt::Done),
            Turn::Refused => return Ok(self.closing()),
        }
        match kind {
            b'4' => {
                self.sequence_reset(bytes, header, now);
                return Ok(Receipt::Done);
            }
            b'1' => {
                let id = self.field(bytes, header, 112).unwrap_or_default().to_vec();
                self.send_admin(b"0", now, |out| super::Body::new(out).put(112, &id));
            }
            b'A' => self.log_out(b"Logon on a live session", now),
            _ => {}
        }
        self.taken();
        Ok(Receipt::Done)
    }

    #[allow(clippy::unused_self, reason = "reads as a question to the message of this session")]
    fn field<'b>(&self, bytes: &'b [u8], header: &Header, tag: u32) -> Option<&'b [u8]> {
        find_field(bytes, header.body, header.end, tag)
    }

    /// CompIDs and SendingTime are right; otherwise the message is answered with Reject and Logout.
    pub(super) fn is_acceptable(&mut self, bytes: &[u8], header: &Header, now: Now) -> bool {
        let reason = if !self.is_ours(bytes, header) {
            Reason::CompId
        } else if !self.is_timely(bytes, header, now) {
            Reason::SendingTime
        } else {
            self.last_received = now.mono;
            self.test_requests = 0;
            return true;
        };
        if self.is_logged_on() {
            if header.seq == Some(self.store.next_in()) {
                self.taken();
            }
            self.reject(bytes, header, &Refusal::plain(reason), now);
            self.log_out(b"", now);
        }
        false
    }

    /// Whether it is this message's turn; asks for what is missing, refuses what cannot be.
    #[inline]
    fn turn(&mut self, bytes: &[u8], header: &Header, now: Now) -> Turn {
        if !self.is_acceptable(bytes, header, now) {
            return Turn::Refused;
        }
        let (seq, expected) = (header.seq.unwrap_or(0), self.store.next_in());
        if seq == expected {
            if self.gap_end.is_some_and(|end| seq >= end) {
                self.gap_end = None;
            }
            return Turn::Now;
        }
        if seq > expected {
            self.ask_for_gap(expected, seq - 1, now);
            return Turn::Later;
        }
        if header.is_poss_dup {
            return self.seen_before(bytes, header, now);
        }
        self.too_low(expected, seq, now);
        Turn::Refused
    }

    pub(super) fn too_low(&mut self, expected: u64, seq: u64, now: Now) {
        self.log_out(format!("MsgSeqNum too low, expecting {expected} but received {seq}").as_bytes(), now);
        // Nothing this counterparty says can be ordered: no answer is waited for.
        self.state = State::Disconnected;
    }

    /// A repeated message says when it was first sent, and not after it was sent again.
    fn seen_before(&mut self, bytes: &[u8], header: &Header, now: Now) -> Turn {
        if header.msg_type.of_bytes(bytes) == b"4" {
            return Turn::Seen;
        }
        if !header.orig_sending_time.is_some() {
            self.reject(bytes, header, &Refusal::of(Reason::RequiredTagMissing, 122), now);
            return Turn::Seen;
        }
        let time = |span: crate::header::Span| crate::time::parse(span.of_bytes(bytes));
        if time(header.orig_sending_time) > time(header.sending_time) {
            self.reject(bytes, header, &Refusal::plain(Reason::SendingTime), now);
            self.log_out(b"", now);
            return Turn::Refused;
        }
        Turn::Seen
    }

    /// Asks once for every message from `from` on.
    pub(super) fn ask_for_gap(&mut self, from: u64, last_missing: u64, now: Now) {
        if self.gap_end.is_some_and(|end| from <= end) {
            return;
        }
        self.send_admin(b"2", now, |out| {
            let mut body = super::Body::new(out);
            body.number(7, from);
            body.number(16, 0);
        });
        self.gap_end = Some(last_missing);
    }

    pub(super) fn queue_up(&mut self, bytes: &[u8], header: &Header) -> Receipt {
        if self.queue.len() < MOST_QUEUED
            && let Some(seq) = header.seq
        {
            self.queue.insert(seq, bytes.to_vec());
        }
        Receipt::Done
    }

    fn sequence_reset(&mut self, bytes: &[u8], header: &Header, now: Now) {
        let new = self.field(bytes, header, 36).and_then(unsigned);
        match new {
            Some(new) if new >= self.store.next_in() => {
                self.store.set_next_in(new);
                if self.gap_end.is_some_and(|end| new > end) {
                    self.gap_end = None;
                }
            }
            Some(_) => self.reject(bytes, header, &Refusal::plain(Reason::ValueOutOfRange), now),
            None => self.reject(bytes, header, &Refusal::of(Reason::RequiredTagMissing, 36), now),
        }
    }

    fn logout(&mut self, bytes: &[u8], header: &Header, now: Now) -> Receipt {
        if !self.is_ours(bytes, header) {
            return if self.is_acceptable(bytes, header, now) { Receipt::Done } else { self.closing() };
        }
        if self.is_logged_on() {
            self.log_out(b"", now);
        }
        if header.seq == Some(self.store.next_in()) {
            self.taken();
        }
        Receipt::Close
    }

    /// Goes on waiting for the answer to our Logout, or closes where none is waited for.
    fn closing(&self) -> Receipt {
        if self.state == State::Disconnected { Receipt::Close } else { Receipt::Done }
    }
}
