// SPDX-License-Identifier: Apache-2.0
//! The border to Python: `pretrade._native`, one submodule per room. It wraps and never decides.

mod audit;
mod bench;
mod bench_fix;
mod bench_venue;
mod bus;
mod closed_loop;
mod domain;
mod features;
mod feeds;
mod fix;
mod fix_party;
mod gateway;
mod journal_feed;
mod lightgbm_floor;
mod limits;
mod models;
mod order_replay;
mod simulation;

use pyo3::prelude::*;

/// Makes `pretrade._native.NAME`, fills it and registers it in `sys.modules`.
fn add_room(parent: &Bound<'_, PyModule>, name: &str, fill: fn(&Bound<'_, PyModule>) -> PyResult<()>) -> PyResult<()> {
    let py = parent.py();
    let full = format!("pretrade._native.{name}");
    let room = PyModule::new(py, &full)?;
    fill(&room)?;
    parent.add(name, &room)?;
    py.import("sys")?.getattr("modules")?.set_item(full, &room)
}

/// The compiled module.
#[pymodule]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    add_room(m, "domain", domain::fill)?;
    add_room(m, "audit", audit::fill)?;
    add_room(m, "bench", bench::fill)?;
    add_room(m, "bus", bus::fill)?;
    add_room(m, "feeds", feeds::fill)?;
    add_room(m, "features", features::fill)?;
    add_room(m, "models", models::fill)?;
    add_room(m, "limits", limits::fill)?;
    add_room(m, "gateway", gateway::fill)?;
    add_room(m, "simulation", simulation::fill)?;
    Ok(())
}
