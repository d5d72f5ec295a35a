//! Others' test suites through Tandem: h2spec, gRPC's interop client and server.

mod h2spec;
mod interop;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tandem_harness::{Kind, Proxy, Upstream, ports, proxy};

use crate::oracle::{Listener, bootstrap};

/// Tandem with this listener, called `main`, and a cluster `interop` at a port, if one is given.
async fn start(
    listener: Listener,
    interop: Option<u16>,
) -> (Proxy, BTreeMap<&'static str, u16>, Upstream) {
    let upstream = Upstream::start(&["up", "up2"]).await;
    let mut named = BTreeMap::from([
        ("main", ports::free()),
        ("admin", ports::free()),
        ("dead", ports::free()),
    ]);
    named.insert("up", upstream.ports()[0]);
    named.insert("up2", upstream.ports()[1]);
    let mut config = bootstrap().listener(listener);
    if let Some(port) = interop {
        named.insert("interop", port);
        config = config.cluster_h2("interop", "interop", "");
    }
    let config = config.render(&named, Path::new("/dev/null"));
    let proxy = Proxy::start(Kind::Tandem, &config, named["admin"])
        .await
        .unwrap();
    (proxy, named, upstream)
}

fn tool(name: &str) -> PathBuf {
    let path = proxy::tools().join("bin").join(name);
    assert!(
        path.exists(),
        "expected {}; tests/run installs it",
        path.display()
    );
    path
}
