//! `InvokeService` by what a control plane says: listeners that are found as interception would
//! find them, and routes that are obeyed with the next call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::{CommonInvokeRequest, InvokeServiceRequest};
use tandem_harness::{Kind, Proxy, ports, wait};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::VARIANTS;
use super::backend::Backend;
use super::plane::Plane;
use super::resources::{bootstrap, cluster, endpoints};

/// A listener as istiod pushes it for all that goes to a port by HTTP.
fn of_port(port: u16) -> String {
    format!(
        r#"
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: 0.0.0.0_{port}
  address: {{ socket_address: {{ address: 0.0.0.0, port_value: {port} }} }}
  bind_to_port: false
  traffic_direction: OUTBOUND
  continue_on_listener_filters_timeout: true
  listener_filters:
  - name: http_inspector
    typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector }}
  filter_chains:
  - filter_chain_match: {{ transport_protocol: raw_buffer, application_protocols: [http/1.1, h2c] }}
    filters:
    - name: http
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: outbound_0.0.0.0_{port}
        rds: {{ route_config_name: "{port}", config_source: {{ ads: {{}}, resource_api_version: V3 }} }}
        http_filters:
        - name: router
          typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  default_filter_chain: {}"#,
        bytes("one")
    )
}

fn bytes(cluster: &str) -> String {
    format!(
        r#"{{ filters: [{{ name: tcp, typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: {cluster} }} }}] }}"#
    )
}

/// A listener for one address, and the one that all traffic is taken to.
fn of_bytes(outbound: u16) -> String {
    let chain = bytes("one");
    format!(
        r#"
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: 10.96.0.10_9000
  address: {{ socket_address: {{ address: 10.96.0.10, port_value: 9000 }} }}
  bind_to_port: false
  traffic_direction: OUTBOUND
  filter_chains: [{chain}]
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: virtualOutbound
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: {outbound} }} }}
  use_original_dst: true
  traffic_direction: OUTBOUND
  filter_chains: [{chain}]"#
    )
}

/// Routes by the names of virtual hosts, each to a cluster.
fn routes(port: u16, hosts: &[(&str, &str)]) -> String {
    let each = hosts.iter().map(|(names, cluster)| {
        format!(
            r#"
  - name: "{cluster}:{port}"
    domains: [{names}]
    routes: [{{ match: {{ prefix: / }}, route: {{ cluster: {cluster} }} }}]"#
        )
    });
    format!(
        r#"
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: "{port}"
  ignore_port_in_host_matching: true
  virtual_hosts:{}"#,
        each.collect::<String>()
    )
}

/// A process with the runtime API, under a control plane.
struct Runtime {
    plane: Plane,
    outbound: u16,
    one: Backend,
    two: Backend,
    client: RuntimeClient<Channel>,
    proxy: Proxy,
    _data: tempfile::TempDir,
}

impl Runtime {
    async fn start(variant: &str, more: &str) -> Self {
        let plane = Plane::start().await;
        let [port, outbound, admin] = [ports::free(), ports::free(), ports::free()];
        let data = tempfile::TempDir::new().unwrap();
        let api = RUNTIME
            .replace("PORT", &port.to_string())
            .replace("DATA", &data.path().display().to_string())
            .replace("MORE", more);
        let config = bootstrap(variant, plane.port, admin)
            .replace("static_resources:\n", &format!("static_resources:\n{api}"));
        let (one, two) = (Backend::start("one").await, Backend::start("two").await);
        let started = Proxy::start(Kind::Tandem, &config, admin);
        plane.say(&said(&one, &two, outbound, &first()));
        let proxy = started.await.unwrap();
        plane.accepted().await;
        let channel = Channel::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        Self {
            client: RuntimeClient::new(channel.connect_lazy()),
            plane,
            outbound,
            one,
            two,
            proxy,
            _data: data,
        }
    }

    fn say(&self, resources: &str) {
        self.plane
            .say(&said(&self.one, &self.two, self.outbound, resources));
    }

    async fn call(&self, id: &str) -> Result<String, Status> {
        invoke(self.client.clone(), id).await
    }

    async fn until(&self, id: &str, answer: &str) {
        let answered = wait::until_async(wait::PATIENCE, || async {
            self.call(id).await.is_ok_and(|body| body == answer)
        });
        assert!(answered.await, "{}", self.proxy.process.output());
    }

    async fn until_refused(&self, id: &str, text: &str) {
        let refused = wait::until_async(wait::PATIENCE, || async {
            let refusal = self.call(id).await.err();
            refusal.is_some_and(|status| status.message().contains(text))
        });
        assert!(refused.await, "{:?}", self.call(id).await);
    }
}

async fn invoke(mut client: RuntimeClient<Channel>, id: &str) -> Result<String, Status> {
    let request = InvokeServiceRequest {
        id: id.into(),
        message: Some(CommonInvokeRequest {
            method: "/".into(),
            ..Default::default()
        }),
    };
    let answer = client.invoke_service(request).await?.into_inner();
    Ok(String::from_utf8(answer.data.unwrap_or_default().value.to_vec()).unwrap())
}

const RUNTIME: &str = r#"
  listeners:
  - name: runtime
    address: { socket_address: { address: 127.0.0.1, port_value: PORT } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: runtime
          route_config: { virtual_hosts: [] }
          http_filters:
          - name: runtime
            typed_config:
              "@type": type.googleapis.com/tandem.filter.runtime.v1.Runtime
              app: { app_id: caller }
              data_dir: DATA
              MORE
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
"#;

/// Two ports, with several names each.
fn first() -> String {
    let eighty = routes(80, &[("a, a.ns.svc, 10.96.0.10", "one"), ("b", "two")]);
    let other = routes(8080, &[("a", "two"), ("'*'", "one")]);
    of_port(80) + &of_port(8080) + &eighty + &other
}

fn said(one: &Backend, two: &Backend, outbound: u16, more: &str) -> String {
    let clusters = cluster("one") + &cluster("two");
    let endpoints = endpoints("one", &[one.port]) + &endpoints("two", &[two.port]);
    clusters + &endpoints + &of_bytes(outbound) + more
}

/// A name with a port or without, an address; and what nothing takes is told by name.
#[tokio::test]
async fn an_id_takes_the_listener_that_its_connection_would() {
    for variant in VARIANTS {
        let runtime = Runtime::start(variant, "").await;
        for (id, answer) in [
            ("a", "one"),
            ("a:80", "one"),
            ("A.ns.svc", "one"),
            ("10.96.0.10", "one"),
            ("b", "two"),
            ("a:8080", "two"),
            ("b:8080", "one"),
            ("10.1.2.3:8080", "one"),
        ] {
            let answered = runtime.call(id).await;
            assert_eq!(answered.unwrap(), answer, "{id}");
        }
        for (id, text) in [
            (
                "c",
                "http response code 404, body: no virtual host or route of the outbound listener takes this id and method; ids are virtual hosts of the bootstrap (--config) or of a control plane",
            ),
            (
                "a:9000",
                "no way to 'a:9000': listener '10.96.0.10_9000' takes it as bytes, not as HTTP",
            ),
            (
                "a:9999",
                "no way to 'a:9999': expected an outbound listener of port 9999 that speaks HTTP, \
                 or routes with a virtual host 'a'; HTTP is taken on port 80, 8080",
            ),
        ] {
            let refused = runtime.call(id).await.unwrap_err();
            assert_eq!(
                (refused.code(), refused.message()),
                (Code::Unavailable, text)
            );
            assert_eq!(refused.metadata().get("x-tandem-origin").unwrap(), "mesh");
        }
    }
}

/// Without a port an id means the default one, and its virtual hosts.
#[tokio::test]
async fn the_default_port_can_be_set() {
    let runtime = Runtime::start("GRPC", "default_invoke_port: 8080").await;
    assert_eq!(runtime.call("a").await.unwrap(), "two");
    assert_eq!(runtime.call("a:80").await.unwrap(), "one");
    let fixed = Runtime::start("GRPC", "outbound_listener: 0.0.0.0_80").await;
    assert_eq!(fixed.call("a:8080").await.unwrap(), "one");
}

/// Routes change, listeners come and go: the next call sees it, and no call fails.
#[tokio::test(flavor = "multi_thread")]
async fn calls_obey_what_the_control_plane_says_now() {
    for variant in VARIANTS {
        let runtime = Runtime::start(variant, "").await;
        let (ended, answered) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (stop, count, client) = (ended.clone(), answered.clone(), runtime.client.clone());
        let load = tokio::spawn(async move {
            let mut failures = Vec::new();
            while !stop.load(Relaxed) {
                for id in ["a", "b", "a:8080"] {
                    if let Err(status) = invoke(client.clone(), id).await {
                        failures.push(format!("{id}: {status:?}"));
                    }
                    count.fetch_add(1, Relaxed);
                }
            }
            failures
        });
        let goes_on = || {
            let (answered, until) = (&answered, answered.load(Relaxed) + 30);
            wait::until(wait::PATIENCE, move || answered.load(Relaxed) >= until)
        };
        let other = routes(8080, &[("a", "two")]);
        for round in 0..5 {
            let fresh = format!("fresh-{round}");
            let eighty = routes(80, &[("a", &fresh), ("b", "two")]);
            let cluster = cluster(&fresh) + &endpoints(&fresh, &[runtime.two.port]);
            let added = of_port(9090) + &routes(9090, &[("c", "one")]);
            let ports = of_port(80) + &of_port(8080);
            runtime.say(&[ports, eighty, other.clone(), cluster, added].concat());
            runtime.until("a", "two").await;
            runtime.until("c:9090", "one").await;
            assert!(goes_on().await);
            runtime.say(&first());
            runtime.until("a", "one").await;
            runtime.until_refused("c:9090", "no way to 'c:9090'").await;
            assert!(goes_on().await);
        }
        ended.store(true, Relaxed);
        assert_eq!(load.await.unwrap(), Vec::<String>::new());
    }
}
