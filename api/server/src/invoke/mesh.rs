//! The door into the mesh: this worker's outbound service.

use std::sync::Arc;

use http::Extensions;
use tandem_core::HttpService;
use tandem_core::directory::Directory;
use tandem_core::ext::{ConnectionInfo, StreamInfo};

use crate::status::Error;

/// Where calls of other applications go.
pub(crate) struct Mesh {
    directory: Directory,
    listener: Option<Arc<str>>,
    /// Stands in for the client's connection where a request has none.
    nowhere: Arc<ConnectionInfo>,
}

impl Mesh {
    /// Through the named listener's routes, or those of the only outbound one.
    pub(crate) fn new(directory: Directory, listener: Option<Arc<str>>) -> Self {
        let nowhere = Arc::new(ConnectionInfo {
            listener: listener.clone().unwrap_or_default(),
            ..Default::default()
        });
        Self {
            directory,
            listener,
            nowhere,
        }
    }

    /// The outbound service, looked up for each call: configuration may have changed.
    pub(crate) fn outbound(&self) -> Result<HttpService, Error> {
        self.directory
            .outbound(self.listener.as_deref())
            .map_err(Error::InvokerMissing)
    }

    /// Leaves of the API request's facts only the connection: the application's own, so that
    /// the mesh sees the same client as in an intercepted call.
    pub(crate) fn enter(&self, facts: &mut Extensions) {
        let connection = facts
            .get::<Arc<StreamInfo>>()
            .map_or(&self.nowhere, |info| &info.connection);
        let connection = Arc::clone(connection);
        facts.clear();
        facts.insert(connection);
    }
}
