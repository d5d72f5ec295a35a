//! What of a control plane's resources this process can serve.

use tandem_model::tls::{CommonTls, Secret, SecretSource};
use tandem_model::{Address, Cluster, Listener};
use tandem_transport::listen::{self, Options};
use tandem_transport::tls::Secrets;
use tandem_xds_translate::cascade::Judge;

use crate::runtime::Runtimes;

/// Knows which certificates can be read and which runtime filters were started.
pub(crate) struct Fitness {
    secrets: Secrets,
    runtimes: Runtimes,
}

impl Fitness {
    pub(crate) fn new(secrets: &Secrets, runtimes: &Runtimes) -> Self {
        Self {
            secrets: secrets.clone(),
            runtimes: runtimes.clone(),
        }
    }

    fn context(&self, context: &CommonTls) -> Result<(), String> {
        self.secrets
            .check(context)
            .map_err(|error| error.to_string())
    }
}

impl Judge for Fitness {
    fn cluster(&self, cluster: &Cluster) -> Result<(), String> {
        cluster.tls().try_for_each(|context| self.context(context))
    }

    fn listener(&self, listener: &Listener) -> Result<(), String> {
        let mut contexts = listener
            .chains()
            .filter_map(|chain| chain.transport_socket.as_ref());
        contexts.try_for_each(|context| self.context(&context.common))?;
        self.runtimes.check(listener)
    }

    fn address(&self, listener: &Listener, address: &Address) -> Result<(), String> {
        let checked = listen::check(address, &Options::of(listener));
        checked.map_err(|error| format!("cannot bind {address}: {error}"))
    }

    fn secret(&self, source: &SecretSource, secret: &Secret) -> Result<(), String> {
        let published = self.secrets.publish(source, secret);
        published.map_err(|error| error.to_string())
    }
}
