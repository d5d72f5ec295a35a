//! A proxy beside a workload, as pilot-agent would run it, without pilot-agent.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tandem_harness::certs::Issued;
use tandem_harness::{Kind, Process, wait};
use tempfile::TempDir;
use tokio::net::UnixListener;

use crate::calls::{self, Request};
use crate::istiod::{NAME, tail};
use crate::network::{Machine, Mode, UID};
use crate::secrets::{Known, Secrets};

/// Where the server of secrets is, within the proxy's folder.
const SECRETS: &str = "secrets";
const ADMIN: &str = "127.0.0.1:15000";
/// Where a Tandem serves its runtime API.
pub const RUNTIME: &str = "127.0.0.1:34904";

/// Which workload a sidecar belongs to, and how it speaks with istiod.
pub struct Workload<'a> {
    /// Its `app` label and its service account.
    pub app: &'a str,
    /// Its `version` label.
    pub version: &'a str,
    /// Where it is.
    pub address: &'a str,
    /// Whether its proxy asks for changes only, or for the state of the world.
    pub delta: bool,
    /// What the proxy shows istiod: a token, or else the workload's certificate.
    pub token: Option<String>,
}

/// A sidecar that runs.
pub struct Sidecar {
    process: Process,
    folder: TempDir,
    secrets: Secrets,
}

impl Sidecar {
    /// Starts it, and waits until it is ready with nothing refused.
    ///
    /// # Errors
    /// What it printed.
    pub async fn start(
        kind: Kind,
        machine: &Machine,
        workload: &Workload<'_>,
        known: Known,
        root: &str,
    ) -> Result<Self, String> {
        let folder = folder(root, &known.identity).map_err(|error| error.to_string())?;
        let listener = socket(&folder.path().join(SECRETS)).map_err(|error| error.to_string())?;
        let secrets = Secrets::serve(listener, known);
        let config = folder.path().join("bootstrap.json");
        let mut bootstrap = bootstrap(workload, machine.mode, folder.path());
        if kind == Kind::Tandem {
            bootstrap["static_resources"]["listeners"] =
                json!([runtime(workload.app, folder.path())]);
        }
        std::fs::write(&config, bootstrap.to_string()).map_err(|error| error.to_string())?;
        let binary = kind
            .binary_in(folder.path())
            .map_err(|error| error.to_string())?;
        // Standard output is a file of the proxy's own: access logs open it by its path.
        let mut command = machine.command("sh");
        command.arg("-c").arg(format!(
            "exec \"$0\" \"$@\" >{} 2>&1",
            log(folder.path()).display()
        ));
        let user = machine.mode.user().to_string();
        command.args(["setpriv", "--reuid", &user, "--regid", "1337"]);
        command.arg("--clear-groups");
        command.arg(&binary);
        match kind {
            Kind::Tandem => command.arg("proxy"),
            Kind::Envoy => command.args(["--disable-hot-restart", "--log-level", "info"]),
        };
        command
            .args(["--concurrency", "1", "--drain-time-s", "5", "-c"])
            .arg(&config);
        let mut sidecar = Self {
            process: Process::spawn(workload.app, &mut command),
            folder,
            secrets,
        };
        let ready = wait::until_async(wait::PATIENCE, || async {
            calls::status(machine, ADMIN, &Request::to("admin", "/ready")).await == "200"
        });
        if !ready.await || sidecar.process.exited().is_some() {
            return Err(format!(
                "{kind:?} of {} is not ready:\n{}",
                workload.app,
                tail(&sidecar.log())
            ));
        }
        match sidecar.refused(machine).await {
            lines if lines.is_empty() => Ok(sidecar),
            lines => Err(format!(
                "{kind:?} of {} refused: {lines}\n{}",
                workload.app,
                tail(&sidecar.log())
            )),
        }
    }

    /// The counters of refused configuration that are not 0.
    pub async fn refused(&self, machine: &Machine) -> String {
        let stats = self.stats(machine, "update_rejected").await;
        let refused = stats.lines().filter(|line| !line.ends_with(": 0"));
        refused.collect::<Vec<_>>().join(", ")
    }

    /// The metrics whose names match.
    pub async fn stats(&self, machine: &Machine, filter: &str) -> String {
        let request = Request::to("admin", &format!("/stats?filter={filter}"));
        let answer = calls::call(machine, ADMIN, &request).await;
        let body = answer.map(|answer| answer.body).unwrap_or_default();
        String::from_utf8_lossy(&body).into_owned()
    }

    /// What it is to be known by from now on, and whom it is to know.
    pub async fn know(&self, known: Known) {
        self.secrets.replace(known).await;
    }

    /// What it printed, with its access log.
    pub fn log(&self) -> String {
        let log = std::fs::read(log(self.folder.path())).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// A Unix socket that the proxy may connect to.
fn socket(path: &Path) -> std::io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    chown(path, Some(UID), Some(UID))?;
    Ok(listener)
}

fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// Files that the proxy may read, though it is nobody.
fn folder(root: &str, identity: &Issued) -> std::io::Result<TempDir> {
    let folder = TempDir::new()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    for (file, text) in [
        ("root.pem", root),
        ("chain.pem", &identity.chain),
        ("key.pem", &identity.key),
        ("log", ""),
    ] {
        std::fs::write(folder.path().join(file), text)?;
    }
    std::fs::create_dir(folder.path().join("data"))?;
    for owned in ["log", "data"] {
        chown(folder.path().join(owned), Some(UID), Some(UID))?;
    }
    Ok(folder)
}

fn bootstrap(workload: &Workload<'_>, mode: Mode, folder: &Path) -> Value {
    let Workload {
        app,
        version,
        address,
        delta,
        token,
    } = workload;
    let name = format!("{app}-{version}");
    let file = |name: &str| json!({ "filename": folder.join(name) });
    let mut istiod = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": NAME,
        "common_tls_context": { "validation_context": {
            "trusted_ca": file("root.pem"),
            "match_typed_subject_alt_names": [{ "san_type": "DNS", "matcher": { "exact": NAME } }],
        } },
    });
    let mut service = json!({ "envoy_grpc": { "cluster_name": "xds-grpc" } });
    match token {
        Some(token) => {
            service["initial_metadata"] =
                json!([{ "key": "authorization", "value": format!("Bearer {token}") }]);
        }
        None => {
            istiod["common_tls_context"]["tls_certificates"] =
                json!([{ "certificate_chain": file("chain.pem"), "private_key": file("key.pem") }]);
        }
    }
    let istiod_at =
        json!({ "socket_address": { "address": crate::network::CONTROL, "port_value": 15012 } });
    let mut control = cluster("xds-grpc", &istiod_at);
    control["transport_socket"] = json!({ "name": "tls", "typed_config": istiod });
    let secrets = json!({ "pipe": { "path": folder.join(SECRETS) } });
    let source = json!({ "ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3" });
    json!({
        "node": {
            "id": format!("sidecar~{address}~{name}.default~default.svc.cluster.local"),
            "cluster": format!("{app}.default"),
            "metadata": {
                "NAMESPACE": "default", "SERVICE_ACCOUNT": app, "INSTANCE_IPS": address,
                "CLUSTER_ID": "Kubernetes", "MESH_ID": "cluster.local", "ISTIO_VERSION": "1.31.0",
                "INTERCEPTION_MODE": mode.name(), "NAME": name, "WORKLOAD_NAME": name,
                "LABELS": { "app": app, "version": version, "security.istio.io/tlsMode": "istio" },
            },
        },
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 15000 } } },
        "layered_runtime": { "layers": [{ "name": "deprecated", "static_layer": {
            // istiod sets this field; Envoy refuses it unless told otherwise.
            "envoy.deprecated_features:envoy.config.listener.v3.Listener.hidden_envoy_deprecated_use_original_dst": true,
        } }] },
        "dynamic_resources": {
            "lds_config": source, "cds_config": source,
            "ads_config": {
                "api_type": if *delta { "DELTA_GRPC" } else { "GRPC" },
                "transport_api_version": "V3", "set_node_on_first_message_only": true,
                "grpc_services": [service],
            },
        },
        "static_resources": { "clusters": [control, cluster("sds-grpc", &secrets)] },
        "bootstrap_extensions": [{ "name": "envoy.bootstrap.internal_listener", "typed_config": {
            "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
            "type_url": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
            "value": { "buffer_size_kb": 64 },
        } }],
    })
}

/// A listener with the runtime API, for the application only.
fn runtime(app: &str, folder: &Path) -> Value {
    json!({
        "name": "runtime",
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 34904 } },
        "filter_chains": [{ "filters": [{ "name": "http", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "runtime",
            "route_config": { "virtual_hosts": [{ "name": "none", "domains": ["*"], "routes": [
                { "match": { "prefix": "/" }, "direct_response": { "status": 404 } },
            ] }] },
            "http_filters": [
                { "name": "tandem.filters.http.runtime", "typed_config": {
                    "@type": "type.googleapis.com/tandem.filter.runtime.v1.Runtime",
                    "app": { "app_id": app }, "data_dir": folder.join("data"),
                } },
                { "name": "envoy.filters.http.router", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                } },
            ],
        } }] }],
    })
}

fn cluster(name: &str, address: &Value) -> Value {
    json!({
        "name": name, "type": "STATIC", "connect_timeout": "1s",
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http2_protocol_options": {} },
        } },
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": {
            "address": address,
        } }] }] },
    })
}
