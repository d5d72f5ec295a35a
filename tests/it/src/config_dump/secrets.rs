//! Keys are in a configuration, and must not be in its dump.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Whether any part of a key can be read in a text, be it that of a `bytes` field.
fn shows(text: &str, key: &str) -> bool {
    let encoded = STANDARD.encode(key);
    let parts = encoded
        .as_bytes()
        .chunks(40)
        .map(|part| str::from_utf8(part).unwrap());
    let mut lines = key
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .chain(parts);
    lines.any(|line| line.len() > 8 && text.contains(line))
}

/// Keys of the bootstrap, of listeners and secrets that came, of those that were refused: what
/// Envoy hides is hidden, in the same words.
#[tokio::test]
async fn no_part_of_a_key_is_shown() {
    let authority = Authority::new();
    let issued: Vec<_> = (0..6).map(|_| authority.issue(&["a.test"])).collect();
    let mut dumps = Vec::new();
    for kind in [Kind::Tandem, Kind::Envoy] {
        let folder = Folder::new();
        let [own, named, came, refused, other, bytes] = issued.as_slice() else {
            panic!("six were issued")
        };
        let mut as_bytes = certificate(bytes);
        as_bytes["private_key"] = json!({ "inline_bytes": STANDARD.encode(&bytes.key) });
        // a key that is another certificate's
        let mut wrong = certificate(refused);
        wrong["certificate_chain"] = certificate(other)["certificate_chain"].clone();
        let wrong = listener("refused", &json!({ "tls_certificates": [wrong] }));
        let good = listener("came", &inline(came));
        let ty = "config.listener.v3.Listener";
        deliver(
            &folder,
            "lds.json",
            "1",
            &[typed(ty, &good), typed(ty, &wrong)],
        );
        let statics = json!({
            "listeners": [
                listener("own", &inline(own)),
                listener("bytes", &json!({ "tls_certificates": [as_bytes] })),
            ],
            "secrets": [{ "name": "named", "tls_certificate": certificate(named) }],
            "clusters": [{ "name": "up", "connect_timeout": "1s" }],
        });
        let proxy = start(kind, &folder, &statics).await;
        let text = proxy.admin("/config_dump").await;
        for (at, issued) in issued.iter().enumerate() {
            assert!(
                !shows(&text, &issued.key),
                "{kind:?} shows key {at}: {text}"
            );
        }
        assert!(text.contains(r"-----BEGIN CERTIFICATE-----"), "{text}");
        let dump: Value = serde_json::from_str(&text).unwrap();
        let key = |listener: &Value| {
            let socket = &listener["filter_chains"][0]["transport_socket"]["typed_config"];
            socket["common_tls_context"]["tls_certificates"][0]["private_key"].clone()
        };
        let dynamic = list(&dump, "Listeners", "dynamic_listeners");
        let state = |name: &str| dynamic.iter().find(|one| one["name"] == name).unwrap();
        let statics = list(&dump, "Listeners", "static_listeners");
        dumps.push([
            key(&statics[0]["listener"]),
            key(&statics[1]["listener"]),
            key(&state("came")["active_state"]["listener"]),
            key(&state("refused")["error_state"]["failed_configuration"]),
        ]);
    }
    let text = json!({ "inline_string": "[redacted]" });
    let bytes = json!({ "inline_bytes": STANDARD.encode("[redacted]") });
    assert_eq!(dumps[0], [text.clone(), bytes, text.clone(), text]);
    assert_eq!(dumps[0], dumps[1]);
}
