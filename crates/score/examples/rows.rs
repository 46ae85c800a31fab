// SPDX-License-Identifier: Apache-2.0
//! Nanoseconds a row of the VAE's network, alone and among ten thousand, least of many rounds.
use pretrade_score::{Layer, Network};
use std::time::Instant;

fn main() {
    let layers = [(32, 64, 64), (64, 32, 32), (32, 16, 8), (8, 32, 32), (32, 64, 64), (64, 32, 32)].map(|(inputs, outputs, kept)| {
        let weights: Vec<f32> = (0..inputs * outputs).map(|i| ((i * 7919 % 1013) as f32 / 506.0 - 1.0) * 0.2).collect();
        Layer::new(&weights, &vec![0.1; outputs], inputs, kept, true).expect("the shapes fit")
    });
    let network = Network::new(layers.to_vec()).expect("the layers fit");
    for (rows, runs, rounds) in [(1, 200, 2_000), (100, 2, 2_000), (10_000, 1, 100)] {
        let z: Vec<f64> = (0..rows * 32).map(|i| f64::from(u32::try_from(i * 31 % 97).unwrap_or(0)) / 50.0 - 1.0).collect();
        let mut out = vec![0.0; rows * 32];
        let mut least = f64::MAX;
        for _ in 0..rounds {
            let begun = Instant::now();
            for _ in 0..runs {
                network.run(std::hint::black_box(&z), &mut out).expect("whole rows");
            }
            least = least.min(begun.elapsed().as_secs_f64() * 1e9 / f64::from(runs) / rows as f64);
        }
        println!("{rows} rows: {least:.0} ns a row");
    }
}
