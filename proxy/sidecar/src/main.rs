//! The `tandem` binary: command line, bootstrap, composition root, admin.
//!
//! Only this crate sees all the others. It reads what it is told ([`cli`], [`config`]), starts
//! what that says ([`process`]: control thread, component clients, [`worker`] threads), and
//! ends it when asked ([`shutdown`], [`drain`]).

mod admin;
mod als;
mod child;
mod cli;
mod config;
mod defaults;
mod demo;
mod drain;
mod explain;
mod layers;
mod listeners;
mod logging;
mod mesh;
mod process;
mod rotate;
mod runtime;
mod shutdown;
mod tls;
mod worker;

use std::io::Write as _;
use std::process::ExitCode;

use cli::Command;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let result = match cli::parse(std::env::args_os()) {
        Command::Run(options) => process::run(*options),
        Command::Proxy(options) => process::proxy(*options),
        Command::Validate(options) => process::validate(&options),
        Command::Explain(options) => return explain::explain(&options),
        Command::Demo(options) => demo::demo(options),
    };
    result.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "tandem: {error}");
        ExitCode::FAILURE
    })
}
