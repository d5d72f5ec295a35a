//! What makes hosts outliers, and what is counted of them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use support::*;
use tandem_core::Body;
use tandem_core::ext::{Protocol, StreamInfo};
use tandem_model::cluster::*;
use tandem_upstream::RoutePolicy;
use tokio::net::TcpListener;

fn detection() -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: 3,
        enforcing_consecutive_5xx: 100,
        consecutive_gateway_failure: 5,
        enforcing_consecutive_gateway_failure: 0,
        consecutive_local_origin_failure: 3,
        enforcing_consecutive_local_origin_failure: 100,
        split_external_local_origin_errors: false,
        interval: Duration::from_secs(60),
        base_ejection_time: Duration::from_secs(60),
        max_ejection_time: Duration::from_secs(300),
        max_ejection_time_jitter: Duration::ZERO,
        max_ejection_percent: 100,
        always_eject_one_host: true,
        success_rate: SuccessRate::default(),
        failure_percentage: FailurePercentage::default(),
    }
}

/// A raw connection that was made is as good as an answer: failures before it do not count on.
#[tokio::test]
async fn a_raw_connection_ends_a_row_of_failures() {
    for (split, detector) in [
        (false, "consecutive_5xx"),
        (true, "consecutive_local_origin_failure"),
    ] {
        let (_reserved, addr) = refusing();
        let mut config = cluster(&[addr]);
        config.outlier_detection = Some(OutlierDetection {
            split_external_local_origin_errors: split,
            ..detection()
        });
        let rig = Rig::new(config, RoutePolicy::default());
        let clusters = rig.manager.worker();
        let info = StreamInfo::new(Arc::default(), Protocol::Tcp, 1);
        let detected = || rig.stat(&format!("outlier_detection.ejections_detected_{detector}"));
        for _ in 0..5 {
            for _ in 0..2 {
                assert!(clusters.connect_tcp("c", &info).await.is_err());
            }
            let _listening = TcpListener::bind(addr).await.unwrap();
            drop(clusters.connect_tcp("c", &info).await.unwrap());
        }
        assert_eq!(detected(), 0, "{detector}");
        for _ in 0..3 {
            assert!(clusters.connect_tcp("c", &info).await.is_err());
        }
        assert_eq!(detected(), 1, "{detector}");
    }
}

/// Where every answer is a 500.
async fn failing() -> SocketAddr {
    let (addr, _) = server(false, |_| async {
        let failing = Response::builder().status(500);
        failing.body(Body::empty()).unwrap()
    })
    .await;
    addr
}

/// Who is no longer there, or now belongs to another cluster, is not among the ejected.
#[tokio::test]
async fn an_ejected_host_that_goes_is_no_longer_counted() {
    let (good, _) = server(false, |_| async { Response::new(Body::empty()) }).await;
    for replaced in [false, true] {
        let mut config = cluster(&[failing().await, good]);
        config.outlier_detection = Some(detection());
        let rig = Rig::new(config.clone(), RoutePolicy::default());
        let active = || rig.stat("outlier_detection.ejections_active");
        for _ in 0..8 {
            rig.send(get("/")).await.unwrap();
        }
        assert_eq!(active(), 1);
        if replaced {
            config.connect_timeout = Duration::from_secs(7);
        } else {
            config.load_assignment = cluster(&[good]).load_assignment;
        }
        rig.manager.set_cluster(Arc::new(config));
        assert_eq!(active(), 0, "replaced: {replaced}");
        assert_eq!(rig.stat("outlier_detection.ejections_enforced_total"), 1);
    }
}

/// What requests that were still under way find out about a host that has gone is of no use.
#[tokio::test]
async fn a_host_that_has_gone_is_not_ejected() {
    for replaced in [false, true] {
        let (open, gate) = tokio::sync::watch::channel(false);
        let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
        let (late, _) = server(false, move |_| {
            let _ = arrived.send(());
            let mut gate = gate.clone();
            async move {
                let _ = gate.wait_for(|open| *open).await;
                let failing = Response::builder().status(500);
                failing.body(Body::empty()).unwrap()
            }
        })
        .await;
        let mut config = cluster(&[late]);
        config.outlier_detection = Some(detection());
        let rig = Rig::new(config.clone(), RoutePolicy::default());
        let change = async {
            for _ in 0..3 {
                arrivals.recv().await.unwrap();
            }
            if replaced {
                config.connect_timeout = Duration::from_secs(7);
            } else {
                config.load_assignment = LoadAssignment::default();
            }
            rig.manager.set_cluster(Arc::new(config));
            open.send_replace(true);
        };
        let requests = (0..3).map(|_| rig.send(get("/")));
        let (answers, ()) = tokio::join!(futures_util::future::join_all(requests), change);
        assert!(answers.iter().all(Result::is_ok));
        for name in ["detected_consecutive_5xx", "enforced_total", "active"] {
            let count = rig.stat(&format!("outlier_detection.ejections_{name}"));
            assert_eq!(count, 0, "{name}, replaced: {replaced}");
        }
    }
}

/// Where they are counted apart, hosts are compared by their connections too: one to which every
/// other connection fails is ejected, however good its answers are.
#[tokio::test]
async fn hosts_are_compared_by_their_connections() {
    let mut addresses = Vec::new();
    for _ in 0..5 {
        addresses.push(
            server(false, |_| async { Response::new(Body::empty()) })
                .await
                .0,
        );
    }
    let (_reserved, closed) = refusing();
    addresses.push(closed);
    for split in [true, false] {
        let mut config = cluster(&addresses);
        config.outlier_detection = Some(OutlierDetection {
            consecutive_5xx: 0,
            consecutive_gateway_failure: 0,
            consecutive_local_origin_failure: 0,
            split_external_local_origin_errors: split,
            // Long enough for what is asked in one go.
            interval: Duration::from_millis(500),
            success_rate: SuccessRate {
                request_volume: 10,
                ..SuccessRate::default()
            },
            ..detection()
        });
        let rig = Rig::new(config, RoutePolicy::default());
        let stat = |name: &str| rig.stat(&format!("outlier_detection.ejections_{name}"));
        let began = std::time::Instant::now();
        while stat("active") == 0 && began.elapsed() < Duration::from_secs(20) {
            for _ in 0..90 {
                let _ = rig.send(get("/")).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let by = [
            "detected_success_rate",
            "detected_local_origin_success_rate",
        ]
        .map(stat);
        assert_eq!(by, if split { [0, 1] } else { [1, 0] });
        assert_eq!(stat("enforced_total"), 1);
    }
}
