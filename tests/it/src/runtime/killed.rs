//! `kill -9` in the middle of writing: what was acknowledged is there afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tandem_api_proto::layotto::{GetStateRequest, SaveStateRequest, StateItem};
use tandem_harness::{Process, wait};
use tempfile::TempDir;

use super::sidecar::Sidecar;

const WRITERS: usize = 8;

fn item(writer: usize, number: usize) -> StateItem {
    StateItem {
        key: format!("{writer}-{number}"),
        value: format!("value {number} of {writer}").into(),
        ..StateItem::default()
    }
}

/// Three times: written until killed, started again on the same folder, everything is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let folder = TempDir::new().unwrap();
    let acknowledged: Arc<[AtomicUsize]> = (0..WRITERS).map(|_| AtomicUsize::new(0)).collect();
    for round in 1..=3 {
        let mut sidecar = Sidecar::start(folder.path(), &[]).await;
        let client = sidecar.client();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (mut client, done) = (client.clone(), Arc::clone(&acknowledged));
                tokio::spawn(async move {
                    loop {
                        let number = done[writer].load(SeqCst);
                        let request = SaveStateRequest {
                            store_name: "statestore".into(),
                            states: vec![item(writer, number)],
                        };
                        if client.save_state(request).await.is_err() {
                            return;
                        }
                        done[writer].store(number + 1, SeqCst);
                    }
                })
            })
            .collect();
        let enough = || {
            acknowledged
                .iter()
                .all(|done| done.load(SeqCst) >= round * 25)
        };
        assert!(wait::until(3 * wait::PATIENCE, enough).await, "too slow");
        sidecar.process.kill();
        for writer in writers {
            writer.await.unwrap();
        }

        let sidecar = Sidecar::start(folder.path(), &[]).await;
        let mut client = sidecar.client();
        for (writer, done) in acknowledged.iter().enumerate() {
            for number in 0..done.load(SeqCst) {
                let StateItem { key, value, .. } = item(writer, number);
                let request = GetStateRequest {
                    store_name: "statestore".into(),
                    key: key.clone(),
                    ..GetStateRequest::default()
                };
                let found = client.get_state(request).await.unwrap().into_inner();
                assert_eq!(found.data, value, "{key} was acknowledged");
            }
        }
    }
}

/// The second process says who has the folder, and ends; the first one goes on.
#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let folder = TempDir::new().unwrap();
    let first = Sidecar::start(folder.path(), &[]).await;
    let (mut command, _) = Sidecar::command(folder.path(), &[]);
    let mut second = Process::spawn("the second", &mut command);
    let status = second.wait(wait::PATIENCE).await.expect("it ends");
    assert_eq!(status.code(), Some(1));
    second.wait_for_output("is in use by").await;
    second
        .wait_for_output(&first.process.id().to_string())
        .await;
    let request = SaveStateRequest {
        store_name: "statestore".into(),
        states: vec![item(0, 0)],
    };
    first.client().save_state(request).await.unwrap();
}
