use tandem_core::filter::Refused;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::Instant;

use super::*;

#[derive(Debug)]
struct Fixed(Result<(), Refused>);

impl Gate for Fixed {
    fn admit(&self, _: &ConnectionInfo) -> Result<(), Refused> {
        self.0.clone()
    }
}

fn gates(all: Vec<Result<(), Refused>>) -> Gates {
    let gate = |fixed| Arc::new(Fixed(fixed)) as Arc<dyn Gate>;
    Gates(all.into_iter().map(gate).collect())
}

fn refused(details: &'static str, delay: Option<Duration>) -> Result<(), Refused> {
    Err(Refused {
        details: details.into(),
        delay,
    })
}

#[tokio::test]
async fn a_connection_passes_where_every_gate_lets_it() {
    let (_client, mut server) = duplex(64);
    let connection = ConnectionInfo::default();
    assert!(gates(vec![]).pass(&mut server, &connection).await);
    let all = gates(vec![Ok(()), Ok(())]);
    assert!(all.pass(&mut server, &connection).await);
    assert!(connection.termination_details.get().is_none());
}

/// The first gate that refuses says why; the client sees an end, after the delay.
#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_closed_when_its_time_has_come() {
    let (mut client, mut server) = duplex(64);
    client.write_all(b"hello").await.expect("room");
    let connection = ConnectionInfo::default();
    let delay = Duration::from_secs(3);
    let all = gates(vec![
        Ok(()),
        refused("first", Some(delay)),
        refused("second", None),
    ]);
    let begun = Instant::now();
    assert!(!all.pass(&mut server, &connection).await);
    assert_eq!(begun.elapsed(), delay);
    let details = connection.termination_details.get();
    assert_eq!(details.map(|details| &**details), Some("first"));
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("an orderly end");
    assert!(rest.is_empty());
}
