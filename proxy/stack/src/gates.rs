//! The network filters before a chain's terminal one: which connections it serves at all.

use std::sync::Arc;
use std::time::Duration;

use tandem_core::ext::ConnectionInfo;
use tandem_core::filter::Gate;
use tandem_model::listener::ConnectionFilter;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::Deps;

/// The gates of one filter chain, in order.
#[derive(Debug)]
pub(crate) struct Gates(Box<[Arc<dyn Gate>]>);

impl Gates {
    /// As configured.
    pub(crate) fn new(filters: &[ConnectionFilter], deps: &Deps) -> Self {
        let build = |filter| deps.filters.gate(filter, &deps.stats);
        Self(filters.iter().map(build).collect())
    }

    /// Whether the connection goes on. One that does not is closed, with the reason noted; what
    /// its client has said is read and dropped, so that the end is an orderly one.
    pub(crate) async fn pass<S>(&self, stream: &mut S, connection: &ConnectionInfo) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut gates = self.0.iter();
        let Some(refused) = gates.find_map(|gate| gate.admit(connection).err()) else {
            return true;
        };
        let _ = connection.termination_details.set(refused.details);
        // Boxed: what few connections need is not part of every connection's state.
        Box::pin(close(stream, refused.delay)).await;
        false
    }
}

async fn close<S>(stream: &mut S, delay: Option<Duration>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    let mut said = [0; 4096];
    tokio::select! {
        biased;
        // At most what has arrived: a client that goes on is not listened to.
        _ = stream.read(&mut said) => {}
        () = std::future::ready(()) => {}
    }
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests;
