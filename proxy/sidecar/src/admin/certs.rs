//! `/certs` in Envoy's shape (`admin.v3.Certificates`).

use std::time::SystemTime;

use serde_json::{Value, json};
use tandem_transport::tls::{Held, InUse};

/// What the contexts hold, one after the other.
pub(super) fn certificates(contexts: &[InUse], now: SystemTime) -> Value {
    let contexts = contexts.iter().map(|context| {
        let list = |held: &mut dyn Iterator<Item = &Held>| -> Vec<Value> {
            held.map(|held| details(held, now)).collect()
        };
        json!({
            "ca_cert": list(&mut context.roots.iter()),
            "cert_chain": list(&mut context.own.iter()),
        })
    });
    json!({ "certificates": contexts.collect::<Vec<_>>() })
}

fn details(held: &Held, now: SystemTime) -> Value {
    let facts = &held.facts;
    let days = facts.not_after.and_then(|end| days_until(end, now));
    let names = |kind: &'static str, names: &[std::sync::Arc<str>]| -> Vec<Value> {
        names.iter().map(|name| json!({ kind: &**name })).collect()
    };
    let all = [
        names("dns", &facts.dns),
        names("uri", &facts.uris),
        names("ip_address", &facts.ips),
    ];
    json!({
        "path": &*held.path,
        "serial_number": &*facts.serial,
        "subject_alt_names": all.concat(),
        // As protobuf's JSON has all numbers of 64 bits.
        "days_until_expiration": days.unwrap_or(0).to_string(),
        "valid_from": time(facts.not_before),
        "expiration_time": time(facts.not_after),
    })
}

/// Whole days until a certificate ends; `None` if it has.
pub(crate) fn days_until(end: SystemTime, now: SystemTime) -> Option<u64> {
    let left = end.duration_since(now).ok()?;
    Some(left.as_secs() / 86400)
}

fn time(at: Option<SystemTime>) -> Value {
    at.map(|at| prost_types::Timestamp::from(at).to_string())
        .into()
}
