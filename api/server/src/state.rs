//! `GetState`, `GetBulkState`, `SaveState`, `DeleteState`, `DeleteBulkState`,
//! `ExecuteStateTransaction`.

use tandem_api_contract as contract;
use tandem_api_contract::state::{
    Concurrency, Consistency, Delete, Get, Item, Operation, Set, Store, Ttl,
};
use tandem_api_proto::Message as _;
use tandem_api_proto::layotto::{
    BulkStateItem, DeleteBulkStateRequest, DeleteStateRequest, ExecuteStateTransactionRequest,
    GetBulkStateRequest, GetBulkStateResponse, GetStateRequest, GetStateResponse, SaveStateRequest,
    StateItem, StateOptions,
    state_options::{StateConcurrency, StateConsistency},
};

use crate::grpc::MAX_MESSAGE;
use crate::layer::Api;
use crate::status::Error;

impl Api {
    pub(crate) async fn get_state(
        &self,
        request: GetStateRequest,
    ) -> Result<GetStateResponse, Error> {
        let store = self.state_store(&request.store_name)?;
        let get = Get {
            key: &request.key,
            consistency: consistency(request.consistency),
            metadata: &request.metadata,
        };
        let outcome = store.get(get).await;
        match outcome {
            Ok(None) => Ok(GetStateResponse::default()),
            Ok(Some(value)) => Ok(GetStateResponse {
                data: value.data,
                etag: value.etag.unwrap_or_default(),
                ..GetStateResponse::default()
            }),
            Err(cause) => Err(Error::StateGet {
                key: request.key,
                store: request.store_name,
                cause,
            }),
        }
    }

    /// Items come in the order of the keys. `parallelism` cannot be exceeded: reads go one after
    /// the other, or as one.
    pub(crate) async fn get_bulk_state(
        &self,
        request: GetBulkStateRequest,
    ) -> Result<GetBulkStateResponse, Error> {
        let store = self.state_store(&request.store_name)?;
        let failed = |cause| Error::StateBulkGet {
            store: request.store_name.clone(),
            cause,
        };
        let items = store
            .get_all(
                request.keys,
                Consistency::Unspecified,
                &request.metadata,
                MAX_MESSAGE,
            )
            .await
            .map_err(failed)?;
        let answer = GetBulkStateResponse {
            items: items.into_iter().map(bulk_item).collect(),
        };
        // What was counted while reading is the texts; this is what will be sent.
        if answer.encoded_len() > MAX_MESSAGE {
            return Err(failed(contract::Error::too_large(MAX_MESSAGE)));
        }
        Ok(answer)
    }

    pub(crate) async fn save_state(&self, request: SaveStateRequest) -> Result<(), Error> {
        let store = self.state_store(&request.store_name)?;
        let sets: Result<Vec<_>, _> = request.states.into_iter().map(set).collect();
        let outcome = match sets {
            Ok(sets) => store.set_all(sets).await,
            Err(cause) => Err(cause),
        };
        outcome.map_err(|cause| Error::StateSave {
            store: request.store_name,
            cause,
        })
    }

    pub(crate) async fn delete_state(&self, request: DeleteStateRequest) -> Result<(), Error> {
        let store = self.state_store(&request.store_name)?;
        let key = request.key.clone();
        let delete = delete(StateItem {
            key: request.key,
            etag: request.etag,
            options: request.options,
            metadata: request.metadata,
            ..StateItem::default()
        });
        store
            .delete(delete)
            .await
            .map_err(|cause| Error::StateDelete { key, cause })
    }

    pub(crate) async fn delete_bulk_state(
        &self,
        request: DeleteBulkStateRequest,
    ) -> Result<(), Error> {
        let store = self.state_store(&request.store_name)?;
        let deletes = request.states.into_iter().map(delete).collect();
        store
            .delete_all(deletes)
            .await
            .map_err(Error::StateBulkDelete)
    }

    pub(crate) async fn execute_state_transaction(
        &self,
        request: ExecuteStateTransactionRequest,
    ) -> Result<(), Error> {
        let store = self.state_store(&request.store_name)?;
        if !store.capabilities().transactional {
            return Err(Error::TransactionUnsupported(request.store_name));
        }
        let mut operations = Vec::with_capacity(request.operations.len());
        for operation in request.operations {
            // Layotto passes over an operation without an item before it looks at its type.
            let Some(item) = operation.request else {
                continue;
            };
            operations.push(match operation.operation_type.as_str() {
                "upsert" => Operation::Set(set(item).map_err(Error::Transaction)?),
                "delete" => Operation::Delete(delete(item)),
                _ => return Err(Error::OperationUnsupported(operation.operation_type)),
            });
        }
        if operations.is_empty() {
            return Ok(());
        }
        store.transact(operations).await.map_err(Error::Transaction)
    }

    fn state_store(&self, name: &str) -> Result<&Store, Error> {
        if self.clients.state.is_empty() {
            return Err(Error::StateNotConfigured);
        }
        self.clients
            .state
            .get(name)
            .ok_or_else(|| Error::StateNotFound(name.to_owned()))
    }
}

fn bulk_item(item: Item) -> BulkStateItem {
    let mut answer = BulkStateItem {
        key: item.key,
        ..BulkStateItem::default()
    };
    match item.outcome {
        Ok(None) => {}
        Ok(Some(value)) => {
            answer.data = value.data;
            answer.etag = value.etag.unwrap_or_default();
        }
        Err(error) => answer.error = error.to_string(),
    }
    answer
}

fn set(item: StateItem) -> Result<Set, contract::Error> {
    let ttl = Ttl::from_metadata(&item.metadata)?;
    let (concurrency, consistency) = options(item.options);
    Ok(Set {
        key: item.key,
        value: item.value,
        etag: item.etag.map(|etag| etag.value),
        concurrency,
        consistency,
        ttl,
        metadata: item.metadata,
    })
}

fn delete(item: StateItem) -> Delete {
    let (concurrency, consistency) = options(item.options);
    Delete {
        key: item.key,
        etag: item.etag.map(|etag| etag.value),
        concurrency,
        consistency,
        metadata: item.metadata,
    }
}

fn options(options: Option<StateOptions>) -> (Concurrency, Consistency) {
    let options = options.unwrap_or_default();
    let concurrency = match StateConcurrency::try_from(options.concurrency) {
        Ok(StateConcurrency::ConcurrencyFirstWrite) => Concurrency::FirstWrite,
        Ok(StateConcurrency::ConcurrencyLastWrite) => Concurrency::LastWrite,
        Ok(StateConcurrency::ConcurrencyUnspecified) | Err(_) => Concurrency::Unspecified,
    };
    (concurrency, consistency(options.consistency))
}

fn consistency(value: i32) -> Consistency {
    match StateConsistency::try_from(value) {
        Ok(StateConsistency::ConsistencyEventual) => Consistency::Eventual,
        Ok(StateConsistency::ConsistencyStrong) => Consistency::Strong,
        Ok(StateConsistency::ConsistencyUnspecified) | Err(_) => Consistency::Unspecified,
    }
}

#[cfg(test)]
mod tests;
