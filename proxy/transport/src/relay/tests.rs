use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

#[tokio::test(start_paused = true)]
async fn bytes_and_half_closes_pass_both_ways() {
    let (mut client, mut near) = duplex(16);
    let (mut far, mut server) = duplex(16);
    let relay = tokio::spawn(async move {
        let mut moved = Moved::default();
        let ended = run(&mut near, &mut far, Limits::default(), &mut moved).await;
        (ended, moved)
    });
    let sent = vec![b'a'; 100_000];
    let write = async {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let serve = async {
        let mut got = Vec::new();
        server.read_to_end(&mut got).await.unwrap();
        server.write_all(b"late answer").await.unwrap();
        server.shutdown().await.unwrap();
        got
    };
    let (answer, got) = tokio::join!(write, serve);
    assert_eq!(got, sent);
    assert_eq!(answer, b"late answer");
    let (ended, moved) = relay.await.unwrap();
    assert!(matches!(ended, Ended::Closed));
    assert_eq!((moved.forward, moved.backward), (100_000, 11));
}

#[tokio::test(start_paused = true)]
async fn silence_ends_it_and_each_byte_puts_that_off() {
    let start = Instant::now();
    let (mut client, mut near) = duplex(16);
    let (mut far, _server) = duplex(16);
    let limits = Limits {
        idle: Some(Duration::from_secs(10)),
        until: None,
    };
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(8)).await;
        client.write_all(b"x").await.unwrap();
        std::future::pending::<()>().await;
    });
    let ended = run(&mut near, &mut far, limits, &mut Moved::default()).await;
    assert!(matches!(ended, Ended::Idle));
    assert_eq!(start.elapsed().as_secs(), 18);
}

#[tokio::test(start_paused = true)]
async fn silence_from_the_beginning_ends_it_too() {
    let start = Instant::now();
    let (_client, mut near) = duplex(16);
    let (mut far, _server) = duplex(16);
    let limits = Limits {
        idle: Some(Duration::from_secs(10)),
        until: None,
    };
    let ended = run(&mut near, &mut far, limits, &mut Moved::default()).await;
    assert!(matches!(ended, Ended::Idle));
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_life_limit_holds_for_busy_relays_too() {
    let (_client, mut near) = duplex(16);
    let (mut far, _server) = duplex(16);
    let limits = Limits {
        idle: Some(Duration::from_secs(10)),
        until: Some(Instant::now() + Duration::from_secs(5)),
    };
    let ended = run(&mut near, &mut far, limits, &mut Moved::default()).await;
    assert!(matches!(ended, Ended::Expired));
}

#[tokio::test]
async fn a_lost_peer_is_told_from_a_lost_client() {
    let (client, mut near) = duplex(16);
    let (mut far, mut server) = duplex(16);
    drop(client);
    server.write_all(b"for nobody").await.unwrap();
    let mut moved = Moved::default();
    let ended = run(&mut near, &mut far, Limits::default(), &mut moved).await;
    assert!(matches!(ended, Ended::First(_)), "{ended:?}");
}

#[test]
fn a_waiting_relay_is_small() {
    let mut a = tokio::io::empty();
    let mut b = tokio::io::empty();
    let mut moved = Moved::default();
    let future = run(&mut a, &mut b, Limits::default(), &mut moved);
    assert!(size_of_val(&future) <= 400, "{}", size_of_val(&future));
}
