//! GetNextId.

use tandem_api_contract::registry::Clients;
use tandem_api_contract::sequencer::Increment;
use tandem_api_proto::layotto::sequencer_options::AutoIncrement;
use tandem_api_proto::layotto::{GetNextIdRequest, GetNextIdResponse};
use tonic::{Code, Status};

use crate::status::{component, invalid, not_configured};

/// Draws an id; without options ids are weakly increasing.
pub(crate) async fn next(
    clients: &Clients,
    request: GetNextIdRequest,
) -> Result<GetNextIdResponse, Status> {
    let GetNextIdRequest {
        store_name,
        key,
        options,
        ..
    } = request;
    if clients.sequencer.is_empty() {
        return Err(not_configured("Sequencer store is not configured"));
    }
    if key.is_empty() {
        return Err(invalid(format!(
            "Key is empty in sequencer store {store_name}"
        )));
    }
    let store = clients.sequencer.get(&store_name);
    let store = store.ok_or_else(|| invalid(format!("Sequencer store {store_name} not found")))?;
    let increment = match options.map(|options| options.increment()) {
        Some(AutoIncrement::Strong) => Increment::Strong,
        Some(AutoIncrement::Weak) | None => Increment::Weak,
    };
    match store.next_id(&key, increment).await {
        Ok(next_id) => Ok(GetNextIdResponse { next_id }),
        Err(error) => Err(component(&error, error.message(), Code::Internal)),
    }
}
