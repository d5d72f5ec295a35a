//! Versions, cipher suites and groups (`TlsParameters`), by OpenSSL's names.

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    self as proto, tls_parameters::TlsProtocol,
};
use tandem_model::tls::{CipherSuite, Curve, TlsVersion};

use crate::cx::Cx;

pub(super) struct Params {
    pub(super) min_version: TlsVersion,
    pub(super) max_version: TlsVersion,
    pub(super) cipher_suites: Vec<CipherSuite>,
    pub(super) curves: Vec<Curve>,
}

/// Names that Envoy knows and that are not spoken here: without forward secrecy, or with
/// encryption that is not authenticated. They are left out as long as others remain.
const OLDER: &[&str] = &[
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "AES128-SHA256",
    "AES256-SHA256",
    "DES-CBC3-SHA",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-PSK-AES128-CBC-SHA",
    "ECDHE-PSK-AES256-CBC-SHA",
    "ECDHE-PSK-CHACHA20-POLY1305",
    "PSK-AES128-CBC-SHA",
    "PSK-AES256-CBC-SHA",
];

pub(super) fn params(
    cx: &Cx<'_>,
    proto: Option<&proto::TlsParameters>,
    newest: TlsVersion,
) -> Option<Params> {
    let default = proto::TlsParameters::default();
    let proto = proto.unwrap_or(&default);
    let version = |version: TlsProtocol, auto: TlsVersion| match version {
        TlsProtocol::TlSv12 => TlsVersion::V1_2,
        TlsProtocol::TlSv13 => TlsVersion::V1_3,
        // Older ones have been refused.
        _ => auto,
    };
    let min_version = version(proto.tls_minimum_protocol_version(), TlsVersion::V1_2);
    let max_version = version(proto.tls_maximum_protocol_version(), newest);
    if min_version > max_version {
        let reason = format!(
            "expected a version up to {}, got {}",
            max_version.as_str(),
            min_version.as_str()
        );
        cx.field("tls_minimum_protocol_version").error(reason);
        return None;
    }
    Some(Params {
        min_version,
        max_version,
        cipher_suites: names(&cx.field("cipher_suites"), &proto.cipher_suites, suite)?,
        curves: names(&cx.field("ecdh_curves"), &proto.ecdh_curves, curve)?,
    })
}

/// What a name may turn out to be.
enum Named<T> {
    Spoken(T),
    NotSpoken,
    Unknown,
}

fn names<T>(cx: &Cx<'_>, names: &[String], find: impl Fn(&str) -> Named<T>) -> Option<Vec<T>> {
    let mut found = Vec::new();
    let mut right = true;
    for (i, name) in names.iter().enumerate() {
        // `[A|B]` are names of equal preference, which is more than can be said here.
        let group = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
        for name in group.unwrap_or(name).split('|') {
            match find(name) {
                Named::Spoken(one) => found.push(one),
                Named::NotSpoken => {}
                Named::Unknown => {
                    cx.index(i).error(format!("'{name}' is not known"));
                    right = false;
                }
            }
        }
    }
    if right && found.is_empty() && !names.is_empty() {
        cx.error("expected one that is supported, none of these is");
        right = false;
    }
    right.then_some(found)
}

fn suite(name: &str) -> Named<CipherSuite> {
    use CipherSuite as C;
    Named::Spoken(match name {
        "ECDHE-ECDSA-AES128-GCM-SHA256" => C::EcdheEcdsaAes128GcmSha256,
        "ECDHE-ECDSA-AES256-GCM-SHA384" => C::EcdheEcdsaAes256GcmSha384,
        "ECDHE-ECDSA-CHACHA20-POLY1305" => C::EcdheEcdsaChacha20Poly1305,
        "ECDHE-RSA-AES128-GCM-SHA256" => C::EcdheRsaAes128GcmSha256,
        "ECDHE-RSA-AES256-GCM-SHA384" => C::EcdheRsaAes256GcmSha384,
        "ECDHE-RSA-CHACHA20-POLY1305" => C::EcdheRsaChacha20Poly1305,
        other if OLDER.contains(&other) => return Named::NotSpoken,
        _ => return Named::Unknown,
    })
}

fn curve(name: &str) -> Named<Curve> {
    Named::Spoken(match name {
        "X25519" => Curve::X25519,
        "P-256" => Curve::P256,
        "P-384" => Curve::P384,
        "X25519MLKEM768" => Curve::X25519MlKem768,
        "P-521" | "X25519Kyber768Draft00" => return Named::NotSpoken,
        _ => return Named::Unknown,
    })
}
