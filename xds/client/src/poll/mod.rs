//! Configuration that is fetched instead of pushed: REST and watched files.
//!
//! Both give whole responses, so both are state of the world, and their consumers see the same
//! events as those of a stream. What a response's bytes mean is the caller's to say, by a
//! [`Decode`] function.

mod files;
mod read;
mod rest;
mod subscription;
#[cfg(test)]
mod tests;
mod watch;

pub use files::{File, Files};
pub use read::read;
pub use rest::{Rest, Timing};

use std::collections::BTreeMap;

use crate::wire::DiscoveryResponse;

/// Reads a response, JSON or what else the bytes are. The error's text is for the log.
pub type Decode = Box<dyn Fn(&[u8]) -> Result<Fetched, String> + Send>;

/// A response as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fetched {
    /// All of its resources, without what of them could not be read.
    pub response: DiscoveryResponse,
    /// Why resources are to be refused, by their place in the response. The others are used.
    pub faults: BTreeMap<usize, String>,
}
