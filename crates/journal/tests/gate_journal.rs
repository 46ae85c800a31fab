// SPDX-License-Identifier: Apache-2.0
//! Ring, copier, fold and verification of the gate journal.
use pretrade_journal::error::JournalErrorKind;
use pretrade_journal::{GateJournal, GateJournalOptions, GateJournalReader, GateJournalRecord, RecordKind, verify_gate_journal};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const DOMAIN: [u8; 16] = [3; 16];

fn place(name: &str) -> GateJournalOptions {
    let directory = std::env::temp_dir().join(format!("pretrade-gate-journal-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    GateJournalOptions { capacity: 64, ..GateJournalOptions::new(&directory.join("ring"), &directory.join("disk"), 2, DOMAIN) }
}

fn read_all(options: &GateJournalOptions) -> Vec<GateJournalRecord> {
    let mut records = Vec::new();
    GateJournalReader::open(options).unwrap().read(&mut records, usize::MAX).unwrap();
    records
}

fn fill(journal: &mut GateJournal, count: u64) {
    for i in 0..count {
        while journal.append(RecordKind::Order, i as i64, 7, &[i, i * i]).is_none() {
            assert!(journal.flush());
        }
    }
}

fn copy(path: &Path) -> PathBuf {
    let to = path.with_extension("copy");
    fs::copy(path, &to).unwrap();
    to
}

#[test]
fn every_record_is_read_back_from_disk_and_ring_in_order() {
    let options = place("order");
    let mut journal = GateJournal::open(&options).unwrap();
    fill(&mut journal, 1000);
    assert!(journal.flush());
    assert_eq!((journal.head(), journal.durable()), (1000, 1000));
    assert_eq!(journal.append(RecordKind::Decision, 1, 2, &[5]), Some(1001));
    let seen = read_all(&options);
    assert_eq!(seen.len(), 1001);
    assert!(seen.iter().enumerate().all(|(i, r)| r.sequence == i as u64 + 1 && r.gateway == 2));
    assert_eq!((seen[500].payload[0], seen[500].payload[1], seen[500].words), (500, 250_000, 2));
    let found = verify_gate_journal(&options.disk).unwrap();
    assert_eq!((found.problem_count, found.records >= 1000), (0, true), "{:?}", found.problems);
}

#[test]
fn a_reopened_journal_goes_on_where_it_ended() {
    let options = place("reopened");
    fill(&mut GateJournal::open(&options).unwrap(), 10);
    let mut journal = GateJournal::open(&options).unwrap();
    assert_eq!(journal.append(RecordKind::Start, 0, 0, &[]), Some(11));
    drop(journal);
    fs::remove_file(&options.ring).unwrap(); // a reboot empties /dev/shm
    let mut journal = GateJournal::open(&options).unwrap();
    assert_eq!(journal.append(RecordKind::Start, 0, 0, &[]), Some(12));
    assert!(journal.flush());
    assert_eq!(read_all(&options).len(), 12);
    assert_eq!(verify_gate_journal(&options.disk).unwrap().problem_count, 0);
}

#[test]
fn a_full_ring_takes_nothing_and_says_so() {
    let options = place("full");
    let mut journal = GateJournal::open(&options).unwrap();
    let mut written = 0;
    while journal.append(RecordKind::Order, 0, 0, &[written]).is_some() {
        written += 1;
        if written > 1_000_000 {
            return; // a copier this fast never lets the ring fill
        }
    }
    assert!(journal.fill_ppm() <= 1_000_000);
    assert!(journal.flush());
    assert_eq!(read_all(&options).len() as u64, written);
}

#[test]
fn a_second_gateway_and_a_foreign_clock_are_refused() {
    let options = place("second");
    let journal = GateJournal::open(&options).unwrap();
    assert_eq!(GateJournal::open(&options).unwrap_err().kind, JournalErrorKind::Busy);
    drop(journal);
    let foreign = GateJournalOptions { clock_domain: [4; 16], ..options.clone() };
    assert!(GateJournal::open(&foreign).unwrap_err().to_string().contains("clock domain"));
    let other = GateJournalOptions { gateway: 3, ..options };
    assert!(GateJournal::open(&other).unwrap_err().to_string().contains("belongs to gateway 2"));
}

#[test]
fn a_disk_behind_the_ring_is_refused() {
    let options = place("behind");
    fill(&mut GateJournal::open(&options).unwrap(), 5);
    fs::remove_file(&options.disk).unwrap();
    let refused = GateJournal::open(&options).unwrap_err();
    assert!(refused.to_string().contains("records are missing on disk"), "{refused}");
}

#[test]
fn the_last_batch_cut_anywhere_is_completed_from_the_ring_or_sealed() {
    let options = place("cut");
    fill(&mut GateJournal::open(&options).unwrap(), 3);
    let before = fs::metadata(&options.disk).unwrap().len();
    let mut journal = GateJournal::open(&options).unwrap();
    fill(&mut journal, 2);
    drop(journal);
    let whole = fs::read(&options.disk).unwrap();
    for length in (before..whole.len() as u64).step_by(17) {
        let mut bytes = whole[..length as usize].to_vec();
        // The committed offset had not moved when the power failed.
        let commit = pretrade_journal::frame::Commit::new(before, 4);
        bytes[64..64 + size_of_val(&commit)].copy_from_slice(bytemuck::bytes_of(&commit));
        fs::write(&options.disk, bytes).unwrap();
        fs::remove_file(&options.ring).unwrap_or_default();
        let journal = GateJournal::open(&options).unwrap();
        let whole_records = (length - before) / 256;
        assert_eq!(journal.head(), 3 + whole_records.min(2), "cut at {length}");
        drop(journal);
        let found = verify_gate_journal(&options.disk).unwrap();
        assert_eq!((found.problem_count, found.loose), (0, 0), "cut at {length}: {:?}", found.problems);
    }
}

#[test]
fn every_flipped_byte_is_found_and_stops_the_fold() {
    let options = place("flip");
    fill(&mut GateJournal::open(&options).unwrap(), 4);
    let whole = fs::read(&options.disk).unwrap();
    let path = copy(&options.disk);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for (at, byte) in whole.iter().enumerate().skip(4096) {
        file.write_all_at(&[byte ^ 1], at as u64).unwrap();
        let found = verify_gate_journal(&path).unwrap();
        assert!(found.problem_count > 0, "flip at {at} was missed");
        let offset = 4096 + (at - 4096) / 256 * 256;
        assert!(found.problems[0].contains(&format!("offset {offset}")), "{:?} at {at}", found.problems);
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
    file.write_all_at(&[whole[4300] ^ 1], 4300).unwrap();
    let mut reader = GateJournalReader::open(&GateJournalOptions { disk: path, ..options }).unwrap();
    let refused = reader.read(&mut Vec::new(), usize::MAX).unwrap_err();
    assert_eq!(refused.kind, JournalErrorKind::Corrupt);
    assert!(refused.to_string().contains("offset 4096"), "{refused}");
}

#[test]
fn a_deleted_swapped_or_forged_record_breaks_the_chain() {
    let options = place("forged");
    let mut journal = GateJournal::open(&options).unwrap();
    for _ in 0..3 {
        fill(&mut journal, 2);
        assert!(journal.flush());
    }
    drop(journal);
    let whole = fs::read(&options.disk).unwrap();
    let check = |bytes: Vec<u8>| {
        fs::write(options.disk.with_extension("forged"), bytes).unwrap();
        verify_gate_journal(&options.disk.with_extension("forged")).unwrap().problem_count
    };
    assert_eq!(check(whole.clone()), 0);
    let mut deleted = whole.clone();
    deleted.drain(4096 + 256..4096 + 512);
    assert!(check(deleted) > 0);
    let mut swapped = whole.clone();
    swapped.copy_within(4096..4352, 4352);
    assert!(check(swapped) > 0);
    assert!(check(whole[..whole.len() - 256].to_vec()) > 0, "a truncated end misses what was committed");
    let mut forged = whole;
    let mut record: GateJournalRecord = bytemuck::pod_read_unaligned(&forged[4096..4352]);
    record.payload[0] = 99; // with a right checksum: only the chain can tell
    forged[4096..4352].copy_from_slice(bytemuck::bytes_of(&record.sealed()));
    assert!(check(forged) > 0);
}

#[test]
fn a_fold_may_start_at_a_checkpoint() {
    let options = place("checkpoint");
    let mut journal = GateJournal::open(&options).unwrap();
    fill(&mut journal, 20);
    assert!(journal.flush());
    let (end, sequence) = (journal.disk_end(), journal.head());
    fill(&mut journal, 7);
    let mut reader = GateJournalReader::open(&options).unwrap().from(end, sequence);
    let mut records = Vec::new();
    reader.read(&mut records, usize::MAX).unwrap();
    assert_eq!((records.len(), records[0].sequence), (7, 21));
}

/// After a failed sync the page cache may show what the disk never got: here, another record under the same number.
#[test]
fn after_a_failure_what_was_not_committed_comes_from_the_ring_again() {
    let options = place("failed");
    let mut journal = GateJournal::open(&options).unwrap();
    fill(&mut journal, 5);
    assert!(journal.flush());
    drop(journal);
    let file = fs::OpenOptions::new().read(true).write(true).open(&options.disk).unwrap();
    let (mut commit, end) = ([0u8; 32], file.metadata().unwrap().len());
    file.read_exact_at(&mut commit, 64).unwrap();
    let mut journal = GateJournal::open(&options).unwrap();
    assert!(journal.is_whole());
    assert_eq!(journal.append(RecordKind::Order, 0, 7, &[77]), Some(6));
    assert!(journal.flush());
    drop(journal);
    let mut bytes = [0; 256];
    file.read_exact_at(&mut bytes, end).unwrap();
    let mut record: GateJournalRecord = bytemuck::pod_read_unaligned(&bytes);
    record.payload[0] = 78;
    file.write_all_at(bytemuck::bytes_of(&record.sealed()), end).unwrap();
    file.write_all_at(&commit, 64).unwrap();
    let ring = fs::OpenOptions::new().write(true).open(&options.ring).unwrap();
    ring.write_at(&5u64.to_le_bytes(), 128).unwrap();
    ring.write_at(&1u64.to_le_bytes(), 136).unwrap();
    let journal = GateJournal::open(&options).unwrap();
    assert!(!journal.is_whole());
    drop(journal);
    assert_eq!(read_all(&options)[5].payload[0], 77);
    assert_eq!(verify_gate_journal(&options.disk).unwrap().problem_count, 0);
    assert!(GateJournal::open(&options).unwrap().is_whole(), "what was lost was told once");
}

/// What a killed gate leaves is whole up to the head; a record that is not was damaged by somebody else.
#[test]
fn a_damaged_record_in_the_ring_is_refused_and_one_beyond_the_head_is_not_there() {
    let options = place("damaged");
    let mut journal = GateJournal::open(&options).unwrap();
    fill(&mut journal, 6);
    assert!(journal.flush());
    drop(journal);
    let file = fs::OpenOptions::new().read(true).write(true).open(&options.disk).unwrap();
    file.set_len(4096).unwrap(); // nothing of it reached the disk
    let commit = pretrade_journal::frame::Commit::new(4096, 1);
    file.write_all_at(bytemuck::bytes_of(&commit), 64).unwrap();
    let ring = fs::OpenOptions::new().read(true).write(true).open(&options.ring).unwrap();
    let (head, tail) = (64, 128);
    ring.write_all_at(&0u64.to_le_bytes(), tail).unwrap();
    let place_of = |record: u64| 4096 + (record - 1) * 256;
    let mut whole = [0; 8];
    ring.read_exact_at(&mut whole, place_of(4) + 8).unwrap();
    ring.write_all_at(&9u64.to_le_bytes(), place_of(4) + 8).unwrap();
    let refused = GateJournal::open(&options).unwrap_err();
    assert_eq!(refused.kind, JournalErrorKind::Corrupt);
    assert!(refused.to_string().contains("records up to 6; record 4 is damaged"), "{refused}");
    ring.write_all_at(&whole, place_of(4) + 8).unwrap();
    // Record 6 was being written when the gate died: its head never came.
    ring.write_all_at(&5u64.to_le_bytes(), head).unwrap();
    assert_eq!(GateJournal::open(&options).unwrap().head(), 5);
    assert_eq!(read_all(&options).len(), 5);
    assert_eq!(verify_gate_journal(&options.disk).unwrap().problem_count, 0);
}

#[test]
fn a_ring_filled_to_the_last_place_is_drained() {
    let options = place("brim");
    let ring = pretrade_journal::Ring::create(&options.ring, options.capacity, options.gateway, &DOMAIN, 0).unwrap();
    let mut words = [0; 32];
    for sequence in 1..=options.capacity {
        (words[0], words[1], words[5]) = (u64::from(pretrade_journal::record::RECORD_MARK) << 32, sequence, sequence * 3);
        ring.push(sequence, &words, &mut []);
    }
    drop(ring);
    let journal = GateJournal::open(&options).unwrap();
    assert_eq!((journal.head(), journal.durable()), (64, 64));
    assert!(read_all(&options).iter().all(|r| r.payload[0] == r.sequence * 3));
}

#[test]
fn a_journal_whose_ring_is_gone_is_not_whole() {
    let options = place("gone");
    fill(&mut GateJournal::open(&options).unwrap(), 5);
    fs::remove_file(&options.ring).unwrap();
    assert!(!GateJournal::open(&options).unwrap().is_whole());
}
