//! `tandem explain`, and `/explain` of the admin server: where a request would go.
//!
//! A process is asked over its admin server and answers by what it holds at that moment; a file
//! is read here. Both are one question ([`ask`]) and one answer, printed by [`text`].

mod ask;
mod remote;
#[cfg(test)]
mod tests;
mod text;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tandem_core::discovered::Extensions;
use tandem_core::routes::RouteTables;
use tandem_core::stats::Registry;
use tandem_model::Listener;
use tandem_stack::explain::{Ask, Explanation, World};
use tandem_upstream::ClusterManager;

pub(crate) use ask::ask;

use crate::cli::explain::ExplainOptions;
use crate::layers::RuntimeLayers;
use crate::{config, process};

/// The question cannot be asked.
const UNASKED: u8 = 2;

/// `tandem explain`.
pub(crate) fn explain(options: &ExplainOptions) -> ExitCode {
    match find(options) {
        Ok(answer) => {
            let text = match options.json {
                true => serde_json::to_string_pretty(&answer).unwrap_or_default() + "\n",
                false => text::render(&answer, options.all),
            };
            // Whoever does not read it to the end still gets the exit code.
            let _ = std::io::stdout().write_all(text.as_bytes());
            match answer.found {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "tandem: {error}");
            ExitCode::from(UNASKED)
        }
    }
}

fn find(options: &ExplainOptions) -> Result<Explanation, String> {
    let pairs = options.pairs();
    // What is wrong with the question is said before anybody is asked.
    let ask = ask(&pairs)?;
    match (&options.admin, &options.config_path) {
        (Some(admin), _) => remote::ask(admin, &pairs),
        (None, Some(path)) => of_file(path, &ask),
        (None, None) => Err("expected -c FILE or --admin ADDR".to_owned()),
    }
}

fn of_file(path: &Path, ask: &Ask) -> Result<Explanation, String> {
    let bootstrap = config::to_look_at(path).map_err(|error| error.to_string())?;
    // Nothing runs on it: names stay unresolved, and nobody is called.
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime =
        runtime.map_err(|error| process::Error::system("no runtime")(error).to_string())?;
    let stats = Registry::default();
    let _layers = RuntimeLayers::new(bootstrap.runtime.clone(), &stats);
    let clusters = ClusterManager::new(&bootstrap.clusters, &stats, runtime.handle());
    let routes = RouteTables::default();
    let live = (&routes, &Extensions::default());
    let mut answer = answer(ask, &bootstrap.listeners, live, &clusters, false);
    if answer.listener.is_none() && bootstrap.dynamic.listeners.is_some() {
        let unknown = "; further listeners come from a control plane, which is not asked: ask a \
                       running process with --admin";
        answer.answer.push_str(unknown);
    }
    Ok(answer)
}

/// Answers a question by what there is.
pub(crate) fn answer(
    ask: &Ask,
    listeners: &[Arc<Listener>],
    (routes, extensions): (&RouteTables, &Extensions),
    clusters: &ClusterManager,
    is_live: bool,
) -> Explanation {
    let world = World {
        listeners,
        routes,
        extensions,
        clusters,
        is_live,
        filter: tandem_filters::explain,
        gate: tandem_filters::explain_connection,
    };
    tandem_stack::explain::explain(ask, &world)
}
