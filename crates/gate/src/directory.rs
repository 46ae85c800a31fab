// SPDX-License-Identifier: Apache-2.0
//! From an id to its index: an array for small ids, a map for the rest.
use std::collections::HashMap;

const DENSE: usize = 1 << 16;

/// Index of ids, fixed once built.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// index + 1, 0 = unknown.
    dense: Vec<u32>,
    sparse: HashMap<u32, u32>,
}

impl Directory {
    /// Numbers the ids in their order, from `first`.
    #[must_use]
    pub fn new(ids: impl IntoIterator<Item = u32>, first: u32) -> Self {
        let mut directory = Directory::default();
        for (at, id) in (first..).zip(ids) {
            if (id as usize) < DENSE {
                if directory.dense.len() <= id as usize {
                    directory.dense.resize(id as usize + 1, 0);
                }
                directory.dense[id as usize] = at + 1;
            } else {
                directory.sparse.insert(id, at);
            }
        }
        directory
    }

    /// Index of an id.
    #[inline(always)]
    #[must_use]
    pub fn get(&self, id: u32) -> Option<usize> {
        match self.dense.get(id as usize) {
            Some(0) => None,
            Some(at) => Some(*at as usize - 1),
            None => self.sparse.get(&id).map(|at| *at as usize),
        }
    }
}
