//! The contexts of the process: one for each configuration, whoever uses it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ahash::HashMap;
use tandem_model::tls::{DownstreamTls, UpstreamTls};

use super::{ClientContext, Error, Secrets, ServerContext};

/// All contexts; clones are the same. Equal configurations share a context, so that sessions
/// can be resumed on every worker.
#[derive(Clone, Debug, Default)]
pub struct Contexts(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    secrets: Secrets,
    servers: Mutex<HashMap<Arc<DownstreamTls>, Weak<ServerContext>>>,
    clients: Mutex<HashMap<Arc<UpstreamTls>, Weak<ClientContext>>>,
}

impl Contexts {
    /// The secrets that they use.
    pub fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// The context for clients of this configuration.
    ///
    /// # Errors
    /// A secret of its own cannot be used.
    pub fn server(&self, config: &Arc<DownstreamTls>) -> Result<Arc<ServerContext>, Error> {
        let mut servers = lock(&self.0.servers);
        if let Some(context) = servers.get(config).and_then(Weak::upgrade) {
            return Ok(context);
        }
        let context = Arc::new(ServerContext::new(Arc::clone(config), &self.0.secrets)?);
        if servers.len().is_power_of_two() {
            servers.retain(|_, context| context.strong_count() > 0);
        }
        servers.insert(Arc::clone(config), Arc::downgrade(&context));
        Ok(context)
    }

    /// The context for clients of this configuration, if somebody uses it.
    pub fn used_server(&self, config: &Arc<DownstreamTls>) -> Option<Arc<ServerContext>> {
        lock(&self.0.servers).get(config).and_then(Weak::upgrade)
    }

    /// The context for endpoints of this configuration, and why it makes no connections yet, if
    /// a secret of its own cannot be used as its files are now.
    pub fn client(&self, config: &Arc<UpstreamTls>) -> (Arc<ClientContext>, Result<(), Error>) {
        let mut clients = lock(&self.0.clients);
        if let Some(context) = clients.get(config).and_then(Weak::upgrade) {
            return (context, Ok(()));
        }
        let (context, usable) = ClientContext::patient(Arc::clone(config), &self.0.secrets);
        let context = Arc::new(context);
        if clients.len().is_power_of_two() {
            clients.retain(|_, context| context.strong_count() > 0);
        }
        clients.insert(Arc::clone(config), Arc::downgrade(&context));
        (context, usable)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
