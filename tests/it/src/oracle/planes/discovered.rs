//! What comes by itself: filters' settings, scopes, virtual hosts, runtime layers and secrets.

use tandem_harness::certs::Authority;

use super::changes::{LOG, VARIANTS, base};
use super::side::ask;
use super::world::World;
use crate::mesh::resources::routes;
use crate::mesh::{extensions, hosts, layers, scopes};

/// A listener of these tests, with a port of its own in each process and a log.
fn other(text: &str) -> String {
    text.replace("name: main", "name: other")
        .replace("port_value: 0", "port_value: {{other}}")
        .replace(
            "stat_prefix: main",
            &format!("stat_prefix: other{}", LOG.trim_end()),
        )
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_filters_come_as_with_envoy() {
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let listener = other(&extensions::discovering(0, extensions::ADS, ""));
        let start = base(one, two, "one") + &listener;
        let answers = |status, body| [ask(200, "one"), ask(status, body).on("other")];
        world
            .step("a filter waits for its settings", &start, &answers(0, ""))
            .await;
        let aborted = "fault filter abort";
        let text = start.clone() + &extensions::fault(418);
        world
            .step("its settings come", &text, &answers(418, aborted))
            .await;
        let text = start.clone() + &extensions::fault(503);
        world
            .step("its settings change", &text, &answers(503, aborted))
            .await;
        let bad = extensions::fault(503).replace("http_status: 503", "http_status: 99");
        let text = start.clone() + &bad;
        world
            .step("its settings are wrong", &text, &answers(503, aborted))
            .await;
        let text = start.clone() + &extensions::fault(418);
        world
            .step(
                "its settings are right again",
                &text,
                &answers(418, aborted),
            )
            .await;
        world.compared();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_come_as_with_envoy() {
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let listener = other(&scopes::scoped_listener(0));
        let all = listener + &routes("r1", "one") + &routes("r2", "two");
        let start = base(one, two, "one") + &all;
        let x = |status, body| ask(status, body).on("other").with("x-scope", "x");
        let y = |status, body| ask(status, body).on("other").with("x-scope", "y");
        let text = start.clone() + &scopes::scope("a", "x", "r1") + &scopes::scope("b", "y", "r2");
        world
            .step("scopes come", &text, &[x(200, "one"), y(200, "two")])
            .await;
        let text = start.clone() + &scopes::scope("a", "x", "r2");
        world
            .step(
                "a scope changes, another goes",
                &text,
                &[x(200, "two"), y(404, "")],
            )
            .await;
        let text = text + &scopes::scope("b", "x", "r1");
        world
            .step("two scopes of one key", &text, &[x(200, "two")])
            .await;
        world.compared();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn virtual_hosts_come_as_with_envoy() {
    let mut world = World::start("planes", "DELTA_GRPC", "", |o, t| base(o, t, "one")).await;
    let (one, two) = (world.one.port, world.two.port);
    let listener = other(&crate::mesh::resources::listener("main", 0, "v", "main"));
    let start = base(one, two, "one") + &listener + &hosts::open_routes("v");
    let a = |status, body| ask(status, body).on("other");
    let b = |status, body| ask(status, body).on("other").host("b.test");
    let text =
        start.clone() + &hosts::host("v/a", "a.test", "one") + &hosts::host("v/b", "b.test", "two");
    world
        .step("virtual hosts come", &text, &[a(200, "one"), b(200, "two")])
        .await;
    let text = start.clone() + &hosts::host("v/a", "a.test", "two");
    world
        .step(
            "one changes, another goes",
            &text,
            &[a(200, "two"), b(404, "")],
        )
        .await;
    world.compared();
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_come_as_with_envoy() {
    let more = "layered_runtime: { layers: [{ name: planes, rtds_layer: { name: mine, rtds_config: \
                { ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s } } }] }\n";
    for variant in VARIANTS {
        let shared = |one, two| {
            base(one, two, "one").replace(
                "routes: [",
                "routes: [{ match: { prefix: /, runtime_fraction: { runtime_key: gone, \
                 default_value: {} } }, direct_response: { status: 410 } }, ",
            )
        };
        let first = |one, two| shared(one, two) + &layers::layer("100");
        let mut world = World::start("planes", variant, more, first).await;
        let (one, two) = (world.one.port, world.two.port);
        world
            .look("a layer's first values", &first(one, two), &[ask(410, "")])
            .await;
        let text = shared(one, two) + &layers::layer("0");
        world
            .step("a layer changes", &text, &[ask(200, "one")])
            .await;
        let text = shared(one, two) + &layers::layer("{ numerator: 100 }");
        world
            .step("a layer's share is a fraction", &text, &[ask(410, "")])
            .await;
        world.compared();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_come_as_with_envoy() {
    let authority = Authority::new();
    let secret = || {
        let issued = authority.issue(&["a.test"]);
        let indent = |text: &str| text.trim().replace('\n', "\n        ");
        format!(
            "\n- \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n  \
             name: cert\n  tls_certificate:\n    certificate_chain:\n      inline_string: |\n        {}\n    \
             private_key:\n      inline_string: |\n        {}",
            indent(&issued.chain),
            indent(&issued.key)
        )
    };
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let listener = other(&crate::mesh::resources::listener("main", 0, "r", "main")).replace(
            "  filter_chains:\n  - filters:",
            "  filter_chains:\n  - transport_socket:\n      name: tls\n      typed_config:\n        \
             \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n        \
             common_tls_context: { tls_certificate_sds_secret_configs: [{ name: cert, sds_config: \
             { ads: {}, resource_api_version: V3 } }] }\n    filters:",
        );
        let start = base(one, two, "one") + &listener;
        let on_one = [ask(200, "one")];
        world
            .step("a listener waits for a secret", &start, &on_one)
            .await;
        let text = start.clone() + &secret();
        world.step("a secret comes", &text, &on_one).await;
        world
            .step("a secret is rotated", &(start.clone() + &secret()), &on_one)
            .await;
        let bad = secret().replace("-----BEGIN CERT", "-----BEGIN DIRT");
        world
            .step("a secret is wrong", &(start.clone() + &bad), &on_one)
            .await;
        world.compared();
    }
}
