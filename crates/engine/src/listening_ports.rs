//! The TCP ports that programs listen on at this machine, and which program holds a port.
//!
//! Reads the system's tables, which blocks for some milliseconds; nothing is kept. Only [`protocol()`] connects to a program.

mod protocol;
pub(crate) mod table;

pub(crate) use protocol::protocol;

use crate::api::{Code, Fault, ListeningPort, ServiceKind};
use crate::local_trust;
use listeners::{Listener, Protocol, SocketState};
use postern_env::net;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// How many ports above a taken one are tried. Chosen: enough for several programs that count up from the same port.
const SEARCHED: u16 = 100;

/// Every port that a program listens on, by number; if there are several addresses, the one that most others can reach.
///
/// # Errors
/// The system does not provide them.
pub(crate) fn listening() -> Result<Vec<ListeningPort>, Fault> {
    let all = listeners::get_all().map_err(|error| not_listed(&error.to_string()))?;
    let mut ports: BTreeMap<u16, Listener> = BTreeMap::new();
    for listener in all.into_iter().filter(is_listening) {
        let port = listener.socket.port();
        let seen = ports.get(&port).map(|seen| rank(seen.socket.ip()));
        if seen.is_none_or(|seen| rank(listener.socket.ip()) > seen) {
            ports.insert(port, listener);
        }
    }
    Ok(ports.into_values().map(describe).collect())
}

/// What listens at one port, on each of its addresses.
fn describe_all(port: u16) -> Result<Vec<ListeningPort>, Fault> {
    let all = listeners::get_all().map_err(|error| not_listed(&error.to_string()))?;
    let at_port = all.into_iter().filter(|it| is_listening(it) && it.socket.port() == port);
    Ok(at_port.map(describe).collect())
}

fn is_listening(listener: &Listener) -> bool {
    listener.protocol == Protocol::TCP && listener.state == SocketState::Listen
}

fn not_listed(error: &str) -> Fault {
    Fault::new(Code::Failed, format!("The system does not list the ports that are in use: {error}."))
}

fn rank(ip: IpAddr) -> (bool, bool) {
    (ip.is_unspecified(), ip.is_ipv4())
}

fn describe(listener: Listener) -> ListeningPort {
    let port = listener.socket.port();
    let program = Some(listener.process.name).filter(|name| !name.is_empty());
    let (kind, name) = guess(port, program.as_deref());
    let address = listener.socket.ip().to_string();
    let warning = local_trust::warning(port, program.as_deref()).map(str::to_owned);
    ListeningPort { warning, port, address, program, process: Some(listener.process.pid), kind, name }
}

/// The most likely protocol of a port, and a name to propose.
fn guess(port: u16, program: Option<&str>) -> (ServiceKind, String) {
    use ServiceKind::{Http, Https, Tcp};
    let by_port = match port {
        22 => Some((Tcp, "SSH")),
        25 | 587 | 1025 => Some((Tcp, "Mail")),
        80 => Some((Http, "Web site")),
        443 | 8443 => Some((Https, "Web site")),
        1883 => Some((Tcp, "MQTT")),
        3306 => Some((Tcp, "MySQL")),
        3389 => Some((Tcp, "Remote desktop")),
        5432 => Some((Tcp, "PostgreSQL")),
        5900..=5909 => Some((Tcp, "VNC")),
        6379 => Some((Tcp, "Redis")),
        8888..=8890 => Some((Http, "Jupyter")),
        9092 => Some((Tcp, "Kafka")),
        11434 => Some((Http, "Ollama")),
        27017 => Some((Tcp, "MongoDB")),
        3000..=3010 | 4000..=4010 | 4200 | 5000..=5010 | 5173..=5180 | 8000..=8010 | 8080..=8090 | 9000 => {
            Some((Http, "Dev server"))
        }
        _ => None,
    };
    let lower = program.unwrap_or_default().to_ascii_lowercase();
    let by_program = [
        ("postgres", Tcp, "PostgreSQL"),
        ("mysqld", Tcp, "MySQL"),
        ("mariadbd", Tcp, "MariaDB"),
        ("redis", Tcp, "Redis"),
        ("mongod", Tcp, "MongoDB"),
        ("sshd", Tcp, "SSH"),
        ("ollama", Http, "Ollama"),
        ("jupyter", Http, "Jupyter"),
        ("grafana", Http, "Grafana"),
        ("nginx", Http, "Web site"),
        ("caddy", Http, "Web site"),
        ("apache2", Http, "Web site"),
        ("httpd", Http, "Web site"),
        ("vite", Http, "Dev server"),
        ("node", Http, "Dev server"),
        ("next-server", Http, "Dev server"),
    ];
    // A program with one purpose says more than a port number; one that runs anything says less.
    let known = by_program.iter().find(|(name, ..)| lower.starts_with(name));
    let (kind, name) = match (known, by_port) {
        (Some((_, _, "Dev server")), Some(by_port)) => by_port,
        (Some((_, kind, name)), _) => (*kind, *name),
        (None, Some(by_port)) => by_port,
        (None, None) => (Tcp, ""),
    };
    let name = match (name, program) {
        ("", Some(program)) => format!("{program} {port}"),
        ("", None) => format!("Port {port}"),
        ("Dev server", Some(program)) => format!("{program} {port}"),
        (name, _) => name.to_owned(),
    };
    (kind, name)
}

/// The fault of a local port that is taken on one of the loopback addresses: who holds it where, and which one is free.
pub(crate) fn taken(port: u16) -> Fault {
    let taken = net::taken_address(port);
    let holder = taken.and_then(holder).unwrap_or_else(|| "another program".to_owned());
    let place = taken.map(|address| format!(" on {address}")).unwrap_or_default();
    let free = free(port, |_| true).map(|free| format!(" Port {free} is free.")).unwrap_or_default();
    let sentence = format!("Port {port} is used by {holder}{place}. Stop it or choose another port.{free}");
    Fault::new(Code::PortTaken, sentence)
}

/// The program that listens at an address, or at all addresses of its family.
fn holder(address: SocketAddr) -> Option<String> {
    let is_there = |it: &Listener| {
        let ip = it.socket.ip();
        it.protocol == Protocol::TCP
            && it.state == SocketState::Listen
            && it.socket.port() == address.port()
            && (ip == address.ip() || ip.is_unspecified())
    };
    let found = listeners::get_all().ok()?.into_iter().find(is_there)?;
    Some(found.process.name).filter(|name| !name.is_empty())
}

/// The port, or the next higher one, that is free on both loopback addresses and `is_allowed`.
pub(crate) fn free(port: u16, is_allowed: impl Fn(u16) -> bool) -> Option<u16> {
    let candidates = (0..=SEARCHED).filter_map(|above| port.checked_add(above)).filter(|port| *port != 0);
    candidates.into_iter().find(|port| is_allowed(*port) && net::taken_address(*port).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listening_port_is_found_with_its_program() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = listening().unwrap().into_iter().find(|it| it.port == port).unwrap();
        assert_eq!((found.address.as_str(), found.process), ("127.0.0.1", Some(std::process::id())));
        let fault = taken(port);
        assert_eq!(fault.code, Code::PortTaken);
        assert!(fault.message.contains(&found.program.unwrap()), "{fault}");
        assert!(fault.message.ends_with("is free."), "{fault}");
        assert_ne!(free(port, |_| true), Some(port));
    }

    #[test]
    fn a_port_that_is_taken_on_one_loopback_address_is_not_free() {
        let Ok(listener) = TcpListener::bind("[::1]:0") else { return eprintln!("this machine has no IPv6") };
        let address = listener.local_addr().unwrap();
        let fault = taken(address.port());
        assert!(fault.message.contains(&format!(" on {address}. Stop it")), "{fault}");
        assert_ne!(free(address.port(), |_| true), Some(address.port()));
    }

    #[test]
    fn kind_and_name_are_guessed() {
        let guessed = |port, program: &str| guess(port, Some(program).filter(|it| !it.is_empty()));
        for (port, program, kind, name) in [
            (5432, "", ServiceKind::Tcp, "PostgreSQL"),
            (15432, "postgres", ServiceKind::Tcp, "PostgreSQL"),
            (3000, "node", ServiceKind::Http, "node 3000"),
            (8888, "python3", ServiceKind::Http, "Jupyter"),
            (443, "nginx", ServiceKind::Http, "Web site"),
            (41022, "thing", ServiceKind::Tcp, "thing 41022"),
            (41022, "", ServiceKind::Tcp, "Port 41022"),
        ] {
            assert_eq!(guessed(port, program), (kind, name.to_owned()), "{port} {program}");
        }
    }
}
