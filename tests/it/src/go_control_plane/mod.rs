//! go-control-plane's own integration program, with Tandem where it expects Envoy: three versions
//! of a configuration, one after the other, each with its own clusters, routes and scopes, over
//! every way in which a control plane can be asked. None of its listeners is switched off.

mod mode;

use std::time::Duration;

use tandem_harness::calm::Watched;
use tandem_harness::netns::Namespace;
use tandem_harness::{Kind, Process, proxy, wait};

use mode::Mode;

const MESSAGE: &str = "Hi, there!\n";
/// For each version so many rounds of requests, of which one has to succeed as a whole within the
/// 100 ms that the program gives: with its own 5, a busy machine decides.
const ROUNDS: [&str; 2] = ["-r=20", "-delay=250ms"];
/// How often the program may run, if all that a failed run shows may be a machine that is not there:
/// of those 100 ms in every round.
const RUNS: u32 = 3;
/// What has to have stood still for so long.
const STOOD_STILL: Duration = Duration::from_millis(100);
/// Three times the rounds with their delays, and a start, on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

macro_rules! passes {
    ($($name:ident: $mode:ident $($flag:literal)*;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            run(Mode::$mode, &[$($flag),*]).await;
        }
    )*};
}

passes! {
    ads: Ads;
    ads_with_tls: Ads "-tls";
    delta_ads: DeltaAds;
    delta_ads_with_tls: DeltaAds "-tls";
    xds: Xds;
    xds_with_tls: Xds "-tls";
    xds_with_several_caches: Xds "-mux";
    rest: Rest;
    rest_with_tls: Rest "-tls";
    delta: Delta;
    delta_with_tls: Delta "-tls";
}

async fn run(mode: Mode, flags: &[&str]) {
    for run in 1..=RUNS {
        // The ports are fixed: a network for each run.
        let namespace = match Namespace::new() {
            Ok(namespace) => namespace,
            Err(error) => {
                eprintln!(
                    "SKIPPED: go-control-plane's program, as it has no network here: {error}"
                );
                return;
            }
        };
        match passed(mode, flags, &namespace).await {
            Ok(()) => return,
            Err(failure) if !failure.disturbed || run == RUNS => panic!("{}", failure.said),
            Err(_) => eprintln!("run {run} failed on a machine that stood still"),
        }
    }
}

/// A run that failed.
struct Failure {
    said: String,
    /// Whether the machine, a thread of Tandem or the test's own stood still meanwhile.
    disturbed: bool,
}

async fn passed(mode: Mode, flags: &[&str], namespace: &Namespace) -> Result<(), Failure> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("bootstrap.yaml");
    std::fs::write(&config, mode.bootstrap()).unwrap();
    let message = format!("-message={MESSAGE}");
    let mut upstream = namespace.command(tool("go-control-plane-upstream"));
    let _upstream = Process::spawn("upstream", upstream.arg(&message));
    let mut command = namespace.command(tool("go-control-plane-test"));
    command.args(["-debug", &message, &mode.flag(), &mode.runtimes()]);
    let mut program = Process::spawn("test", command.args(ROUNDS).args(flags));
    // A stream that is refused at first comes back after pauses that grow, each by itself: they
    // may be longer than all rounds of the first version.
    program.wait_for_output("management server listening").await;
    // Its gateway says so before it does; a path that is none counts as nobody's request.
    let gateway = "curl -s -m 5 -o /dev/null http://127.0.0.1:18001/";
    let listens = wait::until(wait::PATIENCE, || namespace.sh(gateway).is_ok());
    assert!(listens.await, "{}", program.output());
    let mut command = namespace.wrap(&Kind::Tandem.command(&config));
    let proxy = Process::spawn("Tandem", command.args(["--drain-time-s", "1"]));
    let watched = Watched::start(&proxy);
    let ended = program.wait(LIMIT).await;
    let disturbed = watched.disturbed().is_some_and(|time| time >= STOOD_STILL);
    let said = program.last_output().await;
    let all = || format!("{said}\nTandem:\n{}", proxy.output());
    let status = ended.unwrap_or_else(|| panic!("it does not end: {}", all()));
    if !status.success() {
        let said = all();
        return Err(Failure { said, disturbed });
    }

    let passed = format!("Test for {} passed!", mode.name());
    assert!(said.trim_end().ends_with(&passed), "{}", all());
    let whole = format!("ok {}, failed 0, pass true", mode.listeners());
    assert!(said.contains(&whole), "{}", all());
    let stats = "curl -sf -m 5 http://127.0.0.1:19000/stats";
    let seen = wait::until(wait::PATIENCE, || namespace.sh(stats).is_ok()).await;
    assert!(seen, "{}", all());
    let stats = namespace.sh(stats).unwrap();
    let refused: Vec<_> = stats
        .lines()
        .filter(|line| line.contains("update_rejected") && !line.ends_with(": 0"))
        .collect();
    assert!(refused.is_empty(), "{refused:?}\n{}", all());
    Ok(())
}

fn tool(name: &str) -> std::path::PathBuf {
    let path = proxy::tools().join("bin").join(name);
    assert!(
        path.exists(),
        "expected {}; tests/run builds it",
        path.display()
    );
    path
}
