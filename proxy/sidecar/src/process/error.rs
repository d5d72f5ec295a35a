//! Why the process did not start.

use std::io;
use std::path::Path;

use tandem_model::log_pattern::UnknownFlag;

use crate::{child, config, logging, runtime};

/// Everything that can keep the process from serving, in words for whoever started it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The log.
    #[error(transparent)]
    Logging(#[from] logging::Error),
    /// A log format has a flag that there is not.
    #[error("--log-format: {0}")]
    LogFormat(UnknownFlag),
    /// Log lines cannot look two ways.
    #[error(
        "expected either --log-format or application_log_config.log_format in the bootstrap, \
         got both"
    )]
    TwoLogFormats,
    /// The application.
    #[error(transparent)]
    App(#[from] child::StartError),
    /// The runtime APIs.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// A listener.
    #[error("listener '{listener}' {source}")]
    Bind {
        /// Its name.
        listener: String,
        /// Why, with its address.
        source: io::Error,
    },
    /// A listener of `tandem run`, whose port somebody else has.
    #[error(
        "listener '{listener}' cannot listen on {address}: {source}; each application on a machine \
         needs ports of its own: --runtime-grpc-port, --outbound-port, --admin-port"
    )]
    Taken {
        /// Its name.
        listener: String,
        /// Its address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The admin server.
    #[error("the admin server cannot listen on {address}: {source}; --admin-port names another")]
    Admin {
        /// Its address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A file.
    #[error("cannot write '{path}': {source}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Hot restart was asked for.
    #[error(
        "--restart-epoch {0}: hot restart is not supported; start a new process beside the old \
         one (listeners share their ports) and end the old one with SIGTERM"
    )]
    HotRestart(u32),
    /// The system refused something else.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// A file that cannot be written.
    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write {
            path: path.display().to_string(),
            source,
        }
    }

    /// Something the system refused.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
