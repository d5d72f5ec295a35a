//! Bytes on the wire.

use std::sync::atomic::Ordering::Relaxed;

use crate::ext::wire::Bytes;
use crate::ext::{Protocol, StreamInfo};

/// Of the client's side; of what has no requests all of its connection's.
pub(super) fn downstream(info: &StreamInfo) -> Option<Bytes> {
    if info.protocol != Protocol::Tcp {
        return info.wire.as_ref()?.downstream();
    }
    Some(Bytes {
        received: info.connection.wire_received.load(Relaxed),
        sent: info.connection.wire_sent.load(Relaxed),
    })
}

/// Of the endpoints' side.
pub(super) fn upstream(info: &StreamInfo) -> Option<Bytes> {
    if info.protocol != Protocol::Tcp {
        return info.wire.as_ref()?.to_upstreams();
    }
    if info.of_listener {
        return None;
    }
    // What came from one side went to the other.
    let Bytes { received, sent } = downstream(info)?;
    Some(Bytes {
        received: sent,
        sent: received,
    })
}
