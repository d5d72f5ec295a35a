use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tandem_model::format::{Format, JsonFormat, JsonSource, TimeFormat};

use super::*;
use crate::ResponseFlags;
use crate::ext::{ConnectionInfo, Protocol};

fn info() -> StreamInfo {
    let connection = Arc::new(ConnectionInfo {
        id: 7,
        remote: "10.0.0.1:1234".parse().ok(),
        local: "10.0.0.2:80".parse().ok(),
        listener: "in".into(),
        ..Default::default()
    });
    let mut info = StreamInfo::new(connection, Protocol::Http11, 1);
    info.start_time = UNIX_EPOCH + Duration::from_millis(1_769_903_999_123);
    info
}

fn line(format: &str, context: &Context<'_>) -> String {
    let mut out = Vec::new();
    write(&Format::parse(format).expect("valid"), context, &mut out);
    String::from_utf8(out).expect("text")
}

#[test]
fn text_formats_say_what_is_known_and_a_dash_for_what_is_not() {
    let info = info();
    info.add_flags(ResponseFlags::NO_ROUTE);
    let request = Request::get("/p?q=1")
        .header("host", "h")
        .header("x", "abcdef")
        .body(());
    let request = request.expect("valid");
    let headers = HeaderMap::new();
    let context = Context {
        info: &info,
        request: Some(LiveRequest::of(&request)),
        response: Some((StatusCode::NOT_FOUND, &headers)),
        trailers: None,
        duration: Some(Duration::from_millis(12)),
    };
    for (format, expected) in [
        ("%START_TIME%", "2026-01-31T23:59:59.123Z"),
        (
            "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)%",
            "GET /p?q=1 h",
        ),
        ("%REQ(y?x):3%", "abc"),
        ("%REQ(y)%", "-"),
        ("%RESPONSE_CODE% %RESPONSE_FLAGS% %DURATION%", "404 NR 12"),
        (
            "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_PORT%",
            "10.0.0.1:1234 80",
        ),
        ("%UPSTREAM_HOST%|%GRPC_STATUS%", "-|-"),
    ] {
        assert_eq!(line(format, &context), expected, "{format}");
    }
}

#[test]
fn the_logged_authority_is_the_one_that_went_on() {
    let mut info = info();
    info.capture = Some(Arc::default());
    let request = Request::get("/p").header("host", "asked.test").body(());
    let request = request.expect("valid");
    info.capture_received(request.method(), request.uri(), request.headers());
    let authority = |info: &StreamInfo| {
        let context = Context {
            info,
            request: None,
            response: None,
            trailers: None,
            duration: None,
        };
        line("%REQ(:AUTHORITY)%", &context)
    };
    assert_eq!(authority(&info), "asked.test");
    for endpoint in ["one.test", "another.test"] {
        info.endpoint_authority.store(Some(Arc::from(endpoint)));
        assert_eq!(authority(&info), endpoint);
    }
}

#[test]
fn json_keeps_types_and_escapes_what_came_from_outside() {
    let info = info();
    let request = Request::get("/").header("x", HeaderValue::from_bytes(b"a\"b\\\xff").expect("v"));
    let request = request.body(()).expect("valid");
    let context = Context {
        info: &info,
        request: Some(LiveRequest::of(&request)),
        response: None,
        trailers: None,
        duration: Some(Duration::from_millis(3)),
    };
    let string = |text: &str| JsonSource::String(text.to_owned());
    let root = [
        ("a".to_owned(), string("%REQ(x)%")),
        ("b".to_owned(), string("%DURATION%")),
        ("c".to_owned(), string("%REQ(y)%")),
        ("d".to_owned(), string("%DURATION% ms")),
    ];
    let mut out = Vec::new();
    write_json(
        &JsonFormat::parse(&root, false).expect("valid"),
        &context,
        &mut out,
    );
    let expected = "{\"a\":\"a\\\"b\\\\\u{fffd}\",\"b\":3,\"c\":null,\"d\":\"3 ms\"}\n";
    assert_eq!(String::from_utf8(out).expect("text"), expected);
}

#[test]
fn times_are_written_as_strftime_writes_them() {
    let time = UNIX_EPOCH + Duration::new(1_709_164_800, 5_000_000);
    for (pattern, expected) in [
        ("%Y-%m-%d %H:%M:%S.%3f", "2024-02-29 00:00:00.005"),
        ("%a %b %j %s", "Thu Feb 060 1709164800"),
    ] {
        let mut out = Vec::new();
        super::time::write(Some(&TimeFormat::parse(pattern)), time, &mut out);
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}

#[test]
fn parts_of_the_path_are_told_alone() {
    let info = info();
    let request = Request::get("/p?a=%41+x%zz&b")
        .header("x-envoy-original-path", "/was?it=1")
        .body(());
    let request = request.expect("valid");
    let context = Context {
        info: &info,
        request: Some(LiveRequest::of(&request)),
        response: None,
        trailers: None,
        duration: None,
    };
    for (format, expected) in [
        (
            "%PATH%|%PATH(NQ)%|%PATH(:PATH)%",
            "/was?it=1|/was|/p?a=%41+x%zz&b",
        ),
        ("%PATH(NQ:PATH)%|%PATH(NQ:ORIG)%", "/p|/was"),
        (
            "%QUERY_PARAM(a)%|%QUERY_PARAM(b)%|%QUERY_PARAM(c)%",
            "A+x%zz||-",
        ),
        ("%QUERY_PARAMS(ORIG)%", "a=%41+x%zz&b"),
    ] {
        assert_eq!(line(format, &context), expected, "{format}");
    }
}

/// Of what is left empty nothing is left, as in Envoy.
#[test]
fn objects_without_members_are_left_out_with_them() {
    let info = info();
    let context = Context {
        info: &info,
        request: None,
        response: None,
        trailers: None,
        duration: None,
    };
    let missing = || JsonSource::String("%REQ(x)%".to_owned());
    let inner = JsonSource::Object(vec![("i".to_owned(), missing())]);
    let list = JsonSource::Array(vec![missing(), inner.clone()]);
    let source = [
        ("a".to_owned(), inner),
        ("b".to_owned(), list),
        ("d".to_owned(), JsonSource::String("%REQ(x)%-x".to_owned())),
    ];
    for (omit, expected) in [
        (true, "{\"b\":[],\"d\":\"-x\"}\n"),
        (
            false,
            "{\"a\":{\"i\":null},\"b\":[null,{\"i\":null}],\"d\":\"--x\"}\n",
        ),
    ] {
        let mut out = Vec::new();
        let format = JsonFormat::parse(&source, omit).expect("valid");
        write_json(&format, &context, &mut out);
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
