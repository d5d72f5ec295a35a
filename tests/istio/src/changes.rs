//! What may happen to a mesh while calls go on: no call may fail of it.

use std::time::Duration;

use rcgen::DnType;
use tandem_harness::certs::Authority;
use tandem_harness::wait;

use crate::calls::Request;
use crate::identity::spiffe;
use crate::load::Load;
use crate::mesh::Mesh;
use crate::report::Report;
use crate::rules::{self, POLICY};
use crate::secrets::Known;

const EDIT: Duration = Duration::from_secs(20);

/// Connections between the sidecars do not last: each certificate is soon met.
const SHORT: &str = "
connectionPool: { http: { maxRequestsPerConnection: 3 } }
loadBalancer: { simple: ROUND_ROBIN }";

/// Runs the checks; istiod is away for so long.
pub async fn run(mesh: &mut Mesh, outage: Duration, report: &mut Report) {
    let plain = format!("\n- route: [{}]", rules::to("v1", 100));
    mesh.rule_named("short", &plain, SHORT).await;
    certificates(mesh, report).await;
    roots(mesh, report).await;
    crate::basic::restore(mesh, report).await;
    broken(mesh, report).await;
    unknown(mesh, report).await;
    away(mesh, outage, report).await;
    crate::basic::restore(mesh, report).await;
}

/// What a workload is known by, with a subject that says which it is.
fn known(account: &str, subject: &str, authority: &Authority, chain: &str, roots: &str) -> Known {
    let mut identity = authority.issue_with(&[&spiffe(account)], |params| {
        params.distinguished_name.push(DnType::CommonName, subject);
    });
    identity.chain += chain;
    Known {
        identity,
        roots: roots.to_owned(),
    }
}

/// Gives all sidecars new certificates, and waits until they are used.
async fn give(mesh: &Mesh, subject: &str, authority: &Authority, chain: &str, roots: &str) -> bool {
    for sidecar in &mesh.echo {
        sidecar
            .know(known("echo", subject, authority, chain, roots))
            .await;
    }
    mesh.client
        .know(known("client", subject, authority, chain, roots))
        .await;
    let said = format!("CN={subject}\"");
    let request = Request::to(rules::HOST, "/x");
    wait::until_async(EDIT, || async { mesh.said(&request).await.contains(&said) }).await
}

async fn certificates(mesh: &Mesh, report: &mut Report) {
    let Mesh { plane, network, .. } = mesh;
    let (used, load) = Load::during(&network.client, async |load| {
        let mut used = true;
        for number in 0..5 {
            let subject = format!("rotated-{number}");
            used &= give(mesh, &subject, &plane.authority, &plane.chain, &plane.root).await;
            load.more(50).await;
        }
        used
    })
    .await;
    report.equal("five certificates are taken up", used, true);
    report.say(
        "nobody notices that they change",
        load.is_clean(),
        &load.failures(),
    );
}

/// From one root to another: first both are trusted, then certificates change, then one is left.
async fn roots(mesh: &Mesh, report: &mut Report) {
    let Mesh { plane, network, .. } = mesh;
    let new = Authority::new();
    let both = format!("{}{}", plane.root, new.pem);
    let (used, load) = Load::during(&network.client, async |load| {
        let mut used = true;
        used &= give(mesh, "both-1", &plane.authority, &plane.chain, &both).await;
        load.more(50).await;
        used &= give(mesh, "both-2", &new, &new.pem, &both).await;
        load.more(50).await;
        used &= give(mesh, "new", &new, &new.pem, &new.pem).await;
        load.more(50).await;
        used
    })
    .await;
    report.equal("another root is taken up", used, true);
    report.say(
        "nobody notices that it changes",
        load.is_clean(),
        &load.failures(),
    );
    // And back, for the checks that follow: istiod knows the first one only.
    give(mesh, "back-1", &new, &new.pem, &both).await;
    give(mesh, "back-2", &plane.authority, &plane.chain, &both).await;
    give(mesh, "back-3", &plane.authority, &plane.chain, &plane.root).await;
}

/// A file that istiod refuses: it keeps what it had, and says so.
async fn broken(mesh: &Mesh, report: &mut Report) {
    let plane = &mesh.plane;
    let (_, load) = Load::during(&mesh.network.client, async |load| {
        plane
            .config
            .write("broken.yaml", include_str!("../config/broken.yaml"));
        let said = || async { plane.log().contains("unable to reload file configuration") };
        report
            .becomes("istiod refuses a bad file", EDIT, said, true)
            .await;
        load.more(50).await;
        let _ = std::fs::remove_file(plane.config.path("broken.yaml"));
    })
    .await;
    report.say("nobody notices", load.is_clean(), &load.failures());
}

/// A filter that the proxy has not: it keeps what it had, and tells istiod of which listener.
async fn unknown(mesh: &Mesh, report: &mut Report) {
    let plane = &mesh.plane;
    let (_, load) = Load::during(&mesh.network.client, async |load| {
        plane
            .config
            .write("unknown.yaml", include_str!("../config/unknown.yaml"));
        let told = || async {
            plane
                .log()
                .lines()
                .any(|line| line.contains("ACK ERROR") && line.contains("0.0.0.0_80"))
        };
        report
            .becomes(
                "the proxy refuses a listener by name, and istiod logs it",
                EDIT,
                told,
                true,
            )
            .await;
        load.more(50).await;
        let _ = std::fs::remove_file(plane.config.path("unknown.yaml"));
        mesh.rule(&rules::route(&rules::abort(100)), POLICY);
        report
            .becomes("an edit after it", EDIT, || mesh.status("/x"), "418".into())
            .await;
        mesh.rule(&rules::route(""), POLICY);
        report
            .becomes("an edit back", EDIT, || mesh.status("/x"), "200".into())
            .await;
        load.more(1).await;
    })
    .await;
    let only = load.failed_only("418 ");
    report.say(
        "nobody notices but by that edit",
        only && load.answered() > 0,
        &load.failures(),
    );
}

/// istiod goes, and comes back with the same to say. Callers keep their connections: what closed one
/// of them would count as a failure.
async fn away(mesh: &mut Mesh, outage: Duration, report: &mut Report) {
    let Mesh { plane, network, .. } = mesh;
    let (back, load) = Load::during(&network.client, async |load| {
        plane.stop().await;
        tokio::time::sleep(outage).await;
        load.more(50).await;
        let back = plane.start(&network.control).await;
        plane.config.write(
            "late.yaml",
            &include_str!("../config/late.yaml").replace("ADDRESS", "10.77.0.23"),
        );
        let request = Request::to("late.mesh.test", "/x");
        let late = || crate::calls::status(&network.client, crate::traffic::LATE, &request);
        report
            .becomes(
                "sidecars hear istiod again",
                Duration::from_secs(45),
                late,
                "200".into(),
            )
            .await;
        load.more(50).await;
        back.map(drop)
    })
    .await;
    report.succeeded("istiod comes back", back);
    report.say(
        &format!("nobody notices that it was away for {} s", outage.as_secs()),
        load.is_clean(),
        &load.failures(),
    );
}
