//! The sample service that calls: it takes the demo's steps and tells what it saw.

use std::process::ExitCode;
use std::time::Instant;

use tandem_api_proto::layotto::runtime_client::RuntimeClient;

use super::report::Report;
use super::steps;
use crate::cli::demo::Ports;
use crate::process::Error;
use crate::shutdown::Signals;

/// Takes all steps; then exits, or shows what to try and waits to be ended.
pub(super) async fn run(ports: Ports, once: bool) -> Result<ExitCode, Error> {
    println!("\nshop and stock run, each behind a sidecar of its own. The shop now …\n");
    let begun = Instant::now();
    let failed = |error| {
        Error::system("the shop's runtime API does not answer")(std::io::Error::other(error))
    };
    let endpoint =
        tonic::transport::Endpoint::from_shared(format!("http://127.0.0.1:{}", ports.runtime))
            .map_err(failed)?;
    let mut client = RuntimeClient::new(endpoint.connect().await.map_err(failed)?);
    let mut report = Report::default();
    steps::mesh(&mut report, ports.outbound, &mut client).await;
    steps::blocks(&mut report, &mut client).await;
    let good = report.end();
    println!("in {:.0} ms", begun.elapsed().as_secs_f64() * 1000.0);
    let code = if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    if once {
        return Ok(code);
    }
    // First of all: who reads the addresses may end the demo at once.
    let mut signals = Signals::new().map_err(Error::system("cannot take over signals"))?;
    show_addresses(&ports);
    signals.next().await;
    Ok(code)
}

fn show_addresses(ports: &Ports) {
    let Ports {
        outbound,
        runtime,
        admin,
        ..
    } = ports;
    println!(
        "
Try next:
  curl -i -H 'host: stock' http://127.0.0.1:{outbound}/items/42
  curl -i -H 'host: stock' http://127.0.0.1:{outbound}/unreliable
  curl -i -H 'host: stock' http://127.0.0.1:{outbound}/forbidden
  curl -s http://127.0.0.1:{admin}/clusters
  curl -s 'http://127.0.0.1:{admin}/stats?usedonly&filter=stock'
  grpcurl -plaintext -d '{{\"id\":\"stock\",\"message\":{{\"method\":\"/items/42\",\"http_extension\":{{\"verb\":\"GET\"}}}}}}' \\
    127.0.0.1:{runtime} spec.proto.runtime.v1.Runtime/InvokeService
  grpcurl -plaintext -d '{{\"store_name\":\"statestore\",\"key\":\"cart\"}}' \\
    127.0.0.1:{runtime} spec.proto.runtime.v1.Runtime/GetState
  grpcurl -plaintext 127.0.0.1:{runtime} list

Ctrl-C ends everything."
    );
}
