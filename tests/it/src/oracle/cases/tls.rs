//! TLS with clients and with endpoints.
//!
//! A plain request goes in, a cluster with TLS takes it to another listener of the same proxy, and
//! that one takes it to the upstream: so both sides of a handshake are compared, by what the first
//! one logs of its failure and by what the second one tells the upstream of the client.

mod pair;
mod revoked;

use pair::{Pairs, Server};
use rcgen::date_time_ymd;
use tandem_harness::certs::{Authority, Folder};

use crate::oracle::{Case, bootstrap, check, get, listener, post};

const GOOD: &str = "spiffe://td/ns/good/sa/client";

/// Certificates of every kind.
fn certificates() -> Folder {
    let folder = Folder::new();
    let (ca, other) = (Authority::new(), Authority::new());
    let (between, chain) = ca.intermediate();
    folder.write("ca.pem", &ca.pem);
    folder.write("other.pem", &other.pem);
    folder.write("both.pem", &format!("{}{}", other.pem, ca.pem));
    folder.put(
        "server",
        &ca.issue(&["server.test", "spiffe://td/ns/b/sa/server"]),
    );
    folder.put("wild", &ca.issue(&["*.wild.test"]));
    folder.put("rsa", &ca.issue_rsa(&["rsa.test"]));
    folder.put("rsa-too", &ca.issue_rsa(&["server.test", "*.wild.test"]));
    let bare = ca.issue_with(&["bare.test"], |params| params.subject_alt_names.clear());
    folder.put("bare", &bare);
    folder.put("client", &ca.issue(&["client.test", GOOD, "c2.test"]));
    folder.put("nameless", &ca.issue(&[]));
    folder.put("stranger", &other.issue(&["client.test", GOOD]));
    let mut deep = between.issue(&["deep.test", "spiffe://td/ns/good/sa/deep"]);
    deep.chain.push_str(&chain);
    folder.put("deep", &deep);
    let (below, below_pem) = between.intermediate();
    let mut deeper = below.issue(&["deeper.test"]);
    deeper.chain.push_str(&below_pem);
    deeper.chain.push_str(&chain);
    folder.put("deeper", &deeper);
    let mut cut = between.issue(&["cut.test"]);
    folder.put("cut", &cut);
    cut.chain.push_str(&other.pem);
    folder.put("odd", &cut);
    let old = ca.issue_with(&["old.test", GOOD], |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    folder.put("expired", &old);
    let young = ca.issue_with(&["young.test", GOOD], |params| {
        params.not_before = date_time_ymd(2090, 1, 1);
        params.not_after = date_time_ymd(2091, 1, 1);
    });
    folder.put("early", &young);
    let special = ca.issue_with(&["x.test"], |params| {
        let name = &mut params.distinguished_name;
        name.push(rcgen::DnType::OrganizationName, "A, \"B\" <C>; #+= ");
        name.push(rcgen::DnType::OrganizationalUnitName, "\u{fc}ber");
        name.push(rcgen::DnType::CountryName, "DE");
    });
    folder.put("special", &special);
    let own = Authority::new();
    folder.write("own.crt", &own.pem);
    folder
}

fn pairs() -> Pairs {
    let mut pairs = Pairs::default();
    let ca = "validation_context: {trusted_ca: {filename: DIR/ca.pem}}";
    let must = "require_client_certificate: true";
    pairs
        .server("open", Server::default())
        .server(
            "alpn",
            Server::default().common("alpn_protocols: [h2, http/1.1]"),
        )
        .server(
            "alpn1",
            Server::default().common("alpn_protocols: [http/1.1]"),
        )
        .server(
            "mtls",
            Server::default()
                .common(ca)
                .context(must)
                .xfcc("APPEND_FORWARD"),
        )
        .server(
            "optional",
            Server::default().common(ca).xfcc("SANITIZE_SET"),
        )
        .server("forward", Server::default().common(ca).xfcc("FORWARD_ONLY"))
        .server(
            "always",
            Server::default().common(ca).xfcc("ALWAYS_FORWARD_ONLY"),
        )
        .server("sanitize", Server::default().common(ca).xfcc("SANITIZE"))
        .server(
            "new",
            Server::default().common("tls_params: {tls_minimum_protocol_version: TLSv1_3}"),
        )
        .server(
            "old",
            Server::default().common("tls_params: {tls_maximum_protocol_version: TLSv1_2}"),
        )
        .server("expired", Server::of(&["expired"]))
        .server("several", Server::of(&["server", "wild"]))
        .server("keys", Server::of(&["rsa", "server", "bare"]))
        .server("twice", Server::of(&["rsa-too", "server"]))
        .server("deep", Server::of(&["deep"]))
        .server("deeper", Server::of(&["deeper"]));
    for (name, rule) in [
        (
            "uri-prefix",
            "{san_type: URI, matcher: {prefix: 'spiffe://td/ns/good/'}}",
        ),
        (
            "uri-other",
            "{san_type: URI, matcher: {exact: 'spiffe://td/ns/other/sa/client'}}",
        ),
        (
            "dns-regex",
            "{san_type: DNS, matcher: {safe_regex: {regex: 'c[0-9].test'}}}",
        ),
        ("dns-suffix", "{san_type: DNS, matcher: {suffix: '.test'}}"),
        (
            "dns-exact",
            "{san_type: DNS, matcher: {exact: 'CLIENT.test'}}",
        ),
        ("email", "{san_type: EMAIL, matcher: {contains: 'client'}}"),
    ] {
        let rules = format!(
            "validation_context:\n  trusted_ca: {{filename: DIR/ca.pem}}\n  match_typed_subject_alt_names: [{rule}]"
        );
        pairs.server(
            name,
            Server::default()
                .common(&rules)
                .context(must)
                .xfcc("SANITIZE_SET"),
        );
    }
    let trusting = "validation_context: {trusted_ca: {filename: DIR/ca.pem}, trust_chain_verification: ACCEPT_UNTRUSTED}";
    pairs.server(
        "trusting",
        Server::default()
            .common(trusting)
            .context(must)
            .xfcc("SANITIZE_SET"),
    );
    let lenient =
        "validation_context: {trusted_ca: {filename: DIR/ca.pem}, allow_expired_certificate: true}";
    pairs.server(
        "lenient",
        Server::default()
            .common(lenient)
            .context(must)
            .xfcc("SANITIZE_SET"),
    );

    // Names and pins are asked of somebody, though no certificate is required.
    for (name, rules) in [
        (
            "asked-uri",
            "match_typed_subject_alt_names: [{san_type: URI, matcher: {prefix: 'spiffe://td/ns/good/'}}]",
        ),
        (
            "asked-untyped",
            "match_subject_alt_names: [{suffix: '.test'}]",
        ),
        (
            "asked-pin",
            "verify_certificate_hash: ['0000000000000000000000000000000000000000000000000000000000000000']",
        ),
        (
            "asked-trusting",
            "trust_chain_verification: ACCEPT_UNTRUSTED\n  match_typed_subject_alt_names: [{san_type: URI, matcher: {prefix: 'spiffe://td/ns/good/'}}]",
        ),
    ] {
        let rules =
            format!("validation_context:\n  trusted_ca: {{filename: DIR/ca.pem}}\n  {rules}");
        pairs.server(name, Server::default().common(&rules).xfcc("SANITIZE_SET"));
    }

    let new = "tls_params: {tls_maximum_protocol_version: TLSv1_3}";
    for server in [
        "mtls",
        "optional",
        "forward",
        "always",
        "sanitize",
        "uri-prefix",
        "uri-other",
        "dns-regex",
        "dns-suffix",
        "dns-exact",
        "email",
        "trusting",
        "lenient",
        "asked-uri",
        "asked-untyped",
        "asked-pin",
        "asked-trusting",
    ] {
        for client in [
            "none", "client", "nameless", "stranger", "deep", "cut", "odd", "expired", "early",
            "special",
        ] {
            let version = if server == "optional" { "" } else { new };
            let own = match client {
                "none" => String::new(),
                name => pair::certificate(name),
            };
            pairs.client(
                &format!("{server}-{client}"),
                server,
                &format!("{version}\n{own}"),
                "",
            );
        }
    }
    for (name, server, rules) in [
        ("trusts", "open", "trusted_ca: {filename: DIR/ca.pem}"),
        (
            "trusts-one-of-two",
            "open",
            "trusted_ca: {filename: DIR/both.pem}",
        ),
        (
            "trusts-another",
            "open",
            "trusted_ca: {filename: DIR/other.pem}",
        ),
        (
            "trusts-the-leaf",
            "open",
            "trusted_ca: {filename: DIR/server.crt}",
        ),
        (
            "sees-expired",
            "expired",
            "trusted_ca: {filename: DIR/ca.pem}",
        ),
        (
            "takes-expired",
            "expired",
            "trusted_ca: {filename: DIR/ca.pem}\n  allow_expired_certificate: true",
        ),
        ("sees-deep", "deep", "trusted_ca: {filename: DIR/ca.pem}"),
        (
            "no-depth",
            "deep",
            "trusted_ca: {filename: DIR/ca.pem}\n  max_verify_depth: 0",
        ),
        (
            "depth-one",
            "deep",
            "trusted_ca: {filename: DIR/ca.pem}\n  max_verify_depth: 1",
        ),
        (
            "deeper-depth-1",
            "deeper",
            "trusted_ca: {filename: DIR/ca.pem}\n  max_verify_depth: 1",
        ),
        (
            "deeper-depth-2",
            "deeper",
            "trusted_ca: {filename: DIR/ca.pem}\n  max_verify_depth: 2",
        ),
        (
            "wants-uri",
            "open",
            "trusted_ca: {filename: DIR/ca.pem}\n  match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: 'spiffe://td/ns/b/sa/server'}}]",
        ),
        (
            "wants-other-uri",
            "open",
            "trusted_ca: {filename: DIR/ca.pem}\n  match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: 'spiffe://td/ns/b/sa/serve'}}]",
        ),
        (
            "wants-untyped",
            "open",
            "trusted_ca: {filename: DIR/ca.pem}\n  match_subject_alt_names: [{exact: 'server.test'}]",
        ),
        (
            "wants-pin",
            "open",
            "verify_certificate_hash: ['0000000000000000000000000000000000000000000000000000000000000000']",
        ),
    ] {
        let rules = format!("validation_context:\n  {rules}");
        pairs.client(name, server, &rules, "sni: server.test");
    }
    for (name, server, common, context) in [
        ("plain-default", "open", "", ""),
        ("new-default", "new", "", ""),
        ("new-new", "new", new, ""),
        ("old-new", "old", new, ""),
        (
            "old-only-new",
            "old",
            "tls_params: {tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3}",
            "",
        ),
        ("sni-wild", "several", "", "sni: a.wild.test"),
        ("sni-none", "several", "", ""),
        ("sni-odd", "several", "", "sni: outbound_.80_._.a.test"),
        ("sni-keys-none", "keys", "", ""),
        ("sni-keys-other", "keys", "", "sni: other.test"),
        ("sni-keys-elliptic", "keys", "", "sni: server.test"),
        ("sni-keys-rsa", "keys", "", "sni: rsa.test"),
        ("sni-keys-bare", "keys", "", "sni: bare.test"),
        ("sni-twice", "twice", "", "sni: server.test"),
        ("sni-twice-wild", "twice", "", "sni: a.wild.test"),
        (
            "one-suite",
            "old",
            "tls_params: {cipher_suites: [ECDHE-ECDSA-AES256-GCM-SHA384]}",
            "",
        ),
    ] {
        pairs.client(name, server, common, context);
    }
    for server in ["open", "alpn", "alpn1"] {
        for (kind, options) in [
            ("h1", "explicit_http_config: {http_protocol_options: {}}"),
            ("h2", "explicit_http_config: {http2_protocol_options: {}}"),
            ("auto", "auto_config: {}"),
        ] {
            pairs.client_with(&format!("{server}-{kind}"), server, "", "", options);
        }
    }
    let names = "upstream_http_protocol_options: {auto_sni: true, auto_san_validation: true}\n    explicit_http_config: {http_protocol_options: {}}";
    pairs.client_with(
        "auto-names",
        "several",
        "validation_context: {trusted_ca: {filename: DIR/ca.pem}}",
        "",
        names,
    );
    // A name that anybody may have put into a certificate says nothing.
    pairs.client_with("auto-names-of-anyone", "open", "", "", names);
    pairs
}

fn cases(pairs: &Pairs) -> Vec<Case> {
    let mut all = Vec::new();
    for name in pairs.client_names() {
        all.push(get(&name, "any.test", &format!("/{name}/x")).h1());
    }
    for server in ["mtls", "optional", "forward", "always", "sanitize"] {
        for client in ["none", "client"] {
            let path = format!("/{server}-{client}/x");
            all.push(
                get(
                    &format!("{server}-{client}, and says it is another"),
                    "any.test",
                    &path,
                )
                .h(
                    "x-forwarded-client-cert",
                    "Hash=ab;URI=spiffe://td/ns/good/sa/root",
                )
                .h1(),
            );
        }
    }
    // Bytes as they are, encrypted on the way.
    all.extend([
        get("raw bytes", "any.test", "/").on("raw").h1(),
        get("many raw bytes", "any.test", "/")
            .on("raw")
            .h1()
            .script("200 body=3000000"),
        post("raw bytes both ways", "any.test", "/", &[b'x'; 1_000_000])
            .on("raw")
            .h1()
            .script("200 echo"),
    ]);
    for client in ["alpn-h1", "alpn-h2", "alpn-auto", "alpn1-auto"] {
        let (name, path) = (
            |what: &str| format!("{client}: {what}"),
            format!("/{client}/x"),
        );
        let large = vec![b'x'; 1_000_000];
        all.extend([
            get(&name("a large answer"), "any.test", &path).script("200 body=3000000"),
            post(&name("a large request"), "any.test", &path, &large),
            post(&name("both"), "any.test", &path, &large)
                .script("200 echo")
                .chunked(),
            get(&name("cut off"), "any.test", &path).script("200 body=4000 break=mid"),
        ]);
    }
    for host in [
        "server.test",
        "a.wild.test",
        "other.test",
        "b.a.wild.test",
        "server.test:80",
    ] {
        let name = format!("auto-names: {host}");
        all.push(get(&name, host, "/auto-names/x").h1());
    }
    let name = "auto-names-of-anyone: the name that it has";
    all.push(get(name, "server.test", "/auto-names-of-anyone/x").h1());
    all
}

#[tokio::test]
async fn tls() {
    let folder = certificates();
    let pairs = pairs();
    let raw = "- name: tcp\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n    stat_prefix: raw\n    cluster: mtls-client";
    let bootstrap = pairs
        .add_to(bootstrap(), folder.root())
        .listener(listener("raw").network_filters(raw));
    check("tls", bootstrap, cases(&pairs)).await;
}
