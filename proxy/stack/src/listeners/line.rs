//! The listener's own log line of a connection, whatever serves it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tandem_core::ResponseFlags;
use tandem_core::ext::{ConnectionInfo, Protocol, StreamInfo};
use tandem_core::format::Context;

use crate::access_log::Logs;

/// Written when it is dropped: when the connection has ended, however it did.
#[derive(Debug)]
pub(super) struct Line {
    logs: Arc<Logs>,
    info: StreamInfo,
}

impl Line {
    pub(super) fn new(logs: Arc<Logs>, connection: Arc<ConnectionInfo>) -> Self {
        let id = connection.id;
        let mut info = StreamInfo::new(connection, Protocol::Tcp, id);
        info.of_listener = true;
        Self { logs, info }
    }

    /// There is no filter chain for the connection.
    pub(super) fn of_no_chain(self) {
        self.info.add_flags(ResponseFlags::NO_ROUTE);
        self.info.set_details("filter_chain_not_found");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let connection = &self.info.connection;
        let received = connection.wire_received.load(Relaxed);
        let sent = connection.wire_sent.load(Relaxed);
        self.info.bytes_received.store(received, Relaxed);
        self.info.bytes_sent.store(sent, Relaxed);
        self.logs.write(&Context {
            info: &self.info,
            request: None,
            response: None,
            trailers: None,
            duration: Some(self.info.start.elapsed()),
        });
    }
}
