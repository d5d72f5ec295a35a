//! `GetNextId`.

use tandem_api_contract::sequencer::Increment;
use tandem_api_proto::layotto::{
    GetNextIdRequest, GetNextIdResponse, sequencer_options::AutoIncrement,
};

use crate::layer::Api;
use crate::status::Error;

impl Api {
    pub(crate) async fn get_next_id(
        &self,
        request: GetNextIdRequest,
    ) -> Result<GetNextIdResponse, Error> {
        if self.clients.sequencer.is_empty() {
            return Err(Error::SequencerNotConfigured);
        }
        if request.key.is_empty() {
            return Err(Error::SequencerKeyEmpty(request.store_name));
        }
        let increment = match request.options {
            None => Increment::Weak,
            Some(options) => match AutoIncrement::try_from(options.increment) {
                Ok(AutoIncrement::Weak) => Increment::Weak,
                Ok(AutoIncrement::Strong) => Increment::Strong,
                Err(_) => return Err(Error::SequencerIncrement),
            },
        };
        let Some(store) = self.clients.sequencer.get(&request.store_name) else {
            return Err(Error::SequencerNotFound(request.store_name));
        };
        let next_id = store
            .next_id(&request.key, increment)
            .await
            .map_err(Error::Sequencer)?;
        Ok(GetNextIdResponse { next_id })
    }
}

#[cfg(test)]
mod tests;
