//! A control plane: many EDS clusters for one client, and then one endpoint changed again and again.
//!
//! It tells Envoy and Tandem the same, over ADS in either variant of the protocol.

mod resources;
mod stream;
mod variants;

use std::net::SocketAddr;
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3 as wire;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::{Mutex, mpsc};
use wire::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer as Server;

use crate::Error;
use crate::args::Args;
use resources::World;
use variants::Service;

/// A change to make, told on stdin as `update COUNT`: so many, one after the other is accepted.
struct Updates(usize);

/// Serves until stdin ends. Prints `accepted` when all endpoints were, and after each `update COUNT`
/// one line of JSON.
pub(crate) async fn run(args: &Args) -> Result<(), Error> {
    let world = World {
        clusters: args.or("clusters", 10_000)?,
        endpoints: args.or("endpoints", 10)?,
        proxy: args.need("proxy-port")?,
        upstream: args.need("upstream-port")?,
    };
    let (send, updates) = mpsc::unbounded_channel();
    let service = Service {
        world,
        updates: Arc::new(Mutex::new(updates)),
    };
    let listen = args.need::<SocketAddr>("listen")?;
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(Server::new(service))
            .serve(listen),
    );
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let count = line
            .strip_prefix("update ")
            .and_then(|count| count.parse().ok())
            .ok_or_else(|| format!("expected update COUNT, got {line}"))?;
        send.send(Updates(count))?;
    }
    Ok(())
}
