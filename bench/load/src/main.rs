//! The parts of the load benchmark that `h2load` cannot play; `bench/load/run` calls them.
//!
//! It does not measure the proxy: CPU time and memory are read from `/proc` by the script.

mod args;
mod certs;
mod client;
mod connect;
mod idle;
mod plane;
mod rate;
mod redis_get;
mod relay;
mod schedule;
mod timer;
mod upstream;

use std::process::ExitCode;

use args::Args;

/// Any failure; all of them end the process with their text on stderr.
type Error = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "\
usage: tandem-bench-load COMMAND [--NAME VALUE]...

  rate       requests at a fixed rate, sent when they are due (open loop)
  idle       connections that make one request each and then stay open until stdin ends
  call       one request; its response body goes to stdout
  upstream   a gRPC server that answers every unary call with --size bytes, on --listen
  connect    connections in a closed loop, --conns at a time, one request each
  certs      an authority and two SPIFFE certificates, written into --out
  plane      a control plane: --clusters N of --endpoints N each, on --listen; the one listener is on
             --proxy-port and leads to --upstream-port; `update COUNT` on stdin changes endpoints
  relay      passes on what arrives on --listen to --to, by epoll_wait, recv and send: the floor of proxies
  redis-get  a minimal tonic server: GetState is one Redis GET, on --listen, from --redis

rate, idle, connect and call take:
  --connect ADDR --proto h1|h2|grpc [--authority HOST] [--path PATH] [--method NAME]
  [--body FILE] [--expect BYTES] [--conns N] [--streams N]
connect also takes: [--warmup SECONDS] [--seconds SECONDS]
rate also takes: --rate N [--warmup SECONDS] [--seconds SECONDS] [--seed N]";

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let local = tokio::task::LocalSet::new();
    match local.block_on(&runtime, run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn run() -> Result<(), Error> {
    let mut words = std::env::args().skip(1);
    let command = words.next().ok_or(USAGE)?;
    let args = Args::parse(words)?;
    match command.as_str() {
        "rate" => rate::run(&args).await,
        "idle" => idle::run(&args).await,
        "call" => client::call(&args).await,
        "upstream" => upstream::run(&args).await,
        "connect" => connect::run(&args).await,
        "certs" => certs::run(&args),
        "plane" => plane::run(&args).await,
        "relay" => relay::run(&args),
        "redis-get" => redis_get::run(&args).await,
        _ => Err(USAGE.into()),
    }
}

fn fail(error: &Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
