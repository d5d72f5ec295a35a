//! `tandem demo`: two sample services, each behind a Tandem process of its own.
//!
//! This process only arranges: it writes two bootstraps into a folder of its own, starts the
//! two sidecars (each starts its service), waits, and leaves nothing behind. The steps
//! themselves are taken by the `shop` service, since an application is who takes them in real
//! life.

mod arrange;
mod clients;
mod report;
mod shop;
mod steps;
mod stock;

use std::process::ExitCode;

use crate::cli::demo::{DemoOptions, Part};
use crate::process::Error;

/// Runs the demo, or the part of it that this process is.
pub(crate) fn demo(options: DemoOptions) -> Result<ExitCode, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("cannot start the demo's runtime"))?;
    runtime.block_on(async {
        match options.part {
            None => arrange::run(options.once).await,
            Some(Part::Stock { port }) => stock::serve(port).await,
            Some(Part::Shop(ports)) => shop::run(ports, options.once).await,
        }
    })
}
