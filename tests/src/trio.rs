//! The three programs of the whole path, each in a process of its own.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::client::connect;
use crate::program::postern;
use crate::{Process, SOON};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A hub, an owner that shares a service through it, and a friend that reaches it.
pub struct Trio {
    /// The friend, whose address stands for the service.
    pub inlet: Inlet,
    /// The owner.
    pub outlet: Outlet,
    /// What stands between them.
    pub hub: Hub,
}

impl Trio {
    /// Shares the service at `target` and waits until it can be reached.
    ///
    /// # Panics
    /// When one of the programs does not come up.
    #[track_caller]
    #[must_use]
    pub fn around(target: SocketAddr) -> Self {
        let hub = Hub::start();
        let outlet = Outlet::start(target, hub.address());
        let inlet = Inlet::start(outlet.route(), outlet.identifier());
        Self { inlet, outlet, hub }
    }

    /// Where to connect instead of to the service.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inlet.address()
    }
}

/// A running `postern hub`.
pub struct Hub {
    process: Process,
    address: SocketAddr,
    status: SocketAddr,
}

impl Hub {
    /// Starts one on free ports of 127.0.0.1.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(ANY_PORT)
    }

    /// Starts one where another has been.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    #[must_use]
    pub fn start_at(address: SocketAddr) -> Self {
        Self::start_with(address, None)
    }

    /// Starts one that keeps its identity and its mailboxes in a directory.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    #[must_use]
    pub fn keeping(address: SocketAddr, data: &Path) -> Self {
        Self::start_with(address, Some(data))
    }

    #[track_caller]
    fn start_with(address: SocketAddr, data: Option<&Path>) -> Self {
        let mut hub = postern();
        hub.args(["hub", "--listen", &address.to_string()]);
        hub.args(["--status", &ANY_PORT.to_string(), "--json"]);
        if let Some(data) = data {
            hub.arg("--data-dir").arg(data);
        }
        let process = Process::spawn(&mut hub);
        let listening = event(&process, "listening");
        Self { address: address_in(&listening, "address"), status: address_in(&listening, "status"), process }
    }

    /// The program.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where nodes connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gets a page of its status port: the status code and the body.
    ///
    /// # Errors
    /// When the answer does not come or is no HTTP.
    ///
    /// # Panics
    /// When nobody listens there.
    #[track_caller]
    pub fn status(&self, path: &str) -> io::Result<(u16, String)> {
        let mut stream = connect(self.status);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok((code.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
    }
}

/// A running `postern outlet`.
pub struct Outlet {
    process: Process,
    hub: SocketAddr,
    identifier: String,
    relay: String,
    route: String,
}

impl Outlet {
    /// Shares the service at `target` with everybody, under a relay name of the program's choice, and waits until the
    /// hub has it.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    #[must_use]
    pub fn start(target: SocketAddr, hub: SocketAddr) -> Self {
        Self::start_with(target, hub, &[])
    }

    /// As [`start`](Self::start) does, with further options such as `--name` or `--allow`.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    #[must_use]
    pub fn start_with(target: SocketAddr, hub: SocketAddr, options: &[&str]) -> Self {
        Self::up(Self::spawn(target, hub, options), hub)
    }

    /// As [`start`](Self::start) does, under the name `name` and with an identity that outlives the program: it is kept
    /// in `home`, and made there the first time.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    #[must_use]
    pub fn start_as(name: &str, home: &Path, target: SocketAddr, hub: SocketAddr) -> Self {
        let home = home.display().to_string();
        let kept = ["--keychain", "file", "--data-dir", &home, "--passphrase-fd", "0"];
        let process = Self::spawn(target, hub, &[&["--name", name], &kept[..]].concat());
        process.type_line("a passphrase for tests");
        process.end_input();
        Self::up(process, hub)
    }

    #[track_caller]
    fn spawn(target: SocketAddr, hub: SocketAddr, options: &[&str]) -> Process {
        let mut outlet = postern();
        outlet.args(["outlet", "--to", &target.to_string(), "--hub", &hub.to_string(), "--json"]);
        Process::spawn(outlet.args(options))
    }

    #[track_caller]
    fn up(process: Process, hub: SocketAddr) -> Self {
        let up = event(&process, "up");
        let [identifier, relay, route] = ["identifier", "relay", "route"].map(|field| text_in(&up, field));
        Self { process, hub, identifier, relay, route }
    }

    /// The program.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Who it is.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Its name at the hub.
    #[must_use]
    pub fn relay(&self) -> &str {
        &self.relay
    }

    /// What it gives to friends.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Its route for a friend that reaches the hub at another address.
    ///
    /// # Panics
    /// When its route does not name the hub's port.
    #[track_caller]
    #[must_use]
    pub fn route_via(&self, hub: SocketAddr) -> String {
        let (old, new) = (format!("/tcp/{}/", self.hub.port()), format!("/tcp/{}/", hub.port()));
        assert!(self.route.contains(&old), "{} does not contain {old}", self.route);
        self.route.replace(&old, &new)
    }
}

/// A running `postern inlet`.
pub struct Inlet {
    process: Process,
    address: SocketAddr,
}

impl Inlet {
    /// Opens one on a free port of 127.0.0.1 and waits until it has reached the owner.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    #[must_use]
    pub fn start(route: &str, peer: &str) -> Self {
        let inlet = Self::open(route, peer);
        let up = event(&inlet.process, "up");
        assert_eq!(up["peer"], peer);
        inlet
    }

    /// Opens one and waits only until it listens.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    #[must_use]
    pub fn open(route: &str, peer: &str) -> Self {
        let mut inlet = postern();
        inlet.args(["inlet", "--from", &ANY_PORT.to_string(), "--route", route, "--peer", peer, "--json"]);
        let process = Process::spawn(&mut inlet);
        let address = address_in(&event(&process, "listening"), "address");
        Self { process, address }
    }

    /// The program.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Waits for an event that a `postern` started with `--json` tells of, and takes it.
///
/// # Panics
/// When it does not come in time.
#[track_caller]
pub fn event(process: &Process, name: &str) -> Value {
    event_within(process, name, SOON)
}

/// As [`event`] does, with a time of the caller's.
///
/// # Panics
/// When it does not come in time.
#[track_caller]
pub fn event_within(process: &Process, name: &str, timeout: Duration) -> Value {
    process.json_line(|json| json["event"] == name, timeout)
}

#[track_caller]
fn text_in(event: &Value, field: &str) -> String {
    event[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {event}")).to_owned()
}

#[track_caller]
fn address_in(event: &Value, field: &str) -> SocketAddr {
    let address = text_in(event, field);
    address.parse().unwrap_or_else(|error| panic!("`{address}` in {event}: {error}"))
}
