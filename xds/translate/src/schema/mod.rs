//! What Envoy's messages look like, as a table in the binary's read-only pages.
//!
//! Reading a bootstrap by name needs descriptors, and a descriptor pool of all of Envoy costs more
//! time and memory than the rest of the start. This table is searched where it lies: nothing is
//! built at start, and only the pages that are looked at become resident.
//! `examples/schema` writes it.

mod table;

pub(crate) use table::{Enum, Field, Kind, Message, Presence};

#[cfg(test)]
mod tests;
