//! What is said of a process, held against what that does with the same request.

use serde_json::Value;
use tandem_harness::certs::{Authority, Folder};
use tandem_harness::client::h1::Connection;
use tandem_harness::{Kind, Proxy, ports};

use super::{asked, explain, said};
use crate::mesh::backend::Backend;

struct World {
    proxy: Proxy,
    folder: Folder,
    backend: Backend,
    plain: u16,
    guarded: u16,
}

impl World {
    async fn start() -> Self {
        let (folder, authority) = (Folder::new(), Authority::new());
        folder.write("ca.crt", &authority.pem);
        for name in ["a", "b"] {
            folder.put(name, &authority.issue(&[&format!("spiffe://t/{name}")]));
        }
        let backend = Backend::start("backend").await;
        let [plain, guarded, admin] = [ports::free(), ports::free(), ports::free()];
        let mut text = include_str!("served.yaml").to_owned();
        for (name, value) in [
            ("plain", plain.to_string()),
            ("guarded", guarded.to_string()),
            ("admin", admin.to_string()),
            ("backend", backend.port.to_string()),
            ("folder", folder.root().display().to_string()),
        ] {
            text = text.replace(&format!("{{{{{name}}}}}"), &value);
        }
        folder.write("bootstrap.yaml", &text);
        Self {
            proxy: Proxy::start(Kind::Tandem, &text, admin).await.unwrap(),
            folder,
            backend,
            plain,
            guarded,
        }
    }

    /// What is answered, and what is said of the same request.
    async fn both(&self, headers: &[&str]) -> (u16, Value) {
        let mut connection = Connection::open(self.plain).await.unwrap();
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
        connection.send(request.as_bytes()).await.unwrap();
        let status = connection.response("GET").await.unwrap().status;
        let mut question = vec![("url", format!("http://127.0.0.1:{}/", self.plain))];
        question.extend(headers.iter().map(|line| ("header", (*line).to_owned())));
        (status, asked(self.proxy.admin, &question).await.unwrap())
    }

    fn of_file(&self, words: &[&str]) -> (Option<i32>, String) {
        let file = self.folder.path("bootstrap.yaml");
        let words = [&["-c", file.to_str().unwrap()], words].concat();
        let output = explain(&words);
        (output.status.code(), said(&output))
    }
}

fn used(answer: &Value) -> Vec<&str> {
    let endpoints = answer["clusters"][0]["endpoints"].as_array().unwrap();
    let used = endpoints.iter().filter(|one| one["share"] != 0.0);
    used.filter_map(|one| one["address"].as_str()).collect()
}

/// The header may name the address, and the cluster the port.
#[tokio::test]
async fn an_original_destination_is_the_one_that_is_dialled() {
    let world = World::start().await;
    let at = format!("127.0.0.1:{}", world.backend.port);
    let header = format!("x-envoy-original-dst-host: {at}");
    for headers in [
        ["x-to: headed", &*header],
        ["x-to: ported", "x-envoy-original-dst-host: 127.0.0.1:1"],
    ] {
        for _ in 0..2 {
            let (status, answer) = world.both(&headers).await;
            assert_eq!(status, 200, "{headers:?}");
            assert_eq!(used(&answer), [&at], "{answer}");
            assert_eq!(answer["found"], true, "{answer}");
        }
    }
    for header in ["x-envoy-original-dst-host: nobody", "x-other: 1"] {
        let (status, answer) = world.both(&["x-to: headed", header]).await;
        assert_eq!(status, 503, "{header}");
        let expected = (&503.into(), &"UH".into());
        assert_eq!((&answer["status"], &answer["flags"]), expected, "{answer}");
    }
}

/// A process knows what DNS said; of a file that is named as unknown.
#[tokio::test]
async fn names_are_explained_by_what_dns_said() {
    let world = World::start().await;
    let (status, answer) = world.both(&["x-to: named"]).await;
    assert_eq!(status, 200);
    let port = world.backend.port;
    assert_eq!(used(&answer), [format!("127.0.0.1:{port}")], "{answer}");
    let url = format!("http://127.0.0.1:{}/", world.plain);
    let (code, text) = world.of_file(&[&url, "-H", "x-to: named"]);
    assert_eq!(code, Some(0), "{text}");
    let unknown = format!("not resolved here: localhost:{port}");
    assert!(text.contains(&unknown), "{text}");
}

/// A client whose name is not taken gets no further than the handshake.
#[tokio::test]
async fn a_client_that_the_handshake_refuses_goes_nowhere() {
    let world = World::start().await;
    assert_eq!(world.both(&["x-to: as-a"]).await.0, 200);
    assert_eq!(world.both(&["x-to: as-b"]).await.0, 503);
    let url = format!("https://127.0.0.1:{}/", world.guarded);
    for (identity, found) in [("spiffe://t/a", true), ("spiffe://t/b", false)] {
        let question = [("url", url.clone()), ("identity", identity.to_owned())];
        let answer = asked(world.proxy.admin, &question).await.unwrap();
        assert_eq!(answer["found"], found, "{answer}");
        let (code, text) = world.of_file(&[&url, "--identity", identity]);
        assert_eq!(code, Some(i32::from(!found)), "{text}");
        let why = "the handshake fails: the client's names are not taken: expected 'spiffe://t/a', \
                   got 'spiffe://t/b'";
        assert_eq!(text.contains(why), !found, "{text}");
    }
    // The client is asked for a certificate, and shows none.
    let answer = asked(world.proxy.admin, &[("url", url.clone())]).await;
    assert_eq!(answer.unwrap()["found"], false);
    let (code, text) = world.of_file(&[&url]);
    assert_eq!(code, Some(1), "{text}");
    let why = "the handshake fails: the client has to show a certificate, and shows none; \
               --identity says whose it shows";
    assert!(text.contains(why), "{text}");
}
