//! Certificates and keys, and where they come from.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::Validation;
use crate::config_source::ConfigSource;

/// A secret that a context uses: its own, or one that a control plane delivers and replaces.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretRef<T> {
    /// In the configuration itself.
    Inline(Arc<T>),
    /// By name.
    Sds(SdsSecret),
}

/// A secret by name (`SdsSecretConfig`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SdsSecret {
    /// Its name.
    pub name: Arc<str>,
    /// Who delivers it.
    pub source: SecretSource,
}

/// Who delivers a secret. The same name from two sources is two secrets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// `static_resources.secrets`.
    Static,
    /// A control plane, or a file that holds it.
    Dynamic(ConfigSource),
}

/// A secret as a control plane delivers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Secret {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: SecretKind,
}

/// What a secret may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// A certificate and its key.
    Certificate(Arc<TlsCertificate>),
    /// How peers are judged.
    Validation(Arc<Validation>),
}

/// A certificate and its key (`TlsCertificate`), both PEM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsCertificate {
    /// The chain, the leaf first.
    pub chain: DataSource,
    /// The leaf's private key.
    pub key: DataSource,
    /// The directory whose moves announce new files; the files' own if not set.
    pub watched_directory: Option<Arc<str>>,
}

/// Bytes, or a file that holds them (`config.core.v3.DataSource`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum DataSource {
    /// The bytes.
    Inline(Bytes),
    /// A file's path.
    File(Arc<str>),
}

impl fmt::Debug for DataSource {
    /// Keys do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(bytes) => write!(f, "Inline({} bytes)", bytes.len()),
            Self::File(path) => write!(f, "File({path})"),
        }
    }
}
