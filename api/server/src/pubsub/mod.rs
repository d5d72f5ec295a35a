//! Publish and subscribe: [`publish`] wraps data in CloudEvents ([`envelope`]); events reach the
//! application by its [`callback`]s or over a stream that it opened ([`subscribe_stream`]).

mod app;
mod callback;
mod envelope;
mod event;
mod publish;
pub(crate) mod subscribe_stream;

pub(crate) use callback::Callbacks;
pub(crate) use subscribe_stream::Streams;
