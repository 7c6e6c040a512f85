//! Services that trust whoever connects from their own machine, and so everybody they are shared with
//! (`docs/threat-model.md`, "Services that trust the local machine").
//!
//! Postern cannot know how a service is configured. It knows what such programs do as they are installed, and says so before
//! somebody is invited.

/// Ports, beginnings of programs' names, and what to know about the service. Sources: the documentation of each program on its
/// default configuration.
const KNOWN: &[(&[u16], &[&str], &str)] = &[
    (
        &[2375],
        &["dockerd"],
        "The Docker API asks for no password: whoever uses it controls this computer as its administrator.",
    ),
    (
        &[6379],
        &["redis-server", "valkey-server"],
        "Redis asks for no password unless you set one: whoever uses it reads, changes and deletes everything in it.",
    ),
    (
        &[27017],
        &["mongod"],
        "MongoDB asks for no password unless access control is on: whoever uses it reads and changes everything in it.",
    ),
    (
        &[5432],
        &["postgres"],
        "PostgreSQL may accept connections from this computer without a password: look for `trust` in pg_hba.conf.",
    ),
    (&[11211], &["memcached"], "Memcached asks for no password: whoever uses it reads and deletes everything in it."),
    (
        &[9200],
        &["elasticsearch", "opensearch"],
        "Elasticsearch before version 8 asks for no password unless security is on: whoever uses it reads and deletes everything.",
    ),
    (
        &[2379],
        &["etcd"],
        "etcd asks for no password unless authentication is on: whoever uses it changes everything in it.",
    ),
    (
        &[8500],
        &["consul"],
        "Consul lets everybody in unless access control lists are on: whoever uses it changes what your services do.",
    ),
    (
        &[5672, 15672],
        &["rabbitmq", "beam.smp"],
        "RabbitMQ's account `guest` works from this computer only, and so for everybody you share this with.",
    ),
    (
        &[9092],
        &[],
        "Kafka asks for no password unless it is set up to: whoever uses it reads, writes and deletes every topic.",
    ),
    (
        &[2181],
        &[],
        "ZooKeeper asks for no password unless it is set up to: whoever uses it changes what depends on it.",
    ),
    (&[11434], &["ollama"], "Ollama asks for no password: whoever uses it runs and deletes your models."),
    (
        &[9229],
        &[],
        "The debugger of Node.js asks for no password: whoever uses it runs programs on this computer as you.",
    ),
    (
        &[9222],
        &[],
        "A browser's remote debugging asks for no password: whoever uses it reads and does what you can in that browser.",
    ),
    (&[5005], &[], "Java's debugger asks for no password: whoever uses it runs programs on this computer as you."),
    (
        &[5678],
        &["debugpy"],
        "Python's debugger asks for no password: whoever uses it runs programs on this computer as you.",
    ),
    (&[], &["kubectl"], "`kubectl proxy` asks for no password: whoever uses it acts in your cluster with your rights."),
    (&[], &["adb"], "Android's debug bridge asks for no password: whoever uses it controls the connected devices."),
];

/// What to know before sharing a service, if it is known to trust its own machine: a sentence for the owner.
///
/// The program decides if it is known, else the port.
pub(crate) fn warning(port: u16, program: Option<&str>) -> Option<&'static str> {
    let program = program.map(str::to_ascii_lowercase);
    let by_program = |(_, programs, _): &&(_, &[&str], _)| {
        program.as_ref().is_some_and(|program| programs.iter().any(|name| program.starts_with(name)))
    };
    let by_port = |(ports, ..): &&(&[u16], _, _)| ports.contains(&port);
    KNOWN.iter().find(by_program).or_else(|| KNOWN.iter().find(by_port)).map(|(.., warning)| *warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_trust_their_machine_are_known_by_program_or_port() {
        for (port, program, name) in [
            (2375, None, "Docker"),
            (6379, None, "Redis"),
            (7000, Some("redis-server"), "Redis"),
            (7001, Some("Mongod"), "MongoDB"),
            (5432, Some("postgres"), "PostgreSQL"),
            (9229, Some("node"), "Node.js"),
            (8001, Some("kubectl"), "kubectl"),
            // A program that is known decides, whatever its port.
            (6379, Some("memcached"), "Memcached"),
        ] {
            assert!(warning(port, program).is_some_and(|text| text.contains(name)), "{port} {program:?}");
        }
        for (port, program) in [(22, Some("sshd")), (3000, Some("node")), (8888, Some("jupyter-lab")), (0, None)] {
            assert_eq!(warning(port, program), None);
        }
    }

    #[test]
    fn every_warning_is_one_short_sentence() {
        for (ports, programs, text) in KNOWN {
            assert!(!ports.is_empty() || !programs.is_empty());
            assert!(text.ends_with('.') && text.len() <= 130, "{text}");
        }
    }
}
