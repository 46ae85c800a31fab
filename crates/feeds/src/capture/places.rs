// SPDX-License-Identifier: Apache-2.0
//! The states of one venue's instruments by the venue's symbol.
use super::{Instruments, Trouble};
use crate::table::TableInstrument;
use std::collections::HashMap;

/// States by symbol; one that is not wanted has none.
pub(super) struct Places<S> {
    venue: &'static str,
    states: HashMap<String, Option<S>>,
}

impl<S> Places<S> {
    pub fn new(venue: &'static str) -> Self {
        Self { venue, states: HashMap::new() }
    }

    /// The state of a symbol, made when it is first met; `None` where the instrument is not wanted.
    pub fn get(&mut self, instruments: &Instruments, symbol: &str, make: impl FnOnce(TableInstrument) -> S) -> Result<Option<&mut S>, Trouble> {
        if !self.states.contains_key(symbol) {
            let found = instruments.find(self.venue, symbol)?;
            self.states.insert(symbol.to_owned(), found.map(make));
        }
        Ok(self.states.get_mut(symbol).and_then(Option::as_mut))
    }
}
