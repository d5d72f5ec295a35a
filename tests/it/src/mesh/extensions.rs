//! Filters whose settings come by themselves (ECDS), and filters that are optional.

use super::*;

const TYPES: &str = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";

/// A listener with a filter whose settings are discovered.
pub fn discovering(port: u16, source: &str, more: &str) -> String {
    let filter = format!(
        "http_filters:\n        - name: x\n          config_discovery: {{ config_source: {source}, \
         type_urls: [{TYPES}]{more} }}"
    );
    listener("main", port, "r", "main").replace("http_filters:", &filter)
}

/// Settings that answer every request so.
pub fn fault(status: u16) -> String {
    format!(
        r#"
- "@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig
  name: x
  typed_config: {{ "@type": {TYPES}, abort: {{ http_status: {status}, percentage: {{ numerator: 100 }} }} }}"#
    )
}

pub const ADS: &str = "{ ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s }";

async fn status(kept: &mut Connection) -> u16 {
    kept.send(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
        .await
        .unwrap();
    let response = kept.response("GET").await.unwrap();
    assert_eq!(connection(&response), None);
    response.status
}

/// A listener waits for them; those that come later hold on connections that are open, and what
/// is wrong is refused by name while the last good ones go on.
#[tokio::test]
async fn settings_of_filters_come_by_themselves() {
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        let port = ports::free();
        let said_before = said(mesh.port, &mesh.one, &mesh.two, "one");
        let second = discovering(port, ADS, "").replace("name: main", "name: second");
        let say = |more: &str| {
            mesh.plane
                .say(&[said_before.as_str(), second.as_str(), more].concat());
        };
        say("");
        mesh.plane.accepted().await;
        assert!(h1::get(port, "/").await.is_err(), "it did not wait");
        say(&fault(418));
        mesh.plane.accepted().await;
        let mut kept = Connection::open(port).await.unwrap();
        assert_eq!(status(&mut kept).await, 418);
        say(&fault(503));
        mesh.plane.accepted().await;
        assert_eq!(status(&mut kept).await, 503);

        let abort = ", abort: { http_status: 200, percentage: { numerator: 100 } }";
        let wrong = fault(200).replace(abort, "");
        let wrong = wrong.replace("http.fault.v3.HTTPFault", "http.rbac.v3.RBAC");
        say(&wrong);
        mesh.plane
            .refused("x: typed_config: expected one of the type_urls that listener 'second' takes")
            .await;
        assert_eq!(status(&mut kept).await, 503);
        let dump = mesh.proxy.admin("/config_dump?resource=ecds_filters").await;
        assert!(
            dump.contains("\"ecds_filter\"") && dump.contains("\"error_state\""),
            "{dump}"
        );
        say(&fault(418));
        mesh.plane.accepted().await;
        assert_eq!(status(&mut kept).await, 418);
    }
}

/// From a file, and without one: nobody passes a filter that is not known, but where a default
/// holds.
#[tokio::test]
async fn without_settings_nobody_passes_unless_there_is_a_default() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("x.yaml");
    std::fs::write(&path, "resources: []\n").unwrap();
    let mesh = Mesh::start("GRPC").await;
    let before = said(mesh.port, &mesh.one, &mesh.two, "one");
    let source = format!(
        "{{ path_config_source: {{ path: {} }}, resource_api_version: V3, initial_fetch_timeout: 0.2s }}",
        path.display()
    );
    let [bare, default] = [ports::free(), ports::free()];
    let fault_of_its_own = format!(
        ", default_config: {{ \"@type\": {TYPES}, abort: {{ http_status: 402, percentage: {{ numerator: 100 }} }} }}, \
         apply_default_config_without_warming: true"
    );
    let listeners = [
        discovering(bare, &source, "").replace("name: main", "name: bare"),
        discovering(default, &source, &fault_of_its_own).replace("name: main", "name: default"),
    ];
    mesh.plane.say(&(before + &listeners.concat()));
    mesh.plane.accepted().await;
    let answered = |port: u16, expected: u16| async move {
        wait::until_async(wait::PATIENCE, || async {
            h1::get(port, "/")
                .await
                .is_ok_and(|(status, _)| status == expected)
        })
        .await
    };
    assert!(answered(default, 402).await);
    assert!(answered(bare, 500).await);
    let new = folder.path().join("new");
    std::fs::write(&new, format!("resources:{}", fault(418))).unwrap();
    std::fs::rename(&new, &path).unwrap();
    assert!(answered(bare, 418).await);
    assert!(answered(default, 418).await);
}

/// A filter of a type that is not supported is skipped where it is optional, and refused where it
/// is not.
#[tokio::test]
async fn optional_filters_may_be_unknown() {
    let mesh = Mesh::start("DELTA_GRPC").await;
    let with = |optional: bool| {
        let unknown = format!(
            "http_filters:\n        - name: guard\n          is_optional: {optional}\n          \
             typed_config: {{ \"@type\": type.googleapis.com/xds.type.v3.TypedStruct, type_url: a.b/C }}"
        );
        let port = ports::free();
        let text = listener("second", port, "r", "second").replace("http_filters:", &unknown);
        (port, said(mesh.port, &mesh.one, &mesh.two, "one") + &text)
    };
    let (port, text) = with(false);
    mesh.plane.say(&text);
    mesh.plane
        .refused("second: filter_chains[0].filters[0].typed_config.http_filters[0].typed_config: filter 'guard' of type")
        .await;
    assert!(h1::get(port, "/").await.is_err());
    let (port, text) = with(true);
    mesh.plane.say(&text);
    mesh.plane.accepted().await;
    assert_eq!(h1::get(port, "/").await.unwrap().0, 200);
    let told = "an optional filter is not supported";
    mesh.proxy.process.wait_for_output(told).await;
}
