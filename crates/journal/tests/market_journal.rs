// SPDX-License-Identifier: Apache-2.0
//! Tail, corruption and commit rules of the framed journal.
use pretrade_journal::error::JournalErrorKind;
use pretrade_journal::frame::{Commit, FRAME_HEADER, FrameHeader};
use pretrade_journal::{JournalOptions, JournalReader, JournalWriter, Position};
use pretrade_records::Event;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

fn place(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("pretrade-journal-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join(name);
    let _ = fs::remove_file(&path);
    path
}

fn events(first: i64, count: i64) -> Vec<Event> {
    (first..first + count).map(|i| Event { ts_recv: i * 1_000_000_937, price: -i, sequence: i as u64, ..Default::default() }).collect()
}

fn read_all(path: &Path) -> (Vec<Event>, JournalReader) {
    let mut reader = JournalReader::open(path).unwrap();
    let mut seen = Vec::new();
    reader.read_events(&mut seen, usize::MAX).unwrap();
    (seen, reader)
}

/// Three frames of 2, 3 and 1 events; returns the path and the end of each frame.
fn three_frames(name: &str) -> (PathBuf, Vec<u64>) {
    let path = place(name);
    let mut writer = JournalWriter::open(&path, JournalOptions::default()).unwrap();
    let ends = [(0, 2), (2, 3), (5, 1)].map(|(first, count)| writer.append(&events(first, count)).unwrap().offset);
    (path, ends.to_vec())
}

#[test]
fn what_is_appended_is_read_at_once_and_durable_after_commit() {
    let path = place("at-once");
    let mut writer = JournalWriter::open(&path, JournalOptions::default()).unwrap();
    let end = writer.append(&events(0, 5)).unwrap();
    let (seen, mut reader) = read_all(&path);
    assert_eq!(seen, events(0, 5));
    assert_eq!(reader.position(), end);
    writer.commit().unwrap();
    assert_eq!(reader.committed().unwrap(), Some(Position { offset: end.offset, next_seq: 5 }));
    writer.append(&events(5, 2)).unwrap();
    let mut more = Vec::new();
    assert_eq!(reader.read_events(&mut more, usize::MAX).unwrap(), 2);
    assert_eq!(more, events(5, 2));
}

#[test]
fn a_reader_of_what_is_permanent_stops_at_the_committed_position() {
    let path = place("committed");
    let mut writer = JournalWriter::open(&path, JournalOptions::default()).unwrap();
    let mut reader = JournalReader::open(&path).unwrap();
    writer.append_frame(b"one", 1, 0, 0).unwrap();
    if writer.committed().next_seq == 0 {
        assert!(reader.next_committed_frame().unwrap().is_none());
    }
    writer.commit().unwrap();
    assert_eq!(reader.next_committed_frame().unwrap().unwrap().1, b"one");
    assert!(reader.next_committed_frame().unwrap().is_none());
}

#[test]
fn a_second_writer_and_a_foreign_stream_are_refused() {
    let path = place("second");
    let writer = JournalWriter::open(&path, JournalOptions::default()).unwrap();
    assert_eq!(JournalWriter::open(&path, JournalOptions::default()).unwrap_err().kind, JournalErrorKind::Busy);
    drop(writer);
    let foreign = JournalWriter::open(&path, JournalOptions { stream: 9, ..Default::default() }).unwrap_err();
    assert!(foreign.to_string().contains("the writer brings 9"), "{foreign}");
    fs::write(&path, b"not a journal").unwrap();
    assert_eq!(JournalReader::open(&path).unwrap_err().kind, JournalErrorKind::Refused);
}

#[test]
fn the_last_frame_cut_at_every_byte_is_a_tail_and_is_written_again() {
    let (path, ends) = three_frames("cut");
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len() as u64, ends[2], "a closed journal ends with its last frame");
    for length in ends[1]..ends[2] {
        fs::write(&path, &whole[..length as usize]).unwrap();
        // The committed position of the header page still names the lost frame: power failed after it was cut.
        let (seen, reader) = read_all(&path);
        assert_eq!(seen, events(0, 5), "cut at {length}");
        assert!(reader.problems().is_empty());
        let mut writer = JournalWriter::open(&path, JournalOptions::default()).unwrap();
        assert_eq!(writer.end(), Position { offset: ends[1], next_seq: 5 });
        assert_eq!((writer.problems()[0].offset, writer.problems()[0].first_lost_seq), (ends[1], 5), "what was durable is missed");
        writer.append(&events(5, 1)).unwrap();
        drop(writer);
        assert_eq!(fs::read(&path).unwrap(), whole, "cut at {length}");
    }
}

#[test]
fn a_torn_frame_that_was_never_committed_is_no_problem() {
    let (path, ends) = three_frames("uncommitted");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(bytemuck::bytes_of(&Commit::new(ends[1], 5)), 64).unwrap();
    file.set_len(ends[2] - 9).unwrap();
    let writer = JournalWriter::open(&path, JournalOptions::default()).unwrap();
    assert_eq!((writer.problems().len(), writer.end().next_seq), (0, 5));
}

#[test]
fn the_last_frame_followed_by_reserved_zeros_is_read_and_extended() {
    let (path, ends) = three_frames("zeros");
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(ends[2] + 100_000).unwrap();
    assert_eq!(read_all(&path).0, events(0, 6));
    let mut writer = JournalWriter::open(&path, JournalOptions::default()).unwrap();
    assert_eq!(writer.append(&events(6, 1)).unwrap().next_seq, 7);
}

#[test]
fn every_flipped_byte_of_a_middle_frame_is_located_and_reading_goes_on() {
    let (path, ends) = three_frames("flip");
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    for at in ends[0]..ends[1] {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
        let (seen, reader) = read_all(&path);
        assert_eq!(seen, [events(0, 2), events(5, 1)].concat(), "flipped at {at}");
        let problem = &reader.problems()[0];
        assert_eq!((problem.offset, problem.resumes_at, problem.first_lost_seq, problem.next_seq), (ends[0], ends[1], 2, 5));
        assert!(problem.to_string().contains("records 2 to 4 are lost"), "{problem}");
        file.write_all_at(&byte, at).unwrap();
    }
    assert_eq!(read_all(&path).0, events(0, 6));
}

#[test]
fn a_middle_frame_of_zeros_is_corruption_not_the_end() {
    let (path, ends) = three_frames("hole");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&vec![0; (ends[1] - ends[0]) as usize], ends[0]).unwrap();
    let (seen, reader) = read_all(&path);
    assert_eq!((seen.len(), reader.problems().len()), (3, 1));
    let writer = JournalWriter::open(&path, JournalOptions::default()).unwrap();
    assert_eq!((writer.problems().len(), writer.end().offset), (1, ends[2]), "good frames after the hole are kept");
}

#[test]
fn a_frame_cut_out_whole_is_a_gap_in_the_sequence() {
    let (path, ends) = three_frames("cut-out");
    let mut bytes = fs::read(&path).unwrap();
    bytes.drain(ends[0] as usize..ends[1] as usize);
    fs::write(&path, bytes).unwrap();
    let (seen, reader) = read_all(&path);
    assert_eq!(seen, [events(0, 2), events(5, 1)].concat());
    assert_eq!((reader.problems()[0].first_lost_seq, reader.problems()[0].next_seq), (2, 5));
}

#[test]
fn an_oversize_payload_is_refused_before_anything_is_written() {
    let path = place("oversize");
    let mut writer = JournalWriter::open(&path, JournalOptions::default()).unwrap();
    assert!(writer.append_frame(&vec![0; (4 << 20) + 8], 1, 0, 0).is_err());
    assert_eq!(writer.append_frame(b"fits", 1, 0, 0).unwrap().next_seq, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_payloads_come_back_in_order(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20)) {
        let path = place("any");
        let mut writer = JournalWriter::open(&path, JournalOptions::default()).unwrap();
        for payload in &payloads {
            writer.append_frame(payload, 1, i64::MIN, i64::MAX).unwrap();
        }
        let mut reader = JournalReader::open(&path).unwrap();
        for payload in &payloads {
            let (header, bytes) = reader.next_frame().unwrap().unwrap();
            prop_assert_eq!((header.first_ts_recv, header.last_ts_recv), (i64::MIN, i64::MAX));
            prop_assert_eq!(bytes, &payload[..]);
        }
        prop_assert!(reader.next_frame().unwrap().is_none());
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = FrameHeader::decode(&bytes);
        prop_assert!(bytes.len() >= FRAME_HEADER || FrameHeader::decode(&bytes).is_none());
    }
}
