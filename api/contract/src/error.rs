//! The one error of all building blocks: what kind of failure, and a sentence for people.

use std::fmt;

/// What went wrong, in the terms of the building blocks. API servers match on it exhaustively to
/// find their own status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request cannot be right, whatever the back-end holds.
    InvalidArgument,
    /// What was asked for is not there (an absent *key* is no error: it reads as `None`).
    NotFound,
    /// The value has another version than the caller expects.
    EtagMismatch,
    /// The etag cannot be a version of this store.
    EtagInvalid,
    /// The component cannot do this at all.
    Unsupported,
    /// The back-end cannot be reached or does not answer in time; whether a write took effect is
    /// not known. Worth another try.
    Unavailable,
    /// The answer would be larger than it may be.
    TooLarge,
    /// Anything else: the back-end refused or answered nonsense.
    Internal,
}

/// A failure of a building block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: Box<str>,
}

impl Error {
    /// A failure of the given kind.
    pub fn new(kind: Kind, message: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The request cannot be right.
    pub fn invalid_argument(message: impl Into<Box<str>>) -> Self {
        Self::new(Kind::InvalidArgument, message)
    }

    /// What was asked for is not there.
    pub fn not_found(message: impl Into<Box<str>>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// The stored value has another version than the one expected.
    pub fn etag_mismatch(key: &str) -> Self {
        Self::new(
            Kind::EtagMismatch,
            format!("possible etag mismatch: key {key:?} has changed"),
        )
    }

    /// The etag is no version of this store.
    pub fn etag_invalid(etag: &str) -> Self {
        Self::new(
            Kind::EtagInvalid,
            format!("invalid etag {etag:?}: expected a decimal number"),
        )
    }

    /// The component cannot do this.
    pub fn unsupported(message: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// The back-end cannot be reached; say which component and which back-end.
    pub fn unavailable(message: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    /// The answer would be larger than `limit` bytes.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            Kind::TooLarge,
            format!("the answer exceeds the limit of {limit} bytes: ask for less at once"),
        )
    }

    /// The back-end refused or answered nonsense.
    pub fn internal(message: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
