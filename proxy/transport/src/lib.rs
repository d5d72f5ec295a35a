//! Bytes: listening sockets, accepting, dialling, TLS, which protocol a connection speaks, HTTP/1
//! framing, and copying between sockets.
//!
//! It knows no routes, no clusters and no filters. Nothing here decides what a request means;
//! it decides where one ends, and refuses what two readers could understand differently.

pub mod accept;
pub mod code;
pub mod connect;
pub mod cork;
pub mod deadline;
pub mod detect;
pub mod h1;
pub mod inspect;
pub mod io;
pub mod listen;
pub mod metered;
mod option;
pub mod original_dst;
pub mod relay;
pub mod rewind;
pub mod scratch;
pub mod tls;
mod unix;
