use serde_json::{Value, json};

use crate::schema::Message;
use crate::transcode::transcode;
use crate::{Source, to_json};

#[test]
fn what_was_read_is_written_back() {
    let text = r#"{"node":{"id":"a","metadata":{"n":1,"b":[true,null,"x",1.5]}},
        "stats_flush_interval":"0.250s","static_resources":{"clusters":[{"name":"a",
        "type":"STRICT_DNS","metadata":{"filter_metadata":{"k":{}}},
        "per_connection_buffer_limit_bytes":0,"transport_socket":{"name":"raw","typed_config":
        {"@type":"type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
        }},"common_lb_config":{"healthy_panic_threshold":{"value":12.5}}}]}}"#;
    let written = to_json(&[Source::file("a.json", text)]).unwrap();
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let mut expected = parse(text);
    expected["stats_flush_interval"] = "0.25s".into();
    assert_eq!(parse(&written), expected);
}

#[test]
fn bytes_are_base64() {
    assert_eq!(
        ["", "f", "fo", "foo"].map(|s| super::base64(s.as_bytes())),
        ["", "Zg==", "Zm8=", "Zm9v"]
    );
}

/// Nothing below a field that Envoy's schema marks as sensitive may be seen, wherever it stands
/// and however it is written.
#[test]
fn what_is_sensitive_is_hidden() {
    let tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    let context = |key: &str, shown: &str| json!({"certificate_chain": {"inline_string": "open"}, key: {"inline_string": shown}});
    let with = |hidden: &str, bytes: &str| {
        let common = json!({"tls_certificates": [context("private_key", hidden)]});
        let structured = json!({
            "@type": "type.googleapis.com/xds.type.v3.TypedStruct", "type_url": tls,
            "value": {"common_tls_context": &common},
        });
        let chain =
            |config: Value| json!({"transport_socket": {"name": "tls", "typed_config": config}});
        json!({"static_resources": {
            "secrets": [
                {"name": "a", "tls_certificate": {
                    "private_key": {"inline_bytes": bytes}, "password": {"filename": hidden},
                }},
                {"name": "b", "session_ticket_keys": {"keys": [{"inline_string": hidden}]}},
                {"name": "c", "generic_secret": {"secrets": {"k": {"inline_string": hidden}}}},
            ],
            "listeners": [{"name": "l", "filter_chains": [
                chain(json!({"@type": tls, "common_tls_context": &common})), chain(structured),
            ]}],
        }})
    };
    let source = Source::file("a.json", with("HIDDEN", "SElEREVO").to_string());
    let ty = Message::named("envoy.config.bootstrap.v3.Bootstrap").unwrap();
    let (bytes, errors) = transcode(&source, &source.parse().unwrap(), ty);
    assert!(errors.is_empty(), "{errors:?}");
    let written = super::message(ty, &bytes).unwrap();
    assert_eq!(written, with("[redacted]", "W3JlZGFjdGVkXQ=="));
}
