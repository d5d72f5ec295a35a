//! The two doors: a request that the mesh takes from the wire, and a call that asks the runtime.

use std::collections::BTreeMap;

use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::{CommonInvokeRequest, HttpExtension, InvokeServiceRequest};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::mesh::Mesh;

/// How a call is made.
#[derive(Clone, Copy, Debug)]
pub enum Door {
    /// Plain HTTP to the outbound listener.
    Intercepted,
    /// `InvokeService` over gRPC.
    Invoked,
}

/// What the caller got, and how often.
pub type Answers = BTreeMap<String, usize>;

const CALLERS: usize = 8;

/// Makes `count` calls, [`CALLERS`] at a time.
pub async fn make(door: Door, mesh: &Mesh, count: usize) -> Answers {
    let mut callers = JoinSet::new();
    let channel = Channel::from_shared(format!("http://127.0.0.1:{}", mesh.runtime));
    let channel = channel.unwrap().connect_lazy();
    for _ in 0..CALLERS {
        let (channel, port) = (channel.clone(), mesh.outbound);
        callers.spawn(async move {
            match door {
                Door::Intercepted => intercepted(port, count / CALLERS).await,
                Door::Invoked => invoked(channel, count / CALLERS).await,
            }
        });
    }
    let mut all = Answers::new();
    for answers in callers.join_all().await {
        for (answer, times) in answers {
            *all.entry(answer).or_default() += times;
        }
    }
    all
}

async fn intercepted(port: u16, count: usize) -> Answers {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut stream = BufReader::new(stream);
    let request = "GET /cart?of=me HTTP/1.1\r\nhost: shop\r\nx-asked: yes\r\n\r\n";
    let mut answers = Answers::new();
    for _ in 0..count {
        stream.write_all(request.as_bytes()).await.unwrap();
        let (status, body) = read(&mut stream).await;
        let answer = match status {
            200 => body,
            status => format!("{status} {body}"),
        };
        *answers.entry(answer).or_default() += 1;
    }
    answers
}

async fn read(stream: &mut BufReader<TcpStream>) -> (u16, String) {
    let (mut status, mut length) = (0, 0);
    let mut line = String::new();
    loop {
        line.clear();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "cut off");
        let line = line.trim_end();
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest[..3].parse().unwrap();
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        } else if line.is_empty() {
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            return (status, String::from_utf8(body).unwrap());
        }
    }
}

async fn invoked(channel: Channel, count: usize) -> Answers {
    let mut client = RuntimeClient::new(channel);
    let mut answers = Answers::new();
    let get = HttpExtension {
        verb: 1,
        querystring: "of=me".into(),
    };
    for _ in 0..count {
        let message = CommonInvokeRequest {
            method: "cart".into(),
            http_extension: Some(get.clone()),
            ..CommonInvokeRequest::default()
        };
        let mut request = tonic::Request::new(InvokeServiceRequest {
            id: "shop".into(),
            message: Some(message),
        });
        request
            .metadata_mut()
            .insert("x-asked", "yes".parse().unwrap());
        let answer = match client.invoke_service(request).await {
            Ok(response) => {
                let data = response.into_inner().data.unwrap_or_default();
                String::from_utf8(data.value.to_vec()).unwrap()
            }
            Err(status) => {
                // `http response code 418, body: …`, as the documentation says.
                let text = status
                    .message()
                    .strip_prefix("http response code ")
                    .unwrap();
                assert_eq!(status.code(), tonic::Code::Unavailable);
                text.replacen(", body:", "", 1)
            }
        };
        *answers.entry(answer).or_default() += 1;
    }
    answers
}
