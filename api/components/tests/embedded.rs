//! What only the embedded store can show: durability, and one process a directory.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use tandem_api_contract::{
    Metadata,
    declaration::Context,
    pubsub::{Publish, Subscribe},
    sequencer::Increment,
    state::{Consistency, Get, Set},
};

use support::{Components, Inbox, eventually};

const CHILD: &str = "TANDEM_TEST_WRITE_UNTIL_KILLED";

async fn publish(components: &Components, text: &str) {
    let data = text.as_bytes().to_vec().into();
    let publish = Publish {
        topic: "t".into(),
        data,
        metadata: Metadata::new(),
    };
    components
        .clients
        .pubsub
        .get("pubsub")
        .unwrap()
        .publish(publish)
        .await
        .unwrap();
}

/// Not a test of its own: the process that the next test kills. Tells each number it has written.
#[tokio::test]
async fn writer_to_be_killed() {
    let Ok(folder) = env::var(CHILD) else { return };
    let components = Components::local("embedded", Path::new(&folder));
    let store = components.clients.state.get("state").unwrap();
    let mut out = std::io::stdout();
    for number in 0.. {
        let key = format!("k{number}");
        let set = Set {
            key,
            value: vec![7; 100].into(),
            ..Set::default()
        };
        store.set_all(vec![set]).await.unwrap();
        publish(&components, &number.to_string()).await;
        writeln!(out, "written {number}").unwrap();
        out.flush().unwrap();
    }
}

/// Kills a process while it writes, and looks for everything it said it had written.
#[tokio::test]
async fn what_was_acknowledged_survives_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["writer_to_be_killed", "--exact", "--nocapture"])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut last = String::new();
    let mut seen = 0;
    while seen < 50 {
        last = lines.next().unwrap();
        seen += usize::from(last.contains("written "));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines {
        if line.contains("written ") {
            last = line;
        }
    }
    let last: usize = last.rsplit(' ').next().unwrap().parse().unwrap();
    let components = Components::local("embedded", folder.path());
    let store = components.clients.state.get("state").unwrap();
    let metadata = Metadata::new();
    for number in 0..=last {
        let key = format!("k{number}");
        let get = Get {
            key: &key,
            consistency: Consistency::Unspecified,
            metadata: &metadata,
        };
        assert!(
            store.get(get).await.unwrap().is_some(),
            "{key} of {last} is lost"
        );
    }
    let inbox = Arc::new(Inbox::default());
    let pubsub = components.clients.pubsub.get("pubsub").unwrap();
    let subscribe = Subscribe {
        topic: "t".into(),
        ..Subscribe::default()
    };
    let _subscription = pubsub.subscribe(subscribe, inbox.clone()).await.unwrap();
    support::eventually("all events", async || inbox.sorted().len() > last).await;
}

#[tokio::test]
async fn everything_survives_an_orderly_end() {
    let folder = tempfile::tempdir().unwrap();
    let components = Components::local("embedded", folder.path());
    let pubsub = components.clients.pubsub.get("pubsub").unwrap();
    // A group that exists keeps what is published while nobody subscribes.
    let subscribe = || Subscribe {
        topic: "t".into(),
        ..Subscribe::default()
    };
    let inbox = Arc::new(Inbox::default());
    let subscription = pubsub.subscribe(subscribe(), inbox.clone()).await.unwrap();
    publish(&components, "dealt with").await;
    inbox.wait_for(&["dealt with"]).await;
    let locks = components.clients.lock.get("lock").unwrap();
    assert!(
        locks
            .try_lock("r", "me", std::time::Duration::from_secs(60))
            .await
            .unwrap()
    );
    let sequencer = components.clients.sequencer.get("sequencer").unwrap();
    sequencer.next_id("k", Increment::Strong).await.unwrap();
    // There is one writer, which keeps the order: the acknowledgement is stored, since what was
    // written after it is.
    drop(subscription);
    publish(&components, "waiting").await;
    tokio::task::yield_now().await;
    drop(components);

    let components = reopen(folder.path()).await;
    let locks = components.clients.lock.get("lock").unwrap();
    assert!(
        !locks
            .try_lock("r", "you", std::time::Duration::from_secs(60))
            .await
            .unwrap()
    );
    let sequencer = components.clients.sequencer.get("sequencer").unwrap();
    assert_eq!(sequencer.next_id("k", Increment::Strong).await.unwrap(), 2);
    let inbox = Arc::new(Inbox::default());
    let pubsub = components.clients.pubsub.get("pubsub").unwrap();
    let _subscription = pubsub.subscribe(subscribe(), inbox.clone()).await.unwrap();
    inbox.wait_for(&["waiting"]).await;
}

/// Aborted tasks let go of the store a little after they are aborted.
async fn reopen(folder: &Path) -> Components {
    let context = Context {
        data_dir: PathBuf::from(folder),
        ..Context::default()
    };
    support::eventually("the directory to be free", async || {
        tandem_api_components::load(&[], &context).is_ok()
    })
    .await;
    Components::local("embedded", folder)
}

#[tokio::test]
async fn a_directory_in_use_is_refused_by_name_and_holder() {
    let folder = tempfile::tempdir().unwrap();
    let _components = Components::local("embedded", folder.path());
    let context = Context {
        data_dir: folder.path().to_owned(),
        ..Context::default()
    };
    let Err(faults) = tandem_api_components::load(&[], &context) else {
        panic!("taken twice")
    };
    let faults = faults.to_string();
    assert!(
        faults.contains(&folder.path().display().to_string()),
        "{faults}"
    );
    assert!(
        faults.contains(&format!("in use by process {}", std::process::id())),
        "{faults}"
    );
}

/// Writers that wait together share a commit, so that a thousand of them do not take a thousand
/// syncs.
#[tokio::test]
async fn concurrent_writes_share_commits() {
    let folder = tempfile::tempdir().unwrap();
    let components = Components::local("embedded", folder.path());
    let store = components.clients.state.get("state").unwrap();
    // A disk that is slow for a moment makes one round slow, a commit for each write all of them.
    let mut rounds = Vec::new();
    while rounds.len() < 5 {
        let mut writers = tokio::task::JoinSet::new();
        let before = std::time::Instant::now();
        for number in 0..1_000 {
            let store = store.clone();
            writers.spawn(async move {
                let set = Set {
                    key: number.to_string(),
                    ..Set::default()
                };
                store.set_all(vec![set]).await.unwrap();
            });
        }
        writers.join_all().await;
        rounds.push(before.elapsed());
        if rounds.last() < Some(&std::time::Duration::from_secs(5)) {
            return;
        }
    }
    panic!("1000 concurrent writes in {rounds:?}");
}

/// Not again for each component, with this process as the one that has the directory.
#[tokio::test]
async fn why_a_store_cannot_open_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tandem.db"), [b'x'; 4_096]).unwrap();
    let context = Context {
        data_dir: folder.path().to_owned(),
        ..Context::default()
    };
    let declarations = tandem_api_components::defaults();
    let Err(faults) = tandem_api_components::build(&declarations, &context) else {
        panic!("expected a refusal")
    };
    let told = faults.to_string();
    assert_eq!(faults.0.len(), 1, "{told}");
    assert!(told.contains("file is not a database"), "{told}");
}

/// A topic keeps about as many events as it is told to, and those are the last ones.
#[tokio::test]
async fn a_topic_keeps_about_as_many_as_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let components = Components::keeping(200, folder.path());
    for number in 1..600 {
        publish(&components, &number.to_string()).await;
    }
    publish(&components, "last").await;
    let inbox = Arc::new(Inbox::default());
    let pubsub = components.clients.pubsub.get("pubsub").unwrap();
    let subscribe = Subscribe {
        topic: "t".into(),
        ..Subscribe::default()
    };
    let subscription = pubsub.subscribe(subscribe, inbox.clone()).await.unwrap();
    eventually("the last", async || {
        inbox
            .messages
            .lock()
            .unwrap()
            .iter()
            .any(|text| text == "last")
    })
    .await;
    subscription.finish().await;
    let messages = inbox.messages.lock().unwrap();
    // One of two publishes trims: that fifty do not, one after the other, takes until the sun
    // has burnt out.
    assert!((200..250).contains(&messages.len()), "{}", messages.len());
    assert!(messages.contains(&"599".to_owned()) && !messages.contains(&"300".to_owned()));
}
