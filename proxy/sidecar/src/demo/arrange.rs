//! Starting the two sidecars, and leaving nothing behind.

use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::child::{code_of, exit_code, terminate};
use crate::cli::demo::Ports;
use crate::process::Error;
use crate::shutdown::{Heard, Signals};

/// The shop's mesh: retries and a fault are set here, in the route table, and nowhere else.
const SHOP: &str = include_str!("shop.yaml");
/// The stock's mesh: an inbound listener in front of the application.
const STOCK: &str = include_str!("stock.yaml");

/// A folder that is removed with everything in it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs both sidecars until the shop ends or somebody ends the demo.
pub(super) async fn run(once: bool) -> Result<ExitCode, Error> {
    // Before there is anything that a signal could leave behind.
    let mut signals =
        Signals::with_terminal().map_err(Error::system("cannot take over signals"))?;
    let folder = Folder(std::env::temp_dir().join(format!("tandem-demo-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).map_err(|error| Error::write(&folder.0, error))?;
    let ports = free_ports().map_err(Error::system("cannot find free ports"))?;
    let me = std::env::current_exe().map_err(Error::system("cannot find this program's file"))?;

    let mut stock = sidecar(
        &me,
        &folder.0,
        "stock",
        STOCK,
        &ports,
        &[
            ("--runtime-grpc-port", ports.stock_runtime),
            ("--admin-port", ports.stock_admin),
            ("--app-port", ports.stock),
        ],
    )?
    .args([
        "--",
        &me.display().to_string(),
        "demo",
        "stock",
        "--port",
        &ports.stock.to_string(),
    ])
    .spawn()
    .map_err(Error::system("cannot start the stock's sidecar"))?;
    // Signals first, here and below: one that is sent to the group while a sidecar is started, and
    // has no group of its own yet, ends that one too.
    let started = tokio::select! {
        biased;
        heard = signals.next() => Err(Ok(ExitCode::from(code_of(heard.signal)))),
        started = ready(ports.stock, &mut stock) => started.map_err(Err),
    };
    if let Err(outcome) = started {
        end(stock).await;
        return outcome;
    }

    let mut command = sidecar(
        &me,
        &folder.0,
        "shop",
        SHOP,
        &ports,
        &[
            ("--runtime-grpc-port", ports.runtime),
            ("--admin-port", ports.admin),
        ],
    )?;
    command.args(["--", &me.display().to_string(), "demo"]);
    command.args(once.then_some("--once"));
    command.arg("shop");
    for (name, port) in named(&ports) {
        command.args([format!("--{name}"), port.to_string()]);
    }
    let mut shop = command
        .spawn()
        .map_err(Error::system("cannot start the shop's sidecar"))?;

    let ended = tokio::select! {
        biased;
        heard = signals.next() => Err(heard),
        status = shop.wait() => Ok(status.map_or(1, exit_code)),
        status = stock.wait() => Ok(status.map_or(1, exit_code).max(1)),
    };
    let steps = end(shop).await;
    end(stock).await;
    Ok(ExitCode::from(match ended {
        Ok(code) => code,
        Err(heard) => after(heard, steps),
    }))
}

/// The demo's exit code when a signal ended it: what the shop's steps came to, if it took them
/// all.
fn after(heard: Heard, steps: u8) -> u8 {
    match steps {
        0 | 1 => steps,
        _ => code_of(heard.signal),
    }
}

fn sidecar(
    me: &Path,
    folder: &Path,
    app_id: &str,
    template: &str,
    ports: &Ports,
    given: &[(&str, u16)],
) -> Result<Command, Error> {
    let config = folder.join(format!("{app_id}.yaml"));
    let mut text = template.to_owned();
    for (name, port) in named(ports) {
        text = text.replace(&format!("{{{name}}}"), &port.to_string());
    }
    std::fs::write(&config, text).map_err(|error| Error::write(&config, error))?;
    let mut command = Command::new(me);
    command.args([
        "run",
        "--app-id",
        app_id,
        "--concurrency",
        "1",
        "--log-level",
        "warn",
    ]);
    command.arg("--config").arg(config);
    command.arg("--data-dir").arg(folder.join(app_id));
    for (option, port) in given {
        command.args([(*option).to_owned(), port.to_string()]);
    }
    // What ends the demo is for the demo: a sidecar that hears Ctrl-C too, and then is asked to
    // end, would take that for impatience.
    command.process_group(0).stdin(Stdio::null());
    command.kill_on_drop(true);
    Ok(command)
}

/// Waits until the service behind a sidecar accepts connections: the sidecar starts it last.
async fn ready(port: u16, sidecar: &mut Child) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        if tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_ok()
        {
            return Ok(());
        }
        let ended = sidecar.try_wait().is_ok_and(|status| status.is_some());
        if ended || begun.elapsed() > Duration::from_secs(10) {
            let reason = io::Error::other("it did not become ready");
            return Err(Error::system("cannot start the stock's sidecar")(reason));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Ends a sidecar the polite way, so that it ends its application, whose exit code it has.
async fn end(mut sidecar: Child) -> u8 {
    terminate(&sidecar);
    match tokio::time::timeout(Duration::from_secs(5), sidecar.wait()).await {
        Ok(status) => status.map_or(1, exit_code),
        Err(_) => {
            let _ = sidecar.kill().await;
            1
        }
    }
}

fn named(ports: &Ports) -> [(&'static str, u16); 7] {
    [
        ("outbound", ports.outbound),
        ("runtime", ports.runtime),
        ("admin", ports.admin),
        ("inbound", ports.inbound),
        ("stock", ports.stock),
        ("stock-runtime", ports.stock_runtime),
        ("stock-admin", ports.stock_admin),
    ]
}

/// Ports that nobody listens on. They are below those that Linux, unless it was told otherwise,
/// gives to whoever does not mind which: nobody is given one before the sidecars have bound them.
fn free_ports() -> io::Result<Ports> {
    const RANGE: Range<u16> = 4096..10_240;
    /// How many a demo takes.
    const PORTS: u32 = 7;
    let span = u32::from(RANGE.end - RANGE.start);
    // Demos that begin at once look at different ones, unless their ids differ by a multiple of 877.
    let first = std::process::id() % (span / PORTS) * PORTS;
    let all = (0..span).map(|step| RANGE.start + ((first + step) % span) as u16);
    let mut free = all.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let mut port = || free.next().ok_or(io::ErrorKind::AddrInUse);
    Ok(Ports {
        outbound: port()?,
        runtime: port()?,
        admin: port()?,
        inbound: port()?,
        stock: port()?,
        stock_runtime: port()?,
        stock_admin: port()?,
    })
}
