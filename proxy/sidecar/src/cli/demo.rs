//! The command line of `tandem demo`.

use clap::{Args, Subcommand};

/// Options of `tandem demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// Run all steps once and exit, instead of going on until Ctrl-C.
    #[arg(long)]
    pub(crate) once: bool,
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
}

/// A part of the demo, started by the demo itself as a process of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// The sample service that is called.
    #[command(hide = true)]
    Stock {
        /// Where it listens, on 127.0.0.1.
        #[arg(long)]
        port: u16,
    },
    /// The sample service that calls, and takes the demo's steps.
    #[command(hide = true)]
    Shop(Ports),
}

/// The ports of the two sidecars, all on 127.0.0.1.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Ports {
    /// The shop's outbound listener.
    #[arg(long)]
    pub(crate) outbound: u16,
    /// The shop's runtime API.
    #[arg(long)]
    pub(crate) runtime: u16,
    /// The shop's admin server.
    #[arg(long)]
    pub(crate) admin: u16,
    /// The stock's inbound listener.
    #[arg(long)]
    pub(crate) inbound: u16,
    /// The stock's application.
    #[arg(long)]
    pub(crate) stock: u16,
    /// The stock's runtime API.
    #[arg(long)]
    pub(crate) stock_runtime: u16,
    /// The stock's admin server.
    #[arg(long)]
    pub(crate) stock_admin: u16,
}
