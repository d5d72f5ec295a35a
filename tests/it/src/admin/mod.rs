//! The administration interface beside Envoy's: what is asked for is done or refused, never
//! ignored.

mod endings;
mod logging;
mod options;
mod pages;

use tandem_harness::client::{Response, h1};
use tandem_harness::{Kind, Proxy, ports};

const BOOTSTRAP: &str = include_str!("bootstrap.yaml");

/// A proxy with an inbound and an outbound listener, and a cluster of several endpoints.
struct Side {
    proxy: Proxy,
    inbound: u16,
    outbound: u16,
}

impl Side {
    async fn start(kind: Kind, more: &[&str]) -> Self {
        let [inbound, outbound, admin] = [(); 3].map(|()| ports::free());
        let text = BOOTSTRAP
            .replace("ADMIN", &admin.to_string())
            .replace("INBOUND_PORT", &inbound.to_string())
            .replace("OUTBOUND_PORT", &outbound.to_string());
        let folder = tempfile::TempDir::new().unwrap();
        let config = folder.path().join("bootstrap.yaml");
        std::fs::write(&config, text).unwrap();
        let mut command = kind.command(&config);
        command.args(more);
        let proxy = Proxy::launch(&format!("{kind:?}"), &mut command, folder, admin).await;
        Self {
            proxy: proxy.unwrap(),
            inbound,
            outbound,
        }
    }

    /// What the admin interface answers.
    async fn ask(&self, method: &str, path: &str) -> Response {
        let mut connection = h1::Connection::open(self.proxy.admin).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: 0\r\n\r\n"
        );
        connection.send(request.as_bytes()).await.unwrap();
        connection.response(method).await.unwrap()
    }
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}
