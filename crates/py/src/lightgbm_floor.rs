// SPDX-License-Identifier: Apache-2.0
//! LightGBM's own single-row call, out of the shared library of its Python package: what our scorer is measured against.
use crate::bench::{failed, figures};
use numpy::PyReadonlyArray1;
use pretrade_floor::Slices;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::time::Duration;

type FromFile = unsafe extern "C" fn(*const c_char, *mut c_int, *mut *mut c_void) -> c_int;
type Prepare = unsafe extern "C" fn(*mut c_void, c_int, c_int, c_int, c_int, i32, *const c_char, *mut *mut c_void) -> c_int;
type Predict = unsafe extern "C" fn(*mut c_void, *const c_void, *mut i64, *mut f64) -> c_int;

/// `C_API_PREDICT_RAW_SCORE` and `C_API_DTYPE_FLOAT32` of LightGBM's `c_api.h`.
const RAW_SCORE: c_int = 1;
const FLOAT32: c_int = 0;

/// Times `LGBM_BoosterPredictForMatSingleRowFast` on the rows, by the time-stamp counter; also the raw score of the first row.
#[pyfunction]
pub(crate) fn lightgbm_single_row(
    py: Python<'_>,
    library: PathBuf,
    model: PathBuf,
    rows: PyReadonlyArray1<'_, f32>,
    width: usize,
    slices: usize,
    seconds: f64,
) -> PyResult<HashMap<&'static str, f64>> {
    let rows: Vec<&[f32]> = rows.as_slice()?.chunks_exact(width.max(1)).collect();
    let first = *rows.first().ok_or_else(|| failed("no row to score"))?;
    let text = |path: PathBuf| CString::new(path.into_os_string().into_encoded_bytes()).map_err(failed);
    let (library, model, parameter) = (text(library)?, text(model)?, CString::new("num_threads=1").map_err(failed)?);
    // SAFETY: the names are NUL-terminated; the library stays loaded for the life of the process.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return Err(failed("the LightGBM library cannot be loaded"));
    }
    let symbol = |name: &std::ffi::CStr| {
        // SAFETY: the handle is live and the name NUL-terminated.
        let found = unsafe { libc::dlsym(handle, name.as_ptr()) };
        if found.is_null() { Err(failed("the LightGBM library lacks a function")) } else { Ok(found) }
    };
    // SAFETY: the types are those of LightGBM's c_api.h, stable since version 3.
    let (from_file, prepare, predict) = unsafe {
        (
            std::mem::transmute::<*mut c_void, FromFile>(symbol(c"LGBM_BoosterCreateFromModelfile")?),
            std::mem::transmute::<*mut c_void, Prepare>(symbol(c"LGBM_BoosterPredictForMatSingleRowFastInit")?),
            std::mem::transmute::<*mut c_void, Predict>(symbol(c"LGBM_BoosterPredictForMatSingleRowFast")?),
        )
    };
    let (mut iterations, mut booster, mut fast): (c_int, *mut c_void, *mut c_void) = (0, std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: every pointer is to a live value of its type for the length of the calls.
    let is_ready = unsafe {
        from_file(model.as_ptr(), &raw mut iterations, &raw mut booster) == 0
            && prepare(booster, RAW_SCORE, 0, -1, FLOAT32, i32::try_from(width).map_err(failed)?, parameter.as_ptr(), &raw mut fast) == 0
    };
    if !is_ready || fast.is_null() {
        return Err(failed("LightGBM does not load the model"));
    }
    let call = |row: &[f32]| {
        let (mut length, mut score) = (0i64, f64::NAN);
        // SAFETY: the row has the width that the call was prepared for; one value comes out.
        let status = unsafe { predict(fast, row.as_ptr().cast(), &raw mut length, &raw mut score) };
        if status == 0 && length == 1 { score } else { f64::NAN }
    };
    let mut run = Slices::default();
    run.run(slices, Duration::from_secs_f64(seconds), |i| call(rows[i % rows.len()]).is_finite(), |_| {}, || true, || {});
    let _ = py;
    Ok(figures(&run.measured()).into_iter().chain([("score", call(first))]).collect())
}
