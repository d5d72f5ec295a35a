//! The runtime APIs.

use std::sync::Arc;

use envoy_types::pb::google::protobuf::Any;
use tandem_api_proto::filter as proto;
use tandem_model::filter::runtime::{Api, App, AppProtocol, Runtime};

use crate::cx::Cx;
use crate::value;

/// Where the application and its callbacks are, unless another host is named.
const LOCALHOST: &str = "127.0.0.1";
/// The port of an application that neither the mesh nor its id gives one.
const INVOKE_PORT: u16 = 80;

pub(super) fn runtime(cx: &Cx<'_>, any: &Any) -> Option<Runtime> {
    let proto: proto::Runtime = value::unpack(cx, any)?;
    let app = match &proto.app {
        Some(app_proto) => app(&cx.field("app"), app_proto),
        None => {
            cx.error("expected 'app', the application beside this runtime");
            None
        }
    };
    let apis = cx.each(
        "apis",
        &proto.apis,
        |cx, api| match proto::runtime::Api::try_from(*api) {
            Ok(proto::runtime::Api::LayottoGrpc) => Some(Api::LayottoGrpc),
            _ => {
                cx.error("expected one of LAYOTTO_GRPC");
                None
            }
        },
    );
    let invoke_port = match proto.default_invoke_port {
        0 => INVOKE_PORT,
        port => value::port(&cx.field("default_invoke_port"), port)?,
    };
    Some(Runtime {
        app: app?,
        apis: if proto.apis.is_empty() {
            vec![Api::LayottoGrpc]
        } else {
            apis
        },
        resources_paths: proto.resources_paths.iter().map(Into::into).collect(),
        data_dir: (!proto.data_dir.is_empty()).then(|| proto.data_dir.as_str().into()),
        outbound_listener: value::text(&proto.outbound_listener),
        default_invoke_port: invoke_port,
    })
}

fn app(cx: &Cx<'_>, proto: &proto::App) -> Option<App> {
    if proto.app_id.is_empty() {
        cx.error("expected 'app_id'");
    }
    let port = optional_port(&cx.field("port"), proto.port);
    let host = value::text(&proto.host).unwrap_or_else(|| Arc::from(LOCALHOST));
    let callback = proto.callback.as_ref();
    let callback_port = callback.map(|callback| callback.port);
    if callback_port == Some(0) {
        cx.field("callback").error("expected 'port'");
    }
    let callback_host = callback.and_then(|callback| value::text(&callback.host));
    Some(App {
        id: proto.app_id.as_str().into(),
        port,
        protocol: match proto.protocol() {
            proto::app::Protocol::Http => AppProtocol::Http,
            proto::app::Protocol::Grpc => AppProtocol::Grpc,
            proto::app::Protocol::H2c => AppProtocol::H2c,
        },
        callback_port: callback_port
            .and_then(|port| optional_port(&cx.field("callback").field("port"), port)),
        callback_host: callback_host.unwrap_or_else(|| host.clone()),
        host,
    })
}

fn optional_port(cx: &Cx<'_>, value: u32) -> Option<u16> {
    if value == 0 {
        None
    } else {
        value::port(cx, value)
    }
}
