//! The runtime APIs as a filter (`tandem.filter.runtime.v1.Runtime`, a message of ours).

use std::path::PathBuf;
use std::sync::Arc;

/// Settings of the runtime filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Runtime {
    /// The application served.
    pub app: App,
    /// Which APIs it terminates.
    pub apis: Vec<Api>,
    /// Folders with component declarations.
    pub resources_paths: Vec<PathBuf>,
    /// Where the embedded store keeps its file; `None`: the process's default.
    pub data_dir: Option<PathBuf>,
    /// The listener whose routes `InvokeService` takes; `None`: the one that takes what the id
    /// names.
    pub outbound_listener: Option<Arc<str>>,
    /// The port that is called when an id names none; default 80.
    pub default_invoke_port: u16,
}

/// The application beside the sidecar.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct App {
    /// Its id; the prefix of lock and sequencer keys.
    pub id: Arc<str>,
    /// Where it listens; default 127.0.0.1.
    pub host: Arc<str>,
    /// Its port; `None`: it takes no calls.
    pub port: Option<u16>,
    /// What it speaks.
    pub protocol: AppProtocol,
    /// Port of its gRPC callback server (`AppCallback`); `None`: the application's port when
    /// it speaks gRPC, else no callbacks.
    pub callback_port: Option<u16>,
    /// Host of its gRPC callback server; default: `host`.
    pub callback_host: Arc<str>,
}

/// What an application speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AppProtocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// gRPC.
    Grpc,
    /// HTTP/2 without TLS.
    H2c,
}

/// The runtime APIs that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// Layotto's `spec.proto.runtime.v1.Runtime` over gRPC.
    LayottoGrpc,
}
