//! One connection, from a chosen address and port.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::generate::Connection;

/// Longer than any listener looks.
const PATIENCE: Duration = Duration::from_secs(20);

/// The letter that answers, or `closed`.
pub async fn ask(connection: &Connection, port: u16) -> String {
    match tokio::time::timeout(PATIENCE, letter(connection, port)).await {
        Ok(Ok(letter)) => char::from(letter).into(),
        Ok(Err(error)) => match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => "closed".to_owned(),
            _ => error.to_string(),
        },
        Err(_) => "nothing".to_owned(),
    }
}

async fn letter(connection: &Connection, port: u16) -> io::Result<u8> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Its port is free again at once.
    socket.set_zero_linger()?;
    socket.bind(SocketAddr::new(connection.from, connection.from_port))?;
    let mut stream = socket.connect(SocketAddr::new(connection.to, port)).await?;
    stream.write_all(&connection.sends).await?;
    stream.read_u8().await
}
