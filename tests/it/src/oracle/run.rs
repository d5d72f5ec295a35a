//! Runs a group against both proxies.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use tandem_harness::calm::Watched;
use tandem_harness::client::Request;
use tandem_harness::upstream::End;
use tandem_harness::{Kind, Proxy, Upstream, ports, wait};
use tempfile::TempDir;
use tokio::sync::RwLock;

use super::bootstrap::Bootstrap;
use super::case::{Case, Send, Wire};
use super::compare::{self, Report};
use super::exchange;
use super::fields::{self, Fields, Names};

/// How often a group is gone through at most.
const MOST: usize = 6;
/// Read by a group that may have others beside it, written by one that is gone through again.
static ALONE: RwLock<()> = RwLock::const_new(());

/// Compares the subject with Envoy on every case.
///
/// Two processes beside others do not meet the same moments: what one read of a socket brings, or
/// which of two timers is first. So a group with a case that differs is gone through again, from the
/// first case on, by new processes and without another group beside it, until the case agrees; that
/// is in the report, as `differed at times`, and none of it should stay unexplained. A case has failed
/// that differs in [`MOST`] runs, or sooner: in two during which the machine ran what was due.
///
/// # Panics
/// With a list of all differences that no case allows.
pub async fn check(group: &str, bootstrap: Bootstrap, cases: Vec<Case>) {
    let mut cases: Vec<Case> = cases.into_iter().flat_map(expand).collect();
    for case in &mut cases {
        case.differs.extend(compare::meant(group, &case.name));
    }
    let cases: Vec<Case> = match std::env::var("TANDEM_ORACLE_CASE") {
        Ok(only) => cases
            .into_iter()
            .filter(|case| case.name.contains(&only))
            .collect(),
        Err(_) => cases,
    };
    let subject = match std::env::var("TANDEM_ORACLE_SUBJECT").as_deref() {
        Ok("envoy") => Kind::Envoy,
        _ => Kind::Tandem,
    };
    let beside = ALONE.read().await;
    let mut report = compared(group, subject, &bootstrap, &cases).await;
    drop(beside);
    for _ in 1..MOST {
        if report.agrees() || report.is_certain() {
            break;
        }
        let _alone = ALONE.write().await;
        report = report.and(compared(group, subject, &bootstrap, &cases).await);
    }
    compare::save(group, &report.text());
    assert!(report.agrees(), "{}", report.text());
}

async fn compared(group: &str, subject: Kind, bootstrap: &Bootstrap, cases: &[Case]) -> Report {
    let (oracle, subject) = tokio::join!(
        side(Kind::Envoy, bootstrap, cases),
        side(subject, bootstrap, cases)
    );
    let (oracle, envoys) =
        oracle.unwrap_or_else(|error| panic!("{group}: the oracle did not start: {error}"));
    compare::save(&format!("{group}.envoy"), &compare::dump(cases, &oracle));
    let (subject, ours) =
        subject.unwrap_or_else(|error| panic!("{group}: the subject did not start: {error}"));
    let waits: Vec<_> = (envoys.into_iter().zip(ours))
        .map(|(one, other)| one.max(other))
        .collect();
    compare::report(group, cases, &oracle, &subject).excused_by(cases, &waits)
}

/// A case for each protocol.
fn expand(case: Case) -> Vec<Case> {
    let over = |wire, suffix| Case {
        name: format!("{} [{suffix}]", case.name),
        wire,
        ..case.clone()
    };
    match case.wire {
        Wire::Both => vec![over(Wire::H1, "h1"), over(Wire::H2, "h2")],
        Wire::H1 => vec![over(Wire::H1, "h1")],
        Wire::H2 => vec![over(Wire::H2, "h2")],
    }
}

/// What each case showed, and for how long something that was due waited meanwhile.
type Shown = (Vec<Fields>, Vec<Option<Duration>>);

async fn side(kind: Kind, bootstrap: &Bootstrap, cases: &[Case]) -> Result<Shown, String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let log = folder.path().join("access.log");
    let upstream = Upstream::start(&["up", "up2"]).await;
    let mut named: BTreeMap<&str, u16> = bootstrap
        .listener_names()
        .map(|name| (name, ports::free()))
        .collect();
    named.insert("admin", ports::free());
    named.insert("dead", ports::free());
    named.insert("up", upstream.ports()[0]);
    named.insert("up2", upstream.ports()[1]);
    let text = bootstrap.render(&named, &log);
    let proxy = Proxy::start(kind, &text, named["admin"]).await?;
    let names = Names(
        named
            .iter()
            .map(|(name, port)| (*port, (*name).to_owned()))
            .collect(),
    );
    let mut side = Side {
        named,
        names,
        upstream,
        log: LogFile::new(&log),
    };
    let (mut all, mut waits) = (Vec::new(), Vec::new());
    for case in cases {
        let watched = Watched::start(&proxy.process);
        let mut fields = side.run(case).await;
        // What Tandem says it would do is what it did.
        let claim = match kind {
            Kind::Tandem => side.claim(&proxy, case, &fields).await,
            Kind::Envoy => None,
        };
        waits.push(watched.disturbed());
        fields.insert("explained".into(), claim.unwrap_or("as it was".into()));
        all.push(fields);
    }
    Ok((all, waits))
}

struct Side<'a> {
    named: BTreeMap<&'a str, u16>,
    names: Names,
    upstream: Upstream,
    log: LogFile<'a>,
}

impl Side<'_> {
    async fn run(&mut self, case: &Case) -> Fields {
        let mut all = Fields::new();
        for turn in 0..case.times {
            let mut fields = self.once(case).await;
            if turn == 0 {
                all = fields;
                continue;
            }
            while let Some((name, value)) = fields.pop_first() {
                all.insert(format!("again.{turn}.{name}"), value);
            }
        }
        all
    }

    /// What is wrong with the explanation of a case, if it can be asked for.
    async fn claim(&self, proxy: &Proxy, case: &Case, fields: &Fields) -> Option<String> {
        let case = self.with_ports(case);
        let port = self.named[case.listener];
        crate::explain::claim(proxy, &case, port, fields, &self.names).await
    }

    async fn once(&mut self, case: &Case) -> Fields {
        let port = self.named[case.listener];
        let case = &self.with_ports(case);
        let mut fields = Fields::new();
        let over_h2 = case.wire == Wire::H2;
        if over_h2 {
            exchange::over_h2(case, port, &self.names, &mut fields).await;
        } else {
            exchange::over_h1(case, port, &self.names, &mut fields).await;
        }
        if case.racy {
            // The upstream may not have heard yet of what broke off.
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        let mut seen = self.upstream.log().take().await;
        seen.retain(|seen| !seen.line.contains("/__probe"));
        seen.retain(|seen| !case.racy || seen.end == End::Complete);
        fields.insert("upstream.count".into(), seen.len().to_string());
        for (number, seen) in seen.iter().enumerate() {
            fields::seen(
                &mut fields,
                &format!("upstream.{number}."),
                seen,
                &self.names,
            );
        }
        let lines = self.log.next(case.responses).await;
        fields.insert("log.count".into(), lines.len().to_string());
        for (number, line) in lines.iter().enumerate() {
            fields::log_line(&mut fields, &format!("log.{number}."), line, &self.names);
        }
        if case.racy {
            fields
                .retain(|name, _| !name.ends_with("upstream_host") && !name.ends_with("bytes_in"));
        }
        fields
    }

    /// Ports in a request are known only now: `{{name}}` in hosts, paths and fields.
    fn with_ports(&self, case: &Case) -> Case {
        let mut case = case.clone();
        let fill = |text: &mut String| {
            for (name, port) in &self.named {
                *text = text.replace(&format!("{{{{{name}}}}}"), &port.to_string());
            }
        };
        if let Send::Built(Request {
            path,
            authority,
            headers,
            ..
        }) = &mut case.send
        {
            fill(path);
            fill(authority);
            headers.iter_mut().for_each(|(_, value)| fill(value));
            headers.push(("x-case".into(), case.name.clone()));
        }
        case
    }
}

struct LogFile<'a> {
    path: &'a Path,
    /// Of the file, up to the end of a line.
    read: u64,
    lines: Vec<String>,
}

impl<'a> LogFile<'a> {
    fn new(path: &'a Path) -> Self {
        Self {
            path,
            read: 0,
            lines: Vec::new(),
        }
    }

    /// The lines since the last call, as soon as there are `count` of the log that each listener
    /// has, which is the last to be written, or those there are.
    async fn next(&mut self, count: usize) -> Vec<String> {
        wait::until(Duration::from_millis(400), || {
            self.read();
            let of_main = self.lines.iter().filter(|line| line.starts_with('{'));
            of_main.count() >= count
        })
        .await;
        std::mem::take(&mut self.lines)
    }

    /// Adds the whole lines that have come.
    fn read(&mut self) {
        let mut bytes = Vec::new();
        let Ok(mut file) = File::open(self.path) else {
            return;
        };
        let rest = file.seek(SeekFrom::Start(self.read));
        if rest.and_then(|_| file.read_to_end(&mut bytes)).is_err() {
            return;
        }
        let end = bytes.iter().rposition(|&byte| byte == b'\n');
        let whole = &bytes[..end.map_or(0, |at| at + 1)];
        self.read += whole.len() as u64;
        let text = String::from_utf8_lossy(whole);
        let lines = text.lines().filter(|line| !line.contains("/__probe"));
        self.lines.extend(lines.map(str::to_owned));
    }
}
