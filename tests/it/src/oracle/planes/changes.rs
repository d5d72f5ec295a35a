//! The first configuration, and changes one after the other.

use super::side::ask;
use super::world::World;
use crate::mesh::resources::{cluster, endpoints, listener, routes};

/// The variants of the protocol.
pub const VARIANTS: [&str; 2] = ["GRPC", "DELTA_GRPC"];

/// An access log.
pub const LOG: &str = r#"
        access_log:
        - name: file
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
            path: "{{log}}"
            log_format:
              json_format:
                code: "%RESPONSE_CODE%"
                flags: "%RESPONSE_FLAGS%"
                details: "%RESPONSE_CODE_DETAILS%"
                cluster: "%UPSTREAM_CLUSTER%"
                upstream_host: "%UPSTREAM_HOST%"
                route: "%ROUTE_NAME%"
                path: "%REQ(:PATH)%"
"#;

/// A listener that logs, by routes `route`.
pub fn logging(name: &str, route: &str) -> String {
    let text = listener(name, 0, route, name);
    let text = text.replace("port_value: 0", &format!("port_value: {{{{{name}}}}}"));
    let prefix = format!("stat_prefix: {name}");
    text.replace(&prefix, &format!("{prefix}{}", LOG.trim_end()))
}

/// Clusters `one` and `two`, listener `main` and its routes `r` to a cluster.
pub fn base(one: u16, two: u16, target: &str) -> String {
    [
        cluster("one"),
        cluster("two"),
        endpoints("one", &[one]),
        endpoints("two", &[two]),
        logging("main", "r"),
        routes("r", target),
    ]
    .concat()
}

/// Routes, clusters and endpoints come, change and go.
#[tokio::test(flavor = "multi_thread")]
async fn changes_land_as_with_envoy() {
    for variant in VARIANTS {
        let mut world = World::start("planes", variant, "", |o, t| base(o, t, "one")).await;
        let (one, two) = (world.one.port, world.two.port);
        let start = base(one, two, "one");
        let on_one = [ask(200, "one")];
        world.look("the first configuration", &start, &on_one).await;
        let moved = base(one, two, "two");
        world
            .step("a route moves", &moved, &[ask(200, "two")])
            .await;
        world.step("it moves back", &start, &on_one).await;

        let more = start.clone() + &cluster("three") + &endpoints("three", &[two]);
        world.step("a cluster is added", &more, &on_one).await;
        let more = more.replace("cluster: one", "cluster: three");
        world
            .step("routes take it", &more, &[ask(200, "two")])
            .await;
        let gone = start.replace("cluster: one", "cluster: three");
        world
            .step("it goes, and routes still name it", &gone, &[ask(503, "")])
            .await;
        world.step("all as before", &start, &on_one).await;

        let none = start.replace(&endpoints("one", &[one]), &endpoints("one", &[]));
        let unhealthy = [ask(503, "no healthy upstream")];
        world.step("no endpoints are left", &none, &unhealthy).await;
        world.step("endpoints are back", &start, &on_one).await;
        world.compared();
    }
}
