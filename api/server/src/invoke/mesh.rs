//! The door into the mesh: the outbound service of this worker that a call takes.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::HOST;
use http::{Extensions, HeaderValue};
use tandem_core::directory::Directory;
use tandem_core::directory::call::Call;
use tandem_core::ext::{ConnectionInfo, StreamInfo};
use tandem_core::{HttpService, Request, authority};
use tandem_model::filter::runtime::Runtime;

use crate::status::Error;

/// Where calls of other applications go.
pub(crate) struct Mesh {
    directory: Directory,
    /// Through this listener, whatever the id.
    listener: Option<Arc<str>>,
    default_port: u16,
    /// Stands in for the client's connection where a request has none.
    nowhere: Arc<ConnectionInfo>,
}

impl Mesh {
    /// Through the listener that the settings name, or the one that takes what an id names.
    pub(crate) fn new(directory: Directory, settings: &Runtime) -> Self {
        let listener = settings.outbound_listener.clone();
        let nowhere = Arc::new(ConnectionInfo {
            listener: listener.clone().unwrap_or_default(),
            ..Default::default()
        });
        Self {
            directory,
            listener,
            default_port: settings.default_invoke_port,
            nowhere,
        }
    }

    /// The service that takes this request, looked up for each: configuration may have changed.
    pub(crate) fn way(&self, request: &mut Request, is_grpc: bool) -> Result<HttpService, Error> {
        if let Some(name) = &self.listener {
            return Ok(self.directory.named(name)?);
        }
        let connection = request.extensions().get::<Arc<ConnectionInfo>>();
        let way = self.directory.way(&Call {
            id: authority::get(request),
            default_port: self.default_port,
            is_grpc,
            client: connection.and_then(|connection| connection.remote),
        });
        let way = way?;
        if way.needs_port {
            let with_port = format!("{}:{}", authority::get(request), self.default_port);
            if let Ok(value) = HeaderValue::try_from(with_port) {
                request.headers_mut().insert(HOST, value);
            }
        }
        heading_for(way.destination, request.extensions_mut());
        Ok(way.service)
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

/// Where the application's connection to the runtime was going says nothing of the call.
fn heading_for(destination: Option<SocketAddr>, facts: &mut Extensions) {
    let Some(connection) = facts.get_mut::<Arc<ConnectionInfo>>() else {
        return;
    };
    if connection.original_destination == destination && connection.source.is_none() {
        return;
    }
    *connection = Arc::new(ConnectionInfo {
        id: connection.id,
        remote: connection.remote,
        local: destination.or(connection.local),
        original_destination: destination,
        listener: Arc::clone(&connection.listener),
        filter_chain: Arc::clone(&connection.filter_chain),
        tls: connection.tls.clone(),
        ..Default::default()
    });
}
