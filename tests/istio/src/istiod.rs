//! The real istiod on its machine, with its Kubernetes and the folder that it reads.

use std::path::Path;
use std::time::{Duration, Instant};

use tandem_harness::certs::{Authority, Folder};
use tandem_harness::{Process, proxy, wait};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::calls::{self, Request};
use crate::kubernetes;
use crate::network::{CONTROL, Machine};

/// The name in its own certificate.
pub const NAME: &str = "istiod.istio-system.svc";

const READY: Duration = Duration::from_secs(60);

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
clusters: [{ name: tests, cluster: { server: \"http://127.0.0.1:18443\" } }]
users: [{ name: tests, user: { token: tests } }]
contexts: [{ name: tests, context: { cluster: tests, user: tests } }]
current-context: tests
";

/// What stays while istiod comes and goes: its authority and its configuration.
pub struct Plane {
    /// What signs workloads.
    pub authority: Authority,
    /// Its certificate, and the root's.
    pub chain: String,
    /// The root's certificate.
    pub root: String,
    /// The configuration: YAML files, read when they change.
    pub config: Folder,
    folder: TempDir,
    kubernetes: JoinHandle<()>,
    istiod: Option<Process>,
}

impl Plane {
    /// Everything that istiod needs; it does not run yet.
    ///
    /// # Errors
    /// When nothing can listen on the machine.
    pub fn new(machine: &Machine) -> std::io::Result<Self> {
        let root = Authority::new();
        let (authority, certificate) = root.intermediate();
        let folder = TempDir::new()?;
        let certificates = folder.path().join("etc/cacerts");
        std::fs::create_dir_all(&certificates)?;
        let chain = format!("{certificate}{}", root.pem);
        for (file, text) in [
            ("etc/cacerts/root-cert.pem", root.pem.as_str()),
            ("etc/cacerts/ca-cert.pem", &certificate),
            ("etc/cacerts/ca-key.pem", &authority.key()),
            ("etc/cacerts/cert-chain.pem", &chain),
            ("kubeconfig.yaml", KUBECONFIG),
            ("mesh.yaml", include_str!("../config/mesh.yaml")),
        ] {
            std::fs::write(folder.path().join(file), text)?;
        }
        let kubernetes = tokio::spawn(kubernetes::serve(machine.listen(kubernetes::ADDRESS)?));
        Ok(Self {
            authority,
            chain,
            root: root.pem,
            config: Folder::new(),
            folder,
            kubernetes,
            istiod: None,
        })
    }

    /// Starts istiod, and waits until it is ready; says how long that took.
    ///
    /// # Errors
    /// What it printed.
    pub async fn start(&mut self, machine: &Machine) -> Result<Duration, String> {
        let began = Instant::now();
        let mut process = Process::spawn("istiod", &mut self.command(machine));
        let ready = wait::until_async(READY, || async {
            let request = Request::to("localhost", "/ready");
            calls::status(machine, "127.0.0.1:8080", &request).await == "200"
        });
        let ready = ready.await;
        if !ready || process.exited().is_some() {
            return Err(format!("istiod is not ready:\n{}", tail(&process.output())));
        }
        self.istiod = Some(process);
        Ok(began.elapsed())
    }

    fn command(&self, machine: &Machine) -> std::process::Command {
        let folder = self.folder.path();
        let mut command = machine.command(proxy::tools().join("bin/pilot-discovery"));
        command.current_dir(folder).arg("discovery");
        for (option, file) in [
            ("kubeconfig", folder.join("kubeconfig.yaml")),
            ("configDir", self.config.root().to_owned()),
            ("meshConfig", folder.join("mesh.yaml")),
        ] {
            command.arg(format!("--{option}={}", Path::display(&file)));
        }
        command.args([
            "--registries=Kubernetes",
            "--clusterID=Kubernetes",
            "--domain=cluster.local",
            "--namespace=istio-system",
            "--httpAddr=:8080",
            "--httpsAddr=",
            "--grpcAddr=:15010",
            "--secureGRPCAddr=:15012",
            "--monitoringAddr=:15014",
            "--ctrlz_port=0",
        ]);
        command.env_remove("KUBERNETES_SERVICE_HOST");
        command.envs([
            ("POD_NAME", "istiod-0"),
            ("POD_NAMESPACE", "istio-system"),
            ("ISTIOD_CUSTOM_HOST", NAME),
            ("PILOT_ENABLE_AMBIENT", "false"),
            ("PILOT_ENABLE_GATEWAY_API", "false"),
            // What Envoy has not by itself.
            ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
            ("PILOT_ENABLE_ALPN_FILTER", "false"),
            ("PILOT_ENABLE_WORKLOAD_ENTRY_HEALTHCHECKS", "false"),
            ("PILOT_DEBOUNCE_AFTER", "20ms"),
        ]);
        command
    }

    /// Ends istiod as its supervisor would, and waits for the end.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.istiod.take() {
            process.signal("TERM");
            process.wait(wait::PATIENCE).await;
        }
    }

    /// What istiod has printed since it was started last.
    pub fn log(&self) -> String {
        self.istiod
            .as_ref()
            .map(Process::output)
            .unwrap_or_default()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.kubernetes.abort();
    }
}

/// The end of a log.
pub fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// Where istiod is reached on its own machine.
pub fn local(port: u16) -> String {
    format!("{CONTROL}:{port}")
}
