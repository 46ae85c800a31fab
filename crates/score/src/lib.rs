// SPDX-License-Identifier: Apache-2.0
//! Scorers of trained models (networks, projections, boosted trees) and the order-error features: row by row in one fixed order
//! of additions, so that a row scores the same bits alone and among ten thousand.
//!
//! Reads weights and rows, gives reconstructions, scores and order rows. Never normalises, calibrates or decides.
#![forbid(unsafe_code)]

pub mod arrival;
pub mod forest;
mod habit;
pub mod lightgbm;
pub mod network;
pub mod order_error;
pub mod order_features;
pub mod projection;

pub use arrival::Arrival;
pub use forest::Forest;
pub use network::{Layer, Network};
pub use order_error::OrderErrorModel;
pub use order_features::OrderFeatures;
pub use projection::Projection;

/// Weights that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError(pub String);

impl std::fmt::Display for ShapeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ShapeError {}
