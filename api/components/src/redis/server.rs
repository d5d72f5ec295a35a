//! One Redis server, as all workers see it: how to connect, how many replicas it has, and the
//! watch over it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{AsyncConnectionConfig, PushInfo, PushKind, RedisResult, aio::MultiplexedConnection};
use tandem_api_contract::{Error, backoff::Backoff, component::Readiness, declaration::Resolved};

use super::{config::Config, link::Link};

/// How often a server that answers is asked again.
const WATCH: Duration = Duration::from_secs(5);

pub(super) struct Server {
    /// `component 'orders' (state.redis)`, for people.
    component: String,
    config: Config,
    replicas: AtomicU32,
}

/// A connection, and whether it still stands.
pub(super) struct Connection {
    pub(super) pipeline: MultiplexedConnection,
    closed: Arc<AtomicBool>,
}

impl Connection {
    /// Whether the server has closed it; then nothing was sent on it since.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }
}

impl Server {
    pub(super) fn new(resolved: &Resolved, config: Config) -> Self {
        let component = format!("component '{}' ({})", resolved.name, resolved.kind);
        Self {
            component,
            config,
            replicas: AtomicU32::new(0),
        }
    }

    pub(super) fn retries(&self) -> u32 {
        self.config.retries
    }

    /// Replicas that a strongly consistent write waits for.
    pub(super) fn replicas(&self) -> u32 {
        self.replicas.load(Relaxed)
    }

    pub(super) fn backoff(&self) -> Backoff {
        Backoff::new(
            Duration::from_millis(50).min(self.config.pause),
            self.config.pause,
        )
    }

    pub(super) async fn connect(&self) -> RedisResult<Connection> {
        self.connect_with(self.config.response_timeout).await
    }

    /// A connection whose calls may take `longer` than others.
    pub(super) async fn connect_to_wait(&self, longer: Duration) -> RedisResult<Connection> {
        self.connect_with(self.config.response_timeout + longer)
            .await
    }

    async fn connect_with(&self, response_timeout: Duration) -> RedisResult<Connection> {
        let (Some(client), Some(old_client)) = (&self.config.client, &self.config.old_client)
        else {
            return Err((redis::ErrorKind::InvalidClientConfig, "no address").into());
        };
        let closed = Arc::new(AtomicBool::new(false));
        let tell = closed.clone();
        let old_config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.config.connect_timeout))
            .set_response_timeout(Some(response_timeout));
        let config = old_config.clone().set_push_sender(move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                tell.store(true, Relaxed);
            }
            Ok::<(), redis::aio::SendError>(())
        });
        let connect = async {
            match client
                .get_multiplexed_async_connection_with_config(&config)
                .await
            {
                Err(error) if is_old(&error) => {
                    old_client
                        .get_multiplexed_async_connection_with_config(&old_config)
                        .await
                }
                done => done,
            }
        };
        // The client's own limit does not cover all of the handshake.
        match tokio::time::timeout(self.config.connect_timeout, connect).await {
            Ok(connected) => Ok(Connection {
                pipeline: connected?,
                closed,
            }),
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    /// The server does not answer.
    pub(super) fn unavailable(&self, why: &str) -> Error {
        let (component, address) = (&self.component, &self.config.address);
        Error::unavailable(format!(
            "{component}: redis at {address} is not available: {why}"
        ))
    }

    /// The server answered with an error, or with nonsense.
    pub(super) fn refused(&self, why: &str) -> Error {
        let (component, address) = (&self.component, &self.config.address);
        Error::internal(format!("{component}: redis at {address} refused: {why}"))
    }

    /// Tells how the server fares, for ever.
    pub(super) async fn watch(self: &Arc<Self>, readiness: &Readiness) {
        let link = Link::new(self.clone());
        let mut backoff = self.backoff();
        loop {
            match link.ask(redis::cmd("INFO").arg("replication")).await {
                Ok(value) => {
                    let text: String = redis::from_redis_value(value).unwrap_or_default();
                    self.replicas.store(replicas(&text), Relaxed);
                    readiness.ready();
                    backoff.reset();
                    tokio::time::sleep(WATCH).await;
                }
                Err(error) => {
                    readiness.down(error.message());
                    tokio::time::sleep(backoff.next_delay()).await;
                }
            }
        }
    }
}

/// Whether the server does not know RESP3.
fn is_old(error: &redis::RedisError) -> bool {
    error.kind() == redis::ErrorKind::RESP3NotSupported
        || error.code() == Some("NOPROTO")
        || error
            .detail()
            .is_some_and(|detail| detail.contains("unknown command"))
}

fn replicas(info: &str) -> u32 {
    let count = info
        .lines()
        .find_map(|line| line.strip_prefix("connected_slaves:"));
    count
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}
