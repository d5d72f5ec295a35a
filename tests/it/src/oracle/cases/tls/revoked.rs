//! Revocation lists: of clients, of endpoints, of authorities between; those that are late, early,
//! forged, or of only a part of a chain.

use rcgen::{CertificateParams, DnType, IsCa, KeyUsagePurpose, date_time_ymd};
use tandem_harness::certs::{Authority, Folder};

use super::pair::{self, Pairs, Server};
use crate::oracle::{Case, bootstrap, check, get};

const REVOKED: u64 = 0x7001;
const BETWEEN: u64 = 0x7002;
const ROOT: u64 = 0x7003;

fn number(serial: u64) -> impl FnOnce(&mut CertificateParams) {
    move |params| {
        params.serial_number = Some(serial.into());
        params.use_authority_key_identifier_extension = true;
    }
}

/// An authority of a given name.
fn named(name: &'static str) -> Authority {
    Authority::with(|params| params.distinguished_name.push(DnType::CommonName, name))
}

fn certificates() -> Folder {
    let folder = Folder::new();
    let ca = Authority::with(|params| {
        params
            .distinguished_name
            .push(DnType::CommonName, "the root");
        params.serial_number = Some(ROOT.into());
    });
    let (between, chain) = ca.intermediate_with(number(BETWEEN));
    folder.write("ca.pem", &ca.pem);
    folder.write("between.pem", &chain);
    folder.write("ca-and-between.pem", &format!("{}{chain}", ca.pem));
    folder.put("server", &ca.issue(&["server.test"]));
    folder.put("client", &ca.issue_with(&["client.test"], number(1)));
    folder.put(
        "revoked",
        &ca.issue_with(&["revoked.test"], number(REVOKED)),
    );
    let old = ca.issue_with(&["old.test"], |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    folder.put("old", &old);
    for (name, serial) in [("deep", 1), ("deep-revoked", REVOKED)] {
        let mut issued = between.issue_with(&["deep.test"], number(serial));
        folder.put(&format!("{name}-cut"), &issued);
        issued.chain.push_str(&chain);
        folder.put(name, &issued);
    }
    folder.write("leaf-trusted.pem", &leaf(&folder, "revoked"));
    let and_leaf = format!("{}{}", leaf(&folder, "revoked"), ca.pem);
    folder.write("leaf-and-ca.pem", &and_leaf);
    lists(&folder, &ca, &between);
    twins(&folder);
    mute(&folder);
    folder
}

fn leaf(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path(&format!("{name}.crt"))).unwrap()
}

fn lists(folder: &Folder, ca: &Authority, between: &Authority) {
    let nobody = ca.revoke(&[]);
    let somebody = ca.revoke(&[REVOKED]);
    let below = between.revoke(&[REVOKED]);
    let until_2025 = |list: &mut rcgen::CertificateRevocationListParams| {
        list.next_update = date_time_ymd(2025, 1, 1);
    };
    let late = ca.revoke_with(&[], until_2025);
    let late_revoking = ca.revoke_with(&[REVOKED], until_2025);
    let early = ca.revoke_with(&[], |list| list.this_update = date_time_ymd(2080, 1, 1));
    let newer = ca.revoke_with(&[REVOKED], |list| {
        list.this_update = date_time_ymd(2025, 6, 1);
        list.crl_number = 2.into();
    });
    let impostor = named("the root");
    let forged = impostor.revoke_with(&[], |list| list.key_identifier_method = ca.key_id());
    for (name, list) in [
        ("nobody", nobody.clone()),
        ("somebody", somebody.clone()),
        ("below", below.clone()),
        ("both", format!("{somebody}{below}")),
        ("authority", format!("{}{below}", ca.revoke(&[BETWEEN]))),
        ("root", ca.revoke(&[ROOT])),
        ("late", late.clone()),
        ("late-revoking", late_revoking),
        ("early", early.clone()),
        ("late-below", format!("{late}{below}")),
        ("late-then-good", format!("{late}{somebody}")),
        ("early-and-good", format!("{early}{somebody}")),
        ("old-then-new", format!("{nobody}{newer}")),
        ("new-then-old", format!("{newer}{nobody}")),
        ("other", Authority::new().revoke(&[REVOKED])),
        ("impostor", impostor.revoke(&[])),
        ("forged", forged),
    ] {
        folder.write(&format!("{name}.crl"), &list);
    }
    folder.write("ca-with-list.pem", &format!("{}{somebody}", ca.pem));
}

/// Two authorities of one name, as when one changes its key.
fn twins(folder: &Folder) {
    let (a, b) = (named("twin"), named("twin"));
    folder.write("twins.pem", &format!("{}{}", a.pem, b.pem));
    folder.put("twin-a", &a.issue_with(&["a.test"], number(1)));
    folder.put("twin-b", &b.issue_with(&["b.test"], number(1)));
    folder.put(
        "twin-b-revoked",
        &b.issue_with(&["r.test"], number(REVOKED)),
    );
    let lists = format!("{}{}", a.revoke(&[]), b.revoke(&[REVOKED]));
    folder.write("twins.crl", &lists);
    folder.write("twin-a.crl", &a.revoke(&[]));
}

/// An authority that may sign certificates, and no lists.
fn mute(folder: &Folder) {
    let signs = named("mute");
    let usage = |params: &mut CertificateParams| {
        params.distinguished_name.push(DnType::CommonName, "mute");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    };
    folder.write("mute.pem", &signs.again(usage));
    folder.put("mute", &signs.issue_with(&["mute.test"], number(1)));
    folder.write("mute.crl", &signs.revoke(&[]));
}

/// Rules with these roots and this list, and more of them.
fn rules(roots: &str, list: &str, more: &str) -> String {
    format!(
        "validation_context:\n  trusted_ca: {{filename: DIR/{roots}.pem}}\n  crl: {{filename: DIR/{list}.crl}}\n  {more}"
    )
}

const LEAF_ONLY: &str = "only_verify_leaf_cert_crl: true";

/// Lists as servers have them, and which clients meet them.
const SERVERS: &[(&str, &str, &str, &str, &[&str])] = &[
    (
        "nobody",
        "ca",
        "nobody",
        "",
        &["none", "client", "revoked", "deep"],
    ),
    (
        "somebody",
        "ca",
        "somebody",
        "",
        &["client", "revoked", "deep", "deep-cut"],
    ),
    (
        "somebody-leaf",
        "ca",
        "somebody",
        LEAF_ONLY,
        &["client", "revoked", "deep"],
    ),
    (
        "below",
        "ca",
        "below",
        "",
        &["client", "deep", "deep-revoked"],
    ),
    (
        "below-leaf",
        "ca",
        "below",
        LEAF_ONLY,
        &["client", "deep", "deep-revoked"],
    ),
    (
        "both",
        "ca",
        "both",
        "",
        &["client", "revoked", "deep", "deep-revoked"],
    ),
    (
        "authority",
        "ca",
        "authority",
        "",
        &["client", "deep", "deep-revoked"],
    ),
    (
        "authority-leaf",
        "ca",
        "authority",
        LEAF_ONLY,
        &["deep", "deep-revoked"],
    ),
    ("root", "ca", "root", "", &["client"]),
    ("root-leaf", "ca", "root", LEAF_ONLY, &["client"]),
    ("late", "ca", "late", "", &["client", "revoked"]),
    ("late-revoking", "ca", "late-revoking", "", &["client"]),
    ("early", "ca", "early", "", &["client"]),
    (
        "late-below",
        "ca",
        "late-below",
        "",
        &["deep", "deep-revoked"],
    ),
    (
        "late-then-good",
        "ca",
        "late-then-good",
        "",
        &["client", "revoked"],
    ),
    (
        "early-and-good",
        "ca",
        "early-and-good",
        "",
        &["client", "revoked"],
    ),
    (
        "old-then-new",
        "ca",
        "old-then-new",
        "",
        &["client", "revoked"],
    ),
    (
        "new-then-old",
        "ca",
        "new-then-old",
        "",
        &["client", "revoked"],
    ),
    ("other", "ca", "other", "", &["client"]),
    ("impostor", "ca", "impostor", "", &["client"]),
    ("forged", "ca", "forged", "", &["client"]),
    (
        "twins",
        "twins",
        "twins",
        "",
        &["twin-a", "twin-b", "twin-b-revoked"],
    ),
    ("twin", "twins", "twin-a", "", &["twin-a", "twin-b"]),
    ("mute", "mute", "mute", "", &["mute"]),
    (
        "anchored",
        "between",
        "both",
        "",
        &["deep-cut", "deep", "deep-revoked"],
    ),
    (
        "anchored-leaf",
        "between",
        "both",
        LEAF_ONLY,
        &["deep-cut", "deep-revoked"],
    ),
    (
        "both-anchored",
        "ca-and-between",
        "both",
        "",
        &["deep-cut", "deep", "deep-revoked"],
    ),
    (
        "both-anchored-below",
        "ca-and-between",
        "below",
        "",
        &["deep-cut"],
    ),
    (
        "both-anchored-authority",
        "ca-and-between",
        "authority",
        "",
        &["deep-cut", "deep"],
    ),
    ("leaf-trusted", "leaf-trusted", "somebody", "", &["revoked"]),
    (
        "leaf-trusted-leaf",
        "leaf-trusted",
        "somebody",
        LEAF_ONLY,
        &["revoked"],
    ),
    ("leaf-and-ca", "leaf-and-ca", "somebody", "", &["revoked"]),
    (
        "leaf-and-ca-nobody",
        "leaf-and-ca",
        "nobody",
        "",
        &["revoked"],
    ),
    (
        "lenient",
        "ca",
        "somebody",
        "allow_expired_certificate: true",
        &["client", "old", "revoked"],
    ),
    (
        "lenient-late",
        "ca",
        "late",
        "allow_expired_certificate: true",
        &["client", "old"],
    ),
    (
        "trusting",
        "ca",
        "somebody",
        "trust_chain_verification: ACCEPT_UNTRUSTED",
        &["client", "revoked"],
    ),
    (
        "among-roots",
        "ca-with-list",
        "below",
        "",
        &["client", "revoked", "deep", "deep-revoked"],
    ),
];

fn pairs() -> Pairs {
    let mut pairs = Pairs::default();
    let must = "require_client_certificate: true";
    let with = |rules: &str| {
        let server = Server::default().common(rules).context(must);
        server.xfcc("SANITIZE_SET")
    };
    for (name, roots, list, more, _) in SERVERS {
        pairs.server(name, with(&rules(roots, list, more)));
    }
    let own = "validation_context: {trusted_ca: {filename: DIR/ca-with-list.pem}}";
    let own_leaf = "validation_context: {trusted_ca: {filename: DIR/ca-with-list.pem}, only_verify_leaf_cert_crl: true}";
    pairs.server("own-list", with(own));
    pairs.server("own-list-leaf", with(own_leaf));
    for server in ["client", "revoked", "deep", "deep-revoked", "mute"] {
        let name = if server == "mute" {
            "mute-server"
        } else {
            server
        };
        pairs.server(name, Server::of(&[server]));
    }
    let more = &["client", "revoked", "deep"] as &[_];
    let servers = SERVERS
        .iter()
        .map(|(name, _, _, _, clients)| (*name, *clients));
    for (server, clients) in servers.chain([("own-list", more), ("own-list-leaf", more)]) {
        for client in clients {
            // A refusal after the client's own handshake is heard by TLS 1.3 only.
            let version = "tls_params: {tls_maximum_protocol_version: TLSv1_3}";
            let own = match *client {
                "none" => String::new(),
                name => pair::certificate(name),
            };
            let name = format!("{server}-{client}");
            pairs.client(&name, server, &format!("{version}\n{own}"), "");
        }
    }
    for server in ["client", "revoked", "deep", "deep-revoked"] {
        for (list, more) in [
            ("somebody", ""),
            ("somebody", LEAF_ONLY),
            ("both", ""),
            ("authority", ""),
            ("below", LEAF_ONLY),
            ("late", ""),
            ("early", ""),
            ("other", ""),
            ("impostor", ""),
            ("forged", ""),
            ("root", ""),
        ] {
            let leaf = if more.is_empty() { "" } else { "-leaf" };
            let name = format!("sees-{server}-by-{list}{leaf}");
            pairs.client(&name, server, &rules("ca", list, more), "sni: server.test");
        }
    }
    pairs.client("sees-mute", "mute-server", &rules("mute", "mute", ""), "");
    pairs
}

#[tokio::test]
async fn revocation_lists() {
    let (folder, pairs) = (certificates(), pairs());
    let names = pairs.client_names();
    let cases = names.map(|name| get(&name, "any.test", &format!("/{name}/x")).h1());
    let cases: Vec<Case> = cases.collect();
    check("revoked", pairs.add_to(bootstrap(), folder.root()), cases).await;
}
