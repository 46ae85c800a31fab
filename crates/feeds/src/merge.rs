// SPDX-License-Identifier: Apache-2.0
//! Several recordings as one stream in receive order.
use crate::error::{FaultLog, FeedError};
use crate::{BATCH, Decoder};
use pretrade_records::Event;

struct Lane {
    decoder: Box<dyn Decoder>,
    batch: Vec<Event>,
    at: usize,
}

impl Lane {
    fn head(&mut self) -> Result<Option<Event>, FeedError> {
        if self.at == self.batch.len() {
            self.batch.clear();
            self.at = 0;
            if !self.decoder.next_batch(&mut self.batch)? {
                return Ok(None);
            }
        }
        Ok(Some(self.batch[self.at]))
    }
}

/// Merges decoders by `ts_recv`; equal stamps keep the order of the files.
pub struct Merge {
    lanes: Vec<Lane>,
    /// Events given so far.
    pub events: u64,
}

impl Merge {
    /// A merge of `decoders`.
    #[must_use]
    pub fn new(decoders: Vec<Box<dyn Decoder>>) -> Self {
        Self { lanes: decoders.into_iter().map(|decoder| Lane { decoder, batch: Vec::new(), at: 0 }).collect(), events: 0 }
    }

    /// Appends up to a batch of events; `false` at the end of all files.
    ///
    /// # Errors
    /// If a file is refused.
    pub fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let from = out.len();
        while out.len() - from < BATCH {
            let mut best: Option<(i64, usize)> = None;
            for (i, lane) in self.lanes.iter_mut().enumerate() {
                if let Some(event) = lane.head()?
                    && best.is_none_or(|(ts, _)| event.ts_recv < ts)
                {
                    best = Some((event.ts_recv, i));
                }
            }
            let Some((_, i)) = best else { break };
            let lane = &mut self.lanes[i];
            out.push(lane.batch[lane.at]);
            lane.at += 1;
        }
        self.events += (out.len() - from) as u64;
        Ok(out.len() > from)
    }

    /// Fault logs of all files.
    pub fn faults(&self) -> impl Iterator<Item = &FaultLog> {
        self.lanes.iter().map(|lane| lane.decoder.faults())
    }
}
