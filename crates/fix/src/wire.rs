// SPDX-License-Identifier: Apache-2.0
//! One TCP connection with its buffers, and the clocks.
use crate::frame::MAX_MESSAGE;
use crate::tls::{self, Tls};
use rustix::time::{ClockId, clock_gettime};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

const ROOM: usize = 4 * MAX_MESSAGE;
/// A counterparty that reads so little that this much waits for it is disconnected.
const MOST_UNSENT: usize = 64 << 20;

/// Monotonic ns.
#[inline]
#[must_use]
pub fn clock_mono() -> i64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// ns UTC.
#[inline]
#[must_use]
pub fn clock_utc() -> i64 {
    let time = clock_gettime(ClockId::Realtime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    tls: Option<Box<rustls::Connection>>,
    /// Why the connection ended, where TLS ended it.
    pub problem: Option<String>,
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    unsent: Vec<u8>,
    /// Session it belongs to, once a Logon said so.
    pub session: Option<usize>,
    /// Waits for the socket to take more.
    pub is_waiting: bool,
    /// The socket may take more.
    pub wants_write: bool,
    /// When it was made, monotonic ns.
    pub since: i64,
}

impl Wire {
    /// Over a connected stream, in plain text or under TLS.
    ///
    /// # Errors
    /// When the socket takes no options, or TLS cannot begin.
    pub fn new(stream: TcpStream, session: Option<usize>, tls: Option<&Tls>) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let buffer = vec![0; ROOM].into_boxed_slice();
        let tls = tls.map(Tls::connection).transpose().map_err(std::io::Error::other)?.map(Box::new);
        Ok(Wire {
            stream,
            tls,
            problem: None,
            buffer,
            from: 0,
            to: 0,
            unsent: Vec::new(),
            session,
            is_waiting: false,
            wants_write: false,
            since: clock_mono(),
        })
    }

    /// The socket, for epoll.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Reads once; `false` at the end of the stream.
    pub fn read(&mut self) -> bool {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        } else if self.buffer.len() - self.to < MAX_MESSAGE {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        if let Some(tls) = &mut self.tls {
            return match tls::read(tls, &mut self.stream, &mut self.buffer[self.to..]) {
                Ok((n, is_open)) => {
                    self.to += n;
                    is_open
                }
                Err(e) => {
                    self.problem = (e.kind() == ErrorKind::InvalidData).then(|| e.to_string());
                    false
                }
            };
        }
        match self.stream.read(&mut self.buffer[self.to..]) {
            Ok(0) => self.to == self.buffer.len(),
            Ok(n) => {
                self.to += n;
                true
            }
            Err(e) => matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    /// Bytes received and not yet taken.
    #[inline]
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.from..self.to]
    }

    /// Takes `n` bytes.
    #[inline]
    pub fn skip(&mut self, n: usize) {
        self.from = (self.from + n).min(self.to);
    }

    /// The buffer is full and holds no message: nothing more can be read.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.from == 0 && self.to == self.buffer.len()
    }

    /// True where bytes wait for the socket.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// SHA-256 of the counterparty's certificate, where it showed one.
    #[must_use]
    pub fn fingerprint(&self) -> Option<[u8; 32]> {
        self.tls.as_ref().and_then(|tls| tls::fingerprint(tls))
    }

    /// Tells the counterparty that nothing more comes; plain text has no word for it.
    pub fn say_end(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = tls::flush(tls, &mut self.stream);
        }
    }

    /// Sends what waits and then `out`, which is empty afterwards; `true` where some of it must wait.
    ///
    /// # Errors
    /// When the connection is broken, or the counterparty does not read.
    pub fn write(&mut self, out: &mut Vec<u8>) -> std::io::Result<bool> {
        if self.tls.is_some() {
            return self.write_tls(out);
        }
        if !self.unsent.is_empty() {
            self.unsent.append(out);
            let n = write_some(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..n);
        } else {
            let n = write_some(&mut self.stream, out)?;
            self.unsent.extend_from_slice(&out[n..]);
            out.clear();
        }
        if self.unsent.len() > MOST_UNSENT {
            return Err(std::io::Error::new(ErrorKind::TimedOut, "the counterparty does not read"));
        }
        Ok(!self.unsent.is_empty())
    }
}

impl Wire {
    /// Plain bytes wait here while the socket takes no more records, so that what waits stays counted.
    fn write_tls(&mut self, out: &mut Vec<u8>) -> std::io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(false) };
        tls::flush(tls, &mut self.stream)?;
        self.unsent.append(out);
        if !tls.wants_write() && !self.unsent.is_empty() {
            tls::write(tls, &mut self.stream, &self.unsent)?;
            self.unsent.clear();
        }
        if self.unsent.len() > MOST_UNSENT {
            return Err(std::io::Error::new(ErrorKind::TimedOut, "the counterparty does not read"));
        }
        Ok(tls.wants_write() || !self.unsent.is_empty())
    }
}

fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<usize> {
    let mut at = 0;
    while at < bytes.len() {
        match stream.write(&bytes[at..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => at += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(at)
}
