//! What every pair of sidecars must do: identity, access, live edits, istiod gone and back.

use std::time::Duration;

use tandem_harness::wait;

use crate::calls::{self, Request};
use crate::mesh::Mesh;
use crate::report::Report;
use crate::rules::{self, POLICY};

const EDIT: Duration = Duration::from_secs(20);
const RETURN: Duration = Duration::from_secs(45);

/// Runs the checks; the rules are the first ones again afterwards.
pub async fn run(mesh: &mut Mesh, report: &mut Report) {
    let ok = || "200".to_owned();
    report
        .becomes(
            "mutual TLS through both sidecars",
            EDIT,
            || mesh.status("/x"),
            ok(),
        )
        .await;
    let said = mesh.said(&Request::to(rules::HOST, "/x")).await;
    let identity = said
        .lines()
        .find_map(|line| line.split("URI=").nth(1))
        .unwrap_or_default();
    report.equal(
        "the server is told who called",
        identity,
        "spiffe://cluster.local/ns/default/sa/client",
    );
    report.equal("plain text is refused", outsider(mesh).await, "none".into());
    report.equal(
        "AuthorizationPolicy",
        mesh.status("/forbidden").await,
        "403".into(),
    );
    let fixed = Request::to("static.mesh.test", "/");
    let fixed = calls::status(&mesh.network.client, "10.96.0.12:80", &fixed).await;
    report.equal("endpoints of the service itself", fixed, ok());
    let heard = calls::line(&mesh.network.client, "10.96.0.10:9000", "hi")
        .await
        .unwrap_or_default();
    report.equal(
        "bytes over mutual TLS",
        heard.split_once(':').map(|(_, said)| said),
        Some("hi"),
    );
    mesh.rule(&rules::route(&rules::abort(100)), POLICY);
    report
        .becomes("an edit: a fault", EDIT, || mesh.status("/x"), "418".into())
        .await;
    mesh.rule(&rules::route(""), POLICY);
    report
        .becomes("an edit: no fault", EDIT, || mesh.status("/x"), ok())
        .await;
    mesh.plane
        .config
        .write("security.yaml", rules::permissive());
    report
        .becomes(
            "an edit: plain text is let in",
            EDIT,
            || outsider(mesh),
            ok(),
        )
        .await;
    mesh.plane.stop().await;
    report.equal(
        "traffic goes on without istiod",
        mesh.status("/x").await,
        ok(),
    );
    match mesh.plane.start(&mesh.network.control).await {
        Ok(took) => println!("     istiod is back after {} ms", took.as_millis()),
        Err(error) => report.say("istiod starts again", false, &error),
    }
    mesh.rule(&rules::route(&rules::abort(100)), POLICY);
    report
        .becomes(
            "sidecars find istiod again",
            RETURN,
            || mesh.status("/x"),
            "418".into(),
        )
        .await;
    restore(mesh, report).await;
}

/// The first rules again.
pub async fn restore(mesh: &Mesh, report: &mut Report) {
    for (name, text) in rules::first() {
        mesh.plane.config.write(name, &text);
    }
    let shut = || async { outsider(mesh).await == "none" };
    let restored = wait::until_async(EDIT, shut).await && mesh.takes("default").await;
    if !restored {
        report.say("the first rules are back", false, "they are not");
    }
}

/// What somebody without a sidecar gets.
async fn outsider(mesh: &Mesh) -> String {
    let to = format!("{}:8080", crate::network::ECHO[0]);
    calls::status(&mesh.network.outsider, &to, &Request::to("echo", "/")).await
}
