//! A real PostgreSQL.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Process, debian, temp_dir, within};

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(10);

/// A PostgreSQL server with a new, empty database in a directory of its own, on a free port of 127.0.0.1 and a Unix
/// socket. Superuser `postern`, no password. Stopped and removed when dropped.
pub struct Postgres {
    server: Process,
    address: SocketAddr,
    directory: TempDir,
}

impl Postgres {
    /// Makes the database, starts the server, and waits until it takes connections.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        let directory = temp_dir();
        let account = Account::choose();
        account.own(directory.path());
        let data = directory.path().join("data");

        let mut initdb = debian::command("initdb");
        initdb.args(["--username", "postern", "--auth", "trust", "--encoding", "UTF8"]);
        initdb.args(["--locale", "C", "--no-sync", "--pgdata"]).arg(&data);
        let made = Process::run(account.apply(&mut initdb, directory.path()), START);
        let _ = made.success();

        let (server, port) = debian::on_free_port(|port| {
            let mut postgres = debian::command("postgres");
            postgres.arg("-D").arg(&data).arg("-k").arg(directory.path());
            postgres.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
            // Nothing here outlives the test, so nothing need reach the disk.
            postgres.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
            postgres.args(["-c", "shared_buffers=32MB", "-c", "max_connections=300"]);
            let server = Process::spawn(account.apply(&mut postgres, directory.path()));
            let outcome = server
                .wait_for_line(|line| line.contains("ready to accept connections") || line.contains("FATAL"), START);
            let taken = outcome.contains("could not create any TCP/IP sockets");
            assert!(taken || outcome.contains("ready"), "PostgreSQL did not start: {outcome}");
            (!taken).then_some((server, port))
        });
        Self { server, address: (Ipv4Addr::LOCALHOST, port).into(), directory }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The directory of its Unix socket.
    #[must_use]
    pub fn socket_directory(&self) -> &Path {
        self.directory.path()
    }

    /// A client of it, such as `psql` or `pgbench`, that connects to `via`: the server itself, or an inlet to it.
    ///
    /// # Panics
    /// When the client is not installed.
    #[must_use]
    pub fn client(&self, program: &str, via: SocketAddr) -> Command {
        let mut client = debian::command(program);
        client.env("PGHOST", via.ip().to_string()).env("PGPORT", via.port().to_string());
        client.env("PGUSER", "postern").env("PGDATABASE", "postgres");
        client.env("PGSSLMODE", "disable").env("PGCONNECT_TIMEOUT", "20");
        client
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The "fast" stop, so that it gives back its shared memory; `Process` sees to the rest.
        self.server.interrupt();
        within(STOP, || self.server.ended());
    }
}

/// Whom PostgreSQL runs as: it refuses root.
struct Account(Option<(u32, u32)>);

impl Account {
    fn choose() -> Self {
        if debian::id("-u", None) != Some(0) {
            return Self(None);
        }
        let user = ["postgres", "nobody"]
            .into_iter()
            .find_map(|user| Some((debian::id("-u", Some(user))?, debian::id("-g", Some(user))?)));
        Self(Some(user.expect("there is no user to run PostgreSQL as")))
    }

    fn own(&self, directory: &Path) {
        if let Some((user, group)) = self.0 {
            chown(directory, Some(user), Some(group)).expect("Failed to give a directory away");
        }
    }

    fn apply<'a>(&self, command: &'a mut Command, directory: &Path) -> &'a mut Command {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command.current_dir(directory)
    }
}
