//! The programs and libraries that building and testing need, and the Debian packages that contain them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Something that is needed, and the packages that contain it.
struct Prerequisite {
    what: What,
    packages: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum What {
    /// A program that is started.
    Program(&'static str),
    /// A library to link with, by its name for pkg-config.
    Library(&'static str),
    /// A module of Debian's Python.
    Module(&'static str),
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Program(name) | Self::Library(name) | Self::Module(name) => name,
        }
    }
}

/// The directory of the Python modules from Debian's packages.
const MODULES: &str = "/usr/lib/python3/dist-packages";

/// For building every program: some of their dependencies are C. `postern` links OpenSSL and zlib, for Kafka.
const BUILD: &[Prerequisite] = &[
    needs("cc", &["gcc", "libc6-dev"]),
    needs("c++", &["g++"]),
    needs("make", &["make"]),
    needs("pkg-config", &["pkg-config"]),
    links("openssl", &["libssl-dev"]),
    links("zlib", &["zlib1g-dev"]),
];

/// For building the app, additionally; Node.js builds the page of its window.
const APP: &[Prerequisite] =
    &[needs("node", &["nodejs"]), needs("npm", &["npm"]), links("webkit2gtk-4.1", &["libwebkit2gtk-4.1-dev"])];

/// What the tests start.
const TESTS: &[Prerequisite] = &[
    needs("gcc", &["gcc", "libc6-dev"]),
    needs("curl", &["curl"]),
    needs("ip", &["iproute2"]),
    needs("/usr/bin/python3", &["python3"]),
    Prerequisite { what: What::Module("websockets"), packages: &["python3-websockets"] },
    Prerequisite { what: What::Module("django"), packages: &["python3-django"] },
    Prerequisite { what: What::Module("jupyter_server"), packages: &["python3-jupyter-server"] },
    needs("initdb", &["postgresql"]),
    needs("postgres", &["postgresql"]),
    needs("pgbench", &["postgresql"]),
    needs("psql", &["postgresql-client"]),
    needs("ssh", &["openssh-client"]),
    needs("scp", &["openssh-client"]),
    needs("sshd", &["openssh-server"]),
    needs("dbus-daemon", &["dbus"]),
    needs("gnome-keyring-daemon", &["gnome-keyring"]),
    needs("valgrind", &["valgrind"]),
    needs("faketime", &["faketime"]),
    needs("secret-tool", &["libsecret-tools"]),
    // The desktop for the app's tests, and the browser for those of its page.
    needs("Xvfb", &["xvfb"]),
    needs("openbox", &["openbox"]),
    needs("xfce4-panel", &["xfce4-panel", "xfconf"]),
    needs("xdotool", &["xdotool"]),
    needs("wmctrl", &["wmctrl"]),
    needs("xclip", &["xclip"]),
    needs("import", &["imagemagick"]),
    needs("xwd", &["x11-apps"]),
    needs("desktop-file-validate", &["desktop-file-utils"]),
    needs("WebKitWebDriver", &["webkit2gtk-driver"]),
    needs("chromium", &["chromium", "fonts-dejavu-core", "fonts-noto-color-emoji"]),
];

/// For starting Apache Kafka.
const KAFKA: &[Prerequisite] =
    &[needs("mvn", &["maven"]), needs("java", &["openjdk-17-jre-headless"]), needs("openssl", &["openssl"])];

const fn needs(program: &'static str, packages: &'static [&'static str]) -> Prerequisite {
    Prerequisite { what: What::Program(program), packages }
}

const fn links(library: &'static str, packages: &'static [&'static str]) -> Prerequisite {
    Prerequisite { what: What::Library(library), packages }
}

/// Installs what building and testing need and is missing, if this user may install packages.
///
/// # Errors
/// When something is missing and cannot be installed; the error contains the command that installs it.
pub(crate) fn install() -> Result<()> {
    if cfg!(not(target_os = "linux")) {
        println!("The tests that start Debian's programs run on Linux only.");
    }
    install_missing(&[BUILD, APP, TESTS, KAFKA])
}

/// As [`install`], but only what building the app needs.
///
/// # Errors
/// As [`install`] does.
pub(crate) fn install_for_app() -> Result<()> {
    install_missing(&[BUILD, APP])
}

/// As [`install`], but only what building the programs without a window needs.
///
/// # Errors
/// As [`install`] does.
pub(crate) fn install_for_build() -> Result<()> {
    install_missing(&[BUILD])
}

/// As [`install`], but only what building the programs without a window and starting Apache Kafka needs.
///
/// # Errors
/// As [`install`] does.
pub(crate) fn install_for_kafka() -> Result<()> {
    install_missing(&[BUILD, KAFKA])
}

fn install_missing(wanted: &[&'static [Prerequisite]]) -> Result<()> {
    if cfg!(not(target_os = "linux")) {
        return Ok(());
    }
    let programs = missing(wanted);
    if programs.is_empty() {
        return Ok(());
    }
    let packages = packages_of(&programs);
    let by_hand = format!("apt-get update && apt-get install -y --no-install-recommends {}", packages.join(" "));
    let Some(mut shell) = privileged_shell() else {
        bail!("missing: {}. Install them as root:\n\n  {by_hand}\n", names(&programs));
    };
    println!("Missing: {}. Installing {}.", names(&programs), packages.join(", "));
    let script = include_str!("install.sh");
    shell.args(["-c", script, "install"]).args(&packages);
    // The status is ignored: what is still missing afterwards decides, and apt-get has printed why.
    let _ = shell.status().context("Failed to start a shell")?;
    let still = missing(wanted);
    if !still.is_empty() {
        bail!("{} could not be installed. As root:\n\n  {by_hand}\n", names(&still));
    }
    Ok(())
}

fn missing(wanted: &[&'static [Prerequisite]]) -> Vec<&'static Prerequisite> {
    let (programs, libraries) = (program_directories(), pkg_config_directories());
    let there = |needed: &Prerequisite| match needed.what {
        // `join` with an absolute path gives that path.
        What::Program(program) => programs.iter().any(|place| place.join(program).is_file()),
        What::Module(module) => Path::new(MODULES).join(module).is_dir(),
        What::Library(library) => libraries.iter().any(|place| place.join(format!("{library}.pc")).is_file()),
    };
    wanted.iter().copied().flatten().filter(|needed| !there(needed)).collect()
}

/// The directories with pkg-config files, for each architecture.
fn pkg_config_directories() -> Vec<PathBuf> {
    let below = |directory: &str| fs::read_dir(directory).into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = below("/usr/lib").map(|entry| entry.path().join("pkgconfig")).collect();
    places.extend(["/usr/lib/pkgconfig".into(), "/usr/share/pkgconfig".into(), "/usr/lib64/pkgconfig".into()]);
    let path = env::var_os("PKG_CONFIG_PATH").unwrap_or_default();
    places.extend(env::split_paths(&path));
    places
}

/// The directories of `PATH`, and those outside of it where Debian installs servers.
fn program_directories() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path).collect();
    places.extend(["/usr/sbin".into(), "/sbin".into()]);
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    places
}

/// The packages that contain these, each once.
fn packages_of(programs: &[&Prerequisite]) -> Vec<&'static str> {
    let mut packages: Vec<_> = programs.iter().flat_map(|needed| needed.packages).copied().collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn names(programs: &[&Prerequisite]) -> String {
    let names: Vec<_> = programs.iter().map(|needed| needed.what.name()).collect();
    names.join(", ")
}

/// A root shell, if there is `apt-get`, and this is root or sudo asks no password.
fn privileged_shell() -> Option<Command> {
    if !succeeds("apt-get", &["--version"]) {
        return None;
    }
    let user = Command::new("id").arg("-u").output().ok()?;
    if user.stdout.trim_ascii() == b"0" {
        return Some(Command::new("sh"));
    }
    succeeds("sudo", &["-n", "true"]).then(|| {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    })
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let quiet = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_installed_once() {
        let all: Vec<_> = TESTS.iter().collect();
        let packages = packages_of(&all);
        assert_eq!(packages.iter().filter(|name| **name == "postgresql").count(), 1);
        assert!(packages.contains(&"libc6-dev"));
    }

    #[test]
    fn what_is_installed_is_not_missing() {
        const NEEDED: &[Prerequisite] = &[
            needs("sh", &["dash"]),
            needs("/bin/sh", &["dash"]),
            needs("/nowhere/sh", &["dash"]),
            needs("no-such-program", &["none"]),
            Prerequisite { what: What::Module("no_such_module"), packages: &["none"] },
            links("no-such-library", &["none"]),
        ];
        let names: Vec<_> = missing(&[NEEDED]).iter().map(|needed| needed.what.name()).collect();
        assert_eq!(names, ["/nowhere/sh", "no-such-program", "no_such_module", "no-such-library"]);
    }

    #[test]
    fn what_run_and_demo_build_with_is_installed() {
        for program in ["cc", "make"] {
            assert!(BUILD.iter().any(|needed| needed.what.name() == program), "{program}");
        }
        for program in ["node", "npm"] {
            assert!(APP.iter().any(|needed| needed.what.name() == program), "{program}");
        }
    }
}
