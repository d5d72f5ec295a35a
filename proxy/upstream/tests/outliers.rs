//! What makes hosts outliers, and what is counted of them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use support::*;
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
    }
}

/// A raw connection that was made is as good as an answer: failures before it do not count on.
#[tokio::test]
async fn a_raw_connection_ends_a_row_of_failures() {
    for (split, detector) in [
        (false, "consecutive_5xx"),
        (true, "consecutive_local_origin_failure"),
    ] {
        let listening = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listening.local_addr().unwrap();
        drop(listening);
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
