use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_request::MessageRequest,
};

use crate::testing::{call, filter, frame, process};

/// The services are named, in both versions of the protocol.
#[tokio::test]
async fn services_are_listed() {
    use http_body_util::BodyExt as _;
    let process = process(None).await;
    let service = filter(&process);
    for version in ["v1", "v1alpha"] {
        let question = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut request = call("", frame(&question));
        *request.uri_mut() =
            format!("http://x/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
                .parse()
                .unwrap();
        let response = service.dispatch(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("spec.proto.runtime.v1.Runtime"), "{text}");
        assert!(text.contains("grpc.health.v1.Health"), "{text}");
    }
}
