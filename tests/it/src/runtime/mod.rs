//! The runtime API of the real binary, while what it stands on fails.

mod acknowledged;
mod config;
mod demo;
mod in_hand;
mod killed;
mod load;
mod outages;
mod ports;
mod redis;
mod sidecar;
mod signals;
mod subscriber;
