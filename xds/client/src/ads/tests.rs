//! The driver against a control plane that the test plays, message by message.

mod backup;
mod delta;
mod faults;
mod hostile;
mod own;
mod plane;
mod sotw;
mod time;
mod wire;

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use tonic::metadata::MetadataMap;

use super::{Ads, Consumer, Event, Offer};
use crate::{Backoff, Variant};

const CDS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const EDS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const LDS: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const RDS: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
const SDS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

fn ads(variant: Variant) -> Ads {
    let node = Node {
        id: "sidecar".to_owned(),
        ..Node::default()
    };
    Ads::new(variant, node, MetadataMap::new(), Backoff::default())
}

async fn offer(consumer: &mut Consumer) -> Offer {
    match consumer.next().await {
        Some(Event::Offer(offer)) => offer,
        other => panic!("expected an offer: {other:?}"),
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_type_has_one_consumer() {
    let mut ads = ads(Variant::Delta);
    let _first = ads.consumer(CDS, true, None).unwrap();
    let taken = ads.consumer(CDS, false, None).unwrap_err();
    assert_eq!(
        taken.to_string(),
        format!("type `{CDS}`: has a consumer already, expected one")
    );
}
