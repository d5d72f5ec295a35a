//! What every back-end must do, written once and run against each.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_api_contract::{
    Kind, Metadata,
    lock::Outcome,
    pubsub::{Handler, Message, PubSub, Publish, Subscribe, Verdict},
    sequencer::Increment,
    state::{Concurrency, Consistency, Delete, Get, Operation, Set, Store, Ttl},
};

use support::{Components, Inbox, LATE, SOON, eventually, redis::Redis};
use tokio::sync::Notify;

macro_rules! conformance {
    ($($limit:ident: $($test:ident),+;)+) => {
        mod in_memory {
            use super::{Components, LATE, SOON};
            $($(#[tokio::test]
            async fn $test() {
                let nowhere = std::path::Path::new("/nonexistent");
                super::$test(&Components::local_within($limit, "in-memory", nowhere)).await;
            })+)+
        }
        mod embedded {
            use super::{Components, LATE, SOON};
            $($(#[tokio::test]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                super::$test(&Components::local_within($limit, "embedded", folder.path())).await;
            })+)+
        }
        mod redis {
            use super::{Components, LATE, SOON};
            $($(#[tokio::test]
            async fn $test() {
                let redis = super::Redis::start();
                super::$test(&Components::redis_within($limit, redis.port)).await;
            })+)+
        }
    };
}

// With the time that an answer to an event may take.
conformance!(
    SOON:
    values_are_saved_read_and_removed,
    etags_guard_writes_and_removals,
    first_write_creates_once,
    keys_expire,
    a_write_keeps_the_expiry_unless_it_says_otherwise,
    a_bulk_read_is_bounded,
    bulk_goes_in_order_up_to_the_first_error,
    many_writes_are_as_each_by_itself,
    transactions_apply_everything_or_nothing,
    concurrent_writers_with_etags_lose_nothing,
    a_lock_has_one_holder,
    a_lock_expires_and_can_be_kept_alive,
    ids_increase_and_are_unique,
    every_group_gets_every_message_once,
    a_message_that_failed_comes_again,
    an_event_without_an_answer_comes_again;
    LATE:
    subscribers_of_a_group_share_its_messages,
    what_nobody_answered_survives_its_subscriber,
    a_verdict_counts_after_the_end_of_its_subscription;
);

fn state(components: &Components) -> &Store {
    components.clients.state.get("state").unwrap()
}

fn set(key: &str, value: &str) -> Set {
    Set {
        key: key.into(),
        value: value.as_bytes().to_vec().into(),
        ..Set::default()
    }
}

fn delete(key: &str) -> Delete {
    Delete {
        key: key.into(),
        ..Delete::default()
    }
}

async fn save(store: &Store, set: Set) -> Result<(), Kind> {
    store.set_all(vec![set]).await.map_err(|error| error.kind())
}

async fn read(store: &Store, key: &str) -> Option<(String, String)> {
    let metadata = Metadata::new();
    let get = Get {
        key,
        consistency: Consistency::Strong,
        metadata: &metadata,
    };
    let value = store.get(get).await.unwrap()?;
    Some((
        String::from_utf8(value.data.to_vec()).unwrap(),
        value.etag.unwrap(),
    ))
}

async fn text(store: &Store, key: &str) -> Option<String> {
    read(store, key).await.map(|(text, _)| text)
}

async fn etag(store: &Store, key: &str) -> Option<String> {
    read(store, key).await.map(|(_, etag)| etag)
}

async fn values_are_saved_read_and_removed(components: &Components) {
    let store = state(components);
    assert_eq!(read(store, "a").await, None);
    save(store, set("a", "one")).await.unwrap();
    save(store, set("empty", "")).await.unwrap();
    assert_eq!(text(store, "a").await.as_deref(), Some("one"));
    assert_eq!(text(store, "empty").await.as_deref(), Some(""));
    let strong = Set {
        consistency: Consistency::Strong,
        ..set("a", "two")
    };
    save(store, strong).await.unwrap();
    assert_eq!(text(store, "a").await.as_deref(), Some("two"));
    let binary = Set {
        value: vec![0, 255, 10, 13, 0].into(),
        ..set("b", "")
    };
    save(store, binary.clone()).await.unwrap();
    let metadata = Metadata::new();
    let keys = vec![
        "b".to_owned(),
        "none".to_owned(),
        "x||y".to_owned(),
        "a".to_owned(),
    ];
    let items = store
        .get_all(keys, Consistency::Eventual, &metadata, usize::MAX)
        .await
        .unwrap();
    let keys: Vec<_> = items.iter().map(|item| &*item.key).collect();
    assert_eq!(keys, ["b", "none", "x||y", "a"]);
    assert_eq!(
        items[0].outcome.as_ref().unwrap().as_ref().unwrap().data,
        binary.value
    );
    assert_eq!(items[1].outcome, Ok(None));
    assert_eq!(
        items[2].outcome.as_ref().unwrap_err().kind(),
        Kind::InvalidArgument
    );
    store.delete(delete("a")).await.unwrap();
    store.delete(delete("a")).await.unwrap();
    assert_eq!(read(store, "a").await, None);
}

/// Each item counts, a key that is named twice too; what is left out of an answer is nothing.
async fn a_bulk_read_is_bounded(components: &Components) {
    let store = state(components);
    for key in ["a", "b", "c"] {
        save(store, set(key, &key.repeat(1_000))).await.unwrap();
    }
    let bulk = async |keys: &[&str], room| {
        let keys = keys.iter().map(ToString::to_string).collect();
        let metadata = Metadata::new();
        store
            .get_all(keys, Consistency::Unspecified, &metadata, room)
            .await
            .map(|items| items.len())
            .map_err(|error| (error.kind(), error.to_string()))
    };
    let text = "the answer exceeds the limit of 3000 bytes: ask for less at once";
    let refused = Err((Kind::TooLarge, text.to_owned()));
    assert_eq!(bulk(&["a", "b", "none"], 3_000).await, Ok(3));
    assert_eq!(bulk(&["a", "b", "c"], 3_000).await, refused);
    assert_eq!(bulk(&["a", "a", "none"], 3_000).await, Ok(3));
    assert_eq!(bulk(&["a", "a", "a"], 3_000).await, refused);
    assert_eq!(bulk(&["none"; 1_000], 3_000).await, refused);
    assert_eq!(bulk(&["none"; 1_000], 10_000).await, Ok(1_000));
}

async fn etags_guard_writes_and_removals(components: &Components) {
    let store = state(components);
    save(store, set("a", "one")).await.unwrap();
    let first = etag(store, "a").await;
    let with = |etag: &Option<String>, value| Set {
        etag: etag.clone(),
        ..set("a", value)
    };
    save(store, with(&first, "two")).await.unwrap();
    assert_ne!(etag(store, "a").await, first);
    assert_eq!(
        save(store, with(&first, "three")).await,
        Err(Kind::EtagMismatch)
    );
    assert_eq!(
        save(store, with(&Some("x".into()), "three")).await,
        Err(Kind::EtagInvalid)
    );
    assert_eq!(text(store, "a").await.as_deref(), Some("two"));
    let last = Set {
        concurrency: Concurrency::LastWrite,
        ..with(&first, "three")
    };
    save(store, last).await.unwrap();
    for none in [None, Some(String::new()), Some("0".into())] {
        save(store, with(&none, "four")).await.unwrap();
    }
    let stale = Delete {
        etag: first,
        ..delete("a")
    };
    assert_eq!(
        store.delete(stale).await.unwrap_err().kind(),
        Kind::EtagMismatch
    );
    for none in [None, Some(String::new()), Some("0".into())] {
        store
            .delete(Delete {
                etag: none,
                ..delete("a")
            })
            .await
            .unwrap();
        assert_eq!(read(store, "a").await, None);
        save(store, set("a", "again")).await.unwrap();
    }
    let current = etag(store, "a").await;
    store
        .delete(Delete {
            etag: current,
            ..delete("a")
        })
        .await
        .unwrap();
    assert_eq!(read(store, "a").await, None);
}

async fn first_write_creates_once(components: &Components) {
    let store = state(components);
    let first = |value| Set {
        concurrency: Concurrency::FirstWrite,
        ..set("a", value)
    };
    save(store, first("one")).await.unwrap();
    assert_eq!(save(store, first("two")).await, Err(Kind::EtagMismatch));
    assert_eq!(save(store, set("a", "two")).await, Err(Kind::EtagMismatch));
    save(
        store,
        Set {
            etag: etag(store, "a").await,
            ..first("two")
        },
    )
    .await
    .unwrap();
    save(
        store,
        Set {
            concurrency: Concurrency::LastWrite,
            ..set("a", "three")
        },
    )
    .await
    .unwrap();
    save(store, set("plain", "one")).await.unwrap();
    let over = Set {
        key: "plain".into(),
        ..first("two")
    };
    assert_eq!(save(store, over).await, Err(Kind::EtagMismatch));
    assert_eq!(text(store, "a").await.as_deref(), Some("three"));
}

fn second() -> Ttl {
    Ttl::After(Duration::from_secs(1))
}

async fn keys_expire(components: &Components) {
    let store = state(components);
    let living = |ttl| Set {
        ttl,
        ..set("a", "one")
    };
    let minute = Ttl::After(Duration::from_secs(60));
    save(store, living(minute)).await.unwrap();
    assert!(read(store, "a").await.is_some());
    save(store, living(second())).await.unwrap();
    eventually("expiry", async || read(store, "a").await.is_none()).await;
    let first = Set {
        concurrency: Concurrency::FirstWrite,
        ..set("a", "two")
    };
    save(store, first).await.unwrap();
}

async fn a_write_keeps_the_expiry_unless_it_says_otherwise(components: &Components) {
    let store = state(components);
    let lives = Duration::from_secs(3);
    for tried in 1.. {
        let began = Instant::now();
        for key in ["kept", "removed"] {
            let living = Set {
                ttl: Ttl::After(lives),
                ..set(key, "one")
            };
            save(store, living).await.unwrap();
        }
        save(store, set("kept", "two")).await.unwrap();
        let forever = Set {
            ttl: Ttl::Never,
            ..set("removed", "two")
        };
        save(store, forever).await.unwrap();
        if began.elapsed() < lives {
            break;
        }
        // One may have expired before it was written again: from the beginning.
        assert!(tried < 5, "four writes take {:?}", began.elapsed());
        let both = vec![delete("kept"), delete("removed")];
        store.delete_all(both).await.unwrap();
    }
    eventually("expiry", async || read(store, "kept").await.is_none()).await;
    assert_eq!(text(store, "removed").await.as_deref(), Some("two"));
}

async fn bulk_goes_in_order_up_to_the_first_error(components: &Components) {
    let store = state(components);
    save(store, set("b", "old")).await.unwrap();
    let wrong = Set {
        etag: Some("99".into()),
        ..set("b", "new")
    };
    let sets = vec![set("a", "new"), wrong, set("c", "new")];
    assert_eq!(
        store.set_all(sets).await.unwrap_err().kind(),
        Kind::EtagMismatch
    );
    assert_eq!(text(store, "a").await.as_deref(), Some("new"));
    assert_eq!(text(store, "b").await.as_deref(), Some("old"));
    assert_eq!(text(store, "c").await, None);
    store
        .delete_all(vec![delete("a"), delete("b")])
        .await
        .unwrap();
    assert_eq!(text(store, "b").await, None);
}

/// Many writes at once are as many writes one by one: versions grow, expiry stays, what has expired
/// is new, a key that is named twice has the last value, and the first that may not happen ends it.
async fn many_writes_are_as_each_by_itself(components: &Components) {
    let store = state(components);
    let many = |value: &'static str| (0..200).map(move |n| set(&format!("k{n:03}"), value));
    store.set_all(many("one").collect()).await.unwrap();
    let before = etag(store, "k150").await.unwrap();
    let expiring = Set {
        ttl: second(),
        ..set("k010", "gone")
    };
    save(store, expiring).await.unwrap();
    eventually("expiry", async || text(store, "k010").await.is_none()).await;
    let mut again: Vec<_> = many("two").collect();
    again.push(set("k000", "three"));
    again.rotate_right(1);
    again.push(set("k000", "four"));
    store.set_all(again).await.unwrap();
    for (key, expected) in [("k000", "four"), ("k010", "two"), ("k199", "two")] {
        assert_eq!(text(store, key).await.as_deref(), Some(expected), "{key}");
    }
    let after = etag(store, "k150").await.unwrap();
    let version = |etag: &str| etag.parse::<u64>().unwrap();
    assert!(version(&after) > version(&before), "{before} to {after}");

    store.delete(delete("k100")).await.unwrap();
    let first = Set {
        concurrency: Concurrency::FirstWrite,
        ..set("k100", "first")
    };
    save(store, first).await.unwrap();
    let stopped = store.set_all(many("five").collect()).await.unwrap_err();
    assert_eq!(stopped.kind(), Kind::EtagMismatch);
    for (key, expected) in [("k099", "five"), ("k100", "first"), ("k101", "two")] {
        assert_eq!(text(store, key).await.as_deref(), Some(expected), "{key}");
    }
    let operations = many("six").map(Operation::Set).collect();
    let stopped = store.transact(operations).await.unwrap_err();
    assert_eq!(stopped.kind(), Kind::EtagMismatch);
    assert_eq!(text(store, "k000").await.as_deref(), Some("five"));
}

async fn transactions_apply_everything_or_nothing(components: &Components) {
    let store = state(components);
    save(store, set("a", "old")).await.unwrap();
    let current = etag(store, "a").await;
    let wrong = Operation::Set(Set {
        etag: Some("99".into()),
        ..set("a", "new")
    });
    let mut operations = vec![
        Operation::Set(set("b", "new")),
        Operation::Delete(delete("a")),
        Operation::Set(set("a", "newer")),
        Operation::Set(set("a", "newest")),
    ];
    let failing = [operations.clone(), vec![wrong]].concat();
    assert_eq!(
        store.transact(failing).await.unwrap_err().kind(),
        Kind::EtagMismatch
    );
    assert_eq!(
        read(store, "a").await,
        Some(("old".into(), current.clone().unwrap()))
    );
    assert_eq!(read(store, "b").await, None);
    operations[1] = Operation::Delete(Delete {
        etag: current,
        ..delete("a")
    });
    store.transact(operations).await.unwrap();
    assert_eq!(text(store, "a").await.as_deref(), Some("newest"));
    assert_eq!(text(store, "b").await.as_deref(), Some("new"));
}

async fn concurrent_writers_with_etags_lose_nothing(components: &Components) {
    let store = state(components);
    save(store, set("n", "0")).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        writers.spawn(async move {
            let mut done = 0;
            while done < 10 {
                let (text, etag) = read(&store, "n").await.unwrap();
                let next = (text.parse::<u32>().unwrap() + 1).to_string();
                match save(
                    &store,
                    Set {
                        etag: Some(etag),
                        ..set("n", &next)
                    },
                )
                .await
                {
                    Ok(()) => done += 1,
                    Err(kind) => assert_eq!(kind, Kind::EtagMismatch),
                }
            }
        });
    }
    writers.join_all().await;
    assert_eq!(text(store, "n").await.as_deref(), Some("40"));
}

async fn a_lock_has_one_holder(components: &Components) {
    let locks = components.clients.lock.get("lock").unwrap();
    let long = Duration::from_secs(60);
    assert!(locks.try_lock("r", "me", long).await.unwrap());
    assert!(!locks.try_lock("r", "me", long).await.unwrap());
    assert!(!locks.try_lock("r", "you", long).await.unwrap());
    assert_eq!(
        locks.unlock("r", "you").await.unwrap(),
        Outcome::HeldByOther
    );
    assert_eq!(
        locks.keep_alive("r", "you", long).await.unwrap(),
        Outcome::HeldByOther
    );
    assert_eq!(locks.unlock("r", "me").await.unwrap(), Outcome::Done);
    assert_eq!(locks.unlock("r", "me").await.unwrap(), Outcome::NotHeld);
    assert_eq!(
        locks.keep_alive("r", "me", long).await.unwrap(),
        Outcome::NotHeld
    );
    assert!(locks.try_lock("r", "you", long).await.unwrap());
    assert_eq!(
        locks.unlock("a||b", "me").await.unwrap_err().kind(),
        Kind::InvalidArgument
    );
}

async fn a_lock_expires_and_can_be_kept_alive(components: &Components) {
    let locks = components.clients.lock.get("lock").unwrap();
    let (short, long) = (Duration::from_millis(400), Duration::from_secs(60));
    eventually("a lock kept alive before it expired", async || {
        assert!(locks.try_lock("kept", "me", short).await.unwrap());
        let kept = locks.keep_alive("kept", "me", long).await.unwrap();
        assert_ne!(kept, Outcome::HeldByOther);
        kept == Outcome::Done
    })
    .await;
    assert!(locks.try_lock("r", "me", short).await.unwrap());
    eventually("expiry", async || {
        locks.try_lock("r", "you", long).await.unwrap()
    })
    .await;
    assert_eq!(locks.unlock("r", "me").await.unwrap(), Outcome::HeldByOther);
    assert!(!locks.try_lock("kept", "you", long).await.unwrap());
}

async fn ids_increase_and_are_unique(components: &Components) {
    let sequencer = components.clients.sequencer.get("sequencer").unwrap();
    for expected in 1..10 {
        assert_eq!(
            sequencer
                .next_id("strong", Increment::Strong)
                .await
                .unwrap(),
            expected
        );
        assert_eq!(
            sequencer.next_id("weak", Increment::Weak).await.unwrap(),
            expected
        );
    }
    let other = components.registry.clients();
    let other = other.sequencer.get("sequencer").unwrap();
    let mut ids = BTreeSet::new();
    for _ in 0..50 {
        assert!(ids.insert(other.next_id("weak", Increment::Weak).await.unwrap()));
        assert!(ids.insert(sequencer.next_id("weak", Increment::Weak).await.unwrap()));
    }
    // A strong id is greater than all that were reserved.
    let strong = sequencer.next_id("weak", Increment::Strong).await.unwrap();
    assert!(ids.last().is_some_and(|last| strong > *last));
}

fn pubsub(components: &Components) -> &Arc<dyn PubSub> {
    components.clients.pubsub.get("pubsub").unwrap()
}

async fn publish(pubsub: &Arc<dyn PubSub>, text: &str) {
    let data = text.as_bytes().to_vec().into();
    let publish = Publish {
        topic: "t".into(),
        data,
        metadata: Metadata::new(),
    };
    pubsub.publish(publish).await.unwrap();
}

fn of_group(group: &str) -> Subscribe {
    let metadata = Metadata::from([("consumerID".into(), group.into())]);
    Subscribe {
        topic: "t".into(),
        metadata,
    }
}

async fn every_group_gets_every_message_once(components: &Components) {
    let pubsub = pubsub(components);
    let (red, blue) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()));
    let _red = pubsub
        .subscribe(of_group("red"), red.clone())
        .await
        .unwrap();
    let _blue = pubsub
        .subscribe(of_group("blue"), blue.clone())
        .await
        .unwrap();
    for text in ["1", "2", "3"] {
        publish(pubsub, text).await;
    }
    red.wait_for(&["1", "2", "3"]).await;
    blue.wait_for(&["1", "2", "3"]).await;
    two_redeliveries(pubsub).await;
    assert_eq!(red.sorted().len() + blue.sorted().len(), 6);
}

/// Waits until a message that fails twice has come for the third time: by then anything that was
/// to come again before has come.
async fn two_redeliveries(pubsub: &Arc<dyn PubSub>) {
    let inbox = Inbox::failing(2);
    let subscribe = Subscribe {
        topic: "fence".into(),
        ..of_group("fence")
    };
    let _subscription = pubsub.subscribe(subscribe, inbox.clone()).await.unwrap();
    let publish = Publish {
        topic: "fence".into(),
        data: "fence".into(),
        metadata: Metadata::new(),
    };
    pubsub.publish(publish).await.unwrap();
    inbox.wait_for(&["fence"]).await;
}

async fn a_message_that_failed_comes_again(components: &Components) {
    let pubsub = pubsub(components);
    let inbox = Inbox::failing(2);
    let _subscription = pubsub
        .subscribe(of_group("g"), inbox.clone())
        .await
        .unwrap();
    publish(pubsub, "1").await;
    inbox.wait_for(&["1"]).await;
}

async fn subscribers_of_a_group_share_its_messages(components: &Components) {
    let pubsub = pubsub(components);
    let (one, two) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()));
    let _one = pubsub.subscribe(of_group("g"), one.clone()).await.unwrap();
    let _two = pubsub.subscribe(of_group("g"), two.clone()).await.unwrap();
    for number in 0..40 {
        publish(pubsub, &number.to_string()).await;
    }
    eventually("all messages", async || {
        let all = one.sorted().into_iter().chain(two.sorted());
        all.collect::<BTreeSet<_>>().len() == 40
    })
    .await;
    two_redeliveries(pubsub).await;
    // One may have come to both: what is not answered in time comes again.
    let came = one.sorted().len() + two.sorted().len();
    assert!(came < 80, "both had all: {came}");
}

/// Takes a message, and gives its verdict when it is told to.
struct Slow {
    verdict: Verdict,
    taken: Notify,
    told: Notify,
}

impl Slow {
    fn new(verdict: Verdict) -> Arc<Self> {
        Arc::new(Self {
            verdict,
            taken: Notify::new(),
            told: Notify::new(),
        })
    }
}

#[async_trait::async_trait]
impl Handler for Slow {
    async fn handle(&self, _: Message) -> Verdict {
        self.taken.notify_one();
        self.told.notified().await;
        self.verdict
    }
}

/// Publishes an event, and ends the subscription that has it in hand before its verdict is there.
async fn end_with_one_in_hand(pubsub: &Arc<dyn PubSub>, verdict: Verdict) {
    let slow = Slow::new(verdict);
    let subscription = pubsub.subscribe(of_group("g"), slow.clone()).await.unwrap();
    publish(pubsub, "1").await;
    slow.taken.notified().await;
    let finished = tokio::spawn(subscription.finish());
    tokio::task::yield_now().await;
    assert!(!finished.is_finished());
    slow.told.notify_one();
    finished.await.unwrap();
}

async fn what_nobody_answered_survives_its_subscriber(components: &Components) {
    let pubsub = pubsub(components);
    end_with_one_in_hand(pubsub, Verdict::Unanswered).await;
    let inbox = Arc::new(Inbox::default());
    let _subscription = pubsub
        .subscribe(of_group("g"), inbox.clone())
        .await
        .unwrap();
    inbox.wait_for(&["1"]).await;
}

async fn a_verdict_counts_after_the_end_of_its_subscription(components: &Components) {
    let pubsub = pubsub(components);
    end_with_one_in_hand(pubsub, Verdict::Ack).await;
    let inbox = Arc::new(Inbox::default());
    let _subscription = pubsub
        .subscribe(of_group("g"), inbox.clone())
        .await
        .unwrap();
    two_redeliveries(pubsub).await;
    assert_eq!(inbox.sorted(), Vec::<String>::new());
}

/// Nor does it keep others from being handled.
async fn an_event_without_an_answer_comes_again(components: &Components) {
    let pubsub = pubsub(components);
    let inbox = Arc::new(Inbox::default());
    *inbox.silences.lock().unwrap() = 20;
    let _subscription = pubsub
        .subscribe(of_group("g"), inbox.clone())
        .await
        .unwrap();
    let texts: Vec<_> = (10..31).map(|number| number.to_string()).collect();
    for text in &texts {
        publish(pubsub, text).await;
    }
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    inbox.wait_for(&texts).await;
}
