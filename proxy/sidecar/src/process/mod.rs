//! The three commands that read a bootstrap: `run`, `proxy`, `validate`.

mod error;
mod serve;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use tandem_model::log_pattern::{LogFormat, LogPattern};

pub(crate) use error::Error;
use serve::{Settings, serve};

use crate::cli::ValidateOptions;
use crate::cli::proxy::{Mode, ProxyOptions};
use crate::cli::run::RunOptions;
use crate::logging::Components;
use crate::{config, logging};

/// `tandem validate`.
pub(crate) fn validate(options: &ValidateOptions) -> Result<ExitCode, Error> {
    let loaded = config::from_files(
        options.config_path.as_deref(),
        options.config_yaml.as_deref(),
    )?;
    config::check_node(&loaded.bootstrap)?;
    say("configuration OK");
    Ok(ExitCode::SUCCESS)
}

/// One line for whoever reads standard output; if nobody does, the exit code still counts.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// `tandem proxy`.
pub(crate) fn proxy(options: ProxyOptions) -> Result<ExitCode, Error> {
    if options.hot_restart_version {
        say("disabled");
        return Ok(ExitCode::SUCCESS);
    }
    // Who only checks a configuration restarts nothing.
    if options.restart_epoch != 0 && options.mode == Mode::Serve {
        return Err(Error::HotRestart(options.restart_epoch));
    }
    let mut loaded = config::from_files(
        options.config_path.as_deref(),
        options.config_yaml.as_deref(),
    )?;
    let format = log_format(loaded.bootstrap.log_format.take(), &options)?;
    config::name_node(&mut loaded, &options);
    config::check_node(&loaded.bootstrap)?;
    if options.mode != Mode::Serve {
        say("configuration OK");
        return Ok(ExitCode::SUCCESS);
    }
    let levels = logging::init(
        options.log_level,
        &options.component_log_level.clone().unwrap_or_default(),
        options.log_path.as_deref(),
        format,
    )?;
    for option in options.without_effect.given() {
        tracing::warn!("{option} has no meaning here and is ignored");
    }
    if let Some(path) = &options.base_id_path {
        std::fs::write(path, "0").map_err(|error| Error::write(path, error))?;
    }
    config::tag_metrics(&mut loaded, &options);
    let settings = Settings {
        concurrency: workers(options.concurrency),
        drain_time: Duration::from_secs(options.drain_time_s),
        log_flush_interval: Duration::from_millis(options.file_flush_interval_msec),
        log_flush_bytes: options.file_flush_min_size_kb * 1024,
        admin_address_path: options.admin_address_path,
        default_data_dir: None,
        alone: false,
        outlives_hangups: true,
        runtime_listener: None,
        app: None,
    };
    serve(loaded, settings, levels)
}

/// `tandem run`.
pub(crate) fn run(options: RunOptions) -> Result<ExitCode, Error> {
    let mut loaded = config::for_run(&options)?;
    let format = loaded.bootstrap.log_format.take();
    let levels = logging::init(options.log_level, &Components::default(), None, format)?;
    let data_dir = options
        .data_dir
        .clone()
        .unwrap_or_else(|| std::path::Path::new(".tandem").join(&options.app_id));
    let settings = Settings {
        concurrency: workers(options.concurrency),
        drain_time: Duration::from_secs(options.drain_time_s),
        log_flush_interval: Duration::from_secs(1),
        log_flush_bytes: 64 * 1024,
        admin_address_path: None,
        default_data_dir: Some(data_dir),
        alone: true,
        outlives_hangups: false,
        runtime_listener: config::runtime_listener(&loaded.bootstrap, &options.app_id),
        app: (!options.command.is_empty()).then_some(options),
    };
    serve(loaded, settings, levels)
}

/// How log lines look: as the bootstrap says, or the command line, but not both.
fn log_format(
    bootstrap: Option<LogFormat>,
    options: &ProxyOptions,
) -> Result<Option<LogFormat>, Error> {
    let given = (options.log_format.as_deref())
        .map(|text| LogPattern::parse(text).map_err(Error::LogFormat))
        .transpose()?;
    let mut format = match (bootstrap, given) {
        (Some(_), Some(_)) => return Err(Error::TwoLogFormats),
        (bootstrap, given) => bootstrap.or(given.map(LogFormat::Text)),
    };
    if let (true, Some(LogFormat::Text(pattern))) = (options.log_format_escaped, &mut format) {
        pattern.escape_lines();
    }
    Ok(format)
}

/// The number of workers: as asked, else the cores this process may use.
fn workers(asked: Option<usize>) -> usize {
    asked
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1)
}
