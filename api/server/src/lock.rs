//! TryLock, Unlock, LockKeepAlive.

use std::time::Duration;

use tandem_api_contract::lock::{Outcome, Store};
use tandem_api_contract::registry::Clients;
use tandem_api_proto::layotto::{
    LockKeepAliveRequest, LockKeepAliveResponse, TryLockRequest, TryLockResponse, UnlockRequest,
    UnlockResponse,
};
use tonic::{Code, Status};

use crate::status::{component, invalid, not_configured};

/// Takes a lock, or says that somebody else has it.
pub(crate) async fn try_lock(
    clients: &Clients,
    request: TryLockRequest,
) -> Result<TryLockResponse, Status> {
    let TryLockRequest {
        store_name,
        resource_id,
        lock_owner,
        expire,
    } = request;
    let (store, expire) = check(
        clients,
        &store_name,
        &resource_id,
        &lock_owner,
        Some(expire),
    )?;
    let success = store.try_lock(&resource_id, &lock_owner, expire).await;
    Ok(TryLockResponse {
        success: success.map_err(|error| failed(&store_name, &error))?,
    })
}

/// Gives a lock back.
pub(crate) async fn unlock(
    clients: &Clients,
    request: UnlockRequest,
) -> Result<UnlockResponse, Status> {
    let UnlockRequest {
        store_name,
        resource_id,
        lock_owner,
    } = request;
    let (store, _) = check(clients, &store_name, &resource_id, &lock_owner, None)?;
    let outcome = store.unlock(&resource_id, &lock_owner).await;
    Ok(UnlockResponse {
        status: code(outcome.map_err(|error| failed(&store_name, &error))?),
    })
}

/// Holds a lock for longer.
pub(crate) async fn keep_alive(
    clients: &Clients,
    request: LockKeepAliveRequest,
) -> Result<LockKeepAliveResponse, Status> {
    let LockKeepAliveRequest {
        store_name,
        resource_id,
        lock_owner,
        expire,
    } = request;
    let (store, expire) = check(
        clients,
        &store_name,
        &resource_id,
        &lock_owner,
        Some(expire),
    )?;
    let outcome = store.keep_alive(&resource_id, &lock_owner, expire).await;
    Ok(LockKeepAliveResponse {
        status: code(outcome.map_err(|error| failed(&store_name, &error))?),
    })
}

/// What is asked of every request, in Layotto's order; an absent `expire` is not looked at.
fn check<'a>(
    clients: &'a Clients,
    store_name: &str,
    resource_id: &str,
    lock_owner: &str,
    expire: Option<i32>,
) -> Result<(&'a Store, Duration), Status> {
    if clients.lock.is_empty() {
        return Err(not_configured("lock store is not configured"));
    }
    if resource_id.is_empty() {
        return Err(invalid(format!(
            "ResourceId is empty in lock store {store_name}"
        )));
    }
    if lock_owner.is_empty() {
        return Err(invalid(format!(
            "LockOwner is empty in lock store {store_name}"
        )));
    }
    let seconds = u64::try_from(expire.unwrap_or(1)).unwrap_or(0);
    if seconds == 0 {
        return Err(invalid(format!(
            "Expire is not positive in lock store {store_name}"
        )));
    }
    let store = clients.lock.get(store_name);
    let store = store.ok_or_else(|| invalid(format!("lock store {store_name} not found")))?;
    Ok((store, Duration::from_secs(seconds)))
}

/// The status number of Unlock and LockKeepAlive.
fn code(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Done => 0,
        Outcome::NotHeld => 1,
        Outcome::HeldByOther => 2,
    }
}

fn failed(store_name: &str, error: &tandem_api_contract::Error) -> Status {
    component(
        error,
        format!("lock store {store_name} failed: {error}"),
        Code::Internal,
    )
}
