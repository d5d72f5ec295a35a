use http_body_util::BodyExt as _;
use tandem_core::directory::Directory;
use tandem_core::error::Kind;
use tandem_core::{Body, Error, HttpService, Response, rescue};
use tonic::{Code, Status};

use crate::testing::{call, filter, process, rpc, told};

#[tokio::test]
async fn other_paths_pass_on() {
    let process = process(None).await;
    let service = filter(&process);
    for path in [
        "/",
        "/orders.v1.Orders/Get",
        "/spec.proto.runtime.v1.Other/X",
    ] {
        let request = http::Request::post(path)
            .header("content-type", "application/grpc")
            .body(Body::empty())
            .unwrap();
        let response = service.dispatch(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "not ours");
    }
}

/// A service that nothing takes is named, and what is served instead; other requests that find no
/// route are not touched.
#[tokio::test]
async fn a_service_that_nobody_serves_is_named() {
    let process = process(None).await;
    let nothing = HttpService::new(tower::service_fn(async |_| {
        Err::<Response, _>(Error::new(Kind::NoRoute))
    }));
    let service = process.layer(&Directory::default(), nothing);
    let ask = |path: &str, kind: &str| {
        let request = http::Request::post(path).header("content-type", kind);
        service.dispatch(request.body(Body::empty()).unwrap())
    };
    let path = "/dapr.proto.runtime.v1.Dapr/GetState";
    let error = ask(path, "application/grpc").await.unwrap_err();
    let response = rescue::respond(rescue::reply(&error).unwrap(), true, false);
    let status = Status::from_header_map(response.headers()).unwrap();
    let text = "unknown service dapr.proto.runtime.v1.Dapr: served here are \
        spec.proto.runtime.v1.Runtime, grpc.health.v1.Health, \
        grpc.reflection.v1.ServerReflection, grpc.reflection.v1alpha.ServerReflection";
    assert_eq!(told(&status), (Code::Unimplemented, text, "api"));
    assert_eq!(rescue::reply(&error).unwrap().details, "route_not_found");
    let error = ask(path, "application/json").await.unwrap_err();
    assert!(rescue::reply(&error).unwrap().body.is_empty());
}

#[tokio::test]
async fn rpcs_that_are_not_served_say_so() {
    let process = process(None).await;
    let service = filter(&process);
    let status = rpc::<()>(&service, "GetSecret", &()).await.unwrap_err();
    let text = "GetSecret is not served by this version of the runtime";
    assert_eq!(told(&status), (Code::Unimplemented, text, "api"));
    let status = rpc::<()>(&service, "Fly", &()).await.unwrap_err();
    assert_eq!(
        told(&status),
        (Code::Unimplemented, "unknown method Fly", "api")
    );
}

#[tokio::test]
async fn what_is_not_grpc_is_refused() {
    let process = process(None).await;
    let service = filter(&process);
    let mut request = call("GetState", Body::empty());
    request
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    let error = service.dispatch(request).await.unwrap_err();
    assert_eq!(rescue::reply(&error).unwrap().status, 415);
}

/// The greeting, and the data back.
#[tokio::test]
async fn hello_greets() {
    use tandem_api_proto::layotto::{SayHelloRequest, SayHelloResponse};
    let process = process(None).await;
    let service = filter(&process);
    let data = tandem_api_proto::Any {
        type_url: "t".into(),
        value: "v".into(),
    };
    let mut request = SayHelloRequest {
        service_name: "helloworld".into(),
        name: "Ada".into(),
        data: Some(data.clone()),
    };
    let answer: SayHelloResponse = rpc(&service, "SayHello", &request).await.unwrap();
    assert_eq!(
        (answer.hello.as_str(), answer.data),
        ("hello, Ada", Some(data))
    );
    request.service_name = "nobody".into();
    let status = rpc::<()>(&service, "SayHello", &request).await.unwrap_err();
    assert_eq!(told(&status), (Code::Unknown, "no instance found", "api"));
}
