//! The back-ends of the building blocks: one folder and one cargo feature each. Does not know
//! which API calls them; key prefixes and names are applied before they are called.
//!
//! | back-end | feature | state | lock | sequencer | pub/sub |
//! |---|---|---|---|---|---|
//! | `in-memory` | always | ✓ | ✓ | ✓ | ✓ |
//! | `embedded` (SQLite) | `embedded` | ✓ | ✓ | ✓ | ✓ |
//! | `redis` | `redis` | ✓ | ✓ | ✓ | ✓ (streams) |
//!
//! A type is `<building block>.<back-end>`: `state.redis`, `lock.embedded`, `pubsub.in-memory`.
//! Besides there are `hello.helloworld`, `secretstores.local.env` and `secretstores.local.file`.

#[cfg(feature = "embedded")]
mod embedded;
mod factory;
mod hello;
mod in_memory;
mod load;
mod queue;
#[cfg(feature = "redis")]
mod redis;
mod secret;

pub use self::load::{build, defaults, load};
