//! The runtime API of the real binary, while what it stands on fails.

mod demo;
mod killed;
mod redis;
mod sidecar;
