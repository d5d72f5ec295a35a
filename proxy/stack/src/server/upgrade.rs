//! After a switch of protocols: bytes both ways.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tandem_transport::relay::{self, Ended, Moved};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{End, Server};

impl Server {
    /// Relays between the client and the upstream connection that switched with it. Only now
    /// does anything that the client sent behind its request go to the upstream.
    pub(super) async fn tunnel<IO>(&self, io: &mut IO, upstream: OnUpgrade) -> End
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let Ok(upstream) = upstream.await else {
            return End::Local;
        };
        self.stats.upgrades_total.inc();
        let _active = self.stats.upgrades_active.guard();
        let limits = relay::Limits {
            idle: self.manager.stream_idle_timeout,
            until: self.after(self.manager.max_stream_duration),
        };
        let mut upstream = TokioIo::new(upstream);
        let mut moved = Moved::default();
        match relay::run(io, &mut upstream, limits, &mut moved).await {
            Ended::Closed | Ended::First(_) => End::Remote,
            Ended::Second(_) | Ended::Idle | Ended::Expired => End::Local,
        }
    }
}
