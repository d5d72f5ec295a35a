//! The three formats behind one face.

use std::io::{self, Write as _};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use brotli::enc::backward_references::BrotliEncoderMode;
use bytes::Bytes;
use tandem_model::filter::compressor::{Brotli, BrotliMode, Gzip, GzipStrategy, Library, Zstd};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Method, Status, Strategy};
use zstd::stream::raw::{CParameter, Encoder as ZstdEncoder, Operation as _};
use zstd::zstd_safe::{self, InBuffer, OutBuffer};

/// Added to zlib's window bits: a gzip header and trailer around the data.
const GZIP: i32 = 16;

/// The state of one stream.
pub(super) struct Encoder {
    format: Format,
    /// By how much output grows at a time.
    step: usize,
}

enum Format {
    Gzip(Box<Deflate>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(Box<ZstdEncoder<'static>>),
}

impl Encoder {
    /// A new stream.
    pub(super) fn new(library: &Library) -> io::Result<Self> {
        let (format, step) = match library {
            Library::Gzip(gzip) => (Format::Gzip(Box::new(deflate(gzip))), gzip.chunk_size),
            Library::Brotli(config) => {
                (Format::Brotli(Box::new(brotli(config))), config.chunk_size)
            }
            Library::Zstd(config) => (Format::Zstd(Box::new(zstd(config)?)), config.chunk_size),
        };
        let step = usize::try_from(step).unwrap_or(4096).max(64);
        Ok(Self { format, step })
    }

    /// What `input` becomes, all of it.
    pub(super) fn flush(&mut self, input: &[u8]) -> io::Result<Bytes> {
        match &mut self.format {
            Format::Gzip(state) => gzip(state, input, self.step, DeflateFlush::SyncFlush),
            Format::Brotli(state) => {
                state.write_all(input)?;
                state.flush()?;
                Ok(std::mem::take(state.get_mut()).into())
            }
            Format::Zstd(state) => {
                let mut output = zstd_run(state, input, self.step)?;
                zstd_end(&mut output, self.step, |room| state.flush(room))?;
                Ok(output.into())
            }
        }
    }

    /// What `input`, the last, becomes.
    pub(super) fn finish(self, input: &[u8]) -> io::Result<Bytes> {
        match self.format {
            Format::Gzip(mut state) => gzip(&mut state, input, self.step, DeflateFlush::Finish),
            Format::Brotli(mut state) => {
                state.write_all(input)?;
                Ok(state.into_inner().into())
            }
            Format::Zstd(mut state) => {
                let mut output = zstd_run(&mut state, input, self.step)?;
                zstd_end(&mut output, self.step, |room| state.finish(room, true))?;
                Ok(output.into())
            }
        }
    }
}

fn deflate(config: &Gzip) -> Deflate {
    Deflate::new_with_config(DeflateConfig {
        level: config.level.map_or(-1, i32::from),
        method: Method::Deflated,
        window_bits: i32::from(config.window_bits) + GZIP,
        mem_level: config.memory_level.into(),
        strategy: match config.strategy {
            GzipStrategy::Default => Strategy::Default,
            GzipStrategy::Filtered => Strategy::Filtered,
            GzipStrategy::HuffmanOnly => Strategy::HuffmanOnly,
            GzipStrategy::Rle => Strategy::Rle,
            GzipStrategy::Fixed => Strategy::Fixed,
        },
    })
}

fn gzip(
    state: &mut Deflate,
    mut input: &[u8],
    step: usize,
    flush: DeflateFlush,
) -> io::Result<Bytes> {
    let mut output = Vec::new();
    loop {
        let start = output.len();
        output.resize(start + step, 0);
        let (read, written) = (state.total_in(), state.total_out());
        let status = state
            .compress(input, &mut output[start..], flush)
            .map_err(|error| io::Error::other(error.as_str()))?;
        let (read, written) = (
            moved(read, state.total_in()),
            moved(written, state.total_out()),
        );
        input = &input[read..];
        output.truncate(start + written);
        let done = match flush {
            DeflateFlush::Finish => status == Status::StreamEnd,
            // Room that is left tells that nothing is held back.
            _ => input.is_empty() && written < step,
        };
        if done {
            return Ok(output.into());
        }
    }
}

fn moved(from: u64, to: u64) -> usize {
    usize::try_from(to - from).unwrap_or_default()
}

fn brotli(config: &Brotli) -> CompressorWriter<Vec<u8>> {
    let params = BrotliEncoderParams {
        quality: config.quality.into(),
        mode: match config.mode {
            BrotliMode::Generic => BrotliEncoderMode::BROTLI_MODE_GENERIC,
            BrotliMode::Text => BrotliEncoderMode::BROTLI_MODE_TEXT,
            BrotliMode::Font => BrotliEncoderMode::BROTLI_MODE_FONT,
        },
        lgwin: config.window_bits.into(),
        lgblock: config.input_block_bits.into(),
        disable_literal_context_modeling: config.disable_literal_context_modeling.into(),
        ..BrotliEncoderParams::default()
    };
    let step = usize::try_from(config.chunk_size).unwrap_or(4096);
    CompressorWriter::with_params(Vec::new(), step, &params)
}

fn zstd(config: &Zstd) -> io::Result<ZstdEncoder<'static>> {
    let mut state = ZstdEncoder::new(config.level.into())?;
    state.set_parameter(CParameter::ChecksumFlag(config.checksum))?;
    if let Some(strategy) = config.strategy {
        use zstd_safe::Strategy as S;
        let strategy = match strategy {
            1 => S::ZSTD_fast,
            2 => S::ZSTD_dfast,
            3 => S::ZSTD_greedy,
            4 => S::ZSTD_lazy,
            5 => S::ZSTD_lazy2,
            6 => S::ZSTD_btlazy2,
            7 => S::ZSTD_btopt,
            8 => S::ZSTD_btultra,
            _ => S::ZSTD_btultra2,
        };
        state.set_parameter(CParameter::Strategy(strategy))?;
    }
    Ok(state)
}

fn zstd_run(state: &mut ZstdEncoder<'_>, input: &[u8], step: usize) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    let mut input = InBuffer::around(input);
    while input.pos() < input.src.len() {
        with_room(&mut output, step, |room| state.run(&mut input, room))?;
    }
    Ok(output)
}

/// Until nothing is held back.
fn zstd_end(
    output: &mut Vec<u8>,
    step: usize,
    mut end: impl FnMut(&mut OutBuffer<'_, [u8]>) -> io::Result<usize>,
) -> io::Result<()> {
    while with_room(output, step, &mut end)? > 0 {}
    Ok(())
}

fn with_room(
    output: &mut Vec<u8>,
    step: usize,
    write: impl FnOnce(&mut OutBuffer<'_, [u8]>) -> io::Result<usize>,
) -> io::Result<usize> {
    let start = output.len();
    output.resize(start + step, 0);
    let mut room = OutBuffer::around(&mut output[start..]);
    let left = write(&mut room)?;
    let written = room.pos();
    output.truncate(start + written);
    Ok(left)
}
