//! A request of state of the world whose names are bytes already: control planes want to hear all
//! of them again with each answer, and there may be 100,000.

use envoy_types::pb::envoy::config::core::v3::Node;
use prost::DecodeError;
use prost::Message;
use prost::bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{DecodeContext, WireType, string};

use crate::wire::DiscoveryRequest;

/// The number of the field `resource_names`.
const NAMES: u32 = 3;

/// What a state-of-the-world subscription says: a [`DiscoveryRequest`] on the wire, and read as
/// such. It is only ever written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SotwRequest {
    /// All but the names, which it has none of.
    rest: DiscoveryRequest,
    names: EncodedNames,
}

/// The names of a subscription as its requests carry them. A clone is the same bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EncodedNames(Bytes);

impl EncodedNames {
    pub(crate) fn new(names: &[String]) -> Self {
        let mut bytes = BytesMut::with_capacity(string::encoded_len_repeated(NAMES, names));
        string::encode_repeated(NAMES, names, &mut bytes);
        Self(bytes.freeze())
    }
}

impl SotwRequest {
    /// Adds the names to a request that has none.
    pub(crate) fn new(rest: DiscoveryRequest, names: EncodedNames) -> Self {
        Self { rest, names }
    }

    /// Says who asks.
    pub fn set_node(&mut self, node: Node) {
        self.rest.node = Some(node);
    }

    /// All but the names.
    pub(crate) fn rest(&self) -> &DiscoveryRequest {
        &self.rest
    }
}

/// As `DiscoveryRequest`: the order of a message's fields is free.
impl Message for SotwRequest {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        self.rest.encode_raw(buf);
        buf.put_slice(&self.names.0);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.rest.merge_field(tag, wire_type, buf, ctx)
    }

    fn encoded_len(&self) -> usize {
        self.rest.encoded_len() + self.names.0.len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}
