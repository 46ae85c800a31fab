// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.bus`: the framed journal of events.
use crate::limits::raise;
use numpy::PyReadonlyArray1;
use pretrade_journal::frame::MAX_PAYLOAD;
use pretrade_journal::{JournalError, JournalOptions, JournalReader, JournalWriter, Position};
use pretrade_records::Event;
use pretrade_shm::layouts::EVENT;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

pub(crate) fn journal_error(py: Python<'_>, error: &JournalError) -> PyErr {
    raise(py, "JournalError", error.to_string())
}

/// (offset, next sequence number).
type Place = (u64, u64);

const fn place(position: Position) -> Place {
    (position.offset, position.next_seq)
}

/// The one writer of a journal of events.
#[pyclass(module = "pretrade._native.bus")]
pub(crate) struct NativeJournal {
    writer: Option<JournalWriter>,
    path: PathBuf,
}

impl NativeJournal {
    pub(crate) fn writer(&mut self, py: Python<'_>) -> PyResult<&mut JournalWriter> {
        let path = self.path.display().to_string();
        self.writer.as_mut().ok_or_else(|| raise(py, "JournalError", format!("{path}: is closed")))
    }
}

#[pymethods]
impl NativeJournal {
    #[new]
    #[pyo3(signature = (path, *, stream = 1, shard = 0, source = 0, ts_created = 0))]
    fn new(py: Python<'_>, path: PathBuf, stream: u16, shard: u16, source: u64, ts_created: i64) -> PyResult<Self> {
        let options = JournalOptions { stream, shard, schema_version: EVENT.version, source, layout_hash: EVENT.hash(), ts_created };
        let writer = py.detach(|| JournalWriter::open(&path, options)).map_err(|e| journal_error(py, &e))?;
        Ok(NativeJournal { writer: Some(writer), path })
    }

    /// Appends events; written when this returns.
    fn append(&mut self, py: Python<'_>, events: PyReadonlyArray1<'_, u8>) -> PyResult<Place> {
        let bytes = events.as_slice()?;
        if bytes.len() % size_of::<Event>() != 0 {
            return Err(raise(py, "JournalError", format!("{} bytes are no whole number of {}-byte events", bytes.len(), size_of::<Event>())));
        }
        let copied: Vec<Event>;
        let events: &[Event] = match bytemuck::try_cast_slice(bytes) {
            Ok(events) => events,
            Err(_) => {
                copied = bytes.chunks_exact(size_of::<Event>()).map(bytemuck::pod_read_unaligned).collect();
                &copied
            }
        };
        let writer = self.writer(py)?;
        py.detach(|| writer.append(events)).map(place).map_err(|e| journal_error(py, &e))
    }

    /// Syncs; returns the durable position.
    fn commit(&mut self, py: Python<'_>) -> PyResult<Place> {
        let writer = self.writer(py)?;
        py.detach(|| writer.commit()).map(place).map_err(|e| journal_error(py, &e))
    }

    /// Commits and closes.
    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(mut writer) = self.writer.take() {
            py.detach(|| writer.commit().map(|_| ())).map_err(|e| journal_error(py, &e))?;
        }
        Ok(())
    }

    #[getter]
    fn end(&mut self, py: Python<'_>) -> PyResult<Place> {
        Ok(place(self.writer(py)?.end()))
    }

    #[getter]
    fn committed(&mut self, py: Python<'_>) -> PyResult<Place> {
        Ok(place(self.writer(py)?.committed()))
    }

    /// Corruption found when opening.
    fn problems(&mut self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.writer(py)?.problems().iter().map(ToString::to_string).collect())
    }
}

/// Reads events while they are being written.
#[pyclass(module = "pretrade._native.bus")]
struct NativeReader(JournalReader);

#[pymethods]
impl NativeReader {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        JournalReader::open(&path).map(Self).map_err(|e| journal_error(py, &e))
    }

    /// Whole frames of events as bytes until about `at_most` events; empty at the end of what is written.
    fn read<'py>(&mut self, py: Python<'py>, at_most: usize) -> PyResult<Bound<'py, PyBytes>> {
        let mut events = Vec::new();
        py.detach(|| self.0.read_events(&mut events, at_most)).map_err(|e| journal_error(py, &e))?;
        Ok(PyBytes::new(py, bytemuck::cast_slice(&events)))
    }

    #[getter]
    fn position(&self) -> Place {
        place(self.0.position())
    }

    fn seek(&mut self, py: Python<'_>, offset: u64, next_seq: u64) -> PyResult<()> {
        self.0.seek(Position { offset, next_seq }).map_err(|e| journal_error(py, &e))
    }

    #[getter]
    fn committed(&self, py: Python<'_>) -> PyResult<Option<Place>> {
        Ok(self.0.committed().map_err(|e| journal_error(py, &e))?.map(place))
    }

    fn problems(&self) -> Vec<String> {
        self.0.problems().iter().map(ToString::to_string).collect()
    }
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<NativeJournal>()?;
    m.add_class::<NativeReader>()?;
    m.add("MAX_EVENTS_PER_FRAME", MAX_PAYLOAD / size_of::<Event>())
}
