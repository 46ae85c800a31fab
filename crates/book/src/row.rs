// SPDX-License-Identifier: Apache-2.0
//! The feature row and what an engine must know of an instrument.
use crate::features::{COUNT, Feature};
use bytemuck::{Pod, Zeroable};

/// What an instrument is, as the engine needs it.
#[derive(Clone, Debug)]
pub struct InstrumentSpec {
    /// Our id.
    pub instrument_id: u32,
    /// Tick size in 1e-9.
    pub tick_size: i64,
    /// Average daily volume, 0 = absent.
    pub adv: i64,
    /// Calendar: sorted (start, end, phase) in ns UTC; outside it is CLOSED.
    pub phases: Vec<(i64, i64, u8)>,
}

/// How rows are closed.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotSpec {
    /// Grid step, ns; windows count 100 ms steps.
    pub interval_ns: i64,
    /// Most levels looked at.
    pub depth_levels: usize,
    /// Silence of the feed beyond which it is stale, ns.
    pub stale_after_ns: i64,
    /// Window of visible depth in the quotes record, ticks.
    pub depth_window_ticks: i64,
}

/// One feature row.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Row {
    /// When the row closed, ns UTC.
    pub ts_recv: i64,
    /// Venue time of the last record in it.
    pub ts_event: i64,
    /// Bit i = feature i is defined.
    pub valid: u64,
    /// Instrument.
    pub instrument_id: u32,
    /// [`pretrade_records::Phase`] code.
    pub phase: u8,
    /// [`pretrade_records::FeedState`] bits.
    pub feed_state: u8,
    /// Levels used, the smaller side.
    pub levels: u8,
    /// 0 on the grid, 1 event-driven.
    pub kind: u8,
    /// Values, 0 where undefined.
    pub values: [f64; COUNT],
}

const _: () = assert!(COUNT <= 64, "a row has 64 validity bits");

impl Row {
    /// Sets a feature; a value that is not finite stays undefined.
    pub fn set(&mut self, feature: Feature, value: f64) {
        if value.is_finite() {
            self.values[feature as usize] = value;
            self.valid |= 1 << feature as usize;
        }
    }

    /// Sets a feature where it is defined.
    pub fn set_if(&mut self, feature: Feature, is_defined: bool, value: f64) {
        if is_defined {
            self.set(feature, value);
        }
    }

    /// Sets a feature where there is a value.
    pub fn set_some(&mut self, feature: Feature, value: Option<f64>) {
        if let Some(value) = value {
            self.set(feature, value);
        }
    }
}
