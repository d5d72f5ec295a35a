//! Reading the bootstrap: from files, from the command line, from the embedded defaults.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tandem_core::file as read;
use tandem_model::Bootstrap;
use tandem_model::filter::FilterConfig;
use tandem_model::filter::runtime::Runtime;
use tandem_model::listener::{Listener, NetworkFilter};
use tandem_xds_client::Node;
use tandem_xds_client::node::{Extension, Locality, Version};
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
    /// Something is to be asked for by nobody.
    #[error(
        "the configuration is refused:\nnode: expected id and cluster, which whoever gets \
         configuration from elsewhere needs; `tandem proxy` takes them as --service-node and \
         --service-cluster too"
    )]
    Node,
    /// The configuration is wrong; one line for each fault.
    #[error("the configuration is refused:\n{0}")]
    Refused(Errors),
    /// `tandem run`: the bootstrap has a runtime filter, which says something else.
    #[error(
        "'{path}' has a runtime filter of its own, which says something else than the command \
         line: {options} would be ignored"
    )]
    Ignored {
        /// The file.
        path: String,
        /// Which options.
        options: String,
    },
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

/// Reads a file to look at it: what it names need not be there.
pub(crate) fn to_look_at(path: &Path) -> Result<Bootstrap, Error> {
    tandem_xds_translate::load(&[file(path)?]).map_err(Error::Refused)
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
    let runtimes: Vec<_> = runtimes(&bootstrap).map(|(_, runtime)| runtime).collect();
    let ignored = match runtimes.is_empty() {
        true => Vec::new(),
        false => options.contradictions(&runtimes),
    };
    if !ignored.is_empty() {
        return Err(Error::Ignored {
            path: path.display().to_string(),
            options: ignored.join(", "),
        });
    }
    let overlay = defaults::overlay(options, !runtimes.is_empty(), bootstrap.admin.is_some());
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

/// Applies `--stats-tag`.
pub(crate) fn tag_metrics(loaded: &mut Loaded, options: &ProxyOptions) {
    let tags = options.stats_tag.iter().cloned();
    loaded.bootstrap.metrics.tags.extend(tags);
}

/// Who gets configuration from elsewhere needs an id and a cluster.
pub(crate) fn check_node(bootstrap: &Bootstrap) -> Result<(), Error> {
    let said = &bootstrap.node;
    match bootstrap.subscribes && (said.id.is_empty() || said.cluster.is_empty()) {
        true => Err(Error::Node),
        false => Ok(()),
    }
}

/// Who the proxy says it is to its control planes; they need an id and a cluster.
pub(crate) fn node(bootstrap: &Bootstrap, sources: &[Source]) -> Result<Node, Error> {
    check_node(bootstrap)?;
    if !bootstrap.subscribes {
        return Ok(Node::default());
    }
    let said = &bootstrap.node;
    let text = tandem_xds_translate::to_json(sources).map_err(Error::Refused)?;
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let json = &json["node"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| {
        let all = value.as_array().into_iter().flatten();
        all.map(text).collect::<Vec<_>>()
    };
    let own = || Version::Text(env!("CARGO_PKG_VERSION").to_owned());
    let build = &json["user_agent_build_version"];
    let version = match (&json["user_agent_version"], &build["version"]) {
        (Value::String(version), _) => Version::Text(version.clone()),
        (_, Value::Object(number)) => {
            let part = |name: &str| {
                let part = number.get(name).and_then(Value::as_u64).unwrap_or(0);
                u32::try_from(part).unwrap_or(u32::MAX)
            };
            Version::Build {
                number: (part("major_number"), part("minor_number"), part("patch")),
                metadata: build["metadata"].as_object().cloned().unwrap_or_default(),
            }
        }
        _ => own(),
    };
    let extension = |json: &Value| Extension {
        name: text(&json["name"]),
        category: text(&json["category"]),
        type_urls: texts(&json["type_urls"]),
        disabled: json["disabled"].as_bool().unwrap_or(false),
    };
    Ok(Node {
        id: said.id.to_string(),
        cluster: said.cluster.to_string(),
        locality: Locality {
            region: said.locality.region.to_string(),
            zone: said.locality.zone.to_string(),
            sub_zone: said.locality.sub_zone.to_string(),
        },
        metadata: json["metadata"].as_object().cloned().unwrap_or_default(),
        user_agent: match json["user_agent_name"].as_str() {
            Some(name) => name.to_owned(),
            None => "tandem".to_owned(),
        },
        version: Some(version),
        extensions: (json["extensions"].as_array().into_iter().flatten())
            .map(extension)
            .collect(),
        features: texts(&json["client_features"]),
    })
}

fn file(path: &Path) -> Result<Source, Error> {
    let name = path.display().to_string();
    let read = read::read(path, read::CONFIGURATION_MIB);
    let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    match text {
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

/// The runtime filters of a bootstrap, with their listeners.
fn runtimes(bootstrap: &Bootstrap) -> impl Iterator<Item = (&Listener, &Runtime)> {
    let managers = bootstrap.listeners.iter().flat_map(|listener| {
        listener
            .chains()
            .filter_map(move |chain| match &chain.filter {
                NetworkFilter::Http(manager) => Some((listener, manager)),
                NetworkFilter::Tcp(_) => None,
            })
    });
    managers.flat_map(|(listener, manager)| {
        (manager.http_filters.iter()).filter_map(move |filter| match filter.config.inline() {
            Some(FilterConfig::Runtime(runtime)) => Some((&**listener, &**runtime)),
            _ => None,
        })
    })
}

/// The listener that serves the runtime APIs of an application.
pub(crate) fn runtime_listener(bootstrap: &Bootstrap, app_id: &str) -> Option<Arc<str>> {
    let mut runtimes = runtimes(bootstrap);
    let (listener, _) = runtimes.find(|(_, runtime)| *runtime.app.id == *app_id)?;
    Some(Arc::clone(&listener.name))
}
