//! Two doors, one mesh: what istiod says holds for calls that are taken from the application and
//! for those that it makes by `InvokeService`.

use std::collections::BTreeMap;
use std::io::{Error, Result};

use hyper_util::rt::TokioIo;
use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_api_proto::layotto::{CommonInvokeRequest, HttpExtension, InvokeServiceRequest};
use tonic::transport::{Channel, Endpoint};

use crate::mesh::Mesh;
use crate::network::Machine;
use crate::report::Report;
use crate::rules::{self, POLICY, to};
use crate::sidecar::RUNTIME;
use crate::traffic::{answers, may_be};

const CALLS: usize = 2000;

/// What istiod is told, one after the other.
#[derive(Clone, Copy)]
struct Rule {
    name: &'static str,
    /// Percent of the calls that are aborted.
    aborted: u32,
    /// Percent of the others that go to the second version.
    second: u32,
}

const RULES: [Rule; 3] = [
    Rule {
        name: "doors-split",
        aborted: 0,
        second: 20,
    },
    Rule {
        name: "doors-fault",
        aborted: 30,
        second: 20,
    },
    Rule {
        name: "doors-half",
        aborted: 0,
        second: 50,
    },
];

/// Runs the checks; the rules are the first ones again afterwards.
pub async fn run(mesh: &Mesh, report: &mut Report) {
    let channel = connect(&mesh.network.client).await;
    let Some(channel) = report.succeeded("the runtime API answers", channel) else {
        return;
    };
    for rule in RULES {
        let Rule {
            name,
            aborted,
            second,
        } = rule;
        let fault = match aborted {
            0 => String::new(),
            percent => rules::abort(percent),
        };
        let route = format!(
            "\n- retries: {{ attempts: 0 }}\n  {fault}\n  route: [{}, {}]",
            to("v1", 100 - second),
            to("v2", second)
        );
        mesh.rule_named(name, &route, POLICY).await;
        let intercepted = answers(mesh, "/x", CALLS).await;
        check("intercepted calls", rule, &intercepted, report);
        // At once: nobody waits for this door.
        let invoked = invoke(channel.clone()).await;
        check("InvokeService", rule, &invoked, report);
    }
    crate::basic::restore(mesh, report).await;
}

fn check(door: &str, rule: Rule, found: &BTreeMap<String, usize>, report: &mut Report) {
    let of = |answer: &str| found.get(answer).copied().unwrap_or_default();
    let (first, second, aborted) = (of("v1"), of("v2"), of("418"));
    let share = |percent: u32| f64::from(percent) / 100.0;
    let good = first + second + aborted == CALLS
        && may_be(aborted, CALLS, share(rule.aborted))
        && may_be(second, first + second, share(rule.second));
    let Rule {
        name,
        aborted,
        second,
    } = rule;
    let why =
        format!("expected {aborted} % of {CALLS} aborted, and {second} % of the others from v2");
    report.say(&format!("{door} obey {name}: {found:?}"), good, &why);
}

async fn connect(from: &Machine) -> Result<Channel> {
    let mut stream = Some(TokioIo::new(from.connect(RUNTIME)?));
    let only = tower::service_fn(move |_| {
        let stream = stream
            .take()
            .ok_or_else(|| Error::other("expected one connection"));
        async move { stream }
    });
    let endpoint = Endpoint::from_static("http://runtime");
    endpoint
        .connect_with_connector(only)
        .await
        .map_err(Error::other)
}

/// Calls the application `echo`: its name, as somebody writes it who knows of no mesh.
async fn invoke(channel: Channel) -> BTreeMap<String, usize> {
    let mut client = RuntimeClient::new(channel);
    let mut found = BTreeMap::new();
    for _ in 0..CALLS {
        let message = CommonInvokeRequest {
            method: "x".into(),
            http_extension: Some(HttpExtension {
                verb: 1,
                ..HttpExtension::default()
            }),
            ..CommonInvokeRequest::default()
        };
        let request = InvokeServiceRequest {
            id: "echo".into(),
            message: Some(message),
        };
        let seen = match client.invoke_service(request).await {
            Ok(answer) => {
                let data = answer.into_inner().data.unwrap_or_default();
                let text = String::from_utf8_lossy(&data.value).into_owned();
                text.lines().next().unwrap_or_default().to_owned()
            }
            // `http response code 418, body: …`.
            Err(status) => match status.message().strip_prefix("http response code ") {
                Some(rest) => rest.chars().take(3).collect(),
                None => status.message().to_owned(),
            },
        };
        *found.entry(seen).or_default() += 1;
    }
    found
}
