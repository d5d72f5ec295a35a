//! What `tandem explain` says under a control plane is what is done.

use serde_json::Value;

use super::scopes::{scope, scoped_listener};
use super::*;
use crate::explain::asked;

impl Mesh {
    /// What is said of a request to a port.
    async fn explained(&self, port: u16, header: Option<&str>) -> Value {
        let mut question = vec![("url", format!("http://127.0.0.1:{port}/"))];
        question.extend(header.map(|header| ("header", header.to_owned())));
        asked(self.proxy.admin, &question).await.unwrap()
    }
}

/// Where the only cluster leads: its name, and the ports of its endpoints that get requests.
fn target(answer: &Value) -> (&str, Vec<u16>) {
    let [only] = &**answer["clusters"].as_array().unwrap() else {
        panic!("{answer}");
    };
    let endpoints = only["endpoints"].as_array().unwrap().iter();
    let used = endpoints.filter(|one| one["share"] != 0.0);
    let port = |one: &Value| one["address"].as_str()?.rsplit_once(':')?.1.parse().ok();
    let ports = used.filter_map(port).collect();
    (only["cluster"].as_str().unwrap(), ports)
}

/// Routes, clusters and endpoints are those that came last.
#[tokio::test]
async fn what_came_last_is_explained() {
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        mesh.until("one").await;
        let answer = mesh.explained(mesh.port, None).await;
        assert_eq!(target(&answer), ("one", vec![mesh.one.port]), "{answer}");
        mesh.say("two", "");
        mesh.until("two").await;
        let answer = mesh.explained(mesh.port, None).await;
        assert_eq!(target(&answer), ("two", vec![mesh.two.port]), "{answer}");
        assert_eq!(answer["route_configuration"], "r", "{answer}");
    }
}

/// Routes that never came are named, and not called routes without hosts.
#[tokio::test]
async fn routes_that_have_not_come_are_named() {
    let mesh = Mesh::start("DELTA_GRPC").await;
    let port = ports::free();
    let late = listener("late", port, "late", "late").replace(
        "resource_api_version: V3 }",
        "resource_api_version: V3, initial_fetch_timeout: 0.05s }",
    );
    mesh.say("one", &late);
    let given_up = wait::until_async(wait::PATIENCE, || async {
        h1::get(port, "/")
            .await
            .is_ok_and(|(status, _)| status == 404)
    });
    assert!(given_up.await, "{}", mesh.proxy.process.output());
    let answer = mesh.explained(port, None).await;
    let (said, status) = ("404: routes 'late' have not come yet", &answer["status"]);
    assert_eq!((&answer["answer"], status), (&said.into(), &404.into()));
    assert_eq!(answer["flags"], "NR", "{answer}");

    mesh.say("one", &(late + &routes("late", "two")));
    let there = wait::until_async(wait::PATIENCE, || async {
        h1::get(port, "/")
            .await
            .is_ok_and(|(_, body)| body == "two")
    });
    assert!(there.await, "{}", mesh.proxy.process.output());
    let answer = mesh.explained(port, None).await;
    assert_eq!(target(&answer), ("two", vec![mesh.two.port]), "{answer}");
}

/// Scopes that a control plane sends are looked up as a request looks them up.
#[tokio::test]
async fn the_scope_of_a_request_is_explained() {
    let mesh = Mesh::start("DELTA_GRPC").await;
    let port = ports::free();
    let scoped = scoped_listener(port).replace("name: main", "name: scoped");
    let tables = routes("r1", "one") + &routes("r2", "two");
    let scopes = scope("a", "x", "r1") + &scope("b", "y", "r2");
    mesh.say("one", &(scoped + &tables + &scopes));
    let there = wait::until_async(wait::PATIENCE, || async {
        let answer = mesh.explained(port, Some("x-scope: y")).await;
        answer["route_configuration"] == "r2"
    });
    let there = there.await;
    let answer = mesh.explained(port, Some("x-scope: y")).await;
    assert!(there, "{answer}");
    assert_eq!(target(&answer), ("two", vec![mesh.two.port]), "{answer}");
    let step = |answer: &Value| {
        let steps = answer["steps"].as_array().unwrap().iter();
        let mut scopes = steps.filter(|step| step["what"] == "scope");
        scopes.next().cloned().unwrap()
    };
    let chosen = step(&answer);
    assert_eq!(chosen["name"], "b", "{chosen}");
    assert_eq!(chosen["not"][0]["why"], "key: expected 'x'", "{chosen}");

    let answer = mesh.explained(port, Some("x-scope: nobody")).await;
    let said = "404: no scope of 's' has the request's key";
    assert_eq!(
        (&answer["answer"], &answer["flags"]),
        (&said.into(), &"NR".into())
    );
    let mut connection = Connection::open(port).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nx-scope: nobody\r\n\r\n";
    connection.send(request).await.unwrap();
    assert_eq!(connection.response("GET").await.unwrap().status, 404);
}
