// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.limits`: the four tables, records as bytes, errors as `TableError`.
use numpy::PyReadonlyArray1;
use pretrade_journal::layouts as journal_layouts;
use pretrade_records::parameter::{Direction, Parameter};
use pretrade_shm::clock::{self, ClockDomain};
use pretrade_shm::gate::GateWord;
use pretrade_shm::layout::Layout;
use pretrade_shm::{
    Access, ControlsRecord, ControlsTable, CreateOptions, GateTable, Level, LimitsTable, QuotesTable, ReadOutcome, Table, TableError, TableRecord,
    layouts, sigbus,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// An exception of `pretrade.domain.errors` by name.
pub(crate) fn raise(py: Python<'_>, name: &str, message: String) -> PyErr {
    match py.import("pretrade.domain.errors").and_then(|errors| errors.getattr(name)).and_then(|kind| kind.call1((message,))) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

fn refused(py: Python<'_>, error: &TableError) -> PyErr {
    raise(py, "TableError", error.to_string())
}

fn domain_of(bytes: &[u8]) -> PyResult<ClockDomain> {
    bytes.try_into().map_err(|_| PyValueError::new_err(format!("clock domain has {} bytes; it must have 16", bytes.len())))
}

fn access_of(name: &str) -> PyResult<Access> {
    match name {
        "read" => Ok(Access::Read),
        "write" => Ok(Access::Write),
        "shared" => Ok(Access::Shared),
        other => Err(PyValueError::new_err(format!("access is {other:?}; it must be read, write or shared"))),
    }
}

/// Publishes records, each into the slot of its key; new keys take new slots.
fn publish<R: TableRecord>(table: &mut Table<R>, bytes: &[u8]) -> Result<usize, TableError> {
    let size = size_of::<R>();
    if !bytes.len().is_multiple_of(size) {
        return Err(TableError::new(table.path(), format!("{} bytes are no whole number of {size}-byte records", bytes.len())));
    }
    for chunk in bytes.chunks_exact(size) {
        let record: R = bytemuck::pod_read_unaligned(chunk);
        let (first, second) = record.key();
        let slot = match table.slot(first, second) {
            Some(slot) => slot,
            None => table.insert(first, second)?,
        };
        table.publish(slot, &record)?;
    }
    Ok(bytes.len() / size)
}

fn read_intact<R: TableRecord>(table: &Table<R>, slot: usize) -> Result<R, TableError> {
    let mut record = R::zeroed();
    if table.is_dead() {
        return Err(TableError::new(table.path(), "was truncated while mapped; the table is dead"));
    }
    if table.read(slot, &mut record) == ReadOutcome::Torn {
        return Err(TableError::new(table.path(), format!("record {slot} stays half written; its writer died, a new writer repairs it")));
    }
    if !Table::<R>::is_intact(&record) {
        return Err(TableError::new(table.path(), format!("record {slot} does not match its checksum")));
    }
    Ok(record)
}

macro_rules! table_class {
    ($class:ident, $table:ty, $name:literal { $($extra:tt)* }) => {
        #[doc = concat!("The `", $name, "` table.")]
        #[pyclass(module = "pretrade._native.limits")]
        pub(crate) struct $class(pub(crate) $table);

        #[pymethods]
        impl $class {
            #[staticmethod]
            #[pyo3(signature = (path, keys, clock_domain, *, capacity = 0, epoch = 1, owner_id = 0, ts_created = 0))]
            #[allow(clippy::too_many_arguments, reason = "one border function per table, keyword-only after three")]
            fn create(
                py: Python<'_>, path: PathBuf, keys: Vec<(u32, u32)>, clock_domain: &[u8], capacity: usize, epoch: u32, owner_id: u32, ts_created: i64,
            ) -> PyResult<Self> {
                let options = CreateOptions { clock_domain: domain_of(clock_domain)?, epoch, capacity, owner_id, ts_created };
                <$table>::create(&path, &keys, &options).map(Self).map_err(|e| refused(py, &e))
            }

            #[staticmethod]
            fn open(py: Python<'_>, path: PathBuf, clock_domain: &[u8], access: &str) -> PyResult<Self> {
                <$table>::open(&path, &domain_of(clock_domain)?, access_of(access)?).map(Self).map_err(|e| refused(py, &e))
            }

            fn publish(&mut self, py: Python<'_>, records: PyReadonlyArray1<'_, u8>) -> PyResult<usize> {
                publish(&mut self.0, records.as_slice()?).map_err(|e| refused(py, &e))
            }

            /// Record of a key as bytes, `None` where the table has none.
            fn read<'py>(&self, py: Python<'py>, first: u32, second: u32) -> PyResult<Option<Bound<'py, PyBytes>>> {
                let Some(slot) = self.0.slot(first, second) else { return Ok(None) };
                let record = read_intact(&self.0, slot).map_err(|e| refused(py, &e))?;
                Ok(Some(PyBytes::new(py, bytemuck::bytes_of(&record))))
            }

            /// Every record as bytes, in slot order.
            fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
                let mut bytes = Vec::new();
                for slot in 0..self.0.used() {
                    let record = read_intact(&self.0, slot).map_err(|e| refused(py, &e))?;
                    bytes.extend_from_slice(bytemuck::bytes_of(&record));
                }
                Ok(PyBytes::new(py, &bytes))
            }

            fn heartbeat(&self, py: Python<'_>, channel: u16, mono_tick: i64, mono_data: i64) -> PyResult<()> {
                self.0.heartbeat(channel, mono_tick, mono_data).map_err(|e| refused(py, &e))
            }

            fn channel(&self, channel: u16) -> (i64, i64) {
                self.0.channel(channel)
            }

            fn keys(&self) -> Vec<(u32, u32)> {
                self.0.keys().into_iter().map(|(key, _)| key).collect()
            }

            /// Keys whose records cannot be read now (half written or corrupt).
            fn broken(&self) -> Vec<(u32, u32)> {
                self.0.keys().into_iter().filter(|(_, slot)| read_intact(&self.0, *slot).is_err()).map(|(key, _)| key).collect()
            }

            /// Keys whose records the present writer repaired when it took over.
            fn repaired(&self) -> Vec<(u32, u32)> {
                self.0.keys().into_iter().filter(|(_, slot)| self.0.repaired().contains(slot)).map(|(key, _)| key).collect()
            }

            fn header<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
                header(py, &self.0)
            }

            #[getter]
            fn epoch(&self) -> u32 {
                self.0.epoch()
            }

            #[getter]
            fn generation(&self) -> u64 {
                self.0.generation()
            }

            #[getter]
            fn is_dead(&self) -> bool {
                self.0.is_dead()
            }

            #[getter]
            fn is_retired(&self) -> bool {
                self.0.is_retired()
            }

            $($extra)*
        }
    };
}

fn header<'py, R: TableRecord>(py: Python<'py>, table: &Table<R>) -> PyResult<Bound<'py, PyDict>> {
    let header = table.header();
    let dict = PyDict::new(py);
    dict.set_item("epoch", header.epoch)?;
    dict.set_item("clock_domain", PyBytes::new(py, &header.clock_domain))?;
    dict.set_item("layout_version", header.layout_version)?;
    dict.set_item("layout_hash", header.layout_hash)?;
    dict.set_item("record_count", header.record_count)?;
    dict.set_item("used", header.used)?;
    dict.set_item("owner_id", header.owner_id)?;
    dict.set_item("ts_created", header.ts_created)?;
    dict.set_item("writer_pid", header.writer_pid)?;
    dict.set_item("writer_heartbeat", header.writer_heartbeat)?;
    dict.set_item("generation", header.generation)?;
    dict.set_item("kill_word", header.kill_word)?;
    Ok(dict)
}

table_class!(NativeLimits, LimitsTable, "limits" {});
table_class!(NativeQuotes, QuotesTable, "quotes" {});
table_class!(NativeControls, ControlsTable, "controls" {
    /// True where nothing lies at `path`, or a whole table of another boot or simulated run: no live gateway reads it.
    #[staticmethod]
    fn is_free(path: PathBuf, clock_domain: &[u8]) -> PyResult<bool> {
        let is_foreign = |domain: ClockDomain| ControlsTable::open(&path, &domain, Access::Read).is_err_and(|e| e.is_foreign_clock || e.is_absent);
        Ok(is_foreign(domain_of(clock_domain)?) && clock::boot_domain().is_ok_and(is_foreign))
    }

    #[getter]
    fn kill_word(&self) -> u64 {
        self.0.kill_word()
    }

    fn arm_kill(&self, py: Python<'_>) -> PyResult<u64> {
        self.0.arm_kill().map_err(|e| refused(py, &e))
    }

    fn raise_kill_count(&self, py: Python<'_>, number: u64) -> PyResult<()> {
        self.0.raise_kill_count(number).map_err(|e| refused(py, &e))
    }

    fn raise_kill(&self, py: Python<'_>, number: u64) -> PyResult<()> {
        self.0.raise_kill(number).map_err(|e| refused(py, &e))
    }

    fn raise_row_kill(&self, py: Python<'_>, id: u32, level: u8, number: u64) -> PyResult<()> {
        self.0.raise_row_kill(self.row(py, id, level)?, number).map_err(|e| refused(py, &e))
    }

    fn release_kill(&self, py: Python<'_>, number: u64) -> PyResult<bool> {
        self.0.release_kill(number).map_err(|e| refused(py, &e))
    }

    fn bump_generation(&self, py: Python<'_>) -> PyResult<u64> {
        self.0.bump_generation().map_err(|e| refused(py, &e))
    }

    fn arm_row_kill(&self, py: Python<'_>, id: u32, level: u8) -> PyResult<u64> {
        self.0.arm_row_kill(self.row(py, id, level)?).map_err(|e| refused(py, &e))
    }

    fn release_row_kill(&self, py: Python<'_>, id: u32, level: u8, number: u64) -> PyResult<bool> {
        self.0.release_row_kill(self.row(py, id, level)?, number).map_err(|e| refused(py, &e))
    }

    fn trip(&self, py: Python<'_>, id: u32, level: u8) -> PyResult<u64> {
        self.0.trip(self.row(py, id, level)?).map_err(|e| refused(py, &e))
    }

    fn raise_trip(&self, py: Python<'_>, id: u32, level: u8, trip_id: u64) -> PyResult<()> {
        self.0.raise_trip(self.row(py, id, level)?, trip_id).map_err(|e| refused(py, &e))
    }

    fn set_reduce_only(&self, py: Python<'_>, id: u32, level: u8, is_on: u8) -> PyResult<()> {
        self.0.set_reduce_only(self.row(py, id, level)?, is_on != 0).map_err(|e| refused(py, &e))
    }

    /// (kill, trip, reduce-only) words of a row.
    fn state(&self, py: Python<'_>, id: u32, level: u8) -> PyResult<(u64, u64, u64)> {
        let state = self.0.state(self.row(py, id, level)?);
        Ok((state.kill, state.trip, state.reduce_only))
    }
});
table_class!(NativeGate, GateTable, "gate" {
    /// Gateway-wide words by name.
    fn words<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, word) in GATE_WORDS {
            dict.set_item(name, self.0.word(word))?;
        }
        Ok(dict)
    }

    /// HOLDs by reason code, of the reasons that may hold.
    fn held_reasons(&self) -> HashMap<u8, u64> {
        self.0.held_reasons().into_iter().collect()
    }

    /// Refusals by reason code, HOLDs included.
    fn reasons(&self) -> Vec<u64> {
        self.0.reasons()
    }
});

impl NativeControls {
    fn row(&self, py: Python<'_>, id: u32, level: u8) -> PyResult<usize> {
        self.0.slot(id, u32::from(level)).ok_or_else(|| {
            let level = Level::try_from(level).map_or_else(|e| e.to_string(), |l| l.name().to_owned());
            raise(py, "TableError", format!("{}: has no row of {level} {id}", self.0.path().display()))
        })
    }
}

const GATE_WORDS: [(&str, GateWord); 14] = [
    ("journal_head", GateWord::JournalHead),
    ("journal_durable", GateWord::JournalDurable),
    ("checkpoint", GateWord::Checkpoint),
    ("accepted", GateWord::Accepted),
    ("held", GateWord::Held),
    ("rejected", GateWord::Rejected),
    ("generation", GateWord::Generation),
    ("kill_word", GateWord::KillWord),
    ("stage", GateWord::Stage),
    ("mono_decision", GateWord::MonoDecision),
    ("ring_fill_ppm", GateWord::RingFillPpm),
    ("poisoned", GateWord::Poisoned),
    ("torn_reads", GateWord::TornReads),
    ("stage_changes", GateWord::StageChanges),
];

/// Boot id of this host, 16 bytes.
#[pyfunction]
fn boot_domain(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
    let domain = clock::boot_domain().map_err(|e| raise(py, "TableError", format!("/proc/sys/kernel/random/boot_id: {e}")))?;
    Ok(PyBytes::new(py, &domain))
}

/// Clock domain of a simulated run, 16 bytes.
#[pyfunction]
fn simulated_domain(py: Python<'_>, run: u64) -> Bound<'_, PyBytes> {
    PyBytes::new(py, &clock::simulated_domain(run))
}

/// True for a clock domain of a simulated run.
#[pyfunction]
fn is_simulated(domain: &[u8]) -> PyResult<bool> {
    Ok(clock::is_simulated(&domain_of(domain)?))
}

/// Installs the SIGBUS handler of this process: a truncated table reads as zeros instead of killing it.
#[pyfunction]
fn install_sigbus() -> PyResult<()> {
    sigbus::install().map_err(PyErr::from)
}

/// Where a table lies in a run directory, by the file's first word; `None` for no table.
#[pyfunction]
fn table_kind(path: PathBuf) -> Option<&'static str> {
    let magic = first_word(&path)?;
    [(LimitsTable::magic(), "limits"), (QuotesTable::magic(), "quotes"), (ControlsTable::magic(), "controls"), (GateTable::magic(), "gate")]
        .into_iter()
        .find_map(|(m, name)| (m == magic).then_some(name))
}

fn first_word(path: &Path) -> Option<u64> {
    use std::io::Read;
    let mut bytes = [0; 8];
    std::fs::File::open(path).ok()?.read_exact(&mut bytes).ok()?;
    Some(u64::from_le_bytes(bytes))
}

fn layout_dict<'py>(py: Python<'py>, layout: &Layout) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyList::empty(py);
    for field in layout.fields {
        fields.append((field.name, field.kind, field.offset, field.size))?;
    }
    let dict = PyDict::new(py);
    dict.set_item("name", layout.name)?;
    dict.set_item("version", layout.version)?;
    dict.set_item("size", layout.size)?;
    dict.set_item("hash", layout.hash())?;
    dict.set_item("fields", fields)?;
    Ok(dict)
}

/// The file of an annex of `controls`: number and lines with their checksum, refused where a gate could not read it.
#[pyfunction]
fn annex_text(number: u64, lines: &str) -> PyResult<String> {
    let body = format!("pretrade-annex 1 {number}\n{lines}");
    let text = format!("{body}crc32c {:08x}\n", pretrade_shm::crc::crc32c(body.as_bytes()));
    pretrade_gate::annex::Annex::parse(&text).map_err(PyValueError::new_err)?;
    Ok(text)
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    m.add_class::<NativeLimits>()?;
    m.add_class::<NativeQuotes>()?;
    m.add_class::<NativeControls>()?;
    m.add_class::<NativeGate>()?;
    m.add_function(wrap_pyfunction!(boot_domain, m)?)?;
    m.add_function(wrap_pyfunction!(simulated_domain, m)?)?;
    m.add_function(wrap_pyfunction!(is_simulated, m)?)?;
    m.add_function(wrap_pyfunction!(install_sigbus, m)?)?;
    m.add_function(wrap_pyfunction!(table_kind, m)?)?;
    m.add_function(wrap_pyfunction!(annex_text, m)?)?;
    let all = PyDict::new(py);
    for layout in layouts::ALL.iter().chain(&journal_layouts::ALL) {
        all.set_item(layout.name, layout_dict(py, layout)?)?;
    }
    m.add("LAYOUTS", all)?;
    let levels = PyDict::new(py);
    for level in Level::ALL {
        levels.set_item(level.name(), *level as u8)?;
    }
    m.add("LEVELS", levels)?;
    let directions = PyDict::new(py);
    for parameter in Parameter::ALL {
        directions.set_item(parameter.name(), if parameter.direction() == Direction::SmallerIsTighter { -1 } else { 1 })?;
    }
    m.add("DIRECTIONS", directions)?;
    let inputs = PyDict::new(py);
    for input in pretrade_gate::checks::user::Input::ALL {
        inputs.set_item(input.name(), *input as u8)?;
    }
    m.add("CHECK_INPUTS", inputs)?;
    m.add("CHANNELS", pretrade_shm::header::CHANNELS)?;
    m.add("CONTROLS_SIZE", size_of::<ControlsRecord>())
}
