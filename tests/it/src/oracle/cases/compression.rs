//! The compressor: which responses it takes, in which coding, and what becomes of their heads.

use crate::oracle::{Case, bootstrap, check, get, listener, post, send};

/// A compressor named for its coding, with more fields.
fn compressor(name: &str, library: &str, fields: &str) -> String {
    let package = library.to_lowercase();
    format!(
        r#"
- name: {name}
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor
    compressor_library:
      name: text
      typed_config: {{"@type": type.googleapis.com/envoy.extensions.compression.{package}.compressor.v3.{library}}}
    {fields}
"#
    )
}

fn all(zstd: &str) -> String {
    let response = "response_direction_config: {}";
    let lines = [
        compressor("br", "Brotli", response),
        compressor("zstd", "Zstd", &format!("{response}\n    {zstd}")),
        compressor("gzip", "Gzip", response),
    ];
    lines.concat()
}

const ACCEPTED: &[&str] = &[
    "gzip",
    "br",
    "zstd",
    "gzip, br",
    "gzip;q=0.5, br;q=0.8",
    "gzip ; Q = 0.5 , zstd",
    "*",
    "br;q=0, *",
    "*, gzip",
    "gzip, *;q=0.5",
    "identity, gzip;q=0.1",
    "gzip, identity",
    "deflate",
    "gzip;q=x",
    "gzip;q=1.0;x=y",
    "gzip;q=0",
    "GZIP",
    ",",
];

const HEADS: &[&str] = &[
    "200 body=29 header=content-type:text/plain",
    "200 body=30 header=content-type:text/plain",
    "200 body=40000 header=content-type:text/plain",
    "200 body=40000 chunked header=content-type:application/json",
    "200 body=400 eof header=content-type:text/css",
    "200 body=400 header=content-type:Text/Plain;+charset=utf-8",
    "200 body=400 header=content-type:image/png",
    "200 body=400",
    "200 nobody header=content-type:text/plain",
    "200 body=400 chunked header=content-type:text/plain trailer=x-end:yes",
    "200 body=400 pause=50 header=content-type:text/plain",
    "200 body=400 break=mid header=content-type:image/png",
    "200 body=400 header=content-type:text/plain header=vary:Origin",
    "200 body=400 header=content-type:text/plain header=vary:Accept-Encoding,+Origin",
    "200 body=400 header=content-type:text/plain header=vary:a header=vary:accept-encoding",
    "200 body=400 header=content-type:text/plain header=etag:\"x\"",
    "200 body=400 header=content-type:text/plain header=etag:W/\"x\"",
    "200 body=400 header=content-type:text/plain header=cache-control:public,+No-Transform",
    "200 body=400 header=content-type:text/plain header=content-encoding:identity",
    "200 body=400 header=content-type:application/grpc",
    "204 nobody header=content-type:text/plain",
    "304 nobody header=content-type:text/plain",
    "206 body=400 header=content-type:text/plain",
    "503 body=400 header=content-type:text/plain",
];

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let plain = "200 body=400 header=content-type:text/plain";
    for on in ["main", "first"] {
        for accepted in ACCEPTED {
            let case = get(
                &format!("{on}: accept-encoding: {accepted}"),
                "any.test",
                "/x",
            );
            all.push(case.on(on).h("accept-encoding", accepted).script(plain));
        }
    }
    all.push(get("accepts nothing", "any.test", "/x").script(plain));
    for on in ["main", "strict", "old", "some"] {
        for head in HEADS {
            let case = get(&format!("{on}: {head}"), "any.test", "/x").on(on);
            all.push(case.h("accept-encoding", "gzip").script(head));
        }
        let head = send(&format!("{on}: HEAD"), "HEAD", "any.test", "/x").on(on);
        all.push(head.h("accept-encoding", "gzip").script(plain));
    }
    let off = get("off", "any.test", "/x").on("requests");
    all.push(off.h("accept-encoding", "gzip").script(plain));
    let body = [b'x'; 400];
    let sent = |name: &str| post(name, "any.test", "/x", &body).on("requests");
    all.extend([
        sent("a request of another type").h("content-type", "image/png"),
        sent("a request that is encoded")
            .h("content-type", "text/plain")
            .h("content-encoding", "br"),
        get("a request without a body", "any.test", "/x").on("requests"),
    ]);
    // Two compressors write other bytes for the same.
    let sizes = |case: Case| case.differs("log.0.bytes_out", "compressors of two makes");
    all.into_iter().map(sizes).collect()
}

#[tokio::test]
async fn compression() {
    let filters = |name, filters: &str| {
        let routes = "- {match: {prefix: /}, route: {cluster: up}}";
        listener(name).filters(filters).route_list(routes)
    };
    let gzip = |fields| compressor("gzip", "Gzip", fields);
    let bootstrap = bootstrap()
        .listener(filters("main", &all("")))
        .listener(filters("first", &all("choose_first: true")))
        .listener(filters(
            "strict",
            &gzip("response_direction_config: {disable_on_etag_header: true, remove_accept_encoding_header: true, uncompressible_response_codes: [206, 503]}"),
        ))
        .listener(filters("old", &gzip("content_length: 100")))
        .listener(filters(
            "some",
            &gzip("response_direction_config: {common_config: {min_content_length: 100, content_type: [image/png, text/plain]}}"),
        ))
        .listener(filters(
            "requests",
            &gzip("request_direction_config: {}\n    response_direction_config: {common_config: {enabled: {default_value: false, runtime_key: compress}}}"),
        ));
    check("compression", bootstrap, cases()).await;
}
