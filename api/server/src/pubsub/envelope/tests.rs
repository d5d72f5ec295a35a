use serde_json::{Value, json};
use tandem_api_proto::layotto::PublishEventRequest;

use super::wrap;

fn request(content_type: &str, data: &'static [u8]) -> PublishEventRequest {
    PublishEventRequest {
        pubsub_name: "p".into(),
        topic: "t".into(),
        data: data.into(),
        data_content_type: content_type.into(),
        ..PublishEventRequest::default()
    }
}

fn wrapped(request: &PublishEventRequest) -> Value {
    serde_json::from_slice(&wrap(request, false).unwrap()).unwrap()
}

#[test]
fn data_goes_into_an_envelope_as_its_type_wants() {
    for (content_type, data, field, expected) in [
        ("", &b"hi"[..], "data", json!("hi")),
        ("text/plain", b"hi", "data", json!("hi")),
        ("application/json", b"{\"a\": 1}", "data", json!({"a": 1})),
        (
            "application/x+json; charset=utf-8",
            b"[1]",
            "data",
            json!([1]),
        ),
        ("application/json", b"{no", "data", json!("{no")),
        (
            "application/octet-stream",
            b"\x00\xff",
            "data_base64",
            json!("AP8="),
        ),
        ("", b"a\xffb", "data_base64", json!("Yf9i")),
        ("image/png", b"\x89PNG", "data_base64", json!("iVBORw==")),
        (
            "application/json",
            b"\"\xff\"",
            "data_base64",
            json!("Iv8i"),
        ),
    ] {
        let event = wrapped(&request(content_type, data));
        assert_eq!(event[field], expected, "{content_type}");
        assert_eq!(event["source"], "runtime");
        assert_eq!(event["type"], "com.runtime.event.sent");
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(
            (&event["topic"], &event["pubsubname"]),
            (&json!("t"), &json!("p"))
        );
        assert_eq!(event["traceid"], "");
        assert!(!event["id"].as_str().unwrap().is_empty());
        assert!(event.get("expiration").is_none());
    }
    assert_eq!(wrapped(&request("", b""))["datacontenttype"], "text/plain");
}

#[test]
fn a_cloud_event_passes_with_what_only_the_runtime_knows() {
    let data = br#"{"id": "7", "source": "me", "topic": "wrong", "data": 1.50, "x": [1]}"#;
    let event = wrap(&request("application/cloudevents+json", data), false).unwrap();
    let text = String::from_utf8(event.to_vec()).unwrap();
    assert!(
        text.contains("1.50"),
        "numbers stay as they were written: {text}"
    );
    let event: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&event["id"], &event["source"]),
        (&json!("7"), &json!("me"))
    );
    assert_eq!(
        (&event["topic"], &event["specversion"]),
        (&json!("t"), &json!("1.0"))
    );
    assert_eq!(
        (&event["type"], &event["x"]),
        (&json!("com.runtime.event.sent"), &json!([1]))
    );
    assert!(wrap(&request("application/cloudevents+json", b"no"), false).is_err());
}

/// Only where the component does not see to it itself.
#[test]
fn a_time_to_live_becomes_an_expiration() {
    let mut request = request("", b"");
    request.metadata.insert("ttlInSeconds".into(), "60".into());
    let now = || prost_types::Timestamp::from(std::time::SystemTime::now()).seconds;
    let before = now();
    let end: prost_types::Timestamp = wrapped(&request)["expiration"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((before + 60..=now() + 60).contains(&end.seconds));
    let left: Value = serde_json::from_slice(&wrap(&request, true).unwrap()).unwrap();
    assert!(left.get("expiration").is_none());
    request.metadata.insert("ttlInSeconds".into(), "x".into());
    assert!(wrap(&request, false).is_err());
}

/// So that the event has what every event must have.
#[test]
fn attributes_that_are_null_are_filled_in_as_absent_ones() {
    let data = br#"{"id": null, "source": null, "type": null, "specversion": null, "data": null}"#;
    let event = wrapped(&request("application/cloudevents+json", data));
    assert!(event["id"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(
        (&event["source"], &event["type"], &event["specversion"]),
        (
            &json!("runtime"),
            &json!("com.runtime.event.sent"),
            &json!("1.0")
        )
    );
}
