//! The command line: which subcommand, with which options.

pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod proxy;
pub(crate) mod run;

use std::ffi::OsString;
use std::path::Path;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// One sidecar for two jobs: a service-mesh data plane that reads Envoy's configuration, and
/// an application runtime that serves Layotto's API.
#[derive(Debug, Parser)]
#[command(name = "tandem", version = env!("TANDEM_VERSION"), max_term_width = 100)]
struct Tandem {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the sidecar of one application: mesh and runtime APIs, and the application itself
    /// if a command is given.
    Run(Box<run::RunOptions>),
    /// Run as a pure data plane from an Envoy v3 bootstrap. Takes Envoy's own options.
    #[command(version = env!("TANDEM_VERSION"), display_name = "tandem")]
    Proxy(Box<proxy::ProxyOptions>),
    /// Check an Envoy v3 bootstrap and say everything that is wrong with it, without starting.
    Validate(ValidateOptions),
    /// Say where a request would go, and why nowhere else: from a file, or by what a running
    /// Tandem holds now.
    ///
    /// Exits 0 if the request is taken somewhere, 1 if it would be refused (404, 403, 503, closed)
    /// or that cannot be known from a file, and 2 if the question cannot be asked.
    Explain(Box<explain::ExplainOptions>),
    /// Show what Tandem does: two sample services, each behind its own sidecar, in one go.
    ///
    /// Exits 0 if every step did what it should and 1 if one did not, with --once by itself,
    /// else at Ctrl-C. Ended by a signal before all steps are taken, it exits 128 plus the
    /// signal's number: 130 at Ctrl-C.
    Demo(demo::DemoOptions),
}

/// Options of `tandem validate`.
#[derive(Debug, Args)]
pub(crate) struct ValidateOptions {
    /// The bootstrap: YAML, or JSON if the name ends in .json.
    #[arg(short = 'c', long = "config-path", value_name = "FILE")]
    pub(crate) config_path: Option<std::path::PathBuf>,
    /// Bootstrap YAML given inline; merged over the file.
    #[arg(long, value_name = "YAML")]
    pub(crate) config_yaml: Option<String>,
}

/// The number of `--concurrency`: threads beyond any machine's cores only cost memory, and a
/// number mistyped by some digits would take the machine with it.
fn workers(text: &str) -> Result<usize, String> {
    const MOST: usize = 1024;
    match text.parse::<usize>() {
        Ok(count) if count <= MOST => Ok(count.max(1)),
        _ => Err(format!("expected a number from 0 to {MOST}")),
    }
}

/// The name of `--app-id`. It stands in the keys of components, between separators.
fn app_id(text: &str) -> Result<String, String> {
    match text {
        "" => Err("expected a name, got nothing".to_owned()),
        text if text.contains("||") => Err("expected a name without '||'".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// Reads the command line. Called by the name `envoy`, the process takes Envoy's options
/// directly, so that whatever starts Envoy starts Tandem.
///
/// Prints help, version or a usage error, and exits, where that is what was asked for.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Command {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let called_envoy = args
        .first()
        .and_then(|arg| Path::new(arg).file_stem())
        .is_some_and(|name| name == "envoy");
    if called_envoy || args.get(1).is_some_and(|command| command == "proxy") {
        stop_at_envoys_word(&mut args);
    }
    if called_envoy {
        let command = proxy::ProxyOptions::augment_args(
            clap::Command::new("envoy")
                .version(env!("TANDEM_VERSION"))
                .about("Tandem, called by the name envoy: a data plane from an Envoy v3 bootstrap"),
        );
        let matches = command.get_matches_from(args);
        match proxy::ProxyOptions::from_arg_matches(&matches) {
            Ok(options) => return Command::Proxy(Box::new(options)),
            Err(error) => error.format(&mut Tandem::command()).exit(),
        }
    }
    Tandem::parse_from(args).command
}

/// Envoy has a second word for `--`.
fn stop_at_envoys_word(args: &mut [OsString]) {
    let stops = |arg: &&mut OsString| **arg == "--" || **arg == "--ignore_rest";
    if let Some(word) = args.iter_mut().find(stops) {
        *word = "--".into();
    }
}

#[cfg(test)]
mod tests;
