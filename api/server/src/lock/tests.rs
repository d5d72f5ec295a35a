use tandem_api_proto::layotto::{
    LockKeepAliveRequest, LockKeepAliveResponse, TryLockRequest, TryLockResponse, UnlockRequest,
    UnlockResponse,
};
use tonic::Code;

use crate::testing::{filter, process, rpc, told, with_components};

fn request(owner: &str) -> TryLockRequest {
    TryLockRequest {
        store_name: "lockstore".into(),
        resource_id: "r".into(),
        lock_owner: owner.into(),
        expire: 10,
    }
}

#[tokio::test]
async fn a_lock_is_taken_prolonged_and_given_back() {
    let process = process(None).await;
    let service = filter(&process);
    for (owner, expected) in [("a", true), ("b", false), ("a", false)] {
        let taken: TryLockResponse = rpc(&service, "TryLock", &request(owner)).await.unwrap();
        assert_eq!(taken.success, expected);
    }
    for (resource, owner, expected) in [("r", "a", 0), ("r", "b", 2), ("other", "a", 1)] {
        let request = LockKeepAliveRequest {
            store_name: "lockstore".into(),
            resource_id: resource.into(),
            lock_owner: owner.into(),
            expire: 10,
        };
        let kept: LockKeepAliveResponse = rpc(&service, "LockKeepAlive", &request).await.unwrap();
        assert_eq!(kept.status, expected);
    }
    for (owner, expected) in [("b", 2), ("a", 0), ("a", 1)] {
        let request = UnlockRequest {
            store_name: "lockstore".into(),
            resource_id: "r".into(),
            lock_owner: owner.into(),
        };
        let released: UnlockResponse = rpc(&service, "Unlock", &request).await.unwrap();
        assert_eq!(released.status, expected);
    }
}

#[tokio::test]
async fn wrong_requests_are_refused_in_layottos_order() {
    let process = process(None).await;
    let service = filter(&process);
    let mut wrong = TryLockRequest {
        store_name: "x".into(),
        ..TryLockRequest::default()
    };
    let expect = async |request: &TryLockRequest, text: &str| {
        let status = rpc::<()>(&service, "TryLock", request).await.unwrap_err();
        assert_eq!(told(&status), (Code::InvalidArgument, text, "api"));
    };
    expect(&wrong, "ResourceId is empty in lock store x").await;
    wrong.resource_id = "r".into();
    expect(&wrong, "LockOwner is empty in lock store x").await;
    wrong.lock_owner = "o".into();
    expect(&wrong, "Expire is not positive in lock store x").await;
    wrong.expire = 1;
    expect(&wrong, "lock store x not found").await;
}

#[tokio::test]
async fn without_any_lock_store_it_says_so() {
    let process = with_components(None, &[]).await;
    let service = filter(&process);
    let status = rpc::<()>(&service, "TryLock", &request("a"))
        .await
        .unwrap_err();
    let text = "lock store is not configured";
    assert_eq!(told(&status), (Code::FailedPrecondition, text, "api"));
}
