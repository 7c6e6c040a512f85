//! The options that trials take.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

/// What was asked for; each trial says which of it it heeds.
#[derive(Debug)]
pub(super) struct Options {
    /// Decides the order of what a trial does: the same seed, the same order.
    pub(super) seed: u64,
    /// Names of suites.
    pub(super) suites: Vec<String>,
    /// How many times each suite runs.
    pub(super) times: usize,
    /// How long a soak goes on.
    pub(super) duration: Duration,
    /// Whether what was built from nothing is kept.
    pub(super) keep: bool,
}

impl Options {
    /// Reads `--seed N --suite A,B --times N --minutes N --keep`, each of them optional.
    ///
    /// # Errors
    /// When an option is unknown or its value is no number.
    pub(super) fn read(arguments: &[String]) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut options =
            Self { seed: now, suites: Vec::new(), times: 10, duration: Duration::from_secs(60 * 60), keep: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--seed" => options.seed = number(value()?)?,
                "--suite" => options.suites.extend(value()?.split(',').map(str::to_owned)),
                "--times" => options.times = usize::try_from(number(value()?)?)?,
                "--minutes" => options.duration = Duration::from_secs(60 * number(value()?)?),
                "--keep" => options.keep = true,
                other => bail!("there is no option `{other}`, only --seed, --suite, --times, --minutes and --keep"),
            }
        }
        Ok(options)
    }
}

fn number(text: &str) -> Result<u64> {
    text.parse().with_context(|| format!("`{text}` is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<Options> {
        Options::read(&arguments.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let options = read("--suite people,network --times 3 --minutes 2 --seed 7").unwrap();
        assert_eq!(options.suites, ["people", "network"]);
        assert_eq!((options.times, options.seed, options.keep), (3, 7, false));
        assert_eq!(options.duration, Duration::from_secs(120));
        for wrong in ["--times", "--times many", "--sed 7"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
