// SPDX-License-Identifier: Apache-2.0
//! The tree scorer against a plain walk of LightGBM's rules, and what malformed texts and folders are told.
use pretrade_score::lightgbm::{Child, Missing, Model, Split, Tree, parse};
use pretrade_score::{Forest, OrderErrorModel};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::Path;

/// LightGBM's `Tree::NumericalDecision`, in f64, one branch at a time.
fn plain(tree: &Tree, row: &[f32]) -> f64 {
    let mut at = if tree.splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) };
    loop {
        let split = match at {
            Child::Leaf(i) => return tree.leaves[i],
            Child::Split(i) => &tree.splits[i],
        };
        let mut value = f64::from(row[split.feature]);
        if value.abs() <= f64::from(1e-35f32) {
            value = 0.0;
        }
        if value.is_nan() && split.missing != Missing::Nan {
            value = 0.0;
        }
        let is_missing = match split.missing {
            Missing::None => false,
            Missing::Zero => value == 0.0,
            Missing::Nan => value.is_nan(),
        };
        let is_left = if is_missing { split.is_default_left } else { value <= split.threshold };
        at = if is_left { split.left } else { split.right };
    }
}

const WIDTH: usize = 3;

fn values() -> impl Strategy<Value = f32> {
    prop_oneof![
        Just(f32::NAN),
        Just(0.0),
        Just(-0.0),
        Just(f32::INFINITY),
        Just(f32::NEG_INFINITY),
        Just(1e-36f32),
        Just(-1e-35f32),
        Just(f32::MAX),
        -2.0f32..2.0
    ]
}

fn thresholds() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(1.000_000_018_002_509_5e-35),
        Just(1e300),
        Just(-1e300),
        Just(-1e-35),
        Just(0.1),
        values().prop_map(|v| if v.is_finite() { f64::from(v) } else { 0.3 }),
        -2.0f64..2.0
    ]
}

/// A tree grown by splitting one leaf at a time, as LightGBM grows it.
fn trees() -> impl Strategy<Value = Tree> {
    let split = (any::<prop::sample::Index>(), 0..WIDTH, thresholds(), 0u8..3, any::<bool>());
    (prop::collection::vec(split, 0..20), prop::collection::vec(-1.0f64..1.0, 21)).prop_map(|(grown, values)| {
        let mut tree = Tree { splits: Vec::new(), leaves: values[..=grown.len()].to_vec() };
        for (at, feature, threshold, missing, is_default_left) in grown {
            let (number, new) = (tree.splits.len(), tree.splits.len() + 1);
            let leaf = at.index(number + 1);
            for split in &mut tree.splits {
                for child in [&mut split.left, &mut split.right] {
                    if *child == Child::Leaf(leaf) {
                        *child = Child::Split(number);
                    }
                }
            }
            let missing = [Missing::None, Missing::Zero, Missing::Nan][usize::from(missing)];
            tree.splits.push(Split { feature, threshold, missing, is_default_left, left: Child::Leaf(leaf), right: Child::Leaf(new) });
        }
        tree
    })
}

/// The text LightGBM would write.
fn text(trees: &[Tree]) -> String {
    let mut out = format!("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx={}\nobjective=binary sigmoid:1\n", WIDTH - 1);
    let _ = writeln!(out, "feature_names=a b c\ntree_sizes={}\n", vec!["1"; trees.len()].join(" "));
    for (i, tree) in trees.iter().enumerate() {
        let all = |f: &dyn Fn(&Split) -> String| tree.splits.iter().map(f).collect::<Vec<_>>().join(" ");
        let child = |c: Child| match c {
            Child::Split(i) => i.to_string(),
            Child::Leaf(i) => format!("-{}", i + 1),
        };
        let kind = |s: &Split| ((s.missing as u8) << 2 | u8::from(s.is_default_left) << 1).to_string();
        let _ = writeln!(out, "Tree={i}\nnum_leaves={}\nnum_cat=0", tree.leaves.len());
        if !tree.splits.is_empty() {
            let _ = writeln!(out, "split_feature={}\nthreshold={}", all(&|s| s.feature.to_string()), all(&|s| s.threshold.to_string()));
            let _ = writeln!(out, "decision_type={}\nleft_child={}\nright_child={}", all(&kind), all(&|s| child(s.left)), all(&|s| child(s.right)));
        }
        let _ = writeln!(out, "leaf_value={}\n\n", tree.leaves.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
    }
    out + "end of trees\n\nfeature_importances:\n"
}

proptest! {
    #[test]
    fn a_forest_scores_the_bits_of_a_plain_walk(
        trees in prop::collection::vec(trees(), 0..70),
        rows in prop::collection::vec(prop::collection::vec(values(), WIDTH), 1..20),
    ) {
        let forest = Forest::new(&trees, WIDTH).unwrap();
        for row in rows {
            let sum = trees.iter().fold(0.0, |sum, tree| sum + plain(tree, &row));
            prop_assert_eq!(forest.score(&row).to_bits(), sum.to_bits(), "{:?}", row);
        }
    }

    #[test]
    fn what_is_written_is_read(trees in prop::collection::vec(trees(), 0..10)) {
        let model = parse(&text(&trees)).unwrap();
        prop_assert_eq!(model, Model { features: vec!["a".into(), "b".into(), "c".into()], trees, sigmoid: Some(1.0) });
    }

    #[test]
    fn a_damaged_text_is_refused_or_still_a_model(trees in prop::collection::vec(trees(), 1..4), at in any::<prop::sample::Index>(), byte in 0u8..128) {
        let mut bytes = text(&trees).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(model) = parse(std::str::from_utf8(&bytes).unwrap()) {
            prop_assert!(Forest::new(&model.trees, model.features.len()).is_ok());
        }
    }
}

fn stump() -> Tree {
    let split = Split { feature: 0, threshold: 0.5, missing: Missing::Nan, is_default_left: false, left: Child::Leaf(0), right: Child::Leaf(1) };
    Tree { splits: vec![split], leaves: vec![-1.25, 0.5] }
}

#[test]
fn malformed_texts_are_told_where() {
    let good = text(&[stump(), stump()]);
    for (from, to, said) in [
        ("tree\nversion", "bush\nversion", "no LightGBM text model"),
        ("version=v4", "version=v9", "version is v9"),
        ("num_class=1", "num_class=3", "num_class is 3"),
        ("num_tree_per_iteration=1", "average_output", "averaged"),
        ("Tree=1", "Tree=7", "where tree 1 belongs"),
        ("tree_sizes=1 1", "tree_sizes=1 1 1", "lists 3 trees, the text holds 2"),
        ("end of trees", "", "cut off"),
        ("objective=binary sigmoid:1", "objective=binary sigmoid:-1", "sigmoid"),
        ("num_leaves=2", "num_leaves=3", "leaf_value has 2 values, not 3"),
        ("num_leaves=2", "num_leaves=0", "num_leaves is 0"),
        ("num_leaves=2", "num_leaves=many", "num_leaves is \"many\""),
        ("num_cat=0", "num_cat=1", "categorical"),
        ("num_cat=0", "num_cat=0\nis_linear=1", "linear"),
        ("split_feature=0", "split_feature=3", "reads feature 3; there are 3"),
        ("threshold=0.5", "threshold=nan", "threshold NaN"),
        ("threshold=0.5", "threshold=0,5", "holds \"0,5\""),
        ("threshold=0.5\n", "", "threshold is absent"),
        ("threshold=0.5\n", "threshold=0.5\nthreshold=0.5\n", "threshold stands there twice"),
        ("decision_type=8", "decision_type=9", "decision_type 9"),
        ("decision_type=8", "decision_type=12", "decision_type 12"),
        ("left_child=-1", "left_child=-3", "a branch leads to -3"),
        ("left_child=-1", "left_child=0", "exactly once"),
        ("right_child=-2", "right_child=-1", "exactly once"),
        ("leaf_value=-1.25", "leaf_value=inf", "leaf_value holds inf"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = parse(&good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(said), "{from} -> {to}: {error}");
    }
    assert!(parse(&good).is_ok());
}

/// Loads a folder whose files the test changed; the manifest's hashes are those of the changed files only where `is_honest`.
fn load(name: &str, change: impl Fn(&str, String) -> String, is_honest: bool) -> Result<OrderErrorModel, String> {
    let place = std::env::temp_dir().join(format!("pretrade-score-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let forest = Forest::new(&[stump(), stump()], WIDTH).unwrap();
    let rows = (0..100).map(|i| [i as f32 / 100.0, f32::NAN, 1e-36]).map(|row| format!("{},{},{},{}\n", row[0], row[1], row[2], forest.score(&row)));
    let model = text(&[stump(), stump()]);
    let check = format!("a,b,c,raw\n{}", rows.collect::<String>());
    let hash = |text: &str| Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let (new_model, new_check) = (change("model.txt", model.clone()), change("check.csv", check.clone()));
    let hashed = if is_honest { (&new_model, &new_check) } else { (&model, &check) };
    let manifest = format!(
        r#"{{"format":1,"kind":"order_error","prevalence_train":0.02,"prevalence_use":0.0001,"files":{{"model.txt":"{}","check.csv":"{}"}}}}"#,
        hash(hashed.0),
        hash(hashed.1)
    );
    for (file, text) in [("model.txt", new_model), ("check.csv", new_check), ("manifest.json", change("manifest.json", manifest))] {
        std::fs::write(place.join(file), text).unwrap();
    }
    let loaded = OrderErrorModel::load(&place).map_err(|e| e.to_string());
    std::fs::remove_dir_all(&place).unwrap();
    loaded
}

#[test]
fn a_folder_scores_with_the_prevalence_in_use() {
    let model = load("good", |_, text| text, true).unwrap();
    assert_eq!(model.features(), ["a", "b", "c"]);
    let odds = (1.0f64).exp() * (0.0001 / 0.9999) / (0.02 / 0.98);
    assert!((f64::from(model.score(&[0.6, 0.0, 0.0])) - odds / (1.0 + odds)).abs() < 1e-9);
    assert!(model.score(&[0.6]).is_nan());
}

#[test]
fn changed_folders_are_refused_with_the_reason() {
    type Change = (&'static str, &'static str, &'static str);
    let cases: [(Change, bool, &str); 9] = [
        (("model.txt", "0.5", "0.25"), false, "model.txt was changed after it was saved"),
        (("check.csv", "0.5", "0.25"), false, "check.csv was changed after it was saved"),
        // A model exchanged with its hash still meets the stored rows.
        (("model.txt", "threshold=0.5", "threshold=0.513"), true, "row 51 scores"),
        (("model.txt", "-1.25", "-1.2500000000000004"), true, "row 0 scores"),
        (("check.csv", "a,b,c", "a,c,b"), true, "does not begin with the model's features"),
        (("check.csv", "\n0.01,NaN", "\n0.01"), true, "row 1 has 3 values, not 4"),
        (("check.csv", "\n0.01,NaN", "\n0.01,x"), true, "\"x\" is no number"),
        (("manifest.json", "0.0001", "0"), true, "prevalence_use 0"),
        (("manifest.json", "\"format\":1", "\"format\":2"), true, "format 2"),
    ];
    for (i, ((file, from, to), is_honest, said)) in cases.into_iter().enumerate() {
        let change = |name: &str, text: String| if name == file { text.replacen(from, to, 1) } else { text };
        let error = load(&format!("case{i}"), change, is_honest).unwrap_err();
        assert!(error.contains(said), "{file}: {error}");
    }
    let few = |name: &str, text: String| if name == "check.csv" { text.lines().take(50).map(|l| format!("{l}\n")).collect() } else { text };
    assert!(load("few", few, true).unwrap_err().contains("holds 49 rows"));
    assert!(OrderErrorModel::load(Path::new("/nowhere")).unwrap_err().to_string().contains("manifest.json cannot be read"));
}

#[test]
fn trees_that_do_not_fit_are_refused() {
    let wide = Tree { splits: vec![Split { feature: 3, ..stump().splits[0] }], ..stump() };
    assert!(Forest::new(&[wide], WIDTH).is_err());
    let circle = Tree { splits: vec![Split { left: Child::Split(0), ..stump().splits[0] }], ..stump() };
    assert!(Forest::new(&[circle], WIDTH).is_err());
    let many: Vec<Tree> = (0..300).map(|f| Tree { splits: vec![Split { feature: f, ..stump().splits[0] }], ..stump() }).collect();
    assert!(Forest::new(&many, 300).unwrap_err().to_string().contains("300 columns"));
}
