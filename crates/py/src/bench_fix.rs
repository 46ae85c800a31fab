// SPDX-License-Identifier: Apache-2.0
//! The client and the venue of `pretrade bench fix`: the same two ends, messages and rate for every proxy between them.
use crate::gateway::clock;
use pretrade_fix::frame::{Frame, checksum, find};
use pretrade_fix::header::{Header, find_field};
use pretrade_fix::number::unsigned;
use pretrade_fix::session::Body;
use pretrade_fix::time::Stamp;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
const WARM_UP: usize = 500;

/// A venue's listening socket, and the client that sends through whatever stands in between.
#[pyclass(module = "pretrade._native.bench")]
pub(crate) struct FixStreet {
    venue: TcpListener,
    port: u16,
}

#[pymethods]
impl FixStreet {
    #[new]
    fn new() -> PyResult<Self> {
        let venue = TcpListener::bind(("127.0.0.1", 0))?;
        let port = venue.local_addr()?.port();
        Ok(FixStreet { venue, port })
    }

    /// Port the proxy reaches the venue at.
    #[getter]
    fn venue_port(&self) -> u16 {
        self.port
    }

    /// Orders through a proxy that listens on `port`: `n` at `per_second` for the latency, then `burst` without a pause.
    fn through(&self, py: Python<'_>, port: u16, n: usize, per_second: u32, burst: usize) -> PyResult<HashMap<&'static str, f64>> {
        let venue = &self.venue;
        py.detach(|| {
            let mut there = Peer::new(accept(venue)?, "VENUE");
            there.await_type(b"A")?;
            there.say("A", &[(98, "0"), (108, "30"), (141, "Y")])?;
            let mut here = Peer::new(connect(port)?, "EMS");
            here.say("A", &[(98, "0"), (108, "30"), (141, "Y")])?;
            here.await_type(b"A")?;
            run(here, there, n, per_second, burst)
        })
        .map_err(failed)
    }

    /// The same orders over the bare socket pair.
    fn bare(&self, py: Python<'_>, n: usize, per_second: u32, burst: usize) -> PyResult<HashMap<&'static str, f64>> {
        let (venue, port) = (&self.venue, self.port);
        py.detach(|| {
            let here = Peer::new(connect(port)?, "EMS");
            run(here, Peer::new(accept(venue)?, "VENUE"), n, per_second, burst)
        })
        .map_err(failed)
    }
}

fn failed(problem: String) -> PyErr {
    PyRuntimeError::new_err(problem)
}

fn words(what: &'static str) -> impl Fn(std::io::Error) -> String {
    move |e| format!("{what}: {e}")
}

fn accept(venue: &TcpListener) -> Result<TcpStream, String> {
    venue.set_nonblocking(true).map_err(words("venue"))?;
    let end = Instant::now() + PATIENCE;
    loop {
        match venue.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).map_err(words("venue"))?;
                return Ok(stream);
            }
            Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            Err(e) => return Err(format!("nobody reached the venue: {e}")),
        }
    }
}

/// The proxy may not listen yet.
fn connect(port: u16) -> Result<TcpStream, String> {
    let end = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return Ok(stream),
            Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            Err(e) => return Err(format!("port {port}: {e}")),
        }
    }
}

struct Peer {
    stream: TcpStream,
    name: &'static str,
    seq: u64,
    stamp: Stamp,
    body: Vec<u8>,
    message: Vec<u8>,
    buffer: Vec<u8>,
}

impl Peer {
    fn new(stream: TcpStream, name: &'static str) -> Self {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(PATIENCE));
        Peer { stream, name, seq: 1, stamp: Stamp::default(), body: Vec::new(), message: Vec::new(), buffer: Vec::new() }
    }

    fn make(&mut self, msg_type: &str, write: impl FnOnce(&mut Body<'_>, &[u8])) {
        self.body.clear();
        let time = *self.stamp.text(clock(libc::CLOCK_REALTIME));
        let mut body = Body::new(&mut self.body);
        body.put(35, msg_type.as_bytes());
        body.number(34, self.seq);
        body.put(49, self.name.as_bytes());
        body.put(52, &time);
        body.put(56, b"PRETRADE");
        write(&mut body, &time);
        self.seq += 1;
        self.message.clear();
        let mut message = Body::new(&mut self.message);
        message.put(8, b"FIX.4.4");
        message.number(9, self.body.len() as u64);
        message.raw(&self.body);
        let sum = format!("{:03}", checksum(&self.message));
        Body::new(&mut self.message).put(10, sum.as_bytes());
    }

    fn say(&mut self, msg_type: &str, fields: &[(u32, &str)]) -> Result<(), String> {
        self.make(msg_type, |body, _| fields.iter().for_each(|(tag, value)| body.put(*tag, value.as_bytes())));
        self.stream.write_all(&self.message).map_err(words("write"))
    }

    fn make_order(&mut self, number: usize) {
        self.make("D", |body, time| {
            body.put(1, b"ACC1");
            body.number(11, number as u64 + 1);
            body.put(21, b"1");
            body.put(38, b"10");
            body.put(40, b"2");
            body.put(44, b"4800.00");
            body.put(54, if number.is_multiple_of(2) { b"1" } else { b"2" });
            body.put(55, b"ES");
            body.put(59, b"0");
            body.put(60, time);
        });
    }

    /// Reads on until a message of this type is whole.
    fn await_type(&mut self, msg_type: &[u8]) -> Result<(), String> {
        loop {
            let mut is_met = false;
            self.read(|kind, _, _| is_met |= kind == msg_type)?;
            if is_met {
                return Ok(());
            }
        }
    }

    /// Reads once and hands out every whole message: type, ClOrdID where it is a number, and when the bytes were there.
    #[inline]
    fn read(&mut self, mut take: impl FnMut(&[u8], Option<u64>, i64)) -> Result<(), String> {
        let mut chunk = [0; 65_536];
        let n = self.stream.read(&mut chunk).map_err(words("read"))?;
        let now = clock(libc::CLOCK_MONOTONIC);
        if n == 0 {
            return Err(format!("{} was disconnected", self.name));
        }
        self.buffer.extend_from_slice(&chunk[..n]);
        let mut at = 0;
        loop {
            match find(&self.buffer[at..]) {
                Frame::Incomplete => break,
                Frame::Garbled(n) => at += n,
                Frame::Whole(n) => {
                    let message = &self.buffer[at..at + n];
                    if let Ok(header) = Header::read(message) {
                        let id = find_field(message, header.body, header.end, 11).and_then(unsigned);
                        take(header.msg_type.of_bytes(message), id, now);
                    }
                    at += n;
                }
            }
        }
        self.buffer.drain(..at);
        Ok(())
    }
}

fn run(mut here: Peer, mut there: Peer, n: usize, per_second: u32, burst: usize) -> Result<HashMap<&'static str, f64>, String> {
    let paced = WARM_UP + n;
    let total = paced + burst;
    let reader = std::thread::spawn(move || -> Result<Vec<i64>, String> {
        let (mut arrived, mut count) = (vec![0i64; total], 0);
        while count < total {
            let outcome = there.read(|kind, id, now| {
                let place = id.and_then(|id| usize::try_from(id).ok()?.checked_sub(1)).filter(|at| kind == b"D" && *at < total);
                if let Some(at) = place {
                    count += usize::from(arrived[at] == 0);
                    arrived[at] = now;
                }
            });
            outcome.map_err(|e| format!("{count} of {total} orders arrived: {e}"))?;
        }
        Ok(arrived)
    });
    let mut sent = vec![0i64; total];
    let interval = 1_000_000_000 / i64::from(per_second.max(1));
    let mut due = clock(libc::CLOCK_MONOTONIC);
    for (number, at) in sent.iter_mut().enumerate() {
        if number < paced {
            due += interval;
            let wait = due - clock(libc::CLOCK_MONOTONIC);
            if wait > 0 {
                std::thread::sleep(Duration::from_nanos(wait.unsigned_abs()));
            }
        } else if number == paced {
            // What was paced is through before the burst begins.
            std::thread::sleep(Duration::from_millis(200));
        }
        here.make_order(number);
        *at = clock(libc::CLOCK_MONOTONIC);
        here.stream.write_all(&here.message).map_err(words("write"))?;
    }
    let arrived = reader.join().map_err(|_| "the venue's thread panicked".to_owned())?.map_err(|e| {
        let _ = here.stream.set_read_timeout(Some(Duration::from_millis(100)));
        let mut answer = [0; 600];
        let n = here.stream.read(&mut answer).unwrap_or(0);
        format!("{e}; the client heard {}", String::from_utf8_lossy(&answer[..n]).replace('\u{1}', "|"))
    })?;
    let mut took: Vec<i64> = (WARM_UP..paced).map(|i| arrived[i] - sent[i]).collect();
    took.sort_unstable();
    let quantile = |q: f64| took[((took.len() - 1) as f64 * q) as usize] as f64;
    let last = arrived[paced..].iter().max().copied().unwrap_or(0);
    let seconds = sent.get(paced).map_or(f64::NAN, |first| (last - first) as f64 / 1e9);
    Ok(HashMap::from([
        ("n", n as f64),
        ("min_ns", quantile(0.0)),
        ("p50_ns", quantile(0.5)),
        ("p99_ns", quantile(0.99)),
        ("burst", burst as f64),
        ("burst_per_second", burst as f64 / seconds),
    ]))
}
