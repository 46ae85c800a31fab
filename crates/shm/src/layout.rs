// SPDX-License-Identifier: Apache-2.0
//! Layouts as data: names, types and offsets of every shared record, and the hash that headers carry.

/// One field of a fixed layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, as in `schemas/`.
    pub name: &'static str,
    /// Type: `u8 u16 u32 u64 i8 i32 i64 f32`, or `type[n]`.
    pub kind: &'static str,
    /// Byte offset.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
}

/// One fixed layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Name, as of its file in `schemas/`.
    pub name: &'static str,
    /// Rises with every change.
    pub version: u32,
    /// Bytes of one record.
    pub size: usize,
    /// Fields in the order of their offsets.
    pub fields: &'static [Field],
}

const fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

impl Layout {
    /// FNV-1a (64 bits) over name, version, size and every field (name, type, offset, size); integers
    /// as 8 little-endian bytes, texts followed by a zero byte.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        let mut hash = fnv(0xcbf2_9ce4_8422_2325, self.name.as_bytes());
        hash = fnv(hash, &[0]);
        hash = fnv(hash, &(self.version as u64).to_le_bytes());
        hash = fnv(hash, &(self.size as u64).to_le_bytes());
        let mut i = 0;
        while i < self.fields.len() {
            let field = &self.fields[i];
            hash = fnv(hash, field.name.as_bytes());
            hash = fnv(hash, &[0]);
            hash = fnv(hash, field.kind.as_bytes());
            hash = fnv(hash, &[0]);
            hash = fnv(hash, &(field.offset as u64).to_le_bytes());
            hash = fnv(hash, &(field.size as u64).to_le_bytes());
            i += 1;
        }
        hash
    }
}

/// Declares a [`Layout`] from a record; offsets and sizes come from the compiler, types are checked by size.
#[macro_export]
macro_rules! record_layout {
    ($name:literal, version $version:literal, $record:ty { $($field:ident : $kind:tt $([$n:literal])?),+ $(,)? }) => {
        $crate::layout::Layout {
            name: $name,
            version: $version,
            size: core::mem::size_of::<$record>(),
            fields: &[$($crate::layout::Field {
                name: stringify!($field),
                kind: concat!(stringify!($kind) $(, "[", stringify!($n), "]")?),
                offset: core::mem::offset_of!($record, $field),
                size: core::mem::size_of::<$kind>() $(* $n)?,
            }),+],
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Layout = Layout { name: "a", version: 1, size: 8, fields: &[Field { name: "x", kind: "u64", offset: 0, size: 8 }] };

    #[test]
    fn the_hash_moves_with_version_name_and_offset() {
        let moved = Layout { version: 2, ..A };
        let renamed = Layout { fields: &[Field { name: "y", kind: "u64", offset: 0, size: 8 }], ..A };
        let shifted = Layout { fields: &[Field { name: "x", kind: "u64", offset: 8, size: 8 }], ..A };
        for other in [moved, renamed, shifted] {
            assert_ne!(A.hash(), other.hash());
        }
    }
}
