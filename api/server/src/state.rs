//! The six state rpcs.

use tandem_api_contract::registry::Clients;
use tandem_api_contract::state::{
    Concurrency, Consistency, Delete, Get, Operation, Set, Store, Ttl,
};
use tandem_api_contract::{Error, Metadata};
use tandem_api_proto::layotto::{
    BulkStateItem, DeleteBulkStateRequest, DeleteStateRequest, Etag,
    ExecuteStateTransactionRequest, GetBulkStateRequest, GetBulkStateResponse, GetStateRequest,
    GetStateResponse, SaveStateRequest, StateItem, StateOptions,
};
use tonic::{Code, Status};

use crate::status::{Origin, component, invalid, not_configured, status};

fn store<'a>(clients: &'a Clients, name: &str) -> Result<&'a Store, Status> {
    if clients.state.is_empty() {
        return Err(not_configured("state store is not configured"));
    }
    clients
        .state
        .get(name)
        .ok_or_else(|| invalid(format!("state store {name} is not found")))
}

/// A missing key is an empty answer, not an error.
pub(crate) async fn get(
    clients: &Clients,
    request: GetStateRequest,
) -> Result<GetStateResponse, Status> {
    let store = store(clients, &request.store_name)?;
    let get = Get {
        key: &request.key,
        consistency: consistency(request.consistency),
        metadata: &request.metadata,
    };
    match store.get(get).await {
        Ok(Some(value)) => Ok(GetStateResponse {
            data: value.data,
            etag: value.etag.unwrap_or_default(),
            metadata: Metadata::default(),
        }),
        Ok(None) => Ok(GetStateResponse::default()),
        Err(error) => {
            let (key, name) = (&request.key, &request.store_name);
            let message = format!("fail to get {key} from state store {name}: {error}");
            Err(component(&error, message, Code::Internal))
        }
    }
}

/// One item for each key, in order; what failed says so in its item.
pub(crate) async fn get_bulk(
    clients: &Clients,
    request: GetBulkStateRequest,
) -> Result<GetBulkStateResponse, Status> {
    let store = store(clients, &request.store_name)?;
    if request.keys.is_empty() {
        return Ok(GetBulkStateResponse::default());
    }
    let items = store
        .get_all(request.keys, Consistency::Unspecified, &request.metadata)
        .await;
    let items = items.into_iter().map(|item| match item.outcome {
        Ok(Some(value)) => BulkStateItem {
            key: item.key,
            data: value.data,
            etag: value.etag.unwrap_or_default(),
            ..BulkStateItem::default()
        },
        Ok(None) => BulkStateItem {
            key: item.key,
            ..BulkStateItem::default()
        },
        Err(error) => BulkStateItem {
            key: item.key,
            error: error.to_string(),
            ..BulkStateItem::default()
        },
    });
    Ok(GetBulkStateResponse {
        items: items.collect(),
    })
}

pub(crate) async fn save(clients: &Clients, request: SaveStateRequest) -> Result<(), Status> {
    let store = store(clients, &request.store_name)?;
    let name = &request.store_name;
    let failed = |error: Error| {
        let message = format!("failed saving state in state store {name}: {error}");
        component(&error, message, Code::Internal)
    };
    let sets = request
        .states
        .into_iter()
        .map(set)
        .collect::<Result<Vec<_>, _>>();
    store.set_all(sets.map_err(failed)?).await.map_err(failed)
}

pub(crate) async fn delete(clients: &Clients, request: DeleteStateRequest) -> Result<(), Status> {
    let store = store(clients, &request.store_name)?;
    let (concurrency, consistency) = options(request.options);
    let delete = Delete {
        key: request.key.clone(),
        etag: etag(request.etag),
        concurrency,
        consistency,
        metadata: request.metadata,
    };
    store
        .delete(delete)
        .await
        .map_err(|error| not_deleted(&request.key, &error))
}

pub(crate) async fn delete_bulk(
    clients: &Clients,
    request: DeleteBulkStateRequest,
) -> Result<(), Status> {
    let store = store(clients, &request.store_name)?;
    let keys = request
        .states
        .iter()
        .map(|item| item.key.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let deletes = request.states.into_iter().map(deletion).collect();
    store
        .delete_all(deletes)
        .await
        .map_err(|error| not_deleted(&keys, &error))
}

/// All operations or none; operations without a request are skipped, as in Layotto.
pub(crate) async fn transact(
    clients: &Clients,
    request: ExecuteStateTransactionRequest,
) -> Result<(), Status> {
    let name = &request.store_name;
    let store = store(clients, name)?;
    if !store.capabilities().transactional {
        let message = format!("state store {name} doesn't support transaction");
        return Err(status(Origin::Api, Code::Unimplemented, message));
    }
    let failed = |error: Error| {
        // Whatever broke a transaction is INTERNAL, a mismatch too; only a back-end that
        // cannot be reached is worth another code, since the call may be repeated.
        let message = format!("error while executing state transaction: {error}");
        let code = match error.kind() {
            tandem_api_contract::Kind::Unavailable => Code::Unavailable,
            _ => Code::Internal,
        };
        status(Origin::Component, code, message)
    };
    let mut operations = Vec::with_capacity(request.operations.len());
    for operation in request.operations {
        let Some(item) = operation.request else {
            continue;
        };
        operations.push(match operation.operation_type.as_str() {
            "upsert" => Operation::Set(set(item).map_err(failed)?),
            "delete" => Operation::Delete(deletion(item)),
            other => {
                let message = format!("operation type {other} not supported");
                return Err(status(Origin::Api, Code::Unimplemented, message));
            }
        });
    }
    store.transact(operations).await.map_err(failed)
}

fn not_deleted(key: &str, error: &Error) -> Status {
    component(
        error,
        format!("failed deleting state with key {key}: {error}"),
        Code::Internal,
    )
}

fn set(item: StateItem) -> Result<Set, Error> {
    let (concurrency, consistency) = options(item.options);
    Ok(Set {
        key: item.key,
        value: item.value,
        etag: etag(item.etag),
        concurrency,
        consistency,
        ttl: Ttl::from_metadata(&item.metadata)?,
        metadata: item.metadata,
    })
}

fn deletion(item: StateItem) -> Delete {
    let (concurrency, consistency) = options(item.options);
    Delete {
        key: item.key,
        etag: etag(item.etag),
        concurrency,
        consistency,
        metadata: item.metadata,
    }
}

fn etag(etag: Option<Etag>) -> Option<String> {
    etag.map(|etag| etag.value)
}

fn options(options: Option<StateOptions>) -> (Concurrency, Consistency) {
    let Some(options) = options else {
        return (Concurrency::Unspecified, Consistency::Unspecified);
    };
    let concurrency = match options.concurrency {
        1 => Concurrency::FirstWrite,
        2 => Concurrency::LastWrite,
        _ => Concurrency::Unspecified,
    };
    (concurrency, consistency(options.consistency))
}

fn consistency(number: i32) -> Consistency {
    match number {
        1 => Consistency::Eventual,
        2 => Consistency::Strong,
        _ => Consistency::Unspecified,
    }
}
