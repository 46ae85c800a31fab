// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.feeds`: recordings to events.
use pretrade_feeds::{DbnDecoder, Decoder, FaultKind, LobsterDecoder, Merge};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One or several recordings as one stream in receive order.
#[pyclass(frozen, module = "pretrade._native.feeds")]
struct Stream {
    merge: Mutex<Merge>,
}

#[pymethods]
impl Stream {
    /// DBN `mbo` files; `instruments` gives our id by the venue's symbol.
    #[staticmethod]
    fn dbn(paths: Vec<PathBuf>, instruments: HashMap<String, u32>) -> PyResult<Self> {
        let open = |p: &PathBuf| DbnDecoder::open(p, &instruments).map(|d| Box::new(d) as Box<dyn Decoder>);
        let lanes: Result<Vec<_>, _> = paths.iter().map(open).collect();
        Ok(Self { merge: Mutex::new(Merge::new(lanes.map_err(|e| PyValueError::new_err(e.to_string()))?)) })
    }

    /// LOBSTER pairs: (message file, orderbook file, midnight in ns UTC, our instrument id).
    #[staticmethod]
    fn lobster(pairs: Vec<(PathBuf, PathBuf, i64, u32)>) -> PyResult<Self> {
        let open =
            |(m, b, midnight, id): &(PathBuf, PathBuf, i64, u32)| LobsterDecoder::open(m, b, *midnight, *id).map(|d| Box::new(d) as Box<dyn Decoder>);
        let lanes: Result<Vec<_>, _> = pairs.iter().map(open).collect();
        Ok(Self { merge: Mutex::new(Merge::new(lanes.map_err(|e| PyValueError::new_err(e.to_string()))?)) })
    }

    /// Bytes of the next batch of 64-byte records, empty at the end.
    fn next_batch<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        py.detach(|| self.lock().next_batch(&mut out)).map_err(|e| PyValueError::new_err(e.to_string()))?;
        Ok(PyBytes::new(py, bytemuck::cast_slice(&out)))
    }

    /// Events given so far.
    fn events(&self) -> u64 {
        self.lock().events
    }

    /// Counts of faults by kind.
    fn faults<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let out = PyDict::new(py);
        for kind in [FaultKind::SequenceGap, FaultKind::NegativeAge, FaultKind::BadLine] {
            out.set_item(kind.name(), self.lock().faults().map(|f| f.counts[kind as usize]).sum::<u64>())?;
        }
        Ok(out)
    }

    /// The first faults in words: (kind, file, place, what).
    fn fault_log(&self) -> Vec<(&'static str, PathBuf, String, String)> {
        self.lock()
            .faults()
            .flat_map(|log| &log.first)
            .take(1_000)
            .map(|f| (f.kind.name(), f.path.clone(), f.place.clone(), f.what.clone()))
            .collect()
    }
}

impl Stream {
    /// A decoder that panicked is left where it stood; its state is its own.
    fn lock(&self) -> MutexGuard<'_, Merge> {
        self.merge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Stream>()
}
