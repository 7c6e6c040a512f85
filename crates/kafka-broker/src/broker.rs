//! One broker: its directory, its process, its ports.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::certificates::Certificates;
use crate::configuration::{Ports, properties};
use crate::process::{Guard, ended_within, poll, run_within, terminate};
use crate::{Error, SCRAM_PASSWORD, Tools, USER, artifacts, ports, readiness};

/// Ten times what a start takes on an idle machine, and what it takes beside a build on two cores.
const START: Duration = Duration::from_secs(120);
/// Formatting takes 3 s.
const FORMAT: Duration = Duration::from_secs(60);
/// It stops within 3 s when asked; after this time it is killed.
const STOP: Duration = Duration::from_secs(30);
/// Somebody may take a port between the search and the start.
const ATTEMPTS: usize = 3;
/// Lines of the log in an error.
const LAST_LINES: usize = 5;

/// What differs from a broker's defaults.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The port of 127.0.0.1 that clients of the plaintext listener are sent to, such as that of a proxy; its own by default.
    pub advertised: Option<u16>,
    /// Further lines of `server.properties`, such as `log.retention.ms` and its value; they replace earlier ones.
    pub properties: Vec<(String, String)>,
    /// Whether it runs for long or is measured: Java then optimises fully, which costs time at the start.
    pub optimised: bool,
}

/// A running or stopped broker. Killed, and its directory removed, when dropped.
pub struct Broker {
    // Before the guard: by then nothing writes into the directory.
    process: Option<Process>,
    guard: Guard,
    directory: PathBuf,
    class_path: String,
    ports: Ports,
    certificates: Certificates,
    options: Options,
}

/// Its process; killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Broker {
    /// Starts a broker and waits until it serves: 6 to 8 s, and the download the first time.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where Maven Central cannot be reached, [`Error::Failed`] with the end of its log.
    pub fn start() -> Result<Self, Error> {
        Self::with(Options::default())
    }

    /// As [`start`](Self::start), with options.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn with(options: Options) -> Result<Self, Error> {
        let class_path = artifacts::class_path()?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Self::prepare(&class_path, &options).and_then(Self::started) {
                Err(error) if error.to_string().contains("Address already in use") => last = Some(error),
                result => return result,
            }
        }
        Err(last.unwrap_or_else(|| Error::Failed("no attempt was made".into())))
    }

    /// Directory, certificates and configuration.
    fn prepare(class_path: &str, options: &Options) -> Result<Self, Error> {
        let directory = new_directory()?;
        let guard = Guard::start(&directory)?;
        let [plaintext, sasl, tls, controller] = ports::free()?;
        let ports = Ports { plaintext, sasl, tls, controller };
        let certificates = Certificates::make(&directory.join("tls"))?;
        let text = properties(&directory, ports, options);
        fs::write(directory.join("server.properties"), text).map_err(Error::io("cannot write server.properties"))?;
        let (class_path, options) = (class_path.to_owned(), options.clone());
        Ok(Self { process: None, guard, directory, class_path, ports, certificates, options })
    }

    fn started(mut self) -> Result<Self, Error> {
        self.restart()?;
        Ok(self)
    }

    /// Starts it again, on the same ports and with the records it had, and waits until it serves. One that runs is
    /// [stopped](Self::stop) first.
    ///
    /// # Errors
    /// When it ends or does not serve within two minutes, with the end of its log.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.start_process()?;
        self.wait_until_it_serves()
    }

    /// As [`restart`](Self::restart), without waiting until it serves.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start_process(&mut self) -> Result<(), Error> {
        self.stop()?;
        if !self.directory.join("data").exists() {
            self.format()?;
        }
        let log = File::options().create(true).append(true).open(self.log_path());
        let log = log.map_err(Error::io("cannot open the broker's log"))?;
        let mut java = self.java(&[]);
        java.arg("kafka.Kafka").arg(self.directory.join("server.properties"));
        java.stdin(Stdio::null())
            .stderr(log.try_clone().map_err(Error::io("cannot open the broker's log"))?)
            .stdout(log);
        // Not in the terminal's group: Ctrl-C is for the program that started it, which stops it.
        let child =
            java.process_group(0).spawn().map_err(Error::io("cannot start java; `cargo xtask test` installs it"))?;
        self.guard.watch(Some(child.id()));
        self.process = Some(Process(child));
        Ok(())
    }

    /// Waits until it answers a metadata request.
    ///
    /// # Errors
    /// When it ends or two minutes are over, with the end of its log.
    pub fn wait_until_it_serves(&mut self) -> Result<(), Error> {
        let up = poll(START, || {
            if !self.is_running() {
                return Some(Err("ended"));
            }
            readiness::serves(self.ports.plaintext).then_some(Ok(()))
        });
        up.unwrap_or(Err("does not serve"))
            .map_err(|what| Error::Failed(format!("the broker {what}: {}", self.last_lines())))
    }

    /// Asks it to end (SIGTERM) and waits; after half a minute it is killed. One that is not running is left alone.
    ///
    /// # Errors
    /// When it had to be killed.
    pub fn stop(&mut self) -> Result<(), Error> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        terminate(&process.0);
        let ended = ended_within(&mut process.0, STOP);
        self.guard.watch(None);
        ended.map(drop).ok_or_else(|| Error::Failed(format!("the broker did not stop within {STOP:?} and was killed")))
    }

    /// Ends it without asking (SIGKILL).
    ///
    /// # Errors
    /// When the system does not end it.
    pub fn kill(&mut self) -> Result<(), Error> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.0.kill().map_err(Error::io("cannot kill the broker"))?;
        process.0.wait().map_err(Error::io("cannot wait for the broker"))?;
        self.guard.watch(None);
        Ok(())
    }

    /// Kills it and removes its records; [`restart`](Self::restart) then starts an empty one.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn wipe(&mut self) -> Result<(), Error> {
        self.kill()?;
        let data = self.directory.join("data");
        fs::remove_dir_all(&data).map_err(Error::io(format_args!("cannot remove {}", data.display())))
    }

    /// Whether its process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.0.try_wait(), Ok(None)))
    }

    /// Waits until its process ends by itself: the end of its log.
    pub fn wait(&mut self) -> String {
        let ended = self.process.as_mut().map(|process| process.0.wait());
        let status = ended.and_then(Result::ok).map(|status| status.to_string());
        format!("{}: {}", status.unwrap_or_default(), self.last_lines())
    }

    /// The plaintext listener, `127.0.0.1:port`; the advertised one if that was set.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.options.advertised.unwrap_or(self.ports.plaintext))
    }

    /// The port of the plaintext listener itself.
    pub fn port(&self) -> u16 {
        self.ports.plaintext
    }

    /// The listener for SASL over TLS.
    pub fn sasl_bootstrap(&self) -> String {
        format!("localhost:{}", self.ports.sasl)
    }

    /// The listener for TLS with client certificates.
    pub fn tls_bootstrap(&self) -> String {
        format!("localhost:{}", self.ports.tls)
    }

    /// The certificate of the authority that signed the broker's and the client's, PEM.
    pub fn ca(&self) -> PathBuf {
        self.certificates.path("ca.pem")
    }

    /// The certificate of an authority that signed neither, PEM.
    pub fn other_ca(&self) -> PathBuf {
        self.certificates.path("other-ca.pem")
    }

    /// The client's certificate, and its key (PKCS 8, not encrypted), PEM.
    pub fn client_certificate(&self) -> (PathBuf, PathBuf) {
        (self.certificates.path("client.pem"), self.certificates.path("client.key"))
    }

    /// Where it writes its log.
    pub fn log_path(&self) -> PathBuf {
        self.directory.join("broker.log")
    }

    /// The directory of its records: what it stores can be read there.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Kafka's console tools, against its plaintext listener itself.
    pub fn tools(&self) -> Tools {
        Tools::new(self.class_path.clone(), format!("127.0.0.1:{}", self.ports.plaintext))
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// As [`Tools`].
    pub fn create_topic(&self, name: &str, partitions: u32) -> Result<(), Error> {
        self.tools().create_topic(name, partitions)
    }

    /// Gives somebody, such as `User:CN=client`, all rights on the topics and groups whose names begin with `prefix`.
    ///
    /// # Errors
    /// As [`Tools`].
    pub fn grant(&self, who: &str, prefix: &str) -> Result<(), Error> {
        self.tools().grant(who, prefix)
    }

    fn format(&self) -> Result<(), Error> {
        let mut java = self.java(&["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]);
        java.args([
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            "--cluster-id",
            "AAAAAAAAQACAAAAAAAAAAA",
            "--config",
        ]);
        java.arg(self.directory.join("server.properties"));
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            java.arg("--add-scram").arg(format!("{mechanism}=[name={USER},password={SCRAM_PASSWORD}]"));
        }
        run_within(java.stdin(Stdio::null()), FORMAT)?;
        Ok(())
    }

    fn java(&self, more: &[&str]) -> Command {
        let mut java = Command::new("java");
        java.args(["-Xmx512m", "-XX:+UseSerialGC"]).args(more);
        if !self.options.optimised {
            java.arg("-XX:TieredStopAtLevel=1");
        }
        java.args(["-cp", &self.class_path]);
        java
    }

    fn last_lines(&self) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let mut lines: Vec<&str> = log.lines().filter(|line| !line.starts_with('\t')).rev().take(LAST_LINES).collect();
        lines.reverse();
        lines.join("\n")
    }
}

/// A new directory, accessible to its owner only: there are keys in it.
fn new_directory() -> Result<PathBuf, Error> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = Path::new(&std::env::temp_dir()).join(format!("postern-kafka-{}-{number}", std::process::id()));
    // What a process with the same id has left, if its guard was killed too.
    let _ = fs::remove_dir_all(&path);
    let created = DirBuilder::new().mode(0o700).create(&path);
    created.map_err(Error::io(format_args!("cannot create {}", path.display())))?;
    Ok(path)
}
