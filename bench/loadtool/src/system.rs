//! The systems that are measured side by side, and how each is put up in front of a service.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::load;
use crate::process::{Process, Program};

/// How long a tunnel may take until it carries something.
const PATIENCE: Duration = Duration::from_secs(30);

/// What kind of thing is between the client and the service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Nothing: loopback.
    Raw,
    /// Three plain proxies in a row: the plumbing of a tunnel through a hub, without a tunnel.
    Proxy3,
    /// Inlet, hub and outlet of ours.
    Postern,
    /// The same with `ockam`.
    Ockam,
    /// Client and server of rathole; the server is the hub and the inlet.
    Rathole {
        /// With its Noise transport, which encrypts from hop to hop.
        noise: bool,
    },
}

/// One of the systems.
#[derive(Clone, Debug)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    program: PathBuf,
}

impl System {
    /// Those that can be measured here, ours in the middle: the baselines before, the peers found in `peers` behind.
    pub(crate) fn all(postern: &Path, beside: &[PathBuf], peers: Option<&Path>) -> Result<Vec<Self>> {
        let me = std::env::current_exe()?;
        let mut all = vec![
            Self { name: "raw", kind: Kind::Raw, program: me.clone() },
            Self { name: "proxy3-64k", kind: Kind::Proxy3, program: me },
            Self { name: "postern", kind: Kind::Postern, program: postern.into() },
        ];
        for program in beside {
            let name = program.file_name().context("a build to compare with is a file")?.to_string_lossy();
            all.push(Self { name: name.into_owned().leak(), kind: Kind::Postern, program: program.clone() });
        }
        let known = [
            ("ockam-relay", Kind::Ockam, "ockam_bench"),
            ("ockam-relay-awslc", Kind::Ockam, "ockam_bench_awslc"),
            ("rathole", Kind::Rathole { noise: false }, "rathole"),
            ("rathole-noise", Kind::Rathole { noise: true }, "rathole"),
        ];
        for (name, kind, program) in known {
            if let Some(program) = peers.map(|peers| peers.join(program)).filter(|program| program.is_file()) {
                all.push(Self { name, kind, program });
            }
        }
        Ok(all)
    }

    /// Puts the system up in front of a service, and waits until it carries something.
    pub(crate) async fn start(&self, service: &str, work: &Path) -> Result<Running> {
        let mut running =
            Running { entry: service.to_owned(), hub: None, hub_address: String::new(), processes: vec![] };
        let up = async {
            match self.kind {
                Kind::Raw => {}
                Kind::Proxy3 => self.start_proxies(&mut running, work).await?,
                Kind::Postern => self.start_postern(&mut running, service, work).await?,
                Kind::Ockam => self.start_ockam(&mut running, service, work).await?,
                Kind::Rathole { noise } => self.start_rathole(&mut running, service, work, noise).await?,
            }
            running.carries().await
        };
        timeout(PATIENCE, up).await.context("it was not up in time")?.with_context(|| self.name)?;
        Ok(running)
    }

    fn program(&self, arguments: &[&str], work: &Path, part: &str) -> Program {
        Program::new(&self.program, arguments, work.join(format!("{}-{part}.log", self.name)))
    }

    async fn start_proxies(&self, running: &mut Running, work: &Path) -> Result<()> {
        for number in ["1", "2", "3"] {
            let address = free_address()?;
            let target = std::mem::replace(&mut running.entry, address.clone());
            let arguments = ["proxy", &address, &target, "65536"];
            running.processes.push(Process::start(self.program(&arguments, work, number))?);
            listens(&address).await?;
        }
        running.hub = Some(1);
        Ok(())
    }

    async fn start_postern(&self, running: &mut Running, service: &str, work: &Path) -> Result<()> {
        let (hub, status, entry) = (free_address()?, free_address()?, free_address()?);
        let arguments = ["hub", "--listen", &hub, "--status", &status, "--json"];
        let mut process = Process::start(self.program(&arguments, work, "hub"))?;
        process.event("listening").await?;
        running.processes.push(process);

        let arguments = ["outlet", "--to", service, "--hub", &hub, "--name", "bench", "--json"];
        let mut process = Process::start(self.program(&arguments, work, "outlet"))?;
        let up = process.event("up").await?;
        running.processes.push(process);

        let part = |name| up[name].as_str().with_context(|| format!("the outlet did not tell its {name}"));
        let arguments = ["inlet", "--from", &entry, "--route", part("route")?, "--peer", part("identifier")?, "--json"];
        let mut process = Process::start(self.program(&arguments, work, "inlet"))?;
        process.event("up").await?;
        running.processes.push(process);
        (running.entry, running.hub, running.hub_address) = (entry, Some(0), hub);
        Ok(())
    }

    async fn start_ockam(&self, running: &mut Running, service: &str, work: &Path) -> Result<()> {
        let (hub, entry) = (free_address()?, free_address()?);
        running.processes.push(Process::start(self.program(&["hub", &hub], work, "hub"))?);
        listens(&hub).await?;
        running.processes.push(Process::start(self.program(&["outlet", "hub", &hub, service], work, "outlet"))?);
        // It says nothing on its standard output; an inlet that was sooner than its outlet waits for ever.
        let begun = Instant::now();
        loop {
            let inlet = Process::start(self.program(&["inlet", "hub", &hub, &entry], work, "inlet"))?;
            if timeout(Duration::from_secs(3), listens(&entry)).await.is_ok_and(|up| up.is_ok()) {
                running.processes.push(inlet);
                break;
            }
            ensure!(begun.elapsed() < PATIENCE, "its inlet does not come up");
        }
        (running.entry, running.hub, running.hub_address) = (entry, Some(0), hub);
        Ok(())
    }

    async fn start_rathole(&self, running: &mut Running, service: &str, work: &Path, noise: bool) -> Result<()> {
        let (hub, entry) = (free_address()?, free_address()?);
        let (server_transport, client_transport) = if noise { self.noise_keys().await? } else { Default::default() };
        let service_table = "services.bench]\ntoken = \"bench\"";
        let server = format!(
            "[server]\nbind_addr = \"{hub}\"\n{server_transport}[server.{service_table}\nbind_addr = \"{entry}\"\n"
        );
        let client = format!(
            "[client]\nremote_addr = \"{hub}\"\n{client_transport}[client.{service_table}\nlocal_addr = \"{service}\"\n"
        );
        for (part, text) in [("server", server), ("client", client)] {
            let file = work.join(format!("{}-{part}.toml", self.name));
            fs::write(&file, text)?;
            let arguments = [&format!("--{part}"), file.to_str().context("the path is not UTF-8")?];
            running.processes.push(Process::start(self.program(&arguments, work, part))?);
            listens(if part == "server" { &hub } else { &entry }).await?;
        }
        (running.entry, running.hub) = (entry, Some(0));
        Ok(())
    }

    /// The transports of server and client, with a fresh key.
    async fn noise_keys(&self) -> Result<(String, String)> {
        let output = tokio::process::Command::new(&self.program).arg("--genkey").output().await?;
        let output = String::from_utf8(output.stdout)?;
        let keys: Vec<&str> = output.lines().filter(|line| !line.is_empty() && !line.ends_with(':')).collect();
        let [private, public] = keys[..] else { bail!("rathole printed no keys") };
        let transport = |side, key| format!("[{side}.transport]\ntype = \"noise\"\n[{side}.transport.noise]\n{key}\n");
        Ok((
            transport("server", format!("local_private_key = \"{private}\"")),
            transport("client", format!("remote_public_key = \"{public}\"")),
        ))
    }

    /// The program that measures messages through its hub, if it has one: what answers, and what asks.
    pub(crate) fn messages(&self, hub: &str, seconds: f64, work: &Path) -> Option<(Option<Program>, Program)> {
        let seconds = seconds.to_string();
        match self.kind {
            Kind::Postern => Some((
                Some(self.postern_messages(&["--hub", hub, "--answer"], work, "answer")),
                self.postern_messages(&["--hub", hub, "--seconds", &seconds], work, "ask"),
            )),
            Kind::Ockam => Some((None, self.program(&["msg", "hub", hub, &seconds], work, "ask"))),
            _ => None,
        }
    }

    /// `postern-bench-messages` of the same build, from beside its `postern`. Builds from before that program existed
    /// have it as a hidden command.
    fn postern_messages(&self, arguments: &[&str], work: &Path, part: &str) -> Program {
        let separate = self.program.with_file_name("postern-bench-messages");
        if separate.is_file() && !self.has_bench_command() {
            return Program::new(&separate, arguments, work.join(format!("{}-{part}.log", self.name)));
        }
        self.program(&[&["bench", "messages", "--json"], arguments].concat(), work, part)
    }

    /// Whether this `postern` is one of the builds with the hidden command.
    fn has_bench_command(&self) -> bool {
        let mut help = std::process::Command::new(&self.program);
        help.args(["bench", "messages", "--help"]).stdout(Stdio::null()).stderr(Stdio::null());
        help.status().is_ok_and(|status| status.success())
    }
}

/// A system that is up.
pub(crate) struct Running {
    /// Where it takes connections.
    pub(crate) entry: String,
    pub(crate) processes: Vec<Process>,
    /// Which of the processes everything passes through.
    pub(crate) hub: Option<usize>,
    /// Where that takes connections, if more can be asked of it than this tunnel.
    pub(crate) hub_address: String,
}

impl Running {
    /// The processes it consists of.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.iter().filter_map(Process::pid).collect()
    }

    async fn carries(&self) -> Result<()> {
        loop {
            match timeout(Duration::from_secs(2), load::ask(&self.entry)).await {
                Ok(Ok(())) => return Ok(()),
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// An address that nobody listens on now.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

async fn listens(address: &str) -> Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        ensure!(begun.elapsed() < PATIENCE, "nobody listens at {address}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
