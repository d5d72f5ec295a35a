use futures_util::stream;
use http::HeaderValue;
use http_body_util::{BodyExt as _, StreamBody};

use super::*;

fn streamed(chunks: Vec<&'static str>) -> Body {
    let frames = chunks
        .into_iter()
        .map(|chunk| Ok::<_, Error>(Frame::data(Bytes::from_static(chunk.as_bytes()))));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", HeaderValue::from_static("1"));
    let end = Ok(Frame::trailers(trailers));
    Body::new(StreamBody::new(stream::iter(frames.chain([end]))))
}

async fn read(upload: &Upload) -> (Bytes, bool) {
    let collected = upload.outgoing().collect().await.unwrap();
    let trailers = collected.trailers().is_some();
    (collected.to_bytes(), trailers)
}

/// Bodies that are already whole are neither locked nor buffered.
#[test]
fn whole_bodies_are_not_streams() {
    let begin = |body| Upload::begin(body, None).unwrap();
    assert!(matches!(begin(Body::empty()), Upload::Empty));
    assert!(matches!(begin(Body::from("x")), Upload::Full(_)));
    let stream = begin(streamed(vec!["x"]));
    assert!(stream.unfinished().is_some());
    assert_eq!(stream.outgoing().size_hint().exact(), None);
}

/// What was read is sent again, trailers too.
#[tokio::test]
async fn a_stream_is_replayed() {
    let upload = Upload::begin(streamed(vec!["one ", "two"]), Some(100)).unwrap();
    for _ in 0..3 {
        assert!(upload.can_replay(100));
        assert_eq!(read(&upload).await, (Bytes::from_static(b"one two"), true));
        assert!(upload.unfinished().is_none());
    }
}

/// A try that stopped half-way is continued by one that starts from the beginning.
#[tokio::test]
async fn a_half_read_stream_is_replayed_whole() {
    let upload = Upload::begin(streamed(vec!["one ", "two ", "three"]), Some(100)).unwrap();
    let mut half = upload.outgoing();
    half.frame().await.unwrap().unwrap();
    half.frame().await.unwrap().unwrap();
    drop(half);
    assert_eq!(read(&upload).await.0, "one two three");
}

/// Past the bound nothing is kept and nothing can be replayed.
#[tokio::test]
async fn past_the_bound_there_is_no_replay() {
    let upload = Upload::begin(streamed(vec!["12345", "67890"]), Some(8)).unwrap();
    assert_eq!(read(&upload).await.0, "1234567890");
    assert!(!upload.can_replay(8));
    assert!(!Upload::Full(Bytes::from_static(b"123")).can_replay(2));
    let upload = Upload::begin(streamed(vec!["1"]), None).unwrap();
    assert!(!upload.can_replay(8));
}

/// The client's own error is kept for whoever asks why.
#[tokio::test]
async fn the_clients_error_is_kept() {
    let error = Error::new(Kind::StreamIdleTimeout);
    let body = StreamBody::new(stream::iter([Err::<Frame<Bytes>, _>(error)]));
    // The first poll happens at once, so the error comes back from there.
    let error = Upload::begin(Body::new(body), Some(8)).unwrap_err();
    assert!(matches!(error.kind(), Kind::StreamIdleTimeout));
    let late = stream::iter([
        Ok(Frame::data(Bytes::from_static(b"x"))),
        Err(Error::new(Kind::StreamIdleTimeout)),
    ]);
    let upload = Upload::begin(Body::new(StreamBody::new(late)), Some(8)).unwrap();
    assert!(upload.outgoing().collect().await.is_err());
    let error = upload.take_error().unwrap();
    assert!(matches!(error.kind(), Kind::StreamIdleTimeout));
    assert!(!upload.can_replay(8));
}
