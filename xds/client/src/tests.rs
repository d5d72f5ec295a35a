//! What goes over the wire, request by request.

mod delta;
mod grpc;
mod lifetimes;
mod node;
pub(crate) mod served;
mod sotw;

use std::time::Duration;

use envoy_types::pb::google::protobuf::{self as pb, Any};
use prost::Message;

use crate::Backoff;
use crate::wire::Resource;

const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

/// A message whose first field is `name`, as in every resource type.
fn cluster(name: &str) -> Any {
    Any {
        type_url: CLUSTER.to_owned(),
        value: [&[10, name.len() as u8], name.as_bytes()].concat(),
    }
}

fn wrapped(name: &str, version: &str, resource: Option<Any>) -> Resource {
    Resource {
        name: name.to_owned(),
        version: version.to_owned(),
        resource,
        ttl: Some(pb::Duration {
            seconds: 2,
            nanos: 500_000_000,
        }),
        ..Resource::default()
    }
}

fn wrapper(resource: Resource) -> Any {
    Any {
        type_url: "type.googleapis.com/envoy.service.discovery.v3.Resource".to_owned(),
        value: resource.encode_to_vec(),
    }
}

#[test]
fn waits_are_below_a_bound_that_doubles_up_to_the_maximum() {
    let mut backoff = Backoff::default();
    for bound in [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000] {
        assert!(backoff.next_wait() <= Duration::from_millis(bound));
    }
    backoff.reset();
    assert!(backoff.next_wait() <= Duration::from_millis(500));
}
