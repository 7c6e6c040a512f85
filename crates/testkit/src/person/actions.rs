//! What a person does and what their engine's snapshot shows: shares, invites, joins, and waits for a state.

use std::io::Write as _;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{CommandFailure, Person, secrets};
use crate::json::{find, text};
use crate::port::{free_port, loopback};
use crate::{Process, TIMEOUT};

impl Person {
    /// The engine's snapshot now.
    ///
    /// # Panics
    /// When `postern ls` fails.
    #[track_caller]
    #[must_use]
    pub fn snapshot(&self) -> Value {
        self.run(&["ls"])[0]["snapshot"].clone()
    }

    /// Waits until `probe` finds a value in what `postern ls --watch` shows.
    ///
    /// # Panics
    /// When it does not within [`TIMEOUT`].
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, probe: impl Fn(&Value) -> Option<T>) -> T {
        self.wait_for_within(TIMEOUT, what, probe)
    }

    /// As [`wait_for`](Self::wait_for) does, with a timeout of the caller's.
    ///
    /// # Panics
    /// When nothing is found in time.
    #[track_caller]
    pub fn wait_for_within<T>(&self, timeout: Duration, what: &str, probe: impl Fn(&Value) -> Option<T>) -> T {
        let watch = Process::spawn(&mut self.command(&["ls", "--watch"]));
        let _context = ReportOnPanic(format!("{} waits for {what}", self.name));
        let shown = watch.json_line(|json| json["event"] == "snapshot" && probe(&json["snapshot"]).is_some(), timeout);
        probe(&shown["snapshot"]).expect("it was found in the same snapshot")
    }

    /// Shares a TCP service under a name.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn share(&self, target: SocketAddr, name: &str) {
        self.run(&["share", &target.to_string(), "--name", name, "--kind", "tcp"]);
    }

    /// Creates an invitation link, with further arguments such as `--ask-first`.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn invite(&self, service: &str, arguments: &[&str]) -> String {
        match self.try_invite(service, arguments) {
            Ok(link) => link,
            Err(failure) => panic!("{} invites to {service}: {failure:?}", self.name),
        }
    }

    /// Creates an invitation link, if that can be done.
    ///
    /// # Errors
    /// How the command failed.
    ///
    /// # Panics
    /// When the command does not end in time.
    #[track_caller]
    pub fn try_invite(&self, service: &str, arguments: &[&str]) -> Result<String, CommandFailure> {
        let events = self.try_run(&[&["invite", service], arguments].concat(), "")?;
        let link = text(&events[0]["link"]).to_owned();
        secrets::register(&link);
        Ok(link)
    }

    /// Accepts a link at a free port and waits until the portal is up.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    pub fn join(&self, link: &str) -> SocketAddr {
        let port = free_port();
        let events = self.run_with_input(&["join", "-", "--port", &port.to_string(), "--wait", "60s"], link);
        let last = events.last().expect("joining prints an event");
        assert_eq!(last["event"], "up", "{events:?}");
        loopback(port)
    }

    /// Waits until a portal is up, and gives its local address.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    pub fn wait_until_up(&self, portal: &str) -> SocketAddr {
        let port = self.wait_for(&format!("{portal} to be up"), |snapshot| {
            let inlet = find(&snapshot["inlets"], portal)?;
            (inlet["link"]["state"] == "up").then(|| inlet["port"].as_u64())?
        });
        loopback(u16::try_from(port).expect("a port has 16 bits"))
    }

    /// Waits until a portal is down with this code, and gives the message.
    ///
    /// # Panics
    /// When it is not in time.
    #[track_caller]
    pub fn wait_until_down(&self, portal: &str, code: &str) -> String {
        self.wait_for(&format!("{portal} to be down: {code}"), |snapshot| {
            let link = &find(&snapshot["inlets"], portal)?["link"];
            let fault = &link["fault"];
            (link["state"] == "down" && fault["code"] == code).then(|| text(&fault["message"]).to_owned())
        })
    }

    /// Waits until a person's grant to a service is in this state.
    ///
    /// # Panics
    /// When it is not in time.
    #[track_caller]
    pub fn wait_for_grant(&self, service: &str, person: &str, state: &str) {
        self.wait_for(&format!("access of {person} to {service} to be {state}"), |snapshot| {
            let people = find(&snapshot["services"], service)?["people"].as_array()?.clone();
            people.iter().any(|it| it["name"] == person && it["state"] == state).then_some(())
        });
    }
}

/// Names what was waited for, when the wait panics.
struct ReportOnPanic(String);

impl Drop for ReportOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = writeln!(std::io::stderr(), "failed while {}", self.0);
        }
    }
}
