//! The steps: first the mesh by both doors, then the building blocks.

use bytes::Bytes;
use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::subscribe_topic_events_request::SubscribeTopicEventsRequestType as Up;
use tandem_api_proto::layotto::subscribe_topic_events_response::SubscribeTopicEventsResponseType as Down;
use tandem_api_proto::layotto::{
    GetNextIdRequest, GetStateRequest, PublishEventRequest, SaveStateRequest, StateItem,
    SubscribeTopicEventsRequest, SubscribeTopicEventsRequestInitial,
    SubscribeTopicEventsRequestProcessed, TopicEventResponse, TryLockRequest, UnlockRequest,
};
use tonic::transport::Channel;

use super::clients::{get, invoke};
use super::report::{Report, Unexpected, expect};

type Client = RuntimeClient<Channel>;

const ATTEMPTS: &str = "x-envoy-attempt-count";

/// Calls the stock by both doors: found, retried, refused alike.
pub(super) async fn mesh(report: &mut Report, outbound: u16, client: &mut Client) {
    report
        .step(
            "calls the stock by plain HTTP through its outbound listener",
            async {
                let response = get(outbound, "stock", "/items/42").await?;
                expect(response.status() == 200, response.status())?;
                Ok(String::from_utf8_lossy(response.body()).into_owned())
            },
        )
        .await;
    report
        .step(
            "makes the same call by InvokeService, through the same routes",
            async {
                let response = invoke(client, "stock", "/items/42").await?.into_inner();
                let data = response.data.map(|data| data.value).unwrap_or_default();
                expect(!data.is_empty(), "expected data, got none")?;
                Ok(String::from_utf8_lossy(&data).into_owned())
            },
        )
        .await;
    report
        .step(
            "meets a service that fails twice: the route's retries hide it from HTTP …",
            async {
                let response = get(outbound, "stock", "/unreliable").await?;
                let tries = response
                    .headers()
                    .get(ATTEMPTS)
                    .and_then(|v| v.to_str().ok());
                expect(response.status() == 200, response.status())?;
                three(tries)
            },
        )
        .await;
    report
        .step("… and from InvokeService", async {
            let response = invoke(client, "stock", "/unreliable").await?;
            three(
                response
                    .metadata()
                    .get(ATTEMPTS)
                    .and_then(|v| v.to_str().ok()),
            )
        })
        .await;
    report
        .step(
            "meets a fault set in the route table: HTTP is answered 451 …",
            async {
                let response = get(outbound, "stock", "/forbidden").await?;
                expect(response.status() == 451, response.status())?;
                Ok(format!(
                    "{}: {}",
                    response.status(),
                    String::from_utf8_lossy(response.body())
                ))
            },
        )
        .await;
    report
        .step("… and InvokeService is told the same", async {
            match invoke(client, "stock", "/forbidden").await {
                Ok(_) => Err(Unexpected(
                    "expected an error, the call went through".to_owned(),
                )),
                Err(status) => {
                    expect(status.message().contains("451"), &status)?;
                    Ok(format!("{:?}: {}", status.code(), status.message()))
                }
            }
        })
        .await;
}

fn three(tries: Option<&str>) -> Result<String, Unexpected> {
    expect(
        tries == Some("3"),
        format!("expected 3 tries, got {tries:?}"),
    )?;
    Ok("200 after 3 tries".to_owned())
}

/// State, a lock, ids and an event, all on the embedded store.
pub(super) async fn blocks(report: &mut Report, client: &mut Client) {
    report
        .step("saves state and reads it back", state(client))
        .await;
    report
        .step("takes a lock that nobody else gets meanwhile", lock(client))
        .await;
    report
        .step(
            "draws three ids, each larger than the one before",
            ids(client),
        )
        .await;
    report
        .step("publishes an event and receives it", event(client))
        .await;
}

async fn state(client: &mut Client) -> Result<String, Unexpected> {
    let item = StateItem {
        key: "cart".to_owned(),
        value: Bytes::from_static(b"two apples"),
        ..StateItem::default()
    };
    let save = SaveStateRequest {
        store_name: "statestore".to_owned(),
        states: vec![item],
    };
    client.save_state(save).await?;
    let get = GetStateRequest {
        store_name: "statestore".to_owned(),
        key: "cart".to_owned(),
        ..GetStateRequest::default()
    };
    let found = client.get_state(get).await?.into_inner();
    expect(found.data == "two apples", format!("got {:?}", found.data))?;
    Ok(format!("cart = \"two apples\", etag {}", found.etag))
}

async fn lock(client: &mut Client) -> Result<String, Unexpected> {
    let request = |owner: &str| TryLockRequest {
        store_name: "lockstore".to_owned(),
        resource_id: "cart".to_owned(),
        lock_owner: owner.to_owned(),
        expire: 10,
    };
    let first = client
        .try_lock(request("alice"))
        .await?
        .into_inner()
        .success;
    let second = client.try_lock(request("bob")).await?.into_inner().success;
    let unlock = UnlockRequest {
        store_name: "lockstore".to_owned(),
        resource_id: "cart".to_owned(),
        lock_owner: "alice".to_owned(),
    };
    let unlocked = client.unlock(unlock).await?.into_inner().status;
    expect(
        first && !second && unlocked == 0,
        format!("{first}, {second}, {unlocked}"),
    )?;
    Ok("alice has it, bob does not, alice gives it back".to_owned())
}

async fn ids(client: &mut Client) -> Result<String, Unexpected> {
    let mut ids = Vec::new();
    for _ in 0..3 {
        let request = GetNextIdRequest {
            store_name: "sequencer".to_owned(),
            key: "order".to_owned(),
            ..GetNextIdRequest::default()
        };
        ids.push(client.get_next_id(request).await?.into_inner().next_id);
    }
    expect(ids.is_sorted_by(|a, b| a < b), format!("got {ids:?}"))?;
    Ok(format!("{ids:?}"))
}

async fn event(client: &mut Client) -> Result<String, Unexpected> {
    let (up, requests) = tokio::sync::mpsc::channel(4);
    let initial = SubscribeTopicEventsRequestInitial {
        pubsub_name: "pubsub".to_owned(),
        topic: "orders".to_owned(),
        ..SubscribeTopicEventsRequestInitial::default()
    };
    send(&up, Up::InitialRequest(initial)).await?;
    let requests = futures_util::stream::unfold(requests, |mut requests| async move {
        requests.recv().await.map(|request| (request, requests))
    });
    let mut events = client.subscribe_topic_events(requests).await?.into_inner();
    let publish = PublishEventRequest {
        pubsub_name: "pubsub".to_owned(),
        topic: "orders".to_owned(),
        data: Bytes::from_static(b"order 1 is paid"),
        ..PublishEventRequest::default()
    };
    let mut publish = Some(publish);
    while let Some(message) = events.message().await? {
        match message.subscribe_topic_events_response_type {
            Some(Down::InitialResponse(_)) => {
                if let Some(publish) = publish.take() {
                    client.publish_event(publish).await?;
                }
            }
            Some(Down::EventMessage(event)) => {
                let processed = SubscribeTopicEventsRequestProcessed {
                    id: event.id,
                    status: Some(TopicEventResponse::default()),
                };
                send(&up, Up::EventProcessed(processed)).await?;
                expect(
                    event.data == "order 1 is paid",
                    format!("got {:?}", event.data),
                )?;
                return Ok(format!(
                    "\"{}\" from {}",
                    String::from_utf8_lossy(&event.data),
                    event.topic
                ));
            }
            None => {}
        }
    }
    Err(Unexpected(
        "the subscription ended before the event came".to_owned(),
    ))
}

async fn send(
    up: &tokio::sync::mpsc::Sender<SubscribeTopicEventsRequest>,
    request: Up,
) -> Result<(), Unexpected> {
    let request = SubscribeTopicEventsRequest {
        subscribe_topic_events_request_type: Some(request),
    };
    up.send(request)
        .await
        .map_err(|_| Unexpected("the subscription is closed".to_owned()))
}
