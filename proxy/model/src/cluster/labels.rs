//! What endpoints say of what should carry their connections, and what is asked of them.

use std::sync::Arc;

/// What an endpoint says, and what its locality says of all in it: their metadata under
/// `envoy.transport_socket_match`, each sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels {
    /// The endpoint's own, which comes first.
    pub endpoint: Vec<Label>,
    /// The locality's, which counts where no match fits the endpoint's own.
    pub locality: Vec<Label>,
}

/// A name and its value.
pub type Label = (Arc<str>, LabelValue);

/// A value (`google.protobuf.Value`): equal only to one of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LabelValue {
    /// `null`.
    Null,
    /// A truth.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Arc<str>),
    /// Values in an order that counts.
    List(Vec<LabelValue>),
    /// Values by name, sorted.
    Struct(Vec<Label>),
}

impl From<&str> for LabelValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// A number that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number(u64);

impl Number {
    /// `None` for what is no number: it equals nothing, not even itself.
    pub fn from_f64(number: f64) -> Option<Self> {
        // Both zeros are one.
        (!number.is_nan()).then_some(Self((number + 0.0).to_bits()))
    }
}
