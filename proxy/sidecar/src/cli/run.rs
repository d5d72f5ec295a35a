//! The command line of `tandem run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tandem_model::filter::runtime::{self, Runtime};

use crate::logging::Severity;

/// Options of `tandem run`.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// The application's id: its name in the mesh, and, unless a component's `keyPrefix` says
    /// otherwise, the prefix of its keys.
    #[arg(long, value_name = "ID", value_parser = super::app_id)]
    pub(crate) app_id: String,
    /// The port the application listens on; without it, the application takes no calls.
    #[arg(long, value_name = "PORT")]
    pub(crate) app_port: Option<u16>,
    /// The address the application listens on; default: 127.0.0.1.
    #[arg(long, value_name = "HOST")]
    pub(crate) app_channel_address: Option<String>,
    /// What the application speaks; default: http.
    #[arg(long, value_enum)]
    pub(crate) app_protocol: Option<AppProtocol>,
    /// The port of the application's gRPC callback server (AppCallback); default: --app-port
    /// if the protocol is grpc.
    #[arg(long, value_name = "PORT")]
    pub(crate) app_callback_port: Option<u16>,
    /// A folder with Dapr Component YAML files; may be given several times. Without one, the
    /// embedded store serves state, lock, sequencer and pub/sub.
    #[arg(long, value_name = "DIR")]
    pub(crate) resources_path: Vec<PathBuf>,
    /// An Envoy v3 bootstrap: the mesh is what it says. Where it has a runtime filter of its own,
    /// options that say something else than that filter are refused.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the embedded store keeps its file; default: `.tandem/<app-id>` in the current
    /// folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The port of the runtime API over gRPC, on 127.0.0.1; 0: any free one; default: 34904.
    #[arg(long, value_name = "PORT")]
    pub(crate) runtime_grpc_port: Option<u16>,
    /// The port of the outbound listener, on 127.0.0.1, when there is no --config; default
    /// 15001.
    #[arg(long, value_name = "PORT", conflicts_with = "config")]
    pub(crate) outbound_port: Option<u16>,
    /// The port of the admin server, on 127.0.0.1; default: what the bootstrap says, else
    /// 15000.
    #[arg(long, value_name = "PORT")]
    pub(crate) admin_port: Option<u16>,
    /// Worker threads, at most 1024; 0 means 1, as in Envoy. Default: the cores the process may
    /// use.
    #[arg(long, value_parser = super::workers, value_name = "N")]
    pub(crate) concurrency: Option<usize>,
    /// trace (as debug in release builds), debug, info, warning (or warn), error, critical, off.
    #[arg(short = 'l', long, value_name = "LEVEL", default_value = "info",
        value_parser = Severity::parse_option)]
    pub(crate) log_level: Severity,
    /// Seconds that a drain may take after SIGTERM; an application that has not ended then is
    /// killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) drain_time_s: u64,
    /// The application to start, with its arguments. Its output is shown. SIGHUP, SIGINT,
    /// SIGQUIT, SIGTERM, SIGUSR1 and SIGUSR2 are passed on to it; the first four start the drain
    /// too. Its exit code is this process's: 128 plus the signal's number if a signal ended it.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

impl RunOptions {
    /// Where the application listens.
    pub(crate) fn app_host(&self) -> &str {
        self.app_channel_address.as_deref().unwrap_or("127.0.0.1")
    }

    /// What the application speaks.
    pub(crate) fn app_protocol(&self) -> AppProtocol {
        self.app_protocol.unwrap_or(AppProtocol::Http)
    }

    /// The options that say something else than the runtime filters of a bootstrap, and would be
    /// ignored.
    pub(crate) fn contradictions(&self, filters: &[&Runtime]) -> Vec<&'static str> {
        let own = filters.iter().find(|filter| *filter.app.id == *self.app_id);
        let Some(Runtime {
            app,
            resources_paths,
            data_dir,
            ..
        }) = own
        else {
            return vec!["--app-id"];
        };
        let port = self.app_port.is_some_and(|port| app.port != Some(port));
        let callback = self.app_callback_port;
        let callback = callback.is_some_and(|port| app.callback_port != Some(port));
        let host = self.app_channel_address.as_deref();
        let host = host.is_some_and(|host| *app.host != *host);
        let protocol = self.app_protocol;
        let protocol = protocol.is_some_and(|protocol| app.protocol != protocol.into());
        let resources = !self.resources_path.is_empty() && self.resources_path != *resources_paths;
        let data = self.data_dir.is_some() && data_dir.is_some() && self.data_dir != *data_dir;
        [
            ("--app-port", port),
            ("--app-channel-address", host),
            ("--app-protocol", protocol),
            ("--app-callback-port", callback),
            ("--resources-path", resources),
            ("--data-dir", data),
            ("--runtime-grpc-port", self.runtime_grpc_port.is_some()),
        ]
        .into_iter()
        .filter_map(|(option, differs)| differs.then_some(option))
        .collect()
    }
}

/// `--app-protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AppProtocol {
    /// HTTP/1.1.
    Http,
    /// gRPC.
    Grpc,
    /// HTTP/2 without TLS.
    H2c,
}

impl AppProtocol {
    /// Its name in the filter's configuration.
    pub(crate) fn config_name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Grpc => "GRPC",
            Self::H2c => "H2C",
        }
    }
}

impl From<AppProtocol> for runtime::AppProtocol {
    fn from(protocol: AppProtocol) -> Self {
        match protocol {
            AppProtocol::Http => Self::Http,
            AppProtocol::Grpc => Self::Grpc,
            AppProtocol::H2c => Self::H2c,
        }
    }
}
