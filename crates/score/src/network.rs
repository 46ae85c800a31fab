// SPDX-License-Identifier: Apache-2.0
//! Small dense networks in f32.
use crate::ShapeError;

/// Outputs are computed in blocks of this many, or of one of the smaller widths for what remains.
const WIDEST_BLOCK: usize = 64;
const NARROWEST_BLOCK: usize = 8;

/// Outputs `from..from + width` of a layer, with their weights as `[input][width]`.
///
/// The inner loop runs over outputs whose sums stay in registers: it has no reduction and vectorises, and each output adds its
/// inputs in their order, in whatever width of instruction. Without contraction of products and sums the bits are the same too.
#[derive(Clone, Debug)]
struct Block {
    weights: Vec<f32>,
    bias: Vec<f32>,
    from: usize,
}

impl Block {
    #[inline(always)]
    fn run<const WIDTH: usize>(&self, input: &[f32], relu: bool, output: &mut [f32]) {
        let mut sums = [0.0f32; WIDTH];
        sums.copy_from_slice(&self.bias);
        for (x, row) in input.iter().zip(self.weights.as_chunks::<WIDTH>().0) {
            for (sum, w) in sums.iter_mut().zip(row) {
                *sum += w * x;
            }
        }
        if relu {
            for sum in &mut sums {
                *sum = sum.max(0.0);
            }
        }
        output[self.from..self.from + WIDTH].copy_from_slice(&sums);
    }
}

/// One dense layer.
#[derive(Clone, Debug)]
pub struct Layer {
    blocks: Vec<Block>,
    inputs: usize,
    kept: usize,
    relu: bool,
}

impl Layer {
    /// A layer of `[input][output]` weights of which only the first `kept` outputs are computed.
    ///
    /// # Errors
    /// If the weights are not `inputs` x `bias.len()`, or `kept` is 0 or above the number of outputs.
    pub fn new(weights: &[f32], bias: &[f32], inputs: usize, kept: usize, relu: bool) -> Result<Self, ShapeError> {
        let outputs = bias.len();
        if inputs == 0 || kept == 0 || kept > outputs || weights.len() != inputs * outputs {
            return Err(ShapeError(format!("a layer has {} weights for {inputs} inputs and {outputs} outputs, {kept} kept", weights.len())));
        }
        let mut blocks = Vec::new();
        let mut from = 0;
        while from < kept {
            let mut width = WIDEST_BLOCK;
            while width > NARROWEST_BLOCK && width > kept - from {
                width /= 2;
            }
            // Outputs nobody reads are left out; the last block is filled up with zeros.
            let padded = |row: &[f32]| -> Vec<f32> { (from..from + width).map(|o| if o < kept { row[o] } else { 0.0 }).collect() };
            blocks.push(Block { weights: weights.chunks_exact(outputs).flat_map(padded).collect(), bias: padded(bias), from });
            from += width;
        }
        Ok(Self { blocks, inputs, kept, relu })
    }

    /// Room its outputs take, filled up to whole blocks.
    fn room(&self) -> usize {
        self.kept.next_multiple_of(NARROWEST_BLOCK)
    }

    #[inline(always)]
    fn run(&self, input: &[f32], output: &mut [f32]) {
        for block in &self.blocks {
            match block.bias.len() {
                64 => block.run::<64>(input, self.relu, output),
                32 => block.run::<32>(input, self.relu, output),
                16 => block.run::<16>(input, self.relu, output),
                _ => block.run::<8>(input, self.relu, output),
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
        let widest = layers.iter().map(|l| l.room().max(l.inputs)).max().ok_or_else(|| ShapeError("a network has no layer".into()))?;
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
        run_rows(&self.layers, self.widest, rows.chunks_exact(n).zip(out.chunks_exact_mut(m)));
        Ok(())
    }
}

/// Compiled for two widths of instruction; which one runs changes no bit (see [`Block`]). 700 ns a row without AVX2, 380 with it;
/// AVX-512 gives 405, and two rows at a time 1,130.
#[multiversion::multiversion(targets("x86_64+avx2"))]
fn run_rows<'a>(layers: &[Layer], widest: usize, rows: impl Iterator<Item = (&'a [f64], &'a mut [f64])>) {
    let (mut a, mut b) = (vec![0.0f32; widest], vec![0.0f32; widest]);
    for (row, result) in rows {
        for (x, v) in a.iter_mut().zip(row) {
            *x = *v as f32;
        }
        for layer in layers {
            layer.run(&a[..layer.inputs], &mut b);
            std::mem::swap(&mut a, &mut b);
        }
        for (r, v) in result.iter_mut().zip(&a) {
            *r = f64::from(*v);
        }
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
    fn blocks_add_in_the_order_of_a_plain_loop_to_the_last_bit() {
        for (inputs, outputs, kept) in [(32, 64, 64), (32, 16, 8), (5, 101, 101), (3, 7, 2), (64, 33, 33)] {
            let w: Vec<f32> = (0..inputs * outputs).map(|i| (i as f32 * 0.731).sin()).collect();
            let bias: Vec<f32> = (0..outputs).map(|i| (i as f32 * 1.3).cos()).collect();
            let net = Network::new(vec![Layer::new(&w, &bias, inputs, kept, true).unwrap()]).unwrap();
            let row: Vec<f64> = (0..inputs).map(|i| f64::from(u32::try_from(i).unwrap()).tan()).collect();
            let mut out = vec![0.0; kept];
            net.run(&row, &mut out).unwrap();
            for (o, value) in out.iter().enumerate() {
                let mut sum = bias[o];
                for (i, x) in row.iter().enumerate() {
                    sum += w[i * outputs + o] * *x as f32;
                }
                assert_eq!(value.to_bits(), f64::from(sum.max(0.0)).to_bits(), "{inputs} x {outputs}, output {o}");
            }
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
