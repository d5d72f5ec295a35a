//! Fetched configuration, with a format of the tests' own.

mod files;
mod rest;

use std::time::Duration;

use super::{Decode, Fetched};
use crate::wire::DiscoveryResponse;
use crate::{Consumer, Event, Offer};

const CDS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const EDS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

/// `version: name name …` as a response, and anything else as an error. `b!` is a resource that
/// cannot be read, `=` one without a type.
fn decode(url: &'static str) -> Decode {
    Box::new(move |bytes| {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let (version, names) = text.split_once(':').ok_or("expected `version: names`")?;
        let resource = |name: &str| envoy_types::pb::google::protobuf::Any {
            type_url: if name == "=" {
                String::new()
            } else {
                url.to_owned()
            },
            value: [&[10, name.len() as u8], name.as_bytes()].concat(),
        };
        let names: Vec<_> = names.split_whitespace().collect();
        let bad = names
            .iter()
            .enumerate()
            .filter(|(_, name)| name.ends_with('!'));
        Ok(Fetched {
            response: DiscoveryResponse {
                version_info: version.to_owned(),
                resources: names.iter().map(|name| resource(name)).collect(),
                ..DiscoveryResponse::default()
            },
            faults: bad
                .map(|(i, name)| (i, format!("cannot read {name}")))
                .collect(),
        })
    })
}

async fn offer(consumer: &mut Consumer) -> Offer {
    let next = tokio::time::timeout(Duration::from_secs(20), consumer.next());
    match next.await {
        Ok(Some(Event::Offer(offer))) => offer,
        other => panic!("expected an offer: {other:?}"),
    }
}

fn names(offer: &Offer) -> Vec<&str> {
    let added = offer.update().added.iter();
    added.map(|one| &*one.name).collect()
}
