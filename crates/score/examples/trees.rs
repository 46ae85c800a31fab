// SPDX-License-Identifier: Apache-2.0
//! Nanoseconds a row of a LightGBM text model: `trees MODEL.txt`. Rows are spread over the model's own thresholds.
use pretrade_score::{Forest, lightgbm};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a LightGBM text model")?;
    let model = lightgbm::parse(&std::fs::read_to_string(path)?)?;
    let forest = Forest::new(&model.trees, model.features.len())?;
    let width = forest.features();
    let rows: Vec<f32> = (0..1_000 * width).map(|i| ((i * 7919 % 10_007) as f32 / 5_003.0 - 1.0) * 2.0).collect();
    let mut times: Vec<f64> = Vec::new();
    for _ in 0..200 {
        for row in rows.chunks_exact(width) {
            let begun = Instant::now();
            std::hint::black_box(forest.score(std::hint::black_box(row)));
            times.push(begun.elapsed().as_secs_f64() * 1e9);
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times[(q * (times.len() - 1) as f64) as usize];
    println!(
        "{} trees, {} bytes: min {:.0}, p50 {:.0}, p99 {:.0} ns a row, clock included",
        forest.trees(),
        forest.bytes(),
        at(0.0),
        at(0.5),
        at(0.99)
    );
    Ok(())
}
