// SPDX-License-Identifier: Apache-2.0
//! The speed of the simulated exchange: operations a CPU-second of the matching engine.
use crate::bench::figures;
use pretrade_floor::Slices;
use pretrade_venue::engine::mix::{Bench, Mix};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

/// Processor time of this thread so far, s.
pub(crate) fn cpu_s() -> f64 {
    let mut at = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes into a live timespec of our own.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut at) };
    at.tv_sec as f64 + at.tv_nsec as f64 / 1e9
}

/// Times the engine over `operations` of the mix in `rounds` fresh books: the median round in `per_second` (CPU time, caches as they
/// are), one more book call by call for the quantiles. A round that says another number of things than the first is an error.
#[pyfunction]
fn matching_engine(py: Python<'_>, operations: usize, rounds: usize) -> PyResult<HashMap<&'static str, f64>> {
    py.detach(|| {
        let mix = Mix::new(1, operations);
        let mut said = None;
        let mut seconds = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let mut bench = warm(&mix);
            let begun = cpu_s();
            mix.operations[mix.warm_up..].iter().for_each(|o| bench.apply(*o));
            seconds.push(cpu_s() - begun);
            if *said.get_or_insert(bench.tally.said) != bench.tally.said {
                return Err(PyRuntimeError::new_err("the engine said another number of things in another round of the same operations"));
            }
        }
        seconds.sort_unstable_by(f64::total_cmp);
        let mut figures = figures(&call_by_call(&mix));
        figures.insert("n", (operations * rounds) as f64);
        figures.insert("per_second", operations as f64 / seconds[rounds / 2]);
        Ok(figures)
    })
}

fn warm(mix: &Mix) -> Bench {
    let mut bench = Bench::new(mix.operations.len());
    mix.operations[..mix.warm_up].iter().for_each(|o| bench.apply(*o));
    bench
}

fn call_by_call(mix: &Mix) -> pretrade_floor::Measured {
    let mut bench = warm(mix);
    let timed = &mix.operations[mix.warm_up..];
    let mut run = Slices::default();
    // One pass over the stream: its cancels name adds of the same pass.
    let slices = timed.len() / (2 * pretrade_floor::timer::SLICE);
    let call = |i: usize| timed.get(i).map(|operation| bench.apply(*operation)).is_some();
    run.run(slices, Duration::from_secs(20), call, |_| {}, || true, || {});
    run.measured()
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(matching_engine, m)?)
}
