//! Fault injection: delays and aborts, for a share of requests
//! (`envoy.filters.http.fault`).
//!
//! Both may be left to the request's own headers (`x-envoy-fault-delay-request` in
//! milliseconds, `x-envoy-fault-abort-request`, `x-envoy-fault-abort-grpc-request`), whose
//! `…-percentage` companions can only lower the configured share. A delay comes before an
//! abort. What was injected shows as the response flags DI and FI.

mod decide;
mod explain;
mod layer;
mod service;

#[cfg(test)]
mod tests;

pub(crate) use explain::explain;
pub use layer::FaultLayer;
pub use service::Fault;
