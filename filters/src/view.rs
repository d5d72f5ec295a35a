//! What a filter's conditions look at of a request.

use std::sync::Arc;

use tandem_core::ext::StreamInfo;
use tandem_core::{Request, authority, grpc};
use tandem_model::matching::RequestView;

/// A view of a request as it is now; no random number is drawn for it.
pub(crate) fn of(request: &Request) -> RequestView<'_> {
    let info = request.extensions().get::<Arc<StreamInfo>>();
    RequestView {
        method: request.method(),
        path_and_query: authority::path_and_query(request),
        authority: authority::get(request),
        uri_scheme: request.uri().scheme_str(),
        encrypted: info.is_some_and(|info| info.connection.is_tls()),
        headers: request.headers(),
        is_grpc: grpc::is_grpc(request.headers()),
        random: 0,
    }
}
