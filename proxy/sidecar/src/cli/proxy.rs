//! Envoy's command line, as `envoy --help` lists it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tandem_model::metrics::{Tag, TagValue};

use crate::logging::{Components, Severity};

/// Options of `tandem proxy`: those of Envoy.
#[derive(Debug, Args)]
pub(crate) struct ProxyOptions {
    /// The bootstrap: YAML, or JSON if the name ends in .json.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(crate) config_path: Option<PathBuf>,
    /// Bootstrap YAML given inline; merged over the file.
    #[arg(long, value_name = "YAML")]
    pub(crate) config_yaml: Option<String>,
    /// What to do: serve, or check the configuration and exit.
    #[arg(long, value_enum, default_value = "serve")]
    pub(crate) mode: Mode,
    /// Worker threads, at most 1024; 0 means 1, as in Envoy. Default: the cores the process may
    /// use.
    #[arg(long, value_parser = super::workers, value_name = "N")]
    pub(crate) concurrency: Option<usize>,
    /// Default the number of workers to the cores the process may use (always so here).
    #[arg(long)]
    pub(crate) cpuset_threads: bool,
    /// trace (as debug in release builds), debug, info, warning (or warn), error, critical, off.
    #[arg(short = 'l', long, default_value = "info", value_name = "LEVEL",
        value_parser = Severity::parse_option)]
    pub(crate) log_level: Severity,
    /// Levels of single loggers, over that of all: `upstream:debug,config:trace`. The names are
    /// Envoy's, and `api_components`, `api_contract`, `api_server` and `stack`.
    #[arg(long, value_name = "LIST", value_parser = Components::parse_option,
        conflicts_with = "enable_fine_grain_logging")]
    pub(crate) component_log_level: Option<Components>,
    /// Write the log to this file instead of standard error.
    #[arg(long, value_name = "FILE")]
    pub(crate) log_path: Option<PathBuf>,
    /// What log lines look like, by Envoy's flags: `[%Y-%m-%d %T.%e][%l] %v`.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Write line breaks within messages as `\n`; has an effect where there is a log format.
    #[arg(long)]
    pub(crate) log_format_escaped: bool,
    /// A label for every metric, beside those of the bootstrap's stats_config.
    #[arg(long, value_parser = parse_tag, value_name = "TAG:VALUE")]
    pub(crate) stats_tag: Vec<Tag>,
    /// Seconds that a drain may take after SIGTERM or `/drain_listeners?graceful`.
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(crate) drain_time_s: u64,
    /// How often access logs are flushed, in milliseconds.
    #[arg(long, default_value_t = 10_000, value_name = "MS")]
    pub(crate) file_flush_interval_msec: u64,
    /// Access logs are flushed when so many KiB wait.
    #[arg(long, default_value_t = 64, value_name = "KIB")]
    pub(crate) file_flush_min_size_kb: usize,
    /// The node's id, over the bootstrap's.
    #[arg(long, value_name = "ID")]
    pub(crate) service_node: Option<String>,
    /// The node's cluster, over the bootstrap's.
    #[arg(long, value_name = "NAME")]
    pub(crate) service_cluster: Option<String>,
    /// The node's zone, over the bootstrap's.
    #[arg(long, value_name = "NAME")]
    pub(crate) service_zone: Option<String>,
    /// Write the admin server's address to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_address_path: Option<PathBuf>,
    /// Write the base id to this file: always 0, since nothing is shared between processes.
    #[arg(long, value_name = "FILE")]
    pub(crate) base_id_path: Option<PathBuf>,
    /// Print the hot-restart version and exit: hot restart is `disabled`.
    #[arg(long)]
    pub(crate) hot_restart_version: bool,
    /// Only 0 is possible: hot restart is not supported. With `--mode validate` any number.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) restart_epoch: u32,
    #[command(flatten)]
    pub(crate) without_effect: WithoutEffect,
}

/// Options of Envoy that have no meaning here; each one given is named in a log line.
#[derive(Debug, Args)]
#[command(next_help_heading = "Accepted without effect")]
pub(crate) struct WithoutEffect {
    /// Enable core dumps.
    #[arg(long)]
    enable_core_dump: bool,
    /// Hot-restart socket's mode.
    #[arg(long, value_name = "MODE")]
    socket_mode: Option<String>,
    /// Hot-restart socket's path.
    #[arg(long, value_name = "PATH")]
    socket_path: Option<String>,
    /// Extensions to disable.
    #[arg(long, value_name = "LIST")]
    disable_extensions: Option<String>,
    /// Connections are always asked to go as soon as a drain begins.
    #[arg(long, value_enum, value_name = "STRATEGY")]
    drain_strategy: Option<DrainStrategy>,
    /// Mutex tracing.
    #[arg(long)]
    enable_mutex_tracing: bool,
    /// Hot restart is never on.
    #[arg(long)]
    disable_hot_restart: bool,
    /// Hot restart: the parent's shutdown time.
    #[arg(long, value_name = "SECONDS")]
    parent_shutdown_time_s: Option<u32>,
    /// Log levels by file.
    #[arg(long)]
    enable_fine_grain_logging: bool,
    /// Local address family.
    #[arg(long, value_enum, value_name = "VERSION")]
    local_address_ip_version: Option<IpVersion>,
    /// One entry per stack trace.
    #[arg(long)]
    log_stacktrace_single_entry: bool,
    /// No warnings about deprecated fields.
    #[arg(long)]
    skip_deprecated_logs: bool,
    /// Unknown fields in dynamic configuration.
    #[arg(long)]
    ignore_unknown_dynamic_fields: bool,
    /// Unknown fields in dynamic configuration.
    #[arg(long)]
    reject_unknown_dynamic_fields: bool,
    /// Unknown fields in the bootstrap are refused all the same.
    #[arg(long)]
    allow_unknown_static_fields: bool,
    /// Unknown fields in the bootstrap are refused all the same.
    #[arg(long)]
    allow_unknown_fields: bool,
    /// Hot restart: the parent's metrics.
    #[arg(long)]
    skip_hot_restart_parent_stats: bool,
    /// Hot restart: no parent.
    #[arg(long)]
    skip_hot_restart_on_no_parent: bool,
    /// Base id.
    #[arg(long)]
    use_dynamic_base_id: bool,
    /// Base id.
    #[arg(long, value_name = "N")]
    base_id: Option<u32>,
    /// What comes after `--`, or after Envoy's other word for that, is ignored.
    #[arg(last = true, value_name = "IGNORED")]
    ignored: Vec<OsString>,
}

/// `--drain-strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DrainStrategy {
    /// Ever more connections are asked to go.
    Gradual,
    /// All at once.
    Immediate,
}

/// `--local-address-ip-version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// `--mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Check the configuration, then serve.
    Serve,
    /// Check the configuration and exit.
    Validate,
    /// The same.
    #[value(name = "init_only", hide = true)]
    InitOnly,
}

fn parse_tag(text: &str) -> Result<Tag, String> {
    match text.split_once(':') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Tag {
            name: name.into(),
            value: TagValue::Fixed(value.into()),
        }),
        _ => Err("expected TAG:VALUE".to_owned()),
    }
}

impl WithoutEffect {
    /// The options that were given.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        [
            ("--enable-core-dump", self.enable_core_dump),
            ("--socket-mode", self.socket_mode.is_some()),
            ("--socket-path", self.socket_path.is_some()),
            ("--disable-extensions", self.disable_extensions.is_some()),
            ("--drain-strategy", self.drain_strategy.is_some()),
            ("--enable-mutex-tracing", self.enable_mutex_tracing),
            ("--disable-hot-restart", self.disable_hot_restart),
            (
                "--parent-shutdown-time-s",
                self.parent_shutdown_time_s.is_some(),
            ),
            (
                "--enable-fine-grain-logging",
                self.enable_fine_grain_logging,
            ),
            (
                "--local-address-ip-version",
                self.local_address_ip_version.is_some(),
            ),
            (
                "--log-stacktrace-single-entry",
                self.log_stacktrace_single_entry,
            ),
            ("--skip-deprecated-logs", self.skip_deprecated_logs),
            (
                "--ignore-unknown-dynamic-fields",
                self.ignore_unknown_dynamic_fields,
            ),
            (
                "--reject-unknown-dynamic-fields",
                self.reject_unknown_dynamic_fields,
            ),
            (
                "--allow-unknown-static-fields",
                self.allow_unknown_static_fields,
            ),
            ("--allow-unknown-fields", self.allow_unknown_fields),
            (
                "--skip-hot-restart-parent-stats",
                self.skip_hot_restart_parent_stats,
            ),
            (
                "--skip-hot-restart-on-no-parent",
                self.skip_hot_restart_on_no_parent,
            ),
            ("--use-dynamic-base-id", self.use_dynamic_base_id),
            ("--base-id", self.base_id.is_some()),
            ("what comes after --", !self.ignored.is_empty()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect()
    }
}
