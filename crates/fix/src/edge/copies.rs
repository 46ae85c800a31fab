// SPDX-License-Identifier: Apache-2.0
//! Drop copies: what order systems are told of their orders, told to those who watch (risk desk, clearing) as well.
use super::Edge;
use crate::session::{Body, Now, Session};

/// CopyMsgIndicator.
const IS_COPY: u32 = 797;

impl Edge {
    /// Notes a report for the sessions that hear copies; costs nothing where there are none.
    pub(super) fn copy_out(&mut self, msg_type: &'static [u8], write: impl FnOnce(&mut Vec<u8>)) {
        if self.settings.drop_copies.is_empty() {
            return;
        }
        let mut body = Vec::new();
        write(&mut body);
        // 4.2 does not know the field.
        if self.version != super::Version::Fix42 {
            Body::new(&mut body).put(IS_COPY, b"Y");
        }
        self.copies.push((msg_type, body));
    }

    /// Sends what was noted: in the same batch as the reports themselves.
    pub(super) fn send_copies(&mut self, sessions: &mut [Session], now: Now) {
        for (msg_type, body) in self.copies.drain(..) {
            for session in &mut sessions[1 + self.ems.len()..] {
                session.send(msg_type, now, |out| out.extend_from_slice(&body));
            }
        }
    }
}
