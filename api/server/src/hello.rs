//! SayHello.

use tandem_api_contract::registry::Clients;
use tandem_api_proto::layotto::{SayHelloRequest, SayHelloResponse};
use tonic::{Code, Status};

use crate::status::{Origin, status};

/// Greets by the named component; an empty name is the only component.
pub(crate) fn say(clients: &Clients, request: SayHelloRequest) -> Result<SayHelloResponse, Status> {
    let named = clients.hello.get(&request.service_name);
    let only = || match (request.service_name.is_empty(), clients.hello.iter().next()) {
        (true, Some((_, only))) => Some(only),
        _ => None,
    };
    // Layotto answers with a plain Go error, which is UNKNOWN on the wire.
    let hello = named
        .or_else(only)
        .ok_or_else(|| status(Origin::Api, Code::Unknown, "no instance found"))?;
    Ok(SayHelloResponse {
        hello: hello.greet(&request.name),
        data: request.data,
    })
}
