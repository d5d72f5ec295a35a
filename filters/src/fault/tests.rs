use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tandem_core::error::Kind;
use tandem_core::ext::{ConnectionInfo, Protocol, StreamInfo};
use tandem_core::stats::Registry;
use tandem_core::{Body, HttpService, Request, Response};
use tandem_model::FractionalPercent;
use tandem_model::filter::fault::{self as model, AbortStatus, Delay, FaultDuration};
use tandem_model::runtime::{RuntimeFraction, RuntimeKey};
use tokio::time::Instant;
use tower::{Layer as _, service_fn};

use super::FaultLayer;

fn config(delay: Option<FaultDuration>, abort: Option<AbortStatus>) -> model::Fault {
    let percentage = RuntimeFraction::from(FractionalPercent::ALL);
    let key = || RuntimeKey::named("test.fault.nothing");
    model::Fault {
        delay: delay.map(|duration| Delay {
            duration,
            duration_key: key(),
            percentage: percentage.clone(),
        }),
        abort: abort.map(|status| model::Abort {
            status,
            status_key: key(),
            percentage: percentage.clone(),
        }),
        upstream_cluster: "".into(),
        headers: Vec::new(),
        downstream_nodes: Vec::new(),
        max_active_faults: None,
        max_active_faults_key: key(),
    }
}

fn service(config: model::Fault, stats: &Registry) -> HttpService {
    let inner = service_fn(|_: Request| async {
        Ok::<_, tandem_core::Error>(Response::new(Body::empty()))
    });
    let layer = FaultLayer::new(Arc::new(config), &stats.http("test"));
    HttpService::new(layer.layer(HttpService::new(inner)))
}

fn request(headers: &[(&'static str, &'static str)]) -> Request {
    let mut builder = http::Request::get("/");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Body::empty()).expect("valid")
}

async fn status(service: &HttpService, request: Request) -> Result<StatusCode, StatusCode> {
    match service.dispatch(request).await {
        Ok(response) => Ok(response.status()),
        Err(error) => match error.kind() {
            Kind::Reply(reply) => Err(reply.status),
            other => panic!("expected a reply, got {other:?}"),
        },
    }
}

/// A fixed delay holds the request back for just as long.
#[tokio::test(start_paused = true)]
async fn a_delay_holds_the_request_back() {
    let stats = Registry::default();
    let delayed = FaultDuration::Fixed(Duration::from_secs(2));
    let service = service(config(Some(delayed), None), &stats);
    let begun = Instant::now();
    assert_eq!(status(&service, request(&[])).await, Ok(StatusCode::OK));
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    assert!(
        stats
            .text(|name| name == "http.test.fault.delays_injected", true)
            .ends_with(": 1\n")
    );
}

#[tokio::test]
async fn an_abort_answers_instead_of_the_upstream() {
    let stats = Registry::default();
    let abort = AbortStatus::Http(StatusCode::IM_A_TEAPOT);
    let service = service(config(None, Some(abort)), &stats);
    assert_eq!(
        status(&service, request(&[])).await,
        Err(StatusCode::IM_A_TEAPOT)
    );
}

/// A request may say its own fault where the configuration lets it, and only then.
#[tokio::test]
async fn headers_decide_when_they_may() {
    let stats = Registry::default();
    let by_header = service(config(None, Some(AbortStatus::Header)), &stats);
    let asked = ("x-envoy-fault-abort-request", "503");
    let never = ("x-envoy-fault-abort-request-percentage", "0");
    let wrong = ("x-envoy-fault-abort-request", "999");
    let unavailable = Err(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status(&by_header, request(&[asked])).await, unavailable);
    assert_eq!(
        status(&by_header, request(&[asked, never])).await,
        Ok(StatusCode::OK)
    );
    assert_eq!(
        status(&by_header, request(&[wrong])).await,
        Ok(StatusCode::OK)
    );
    assert_eq!(status(&by_header, request(&[])).await, Ok(StatusCode::OK));
    let fixed = service(config(None, None), &stats);
    assert_eq!(status(&fixed, request(&[asked])).await, Ok(StatusCode::OK));
}

#[tokio::test]
async fn only_the_named_cluster_is_hit() {
    let stats = Registry::default();
    let abort = Some(AbortStatus::Http(StatusCode::BAD_GATEWAY));
    let service = service(
        model::Fault {
            upstream_cluster: "a".into(),
            ..config(None, abort)
        },
        &stats,
    );
    let to = |cluster: &str| {
        let mut request = request(&[]);
        let connection = ConnectionInfo {
            id: 1,
            listener: "l".into(),
            ..Default::default()
        };
        let info = StreamInfo::new(connection.into(), Protocol::Http11, 1);
        let _ = info.cluster.set(cluster.into());
        request.extensions_mut().insert(Arc::new(info));
        request
    };
    assert_eq!(
        status(&service, to("a")).await,
        Err(StatusCode::BAD_GATEWAY)
    );
    assert_eq!(status(&service, to("b")).await, Ok(StatusCode::OK));
}
