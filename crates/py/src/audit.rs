// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.audit`: durable frames of the control journal, verification of gate journals.
use crate::bus::journal_error;
use pretrade_journal::copier::GATE_JOURNAL_MAGIC;
use pretrade_journal::frame::JOURNAL_MAGIC;
use pretrade_journal::{JournalOptions, JournalReader, JournalWriter, Position, verify_gate_journal};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::path::PathBuf;

/// Stream number of control journals.
const CONTROL_STREAM: u16 = 2;

fn options() -> JournalOptions {
    JournalOptions { stream: CONTROL_STREAM, schema_version: 1, ..Default::default() }
}

/// Appends one payload durably; opens and closes the journal, so that its lock is held only meanwhile. `expect` is the
/// sequence number the payload must get.
#[pyfunction]
fn append_durable(py: Python<'_>, path: PathBuf, payload: &[u8], expect: u64, ts: i64) -> PyResult<(u64, u64)> {
    let appended = py.detach(|| {
        let mut writer = JournalWriter::open(&path, options())?;
        if writer.end().next_seq != expect {
            let problem = format!("ends at record {}; the next was to be {expect}", writer.end().next_seq);
            return Err(pretrade_journal::JournalError::new(&path, pretrade_journal::error::JournalErrorKind::Refused, problem));
        }
        writer.append_frame(payload, 1, ts, ts)?;
        writer.commit()
    });
    appended.map(|position| (position.offset, position.next_seq)).map_err(|e| journal_error(py, &e))
}

/// Payloads from a position on: (list of (seq, bytes), offset, next_seq, problems).
#[pyfunction]
#[pyo3(signature = (path, offset = 4096, next_seq = 0))]
fn read_frames<'py>(py: Python<'py>, path: PathBuf, offset: u64, next_seq: u64) -> PyResult<(Bound<'py, PyList>, u64, u64, Vec<String>)> {
    let fail = |e| journal_error(py, &e);
    let mut reader = JournalReader::open(&path).map_err(fail)?;
    reader.seek(Position { offset, next_seq }).map_err(fail)?;
    let frames = PyList::empty(py);
    while let Some((header, payload)) = reader.next_frame().map_err(fail)? {
        frames.append((header.first_seq, PyBytes::new(py, payload)))?;
    }
    let mut problems: Vec<String> = reader.problems().iter().map(ToString::to_string).collect();
    let end = reader.position();
    if let Some(committed) = reader.committed().map_err(fail)?
        && end.offset < committed.offset
    {
        problems.push(format!("{}: ends at offset {}; {} was committed", path.display(), end.offset, committed.offset));
    }
    Ok((frames, end.offset, end.next_seq, problems))
}

/// Verifies checksums, order and hash chain of a gate journal on disk.
#[pyfunction]
fn verify_gate(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let found = py.detach(|| verify_gate_journal(&path)).map_err(|e| journal_error(py, &e))?;
    let dict = PyDict::new(py);
    dict.set_item("records", found.records)?;
    dict.set_item("batches", found.batches)?;
    dict.set_item("loose", found.loose)?;
    dict.set_item("head", PyBytes::new(py, &found.head))?;
    dict.set_item("problem_count", found.problem_count)?;
    dict.set_item("problems", found.problems)?;
    Ok(dict)
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(append_durable, m)?)?;
    m.add_function(wrap_pyfunction!(read_frames, m)?)?;
    m.add_function(wrap_pyfunction!(verify_gate, m)?)?;
    m.add("CONTROL_MAGIC", PyBytes::new(m.py(), &JOURNAL_MAGIC.to_le_bytes()))?;
    m.add("GATE_MAGIC", PyBytes::new(m.py(), &GATE_JOURNAL_MAGIC.to_le_bytes()))
}
