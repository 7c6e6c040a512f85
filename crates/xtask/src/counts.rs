//! How many tests passed, failed and were skipped, and which failed.

use std::fmt;
use std::ops::AddAssign;

/// What one or more runs of tests add up to; displayed as CI's closing line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// The names of those that failed, as the runner of the tests prints them.
    pub(crate) failures: Vec<String>,
    /// The names of those that failed and then passed: their outcome depends on timing. They count as passed.
    pub(crate) flaky: Vec<String>,
    /// Tests of the program that runs now that said they tested nothing.
    returned: u64,
}

impl Counts {
    /// Adds the numbers of one line of `cargo test`'s output, if it is a result line:
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s`.
    ///
    /// A line `skipped: test: why` is one test that returned without testing anything, which cargo's line counts as passed.
    pub(crate) fn read(&mut self, line: &str) {
        if line.starts_with("skipped: ") {
            self.returned += 1;
        }
        let failed = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED"));
        self.failures.extend(failed.map(str::to_owned));
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let Some((_, report)) = result.split_once(". ") else {
            return;
        };
        for part in report.split("; ") {
            let Some((Ok(number), what)) = part.split_once(' ').map(|(n, what)| (n.parse::<u64>(), what)) else {
                continue;
            };
            match what {
                "passed" => self.passed += number.saturating_sub(self.returned),
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
        self.skipped += std::mem::take(&mut self.returned);
    }
}

impl Counts {
    /// As [`read`](Self::read), for the output of the page's tests: `Tests  1 failed | 30 passed (31)` of Vitest, and one line
    /// a kind of Playwright, as `  63 passed (1.4m)`.
    pub(crate) fn read_page_tests(&mut self, line: &str) {
        let line = line.trim();
        // Playwright's marks of a test that failed (✘) or passed, with its number in the run, and Vitest's.
        if let Some((name, _)) = line.strip_prefix("✘").and_then(name_of_page_test) {
            if !self.failures.iter().any(|failed| failed == name) {
                self.failures.push(name.to_owned());
            }
        } else if let Some((name, true)) = line.strip_prefix("✓").and_then(name_of_page_test) {
            let passed_again = self.failures.extract_if(.., |failed| failed == name);
            self.flaky.extend(passed_again);
        } else if let Some(name) = line.strip_prefix("FAIL ") {
            self.failures.push(name.trim().to_owned());
        }
        let parts = match line.strip_prefix("Tests ") {
            Some(parts) => parts.split(" | ").collect(),
            None => vec![line],
        };
        for part in parts {
            let part = part.split_once(" (").map_or(part, |(part, _)| part).trim();
            let Some((Ok(number), what)) = part.split_once(' ').map(|(n, what)| (n.parse::<u64>(), what)) else {
                continue;
            };
            match what {
                "passed" | "flaky" => self.passed += number,
                "failed" | "interrupted" => self.failed += number,
                "skipped" | "todo" | "did not run" => self.skipped += number,
                _ => {}
            }
        }
    }
}

/// The name in Playwright's line of a test, and whether the test ran before: `7 file.ts:10:3 › first run (retry #1) (1.2s)`.
fn name_of_page_test(line: &str) -> Option<(&str, bool)> {
    let (_, name) = line.trim().split_once(' ')?;
    let name = name.rsplit_once(" (").map_or(name, |(name, _)| name).trim();
    let (first, ran_before) = name.rsplit_once(" (retry #").map_or((name, false), |(first, _)| (first, true));
    Some((first, ran_before))
}

/// More failures than this are no coincidence of timing.
const MAX_REPEATED: usize = 3;

impl Counts {
    /// The tests that are worth another run: all that failed, when each is known by name and they are few.
    pub(crate) fn repeatable(&self) -> &[String] {
        let are_named = self.failed == self.failures.len() as u64;
        if are_named && self.failures.len() <= MAX_REPEATED { &self.failures } else { &[] }
    }

    /// Takes in what a second run of the [`repeatable`](Self::repeatable) tests counted: with none failed, all were flaky.
    pub(crate) fn settle(&mut self, second: &Self) {
        if second.failed == 0 && second.passed >= self.failed {
            self.passed += std::mem::take(&mut self.failed);
            self.flaky.append(&mut self.failures);
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
        self.flaky.extend(other.flaky);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.flaky.iter().try_for_each(|test| writeln!(f, "flaky: {test} (failed, and passed when it ran again)"))?;
        self.failures.iter().try_for_each(|test| writeln!(f, "failed: {test}"))?;
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_every_result_line() {
        let output = "\
running 3 tests
test counts::tests::one ... ok
test counts::tests::two ... FAILED
test counts::tests::three - should panic ... FAILED
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

test result: FAILED. 1 passed; 2 failed; 4 ignored; 9 measured; 7 filtered out; finished in 12.30s
all doctests ran in 0.25s; merged doctests compilation took 0.23s
";
        let mut counts = Counts::default();
        output.lines().for_each(|line| counts.read(line));
        let failures = vec!["counts::tests::two".into(), "counts::tests::three - should panic".into()];
        let expected = Counts { passed: 4, failed: 2, skipped: 4, failures, ..Counts::default() };
        assert_eq!(counts, expected);
    }

    #[test]
    fn a_test_that_says_it_is_skipped_has_not_passed() {
        let output = "\
skipped: kafka::story: Maven Central cannot be reached
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
";
        let mut counts = Counts::default();
        output.lines().for_each(|line| counts.read(line));
        assert_eq!(counts, Counts { passed: 4, skipped: 2, ..Counts::default() });
    }

    #[test]
    fn reads_nothing_else() {
        let mut counts = Counts::default();
        for line in [
            "",
            "test result: ",
            "test result: ok.",
            "test result: ok. many passed; -1 failed; ignored",
            "  test result: ok. 1 passed; 1 failed",
            "said `test result: ok. 1 passed; 1 failed`",
            "9 passed; 9 failed",
        ] {
            counts.read(line);
        }
        assert_eq!(counts, Counts::default());
    }

    #[test]
    fn adds_up_what_the_tests_of_the_page_report() {
        let output = "
 RUN  v4.1.12 /ui

 FAIL  tests/unit/time.test.ts > a minute > is sixty seconds

 Test Files  1 failed | 1 passed (2)
      Tests  1 failed | 30 passed | 2 skipped (33)
   Duration  1.10s

Running 190 tests using 2 workers
  ✓  64 tests/browser/stories.test.ts:697:3 › states › 1 failed (1.7s)
  ✘   7 tests/browser/stories.test.ts:10:3 › first run (30.1s)
  ✘   8 tests/browser/stories.test.ts:10:3 › first run (retry #1) (30.1s)
  ✘   9 tests/browser/stories.test.ts:20:3 › second run (30.1s)
  ✓  10 tests/browser/stories.test.ts:20:3 › second run (retry #1) (1.1s)
  1 failed
    tests/browser/stories.test.ts:10:3 › first run
  1 flaky
    tests/browser/stories.test.ts:20:3 › second run
  3 did not run
  186 passed (1.4m)
";
        let mut counts = Counts::default();
        output.lines().for_each(|line| counts.read_page_tests(line));
        let failures = vec![
            "tests/unit/time.test.ts > a minute > is sixty seconds".into(),
            "tests/browser/stories.test.ts:10:3 › first run".into(),
        ];
        let flaky = vec!["tests/browser/stories.test.ts:20:3 › second run".into()];
        assert_eq!(counts, Counts { passed: 217, failed: 2, skipped: 5, failures, flaky, ..Counts::default() });
    }

    #[test]
    fn a_test_that_passes_the_second_time_is_flaky_and_no_other() {
        let failures = vec!["one".to_owned(), "two".to_owned()];
        let first = Counts { passed: 7, failed: 2, failures, ..Counts::default() };
        assert_eq!(first.repeatable(), ["one", "two"]);
        let mut settled = first.clone();
        settled.settle(&Counts { passed: 2, ..Counts::default() });
        assert_eq!((settled.passed, settled.failed), (9, 0));
        assert!(settled.to_string().contains("flaky: two"), "{settled}");
        for second in [Counts { passed: 1, failed: 1, ..Counts::default() }, Counts { passed: 1, ..Counts::default() }]
        {
            let mut settled = first.clone();
            settled.settle(&second);
            assert_eq!(settled, first);
        }
        let unnamed = Counts { failed: 3, ..first.clone() };
        let many = Counts { failed: 4, failures: vec!["x".into(); 4], ..first };
        assert!(unnamed.repeatable().is_empty() && many.repeatable().is_empty());
    }

    #[test]
    fn closes_with_what_there_is_to_say() {
        let mut counts = Counts { passed: 12, ..Counts::default() };
        assert_eq!(counts.to_string(), "12 passed, 0 failed");
        counts += Counts { passed: 1, failed: 2, skipped: 3, ..Counts::default() };
        assert_eq!(counts.to_string(), "13 passed, 2 failed, 3 skipped");
        counts.failures.push("counts::tests::two".into());
        assert_eq!(counts.to_string(), "failed: counts::tests::two\n13 passed, 2 failed, 3 skipped");
    }
}
