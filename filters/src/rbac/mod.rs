//! Role-based access control: who may do what (`envoy.filters.http.rbac`).
//!
//! Shadow rules are only counted; then the rules decide. What they refuse is answered 403
//! `RBAC: access denied` (gRPC: `PERMISSION_DENIED`), with the policy that matched in the
//! response code details. The rules themselves, and how they are decided, are the model's.

mod layer;
mod service;

#[cfg(test)]
mod tests;

pub use layer::RbacLayer;
pub use service::Rbac;
