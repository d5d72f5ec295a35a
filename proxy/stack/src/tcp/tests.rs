use std::net::SocketAddr;
use std::time::Duration;

use tandem_core::directory::Directory;
use tandem_core::filter::BuildFilter;
use tandem_core::stats::Registry;
use tandem_model::access_log::{AccessLog, LogFormat, Output, Sink};
use tandem_model::cluster::*;
use tandem_model::format::Format;
use tandem_model::{Address, Cluster};
use tandem_upstream::ClusterManager;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;
use crate::access_log::Sinks;

fn cluster(name: &str, addr: SocketAddr) -> Arc<Cluster> {
    Arc::new(Cluster {
        load_assignment: LoadAssignment {
            localities: vec![LocalityEndpoints {
                endpoints: vec![Endpoint::new(Address::Socket(addr))],
                ..Default::default()
            }],
            overprovisioning_factor: 140,
        },
        ..Cluster::new(name)
    })
}

struct Rig {
    client: TcpStream,
    stats: Registry,
    sinks: Sinks,
    log: std::path::PathBuf,
    served: tokio::task::JoinHandle<()>,
    _manager: Arc<ClusterManager>,
    /// Holds the metrics, which go with the last proxy that counts by them.
    _proxy: Arc<TcpProxy>,
}

/// A client connected through a TCP proxy to whatever listens on `upstream`.
async fn rig(upstream: SocketAddr, target: TcpCluster, attempts: u32) -> Rig {
    let stats = Registry::default();
    let control = tokio::runtime::Handle::current();
    let clusters = [cluster("a", upstream), cluster("b", upstream)];
    let manager = ClusterManager::new(&clusters, &stats, &control);
    let sinks = Sinks::new(Duration::from_secs(1), 1);
    let deps = Deps {
        clusters: manager.worker(),
        stats: stats.clone(),
        filters: BuildFilter::new(|_, _, inner| inner),
        directory: Directory::default(),
        routes: Default::default(),
        extensions: Default::default(),
        logs: sinks.clone(),
        entries: Default::default(),
    };
    let log = std::env::temp_dir().join(format!("tandem-tcp-{}", rand::random::<u64>()));
    let config = Config {
        stat_prefix: "t".into(),
        cluster: target,
        idle_timeout: None,
        max_downstream_connection_duration: None,
        max_connect_attempts: attempts,
        access_logs: vec![Arc::new(lines_to(&log))],
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let connection = Arc::new(ConnectionInfo {
        id: 1,
        listener: "l".into(),
        ..Default::default()
    });
    let proxy = Arc::new(TcpProxy::new(&Arc::new(config), &deps));
    let serving = Arc::clone(&proxy);
    let served = tokio::spawn(async move { serving.serve(stream, connection).await });
    Rig {
        client,
        stats,
        sinks,
        log,
        served,
        _manager: manager,
        _proxy: proxy,
    }
}

/// A log of what a connection moved and how it ended.
fn lines_to(path: &std::path::Path) -> AccessLog {
    let format = "%BYTES_RECEIVED% %BYTES_SENT% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n";
    AccessLog {
        output: Output::Lines {
            sink: Sink::File(path.to_str().unwrap().into()),
            format: LogFormat::Text(Format::parse(format).unwrap()),
        },
        filter: None,
    }
}

impl Rig {
    fn lines(&self) -> String {
        self.sinks.flush();
        let lines = std::fs::read_to_string(&self.log).unwrap_or_default();
        let _ = std::fs::remove_file(&self.log);
        lines
    }
}

fn stat(stats: &Registry, name: &str) -> String {
    let text = stats.text(|n| n == name, false);
    text.trim()
        .rsplit(' ')
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn bytes_and_half_closes_reach_the_cluster_and_come_back() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = upstream.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = upstream.accept().await.unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        stream.write_all(b"answer").await.unwrap();
        got
    });
    let weighted = TcpCluster::Weighted(vec![("a".into(), 1), ("b".into(), 3)]);
    let mut rig = rig(addr, weighted, 1).await;
    rig.client.write_all(b"question").await.unwrap();
    rig.client.shutdown().await.unwrap();
    let mut got = Vec::new();
    rig.client.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"answer");
    assert_eq!(server.await.unwrap(), b"question");
    (&mut rig.served).await.unwrap();
    assert_eq!(rig.lines(), "8 6 - -\n");
    assert_eq!(stat(&rig.stats, "tcp.t.downstream_cx_rx_bytes_total"), "8");
    assert_eq!(stat(&rig.stats, "tcp.t.downstream_cx_tx_bytes_total"), "6");
}

#[tokio::test]
async fn connecting_is_tried_as_often_as_allowed() {
    // Bound, and so nobody else's; nobody listens.
    let reserved = TcpSocket::new_v4().unwrap();
    reserved.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = reserved.local_addr().unwrap();
    let mut rig = rig(addr, TcpCluster::Cluster("a".into()), 3).await;
    assert_eq!(rig.client.read(&mut [0; 9]).await.unwrap(), 0);
    (&mut rig.served).await.unwrap();
    assert_eq!(rig.lines(), "0 0 UF,URX -\n");
    assert_eq!(stat(&rig.stats, "cluster.a.upstream_cx_connect_fail"), "3");
    let exceeded = "tcp.t.upstream_cx_connect_attempts_exceeded";
    assert_eq!(stat(&rig.stats, exceeded), "1");
}

#[tokio::test]
async fn an_unknown_cluster_ends_the_connection() {
    let addr = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut rig = rig(addr, TcpCluster::Cluster("nobody".into()), 3).await;
    assert_eq!(rig.client.read(&mut [0; 9]).await.unwrap(), 0);
    (&mut rig.served).await.unwrap();
    assert_eq!(rig.lines(), "0 0 NC -\n");
    assert_eq!(stat(&rig.stats, "tcp.t.downstream_cx_no_route"), "1");
}

/// What a worker cuts off at the end of a drain is logged with what it has moved.
#[test]
fn connections_cut_off_with_their_worker_are_logged() {
    // On a thread of its own, since a worker ends once.
    let worker = std::thread::spawn(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let (rig, _upstream) = runtime.block_on(async {
            let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = upstream.local_addr().unwrap();
            let mut rig = rig(addr, TcpCluster::Cluster("a".into()), 1).await;
            rig.client.write_all(b"question").await.unwrap();
            let (mut stream, _) = upstream.accept().await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            stream.write_all(b"answer").await.unwrap();
            rig.client.read_exact(&mut [0; 6]).await.unwrap();
            (rig, stream)
        });
        rig.sinks.end_worker(runtime);
        assert_eq!(rig.lines(), "8 6 DC downstream_local_disconnect\n");
    });
    worker.join().unwrap();
}
