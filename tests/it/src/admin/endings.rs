//! `/drain_listeners` and `/quitquitquit`.

use std::time::Duration;

use futures_util::StreamExt as _;
use tandem_harness::client::{Request, h1, h2c};
use tandem_harness::{Kind, wait};
use tokio::net::TcpStream;

use super::{Side, text};

/// How a listener treats a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// It answers, and the connection stays.
    Open,
    /// It answers, and asks the client to go.
    Leaving,
    /// Nobody listens.
    Closed,
}

/// Inbound and outbound.
type Doors = (Door, Door);

fn request() -> Request {
    Request {
        method: "GET".into(),
        path: "/".into(),
        authority: "any.test".into(),
        ..Request::default()
    }
}

async fn door(port: u16) -> Door {
    let Ok(mut connection) = h1::Connection::open(port).await else {
        return Door::Closed;
    };
    // What was let in by the system just before the end.
    let Ok(()) = connection.send(&h1::encode(&request())).await else {
        return Door::Closed;
    };
    match connection.response("GET").await {
        Ok(answer) => match tandem_harness::head::get(&answer.headers, "connection") {
            Some(_) => Door::Leaving,
            None => Door::Open,
        },
        Err(_) => Door::Closed,
    }
}

/// Waits until both doors are so.
async fn become_so(side: &Side, expected: Doors, what: &str) {
    let are = async || (door(side.inbound).await, door(side.outbound).await);
    let seen = wait::until_async(wait::PATIENCE, async || are().await == expected);
    assert!(
        seen.await,
        "{what}: expected {expected:?}, is {:?}",
        are().await
    );
}

/// For each query: what the doors come to at once, and what they come to when the drain time is
/// over. Envoy does the same, but for asking clients to leave ever more often.
const DRAINS: [(&str, Doors, Doors); 7] = [
    (
        "",
        (Door::Closed, Door::Closed),
        (Door::Closed, Door::Closed),
    ),
    (
        "?inboundonly",
        (Door::Closed, Door::Open),
        (Door::Closed, Door::Open),
    ),
    (
        "?graceful",
        (Door::Leaving, Door::Leaving),
        (Door::Closed, Door::Closed),
    ),
    (
        "?graceful&inboundonly",
        (Door::Leaving, Door::Open),
        (Door::Closed, Door::Open),
    ),
    (
        "?skip_exit",
        (Door::Leaving, Door::Leaving),
        (Door::Leaving, Door::Leaving),
    ),
    (
        "?graceful&skip_exit",
        (Door::Leaving, Door::Leaving),
        (Door::Leaving, Door::Leaving),
    ),
    (
        "?inboundonly&skip_exit",
        (Door::Leaving, Door::Open),
        (Door::Leaving, Door::Open),
    ),
];

/// All of them at once, as each takes its drain time.
#[tokio::test]
async fn listeners_are_drained_as_asked() {
    let all = futures_util::stream::iter(DRAINS);
    let drained = |(query, soon, late)| is_drained(query, soon, late);
    all.for_each_concurrent(DRAINS.len(), drained).await;
}

async fn is_drained(query: &str, soon: Doors, late: Doors) {
    let side = Side::start(Kind::Tandem, &["--drain-time-s", "5"]).await;
    assert_eq!(door(side.inbound).await, Door::Open);
    let path = format!("/drain_listeners{query}");
    assert_eq!(side.ask("GET", &path).await.status, 405);
    assert_eq!(door(side.inbound).await, Door::Open);
    let begun = std::time::Instant::now();
    let answer = side.ask("POST", &path).await;
    assert_eq!(
        (answer.status, text(&answer).as_str()),
        (200, "OK\n"),
        "{query}"
    );
    become_so(&side, soon, query).await;
    if soon.0 == Door::Leaving {
        // So are clients of HTTP/2: what comes first on a new connection is answered.
        let mut h2 = h2c::Connection::open(side.inbound).await.unwrap();
        let answer = h2.exchange(&request()).await;
        assert_eq!(answer.status, 200, "{query}");
    }
    if soon == late {
        // It stays so beyond the drain time.
        let over = || begun.elapsed() > Duration::from_millis(5500);
        assert!(wait::until(wait::PATIENCE, over).await);
    }
    become_so(&side, late, query).await;
    // The process goes on.
    assert_eq!(side.ask("GET", "/ready").await.status, 200, "{query}");
}

/// Where Envoy listens when it has been asked, Tandem listens too.
#[tokio::test]
async fn listeners_are_closed_as_by_envoy() {
    for query in ["", "?inboundonly", "?graceful", "?graceful&inboundonly"] {
        let mut sides = Vec::new();
        for kind in [Kind::Envoy, Kind::Tandem] {
            let side = Side::start(kind, &["--drain-time-s", "1"]).await;
            let answer = side.ask("POST", &format!("/drain_listeners{query}")).await;
            let inbound_closed = wait::until_async(wait::PATIENCE, async || {
                TcpStream::connect(("127.0.0.1", side.inbound))
                    .await
                    .is_err()
            });
            assert!(inbound_closed.await, "{kind:?} {query}");
            let outbound = wait::until_async(Duration::from_secs(3), async || {
                TcpStream::connect(("127.0.0.1", side.outbound))
                    .await
                    .is_err()
            });
            let ready = side.ask("GET", "/ready").await;
            let closed = outbound.await;
            sides.push((
                answer.status,
                text(&answer),
                closed,
                ready.status,
                text(&ready),
            ));
        }
        assert_eq!(sides[0], sides[1], "{query}");
    }
}

/// A request that runs is finished and told that it was the last; then the process ends well.
#[tokio::test]
async fn quitquitquit_ends_the_process() {
    for kind in [Kind::Envoy, Kind::Tandem] {
        let mut side = Side::start(kind, &["--drain-time-s", "1"]).await;
        assert_eq!(
            side.ask("GET", "/quitquitquit").await.status,
            405,
            "{kind:?}"
        );
        assert_eq!(side.proxy.process.exited(), None);
        assert_eq!(door(side.inbound).await, Door::Open);
        let answer = side.ask("POST", "/quitquitquit").await;
        assert_eq!((answer.status, text(&answer).as_str()), (200, "OK\n"));
        let ended = side.proxy.process.wait(wait::PATIENCE).await;
        assert_eq!(ended.and_then(|status| status.code()), Some(0), "{kind:?}");
    }
}
