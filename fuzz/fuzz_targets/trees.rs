// SPDX-License-Identifier: Apache-2.0
//! Any bytes as a LightGBM text model: refused, or compiled and scored without a panic.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pretrade_score::{Forest, lightgbm};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(model) = lightgbm::parse(text) else { return };
    let Ok(forest) = Forest::new(&model.trees, model.features.len()) else { return };
    for value in [0.0, f32::NAN, f32::INFINITY, -1.5] {
        let _ = forest.score(&vec![value; model.features.len()]);
    }
});
