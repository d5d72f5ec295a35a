//! Envoy as the oracle: the same bootstrap and the same requests for both, and everything that
//! shows is compared: the answer, the connection's fate, what the upstream saw, the access log.
//!
//! A group is a bootstrap and a table of cases; see `cases/`. To add a case, add a line to a
//! table. A difference is an error, unless the case names it with a reason ([`case::Difference`]):
//! stricter than Envoy is fine, laxer never.
//!
//! `TANDEM_ORACLE_SUBJECT=envoy` compares Envoy with itself, which checks the tables.
//! Each group leaves a report in `target/oracle/`.

pub mod bootstrap;
pub mod case;
mod cases;
mod coding;
mod compare;
mod exchange;
mod fields;
mod planes;
mod run;

pub use bootstrap::{Bootstrap, Listener, access_log, bootstrap, indent, listener};
pub use case::{Case, get, grpc, post, raw, send};
pub use compare::save;
pub use fields::{Fields, Names, own_address};
pub use run::check;
