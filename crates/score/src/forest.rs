// SPDX-License-Identifier: Apache-2.0
//! Boosted trees, scored as LightGBM scores them: same decisions, leaves added in the order of the trees, same bits.
//!
//! Every rule about missing values is taken out of the walk: a column of a row is a feature together with what its splits
//! call missing and where that goes. Values and thresholds are compared as integers in the order of the floats, and a missing
//! value is the integer below or above all of them. So one comparison decides, eight trees walk side by side, and nothing
//! branches on data. Thresholds are rounded down to f32: for an f32 value `x <= t` then says what it says in f64.
use crate::ShapeError;
use crate::lightgbm::{Child, MOST_LEAVES, Missing, Split, Tree};

/// Trees that walk side by side.
pub const LANES: usize = 8;
/// Trees whose order of walking is free: deep ones walk beside deep ones, for a group walks as far as its deepest tree.
const WINDOW: usize = 64;
/// Columns a compiled forest has room for; the address of a column is one byte, so no walk can leave it.
const COLUMNS: usize = 256;
/// LightGBM's `kZeroThreshold`: what is no further from zero is zero.
const ZERO: f32 = 1e-35;
/// Above the key of every value.
const RIGHT: i32 = i32::MAX;
/// Not below [`RIGHT`].
const LEAF: i32 = i32::MAX;

/// A split, or a leaf that leads to itself. 8 bytes.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Node {
    /// See [`key`]; of a leaf the largest, so that whatever the column holds, the walk stays where it is.
    threshold: i32,
    /// Place of the left child among the group's nodes; the right one follows it.
    left: u16,
    /// Column of a split, number among the group's leaves of a leaf.
    column: u16,
}

/// Trees that walk side by side; lanes without a tree walk the first one again.
#[derive(Clone, Debug)]
struct Group {
    nodes: Vec<Node>,
    leaves: Vec<f64>,
    roots: [u16; LANES],
    /// Places of the trees in their window.
    places: [u8; LANES],
    depth: usize,
}

/// Up to 64 trees in a row.
#[derive(Clone, Debug)]
struct Window {
    groups: Vec<Group>,
    count: usize,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Column {
    feature: usize,
    missing: Missing,
    is_default_left: bool,
}

impl Column {
    fn of(split: &Split) -> Self {
        // Where nothing is missing there is no default way.
        let is_default_left = split.is_default_left && split.missing != Missing::None;
        Column { feature: split.feature, missing: split.missing, is_default_left }
    }

    #[inline(always)]
    fn value(self, x: f32) -> i32 {
        let default = if self.is_default_left { i32::MIN } else { RIGHT };
        let is_zero = x.abs() <= ZERO;
        match self.missing {
            Missing::None if x.is_nan() || is_zero => 0,
            Missing::Zero if x.is_nan() || is_zero => default,
            Missing::Nan if x.is_nan() => default,
            _ if is_zero => 0,
            _ => key(x),
        }
    }
}

/// Trees compiled for one row at a time.
#[derive(Clone, Debug)]
pub struct Forest {
    windows: Vec<Window>,
    columns: Vec<Column>,
    features: usize,
    trees: usize,
}

impl Forest {
    /// Compiles trees over rows of `features` values.
    ///
    /// # Errors
    /// If a split reads another feature, a branch leads nowhere, a tree has too many leaves, or the splits need more than 256
    /// different columns.
    pub fn new(trees: &[Tree], features: usize) -> Result<Self, ShapeError> {
        let mut columns: Vec<Column> = Vec::new();
        for (number, tree) in trees.iter().enumerate() {
            if tree.leaves.is_empty() || tree.leaves.len() > MOST_LEAVES || tree.splits.len() + 1 != tree.leaves.len() {
                return Err(ShapeError(format!("tree {number} has {} splits and {} leaves", tree.splits.len(), tree.leaves.len())));
            }
            for split in &tree.splits {
                if split.feature >= features || split.threshold.is_nan() {
                    return Err(ShapeError(format!("tree {number} asks whether feature {} is at most {}", split.feature, split.threshold)));
                }
                if !columns.contains(&Column::of(split)) {
                    columns.push(Column::of(split));
                }
            }
        }
        if columns.len() > COLUMNS {
            return Err(ShapeError(format!("the splits need {} columns of feature and missing rule; there is room for {COLUMNS}", columns.len())));
        }
        let windows: Result<Vec<Window>, ShapeError> = trees.chunks(WINDOW).map(|chunk| Window::new(chunk, &columns)).collect();
        Ok(Self { windows: windows?, columns, features, trees: trees.len() })
    }

    /// Values a row has.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of trees.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.trees
    }

    /// Bytes a walk may touch.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.windows.iter().flat_map(|w| &w.groups).map(|g| size_of_val(&g.nodes[..]) + size_of_val(&g.leaves[..])).sum()
    }

    /// Raw score of one row: the sum of its leaves. A row of another width is NaN.
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f64 {
        if row.len() != self.features {
            return f64::NAN;
        }
        let mut values = [0i32; COLUMNS];
        for (value, column) in values.iter_mut().zip(&self.columns) {
            *value = column.value(row[column.feature]);
        }
        let mut sum = 0.0;
        for window in &self.windows {
            let mut leaves = [0.0; WINDOW];
            for group in &window.groups {
                group.walk(&values, &mut leaves);
            }
            for leaf in &leaves[..window.count] {
                sum += leaf;
            }
        }
        sum
    }

    /// Raw scores of rows, flat and row-major.
    ///
    /// # Errors
    /// If the lengths are not whole rows.
    pub fn score_rows(&self, rows: &[f32], out: &mut [f64]) -> Result<(), ShapeError> {
        if self.features == 0 || rows.len() != out.len() * self.features {
            return Err(ShapeError(format!("{} values do not fit {} rows of {}", rows.len(), out.len(), self.features)));
        }
        for (row, score) in rows.chunks_exact(self.features).zip(out) {
            *score = self.score(row);
        }
        Ok(())
    }
}

impl Window {
    fn new(trees: &[Tree], columns: &[Column]) -> Result<Self, ShapeError> {
        let compiled: Result<Vec<Group>, ShapeError> = trees.iter().enumerate().map(|(place, tree)| Group::of_one(tree, place, columns)).collect();
        let mut compiled = compiled?;
        compiled.sort_by_key(|group| group.depth);
        Ok(Window { groups: compiled.chunks(LANES).map(Group::joined).collect(), count: trees.len() })
    }
}

impl Group {
    /// A tree alone, in the first lane.
    fn of_one(tree: &Tree, place: usize, columns: &[Column]) -> Result<Self, ShapeError> {
        let mut nodes = vec![Node::default()];
        let mut open = vec![(if tree.splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) }, 0, 0)];
        let mut deepest = 0;
        while let Some((child, at, depth)) = open.pop() {
            if nodes.len() > 2 * MOST_LEAVES {
                return Err(ShapeError("the branches of a tree lead in a circle".into()));
            }
            deepest = deepest.max(depth);
            nodes[at] = match child {
                Child::Leaf(i) if i < tree.leaves.len() => Node { threshold: LEAF, left: at as u16, column: i as u16 },
                Child::Split(i) if i < tree.splits.len() => {
                    let (split, left) = (&tree.splits[i], nodes.len());
                    nodes.extend([Node::default(); 2]);
                    open.extend([(split.left, left, depth + 1), (split.right, left + 1, depth + 1)]);
                    let column = columns.iter().position(|c| *c == Column::of(split)).unwrap_or_default();
                    Node { threshold: key(rounded_down(split.threshold)), left: left as u16, column: column as u16 }
                }
                _ => return Err(ShapeError(format!("a branch leads to {child:?}; the tree has no such place"))),
            };
        }
        Ok(Group { nodes, leaves: tree.leaves.clone(), roots: [0; LANES], places: [place as u8; LANES], depth: deepest })
    }

    /// Up to eight trees side by side. With at most 4,096 leaves a tree every place fits 16 bits.
    fn joined(trees: &[Group]) -> Self {
        let mut all = Group { nodes: Vec::new(), leaves: Vec::new(), roots: [0; LANES], places: [trees[0].places[0]; LANES], depth: 0 };
        for (lane, tree) in trees.iter().enumerate() {
            let (root, first_leaf) = (all.nodes.len() as u16, all.leaves.len() as u16);
            (all.roots[lane], all.places[lane]) = (root, tree.places[0]);
            all.depth = all.depth.max(tree.depth);
            all.leaves.extend(&tree.leaves);
            all.nodes.extend(tree.nodes.iter().map(|node| Node {
                left: node.left + root,
                column: if node.threshold == LEAF { node.column + first_leaf } else { node.column },
                ..*node
            }));
        }
        all
    }

    /// Walks all lanes to the depth of the deepest tree and puts each tree's leaf in its place.
    #[inline(always)]
    fn walk(&self, values: &[i32; COLUMNS], leaves: &mut [f64; WINDOW]) {
        let mut at = self.roots;
        for _ in 0..self.depth {
            for place in &mut at {
                let node = self.nodes[usize::from(*place)];
                *place = node.left + u16::from(values[usize::from(node.column & 0xff)] > node.threshold);
            }
        }
        for (place, to) in at.iter().zip(&self.places) {
            leaves[usize::from(*to) % WINDOW] = self.leaves[usize::from(self.nodes[usize::from(*place)].column)];
        }
    }
}

/// An integer in the order of the floats; both zeros are 0, and no float has the least or the greatest.
#[inline(always)]
fn key(x: f32) -> i32 {
    let bits = (x + 0.0).to_bits().cast_signed();
    bits ^ ((bits >> 31).cast_unsigned() >> 1).cast_signed()
}

/// The largest f32 not above `t`.
fn rounded_down(t: f64) -> f32 {
    let near = t as f32;
    if f64::from(near) > t { near.next_down() } else { near }
}
