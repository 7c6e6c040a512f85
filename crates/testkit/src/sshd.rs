//! A real SSH server.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Process, debian, temp_dir};

const START: Duration = Duration::from_secs(60);
/// What the client knows the server as, whatever the address it goes through.
const HOST: &str = "postern-test";

/// An OpenSSH server on a free port of 127.0.0.1, with a host key of its own, that lets in this process's user with one
/// key made for it. Stopped and removed when dropped.
pub struct Sshd {
    _server: Process,
    address: SocketAddr,
    user: String,
    directory: TempDir,
}

impl Sshd {
    /// Makes the keys, starts the server, and waits until it listens.
    ///
    /// # Panics
    /// When OpenSSH is not installed or does not start.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        let directory = temp_dir();
        let home = directory.path();
        let host_key = make_key(home, "host");
        let client_key = make_key(home, "client");
        fs::write(home.join("known_hosts"), format!("{HOST} {host_key}")).expect(WRITE);
        fs::write(home.join("authorized_keys"), client_key).expect(WRITE);
        let user = Process::run(Command::new("id").arg("-un"), START).success().stdout;
        let user = user.trim().to_owned();
        if user == "root" {
            // Debian's service would have made it.
            fs::create_dir_all("/run/sshd").expect("Failed to make /run/sshd");
        }

        let (server, port) = debian::on_free_port(|port| {
            fs::write(home.join("sshd_config"), configuration(home, port)).expect(WRITE);
            let mut sshd = debian::command("sshd");
            let server = Process::spawn(sshd.args(["-D", "-e", "-f"]).arg(home.join("sshd_config")));
            let outcome = server.wait_for_line(
                |line| line.contains("Server listening") || line.contains("Cannot bind any address"),
                START,
            );
            outcome.contains("Server listening").then_some((server, port))
        });
        Self { _server: server, address: (Ipv4Addr::LOCALHOST, port).into(), user, directory }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The user's name, a colon and `path`: how `scp` names a remote file.
    #[must_use]
    pub fn remote(&self, path: &Path) -> String {
        format!("{}@{HOST}:{}", self.user, path.display())
    }

    /// The user's name at the server: how `ssh` names whom to log in as.
    #[must_use]
    pub fn login(&self) -> String {
        format!("{}@{HOST}", self.user)
    }

    /// `ssh`, `scp` or `sftp`, with our key and the server's, that connects to `via`: the server itself, or an inlet to
    /// it. Remote names are those of [`login`](Self::login) and [`remote`](Self::remote).
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn client(&self, program: &str, via: SocketAddr) -> Command {
        let file = |name: &str| self.directory.path().join(name).display().to_string();
        let mut client = debian::command(program);
        client.args(["-F", "/dev/null", "-i", &file("client")]);
        for option in [
            format!("HostName={}", via.ip()),
            format!("Port={}", via.port()),
            format!("HostKeyAlias={HOST}"),
            format!("UserKnownHostsFile={}", file("known_hosts")),
            "StrictHostKeyChecking=yes".into(),
            "IdentitiesOnly=yes".into(),
            "BatchMode=yes".into(),
            "ConnectTimeout=20".into(),
        ] {
            client.args(["-o", &option]);
        }
        client
    }
}

const WRITE: &str = "Failed to write a file of the SSH server";

/// Makes a key and gives its public half, as one line.
#[track_caller]
fn make_key(directory: &Path, name: &str) -> String {
    let path = directory.join(name);
    let mut keygen = debian::command("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path);
    let _ = Process::run(&mut keygen, START).success();
    fs::read_to_string(path.with_extension("pub")).expect("ssh-keygen writes the public key")
}

fn configuration(home: &Path, port: u16) -> String {
    let home = home.display();
    format!(
        "\
ListenAddress 127.0.0.1
Port {port}
HostKey {home}/host
AuthorizedKeysFile {home}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 300
Subsystem sftp internal-sftp
LogLevel VERBOSE
"
    )
}
