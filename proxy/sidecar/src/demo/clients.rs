//! The two doors as an application uses them: plain HTTP, and the runtime API.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::{
    CommonInvokeRequest, HttpExtension, InvokeResponse, InvokeServiceRequest, http_extension,
};
use tokio::net::TcpStream;
use tonic::transport::Channel;

use super::report::Unexpected;

/// A plain HTTP call by a name of the mesh: the application only knows where its traffic
/// goes out.
pub(super) async fn get(
    outbound: u16,
    host: &str,
    path: &str,
) -> Result<Response<Bytes>, Unexpected> {
    let stream = TcpStream::connect(("127.0.0.1", outbound)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", host)
        .body(Empty::<Bytes>::new())?;
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok(Response::from_parts(
        parts,
        body.collect().await?.to_bytes(),
    ))
}

/// The same call by `InvokeService`.
pub(super) async fn invoke(
    client: &mut RuntimeClient<Channel>,
    id: &str,
    method: &str,
) -> Result<tonic::Response<InvokeResponse>, tonic::Status> {
    let message = CommonInvokeRequest {
        method: method.to_owned(),
        http_extension: Some(HttpExtension {
            verb: http_extension::Verb::Get.into(),
            ..HttpExtension::default()
        }),
        ..CommonInvokeRequest::default()
    };
    client
        .invoke_service(InvokeServiceRequest {
            id: id.to_owned(),
            message: Some(message),
        })
        .await
}
