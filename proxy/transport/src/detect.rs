//! Which HTTP a connection speaks, by its first bytes.

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detected {
    /// Anything but the HTTP/2 preface, garbage included: HTTP/1 answers it with a 400.
    Http1,
    /// The HTTP/2 preface has begun. Its end is the HTTP/2 codec's to check.
    Http2,
    /// So far it could be either.
    Undecided,
}

/// As much of the preface as decides, which is as much as Envoy waits for.
const PREFACE: &[u8] = b"PRI * HTTP/2";

/// Looks at everything read so far.
pub fn detect(bytes: &[u8]) -> Detected {
    let n = bytes.len().min(PREFACE.len());
    if bytes[..n] != PREFACE[..n] {
        Detected::Http1
    } else if n == PREFACE.len() {
        Detected::Http2
    } else {
        Detected::Undecided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_preface_is_http2() {
        assert_eq!(detect(b""), Detected::Undecided);
        assert_eq!(detect(b"P"), Detected::Undecided);
        assert_eq!(detect(b"PRI * HTTP/"), Detected::Undecided);
        assert_eq!(detect(b"PRI * HTTP/2"), Detected::Http2);
        assert_eq!(
            detect(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"),
            Detected::Http2
        );
        assert_eq!(detect(b"POST / HTTP/1.1\r\n"), Detected::Http1);
        assert_eq!(detect(b"PRI / HTTP/1.1\r\n"), Detected::Http1);
        assert_eq!(detect(b"\x16\x03\x01"), Detected::Http1);
    }
}
