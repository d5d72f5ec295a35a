//! Redis down at the start, stopped, started again and paused while calls come.

use std::path::Path;
use std::time::{Duration, Instant};

use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::{GetStateRequest, SaveStateRequest, StateItem};
use tandem_harness::redis::Redis;
use tandem_harness::{client, wait};
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::sidecar::Sidecar;

/// The longest that a call may take while the back-end is silent.
const BOUND: Duration = Duration::from_secs(10);

fn declare(folder: &Path, port: u16) {
    let components = folder.join("components");
    std::fs::create_dir(&components).unwrap();
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: carts }}\nspec:\n  \
         type: state.redis\n  version: v1\n  metadata:\n  - {{ name: redisHost, value: \
         \"127.0.0.1:{port}\" }}\n---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: \
         {{ name: local }}\nspec:\n  type: state.embedded\n  version: v1\n"
    );
    std::fs::write(components.join("stores.yaml"), text).unwrap();
}

async fn save(client: &RuntimeClient<Channel>, store: &str, value: &str) -> Result<(), Status> {
    put(client, store, "cart", value).await
}

async fn put(
    client: &RuntimeClient<Channel>,
    store: &str,
    key: &str,
    value: &str,
) -> Result<(), Status> {
    let item = StateItem {
        key: key.into(),
        value: value.to_owned().into(),
        ..StateItem::default()
    };
    let request = SaveStateRequest {
        store_name: store.into(),
        states: vec![item],
    };
    client.clone().save_state(request).await.map(drop)
}

async fn get(client: &RuntimeClient<Channel>, store: &str) -> Result<String, Status> {
    let request = GetStateRequest {
        store_name: store.into(),
        key: "cart".into(),
        ..GetStateRequest::default()
    };
    let found = client.clone().get_state(request).await?.into_inner();
    Ok(String::from_utf8(found.data.to_vec()).unwrap())
}

/// What callers see meanwhile: a clear error in time from the one store, nothing from others.
async fn assert_only_redis_is_away(sidecar: &Sidecar, client: &RuntimeClient<Channel>) {
    let began = Instant::now();
    let error = save(client, "carts", "lost").await.unwrap_err();
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    assert!(error.message().contains("carts"), "{error}");
    save(client, "local", "kept").await.unwrap();
    assert_eq!(get(client, "local").await.unwrap(), "kept");
    // 404 is the mesh's own answer: it has no routes. It answers at once.
    let (status, _) = client::h1::get(sidecar.outbound, "/").await.unwrap();
    assert_eq!(status, 404);
}

async fn recovers(client: &RuntimeClient<Channel>, value: &str) {
    let saved = wait::until_async(wait::PATIENCE, async || {
        save(client, "carts", value).await.is_ok()
    });
    assert!(saved.await, "it did not come back by itself");
    assert_eq!(get(client, "carts").await.unwrap(), value);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_may_come_and_go() {
    let folder = TempDir::new().unwrap();
    let mut redis = Redis::start().await;
    declare(folder.path(), redis.port());
    redis.stop();

    let components = folder.path().join("components");
    let arguments = ["--resources-path", components.to_str().unwrap()];
    let sidecar = Sidecar::start(folder.path(), &arguments).await;
    let client = sidecar.client();
    assert_only_redis_is_away(&sidecar, &client).await;
    sidecar.process.wait_for_output("component not ready").await;

    redis.restart().await;
    recovers(&client, "first").await;
    sidecar.process.wait_for_output("component ready").await;

    // Calls go on through all that follows; each ends in time, with an answer or an error.
    let load = tokio::spawn({
        let client = client.clone();
        async move {
            let mut longest = Duration::ZERO;
            let mut codes = std::collections::BTreeMap::<String, usize>::new();
            loop {
                let began = Instant::now();
                let code = match put(&client, "carts", "load", "on").await {
                    Ok(()) => Code::Ok,
                    Err(error) => error.code(),
                };
                let took = began.elapsed();
                if get(&client, "local").await.is_err() {
                    // The sidecar has gone.
                    return (longest, codes);
                }
                longest = longest.max(took);
                *codes.entry(format!("{code:?}")).or_default() += 1;
            }
        }
    });
    redis.stop();
    assert_only_redis_is_away(&sidecar, &client).await;
    redis.restart().await;
    recovers(&client, "second").await;

    redis.pause();
    assert_only_redis_is_away(&sidecar, &client).await;
    redis.resume();
    recovers(&client, "third").await;

    // The load ends with the sidecar.
    drop(sidecar);
    let (longest, codes) = load.await.unwrap();
    assert!(longest < BOUND, "{longest:?}");
    assert!(
        codes.contains_key("Ok") && codes.contains_key("Unavailable"),
        "{codes:?}"
    );
    assert!(
        codes
            .keys()
            .all(|code| code == "Ok" || code == "Unavailable"),
        "{codes:?}"
    );
}
