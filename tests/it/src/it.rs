//! The integration tests: the real binary between real clients and real servers.
//!
//! `tests/run` installs what they need. A tool that is missing is a failure, not a skip.
#![allow(unreachable_pub, reason = "a test binary exports nothing")]
#![allow(clippy::unwrap_used, reason = "tests panic")]

mod admin;
mod agent_bootstrap;
mod attacks;
mod balance;
mod chains;
mod config_dump;
mod counters;
mod documents;
mod doors;
mod endings;
mod entries;
mod explain;
mod go_control_plane;
mod hosts;
mod interception;
mod layering;
mod layotto;
mod leaving;
mod lifecycle;
mod mesh;
mod oracle;
mod original_src;
mod pipes;
mod rotation;
mod runtime;
mod runtime_layers;
mod suites;
mod upgrades;
mod validate;
