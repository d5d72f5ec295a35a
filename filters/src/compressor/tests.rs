use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tandem_core::stats::Registry;
use tandem_core::{Body, Error, HttpService, Request, Response};
use tandem_model::filter::compressor::{
    Brotli, BrotliMode, Compressor, Direction, Gzip, GzipStrategy, Library, ResponseDirection, Zstd,
};
use tandem_model::matching::{StringMatch, StringMatcher};
use tandem_model::runtime::RuntimeFlag;
use tower::{Layer as _, service_fn};

use super::CompressorLayer;
use super::encoder::Encoder;
use super::negotiate::{Choice, Coding, choose};

const GZIP: Library = Library::Gzip(Gzip {
    memory_level: 5,
    level: None,
    strategy: GzipStrategy::Default,
    window_bits: 12,
    chunk_size: 4096,
});
const BROTLI: Library = Library::Brotli(Brotli {
    quality: 3,
    mode: BrotliMode::Generic,
    window_bits: 18,
    input_block_bits: 24,
    chunk_size: 4096,
    disable_literal_context_modeling: false,
});
const ZSTD: Library = Library::Zstd(Zstd {
    level: 0,
    checksum: true,
    strategy: None,
    chunk_size: 4096,
});

fn decoded(library: &Library, bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    match library {
        Library::Gzip(_) => {
            let mut state = zlib_rs::Inflate::new(true, 15 + 16);
            text.resize(1 << 22, 0);
            state
                .decompress(bytes, &mut text, zlib_rs::InflateFlush::SyncFlush)
                .expect("gzip");
            text.truncate(usize::try_from(state.total_out()).expect("small"));
        }
        Library::Brotli(_) => {
            // A stream that is still open ends in an error, after all that was flushed.
            let mut reader = brotli::Decompressor::new(bytes, 4096);
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut piece) {
                text.extend_from_slice(&piece[..n]);
            }
        }
        Library::Zstd(_) => {
            let mut reader = zstd::stream::read::Decoder::new(bytes).expect("zstd");
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut piece) {
                text.extend_from_slice(&piece[..n]);
            }
        }
    }
    text
}

/// What was written can be read at once, before the end, whatever its size.
#[test]
fn every_flush_can_be_read() {
    let noise: Vec<u8> = (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect();
    for library in [GZIP, BROTLI, ZSTD] {
        let mut encoder = Encoder::new(&library).expect("valid");
        let (mut sent, mut got) = (Vec::new(), Vec::new());
        for piece in [&b"hello"[..], &noise, &b"world"[..], &[b'x'; 100_000]] {
            sent.extend_from_slice(piece);
            got.extend_from_slice(&encoder.flush(piece).expect("encodes"));
            assert_eq!(decoded(&library, &got), sent, "{library:?}");
        }
        sent.extend_from_slice(b"end");
        got.extend_from_slice(&encoder.finish(b"end").expect("encodes"));
        assert_eq!(decoded(&library, &got), sent, "{library:?}");
    }
}

fn config(library: Library) -> Compressor {
    Compressor {
        library_name: "text".into(),
        library,
        request: None,
        response: ResponseDirection {
            common: Direction {
                enabled: RuntimeFlag {
                    default: true,
                    key: None,
                },
                min_content_length: 30,
                content_types: vec![StringMatcher {
                    matches: StringMatch::Exact("text/plain".into()),
                    ignore_case: false,
                }],
            },
            named: true,
            disable_on_etag: false,
            weaken_etag: false,
            remove_accept_encoding: false,
            uncompressible: Vec::new(),
        },
        choose_first: false,
    }
}

fn request(accepted: &str) -> Request {
    let builder = http::Request::get("/").header("accept-encoding", accepted);
    builder.body(Body::empty()).expect("valid")
}

/// Pieces and trailers arrive as they were sent, and `content-length` is gone.
#[tokio::test]
async fn a_response_with_trailers_is_compressed() {
    for library in [GZIP, BROTLI, ZSTD] {
        let inner = service_fn(|_: Request| async {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-end", http::HeaderValue::from_static("yes"));
            let frames = [
                Frame::data(Bytes::from_static(b"one ")),
                Frame::data(Bytes::from_static(b"two")),
                Frame::trailers(trailers),
            ];
            let frames = futures_util::stream::iter(frames.map(Ok::<_, Error>));
            let response = http::Response::builder().header("content-type", "text/plain; x=y");
            let body = Body::new(StreamBody::new(frames));
            Ok::<Response, Error>(response.body(body).expect("valid"))
        });
        let stats = Registry::default();
        let layer = CompressorLayer::new(Arc::new(config(library)), &stats.http("test"));
        let service = HttpService::new(layer.layer(HttpService::new(inner)));
        let response = service
            .dispatch(request("gzip, br, zstd"))
            .await
            .expect("answers");
        assert_eq!(response.headers()["content-encoding"], library.coding());
        assert_eq!(response.headers()["vary"], "Accept-Encoding");
        let body = response.into_body().collect().await.expect("whole");
        assert_eq!(body.trailers().expect("some")["x-end"], "yes");
        assert_eq!(decoded(&library, &body.to_bytes()), b"one two");
    }
}

/// Of Envoy's rules: the highest quality, then the client's order; `*` is the first offer.
#[test]
fn codings_are_chosen_by_quality() {
    let offered = |first: &str| -> Vec<Coding> {
        let names = ["br", "zstd", "gzip"].into_iter();
        let coding = |name| Coding {
            name,
            choose_first: name == first,
        };
        names.map(coding).collect()
    };
    let chosen = |accepted: &str| choose(accepted, offered("none"));
    assert_eq!(chosen("gzip, br"), Choice::Named("gzip"));
    assert_eq!(chosen("gzip;q=0.5, br;q=0.8"), Choice::Named("br"));
    assert_eq!(chosen("*"), Choice::Wildcard("br"));
    assert_eq!(chosen("br;q=0, *"), Choice::Wildcard("zstd"));
    assert_eq!(chosen("identity, gzip;q=0.1"), Choice::Identity);
    assert_eq!(chosen("deflate"), Choice::Nothing);
    assert_eq!(chosen("gzip;q=x"), Choice::Nothing);
    assert_eq!(choose("gzip, zstd", offered("zstd")), Choice::Named("zstd"));
}
