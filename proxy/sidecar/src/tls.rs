//! What of TLS concerns the process: secrets of the bootstrap, and files that change.

use tandem_model::Bootstrap;
use tandem_model::tls::{CommonTls, SecretSource};
use tandem_transport::tls::{Contexts, Secrets};

/// Everything that is wrong with the certificates, keys and roots that a bootstrap names: that
/// they can be read and fit each other shows only now. One line each; empty if nothing is.
pub(crate) fn faults(bootstrap: &Bootstrap) -> String {
    let secrets = Secrets::default();
    let mut faults = Vec::new();
    for secret in &bootstrap.secrets {
        if let Err(error) = secrets.publish(&SecretSource::Static, secret) {
            faults.push(format!("secret '{}': {error}", secret.name));
        }
    }
    let mut check = |what: &str, name: &str, context: &CommonTls| {
        if let Err(error) = secrets.check(context) {
            faults.push(format!("{what} '{name}': {error}"));
        }
    };
    for listener in &bootstrap.listeners {
        for context in listener
            .chains()
            .filter_map(|chain| chain.transport_socket.as_ref())
        {
            check("listener", &listener.name, &context.common);
        }
    }
    for cluster in &bootstrap.clusters {
        for context in cluster.tls() {
            check("cluster", &cluster.name, context);
        }
    }
    faults.join("\n")
}

/// Publishes the bootstrap's secrets, and reads files anew when they change, on the calling
/// runtime. What is wrong with them has been said.
pub(crate) fn start(bootstrap: &Bootstrap, contexts: &Contexts) {
    let secrets = contexts.secrets().clone();
    for secret in &bootstrap.secrets {
        if let Err(error) = secrets.publish(&SecretSource::Static, secret) {
            tracing::error!(secret = %secret.name, %error, "a secret cannot be used");
        }
    }
    tokio::spawn(async move { secrets.watch_files().await });
}
