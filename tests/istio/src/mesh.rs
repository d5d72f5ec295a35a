//! Everything together: machines, istiod, the applications and their sidecars.

use tandem_harness::{Kind, wait};

use crate::app::App;
use crate::calls::{self, Request};
use crate::identity::{self, Proof};
use crate::istiod::Plane;
use crate::kubernetes::review;
use crate::network::{CLIENT, ECHO, Network};
use crate::report::Report;
use crate::rules;
use crate::secrets::Known;
use crate::sidecar::{Sidecar, Workload};

/// Which proxies stand on the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The client's.
    pub client: Kind,
    /// Those of both versions of echo.
    pub server: Kind,
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:?}-{:?}", self.client, self.server);
        f.write_str(&text.to_lowercase())
    }
}

/// A mesh that runs. What is first ends first.
pub struct Mesh {
    /// The client's sidecar.
    pub client: Sidecar,
    /// Those of the versions of echo.
    pub echo: [Sidecar; 2],
    /// The versions of echo.
    pub apps: [App; 2],
    /// The control plane.
    pub plane: Plane,
    /// The machines.
    pub network: Network,
}

impl Mesh {
    /// Starts it all; what is a check on the way is said.
    ///
    /// # Errors
    /// What could not be started, and why.
    pub async fn start(pair: Pair, report: &mut Report) -> Result<Self, String> {
        let network = Network::new()?;
        let io = |error: std::io::Error| error.to_string();
        let mut plane = Plane::new(&network.control).map_err(io)?;
        for (name, text) in rules::first() {
            plane.config.write(name, &text);
        }
        let took = plane.start(&network.control).await?;
        println!("     istiod is ready after {} ms", took.as_millis());
        let [client, echo] = certificates(&plane, &network, report)
            .await
            .ok_or("no certificates")?;
        let apps = [
            App::start(&network.echo[0], "v1").map_err(io)?,
            App::start(&network.echo[1], "v2").map_err(io)?,
        ];
        let root = &plane.root.clone();
        let token = Some(review::make("default", "client"));
        let workload = Workload {
            app: "client",
            version: "v1",
            address: CLIENT,
            delta: true,
            token,
        };
        let client = Sidecar::start(pair.client, &network.client, &workload, client, root).await;
        let client = report.succeeded("the client's sidecar: changes only, a token", client);
        let server = async |index: usize, version| {
            let workload = Workload {
                app: "echo",
                version,
                address: ECHO[index],
                delta: false,
                token: None,
            };
            Sidecar::start(
                pair.server,
                &network.echo[index],
                &workload,
                echo.clone(),
                root,
            )
            .await
        };
        let first = server(0, "v1").await;
        let first = report.succeeded(
            "echo's sidecar: the state of the world, a certificate",
            first,
        );
        let second = server(1, "v2").await?;
        Ok(Self {
            client: client.ok_or("no sidecar for the client")?,
            echo: [first.ok_or("no sidecar for echo")?, second],
            apps,
            plane,
            network,
        })
    }

    /// The status of a call by the client's application to echo.
    pub async fn status(&self, path: &str) -> String {
        calls::status(
            &self.network.client,
            rules::ECHO,
            &Request::to(rules::HOST, path),
        )
        .await
    }

    /// What echo says that it was asked, or why nothing came.
    pub async fn said(&self, request: &Request) -> String {
        let answer = calls::call(&self.network.client, rules::ECHO, request).await;
        answer.map_or_else(
            |error| error.to_string(),
            |answer| String::from_utf8_lossy(&answer.body).into_owned(),
        )
    }

    /// Writes the rules for echo anew.
    pub fn rule(&self, routes: &str, policy: &str) {
        let text = rules::traffic(routes, policy);
        self.plane.config.write("traffic.yaml", &text);
    }

    /// The same with one route, and waits until calls take it: the route says its name.
    pub async fn rule_named(&self, name: &str, route: &str, policy: &str) {
        let route = format!("{route}\n  headers: {{ request: {{ set: {{ x-rule: {name} }} }} }}");
        self.rule(&route, policy);
        self.takes(name).await;
    }

    /// Waits until calls take the route of this name.
    pub async fn takes(&self, name: &str) -> bool {
        let said = format!("\nx-rule: {name}\n");
        let request = Request::to(rules::HOST, "/x");
        let takes = || async { self.said(&request).await.contains(&said) };
        wait::until_async(wait::PATIENCE, takes).await
    }
}

/// Certificates by istiod, for those who can say who they are.
async fn certificates(plane: &Plane, network: &Network, report: &mut Report) -> Option<[Known; 2]> {
    let mut all = Vec::new();
    for account in ["client", "echo"] {
        let token = review::make("default", account);
        let issued = identity::ask(plane, &network.control, account, Proof::Token(&token)).await;
        let issued = report.succeeded(&format!("a certificate for a token ({account})"), issued);
        let roots = plane.root.clone();
        all.extend(issued.map(|identity| Known { identity, roots }));
    }
    let all: [Known; 2] = all.try_into().ok()?;
    let renewed = Proof::Certificate(&all[0].identity);
    let renewed = identity::ask(plane, &network.control, "client", renewed).await;
    report.succeeded("a certificate for the old one", renewed);
    let refused = identity::ask(plane, &network.control, "client", Proof::None).await;
    report.equal("no certificate for nothing", refused.is_err(), true);
    Some(all)
}
