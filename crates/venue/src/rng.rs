// SPDX-License-Identifier: Apache-2.0
//! Counter-based randomness: draw `n` of agent `a` under seed `s` is a pure function of `(s, a, n)`, so that
//! adding an agent or switching the gate never shifts anybody else's draws.

/// One agent's stream of draws.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    key: u64,
    counter: u64,
}

/// SplitMix64 finaliser (Steele, Lea, Flood 2014).
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Draws {
    /// The stream of `agent` under `seed`.
    #[must_use]
    pub const fn new(seed: u64, agent: u64) -> Self {
        let key = mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)) ^ mix(agent.wrapping_mul(0xD1B5_4A32_D192_ED03).wrapping_add(1));
        Self { key: mix(key), counter: 0 }
    }

    /// Next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        mix(self.key ^ mix(self.counter.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// Uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Log-uniform in `[low, high)`, both above 0.
    pub fn log_between(&mut self, low: f64, high: f64) -> f64 {
        low * libm::exp(libm::log(high / low) * self.uniform())
    }

    /// Whole number in `0..n`.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -libm::log(self.uniform())
    }

    /// Standard normal (Box, Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        libm::sqrt(-2.0 * libm::log(u)) * libm::cos(core::f64::consts::TAU * v)
    }

    /// Geometric on 1, 2, ... with the given mean (at least 1).
    pub fn geometric(&mut self, mean: f64) -> i64 {
        if mean <= 1.0 {
            return 1;
        }
        1 + (libm::log(self.uniform()) / libm::log(1.0 - 1.0 / mean)) as i64
    }

    /// Waiting time in ns of a Poisson process with `rate` a second.
    pub fn wait_ns(&mut self, rate: f64) -> i64 {
        (self.exponential() / rate.max(1e-9) * 1e9).min(9e17) as i64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_agents_draws_do_not_depend_on_anothers() {
        let mut alone = Draws::new(7, 3);
        let mut beside = Draws::new(7, 3);
        let mut other = Draws::new(7, 4);
        for _ in 0..100 {
            other.bits();
            assert_eq!(alone.bits(), beside.bits());
        }
        assert_ne!(Draws::new(7, 3).bits(), Draws::new(8, 3).bits());
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut d = Draws::new(1, 1);
        let n = 200_000;
        let (mut e, mut g, mut z) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            e += d.exponential();
            g += d.geometric(3.0) as f64;
            z += d.normal();
        }
        let n = f64::from(n);
        assert!((e / n - 1.0).abs() < 0.02, "{}", e / n);
        assert!((g / n - 3.0).abs() < 0.05, "{}", g / n);
        assert!((z / n).abs() < 0.02, "{}", z / n);
    }
}
