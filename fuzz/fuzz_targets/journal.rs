// SPDX-License-Identifier: Apache-2.0
//! Market journals of any bytes: frames are read, or the reason why not is said.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pretrade_journal::{JournalReader, verify_gate_journal};
use pretrade_records::Event;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

/// One file of this process, in memory where there is such a folder.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from("/dev/shm");
    let folder = if folder.is_dir() { folder } else { std::env::temp_dir() };
    folder.join(format!("pretrade-fuzz-{}.journal", std::process::id()))
});

fuzz_target!(|bytes: &[u8]| {
    fs::write(&*FILE, bytes).expect("a file to read");
    let Ok(mut reader) = JournalReader::open(&FILE) else { return };
    let mut last = reader.position();
    while let Ok(Some((header, payload))) = reader.next_frame() {
        let whole = payload.len() == header.count as usize * size_of::<Event>();
        if whole {
            let sizes: i128 = payload.chunks_exact(size_of::<Event>()).map(|e| i128::from(bytemuck::pod_read_unaligned::<Event>(e).size)).sum();
            std::hint::black_box(sizes);
        }
        assert!(reader.position().offset > last.offset, "a frame was read and the reader stands still at {}", last.offset);
        last = reader.position();
    }
    let _ = reader.committed();
    let _ = verify_gate_journal(&FILE);
});
