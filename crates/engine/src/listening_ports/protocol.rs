//! Whether a program that listens on this machine speaks HTTP: asked with one request, when its port is about to be shared.
//!
//! ```text
//! port ─► known for something else? ─► connect on loopback ─► 300 ms of silence? ─► one GET ─► the first bytes of the answer
//! ```
//!
//! Nothing is sent to a program that speaks first, as those of databases, mail and SSH do, or whose port or name says that it is
//! something else: printers print what they receive, and some databases block who sends them nonsense.

use super::{describe_all, guess};
use crate::api::{Fault, ListeningPort, ServiceKind};
use postern_env::net;
use postern_env::task;
use postern_env::time::{self, Duration};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a program may take to speak first before it is sent anything: chosen; on loopback, greetings arrive in some milliseconds.
const SILENCE: Duration = Duration::from_millis(300);
/// How long connecting, waiting and the answer may take together: chosen; the user waits for it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The bytes of the answer that are read: chosen; the status line and the sentence by which TLS servers refuse plain HTTP.
const ANSWER_MAX: usize = 1024;

/// Ports on which programs listen that a request of HTTP may harm or that are known to speak something else, beside those that
/// [`guess`] names: FTP, Telnet, mail, DNS, directories, file shares, printers, databases, queues, remote displays.
const OTHER_PROTOCOLS: &[u16] = &[
    21, 22, 23, 25, 53, 110, 111, 119, 135, 139, 143, 389, 445, 465, 514, 515, 548, 554, 587, 636, 993, 995, 1433,
    1521, 1883, 2049, 3306, 3389, 5432, 5433, 5671, 5672, 6379, 6380, 6667, 8883, 9042, 9092, 9100, 9101, 9102, 9103,
    11211, 26257, 27017, 27018, 27019, 33060,
];

/// The protocol of the program at a port of this machine: what its port or name says, else what it answers. Plain TCP where neither
/// says more. At most [`PROBE_TIMEOUT`] and the time to read the system's tables.
///
/// # Errors
/// The system does not list the listening ports.
pub(crate) async fn protocol(port: u16) -> Result<ServiceKind, Fault> {
    let listed = task::spawn_blocking(move || describe_all(port)).await;
    let listed = listed.unwrap_or_else(|_| Ok(Vec::new()))?;
    if let Some(kind) = known(port, &listed) {
        return Ok(kind);
    }
    let Some(address) = loopback_address(port, &listed) else { return Ok(ServiceKind::Tcp) };
    Ok(ask(address, PROBE_TIMEOUT).await)
}

/// What port and program say already, so that nobody needs to be asked.
fn known(port: u16, listed: &[ListeningPort]) -> Option<ServiceKind> {
    if OTHER_PROTOCOLS.contains(&port) || (5900..=5909).contains(&port) {
        return Some(ServiceKind::Tcp);
    }
    // Our own: a portal is no service to share, and a request would go to a friend.
    if listed.iter().any(|it| it.process == Some(std::process::id())) {
        return Some(ServiceKind::Tcp);
    }
    // Several programs may listen at a port, each at an address of its own: what one is known for, none is asked.
    let programs = listed.iter().map(|it| it.program.as_deref());
    let programs = programs.chain(listed.is_empty().then_some(None));
    let known = programs.filter_map(|program| {
        let (kind, name) = guess(port, program);
        let is_unknown = kind == ServiceKind::Tcp && name.ends_with(&port.to_string());
        (!is_unknown).then_some(kind)
    });
    known.reduce(|first, next| if next == ServiceKind::Tcp { next } else { first })
}

/// Where the program is reached without leaving the machine; nothing if it listens elsewhere only.
fn loopback_address(port: u16, listed: &[ListeningPort]) -> Option<SocketAddr> {
    let addresses = listed.iter().filter_map(|it| it.address.parse::<IpAddr>().ok());
    let mut local = addresses.filter_map(|address| match address {
        IpAddr::V4(any) if any.is_unspecified() => Some(Ipv4Addr::LOCALHOST.into()),
        // On Linux it takes connections of both families.
        IpAddr::V6(any) if any.is_unspecified() => Some(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)),
        other => other.is_loopback().then_some(other),
    });
    local.next().map(|address| SocketAddr::new(address, port))
}

/// Asks a program; plain TCP if it speaks first, does not answer in time, or answers something else.
async fn ask(address: SocketAddr, within: Duration) -> ServiceKind {
    let mut answer = Vec::with_capacity(ANSWER_MAX);
    // What came before an error or the end of the time says it too.
    let _ = time::timeout(within, exchange(address, &mut answer)).await;
    kind_of(&answer)
}

/// Reads the first bytes of the answer; nothing from a program that speaks first or ends the connection.
async fn exchange(address: SocketAddr, answer: &mut Vec<u8>) -> io::Result<()> {
    let mut socket = net::connect(address).await?;
    let mut first = [0; 1];
    if time::timeout(SILENCE, socket.read(&mut first)).await.is_ok() {
        return Ok(());
    }
    let request = format!(
        "GET / HTTP/1.1\r\nHost: localhost:{}\r\nUser-Agent: Postern\r\nConnection: close\r\n\r\n",
        address.port()
    );
    socket.write_all(request.as_bytes()).await?;
    let mut limited = socket.take(ANSWER_MAX as u64);
    while !is_decided(answer) && limited.read_buf(answer).await? > 0 {}
    Ok(())
}

/// Whether more bytes would change nothing. A status of 400 may be a server of HTTPS, which says so in the body.
fn is_decided(answer: &[u8]) -> bool {
    const STATUS: usize = "HTTP/1.1 200".len();
    answer.len() >= STATUS && !is_bad_request(answer)
}

fn is_bad_request(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.") && answer.get(8..12) == Some(b" 400")
}

/// What servers of HTTPS say to a request in plain text: nginx, Go, Apache.
const HTTPS_SENTENCES: [&str; 3] = ["sent to https port", "to an https server", "to an ssl-enabled server"];

fn kind_of(answer: &[u8]) -> ServiceKind {
    const TLS_ALERT: [u8; 2] = [21, 3];
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let says_https = HTTPS_SENTENCES.iter().any(|it| text.contains(it));
    match answer {
        alert if alert.starts_with(&TLS_ALERT) => ServiceKind::Https,
        bad if is_bad_request(bad) && says_https => ServiceKind::Https,
        http if http.starts_with(b"HTTP/1.") => ServiceKind::Http,
        _ => ServiceKind::Tcp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_env::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Longer than a busy machine takes.
    const LONG: Duration = Duration::from_secs(60);

    /// A program that sends `greeting`, then reads a request and answers; and how many bytes it was sent.
    async fn program(greeting: &'static [u8], answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener: TcpListener = net::listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(AtomicUsize::new(0));
        let counted = received.clone();
        task::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                socket.write_all(greeting).await.unwrap();
                let mut buffer = [0; 2048];
                let read = socket.read(&mut buffer).await.unwrap_or(0);
                counted.fetch_add(read, Ordering::SeqCst);
                // The other end may be gone already.
                let _ = socket.write_all(answer).await;
            }
        });
        (address, received)
    }

    #[tokio::test]
    async fn what_a_program_answers_says_what_it_speaks() {
        let nginx = b"HTTP/1.1 400 Bad Request\r\n\r\n<h1>The plain HTTP request was sent to HTTPS port</h1>";
        for (answer, kind) in [
            (&b"HTTP/1.1 200 OK\r\n\r\nhello"[..], ServiceKind::Http),
            (b"HTTP/1.0 404 Not Found\r\n\r\n", ServiceKind::Http),
            (b"HTTP/1.1 400 Bad Request\r\n\r\nno host", ServiceKind::Http),
            (nginx, ServiceKind::Https),
            (b"HTTP/1.1 400 Bad Request\r\n\r\nSee https://docs.example/errors", ServiceKind::Http),
            (b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", ServiceKind::Https),
            (b"\x15\x03\x01\x00\x02\x02\x46", ServiceKind::Https),
            (b"-ERR unknown command\r\n", ServiceKind::Tcp),
            (b"", ServiceKind::Tcp),
        ] {
            let (address, _) = program(b"", answer).await;
            assert_eq!(ask(address, LONG).await, kind, "{}", String::from_utf8_lossy(answer));
        }
    }

    #[tokio::test]
    async fn nothing_is_sent_to_a_program_that_speaks_first() {
        let (address, received) = program(b"220 ready\r\n", b"").await;
        assert_eq!(ask(address, LONG).await, ServiceKind::Tcp);
        assert_eq!(received.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_program_that_never_answers_is_plain_tcp() {
        let listener = net::listen("127.0.0.1:0").await.unwrap();
        assert_eq!(ask(listener.local_addr().unwrap(), SILENCE * 2).await, ServiceKind::Tcp);
    }

    #[test]
    fn what_is_known_for_something_else_is_not_asked() {
        let listed = |port, program: &str, process| {
            let (kind, name) = guess(port, Some(program));
            let program = Some(program.to_owned());
            vec![ListeningPort {
                port,
                address: "127.0.0.1".into(),
                program,
                process: Some(process),
                kind,
                name,
                warning: None,
            }]
        };
        for (port, program, expected) in [
            (9100, "python3", Some(ServiceKind::Tcp)),
            (6379, "anything", Some(ServiceKind::Tcp)),
            (15432, "postgres", Some(ServiceKind::Tcp)),
            (5905, "x", Some(ServiceKind::Tcp)),
            (3000, "node", Some(ServiceKind::Http)),
            (3777, "python3", None),
            (8800, "", None),
        ] {
            assert_eq!(known(port, &listed(port, program, 1)), expected, "{port} {program}");
        }
        assert_eq!(
            known(3777, &listed(3777, "postern", std::process::id())),
            Some(ServiceKind::Tcp),
            "a portal of ours"
        );
        assert_eq!(known(9999, &[]), None);
        let both = [listed(15432, "python3", 1), listed(15432, "postgres", 2)].concat();
        assert_eq!(known(15432, &both), Some(ServiceKind::Tcp));
    }

    #[test]
    fn only_loopback_is_asked() {
        let at = |address: &str| {
            let listed = ListeningPort {
                port: 3777,
                address: address.into(),
                program: None,
                process: None,
                kind: ServiceKind::Tcp,
                name: String::new(),
                warning: None,
            };
            loopback_address(3777, &[listed]).map(|it| it.to_string())
        };
        assert_eq!(at("127.0.0.1").as_deref(), Some("127.0.0.1:3777"));
        assert_eq!(at("0.0.0.0").as_deref(), Some("127.0.0.1:3777"));
        assert_eq!(at("::1").as_deref(), Some("[::1]:3777"));
        assert_eq!(at("192.0.2.1"), None);
    }
}
