use tandem_api_proto::layotto::PublishEventRequest;
use tonic::Code;

use crate::testing::{filter, process, rpc, told};

#[tokio::test]
async fn wrong_requests_are_refused() {
    let process = process(None).await;
    let service = filter(&process);
    for (pubsub, topic, text) in [
        ("", "t", "pubsub name is empty"),
        ("pubsub", "", "topic is empty in pubsub pubsub"),
        ("x", "t", "pubsub x not found"),
    ] {
        let request = PublishEventRequest {
            pubsub_name: pubsub.into(),
            topic: topic.into(),
            ..PublishEventRequest::default()
        };
        let status = rpc::<()>(&service, "PublishEvent", &request)
            .await
            .unwrap_err();
        assert_eq!(told(&status), (Code::InvalidArgument, text, "api"));
    }
}
