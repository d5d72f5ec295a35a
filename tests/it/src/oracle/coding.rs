//! Compressed bodies, read: two compressors may say the same in other bytes.

use std::io::Read as _;

use tandem_harness::client::Response;
use zlib_rs::{Inflate, InflateFlush};

/// More than any body of a case.
const LIMIT: usize = 1 << 20;

/// The body without its `content-encoding`; as it is, if it cannot be read so.
pub fn plain(response: &Response) -> Vec<u8> {
    let coding = response.get("content-encoding").unwrap_or_default();
    read(coding, &response.body).unwrap_or_else(|| response.body.clone())
}

fn read(coding: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    match coding {
        "gzip" => {
            let mut state = Inflate::new(true, 15 + 16);
            text.resize(LIMIT, 0);
            state
                .decompress(body, &mut text, InflateFlush::Finish)
                .ok()?;
            text.truncate(usize::try_from(state.total_out()).ok()?);
        }
        "br" => {
            brotli::Decompressor::new(body, 4096)
                .read_to_end(&mut text)
                .ok()?;
        }
        "zstd" => text = zstd::stream::decode_all(body).ok()?,
        _ => return None,
    }
    Some(text)
}
