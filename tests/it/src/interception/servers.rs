//! Services of the network: each says where it is.

use std::net::TcpListener as StdListener;

use tandem_harness::netns::Namespace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const HTTP: [&str; 4] = [
    "10.50.0.9:80",
    "[fd50::9]:80",
    "10.50.0.9:8888",
    "[fd50::9]:8888",
];
const SPEAKING_FIRST: [&str; 2] = ["10.50.0.9:2525", "10.50.0.9:25"];

/// Starts them all.
pub fn start(namespace: &Namespace) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let listen = |address: &'static str| {
        let socket = namespace.act(|| StdListener::bind(address)).unwrap();
        socket.set_nonblocking(true).unwrap();
        TcpListener::from_std(socket).unwrap()
    };
    for address in HTTP {
        tasks.spawn(accept(listen(address), address, false));
    }
    for address in SPEAKING_FIRST {
        tasks.spawn(accept(listen(address), address, true));
    }
    tasks
}

async fn accept(socket: TcpListener, name: &'static str, first: bool) {
    let mut open = JoinSet::new();
    while let Ok((stream, _)) = socket.accept().await {
        open.spawn(async move {
            let _ = if first {
                greet(stream, name).await
            } else {
                answer(stream, name).await
            };
        });
    }
}

async fn greet(mut stream: TcpStream, name: &str) -> std::io::Result<()> {
    stream
        .write_all(format!("220 {name}\r\n").as_bytes())
        .await?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

/// One request, whatever it is, and its answer.
async fn answer(mut stream: TcpStream, name: &str) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let length = name.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{name}");
    stream.write_all(answer.as_bytes()).await
}
