// SPDX-License-Identifier: Apache-2.0
//! Millions of hostile messages through the parser, in one process, nothing allocated per message: `hammer EXECUTIONS SEED`.
//!
//! Whole messages kept in memory are cut, swapped, doubled and overwritten; most get a right length and checksum again, so that
//! what lies behind the frame is reached. Everything that reads a counterparty's bytes is asked, and what must hold of the
//! answer is asserted; a panic ends the run with the bytes that made it. The coverage-guided twin is `fuzz/fuzz_targets/fix.rs`.
use pretrade_fix::field::Fields;
use pretrade_fix::frame::{Frame, checksum, find};
use pretrade_fix::header::Header;
use pretrade_fix::order_fields::{Cuts, OrderFields, ReportFields};
use std::time::Instant;

const ALERT: u32 = 8011;
const MOST: usize = 2_048;
const SOH: u8 = 1;
/// Bodies of every kind that a session reads.
const BODIES: [&str; 14] = [
    "35=A|34=1|49=E|52=20261124-14:30:00|56=G|98=0|108=30|141=Y|",
    "35=D|34=2|49=E|52=20261124-14:30:00.123|56=G|11=A1|1=ACC1|55=ES|54=1|38=10|40=2|44=4800.25|59=0|60=20261124-14:30:00.123|",
    "35=D|34=3|43=Y|97=Y|49=E|52=20261124-14:30:00|56=G|122=20261124-14:29:00|11=12345|1=ACC1|55=ES|54=5|38=1.50|40=1|114=N|60=20261124-14:30:00|",
    "35=G|34=4|49=E|52=20261124-14:30:00|56=G|11=A2|41=A1|55=ES|54=1|38=5|40=2|44=-0.5|60=20261124-14:30:00.123456789|8011=x|20012=0.5|20015=7|",
    "35=F|34=5|49=E|50=SUB|52=20261124-14:30:00|56=G|57=T|115=O|128=D|11=A3|41=A2|54=2|55=ES|60=20261124-23:59:60|",
    "35=8|34=6|49=V|52=20261124-14:30:00|56=G|37=X|11=A1|17=E1|20=0|150=F|39=1|55=ES|54=1|14=5|151=5|31=4800.25|32=5|6=4800.25|1=ACC1|58=text|",
    "35=9|34=7|49=V|52=20261124-14:30:00|56=G|37=NONE|11=A3|41=A2|39=8|434=1|102=1|58=unknown|",
    "35=2|34=8|49=E|52=20261124-14:30:00|56=G|7=1|16=0|",
    "35=4|34=9|43=Y|49=E|52=20261124-14:30:00|56=G|122=20261124-14:30:00|123=Y|36=12|",
    "35=3|34=10|49=E|52=20261124-14:30:00|56=G|45=2|371=38|372=D|373=5|58=bad|",
    "35=j|34=11|49=V|52=20261124-14:30:00|56=G|45=2|372=D|380=4|58=not now|",
    "35=q|34=12|49=E|52=20261124-14:30:00|56=G|11=M|530=7|1=ACC1|60=20261124-14:30:00|",
    "35=B|34=13|49=E|52=20261124-14:30:00|56=G|148=news|95=5|96=a|b=c|354=4|355=x|=y|93=3|89=sig|",
    "35=5|34=18446744073709551615|49=E|52=20261124-14:30:00|56=G|58=bye|",
];

/// xorshift64*: the same run for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n.max(1) as u128) >> 64) as usize
    }
}

/// Buffers of one run.
struct Hammer {
    random: Random,
    bodies: Vec<Vec<u8>>,
    body: Vec<u8>,
    message: Vec<u8>,
    out: Vec<u8>,
    counts: [u64; 3],
}

impl Hammer {
    fn new(seed: u64) -> Self {
        let plain = |text: &str| text.bytes().map(|b| if b == b'|' { SOH } else { b }).collect();
        Hammer {
            random: Random(seed.max(1)),
            bodies: BODIES.iter().map(|text| plain(text)).collect(),
            body: Vec::with_capacity(2 * MOST),
            message: Vec::with_capacity(2 * MOST),
            out: Vec::with_capacity(2 * MOST),
            counts: [0; 3],
        }
    }

    fn strike(&mut self) {
        let kind = self.random.below(self.bodies.len());
        self.body.clear();
        self.body.extend_from_slice(&self.bodies[kind]);
        for _ in 0..self.random.below(5) {
            self.hurt();
        }
        self.body.truncate(MOST);
        self.wrap();
        for _ in 0..self.random.below(8).saturating_sub(5) {
            let (at, byte) = (self.random.below(self.message.len()), self.random.next() as u8);
            self.message[at] = byte;
        }
        if self.random.below(16) == 0 {
            let length = self.random.below(self.message.len() + 1);
            self.message.truncate(length);
        }
        self.walk();
    }

    /// One change of the body.
    fn hurt(&mut self) {
        let length = self.body.len();
        let (from, to) = (self.random.below(length), self.random.below(length));
        let (from, to) = (from.min(to), from.max(to));
        match self.random.below(7) {
            0 => self.body[from] = self.random.next() as u8,
            1 => self.body[from] ^= 1 << self.random.below(8),
            2 => drop(self.body.drain(from..to)),
            3 => self.body.extend_from_within(from..to),
            4 => self.body.insert(from, SOH),
            5 => self.body[from..to].reverse(),
            _ => {
                // A stretch of another message.
                let other = self.random.below(self.bodies.len());
                let start = self.random.below(self.bodies[other].len());
                self.body.extend_from_slice(&self.bodies[other][start..]);
            }
        }
        if self.body.is_empty() {
            self.body.push(SOH);
        }
    }

    /// Begin string, length and checksum around the body; wrong ones now and then.
    fn wrap(&mut self) {
        let length = match self.random.below(20) {
            0 => self.random.next() >> self.random.below(64),
            _ => self.body.len() as u64,
        };
        self.message.clear();
        self.message.extend_from_slice(if self.random.below(10) == 0 { b"8=FIXT.1.1\x019=" } else { b"8=FIX.4.4\x019=" });
        pretrade_fix::number::put(&mut self.message, length);
        self.message.push(SOH);
        self.message.extend_from_slice(&self.body);
        let sum = checksum(&self.message).wrapping_add(u8::from(self.random.below(30) == 0));
        self.message.extend_from_slice(&[b'1', b'0', b'=', b'0' + sum / 100, b'0' + sum / 10 % 10, b'0' + sum % 10, SOH]);
    }

    fn walk(&mut self) {
        let mut at = 0;
        loop {
            match find(&self.message[at..]) {
                Frame::Incomplete => {
                    self.counts[0] += 1;
                    return;
                }
                Frame::Garbled(n) => {
                    self.counts[1] += 1;
                    assert!(n > 0 && at + n <= self.message.len(), "no way forward");
                    at += n;
                }
                Frame::Whole(n) => {
                    self.counts[2] += 1;
                    assert!(n > 0 && at + n <= self.message.len(), "beyond the bytes");
                    read(&self.message[at..at + n], &mut self.out);
                    at += n;
                }
            }
        }
    }
}

fn read(message: &[u8], out: &mut Vec<u8>) {
    let Ok(header) = Header::read(message) else { return };
    assert!(header.body <= header.end && header.end <= message.len(), "a body outside its message");
    let mut fields = Fields::new(message, header.body, header.end);
    let mut last = header.body;
    while let Ok(Some(field)) = fields.next_field() {
        assert!(field.start == last && field.end > field.start && field.end <= header.end, "fields overlap or leave gaps");
        last = field.end;
    }
    if let Ok(cuts) = Cuts::of(message, &header, ALERT) {
        out.clear();
        cuts.copy(message, header.body, header.end, out);
        let mut fields = Fields::new(out, 0, out.len());
        while let Ok(Some(field)) = fields.next_field() {
            assert!(!matches!(field.tag, ALERT | 20012..=20015), "an internal field goes out");
        }
    }
    if let Ok(order) = OrderFields::read(message, &header, ALERT) {
        let _ = pretrade_fix::time::parse(order.transact_time.of_bytes(message));
        let _ = pretrade_fix::number::scaled(order.price.of_bytes(message), 9);
        let _ = pretrade_fix::number::scaled(order.quantity.of_bytes(message), 0);
        let _ = pretrade_fix::ids::order_id(order.client_order_id.of_bytes(message));
        let _ = pretrade_fix::ids::Text::new(order.client_order_id.of_bytes(message));
    }
    let _ = ReportFields::read(message, &header, ALERT);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let executions: u64 = arguments.next().as_deref().unwrap_or("10000000").parse()?;
    let seed: u64 = arguments.next().as_deref().unwrap_or("1").parse()?;
    let mut hammer = Hammer::new(seed);
    let started = Instant::now();
    for n in 0..executions {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hammer.strike()));
        if outcome.is_err() {
            return Err(format!("execution {n} of seed {seed}: {}", hammer.message.escape_ascii()).into());
        }
    }
    let took = started.elapsed().as_secs_f64();
    let [incomplete, garbled, whole] = hammer.counts;
    println!(
        "{executions} executions, no crash: {whole} whole, {garbled} garbled, {incomplete} incomplete; {:.0} a second",
        executions as f64 / took
    );
    Ok(())
}
