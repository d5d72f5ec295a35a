use super::*;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = length[1..].to_vec();
    out.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
    out.extend_from_slice(payload);
    out
}

/// How many of `frame` pass, of 5,000, after `before`; whichever way they are cut.
fn passes(before: &[u8], frame: &[u8], written: u64) -> usize {
    let mut counts = [1, 7, 1 << 20].map(|piece| {
        let mut frames = Frames {
            written,
            ..Frames::default()
        };
        assert!(!before.chunks(piece).any(|part| frames.pass(part)));
        let is_too_much = |_: &usize| !frame.chunks(piece).any(|part| frames.pass(part));
        (0..5000).take_while(is_too_much).count()
    });
    counts.sort_unstable();
    assert_eq!(counts[0], counts[2], "it matters how they are cut");
    counts[0]
}

#[test]
fn what_costs_nothing_is_limited_as_in_envoy() {
    let headers = frame(HEADERS, 4, b"block");
    let none = b"".as_slice();
    let priority = frame(PRIORITY, 0, &[0; 5]);
    assert_eq!(passes(none, &priority, 0), 100);
    assert_eq!(passes(&headers.repeat(2), &priority, 0), 300);
    let window = frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1]);
    assert_eq!(passes(none, &window, 0), 5);
    assert_eq!(passes(&headers.repeat(3), &window, 0), 5 + 6);
    assert_eq!(passes(none, &window, 90), 5 + 200);
    for kind in [SETTINGS, PING] {
        assert_eq!(passes(none, &frame(kind, 0, &[0; 8]), 0), 1000);
        assert_eq!(passes(none, &frame(kind, END, &[]), 0), 5000);
    }
}

#[test]
fn empty_frames_are_limited_however_they_are_padded() {
    for empty in [
        frame(DATA, 0, b""),
        frame(HEADERS, 0, b""),
        frame(CONTINUATION, 0, b""),
        frame(DATA, PADDED, b"\0"),
        frame(DATA, PADDED, &[255; 256]),
        frame(HEADERS, PADDED, b"\x02ab"),
    ] {
        assert_eq!(passes(b"", &empty, 0), 1, "{empty:?}");
    }
    let some = frame(DATA, 0, b"x");
    let pair = [frame(DATA, 0, b""), some.clone()].concat();
    for full in [
        some,
        pair,
        frame(DATA, PADDED, b"\x01xp"),
        frame(DATA, END, b""),
        frame(99, 0, b"unknown"),
    ] {
        assert_eq!(passes(b"", &full, 0), 5000, "{full:?}");
    }
}
