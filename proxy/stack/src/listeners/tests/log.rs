//! The listener's own log lines.

use tandem_model::access_log::{AccessLog, LogFormat, Output, Sink};
use tandem_model::format::Format;

use super::*;

#[tokio::test]
async fn every_connection_has_a_line_of_the_listener_even_without_a_chain() {
    let name = format!("tandem-listener-log-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let format = "%FILTER_CHAIN_NAME% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED%/%BYTES_SENT%\n";
    let mut rig = Rig::new().await;
    let (mut listener, sockets) = rig.listener("l", [chain("one", within("127.0.0.1", 32), "a")]);
    listener.access_logs = vec![Arc::new(AccessLog {
        output: Output::Lines {
            sink: Sink::File(path.to_str().unwrap().into()),
            format: LogFormat::Text(Format::parse(format).unwrap()),
        },
        filter: None,
    })];
    let port = rig.add(listener, sockets);
    assert_eq!(rig.ask(([127, 0, 0, 2], port).into()).await, "");
    let mut client = rig.open(([127, 0, 0, 1], port).into()).await;
    assert_eq!(client.hear().await, "a");
    client.say(b"xyz").await;
    for _ in 0..3 {
        client.hear().await;
    }
    drop(client);
    rig.listeners.shared.open.none().await;
    rig.flush();
    let lines = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(lines, "- NR filter_chain_not_found 0/0\none - - 3/4\n");
}
