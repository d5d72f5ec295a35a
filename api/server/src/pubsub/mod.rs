//! Publishing, and the two ways events reach the application: callbacks and streams.

pub(crate) mod callback;
mod envelope;
pub(crate) mod publish;
pub(crate) mod stream;

pub(crate) use stream::Streams;
