use http_body_util::BodyExt as _;
use tandem_core::{Body, rescue};
use tonic::Code;

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
