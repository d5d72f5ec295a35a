//! Reading the bootstrap: from files, from the command line, from the embedded defaults.

use std::path::Path;
use std::sync::Arc;

use tandem_model::Bootstrap;
use tandem_model::filter::FilterConfig;
use tandem_model::listener::NetworkFilter;
use tandem_xds_translate::{Errors, Source};

use crate::cli::proxy::ProxyOptions;
use crate::cli::run::RunOptions;
use crate::{defaults, tls};

/// A bootstrap that is fit to be served.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What it says.
    pub(crate) bootstrap: Bootstrap,
    /// The texts it was read from, in merge order; `/config_dump` shows them.
    pub(crate) sources: Vec<Source>,
}

/// Why a bootstrap was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No configuration was given.
    #[error("no configuration: give a file with -c FILE, or text with --config-yaml")]
    Missing,
    /// The file cannot be read.
    #[error("cannot read '{path}': {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration is wrong; one line for each fault.
    #[error("the configuration is refused:\n{0}")]
    Refused(Errors),
    /// Certificates, keys or roots are; one line for each.
    #[error("the configuration is refused:\n{0}")]
    Secrets(String),
}

/// Reads a file, a text, or the text merged over the file.
pub(crate) fn from_files(path: Option<&Path>, yaml: Option<&str>) -> Result<Loaded, Error> {
    let mut sources = Vec::new();
    if let Some(path) = path {
        sources.push(file(path)?);
    }
    if let Some(yaml) = yaml {
        sources.push(Source::yaml("--config-yaml", yaml));
    }
    if sources.is_empty() {
        return Err(Error::Missing);
    }
    load(sources)
}

/// The bootstrap of `tandem run`: the embedded one, or the user's with what it lacks.
pub(crate) fn for_run(options: &RunOptions) -> Result<Loaded, Error> {
    let Some(path) = &options.config else {
        return load(vec![Source::yaml(
            "the embedded defaults",
            defaults::bootstrap(options).to_string(),
        )]);
    };
    let user = file(path)?;
    let bootstrap = load(vec![user.clone()])?.bootstrap;
    let overlay = defaults::overlay(options, has_runtime(&bootstrap), bootstrap.admin.is_some());
    load(vec![
        user,
        Source::yaml("the embedded defaults", overlay.to_string()),
    ])
}

/// Applies `--service-node`, `--service-cluster` and `--service-zone`.
pub(crate) fn name_node(loaded: &mut Loaded, options: &ProxyOptions) {
    let node = &mut loaded.bootstrap.node;
    if let Some(id) = &options.service_node {
        node.id = Arc::from(id.as_str());
    }
    if let Some(cluster) = &options.service_cluster {
        node.cluster = Arc::from(cluster.as_str());
    }
    if let Some(zone) = &options.service_zone {
        node.locality.zone = Arc::from(zone.as_str());
    }
}

fn file(path: &Path) -> Result<Source, Error> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Source::file(name, text)),
        Err(source) => Err(Error::Read { path: name, source }),
    }
}

fn load(sources: Vec<Source>) -> Result<Loaded, Error> {
    let bootstrap = tandem_xds_translate::load(&sources).map_err(Error::Refused)?;
    let faults = tls::faults(&bootstrap);
    if !faults.is_empty() {
        return Err(Error::Secrets(faults));
    }
    Ok(Loaded { bootstrap, sources })
}

fn has_runtime(bootstrap: &Bootstrap) -> bool {
    bootstrap
        .listeners
        .iter()
        .flat_map(|listener| listener.chains())
        .any(|chain| match &chain.filter {
            NetworkFilter::Http(manager) => manager
                .http_filters
                .iter()
                .any(|filter| matches!(filter.config, FilterConfig::Runtime(_))),
            NetworkFilter::Tcp(_) => false,
        })
}
