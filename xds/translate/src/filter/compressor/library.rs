//! What compresses.

use std::ops::RangeInclusive;

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::compression::brotli::compressor::v3 as brotli;
use envoy_types::pb::envoy::extensions::compression::gzip::compressor::v3 as gzip;
use envoy_types::pb::envoy::extensions::compression::zstd::compressor::v3 as zstd;
use envoy_types::pb::google::protobuf::{Any, UInt32Value};
use tandem_model::filter::compressor::{Brotli, BrotliMode, Gzip, GzipStrategy, Library, Zstd};

use crate::cx::Cx;
use crate::value;

const GZIP: &str = "envoy.extensions.compression.gzip.compressor.v3.Gzip";
const BROTLI: &str = "envoy.extensions.compression.brotli.compressor.v3.Brotli";
const ZSTD: &str = "envoy.extensions.compression.zstd.compressor.v3.Zstd";

/// What zstd makes of higher levels.
const ZSTD_MAX: u8 = 22;

pub(super) fn library(cx: &Cx<'_>, proto: &TypedExtensionConfig) -> Option<Library> {
    let Some(any) = &proto.typed_config else {
        cx.error("expected a typed_config");
        return None;
    };
    let cx = &cx.field("typed_config");
    match value::type_name(any) {
        GZIP => gzip(cx, any).map(Library::Gzip),
        BROTLI => brotli(cx, any).map(Library::Brotli),
        ZSTD => zstd(cx, any).map(Library::Zstd),
        other => {
            cx.error(format!("expected gzip, brotli or zstd, got '{other}'"));
            None
        }
    }
}

fn gzip(cx: &Cx<'_>, any: &Any) -> Option<Gzip> {
    use gzip::gzip::CompressionStrategy as S;
    let proto: gzip::Gzip = value::unpack(cx, any)?;
    Some(Gzip {
        memory_level: small(&cx.field("memory_level"), proto.memory_level, 5, 1..=9)?,
        level: u8::try_from(proto.compression_level)
            .ok()
            .filter(|level| *level > 0),
        strategy: match proto.compression_strategy() {
            S::DefaultStrategy => GzipStrategy::Default,
            S::Filtered => GzipStrategy::Filtered,
            S::HuffmanOnly => GzipStrategy::HuffmanOnly,
            S::Rle => GzipStrategy::Rle,
            S::Fixed => GzipStrategy::Fixed,
        },
        window_bits: small(&cx.field("window_bits"), proto.window_bits, 12, 9..=15)?,
        chunk_size: chunk_size(cx, proto.chunk_size)?,
    })
}

fn brotli(cx: &Cx<'_>, any: &Any) -> Option<Brotli> {
    use brotli::brotli::EncoderMode as M;
    let proto: brotli::Brotli = value::unpack(cx, any)?;
    let block = &cx.field("input_block_bits");
    Some(Brotli {
        quality: small(&cx.field("quality"), proto.quality, 3, 0..=11)?,
        mode: match proto.encoder_mode() {
            M::Default | M::Generic => BrotliMode::Generic,
            M::Text => BrotliMode::Text,
            M::Font => BrotliMode::Font,
        },
        window_bits: small(&cx.field("window_bits"), proto.window_bits, 18, 10..=24)?,
        input_block_bits: small(block, proto.input_block_bits, 24, 16..=24)?,
        chunk_size: chunk_size(cx, proto.chunk_size)?,
        disable_literal_context_modeling: proto.disable_literal_context_modeling,
    })
}

fn zstd(cx: &Cx<'_>, any: &Any) -> Option<Zstd> {
    let proto: zstd::Zstd = value::unpack(cx, any)?;
    let level = value::u32_or(proto.compression_level.as_ref(), 0);
    Some(Zstd {
        level: u8::try_from(level).unwrap_or(ZSTD_MAX).min(ZSTD_MAX),
        checksum: proto.enable_checksum,
        strategy: u8::try_from(proto.strategy)
            .ok()
            .filter(|strategy| *strategy > 0),
        chunk_size: chunk_size(cx, proto.chunk_size)?,
    })
}

fn chunk_size(cx: &Cx<'_>, value: Option<UInt32Value>) -> Option<u32> {
    let cx = &cx.field("chunk_size");
    within(cx, value::u32_or(value.as_ref(), 4096), &(4096..=65536))
}

fn small(
    cx: &Cx<'_>,
    value: Option<UInt32Value>,
    default: u32,
    range: RangeInclusive<u32>,
) -> Option<u8> {
    let value = within(cx, value::u32_or(value.as_ref(), default), &range)?;
    u8::try_from(value).ok()
}

fn within(cx: &Cx<'_>, value: u32, range: &RangeInclusive<u32>) -> Option<u32> {
    if range.contains(&value) {
        return Some(value);
    }
    cx.error(format!(
        "expected {} to {}, got {value}",
        range.start(),
        range.end()
    ));
    None
}
