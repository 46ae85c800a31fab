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
    is_side: bool,
}

impl Lane {
    fn new(decoder: Box<dyn Decoder>) -> Self {
        Self { decoder, batch: Vec::new(), at: 0, given: 0, refused: None, done: false, is_side: false }
    }

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
    begun: bool,
    /// Events given so far.
    pub events: u64,
}

impl Merge {
    /// A merge of `decoders`.
    #[must_use]
    pub fn new(decoders: Vec<Box<dyn Decoder>>) -> Self {
        Self { lanes: decoders.into_iter().map(Lane::new).collect(), refused: None, begun: false, events: 0 }
    }

    /// Adds what is known beside the recordings, before the first batch: its events go before theirs at equal stamps. Those from
    /// before the first event of the recordings, or after their last, are left out.
    pub fn add_side(&mut self, decoder: Box<dyn Decoder>) {
        self.lanes.insert(0, Lane { is_side: true, ..Lane::new(decoder) });
    }

    /// Leaves out what the side lanes say of the time before the recordings begin.
    fn skip_past(&mut self) -> Result<(), FeedError> {
        let (mut sides, mut others): (Vec<_>, Vec<_>) = self.lanes.iter_mut().partition(|lane| lane.is_side);
        if sides.is_empty() {
            return Ok(());
        }
        let mut begin: Option<i64> = None;
        for lane in &mut others {
            begin = [begin, lane.head()?].into_iter().flatten().min();
        }
        let Some(begin) = begin else { return Ok(()) };
        for lane in &mut sides {
            while lane.head()?.is_some_and(|ts| ts < begin) {
                lane.at += 1;
            }
        }
        Ok(())
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
        if !std::mem::replace(&mut self.begun, true) {
            self.skip_past()?;
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
        let mut goes_on = false;
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            let Some(ts) = lane.head()? else { continue };
            goes_on |= !lane.is_side;
            if best.is_none_or(|(b, _)| ts < b) {
                next = best;
                best = Some((ts, i));
            } else if next.is_none_or(|(n, _)| ts < n) {
                next = Some((ts, i));
            }
        }
        let Some((_, i)) = best.filter(|_| goes_on) else { return Ok(false) };
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
    fn what_is_known_beside_goes_first_at_equal_stamps_and_never_outside_the_recording() {
        let mut m = Merge::new(vec![fixed(&[4, 6], 1, false), fixed(&[5], 2, false)]);
        m.add_side(fixed(&[1, 3, 4, 5, 6, 7, 9], 9, false));
        let mut out = Vec::new();
        while m.next_batch(&mut out).unwrap() {}
        let got: Vec<_> = out.iter().map(|e| (e.ts_recv, e.instrument_id)).collect();
        assert_eq!(got, [(4, 9), (4, 1), (5, 9), (5, 2), (6, 9), (6, 1)]);
        let mut empty = Merge::new(vec![fixed(&[], 1, false)]);
        empty.add_side(fixed(&[1], 9, false));
        assert!(!empty.next_batch(&mut out).unwrap());
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
