//! What is supported, an area a file.

mod access_log;
mod cluster;
mod common;
mod filter;
mod hcm;
mod listener;
mod process;
mod rbac;
mod route;
mod tls;

use super::area::Area;

/// In the order of the documentation.
pub(super) const AREAS: &[Area] = &[
    process::AREA,
    listener::AREA,
    hcm::AREA,
    route::AREA,
    filter::AREA,
    rbac::AREA,
    access_log::AREA,
    cluster::AREA,
    tls::AREA,
    common::AREA,
];
