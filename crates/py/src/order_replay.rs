// SPDX-License-Identifier: Apache-2.0
//! A recording laid into the matching engine, for Python.
use crate::features::each_event;
use pretrade_records::{Event, Side};
use pretrade_venue::engine::auction::AtMarket;
use pretrade_venue::engine::replay::{Replay, Share};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// (price, volume, imbalance, shares)
type Auctioned = (i64, i64, i64, Vec<Share>);

/// The engine's book under a venue's own order ids.
#[pyclass(module = "pretrade._native.simulation")]
pub(crate) struct OrderReplay {
    replay: Replay,
    tick_size: i64,
}

fn side_of(code: u8) -> PyResult<Side> {
    Side::try_from(code).map_err(|e| PyValueError::new_err(e.to_string()))
}

#[pymethods]
impl OrderReplay {
    #[new]
    fn new(tick_size: i64, lowest_tick: i32, ticks: usize) -> Self {
        Self { replay: Replay::new(tick_size, lowest_tick, ticks), tick_size }
    }

    /// Takes recorded events, 64 bytes each.
    fn push(&mut self, events: &[u8]) -> PyResult<()> {
        each_event(events, |e: &Event| self.replay.push(e))
    }

    /// Levels of a side, best first: price in 1e-9 and the orders of the queue, oldest first, as (id, size).
    fn book(&self, side: u8) -> PyResult<Vec<(i64, Vec<Share>)>> {
        let (side, engine) = (side_of(side)?, self.replay.engine());
        Ok(engine.levels(side).map(|(t, _)| (self.price(t), engine.queue(side, t).collect())).collect())
    }

    /// Orders at one price, oldest first.
    fn queue(&self, side: u8, price: i64) -> PyResult<Vec<Share>> {
        Ok(self.replay.engine().queue(side_of(side)?, i32::try_from(price / self.tick_size).unwrap_or(i32::MIN)).collect())
    }

    /// Best bid and best ask in 1e-9.
    fn touch(&self) -> (Option<i64>, Option<i64>) {
        let engine = self.replay.engine();
        (engine.best_bid().map(|t| self.price(t)), engine.best_ask().map(|t| self.price(t)))
    }

    /// Number of orders.
    fn orders(&self) -> u32 {
        self.replay.engine().live_orders()
    }

    /// Events that named an unknown order; orders off the grid or the ladder.
    fn faults(&self) -> (u64, u64) {
        (self.replay.unknown, self.replay.unplaced)
    }

    /// Whom an aggressor of `side` (an order side code) would trade with now.
    fn would_fill(&self, side: u8, quantity: i64) -> PyResult<Vec<Share>> {
        Ok(self.replay.would_fill(side_of(side)?, quantity))
    }

    /// What an auction with so many lots at market would give now, at the price nearest `reference` of several as good.
    fn would_uncross(&self, buys: i64, sells: i64, reference: i64) -> Option<Auctioned> {
        let tick = i32::try_from(reference / self.tick_size).ok()?;
        let (found, shares) = self.replay.would_uncross(AtMarket { buys, sells }, tick)?;
        Some((self.price(found.tick), found.volume, found.imbalance, shares))
    }
}

impl OrderReplay {
    fn price(&self, tick: i32) -> i64 {
        i64::from(tick) * self.tick_size
    }
}
