use http_body_util::BodyExt as _;
use tandem_api_proto::Message as _;
use tandem_core::{HttpService, Response};
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::grpc::unframe;
use crate::testing::{call, filter, frame, process, read};

async fn ask(service: &HttpService, method: &str, subject: &str) -> Response {
    let question = HealthCheckRequest {
        service: subject.into(),
    };
    let mut request = call("", frame(&question));
    *request.uri_mut() = format!("http://x/grpc.health.v1.Health/{method}")
        .parse()
        .unwrap();
    service.dispatch(request).await.unwrap()
}

async fn check(service: &HttpService, subject: &str) -> Result<i32, Status> {
    let answer = read::<HealthCheckResponse>(ask(service, "Check", subject).await).await;
    answer.map(|(_, answer)| answer.status)
}

#[tokio::test]
async fn the_runtime_and_its_components_tell_their_health() {
    let process = process(None).await;
    let service = filter(&process);
    while check(&service, "statestore").await.unwrap() != 1 {
        tokio::task::yield_now().await;
    }
    for subject in ["", "spec.proto.runtime.v1.Runtime"] {
        assert_eq!(check(&service, subject).await.unwrap(), 1);
    }
    let unknown = check(&service, "nobody").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    process.close();
    assert_eq!(check(&service, "").await.unwrap(), 2);
}

#[tokio::test]
async fn a_watcher_is_told_of_changes() {
    let process = process(None).await;
    let service = filter(&process);
    let mut body = ask(&service, "Watch", "").await.into_body();
    for expected in [1, 2] {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let answer = HealthCheckResponse::decode(unframe(frame).unwrap()).unwrap();
        assert_eq!(answer.status, expected);
        process.close();
    }
}
