//! Compression of bodies (`extensions.filters.http.compressor.v3.Compressor`).

use std::sync::Arc;

use http::StatusCode;

use crate::matching::StringMatcher;
use crate::runtime::RuntimeFlag;

/// Settings of the compressor filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressor {
    /// `compressor_library.name`, a part of the metrics' names.
    pub library_name: Arc<str>,
    /// What compresses.
    pub library: Library,
    /// Compress what clients send; `None`: do not.
    pub request: Option<Direction>,
    /// Compress what they get.
    pub response: ResponseDirection,
    /// Wins among compressors that a client likes equally.
    pub choose_first: bool,
}

/// When a message is compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direction {
    /// Whether at all.
    pub enabled: RuntimeFlag,
    /// Not what announces fewer bytes than this; Envoy's default is 30.
    pub min_content_length: u64,
    /// Only these types; a message that names none is compressed.
    pub content_types: Vec<StringMatcher>,
}

/// When a response is compressed, and what becomes of its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseDirection {
    /// What both directions have.
    pub common: Direction,
    /// Whether `response_direction_config` stood there: metrics are named for that.
    pub named: bool,
    /// Not what has an `etag`.
    pub disable_on_etag: bool,
    /// A strong `etag` becomes a weak one; else it goes.
    pub weaken_etag: bool,
    /// `accept-encoding` is not passed on.
    pub remove_accept_encoding: bool,
    /// Not what has one of these statuses.
    pub uncompressible: Vec<StatusCode>,
}

/// What compresses, and how hard it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Library {
    /// `extensions.compression.gzip.compressor.v3.Gzip`.
    Gzip(Gzip),
    /// `extensions.compression.brotli.compressor.v3.Brotli`.
    Brotli(Brotli),
    /// `extensions.compression.zstd.compressor.v3.Zstd`.
    Zstd(Zstd),
}

impl Library {
    /// The coding in `content-encoding` and `accept-encoding`.
    pub fn coding(&self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Brotli(_) => "br",
            Self::Zstd(_) => "zstd",
        }
    }

    /// Its part of the metrics' names.
    pub fn stat_name(&self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Brotli(_) => "brotli",
            Self::Zstd(_) => "zstd",
        }
    }
}

/// zlib's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gzip {
    /// 1 to 9: memory for speed.
    pub memory_level: u8,
    /// 1 to 9; `None`: zlib's default.
    pub level: Option<u8>,
    /// What the input is like.
    pub strategy: GzipStrategy,
    /// 9 to 15: the window is 2 to this power.
    pub window_bits: u8,
    /// By how much output grows at a time.
    pub chunk_size: u32,
}

/// zlib's strategies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GzipStrategy {
    /// For most.
    #[default]
    Default,
    /// For small values that are spread at random.
    Filtered,
    /// No matching of strings.
    HuffmanOnly,
    /// Runs of one byte.
    Rle,
    /// No dynamic codes.
    Fixed,
}

/// Brotli's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Brotli {
    /// 0 to 11.
    pub quality: u8,
    /// What the input is like.
    pub mode: BrotliMode,
    /// 10 to 24: the window is 2 to this power.
    pub window_bits: u8,
    /// 16 to 24: an input block is 2 to this power.
    pub input_block_bits: u8,
    /// By how much output grows at a time.
    pub chunk_size: u32,
    /// Decoding is faster, and there is more to decode.
    pub disable_literal_context_modeling: bool,
}

/// Brotli's modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BrotliMode {
    /// Nothing is known of the input.
    #[default]
    Generic,
    /// Text in UTF-8.
    Text,
    /// WOFF 2.0 fonts.
    Font,
}

/// Zstandard's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zstd {
    /// 0 (its default) to 22.
    pub level: u8,
    /// A checksum at the end.
    pub checksum: bool,
    /// 1 (fast) to 9 (btultra2); `None`: the level's.
    pub strategy: Option<u8>,
    /// By how much output grows at a time.
    pub chunk_size: u32,
}
