//! What only Redis can show: the stored formats, and a server that goes away.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::{sync::Arc, time::Duration};

use tandem_api_contract::{
    Kind, Metadata,
    declaration::{Context, Declaration},
    pubsub::{Publish, Subscribe},
    sequencer::Increment,
    state::{Concurrency, Consistency, Get, Set},
};

use support::{Components, Inbox, eventually, redis::Redis};

async fn read(
    components: &Components,
    key: &str,
) -> Result<Option<(String, Option<String>)>, Kind> {
    let metadata = Metadata::new();
    let get = Get {
        key,
        consistency: Consistency::Unspecified,
        metadata: &metadata,
    };
    let value = components
        .clients
        .state
        .get("state")
        .unwrap()
        .get(get)
        .await;
    Ok(value
        .map_err(|error| error.kind())?
        .map(|value| (String::from_utf8(value.data.to_vec()).unwrap(), value.etag)))
}

async fn save(components: &Components, key: &str, value: &'static str) -> Result<(), Kind> {
    let set = Set {
        key: key.into(),
        value: value.into(),
        ..Set::default()
    };
    let store = components.clients.state.get("state").unwrap();
    store.set_all(vec![set]).await.map_err(|error| error.kind())
}

/// The format is Dapr's: a hash of `data`, `version` and `first-write` under `APP||key`.
#[tokio::test]
async fn state_is_stored_as_dapr_stores_it() {
    let redis = Redis::start();
    let components = Components::redis(redis.port);
    save(&components, "a", "one").await.unwrap();
    save(&components, "a", "two").await.unwrap();
    assert_eq!(redis.cli(&["HGETALL", "shop||a"]), "data\ntwo\nversion\n2");
    let set = Set {
        key: "b".into(),
        value: "one".into(),
        concurrency: Concurrency::FirstWrite,
        ..Set::default()
    };
    components
        .clients
        .state
        .get("state")
        .unwrap()
        .set_all(vec![set])
        .await
        .unwrap();
    assert_eq!(
        redis.cli(&["HGETALL", "shop||b"]),
        "data\none\nfirst-write\n0\nversion\n1"
    );
    redis.cli(&["HSET", "shop||c", "data", "theirs", "version", "7"]);
    let theirs = Some(("theirs".to_owned(), Some("7".to_owned())));
    assert_eq!(read(&components, "c").await.unwrap(), theirs);
}

#[tokio::test]
async fn plain_strings_are_read_and_replaced() {
    let redis = Redis::start();
    let components = Components::redis(redis.port);
    redis.cli(&["SET", "shop||a", "plain"]);
    assert_eq!(
        read(&components, "a").await.unwrap(),
        Some(("plain".to_owned(), None))
    );
    redis.cli(&["RPUSH", "shop||list", "x"]);
    redis.cli(&["HSET", "shop||b", "data", "two", "version", "2"]);
    let keys = ["a", "none", "list", "b"].map(String::from).to_vec();
    let store = components.clients.state.get("state").unwrap();
    let items = store
        .get_all(keys, Consistency::Unspecified, &Metadata::new(), 1_000)
        .await
        .unwrap();
    let shown: Vec<_> = items
        .iter()
        .map(|item| format!("{:?}", item.outcome))
        .collect();
    assert_eq!(
        shown[0],
        r#"Ok(Some(Value { data: b"plain", etag: None }))"#
    );
    assert_eq!(shown[1], "Ok(None)");
    assert!(shown[2].contains("WRONGTYPE"), "{}", shown[2]);
    assert_eq!(
        shown[3],
        r#"Ok(Some(Value { data: b"two", etag: Some("2") }))"#
    );
    save(&components, "a", "new").await.unwrap();
    assert_eq!(redis.cli(&["HGET", "shop||a", "data"]), "new");
}

/// A server that is full takes nothing new, and what it has can be read and removed.
#[tokio::test]
async fn a_full_server_takes_nothing() {
    let redis = Redis::start();
    let components = Components::redis(redis.port);
    save(&components, "old", "one").await.unwrap();
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(redis.cli(&["SET", "plain", "x"]).starts_with("OOM"));
    for key in ["new", "old"] {
        let refused = save(&components, key, "two").await;
        assert!(refused.is_err(), "{key}: {refused:?}");
    }
    assert_eq!(read(&components, "new").await.unwrap(), None);
    let old = Some(("one".to_owned(), Some("1".to_owned())));
    assert_eq!(read(&components, "old").await.unwrap(), old);
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    save(&components, "new", "two").await.unwrap();
}

#[tokio::test]
async fn locks_sequences_and_events_are_stored_as_layotto_stores_them() {
    let redis = Redis::start();
    let components = Components::redis(redis.port);
    let locks = components.clients.lock.get("lock").unwrap();
    assert!(
        locks
            .try_lock("r", "me", Duration::from_secs(60))
            .await
            .unwrap()
    );
    assert_eq!(redis.cli(&["GET", "lock|||shop||r"]), "me");
    let sequencer = components.clients.sequencer.get("sequencer").unwrap();
    sequencer.next_id("k", Increment::Weak).await.unwrap();
    assert_eq!(redis.cli(&["GET", "sequencer|||shop||k"]), "10000");
    redis.cli(&["XADD", "t", "*", "data", "theirs"]);
    let inbox = Arc::new(Inbox::default());
    let pubsub = components.clients.pubsub.get("pubsub").unwrap();
    let subscribe = Subscribe {
        topic: "t".into(),
        ..Subscribe::default()
    };
    let _subscription = pubsub.subscribe(subscribe, inbox.clone()).await.unwrap();
    inbox.wait_for(&["theirs"]).await;
    assert!(
        redis
            .cli(&["XINFO", "CONSUMERS", "t", "shop"])
            .contains("shop")
    );
    eventually("acknowledgement", async || {
        redis.cli(&["XPENDING", "t", "shop"]).starts_with('0')
    })
    .await;
    let publish = Publish {
        topic: "t".into(),
        data: "ours".into(),
        metadata: Metadata::new(),
    };
    pubsub.publish(publish).await.unwrap();
    assert!(
        redis
            .cli(&["XRANGE", "t", "-", "+"])
            .ends_with("data\nours")
    );
}

#[tokio::test]
async fn a_server_that_is_down_at_start_is_found_later() {
    let mut redis = Redis::start();
    redis.stop();
    let components = Components::redis(redis.port);
    let (answer, moments) = counting(read(&components, "a")).await;
    assert_eq!(answer, Err(Kind::Unavailable));
    // At once, where a server that hangs may take ten seconds.
    assert!(moments < 400, "{moments}");
    let store = components.clients.state.get("state").unwrap();
    let metadata = Metadata::new();
    let get = Get {
        key: "a",
        consistency: Consistency::Unspecified,
        metadata: &metadata,
    };
    let message = store.get(get).await.unwrap_err().to_string();
    let address = format!("redis at 127.0.0.1:{}", redis.port);
    assert!(message.contains("component 'state' (state.redis)") && message.contains(&address));
    components.wait(false).await;
    redis.restart();
    components.wait(true).await;
    eventually("recovery", async || {
        save(&components, "a", "one").await.is_ok()
    })
    .await;
}

/// What was acknowledged before the outage is there after it, and subscriptions go on.
#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let mut redis = Redis::start();
    let components = Components::redis(redis.port);
    components.wait(true).await;
    let inbox = Arc::new(Inbox::default());
    let pubsub = components.clients.pubsub.get("pubsub").unwrap();
    let subscribe = Subscribe {
        topic: "t".into(),
        ..Subscribe::default()
    };
    let _subscription = pubsub.subscribe(subscribe, inbox.clone()).await.unwrap();
    save(&components, "a", "one").await.unwrap();
    redis.stop();
    assert_eq!(save(&components, "a", "two").await, Err(Kind::Unavailable));
    redis.restart();
    eventually("recovery", async || read(&components, "a").await.is_ok()).await;
    assert_eq!(read(&components, "a").await.unwrap().unwrap().0, "one");
    redis.cli(&["XADD", "t", "*", "data", "after"]);
    inbox.wait_for(&["after"]).await;
}

/// A connection that the server closed while nobody used it costs no call.
#[tokio::test]
async fn a_restart_between_calls_is_not_noticed() {
    let mut redis = Redis::start();
    let components = Components::redis(redis.port);
    save(&components, "a", "one").await.unwrap();
    redis.stop();
    redis.restart();
    // The end of the old connection came before anything of the new server: once another client
    // has its answer, this runtime has seen it.
    let other = Components::redis(redis.port);
    save(&other, "b", "one").await.unwrap();
    save(&components, "a", "two").await.unwrap();
}

/// How often ten milliseconds passed meanwhile; a time in which the machine stood still is one.
async fn counting<T>(work: impl Future<Output = T>) -> (T, u32) {
    let mut work = std::pin::pin!(work);
    let mut count = 0;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return (done, count),
            () = tokio::time::sleep(Duration::from_millis(10)) => count += 1,
        }
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let redis = Redis::start();
    let components = Components::redis_patient_for("500ms", redis.port);
    eventually("a connection", async || {
        save(&components, "a", "one").await.is_ok()
    })
    .await;
    redis.pause();
    for _ in 0..3 {
        let (answer, moments) = counting(read(&components, "a")).await;
        assert_eq!(answer, Err(Kind::Unavailable));
        // Three seconds, which is what it takes when nothing is declared, has about 260.
        assert!(moments < 200, "{moments}");
    }
    redis.resume();
    eventually("recovery", async || read(&components, "a").await.is_ok()).await;
}

/// Each field that Dapr lists for one server is taken, beside another name of the same.
#[tokio::test]
async fn fields_of_dapr_are_known() {
    let shared = [
        ("redisHost", "127.0.0.1:1"),
        ("maxRetries", "5"),
        ("maxRetryBackoff", "1s"),
        ("redisMaxRetries", "4"),
        ("redisMaxRetryInterval", "500ms"),
        ("redisMinRetryInterval", "8ms"),
        ("redisDB", "0"),
        ("redisType", "node"),
        ("processingTimeout", "15s"),
        ("redeliverInterval", "60000"),
        ("enableTLS", "false"),
        ("failover", "false"),
    ];
    let of = |kind: &str, own: &[(&str, &str)]| {
        let fields = shared.iter().chain(own);
        let declaration = Declaration::embedded("c", kind);
        let declaration = fields.fold(declaration, |all, (name, value)| all.with(name, value));
        let built = tandem_api_components::build(&[declaration], &Context::default());
        built.map(drop).map_err(|faults| faults.to_string())
    };
    let indexes = r#"[{"name": "i", "indexes": [{"key": "k", "type": "TEXT"}]}]"#;
    let state = [("queryIndexes", indexes), ("ttlInSeconds", "5")];
    assert_eq!(of("state.redis", &state), Ok(()));
    assert_eq!(of("lock.redis", &[]), Ok(()));
    for ttl in ["30d", "12h", "1h30m"] {
        assert_eq!(of("pubsub.redis", &[("streamTTL", ttl)]), Ok(()));
    }
    let refused = of("pubsub.redis", &[("streamTTL", "30")]).unwrap_err();
    let expected = "field 'streamTTL': expected a duration such as 12h or 30d, found \"30\"";
    assert!(refused.contains(expected), "{refused}");
    assert!(of("state.redis", &[("streamTTL", "30d")]).is_err());
}

/// The server removes what is old in whole blocks, of a hundred entries.
#[tokio::test]
async fn a_stream_forgets_what_is_older_than_its_ttl() {
    let redis = Redis::start();
    let declaration = Declaration::embedded("pubsub", "pubsub.redis")
        .with("redisHost", &format!("127.0.0.1:{}", redis.port))
        .with("streamTTL", "1ms")
        .with("readTimeout", "10s");
    let registry = tandem_api_components::build(&[declaration], &Context::default()).unwrap();
    let clients = registry.clients();
    for _ in 0..500 {
        let publish = Publish {
            topic: "t".into(),
            data: "x".into(),
            metadata: Metadata::new(),
        };
        let pubsub = clients.pubsub.get("pubsub").unwrap();
        pubsub.publish(publish).await.unwrap();
    }
    let kept: usize = redis.cli(&["XLEN", "t"]).parse().unwrap();
    assert!(kept < 500, "{kept}");
}
