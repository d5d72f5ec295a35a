use tandem_api_proto::layotto::*;
use tandem_core::HttpService;
use tonic::{Code, Status};

use crate::testing::{filter, process, rpc, told, with_components};

fn item(key: &str, value: &'static str, etag: Option<&str>) -> StateItem {
    StateItem {
        key: key.into(),
        value: value.into(),
        etag: etag.map(|value| Etag {
            value: value.into(),
        }),
        ..StateItem::default()
    }
}

async fn save(service: &HttpService, states: Vec<StateItem>) -> Result<(), Status> {
    let request = SaveStateRequest {
        store_name: "statestore".into(),
        states,
    };
    rpc(service, "SaveState", &request).await
}

async fn get(service: &HttpService, key: &str) -> GetStateResponse {
    let request = GetStateRequest {
        store_name: "statestore".into(),
        key: key.into(),
        ..GetStateRequest::default()
    };
    rpc(service, "GetState", &request).await.unwrap()
}

async fn delete(service: &HttpService, key: &str, etag: Option<&str>) -> Result<(), Status> {
    let request = DeleteStateRequest {
        store_name: "statestore".into(),
        key: key.into(),
        etag: item(key, "", etag).etag,
        ..DeleteStateRequest::default()
    };
    rpc(service, "DeleteState", &request).await
}

async fn transact(service: &HttpService, operations: &[(&str, StateItem)]) -> Result<(), Status> {
    let request = ExecuteStateTransactionRequest {
        store_name: "statestore".into(),
        operations: operations
            .iter()
            .map(|(kind, item)| TransactionalStateOperation {
                operation_type: (*kind).into(),
                request: Some(item.clone()),
            })
            .collect(),
        ..ExecuteStateTransactionRequest::default()
    };
    rpc(service, "ExecuteStateTransaction", &request).await
}

#[tokio::test]
async fn what_is_saved_is_read_and_a_missing_key_is_empty() {
    let process = process(None).await;
    let service = filter(&process);
    save(&service, vec![item("a", "1", None)]).await.unwrap();
    let read = get(&service, "a").await;
    assert_eq!(read.data, "1");
    assert!(!read.etag.is_empty());
    assert_eq!(get(&service, "b").await, GetStateResponse::default());
}

/// Absent, empty and `0` are no condition; another etag must fit.
#[tokio::test]
async fn etags_guard_writes_and_removals() {
    let process = process(None).await;
    let service = filter(&process);
    for no_condition in [None, Some(""), Some("0")] {
        save(&service, vec![item("a", "1", None)]).await.unwrap();
        delete(&service, "a", no_condition).await.unwrap();
        assert_eq!(get(&service, "a").await.data, "");
    }
    save(&service, vec![item("a", "1", None)]).await.unwrap();
    let stale = get(&service, "a").await.etag;
    save(&service, vec![item("a", "2", Some(&stale))])
        .await
        .unwrap();
    let status = save(&service, vec![item("a", "3", Some(&stale))]).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert!(
        status
            .message()
            .starts_with("failed saving state in state store statestore: ")
    );
    let status = delete(&service, "a", Some(&stale)).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert!(
        status
            .message()
            .starts_with("failed deleting state with key a: ")
    );
    let status = delete(&service, "a", Some("x")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn bulk_reads_have_an_item_for_every_key() {
    let process = process(None).await;
    let service = filter(&process);
    save(&service, vec![item("a", "1", None)]).await.unwrap();
    let mut request = GetBulkStateRequest {
        store_name: "statestore".into(),
        keys: vec!["b".into(), "a".into(), "x||y".into()],
        ..GetBulkStateRequest::default()
    };
    let read: GetBulkStateResponse = rpc(&service, "GetBulkState", &request).await.unwrap();
    let items: Vec<_> = read
        .items
        .iter()
        .map(|item| (item.key.as_str(), &item.data[..], item.error.is_empty()))
        .collect();
    assert_eq!(
        items,
        [
            ("b", &b""[..], true),
            ("a", b"1", true),
            ("x||y", b"", false)
        ]
    );
    request.keys.clear();
    let read: GetBulkStateResponse = rpc(&service, "GetBulkState", &request).await.unwrap();
    assert!(read.items.is_empty());
}

/// One value that may be saved, and named three hundred times, would be a gigabyte.
#[tokio::test]
async fn a_bulk_read_answers_no_more_than_a_message_may_have() {
    let process = process(None).await;
    let service = filter(&process);
    let value: &'static str = Box::leak("x".repeat(3_900_000).into_boxed_str());
    save(&service, vec![item("a", value, None)]).await.unwrap();
    let mut request = GetBulkStateRequest {
        store_name: "statestore".into(),
        keys: vec!["a".into()],
        parallelism: -1,
        ..GetBulkStateRequest::default()
    };
    let read: GetBulkStateResponse = rpc(&service, "GetBulkState", &request).await.unwrap();
    assert_eq!(read.items[0].data.len(), 3_900_000);
    request.keys = vec!["a".into(); 300];
    let read = rpc::<GetBulkStateResponse>(&service, "GetBulkState", &request).await;
    let text = "fail to get bulk state from state store statestore: \
        the answer exceeds the limit of 4194304 bytes: ask for less at once";
    assert_eq!(
        told(&read.unwrap_err()),
        (Code::ResourceExhausted, text, "api")
    );
    // Nothing but keys: what is between them makes it too much.
    request.keys = vec!["b".repeat(200); 20_500];
    let read = rpc::<GetBulkStateResponse>(&service, "GetBulkState", &request).await;
    assert_eq!(read.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing() {
    let process = process(None).await;
    let service = filter(&process);
    save(&service, vec![item("a", "1", None)]).await.unwrap();
    let operations = [
        ("upsert", item("b", "2", None)),
        ("delete", item("a", "", None)),
    ];
    transact(&service, &operations).await.unwrap();
    assert_eq!(get(&service, "b").await.data, "2");
    assert_eq!(get(&service, "a").await.data, "");

    let bad = [
        ("delete", item("b", "", None)),
        ("upsert", item("b", "3", Some("99"))),
    ];
    save(&service, vec![item("c", "1", None)]).await.unwrap();
    let operations = [bad[0].clone(), ("upsert", item("c", "3", Some("99")))];
    let status = transact(&service, &operations).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(
        status
            .message()
            .starts_with("error while executing state transaction: ")
    );
    assert_eq!(get(&service, "b").await.data, "2");

    let status = transact(&service, &[("UPSERT", item("b", "2", None))])
        .await
        .unwrap_err();
    let text = "operation type UPSERT not supported";
    assert_eq!(told(&status), (Code::Unimplemented, text, "api"));
}

#[tokio::test]
async fn bulk_removal_removes() {
    let process = process(None).await;
    let service = filter(&process);
    let states = vec![item("a", "1", None), item("b", "1", None)];
    save(&service, states.clone()).await.unwrap();
    let request = DeleteBulkStateRequest {
        store_name: "statestore".into(),
        states,
    };
    rpc::<()>(&service, "DeleteBulkState", &request)
        .await
        .unwrap();
    assert_eq!(get(&service, "a").await.data, "");
    assert_eq!(get(&service, "b").await.data, "");
}

#[tokio::test]
async fn stores_that_are_not_there_are_told_apart() {
    let request = GetStateRequest {
        store_name: "x".into(),
        ..GetStateRequest::default()
    };
    let process = process(None).await;
    let status = rpc::<()>(&filter(&process), "GetState", &request)
        .await
        .unwrap_err();
    assert_eq!(
        told(&status),
        (Code::InvalidArgument, "state store x is not found", "api")
    );
    let process = with_components(None, &[]).await;
    let status = rpc::<()>(&filter(&process), "GetState", &request)
        .await
        .unwrap_err();
    let text = "state store is not configured";
    assert_eq!(told(&status), (Code::FailedPrecondition, text, "api"));
}
