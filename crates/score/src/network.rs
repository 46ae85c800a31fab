// SPDX-License-Identifier: Apache-2.0
//! Small dense networks in f32.
use crate::ShapeError;

/// One dense layer: weights as `[input][output]`, so that the inner loop runs over outputs and has no reduction.
#[derive(Clone, Debug)]
pub struct Layer {
    weights: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
    kept: usize,
    relu: bool,
}

impl Layer {
    /// A layer of which only the first `kept` outputs are computed.
    ///
    /// # Errors
    /// If the weights are not `inputs` x `bias.len()`, or `kept` is 0 or above the number of outputs.
    pub fn new(weights: &[f32], bias: &[f32], inputs: usize, kept: usize, relu: bool) -> Result<Self, ShapeError> {
        let outputs = bias.len();
        if inputs == 0 || kept == 0 || kept > outputs || weights.len() != inputs * outputs {
            return Err(ShapeError(format!("a layer has {} weights for {inputs} inputs and {outputs} outputs, {kept} kept", weights.len())));
        }
        // Outputs that nobody reads are left out once, here.
        let weights = weights.chunks_exact(outputs).flat_map(|row| &row[..kept]).copied().collect();
        Ok(Self { weights, bias: bias[..kept].to_vec(), inputs, kept, relu })
    }

    fn run(&self, input: &[f32], output: &mut [f32]) {
        output.copy_from_slice(&self.bias);
        for (x, row) in input.iter().zip(self.weights.chunks_exact(self.kept)) {
            for (y, w) in output.iter_mut().zip(row) {
                *y += w * x;
            }
        }
        if self.relu {
            for y in output {
                *y = y.max(0.0);
            }
        }
    }
}

/// A chain of layers.
#[derive(Clone, Debug)]
pub struct Network {
    layers: Vec<Layer>,
    widest: usize,
}

impl Network {
    /// A chain whose neighbours fit.
    ///
    /// # Errors
    /// If there is no layer or two neighbours do not fit.
    pub fn new(layers: Vec<Layer>) -> Result<Self, ShapeError> {
        for pair in layers.windows(2) {
            if pair[0].kept != pair[1].inputs {
                return Err(ShapeError(format!("a layer gives {} values, the next takes {}", pair[0].kept, pair[1].inputs)));
            }
        }
        let widest = layers.iter().map(|l| l.kept.max(l.inputs)).max().ok_or_else(|| ShapeError("a network has no layer".into()))?;
        Ok(Self { layers, widest })
    }

    /// Values a row has.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    /// Values of the last layer.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].kept
    }

    /// Runs rows one after the other; `rows` and `out` are row-major.
    ///
    /// # Errors
    /// If the lengths are not whole rows.
    pub fn run(&self, rows: &[f64], out: &mut [f64]) -> Result<(), ShapeError> {
        let (n, m) = (self.inputs(), self.outputs());
        if !rows.len().is_multiple_of(n) || out.len() != rows.len() / n * m {
            return Err(ShapeError(format!("{} values in and {} out do not fit {n} inputs and {m} outputs a row", rows.len(), out.len())));
        }
        let (mut a, mut b) = (vec![0.0f32; self.widest], vec![0.0f32; self.widest]);
        for (row, result) in rows.chunks_exact(n).zip(out.chunks_exact_mut(m)) {
            for (x, v) in a.iter_mut().zip(row) {
                *x = *v as f32;
            }
            for layer in &self.layers {
                layer.run(&a[..layer.inputs], &mut b[..layer.kept]);
                std::mem::swap(&mut a, &mut b);
            }
            for (r, v) in result.iter_mut().zip(&a) {
                *r = f64::from(*v);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_scores_the_same_bits_alone_and_among_others() {
        let w: Vec<f32> = (0..12).map(|i| (i as f32 * 0.37).sin()).collect();
        let net =
            Network::new(vec![Layer::new(&w, &[0.1, -0.2, 0.3, 0.0], 3, 2, true).unwrap(), Layer::new(&w[..6], &[0.0; 3], 2, 3, false).unwrap()])
                .unwrap();
        let rows: Vec<f64> = (0..30).map(|i| (f64::from(i) * 1.7).cos()).collect();
        let mut all = vec![0.0; 30];
        net.run(&rows, &mut all).unwrap();
        for i in 0..10 {
            let mut one = vec![0.0; 3];
            net.run(&rows[3 * i..3 * i + 3], &mut one).unwrap();
            assert_eq!(one, all[3 * i..3 * i + 3]);
        }
    }

    #[test]
    fn weights_that_do_not_fit_are_refused() {
        assert!(Layer::new(&[0.0; 5], &[0.0; 2], 3, 2, false).is_err());
        let l = |i, o| Layer::new(&vec![0.0; i * o], &vec![0.0; o], i, o, false).unwrap();
        assert!(Network::new(vec![l(2, 3), l(2, 2)]).is_err());
        assert!(Network::new(vec![l(2, 3)]).unwrap().run(&[0.0; 3], &mut [0.0; 3]).is_err());
    }
}
