// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.models`: scorers of trained models.
use numpy::{PyArray1, PyReadonlyArray1};
use pretrade_floor::Slices;
use pretrade_score::order_features::{MONOTONE, NAMES};
use pretrade_score::{Arrival, Forest, Layer, Network, OrderErrorModel, OrderFeatures, Projection, lightgbm};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

fn refuse(e: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(e.to_string())
}

/// A dense network in f32.
#[pyclass(frozen, module = "pretrade._native.models")]
struct Mlp {
    network: Network,
}

#[pymethods]
impl Mlp {
    /// `layers`: (weights `[input][output]` flat, bias, inputs, outputs kept, relu).
    #[new]
    #[allow(clippy::type_complexity)]
    fn new(layers: Vec<(PyReadonlyArray1<'_, f32>, PyReadonlyArray1<'_, f32>, usize, usize, bool)>) -> PyResult<Self> {
        let layers: Result<Vec<Layer>, PyErr> =
            layers.iter().map(|(w, b, inputs, kept, relu)| Layer::new(w.as_slice()?, b.as_slice()?, *inputs, *kept, *relu).map_err(refuse)).collect();
        Ok(Self { network: Network::new(layers?).map_err(refuse)? })
    }

    /// Outputs of rows, flat and row-major.
    fn run<'py>(&self, py: Python<'py>, rows: PyReadonlyArray1<'py, f64>) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let rows = rows.as_slice()?;
        let mut out = vec![0.0; rows.len() / self.network.inputs().max(1) * self.network.outputs()];
        py.detach(|| self.network.run(rows, &mut out)).map_err(refuse)?;
        Ok(PyArray1::from_vec(py, out))
    }

    /// Seconds a row of `rounds` runs over `rows` (for the benchmark).
    fn time(&self, py: Python<'_>, rows: PyReadonlyArray1<'_, f64>, rounds: u32) -> PyResult<f64> {
        let rows = rows.as_slice()?;
        let n = rows.len() / self.network.inputs();
        let mut out = vec![0.0; n * self.network.outputs()];
        py.detach(|| {
            let begun = std::time::Instant::now();
            for _ in 0..rounds {
                self.network.run(std::hint::black_box(rows), &mut out).map_err(refuse)?;
            }
            std::hint::black_box(&out);
            Ok(begun.elapsed().as_secs_f64() / (f64::from(rounds) * n.max(1) as f64))
        })
    }
}

/// Residuals after projection on a basis, in f64.
#[pyclass(frozen, module = "pretrade._native.models")]
struct Pca {
    projection: Projection,
}

#[pymethods]
impl Pca {
    /// `basis`: `[feature][direction]` flat.
    #[new]
    fn new(mean: PyReadonlyArray1<'_, f64>, basis: PyReadonlyArray1<'_, f64>) -> PyResult<Self> {
        let projection = Projection::new(mean.as_slice()?.to_vec(), basis.as_slice()?.to_vec()).map_err(refuse)?;
        Ok(Self { projection })
    }

    /// Residuals of rows, flat and row-major.
    fn residual<'py>(&self, py: Python<'py>, rows: PyReadonlyArray1<'py, f64>) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let rows = rows.as_slice()?;
        let mut out = vec![0.0; rows.len()];
        py.detach(|| self.projection.residual(rows, &mut out)).map_err(refuse)?;
        Ok(PyArray1::from_vec(py, out))
    }
}

/// Boosted trees of a LightGBM text model.
#[pyclass(frozen, module = "pretrade._native.models")]
struct Trees {
    forest: Forest,
    features: Vec<String>,
}

#[pymethods]
impl Trees {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        let model = lightgbm::parse(text).map_err(refuse)?;
        Ok(Self { forest: Forest::new(&model.trees, model.features.len()).map_err(refuse)?, features: model.features })
    }

    /// Names of the features, in the order of a row.
    #[getter]
    fn features(&self) -> Vec<String> {
        self.features.clone()
    }

    /// Number of trees.
    #[getter]
    fn trees(&self) -> usize {
        self.forest.trees()
    }

    /// Raw scores of rows, flat and row-major.
    fn score<'py>(&self, py: Python<'py>, rows: PyReadonlyArray1<'py, f32>) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let rows = rows.as_slice()?;
        let mut out = vec![0.0; rows.len() / self.forest.features().max(1)];
        py.detach(|| self.forest.score_rows(rows, &mut out)).map_err(refuse)?;
        Ok(PyArray1::from_vec(py, out))
    }

    /// Nanoseconds of single rows by the time-stamp counter (for the benchmark).
    fn time(&self, py: Python<'_>, rows: PyReadonlyArray1<'_, f32>, slices: usize, seconds: f64) -> PyResult<HashMap<&'static str, f64>> {
        let rows: Vec<&[f32]> = rows.as_slice()?.chunks_exact(self.forest.features().max(1)).collect();
        if rows.is_empty() {
            return Err(PyValueError::new_err("no row to score"));
        }
        let measured = py.detach(|| {
            let mut run = Slices::default();
            let call = |i: usize| std::hint::black_box(self.forest.score(std::hint::black_box(rows[i % rows.len()]))).is_finite();
            run.run(slices, Duration::from_secs_f64(seconds), call, |_| {}, || true, || {});
            run.measured()
        });
        Ok(crate::bench::figures(&measured))
    }
}

/// An order-error model folder that scored its stored rows to the last bit.
#[pyclass(frozen, module = "pretrade._native.models")]
struct OrderErrorScorer {
    model: OrderErrorModel,
}

#[pymethods]
impl OrderErrorScorer {
    #[new]
    fn new(folder: PathBuf) -> PyResult<Self> {
        Ok(Self { model: OrderErrorModel::load(&folder).map_err(refuse)? })
    }

    /// Names of the features, in the order of a row.
    #[getter]
    fn features(&self) -> Vec<String> {
        self.model.features().to_vec()
    }

    /// SHA-256 of the manifest, in hex.
    #[getter]
    fn id(&self) -> String {
        self.model.id().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Scores of rows at the prevalence in use, flat and row-major.
    fn score<'py>(&self, py: Python<'py>, rows: PyReadonlyArray1<'py, f32>) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let width = self.model.features().len();
        let rows = rows.as_slice()?;
        if !rows.len().is_multiple_of(width) {
            return Err(PyValueError::new_err(format!("{} values are no whole rows of {width}", rows.len())));
        }
        Ok(PyArray1::from_vec(py, rows.chunks_exact(width).map(|row| self.model.score(row)).collect()))
    }
}

/// The order-error features of a batch: the kernel the gate uses.
#[pyclass(frozen, module = "pretrade._native.models")]
struct OrderRows {
    features: Mutex<OrderFeatures>,
}

#[pymethods]
impl OrderRows {
    #[new]
    fn new(instruments: usize, traders: usize, strategies: usize) -> Self {
        Self { features: Mutex::new(OrderFeatures::new(instruments, traders, strategies)) }
    }

    /// Names of the features, in the order of a row.
    #[staticmethod]
    fn names() -> Vec<&'static str> {
        NAMES.to_vec()
    }

    /// 1 where a larger value must never score lower.
    #[staticmethod]
    fn monotone() -> Vec<i8> {
        MONOTONE.to_vec()
    }

    /// Rows of orders in the layout of `Arrival`, flat; an order whose flag is set is accepted after its row was made.
    fn rows<'py>(&self, py: Python<'py>, arrivals: &[u8], is_accepted: PyReadonlyArray1<'py, bool>) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let size = size_of::<Arrival>();
        if !arrivals.len().is_multiple_of(size) {
            return Err(PyValueError::new_err(format!("{} bytes are no whole orders of {size}", arrivals.len())));
        }
        let arrivals: Vec<Arrival> = arrivals.chunks_exact(size).map(bytemuck::pod_read_unaligned).collect();
        let flags = is_accepted.as_slice()?;
        let rows = py.detach(|| {
            let mut features = self.features.lock().map_err(|_| refuse("a panic left the features half changed"))?;
            features.rows(&arrivals, flags).map_err(refuse)
        })?;
        Ok(PyArray1::from_vec(py, rows))
    }
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Mlp>()?;
    m.add_class::<OrderErrorScorer>()?;
    m.add_class::<OrderRows>()?;
    m.add_class::<Pca>()?;
    m.add_class::<Trees>()
}
