//! Role-based access control: who may do what (`envoy.filters.http.rbac`,
//! `envoy.filters.network.rbac`).
//!
//! Shadow rules are only counted and logged; then the rules decide. What they refuse is answered 403
//! `RBAC: access denied` (gRPC: `PERMISSION_DENIED`), with the policy that matched in the
//! response code details. A connection is refused by closing it, before anything behind the
//! filter sees it: Envoy decides at its first byte, and a server that speaks first was heard by
//! then. The rules themselves, and how they are decided, are the model's.

mod explain;
mod facts;
mod gate;
mod layer;
mod said;
mod service;
mod stats;

#[cfg(test)]
mod tests;

pub(crate) use explain::{explain, explain_connection};
pub use gate::RbacGate;
pub use layer::RbacLayer;
pub use service::Rbac;
