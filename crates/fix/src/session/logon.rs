// SPDX-License-Identifier: Apache-2.0
//! The first message of a connection must be a Logon; anything wrong with it ends the connection without a word.
use super::{Body, NS_PER_S, Now, Receipt, Session, State};
use crate::header::{Header, find_field};
use crate::number::unsigned;
use crate::store::StoreError;

impl Session {
    /// Sends the Logon of an initiator.
    pub(super) fn send_logon(&mut self, now: Now) -> Result<(), StoreError> {
        let is_reset = self.settings.reset_at_logon;
        if is_reset {
            self.store.reset()?;
        }
        self.has_reset = is_reset;
        self.write_logon(is_reset, now);
        Ok(())
    }

    fn write_logon(&mut self, is_reset: bool, now: Now) {
        let seconds = (self.heartbeat_ns / NS_PER_S).unsigned_abs();
        let appl_ver_id = self.settings.appl_ver_id.clone();
        self.send_admin(b"A", now, |out| {
            let mut body = Body::new(out);
            body.number(98, 0);
            body.number(108, seconds);
            if is_reset {
                body.put(141, b"Y");
            }
            if let Some(version) = appl_ver_id {
                body.put(1137, &version);
            }
        });
    }

    pub(super) fn first_message(&mut self, bytes: &[u8], header: &Header, now: Now) -> Result<Receipt, StoreError> {
        let field = |tag| find_field(bytes, header.body, header.end, tag);
        let is_logon = header.msg_type.of_bytes(bytes) == b"A" && self.is_begin_string(bytes, header) && self.is_ours(bytes, header);
        let is_versioned = self.settings.appl_ver_id.is_none() || field(1137) == self.settings.appl_ver_id.as_deref();
        let is_sound = self.check(bytes, header).is_ok() && self.is_timely(bytes, header, now) && field(98).is_none_or(|v| v == b"0");
        let heartbeat = field(108).and_then(unsigned).filter(|seconds| *seconds <= 86_400);
        let (true, true, true, Some(heartbeat), Some(seq)) = (is_logon, is_versioned, is_sound, heartbeat, header.seq) else {
            return self.refused_first(bytes, header, now);
        };
        let asks_reset = field(141) == Some(b"Y");
        if self.settings.is_initiator {
            if asks_reset && !self.has_reset {
                // The counterparty began anew on its own; so do we, and our Logon has used our first number.
                self.store.reset()?;
                self.store.take_number();
            }
        } else if asks_reset || self.settings.reset_at_logon {
            self.store.reset()?;
        }
        let expected = self.store.next_in();
        if seq < expected && !header.is_poss_dup {
            self.too_low(expected, seq, now);
            return Ok(Receipt::Close);
        }
        self.heartbeat_ns = heartbeat as i64 * NS_PER_S;
        (self.last_received, self.state) = (now.mono, State::LoggedOn);
        if !self.settings.is_initiator {
            self.write_logon(asks_reset, now);
        }
        if seq > expected {
            self.ask_for_gap(expected, seq - 1, now);
            // The Logon itself was answered; when its turn comes only its number counts.
            self.queue.insert(seq, Vec::new());
        } else if seq == expected {
            self.taken();
        }
        Ok(Receipt::Done)
    }

    /// An initiator may be told why; the acceptor says nothing to a stranger.
    fn refused_first(&mut self, bytes: &[u8], header: &Header, _now: Now) -> Result<Receipt, StoreError> {
        let is_answer = self.settings.is_initiator && self.is_ours(bytes, header) && header.seq == Some(self.store.next_in());
        if is_answer && header.msg_type.of_bytes(bytes) == b"5" {
            self.taken();
        }
        Ok(Receipt::Close)
    }

    /// A Logon with ResetSeqNumFlag on a live session: both sides begin at 1.
    pub(super) fn reset_in_session(&mut self, bytes: &[u8], header: &Header, now: Now) -> Result<Receipt, StoreError> {
        let is_sound = self.is_ours(bytes, header) && self.is_timely(bytes, header, now) && header.seq == Some(1);
        if !is_sound {
            self.log_out(b"Logon on a live session", now);
            return Ok(Receipt::Done);
        }
        self.store.reset()?;
        self.queue.clear();
        (self.gap_end, self.last_received, self.test_requests) = (None, now.mono, 0);
        self.write_logon(true, now);
        self.taken();
        Ok(Receipt::Done)
    }
}
