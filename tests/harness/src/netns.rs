//! A network of its own for a test: interfaces, addresses, routes and iptables rules.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space, set_thread_res_uid};

/// Who the application is: rules that take its traffic leave everybody else's alone.
pub const APP_UID: u32 = 1338;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace; dropping it removes it.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A namespace whose loopback interface is up.
    ///
    /// # Errors
    /// What the system says: it takes root, and a kernel that allows it.
    pub fn new() -> Result<Self, String> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tandem-{}-{number}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        namespace.sh("ip link set lo up")?;
        Ok(namespace)
    }

    /// What `ip netns` calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lays a wire to another one: an interface of this name in each.
    ///
    /// # Errors
    /// What the system says.
    pub fn link(&self, other: &Self, interface: &str) -> Result<(), String> {
        let (here, there) = (&self.name, &other.name);
        let line = format!(
            "ip link add {interface} netns {here} type veth peer name {interface} netns {there}"
        );
        run(Command::new("sh").args(["-ec", &line])).map(drop)
    }

    /// Runs a line of shell in it.
    ///
    /// # Errors
    /// What it printed, if it failed.
    pub fn sh(&self, line: &str) -> Result<String, String> {
        run(self.command("sh").args(["-ec", line]))
    }

    /// A command that runs in it, as root.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// The same as another command, in it.
    pub fn wrap(&self, inner: &Command) -> Command {
        let mut command = self.command(inner.get_program());
        command.args(inner.get_args());
        command
    }

    /// A command that runs in it as the application.
    pub fn app_command(&self, program: &str) -> Command {
        let mut command = self.command("setpriv");
        command.arg(format!("--reuid={APP_UID}"));
        command.args(["--clear-groups", program]);
        command
    }

    /// Does something on a thread that is in it. Sockets made there stay in it.
    ///
    /// # Panics
    /// When the namespace cannot be entered, or `act` panics.
    pub fn act<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        self.on_a_thread(|| {}, act)
    }

    /// The same, as the application.
    ///
    /// # Panics
    /// As [`Namespace::act`].
    pub fn act_as_app<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let become_app = || {
            let app = rustix::process::Uid::from_raw(APP_UID);
            set_thread_res_uid(app, app, app).unwrap();
        };
        self.on_a_thread(become_app, act)
    }

    fn on_a_thread<T: Send>(
        &self,
        before: impl FnOnce() + Send,
        act: impl FnOnce() -> T + Send,
    ) -> T {
        let enter = || {
            let file = File::open(format!("/var/run/netns/{}", self.name)).unwrap();
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            before();
            act()
        };
        // The thread ends with what it did: nobody else gets to be in the namespace.
        thread::scope(|scope| scope.spawn(enter).join()).unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run(Command::new("ip").args(["netns", "del", &self.name]));
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().map_err(|error| error.to_string())?;
    match status.success() {
        true => Ok(String::from_utf8_lossy(&stdout).into_owned()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&stderr))),
    }
}
