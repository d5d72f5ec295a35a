//! Decoding chunked request bodies, strictly.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::Refusal;
use super::head::{self, Limits, Scan};

/// Most bytes of a chunk's size line beyond its digits. Extensions mean nothing here and are
/// dropped, but a client must not hide endless bytes in them.
const MAX_EXTENSION: u16 = 1024;

/// The state of one chunked body.
#[derive(Debug)]
pub struct ChunkedDecoder {
    state: State,
    trailers: BytesMut,
    scan: Scan,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Digits of a size, with how many there were.
    Size { size: u64, digits: u8 },
    /// After the digits, in an extension.
    Extension { size: u64, seen: u16 },
    /// The line feed of a size line.
    SizeEnd { size: u64 },
    /// So much data is left.
    Data { left: u64 },
    /// The CR after the data.
    DataCr,
    /// The LF after the data.
    DataLf,
    /// After the last chunk, up to an empty line.
    Trailers,
    /// Nothing more belongs to this message.
    Done,
}

/// What a step found.
#[derive(Debug)]
pub enum Step {
    /// So many of the input's bytes, from the front, were framing.
    Framing(usize),
    /// So many of the input's bytes, from the front, are data.
    Data(usize),
    /// So many bytes were framing and the message ends with them.
    End(usize, HeaderMap),
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self {
            state: SIZE,
            trailers: BytesMut::new(),
            scan: Scan::default(),
        }
    }
}

const SIZE: State = State::Size { size: 0, digits: 0 };

impl ChunkedDecoder {
    /// Takes one step into `input`, which must not be empty.
    ///
    /// # Errors
    ///
    /// If the framing is broken; nothing after that can be trusted.
    pub fn step(&mut self, input: &[u8], limits: &Limits) -> Result<Step, Refusal> {
        if let State::Data { left } = self.state {
            let n = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
            let left = left - n as u64;
            self.state = match left {
                0 => State::DataCr,
                _ => State::Data { left },
            };
            return Ok(Step::Data(n));
        }
        for (at, &b) in input.iter().enumerate() {
            self.state = match (self.state, b) {
                (State::Size { size, digits }, b) if b.is_ascii_hexdigit() => {
                    if digits == 16 {
                        return Err(Refusal::Codec);
                    }
                    let digit = char::from(b).to_digit(16).unwrap_or_default();
                    State::Size {
                        size: size << 4 | u64::from(digit),
                        digits: digits + 1,
                    }
                }
                (State::Size { digits: 0, .. }, _) => return Err(Refusal::Codec),
                (State::Size { size, .. } | State::Extension { size, .. }, b'\r') => {
                    State::SizeEnd { size }
                }
                (State::Size { size, .. }, b';') => State::Extension { size, seen: 1 },
                (State::Extension { size, seen }, b'\t' | b' '..=b'~') if seen < MAX_EXTENSION => {
                    State::Extension {
                        size,
                        seen: seen + 1,
                    }
                }
                (State::SizeEnd { size: 0 }, b'\n') => State::Trailers,
                (State::SizeEnd { size }, b'\n') => {
                    self.state = State::Data { left: size };
                    return Ok(Step::Framing(at + 1));
                }
                (State::DataCr, b'\r') => State::DataLf,
                (State::DataLf, b'\n') => SIZE,
                (State::Trailers, _) => return self.trailers(input, at, limits),
                _ => return Err(Refusal::Codec),
            };
        }
        Ok(Step::Framing(input.len()))
    }

    fn trailers(&mut self, input: &[u8], at: usize, limits: &Limits) -> Result<Step, Refusal> {
        let before = self.trailers.len();
        self.trailers.extend_from_slice(&input[at..]);
        let Some(end) = self.scan.find_trailer_end(&self.trailers, limits)? else {
            return Ok(Step::Framing(input.len()));
        };
        let section: Bytes = self.trailers.split_to(end).freeze();
        self.trailers = BytesMut::new();
        self.state = State::Done;
        let headers = head::fields(&section, 0, limits, &mut |name, _| {
            if is_forbidden_in_trailers(name) {
                return Err(Refusal::Codec);
            }
            Ok(true)
        })?;
        Ok(Step::End(at + end - before, headers))
    }
}

/// Fields that would change what was already decided about the message (RFC 9110, 6.5.1).
fn is_forbidden_in_trailers(name: &http::HeaderName) -> bool {
    use http::header;
    [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::HOST,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::EXPECT,
    ]
    .contains(name)
}
