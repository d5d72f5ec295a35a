use http_body::Body as _;

use super::*;

fn all() -> Vec<(Error, u16, u32, &'static str)> {
    let reset = |reason| Error::upstream_reset(reason, true);
    vec![
        (Error::new(Kind::NoRoute), 404, 12, "NR"),
        (
            Error::new(Kind::ClusterNotFound(StatusCode::SERVICE_UNAVAILABLE)),
            503,
            14,
            "NC",
        ),
        (Error::new(Kind::NoHealthyUpstream), 503, 14, "UH"),
        (Error::new(Kind::Overflow), 503, 14, "UO"),
        (
            Error::new(Kind::ConnectFailure(ConnectFailure::Refused)),
            503,
            14,
            "UF",
        ),
        (
            Error::new(Kind::ConnectFailure(ConnectFailure::Timeout)),
            503,
            14,
            "UF",
        ),
        (reset(ResetReason::Remote), 503, 14, "UR"),
        (reset(ResetReason::RemoteRefused), 503, 14, "UR"),
        (reset(ResetReason::ConnectionTermination), 503, 14, "UC"),
        (reset(ResetReason::Local), 503, 14, "LR"),
        (reset(ResetReason::Protocol), 502, 14, "UPE"),
        (Error::new(Kind::RequestTimeout), 504, 14, "UT"),
        (Error::new(Kind::PerTryTimeout), 504, 14, "UT"),
        (Error::new(Kind::PerTryIdleTimeout), 504, 14, "UT"),
        (Error::new(Kind::StreamIdleTimeout), 408, 2, "SI"),
        (Error::new(Kind::DownstreamRequestTimeout), 408, 2, "-"),
        (Error::new(Kind::MaxStreamDuration), 408, 4, "-"),
    ]
}

/// HTTP and gRPC clients and the log learn the same of every error.
#[test]
fn every_error_has_one_meaning() {
    for (error, status, code, flags) in all() {
        let reply = reply(&error).unwrap();
        assert_eq!(reply.flags.to_string(), flags, "{error}");
        assert!(!reply.details.contains(' '), "{error}: {}", reply.details);
        assert_eq!(
            respond(reply.clone(), false, false).status(),
            status,
            "{error}"
        );
        let grpc = respond(reply, true, false);
        assert_eq!(grpc.status(), 200, "{error}");
        assert_eq!(
            grpc.headers()["grpc-status"],
            code.to_string().as_str(),
            "{error}"
        );
        assert!(grpc.body().is_end_stream(), "{error}");
        let trailers = late_trailers(&error);
        assert_eq!(
            trailers["grpc-status"],
            code.to_string().as_str(),
            "{error}"
        );
    }
}

#[test]
fn nobody_is_answered_who_went_away() {
    assert!(reply(&Error::new(Kind::DownstreamReset)).is_none());
}

/// A HEAD's answer says how long the body would have been, and has none.
#[test]
fn heads_are_answered_without_a_body() {
    let reply = LocalReply::new(StatusCode::FORBIDDEN, "no", "denied").close();
    let response = respond(reply, false, true);
    assert_eq!(response.headers()["content-length"], "2");
    assert_eq!(response.headers()["connection"], "close");
    assert!(response.body().is_end_stream());
}

/// What a reply says may not break a header.
#[test]
fn messages_are_escaped_for_grpc() {
    let reply = LocalReply::new(StatusCode::FORBIDDEN, "a\r\n100% \u{fc}", "denied");
    let response = respond(reply, true, false);
    assert_eq!(response.headers()["grpc-message"], "a%0D%0A100%25 %C3%BC");
}
