use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tandem_core::Body;
use tandem_core::directory::Directory;
use tandem_core::discovered::Extensions;
use tandem_core::stats::Registry;
use tandem_model::config_source::{Origin, ResourceKey, Subscribed};
use tandem_model::filter::FilterConfig;
use tandem_model::filter::discovery::Extension;
use tandem_model::filter::runtime::{App, AppProtocol, Runtime};

use super::*;

/// A filter that answers with its own name, and counts how often it was built.
struct Rig {
    extensions: Extensions,
    key: ResourceKey,
    built: Arc<AtomicUsize>,
}

fn named(name: &str) -> Arc<Extension> {
    Arc::new(Extension {
        type_name: "a.Runtime".into(),
        config: Some(FilterConfig::Runtime(Arc::new(runtime(name)))),
    })
}

impl Rig {
    fn new() -> Self {
        Self {
            extensions: Extensions::default(),
            key: ResourceKey {
                origin: Origin::Ads,
                name: "x".into(),
            },
            built: Arc::default(),
        }
    }

    fn wrap(
        &self,
        default: Option<Arc<Extension>>,
        disabled: bool,
        said: Option<PerRouteConfig>,
    ) -> HttpService {
        let built = Arc::clone(&self.built);
        let parts = Discovered {
            discovery: Arc::new(Discovery {
                need: Subscribed {
                    key: self.key.clone(),
                    initial_fetch_timeout: None,
                },
                default,
                apply_default_without_warming: false,
                types: vec!["a.Runtime".into()],
            }),
            said,
            disabled,
            filters: BuildFilter::new(move |config, _, _| {
                built.fetch_add(1, Relaxed);
                match config {
                    FilterConfig::Runtime(runtime) => answer(runtime.app.id.to_string()),
                    other => panic!("{other:?}"),
                }
            }),
            context: FilterContext {
                scope: Registry::default().http("h"),
                directory: Directory::default(),
            },
            next: answer("next".to_owned()),
        };
        wrap(parts, self.extensions.of(&self.key))
    }

    fn publish(&self, extension: Option<Arc<Extension>>) {
        self.extensions.publish(&self.key, extension);
    }
}

fn runtime(id: &str) -> Runtime {
    Runtime {
        app: App {
            id: id.into(),
            host: "127.0.0.1".into(),
            port: None,
            protocol: AppProtocol::default(),
            callback_port: None,
            callback_host: "127.0.0.1".into(),
        },
        apis: Vec::new(),
        resources_paths: Vec::new(),
        data_dir: None,
        outbound_listener: None,
        default_invoke_port: 80,
    }
}

fn answer(text: String) -> HttpService {
    HttpService::new(service_fn(
        move |_: Request| -> BoxFuture<Result<Response, Error>> {
            let mut response = Response::new(Body::empty());
            let value = http::HeaderValue::from_str(&text).unwrap();
            response.headers_mut().insert("from", value);
            Box::pin(std::future::ready(Ok(response)))
        },
    ))
}

async fn ask(service: &HttpService) -> String {
    match service.dispatch(Request::new(Body::empty())).await {
        Ok(response) => response.headers()["from"].to_str().unwrap().to_owned(),
        Err(error) => {
            let reply = tandem_core::rescue::reply(&error).unwrap();
            format!("{} {}", reply.status.as_u16(), reply.flags)
        }
    }
}

#[tokio::test]
async fn settings_that_come_later_are_built_once_and_replaced() {
    let rig = Rig::new();
    let service = rig.wrap(None, false, None);
    assert_eq!(ask(&service).await, "500 NFCF");
    rig.publish(Some(named("one")));
    assert_eq!(ask(&service).await, "one");
    assert_eq!(ask(&service).await, "one");
    assert_eq!(rig.built.load(Relaxed), 1);
    rig.publish(Some(named("two")));
    assert_eq!(ask(&service).await, "two");
    rig.publish(None);
    assert_eq!(ask(&service).await, "500 NFCF");
}

#[tokio::test]
async fn the_default_holds_until_settings_come_and_when_they_go() {
    let rig = Rig::new();
    let service = rig.wrap(Some(named("default")), false, None);
    assert_eq!(ask(&service).await, "default");
    rig.publish(Some(named("one")));
    assert_eq!(ask(&service).await, "one");
    rig.publish(None);
    assert_eq!(ask(&service).await, "default");
}

/// Another user of the name may have asked for other types.
#[tokio::test]
async fn settings_of_a_type_that_was_not_asked_for_are_none() {
    let rig = Rig::new();
    let service = rig.wrap(None, false, None);
    let other = Extension {
        type_name: "another.Type".into(),
        config: None,
    };
    rig.publish(Some(Arc::new(other)));
    assert_eq!(ask(&service).await, "500 NFCF");
}

#[tokio::test]
async fn a_filter_that_no_request_meets_is_passed() {
    let rig = Rig::new();
    let service = rig.wrap(None, false, None);
    let nothing = Extension {
        type_name: "a.Runtime".into(),
        config: None,
    };
    rig.publish(Some(Arc::new(nothing)));
    assert_eq!(ask(&service).await, "next");
}

#[tokio::test]
async fn a_route_skips_it_or_takes_it_in() {
    let rig = Rig::new();
    let skipped = rig.wrap(None, false, Some(PerRouteConfig::Disabled));
    assert_eq!(ask(&skipped).await, "next");
    assert_eq!(ask(&rig.wrap(None, true, None)).await, "next");
    let taken_in = rig.wrap(None, true, Some(PerRouteConfig::Enabled));
    assert_eq!(ask(&taken_in).await, "500 NFCF");
    rig.publish(Some(named("one")));
    assert_eq!(ask(&taken_in).await, "one");
}
