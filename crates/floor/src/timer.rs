// SPDX-License-Identifier: Apache-2.0
//! Per-call times by the time-stamp counter: slices of 1,000 calls, preempted slices dropped, timer overhead subtracted.
use std::time::{Duration, Instant};

/// Calls in a slice.
pub const SLICE: usize = 1_000;
/// Slices kept at most.
pub const MOST_SLICES: usize = 1_500;

/// The counter.
#[inline(always)]
#[must_use]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: both instructions are part of every x86-64; `lfence` keeps the reading in program order.
        unsafe {
            std::arch::x86_64::_mm_lfence();
            let now = std::arch::x86_64::_rdtsc();
            std::arch::x86_64::_mm_lfence();
            now
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}

/// Result of a measurement; times in ns with the timer's own cost subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Calls kept.
    pub n: u64,
    /// Fastest call.
    pub min_ns: f64,
    /// Median.
    pub p50_ns: f64,
    /// 99 % quantile.
    pub p99_ns: f64,
    /// Share of slices kept.
    pub kept: f64,
    /// Median over slices of the mean call, timer included once.
    pub amortised_ns: f64,
    /// Calls whose result was not the expected one.
    pub unexpected: u64,
}

/// Collects slices.
#[derive(Debug)]
pub struct Slices {
    ns_per_tick: f64,
    overhead: u64,
    times: Vec<u64>,
    means: Vec<f64>,
    kept: usize,
    dropped: usize,
    unexpected: u64,
}

impl Default for Slices {
    fn default() -> Self {
        let mut empty: Vec<u64> = (0..10_001).map(|_| ticks()).collect::<Vec<_>>().windows(2).map(|w| w[1] - w[0]).collect();
        empty.sort_unstable();
        Slices {
            ns_per_tick: ns_per_tick(),
            overhead: empty[empty.len() / 2],
            times: Vec::with_capacity(SLICE * MOST_SLICES),
            means: Vec::new(),
            kept: 0,
            dropped: 0,
            unexpected: 0,
        }
    }
}

/// Length of a tick against the monotonic clock, over 20 ms.
fn ns_per_tick() -> f64 {
    let (start, first) = (Instant::now(), ticks());
    while start.elapsed() < Duration::from_millis(20) {
        std::hint::spin_loop();
    }
    let (last, elapsed) = (ticks(), start.elapsed());
    elapsed.as_nanos() as f64 / (last - first) as f64
}

/// Involuntary and voluntary switches of this thread so far.
fn switches() -> i64 {
    // SAFETY: rusage is plain data and the pointer is to a live one.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) };
    usage.ru_nivcsw + usage.ru_nvcsw
}

impl Slices {
    /// Runs slices until enough are kept or `at_most` has passed. `call(i)` is timed and says whether its result was the
    /// expected one; `after(i)` is not timed; `is_good()` says after a slice whether the writer ran; `between()` runs between slices.
    pub fn run(
        &mut self,
        slices: usize,
        at_most: Duration,
        mut call: impl FnMut(usize) -> bool,
        mut after: impl FnMut(usize),
        mut is_good: impl FnMut() -> bool,
        mut between: impl FnMut(),
    ) {
        let started = Instant::now();
        let mut slice = vec![0u64; SLICE];
        let mut i = 0;
        while self.kept < slices && started.elapsed() < at_most {
            between();
            let before = switches();
            let mut unexpected = 0;
            for time in &mut slice {
                let start = ticks();
                let is_expected = call(i);
                let end = ticks();
                *time = end - start;
                unexpected += u64::from(!is_expected);
                after(i);
                i += 1;
            }
            let is_whole = switches() == before;
            if is_good() && is_whole {
                self.kept += 1;
                self.unexpected += unexpected;
                self.means.push(slice.iter().sum::<u64>() as f64 / SLICE as f64);
                self.times.extend_from_slice(&slice);
            } else {
                self.dropped += 1;
            }
        }
    }

    /// The figures.
    #[must_use]
    pub fn measured(mut self) -> Measured {
        self.times.sort_unstable();
        self.means.sort_unstable_by(f64::total_cmp);
        let ns = |t: u64| t.saturating_sub(self.overhead) as f64 * self.ns_per_tick;
        let at = |q: f64| if self.times.is_empty() { f64::NAN } else { ns(self.times[((self.times.len() - 1) as f64 * q) as usize]) };
        let total = (self.kept + self.dropped).max(1);
        Measured {
            n: self.times.len() as u64,
            min_ns: at(0.0),
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            kept: self.kept as f64 / total as f64,
            amortised_ns: self.means.get(self.means.len() / 2).map_or(f64::NAN, |m| (m - self.overhead as f64) * self.ns_per_tick),
            unexpected: self.unexpected,
        }
    }
}
