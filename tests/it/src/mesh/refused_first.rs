//! The first answer is refused: as with Envoy nobody waits for another, and what is right when it
//! comes after all is served.

use envoy_types::pb::google::protobuf::Any;

use tandem_harness::certs::Authority;

use super::plane::Stray;
use super::*;

const ROOTS: &str = "\n- \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n  \
                     name: roots\n  validation_context: { trusted_ca: { inline_string: DIRT } }";

/// What is wrong in the first answer, what is answered then, and the line that counts the refusal.
struct Case {
    right: String,
    wrong: String,
    /// 0: nothing listens.
    status: u16,
    counted: &'static str,
}

fn cases(port: u16, backend: u16) -> Vec<Case> {
    let clusters = cluster("one");
    let listeners = listener("main", port, "r", "main");
    let right = [
        clusters.clone(),
        listeners.clone(),
        endpoints("one", &[backend]),
        routes("r", "one"),
    ]
    .concat();
    let case = |from: &str, to: &str, status, counted| Case {
        wrong: right.replace(from, to),
        right: right.clone(),
        status,
        counted,
    };
    let port = format!("port_value: {backend}");
    let plain = "type: EDS";
    let secured = "type: EDS\n  transport_socket:\n    name: tls\n    typed_config:\n      \
                   \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n      \
                   common_tls_context: { validation_context_sds_secret_config: { name: roots, sds_config: \
                   { ads: {}, resource_api_version: V3 } } }";
    let discovering = extensions::discovering(0, extensions::ADS, "");
    let discovering = discovering.replace(
        "port_value: 0",
        &format!("port_value: {}", main(&listeners)),
    );
    let filtered = right.replace(&listeners, &discovering);
    vec![
        case(
            &port,
            "port_value: 70000",
            503,
            "cluster.one.update_rejected: 1",
        ),
        case(
            "domains: [\"*\"]",
            "domains: []",
            404,
            "http.main.rds.r.update_rejected: 1",
        ),
        case(
            "connect_timeout: 2s",
            "connect_timeout: 0s",
            503,
            "cluster_manager.cds.update_rejected: 1",
        ),
        case(
            "stat_prefix: main",
            "stat_prefix: ''",
            0,
            "listener_manager.lds.update_rejected: 1",
        ),
        Case {
            wrong: right.replace(plain, secured) + ROOTS,
            right: right.replace(plain, secured) + &ROOTS.replace("DIRT", &roots()),
            status: 503,
            counted: "sds.roots.update_rejected: 1",
        },
        Case {
            wrong: filtered.clone() + &extensions::fault(99),
            right: filtered + &extensions::fault(200),
            status: 500,
            counted: "extension_config_discovery.http_filter.x.update_rejected: 1",
        },
    ]
}

/// Roots in one line.
fn roots() -> String {
    let pem = Authority::new().pem;
    format!("\"{}\"", pem.replace('\n', "\\n"))
}

/// The port of a listener.
fn main(listener: &str) -> &str {
    let (_, rest) = listener.split_once("port_value: ").unwrap();
    rest.split_once(' ').unwrap().0
}

/// Whatever is asked for is waited for without an end.
fn patient(text: &str) -> String {
    let all = "{ ads: {}, resource_api_version: V3 }";
    text.replace(all, extensions::ADS)
}

#[tokio::test]
async fn a_refused_first_answer_ends_the_wait_as_with_envoy() {
    for (kind, variant) in [Kind::Envoy, Kind::Tandem]
        .map(|kind| VARIANTS.map(|variant| (kind, variant)))
        .concat()
    {
        let one = Backend::start("one").await;
        for number in 0..cases(1, one.port).len() {
            let plane = Plane::start().await;
            let [port, admin] = [ports::free(), ports::free()];
            let case = cases(port, one.port).swap_remove(number);
            let name = format!("{kind:?} {variant} {}", case.counted);
            plane.say(&patient(&case.wrong));
            let config = bootstrap(variant, plane.port, admin);
            let proxy = Proxy::start(kind, &config, admin).await;
            let proxy = proxy.unwrap_or_else(|error| panic!("{name}: {error}"));
            let page = || proxy.admin("/stats");
            let counted = wait::until_async(wait::PATIENCE, || async {
                page().await.contains(&format!("{}\n", case.counted))
            });
            let counted = counted.await;
            assert!(counted, "{name}: {}", page().await);
            let of_it = case.counted.trim_end_matches("update_rejected: 1");
            let never = format!("{of_it}update_success: 0\n");
            assert!(page().await.contains(&never), "{name}: {}", page().await);
            let answered = wait::until_async(wait::PATIENCE, || async {
                let answer = h1::get(port, "/").await;
                answer.map_or(0, |(status, _)| status) == case.status
            });
            let answered = answered.await;
            assert!(answered, "{name}: {:?}", h1::get(port, "/").await);
            plane.say(&patient(&case.right));
            // The backend does not speak TLS, with any roots.
            let then = if case.right.contains("roots") {
                503
            } else {
                200
            };
            let served = wait::until_async(wait::PATIENCE, || async {
                let answer = h1::get(port, "/").await;
                !page().await.contains(&never) && answer.is_ok_and(|(status, _)| status == then)
            });
            assert!(served.await, "{name}: {}", proxy.process.output());
        }
    }
}

/// Nobody knows what was in it: all that is waited for of its kind may have been.
#[tokio::test]
async fn an_unreadable_first_answer_ends_the_wait_as_with_envoy() {
    let url = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
    for kind in [Kind::Envoy, Kind::Tandem] {
        let one = Backend::start("one").await;
        let plane = Plane::start().await;
        let [port, admin] = [ports::free(), ports::free()];
        let all = [
            cluster("one"),
            listener("main", port, "r", "main"),
            routes("r", "one"),
        ];
        let all = patient(&all.concat());
        plane.say(&all);
        let config = bootstrap("GRPC", plane.port, admin);
        let starting = tokio::spawn(async move { Proxy::start(kind, &config, admin).await });
        let asked = || plane.told("me").names.contains_key(url);
        assert!(wait::until(wait::PATIENCE, asked).await, "{kind:?}");
        plane.stray(Stray {
            url: url.to_owned(),
            nonce: "stray".to_owned(),
            resources: vec![Any {
                type_url: url.to_owned(),
                // A field that ends behind the message.
                value: b"\x0a\x7fx".to_vec(),
            }],
        });
        let proxy = starting.await.unwrap();
        let _proxy = proxy.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(h1::get(port, "/").await.unwrap().0, 503, "{kind:?}");
        plane.say(&(all + &endpoints("one", &[one.port])));
        let served = wait::until_async(wait::PATIENCE, || async {
            h1::get(port, "/")
                .await
                .is_ok_and(|(status, _)| status == 200)
        });
        assert!(served.await, "{kind:?}");
    }
}
