use std::collections::HashMap;

use tandem_api_contract::pubsub::{Message, Verdict};
use tandem_api_proto::layotto::TopicEventRequest;

use super::{read, verdict};

fn received(data: &'static str) -> Option<TopicEventRequest> {
    let message = Message {
        topic: "t".into(),
        data: data.into(),
        metadata: HashMap::new(),
    };
    read("p", message)
}

#[test]
fn an_envelope_becomes_an_event() {
    let event = received(
        r#"{"id":"1","source":"s","type":"y","specversion":"1.0",
            "datacontenttype":"text/plain","data":"a\"b"}"#,
    )
    .unwrap();
    assert_eq!((event.id.as_str(), event.source.as_str()), ("1", "s"));
    assert_eq!(
        (event.r#type.as_str(), event.spec_version.as_str()),
        ("y", "1.0")
    );
    assert_eq!(
        (event.topic.as_str(), event.pubsub_name.as_str()),
        ("t", "p")
    );
    assert_eq!(event.data_content_type, "text/plain");
    assert_eq!(event.data, "a\"b");
}

#[test]
fn data_comes_back_as_it_was_published() {
    for (data, expected) in [
        (
            r#"{"specversion":"1.0","datacontenttype":"application/json","data":{"a":1.50}}"#,
            r#"{"a":1.50}"#,
        ),
        (
            r#"{"specversion":"1.0","datacontenttype":"application/json","data":"x"}"#,
            r#""x""#,
        ),
        (r#"{"specversion":"1.0","data_base64":"aGk="}"#, "hi"),
        (
            r#"{"specversion":"1.0","id":null,"source":null,"type":null,"datacontenttype":null,
                "expiration":null,"data_base64":null,"data":"x"}"#,
            "x",
        ),
        (
            r#"{"specversion":"1.0","datacontenttype":"image/png","data_base64":"aGk="}"#,
            "hi",
        ),
        (r#"{"specversion":"1.0"}"#, ""),
        ("no envelope", "no envelope"),
        (r#"{"a":1}"#, r#"{"a":1}"#),
    ] {
        assert_eq!(received(data).unwrap().data, expected);
    }
}

#[test]
fn expired_events_are_dropped() {
    assert!(received(r#"{"specversion":"1.0","expiration":"2020-01-01T00:00:00Z"}"#).is_none());
    assert!(received(r#"{"specversion":"1.0","expiration":"2999-01-01T00:00:00Z"}"#).is_some());
    assert!(received(r#"{"specversion":"1.0","expiration":"whenever"}"#).is_some());
}

#[test]
fn success_and_drop_are_dealt_with_and_the_rest_comes_again() {
    let verdicts = [0, 1, 2, 7].map(verdict);
    use Verdict::{Ack, Retry};
    assert_eq!(verdicts, [Ack, Retry, Ack, Retry]);
}
