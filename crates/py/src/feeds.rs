// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.feeds`: recordings to events.
use crate::journal_feed::JournalDecoder;
use numpy::{PyArrayMethods, PyReadonlyArray1};
use pretrade_feeds::capture::{self, Instruments};
use pretrade_feeds::source::{self, Meter, Source};
use pretrade_feeds::table::{Column, Surroundings, TypedStamps};
use pretrade_feeds::taq::{self, TaqRows};
use pretrade_feeds::{
    BATCH, CaptureDecoder, Cell, CsvDecoder, DbnDecoder, Decoder, FaultKind, FaultLog, FeedError, LobsterDecoder, Merge, RowDecoder, RowReader,
    TableInstrument, TableMap,
};
use pretrade_records::Event;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

fn refused(e: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(e.to_string())
}

/// One or several recordings as one stream in receive order.
#[pyclass(frozen, module = "pretrade._native.feeds")]
struct Stream {
    merge: Mutex<Merge>,
    meter: Meter,
}

type Opened = Result<Box<dyn Decoder>, FeedError>;

fn boxed(decoder: impl Decoder + 'static) -> Box<dyn Decoder> {
    Box::new(decoder)
}

#[pymethods]
impl Stream {
    /// DBN files; `instruments` gives our id by the venue's symbol.
    #[staticmethod]
    fn dbn(paths: Vec<PathBuf>, instruments: HashMap<String, u32>) -> PyResult<Self> {
        Self::of(|meter| {
            let open = |p: &PathBuf| DbnDecoder::from_reader(p, source::metered(p, meter)?, &instruments).map(boxed);
            paths.iter().map(open).collect()
        })
    }

    /// LOBSTER pairs: (message file, orderbook file, midnight in ns UTC, our instrument id).
    #[staticmethod]
    fn lobster(pairs: Vec<(PathBuf, PathBuf, i64, u32)>) -> PyResult<Self> {
        Self::of(|meter| {
            let open = |(m, b, midnight, id): &(PathBuf, PathBuf, i64, u32)| -> Opened {
                let readers = ((m.as_path(), source::metered(m, meter)?), (b.as_path(), source::metered(b, meter)?));
                Ok(boxed(LobsterDecoder::from_readers(readers.0, readers.1, *midnight, *id)))
            };
            pairs.iter().map(open).collect()
        })
    }

    /// Tables: a file with its map, and where it is no CSV file an iterator of its columns, batch by batch.
    #[staticmethod]
    fn table(tables: Vec<(PathBuf, PyRef<'_, Map>, Option<Py<PyAny>>)>) -> PyResult<Self> {
        Self::of(|meter| {
            let open = |(path, map, batches): (PathBuf, PyRef<'_, Map>, Option<Py<PyAny>>)| match batches {
                None => CsvDecoder::from_reader(&path, source::metered(&path, meter)?, map.0.clone()).map(boxed),
                Some(batches) => {
                    Ok(boxed(ColumnDecoder { rows: Box::new(RowDecoder::new(map.0.clone(), &path, "row")), path, batches, row: 0, done: false }))
                }
            };
            tables.into_iter().map(open).collect()
        })
    }

    /// Files of US equity quotes or prints: path, our instrument id, whether it holds quotes, an iterator of its columns.
    #[staticmethod]
    fn taq(files: Vec<(PathBuf, u32, bool, Py<PyAny>)>) -> PyResult<Self> {
        Self::of(|_| {
            let open = |(path, instrument_id, quotes, batches): (PathBuf, u32, bool, Py<PyAny>)| {
                let instrument = TableInstrument { instrument_id, quantity_exponent: 0, allow_negative_price: false };
                let rows = Box::new(TaqRows::new(&path, instrument, quotes));
                Ok(boxed(ColumnDecoder { rows, path, batches, row: 0, done: false }))
            };
            files.into_iter().map(open).collect()
        })
    }

    /// Market journals, as capture and `pretrade data import` write them.
    #[staticmethod]
    fn journal(paths: Vec<PathBuf>) -> PyResult<Self> {
        Self::of(|meter| paths.iter().map(|p| JournalDecoder::open(p, meter).map(boxed)).collect())
    }

    /// Raw captures of one format; `instruments` are (venue, symbol, id, quantity exponent, negative prices allowed), and where `only`
    /// is set, lines of others are left out.
    #[staticmethod]
    fn capture(format: &str, paths: Vec<PathBuf>, instruments: Vec<(String, String, u32, i32, bool)>, only: bool) -> PyResult<Self> {
        let Some((_, reads)) = capture::FORMATS.into_iter().find(|(name, _)| *name == format) else {
            return Err(refused(format!("{format} is no format of captures")));
        };
        let known = instruments.into_iter().map(|(venue, symbol, instrument_id, quantity_exponent, allow_negative_price)| {
            ((venue, symbol), TableInstrument { instrument_id, quantity_exponent, allow_negative_price })
        });
        let venue = reads(Instruments::new(known, only));
        Self::of(|meter| {
            let sources: Result<Vec<(PathBuf, Source)>, FeedError> =
                paths.into_iter().map(|p| Ok((p.clone(), source::metered(&p, meter)?))).collect();
            Ok(vec![boxed(CaptureDecoder::from_readers(venue, sources?))])
        })
    }

    /// Adds events that are known beside the recording, in the order of receipt; they go before its own at equal stamps.
    fn add_side(&self, py: Python<'_>, events: &[u8]) -> PyResult<()> {
        let mut given = Vec::new();
        crate::features::each_event(events, |e| given.push(*e))?;
        py.detach(|| self.lock().add_side(boxed(Given { events: given, faults: FaultLog::default() })));
        Ok(())
    }

    /// Bytes of files read so far, packed as they lie on the disk; those that Python reads are not among them.
    fn bytes_read(&self) -> u64 {
        self.meter.bytes()
    }

    /// Bytes of the next batch of 64-byte records, empty at the end.
    fn next_batch<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        py.detach(|| self.lock().next_batch(&mut out)).map_err(refused)?;
        Ok(PyBytes::new(py, bytemuck::cast_slice(&out)))
    }

    /// Events given so far.
    fn events(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.lock().events)
    }

    /// Counts of faults by kind.
    fn faults<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = py.detach(|| {
            let merge = self.lock();
            FaultKind::ALL.map(|kind| merge.faults().map(|f| f.count(kind)).sum::<u64>())
        });
        let out = PyDict::new(py);
        for (kind, count) in FaultKind::ALL.into_iter().zip(counts) {
            out.set_item(kind.name(), count)?;
        }
        Ok(out)
    }

    /// The first faults in words: (kind, file, place, what).
    fn fault_log(&self, py: Python<'_>) -> Vec<(&'static str, PathBuf, String, String)> {
        let words = |log: &FaultLog| log.first.iter().map(|f| (f.kind.name(), f.path.clone(), f.place.clone(), f.what.clone())).collect::<Vec<_>>();
        py.detach(|| self.lock().faults().flat_map(words).take(1_000).collect())
    }
}

impl Stream {
    fn of(open: impl FnOnce(&Meter) -> Result<Vec<Box<dyn Decoder>>, FeedError>) -> PyResult<Self> {
        let meter = Meter::default();
        let lanes = open(&meter).map_err(refused)?;
        Ok(Self { merge: Mutex::new(Merge::new(lanes)), meter })
    }

    /// Taken with the interpreter let go: a decoder of columns asks for it while it holds this lock. A decoder that panicked
    /// is left where it stood; its state is its own.
    fn lock(&self) -> MutexGuard<'_, Merge> {
        self.merge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events that are there already.
struct Given {
    events: Vec<Event>,
    faults: FaultLog,
}

impl Decoder for Given {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let from = out.len();
        out.append(&mut self.events);
        Ok(out.len() > from)
    }

    fn faults(&self) -> &FaultLog {
        &self.faults
    }
}

/// A parsed column map.
#[pyclass(frozen, module = "pretrade._native.feeds")]
struct Map(TableMap);

#[pymethods]
impl Map {
    /// Parses a map; `instruments` gives (id, quantity exponent, negative prices allowed) by symbol, `typed_stamps` is `utc` or `wall`.
    #[new]
    #[pyo3(signature = (text, instruments, *, symbol=None, zones=None, date=None, typed_stamps=None))]
    fn new(
        text: &str,
        instruments: HashMap<String, (u32, i32, bool)>,
        symbol: Option<String>,
        zones: Option<HashMap<String, Vec<(i64, i64)>>>,
        date: Option<String>,
        typed_stamps: Option<&str>,
    ) -> PyResult<Self> {
        let typed_stamps = match typed_stamps {
            None => None,
            Some("utc") => Some(TypedStamps::Utc),
            Some("wall") => Some(TypedStamps::Wall),
            Some(other) => return Err(refused(format!("typed_stamps is {other:?}; it must be utc or wall"))),
        };
        let of =
            |(instrument_id, quantity_exponent, allow_negative_price)| TableInstrument { instrument_id, quantity_exponent, allow_negative_price };
        let instruments = instruments.into_iter().map(|(symbol, i)| (symbol, of(i))).collect();
        let around = Surroundings { instruments, symbol, zones: zones.unwrap_or_default(), date, typed_stamps };
        TableMap::parse(text, &around).map(Self).map_err(refused)
    }

    /// Columns in the order in which batches give them, by name or by place from 1.
    fn columns(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let object = |column: &Column| match column {
            Column::Name(name) => Ok(name.into_pyobject(py)?.into_any().unbind()),
            Column::Place(place) => Ok(place.into_pyobject(py)?.into_any().unbind()),
        };
        self.0.columns().iter().map(object).collect()
    }
}

/// Values of one column of a batch: numbers with what is valid, or codes into texts (negative where absent).
enum Values {
    Float(Vec<f64>, Option<Vec<bool>>),
    Int(Vec<i64>, Option<Vec<bool>>),
    Text(Vec<i32>, Vec<String>),
}

impl Values {
    fn read(column: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (values, other): (Bound<'_, PyAny>, Bound<'_, PyAny>) = column.extract()?;
        if let Ok(codes) = values.extract::<PyReadonlyArray1<'_, i32>>() {
            return Ok(Self::Text(codes.to_vec()?, other.extract()?));
        }
        let valid = if other.is_none() { None } else { Some(other.extract::<PyReadonlyArray1<'_, bool>>()?.to_vec()?) };
        if let Ok(values) = values.extract::<PyReadonlyArray1<'_, f64>>() {
            return Ok(Self::Float(values.to_vec()?, valid));
        }
        Ok(Self::Int(values.extract::<PyReadonlyArray1<'_, i64>>()?.to_vec()?, valid))
    }

    fn len(&self) -> usize {
        match self {
            Self::Float(v, _) => v.len(),
            Self::Int(v, _) => v.len(),
            Self::Text(v, _) => v.len(),
        }
    }

    fn cell(&self, i: usize, rows: &dyn RowReader) -> Cell<'_> {
        let is_valid = |valid: &Option<Vec<bool>>| valid.as_ref().is_none_or(|v| v.get(i).copied().unwrap_or(false));
        match self {
            Self::Float(v, valid) if is_valid(valid) && !(v[i].is_nan() && rows.nan_is_null()) => Cell::Float(v[i]),
            Self::Int(v, valid) if is_valid(valid) => Cell::Int(v[i]),
            Self::Text(codes, texts) => match usize::try_from(codes[i]).ok().and_then(|c| texts.get(c)).map(|t| t.trim()) {
                Some(text) if !rows.is_null(text) => Cell::Text(text),
                _ => Cell::Null,
            },
            _ => Cell::Null,
        }
    }
}

/// Rows of a table that Python reads in batches of columns.
struct ColumnDecoder {
    rows: Box<dyn RowReader>,
    path: PathBuf,
    batches: Py<PyAny>,
    row: u64,
    done: bool,
}

impl ColumnDecoder {
    /// Columns of the next batch; `None` at the end.
    fn next_columns(&self) -> Result<Option<Vec<Values>>, FeedError> {
        Python::attach(|py| {
            let read = || {
                let next = py.import("builtins")?.getattr("next")?.call1((self.batches.bind(py), py.None()))?;
                if next.is_none() {
                    return Ok(None);
                }
                next.try_iter()?.map(|column| Values::read(&column?)).collect::<PyResult<Vec<_>>>().map(Some)
            };
            read().map_err(|e: PyErr| FeedError::new(&self.path, format!("row {}", self.row + 1), format!("cannot be read: {}", e.value(py))))
        })
    }

    fn decode(&mut self, columns: &[Values], out: &mut Vec<Event>) {
        for i in 0..columns.iter().map(Values::len).min().unwrap_or(0) {
            self.row += 1;
            let rows = &*self.rows;
            let cells: Vec<Cell<'_>> = columns.iter().map(|c| c.cell(i, rows)).collect();
            self.rows.decode(&cells, self.row, out);
        }
    }
}

impl Decoder for ColumnDecoder {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let from = out.len();
        while !self.done && out.len() - from < BATCH {
            match self.next_columns()? {
                Some(columns) => self.decode(&columns, out),
                None => self.done = true,
            }
        }
        Ok(out.len() > from)
    }

    fn faults(&self) -> &FaultLog {
        self.rows.faults()
    }
}

/// Name of the file's format by its first bytes, unpacked: `dbn`, `parquet`, `journal` or `text`.
#[pyfunction]
fn sniff(py: Python<'_>, path: PathBuf) -> PyResult<&'static str> {
    py.detach(|| first_bytes(&path)).map_err(refused)
}

fn first_bytes(path: &Path) -> Result<&'static str, FeedError> {
    let mut reader = source::open(path)?;
    let start = std::io::BufRead::fill_buf(&mut reader).map_err(|e| FeedError::new(path, "offset 0", format!("cannot be read: {e}")))?;
    Ok(match start {
        [b'D', b'B', b'N', ..] => "dbn",
        [b'P', b'A', b'R', b'1', ..] => "parquet",
        [b'P', b'T', b'J', b'O', b'U', b'R', b'N', b'L', ..] => "journal",
        _ => "text",
    })
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Stream>()?;
    m.add_class::<Map>()?;
    m.add("TAQ_QUOTES", PyTuple::new(m.py(), taq::QUOTES)?)?;
    m.add("TAQ_TRADES", PyTuple::new(m.py(), taq::TRADES)?)?;
    m.add("CAPTURE_FORMATS", PyTuple::new(m.py(), capture::FORMATS.map(|(name, _)| name))?)?;
    m.add_function(wrap_pyfunction!(sniff, m)?)
}
