//! The three programs between a client and a service (`postern hub`, `outlet`, `inlet`), each in a process of its own.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::Process;
use crate::client::connect;
use crate::program::{postern, with_descriptors};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A hub, an outlet that shares a service through it, and an inlet that reaches the service.
pub struct HubOutletInlet {
    /// The client's end: its address stands for the service.
    pub inlet: Inlet,
    /// The service's end.
    pub outlet: Outlet,
    /// What relays between them.
    pub hub: Hub,
}

impl HubOutletInlet {
    /// Shares the service at `target` and waits until it can be reached.
    ///
    /// # Panics
    /// When one of the programs does not come up.
    #[track_caller]
    #[must_use]
    pub fn start(target: SocketAddr) -> Self {
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
    identifier: String,
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

    /// Starts one at an address, such as that of a hub which ended.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    #[must_use]
    pub fn start_at(address: SocketAddr) -> Self {
        Self::spawn(&mut Self::command(address))
    }

    /// Starts one that keeps its identity and mailboxes in a directory.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    #[must_use]
    pub fn start_in(data: &Path) -> Self {
        Self::start_at_in(ANY_PORT, data)
    }

    /// Starts one at an address that keeps its identity and mailboxes in a directory.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    #[must_use]
    pub fn start_at_in(address: SocketAddr, data: &Path) -> Self {
        Self::spawn(Self::command(address).arg("--data-dir").arg(data))
    }

    /// The command that starts one at an address.
    #[must_use]
    pub fn command(address: SocketAddr) -> Command {
        let mut hub = postern();
        hub.args(["hub", "--listen", &address.to_string()]);
        hub.args(["--status", &ANY_PORT.to_string(), "--json"]);
        hub
    }

    /// Starts one from [`command`](Self::command), with further arguments.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    #[must_use]
    pub fn spawn(command: &mut Command) -> Self {
        let process = Process::spawn(command);
        let listening = process.event("listening");
        let identifier = listening["identifier"].as_str().expect("the event has an identifier").to_owned();
        let (address, status) = (address_in(&listening, "address"), address_in(&listening, "status"));
        Self { address, status, identifier, process }
    }

    /// Its identifier.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
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
    /// When no answer comes, or one that is not HTTP.
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

    /// As [`start`](Self::start) does, with the limit of file descriptors that `ulimit` sets with these options.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    #[must_use]
    pub fn start_limited(target: SocketAddr, hub: SocketAddr, ulimit: &str) -> Self {
        let outlet = Self::command(target, hub, &[]);
        Self::up(Process::spawn(&mut with_descriptors(&outlet, ulimit)), hub)
    }

    /// Shares the service at `target` without a hub, with further options, and waits until inlets can connect.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    #[must_use]
    pub fn listen_with(target: SocketAddr, options: &[&str]) -> Self {
        let mut outlet = postern();
        outlet.args(["outlet", "--to", &target.to_string(), "--listen", &ANY_PORT.to_string(), "--json"]);
        Self::up(Process::spawn(outlet.args(options)), ANY_PORT)
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

    fn command(target: SocketAddr, hub: SocketAddr, options: &[&str]) -> Command {
        let mut outlet = postern();
        outlet.args(["outlet", "--to", &target.to_string(), "--hub", &hub.to_string(), "--json"]).args(options);
        outlet
    }

    #[track_caller]
    fn spawn(target: SocketAddr, hub: SocketAddr, options: &[&str]) -> Process {
        Process::spawn(&mut Self::command(target, hub, options))
    }

    #[track_caller]
    fn up(process: Process, hub: SocketAddr) -> Self {
        let up = process.event("up");
        let [identifier, route] = ["identifier", "route"].map(|field| text_in(&up, field));
        let relay = up["relay"].as_str().unwrap_or_default().to_owned();
        Self { process, hub, identifier, relay, route }
    }

    /// The program.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its identifier.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Its name at the hub; empty without one.
    #[must_use]
    pub fn relay(&self) -> &str {
        &self.relay
    }

    /// The route for inlets.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Where inlets connect, when it is there without a hub.
    ///
    /// # Panics
    /// When its route does not begin with an address of IPv4.
    #[track_caller]
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match self.route.split('/').collect::<Vec<_>>()[..] {
            ["", "ip4", host, "tcp", port, ..] => format!("{host}:{port}").parse().expect("an address"),
            _ => panic!("{} does not begin with an address", self.route),
        }
    }

    /// Its route for an inlet that reaches the hub at another address.
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
    /// Opens one on a free port of 127.0.0.1 and waits until it has a channel to the outlet.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    #[must_use]
    pub fn start(route: &str, peer: &str) -> Self {
        let inlet = Self::open(route, peer);
        let up = inlet.process.event("up");
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
        Self::open_with(route, &["--peer", peer])
    }

    /// Opens one with these options instead of the owner's identifier, and waits only until it listens.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    #[must_use]
    pub fn open_with(route: &str, options: &[&str]) -> Self {
        Self::listening(Process::spawn(&mut Self::command(route, options)))
    }

    /// As [`start`](Self::start) does, with the limit of file descriptors that `ulimit` sets with these options.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    #[must_use]
    pub fn start_limited(route: &str, peer: &str, ulimit: &str) -> Self {
        let inlet = Self::command(route, &["--peer", peer]);
        let inlet = Self::listening(Process::spawn(&mut with_descriptors(&inlet, ulimit)));
        let _ = inlet.process.event("up");
        inlet
    }

    fn command(route: &str, options: &[&str]) -> Command {
        let mut inlet = postern();
        inlet.args(["inlet", "--from", &ANY_PORT.to_string(), "--route", route, "--json"]).args(options);
        inlet
    }

    #[track_caller]
    fn listening(process: Process) -> Self {
        let address = address_in(&process.event("listening"), "address");
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

#[track_caller]
fn text_in(event: &Value, field: &str) -> String {
    event[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {event}")).to_owned()
}

#[track_caller]
fn address_in(event: &Value, field: &str) -> SocketAddr {
    let address = text_in(event, field);
    address.parse().unwrap_or_else(|error| panic!("`{address}` in {event}: {error}"))
}
