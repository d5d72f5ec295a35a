//! `google.protobuf.Any` whose value is [`Bytes`]: the one of `prost-types` copies it.

use bytes::Bytes;

/// A message of a type that its URL names.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Any {
    /// The type; Layotto's clients leave it empty.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The encoded message, or simply the data.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

impl prost::Name for Any {
    const PACKAGE: &'static str = "google.protobuf";
    const NAME: &'static str = "Any";
}
