//! Compression of bodies as they pass (`envoy.filters.http.compressor`).
//!
//! Several compressors may stand in one list: on the way in each offers its coding, on the way
//! out the innermost that could compress chooses one of the offers, by what the client accepts,
//! and the others keep to its choice. Every piece that comes is flushed, so that nothing waits
//! in a compressor; its state is made when a body is compressed, and not before.
//!
//! Answers of the proxy's own are made outside the filters: they are not compressed.

mod body;
mod encoder;
mod explain;
mod layer;
mod message;
mod negotiate;
mod service;

#[cfg(test)]
mod tests;

pub(crate) use explain::explain;
pub use layer::CompressorLayer;
pub use service::Compressor;
