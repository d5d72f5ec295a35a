//! Length-prefixed messages (gRPC over HTTP/2, "Length-Prefixed-Message").

use std::future::poll_fn;
use std::pin::Pin;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body as _;
use tandem_core::Body;

use crate::status::Error;

/// The largest message that is taken from a client, and the largest answer of an application
/// that `InvokeService` takes: 4 MiB, the default of every gRPC implementation.
pub(crate) const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// Compressed flag and length.
const PREFIX: usize = 5;

/// Reads a body that carries exactly one message.
///
/// A message that came in one piece is not copied.
pub(crate) async fn read_one(headers: &HeaderMap, mut body: Body) -> Result<Bytes, Error> {
    if headers
        .get("grpc-encoding")
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err(Error::Compressed);
    }
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while !body.is_end_stream() {
        let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await else {
            break;
        };
        let frame = frame.map_err(|error| Error::BrokenOff(error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.is_empty() {
            continue;
        }
        if whole.is_empty() && pieces.is_empty() {
            check_length(&data)?;
            whole = data;
            continue;
        }
        if pieces.is_empty() {
            pieces.reserve(whole.len() + data.len());
            pieces.extend_from_slice(&whole);
            whole.clear();
        }
        pieces.extend_from_slice(&data);
        check_length(&pieces)?;
    }
    unframe(if pieces.is_empty() {
        whole
    } else {
        pieces.freeze()
    })
}

/// Refuses what is, or says it will be, too large, before it is gathered.
fn check_length(bytes: &[u8]) -> Result<(), Error> {
    let announced = match bytes {
        [_, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize,
        _ => 0,
    };
    let size = announced.max(bytes.len().saturating_sub(PREFIX));
    if size > MAX_MESSAGE {
        return Err(Error::TooLarge {
            size,
            limit: MAX_MESSAGE,
        });
    }
    Ok(())
}

/// Takes the prefix off.
pub(crate) fn unframe(mut bytes: Bytes) -> Result<Bytes, Error> {
    if bytes.len() < PREFIX {
        return Err(Error::Malformed(format!(
            "expected a message, got {} bytes",
            bytes.len()
        )));
    }
    match bytes.get_u8() {
        0 => {}
        1 => return Err(Error::Compressed),
        flag => {
            return Err(Error::Malformed(format!(
                "expected a compression flag of 0 or 1, got {flag}"
            )));
        }
    }
    let length = bytes.get_u32() as usize;
    if bytes.len() != length {
        return Err(Error::Malformed(format!(
            "expected one message of {length} bytes, got {} bytes",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// A buffer that begins with the prefix of a message of `length` bytes and has room for it.
pub(crate) fn framed(length: usize) -> BytesMut {
    let mut buffer = BytesMut::with_capacity(PREFIX + length);
    buffer.put_u8(0);
    buffer.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    buffer
}
