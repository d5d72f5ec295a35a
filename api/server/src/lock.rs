//! `TryLock`, `Unlock`, `LockKeepAlive`.

use std::time::Duration;

use tandem_api_contract::lock::{Outcome, Store};
use tandem_api_proto::layotto::{
    LockKeepAliveRequest, LockKeepAliveResponse, TryLockRequest, TryLockResponse, UnlockRequest,
    UnlockResponse, lock_keep_alive_response, unlock_response,
};

use crate::layer::Api;
use crate::status::Error;

impl Api {
    pub(crate) async fn try_lock(&self, request: TryLockRequest) -> Result<TryLockResponse, Error> {
        let (resource, owner) = (&request.resource_id, &request.lock_owner);
        self.check_lock(&request.store_name, resource, owner)?;
        let ttl = seconds(&request.store_name, request.expire)?;
        let store = self.lock_store(&request.store_name)?;
        let success = store
            .try_lock(resource, owner, ttl)
            .await
            .map_err(Error::Lock)?;
        Ok(TryLockResponse { success })
    }

    pub(crate) async fn unlock(&self, request: UnlockRequest) -> Result<UnlockResponse, Error> {
        use unlock_response::Status;
        let (resource, owner) = (&request.resource_id, &request.lock_owner);
        self.check_lock(&request.store_name, resource, owner)?;
        let store = self.lock_store(&request.store_name)?;
        let outcome = store.unlock(resource, owner).await.map_err(Error::Lock)?;
        let status = match outcome {
            Outcome::Done => Status::Success,
            Outcome::NotHeld => Status::LockUnexist,
            Outcome::HeldByOther => Status::LockBelongToOthers,
        };
        Ok(UnlockResponse {
            status: status.into(),
        })
    }

    pub(crate) async fn lock_keep_alive(
        &self,
        request: LockKeepAliveRequest,
    ) -> Result<LockKeepAliveResponse, Error> {
        use lock_keep_alive_response::Status;
        let (resource, owner) = (&request.resource_id, &request.lock_owner);
        self.check_lock(&request.store_name, resource, owner)?;
        let ttl = seconds(&request.store_name, request.expire)?;
        let store = self.lock_store(&request.store_name)?;
        let outcome = store
            .keep_alive(resource, owner, ttl)
            .await
            .map_err(Error::Lock)?;
        let status = match outcome {
            Outcome::Done => Status::Success,
            Outcome::NotHeld => Status::LockUnexist,
            Outcome::HeldByOther => Status::LockBelongToOthers,
        };
        Ok(LockKeepAliveResponse {
            status: status.into(),
        })
    }

    /// What is checked before the store is looked up, in Layotto's order.
    fn check_lock(&self, store: &str, resource: &str, owner: &str) -> Result<(), Error> {
        if self.clients.lock.is_empty() {
            return Err(Error::LockNotConfigured);
        }
        if resource.is_empty() {
            return Err(Error::LockResourceEmpty(store.to_owned()));
        }
        if owner.is_empty() {
            return Err(Error::LockOwnerEmpty(store.to_owned()));
        }
        Ok(())
    }

    fn lock_store(&self, name: &str) -> Result<&Store, Error> {
        self.clients
            .lock
            .get(name)
            .ok_or_else(|| Error::LockNotFound(name.to_owned()))
    }
}

fn seconds(store: &str, expire: i32) -> Result<Duration, Error> {
    match u64::try_from(expire) {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err(Error::LockExpireNotPositive(store.to_owned())),
    }
}

#[cfg(test)]
mod tests;
