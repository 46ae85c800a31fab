// SPDX-License-Identifier: Apache-2.0
//! What a linear subspace cannot rebuild, in f64.
use crate::ShapeError;

/// Residual of a row after projection on an orthonormal basis.
#[derive(Clone, Debug)]
pub struct Projection {
    mean: Vec<f64>,
    basis: Vec<f64>,
    kept: usize,
}

impl Projection {
    /// `basis` is `[feature][direction]`.
    ///
    /// # Errors
    /// If the basis is not `mean.len()` rows of the same length.
    pub fn new(mean: Vec<f64>, basis: Vec<f64>) -> Result<Self, ShapeError> {
        let n = mean.len();
        if n == 0 || basis.is_empty() || !basis.len().is_multiple_of(n) {
            return Err(ShapeError(format!("a basis of {} values does not fit {n} features", basis.len())));
        }
        let kept = basis.len() / n;
        Ok(Self { mean, basis, kept })
    }

    /// Residuals of rows, row-major.
    ///
    /// # Errors
    /// If the lengths are not whole rows.
    pub fn residual(&self, rows: &[f64], out: &mut [f64]) -> Result<(), ShapeError> {
        let n = self.mean.len();
        if !rows.len().is_multiple_of(n) || rows.len() != out.len() {
            return Err(ShapeError(format!("{} values in and {} out do not fit rows of {n}", rows.len(), out.len())));
        }
        let mut along = vec![0.0; self.kept];
        for (row, result) in rows.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            along.fill(0.0);
            for ((x, m), directions) in row.iter().zip(&self.mean).zip(self.basis.chunks_exact(self.kept)) {
                let centred = x - m;
                for (a, d) in along.iter_mut().zip(directions) {
                    *a += centred * d;
                }
            }
            for (((r, x), m), directions) in result.iter_mut().zip(row).zip(&self.mean).zip(self.basis.chunks_exact(self.kept)) {
                let rebuilt: f64 = along.iter().zip(directions).map(|(a, d)| a * d).sum();
                *r = (x - m) - rebuilt;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_subspace_leaves_nothing() {
        let p = Projection::new(vec![1.0, 2.0, 3.0], vec![0.6, 0.8, 0.0]).unwrap();
        let mut out = [0.0; 6];
        p.residual(&[1.0 + 1.2, 2.0 + 1.6, 3.0, 1.0, 2.0, 8.0], &mut out).unwrap();
        assert!(out[..5].iter().all(|r| r.abs() < 1e-15), "{out:?}");
        assert_eq!(out[5], 5.0);
    }
}
