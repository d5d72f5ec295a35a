//! Fakes and real servers on free ports, for tests that run the real binary.
//!
//! What is here: guards for child processes ([`process`]), for Envoy and Tandem ([`proxy`]) and
//! Redis ([`redis`]); networks of a test's own ([`netns`]) and a relay that can be slow or broken
//! ([`relay`]); an upstream that records what reaches it and answers as its script says
//! ([`upstream`]); clients that send exactly the bytes they are told to ([`client`]); what tells
//! whether the machine ran what was due meanwhile ([`calm`]).
//!
//! What is not here: expectations. Those are the tests' own.
#![allow(
    clippy::unwrap_used,
    reason = "a harness that cannot start its servers has nothing better to do than panic"
)]

pub mod calm;
pub mod certs;
pub mod client;
pub mod head;
pub mod netns;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod relay;
pub mod script;
pub mod upstream;
pub mod wait;
pub mod wire;

pub use head::Headers;
pub use process::Process;
pub use proxy::{Kind, Proxy};
pub use upstream::Upstream;
