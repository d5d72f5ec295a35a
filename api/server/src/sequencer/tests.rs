use tandem_api_proto::layotto::{GetNextIdRequest, GetNextIdResponse, SequencerOptions};
use tonic::Code;

use crate::testing::{filter, process, rpc, told};

fn request(key: &str, increment: Option<i32>) -> GetNextIdRequest {
    GetNextIdRequest {
        store_name: "sequencer".into(),
        key: key.into(),
        options: increment.map(|increment| SequencerOptions { increment }),
        ..GetNextIdRequest::default()
    }
}

#[tokio::test]
async fn ids_begin_at_one_weak_and_strong() {
    let process = process(None).await;
    let service = filter(&process);
    for (key, increment) in [("absent", None), ("weak", Some(0)), ("strong", Some(1))] {
        for expected in 1..10 {
            let request = request(key, increment);
            let id: GetNextIdResponse = rpc(&service, "GetNextId", &request).await.unwrap();
            assert_eq!(id.next_id, expected);
        }
    }
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let process = process(None).await;
    let service = filter(&process);
    let mut unknown = request("k", None);
    unknown.store_name = "x".into();
    for (request, code, text) in [
        (
            request("", None),
            Code::InvalidArgument,
            "Key is empty in sequencer store sequencer",
        ),
        (
            unknown,
            Code::InvalidArgument,
            "Sequencer store x not found",
        ),
        (
            request("k", Some(7)),
            Code::Unknown,
            "Options.Increment is illegal.",
        ),
    ] {
        let status = rpc::<()>(&service, "GetNextId", &request)
            .await
            .unwrap_err();
        assert_eq!(told(&status), (code, text, "api"));
    }
}
