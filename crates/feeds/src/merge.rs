// SPDX-License-Identifier: Apache-2.0
//! Several recordings as one stream in receive order.
use crate::error::{FaultLog, FeedError};
use crate::{BATCH, Decoder};
use pretrade_records::Event;

struct Lane {
    decoder: Box<dyn Decoder>,
    batch: Vec<Event>,
    at: usize,
    given: u64,
    refused: Option<FeedError>,
    done: bool,
}

impl Lane {
    /// Receive stamp of the next event, `None` at the end. What was read before a refusal is given first.
    fn head(&mut self) -> Result<Option<i64>, FeedError> {
        while self.at == self.batch.len() {
            if let Some(mut e) = self.refused.take() {
                self.done = true;
                e.events = self.given;
                return Err(e);
            }
            if self.done {
                return Ok(None);
            }
            self.batch.clear();
            self.at = 0;
            match self.decoder.next_batch(&mut self.batch) {
                Ok(true) => {}
                Ok(false) => self.done = true,
                Err(e) => self.refused = Some(e),
            }
        }
        Ok(Some(self.batch[self.at].ts_recv))
    }

    /// Gives at most `room` events that come before `until` (at it, too, where `ties`).
    fn drain(&mut self, until: Option<(i64, bool)>, room: usize, out: &mut Vec<Event>) {
        let rest = &self.batch[self.at..];
        let mut n = rest.len().min(room);
        if let Some((ts, ties)) = until {
            n = rest[..n].iter().position(|e| e.ts_recv > ts || (e.ts_recv == ts && !ties)).unwrap_or(n);
        }
        out.extend_from_slice(&rest[..n]);
        self.at += n;
        self.given += n as u64;
    }
}

/// Merges decoders by `ts_recv`; equal stamps keep the order of the files.
pub struct Merge {
    lanes: Vec<Lane>,
    refused: Option<FeedError>,
    /// Events given so far.
    pub events: u64,
}

impl Merge {
    /// A merge of `decoders`.
    #[must_use]
    pub fn new(decoders: Vec<Box<dyn Decoder>>) -> Self {
        let lane = |decoder| Lane { decoder, batch: Vec::new(), at: 0, given: 0, refused: None, done: false };
        Self { lanes: decoders.into_iter().map(lane).collect(), refused: None, events: 0 }
    }

    /// Appends up to a batch of events; `false` at the end of all files.
    ///
    /// # Errors
    /// If a file is refused; what was read before it has been given.
    pub fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let from = out.len();
        if let Some(e) = self.refused.take() {
            return Err(e);
        }
        while out.len() - from < BATCH {
            match self.step(BATCH - (out.len() - from), out) {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) if out.len() == from => return Err(e),
                Err(e) => {
                    self.refused = Some(e);
                    break;
                }
            }
        }
        self.events += (out.len() - from) as u64;
        Ok(out.len() > from)
    }

    /// Gives the run of the earliest lane up to the next lane's head.
    fn step(&mut self, room: usize, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let mut best: Option<(i64, usize)> = None;
        let mut next = best;
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            let Some(ts) = lane.head()? else { continue };
            if best.is_none_or(|(b, _)| ts < b) {
                next = best;
                best = Some((ts, i));
            } else if next.is_none_or(|(n, _)| ts < n) {
                next = Some((ts, i));
            }
        }
        let Some((_, i)) = best else { return Ok(false) };
        self.lanes[i].drain(next.map(|(ts, j)| (ts, i < j)), room, out);
        Ok(true)
    }

    /// Fault logs of all files.
    pub fn faults(&self) -> impl Iterator<Item = &FaultLog> {
        self.lanes.iter().map(|lane| lane.decoder.faults())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    struct Fixed(Vec<i64>, u32, bool, FaultLog);

    impl Decoder for Fixed {
        fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
            if self.0.is_empty() {
                return if self.2 { Err(FeedError::new(Path::new("x"), "line 9", "is cut")) } else { Ok(false) };
            }
            out.extend(self.0.drain(..self.0.len().min(2)).map(|ts| Event { ts_recv: ts, instrument_id: self.1, ..Event::default() }));
            Ok(true)
        }
        fn faults(&self) -> &FaultLog {
            &self.3
        }
    }

    fn fixed(ts: &[i64], id: u32, cut: bool) -> Box<dyn Decoder> {
        Box::new(Fixed(ts.to_vec(), id, cut, FaultLog::default()))
    }

    #[test]
    fn order_is_by_receive_stamp_and_ties_keep_the_files_order() {
        let mut m = Merge::new(vec![fixed(&[1, 4, 4, 9], 1, false), fixed(&[2, 4, 5, 5, 5], 2, false), fixed(&[4], 3, false)]);
        let mut out = Vec::new();
        while m.next_batch(&mut out).unwrap() {}
        let got: Vec<_> = out.iter().map(|e| (e.ts_recv, e.instrument_id)).collect();
        assert_eq!(got, [(1, 1), (2, 2), (4, 1), (4, 1), (4, 2), (4, 3), (5, 2), (5, 2), (5, 2), (9, 1)]);
        assert_eq!(m.events, 10);
    }

    #[test]
    fn what_was_read_before_a_refusal_is_given_first() {
        let mut m = Merge::new(vec![fixed(&[1, 2, 3], 1, true), fixed(&[2, 9], 2, false)]);
        let mut out = Vec::new();
        assert!(m.next_batch(&mut out).unwrap());
        assert_eq!(out.len(), 4);
        let e = m.next_batch(&mut out).unwrap_err();
        assert_eq!(e.events, 3);
        assert!(e.to_string().contains("x at line 9: is cut (3 events"));
    }
}
