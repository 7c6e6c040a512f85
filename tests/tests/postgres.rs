//! A real PostgreSQL, shared.

use std::time::Duration;

use postern_testkit::{HubOutletInlet, Postgres, Process, TIMEOUT};

#[test]
fn psql_queries_through_a_portal() {
    let postgres = Postgres::start();
    let portal = HubOutletInlet::start(postgres.address());
    let query = |via, sql: &str| {
        let mut psql = postgres.client("psql", via);
        Process::run(psql.args(["-Atc", sql]), TIMEOUT).success().stdout
    };
    assert_eq!(query(portal.address(), "select 6 * 7"), "42\n");

    let rows = "select i, md5(i::text) from generate_series(1, 100000) i";
    let answer = query(portal.address(), rows);
    assert_eq!(answer.lines().count(), 100_000);
    assert!(answer == query(postgres.address(), rows), "the portal changed the answer");
}

#[test]
fn pgbench_runs_without_a_failed_transaction() {
    let postgres = Postgres::start();
    let portal = HubOutletInlet::start(postgres.address());
    let pgbench = |arguments: &[&str]| {
        let mut pgbench = postgres.client("pgbench", portal.address());
        Process::run(pgbench.args(arguments), Duration::from_secs(300)).success().stdout
    };
    let _ = pgbench(&["-i", "--quiet"]);
    let report = pgbench(&["-c", "8", "-T", "5"]);

    assert!(report.contains("\nnumber of clients: 8\n"), "{report}");
    assert!(report.contains("\nnumber of failed transactions: 0 "), "{report}");
    let processed = report.lines().find_map(|line| line.strip_prefix("number of transactions actually processed: "));
    let processed: u64 = processed.unwrap().parse().unwrap();
    assert!(processed > 0);

    // The database itself must agree: each transaction left a line of history.
    let mut psql = postgres.client("psql", postgres.address());
    let history = Process::run(psql.args(["-Atc", "select count(*) from pgbench_history"]), TIMEOUT).success();
    assert_eq!(history.stdout.trim_end().parse(), Ok(processed));
}
