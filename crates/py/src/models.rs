// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.models`.
use pyo3::prelude::*;

/// Fills the submodule.
pub(crate) fn fill(_m: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
