//! The words that the tables are written in.

/// A part of the configuration: one file, one heading in the documentation.
pub(super) struct Area {
    pub(super) title: &'static str,
    pub(super) types: &'static [Type],
}

/// A message type and what of it is understood.
pub(super) struct Type {
    pub(super) name: &'static str,
    /// Fields that mean here what they mean in Envoy.
    pub(super) supported: &'static [Supported],
    /// Fields that are accepted though they do nothing, and why nothing is missed.
    pub(super) ignored: &'static [(&'static str, &'static str)],
}

/// A supported field, and the values it may have: names of an enum, or types of an `Any`.
/// No values means all, except for an `Any`.
pub(super) struct Supported {
    pub(super) field: &'static str,
    pub(super) only: &'static [&'static str],
}

/// What the table says of a field.
pub(crate) enum Rule {
    Supported(&'static [&'static str]),
    Ignored,
    Unsupported,
}

impl Type {
    pub(super) fn rule(&self, field: &str) -> Rule {
        match self
            .supported
            .iter()
            .find(|supported| supported.field == field)
        {
            Some(supported) => Rule::Supported(supported.only),
            None if self.ignored.iter().any(|(name, _)| *name == field) => Rule::Ignored,
            None => Rule::Unsupported,
        }
    }
}

/// `types! { "message" { field, other = A | B; ignored: "why"; } }`
macro_rules! types {
    ($($name:literal {
        $($field:ident $(= $($only:tt)|+)?),* $(,)?
        $(; $($ignored:ident : $why:literal),* $(,)?)?
    })*) => {
        &[$($crate::support::area::Type {
            name: $name,
            supported: &[$($crate::support::area::Supported {
                field: stringify!($field),
                only: &[$($($crate::support::area::value!($only)),+)?],
            }),*],
            ignored: &[$($((stringify!($ignored), $why)),*)?],
        }),*]
    };
}

/// A bare word is an enum's value, a string the name of a message.
macro_rules! value {
    ($name:literal) => {
        $name
    };
    ($name:ident) => {
        stringify!($name)
    };
}

pub(super) use {types, value};
