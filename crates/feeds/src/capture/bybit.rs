// SPDX-License-Identifier: Apache-2.0
//! Bybit order-book files: one JSON message a line, a snapshot of up to 500 levels and the changes after it.
//!
//! A change follows the one before by `u + 1`; a snapshot may come at any time and starts anew. The file has no receive stamps:
//! `ts` is when the venue's system sent the message, `cts` when its matching engine made it.
use super::binance::both;
use super::number::{Number, ms};
use super::places::Places;
use super::sync::{Diff, Rules, Sync};
use super::{Instruments, Sink, Trouble, Venue};
use crate::table::TableInstrument;
use serde::Deserialize;

/// Our code of the venue.
pub const VENUE: &str = "BYBT";

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    cts: Option<i64>,
    ts: i64,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    s: &'a str,
    u: u64,
    #[serde(borrow)]
    b: Vec<[Number<'a>; 2]>,
    #[serde(borrow)]
    a: Vec<[Number<'a>; 2]>,
}

/// What Bybit's lines mean.
pub struct Bybit {
    instruments: Instruments,
    places: Places<(TableInstrument, Sync)>,
}

impl Bybit {
    /// Lines about `instruments`.
    #[must_use]
    pub fn new(instruments: Instruments) -> Self {
        Self { instruments, places: Places::new(VENUE) }
    }
}

impl Venue for Bybit {
    fn split<'a>(&self, line: &'a str) -> Result<Option<(i64, &'a str)>, String> {
        if line.is_empty() {
            return Ok(None);
        }
        let after = line.find("\"ts\":").map(|at| line[at + 5..].trim_start()).ok_or("the line has no ts")?;
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        let ts = super::number::digits(&after[..length]).ok_or("ts is no stamp of milliseconds since 1970")?;
        Ok(Some((ts, line)))
    }

    fn say(&mut self, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let message: Message<'_> = serde_json::from_str(message)?;
        let data = message.data;
        let make = |instrument| (instrument, Sync::new(Rules { ahead: 1 }));
        let Some((instrument, sync)) = self.places.get(&self.instruments, data.s, make)? else { return Ok(()) };
        let ts_event = ms(message.cts.unwrap_or(message.ts))?;
        let levels = both(&data.b, &data.a, instrument)?;
        let stamp = sink.stamp(instrument, ts_event);
        match message.kind {
            "snapshot" => sync.restart(&stamp, data.u, levels, sink),
            "delta" => sync.diff(&stamp, Diff { first: data.u, last: data.u, before: None, ts_event, levels }, sink),
            other => return Err(Trouble::Bad(format!("type {other:?} is not read; snapshot and delta are"))),
        }
        Ok(())
    }
}
