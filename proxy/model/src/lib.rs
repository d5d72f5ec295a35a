//! What configuration says, as plain data, and the pure functions that read it.
//!
//! Every type here is `Clone + Debug + Eq`: two configurations can be compared, and what did
//! not change keeps its connections, pools and breakers. Nothing here runs: there is no async,
//! no I/O and no protobuf. A value that exists has been validated (*if it is in the model, it
//! builds*); the crate that reads configuration files or xDS does that once, off the hot path.
//!
//! Names, units and defaults are Envoy's v3 API unless a type's documentation says otherwise;
//! defaults are already filled in by whoever builds the value.

pub mod access_log;
pub mod address;
pub mod bootstrap;
pub mod cidr;
pub mod cluster;
pub mod config_source;
pub mod filter;
pub mod format;
pub mod hcm;
pub mod headers;
pub mod listener;
pub mod log_pattern;
pub mod matching;
pub mod metrics;
pub mod percent;
pub mod retry;
pub mod route;
pub mod runtime;
pub mod scheme;
pub mod scope;
pub mod tcp_proxy;
pub mod tls;

pub use address::{Address, Pipe};
pub use bootstrap::Bootstrap;
pub use cluster::Cluster;
pub use hcm::HttpConnectionManager;
pub use listener::Listener;
pub use percent::{FractionalPercent, Percent};
