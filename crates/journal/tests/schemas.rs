// SPDX-License-Identifier: Apache-2.0
//! The Rust layouts against `schemas/`. Regenerate on purpose only: PRETRADE_REGENERATE=1 cargo test -p pretrade-journal --test schemas
use pretrade_shm::layout::Layout;
use serde_json::json;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas")
}

fn layouts() -> Vec<Layout> {
    pretrade_shm::layouts::ALL.iter().chain(&pretrade_journal::layouts::ALL).copied().collect()
}

fn as_json(layout: &Layout) -> String {
    let fields: Vec<_> = layout.fields.iter().map(|f| json!({ "name": f.name, "type": f.kind, "offset": f.offset, "size": f.size })).collect();
    // One field per line: a review of a layout change reads like a table.
    let lines: Vec<String> = fields.iter().map(|f| format!("    {f}")).collect();
    format!(
        "{{\n  \"name\": \"{}\",\n  \"version\": {},\n  \"byte_order\": \"little\",\n  \"size\": {},\n  \"layout_hash\": \"{:#018x}\",\n  \"fields\": [\n{}\n  ]\n}}\n",
        layout.name,
        layout.version,
        layout.size,
        layout.hash(),
        lines.join(",\n")
    )
}

fn c_type(kind: &str) -> &'static str {
    match kind {
        "u8" => "uint8_t",
        "i8" => "int8_t",
        "u16" => "uint16_t",
        "u32" => "uint32_t",
        "i32" => "int32_t",
        "u64" => "uint64_t",
        "i64" => "int64_t",
        "f32" => "float",
        other => panic!("no C type for {other}"),
    }
}

fn as_c(layouts: &[Layout]) -> String {
    let mut text = String::from(
        "/* SPDX-License-Identifier: Apache-2.0 */\n/* Shared records of pretrade. Generated from schemas/ (crates/journal/tests/schemas.rs); do not edit.\n \
         * seq and crc are 4-byte atomics, every other place moves as 8-byte atomic words. */\n#ifndef PRETRADE_LAYOUTS_H\n#define PRETRADE_LAYOUTS_H\n\n\
         #include <assert.h>\n#include <stddef.h>\n#include <stdint.h>\n",
    );
    for layout in layouts {
        let upper = layout.name.to_uppercase();
        let _ =
            write!(text, "\n#define PRETRADE_{upper}_VERSION {}u\n#define PRETRADE_{upper}_HASH UINT64_C({:#018x})\n", layout.version, layout.hash());
        let _ = writeln!(text, "struct pretrade_{} {{", layout.name);
        for field in layout.fields {
            let (base, count) = field.kind.split_once('[').map_or((field.kind, String::new()), |(base, n)| (base, format!("[{n}")));
            let _ = writeln!(text, "    {} {}{count};", c_type(base), field.name);
        }
        let _ = writeln!(text, "}};\nstatic_assert(sizeof(struct pretrade_{}) == {}, \"size\");", layout.name, layout.size);
        for field in layout.fields {
            let _ = writeln!(text, "static_assert(offsetof(struct pretrade_{}, {}) == {}, \"offset\");", layout.name, field.name, field.offset);
        }
    }
    text.push_str("\n#endif\n");
    text
}

/// Every file that `schemas/` must hold, by name.
fn expected() -> Vec<(String, String)> {
    let layouts = layouts();
    let mut files: Vec<_> = layouts.iter().map(|l| (format!("{}.json", l.name), as_json(l))).collect();
    files.push(("pretrade_layouts.h".into(), as_c(&layouts)));
    files
}

#[test]
fn the_layouts_are_those_of_the_schemas() {
    let is_regenerating = std::env::var_os("PRETRADE_REGENERATE").is_some();
    for (name, text) in expected() {
        let path = folder().join(&name);
        if is_regenerating {
            fs::write(&path, &text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_else(|e| panic!("schemas/{name}: {e}"));
        assert!(found == text, "schemas/{name} differs from the Rust layout; a layout change needs a new version and PRETRADE_REGENERATE=1");
    }
}

#[test]
fn every_field_of_a_schema_is_where_the_compiler_put_it() {
    for layout in layouts() {
        let text = fs::read_to_string(folder().join(format!("{}.json", layout.name))).unwrap();
        let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(schema["size"], layout.size, "{}", layout.name);
        assert_eq!(schema["layout_hash"], format!("{:#018x}", layout.hash()), "{}", layout.name);
        let fields = schema["fields"].as_array().unwrap();
        assert_eq!(fields.len(), layout.fields.len(), "{}", layout.name);
        for (found, field) in fields.iter().zip(layout.fields) {
            assert_eq!(found["name"], field.name);
            assert_eq!((found["offset"].as_u64(), found["size"].as_u64()), (Some(field.offset as u64), Some(field.size as u64)), "{}", field.name);
        }
    }
}
