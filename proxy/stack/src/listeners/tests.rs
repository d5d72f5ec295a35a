mod log;
mod look;
mod support;

use tandem_core::drain::Phase;
use tandem_model::listener::FilterChainMatch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use support::*;

#[tokio::test]
async fn a_connection_takes_the_chain_that_matches_and_none_is_closed() {
    let mut rig = Rig::new().await;
    let other: std::net::Ipv4Addr = "127.0.0.2".parse().unwrap();
    let (listener, sockets) = rig.listener(
        "l",
        [
            chain("local", within("127.0.0.1", 32), "a"),
            chain("other", within("127.0.0.2", 32), "b"),
        ],
    );
    let port = rig.add(listener, sockets);
    assert_eq!(rig.ask(([127, 0, 0, 1], port).into()).await, "a");
    assert_eq!(rig.ask((other, port).into()).await, "b");
    assert_eq!(rig.ask(([127, 0, 0, 3], port).into()).await, "");
    assert_eq!(rig.stat("listener.l.no_filter_chain_match"), 1);
    assert_eq!(rig.stat("listener.l.downstream_cx_total"), 2);
}

#[tokio::test]
async fn the_default_chain_takes_what_matches_none() {
    let mut rig = Rig::new().await;
    let (mut listener, sockets) = rig.listener("l", [chain("x", within("127.0.0.9", 32), "a")]);
    listener.default_filter_chain = Some(chain("rest", FilterChainMatch::default(), "b"));
    let port = rig.add(listener, sockets);
    assert_eq!(rig.ask(([127, 0, 0, 1], port).into()).await, "b");
}

#[tokio::test]
async fn a_chain_that_did_not_change_keeps_its_connections_and_one_that_is_gone_ends_them_in_time()
{
    let mut rig = Rig::new().await;
    let kept = chain("kept", within("127.0.0.1", 32), "a");
    let gone = chain("gone", within("127.0.0.2", 32), "b");
    let (listener, sockets) = rig.listener("l", [Arc::clone(&kept), gone]);
    let port = rig.add(listener.clone(), sockets);
    let mut stays = rig.open(([127, 0, 0, 1], port).into()).await;
    let mut ends = rig.open(([127, 0, 0, 2], port).into()).await;
    assert_eq!(
        (stays.hear().await, ends.hear().await),
        ("a".into(), "b".into())
    );

    let built = rig.listeners.by_name["l"].active.built();
    let before = Arc::clone(built.chains().next().unwrap());
    let new = chain("new", within("127.0.0.2", 32), "c");
    // equal, not the same: what counts is what it says
    let kept = Arc::new(FilterChain::clone(&kept));
    rig.listeners.apply([Command::Replace {
        listener: Arc::new(Listener {
            filter_chains: vec![kept, new],
            ..listener
        }),
        sockets: None,
    }]);
    let built = rig.listeners.by_name["l"].active.built();
    assert!(Arc::ptr_eq(&before, built.chains().next().unwrap()));
    assert_eq!(rig.stat("listener_manager.total_filter_chains_draining"), 1);
    assert_eq!(rig.ask(([127, 0, 0, 2], port).into()).await, "c");

    // the drain time is short
    assert_eq!(ends.hear().await, "");
    stays.say(b"x").await;
    assert_eq!(stays.hear().await, "x");
}

#[tokio::test]
async fn a_removed_listener_accepts_no_more_and_its_connections_end_in_time() {
    let mut rig = Rig::new().await;
    let (listener, sockets) = rig.listener("l", [chain("c", FilterChainMatch::default(), "a")]);
    let port = rig.add(listener, sockets);
    let _reserved = reserved(port);
    let mut open = rig.open(([127, 0, 0, 1], port).into()).await;
    assert_eq!(open.hear().await, "a");
    rig.remove("l");
    assert_eq!(rig.stat("listener_manager.total_listeners_draining"), 1);
    assert_eq!(open.hear().await, "");
    rig.listeners.drained().await;
    assert_eq!(rig.stat("listener_manager.total_listeners_draining"), 0);
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn other_settings_of_the_listener_leave_its_connections_until_it_is_removed() {
    let mut rig = Rig::new().await;
    let only = chain("c", FilterChainMatch::default(), "a");
    let (listener, sockets) = rig.listener("l", [only]);
    let port = rig.add(listener.clone(), sockets);
    let mut open = rig.open(([127, 0, 0, 1], port).into()).await;
    assert_eq!(open.hear().await, "a");
    rig.listeners.apply([Command::Replace {
        listener: Arc::new(Listener {
            per_connection_buffer_limit_bytes: 1,
            ..listener
        }),
        sockets: None,
    }]);
    assert_eq!(rig.ask(([127, 0, 0, 1], port).into()).await, "a");
    assert_eq!(rig.stat("listener_manager.total_filter_chains_draining"), 0);
    open.say(b"x").await;
    assert_eq!(open.hear().await, "x");
    rig.remove("l");
    assert_eq!(open.hear().await, "");
}

#[tokio::test]
async fn clients_that_wait_to_be_accepted_are_served_when_the_listener_goes() {
    let mut rig = Rig::new().await;
    let (listener, sockets) = rig.listener("l", [chain("c", FilterChainMatch::default(), "a")]);
    let port = rig.add(listener, sockets);
    // connected, but the accepting task has not run yet
    let waiting = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    waiting.set_nonblocking(true).unwrap();
    rig.listeners.drain();
    let mut waiting = Client::from(TcpStream::from_std(waiting).unwrap());
    assert_eq!(waiting.hear().await, "a");
}

/// As a worker does, whose runtime ends as soon as it has drained.
#[tokio::test]
async fn who_was_let_in_is_served_before_a_drain_is_over() {
    use std::io::Read as _;

    for plain in [true, false] {
        let mut rig = Rig::new().await;
        let (mut listener, sockets) =
            rig.listener("l", [chain("c", FilterChainMatch::default(), "a")]);
        listener.use_original_dst = !plain;
        let port = rig.add(listener, sockets);
        let mut waiting = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        waiting.shutdown(std::net::Shutdown::Write).unwrap();
        rig.listeners.drain();
        rig.listeners.drained().await;
        // Blocking: nothing else runs meanwhile.
        let limit = std::time::Duration::from_secs(10);
        waiting.set_read_timeout(Some(limit)).unwrap();
        let mut heard = String::new();
        waiting.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "a", "{plain}");
    }
}

#[tokio::test]
async fn a_drain_of_the_process_stops_accepting_and_leaves_what_runs() {
    let mut rig = Rig::new().await;
    let (listener, sockets) = rig.listener("l", [chain("c", FilterChainMatch::default(), "a")]);
    let port = rig.add(listener, sockets);
    let _reserved = reserved(port);
    let mut open = rig.open(([127, 0, 0, 1], port).into()).await;
    assert_eq!(open.hear().await, "a");
    rig.signal.set(Phase::Draining);
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    open.say(b"x").await;
    assert_eq!(open.hear().await, "x");
    drop(open);
    rig.listeners.drained().await;
}

#[tokio::test]
async fn new_sockets_take_the_place_of_the_old_ones() {
    let mut rig = Rig::new().await;
    let (listener, sockets) = rig.listener("l", [chain("c", FilterChainMatch::default(), "a")]);
    let before = rig.add(listener, sockets);
    let _reserved = reserved(before);
    let (listener, sockets) = rig.listener("l", [chain("c", FilterChainMatch::default(), "a")]);
    let after = sockets[0].local_addr().unwrap().port();
    rig.listeners.apply([Command::Replace {
        listener: Arc::new(listener),
        sockets: Some(sockets),
    }]);
    assert_eq!(rig.ask(([127, 0, 0, 1], after).into()).await, "a");
    while TcpStream::connect(("127.0.0.1", before)).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_connection_holds_while_it_is_served_is_small() {
    let rig = Rig::new().await;
    let (listener, sockets) = rig.listener("l", [chain("c", FilterChainMatch::default(), "a")]);
    let built = built::Built::new(Arc::new(listener), None, &rig.listeners.shared).unwrap();
    let chain = Arc::clone(built.chains().next().unwrap());
    let stream = TcpStream::connect(sockets[0].local_addr().unwrap())
        .await
        .unwrap();
    let size = size_of_val(&chain.serve(stream, Arc::default(), None));
    assert!(size <= 3712, "{size}");
}

#[tokio::test]
async fn who_asks_is_told_when_everything_before_is_served() {
    let mut rig = Rig::new().await;
    let (listener, sockets) = rig.listener("l", [chain("c", FilterChainMatch::default(), "a")]);
    let port = rig.add(listener.clone(), sockets);
    let (done, mut told) = tokio::sync::oneshot::channel();
    let changed = chain("c", FilterChainMatch::default(), "b");
    rig.listeners.apply([
        Command::Replace {
            listener: Arc::new(Listener {
                filter_chains: vec![changed],
                ..listener
            }),
            sockets: None,
        },
        Command::Tell(done),
    ]);
    assert_eq!(told.try_recv(), Ok(()));
    assert_eq!(rig.ask(([127, 0, 0, 1], port).into()).await, "b");
}
