// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.models`: scorers of trained models.
use numpy::{PyArray1, PyReadonlyArray1};
use pretrade_score::{Layer, Network, Projection};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

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

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Mlp>()?;
    m.add_class::<Pca>()
}
