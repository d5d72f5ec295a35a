//! After a switch of protocols: bytes both ways.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http_body::Body as _;
use tandem_core::ext::{StreamInfo, Tunnel};
use tandem_core::{Response, ResponseFlags};
use tandem_transport::relay::{self, Ended, Moved};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{End, Server};

impl Server {
    /// Relays between the client and what the upstream switched to: a connection, or a stream
    /// of an HTTP/2 connection. Only now does anything that the client sent behind its request
    /// go to the upstream. The response, and with it the request's record, lasts as long.
    pub(super) async fn tunnel<IO>(&self, io: &mut IO, mut response: Response) -> End
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let info = response.extensions_mut().remove::<Arc<StreamInfo>>();
        let stream = response.extensions_mut().remove::<Tunnel>();
        let mut moved = Moved::default();
        let Some(mut stream) = stream.and_then(|stream| stream.take()) else {
            return End::Local;
        };
        let ended = self.relay(io, &mut stream, &mut moved).await;
        if let Some(info) = info {
            info.bytes_received.fetch_add(moved.forward, Relaxed);
            info.bytes_sent.fetch_add(moved.backward, Relaxed);
            info.add_flags(match ended {
                Ended::Second(_) => ResponseFlags::UPSTREAM_CONNECTION_TERMINATION,
                Ended::Idle => ResponseFlags::STREAM_IDLE_TIMEOUT,
                Ended::Expired => ResponseFlags::DURATION_TIMEOUT,
                Ended::Closed | Ended::First(_) => ResponseFlags::NONE,
            });
        }
        if !matches!(ended, Ended::First(_)) {
            // Read to its end, it was complete: it is not the client who went away.
            poll_fn(|cx| Pin::new(response.body_mut()).poll_frame(cx)).await;
        }
        match ended {
            Ended::Closed | Ended::First(_) => End::Remote,
            Ended::Second(_) | Ended::Idle | Ended::Expired => End::Local,
        }
    }

    async fn relay<IO, UP>(&self, io: &mut IO, upstream: &mut UP, moved: &mut Moved) -> Ended
    where
        IO: AsyncRead + AsyncWrite + Unpin,
        UP: AsyncRead + AsyncWrite + Unpin,
    {
        self.stats.upgrades_total.inc();
        let _active = self.stats.upgrades_active.guard();
        let limits = relay::Limits {
            idle: self.manager.stream_idle_timeout,
            until: self.after(self.manager.max_stream_duration),
        };
        relay::run(io, upstream, limits, moved).await
    }
}
