//! The assembled paths: what a connection and a request go through, in which order and why.
//!
//! Read [`listeners`] (accepting, choosing a filter chain), `server` (serving a connection), [`hcm`] (everything a
//! request passes whatever its route) and [`router`] (its route) in this order. This crate
//! names no filter: it is given a function that builds them.

pub mod access_log;
mod after;
pub mod explain;
mod gates;
pub mod hcm;
pub mod listeners;
pub mod router;
mod server;
mod tcp;
mod tls;

use tandem_core::directory::Directory;
use tandem_core::discovered::Extensions;
use tandem_core::filter::BuildFilter;
use tandem_core::routes::RouteTables;
use tandem_core::stats::Registry;
use tandem_upstream::Clusters;

/// What one worker's paths are built with.
#[derive(Clone, Debug)]
pub struct Deps {
    /// This worker's clusters.
    pub clusters: Clusters,
    /// The process's metrics.
    pub stats: Registry,
    /// Builds filters.
    pub filters: BuildFilter,
    /// This worker's HTTP services.
    pub directory: Directory,
    /// The route configurations that come by themselves, and the scopes that choose among them.
    pub routes: RouteTables,
    /// The filters' settings that come by themselves.
    pub extensions: Extensions,
    /// Where access logs go that are lines …
    pub logs: access_log::Sinks,
    /// … and those whose entries are sent to a service.
    pub entries: access_log::EntrySinks,
}
