use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::StreamBody;
use tandem_core::Body;

use super::{MAX_MESSAGE, framed, read_one, refuse, unary};
use crate::status::Error;
use crate::testing;

fn message(bytes: &[u8]) -> Bytes {
    let mut buffer = framed(bytes.len());
    buffer.extend_from_slice(bytes);
    buffer.freeze()
}

fn pieces(bytes: &Bytes, size: usize) -> Body {
    let frames: Vec<_> = bytes
        .chunks(size)
        .map(|piece| Ok::<_, std::convert::Infallible>(Frame::data(Bytes::copy_from_slice(piece))))
        .collect();
    Body::new(StreamBody::new(stream::iter(frames)))
}

#[tokio::test]
async fn a_message_may_come_in_any_pieces() {
    let whole = message(b"hello, world");
    for size in 1..=whole.len() {
        let read = read_one(&HeaderMap::new(), pieces(&whole, size)).await;
        assert_eq!(read.unwrap(), "hello, world", "pieces of {size}");
    }
}

#[tokio::test]
async fn a_message_that_is_not_exactly_one_is_refused() {
    let two: Bytes = [message(b"a"), message(b"b")].concat().into();
    for bad in [Bytes::from_static(b"\0\0"), two, message(b"abc").slice(..6)] {
        let read = read_one(&HeaderMap::new(), Body::from(bad)).await;
        assert!(matches!(read, Err(Error::Malformed(_))));
    }
}

/// The length is believed before the bytes come.
#[tokio::test]
async fn a_message_that_says_it_is_too_large_is_refused() {
    let mut long = vec![0];
    long.extend_from_slice(&u32::try_from(MAX_MESSAGE + 1).unwrap().to_be_bytes());
    let read = read_one(&HeaderMap::new(), Body::from(Bytes::from(long))).await;
    assert!(matches!(read, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn a_compressed_message_is_refused() {
    let mut bytes = message(b"a").to_vec();
    bytes[0] = 1;
    let read = read_one(&HeaderMap::new(), Body::from(Bytes::from(bytes))).await;
    assert!(matches!(read, Err(Error::Compressed)));
}

#[tokio::test(start_paused = true)]
async fn work_ends_at_the_callers_deadline() {
    let mut request = testing::call("X", testing::frame(&()));
    request
        .headers_mut()
        .insert("grpc-timeout", "50m".parse().unwrap());
    let answer = unary(request, |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    let status = testing::read::<()>(answer.await.unwrap())
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
}

/// An error may name what it was sent; clients take 8 KiB of headers.
#[test]
fn a_long_text_is_cut() {
    let response = refuse(&Error::InvokeArgument("é".repeat(50_000)));
    let text = &response.headers()["grpc-message"];
    assert!((2_048..8_192).contains(&text.len()), "{}", text.len());
    let status = tonic::Status::from_header_map(response.headers()).unwrap();
    assert!(status.message().ends_with("é…"), "{status}");
    let response = refuse(&Error::InvokeArgument("short".into()));
    assert_eq!(response.headers()["grpc-message"], "short");
}
